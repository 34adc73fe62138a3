#include "bmx-receive/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "bmx-receive/xclient.h"

#define OUT_LONG (16 * 1024) /* bytes of replies after which to flush */
#define DRAIN_MAX                                                              \
	(64 << 20) /* bytes over twice max_size that are still taken */
/* 452s without a message: more than any list of recipients in one group */
#define DEFERRALS_MAX 5000
#define CHUNK_DIGITS_MAX 10 /* of a BDAT size: it never overflows */

/*
 * ---- all that a client can be told, but for what the caller answers ----
 * Enhanced codes: RFC 3463; RFC 2034 wants one on every 2yz, 4yz and 5yz but
 * those to EHLO and HELO.
 */
static const char ok[] = "250 2.0.0 OK";
static const char bye[] = "221 2.0.0 Bye";
static const char go_ahead[] = "354 End the message with <CRLF>.<CRLF>";
static const char not_verified[] =
    "252 2.0.0 Addresses are not verified here, send the mail and see";
static const char help[] =
    "214 2.0.0 This is a backup MX; its commands are those of RFC 5321";

static const char hello_needs_name[] = "501 Say EHLO or HELO with your name";
static const char needs_address[] = "501 5.5.4 VRFY needs an address";
static const char needs_node[] =
    "501 5.5.4 ETRN needs a domain, @domain or #queue";
static const char no_arguments[] = "501 5.5.4 That command takes no argument";
static const char not_recognised[] = "500 5.5.1 Command not recognised";
static const char not_offered[] = "502 5.5.1 Command not offered here";
static const char out_of_order[] = "503 5.5.1 Command out of order";
static const char line_too_long[] = "500 5.5.2 Command line too long";

static const char not_trusted[] = "550 5.7.0 XCLIENT is not for you";

static const char too_big[] = "552 5.3.4 Message over the size limit";
static const char too_many_recipients[] =
    "452 4.5.3 Too many recipients, send the others apart";
static const char no_memory[] = "451 4.3.0 Out of memory, try again later";
static const char looping[] = "554 5.4.6 Too many Received fields, a loop";
static const char looping_here[] =
    "451 4.4.6 The message was here before, a loop between mail servers";

/* after these the session closes */
static const char bare_in_command[] =
    "500 5.5.2 Bare CR, bare LF or NUL in a command, closing";
static const char bare_in_content[] =
    "550 5.5.2 Bare CR, bare LF or NUL in the message, closing";
static const char bad_chunk[] = "501 5.5.4 Syntax: BDAT size [LAST], closing";
static const char tls_injection[] = "554 5.5.0 Bytes behind STARTTLS, closing";
static const char not_http[] = "554 5.5.1 This is SMTP, not HTTP, closing";
static const char far_too_big[] =
    "552 5.3.4 Message far over the size limit, closing";
static const char too_many_errors[] = "421 4.7.0 Too many errors, closing";
static const char too_much_junk[] =
    "421 4.7.0 Too many commands without mail, closing";
static const char too_many_messages[] =
    "421 4.7.0 Enough messages for one session, connect again";

/* What the next byte belongs to. */
enum mode {
	MODE_COMMAND, /* a command line */
	MODE_ASKING,  /* none: until session_answer() */
	MODE_TLS,     /* none: until session_secured() */
	MODE_DATA,    /* content up to CRLF.CRLF */
	MODE_CHUNK,   /* content, chunk_left bytes */
	MODE_CLOSED,
};

/* ---- replies ---- */

/* The first line of text, as long as a reply may be. */
static size_t
reply_len(const char *text)
{
	size_t len = strcspn(text, "\r\n");

	return len < SESSION_REPLY_MAX - 2 ? len : SESSION_REPLY_MAX - 3;
}

static enum session_event
say(struct session *s, const char *reply)
{
	buf_add(&s->out, reply, reply_len(reply));
	buf_puts(&s->out, "\r\n");
	return SESSION_GO_ON;
}

static void
copy_reply(char out[SESSION_REPLY_MAX], const char *reply)
{
	size_t len = reply_len(reply);

	memcpy(out, reply, len);
	out[len] = '\0';
}

/* The message under way, if there is one, will not be finished. */
static void
doom(struct session *s)
{
	s->is_doomed = s->is_open;
}

static enum session_event
close_session(struct session *s)
{
	doom(s);
	s->mode = MODE_CLOSED;
	return SESSION_GO_ON;
}

