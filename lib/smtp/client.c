#include "smtp/client.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

#define QUIT_TIMEOUT_S 5 /* for a reply that changes nothing */
#define GROUP_MAX                                                              \
	100 /* commands sent ahead of their replies: what we
				 send and what comes back fit in the windows of
				 both sides, so nobody waits for the other
				 (RFC 2920 3.1) */

static int64_t
deadline_in(const struct client_params *params, unsigned s)
{
	int64_t until = clock_monotonic_ms() + (int64_t)s * 1000;

	if (params->deadline_ms != 0 && params->deadline_ms < until)
		return params->deadline_ms;
	return until;
}

static int64_t
deadline(const struct client *c, unsigned rfc_s)
{
	unsigned s = c->params->reply_timeout_s;

	return deadline_in(c->params, s != 0 ? s : rfc_s);
}

static bool
is_refusal(const struct smtp_reply *r)
{
	return r->code / 100 == 4 || r->code / 100 == 5;
}

static int
not_open(struct err *e)
{
	return err_temp(e, "no connection");
}

/* ---- replies ---- */

/* The first line of a reply to EHLO: 250, a name, perhaps a greeting. */
static void
take_name(struct client *c, const char *line, size_t len)
{
	size_t skip = len < 4 ? len : 4, n = 0;

	while (skip + n < len && line[skip + n] != ' ')
		n++;
	text_printable(c->name, sizeof c->name, line + skip, n);
}

static void
take_offer(struct client *c, const char *line, size_t len)
{
	if (!smtp_reply_ok(&c->reply))
		return;
	if (c->reply.lines == 1)
		take_name(c, line, len);
	else if (len > 4)
		smtp_offer_line(&c->offer, line + 4, len - 4);
}

/* One reply, as it comes: 421 is a reply like any other. of_hello: its lines
 * say what the server offers. */
static int
read_lines(struct client *c, bool of_hello, int64_t deadline_ms, struct err *e)
{
	static const struct smtp_reply empty = SMTP_REPLY_INIT;
	char line[SMTP_REPLY_LINE_MAX];
	ssize_t len;
	int last = 0;

	c->reply = empty;
	while (last == 0) {
		len =
		    conn_read_line(c->conn, line, sizeof line, deadline_ms, e);
		if (len == -1 && e->class != ERR_PERM)
			break;
		last = -1;
		if (len != -1)
			last = smtp_reply_line(&c->reply, line, (size_t)len, e);
		if (last == -1)
			e->sys = EPROTO;
		else if (of_hello)
			take_offer(c, line, (size_t)len);
	}
	if (last == 1)
		return 0;
	c->reply = empty; /* a part of a reply says nothing */
	e->class = ERR_TEMP;
	return -1;
}

/* -1 with "STEP: 421 4.3.2 closing": temporary, unless the reply is 5yz. */
static int
server_said(const struct client *c, const char *step, struct err *e)
{
	const struct smtp_reply *r = &c->reply;
	const char *blank = r->enhanced[0] != '\0' ? " " : "";

	err_temp(e, "%s: %d%s%s %s", step, r->code, blank, r->enhanced,
	    r->text);
	if (smtp_reply_permanent(r))
		e->class = ERR_PERM;
	return -1;
}

/*
 * The reply to what was flushed; step names that in errors. wanted is the
 * first digit that lets the session go on, besides 4 and 5, which refuse (RFC
 * 5321 4.2.1, 4.3.2). 421 ends the session, whatever it answers (3.8).
 */
static int
read_reply(struct client *c, const char *step, bool of_hello, int wanted,
    unsigned rfc_s, struct err *e)
{
	if (read_lines(c, of_hello, deadline(c, rfc_s), e) == -1)
		return err_prefix(e, "%s", step);
	if (c->reply.code == 421)
		return server_said(c, step, e);
	if (c->reply.code / 100 == wanted || is_refusal(&c->reply))
		return 0;
	err_temp(e, "%s: protocol error: reply %d", step, c->reply.code);
	e->sys = EPROTO;
	return -1;
}

static int
expect(struct client *c, const char *step, unsigned rfc_s, struct err *e)
{
	return read_reply(c, step, false, 2, rfc_s, e);
}

/* ---- commands ---- */

/*
 * Our words could not be sent. A server that closed most often said why: take
 * that reply if it is there, so that its 421 or 5yz is not lost.
 */
