/* The list of a run's messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "bmx-flush/work.h"

static void
add(struct work *w, const char *name, bool is_new)
{
	struct spool_entry entry;
	struct err e = ERR_INIT;

	assert_true(spool_parse_name(&entry, name, is_new));
	assert_int_equal(work_add(w, &entry, &e), 0);
}

static void
the_oldest_comes_first_wherever_it_is(void **state)
{
	static const struct {
		const char *name;
		bool is_new;
	} rows[] = {
		/* in the order of their arrival */
		{ "1pn4q8s0000aaaaaaaaaa,S=1,R=1:2,", false },
		{ "1pn4q8s0001aaaaaaaaaa,S=20,R=2", true },
		{ "1pn4q8s0001bbbbbbbbbb,S=300,R=1000:2,S", false },
		{ "1pn4q8s000vaaaaaaaaaa,S=4000,R=1", true },
		{ "1pn4q8s0010aaaaaaaaaa,S=50000,R=1:2,", false },
	};
	struct work w = WORK_INIT(WORK_OLDEST_FIRST);
	struct spool_entry entry;

	(void)state;
	add(&w, rows[3].name, rows[3].is_new);
	add(&w, rows[0].name, rows[0].is_new);
	add(&w, rows[4].name, rows[4].is_new);
	add(&w, rows[2].name, rows[2].is_new);
	add(&w, rows[1].name, rows[1].is_new);
	work_sort(&w);
	assert_int_equal(w.bytes, 54321);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(work_left(&w), 5 - i);
		assert_true(work_next(&w, &entry));
		assert_string_equal(entry.name, rows[i].name);
		assert_int_equal(entry.is_new, rows[i].is_new);
	}
	assert_int_equal(work_left(&w), 0);
	assert_false(work_next(&w, &entry));
	assert_false(work_next(&w, &entry));
	work_free(&w);
	work_free(&w);
}

static void
the_smallest_comes_first_when_asked_for(void **state)
{
	static const char *const names[] = {
		/* in that order; of one size the oldest */
		"1pn4q8s000vaaaaaaaaaa,S=9,R=1:2,",
		"1pn4q8s0000aaaaaaaaaa,S=10,R=1",
		"1pn4q8s0001aaaaaaaaaa,S=10,R=9",
		"1pn4q8s0002bbbbbbbbbb,S=99,R=1000:2,S",
		"1pn4q8s0000bbbbbbbbbb,S=100,R=1",
		"1pn4q8s0000cccccccccc,S=12345678901,R=1",
	};
	static const int added[] = { 3, 5, 2, 0, 4, 1 };
	struct work w = WORK_INIT(WORK_SMALLEST_FIRST);
	struct spool_entry entry;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		add(&w, names[added[i]], true);
	work_sort(&w);
	for (size_t i = 0; i < 6; i++) {
		assert_true(work_next(&w, &entry));
		assert_string_equal(entry.name, names[i]);
	}
	work_free(&w);
}

static void
an_empty_list_gives_nothing(void **state)
{
	struct work w = WORK_INIT(WORK_OLDEST_FIRST);
	struct spool_entry entry;

	(void)state;
	work_sort(&w);
	assert_false(work_next(&w, &entry));
	work_free(&w);
}

/* A million waiting messages in 64 MiB, the program included. */
static void
a_million_messages_take_less_than_56_MiB(void **state)
{
	enum { N = 1000000 };
	struct work w = WORK_INIT(WORK_OLDEST_FIRST);
	char name[SPOOL_NAME_MAX], last[SPOOL_NAME_MAX] = "";
	struct spool_entry entry;
	unsigned n = 0;

	(void)state;
	for (uint64_t i = 0; i < N; i++) {
		/* digits that sort like numbers, in a scattered order */
		uint64_t at = i * 611953 % N;

		snprintf(name, sizeof name,
		    "1pn4q%06lluaaaaaaaaaa,S=25000000,R=100:2,",
		    (unsigned long long)at);
		add(&w, name, false);
	}
	work_sort(&w);
	assert_true(w.names.len + w.n * sizeof *w.at < 56 * 1024 * 1024);
	while (work_next(&w, &entry)) {
		assert_true(strcmp(last, entry.name) < 0);
		snprintf(last, sizeof last, "%s", entry.name);
		n++;
	}
	assert_int_equal(n, N);
	work_free(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_oldest_comes_first_wherever_it_is),
		cmocka_unit_test(the_smallest_comes_first_when_asked_for),
		cmocka_unit_test(an_empty_list_gives_nothing),
		cmocka_unit_test(a_million_messages_take_less_than_56_MiB),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