/* A 452 is no error of the client's: it is to come again with the rest
 * (RFC 5321 4.5.3.1.10), or our disk is full. But it does not go on for ever. */
static enum session_event
refuse(struct session *s, const char *reply)
{
	say(s, reply);
	copy_reply(s->reply, reply);
	s->has_refused = true;
	s->refused++;
	if (strncmp(reply, "452", 3) == 0)
		s->deferrals++;
	else
		s->errors++;
	if (s->deferrals < DEFERRALS_MAX &&
	    (s->params->max_errors == 0 || s->errors < s->params->max_errors))
		return SESSION_GO_ON;
	if (s->mode != MODE_CLOSED)
		say(s, too_many_errors);
	return close_session(s);
}

static enum session_event
refuse_and_close(struct session *s, const char *reply)
{
	close_session(s);
	return refuse(s, reply);
}

static enum session_event
ask(struct session *s, enum session_event what)
{
	s->mode = MODE_ASKING;
	s->asked = what;
	return what;
}

/* Replies come in order: the command in s->line is looked at again when the
 * recipients before it are answered. */
static enum session_event
hold(struct session *s, bool is_content_next)
{
	s->is_held = true;
	s->is_content_next = is_content_next;
	return SESSION_GO_ON;
}

static enum session_event
ask_due(struct session *s)
{
	s->rcpt = s->due[0];
	return ask(s, SESSION_ASK_DUE);
}

/* ---- the transaction ---- */

static void
forget_envelope(struct session *s)
{
	struct envelope_client client = s->env.client;

	envelope_reset(&s->env);
	s->env.client = client;
}

static void
end_transaction(struct session *s)
{
	doom(s);
	forget_envelope(s);
	s->refusal[0] = '\0';
	if (s->state & (SESSION_MAIL | SESSION_RCPT | SESSION_BDAT))
		s->state = SESSION_READY;
}

/* The limit that holds, which is also the one that is advertised (D29). */
static unsigned
recipients_max(const struct session *s)
{
	unsigned max = s->params->max_recipients;

	return max == 0 || max > ENVELOPE_RCPT_MAX ? ENVELOPE_RCPT_MAX : max;
}

/* Extensions in force now, after HELO too: there are clients that say HELO and
 * then SIZE=. */
static unsigned
offered(const struct session *s)
{
	unsigned not_now =
	    s->is_secured ? SMTP_EXT_STARTTLS : SMTP_EXT_REQUIRETLS;

	return s->params->exts & ~not_now;
}

/* Of the client itself, where a front end told us. */
static bool
is_esmtp(const struct session *s)
{
	const char *said = s->has_front ? s->xclient.proto : "";

	return said[0] != '\0' ? strcmp(said, "ESMTP") == 0 : s->is_esmtp;
}

/* For "with" in Received: RFC 3848, RFC 6531 section 4.3. STARTTLS is an
 * extension, so inside TLS it is ESMTP even after HELO. */
static const char *
protocol(const struct session *s)
{
	if (s->env.mail.smtputf8)
		return s->is_secured ? "UTF8SMTPS" : "UTF8SMTP";
	if (s->is_secured)
		return "ESMTPS";
	return is_esmtp(s) ? "ESMTP" : "SMTP";
}

static void
begin_content(struct session *s)
{
	s->dot = (struct dot_decoder)DOT_DECODER_INIT;
	s->content_len = 0;
	trace_counter_init(&s->hops, s->params->hostname);
}

/* ---- commands ---- */

/* The name, as a word that is safe in a log: nothing that stands behind a
 * blank belongs to it. */
static void
take_name(struct session *s, const struct smtp_command *c)
{
	size_t len = 0;

	while (len < c->arg_len && c->arg[len] != ' ' && c->arg[len] != '\t')
		len++;
	text_printable(s->env.client.helo, sizeof s->env.client.helo, c->arg,
	    len);
}

/* EHLO and HELO are RSET too (RFC 5321 4.1.4). The name is only written
 * down: whether it is true does not matter (4.1.4, D14). */
static bool
hello(struct session *s, const struct smtp_command *c)
{
	if (c->arg_len == 0) {
		refuse(s, hello_needs_name);
		return false;
	}
	end_transaction(s);
	s->state = SESSION_READY;
	if (!s->has_front || s->xclient.helo[0] == '\0')
		take_name(s, c);
	return true;
}

