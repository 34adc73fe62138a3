#include "mail/dsn.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"

#define FOLD_AT 76         /* columns */
#define LINE_MAX_BYTES 998 /* without CRLF, RFC 5322 2.1.1 */

static const char crlf[] = "\r\n";

/* What differs from action to action. */
static const struct {
	const char *name;    /* RFC 3464 2.3.3 */
	const char *classes; /* of the Status it may have, the usual first */
	unsigned notify;     /* the word of NOTIFY that asks for it */
	const char *subject;
	const char *told; /* to people */
} actions[] = {
	[DSN_FAILED] = { "failed", "54", SMTP_NOTIFY_FAILURE,
	    "Your message could not be delivered",
	    "Your message could not be delivered to the recipients below, and "
	    "it will not be tried again. If an address is wrong, please "
	    "correct it and send the message again; else please ask the "
	    "postmaster of the recipient's domain." },
	[DSN_DELAYED] = { "delayed", "4", SMTP_NOTIFY_DELAY,
	    "Your message is delayed",
	    "Your message could not be delivered yet to the recipients below. "
	    "It is kept and will be tried again. You need not do anything; "
	    "please do not send it again." },
	[DSN_RELAYED] = { "relayed", "2", SMTP_NOTIFY_SUCCESS,
	    "Your message was handed on",
	    "As you asked to be told: your message was handed on to the mail "
	    "system of the recipients below. That system sends no notices of "
	    "success, so you will not hear when the message is delivered." },
	[DSN_DELIVERED] = { "delivered", "2", SMTP_NOTIFY_SUCCESS,
	    "Your message was delivered",
	    "As you asked to be told: your message was delivered to the "
	    "recipients below." },
};
#define ACTIONS (sizeof actions / sizeof *actions)

/* ---- who is told ---- */

bool
dsn_is_wanted(const struct envelope *env, const struct envelope_rcpt *r,
    enum dsn_action action, unsigned next_exts)
{
	if (env->mail.reverse_path.len == 0)
		return false;
	if (action == DSN_RELAYED && (next_exts & SMTP_EXT_DSN) != 0)
		return false;
	if (r->notify == SMTP_NOTIFY_NONE)
		return action == DSN_FAILED || action == DSN_DELAYED;
	return (r->notify & actions[action].notify) != 0;
}

/* ---- bytes ---- */

/* Printable ASCII or, where is_utf8, UTF-8; a TAB counts as a blank. */
static bool
is_clean(const char *s, size_t len, bool is_utf8)
{
	while (len > 0) {
		size_t n = addr_utf8_char(s, len);

		if (n == 0 || (n > 1 && !is_utf8))
			return false;
		if (n == 1 && *s != '\t' && (*s < 0x20 || *s == 0x7f))
			return false;
		s += n;
		len -= n;
	}
	return true;
}

/* What is not clean comes out as '?'. */
static void
add_clean(struct buf *b, const char *s, size_t len, bool is_utf8)
{
	bool is_good = is_clean(s, len, is_utf8);

	for (size_t i = 0; i < len; i++) {
		bool is_plain = s[i] >= 0x20 && s[i] < 0x7f;

		buf_add(b, is_good || is_plain ? &s[i] : "?", 1);
	}
}

/* A host name or an address literal. */
static void
add_host(struct buf *b, const char *name)
{
	static const char also[] = ".-_:[]";
	size_t len = strnlen(name, ADDR_DOMAIN_MAX);

	for (size_t i = 0; i < len; i++) {
		char c = name[i], low = (char)(c | 0x20);
		bool is_good = (low >= 'a' && low <= 'z') ||
			       (c >= '0' && c <= '9') || strchr(also, c);

		buf_add(b, is_good ? &c : "?", 1);
	}
}

/* A line being filled with words, and what begins the lines that follow. */
struct filling {
	struct buf *b;
	const char *indent;
	size_t column; /* 0: nothing on the line yet */
};

/* The words of text, a new line before each that does not fit. Runs of blanks
 * become one, so no line is of blanks alone (RFC 5322 3.2.2). */
