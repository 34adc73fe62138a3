/*
 * lib/smtp/client against a primary that says anything at any time. The first
 * CHOICES bytes choose the message and how it is sent; the rest is what the
 * primary says, in turns that end in SAY_NEXT: the first is its greeting, each
 * other one comes with something that we write. Whatever it says, our commands
 * are whole lines, each has one reply and the right one, no transaction is left
 * open, and mail counts as taken only by a 2yz that was said when all of it was
 * there.
 *
 * libFuzzer: -max_len=8192
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "smtp/client.h"

#define CHOICES 6
#define SAY_NEXT 0xff
#define RCPTS_MAX 8
#define WRITTEN_MAX (1 << 20)
#define TURNS_MAX 1024
#define REPLIES_MAX 4096

/* bits of the first choice */
enum choice {
	LMTP = 1 << 0,
	STEP_BY_STEP = 1 << 1,
	XCLIENT = 1 << 2,
	IDENTITY = 1 << 3,
	CLOSED = 1 << 4, /* behind the last turn; else silence */
	TWICE = 1 << 5,
	PROVEN = 1 << 6,
};

/* bits of the second */
enum needs { UTF8 = 1 << 0, EIGHT_BIT = 1 << 1, REQUIRETLS = 1 << 2 };

struct said_reply {
	int code;
	size_t at; /* in all that was said */
};

struct story {
	struct fake fake;
	const uint8_t *script, *script_end;
	struct buf said, written;
	struct {
		size_t said, written; /* when it began */
	} turn[TURNS_MAX];
	size_t nturns;
	struct client c;
	struct said_reply heard[REPLIES_MAX];
	size_t nheard;
	size_t begun; /* heard before this transaction */
	size_t extra; /* more than one to the same content, of LMTP */
	bool is_open; /* the primary has a transaction that has not ended */
	bool is_lmtp;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the primary ---- */

static void
say_next(struct story *s)
{
	size_t left = (size_t)(s->script_end - s->script);
	const uint8_t *end = memchr(s->script, SAY_NEXT, left);
	size_t len = end == NULL ? left : (size_t)(end - s->script);

	if (left == 0 || s->nturns == TURNS_MAX)
		return;
	s->turn[s->nturns].said = s->said.len;
	s->turn[s->nturns++].written = s->written.len;
	buf_add(&s->said, s->script, len);
	fake_say(&s->fake, (const char *)s->script, len);
	s->script += len + (end != NULL);
}

static void
hear(struct fake *f, const char *data, size_t len)
{
	struct story *s = (struct story *)f;

	buf_add(&s->written, data, len);
	say_next(s);
}

/* ---- what was said, as far as the client has read it ---- */

static size_t
consumed(const struct story *s)
{
	size_t buffered = 0;

	if (s->c.conn != NULL)
		conn_buffered(s->c.conn, &buffered);
	return s->said.len - s->fake.said.len - buffered;
}

static void
read_heard(struct story *s)
{
	const char *p = s->said.data, *end = p + consumed(s), *lf;
	bool is_first = true;

	s->nheard = 0;
	for (; p < end; p = lf + 1) {
		lf = memchr(p, '\n', (size_t)(end - p));
		assert(lf != NULL && lf - p >= 3 && s->nheard < REPLIES_MAX);
		if (is_first)
			s->heard[s->nheard++] = (struct said_reply){ atoi(p),
				(size_t)(p - s->said.data) };
		is_first = p[3] != '-';
	}
	assert(is_first);
}

/* How much the primary had of us when it said that. */
static size_t
written_at(const struct story *s, const struct said_reply *r)
{
	size_t turn = 0;

	while (turn + 1 < s->nturns && s->turn[turn + 1].said <= r->at)
		turn++;
	return s->turn[turn].written;
}

/* ---- what was written ---- */

/* Past the content behind a command: as it is, or up to its dot. reply is the
 * code that DATA got. */
static const char *
skip_content(const char *p, const char *end, const char *command, int reply)
{
	unsigned long long size;
	const char *dot;

	if (sscanf(command, "BDAT %llu LAST", &size) == 1) {
		assert((size_t)(end - p) >= size);
		return p + size;
	}
	if (strcmp(command, "DATA") != 0 || reply / 100 != 3)
		return p;
	if (end - p >= 3 && memcmp(p, ".\r\n", 3) == 0)
		return p;
	dot = memmem(p, (size_t)(end - p), "\r\n.\r\n", 5);
	return dot == NULL ? p : dot + 2;
}

static void
assert_command(const char *line, size_t len)
{
	static const char *const verbs[] = { "EHLO ", "LHLO ", "HELO ",
		"MAIL FROM:<", "RCPT TO:<", "DATA", "BDAT ", "RSET", "QUIT",
		"XCLIENT ", "XFORWARD ", "." };
	bool is_known = false;

	assert(len + 2 <= SMTP_COMMAND_MAX);
	for (size_t i = 0; i < len; i++)
		assert((unsigned char)line[i] >= ' ' && line[i] != 0x7f);
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		is_known =
		    is_known || strncmp(line, verbs[i], strlen(verbs[i])) == 0;
	assert(is_known);
}

/* The reply to RCPT of recipient i is the one that it has. */
static void
assert_answer(const struct story *s, const struct client_outcome *o, size_t i,
    size_t reply)
{
	int code = s->heard[reply].code;

	if (reply >= s->begun && o[i].is_of_rcpt)
		assert(o[i].reply.code == (code == 552 ? 452 : code));
}

static void
follow(struct story *s, const char *line, int reply)
{
	if (strncmp(line, "MAIL", 4) == 0)
		s->is_open = reply / 100 == 2;
	if (strcmp(line, "RSET") == 0 || strcmp(line, ".") == 0 ||
	    strncmp(line, "BDAT", 4) == 0)
		s->is_open = false;
	if (strcmp(line, "DATA") == 0 && reply / 100 == 3)
		s->is_open = true;
}

/*
 * Every command with its reply: the greeting is the first, a chunk's comes
 * behind its content, the dot is one too. The replies that are due so far.
 */
static size_t
read_written(struct story *s, const struct client_outcome *o)
{
	const char *p = s->written.data, *end = p + s->written.len, *lf;
	char line[SMTP_COMMAND_MAX];
	size_t due = 1, nrcpt = 0;

	s->is_open = false;
	while (p < end) {
		lf = memchr(p, '\n', (size_t)(end - p));
		assert(lf != NULL && lf > p && lf[-1] == '\r');
		snprintf(line, sizeof line, "%.*s", (int)(lf - 1 - p), p);
		assert_command(line, (size_t)(lf - 1 - p));
		assert(due < s->nheard);
		if (strncmp(line, "RCPT", 4) == 0)
			assert_answer(s, o, nrcpt++, due);
		else
			nrcpt = 0;
		follow(s, line, s->heard[due].code);
		p = skip_content(lf + 1, end, line, s->heard[due].code);
		due++;
	}
	return due + s->extra;
}

/* ---- a transaction ---- */

static void
make_envelope(struct envelope *env, const uint8_t *choices)
{
	static const char from[] = "a@b.example";
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_FAILURE,
		.orcpt = "rfc822;c+2B@example.com" };
	char to[64];
	struct err e = ERR_INIT;

