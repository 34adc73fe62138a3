/*
 * lib/mail/smtp, commands: the first byte says what the rest is. What is accepted is
 * bounded and clean, and MAIL and RCPT read the same again after the way
 * through an envelope.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/envelope.h"
#include "mail/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_reply_text(const char *reply)
{
	assert(strlen(reply) > 10 && reply[0] == '5' && reply[4] == '5');
	assert(strpbrk(reply, "\r\n") == NULL);
}

static void
assert_no_control(const char *s)
{
	for (; *s != '\0'; s++)
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void
assert_through_envelope(const struct smtp_mail *m, const struct smtp_rcpt *r)
{
	struct envelope env = ENVELOPE_INIT, back = ENVELOPE_INIT;
	struct buf b = BUF_INIT(ENVELOPE_MAX);
	struct err e = ERR_INIT;

	env.mail = *m;
	assert(envelope_add(&env, r, &e) == 0);
	assert(envelope_format(&env, NULL, &b, &e) == 0);
	buf_puts(&b, "Received:");
	assert(envelope_parse(&back, b.data, b.len, &e) == (long)b.len - 9);
	assert(strcmp(m->reverse_path.text, back.mail.reverse_path.text) == 0);
	assert(m->has_size == back.mail.has_size && m->size == back.mail.size);
	assert(m->body == back.mail.body && m->ret == back.mail.ret);
	assert(m->smtputf8 == back.mail.smtputf8);
	assert(m->requiretls == back.mail.requiretls);
	assert(strcmp(m->envid, back.mail.envid) == 0);
	assert(strcmp(r->forward_path.text, back.rcpts[0].addr.text) == 0);
	assert(r->notify == back.rcpts[0].notify);
	if (back.rcpts[0].orcpt == NULL)
		assert(r->orcpt[0] == '\0');
	else
		assert(strcmp(r->orcpt, back.rcpts[0].orcpt) == 0);
	envelope_reset(&env);
	envelope_reset(&back);
	buf_free(&b);
}

static void
try_mail(const char *s, size_t len)
{
	static const char to[] = "TO:<x@y>";
	struct smtp_mail m, fewer;
	struct smtp_rcpt r;
	const char *reply = smtp_parse_mail(s, len, ~0u, &m);

	if (reply != NULL) {
		assert_reply_text(reply);
		assert(smtp_parse_mail(s, len, 0, &fewer) != NULL);
		return;
	}
	assert_no_control(m.envid);
	assert(strlen(m.envid) <= SMTP_ENVID_MAX);
	assert(smtp_is_xtext(m.envid, strlen(m.envid)));
	assert(m.smtputf8 || !m.reverse_path.is_utf8);
	assert(smtp_parse_rcpt(to, sizeof to - 1, ~0u, false, &r) == NULL);
	assert_through_envelope(&m, &r);
}

static void
try_rcpt(const char *s, size_t len, bool smtputf8)
{
	static const char from[] = "FROM:<x@y>";
	struct smtp_mail m;
	struct smtp_rcpt r;
	const char *reply = smtp_parse_rcpt(s, len, ~0u, smtputf8, &r);

	if (reply != NULL) {
		assert_reply_text(reply);
		return;
	}
	assert_no_control(r.orcpt);
	assert(strlen(r.orcpt) <= SMTP_ORCPT_MAX);
	assert(r.orcpt[0] == '\0' || strchr(r.orcpt, ';') != NULL);
	assert((r.notify & SMTP_NOTIFY_NEVER) == 0 ||
	       r.notify == SMTP_NOTIFY_NEVER);
	assert(r.forward_path.len > 0);
	assert(smtputf8 || !r.forward_path.is_utf8);
	assert(smtp_parse_mail(from, sizeof from - 1, ~0u, &m) == NULL);
	m.smtputf8 = smtputf8;
	assert_through_envelope(&m, &r);
}

static void
try_split(const char *s, size_t len)
{
	struct smtp_command c;

	smtp_split(s, len, &c);
	assert(strlen(c.verb) < sizeof c.verb);
	for (const char *p = c.verb; *p != '\0'; p++)
		assert(*p >= 'A' && *p <= 'Z');
	assert(c.arg >= s && c.arg + c.arg_len <= s + len);
	if (c.arg_len > 0) {
		assert(c.arg[0] != ' ' && c.arg[0] != '\t');
		assert(c.arg[c.arg_len - 1] != ' ');
		assert(c.arg[c.arg_len - 1] != '\t');
	}
}

static void
try_xtext(const char *s, size_t len)
{
	char *text = malloc(3 * len + 1), *back = malloc(3 * len + 1);
	size_t n;
	int m;

	assert(text != NULL && back != NULL);
	n = smtp_xtext_encode(s, len, text);
	assert(n <= 3 * len && strlen(text) == n && smtp_is_xtext(text, n));
	assert(smtp_xtext_decode(text, n, back) == (int)len);
	assert(memcmp(back, s, len) == 0);
	m = smtp_xtext_decode(s, len, back);
	assert((m != -1) == smtp_is_xtext(s, len));
	assert(m <= (int)len);
	free(text);
	free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data + 1;

	if (size == 0)
		return 0;
	switch (data[0]) {
	case 'm':
		try_mail(s, size - 1);
		break;
	case 'r':
		try_rcpt(s, size - 1, false);
		break;
	case 'u':
		try_rcpt(s, size - 1, true);
		break;
	case 's':
		try_split(s, size - 1);
		break;
	case 'x':
		try_xtext(s, size - 1);
		break;
	}
	return 0;
}