static void
fill(struct filling *f, const char *text)
{
	static const char blanks[] = " \t\r\n";

	for (;;) {
		size_t len;

		text += strspn(text, blanks);
		len = strcspn(text, blanks);
		if (len == 0)
			return;
		if (f->column > 0 && f->column + 1 + len > FOLD_AT) {
			buf_puts(f->b, crlf);
			f->column = 0;
		}
		buf_puts(f->b, f->column == 0 ? f->indent : " ");
		f->column += f->column == 0 ? strlen(f->indent) : 1;
		add_clean(f->b, text, len, false);
		f->column += len;
		text += len;
	}
}

static void
add_paragraph(struct buf *b, const char *text)
{
	struct filling f = { b, "", 0 };

	fill(&f, text);
	buf_puts(b, crlf);
}

/* "550 5.1.1 No such user". */
static void
fill_reply(struct filling *f, const struct smtp_reply *r)
{
	char code[16] = "";

	if (r->code != 0)
		snprintf(code, sizeof code, "%d", r->code);
	fill(f, code);
	fill(f, r->enhanced);
	fill(f, r->text);
	buf_puts(f->b, crlf);
}

static void
add_date(struct buf *b, const char *name, int64_t when_us)
{
	char date[CLOCK_RFC5322_MAX];

	if (when_us > 0)
		buf_addf(b, "%s: %s\r\n", name, clock_rfc5322(date, when_us));
}

/* ---- the header section that is returned ---- */

struct section {
	const char *data;
	size_t len; /* of whole lines with CRLF, or cut at DSN_HEADER_MAX */
};

/* The header section with its last CRLF, up to the empty line. */
static struct section
header_section(const struct dsn *d)
{
	static const char end_mark[] = "\r\n\r\n";
	struct section s = { d->message, d->message_len };
	const char *end;

	if (s.len > DSN_HEADER_MAX)
		s.len = DSN_HEADER_MAX;
	if (s.len >= 2 && memcmp(s.data, crlf, 2) == 0)
		s.len = 0;
	end = s.len == 0 ? NULL : memmem(s.data, s.len, end_mark, 4);
	if (end != NULL)
		s.len = (size_t)(end + 2 - s.data);
	else if (s.len < d->message_len && /* cut: at the end of a line */
		 (end = memrchr(s.data, '\n', s.len)) != NULL)
		s.len = (size_t)(end + 1 - s.data);
	return s;
}

/* Nothing in it needs an encoding: lines of a bearable length, which end in
 * CRLF, of clean characters. */
static bool
is_plain_section(struct section s, bool is_utf8)
{
	const char *end = s.data + s.len;

	while (s.data < end) {
		const char *lf = memchr(s.data, '\n', (size_t)(end - s.data));
		size_t len;

		if (lf == NULL || lf == s.data || lf[-1] != '\r')
			return false;
		len = (size_t)(lf - 1 - s.data);
		if (len > LINE_MAX_BYTES || !is_clean(s.data, len, is_utf8))
			return false;
		s.data = lf + 1;
	}
	return true;
}

static bool
is_line_end(struct section s, size_t at)
{
	return at + 1 < s.len && s.data[at] == '\r' && s.data[at + 1] == '\n';
}

/* Quoted-printable, RFC 2045 6.7; ends in CRLF. */
static void
add_quoted(struct buf *b, struct section s)
{
	size_t column = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		bool is_last = i + 1 == s.len || is_line_end(s, i + 1);
		bool is_literal = (c > 0x20 && c < 0x7f && c != '=') ||
				  ((c == ' ' || c == '\t') && !is_last);

		if (is_line_end(s, i)) {
			buf_puts(b, crlf);
			column = 0;
			i++;
			continue;
		}
		if (column + 3 > FOLD_AT - 1) { /* and the '=' */
			buf_puts(b, "=\r\n");
			column = 0;
		}
		if (is_literal)
			buf_add(b, &c, 1);
		else
			buf_addf(b, "=%02X", (unsigned char)c);
		column += is_literal ? 1 : 3;
	}
	if (column > 0)
		buf_puts(b, crlf);
}

/* ---- ASCII or UTF-8 ---- */

