/* Why a server says no, as far as its words tell. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-probe/rehearse.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void
a_refusal_has_a_cause(void **state)
{
	static const struct {
		const char *line, *cause;
	} rows[] = {
		{ "550 5.7.23 validation failed", "spf" },
		{ "550 5.7.24 error", "spf" },
		{ "550 5.7.1 SPF check failed", "spf" },
		{ "550 5.7.25 no", "reverse-dns" },
		{ "450 4.7.25 no", "reverse-dns" },
		{ "554 5.7.1 cannot find your reverse hostname",
		    "reverse-dns" },
		{ "554 5.7.1 blocked using zen.spamhaus.org", "dnsbl" },
		{ "554 5.7.1 on our Blocklist", "dnsbl" },
		{ "450 4.2.0 Greylisted, try again in 300 s", "greylisting" },
		{ "451 4.7.1 graylisting in action", "greylisting" },
		{ "421 4.7.28 unusual rate", "rate-limit" },
		{ "450 4.7.1 Error: too many mails", "rate-limit" },
		{ "452 4.5.3 Throttled", "rate-limit" },
		{ "530 5.7.0 Must issue a STARTTLS command first", "tls" },
		{ "451 4.3.0 try again", "temporary" },
		{ "421 bye", "temporary" },
		{ "554 5.7.1 Relay access denied", "policy" },
		{ "550 a moderate and accurate refusal", "policy" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_reply r = SMTP_REPLY_INIT;
		struct err e = ERR_INIT;
		const char *cause;

		assert_int_equal(smtp_reply_line(&r, rows[i].line,
				     strlen(rows[i].line), &e),
		    1);
		cause = rehearse_cause_name(rehearse_cause(&r));
		if (strcmp(cause, rows[i].cause) != 0)
			fail_msg("%s: %s", rows[i].line, cause);
		assert_true(strlen(rehearse_cure(rehearse_cause(&r))) > 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_has_a_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