static int
write_failed(struct client *c, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (read_lines(c, false, clock_monotonic_ms(), &ignored) == 0)
		server_said(c, "the server closes", e);
	else
		err_prefix(e, "connection to the server");
	e->class = ERR_TEMP;
	return -1;
}

/* Queue one command line. What came from a message is checked once more:
 * nothing may end the line early. */
static int
say(struct client *c, const struct buf *line, struct err *e)
{
	int64_t until = deadline(c, SMTP_BLOCK_TIMEOUT_S);

	if (buf_check(line, e) == -1)
		return -1;
	for (size_t i = 0; i < line->len; i++)
		if ((unsigned char)line->data[i] < ' ' || line->data[i] == 0x7f)
			return err_data(e, "a control character in a command");
	if (conn_write(c->conn, line->data, line->len, until, e) == -1 ||
	    conn_write(c->conn, "\r\n", 2, until, e) == -1)
		return write_failed(c, e);
	return 0;
}

static int
flush(struct client *c, struct err *e)
{
	if (conn_flush(c->conn, deadline(c, SMTP_BLOCK_TIMEOUT_S), e) == -1)
		return write_failed(c, e);
	return 0;
}

/* One command of fixed words, sent at once. */
static int
command(struct client *c, const char *verb, const char *arg, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	int rc;

	buf_addf(&line, "%s%s%s", verb, arg[0] != '\0' ? " " : "", arg);
	rc = say(c, &line, e);
	buf_free(&line);
	return rc == 0 ? flush(c, e) : -1;
}

/* ---- a session ---- */

int
client_connect(struct client *c, const struct client_params *params,
    const struct endpoint *ep, struct err *e)
{
	int64_t until = deadline_in(params, params->connect_timeout_s);
	int fd;

	client_abort(c);
	*c = (struct client){ .params = params };
	endpoint_text(ep, c->peer);
	fd = connect_to(ep, params->from, until, e);
	if (fd == -1)
		return -1;
	c->conn = conn_new(fd, fd, e);
	if (c->conn == NULL)
		close(fd);
	return c->conn == NULL ? -1 : 0;
}

int
client_greet(struct client *c, struct err *e)
{
	if (c->conn == NULL)
		return not_open(e);
	return expect(c, "greeting", SMTP_GREETING_TIMEOUT_S, e);
}

static int
hello(struct client *c, const char *verb, struct err *e)
{
	c->offer = (struct smtp_offer){ 0 };
	c->name[0] = '\0';
	if (command(c, verb, c->params->helo, e) == -1)
		return -1;
	return read_reply(c, verb, true, 2, SMTP_COMMAND_TIMEOUT_S, e);
}

/* Equal names, but for case and a final dot. */
static bool
is_same_name(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b);

	na -= na > 0 && a[na - 1] == '.';
	nb -= nb > 0 && b[nb - 1] == '.';
	return na > 0 && na == nb && strncasecmp(a, b, na) == 0;
}

int
client_hello(struct client *c, struct err *e)
{
	bool in_tls;

	if (c->conn == NULL)
		return not_open(e);
	if (hello(c, "EHLO", e) == -1)
		return -1;
	if (smtp_reply_permanent(&c->reply)) {
		if (hello(c, "HELO", e) == -1)
			return -1;
		c->offer = (struct smtp_offer){ 0 }; /* HELO offers nothing */
	}
	if (is_same_name(c->name, c->params->helo))
		return err_perm(e,
		    "4.4.6 the server calls itself %s, which is our own name: "
		    "a loop",
		    c->name);
	in_tls = conn_tls_text(c->conn)[0] != '\0';
	if (in_tls)
		c->offer.exts &= ~(unsigned)SMTP_EXT_STARTTLS;
	else
		c->plain = c->offer;
	return 0;
}

int
client_start_tls(struct client *c, const char *host, struct err *e)
{
	int64_t until;

	if (c->conn == NULL)
		return not_open(e);
	if (c->tls == NULL && (c->tls = tls_client(e)) == NULL)
		return -1;
	if (command(c, "STARTTLS", "", e) == -1 ||
	    expect(c, "STARTTLS", SMTP_COMMAND_TIMEOUT_S, e) == -1)
		return -1;
	if (!smtp_reply_ok(&c->reply))
		return 0;
	c->reply = (struct smtp_reply)SMTP_REPLY_INIT;
	until = deadline(c, SMTP_COMMAND_TIMEOUT_S);
	if (conn_start_tls(c->conn, c->tls, host, until, e) == -1) {
		e->class = ERR_TEMP; /* it may do better next time */
		return -1;
	}
	return client_hello(c, e); /* all that was said is forgotten */
}

