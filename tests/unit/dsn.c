/*
 * lib/mail/dsn: who is told (D37, D39), and the report as a reader takes it
 * apart again (D38).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mail/dsn.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define BOUNDARY "=_0123.mx2"
#define ARRIVAL_US 1795489874000000 /* 2026-11-24T03:11:14Z */
#define MINUTE_US (60 * (int64_t)1000000)

/* ---- what goes in ---- */

/* A message with recipients; all that a test may change before format(). */
struct story {
	struct envelope env;
	struct smtp_reply reply;
	struct dsn_rcpt rcpts[4];
	struct dsn dsn;
	struct buf out;
};

static void
set_mail(struct envelope *env, const char *from)
{
	assert_null(smtp_parse_mail(from, strlen(from), ~0u, &env->mail));
}

static void
add_rcpt(struct story *s, const char *to, enum dsn_action action)
{
	struct err e = ERR_INIT;
	struct smtp_rcpt r;
	size_t n = s->dsn.nrcpt++;

	assert_null(smtp_parse_rcpt(to, strlen(to), ~0u, true, &r));
	assert_int_equal(envelope_add(&s->env, &r, &e), 0);
	s->rcpts[n] = (struct dsn_rcpt){ .action = action,
		.reply = &s->reply,
		.remote_mta = "mx.example.com",
		.last_attempt_us = ARRIVAL_US + MINUTE_US };
	for (size_t i = 0; i <= n; i++) /* envelope_add() may have moved them */
		s->rcpts[i].rcpt = &s->env.rcpts[i];
}

static void
set_reply(struct story *s, const char *line)
{
	struct err e = ERR_INIT;

	s->reply = (struct smtp_reply)SMTP_REPLY_INIT;
	assert_int_equal(smtp_reply_line(&s->reply, line, strlen(line), &e), 1);
}

static void
set_message(struct story *s, const char *text)
{
	s->dsn.message = text;
	s->dsn.message_len = strlen(text);
}

static int
setup(void **state)
{
	static const struct story empty = { .env = ENVELOPE_INIT,
		.out = BUF_INIT(DSN_MAX) };
	struct story *s = malloc(sizeof *s);

	if (s == NULL)
		return -1;
	setenv("TZ", "UTC0", 1);
	tzset();
	*s = empty;
	s->env.arrival_us = ARRIVAL_US;
	s->dsn.env = &s->env;
	s->dsn.rcpts = s->rcpts;
	s->dsn.hostname = "mx2.example.net";
	s->dsn.id = "0123";
	s->dsn.boundary = BOUNDARY;
	s->dsn.date_us = ARRIVAL_US + 2 * MINUTE_US;
	set_mail(&s->env, "FROM:<alice@example.org>");
	set_reply(s, "550 5.1.1 No such user");
	set_message(s, "Subject: hello\r\nFrom: alice\r\n\r\nThe body\r\n");
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct story *s = *state;

	envelope_reset(&s->env);
	buf_free(&s->out);
	free(s);
	return 0;
}

/* ---- what comes out, taken apart ---- */

#define PARTS 3

/* Pointers into the message; fields and text end in CRLF and then a NUL. */
struct part {
	char *fields, *body;
};

struct report {
	char *text; /* the whole, to be freed */
	struct part head;
	struct part part[PARTS];
};

static void
assert_wire_form(const struct buf *b, bool is_ascii)
{
	size_t column = 0;

	assert_int_equal(strlen(b->data), b->len);
	for (size_t i = 0; i < b->len; i++) {
		unsigned char c = (unsigned char)b->data[i];

		if (c == '\r') {
			assert_int_equal(b->data[i + 1], '\n');
			assert_true(column <= 998);
			column = 0;
			i++;
			continue;
		}
		assert_true(c >= 0x20 || c == '\t'); /* no bare LF either */
		assert_true(c != 0x7f && (!is_ascii || c < 0x80));
		column++;
	}
	assert_int_equal(column, 0);
}

/* Cut at the first empty line. */
static void
split(struct part *p, char *text)
{
	char *empty;

	p->fields = text;
	empty = strstr(text, "\r\n\r\n");
	assert_non_null(empty);
	empty[2] = '\0';
	p->body = empty + 4;
}