/* The message was SMTPUTF8 and something we would repeat from it is not
 * ASCII. Such a sender can read RFC 6533. */
static bool
needs_utf8(const struct dsn *d)
{
	struct section s = header_section(d);

	if (!d->env->mail.smtputf8)
		return false;
	if (d->env->mail.reverse_path.is_utf8 || !text_is_ascii(s.data, s.len))
		return true;
	for (size_t i = 0; i < d->nrcpt; i++) {
		const struct envelope_rcpt *r = d->rcpts[i].rcpt;

		if (r->addr.is_utf8 ||
		    (r->orcpt != NULL &&
			!text_is_ascii(r->orcpt, strlen(r->orcpt))))
			return true;
	}
	return false;
}

/* ---- the message's own header ---- */

/* The action that the subject is about: the gravest. */
static enum dsn_action
gravest(const struct dsn *d)
{
	enum dsn_action action = d->rcpts[0].action;

	for (size_t i = 1; i < d->nrcpt; i++)
		if (d->rcpts[i].action < action)
			action = d->rcpts[i].action;
	return action;
}

static void
add_header(struct buf *b, const struct dsn *d, bool is_utf8)
{
	const struct addr *to = &d->env->mail.reverse_path;

	add_date(b, "Date", d->date_us);
	buf_puts(b, "From: Mail Delivery System <MAILER-DAEMON@");
	add_host(b, d->hostname);
	buf_puts(b, ">\r\nTo: <");
	add_clean(b, to->text, to->len, is_utf8);
	buf_addf(b, ">\r\nSubject: %s\r\n", actions[gravest(d)].subject);
	buf_addf(b, "Message-ID: <%s@", d->id);
	add_host(b, d->hostname);
	buf_puts(b, ">\r\nAuto-Submitted: auto-replied\r\n"
		    "MIME-Version: 1.0\r\n"
		    "Content-Type: multipart/report;\r\n"
		    "\treport-type=delivery-status;\r\n");
	buf_addf(b, "\tboundary=\"%s\"\r\n", d->boundary);
	if (is_utf8)
		buf_puts(b, "Content-Transfer-Encoding: 8bit\r\n");
	buf_puts(b, crlf);
}

/* encoding NULL: 7bit, which needs no saying. */
static void
begin_part(struct buf *b, const struct dsn *d, const char *description,
    const char *type, const char *encoding)
{
	buf_addf(b, "--%s\r\nContent-Description: %s\r\nContent-Type: %s\r\n",
	    d->boundary, description, type);
	if (encoding != NULL)
		buf_addf(b, "Content-Transfer-Encoding: %s\r\n", encoding);
	buf_puts(b, crlf);
}

/* ---- the part for people ---- */

static void
tell_reply(struct buf *b, const struct dsn_rcpt *r)
{
	struct filling f = { b, "\t", 0 };
	size_t before = b->len;

	if (r->reply == NULL)
		return;
	if (r->remote_mta != NULL) {
		buf_puts(b, "\t");
		add_host(b, r->remote_mta);
		buf_puts(b, " said:");
		f.column = b->len - before;
	}
	fill_reply(&f, r->reply);
}

static void
tell_recipient(struct buf *b, const struct dsn_rcpt *r, bool is_utf8)
{
	char date[CLOCK_RFC5322_MAX];

	buf_puts(b, "    <");
	add_clean(b, r->rcpt->addr.text, r->rcpt->addr.len, is_utf8);
	buf_puts(b, ">\r\n");
	tell_reply(b, r);
	if (r->action == DSN_DELAYED && r->retry_until_us > 0)
		buf_addf(b, "\twill be tried until %s\r\n",
		    clock_rfc5322(date, r->retry_until_us));
}

static void
tell_action(struct buf *b, const struct dsn *d, enum dsn_action action,
    bool is_utf8)
{
	bool is_told = false;

	for (size_t i = 0; i < d->nrcpt; i++) {
		if (d->rcpts[i].action != action)
			continue;
		if (!is_told) {
			add_paragraph(b, actions[action].told);
			buf_puts(b, crlf);
		}
		is_told = true;
		tell_recipient(b, &d->rcpts[i], is_utf8);
	}
	if (is_told)
		buf_puts(b, crlf);
}

