/* lib/mail/addr: mailboxes, paths and domain names (D10, D13, D15). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/addr.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* "x" n times, at the end of out. */
static void
repeat(char *out, const char *x, size_t n)
{
	out += strlen(out);
	for (size_t i = 0; i < n; i++, out += strlen(x))
		strcpy(out, x);
}

/* A copy of exactly len bytes, so that a sanitizer sees a step beyond. */
static char *
exactly(const char *s, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, s, len);
	return copy;
}

/* ---- paths ---- */

static const struct path_row {
	const char *name;
	const char *input;
	const char *text; /* NULL: refused */
	size_t used;
	const char *domain;
	bool is_utf8;
} path_rows[] = {
	{ "plain", "<user@example.com>", "user@example.com", 18, "example.com",
	    false },
	{ "parameters follow", "<u@d> SIZE=1", "u@d", 5, "d", false },
	{ "case is kept", "<UsEr@EXAMPLE.com>", "UsEr@EXAMPLE.com", 18,
	    "EXAMPLE.com", false },
	{ "null path", "<>", "", 2, "", false },
	{ "D13 bare postmaster", "<postmaster>", "postmaster", 12, "", false },
	{ "D13 bare postmaster, any case", "<PostMASTER>", "PostMASTER", 12, "",
	    false },
	{ "D15 source route is dropped", "<@a,@b.example:user@d>", "user@d", 22,
	    "d", false },
	{ "D15 source route of one", "<@a:user@d>", "user@d", 11, "d", false },
	{ "D15 route through a literal", "<@[192.0.2.1]:user@d>", "user@d", 21,
	    "d", false },
	{ "D15 percent is a local part", "<u%x@d>", "u%x@d", 7, "d", false },
	{ "D15 bang is a local part", "<x!u@d>", "x!u@d", 7, "d", false },
	{ "D15 quoted at sign", "<\"u@x\"@d>", "\"u@x\"@d", 9, "d", false },
	{ "D15 quoted and escaped, byte for byte", "<\"a \\\" \\b>\"@d>",
	    "\"a \\\" \\b>\"@d", 14, "d", false },
	{ "empty quoted local part", "<\"\"@d>", "\"\"@d", 6, "d", false },
	{ "atext", "<!#$%&'*+-/=?^_`{|}~@d>", "!#$%&'*+-/=?^_`{|}~@d", 23, "d",
	    false },
	{ "dots between atoms", "<a.b.c@d>", "a.b.c@d", 9, "d", false },
	{ "digits and hyphens in labels", "<u@3com.x--y.9>", "u@3com.x--y.9",
	    15, "3com.x--y.9", false },
	{ "IPv4 literal", "<u@[192.0.2.1]>", "u@[192.0.2.1]", 15, "[192.0.2.1]",
	    false },
	{ "IPv6 literal", "<u@[IPv6:2001:db8::1]>", "u@[IPv6:2001:db8::1]", 22,
	    "[IPv6:2001:db8::1]", false },
	{ "IPv6 tag in any case", "<u@[ipv6:::ffff:192.0.2.1]>",
	    "u@[ipv6:::ffff:192.0.2.1]", 27, "[ipv6:::ffff:192.0.2.1]", false },
	{ "UTF-8 local part", "<\xc3\xa9@d>", "\xc3\xa9@d", 6, "d", true },
	{ "UTF-8 domain",
	    "<u@b\xc3\xbc"
	    "cher.example>",
	    "u@b\xc3\xbc"
	    "cher.example",
	    19,
	    "b\xc3\xbc"
	    "cher.example",
	    true },
	{ "UTF-8 quoted", "<\"\xf0\x9f\x93\xa7 x\"@d>",
	    "\"\xf0\x9f\x93\xa7 x\"@d", 12, "d", true },
	{ "first after C1, U+00A0", "<\xc2\xa0@d>", "\xc2\xa0@d", 6, "d",
	    true },
	{ "last of all, U+10FFFF", "<\xf4\x8f\xbf\xbf@d>", "\xf4\x8f\xbf\xbf@d",
	    8, "d", true },

	{ "nothing", "", NULL, 0, NULL, false },
	{ "no brackets", "u@d", NULL, 0, NULL, false },
	{ "only the bracket", "<", NULL, 0, NULL, false },
	{ "blank before", " <u@d>", NULL, 0, NULL, false },
	{ "no closing bracket", "<u@d", NULL, 0, NULL, false },
	{ "parameter inside", "<u@d SIZE=1>", NULL, 0, NULL, false },
	{ "no domain", "<user>", NULL, 0, NULL, false },
	{ "empty domain", "<user@>", NULL, 0, NULL, false },
	{ "empty local part", "<@d>", NULL, 0, NULL, false },
	{ "D15 two at signs", "<u@x@d>", NULL, 0, NULL, false },
	{ "route without colon", "<@a@d>", NULL, 0, NULL, false },
	{ "route without mailbox", "<@a:>", NULL, 0, NULL, false },
	{ "route to postmaster", "<@a:postmaster>", NULL, 0, NULL, false },
	{ "route ends in a comma", "<@a,:u@d>", NULL, 0, NULL, false },
	{ "route of a bad domain", "<@-a:u@d>", NULL, 0, NULL, false },
	{ "postmasters", "<postmasters>", NULL, 0, NULL, false },
	{ "dot first, tolerated", "<.u@d>", ".u@d", 6, "d", false },
	{ "dot last, tolerated", "<u.@d>", "u.@d", 6, "d", false },
	{ "two dots, tolerated", "<a..b@d>", "a..b@d", 8, "d", false },
	{ "blank", "<a b@d>", NULL, 0, NULL, false },
	{ "comment", "<a(c)@d>", NULL, 0, NULL, false },
	{ "quote inside an atom", "<a\"b\"@d>", NULL, 0, NULL, false },
	{ "atom after a quote", "<\"a\"b@d>", NULL, 0, NULL, false },
	{ "open quote", "<\"a@d>", NULL, 0, NULL, false },
	{ "escape at the end", "<\"a\\", NULL, 0, NULL, false },
	{ "escaped control", "<\"\\\001\"@d>", NULL, 0, NULL, false },
	{ "escaped non-ASCII", "<\"\\\xc3\xa9\"@d>", NULL, 0, NULL, false },
	{ "escape outside quotes", "<a\\@b@d>", NULL, 0, NULL, false },
	{ "control", "<a\001b@d>", NULL, 0, NULL, false },
	{ "tab in quotes", "<\"a\tb\"@d>", NULL, 0, NULL, false },
	{ "CR in quotes", "<\"a\rb\"@d>", NULL, 0, NULL, false },
	{ "LF in quotes", "<\"a\nb\"@d>", NULL, 0, NULL, false },
	{ "DEL", "<\"a\177b\"@d>", NULL, 0, NULL, false },
	{ "C1, first", "<\xc2\x80@d>", NULL, 0, NULL, false },
	{ "C1, last", "<\"\xc2\x9f\"@d>", NULL, 0, NULL, false },
	{ "C1 in the domain", "<u@a\xc2\x85>", NULL, 0, NULL, false },
	{ "Latin-1", "<\xe9@d>", NULL, 0, NULL, false },
	{ "overlong slash", "<\xc0\xaf@d>", NULL, 0, NULL, false },
	{ "overlong of 3", "<\xe0\x9f\xbf@d>", NULL, 0, NULL, false },
	{ "overlong of 4", "<\xf0\x8f\xbf\xbf@d>", NULL, 0, NULL, false },
	{ "surrogate", "<\xed\xa0\x80@d>", NULL, 0, NULL, false },
	{ "beyond U+10FFFF", "<\xf4\x90\x80\x80@d>", NULL, 0, NULL, false },
	{ "UTF-8 cut by the bracket", "<u@a\xe2\x82>", NULL, 0, NULL, false },
	{ "lone continuation", "<\x80@d>", NULL, 0, NULL, false },
	{ "hyphen first", "<u@-a>", NULL, 0, NULL, false },
	{ "hyphen last", "<u@a-.b>", NULL, 0, NULL, false },
	{ "underscore, tolerated", "<u@_a_b>", "u@_a_b", 8, "_a_b", false },
	{ "slash", "<u@a/b>", NULL, 0, NULL, false },
	{ "trailing dot", "<u@a.>", NULL, 0, NULL, false },
	{ "two dots in the domain", "<u@a..b>", NULL, 0, NULL, false },
	{ "domain begins with a dot", "<u@.a>", NULL, 0, NULL, false },
	{ "empty literal", "<u@[]>", NULL, 0, NULL, false },
	{ "open literal", "<u@[192.0.2.1>", NULL, 0, NULL, false },
	{ "bad IPv4", "<u@[192.0.2.256]>", NULL, 0, NULL, false },
	{ "short IPv4", "<u@[192.0.2]>", NULL, 0, NULL, false },
	{ "IPv6 without tag", "<u@[2001:db8::1]>", NULL, 0, NULL, false },
	{ "bad IPv6", "<u@[IPv6:::g]>", NULL, 0, NULL, false },
	{ "empty IPv6", "<u@[IPv6:]>", NULL, 0, NULL, false },
	{ "long IPv6",
	    "<u@[IPv6:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]>",
	    NULL, 0, NULL, false },
	{ "tag that nobody registered", "<u@[x400:c=us]>", NULL, 0, NULL,
	    false },
	{ "blank in a literal", "<u@[192.0.2.1 ]>", NULL, 0, NULL, false },
	{ "text after a literal", "<u@[192.0.2.1]a>", NULL, 0, NULL, false },
};

