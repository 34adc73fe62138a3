/* A primary that refuses everything stops the drain. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bmx-flush/breaker.h"

static const struct smtp_reply unknown = { 550, "5.1.1", "no such user", 1 };
static const struct smtp_reply unknown2 = { 550, "5.1.1", "nobody here", 1 };
static const struct smtp_reply relay = { 550, "5.7.1", "no relaying", 1 };
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
	assert_int_equal(refuse(&b, &unknown, 100), BREAKER_LIMIT);
}

static void
the_text_of_the_reply_does_not_matter(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	assert_int_equal(refuse(&b, &unknown, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &unknown2, 1), 1);
}

static void
another_kind_of_refusal_begins_a_new_count(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	assert_int_equal(refuse(&b, &unknown, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &relay, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &plain, BREAKER_LIMIT - 1), 0);
	assert_int_equal(refuse(&b, &unknown, BREAKER_LIMIT), BREAKER_LIMIT);
}

static void
a_success_in_between_begins_a_new_count(void **state)
{
	struct breaker b = BREAKER_INIT;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(refuse(&b, &unknown, BREAKER_LIMIT - 1), 0);
		breaker_taken(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_twentieth_refusal_of_one_kind_trips_it),
		cmocka_unit_test(the_text_of_the_reply_does_not_matter),
		cmocka_unit_test(another_kind_of_refusal_begins_a_new_count),
		cmocka_unit_test(a_success_in_between_begins_a_new_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