static void
add_text_part(struct buf *b, const struct dsn *d, bool is_utf8)
{
	begin_part(b, d, "Notification",
	    is_utf8 ? "text/plain; charset=utf-8"
		    : "text/plain; charset=us-ascii",
	    is_utf8 ? "8bit" : NULL);
	buf_puts(b, "This is the mail system at ");
	add_host(b, d->hostname);
	buf_puts(b, ".\r\n\r\n");
	for (size_t i = 0; i < ACTIONS; i++)
		tell_action(b, d, (enum dsn_action)i, is_utf8);
	add_paragraph(b,
	    "The header of your message is attached. This notice was written "
	    "by "
	    "a program, so please do not reply to it; for help write to");
	buf_puts(b, "postmaster@");
	add_host(b, d->hostname);
	buf_puts(b, ".\r\n\r\n");
}

/* ---- the part for programs ---- */

/* xtext as what it stands for; as it was given where that would not be clean,
 * or would change as the value of a field. */
static void
add_xtext(struct buf *b, const char *xtext, bool is_utf8)
{
	char plain[SMTP_ORCPT_MAX];
	size_t len = strlen(xtext);
	int n = len > sizeof plain ? -1 : smtp_xtext_decode(xtext, len, plain);

	if (n > 0 && is_clean(plain, (size_t)n, is_utf8) && plain[0] != ' ' &&
	    plain[n - 1] != ' ' && memchr(plain, '\t', (size_t)n) == NULL)
		add_clean(b, plain, (size_t)n, is_utf8);
	else
		add_clean(b, xtext, len, is_utf8);
}

static void
add_message_fields(struct buf *b, const struct dsn *d, bool is_utf8)
{
	if (d->env->mail.envid[0] != '\0') {
		buf_puts(b, "Original-Envelope-Id: ");
		add_xtext(b, d->env->mail.envid, is_utf8);
		buf_puts(b, crlf);
	}
	buf_puts(b, "Reporting-MTA: dns; ");
	add_host(b, d->hostname);
	buf_puts(b, crlf);
	add_date(b, "Arrival-Date", d->env->arrival_us);
}

/* "rfc822; bob@example.com". The type utf-8 has its own encoding, which may
 * stand here as it is (RFC 6533 section 3). */
static void
add_original_recipient(struct buf *b, const char *orcpt, bool is_utf8)
{
	const char *semicolon = orcpt == NULL ? NULL : strchr(orcpt, ';');
	size_t type_len;

	if (semicolon == NULL)
		return;
	type_len = (size_t)(semicolon - orcpt);
	buf_puts(b, "Original-Recipient: ");
	add_clean(b, orcpt, type_len, false);
	buf_puts(b, "; ");
	if (type_len == 5 && strncasecmp(orcpt, "utf-8", 5) == 0)
		add_clean(b, semicolon + 1, strlen(semicolon + 1), is_utf8);
	else
		add_xtext(b, semicolon + 1, is_utf8);
	buf_puts(b, crlf);
}

/* The reply's code, where its class fits the action: "failed" may be for now
 * (4) or for ever (5), RFC 3463 section 2. */
static void
add_status(struct buf *b, const struct dsn_rcpt *r)
{
	static const char digits[] = "0123456789";
	const char *classes = actions[r->action].classes;
	const char *enhanced = r->reply == NULL ? "" : r->reply->enhanced;
	int code = r->reply == NULL ? 0 : r->reply->code;
	char class = code >= 200 && code <= 599 ? digits[code / 100] : '0';

	if (enhanced[0] != '\0' && strchr(classes, enhanced[0]) != NULL)
		buf_addf(b, "Status: %s\r\n", enhanced);
	else
		buf_addf(b, "Status: %c.0.0\r\n",
		    strchr(classes, class) != NULL ? class : classes[0]);
}

