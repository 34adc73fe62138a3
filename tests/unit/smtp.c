/* lib/mail/smtp: commands, parameters, replies, offers (D10, D23, D28 to D30,
 * D32, D39). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/smtp.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define ALL (~0u)
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

/* A copy of exactly len bytes, so that a sanitizer sees a step beyond. */
static char *
exactly(const char *s, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, s, len);
	return copy;
}

/* ---- commands ---- */

static void
a_line_is_split_at_its_verb(void **state)
{
	static const struct {
		const char *line, *verb, *arg;
	} rows[] = {
		{ "QUIT", "QUIT", "" },
		{ "quit", "QUIT", "" },
		{ "Mail FROM:<a@b> SIZE=1", "MAIL", "FROM:<a@b> SIZE=1" },
		{ "EHLO  mx.example \t ", "EHLO", "mx.example" },
		{ "NOOP\ta b", "NOOP", "a b" },
		{ "BDAT 86 LAST", "BDAT", "86 LAST" },
		{ "", "", "" },
		{ " \t ", "", "" },
		{ "EH1O x", "", "x" },
		{ "MAIL:x", "", "" },
		{ "\x16\x03\x01", "", "" },
		{ "QUIT\xc3\xa9", "", "" },
		{ "ABCDEFGHIJKLMNO x", "ABCDEFGHIJKLMNO", "x" },
		{ "ABCDEFGHIJKLMNOP x", "", "x" },
		{ "GET / HTTP/1.1", "GET", "/ HTTP/1.1" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].line);
		char *line = exactly(rows[i].line, len);
		struct smtp_command c;

		smtp_split(line, len, &c);
		assert_string_equal(c.verb, rows[i].verb);
		assert_int_equal(c.arg_len, strlen(rows[i].arg));
		assert_memory_equal(c.arg, rows[i].arg, c.arg_len);
		free(line);
	}
}

static void
a_nul_makes_no_verb(void **state)
{
	struct smtp_command c;

	(void)state;
	smtp_split("QUIT\0", 5, &c);
	assert_string_equal(c.verb, "");
}

/* ---- parameters ---- */