static void
each_path_is_read_as_the_grammar_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(path_rows); i++) {
		const struct path_row *row = &path_rows[i];
		size_t len = strlen(row->input), used = 99;
		char *input = exactly(row->input, len);
		struct err e = ERR_INIT;
		struct addr a = { .text = "before", .len = 6 };
		int rc = addr_parse_path(input, len, true, true, &a, &used, &e);

		if (rc != (row->text != NULL ? 0 : -1))
			fail_msg("%s: %d %s", row->name, rc, e.text);
		if (row->text == NULL) {
			assert_int_equal(e.class, ERR_PERM);
			assert_string_equal(a.text, "before");
			assert_int_equal(used, 99);
		} else {
			assert_string_equal(a.text, row->text);
			assert_int_equal(a.len, strlen(row->text));
			assert_int_equal(used, row->used);
			assert_string_equal(addr_domain(&a), row->domain);
			assert_int_equal(a.is_utf8, row->is_utf8);
		}
		free(input);
	}
}

static void
null_and_postmaster_need_leave(void **state)
{
	struct err e = ERR_INIT;
	struct addr a;
	size_t used;

	(void)state;
	assert_int_equal(addr_parse_path("<>", 2, false, true, &a, &used, &e),
	    -1);
	assert_int_equal(addr_parse_path("<postmaster>", 12, true, false, &a,
			     &used, &e),
	    -1);
	assert_int_equal(addr_parse_path("<postmaster@d>", 14, true, false, &a,
			     &used, &e),
	    0);
}

