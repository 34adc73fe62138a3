/*
 * lib/mail/smtp, replies: all that a server says in one session, lines ending
 * in LF. The second reply is EHLO's, so its lines are offers too.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/smtp.h"

#define EHLO 1 /* the greeting is reply 0 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_printable(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	assert(len < size);
	for (size_t i = 0; i < len; i++)
		assert(s[i] >= 0x20 && s[i] < 0x7f);
}

static void
assert_reply(const struct smtp_reply *r)
{
	assert(r->lines <= SMTP_REPLY_LINES_MAX);
	assert_printable(r->text, sizeof r->text);
	assert_printable(r->enhanced, sizeof r->enhanced);
	assert((r->code == 0) == (r->lines == 0));
	assert(r->code == 0 || (r->code >= 200 && r->code <= 599));
	assert(smtp_reply_ok(r) == (r->code >= 200 && r->code <= 299));
	assert(smtp_reply_permanent(r) == (r->code >= 500));
	if (r->enhanced[0] != '\0') {
		assert(strchr("245", r->enhanced[0]) != NULL);
		assert(r->enhanced[0] - '0' == r->code / 100);
		assert(r->enhanced[1] == '.');
	}
}

/* What is offered stays offered, and has its numbers in their ranges. */
static void
assert_offer(const struct smtp_offer *o, const struct smtp_offer *before)
{
	assert((o->exts & before->exts) == before->exts);
	assert(o->size_max == 0 || (o->exts & SMTP_EXT_SIZE));
	assert(o->rcpt_max == 0 || (o->exts & SMTP_EXT_LIMITS));
	assert(o->mail_max == 0 || (o->exts & SMTP_EXT_LIMITS));
	assert(o->rcpt_max <= 999999 && o->mail_max <= 999999);
	assert(o->xclient == 0 || (o->exts & SMTP_EXT_XCLIENT));
	assert(o->xforward == 0 || (o->exts & SMTP_EXT_XFORWARD));
	for (unsigned bit = 1; bit != 0; bit <<= 1) {
		if (o->exts & bit)
			assert(smtp_ext_name(bit)[0] != '\0');
		if ((o->xclient | o->xforward) & bit)
			assert(smtp_xattr_name(bit)[0] != '\0');
	}
}

/* One line; a copy of its own, so that a step beyond it is seen. */
static int
take_line(struct smtp_reply *r, struct smtp_offer *o, bool is_ehlo,
    const char *line, size_t len)
{
	struct smtp_reply was = *r;
	struct smtp_offer before = *o;
	struct err e = ERR_INIT;
	char *copy = malloc(len > 0 ? len : 1);
	int rc;

	assert(copy != NULL);
	memcpy(copy, line, len);
	rc = smtp_reply_line(r, copy, len, &e);
	assert_reply(r);
	if (rc == -1) {
		assert(e.class == ERR_TEMP);
		assert(strncmp(e.text, "protocol error: ", 16) == 0);
		assert_printable(e.text, sizeof e.text);
		assert(memcmp(&was, r, sizeof was) == 0);
	} else {
		assert(r->lines == was.lines + 1);
		assert(was.code == 0 || was.code == r->code);
		assert(rc == (len == 3 || copy[3] == ' '));
		if (is_ehlo && was.lines > 0 && len > 4)
			smtp_offer_line(o, copy + 4, len - 4);
		assert_offer(o, &before);
	}
	free(copy);
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct smtp_reply empty = SMTP_REPLY_INIT;
	const char *s = (const char *)data, *end = s + size;
	struct smtp_offer offer = { .exts = 0 };
	struct smtp_reply reply = empty;
	int rc = 0, replies = 0;

	while (s < end && rc != -1) {
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		const char *stop = lf == NULL ? end : lf;

		rc = take_line(&reply, &offer, replies == EHLO, s,
		    (size_t)(stop - s));
		if (rc == 1) {
			reply = empty;
			replies++;
		}
		s = lf == NULL ? end : lf + 1;
	}
	return 0;
}
