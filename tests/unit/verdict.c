/* bmx-receive: the primary's words, and what they mean to the client. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>

#include "bmx-receive/verdict.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void
replies_are_judgments_or_trouble(void **state)
{
	static const struct {
		const char *line;
		enum relay_result result;
		const char *told; /* NULL: of no interest */
	} rows[] = {
		{ "250 2.1.5 OK", RELAY_TAKEN, "250 2.1.5 OK" },
		{ "251 forwarded", RELAY_TAKEN, "250 2.0.0 forwarded" },
		{ "250 5.1.1 confused", RELAY_TAKEN,
		    "250 2.0.0 5.1.1 confused" },
		{ "250", RELAY_TAKEN, "250 2.0.0 OK" },
		{ "550 5.1.1 nobody", RELAY_REFUSED, "550 5.1.1 nobody" },
		{ "550 nobody", RELAY_REFUSED, "550 5.0.0 nobody" },
		{ "550 4.1.1 nobody", RELAY_REFUSED, "550 5.0.0 4.1.1 nobody" },
		{ "554", RELAY_REFUSED, "554 5.0.0 Refused" },
		{ "554 5.7.1 a\x1b[2Jb\xff", RELAY_REFUSED,
		    "554 5.7.1 a\\x1b[2Jb\\xff" },
		{ "550 5.7.1 here are 421 4.3.2 more", RELAY_REFUSED,
		    "550 5.7.1 here are 421 4.3.2 more" },
		/* to come back later is what greylisting wants */
		{ "450 4.2.0 greylisted", RELAY_REFUSED,
		    "450 4.2.0 greylisted" },
		{ "450 4.7.1 greylisted", RELAY_REFUSED, NULL },
		{ "451 greylisted", RELAY_REFUSED, "451 4.0.0 greylisted" },
		{ "452 4.2.2 full", RELAY_REFUSED, NULL },
		{ "452 4.5.3 too many", RELAY_REFUSED, "452 4.5.3 too many" },
		/* trouble of its own */
		{ "421 4.7.0 you again", RELAY_FAILED, NULL },
		{ "421 bye", RELAY_FAILED, NULL },
		{ "451 4.3.0 queue file write error", RELAY_FAILED, NULL },
		{ "452 4.3.1 disk full", RELAY_FAILED, NULL },
		{ "450 4.4.2 timeout", RELAY_FAILED, NULL },
		{ "354 go on", RELAY_FAILED, NULL },
		{ "550 5.3.0 broken", RELAY_REFUSED, "550 5.3.0 broken" },
		{ "450 4.30.1 who knows", RELAY_REFUSED, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_reply said = SMTP_REPLY_INIT;
		char told[SESSION_REPLY_MAX];
		struct err e = ERR_INIT;

		assert_int_equal(smtp_reply_line(&said, rows[i].line,
				     strlen(rows[i].line), &e),
		    1);
		if (verdict_judge(&said) != rows[i].result)
			fail_msg("%s: %d", rows[i].line, verdict_judge(&said));
		verdict_format(told, &said);
		if (rows[i].told != NULL && strcmp(told, rows[i].told) != 0)
			fail_msg("%s: %s", rows[i].line, told);
	}
}

static void
no_reply_is_trouble(void **state)
{
	const struct smtp_reply none = SMTP_REPLY_INIT;

	(void)state;
	assert_int_equal(verdict_judge(&none), RELAY_FAILED);
}

static void
a_long_reply_is_cut_to_one_line(void **state)
{
	struct smtp_reply said = { 550, "5.7.1", "", 100 };
	char told[SESSION_REPLY_MAX];

	(void)state;
	memset(said.text, 'x', sizeof said.text - 1);
	verdict_format(told, &said);
	assert_in_range(strlen(told), 400, 510);
	assert_memory_equal(told, "550 5.7.1 xxx", 13);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_judgments_or_trouble),
		cmocka_unit_test(no_reply_is_trouble),
		cmocka_unit_test(a_long_reply_is_cut_to_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