static const struct mail_row {
	const char *name;
	const char *arg;
	unsigned exts;
	const char *reply; /* its code and enhanced code; NULL: none */
} mail_rows[] = {
	{ "plain", "FROM:<a@b>", 0, NULL },
	{ "null reverse-path", "FROM:<>", 0, NULL },
	{ "verb in any case", "from:<a@b>", 0, NULL },
	{ "blanks after the colon", "FROM: \t<a@b>", 0, NULL },
	{ "blanks between parameters", "FROM:<a@b>  SIZE=1 \t BODY=7BIT", ALL,
	    NULL },
	{ "everything",
	    "FROM:<a@b> SIZE=1 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS "
	    "ENVID=x",
	    ALL, NULL },
	{ "any case",
	    "FROM:<a@b> size=1 body=8bitmime smtputf8 requiretls ret=full "
	    "envid=x",
	    ALL, NULL },

	{ "nothing", "", ALL, "501 5.5.4" },
	{ "no colon", "FROM", ALL, "501 5.5.4" },
	{ "another word", "TO:<a@b>", ALL, "501 5.5.4" },
	{ "blank before the colon", "FROM :<a@b>", ALL, "501 5.5.4" },
	{ "no address", "FROM:", ALL, "501 5.1.7" },
	{ "no brackets", "FROM:a@b", ALL, "501 5.1.7" },
	{ "postmaster is no sender", "FROM:<postmaster>", ALL, "501 5.1.7" },
	{ "two at signs", "FROM:<u@x@d>", ALL, "501 5.1.7" },
	{ "parameter glued on", "FROM:<a@b>SIZE=1", ALL, "501 5.1.7" },
	{ "second address", "FROM:<a@b><c@d>", ALL, "501 5.1.7" },
	{ "second address apart", "FROM:<a@b> <c@d>", ALL, "501 5.5.4" },

	{ "keyword unknown", "FROM:<a@b> FOO=1", ALL, "555 5.5.4" },
	{ "prefix of a keyword", "FROM:<a@b> SIZ=1", ALL, "555 5.5.4" },
	{ "AUTH is not offered", "FROM:<a@b> AUTH=<>", ALL, "555 5.5.4" },
	{ "parameter of RCPT", "FROM:<a@b> NOTIFY=NEVER", ALL, "555 5.5.4" },
	{ "keyword malformed", "FROM:<a@b> S!ZE=1", ALL, "501 5.5.4" },
	{ "no keyword", "FROM:<a@b> =1", ALL, "501 5.5.4" },
	{ "empty value", "FROM:<a@b> SIZE=", ALL, "501 5.5.4" },

	{ "SIZE not offered", "FROM:<a@b> SIZE=1", ALL & ~SMTP_EXT_SIZE,
	    "555 5.5.4" },
	{ "BODY not offered", "FROM:<a@b> BODY=7BIT", ALL & ~SMTP_EXT_8BITMIME,
	    "555 5.5.4" },
	{ "SMTPUTF8 not offered", "FROM:<a@b> SMTPUTF8",
	    ALL & ~SMTP_EXT_SMTPUTF8, "555 5.5.4" },
	{ "D46 REQUIRETLS not offered", "FROM:<a@b> REQUIRETLS",
	    ALL & ~SMTP_EXT_REQUIRETLS, "555 5.5.4" },
	{ "RET not offered", "FROM:<a@b> RET=FULL", ALL & ~SMTP_EXT_DSN,
	    "555 5.5.4" },
	{ "ENVID not offered", "FROM:<a@b> ENVID=x", ALL & ~SMTP_EXT_DSN,
	    "555 5.5.4" },

	{ "D39 SIZE twice", "FROM:<a@b> SIZE=1 SIZE=1", ALL, "501 5.5.4" },
	{ "D39 BODY twice", "FROM:<a@b> BODY=7BIT BODY=7BIT", ALL,
	    "501 5.5.4" },
	{ "D39 SMTPUTF8 twice", "FROM:<a@b> SMTPUTF8 smtputf8", ALL,
	    "501 5.5.4" },
	{ "D39 RET twice", "FROM:<a@b> RET=FULL RET=HDRS", ALL, "501 5.5.4" },
	{ "D39 ENVID twice", "FROM:<a@b> ENVID=a ENVID=b", ALL, "501 5.5.4" },

	{ "D23 SIZE 0", "FROM:<a@b> SIZE=0", ALL, NULL },
	{ "D23 SIZE of 64 bits", "FROM:<a@b> SIZE=18446744073709551615", ALL,
	    NULL },
	{ "D23 SIZE with leading zeros", "FROM:<a@b> SIZE=00000000000000000001",
	    ALL, NULL },
	{ "D23 SIZE beyond 64 bits", "FROM:<a@b> SIZE=18446744073709551616",
	    ALL, "552 5.3.4" },
	{ "D23 SIZE of 20 nines", "FROM:<a@b> SIZE=99999999999999999999", ALL,
	    "552 5.3.4" },
	{ "D23 SIZE of 21 digits", "FROM:<a@b> SIZE=000000000000000000001", ALL,
	    "501 5.5.4" },
	{ "D23 SIZE without value", "FROM:<a@b> SIZE", ALL, "501 5.5.4" },
	{ "D23 SIZE negative", "FROM:<a@b> SIZE=-1", ALL, "501 5.5.4" },
	{ "D23 SIZE with a sign", "FROM:<a@b> SIZE=+1", ALL, "501 5.5.4" },
	{ "D23 SIZE hexadecimal", "FROM:<a@b> SIZE=0x1", ALL, "501 5.5.4" },
	{ "D23 20 digits and a letter", "FROM:<a@b> SIZE=9999999999999999999x",
	    ALL, "501 5.5.4" },

	{ "D28 BINARYMIME", "FROM:<a@b> BODY=BINARYMIME", ALL, "555 5.5.4" },
	{ "BODY of another kind", "FROM:<a@b> BODY=9BIT", ALL, "501 5.5.4" },
	{ "BODY without value", "FROM:<a@b> BODY", ALL, "501 5.5.4" },
	{ "SMTPUTF8 with a value", "FROM:<a@b> SMTPUTF8=1", ALL, "501 5.5.4" },
	{ "REQUIRETLS with a value", "FROM:<a@b> REQUIRETLS=YES", ALL,
	    "501 5.5.4" },
	{ "RET of another kind", "FROM:<a@b> RET=ALL", ALL, "501 5.5.4" },
	{ "RET without value", "FROM:<a@b> RET", ALL, "501 5.5.4" },

	{ "D39 ENVID of 100", "FROM:<a@b> ENVID=" X100, ALL, NULL },
	{ "D39 ENVID of 101", "FROM:<a@b> ENVID=x" X100, ALL, "501 5.5.4" },
	{ "ENVID xtext", "FROM:<a@b> ENVID=a+3D+2Bb", ALL, NULL },
	{ "ENVID bad xtext", "FROM:<a@b> ENVID=a+3", ALL, "501 5.5.4" },
	{ "ENVID bare equals", "FROM:<a@b> ENVID=a=b", ALL, "501 5.5.4" },
	{ "ENVID non-ASCII", "FROM:<a@b> ENVID=\xc3\xa9", ALL, "501 5.5.4" },
	{ "ENVID hides a newline", "FROM:<a@b> ENVID=a+0D+0Ab", ALL,
	    "501 5.5.4" },
	{ "ENVID hides a NUL", "FROM:<a@b> ENVID=a+00", ALL, "501 5.5.4" },
	{ "ENVID without value", "FROM:<a@b> ENVID", ALL, "501 5.5.4" },

	{ "D30 non-ASCII and SMTPUTF8", "FROM:<\xc3\xa9@b> SMTPUTF8", ALL,
	    NULL },
	{ "D30 non-ASCII without SMTPUTF8", "FROM:<\xc3\xa9@b>", ALL,
	    "553 5.6.7" },
	{ "D30 non-ASCII domain", "FROM:<a@\xc3\xa9>", 0, "553 5.6.7" },
	{ "D30 bad UTF-8", "FROM:<\xe9@b> SMTPUTF8", ALL, "501 5.1.7" },
};

