#include "smtp/client.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/client_commands.h"
#include "smtp/client_wire.h"

/*
 * Commands sent ahead of their replies. What we send and what comes back must
 * fit in the windows of both sides, or each waits for the other to read (RFC
 * 2920 section 3.1).
 */
#define GROUP_MAX 100

/*
 * The commands of a transaction are steps: MAIL, the recipients, DATA. Some
 * are said ahead of their replies, all are heard in order.
 */
struct transaction {
	struct client *c;
	const struct envelope *env;
	const bool *send;
	uint64_t size;
	struct client_outcome *outcomes;
	size_t nrcpt;               /* recipients attempted */
	size_t said, heard;         /* steps */
	size_t say_rcpt, hear_rcpt; /* the next recipient to say, to hear */
	size_t accepted;
	bool mail_refused;
	bool is_chunk;  /* BDAT, which gets no reply of its own: no step */
	bool data_open; /* 354: the server waits for content */
};

static size_t
steps(const struct transaction *t)
{
	return t->nrcpt + (t->is_chunk ? 1 : 2);
}

static size_t
next_rcpt(const struct transaction *t, size_t i)
{
	while (i < t->env->nrcpt && !t->send[i])
		i++;
	return i;
}

/* Empty the outcomes, count the recipients to attempt. */
static void
prepare(struct transaction *t)
{
	static const struct client_outcome none = { .reply = SMTP_REPLY_INIT };
	unsigned most = t->c->offer.rcpt_max;

	for (size_t i = 0; i < t->env->nrcpt; i++) {
		if (!t->send[i])
			continue;
		t->outcomes[i] = none;
		if (most == 0 || t->nrcpt < most)
			t->nrcpt++;
	}
	t->say_rcpt = t->hear_rcpt = next_rcpt(t, 0);
}

/* One reply decides for every recipient that was attempted. */
static void
decide_all(const struct transaction *t, const struct smtp_reply *r)
{
	size_t left = t->nrcpt;

	for (size_t i = next_rcpt(t, 0); left > 0; i = next_rcpt(t, i + 1)) {
		t->outcomes[i] = (struct client_outcome){ .reply = *r };
		left--;
	}
}

/* DATA was refused: so were the recipients that RCPT had accepted. */
static void
decide_accepted(struct transaction *t, const struct smtp_reply *r)
{
	for (size_t i = 0; i < t->env->nrcpt; i++)
		if (t->send[i] && t->outcomes[i].accepted)
			t->outcomes[i] = (struct client_outcome){ .reply = *r };
	t->accepted = 0;
}

static bool
needs_utf8(const struct transaction *t)
{
	if (t->env->mail.smtputf8 || t->env->mail.reverse_path.is_utf8)
		return true;
	for (size_t i = 0; i < t->env->nrcpt; i++)
		if (t->send[i] && t->env->rcpts[i].addr.is_utf8)
			return true;
	return false;
}

/* Say the next step. */
static int
say_step(struct transaction *t, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	const struct envelope_rcpt *r;
	int rc;

	if (t->said == 0) {
		commands_mail(&line, t->c, &t->env->mail, t->size,
		    needs_utf8(t));
		t->c->transactions++;
	} else if (t->said <= t->nrcpt) {
		r = &t->env->rcpts[t->say_rcpt];
		commands_rcpt(&line, t->c, &r->addr, r->notify, r->orcpt);
		t->say_rcpt = next_rcpt(t, t->say_rcpt + 1);
	} else {
		buf_puts(&line, "DATA");
	}
	t->said++;
	rc = wire_say(t->c, &line, e);
	buf_free(&line);
	return rc;
}

static void
take_rcpt(struct transaction *t)
{
	struct client_outcome *o = &t->outcomes[t->hear_rcpt];

	t->hear_rcpt = next_rcpt(t, t->hear_rcpt + 1);
	if (t->mail_refused)
		return; /* MAIL's reply is the reason; this one follows from it */
	o->reply = t->c->reply;
	commands_settle_rcpt(&o->reply);
	o->accepted = smtp_reply_ok(&o->reply);
	o->is_of_rcpt = true;
	t->accepted += o->accepted;
}