static void
a_nul_is_no_part_of_an_address(void **state)
{
	static const struct {
		const char *input;
		size_t len;
	} rows[] = {
		{ "<a\0b@d>", 7 },
		{ "<ab@\0d>", 7 },
		{ "<ab@d\0>", 7 },
		{ "<\"\0\"@d>", 7 },
		{ "<\"\\\0\"@d>", 8 },
		{ "<u@[192.0.2.1\0]>", 16 },
		{ "<\0>", 3 },
	};
	struct err e = ERR_INIT;
	struct addr a;
	size_t used;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(addr_parse_path(rows[i].input, rows[i].len,
				     true, true, &a, &used, &e),
		    -1);
}

static void
every_prefix_of_a_path_is_refused(void **state)
{
	static const char *const whole[] = { "<@a,@b.c:\"q\\\"\"@[IPv6:::1]>",
		"<\xf0\x9f\x93\xa7@\xe2\x82\xac.example>", "<postmaster>" };
	struct err e = ERR_INIT;
	struct addr a;
	size_t used;

	(void)state;
	for (size_t i = 0; i < COUNT(whole); i++) {
		size_t len = strlen(whole[i]);

		for (size_t n = 0; n <= len; n++) {
			char *input = exactly(whole[i], n);
			int rc = addr_parse_path(input, n, true, true, &a,
			    &used, &e);

			assert_int_equal(rc, n == len ? 0 : -1);
			free(input);
		}
	}
}