static enum session_event
cmd_helo(struct session *s, const struct smtp_command *c)
{
	if (!hello(s, c))
		return SESSION_GO_ON;
	s->is_esmtp = false;
	buf_addf(&s->out, "250 %s\r\n", s->params->hostname);
	return SESSION_GO_ON;
}

static void
say_keyword(struct session *s, unsigned ext)
{
	const struct session_params *p = s->params;

	buf_addf(&s->out, "250-%s", smtp_ext_name(ext));
	if (ext == SMTP_EXT_SIZE)
		buf_addf(&s->out, " %llu", (unsigned long long)p->max_size);
	if (ext == SMTP_EXT_LIMITS) /* RFC 9422 */
		buf_addf(&s->out, " RCPTMAX=%u", recipients_max(s));
	if (ext == SMTP_EXT_LIMITS && p->max_messages != 0)
		buf_addf(&s->out, " MAILMAX=%u", p->max_messages);
	if (ext == SMTP_EXT_XCLIENT)
		buf_puts(&s->out, " " XCLIENT_ATTRIBUTES);
	buf_puts(&s->out, "\r\n");
}

static enum session_event
cmd_ehlo(struct session *s, const struct smtp_command *c)
{
	size_t last_line;

	if (!hello(s, c))
		return SESSION_GO_ON;
	s->is_esmtp = true;
	last_line = s->out.len;
	buf_addf(&s->out, "250-%s\r\n", s->params->hostname);
	for (unsigned ext = 1; ext <= SMTP_EXT_XCLIENT; ext <<= 1) {
		if (!(offered(s) & ext))
			continue;
		last_line = s->out.len;
		say_keyword(s, ext);
	}
	if (!s->out.failed)
		s->out.data[last_line + 3] = ' ';
	return SESSION_GO_ON;
}

static enum session_event
cmd_mail(struct session *s, const struct smtp_command *c)
{
	const struct session_params *p = s->params;
	struct smtp_mail mail = { .has_size = false };
	const char *wrong;

	if (p->max_messages != 0 && s->messages >= p->max_messages)
		return refuse_and_close(s, too_many_messages);
	wrong = smtp_parse_mail(c->arg, c->arg_len, offered(s), &mail);
	if (wrong != NULL)
		return refuse(s, wrong);
	if (p->max_size != 0 && mail.has_size && mail.size > p->max_size)
		return refuse(s, too_big);
	s->env.mail = mail;
	snprintf(s->env.client.proto, sizeof s->env.client.proto, "%s",
	    protocol(s));
	return ask(s, SESSION_ASK_MAIL);
}

static enum session_event
cmd_rcpt(struct session *s, const struct smtp_command *c)
{
	const char *wrong;

	wrong = smtp_parse_rcpt(c->arg, c->arg_len, offered(s),
	    s->env.mail.smtputf8, &s->rcpt);
	if (wrong == NULL && s->env.nrcpt + s->ndue >= recipients_max(s))
		wrong = too_many_recipients;
	if (s->ndue == SESSION_DUE_MAX || (wrong != NULL && s->ndue > 0))
		return hold(s, false);
	return wrong != NULL ? refuse(s, wrong) : ask(s, SESSION_ASK_RCPT);
}

static enum session_event
cmd_data(struct session *s, const struct smtp_command *c)
{
	(void)c;
	begin_content(s);
	return ask(s, SESSION_ASK_DATA);
}

/* "size [LAST]" (RFC 3030 section 2). */
static bool
parse_chunk(const struct smtp_command *c, uint64_t *size, bool *last)
{
	size_t digits = 0, i;
	unsigned long long n;

	while (digits < c->arg_len && c->arg[digits] != ' ')
		digits++;
	for (i = digits; i < c->arg_len && c->arg[i] == ' '; i++)
		;
	if (digits > CHUNK_DIGITS_MAX ||
	    text_number(c->arg, digits, UINT64_MAX, &n) == -1)
		return false;
	if (i < c->arg_len &&
	    (c->arg_len - i != 4 || strncasecmp(c->arg + i, "LAST", 4) != 0))
		return false;
	*size = n;
	*last = i < c->arg_len;
	return true;
}

/* Too big is too big, but a client is heard out to be told so in step; not
 * for ever. */
static bool
is_far_too_big(const struct session *s, uint64_t len)
{
	uint64_t max = s->params->max_size;

	return max != 0 && len > 2 * max + DRAIN_MAX;
}

/*
 * The bytes that follow are counted out, whatever becomes of them. A size
 * that cannot be read leaves no way to tell content from commands, so that
 * ends the session.
 */