/* Hear the next step's reply. */
static int
hear_step(struct transaction *t, struct err *e)
{
	struct client *c = t->c;
	size_t step = t->heard++;

	if (step == 0) {
		if (wire_expect(c, "MAIL", SMTP_MAIL_TIMEOUT_S, e) == -1)
			return -1;
		t->mail_refused = !smtp_reply_ok(&c->reply);
		if (t->mail_refused)
			decide_all(t, &c->reply);
		return 0;
	}
	if (step <= t->nrcpt) {
		if (wire_expect(c, "RCPT", SMTP_RCPT_TIMEOUT_S, e) == -1)
			return -1;
		take_rcpt(t);
		return 0;
	}
	if (wire_read_reply(c, "DATA", false, 3, SMTP_DATA_TIMEOUT_S, e) == -1)
		return -1;
	t->data_open = !wire_is_refusal(&c->reply);
	return 0;
}

/* Whether anything is left to say, as far as the replies heard tell: after a
 * refused MAIL no RCPT, without a recipient no DATA. */
static bool
may_say(const struct transaction *t)
{
	if (t->said == steps(t) || t->mail_refused)
		return false;
	return t->said <= t->nrcpt || t->heard < t->said || t->accepted > 0;
}

/* All was answered: what has come behind that answers nothing. */
static int
expect_no_more(struct client *c, struct err *e)
{
	size_t len;

	conn_buffered(c->conn, &len);
	return len == 0 ? 0 : client_expect_silence(c, e);
}

/* Say and hear all of it, in groups where the server takes groups. */
static int
converse(struct transaction *t, struct err *e)
{
	size_t group =
	    commands_offered(t->c, SMTP_EXT_PIPELINING) ? GROUP_MAX : 1;

	while (may_say(t)) {
		while (t->said - t->heard < group && may_say(t))
			if (say_step(t, e) == -1)
				return -1;
		if (wire_flush(t->c, e) == -1)
			return -1;
		while (t->heard < t->said)
			if (hear_step(t, e) == -1)
				return -1;
		if (expect_no_more(t->c, e) == -1)
			return -1;
	}
	return 0;
}

/* The server wants content for no recipient at all: it gets none, and what it
 * says to that is of no interest (RFC 2920 3.1). */
static int
end_empty(struct client *c, struct err *e)
{
	int64_t until = wire_deadline(c, SMTP_BLOCK_TIMEOUT_S);

	if (c->is_lmtp) /* no recipient, no reply: RFC 2033 4.2 */
		return err_temp(e, "DATA: protocol error: 354 for nobody");
	if (conn_write(c->conn, ".\r\n", 3, until, e) == -1 ||
	    wire_flush(c, e) == -1)
		return -1;
	return wire_expect(c, "the lone dot", SMTP_END_TIMEOUT_S, e);
}

/* No content will follow: leave nothing open at the server. */
static int
give_up(struct transaction *t, struct err *e)
{
	if (t->data_open)
		return end_empty(t->c, e);
	return t->mail_refused ? 0 : client_reset(t->c, e);
}

/* "BDAT 1000 LAST": the whole content is one chunk. */
static int
announce_chunk(struct client *c, uint64_t size, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	int rc;

	buf_addf(&line, "BDAT %" PRIu64 " LAST", size);
	rc = wire_say(c, &line, e);
	buf_free(&line);
	c->is_chunk = true;
	c->chunk_left = size;
	if (size == 0)
		c->has_spoken_early = client_is_stale(c);
	return rc;
}

/* Some were accepted: content follows. */
static int
open_content(struct transaction *t, struct err *e)
{
	struct client *c = t->c;

	wire_begin_content(c);
	c->send = t->send;
	c->outcomes = t->outcomes;
	c->noutcomes = t->env->nrcpt;
	return t->is_chunk ? announce_chunk(c, t->size, e) : 0;
}

long
client_begin(struct client *c, const struct envelope *env, const bool *send,
    uint64_t size, struct client_outcome *outcomes, struct err *e)
{
	struct transaction t = { .c = c,
		.env = env,
		.send = send,
		.size = size,
		.outcomes = outcomes,
		.is_chunk = commands_offered(c, SMTP_EXT_CHUNKING) };
	const struct smtp_reply *lack;

	if (c->conn == NULL)
		return wire_not_open(e);
	prepare(&t);
	lack = commands_lacking(c, &env->mail, needs_utf8(&t));
	if (lack != NULL)
		decide_all(&t, lack);
	if (lack != NULL || t.nrcpt == 0)
		return 0;
	if (c->needs_reset && client_reset(c, e) == -1)
		return -1;
	if (converse(&t, e) == -1)
		return -1;
	if (!t.is_chunk && !t.data_open && t.accepted > 0)
		decide_accepted(&t, &c->reply);
	if (t.accepted == 0)
		return give_up(&t, e);
	return open_content(&t, e) == -1 ? -1 : (long)t.accepted;
}

