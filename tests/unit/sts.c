#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/sts.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define ID32 "abcdefghijklmnopqrstuvwxyz012345"

/* clang-format off */
static const struct {
	const char *name, *text;
	int rc;
	const char *id;
} records[] = {
	{ "the usual", "v=STSv1; id=20160831085700Z;", 1, "20160831085700Z" },
	{ "without a final delimiter", "v=STSv1;id=1", 1, "1" },
	{ "blanks round delimiters", "v=STSv1 \t; id=1 ; ", 1, "1" },
	{ "an id of 32", "v=STSv1; id=" ID32, 1, ID32 },
	{ "extensions", "v=STSv1; a.b-c_d=/!x; id=1; z=2;", 1, "1" },
	{ "the first id of two", "v=STSv1; id=1; id=2;", 1, "1" },
	{ "another record", "v=spf1 -all", 0, "" },
	{ "an empty record", "", 0, "" },
	{ "another version", "v=STSv2; id=1;", 0, "" },
	{ "a longer version", "v=STSv10; id=1;", 0, "" },
	{ "the version in another case", "v=stsv1; id=1;", 0, "" },
	{ "a blank in front", " v=STSv1; id=1;", 0, "" },
	{ "the version not first", "id=1; v=STSv1;", 0, "" },
	{ "no field", "v=STSv1", -1, "" },
	{ "no id", "v=STSv1; a=1;", -1, "" },
	{ "an empty id", "v=STSv1; id=;", -1, "" },
	{ "an id of 33", "v=STSv1; id=" ID32 "6;", -1, "" },
	{ "an id that is not letters and digits", "v=STSv1; id=1-2;", -1, "" },
	{ "a field without value", "v=STSv1; id=1; x;", -1, "" },
	{ "a field without name", "v=STSv1; id=1; =x;", -1, "" },
	{ "an empty field", "v=STSv1;; id=1;", -1, "" },
	{ "a blank in a value", "v=STSv1; id=1; x=a b;", -1, "" },
	{ "a second '=' in a value", "v=STSv1; id=1; x=a=b;", -1, "" },
};

#define V "version: STSv1\n"
#define M "mode: enforce\n"
#define X "mx: mx.example.com\n"
#define A "max_age: 86400\n"

static const struct {
	const char *name, *text;
	const char *wrong; /* NULL: none */
	enum sts_mode mode;
	int64_t max_age_s;
	const char *mx; /* all, each with a blank behind */
} policies[] = {
	{ "LF", V M X A, NULL, STS_ENFORCE, 86400, "mx.example.com " },
	{ "CRLF", "version: STSv1\r\nmode: testing\r\nmx: a.example\r\n"
	  "mx: *.b.example\r\nmax_age: 1\r\n", NULL, STS_TESTING, 1,
	  "a.example *.b.example " },
	{ "no end of the last line", V M X "max_age: 86400", NULL,
	  STS_ENFORCE, 86400, "mx.example.com " },
	{ "another order", A X M V, NULL, STS_ENFORCE, 86400,
	  "mx.example.com " },
	{ "blanks", "version:STSv1 \nmode:\t enforce\t\n" X A, NULL,
	  STS_ENFORCE, 86400, "mx.example.com " },
	{ "empty lines", V M X A "\r\n\n", NULL, STS_ENFORCE, 86400,
	  "mx.example.com " },
	{ "capitals in a name", V M "mx: MX.Example.COM\n" A, NULL,
	  STS_ENFORCE, 86400, "mx.example.com " },
	{ "unknown fields", V M X A "x-y.z_1: Gr\xc3\xbc\xc3\x9f" "e\n", NULL,
	  STS_ENFORCE, 86400, "mx.example.com " },
	{ "the first of each that comes twice", V M X A
	  "version: 2\nmode: none\nmax_age: 5\n", NULL, STS_ENFORCE, 86400,
	  "mx.example.com " },
	{ "mode none without mx", V "mode: none\n" A, NULL, STS_NONE, 86400,
	  "" },
	{ "the smallest max_age", V M X "max_age: 0\n", NULL, STS_ENFORCE, 0,
	  "mx.example.com " },
	{ "D43: the largest max_age", V M X "max_age: 31557600\n", NULL,
	  STS_ENFORCE, 31557600, "mx.example.com " },
	{ "D43: a larger max_age", V M X "max_age: 31557601\n", "line 4",
	  0, 0, "" },
	{ "a max_age of 11 digits", V M X "max_age: 00000000001\n", "line 4",
	  0, 0, "" },
	{ "a negative max_age", V M X "max_age: -1\n", "line 4", 0, 0, "" },
	{ "an empty max_age", V M X "max_age:\n", "line 4", 0, 0, "" },
	{ "no version", M X A, "no version", 0, 0, "" },
	{ "no mode", V X A, "no mode", 0, 0, "" },
	{ "no mx", V M A, "no mx", 0, 0, "" },
	{ "no max_age", V M X, "no max_age", 0, 0, "" },
	{ "nothing", "", "no version", 0, 0, "" },
	{ "another version", "version: STSv2\n" M X A, "line 1", 0, 0, "" },
	{ "another mode", V "mode: Enforce\n" X A, "line 2", 0, 0, "" },
	{ "a line that is no field", V M "<html>\n" X A, "line 3", 0, 0, "" },
	{ "a blank before the colon", V "mode : none\n" X A, "line 2", 0, 0,
	  "" },
	{ "a lone CR", "version: STSv1\rmode: none\r" A, "line 1", 0, 0, "" },
	{ "an address", V M "mx: 192.0.2.1\n" A, "line 3", 0, 0, "" },
	{ "an address literal", V M "mx: [192.0.2.1]\n" A, "line 3", 0, 0, "" },
	{ "D43: a wildcard inside", V M "mx: mx.*.example\n" A, "line 3", 0, 0,
	  "" },
	{ "D43: a wildcard as part of a label", V M "mx: mx*.example\n" A,
	  "line 3", 0, 0, "" },
	{ "D43: two wildcards", V M "mx: *.*.example\n" A, "line 3", 0, 0, "" },
	{ "a wildcard alone", V M "mx: *\n" A, "line 3", 0, 0, "" },
	{ "a leading dot", V M "mx: .example.com\n" A, "line 3", 0, 0, "" },
	{ "an empty mx", V M "mx:\n" A, "line 3", 0, 0, "" },
	{ "U-labels", V M "mx: b\xc3\xbc" "cher.example\n" A, "line 3", 0, 0,
	  "" },
	{ "a control character", V M X A "x: a\x1b[2J\n", "line 5", 0, 0, "" },
};