/* The text up to the next line that is delimiter; text moves past it. */
static char *
cut(char **text, const char *delimiter)
{
	char *start = *text, *at = start;
	size_t len = strlen(delimiter);

	for (;;) {
		at = strstr(at, delimiter);
		assert_non_null(at);
		if (at >= start + 2 && at[-1] == '\n' &&
		    strncmp(at + len, "\r\n", 2) == 0)
			break;
		at++;
	}
	at[-2] = '\0'; /* this CRLF is the delimiter's, RFC 2046 5.1.1 */
	*text = at + len + 2;
	return start;
}

static void
format(struct story *s, struct report *r, bool is_ascii)
{
	struct err e = ERR_INIT;
	char *rest;

	buf_reset(&s->out);
	assert_int_equal(dsn_format(&s->dsn, &s->out, &e), 0);
	assert_wire_form(&s->out, is_ascii);
	r->text = strdup(s->out.data);
	assert_non_null(r->text);
	split(&r->head, r->text);
	rest = r->head.body - 2; /* a CRLF before the first delimiter */
	memcpy(rest, "\r\n", 2);
	cut(&rest, "--" BOUNDARY);
	split(&r->part[0], cut(&rest, "--" BOUNDARY));
	split(&r->part[1], cut(&rest, "--" BOUNDARY));
	split(&r->part[2], cut(&rest, "--" BOUNDARY "--"));
	assert_string_equal(rest, "");
}

static void
assert_has(const char *text, const char *line)
{
	if (strstr(text, line) == NULL)
		fail_msg("no \"%s\" in:\n%s", line, text);
}

static void
assert_lacks(const char *text, const char *line)
{
	if (strstr(text, line) != NULL)
		fail_msg("\"%s\" in:\n%s", line, text);
}

/* ---- who is told ---- */

static void
D37_D39_who_is_told_of_what(void **state)
{
	enum { FAILED = 1, DELAYED = 2, RELAYED = 4, DELIVERED = 8 };
	static const struct {
		const char *from, *to;
		unsigned next_exts;
		unsigned wanted; /* a bit for each action */
	} rows[] = {
		/* D37: the null reverse-path */
		{ "FROM:<>", "TO:<b@c>", 0, 0 },
		{ "FROM:<>", "TO:<b@c> NOTIFY=FAILURE", 0, 0 },
		{ "FROM:<>", "TO:<b@c> NOTIFY=SUCCESS,FAILURE,DELAY", 0, 0 },
		/* without NOTIFY: FAILURE,DELAY */
		{ "FROM:<a@b>", "TO:<b@c>", 0, FAILED | DELAYED },
		{ "FROM:<a@b> RET=FULL", "TO:<b@c>", SMTP_EXT_DSN,
		    FAILED | DELAYED },
		/* D39 */
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=NEVER", 0, 0 },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=FAILURE", 0, FAILED },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=DELAY", 0, DELAYED },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=SUCCESS", 0,
		    RELAYED | DELIVERED },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=SUCCESS", SMTP_EXT_DSN,
		    DELIVERED },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=SUCCESS", SMTP_EXT_SIZE,
		    RELAYED | DELIVERED },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=FAILURE,DELAY", SMTP_EXT_DSN,
		    FAILED | DELAYED },
		{ "FROM:<a@b>", "TO:<b@c> NOTIFY=SUCCESS,FAILURE,DELAY", 0,
		    FAILED | DELAYED | RELAYED | DELIVERED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct envelope env = ENVELOPE_INIT;
		struct err e = ERR_INIT;
		struct smtp_rcpt r;
		unsigned wanted = 0;

		set_mail(&env, rows[i].from);
		assert_null(smtp_parse_rcpt(rows[i].to, strlen(rows[i].to), ~0u,
		    false, &r));
		assert_int_equal(envelope_add(&env, &r, &e), 0);
		for (unsigned a = DSN_FAILED; a <= DSN_DELIVERED; a++)
			if (dsn_is_wanted(&env, &env.rcpts[0],
				(enum dsn_action)a, rows[i].next_exts))
				wanted |= 1u << a;
		if (wanted != rows[i].wanted)
			fail_msg("%s %s: %x", rows[i].from, rows[i].to, wanted);
		envelope_reset(&env);
	}
}

