/* How many connections, and how fast. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bmx-flush/pace.h"

static void
good(struct pace *p, unsigned n)
{
	while (n-- > 0)
		pace_result(p, PACE_GOOD, 10, p->window - 1);
}

static struct pace
begun(unsigned connections)
{
	const struct pace_limits limits = { .connections = connections };
	struct pace p;

	pace_begin(&p, &limits);
	return p;
}

static void
the_window_follows_what_the_primary_says(void **state)
{
	static const struct {
		const char *name;
		const char *events; /* g: a good one, G: a growth of them for
				       each connection, b: bad with nothing
				       else under way, e: else */
		unsigned most, window;
	} rows[] = {
		{ "it begins with one", "", 8, 1 },
		{ "a good one adds one", "g", 8, 2 },
		{ "so it doubles with one each", "ggg", 8, 4 },
		{ "not beyond the most", "ggggggg", 4, 4 },
		{ "a most of one stays one", "ggg", 1, 1 },
		{ "bad halves it", "gggb", 4, 2 },
		{ "twice", "gggbb", 4, 1 },
		{ "never below one", "bbbb", 4, 1 },
		{ "a good one adds none then", "gggbbggg", 8, 1 },
		{ "it recovers by one", "gggbbG", 8, 2 },
		{ "each step takes more", "gggbbGG", 8, 3 },
		{ "not beyond the most then", "gggbbGGGGGG", 4, 4 },
		{ "trouble at the first one counts", "bgg", 8, 1 },
		{ "a refusal for good is neither", "gge", 4, 3 },
		{ "nor does it end the start", "gegegg", 8, 5 },
		{ "an odd one is rounded down", "ggb", 4, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pace p = begun(rows[i].most);

		for (const char *event = rows[i].events; *event != '\0';
		     event++) {
			if (*event == 'g')
				good(&p, 1);
			else if (*event == 'G')
				good(&p, PACE_GROWTH * p.window);
			else
				pace_result(&p,
				    *event == 'b' ? PACE_BAD : PACE_ELSE, 0, 0);
		}
		if (p.window != rows[i].window)
			fail_msg("%s: %u, not %u", rows[i].name, p.window,
			    rows[i].window);
	}
}

static void
one_burst_halves_it_once(void **state)
{
	struct pace p = begun(8);

	(void)state;
	while (p.window < 8)
		good(&p, 1);
	for (unsigned under_way = 8; under_way-- > 0;)
		pace_result(&p, PACE_BAD, 0, under_way);
	assert_int_equal(p.window, 4);
	pace_result(&p, PACE_BAD, 0, 3); /* this one is about the new window */
	assert_int_equal(p.window, 2);
}

static void
almost_enough_good_ones_are_not_enough(void **state)
{
	struct pace p = begun(4);

	(void)state;
	pace_result(&p, PACE_BAD, 0, 0);
	good(&p, PACE_GROWTH - 1);
	assert_int_equal(p.window, 1);
	good(&p, 1);
	assert_int_equal(p.window, 2);
}

static void
a_slow_reply_halves_it(void **state)
{
	static const struct {
		const char *name;
		int64_t usual_ms, then_ms;
		unsigned window;
	} rows[] = {
		{ "as usual", 10, 10, 2 },
		{ "slower, but who would notice", 10, PACE_SLOW_MS - 1, 2 },
		{ "much slower", 10, PACE_SLOW_MS, 1 },
		{ "slow is usual there", 800, 3000, 2 },
		{ "even there this is slow", 800, 4000, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pace p = begun(2);

		for (int n = 0; n < 100; n++)
			pace_result(&p, PACE_GOOD, rows[i].usual_ms, 0);
		assert_int_equal(p.window, 2);
		pace_result(&p, PACE_GOOD, rows[i].then_ms, 0);
		if (p.window != rows[i].window)
			fail_msg("%s: %u", rows[i].name, p.window);
	}
}

/* How many messages of so many bytes go in ten seconds, asked each
 * millisecond. */
static unsigned
sent_in_ten_seconds(const struct pace_limits *limits, uint64_t bytes)
{
	struct pace p;
	unsigned n = 0;

	pace_begin(&p, limits);
	for (int64_t now_ms = 5000; now_ms < 15000; now_ms++)
		while (pace_wait_ms(&p, now_ms) == 0 && n < 1000000) {
			pace_sent(&p, bytes, now_ms);
			n++;
			if (limits->rate == 0 && limits->bytes_per_second == 0)
				break;
		}
	return n;
}

static void
the_rates_are_kept(void **state)
{
	static const struct {
		struct pace_limits limits;
		uint64_t bytes;
		unsigned least, most;
	} rows[] = {
		{ { 4, 0, 0 }, 1000, 10000, 10000 }, /* as often as asked */
		{ { 4, 1, 0 }, 1000, 10, 11 },
		{ { 4, 100, 0 }, 1000, 1000, 1011 },
		{ { 4, 3000, 0 }, 1000, 29990, 30400 },
		{ { 4, 0, 10000 }, 1000, 100, 102 },
		{ { 4, 0, 1000 }, 5000, 2, 3 },    /* larger than a second's */
		{ { 4, 5, 10000 }, 1000, 50, 51 }, /* the tighter one counts */
		{ { 4, 100, 10000 }, 1000, 100, 102 },
		{ { 4, 0, 1ULL << 40 }, UINT64_MAX, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		unsigned n =
		    sent_in_ten_seconds(&rows[i].limits, rows[i].bytes);

		if (n < rows[i].least || n > rows[i].most)
			fail_msg("row %zu: %u", i, n);
	}
}

static void
the_wait_ends_when_it_says(void **state)
{
	const struct pace_limits limits = { 4, 1, 0 };
	struct pace p;

	(void)state;
	pace_begin(&p, &limits);
	assert_int_equal(pace_wait_ms(&p, 5000), 0);
	pace_sent(&p, 1, 5000);
	assert_in_range(pace_wait_ms(&p, 5000), 900, 1000);
	assert_int_equal(pace_wait_ms(&p, 5000 + pace_wait_ms(&p, 5000)), 0);
}

static void
sessions_are_opened_again_with_growing_waits(void **state)
{
	static const int64_t waits_ms[] = { 0, 0, 250, 500, 1000, 2000, 4000,
		8000, 8000, 8000 };

	(void)state;
	for (unsigned lost = 0; lost < 10; lost++)
		assert_int_equal(pace_reopen_ms(lost), waits_ms[lost]);
	assert_int_equal(pace_reopen_ms(UINT32_MAX), PACE_REOPEN_MAX_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_follows_what_the_primary_says),
		cmocka_unit_test(one_burst_halves_it_once),
		cmocka_unit_test(almost_enough_good_ones_are_not_enough),
		cmocka_unit_test(a_slow_reply_halves_it),
		cmocka_unit_test(the_rates_are_kept),
		cmocka_unit_test(the_wait_ends_when_it_says),
		cmocka_unit_test(sessions_are_opened_again_with_growing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