static const struct mail_row rcpt_rows[] = {
	{ "plain", "TO:<a@b>", 0, NULL },
	{ "D13 postmaster", "TO:<Postmaster>", 0, NULL },
	{ "D15 source route", "TO:<@x:a@b>", 0, NULL },
	{ "everything", "To:<a@b> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a",
	    ALL, NULL },

	{ "null path", "TO:<>", ALL, "501 5.1.3" },
	{ "another word", "FROM:<a@b>", ALL, "501 5.5.4" },
	{ "not an address", "TO:<a b@c>", ALL, "501 5.1.3" },
	{ "parameter of MAIL", "TO:<a@b> SIZE=1", ALL, "555 5.5.4" },
	{ "NOTIFY not offered", "TO:<a@b> NOTIFY=NEVER", ALL & ~SMTP_EXT_DSN,
	    "555 5.5.4" },
	{ "ORCPT not offered", "TO:<a@b> ORCPT=rfc822;a", ALL & ~SMTP_EXT_DSN,
	    "555 5.5.4" },

	{ "D39 NEVER alone", "TO:<a@b> NOTIFY=never", ALL, NULL },
	{ "D39 NEVER last", "TO:<a@b> NOTIFY=DELAY,NEVER", ALL, "501 5.5.4" },
	{ "D39 NEVER first", "TO:<a@b> NOTIFY=NEVER,DELAY", ALL, "501 5.5.4" },
	{ "NOTIFY of an unknown word", "TO:<a@b> NOTIFY=ALWAYS", ALL,
	    "501 5.5.4" },
	{ "NOTIFY ends in a comma", "TO:<a@b> NOTIFY=DELAY,", ALL,
	    "501 5.5.4" },
	{ "NOTIFY of a comma", "TO:<a@b> NOTIFY=,", ALL, "501 5.5.4" },
	{ "NOTIFY without value", "TO:<a@b> NOTIFY", ALL, "501 5.5.4" },
	{ "D39 NOTIFY twice", "TO:<a@b> NOTIFY=DELAY NOTIFY=DELAY", ALL,
	    "501 5.5.4" },
	{ "D39 ORCPT twice", "TO:<a@b> ORCPT=a;b ORCPT=a;b", ALL, "501 5.5.4" },

	{ "D39 ORCPT of 500",
	    "TO:<a@b> ORCPT=rfc822;xxx" X10 X10 X10 X10 X10 X10 X10 X10 X10 X100
		X100 X100 X100,
	    ALL, NULL },
	{ "D39 ORCPT of 501",
	    "TO:<a@b> ORCPT=rfc822;xxxx" X10 X10 X10 X10 X10 X10 X10 X10 X10
		X100 X100 X100 X100,
	    ALL, "501 5.5.4" },
	{ "ORCPT xtext", "TO:<a@b> ORCPT=rfc822;a+2Bb@c", ALL, NULL },
	{ "ORCPT of another type", "TO:<a@b> ORCPT=x400;/c+3Dus/", ALL, NULL },
	{ "ORCPT of RFC 6533 as ASCII", "TO:<a@b> ORCPT=utf-8;\\x{E9}@c", ALL,
	    NULL },
	{ "ORCPT without type", "TO:<a@b> ORCPT=a@b", ALL, "501 5.5.4" },
	{ "ORCPT of an empty type", "TO:<a@b> ORCPT=;a", ALL, "501 5.5.4" },
	{ "ORCPT of a bad type", "TO:<a@b> ORCPT=rfc_822;a", ALL, "501 5.5.4" },
	{ "ORCPT without address", "TO:<a@b> ORCPT=rfc822;", ALL, "501 5.5.4" },
	{ "ORCPT without value", "TO:<a@b> ORCPT", ALL, "501 5.5.4" },
	{ "ORCPT bad xtext", "TO:<a@b> ORCPT=rfc822;a+G0", ALL, "501 5.5.4" },
	{ "ORCPT hides a newline", "TO:<a@b> ORCPT=rfc822;a+0Ab", ALL,
	    "501 5.5.4" },
	{ "ORCPT non-ASCII without SMTPUTF8", "TO:<a@b> ORCPT=utf-8;\xc3\xa9",
	    ALL, "501 5.5.4" },
	{ "D30 non-ASCII without SMTPUTF8", "TO:<\xc3\xa9@b>", ALL,
	    "553 5.6.7" },
};