/* The server answered with 4yz or 5yz where a session needs 2yz. */
static int
refused(struct client *c, const char *step, struct err *e)
{
	client_quit(c);
	return server_said(c, step, e);
}

static int
open_plain(struct client *c, const struct client_params *params,
    const struct endpoint *ep, struct err *e)
{
	if (client_connect(c, params, ep, e) == -1 || client_greet(c, e) == -1)
		return -1;
	if (!smtp_reply_ok(&c->reply))
		return refused(c, "greeting", e);
	if (client_hello(c, e) == -1)
		return -1;
	if (!smtp_reply_ok(&c->reply))
		return refused(c, "EHLO", e);
	return 0;
}

/* 1: the session is in TLS; 0: it goes on in the clear; -1: it broke, or TLS
 * has to be and cannot. */
static int
secure(struct client *c, const char *host, struct err *e)
{
	bool must = c->params->tls == CONFIG_TLS_ENCRYPT;
	bool in_tls;

	if ((c->offer.exts & SMTP_EXT_STARTTLS) == 0) {
		if (!must)
			return 0;
		client_quit(c);
		return err_temp(e, "TLS is required, and STARTTLS not offered");
	}
	if (client_start_tls(c, host, e) == -1)
		return -1;
	in_tls = conn_tls_text(c->conn)[0] != '\0';
	if (!smtp_reply_ok(&c->reply) && (in_tls || must))
		return refused(c, in_tls ? "EHLO in TLS" : "STARTTLS", e);
	return in_tls ? 1 : 0;
}

int
client_open(struct client *c, const struct client_params *params,
    const struct endpoint *ep, const char *host, struct err *e)
{
	if (open_plain(c, params, ep, e) == -1)
		goto fail;
	if (params->tls == CONFIG_TLS_NONE || secure(c, host, e) != -1)
		return 0;
	/* a reply was a decision; without one the handshake is what failed */
	if (params->tls == CONFIG_TLS_MAY && c->reply.code == 0 &&
	    e->class == ERR_TEMP && open_plain(c, params, ep, e) == 0)
		return 0;
fail:
	client_abort(c);
	return -1;
}

void
client_quit(struct client *c)
{
	struct smtp_reply reply = c->reply;
	struct err ignored = ERR_INIT;
	unsigned wait_s = QUIT_TIMEOUT_S;
	int64_t until;

	if (c->conn == NULL)
		return;
	if (c->params->reply_timeout_s > 0 &&
	    c->params->reply_timeout_s < wait_s)
		wait_s = c->params->reply_timeout_s;
	until = deadline_in(c->params, wait_s);
	if (conn_write(c->conn, "QUIT\r\n", 6, until, &ignored) == 0 &&
	    conn_flush(c->conn, until, &ignored) == 0 &&
	    read_lines(c, false, until, &ignored) == 0)
		conn_finish(c->conn, until);
	c->reply = reply;
	client_abort(c);
}

void
client_abort(struct client *c)
{
	conn_close(c->conn);
	tls_free(c->tls);
	c->conn = NULL;
	c->tls = NULL;
}

/* ---- a transaction ---- */

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
	bool data_open; /* 354: the server waits for content */
};

static bool
is_offered(const struct client *c, enum smtp_ext ext)
{
	return (c->offer.exts & (unsigned)ext) != 0;
}

static size_t
steps(const struct transaction *t)
{
	return t->nrcpt + 2;
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
	static const struct client_outcome none = { false, SMTP_REPLY_INIT };
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
		t->outcomes[i] = (struct client_outcome){ false, *r };
		left--;
	}
}