static const struct {
	const char *pattern, *host;
	bool is_match;
} matches[] = {
	{ "mx.example.com", "mx.example.com", true },
	{ "mx.example.com", "MX.EXAMPLE.COM", true },
	{ "mx.example.com", "mx2.example.com", false },
	{ "mx.example.com", "a.mx.example.com", false },
	{ "*.example.com", "mx.example.com", true },
	{ "*.example.com", "Mx.Example.Com", true },
	{ "*.example.com", "example.com", false },
	{ "*.example.com", "a.mx.example.com", false },
	{ "*.example.com", ".example.com", false },
	{ "*.example.com", "", false },
	{ "*.example.com", "mxexample.com", false },
};
/* clang-format on */

static void
records_are_read_by_their_grammar(void **state)
{
	char id[STS_ID_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(records); i++) {
		struct err e = ERR_INIT;
		int rc = sts_parse_txt(records[i].text, strlen(records[i].text),
		    id, &e);

		if (rc != records[i].rc ||
		    (rc == 1 && strcmp(id, records[i].id) != 0))
			fail_msg("%s: %d %s %s", records[i].name, rc, id,
			    e.text);
	}
}

static void
expect_policy(size_t i, const struct sts_policy *p)
{
	char mx[512] = "";

	for (size_t k = 0; k < p->nmx; k++) {
		strcat(mx, p->mx[k]);
		strcat(mx, " ");
	}
	assert_string_equal(mx, policies[i].mx);
	assert_int_equal(p->mode, policies[i].mode);
	assert_int_equal(p->max_age_s, policies[i].max_age_s);
}

static void
policies_are_read_by_their_grammar(void **state)
{
	struct sts_policy p;

	(void)state;
	for (size_t i = 0; i < COUNT(policies); i++) {
		struct err e = ERR_INIT;
		int rc = sts_parse(policies[i].text, strlen(policies[i].text),
		    &p, &e);

		if ((rc == 0) != (policies[i].wrong == NULL))
			fail_msg("%s: %d %s", policies[i].name, rc, e.text);
		if (rc == 0)
			expect_policy(i, &p);
		else if (strstr(e.text, policies[i].wrong) == NULL)
			fail_msg("%s: %s", policies[i].name, e.text);
	}
}

static void
patterns_are_bounded(void **state)
{
	static struct sts_policy p;
	char text[8192] = V M A;
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < STS_MX_MAX; i++)
		strcat(text, X);
	assert_int_equal(sts_parse(text, strlen(text), &p, &e), 0);
	assert_int_equal(p.nmx, STS_MX_MAX);
	strcat(text, X);
	assert_int_equal(sts_parse(text, strlen(text), &p, &e), -1);
}

static void
D43_a_wildcard_is_for_one_label(void **state)
{
	static struct sts_policy p = { .nmx = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(matches); i++) {
		strcpy(p.mx[0], matches[i].pattern);
		if (sts_is_covered(&p, matches[i].host) != matches[i].is_match)
			fail_msg("%s %s", matches[i].pattern, matches[i].host);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read_by_their_grammar),
		cmocka_unit_test(policies_are_read_by_their_grammar),
		cmocka_unit_test(patterns_are_bounded),
		cmocka_unit_test(D43_a_wildcard_is_for_one_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