static enum session_event
cmd_bdat(struct session *s, const struct smtp_command *c)
{
	uint64_t max = s->params->max_size;
	bool is_first = s->state == SESSION_RCPT;

	if (!parse_chunk(c, &s->chunk_size, &s->chunk_last))
		return refuse_and_close(s, bad_chunk);
	if (is_far_too_big(s, s->chunk_size))
		return refuse_and_close(s, far_too_big);
	s->chunk_left = s->chunk_size;
	s->mode = MODE_CHUNK;
	if (s->chunk_misplaced)
		return SESSION_GO_ON;
	s->state = SESSION_BDAT;
	if (is_first)
		begin_content(s);
	if (max != 0 && s->refusal[0] == '\0' &&
	    s->chunk_size > max - s->content_len) {
		copy_reply(s->refusal, too_big);
		doom(s);
		return SESSION_GO_ON;
	}
	return is_first ? ask(s, SESSION_ASK_DATA) : SESSION_GO_ON;
}

static enum session_event
cmd_rset(struct session *s, const struct smtp_command *c)
{
	(void)c;
	end_transaction(s);
	return say(s, ok);
}

static enum session_event
cmd_noop(struct session *s, const struct smtp_command *c)
{
	(void)c;
	return say(s, ok);
}

static enum session_event
cmd_vrfy(struct session *s, const struct smtp_command *c)
{
	if (c->arg_len == 0)
		return refuse(s, needs_address);
	return say(s, not_verified);
}

static enum session_event
cmd_expn(struct session *s, const struct smtp_command *c)
{
	(void)c;
	return refuse(s, not_offered);
}

static enum session_event
cmd_help(struct session *s, const struct smtp_command *c)
{
	(void)c;
	return say(s, help);
}

static enum session_event
cmd_quit(struct session *s, const struct smtp_command *c)
{
	(void)c;
	end_transaction(s);
	s->has_quit = true;
	say(s, bye);
	return close_session(s);
}

static enum session_event
cmd_starttls(struct session *s, const struct smtp_command *c)
{
	(void)c;
	if (s->behind > 0)
		return refuse_and_close(s, tls_injection);
	return ask(s, SESSION_ASK_TLS);
}

/* The name of a queue: what is safe in a log and as an argument. */
static bool
is_queue_name(const char *s, size_t len)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	if (len == 0 || len > ADDR_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if (memchr(safe, s[i], sizeof safe - 1) == NULL)
			return false;
	return true;
}

/* RFC 1985 section 5: "@" is the domain with its subdomains, "#" a queue. */
static enum session_event
cmd_etrn(struct session *s, const struct smtp_command *c)
{
	struct err e = ERR_INIT;
	size_t option;

	if (c->arg_len == 0)
		return refuse(s, needs_node);
	if (c->arg[0] == '#') {
		if (!is_queue_name(c->arg + 1, c->arg_len - 1))
			return refuse(s, needs_node);
		memcpy(s->etrn, c->arg, c->arg_len);
		s->etrn[c->arg_len] = '\0';
		return ask(s, SESSION_ASK_ETRN);
	}
	option = c->arg[0] == '@';
	s->etrn[0] = '@';
	if (addr_fold_domain(c->arg + option, c->arg_len - option,
		s->etrn + option, &e) == -1)
		return refuse(s, needs_node);
	return ask(s, SESSION_ASK_ETRN);
}

/* What it says holds until the next XCLIENT or the end of the session. */
static enum session_event
cmd_xclient(struct session *s, const struct smtp_command *c)
{
	struct envelope_client said = s->env.client;
	const char *wrong;

	if (!(offered(s) & SMTP_EXT_XCLIENT))
		return refuse(s, not_trusted);
	said.helo[0] = said.proto[0] = '\0';
	wrong = xclient_parse(c->arg, c->arg_len, &said);
	if (wrong != NULL)
		return refuse(s, wrong); /* and the one before holds */
	s->xclient = said;
	return ask(s, SESSION_ASK_XCLIENT);
}

/* A browser that was sent to our port: whoever sent it there chose the
 * commands that would follow. */
static enum session_event
cmd_http(struct session *s, const struct smtp_command *c)
{
	(void)c;
	return refuse_and_close(s, not_http);
}

enum command_flags {
	ENDS_GROUP = 1 << 0,   /* nothing may follow before the reply (RFC 2920
				 3.1) */
	NO_ARGUMENT = 1 << 1,  /* with one: 501 */
	BRINGS_BYTES = 1 << 2, /* out of order too its bytes are taken */
	JUNK = 1 << 3,         /* brings no mail */
};

