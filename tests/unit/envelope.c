/* lib/mail/envelope: the fields ahead of a spooled message, written and read
 * (D39, D47; hostile files). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/envelope.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define X10 "xxxxxxxxxx"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static const unsigned all_exts = ~0u;

static void
set_from(struct envelope *env, const char *arg)
{
	assert_null(smtp_parse_mail(arg, strlen(arg), all_exts, &env->mail));
}

static void
add_to(struct envelope *env, const char *arg)
{
	struct err e = ERR_INIT;
	struct smtp_rcpt r;

	assert_null(smtp_parse_rcpt(arg, strlen(arg), all_exts,
	    env->mail.smtputf8, &r));
	assert_int_equal(envelope_add(env, &r, &e), 0);
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

static void
assert_same(const struct envelope *a, const struct envelope *b)
{
	assert_int_equal(a->arrival_us, b->arrival_us);
	assert_string_equal(a->client.addr, b->client.addr);
	assert_int_equal(a->client.port, b->client.port);
	assert_string_equal(a->client.name, b->client.name);
	assert_string_equal(a->client.helo, b->client.helo);
	assert_string_equal(a->client.proto, b->client.proto);
	assert_string_equal(a->client.tls, b->client.tls);
	assert_string_equal(a->mail.reverse_path.text,
	    b->mail.reverse_path.text);
	assert_int_equal(a->mail.has_size, b->mail.has_size);
	assert_int_equal(a->mail.size, b->mail.size);
	assert_int_equal(a->mail.body, b->mail.body);
	assert_int_equal(a->mail.smtputf8, b->mail.smtputf8);
	assert_int_equal(a->mail.requiretls, b->mail.requiretls);
	assert_int_equal(a->mail.ret, b->mail.ret);
	assert_string_equal(a->mail.envid, b->mail.envid);
	assert_int_equal(a->nrcpt, b->nrcpt);
	for (size_t i = 0; i < a->nrcpt; i++) {
		assert_string_equal(a->rcpts[i].addr.text,
		    b->rcpts[i].addr.text);
		assert_int_equal(a->rcpts[i].addr.local_len,
		    b->rcpts[i].addr.local_len);
		assert_int_equal(a->rcpts[i].notify, b->rcpts[i].notify);
		assert_int_equal(a->rcpts[i].state, b->rcpts[i].state);
		assert_int_equal(a->rcpts[i].orcpt == NULL,
		    b->rcpts[i].orcpt == NULL);
		if (a->rcpts[i].orcpt != NULL)
			assert_string_equal(a->rcpts[i].orcpt,
			    b->rcpts[i].orcpt);
	}
}

/* ---- writing ---- */

static const char full_text[] =
    "Bmx-Envelope: 1\r\n"
    "Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
    "Bmx-Client: addr=2001:db8::1 port=40312 name=mx.example.org "
    "helo=a+20b+3Dc+2Bd proto=ESMTPS tls=TLS1.3/AES-256-GCM\r\n"
    "Bmx-From: <\"a b\"@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8 "
    "REQUIRETLS RET=HDRS ENVID=x+2By\r\n"
    "Bmx-To: P <bob@example.com> NOTIFY=SUCCESS,FAILURE,DELAY "
    "ORCPT=rfc822;Bob+2B@example.com\r\n"
    "Bmx-To: D <\xc3\xa9@example.com> NOTIFY=NEVER\r\n"
    "Bmx-To: F <Postmaster>\r\n";

static void
make_full(struct envelope *env)
{
	env->arrival_us = INT64_C(1795489874123456);
	strcpy(env->client.addr, "2001:db8::1");
	env->client.port = 40312;
	strcpy(env->client.name, "mx.example.org");
	strcpy(env->client.helo, "a b=c+d");
	strcpy(env->client.proto, "ESMTPS");
	strcpy(env->client.tls, "TLS1.3/AES-256-GCM");
	set_from(env,
	    "FROM:<\"a b\"@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8 "
	    "REQUIRETLS RET=HDRS ENVID=x+2By");
	add_to(env, "TO:<bob@example.com> NOTIFY=SUCCESS,FAILURE,DELAY "
		    "ORCPT=rfc822;Bob+2B@example.com");
	add_to(env, "TO:<\xc3\xa9@example.com> NOTIFY=NEVER");
	add_to(env, "TO:<@relay:Postmaster@x>");
	strcpy(env->rcpts[2].addr.text, "Postmaster");
	env->rcpts[2].addr.len = env->rcpts[2].addr.local_len = 10;
	env->rcpts[1].state = RCPT_DELIVERED;
	env->rcpts[2].state = RCPT_FAILED;
}