/* D10: 64 octets have to pass, and 255 do; 255 of a domain. */
static void
lengths_are_those_of_rfc_5321(void **state)
{
	static const struct {
		size_t local, domain;
		int rc;
	} rows[] = {
		{ 64, 255, 0 },
		{ 255, 255, 0 },
		{ 256, 1, -1 },
		{ 1, 256, -1 },
		{ 256, 255, -1 },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char text[600] = "<", *mailbox = text + 1;
		struct addr a;
		size_t used;

		repeat(text, "l", rows[i].local);
		repeat(text, "@", 1);
		repeat(text, "a.", rows[i].domain / 2);
		repeat(text, "a", rows[i].domain % 2);
		if (rows[i].domain % 2 == 0)
			text[strlen(text) - 1] = 'b';
		assert_int_equal(addr_parse(mailbox, strlen(mailbox), &a, &e),
		    rows[i].rc);
		repeat(text, ">", 1);
		assert_int_equal(addr_parse_path(text, strlen(text), true, true,
				     &a, &used, &e),
		    rows[i].rc);
	}
}

/* A route may be as long as the line it comes in. */
static void
a_long_route_costs_nothing(void **state)
{
	char text[2048] = "<";
	struct err e = ERR_INIT;
	struct addr a;
	size_t used;

	(void)state;
	repeat(text, "@a.example,", 170);
	repeat(text, "@a:u@d>", 1);
	assert_int_equal(addr_parse_path(text, strlen(text), false, false, &a,
			     &used, &e),
	    0);
	assert_string_equal(a.text, "u@d");
}

static void
a_mailbox_is_the_whole_text(void **state)
{
	static const struct {
		const char *input;
		int rc;
	} rows[] = {
		{ "user@example.com", 0 },
		{ "\"a>b\"@d", 0 },
		{ "user@example.com ", -1 },
		{ "user@d>", -1 },
		{ "<user@d>", -1 },
		{ "", -1 },
		{ "postmaster", -1 },
		{ "@a:u@d", -1 },
	};
	struct err e = ERR_INIT;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(addr_parse(rows[i].input,
				     strlen(rows[i].input), &a, &e),
		    rows[i].rc);
}

/* D13 */
static void
postmaster_is_known_in_every_spelling(void **state)
{
	static const struct {
		const char *path;
		bool expected;
	} rows[] = {
		{ "<postmaster>", true },
		{ "<POSTMASTER@example.com>", true },
		{ "<\"postmaster\"@d>", true },
		{ "<\"post\\master\"@d>", true },
		{ "<postmaster1@d>", false },
		{ "<\"postmaster \"@d>", false },
		{ "<u@postmaster>", false },
		{ "<>", false },
		{ "<\"\"@d>", false },
	};
	struct err e = ERR_INIT;
	struct addr a;
	size_t used;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(addr_parse_path(rows[i].path,
				     strlen(rows[i].path), true, true, &a,
				     &used, &e),
		    0);
		if (addr_is_postmaster(&a) != rows[i].expected)
			fail_msg("%s", rows[i].path);
	}
}

