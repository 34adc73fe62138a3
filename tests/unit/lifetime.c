/* How old a message is, by the primary's clocks and without them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/file.h"
#include "spool/lifetime.h"
#include "scratch.h"

#define DAY 86400
#define NOW_S 1795489874

/* ---- by Bmx-Clock ---- */

static void
it_lives_by_the_primarys_clocks(void **state)
{
	static const struct {
		int64_t came_up_s, came_all_s, up_s, all_s, held_s;
		int64_t is_up_s, is_all_s;
	} rows[] = {
		{ 0, 0, 0, 0, 0, 0, 0 },
		/* C8: an outage of 20 days takes nothing from it */
		{ 1000, 2000, 1000, 2000 + 20 * DAY, 0, 0, 20 * DAY },
		{ 1000, 2000, 1500, 2700, 0, 500, 700 },
		/* held, both stand still */
		{ 1000, 2000, 1500, 2700, 400, 100, 300 },
		{ 1000, 2000, 1500, 2700, 600, 0, 100 },
		/* the state was lost, and began again: younger, not older */
		{ 1000, 2000, 10, 20, 0, 0, 0 },
		{ INT64_MAX, INT64_MAX, 0, 0, 9999999999, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct envelope env = { .has_clock = true,
			.up_s = rows[i].came_up_s,
			.all_s = rows[i].came_all_s };
		const struct primary p = { .up_s = rows[i].up_s,
			.all_s = rows[i].all_s };
		struct lifetime l = lifetime_by_clock(&env, &p, rows[i].held_s);

		assert_int_equal(l.up_s, rows[i].is_up_s);
		assert_int_equal(l.all_s, rows[i].is_all_s);
	}
}

/* ---- is it over? ---- */

static void
it_is_over_at_one_of_two_ends(void **state)
{
	static const struct {
		unsigned lifetime_s, lifetime_max_s;
		int64_t up_s, all_s;
		bool is_over;
		int64_t left_s;
	} rows[] = {
		{ 5 * DAY, 0, 0, 20 * DAY, false, 5 * DAY },
		{ 5 * DAY, 0, 5 * DAY - 1, 9 * DAY, false, 1 },
		{ 5 * DAY, 0, 5 * DAY, 9 * DAY, true, 0 },
		{ 5 * DAY, 0, 6 * DAY, 9 * DAY, true, 0 },
		{ 0, 0, 900 * DAY, 900 * DAY, false, -1 },
		{ 0, 30 * DAY, 0, 30 * DAY - 7, false, 7 },
		{ 0, 30 * DAY, 0, 30 * DAY, true, 0 },
		{ 5 * DAY, 30 * DAY, 4 * DAY, 30 * DAY, true, 0 },
		{ 5 * DAY, 30 * DAY, 4 * DAY, 10 * DAY, false, DAY },
		{ 5 * DAY, 30 * DAY, 1 * DAY, 29 * DAY, false, DAY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct config_domain domain = { .lifetime_s =
							  rows[i].lifetime_s,
			.lifetime_max_s = rows[i].lifetime_max_s };
		const struct lifetime l = { rows[i].up_s, rows[i].all_s };

		assert_int_equal(lifetime_is_over(&l, &domain),
		    rows[i].is_over);
		assert_int_equal(lifetime_left_s(&l, &domain), rows[i].left_s);
	}
}

/* By the name alone, so by the wall: it may say "maybe" too often, and after a
 * jump back of the clock says it late. */
static void
the_young_are_not_looked_at(void **state)
{
	static const struct {
		int64_t age_s;
		unsigned lifetime_s, lifetime_max_s;
		bool may_be;
	} rows[] = {
		{ 0, 5 * DAY, 30 * DAY, false },
		{ 5 * DAY - 1, 5 * DAY, 0, false },
		{ 5 * DAY, 5 * DAY, 0, true },
		{ 30 * DAY, 0, 30 * DAY, true },
		{ 900 * DAY, 0, 0, false },
		{ -DAY, 1, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct config_domain domain = { .lifetime_s =
							  rows[i].lifetime_s,
			.lifetime_max_s = rows[i].lifetime_max_s };
		const struct spool_entry entry = {
			.arrival_us = (NOW_S - rows[i].age_s) * 1000000
		};

		assert_int_equal(lifetime_may_be_over(&entry, &domain, NOW_S),
		    rows[i].may_be);
	}
}

static void
what_is_unwanted_ends_by_its_own_key(void **state)
{
	const struct config_domain never = { .unverified_lifetime_s = 0 };
	const struct config_domain day = { .unverified_lifetime_s = DAY };
	const struct lifetime young = { DAY - 1, 9 * DAY };
	const struct lifetime old = { DAY, 9 * DAY };

	(void)state;
	assert_false(lifetime_unwanted_is_over(&old, &never));
	assert_false(lifetime_unwanted_is_over(&young, &day));
	assert_true(lifetime_unwanted_is_over(&old, &day));
}

/* ---- with files ---- */

/* The primary is up, its clocks at up_s and all_s. */
static void
write_state(int64_t up_s, int64_t all_s, int64_t at_s)
{
	struct primary p = PRIMARY_INIT;
	struct err e = ERR_INIT;

	primary_learn(&p, PRIMARY_UP, "", 1, 1, at_s);
	p.up_s = up_s;
	p.all_s = all_s;
	assert_int_equal(primary_write(scratch.fd, &p, &e), 0);
}

static void
expect_life(const struct envelope *env, int64_t age_s, int64_t held_s,
    int64_t now_s, int64_t up_s, int64_t all_s)
{
	const struct spool_entry entry = {
		.arrival_us = (NOW_S - age_s) * 1000000, .held_s = held_s
	};
	struct err e = ERR_INIT;
	struct lifetime l;

	assert_int_equal(lifetime_of(&l, scratch.fd, env, &entry, now_s, &e),
	    0);
	assert_int_equal(l.up_s, up_s);
	assert_int_equal(l.all_s, all_s);
}

/* D50: no jump of the system's clock makes a message older. */
static void
a_jump_of_the_clock_changes_nothing(void **state)
{
	static const int64_t jumps_s[] = { 0, 3600, -3600, 900 * DAY,
		-900 * DAY };
	struct envelope env = ENVELOPE_INIT;

	(void)state;
	write_state(1000, 5000, NOW_S - 60);
	lifetime_stamp(&env, scratch.fd);
	assert_true(env.has_clock);
	assert_int_equal(env.up_s, 1000);
	assert_int_equal(env.all_s, 5000);
	write_state(1060, 5060, NOW_S);
	for (size_t i = 0; i < sizeof jumps_s / sizeof *jumps_s; i++)
		expect_life(&env, 60, 0, NOW_S + jumps_s[i], 60, 60);
}

static void
without_a_state_it_does_not_grow_old(void **state)
{
	struct envelope env = ENVELOPE_INIT;

	(void)state;
	lifetime_stamp(&env, scratch.fd);
	assert_true(env.has_clock);
	expect_life(&env, 900 * DAY, 0, NOW_S, 0, 0);
}

static void
a_damaged_state_gives_no_stamp_and_no_age(void **state)
{
	const struct spool_entry entry = { .arrival_us = NOW_S * 1000000LL };
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	struct lifetime l;

	(void)state;
	assert_int_equal(file_replace(scratch.fd, "primary", "verdict x\n", 10,
			     0600, &e),
	    0);
	lifetime_stamp(&env, scratch.fd);
	assert_false(env.has_clock);
	env.has_clock = true;
	assert_int_equal(lifetime_of(&l, scratch.fd, &env, &entry, NOW_S, &e),
	    -1);
}

/* Without Bmx-Clock the history says how long the primary was up. */
static void
a_message_without_a_stamp_lives_by_the_history(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct primary p = PRIMARY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	expect_life(&env, 9000, 100, NOW_S, 0, 8900);
	for (int64_t at_s = NOW_S - 6000; at_s <= NOW_S; at_s += 3000) {
		primary_learn(&p, PRIMARY_UP, "", 1, 1, at_s);
		assert_int_equal(primary_write(scratch.fd, &p, &e), 0);
	}
	expect_life(&env, 9000, 0, NOW_S, 6000, 9000);
	expect_life(&env, 9000, 100, NOW_S, 5900, 8900);
	expect_life(&env, 3000, 0, NOW_S, 3000, 3000);
	expect_life(&env, 3000, 9000, NOW_S, 0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_lives_by_the_primarys_clocks),
		cmocka_unit_test(it_is_over_at_one_of_two_ends),
		cmocka_unit_test(the_young_are_not_looked_at),
		cmocka_unit_test(what_is_unwanted_ends_by_its_own_key),
		cmocka_unit_test_teardown(a_jump_of_the_clock_changes_nothing,
		    scratch_empty),
		cmocka_unit_test_teardown(without_a_state_it_does_not_grow_old,
		    scratch_empty),
		cmocka_unit_test_teardown(
		    a_damaged_state_gives_no_stamp_and_no_age, scratch_empty),
		cmocka_unit_test_teardown(
		    a_message_without_a_stamp_lives_by_the_history,
		    scratch_empty),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