/* DATA was refused: so were the recipients that RCPT had accepted. */
static void
decide_accepted(struct transaction *t, const struct smtp_reply *r)
{
	for (size_t i = 0; i < t->env->nrcpt; i++)
		if (t->send[i] && t->outcomes[i].accepted)
			t->outcomes[i] = (struct client_outcome){ false, *r };
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

/* What the message needs and the server lacks, as a reply; NULL: nothing. */
static const struct smtp_reply *
lacking(const struct transaction *t)
{
	static const struct smtp_reply no_8bit = { 554, "5.6.3",
		"The next host does not offer 8BITMIME", 1 };
	static const struct smtp_reply no_utf8 = { 554, "5.6.7",
		"The next host does not offer SMTPUTF8", 1 };
	static const struct smtp_reply no_tls = { 554, "5.7.30",
		"The next host does not offer REQUIRETLS", 1 };
	const struct smtp_mail *m = &t->env->mail;

	if (m->body == SMTP_BODY_8BITMIME &&
	    !is_offered(t->c, SMTP_EXT_8BITMIME))
		return &no_8bit;
	if (needs_utf8(t) && !is_offered(t->c, SMTP_EXT_SMTPUTF8))
		return &no_utf8;
	if (m->requiretls && !is_offered(t->c, SMTP_EXT_REQUIRETLS))
		return &no_tls;
	return NULL;
}

static void
format_mail(const struct transaction *t, struct buf *line)
{
	const struct smtp_mail *m = &t->env->mail;
	const struct client *c = t->c;

	buf_addf(line, "MAIL FROM:<%s>", m->reverse_path.text);
	if (is_offered(c, SMTP_EXT_SIZE))
		buf_addf(line, " SIZE=%llu", (unsigned long long)t->size);
	if (is_offered(c, SMTP_EXT_8BITMIME) && m->body != SMTP_BODY_NONE)
		buf_addf(line, " BODY=%s",
		    m->body == SMTP_BODY_8BITMIME ? "8BITMIME" : "7BIT");
	if (is_offered(c, SMTP_EXT_SMTPUTF8) && needs_utf8(t))
		buf_puts(line, " SMTPUTF8");
	if (is_offered(c, SMTP_EXT_REQUIRETLS) && m->requiretls)
		buf_puts(line, " REQUIRETLS");
	if (!is_offered(c, SMTP_EXT_DSN))
		return;
	if (m->ret != SMTP_RET_NONE)
		buf_addf(line, " RET=%s",
		    m->ret == SMTP_RET_FULL ? "FULL" : "HDRS");
	if (smtp_is_xtext(m->envid, strlen(m->envid)) && m->envid[0] != '\0')
		buf_addf(line, " ENVID=%s", m->envid);
}

static void
format_notify(unsigned notify, struct buf *line)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{ SMTP_NOTIFY_NEVER, "NEVER" },
		{ SMTP_NOTIFY_SUCCESS, "SUCCESS" },
		{ SMTP_NOTIFY_FAILURE, "FAILURE" },
		{ SMTP_NOTIFY_DELAY, "DELAY" },
	};
	const char *before = " NOTIFY=";

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if ((notify & words[i].bit) == 0)
			continue;
		buf_addf(line, "%s%s", before, words[i].word);
		before = ",";
	}
}

static void
format_rcpt(const struct transaction *t, size_t i, struct buf *line)
{
	const struct envelope_rcpt *r = &t->env->rcpts[i];

	buf_addf(line, "RCPT TO:<%s>", r->addr.text);
	if (!is_offered(t->c, SMTP_EXT_DSN))
		return;
	format_notify(r->notify, line);
	if (r->orcpt != NULL && strchr(r->orcpt, ' ') == NULL)
		buf_addf(line, " ORCPT=%s", r->orcpt);
}

/* Say the next step. */
static int
say_step(struct transaction *t, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	int rc;

	if (t->said == 0) {
		format_mail(t, &line);
		t->c->transactions++;
	} else if (t->said <= t->nrcpt) {
		format_rcpt(t, t->say_rcpt, &line);
		t->say_rcpt = next_rcpt(t, t->say_rcpt + 1);
	} else {
		buf_puts(&line, "DATA");
	}
	t->said++;
	rc = say(t->c, &line, e);
	buf_free(&line);
	return rc;
}

/* RFC 5321 4.5.3.1.10: "too many recipients" once was 552. */
static void
take_rcpt(struct transaction *t)
{
	struct client_outcome *o = &t->outcomes[t->hear_rcpt];

	t->hear_rcpt = next_rcpt(t, t->hear_rcpt + 1);
	if (t->mail_refused)
		return; /* MAIL's reply is the reason; this one follows from it */
	o->reply = t->c->reply;
	o->accepted = smtp_reply_ok(&o->reply);
	t->accepted += o->accepted;
	if (o->reply.code == 552) {
		o->reply.code = 452;
		if (o->reply.enhanced[0] == '5')
			o->reply.enhanced[0] = '4';
	}
}