/* ---- UTF-8 ---- */

/* Against the table of RFC 3629 section 4, for every pair of first octets. */
static bool
may_begin_utf8(unsigned first, unsigned second)
{
	unsigned low = 0x80, high = 0xbf;

	if (first == 0xc2 || first == 0xe0)
		low = 0xa0; /* C2 80..9F are C1 controls */
	if (first == 0xed)
		high = 0x9f;
	if (first == 0xf0)
		low = 0x90;
	if (first == 0xf4)
		high = 0x8f;
	return first >= 0xc2 && first <= 0xf4 && second >= low &&
	       second <= high;
}

static void
utf8_is_checked_strictly(void **state)
{
	(void)state;
	for (unsigned first = 0x80; first <= 0xff; first++) {
		size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;

		for (unsigned second = 0; second <= 0xff; second++) {
			const char s[] = { (char)first, (char)second, '\xbf',
				'\x80' };
			bool ok = may_begin_utf8(first, second);

			assert_int_equal(addr_utf8_char(s, 4), ok ? n : 0);
			assert_int_equal(addr_utf8_char(s, n - 1), 0);
		}
	}
	assert_int_equal(addr_utf8_char("a", 1), 1);
	assert_int_equal(addr_utf8_char("a", 0), 0);
	assert_int_equal(addr_utf8_char("\xe2\x82x", 3), 0);
	assert_int_equal(addr_utf8_char("\xf0\x9f\x93(", 4), 0);
}

/* ---- domain names ---- */

#define L63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct fold_row {
	const char *name;
	const char *input;
	const char *expected; /* NULL: refused */
} fold_rows[] = {
	{ "lower case already", "example.com", "example.com" },
	{ "upper case", "Example.COM", "example.com" },
	{ "one trailing dot is dropped", "example.com.", "example.com" },
	{ "a single label", "localhost", "localhost" },
	{ "digits and hyphens", "3com.x--y.9", "3com.x--y.9" },
	{ "A-labels", "XN--Bcher-KVA.example", "xn--bcher-kva.example" },
	{ "U-labels",
	    "B\xc3\xbc"
	    "cher.example",
	    "xn--bcher-kva.example" },
	{ "upper case U-labels",
	    "B\xc3\x9c"
	    "CHER.Example",
	    "xn--bcher-kva.example" },
	{ "decomposed U-labels",
	    "bu\xcc\x88"
	    "cher.example",
	    "xn--bcher-kva.example" },
	{ "sharp s is kept: not transitional", "fa\xc3\x9f.de",
	    "xn--fa-hia.de" },
	{ "ideographic full stop",
	    "a\xe3\x80\x82"
	    "example",
	    "a.example" },
	{ "U-labels and a trailing dot", "\xc3\xbc.example.",
	    "xn--tda.example" },
	{ "label of 63", L63 ".x", L63 ".x" },

	{ "empty", "", NULL },
	{ "a dot", ".", NULL },
	{ "an ideographic dot", "\xe3\x80\x82", NULL },
	{ "two trailing dots", "a..", NULL },
	{ "dot first", ".a", NULL },
	{ "two dots", "a..b", NULL },
	{ "parent directory", "..", NULL },
	{ "slash", "a/b", NULL },
	{ "slash that came from a mapping", "\xe2\x84\x80.example", NULL },
	{ "full-width slash",
	    "a\xef\xbc\x8f"
	    "b",
	    NULL },
	{ "dot that came from a mapping", "\xef\xbc\x8e\xef\xbc\x8e", NULL },
	{ "underscore", "_dmarc.example", NULL },
	{ "underscore beside a U-label", "_\xc3\xbc.example", NULL },
	{ "blank", "a b", NULL },
	{ "control", "a\nb", NULL },
	{ "star", "*.example", NULL },
	{ "hyphen first", "-rf.example", NULL },
	{ "hyphen last", "a.b-", NULL },
	{ "address literal", "[192.0.2.1]", NULL },
	{ "label of 64", L63 "x.y", NULL },
	{ "bad UTF-8", "\xff.example", NULL },
	{ "overlong slash", "\xc0\xaf", NULL },
	{ "not an IDN: emoji and ZWJ only", "\xe2\x80\x8d.example", NULL },
};