static void
every_field_is_written_as_the_manual_shows(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;

	(void)state;
	make_full(&env);
	assert_int_equal(envelope_format(&env, NULL, &b, &e), 0);
	assert_string_equal(b.data, full_text);
	buf_free(&b);
	envelope_reset(&env);
}

static void
what_is_not_known_is_left_out(void **state)
{
	struct envelope env = ENVELOPE_INIT, back = ENVELOPE_INIT;
	struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;

	(void)state;
	set_from(&env, "FROM:<>");
	add_to(&env, "TO:<u@d>");
	assert_int_equal(envelope_format(&env, NULL, &b, &e), 0);
	assert_string_equal(b.data,
	    "Bmx-Envelope: 1\r\n"
	    "Bmx-Arrival: 1970-01-01T00:00:00.000000Z\r\n"
	    "Bmx-Client:\r\n"
	    "Bmx-From: <>\r\n"
	    "Bmx-To: P <u@d>\r\n");
	buf_puts(&b, "\r\n");
	assert_int_equal(envelope_parse(&back, b.data, b.len, &e),
	    (long)b.len - 2);
	assert_same(&env, &back);
	buf_free(&b);
	envelope_reset(&env);
	envelope_reset(&back);
}

static void
only_the_kept_recipients_are_written(void **state)
{
	const bool keep[] = { false, true, false };
	struct envelope env = ENVELOPE_INIT;
	struct buf b = BUF_INIT(4096);
	struct err e = ERR_INIT;

	(void)state;
	make_full(&env);
	assert_int_equal(envelope_format(&env, keep, &b, &e), 0);
	assert_null(strstr(b.data, "bob@"));
	assert_null(strstr(b.data, "Postmaster"));
	assert_non_null(strstr(b.data, "Bmx-To: D <\xc3\xa9@example.com>"));
	buf_free(&b);
	envelope_reset(&env);
}