/* Hear the next step's reply. */
static int
hear_step(struct transaction *t, struct err *e)
{
	struct client *c = t->c;
	size_t step = t->heard++;

	if (step == 0) {
		if (expect(c, "MAIL", SMTP_MAIL_TIMEOUT_S, e) == -1)
			return -1;
		t->mail_refused = !smtp_reply_ok(&c->reply);
		if (t->mail_refused)
			decide_all(t, &c->reply);
		return 0;
	}
	if (step <= t->nrcpt) {
		if (expect(c, "RCPT", SMTP_RCPT_TIMEOUT_S, e) == -1)
			return -1;
		take_rcpt(t);
		return 0;
	}
	if (read_reply(c, "DATA", false, 3, SMTP_DATA_TIMEOUT_S, e) == -1)
		return -1;
	t->data_open = !is_refusal(&c->reply);
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

/* Say and hear all of it, in groups where the server takes groups. */
static int
converse(struct transaction *t, struct err *e)
{
	size_t group = is_offered(t->c, SMTP_EXT_PIPELINING) ? GROUP_MAX : 1;

	while (may_say(t)) {
		while (t->said - t->heard < group && may_say(t))
			if (say_step(t, e) == -1)
				return -1;
		if (flush(t->c, e) == -1)
			return -1;
		while (t->heard < t->said)
			if (hear_step(t, e) == -1)
				return -1;
	}
	return 0;
}

/* The server wants content for no recipient at all: it gets none, and what it
 * says to that is of no interest (RFC 2920 3.1). */
static int
end_empty(struct client *c, struct err *e)
{
	int64_t until = deadline(c, SMTP_BLOCK_TIMEOUT_S);

	if (conn_write(c->conn, ".\r\n", 3, until, e) == -1 ||
	    flush(c, e) == -1)
		return -1;
	return expect(c, "the lone dot", SMTP_END_TIMEOUT_S, e);
}

/* No content will follow: leave nothing open at the server. */
static int
give_up(struct transaction *t, struct err *e)
{
	if (t->data_open)
		return end_empty(t->c, e);
	return t->mail_refused ? 0 : client_reset(t->c, e);
}

long
client_begin(struct client *c, const struct envelope *env, const bool *send,
    uint64_t size, struct client_outcome *outcomes, struct err *e)
{
	struct transaction t = { .c = c,
		.env = env,
		.send = send,
		.size = size,
		.outcomes = outcomes };
	const struct smtp_reply *lack;

	if (c->conn == NULL)
		return not_open(e);
	prepare(&t);
	lack = lacking(&t);
	if (lack != NULL)
		decide_all(&t, lack);
	if (lack != NULL || t.nrcpt == 0)
		return 0;
	if (converse(&t, e) == -1)
		return -1;
	if (!t.data_open && t.accepted > 0)
		decide_accepted(&t, &c->reply);
	if (t.accepted == 0)
		return give_up(&t, e);
	c->dot = (struct dot_encoder)DOT_ENCODER_INIT;
	return (long)t.accepted;
}

int
client_send(struct client *c, const char *data, size_t len, struct err *e)
{
	struct dot_slice slice;
	bool is_bare = false, more;
	size_t used;

	if (c->conn == NULL)
		return not_open(e);
	do {
		more = dot_encode(&c->dot, data, len, &used, &slice, &is_bare);
		if (is_bare) { /* a message without its end is none */
			client_abort(c);
			return err_data(e, "the message has a bare CR or LF");
		}
		if (conn_write(c->conn, slice.data, slice.len,
			deadline(c, SMTP_BLOCK_TIMEOUT_S), e) == -1)
			return write_failed(c, e);
		data += used;
		len -= used;
	} while (more);
	return 0;
}

/*
 * Until the flush is through the server lacks the last bytes of the dot, so
 * it has no message; after that only its reply can tell.
 */
int
client_end(struct client *c, bool *lost, struct err *e)
{
	struct dot_slice dot = dot_finish(&c->dot);

	*lost = false;
	if (c->conn == NULL)
		return not_open(e);
	if (conn_write(c->conn, dot.data, dot.len,
		deadline(c, SMTP_BLOCK_TIMEOUT_S), e) == -1)
		return write_failed(c, e);
	if (flush(c, e) == -1)
		return -1;
	if (expect(c, "end of data", SMTP_END_TIMEOUT_S, e) == 0)
		return 0;
	*lost = c->reply.code != 421;
	return -1;
}

int
client_reset(struct client *c, struct err *e)
{
	if (c->conn == NULL)
		return not_open(e);
	if (command(c, "RSET", "", e) == -1 ||
	    expect(c, "RSET", SMTP_COMMAND_TIMEOUT_S, e) == -1)
		return -1;
	return smtp_reply_ok(&c->reply) ? 0 : server_said(c, "RSET", e);
}
