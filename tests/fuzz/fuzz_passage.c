/*
 * What was accepted is what is sent: a client's dialogue goes into the real
 * server engine; what that accepts through the real envelope writer and reader,
 * as in the spool; and through the real client engine to a receiver that
 * forgives nothing. Paths, parameters and every byte are the same at both ends,
 * and no dialogue makes one message into two. The first CHOICES bytes choose
 * what the primary offers and how bytes are cut; the rest is the dialogue.
 *
 * libFuzzer: -max_len=8192
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bmx-receive/session.h"
#include "fake.h"
#include "mail/trace.h"
#include "smtp/client.h"
#include "strict.h"

#define CHOICES 16 /* as fuzz_session has them, whose seeds are good here */
#define CONTENT_MAX (1 << 20)
#define ID "0123456789abcdefghijk"

/* bits of the first choice */
enum choice {
	NO_SIZE = 1 << 0,
	NO_8BITMIME = 1 << 1,
	NO_DSN = 1 << 2,
	NO_SMTPUTF8 = 1 << 3,
	NO_REQUIRETLS = 1 << 4,
	NO_CHUNKING = 1 << 5,
	NO_PIPELINING = 1 << 6,
	STEP_BY_STEP = 1 << 7, /* as live relay sends */
};

struct passage {
	const uint8_t *choices;
	struct session s;
	struct buf content; /* of the message that is accepted now */
};