static void
check_reply(const struct mail_row *row, const char *reply)
{
	size_t len = row->reply == NULL ? 0 : strlen(row->reply);

	if (row->reply == NULL && reply == NULL)
		return;
	if (row->reply == NULL || reply == NULL ||
	    strncmp(reply, row->reply, len) != 0 || reply[len] != ' ')
		fail_msg("%s: %s", row->name, reply == NULL ? "ok" : reply);
	assert_null(strpbrk(reply, "\r\n"));
}

static void
mail_is_accepted_or_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mail_rows); i++) {
		size_t len = strlen(mail_rows[i].arg);
		char *arg = exactly(mail_rows[i].arg, len);
		struct smtp_mail m;

		check_reply(&mail_rows[i],
		    smtp_parse_mail(arg, len, mail_rows[i].exts, &m));
		free(arg);
	}
}

static void
rcpt_is_accepted_or_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rcpt_rows); i++) {
		size_t len = strlen(rcpt_rows[i].arg);
		char *arg = exactly(rcpt_rows[i].arg, len);
		struct smtp_rcpt r;

		check_reply(&rcpt_rows[i],
		    smtp_parse_rcpt(arg, len, rcpt_rows[i].exts, false, &r));
		free(arg);
	}
}

static void
mail_parameters_are_understood(void **state)
{
	static const char arg[] =
	    "FROM:<a@b> SIZE=00123 BODY=8bitMIME SMTPUTF8 "
	    "REQUIRETLS RET=HDRS ENVID=q+2B1";
	static const char bare[] = "FROM:<>";
	struct smtp_mail m;

	(void)state;
	assert_null(smtp_parse_mail(arg, sizeof arg - 1, ALL, &m));
	assert_string_equal(m.reverse_path.text, "a@b");
	assert_true(m.has_size);
	assert_int_equal(m.size, 123);
	assert_int_equal(m.body, SMTP_BODY_8BITMIME);
	assert_true(m.smtputf8);
	assert_true(m.requiretls);
	assert_int_equal(m.ret, SMTP_RET_HDRS);
	assert_string_equal(m.envid, "q+2B1");

	assert_null(smtp_parse_mail(bare, sizeof bare - 1, ALL, &m));
	assert_string_equal(m.reverse_path.text, "");
	assert_false(m.has_size);
	assert_int_equal(m.body, SMTP_BODY_NONE);
	assert_false(m.smtputf8);
	assert_false(m.requiretls);
	assert_int_equal(m.ret, SMTP_RET_NONE);
	assert_string_equal(m.envid, "");
}

static void
rcpt_parameters_are_understood(void **state)
{
	static const char arg[] =
	    "TO:<@r:c@d> ORCPT=rfc822;C+2B@d NOTIFY=Failure,Delay,delay";
	static const char utf8[] =
	    "TO:<\xc3\xa9@d> ORCPT=UTF-8;\xc3\xa9\\x{E9}@d";
	static const char latin1[] = "TO:<a@d> ORCPT=utf-8;\xe9@d";
	static const char wrong_type[] = "TO:<a@d> ORCPT=rfc822;\xc3\xa9@d";
	struct smtp_rcpt r;

	(void)state;
	assert_null(smtp_parse_rcpt(arg, sizeof arg - 1, ALL, false, &r));
	assert_string_equal(r.forward_path.text, "c@d");
	assert_string_equal(r.orcpt, "rfc822;C+2B@d");
	assert_int_equal(r.notify, SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY);

	assert_null(smtp_parse_rcpt(utf8, sizeof utf8 - 1, ALL, true, &r));
	assert_true(r.forward_path.is_utf8);
	assert_string_equal(r.orcpt, "UTF-8;\xc3\xa9\\x{E9}@d");
	assert_int_equal(r.notify, SMTP_NOTIFY_NONE);

	assert_non_null(smtp_parse_rcpt(latin1, sizeof latin1 - 1, ALL, true,
	    &r));
	assert_non_null(smtp_parse_rcpt(wrong_type, sizeof wrong_type - 1, ALL,
	    true, &r));
}