/* Whose words they are: RFC 3464 2.3.6. */
static void
add_diagnostic(struct buf *b, const struct dsn_rcpt *r)
{
	static const char name[] = "Diagnostic-Code:";
	struct filling f = { b, "\t", sizeof name - 1 };

	if (r->reply == NULL)
		return;
	buf_puts(b, name);
	fill(&f, r->remote_mta != NULL ? "smtp;" : "X-bmx;");
	fill_reply(&f, r->reply);
}

/* RFC 3464 2.3: one group of fields for each recipient. */
static void
add_recipient_fields(struct buf *b, const struct dsn_rcpt *r, bool is_utf8)
{
	const struct addr *to = &r->rcpt->addr;

	buf_puts(b, crlf);
	add_original_recipient(b, r->rcpt->orcpt, is_utf8);
	buf_puts(b, to->is_utf8 && is_utf8 ? "Final-Recipient: utf-8; "
					   : "Final-Recipient: rfc822; ");
	add_clean(b, to->text, to->len, is_utf8);
	buf_addf(b, "\r\nAction: %s\r\n", actions[r->action].name);
	add_status(b, r);
	if (r->remote_mta != NULL) {
		buf_puts(b, "Remote-MTA: dns; ");
		add_host(b, r->remote_mta);
		buf_puts(b, crlf);
	}
	add_diagnostic(b, r);
	add_date(b, "Last-Attempt-Date", r->last_attempt_us);
	if (r->action == DSN_DELAYED)
		add_date(b, "Will-Retry-Until", r->retry_until_us);
}

static void
add_status_part(struct buf *b, const struct dsn *d, bool is_utf8)
{
	begin_part(b, d, "Delivery report",
	    is_utf8 ? "message/global-delivery-status"
		    : "message/delivery-status",
	    is_utf8 ? "8bit" : NULL);
	add_message_fields(b, d, is_utf8);
	for (size_t i = 0; i < d->nrcpt; i++)
		add_recipient_fields(b, &d->rcpts[i], is_utf8);
	buf_puts(b, crlf);
}

/* ---- the part that is the sender's own ---- */

static void
add_header_part(struct buf *b, const struct dsn *d, bool is_utf8)
{
	struct section s = header_section(d);
	bool is_plain = is_plain_section(s, is_utf8);

	begin_part(b, d, "Header of the message",
	    is_utf8 ? "message/global-headers" : "text/rfc822-headers",
	    !is_plain ? "quoted-printable"
	    : is_utf8 ? "8bit"
		      : NULL);
	if (is_plain)
		buf_add(b, s.data, s.len);
	else
		add_quoted(b, s);
	buf_puts(b, crlf);
}

/* ---- the whole ---- */

static int
check(const struct dsn *d, struct err *e)
{
	struct section s = header_section(d);

	if (d->env->mail.reverse_path.len == 0) /* RFC 5321 section 4.5.5 */
		return err_data(e, "no notice goes to the null reverse-path");
	if (d->nrcpt == 0)
		return err_data(e, "a notice about no recipient");
	if (s.len > 0 &&
	    memmem(s.data, s.len, d->boundary, strlen(d->boundary)) != NULL)
		return err_data(e, "the boundary is in the message");
	return 0;
}

int
dsn_format(const struct dsn *d, struct buf *b, struct err *e)
{
	bool is_utf8 = needs_utf8(d);

	if (check(d, e) == -1)
		return -1;
	add_header(b, d, is_utf8);
	add_text_part(b, d, is_utf8);
	add_status_part(b, d, is_utf8);
	add_header_part(b, d, is_utf8);
	buf_addf(b, "--%s--\r\n", d->boundary);
	return buf_check(b, e);
}

int
dsn_envelope(const struct dsn *d, struct envelope *env, struct err *e)
{
	struct smtp_rcpt to = { .forward_path = d->env->mail.reverse_path };

	if (check(d, e) == -1)
		return -1;
	env->arrival_us = d->date_us;
	env->mail.smtputf8 = needs_utf8(d);
	env->mail.body =
	    env->mail.smtputf8 ? SMTP_BODY_8BITMIME : SMTP_BODY_NONE;
	env->mail.requiretls = d->env->mail.requiretls;
	return envelope_add(env, &to, e);
}