	assert(addr_parse(from, strlen(from), &env->mail.reverse_path, &e) ==
	       0);
	env->mail.body =
	    choices[1] & EIGHT_BIT ? SMTP_BODY_8BITMIME : SMTP_BODY_NONE;
	env->mail.requiretls = (choices[1] & REQUIRETLS) != 0;
	env->mail.smtputf8 = (choices[1] & UTF8) != 0;
	env->mail.ret = SMTP_RET_HDRS;
	snprintf(env->mail.envid, sizeof env->mail.envid, "e+2B");
	snprintf(env->client.addr, sizeof env->client.addr, "2001:db8::1");
	snprintf(env->client.helo, sizeof env->client.helo, "c=+ .example");
	env->client.port = 1;
	for (int i = 0; i < 1 + choices[3] % RCPTS_MAX; i++) {
		snprintf(to, sizeof to, "r%d@example.com", i);
		assert(addr_parse(to, strlen(to), &r.forward_path, &e) == 0);
		assert(envelope_add(env, &r, &e) == 0);
	}
}

static void
make_content(struct buf *b, unsigned choice)
{
	static const unsigned lines[] = { 0, 1, 40, 2000 };

	for (unsigned i = 0; i < lines[choice % 4]; i++)
		buf_addf(b, "%s line\r\n", i % 3 == 0 ? "." : "a");
	if (choice & 4)
		buf_puts(b, "no line end");
}

static void
assert_failed(const struct err *e)
{
	assert(e->class != ERR_NONE && e->text[0] != '\0');
	for (const char *p = e->text; *p != '\0'; p++)
		assert(*p >= 0x20 && *p < 0x7f);
}

/* How many were accepted; 0: the transaction is over; -1: the session. */
static long
begin_by_steps(struct story *s, const struct envelope *env, size_t size)
{
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NONE };
	struct client *c = &s->c;
	struct err e = ERR_INIT;
	long n = 0;

	if (client_mail(c, &env->mail, size, &e) == -1)
		return -1;
	if (c->reply.code >= 400)
		return 0;
	for (size_t i = 0; i < env->nrcpt; i++) {
		r.forward_path = env->rcpts[i].addr;
		if (client_rcpt(c, &r, &e) == -1)
			return -1;
		n += smtp_reply_ok(&c->reply);
		assert(c->is_mail_taken || !smtp_reply_ok(&c->reply));
	}
	if (n == 0)
		return client_reset(c, &e);
	if (client_data(c, &e) == -1)
		return -1;
	return c->reply.code / 100 == 3 ? n : client_reset(c, &e);
}

