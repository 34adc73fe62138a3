/*
 * The session machine under libFuzzer: the first CHOICES bytes choose the
 * limits, how the rest is cut into reads and what the caller answers; the
 * rest is what the client sends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bmx-receive/session.h"

#define CHOICES 16

struct caller {
	const uint8_t *choices;
	size_t at;
	bool is_open; /* a message: ASK_DATA had a yes */
	uint64_t committed;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
insist(bool truth)
{
	if (!truth)
		abort();
}

static uint8_t
choose(struct caller *c)
{
	return c->choices[c->at++ % CHOICES];
}

/* Mostly yes, or no dialogue gets far. */
static const char *
answer(struct caller *c, const char *yes)
{
	switch (choose(c)) {
	case 1:
		return "550 5.7.1 No";
	case 2:
		return "451 4.3.0 Later";
	case 3:
		return "421 4.3.2 Bye";
	case 4:
		return "452 4.5.3 Enough";
	default:
		return yes;
	}
}

/* Every line has a code, and an enhanced code of its class where RFC 2034
 * wants one. */
static void
check_replies(const struct buf *out)
{
	const char *p = out->data;

	insist(out->len <= SESSION_OUT_MAX && strlen(p) == out->len);
	while (*p != '\0') {
		const char *end = strstr(p, "\r\n");

		insist(end != NULL && end - p >= 4);
		insist(end - p <= SESSION_REPLY_MAX - 2);
		insist(strchr("2345", p[0]) != NULL);
		insist(p[3] == ' ' || p[3] == '-');
		if ((p[0] == '4' || p[0] == '5') &&
		    strncmp(p, "501 Say", 7) != 0)
			insist(p[4] == p[0] && p[5] == '.');
		p = end + 2;
	}
}

static void
react(struct session *s, struct caller *c, enum session_event event)
{
	const char *reply;

	switch (event) {
	case SESSION_ASK_MAIL:
		session_answer(s, answer(c, "250 2.1.0 OK"));
		break;
	case SESSION_ASK_RCPT:
	case SESSION_ASK_DUE:
		insist(s->rcpt.forward_path.len > 0);
		if (event == SESSION_ASK_RCPT && s->rcpt.forward_path.len % 2 &&
		    session_later(s))
			break;
		if (event == SESSION_ASK_RCPT && s->ndue > 0) {
			insist(session_later(s)); /* behind others */
			break;
		}
		session_answer(s, answer(c, "250 2.1.5 OK"));
		break;
	case SESSION_ASK_DATA:
		insist(!c->is_open && s->env.nrcpt > 0);
		reply = answer(c, "250 2.0.0 OK");
		c->is_open = reply[0] == '2';
		c->committed = 0;
		session_answer(s, reply);
		break;
	case SESSION_ASK_END:
		insist(c->is_open && c->committed == s->content_len);
		c->is_open = false;
		session_answer(s, answer(c, "250 2.0.0 Queued"));
		break;
	case SESSION_ASK_ETRN:
		insist(strlen(s->etrn) < sizeof s->etrn && s->etrn[0] != '\0');
		session_answer(s, answer(c, "250 2.0.0 OK"));
		break;
	case SESSION_ASK_XCLIENT:
		insist(strlen(s->xclient.addr) < sizeof s->xclient.addr);
		session_answer(s, answer(c, "220 "));
		break;
	case SESSION_ASK_TLS:
		session_answer(s, answer(c, "220 2.0.0 Ready"));
		break;
	case SESSION_CONTENT:
		insist(c->is_open && s->content.len > 0);
		c->committed += s->content.len;
		break;
	case SESSION_DISCARD:
		insist(c->is_open);
		c->is_open = false;
		break;
	case SESSION_REFUSED:
		insist(s->reply[0] == '4' || s->reply[0] == '5');
		insist(memchr(s->line, '\0', sizeof s->line) != NULL);
		break;
	case SESSION_FLUSH:
	case SESSION_NEED_INPUT:
	case SESSION_CLOSE:
		check_replies(&s->out);
		buf_reset(&s->out);
		break;
	case SESSION_STARTTLS:
		check_replies(&s->out);
		buf_reset(&s->out);
		session_secured(s);
		break;
	case SESSION_GO_ON:
		abort();
	}
}

/* One read. False when the session is over. */
static bool
deliver(struct session *s, struct caller *c, const uint8_t *in, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum session_event event;
	size_t taken = 0, used, idle = 0, due;

	insist(copy != NULL);
	memcpy(copy, in, len);
	do {
		due = s->ndue;
		event = session_step(s, copy + taken, len - taken, &used);
		taken += used;
		insist(taken <= len);
		react(s, c, event);
		idle = used > 0 || s->ndue < due ? 0 : idle + 1;
		insist(idle < 8); /* it always gets on */
	} while (event != SESSION_NEED_INPUT && event != SESSION_CLOSE);
	insist(event == SESSION_CLOSE || taken == len);
	free(copy);
	return event != SESSION_CLOSE;
}

static void
check_end(struct session *s, struct caller *c)
{
	enum session_event event = session_end(s, "421 4.3.2 Bye");
	size_t used;

	insist((event == SESSION_DISCARD) == c->is_open);
	insist(session_step(s, "NOOP\r\n", 6, &used) == SESSION_CLOSE);
	insist(used == 0);
	check_replies(&s->out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct session_params params = { .hostname = "mx2.example.net" };
	struct caller c = { .choices = data };
	struct session s;
	size_t piece, len;

	if (size < CHOICES)
		return 0;
	params.max_size = choose(&c);
	params.max_recipients = choose(&c);
	params.max_errors = choose(&c);
	params.max_junk = choose(&c);
	params.max_messages = choose(&c) % 8;
	params.exts = choose(&c) % 2 == 0 ? 2 * SMTP_EXT_XCLIENT - 1 : 0;
	piece = choose(&c);
	session_init(&s, &params);
	session_greet(&s, NULL);
	for (size_t at = CHOICES; at < size; at += len) {
		len = piece == 0 || size - at < piece ? size - at : piece;
		if (!deliver(&s, &c, data + at, len))
			break;
	}
	check_end(&s, &c);
	session_free(&s);
	return 0;
}
