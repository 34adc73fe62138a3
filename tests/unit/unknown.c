/* How often the reply to a final dot was lost, as a message's log tells. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-flush/unknown.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define AT "2026-11-24T03:11:14.000000Z "

static void
the_last_count_of_a_log_is_taken_and_no_other_words(void **state)
{
	static const struct {
		const char *log;
		unsigned times;
	} rows[] = {
		{ "", 0 },
		{ AT "to=<b@c.d> deferred state=unknown peer=- reply=\"x\"\n",
		    0 }, /* of an earlier version */
		{ AT "unknown=1\n", 1 },
		{ AT "unknown=1\n" AT
		     "to=<b@c.d> deferred peer=- reply=\"x\"\n",
		    1 },
		{ AT "unknown=4\n... 99 bytes left out ...\n" AT
		     "unknown=12\n" AT "action=released uid=0 reason=-\n",
		    12 },
		/* what others said */
		{ AT "to=<b@c.d> deferred peer=- reply=\"unknown=7\"\n", 0 },
		{ AT "action=held uid=0 reason= unknown=7\n", 0 },
		/* damaged */
		{ AT "unknown=2\n" AT "unknown=5", 2 },
		{ AT "unknown=2\n" AT "unknown=\n", 2 },
		{ AT "unknown=2\n" AT "unknown=5 more\n", 2 },
		{ AT "unknown=2\n" AT "unknown=-5\n", 2 },
		{ AT "unknown=2\n" AT "unknown=99999999999999999999\n", 2 },
		{ "\n\nunknown=3\n \n", 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(unknown_times(rows[i].log,
				     strlen(rows[i].log)),
		    rows[i].times);
}

static void
the_fifth_time_is_enough_and_after_a_release_the_tenth(void **state)
{
	static const bool is_enough[] = { false, false, false, false, false,
		true, false, false, false, false, true, false };

	(void)state;
	for (unsigned times = 0; times < COUNT(is_enough); times++)
		assert_int_equal(unknown_is_enough(times), is_enough[times]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_last_count_of_a_log_is_taken_and_no_other_words),
		cmocka_unit_test(
		    the_fifth_time_is_enough_and_after_a_release_the_tenth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