static void
an_envelope_without_room_is_an_error(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct buf b = BUF_INIT(100);
	struct err e = ERR_INIT;

	(void)state;
	make_full(&env);
	assert_int_equal(envelope_format(&env, NULL, &b, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_free(&b);
	envelope_reset(&env);
}

/* A value that the parsers never let in must not make a line here either. */
static void
no_value_can_make_a_line_of_its_own(void **state)
{
	static const char evil[] = "x\r\nBmx-To: P <evil@d>";

	(void)state;
	for (int where = 0; where < 7; where++) {
		struct envelope env = ENVELOPE_INIT, back = ENVELOPE_INIT;
		struct buf b = BUF_INIT(8192);
		struct err e = ERR_INIT;
		char *places[7];

		make_full(&env);
		places[0] = env.client.helo;
		places[1] = env.client.name;
		places[2] = env.client.tls;
		places[3] = env.mail.envid;
		places[4] = env.mail.reverse_path.text;
		places[5] = env.rcpts[0].addr.text;
		places[6] = env.rcpts[0].orcpt;
		strcpy(places[where], evil);
		if (where < 3) { /* shown with '?' */
			assert_int_equal(envelope_format(&env, NULL, &b, &e),
			    0);
			buf_puts(&b, "\r\n");
			assert_true(envelope_parse(&back, b.data, b.len, &e) >
				    0);
			assert_int_equal(back.nrcpt, 3);
		} else {
			assert_int_equal(envelope_format(&env, NULL, &b, &e),
			    -1);
			assert_int_equal(b.len, 0);
		}
		buf_free(&b);
		envelope_reset(&env);
		envelope_reset(&back);
	}
}

static void
texts_of_full_length_come_back(void **state)
{
	struct envelope env = ENVELOPE_INIT, back = ENVELOPE_INIT;
	struct buf b = BUF_INIT(8192);
	struct err e = ERR_INIT;

	(void)state;
	make_full(&env);
	memset(env.client.helo, '=', ENVELOPE_TEXT_MAX - 1);
	memset(env.client.name, ' ', ENVELOPE_TEXT_MAX - 1);
	memset(env.client.tls, '~', ENVELOPE_TEXT_MAX - 1);
	assert_int_equal(envelope_format(&env, NULL, &b, &e), 0);
	buf_puts(&b, "Received:");
	assert_int_equal(envelope_parse(&back, b.data, b.len, &e),
	    (long)b.len - 9);
	assert_same(&env, &back);
	buf_free(&b);
	envelope_reset(&env);
	envelope_reset(&back);
}

static void
a_full_house_fits_and_one_more_does_not(void **state)
{
	struct envelope env = ENVELOPE_INIT, back = ENVELOPE_INIT;
	struct buf b = BUF_INIT(ENVELOPE_MAX);
	struct err e = ERR_INIT;
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NONE };
	char arg[2048];

	(void)state;
	set_from(&env, "FROM:<a@b>");
	for (int i = 0; i < ENVELOPE_RCPT_MAX; i++) {
		snprintf(arg, sizeof arg,
		    "TO:<%064d@%s.%s.%s> NOTIFY=SUCCESS,FAILURE,DELAY "
		    "ORCPT=rfc822;%s",
		    i, X10 X10 X10 X10 X10 X10 "xxx",
		    X10 X10 X10 X10 X10 X10 "xxx", X100 X10 X10,
		    X100 X100 X100 X100 X10 X10 X10 X10 X10 X10 X10 X10 X10
		    "xxx");
		add_to(&env, arg);
	}
	assert_int_equal(envelope_add(&env, &r, &e), -1);
	assert_int_equal(e.class, ERR_PERM);
	assert_int_equal(envelope_pending(&env), ENVELOPE_RCPT_MAX);
	assert_int_equal(envelope_format(&env, NULL, &b, &e), 0);
	buf_puts(&b, "R");
	assert_int_equal(envelope_parse(&back, b.data, b.len, &e),
	    (long)b.len - 1);
	assert_same(&env, &back);

	b.len--;
	buf_puts(&b, "Bmx-To: P <one@more>\r\nR");
	assert_int_equal(envelope_parse(&back, b.data, b.len, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	buf_free(&b);
	envelope_reset(&env);
	envelope_reset(&back);
}

/* ---- reading ---- */

static void
what_was_written_is_read_back(void **state)
{
	struct envelope env = ENVELOPE_INIT, back = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	char text[sizeof full_text + 64];

	(void)state;
	make_full(&env);
	snprintf(text, sizeof text, "%sReceived: from x\r\n", full_text);
	assert_int_equal(envelope_parse(&back, text, strlen(text), &e),
	    (long)strlen(full_text));
	assert_same(&env, &back);
	assert_int_equal(envelope_pending(&back), 1);
	for (size_t i = 0; i < back.nrcpt; i++)
		assert_int_equal(text[back.rcpts[i].state_offset],
		    back.rcpts[i].state);
	envelope_reset(&env);
	envelope_reset(&back);
}

/* bmx-flush overwrites one byte; nothing else may move. */
static void
a_state_is_changed_in_place(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	char text[sizeof full_text + 1];

	(void)state;
	snprintf(text, sizeof text, "%sR", full_text);
	assert_true(envelope_parse(&env, text, strlen(text), &e) > 0);
	text[env.rcpts[0].state_offset] = RCPT_DELIVERED;
	assert_true(envelope_parse(&env, text, strlen(text), &e) > 0);
	assert_int_equal(env.rcpts[0].state, RCPT_DELIVERED);
	assert_int_equal(envelope_pending(&env), 0);
	envelope_reset(&env);
}

static void
cut_at_any_byte_more_is_wanted(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t n = 0; n < sizeof full_text; n++) {
		char *cut = exactly(full_text, n);

		assert_int_equal(envelope_parse(&env, cut, n, &e), 0);
		assert_int_equal(env.nrcpt, 0);
		assert_null(env.rcpts);
		free(cut);
	}
}

#define HEAD                                                                   \
	"Bmx-Envelope: 1\r\n"                                                  \
	"Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
#define FROM "Bmx-From: <a@b>\r\n"
#define TO "Bmx-To: P <c@d>\r\n"

static const struct row {
	const char *name;
	const char *text; /* then "Received:" */
	bool is_ok;
} rows[] = {
	{ "least", HEAD FROM TO, true },
	{ "another order",
	    "Bmx-Envelope: 1\r\n" FROM TO "Bmx-Client: port=1\r\n"
	    "Bmx-Arrival: 2026-11-24T03:11:14Z\r\n",
	    true },
	{ "unknown field", HEAD "Bmx-New: any (thing)\r\n" FROM TO, true },
	{ "unknown field last", HEAD FROM TO "Bmx-New:\r\n", true },
	{ "name that only begins so", HEAD FROM TO "Bmx-Tor: P\r\n", true },
	{ "unknown key of the client",
	    HEAD "Bmx-Client: addr=1.2.3.4 asn=64500\r\n" FROM TO, true },
	{ "client of nothing", HEAD "Bmx-Client:\r\n" FROM TO, true },

	{ "nothing", "", false },
	{ "some message", "Subject: x\r\n\r\n", false },
	{ "another version", "Bmx-Envelope: 2\r\n" FROM TO, false },
	{ "version 10", "Bmx-Envelope: 10\r\n" FROM TO, false },
	{ "not at the start", "X: y\r\n" HEAD FROM TO, false },
	{ "LF only", "Bmx-Envelope: 1\nBmx-From: <a@b>\n", false },
	{ "LF in the middle", HEAD "Bmx-From: <a@b>\n" TO, false },
	{ "LF after an unknown field", HEAD "Bmx-New: x\n" FROM TO, false },
	{ "CR in a value", HEAD FROM "Bmx-To: P <c@d>\r \r\n", false },
	{ "control in an unknown field", HEAD "Bmx-New: \033[2J\r\n" FROM TO,
	    false },
	{ "field name in another case", HEAD "bmx-from: <a@b>\r\n" TO, false },
	{ "no Arrival", "Bmx-Envelope: 1\r\n" FROM TO, false },
	{ "no From", HEAD, false },
	{ "no To", HEAD FROM, false },
	{ "To before From", HEAD TO FROM, false },
	{ "From twice", HEAD FROM FROM TO, false },
	{ "Arrival twice", HEAD "Bmx-Arrival: 2026-11-24T03:11:14Z\r\n" FROM TO,
	    false },
	{ "Client twice", HEAD "Bmx-Client:\r\nBmx-Client:\r\n" FROM TO,
	    false },
	{ "Arrival is no time",
	    "Bmx-Envelope: 1\r\nBmx-Arrival: now\r\n" FROM TO, false },
	{ "Arrival empty", "Bmx-Envelope: 1\r\nBmx-Arrival:\r\n" FROM TO,
	    false },
	{ "no such state", HEAD FROM "Bmx-To: Q <c@d>\r\n", false },
	{ "state missing", HEAD FROM "Bmx-To: <c@d>\r\n", false },
	{ "state in small", HEAD FROM "Bmx-To: p <c@d>\r\n", false },
	{ "state without blank", HEAD FROM "Bmx-To: P<c@d>\r\n", false },
	{ "To without blank", HEAD FROM "Bmx-To:P <c@d>\r\n", false },
	{ "From without blank", HEAD "Bmx-From:x<a@b>\r\n" TO, false },
	{ "To of a state", HEAD FROM "Bmx-To: P\r\n", false },
	{ "To empty", HEAD FROM "Bmx-To:\r\n", false },
	{ "To is no address", HEAD FROM "Bmx-To: P c@d\r\n", false },
	{ "To is null", HEAD FROM "Bmx-To: P <>\r\n", false },
	{ "To has an unknown parameter", HEAD FROM "Bmx-To: P <c@d> X=1\r\n",
	    false },
	{ "To has a bad NOTIFY", HEAD FROM "Bmx-To: P <c@d> NOTIFY=X\r\n",
	    false },
	{ "non-ASCII To without SMTPUTF8",
	    HEAD FROM "Bmx-To: P <\xc3\xa9@d>\r\n", false },
	{ "To is bad UTF-8",
	    HEAD "Bmx-From: <> SMTPUTF8\r\nBmx-To: P <\xe9@d>\r\n", false },
	{ "From is no address", HEAD "Bmx-From: a@b\r\n" TO, false },
	{ "From empty", HEAD "Bmx-From:\r\n" TO, false },
	{ "SIZE beyond 64 bits",
	    HEAD "Bmx-From: <> SIZE=99999999999999999999\r\n" TO, false },
	{ "port too big", HEAD "Bmx-Client: port=65536\r\n" FROM TO, false },
	{ "port negative", HEAD "Bmx-Client: port=-1\r\n" FROM TO, false },
	{ "port empty", HEAD "Bmx-Client: port=\r\n" FROM TO, false },
	{ "port of 30 digits",
	    HEAD "Bmx-Client: port=999999999999999999999999999999\r\n" FROM TO,
	    false },
	{ "client without equals", HEAD "Bmx-Client: addr\r\n" FROM TO, false },
	{ "two blanks in the client",
	    HEAD "Bmx-Client: port=1  port=2\r\n" FROM TO, false },
	{ "helo is no xtext", HEAD "Bmx-Client: helo=a+0\r\n" FROM TO, false },
	{ "helo hides a newline", HEAD "Bmx-Client: helo=a+0Ab\r\n" FROM TO,
	    false },
	{ "helo hides a NUL", HEAD "Bmx-Client: helo=a+00\r\n" FROM TO, false },
	{ "proto too long",
	    HEAD "Bmx-Client: proto=ABCDEFGHIJKLMNOP\r\n" FROM TO, false },
	{ "helo too long",
	    HEAD "Bmx-Client: helo=" X100 X100 X10 X10 X10 X10 X10
		 "xxxxxx\r\n" FROM TO,
	    false },
	{ "helo far too long",
	    HEAD "Bmx-Client: helo=" X100 X100 X100 X100 X100 X100 X100 X100
		X100 X100 "\r\n" FROM TO,
	    false },
	{ "To far too long",
	    HEAD FROM "Bmx-To: P <c@d> " X100 X100 X100 X100 X100 X100 X100 X100
		X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100 X100
		      "\r\n",
	    false },
};

static void
each_file_is_read_or_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct envelope env = ENVELOPE_INIT;
		struct err e = ERR_INIT;
		size_t len = strlen(rows[i].text);
		char *text = malloc(len + 9);
		long n;

		assert_non_null(text);
		memcpy(text, rows[i].text, len);
		memcpy(text + len, "Received:", 9);
		n = envelope_parse(&env, text, len + 9, &e);
		if (n != (rows[i].is_ok ? (long)len : -1))
			fail_msg("%s: %ld %s", rows[i].name, n, e.text);
		if (n == -1) {
			assert_int_equal(e.class, ERR_DATA);
			assert_null(env.rcpts);
		}
		envelope_reset(&env);
		free(text);
	}
}

