/* lib/mail/tlsrequired: does a message say "TLS-Required: No" (D46)? */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mail/tlsrequired.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define RECEIVED "Received: from a\r\n\tby b; date\r\n"
#define END "Subject: x\r\n\r\nHello\r\n"

static const struct row {
	const char *name, *text;
	bool is_no;
} rows[] = {
	{ "RFC 8689 3", RECEIVED "TLS-Required: No\r\n" END, true },
	{ "the first field", "TLS-Required: No\r\n" END, true },
	{ "the last one", "Subject: x\r\nTLS-Required: No\r\n\r\nx\r\n", true },
	{ "and nothing behind it", "TLS-Required: No\r\n", true },
	{ "no case", "tLS-rEQUIRED: nO\r\n" END, true },
	{ "no blank", "TLS-Required:No\r\n" END, true },
	{ "many", "TLS-Required: \t  No \t \r\n" END, true },
	{ "folded (FWS)", "TLS-Required:\r\n No\r\n" END, true },
	{ "folded more than once (obs-FWS)",
	    "TLS-Required: \r\n \r\n\t No\r\n \r\n" END, true },
	{ "blanks before the colon (RFC 5322 4.5.8)",
	    "TLS-Required \t: No\r\n" END, true },
	{ "no such field", RECEIVED END, false },
	{ "nothing", "", false },
	{ "an empty header section", "\r\nTLS-Required: No\r\n", false },
	{ "in the body", END "TLS-Required: No\r\n", false },
	{ "in the body, behind a blank line of a part",
	    "Subject: x\r\n\r\n--b\r\nTLS-Required: No\r\n\r\n", false },
	{ "behind a line that is no field",
	    "Subject: x\r\nHello\r\nTLS-Required: No\r\n" END, false },
	{ "behind words with a colon",
	    "Subject: x\r\nHello there: x\r\nTLS-Required: No\r\n" END, false },
	{ "folded into another field",
	    "Subject: x\r\n TLS-Required: No\r\n" END, false },
	{ "no value", "TLS-Required:\r\n" END, false },
	{ "Yes", "TLS-Required: Yes\r\n" END, false },
	{ "N", "TLS-Required: N\r\n" END, false },
	{ "None", "TLS-Required: None\r\n" END, false },
	{ "a blank within", "TLS-Required: N o\r\n" END, false },
	{ "a fold within", "TLS-Required: N\r\n o\r\n" END, false },
	{ "more behind it", "TLS-Required: No way\r\n" END, false },
	{ "folded more", "TLS-Required: No\r\n way\r\n" END, false },
	{ "No No", "TLS-Required: No No\r\n" END, false },
	{ "a comment, which the ABNF lacks", "TLS-Required: No (x)\r\n" END,
	    false },
	{ "quotes, too", "TLS-Required: \"No\"\r\n" END, false },
	{ "two of them", "TLS-Required: No\r\nTLS-Required: No\r\n" END,
	    false },
	{ "three",
	    "TLS-Required: No\r\nTLS-Required: x\r\nTLS-Required: No\r\n" END,
	    false },
	{ "the second one is another",
	    "TLS-Required: No\r\nTLS-Required: Yes\r\n" END, false },
	{ "the first one was", "TLS-Required: Yes\r\nTLS-Required: No\r\n" END,
	    false },
	{ "a longer name", "TLS-Required-X: No\r\n" END, false },
	{ "a shorter one", "TLS-Require: No\r\n" END, false },
	{ "another before it", "X-TLS-Required: No\r\n" END, false },
	{ "bytes that differ in one bit (CR and '-')",
	    "TLS\rRequired: No\r\n" END, false },
	{ "no colon", "TLS-Required No\r\n" END, false },
	{ "a value of 8 bits", "TLS-Required: N\xef\r\n" END, false },
};

/* In two slices, cut at any place, and in single bytes. */
static void
D46_the_field_is_found_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *text = rows[i].text;
		size_t len = strlen(text);
		struct tlsrequired bytes = TLSREQUIRED_INIT;

		for (size_t cut = 0; cut <= len; cut++) {
			struct tlsrequired t = TLSREQUIRED_INIT;

			tlsrequired_read(&t, text, cut);
			tlsrequired_read(&t, text + cut, len - cut);
			if (tlsrequired_is_no(&t) != rows[i].is_no)
				fail_msg("%s: %d, cut at %zu", rows[i].name,
				    tlsrequired_is_no(&t), cut);
		}
		for (size_t at = 0; at < len; at++)
			tlsrequired_read(&bytes, text + at, 1);
		if (tlsrequired_is_no(&bytes) != rows[i].is_no)
			fail_msg("%s: in single bytes", rows[i].name);
	}
}

static void
the_end_of_the_header_section_is_told(void **state)
{
	static const char text[] = "TLS-Required: No\r\n\r\n";
	struct tlsrequired t = TLSREQUIRED_INIT;

	(void)state;
	for (size_t at = 0; at + 1 < sizeof text; at++)
		assert_int_equal(tlsrequired_read(&t, text + at, 1),
		    at + 2 == sizeof text);
	assert_true(tlsrequired_read(&t, "TLS-Required: No\r\n", 18));
	assert_true(tlsrequired_is_no(&t));
}

/* Counts do not wrap around. */
static void
any_number_of_fields_is_too_many(void **state)
{
	static const char field[] = "TLS-Required: No\r\n";
	struct tlsrequired t = TLSREQUIRED_INIT;

	(void)state;
	for (int n = 1; n < 1000; n++) {
		assert_false(tlsrequired_read(&t, field, sizeof field - 1));
		assert_int_equal(tlsrequired_is_no(&t), n == 1);
		assert_true(t.fields <= 2);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(D46_the_field_is_found_however_it_is_cut),
		cmocka_unit_test(the_end_of_the_header_section_is_told),
		cmocka_unit_test(any_number_of_fields_is_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