static void
each_domain_is_folded_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(fold_rows); i++) {
		const struct fold_row *row = &fold_rows[i];
		size_t len = strlen(row->input);
		char *input = exactly(row->input, len);
		char out[ADDR_DOMAIN_MAX + 1];
		struct err e = ERR_INIT;
		int rc = addr_fold_domain(input, len, out, &e);

		if (rc != (row->expected != NULL ? 0 : -1))
			fail_msg("%s: %d %s", row->name, rc, e.text);
		if (row->expected != NULL)
			assert_string_equal(out, row->expected);
		else
			assert_int_equal(e.class, ERR_DATA);
		free(input);
	}
}

static void
a_nul_is_no_part_of_a_domain(void **state)
{
	char out[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(addr_fold_domain("a\0b", 3, out, &e), -1);
	assert_int_equal(addr_fold_domain("\xc3\xbc\0.example", 11, out, &e),
	    -1);
}

/* What has no place on the wire (RFC 1035: 255 octets) is no name, before and
 * after conversion. */
static void
a_long_domain_is_refused(void **state)
{
	char out[ADDR_DOMAIN_MAX + 1], text[4096] = "";
	struct err e = ERR_INIT;

	(void)state;
	repeat(text, "a.", 126);
	repeat(text, "a", 1);
	assert_int_equal(addr_fold_domain(text, 253, out, &e), 0);
	repeat(text, ".", 1);
	assert_int_equal(addr_fold_domain(text, 254, out, &e), 0);
	repeat(text, "a", 1);
	assert_int_equal(addr_fold_domain(text, 255, out, &e), -1);

	text[253] = 'a'; /* instead of the dot at the end */
	assert_int_equal(addr_fold_domain(text, 254, out, &e), -1);

	strcpy(text, ""); /* 6 labels of 59 A-label octets each: too long */
	for (int i = 0; i < 6; i++) {
		repeat(text, "\xc3\xbc", 50);
		repeat(text, ".", 1);
	}
	assert_int_equal(addr_fold_domain(text, strlen(text), out, &e), -1);
	strcpy(text, "");
	repeat(text, "\xc3\xbc", 2000);
	assert_int_equal(addr_fold_domain(text, strlen(text), out, &e), -1);
}

static void
folding_twice_changes_nothing(void **state)
{
	char once[ADDR_DOMAIN_MAX + 1], twice[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(fold_rows); i++) {
		if (fold_rows[i].expected == NULL)
			continue;
		assert_int_equal(addr_fold_domain(fold_rows[i].input,
				     strlen(fold_rows[i].input), once, &e),
		    0);
		assert_int_equal(addr_fold_domain(once, strlen(once), twice,
				     &e),
		    0);
		assert_string_equal(once, twice);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_is_read_as_the_grammar_says),
		cmocka_unit_test(null_and_postmaster_need_leave),
		cmocka_unit_test(a_nul_is_no_part_of_an_address),
		cmocka_unit_test(every_prefix_of_a_path_is_refused),
		cmocka_unit_test(lengths_are_those_of_rfc_5321),
		cmocka_unit_test(a_long_route_costs_nothing),
		cmocka_unit_test(a_mailbox_is_the_whole_text),
		cmocka_unit_test(postmaster_is_known_in_every_spelling),
		cmocka_unit_test(utf8_is_checked_strictly),
		cmocka_unit_test(each_domain_is_folded_or_refused),
		cmocka_unit_test(a_nul_is_no_part_of_a_domain),
		cmocka_unit_test(a_long_domain_is_refused),
		cmocka_unit_test(folding_twice_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