/* Any byte of the file replaced by any other: read, refused, or more wanted;
 * what is read is written and read the same again. */
static void
one_wrong_byte_never_hurts(void **state)
{
	static const char bytes[] = { '\0', '\r', '\n', ' ', '<', '>', '=', '+',
		'"', '\\', '9', 'B', 'F', '\xff', '\xc3' };
	char text[sizeof full_text];

	(void)state;
	for (size_t at = 0; at < sizeof full_text - 1; at++) {
		for (size_t i = 0; i < COUNT(bytes); i++) {
			struct envelope env = ENVELOPE_INIT;
			struct envelope back = ENVELOPE_INIT;
			struct buf b = BUF_INIT(ENVELOPE_MAX);
			struct err e = ERR_INIT;
			long n;

			memcpy(text, full_text, sizeof text);
			text[sizeof text - 1] = 'R';
			text[at] = bytes[i];
			n = envelope_parse(&env, text, sizeof text, &e);
			assert_true(n >= -1 && n < (long)sizeof text);
			if (n > 0) {
				assert_int_equal(envelope_format(&env, NULL, &b,
						     &e),
				    0);
				buf_puts(&b, "R");
				assert_true(envelope_parse(&back, b.data, b.len,
						&e) > 0);
				assert_same(&env, &back);
			}
			buf_free(&b);
			envelope_reset(&env);
			envelope_reset(&back);
		}
	}
}