struct primary {
	struct fake fake;
	struct strict strict;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the primary ---- */

static void
hear(struct fake *f, const char *data, size_t len)
{
	strict_take(&((struct primary *)f)->strict, data, len);
}

static void
reply(void *arg, const char *line)
{
	fake_say(arg, line, strlen(line));
}

static void
open_primary(struct primary *p, const uint8_t *choices)
{
	unsigned no = choices[0];

	*p = (struct primary){
		.fake = { .hear = hear, .piece = choices[1] },
		.strict = { .has_size = !(no & NO_SIZE),
		    .has_8bitmime = !(no & NO_8BITMIME),
		    .has_dsn = !(no & NO_DSN),
		    .has_smtputf8 = !(no & NO_SMTPUTF8),
		    .has_requiretls = !(no & NO_REQUIRETLS),
		    .has_chunking = !(no & NO_CHUNKING),
		    .has_pipelining = !(no & NO_PIPELINING),
		    .is_lmtp = (choices[2] & 1) && !(no & STEP_BY_STEP),
		    .reply = reply },
	};
	p->strict.arg = &p->fake;
	strict_init(&p->strict);
}

/* ---- sending ---- */

static bool
needs_utf8(const struct envelope *env)
{
	for (size_t i = 0; i < env->nrcpt; i++)
		if (env->rcpts[i].addr.is_utf8)
			return true;
	return env->mail.smtputf8 || env->mail.reverse_path.is_utf8;
}

/* The primary cannot have this message. */
static bool
is_beyond(const struct strict *p, const struct envelope *env)
{
	return (env->mail.body == SMTP_BODY_8BITMIME && !p->has_8bitmime) ||
	       (needs_utf8(env) && !p->has_smtputf8) ||
	       (env->mail.requiretls && !p->has_requiretls);
}

/* As many as were accepted. */
static long
begin_by_steps(struct client *c, const struct envelope *env, uint64_t size)
{
	struct err e = ERR_INIT;

	assert(client_mail(c, &env->mail, size, &e) == 0);
	if (c->reply.code >= 400)
		return 0;
	for (size_t i = 0; i < env->nrcpt; i++) {
		const struct envelope_rcpt *to = &env->rcpts[i];
		struct smtp_rcpt r = { .forward_path = to->addr,
			.notify = to->notify };

		snprintf(r.orcpt, sizeof r.orcpt, "%s",
		    to->orcpt == NULL ? "" : to->orcpt);
		assert(client_rcpt(c, &r, &e) == 0 && c->is_mail_taken);
		assert(smtp_reply_ok(&c->reply));
	}
	assert(client_data(c, &e) == 0 && c->reply.code == 354);
	return (long)env->nrcpt;
}

static void
send_content(struct client *c, const char *content, size_t len, size_t piece)
{
	struct err e = ERR_INIT;
	bool lost;

	for (size_t at = 0; at < len; at += piece) {
		if (piece > len - at)
			piece = len - at;
		assert(client_send(c, content + at, piece, &e) == 0);
	}
	assert(client_finish(c, &e) == 0);
	assert(client_end(c, &lost, &e) == 0 && smtp_reply_ok(&c->reply));
}

/* True: the primary has it. */
static bool
send_message(struct primary *p, const struct envelope *env, const char *content,
    size_t len, const uint8_t *choices)
{
	static const struct client_params params = { .helo = "mx2.example.net",
		.deadline_ms = 1 };
	static struct client_outcome outcomes[ENVELOPE_RCPT_MAX];
	static bool send[ENVELOPE_RCPT_MAX];
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	long n;

	memset(send, true, sizeof send);
	c.params = &params;
	c.is_lmtp = p->strict.is_lmtp;
	c.conn = fake_connect(&p->fake);
	reply(&p->fake, "220 primary.example\r\n");
	assert(client_greet(&c, &e) == 0 && client_hello(&c, &e) == 0);
	c.is_authenticated = true;
	n = choices[0] & STEP_BY_STEP
		? begin_by_steps(&c, env, len)
		: client_begin(&c, env, send, len, outcomes, &e);
	assert(n == 0 || n == (long)env->nrcpt);
	if (n > 0)
		send_content(&c, content, len, 1 + choices[3]);
	client_quit(&c);
	assert(p->strict.state == STRICT_QUIT);
	for (long i = 0; i < n && !(choices[0] & STEP_BY_STEP); i++)
		assert(outcomes[i].is_final && outcomes[i].reply.code == 250);
	return n > 0;
}

/* ---- what the primary has ---- */

static void
assert_flag(const struct strict_path *p, const char *name, bool is_given)
{
	assert((strict_param(p, name) != NULL) == is_given);
}

static void
assert_word(const struct strict_path *p, const char *name, const char *value)
{
	const char *given = strict_param(p, name);

	assert(value == NULL ? given == NULL
			     : given != NULL && strcmp(given, value) == 0);
}

static void
assert_mail(const struct strict *p, const struct envelope *env, size_t len)
{
	static const char *const bodies[] = { NULL, "7BIT", "8BITMIME" };
	static const char *const rets[] = { NULL, "FULL", "HDRS" };
	const struct smtp_mail *m = &env->mail;
	char size[32];

	snprintf(size, sizeof size, "%zu", len);
	assert(strcmp(p->from.text, m->reverse_path.text) == 0);
	assert_word(&p->from, "SIZE", p->has_size ? size : NULL);
	assert_word(&p->from, "BODY", p->has_8bitmime ? bodies[m->body] : NULL);
	assert_word(&p->from, "RET", p->has_dsn ? rets[m->ret] : NULL);
	assert_word(&p->from, "ENVID",
	    p->has_dsn && m->envid[0] != '\0' ? m->envid : NULL);
	assert_flag(&p->from, "REQUIRETLS", m->requiretls);
	assert_flag(&p->from, "SMTPUTF8", needs_utf8(env));
}

/* NOTIFY, a set in any order. */
static void
assert_notify(const struct strict_path *p, unsigned notify)
{
	static const struct {
		unsigned bit;
		const char *word;
	} rows[] = { { SMTP_NOTIFY_NEVER, "NEVER" },
		{ SMTP_NOTIFY_SUCCESS, "SUCCESS" },
		{ SMTP_NOTIFY_FAILURE, "FAILURE" },
		{ SMTP_NOTIFY_DELAY, "DELAY" } };
	const char *given = strict_param(p, "NOTIFY");
	size_t len = 0;

	assert((given != NULL) == (notify != SMTP_NOTIFY_NONE));
	for (size_t i = 0; given != NULL && i < sizeof rows / sizeof *rows;
	     i++) {
		const char *at = strstr(given, rows[i].word);

		assert((at != NULL) == ((notify & rows[i].bit) != 0));
		if (at != NULL)
			len += strlen(rows[i].word) + (len > 0);
	}
	assert(given == NULL || strlen(given) == len);
}

static void
assert_received(const struct strict *p, const struct envelope *env,
    const char *content, size_t len)
{
	const char *got = p->content.data;
	size_t added = p->content.len - len;

	assert_mail(p, env, len);
	assert(p->nto == env->nrcpt && p->messages == 1);
	for (size_t i = 0; i < p->nto; i++) {
		const struct envelope_rcpt *r = &env->rcpts[i];

		assert(strcmp(p->to[i].text, r->addr.text) == 0);
		assert_notify(&p->to[i], p->has_dsn ? r->notify : 0);
		assert_word(&p->to[i], "ORCPT", p->has_dsn ? r->orcpt : NULL);
	}
	assert(p->content.len >= len && memcmp(got, content, len) == 0);
	if (added > 0) /* by DATA every line ends */
		assert(added == 2 && memcmp(got + len, "\r\n", 2) == 0 &&
		       content[len - 1] != '\n');
}

/* ---- a message is accepted ---- */

static void
pass_on(const struct passage *g)
{
	const struct envelope *env = &g->s.env;
	struct envelope back = ENVELOPE_INIT;
	struct buf file = BUF_INIT(ENVELOPE_MAX + CONTENT_MAX);
	struct primary p;
	struct err e = ERR_INIT;
	const char *content;
	size_t len;
	long n;

	assert(envelope_format(env, NULL, &file, &e) == 0);
	n = (long)file.len;
	trace_received(&file, env, "mx2.example.net", ID, NULL);
	buf_add(&file, g->content.data, g->content.len);
	assert(buf_check(&file, &e) == 0);
	assert(envelope_parse(&back, file.data, file.len, &e) == n);
	content = file.data + n;
	len = file.len - (size_t)n;
	open_primary(&p, g->choices);
	if (send_message(&p, &back, content, len, g->choices))
		assert_received(&p.strict, env, content, len);
	else
		assert(is_beyond(&p.strict, env) && p.strict.nto == 0 &&
		       p.strict.messages == 0);
	strict_free(&p.strict);
	buf_free(&p.fake.said);
	envelope_reset(&back);
	buf_free(&file);
}

/* The address stands in the command, with or without a source route. */
static void
assert_said(const char *line, const struct addr *a)
{
	char direct[ADDR_MAX + 3], routed[ADDR_MAX + 3];

	snprintf(direct, sizeof direct, "<%s>", a->text);
	snprintf(routed, sizeof routed, ":%s>", a->text);
	assert(strlen(a->text) == a->len);
	assert(strstr(line, direct) != NULL || strstr(line, routed) != NULL);
}

static const char *
judge_rcpt(const struct session *s, bool is_due)
{
	const struct addr *a = &s->rcpt.forward_path;

	if (!is_due)
		assert_said(s->line, a);
	return addr_domain(a)[0] == '\0' ? "550 5.1.1 Whose?" : "250 2.1.5 OK";
}

/* False: the session is over. */
static bool
react(struct passage *g, enum session_event event)
{
	struct session *s = &g->s;

	switch (event) {
	case SESSION_ASK_MAIL:
		assert_said(s->line, &s->env.mail.reverse_path);
		session_answer(s, "250 2.1.0 OK");
		break;
	case SESSION_ASK_RCPT:
		if (g->choices[4] % 2 == 0 || !session_later(s))
			session_answer(s, judge_rcpt(s, false));
		break;
	case SESSION_ASK_DUE:
		session_answer(s, judge_rcpt(s, true));
		break;
	case SESSION_ASK_DATA:
		buf_reset(&g->content);
		session_answer(s, "250 2.0.0 OK");
		break;
	case SESSION_ASK_END:
		pass_on(g);
		session_answer(s, "250 2.0.0 Queued");
		break;
	case SESSION_ASK_ETRN:
	case SESSION_ASK_XCLIENT:
	case SESSION_ASK_TLS:
		session_answer(s, "220 2.0.0 OK");
		break;
	case SESSION_CONTENT:
		buf_add(&g->content, s->content.data, s->content.len);
		break;
	case SESSION_STARTTLS:
		session_secured(s);
		break;
	case SESSION_DISCARD:
	case SESSION_REFUSED:
	case SESSION_GO_ON:
		break;
	case SESSION_FLUSH:
	case SESSION_NEED_INPUT:
		buf_reset(&s->out);
		break;
	case SESSION_CLOSE:
		return false;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_params params = {
		.hostname = "mx2.example.net",
		.max_recipients = STRICT_RCPT_MAX,
		.exts = 2 * SMTP_EXT_XCLIENT - 1,
	};
	struct passage g = { .choices = data,
		.content = BUF_INIT(CONTENT_MAX) };
	enum session_event event = SESSION_GO_ON;
	size_t piece, used;

	if (size < CHOICES)
		return 0;
	session_init(&g.s, &params);
	session_greet(&g.s, NULL);
	piece = data[5] == 0 ? size : data[5];
	for (size_t at = CHOICES; at < size && react(&g, event); at += used) {
		size_t left = size - at;

		event = session_step(&g.s, (const char *)data + at,
		    left < piece ? left : piece, &used);
	}
	while (react(&g, event) && event != SESSION_NEED_INPUT)
		event = session_step(&g.s, "", 0, &used);
	session_free(&g.s);
	buf_free(&g.content);
	return 0;
}