static void
what_is_offered_is_written_as_it_was_read(void **state)
{
	static const char mail[] = " SIZE=1 BODY=8BITMIME SMTPUTF8 REQUIRETLS "
				   "RET=HDRS ENVID=x+2B";
	static const char rcpt[] = " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb";
	static const struct {
		unsigned exts;
		const char *mail, *rcpt;
	} rows[] = {
		{ ALL, mail, rcpt }, { 0, "", "" },
		{ SMTP_EXT_SIZE, " SIZE=1", "" },
		{ SMTP_EXT_8BITMIME, " BODY=8BITMIME", "" },
		{ SMTP_EXT_SMTPUTF8, " SMTPUTF8", "" },
		{ SMTP_EXT_REQUIRETLS, " REQUIRETLS", "" },
		{ SMTP_EXT_DSN, " RET=HDRS ENVID=x+2B", rcpt }, /* D39 */
	};
	struct buf b = BUF_INIT(SMTP_COMMAND_MAX);
	struct smtp_mail m;
	struct smtp_rcpt r;

	(void)state;
	buf_addf(&b, "FROM:<a@b>%s", mail);
	assert_null(smtp_parse_mail(b.data, b.len, ALL, &m));
	buf_reset(&b);
	buf_addf(&b, "TO:<a@b>%s", rcpt);
	assert_null(smtp_parse_rcpt(b.data, b.len, ALL, false, &r));
	for (size_t i = 0; i < COUNT(rows); i++) {
		buf_reset(&b);
		smtp_format_mail_params(&b, &m, rows[i].exts);
		assert_string_equal(b.data, rows[i].mail);
		buf_reset(&b);
		smtp_format_rcpt_params(&b, r.notify, r.orcpt, rows[i].exts);
		assert_string_equal(b.data, rows[i].rcpt);
	}
	buf_reset(&b);
	smtp_format_rcpt_params(&b, SMTP_NOTIFY_NEVER, NULL, ALL);
	assert_string_equal(b.data, " NOTIFY=NEVER");
	buf_free(&b);
}

static void
a_command_is_not_read_beyond_its_end(void **state)
{
	static const char from[] =
	    "FROM:<@a:\"q\\\"\"@[IPv6:::1]> SIZE=1 RET=HDRS ENVID=a+3D";
	static const char to[] = "TO:<a@b> NOTIFY=FAILURE ORCPT=utf-8;\xc3\xa9";
	size_t path_end = (size_t)(strchr(from, '>') + 1 - from);

	(void)state;
	for (size_t n = 0; n < sizeof from; n++) {
		char *cut = exactly(from, n);
		struct smtp_mail m;
		const char *reply = smtp_parse_mail(cut, n, ALL, &m);

		if (n < path_end)
			assert_non_null(reply);
		if (n == path_end || n == sizeof from - 1)
			assert_null(reply);
		free(cut);
	}
	for (size_t n = 0; n < sizeof to; n++) {
		char *cut = exactly(to, n);
		struct smtp_rcpt r;

		assert_true(smtp_parse_rcpt(cut, n, ALL, true, &r) != NULL ||
			    n >= 8);
		free(cut);
	}
}

/* ---- xtext ---- */

