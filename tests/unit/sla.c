/* What an agreement asks for, computed from spells and days. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-probe/sla.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define H 3600

/* Spells as text: "u" up, "f" deferring, "d" down, "." not known, an hour
 * each. */
static void
compute(struct sla *s, const char *hours)
{
	struct history_spell spells[64];
	struct history h = { .spells = spells };

	for (size_t i = 0; hours[i] != '\0'; i++) {
		if (hours[i] == '.')
			continue;
		spells[h.nspells++] = (struct history_spell){
			.verdict = hours[i] == 'u'   ? PRIMARY_UP
				   : hours[i] == 'd' ? PRIMARY_DOWN
						     : PRIMARY_DEFERRING,
			.from_s = (int64_t)i * H,
			.to_s = (int64_t)(i + 1) * H,
		};
	}
	sla_compute(s, &h, 0, (int64_t)strlen(hours) * H);
}

static void
outages_are_counted_and_measured(void **state)
{
	static const struct {
		const char *name, *hours;
		unsigned outages;
		int64_t known_s, up_s, longest_s;
		bool is_down;
	} rows[] = {
		{ "nothing is known", "....", 0, 0, 0, 0, false },
		{ "always up", "uuuu", 0, 4 * H, 4 * H, 0, false },
		{ "one outage", "uudu", 1, 4 * H, 3 * H, H, false },
		{ "deferring and down are one", "ufdu", 1, 4 * H, 2 * H, 2 * H,
		    false },
		{ "two outages, the second longer", "uduudd", 2, 6 * H, 3 * H,
		    2 * H, true },
		{ "nobody looked within one: it is one", "ud..du", 1, 4 * H,
		    2 * H, 2 * H, false },
		{ "nobody looked between up and up: no outage", "u..u", 0,
		    2 * H, 2 * H, 0, false },
		{ "never up", "dd", 1, 2 * H, 0, 2 * H, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct sla s;

		compute(&s, rows[i].hours);
		if (s.outages != rows[i].outages ||
		    s.known_s != rows[i].known_s || s.up_s != rows[i].up_s ||
		    s.longest_s != rows[i].longest_s ||
		    s.is_down != rows[i].is_down)
			fail_msg("%s: %u outages, known %d, up %d, longest %d",
			    rows[i].name, s.outages, (int)(s.known_s / H),
			    (int)(s.up_s / H), (int)(s.longest_s / H));
	}
}

static void
a_budget_is_what_may_be_lost_of_known_time(void **state)
{
	struct sla s;

	(void)state;
	compute(&s, "uuuuuuuuud");
	assert_float_equal(sla_availability(&s), 0.9, 1e-9);
	assert_float_equal(sla_budget_left_s(&s, 0.8), 1.0 * H, 1e-6);
	assert_float_equal(sla_budget_left_s(&s, 0.95), -0.5 * H, 1e-6);
	compute(&s, "uu");
	assert_true(sla_budget_left_s(&s, 1) == 0);
	compute(&s, "..");
	assert_true(sla_availability(&s) < 0);
}

static void
percentiles_are_upper_bounds(void **state)
{
	struct primary_day days[2] = { { .start_s = 1 }, { .start_s = 2 } };
	struct history h = { .days = days, .ndays = 2 };
	struct sla s;

	(void)state;
	days[0].took[PRIMARY_EHLO][0] = 50;
	days[1].took[PRIMARY_EHLO][3] = 45;
	days[1].took[PRIMARY_EHLO][PRIMARY_BUCKETS - 1] = 5;
	sla_compute(&s, &h, 0, 10);
	assert_int_equal(sla_percentile_ms(&s, PRIMARY_EHLO, 0.5), 1);
	assert_int_equal(sla_percentile_ms(&s, PRIMARY_EHLO, 0.51), 10);
	assert_int_equal(sla_percentile_ms(&s, PRIMARY_EHLO, 0.95), 10);
	assert_int_equal(sla_percentile_ms(&s, PRIMARY_EHLO, 0.99), -1);
	assert_int_equal(sla_percentile_ms(&s, PRIMARY_RCPT, 0.5), -2);
}

/* The lines behind the first. */
static void
expect_lines(const struct sla *s, const char *wanted)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	sla_print(out, "a.example", s, -1);
	fclose(out);
	assert_string_equal(strchr(text, '\n') + 1, wanted);
	free(text);
}

static void
a_report_tells_what_is_known(void **state)
{
	struct primary_day day = { .start_s = 1 };
	struct history_spell up = { .verdict = PRIMARY_UP, .to_s = 4 * H };
	struct history h = {
		.spells = &up, .nspells = 1, .days = &day, .ndays = 1
	};
	struct sla s;

	(void)state;
	day.took[PRIMARY_EHLO][0] = 96;
	day.took[PRIMARY_EHLO][PRIMARY_BUCKETS - 1] = 4;
	sla_compute(&s, &h, 0, 4 * H);
	expect_lines(&s, "\tavailable  100.0000 %\n\toutages    none\n"
			 "\tehlo       p50 <= 1 ms, p95 <= 1 ms, p99 > 20 s, "
			 "of 100\n");
	compute(&s, "ud");
	expect_lines(&s, "\tavailable  50.0000 %\n"
			 "\toutages    1, 1.0 h in all, longest 1.0 h from "
			 "1970-01-01T01:00Z; the last is not over\n"
			 "\tMTBF       1.0 h, MTTR 1.0 h\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outages_are_counted_and_measured),
		cmocka_unit_test(a_budget_is_what_may_be_lost_of_known_time),
		cmocka_unit_test(percentiles_are_upper_bounds),
		cmocka_unit_test(a_report_tells_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