/* A message without its end is none. */
static int
cut_off(struct client *c, const char *why, struct err *e)
{
	client_abort(c);
	return err_data(e, "%s", why);
}

static const char bare[] = "the message has a bare CR or LF";

/* The server has the message with the last byte: until then it can be cut
 * off. */
static int
send_chunk(struct client *c, const char *data, size_t len, struct err *e)
{
	bool is_last = len == c->chunk_left;

	if (len > c->chunk_left)
		return cut_off(c, "the message is longer than its size", e);
	if (!dot_is_clean(&c->dot, data, len) || (is_last && c->dot.after_cr))
		return cut_off(c, bare, e);
	c->chunk_left -= len;
	if (is_last)
		c->has_spoken_early = client_is_stale(c);
	if (conn_write(c->conn, data, len,
		wire_deadline(c, SMTP_BLOCK_TIMEOUT_S), e) == -1)
		return wire_write_failed(c, e);
	return 0;
}

int
client_send(struct client *c, const char *data, size_t len, struct err *e)
{
	struct dot_slice slice;
	bool is_bare = false, more;
	size_t used;

	if (c->conn == NULL)
		return wire_not_open(e);
	if (c->is_chunk)
		return send_chunk(c, data, len, e);
	do {
		more = dot_encode(&c->dot, data, len, &used, &slice, &is_bare);
		if (is_bare)
			return cut_off(c, bare, e);
		if (conn_write(c->conn, slice.data, slice.len,
			wire_deadline(c, SMTP_BLOCK_TIMEOUT_S), e) == -1)
			return wire_write_failed(c, e);
		data += used;
		len -= used;
	} while (more);
	return 0;
}

/*
 * Until the flush is through the server lacks the last bytes, of the dot or
 * of the chunk, so it has no message; after that only its reply can tell.
 */
int
client_finish(struct client *c, struct err *e)
{
	struct dot_slice dot = dot_finish(&c->dot);

	if (c->conn == NULL)
		return wire_not_open(e);
	if (c->is_chunk && c->chunk_left > 0)
		return cut_off(c, "the message is shorter than its size", e);
	if (!c->is_chunk)
		c->has_spoken_early = client_is_stale(c);
	if (!c->is_chunk &&
	    conn_write(c->conn, dot.data, dot.len,
		wire_deadline(c, SMTP_BLOCK_TIMEOUT_S), e) == -1)
		return wire_write_failed(c, e);
	if (wire_flush(c, e) == -1)
		return -1;
	c->is_finished = true;
	return 0;
}

/* A reply to the content. A server may give up before the end of it, but what it
 * said then took nothing: no message was there. */
static int
hear_verdict(struct client *c, struct err *e)
{
	if (wire_expect(c, "end of data", SMTP_END_TIMEOUT_S, e) == -1)
		return -1;
	if (!c->has_spoken_early || !smtp_reply_ok(&c->reply))
		return 0;
	err_temp(e, "%d came ahead of the end of data", c->reply.code);
	e->sys = EPROTO;
	return -1;
}

/* The reply to the content, or in LMTP the replies (RFC 2033 4.2), to each of
 * those that were accepted. */
static int
hear_end(struct client *c, struct err *e)
{
	bool is_heard = false;

	for (size_t i = 0; i < c->noutcomes; i++) {
		struct client_outcome *o = &c->outcomes[i];

		if (!c->send[i] || !o->accepted)
			continue;
		if ((c->is_lmtp || !is_heard) && hear_verdict(c, e) == -1)
			return -1;
		is_heard = true;
		o->reply = c->reply;
		o->is_final = true;
		o->is_of_rcpt = false;
	}
	if (is_heard) /* else by client_mail(), client_rcpt() */
		return 0;
	return hear_verdict(c, e);
}

int
client_end(struct client *c, bool *lost, struct err *e)
{
	*lost = false;
	if (c->conn == NULL)
		return wire_not_open(e);
	if (!c->is_finished && client_finish(c, e) == -1)
		return -1;
	if (hear_end(c, e) == 0) {
		c->needs_reset = c->is_chunk && wire_is_refusal(&c->reply);
		return 0;
	}
	*lost = c->reply.code != 421;
	return -1;
}

int
client_reset(struct client *c, struct err *e)
{
	if (c->conn == NULL)
		return wire_not_open(e);
	if (wire_command(c, "RSET", "", e) == -1 ||
	    wire_expect(c, "RSET", SMTP_COMMAND_TIMEOUT_S, e) == -1)
		return -1;
	c->needs_reset = false;
	return smtp_reply_ok(&c->reply) ? 0 : wire_server_said(c, "RSET", e);
}