static void
xtext_is_told_from_other_text(void **state)
{
	static const struct {
		const char *text;
		const char *decoded; /* NULL: no xtext */
	} rows[] = {
		{ "", "" },
		{ "abc", "abc" },
		{ "a+2Bb", "a+b" },
		{ "+3D", "=" },
		{ "+3d", "=" },
		{ "+20+FF", " \xff" },
		{ "!~", "!~" },
		{ "a=b", NULL },
		{ "a b", NULL },
		{ "a\tb", NULL },
		{ "a\177", NULL },
		{ "\xc3\xa9", NULL },
		{ "+", NULL },
		{ "+2", NULL },
		{ "+2G", NULL },
		{ "+G2", NULL },
		{ "+-1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t len = strlen(rows[i].text);
		char *text = exactly(rows[i].text, len), out[16];
		const char *decoded = rows[i].decoded;
		int n = smtp_xtext_decode(text, len, out);

		assert_int_equal(smtp_is_xtext(text, len), decoded != NULL);
		assert_int_equal(n,
		    decoded == NULL ? -1 : (int)strlen(decoded));
		if (decoded != NULL)
			assert_memory_equal(out, decoded, (size_t)n);
		free(text);
	}
}

static void
xtext_brings_every_byte_back(void **state)
{
	char bytes[256], text[3 * 256 + 1], back[3 * 256];
	size_t len;

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	len = smtp_xtext_encode(bytes, sizeof bytes, text);
	assert_int_equal(strlen(text), len);
	assert_null(strpbrk(text, " =\r\n"));
	assert_int_equal(smtp_xtext_decode(text, len, back), 256);
	assert_memory_equal(back, bytes, 256);
}

/* ---- replies ---- */

#define LINES 4

static const struct reply_row {
	const char *name;
	const char *lines[LINES];
	int rc; /* of the last line */
	int code;
	const char *enhanced;
	const char *text;
} reply_rows[] = {
	{ "one line", { "250 Ok" }, 1, 250, "", "Ok" },
	{ "code alone", { "250" }, 1, 250, "", "" },
	{ "code and blank", { "250 " }, 1, 250, "", "" },
	{ "enhanced code", { "550 5.1.1 No such user" }, 1, 550, "5.1.1",
	    "No such user" },
	{ "enhanced code alone", { "250 2.0.0" }, 1, 250, "2.0.0", "" },
	{ "longest enhanced code", { "451 4.123.456 x" }, 1, 451, "4.123.456",
	    "x" },
	{ "enhanced code of another class", { "550 4.1.1 x" }, 1, 550, "",
	    "4.1.1 x" },
	{ "enhanced code of four digits", { "550 5.1234.1 x" }, 1, 550, "",
	    "5.1234.1 x" },
	{ "enhanced code cut", { "550 5.1. x" }, 1, 550, "", "5.1. x" },
	{ "enhanced code of two parts", { "550 5.1" }, 1, 550, "", "5.1" },
	{ "enhanced code and a letter", { "550 5.1.1x" }, 1, 550, "",
	    "5.1.1x" },
	{ "no enhanced code in 354", { "354 3.0.0 go" }, 1, 354, "",
	    "3.0.0 go" },
	{ "an address is no enhanced code", { "220 2.0.0.1 x" }, 1, 220, "",
	    "2.0.0.1 x" },
	{ "several lines",
	    { "550-5.7.1 You", "550-5.7.1", "550-5.7.1  may not",
		"550 5.7.1 !" },
	    1, 550, "5.7.1", "You / may not / !" },
	{ "more to come", { "250-a", "250-b" }, 0, 250, "", "a / b" },
	{ "enhanced code of the first line counts", { "250-x", "250 2.1.0 y" },
	    1, 250, "", "x / y" },
	{ "hostile text", { "550 a\x1b[2J\xff\\\t" }, 1, 550, "",
	    "a\\x1b[2J\\xff\\x5c\\x09" },
	{ "D32 unknown 2yz", { "299 x" }, 1, 299, "", "x" },
	{ "D32 lowest", { "200 x" }, 1, 200, "", "x" },
	{ "D32 highest", { "599 x" }, 1, 599, "", "x" },

	{ "D32 empty line", { "" }, -1, 0, "", "" },
	{ "two digits", { "25" }, -1, 0, "", "" },
	{ "1yz", { "150 x" }, -1, 0, "", "" },
	{ "6yz", { "600 x" }, -1, 0, "", "" },
	{ "four digits", { "2500 x" }, -1, 0, "", "" },
	{ "letters", { "OK x" }, -1, 0, "", "" },
	{ "letter in the code", { "2x0 x" }, -1, 0, "", "" },
	{ "blank before", { " 250 x" }, -1, 0, "", "" },
	{ "tab after the code", { "250\tx" }, -1, 0, "", "" },
	{ "another protocol", { "SSH-2.0-x" }, -1, 0, "", "" },
	{ "code changes", { "250-a", "550 b" }, -1, 250, "", "a" },
	{ "class changes", { "250-a", "450 b" }, -1, 250, "", "a" },
	{ "nonsense inside", { "250-a", "b" }, -1, 250, "", "a" },
};

static void
each_reply_is_read_or_a_protocol_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(reply_rows); i++) {
		const struct reply_row *row = &reply_rows[i];
		struct smtp_reply r = SMTP_REPLY_INIT;
		struct err e = ERR_INIT;
		int rc = 0;

		for (int n = 0; n < LINES && row->lines[n] != NULL; n++) {
			size_t len = strlen(row->lines[n]);
			char *line = exactly(row->lines[n], len);

			assert_int_equal(rc, 0);
			rc = smtp_reply_line(&r, line, len, &e);
			free(line);
		}
		if (rc != row->rc || r.code != row->code ||
		    strcmp(r.enhanced, row->enhanced) != 0 ||
		    strcmp(r.text, row->text) != 0)
			fail_msg("%s: %d %d <%s> <%s>", row->name, rc, r.code,
			    r.enhanced, r.text);
		if (rc == -1) {
			assert_int_equal(e.class, ERR_TEMP);
			assert_memory_equal(e.text, "protocol error: ", 16);
		}
	}
}

