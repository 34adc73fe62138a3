/* A primary that refuses everything stops the drain. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bmx-flush/breaker.h"

static const struct smtp_reply relay = { 550, "5.7.1", "no relaying", 1 };
static const struct smtp_reply relay2 = { 550, "5.7.1", "not from you", 1 };
static const struct smtp_reply filter = { 554, "5.7.0", "filter is down", 1 };
static const struct smtp_reply plain = { 554, "", "no", 1 };

/* Refuse n messages; which of them tripped it, 0: none. */
static int
refuse(struct breaker *b, const struct smtp_reply *reply, int n)
{
	for (int i = 1; i <= n; i++)
		if (breaker_refused(b, reply))
			return i;
	return 0;
}

static void
the_twentieth_refusal_of_one_kind_trips_it(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	assert_int_equal(refuse(&b, &relay, 100), BREAKER_LIMIT);
}

static void
beside_an_enhanced_code_the_words_do_not_matter(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	assert_int_equal(refuse(&b, &relay, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &relay2, 1), 1);
}

static void
another_kind_of_refusal_begins_a_new_count(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	assert_int_equal(refuse(&b, &relay, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &filter, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &plain, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &relay, BREAKER_LIMIT), BREAKER_LIMIT);
}

static void
a_success_in_between_begins_a_new_count(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(refuse(&b, &relay, BREAKER_LIMIT - 1), 0);
		breaker_taken(&b);
	}
}

static void
what_is_about_one_recipient_or_message_never_trips_it(void **state)
{
	static const struct smtp_reply rows[] = {
		{ 550, "5.1.1", "no such user", 1 },
		{ 553, "5.1.3", "what is that", 1 },
		{ 551, "5.1.6", "moved", 1 },
		{ 550, "5.2.1", "closed", 1 },
		{ 552, "5.2.2", "full", 1 },
		{ 552, "5.3.4", "too large", 1 },
		{ 554, "5.6.3", "no 8BITMIME", 1 },
		{ 554, "5.6.7", "no SMTPUTF8", 1 },
		{ 554, "5.7.10", "no proof for REQUIRETLS", 1 },
		{ 554, "5.7.30", "no REQUIRETLS", 1 },
	};
	struct breaker b = BREAKER_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(refuse(&b, &rows[i], 100), 0);
}

static void
and_it_ends_no_count(void **state)
{
	static const struct smtp_reply unknown = { 550, "5.1.1", "no", 1 };
	struct breaker b = BREAKER_INIT;

	(void)state;
	assert_int_equal(refuse(&b, &relay, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &unknown, 3), 0);
	assert_int_equal(refuse(&b, &relay, 1), 1);
}

static void
without_enhanced_codes_only_the_same_words_count(void **state)
{
	struct smtp_reply reply = { 550, "", "", 1 };
	struct breaker b = BREAKER_INIT;

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(reply.text, sizeof reply.text, "<u%d>: unknown", i);
		assert_false(breaker_refused(&b, &reply));
	}
	assert_int_equal(refuse(&b, &reply, 100), BREAKER_LIMIT - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_twentieth_refusal_of_one_kind_trips_it),
		cmocka_unit_test(
		    beside_an_enhanced_code_the_words_do_not_matter),
		cmocka_unit_test(another_kind_of_refusal_begins_a_new_count),
		cmocka_unit_test(a_success_in_between_begins_a_new_count),
		cmocka_unit_test(
		    what_is_about_one_recipient_or_message_never_trips_it),
		cmocka_unit_test(and_it_ends_no_count),
		cmocka_unit_test(
		    without_enhanced_codes_only_the_same_words_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
