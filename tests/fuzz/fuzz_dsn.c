/*
 * lib/mail/dsn: five lines (MAIL, RCPT, a reply, the remote host, the action)
 * and the message. Whatever they say, the report has its three parts, one group
 * of fields, lines in wire form, and the header section as it was.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dsn.h"

#define BOUNDARY "=_b0123"
#define MARK "\r\n--" BOUNDARY

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of the input, cut to size. */
static void
take_line(char *out, size_t size, const char **s, const char *end)
{
	const char *lf = memchr(*s, '\n', (size_t)(end - *s));
	size_t len = (size_t)((lf == NULL ? end : lf) - *s);

	snprintf(out, size, "%.*s", (int)len, *s);
	*s = lf == NULL ? end : lf + 1;
}

static void
assert_wire_form(const struct buf *b, bool is_utf8)
{
	size_t column = 0;

	assert(strlen(b->data) == b->len);
	for (size_t i = 0; i < b->len; i++, column++) {
		unsigned char c = (unsigned char)b->data[i];

		if (c == '\r') {
			assert(b->data[++i] == '\n' && column <= 998);
			column = (size_t)-1;
			continue;
		}
		assert((c >= 0x20 || c == '\t') && c != 0x7f);
		assert(c < 0x80 || is_utf8);
	}
	assert(column == 0);
}

static size_t
count(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)) != NULL; text++)
		n++;
	return n;
}

/* Quoted-printable back to bytes; returns their number. */
static size_t
unquote(char *text, size_t len)
{
	char *out = text, hex[3] = "";

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '=') {
			*out++ = text[i];
			continue;
		}
		assert(i + 2 < len);
		memcpy(hex, text + i + 1, 2);
		if (strcmp(hex, "\r\n") != 0) {
			assert(strspn(hex, "0123456789ABCDEF") == 2);
			*out++ = (char)strtol(hex, NULL, 16);
		}
		i += 2;
	}
	return (size_t)(out - text);
}

/* The third part decodes to what the message begins with. */
static void
assert_header(const struct dsn *d, char *part)
{
	char *body = strstr(part, "\r\n\r\n"), *end = strstr(part, MARK "--");
	bool is_quoted;
	size_t len;

	assert(body != NULL && end != NULL);
	body[2] = '\0';
	is_quoted = strstr(part, "quoted-printable") != NULL;
	body += 4;
	len = (size_t)(end - body); /* no less: the CRLF before is the mark's */
	if (is_quoted) {
		len = unquote(body, len);
		if (len > d->message_len) /* a last CRLF was missing */
			len -= 2;
	}
	assert(len <= d->message_len && len <= DSN_HEADER_MAX + 2);
	if (len > 0 && memcmp(body, d->message, len) != 0) {
		len -= 2;
		assert(memcmp(body, d->message, len) == 0);
	}
	assert(memmem(body, len, "\r\n\r\n", 4) == NULL);
}

static void
assert_report(const struct dsn *d, struct buf *b, bool is_utf8)
{
	char *part = b->data;

	assert_wire_form(b, is_utf8);
	assert(count(b->data, MARK "\r\n") == 3);
	assert(count(b->data, MARK "--\r\n") == 1);
	assert(strcmp(b->data + b->len - strlen(MARK "--\r\n"),
		   MARK "--\r\n") == 0);
	for (int i = 0; i < 3; i++)
		part = strstr(part, MARK "\r\n") + 1;
	part[-1] = '\0'; /* the header of the third may say anything */
	assert(count(b->data, "\r\nFrom: ") == 1);
	assert(count(b->data, "\r\nFinal-Recipient: ") == 1);
	assert(count(b->data, "\r\nAction: ") == 1);
	assert(count(b->data, "\r\nStatus: ") == 1);
	assert(count(b->data, "\r\nAuto-Submitted: auto-replied\r\n") == 1);
	assert_header(d, part);
}

static void
try_report(struct dsn *d)
{
	struct envelope env = ENVELOPE_INIT;
	struct buf b = BUF_INIT(DSN_MAX);
	struct err e = ERR_INIT;
	bool is_null = d->env->mail.reverse_path.len == 0;

	if (dsn_envelope(d, &env, &e) == 0) {
		assert(!is_null && env.mail.reverse_path.len == 0);
		assert(env.nrcpt == 1);
		assert(strcmp(env.rcpts[0].addr.text,
			   d->env->mail.reverse_path.text) == 0);
		assert(!env.mail.smtputf8 || d->env->mail.smtputf8);
		assert(!dsn_is_wanted(&env, env.rcpts, DSN_FAILED, 0));
		assert(dsn_format(d, &b, &e) == 0);
		assert_report(d, &b, env.mail.smtputf8);
	} else {
		assert(e.class == ERR_DATA);
		assert(is_null || memmem(d->message, d->message_len, BOUNDARY,
				      strlen(BOUNDARY)) != NULL);
		assert(dsn_format(d, &b, &e) == -1 && b.len == 0);
	}
	envelope_reset(&env);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct smtp_reply empty = SMTP_REPLY_INIT;
	const char *s = (const char *)data, *end = s + size;
	char line[SMTP_COMMAND_MAX], remote[SMTP_COMMAND_MAX];
	struct envelope env = ENVELOPE_INIT;
	struct smtp_reply reply = empty;
	struct err e = ERR_INIT;
	struct smtp_rcpt to;
	struct dsn_rcpt rcpt = { .reply = &reply, .remote_mta = remote };
	struct dsn d = { .env = &env,
		.rcpts = &rcpt,
		.nrcpt = 1,
		.hostname = "mx2.example.net",
		.id = "0123",
		.boundary = BOUNDARY,
		.date_us = 1795489874000000 };

	take_line(line, sizeof line, &s, end);
	if (smtp_parse_mail(line, strlen(line), ~0u, &env.mail) != NULL)
		return 0;
	take_line(line, sizeof line, &s, end);
	if (smtp_parse_rcpt(line, strlen(line), ~0u, env.mail.smtputf8, &to) !=
	    NULL)
		return 0;
	assert(envelope_add(&env, &to, &e) == 0);
	rcpt.rcpt = env.rcpts;
	take_line(line, sizeof line, &s, end);
	if (smtp_reply_line(&reply, line, strlen(line), &e) == -1)
		snprintf(reply.text, sizeof reply.text, "%s", line); /* raw */
	take_line(remote, sizeof remote, &s, end);
	if (remote[0] == '\0')
		rcpt.remote_mta = NULL;
	take_line(line, sizeof line, &s, end);
	rcpt.action = (enum dsn_action)((unsigned char)line[0] % 4);
	rcpt.retry_until_us = rcpt.last_attempt_us = d.date_us;
	d.message = s;
	d.message_len = (size_t)(end - s);
	try_report(&d);
	envelope_reset(&env);
	return 0;
}
