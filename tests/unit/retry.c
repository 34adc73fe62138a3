/* When a deferred message is tried again (D34). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bmx-flush/retry.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void
waits_double_from_retry_min_to_retry_max(void **state)
{
	static const struct {
		int64_t last_s;
		unsigned min_s, max_s;
		int64_t least, most; /* of the next wait */
	} rows[] = {
		{ 0, 300, 3600, 300, 400 },   /* the first */
		{ 300, 300, 3600, 450, 600 }, /* the second */
		{ 600, 300, 3600, 900, 1200 },
		{ 1700, 300, 3600, 2550, 3400 },
		{ 1800, 300, 3600, 2700, 3600 }, /* at the cap */
		{ 3600, 300, 3600, 2700, 3600 },
		{ 1000000, 300, 3600, 2700, 3600 }, /* retry-max was lowered */
		{ INT64_MAX, 300, 3600, 2700, 3600 },
		{ -5, 300, 3600, 300, 400 },
		{ 1, 300, 3600, 300, 300 }, /* retry-min was raised */
		{ 0, 60, 60, 60, 60 },      /* no room for chance */
		{ 60, 60, 60, 60, 60 },
		{ 0, 1, 1, 1, 1 },
		{ 0, 1, UINT32_MAX, 1, 1 },
		{ UINT32_MAX, 1, UINT32_MAX, 3221225472, UINT32_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t least = INT64_MAX, most = 0;

		for (uint32_t chance = 0; chance < 2000000; chance++) {
			int64_t s = retry_wait_s(rows[i].last_s, rows[i].min_s,
			    rows[i].max_s, chance * 2147u);

			least = s < least ? s : least;
			most = s > most ? s : most;
		}
		assert_in_range(least, rows[i].least,
		    rows[i].least + rows[i].least / 1000);
		assert_in_range(most, rows[i].most - rows[i].most / 1000,
		    rows[i].most);
	}
}

static void
ten_thousand_chains_never_leave_the_range_and_reach_the_cap(void **state)
{
	uint32_t chance = 1;

	(void)state;
	for (int chain = 0; chain < 10000; chain++) {
		int64_t s = 0;

		for (int try = 0; try < 12; try++) {
			chance = chance * 1664525u + 1013904223u;
			s = retry_wait_s(s, 300, 3600, chance >> 8);
			assert_in_range(s, 300, 3600);
		}
		assert_in_range(s, 2700, 3600);
	}
}

static void
the_wait_before_is_read_from_the_times_of_the_file(void **state)
{
	static const struct {
		bool is_new;
		int64_t mtime_s, ctime_s, last_s;
	} rows[] = {
		{ false, 1000600, 1000000, 600 },
		{ true, 1000600, 1000000, 0 }, /* never tried */
		{ false, 1000000, 1000000, 0 },
		{ false, 1000000, 1000600, 0 }, /* copied, or released */
		{ false, 0, 1000600, 0 },
		{ false, INT64_MAX, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(retry_last_s(rows[i].is_new, rows[i].mtime_s,
				     rows[i].ctime_s),
		    rows[i].last_s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_double_from_retry_min_to_retry_max),
		cmocka_unit_test(
		    ten_thousand_chains_never_leave_the_range_and_reach_the_cap),
		cmocka_unit_test(
		    the_wait_before_is_read_from_the_times_of_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