/* What the primary had when it could first have taken the message, or -1. */
static long
send_content(struct story *s, const struct buf *content)
{
	const size_t piece = 30000;
	struct err e = ERR_INIT;
	size_t mark = s->written.len;

	for (size_t at = 0; at < content->len; at += piece) {
		size_t left = content->len - at;

		mark = s->written.len;
		if (client_send(&s->c, content->data + at,
			left < piece ? left : piece, &e) == -1) {
			assert_failed(&e);
			return -1;
		}
	}
	return (long)(s->c.is_chunk ? mark : s->written.len);
}

/*
 * The message counts as taken: the replies to it are 2yz, the last that were
 * heard, and none was said before mark. (In LMTP each recipient has one.)
 */
static void
assert_taken(struct story *s, const struct client_outcome *o, long accepted,
    long mark)
{
	size_t replies = s->is_lmtp && o != NULL ? (size_t)accepted : 1;
	size_t i = s->nheard - replies;

	assert(replies <= s->nheard);
	for (size_t k = 0; o != NULL && k < RCPTS_MAX; k++) {
		if (!o[k].accepted)
			continue;
		assert(o[k].is_final);
		assert(o[k].reply.code == s->heard[i].code);
		if (o[k].reply.code / 100 == 2)
			assert(written_at(s, &s->heard[i]) > (size_t)mark);
		i += s->is_lmtp;
	}
	if (o == NULL && smtp_reply_ok(&s->c.reply))
		assert(written_at(s, &s->heard[i]) > (size_t)mark);
}

/* False: the session is over. */
static bool
transact(struct story *s, const struct envelope *env, const struct buf *content,
    bool by_steps)
{
	struct client_outcome outcomes[RCPTS_MAX];
	const struct client_outcome *o = by_steps ? NULL : outcomes;
	bool send[RCPTS_MAX], lost;
	struct err e = ERR_INIT;
	long n, mark;

	memset(send, true, sizeof send);
	memset(outcomes, 0, sizeof outcomes);
	read_heard(s);
	s->begun = s->nheard;
	n = by_steps
		? begin_by_steps(s, env, content->len)
		: client_begin(&s->c, env, send, content->len, outcomes, &e);
	if (n == -1)
		return false;
	read_heard(s);
	assert(read_written(s, outcomes) == s->nheard);
	assert(s->is_open == (n > 0));
	if (n == 0)
		return true;
	mark = send_content(s, content);
	if (mark == -1 || client_end(&s->c, &lost, &e) == -1)
		return false;
	s->extra += s->is_lmtp && !by_steps ? (size_t)n - 1 : 0;
	read_heard(s);
	assert(read_written(s, outcomes) == s->nheard);
	assert_taken(s, o, n, mark);
	return true;
}

/* Up to where mail can be sent. */
static bool
open_session(struct story *s, const struct envelope *env,
    const uint8_t *choices)
{
	struct client *c = &s->c;
	struct err e = ERR_INIT;

	if (client_greet(c, &e) == -1 || !smtp_reply_ok(&c->reply))
		return false;
	if (client_hello(c, &e) == -1 || !smtp_reply_ok(&c->reply))
		return false;
	c->is_authenticated = (choices[0] & PROVEN) != 0;
	return !(choices[0] & IDENTITY) ||
	       client_identity(c, &env->client, &e) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct story s;
	const struct client_params params = { .helo = "mx2.example.net",
		.deadline_ms = 1,
		.xclient = size > 0 && (data[0] & XCLIENT) };
	struct envelope env = ENVELOPE_INIT;
	struct buf content = BUF_INIT(WRITTEN_MAX);

	if (size < CHOICES)
		return 0;
	s = (struct story){ .fake = { .hear = hear,
				.piece = data[2],
				.is_closed = (data[0] & CLOSED) != 0 },
		.script = data + CHOICES,
		.script_end = data + size,
		.said = BUF_INIT(WRITTEN_MAX),
		.written = BUF_INIT(WRITTEN_MAX),
		.is_lmtp = (data[0] & LMTP) != 0 };
	make_envelope(&env, data);
	make_content(&content, data[4]);
	s.c.params = &params;
	s.c.is_lmtp = s.is_lmtp;
	s.c.conn = fake_connect(&s.fake);
	say_next(&s);
	if (open_session(&s, &env, data) &&
	    transact(&s, &env, &content, data[0] & STEP_BY_STEP) &&
	    (data[0] & TWICE))
		transact(&s, &env, &content, data[0] & STEP_BY_STEP);
	client_quit(&s.c);
	buf_free(&content);
	buf_free(&s.fake.said);
	buf_free(&s.said);
	buf_free(&s.written);
	envelope_reset(&env);
	return 0;
}