static void
an_endless_envelope_is_refused(void **state)
{
	const size_t len = ENVELOPE_MAX + 1;
	char *text = malloc(len);
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	size_t head;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', len);
	head = (size_t)sprintf(text, HEAD FROM TO "Bmx-New: ");
	text[head] = 'x';
	assert_int_equal(envelope_parse(&env, text, len - 1, &e), 0);
	assert_int_equal(envelope_parse(&env, text, len, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	free(text);
}

static void
an_envelope_is_used_again_after_reset(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	static const char text[] = HEAD FROM TO "R";

	(void)state;
	make_full(&env);
	envelope_reset(&env);
	assert_int_equal(env.nrcpt, 0);
	assert_string_equal(env.client.helo, "");
	assert_int_equal(envelope_pending(&env), 0);
	make_full(&env); /* parsing forgets what was there */
	assert_true(envelope_parse(&env, text, sizeof text - 1, &e) > 0);
	assert_int_equal(env.nrcpt, 1);
	assert_string_equal(env.client.helo, "");
	assert_int_equal(env.mail.body, SMTP_BODY_NONE);
	envelope_reset(&env);
	envelope_reset(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_field_is_written_as_the_manual_shows),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(only_the_kept_recipients_are_written),
		cmocka_unit_test(an_envelope_without_room_is_an_error),
		cmocka_unit_test(no_value_can_make_a_line_of_its_own),
		cmocka_unit_test(texts_of_full_length_come_back),
		cmocka_unit_test(a_full_house_fits_and_one_more_does_not),
		cmocka_unit_test(what_was_written_is_read_back),
		cmocka_unit_test(a_state_is_changed_in_place),
		cmocka_unit_test(cut_at_any_byte_more_is_wanted),
		cmocka_unit_test(each_file_is_read_or_refused),
		cmocka_unit_test(one_wrong_byte_never_hurts),
		cmocka_unit_test(an_endless_envelope_is_refused),
		cmocka_unit_test(an_envelope_is_used_again_after_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