static void
reply_classes_go_by_the_first_digit(void **state)
{
	const struct smtp_reply ok = { 299, "", "", 1 };
	const struct smtp_reply more = { 354, "", "", 1 };
	const struct smtp_reply later = { 421, "", "", 1 };
	const struct smtp_reply never = { 503, "", "", 1 };

	(void)state;
	assert_true(smtp_reply_ok(&ok));
	assert_false(smtp_reply_ok(&more));
	assert_false(smtp_reply_permanent(&later));
	assert_true(smtp_reply_permanent(&never));
}

static void
a_reply_has_at_most_100_lines(void **state)
{
	struct smtp_reply r = SMTP_REPLY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(smtp_reply_line(&r, "250-x", 5, &e), 0);
	assert_int_equal(smtp_reply_line(&r, "250 x", 5, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
}

/* The whole text of the lines so far, or as much as fits and "...". */
static void
a_long_reply_is_cut_and_stays_printable(void **state)
{
	char line[SMTP_REPLY_LINE_MAX], whole[20 * 1024];
	struct err e = ERR_INIT;

	(void)state;
	memset(line, 'x', sizeof line);
	memcpy(line, "550-", 4);
	for (size_t len = 5; len < 600; len++) {
		struct smtp_reply r = SMTP_REPLY_INIT;
		size_t used = 0, n;

		for (int i = 0; i < 20; i++) {
			used += (size_t)sprintf(whole + used, "%s%.*s",
			    i == 0 ? "" : " / ", (int)len - 4, line + 4);
			assert_int_equal(smtp_reply_line(&r, line, len, &e), 0);
			n = strlen(r.text);
			if (used + 12 < sizeof r.text) {
				assert_string_equal(r.text, whole);
			} else if (strcmp(r.text, whole) != 0) {
				assert_true(n > 490 && n < sizeof r.text);
				assert_memory_equal(r.text, whole, n - 6);
				assert_string_equal(r.text + n - 3, "...");
			}
		}
	}
}

static void
a_reply_line_has_at_most_2048_bytes(void **state)
{
	struct smtp_reply r = SMTP_REPLY_INIT;
	char line[SMTP_REPLY_LINE_MAX];
	struct err e = ERR_INIT;

	(void)state;
	memset(line, '\001', sizeof line);
	memcpy(line, "550 ", 4);
	assert_int_equal(smtp_reply_line(&r, line, sizeof line - 2, &e), 1);
	r = (struct smtp_reply)SMTP_REPLY_INIT;
	assert_int_equal(smtp_reply_line(&r, line, sizeof line - 1, &e), -1);
}

/* ---- offers ---- */

static void
offers_are_read_by_keyword(void **state)
{
	static const struct {
		const char *line;
		unsigned ext;
	} rows[] = {
		{ "SIZE", SMTP_EXT_SIZE },
		{ "size 1000", SMTP_EXT_SIZE },
		{ "8BITMIME", SMTP_EXT_8BITMIME },
		{ "PIPELINING", SMTP_EXT_PIPELINING },
		{ "ENHANCEDSTATUSCODES", SMTP_EXT_ENHANCEDSTATUSCODES },
		{ "StartTLS", SMTP_EXT_STARTTLS },
		{ "DSN", SMTP_EXT_DSN },
		{ "SMTPUTF8", SMTP_EXT_SMTPUTF8 },
		{ "CHUNKING", SMTP_EXT_CHUNKING },
		{ "REQUIRETLS", SMTP_EXT_REQUIRETLS },
		{ "LIMITS RCPTMAX=100", SMTP_EXT_LIMITS },
		{ "ETRN", SMTP_EXT_ETRN },
		{ "XCLIENT NAME ADDR", SMTP_EXT_XCLIENT },
		{ "XFORWARD NAME ADDR", SMTP_EXT_XFORWARD },
		{ "  DSN  ", SMTP_EXT_DSN },
		{ "", 0 },
		{ "AUTH PLAIN", 0 },
		{ "SIZE=1", 0 },
		{ "DS", 0 },
		{ "DSNX", 0 },
		{ "BINARYMIME", SMTP_EXT_BINARYMIME },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_offer o = { .exts = 0 };
		size_t len = strlen(rows[i].line);
		char *line = exactly(rows[i].line, len);

		smtp_offer_line(&o, line, len);
		assert_int_equal(o.exts, rows[i].ext);
		free(line);
	}
}

static void
each_extension_has_its_name(void **state)
{
	(void)state;
	for (unsigned bit = SMTP_EXT_SIZE; bit <= SMTP_EXT_BINARYMIME;
	     bit <<= 1) {
		const char *name = smtp_ext_name(bit);
		struct smtp_offer o = { .exts = 0 };

		smtp_offer_line(&o, name, strlen(name));
		assert_int_equal(o.exts, bit);
	}
	assert_string_equal(smtp_ext_name(0), "");
	assert_string_equal(smtp_xattr_name(0), "");
	assert_string_equal(smtp_ext_name(SMTP_EXT_BINARYMIME << 1), "");
}

/* D29 and RFC 1870: what is malformed counts as not said. */
static void
numbers_in_offers_are_checked(void **state)
{
	static const struct {
		const char *line;
		uint64_t size_max;
		unsigned rcpt_max, mail_max;
	} rows[] = {
		{ "SIZE 1000", 1000, 0, 0 },
		{ "SIZE 0", 0, 0, 0 },
		{ "SIZE 18446744073709551615", UINT64_MAX, 0, 0 },
		{ "SIZE 18446744073709551616", 0, 0, 0 },
		{ "SIZE 000000000000000000001", 0, 0, 0 },
		{ "SIZE 10k", 0, 0, 0 },
		{ "SIZE -1", 0, 0, 0 },
		{ "LIMITS RCPTMAX=100", 0, 100, 0 },
		{ "LIMITS rcptmax=1 mailmax=999999", 0, 1, 999999 },
		{ "LIMITS MAILMAX=5 RCPTDOMAINMAX=1", 0, 0, 5 },
		{ "LIMITS RCPTMAX=0", 0, 0, 0 },
		{ "LIMITS RCPTMAX=010", 0, 0, 0 },
		{ "LIMITS RCPTMAX=1000000", 0, 0, 0 },
		{ "LIMITS RCPTMAX=1x MAILMAX=2", 0, 0, 2 },
		{ "LIMITS RCPTMAX= MAILMAX", 0, 0, 0 },
		{ "LIMITS RCPTMAX 100", 0, 0, 0 },
		{ "LIMITS FOO=1 RCPTMAX=7", 0, 7, 0 },
		{ "LIMITS", 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_offer o = { .exts = 0 };
		size_t len = strlen(rows[i].line);
		char *line = exactly(rows[i].line, len);

		smtp_offer_line(&o, line, len);
		if (o.size_max != rows[i].size_max ||
		    o.rcpt_max != rows[i].rcpt_max ||
		    o.mail_max != rows[i].mail_max)
			fail_msg("%s: %llu %u %u", rows[i].line,
			    (unsigned long long)o.size_max, o.rcpt_max,
			    o.mail_max);
		free(line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_split_at_its_verb),
		cmocka_unit_test(a_nul_makes_no_verb),
		cmocka_unit_test(mail_is_accepted_or_answered),
		cmocka_unit_test(rcpt_is_accepted_or_answered),
		cmocka_unit_test(mail_parameters_are_understood),
		cmocka_unit_test(rcpt_parameters_are_understood),
		cmocka_unit_test(what_is_offered_is_written_as_it_was_read),
		cmocka_unit_test(a_command_is_not_read_beyond_its_end),
		cmocka_unit_test(xtext_is_told_from_other_text),
		cmocka_unit_test(xtext_brings_every_byte_back),
		cmocka_unit_test(each_reply_is_read_or_a_protocol_error),
		cmocka_unit_test(reply_classes_go_by_the_first_digit),
		cmocka_unit_test(a_reply_has_at_most_100_lines),
		cmocka_unit_test(a_long_reply_is_cut_and_stays_printable),
		cmocka_unit_test(a_reply_line_has_at_most_2048_bytes),
		cmocka_unit_test(offers_are_read_by_keyword),
		cmocka_unit_test(each_extension_has_its_name),
		cmocka_unit_test(numbers_in_offers_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