static void
D37_the_null_reverse_path_gets_no_report(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct story *s = *state;
	struct err e = ERR_INIT;

	set_mail(&s->env, "FROM:<>");
	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	assert_int_equal(dsn_format(&s->dsn, &s->out, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	assert_int_equal(s->out.len, 0);
	assert_int_equal(dsn_envelope(&s->dsn, &env, &e), -1);
	assert_int_equal(env.nrcpt, 0);
}

static void
D37_the_report_goes_from_nobody_to_the_reverse_path(void **state)
{
	static const char from[] =
	    "FROM:<@relay.example:\"A l\"@example.org> REQUIRETLS RET=FULL";
	struct envelope env = ENVELOPE_INIT;
	struct story *s = *state;
	struct err e = ERR_INIT;
	struct report r;

	set_mail(&s->env, from);
	add_rcpt(s, "TO:<bob@example.com> NOTIFY=FAILURE", DSN_FAILED);
	assert_int_equal(dsn_envelope(&s->dsn, &env, &e), 0);
	assert_string_equal(env.mail.reverse_path.text, "");
	assert_int_equal(env.nrcpt, 1);
	assert_string_equal(env.rcpts[0].addr.text, "\"A l\"@example.org");
	assert_int_equal(env.rcpts[0].state, RCPT_PENDING);
	assert_true(env.mail.requiretls);
	assert_int_equal(env.mail.ret, SMTP_RET_NONE);
	assert_false(env.mail.smtputf8);
	assert_int_equal(env.arrival_us, s->dsn.date_us);
	/* and a failed report makes no report */
	assert_false(dsn_is_wanted(&env, &env.rcpts[0], DSN_FAILED, 0));
	envelope_reset(&env);
	format(s, &r, true);
	assert_has(r.head.fields, "To: <\"A l\"@example.org>\r\n");
	free(r.text);
}

/* ---- the report ---- */

static void
D38_a_failure_is_a_multipart_report(void **state)
{
	struct story *s = *state;
	struct report r;

	set_mail(&s->env, "FROM:<alice@example.org> ENVID=QQ314159");
	add_rcpt(s, "TO:<bob@example.com> ORCPT=rfc822;Bob+2Bx@example.com",
	    DSN_FAILED);
	format(s, &r, true);
	assert_string_equal(r.head.fields,
	    "Date: Tue, 24 Nov 2026 03:13:14 +0000\r\n"
	    "From: Mail Delivery System <MAILER-DAEMON@mx2.example.net>\r\n"
	    "To: <alice@example.org>\r\n"
	    "Subject: Your message could not be delivered\r\n"
	    "Message-ID: <0123@mx2.example.net>\r\n"
	    "Auto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/report;\r\n"
	    "\treport-type=delivery-status;\r\n"
	    "\tboundary=\"" BOUNDARY "\"\r\n");
	assert_has(r.part[0].fields,
	    "Content-Type: text/plain; charset=us-ascii\r\n");
	assert_has(r.part[0].body,
	    "    <bob@example.com>\r\n"
	    "\tmx.example.com said: 550 5.1.1 No such user\r\n");
	assert_has(r.part[0].body, "postmaster@mx2.example.net");
	assert_has(r.part[1].fields,
	    "Content-Type: message/delivery-status\r\n");
	assert_string_equal(r.part[1].body,
	    "Original-Envelope-Id: QQ314159\r\n"
	    "Reporting-MTA: dns; mx2.example.net\r\n"
	    "Arrival-Date: Tue, 24 Nov 2026 03:11:14 +0000\r\n"
	    "\r\n"
	    "Original-Recipient: rfc822; Bob+x@example.com\r\n"
	    "Final-Recipient: rfc822; bob@example.com\r\n"
	    "Action: failed\r\n"
	    "Status: 5.1.1\r\n"
	    "Remote-MTA: dns; mx.example.com\r\n"
	    "Diagnostic-Code: smtp; 550 5.1.1 No such user\r\n"
	    "Last-Attempt-Date: Tue, 24 Nov 2026 03:12:14 +0000\r\n");
	assert_has(r.part[2].fields, "Content-Type: text/rfc822-headers\r\n");
	assert_string_equal(r.part[2].body,
	    "Subject: hello\r\nFrom: alice\r\n");
	free(r.text);
}

static void
D38_each_recipient_has_a_group_and_the_gravest_the_subject(void **state)
{
	struct story *s = *state;
	struct report r;

	add_rcpt(s, "TO:<a@example.com>", DSN_RELAYED);
	add_rcpt(s, "TO:<b@example.com>", DSN_DELAYED);
	add_rcpt(s, "TO:<c@example.com>", DSN_FAILED);
	add_rcpt(s, "TO:<d@example.com>", DSN_DELIVERED);
	s->rcpts[0].reply = s->rcpts[1].reply = s->rcpts[3].reply = NULL;
	s->rcpts[1].retry_until_us = ARRIVAL_US + 60 * 24 * MINUTE_US;
	format(s, &r, true);
	assert_has(r.head.fields, "Subject: Your message could not be");
	assert_has(r.part[1].body,
	    "\r\n\r\nFinal-Recipient: rfc822; a@example.com\r\n"
	    "Action: relayed\r\nStatus: 2.0.0\r\n");
	assert_has(r.part[1].body,
	    "\r\n\r\nFinal-Recipient: rfc822; b@example.com\r\n"
	    "Action: delayed\r\nStatus: 4.0.0\r\n");
	assert_has(r.part[1].body,
	    "Will-Retry-Until: Wed, 25 Nov 2026 03:11:14 +0000\r\n");
	assert_has(r.part[1].body,
	    "\r\n\r\nFinal-Recipient: rfc822; c@example.com\r\n"
	    "Action: failed\r\nStatus: 5.1.1\r\n");
	assert_has(r.part[1].body,
	    "\r\n\r\nFinal-Recipient: rfc822; d@example.com\r\n"
	    "Action: delivered\r\nStatus: 2.0.0\r\n");
	assert_has(r.part[0].body,
	    "\twill be tried until Wed, 25 Nov 2026 03:11:14 +0000\r\n");
	free(r.text);
}

static void
D38_the_status_is_the_replys_where_its_class_fits(void **state)
{
	static const struct {
		enum dsn_action action;
		const char *reply;
		const char *status;
	} rows[] = {
		{ DSN_FAILED, "550 5.7.1 No", "Status: 5.7.1\r\n" },
		{ DSN_FAILED, "550 No", "Status: 5.0.0\r\n" },
		{ DSN_FAILED, "450 4.2.0 Later", "Status: 4.2.0\r\n" },
		{ DSN_FAILED, "450 Later", "Status: 4.0.0\r\n" },
		{ DSN_FAILED, "250 2.1.5 OK", "Status: 5.0.0\r\n" },
		{ DSN_DELAYED, "451 4.3.0 Later", "Status: 4.3.0\r\n" },
		{ DSN_DELAYED, "550 5.1.1 No", "Status: 4.0.0\r\n" },
		{ DSN_RELAYED, "250 2.1.5 OK", "Status: 2.1.5\r\n" },
		{ DSN_RELAYED, "250 OK", "Status: 2.0.0\r\n" },
		{ DSN_DELIVERED, "354 Go on", "Status: 2.0.0\r\n" },
	};
	struct story *s = *state;

	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r;

		s->rcpts[0].action = rows[i].action;
		set_reply(s, rows[i].reply);
		format(s, &r, true);
		assert_has(r.part[1].body, rows[i].status);
		free(r.text);
	}
}

static void
our_own_reason_is_not_shown_as_a_servers(void **state)
{
	static const struct smtp_reply expired = { 0, "4.4.7",
		"In the queue for 30 days", 0 };
	struct story *s = *state;
	struct report r;

	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	s->rcpts[0].reply = &expired;
	s->rcpts[0].remote_mta = NULL;
	s->rcpts[0].last_attempt_us = 0;
	format(s, &r, true);
	assert_has(r.part[1].body,
	    "Status: 4.4.7\r\n"
	    "Diagnostic-Code: X-bmx; 4.4.7 In the queue for 30 days\r\n");
	assert_lacks(r.part[1].body, "Remote-MTA");
	assert_lacks(r.part[1].body, "Last-Attempt-Date");
	assert_has(r.part[0].body, "\t4.4.7 In the queue for 30 days\r\n");
	free(r.text);
}

static void
what_xtext_hides_stays_hidden(void **state)
{
	static const struct {
		const char *to, *field;
	} rows[] = {
		{ "TO:<b@c.example> ORCPT=rfc822;a+20b@c",
		    "Original-Recipient: rfc822; a b@c\r\n" },
		{ "TO:<b@c.example> ORCPT=rfc822;+20a@c", /* would be lost */
		    "Original-Recipient: rfc822; +20a@c\r\n" },
		{ "TO:<b@c.example> ORCPT=rfc822;+E9@c", /* not ASCII */
		    "Original-Recipient: rfc822; +E9@c\r\n" },
		{ "TO:<b@c.example> ORCPT=X400;c+3Dde",
		    "Original-Recipient: X400; c=de\r\n" },
		{ "TO:<b@c.example> ORCPT=utf-8;\\x{E9}@c",
		    "Original-Recipient: utf-8; \\x{E9}@c\r\n" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct story *s;
		struct report r;

		assert_int_equal(teardown(state), 0);
		assert_int_equal(setup(state), 0);
		s = *state;
		add_rcpt(s, rows[i].to, DSN_FAILED);
		format(s, &r, true);
		assert_has(r.part[1].body, rows[i].field);
		free(r.text);
	}
}

/* ---- SMTPUTF8, RFC 6533 ---- */

static void
D38_utf8_addresses_make_a_global_report(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct story *s = *state;
	struct err e = ERR_INIT;
	struct report r;

	set_mail(&s->env, "FROM:<\xc3\xa9ve@example.org> SMTPUTF8");
	add_rcpt(s,
	    "TO:<b\xc3\xb6@example.com> ORCPT=utf-8;b\xc3\xb6@example.com",
	    DSN_FAILED);
	set_message(s, "Subject: \xc3\xbc\r\n\r\n");
	format(s, &r, false);
	assert_has(r.head.fields, "To: <\xc3\xa9ve@example.org>\r\n");
	assert_has(r.head.fields, "Content-Transfer-Encoding: 8bit\r\n");
	assert_has(r.part[0].fields, "text/plain; charset=utf-8\r\n");
	assert_has(r.part[1].fields, "message/global-delivery-status\r\n");
	assert_has(r.part[1].body,
	    "Original-Recipient: utf-8; b\xc3\xb6@example.com\r\n"
	    "Final-Recipient: utf-8; b\xc3\xb6@example.com\r\n");
	assert_has(r.part[2].fields, "Content-Type: message/global-headers\r\n"
				     "Content-Transfer-Encoding: 8bit\r\n");
	assert_string_equal(r.part[2].body, "Subject: \xc3\xbc\r\n");
	free(r.text);
	assert_int_equal(dsn_envelope(&s->dsn, &env, &e), 0);
	assert_true(env.mail.smtputf8);
	assert_int_equal(env.mail.body, SMTP_BODY_8BITMIME);
	envelope_reset(&env);
}

static void
one_utf8_recipient_is_enough(void **state)
{
	struct story *s = *state;
	struct report r;

	set_mail(&s->env, "FROM:<alice@example.org> SMTPUTF8");
	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	add_rcpt(s, "TO:<c\xc3\xa9@example.com>", DSN_FAILED);
	format(s, &r, false);
	assert_has(r.part[1].body, "Final-Recipient: rfc822; bob@");
	assert_has(r.part[1].body,
	    "Final-Recipient: utf-8; c\xc3\xa9@example.com\r\n");
	free(r.text);
}

static void
an_ascii_message_sent_with_SMTPUTF8_has_an_ascii_report(void **state)
{
	struct story *s = *state;
	struct report r;

	set_mail(&s->env, "FROM:<alice@example.org> SMTPUTF8");
	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	format(s, &r, true);
	assert_has(r.part[1].fields, "message/delivery-status\r\n");
	free(r.text);
}

static void
bytes_that_are_no_utf8_are_quoted(void **state)
{
	struct story *s = *state;
	struct report r;

	set_mail(&s->env, "FROM:<\xc3\xa9@example.org> SMTPUTF8");
	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	set_message(s, "Subject: \xe9\r\n\r\n");
	format(s, &r, false);
	assert_has(r.part[2].fields,
	    "Content-Transfer-Encoding: quoted-printable\r\n");
	assert_string_equal(r.part[2].body, "Subject: =E9\r\n");
	free(r.text);
}

/* ---- hostile ---- */

static void
a_hostile_reply_stays_in_its_field(void **state)
{
	struct smtp_reply *reply;
	struct story *s = *state;
	struct report r;

	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	reply = &s->reply;
	/* as no parser of ours would fill it */
	snprintf(reply->text, sizeof reply->text,
	    "No\r\n\r\n--" BOUNDARY "--\r\n\r\nAction: delivered\r\n"
	    "\x1b[2J\xff =?utf-8?q?x?=");
	s->rcpts[0].remote_mta = "mx\r\nAction: delivered\r\n\r\n";
	format(s, &r, true);
	assert_lacks(r.part[1].body, "\r\nAction: delivered");
	assert_has(r.part[1].body, "Remote-MTA: dns; mx??Action:?delivered");
	assert_has(r.part[1].body, " ?[2J?\r\n\t=?utf-8?q?x?=\r\n");
	free(r.text);
}

static void
a_long_reply_is_folded(void **state)
{
	char line[SMTP_REPLY_LINE_MAX];
	struct story *s = *state;
	struct report r;
	size_t longest = 0;

	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	snprintf(line, sizeof line, "550 5.1.1 %0400d", 0);
	for (size_t i = 20; i < strlen(line); i += 9)
		line[i] = ' ';
	set_reply(s, line);
	format(s, &r, true);
	for (char *p = r.part[1].body; *p != '\0'; p++) {
		size_t len = strcspn(p, "\r");

		longest = len > longest ? len : longest;
		p += len + 1;
	}
	assert_true(longest <= 78);
	assert_has(r.part[1].body, "\r\n\t00000000 ");
	free(r.text);
	memset(line + 10, 'w', 700); /* one word: longer than a line, cut */
	line[710] = '\0';
	set_reply(s, line);
	format(s, &r, true);
	assert_has(r.part[1].body, "wwww...\r\n");
	free(r.text);
}

static void
the_header_is_returned_as_it_is_or_quoted(void **state)
{
	static const struct {
		const char *message, *expected;
		bool is_quoted;
	} rows[] = {
		{ "", "", false },
		{ "\r\nbody\r\n", "", false },
		{ "A: b\r\n\r\nbody", "A: b\r\n", false },
		{ "A: b\r\n\tc\r\n", "A: b\r\n\tc\r\n", false },
		{ "--"
		  "x\r\n\r\n",
		    "--x\r\n", false },
		{ "A: b", "A: b\r\n", true },
		{ "A: \xe9\r\n\r\n", "A: =E9\r\n", true },
		{ "A: b\nB: c\r\n\r\n", "A: b=0AB: c\r\n", true },
		{ "A: b\rB: c\r\n\r\n", "A: b=0DB: c\r\n", true },
		{ "A: \x1b= \r\nB: c\r\n\r\n", "A: =1B=3D=20\r\nB: c\r\n",
		    true },
		{ "A: \x7f\t\r\n\r\n", "A: =7F=09\r\n", true },
	};
	struct story *s = *state;

	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct report r;

		set_message(s, rows[i].message);
		format(s, &r, true);
		assert_string_equal(r.part[2].body, rows[i].expected);
		assert_int_equal(strstr(r.part[2].fields, "quoted") != NULL,
		    rows[i].is_quoted);
		free(r.text);
	}
}

static void
a_header_without_end_is_cut(void **state)
{
	static char big[DSN_HEADER_MAX + 4096];
	struct story *s = *state;
	struct report r;

	for (size_t i = 0; i + 64 <= sizeof big; i += 64)
		snprintf(big + i, 64, "X-%06zu: %052d\r", i, 0);
	for (size_t i = 63; i < sizeof big; i += 64)
		big[i] = '\n';
	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	s->dsn.message = big;
	s->dsn.message_len = sizeof big;
	format(s, &r, true);
	assert_int_equal(strlen(r.part[2].body), DSN_HEADER_MAX);
	assert_memory_equal(r.part[2].body, big, DSN_HEADER_MAX);
	free(r.text);
	memset(big, 'x', sizeof big); /* one line */
	format(s, &r, true);
	assert_has(r.part[2].fields, "quoted-printable");
	assert_true(strlen(r.part[2].body) < 2 * DSN_HEADER_MAX);
	free(r.text);
}

static void
a_boundary_that_the_message_has_is_refused(void **state)
{
	struct story *s = *state;
	struct err e = ERR_INIT;
	struct report r;

	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	set_message(s, "A: b\r\n--" BOUNDARY "--\r\n\r\n");
	assert_int_equal(dsn_format(&s->dsn, &s->out, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	set_message(s, "A: b\r\n\r\n--" BOUNDARY "--\r\n"); /* in the body */
	format(s, &r, true);
	free(r.text);
}

static void
a_full_buffer_and_no_recipient_are_refused(void **state)
{
	struct story *s = *state;
	struct buf small = BUF_INIT(500);
	struct err e = ERR_INIT;

	assert_int_equal(dsn_format(&s->dsn, &s->out, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	add_rcpt(s, "TO:<bob@example.com>", DSN_FAILED);
	assert_int_equal(dsn_format(&s->dsn, &small, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_free(&small);
}

/* The most of everything still fits in DSN_MAX. */
static void
a_thousand_recipients_fit(void **state)
{
	struct dsn_rcpt *all = calloc(ENVELOPE_RCPT_MAX, sizeof *all);
	struct envelope_rcpt rcpt = { .notify = SMTP_NOTIFY_FAILURE };
	char orcpt[SMTP_ORCPT_MAX + 1], host[ADDR_DOMAIN_MAX + 1];
	struct story *s = *state;
	struct report r;

	assert_non_null(all);
	memset(&rcpt.addr.text, 'a', ADDR_MAX);
	rcpt.addr.len = ADDR_MAX;
	memset(orcpt, 'o', sizeof orcpt);
	memcpy(orcpt, "rfc822;", 7);
	orcpt[SMTP_ORCPT_MAX] = '\0';
	memset(host, 'h', ADDR_DOMAIN_MAX);
	host[ADDR_DOMAIN_MAX] = '\0';
	rcpt.orcpt = orcpt;
	memset(s->reply.text, 't', SMTP_REPLY_TEXT_MAX - 1);
	for (size_t i = 0; i < ENVELOPE_RCPT_MAX; i++)
		all[i] = (struct dsn_rcpt){ .rcpt = &rcpt,
			.action = DSN_DELAYED,
			.reply = &s->reply,
			.remote_mta = host,
			.last_attempt_us = ARRIVAL_US,
			.retry_until_us = ARRIVAL_US };
	s->dsn.rcpts = all;
	s->dsn.nrcpt = ENVELOPE_RCPT_MAX;
	format(s, &r, true);
	assert_true(s->out.len > DSN_MAX / 2);
	free(r.text);
	free(all);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(D37_D39_who_is_told_of_what),
		TEST(D37_the_null_reverse_path_gets_no_report),
		TEST(D37_the_report_goes_from_nobody_to_the_reverse_path),
		TEST(D38_a_failure_is_a_multipart_report),
		TEST(
		    D38_each_recipient_has_a_group_and_the_gravest_the_subject),
		TEST(D38_the_status_is_the_replys_where_its_class_fits),
		TEST(our_own_reason_is_not_shown_as_a_servers),
		TEST(what_xtext_hides_stays_hidden),
		TEST(D38_utf8_addresses_make_a_global_report),
		TEST(one_utf8_recipient_is_enough),
		TEST(an_ascii_message_sent_with_SMTPUTF8_has_an_ascii_report),
		TEST(bytes_that_are_no_utf8_are_quoted),
		TEST(a_hostile_reply_stays_in_its_field),
		TEST(a_long_reply_is_folded),
		TEST(the_header_is_returned_as_it_is_or_quoted),
		TEST(a_header_without_end_is_cut),
		TEST(a_boundary_that_the_message_has_is_refused),
		TEST(a_full_buffer_and_no_recipient_are_refused),
		TEST(a_thousand_recipients_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