struct command {
	const char *verb;
	enum session_event (*obey)(struct session *,
	    const struct smtp_command *);
	unsigned states; /* in others: 503 5.5.1 */
	unsigned flags;
	unsigned ext; /* not offered: 502 5.5.1 */
};

#define IN_MAIL (SESSION_MAIL | SESSION_RCPT)
#define GREETED (SESSION_READY | IN_MAIL | SESSION_BDAT)
#define ANY (SESSION_START | GREETED)

/* clang-format off */
static const struct command commands[] = {
	{ "MAIL", cmd_mail, SESSION_READY, 0, 0 },
	{ "RCPT", cmd_rcpt, IN_MAIL, 0, 0 },
	{ "DATA", cmd_data, SESSION_RCPT, ENDS_GROUP | NO_ARGUMENT, 0 },
	{ "BDAT", cmd_bdat, SESSION_RCPT | SESSION_BDAT, BRINGS_BYTES,
	    SMTP_EXT_CHUNKING },
	{ "EHLO", cmd_ehlo, ANY, ENDS_GROUP | JUNK, 0 },
	{ "HELO", cmd_helo, ANY, ENDS_GROUP | JUNK, 0 },
	{ "RSET", cmd_rset, ANY, NO_ARGUMENT | JUNK, 0 },
	{ "QUIT", cmd_quit, ANY | SESSION_TURNED_AWAY, ENDS_GROUP, 0 },
	{ "NOOP", cmd_noop, ANY, ENDS_GROUP | JUNK, 0 },
	{ "STARTTLS", cmd_starttls, SESSION_START | SESSION_READY,
	    ENDS_GROUP | NO_ARGUMENT | JUNK, SMTP_EXT_STARTTLS },
	{ "ETRN", cmd_etrn, SESSION_READY, ENDS_GROUP | JUNK, SMTP_EXT_ETRN },
	{ "XCLIENT", cmd_xclient, SESSION_START | SESSION_READY, ENDS_GROUP, 0 },
	{ "VRFY", cmd_vrfy, ANY, ENDS_GROUP | JUNK, 0 },
	{ "EXPN", cmd_expn, ANY, ENDS_GROUP, 0 },
	{ "HELP", cmd_help, ANY, JUNK, 0 },
	{ "GET", cmd_http, ANY, 0, 0 },
	{ "HEAD", cmd_http, ANY, 0, 0 },
	{ "POST", cmd_http, ANY, 0, 0 },
	{ "PUT", cmd_http, ANY, 0, 0 },
	{ "OPTIONS", cmd_http, ANY, 0, 0 },
	{ "CONNECT", cmd_http, ANY, 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};
/* clang-format on */

static const struct command *
find_command(const char *verb)
{
	const struct command *c = commands;

	while (c->verb != NULL && strcmp(c->verb, verb) != 0)
		c++;
	return c->verb != NULL ? c : NULL;
}

static bool
asks_for_content(const struct command *row, const struct smtp_command *c)
{
	return row != NULL && ((row->obey == cmd_data && c->arg_len == 0) ||
				  row->obey == cmd_bdat);
}

/* One whole command line, in s->line. */
static enum session_event
obey(struct session *s)
{
	const struct command *row;
	struct smtp_command c;
	enum session_event event;

	smtp_split(s->line, s->line_len, &c);
	row = find_command(c.verb);
	if (s->ndue > 0 && (row == NULL || row->obey != cmd_rcpt))
		return hold(s, asks_for_content(row, &c));
	if (row == NULL)
		return refuse(s, not_recognised);
	if (row->ext != 0 && !(offered(s) & row->ext))
		return refuse(s, not_offered);
	if ((row->flags & ENDS_GROUP) && s->behind > 0)
		s->overruns++;
	if ((row->flags & NO_ARGUMENT) && c.arg_len > 0)
		return refuse(s, no_arguments);
	s->chunk_misplaced = !(row->states & s->state);
	if (s->chunk_misplaced && !(row->flags & BRINGS_BYTES))
		return refuse(s, out_of_order);
	event = row->obey(s, &c);
	if ((row->flags & JUNK) && s->params->max_junk != 0 &&
	    ++s->junk > s->params->max_junk && s->mode != MODE_CLOSED)
		return refuse_and_close(s, too_much_junk);
	return event;
}

/* ---- bytes of a command line ---- */

enum line_event { LINE_MORE, LINE_WHOLE, LINE_BARE };

/* What does not fit is dropped, not its end: so the session stays in step. */
static enum line_event
take_byte(struct session *s, char byte)
{
	bool after_cr = s->line_cr;

	s->line_cr = byte == '\r';
	if (after_cr)
		return byte == '\n' ? LINE_WHOLE : LINE_BARE;
	if (byte == '\n' || byte == '\0')
		return LINE_BARE;
	if (byte == '\r')
		return LINE_MORE;
	if (s->line_len < SMTP_COMMAND_MAX - 2)
		s->line[s->line_len++] = byte;
	else
		s->line_skipping = true;
	return LINE_MORE;
}

/* The line is whole. */
static enum session_event
take_line(struct session *s)
{
	enum session_event event;

	if (s->ndue > 0 && (s->line_bare || s->line_skipping))
		return hold(s, false);
	if (s->line_bare)
		event = refuse_and_close(s, bare_in_command);
	else if (s->line_skipping)
		event = refuse(s, line_too_long);
	else
		event = obey(s);
	if (s->is_held)
		return event;
	s->line_len = 0;
	s->line_skipping = s->line_bare = false;
	return event;
}

static enum session_event
take_command(struct session *s, const char *in, size_t len, size_t *used)
{
	enum line_event seen = LINE_MORE;

	if (s->is_held && s->ndue > 0)
		return ask_due(s);
	if (s->is_held) {
		s->is_held = s->is_content_next = false;
		return take_line(s);
	}
	while (seen == LINE_MORE && *used < len)
		seen = take_byte(s, in[(*used)++]);
	if (seen == LINE_MORE && s->ndue > 0)
		return ask_due(s);
	if (seen == LINE_MORE)
		return SESSION_NEED_INPUT;
	s->line[s->line_len] = '\0';
	s->behind = len - *used;
	s->line_bare = seen == LINE_BARE;
	return take_line(s);
}

/* ---- bytes of content ---- */

/* Smuggling: some other server takes a lone CR or LF for a line end, or drops
 * a NUL, and then sees commands in the content (D25, D26). */
static bool
is_smuggling(const struct session *s)
{
	return s->dot.is_bare || s->dot.has_nul;
}

/* What is wrong with the content so far, worst first. Judged anew at its end,
 * so that the reply does not depend on which was noticed first. */
static const char *
content_refusal(const struct session *s)
{
	uint64_t max = s->params->max_size;

	if (is_smuggling(s))
		return bare_in_content;
	if (max != 0 && s->content_len > max)
		return too_big;
	if (s->hops.hops + 1 > TRACE_HOPS_MAX) /* ours will be one more */
		return looping;
	if (s->hops.own_hops > TRACE_OWN_HOPS_MAX)
		return looping_here;
	return NULL;
}

/* Refused content is still taken, to its end, but nobody wants it. */
static enum session_event
content(struct session *s, struct dot_slice piece)
{
	s->content_len += piece.len;
	if (is_far_too_big(s, s->content_len))
		return refuse_and_close(s, far_too_big);
	trace_count(&s->hops, piece.data, piece.len);
	if (content_refusal(s) != NULL)
		doom(s);
	if (piece.len == 0 || s->is_doomed || !s->is_open)
		return SESSION_GO_ON;
	s->content = piece;
	return SESSION_CONTENT;
}

/* The whole message was seen. */
static enum session_event
end_message(struct session *s)
{
	const char *wrong = content_refusal(s);

	s->mode = MODE_COMMAND;
	if (wrong == NULL) {
		s->is_open = false;
		return ask(s, SESSION_ASK_END);
	}
	end_transaction(s);
	return is_smuggling(s) ? refuse_and_close(s, wrong) : refuse(s, wrong);
}

static enum session_event
take_data(struct session *s, const char *in, size_t len, size_t *used)
{
	struct dot_slice piece = { "", 0 };

	if (s->dot.state == DOT_END)
		return end_message(s);
	if (len == 0)
		return SESSION_NEED_INPUT;
	dot_decode(&s->dot, in, len, used, &piece);
	return content(s, piece);
}

/* Refused once, refused until RSET: the client may have pipelined further
 * chunks (RFC 3030 section 2). */
static enum session_event
refuse_chunk(struct session *s)
{
	char reply[SESSION_REPLY_MAX];

	copy_reply(reply, s->refusal);
	doom(s);
	if (s->chunk_last)
		end_transaction(s);
	return refuse(s, reply);
}

static enum session_event
end_chunk(struct session *s)
{
	const char *wrong;

	s->mode = MODE_COMMAND;
	if (s->chunk_misplaced)
		return refuse(s, out_of_order);
	if (s->refusal[0] != '\0')
		return refuse_chunk(s);
	if (s->chunk_last && s->dot.state == DOT_IN_LINE_CR)
		s->dot.is_bare = true; /* no LF can follow */
	if (s->chunk_last || is_smuggling(s))
		return end_message(s);
	wrong = content_refusal(s);
	if (wrong != NULL) {
		copy_reply(s->refusal, wrong);
		return refuse_chunk(s);
	}
	buf_addf(&s->out, "250 2.0.0 %llu octets\r\n",
	    (unsigned long long)s->chunk_size);
	return SESSION_GO_ON;
}

static enum session_event
take_chunk(struct session *s, const char *in, size_t len, size_t *used)
{
	struct dot_slice piece = { in, len };

	if (s->chunk_left == 0)
		return end_chunk(s);
	if (len == 0)
		return SESSION_NEED_INPUT;
	if (piece.len > s->chunk_left)
		piece.len = (size_t)s->chunk_left;
	s->chunk_left -= piece.len;
	*used = piece.len;
	if (s->chunk_misplaced || s->refusal[0] != '\0')
		return SESSION_GO_ON;
	dot_watch(&s->dot, piece.data, piece.len);
	return content(s, piece);
}

/* ---- the machine ---- */

static enum session_event
take(struct session *s, const char *in, size_t len, size_t *used)
{
	switch ((enum mode)s->mode) {
	case MODE_COMMAND:
		return take_command(s, in, len, used);
	case MODE_ASKING:
		return s->asked;
	case MODE_TLS:
		return SESSION_STARTTLS;
	case MODE_DATA:
		return take_data(s, in, len, used);
	case MODE_CHUNK:
		return take_chunk(s, in, len, used);
	case MODE_CLOSED:
		break;
	}
	return SESSION_CLOSE;
}

/* What is due before another byte is looked at. */
static enum session_event
due(struct session *s)
{
	if (s->is_open && s->is_doomed) {
		s->is_open = s->is_doomed = false;
		return SESSION_DISCARD;
	}
	if (s->has_refused) {
		s->has_refused = false;
		return SESSION_REFUSED;
	}
	s->is_rcpt_refused = false;
	if (s->out.len >= OUT_LONG)
		return SESSION_FLUSH;
	return SESSION_GO_ON;
}

enum session_event
session_step(struct session *s, const char *in, size_t len, size_t *used)
{
	enum session_event event = SESSION_GO_ON;

	*used = 0;
	while (event == SESSION_GO_ON) {
		size_t n = 0;

		if (s->out.failed)
			close_session(s);
		event = due(s);
		if (event == SESSION_GO_ON)
			event = take(s, in + *used, len - *used, &n);
		*used += n;
	}
	return event;
}

void
session_init(struct session *s, const struct session_params *params)
{
	*s = (struct session){
		.params = params,
		.state = SESSION_START,
		.out = BUF_INIT(SESSION_OUT_MAX),
		.env = ENVELOPE_INIT,
		.mode = MODE_COMMAND,
	};
}

void
session_free(struct session *s)
{
	envelope_reset(&s->env);
	buf_free(&s->out);
	free(s->due);
	s->due = NULL;
	s->ndue = 0;
}

void
session_greet(struct session *s, const char *refusal)
{
	if (refusal == NULL) {
		buf_addf(&s->out, "220 %s ESMTP bmx\r\n", s->params->hostname);
		return;
	}
	say(s, refusal);
	if (refusal[0] == '4')
		close_session(s);
	else
		s->state = SESSION_TURNED_AWAY;
}

/* ---- answers ---- */

static void
answer_mail(struct session *s, const char *reply, bool yes)
{
	if (!yes) {
		forget_envelope(s);
		refuse(s, reply);
		return;
	}
	s->state = SESSION_MAIL;
	say(s, reply);
}

static void
answer_rcpt(struct session *s, const char *reply, bool yes)
{
	struct err e = ERR_INIT;

	if (!yes) {
		refuse(s, reply);
		return;
	}
	if (envelope_add(&s->env, &s->rcpt, &e) == -1) {
		refuse(s, no_memory);
		return;
	}
	s->state = SESSION_RCPT;
	say(s, reply);
}

bool
session_later(struct session *s)
{
	if (s->mode != MODE_ASKING || s->asked != SESSION_ASK_RCPT)
		return false;
	if (s->due == NULL)
		s->due = calloc(SESSION_DUE_MAX, sizeof *s->due);
	if (s->due == NULL)
		return false;
	s->due[s->ndue++] = s->rcpt;
	s->mode = MODE_COMMAND;
	return true;
}

/* The first of those that were put off. */
static void
answer_due(struct session *s, const char *reply, bool yes)
{
	s->ndue--;
	memmove(s->due, s->due + 1, s->ndue * sizeof *s->due);
	snprintf(s->refused_rcpt, sizeof s->refused_rcpt, "RCPT TO:<%s>",
	    s->rcpt.forward_path.text);
	s->is_rcpt_refused = true;
	answer_rcpt(s, reply, yes);
}

static void
answer_data(struct session *s, const char *reply, bool yes)
{
	s->is_open = yes;
	s->is_doomed = false;
	if (s->state == SESSION_BDAT) {
		s->mode = MODE_CHUNK;
		if (!yes)
			copy_reply(s->refusal, reply);
	} else if (yes) {
		s->mode = MODE_DATA;
		say(s, go_ahead);
	} else {
		end_transaction(s);
		refuse(s, reply);
	}
}

static void
answer_end(struct session *s, const char *reply, bool yes)
{
	end_transaction(s);
	if (!yes) {
		refuse(s, reply);
		return;
	}
	s->messages++;
	s->errors = s->junk = s->deferrals = 0;
	say(s, reply);
}

static void
answer_tls(struct session *s, const char *reply, bool yes)
{
	if (!yes) {
		refuse(s, reply);
		return;
	}
	s->mode = MODE_TLS;
	say(s, reply);
}

/* As in a new session, to the greeting. */
static void
answer_xclient(struct session *s, const char *reply, bool yes)
{
	if (!yes) {
		refuse(s, reply);
		return;
	}
	if (!s->has_front)
		s->front = s->env.client;
	s->has_front = true;
	s->env.client = s->xclient;
	s->state = SESSION_START;
	s->is_esmtp = false;
	session_greet(s, NULL);
}

void
session_answer(struct session *s, const char *reply)
{
	bool yes = reply[0] == '2' || reply[0] == '3';

	if (s->mode != MODE_ASKING)
		return;
	s->mode = MODE_COMMAND;
	if (strncmp(reply, "421", 3) == 0)
		refuse_and_close(s, reply);
	else if (s->asked == SESSION_ASK_MAIL)
		answer_mail(s, reply, yes);
	else if (s->asked == SESSION_ASK_RCPT)
		answer_rcpt(s, reply, yes);
	else if (s->asked == SESSION_ASK_DUE)
		answer_due(s, reply, yes);
	else if (s->asked == SESSION_ASK_DATA)
		answer_data(s, reply, yes);
	else if (s->asked == SESSION_ASK_END)
		answer_end(s, reply, yes);
	else if (s->asked == SESSION_ASK_XCLIENT)
		answer_xclient(s, reply, yes);
	else if (s->asked == SESSION_ASK_TLS)
		answer_tls(s, reply, yes);
	else if (yes)
		say(s, reply);
	else
		refuse(s, reply);
}

void
session_secured(struct session *s)
{
	end_transaction(s);
	s->state = SESSION_START;
	s->is_esmtp = false;
	s->is_secured = true;
	if (s->has_front)
		s->env.client = s->front;
	s->has_front = false;
	s->env.client.helo[0] = '\0';
	s->mode = MODE_COMMAND;
}

bool
session_in_message(const struct session *s)
{
	return session_in_content(s) || s->state == SESSION_BDAT;
}

bool
session_in_line(const struct session *s)
{
	return s->mode == MODE_COMMAND &&
	       (s->line_len > 0 || s->line_skipping || s->line_cr);
}

bool
session_in_content(const struct session *s)
{
	return s->mode == MODE_DATA || s->mode == MODE_CHUNK;
}

enum session_event
session_end(struct session *s, const char *reply)
{
	bool was_open = s->is_open;

	if (reply != NULL && s->mode != MODE_CLOSED)
		say(s, reply);
	close_session(s);
	s->is_open = s->is_doomed = s->has_refused = false;
	return was_open ? SESSION_DISCARD : SESSION_CLOSE;
}
