#include "smtp/client_wire.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

int64_t
wire_deadline_in(const struct client_params *params, unsigned s)
{
	int64_t until = clock_monotonic_ms() + (int64_t)s * 1000;

	if (params->deadline_ms != 0 && params->deadline_ms < until)
		return params->deadline_ms;
	return until;
}

int64_t
wire_deadline(const struct client *c, unsigned rfc_s)
{
	unsigned s = c->params->reply_timeout_s;

	return wire_deadline_in(c->params, s != 0 ? s : rfc_s);
}

bool
wire_is_refusal(const struct smtp_reply *r)
{
	return r->code / 100 == 4 || r->code / 100 == 5;
}

int
wire_not_open(struct err *e)
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

int
wire_read(struct client *c, bool of_hello, int64_t deadline_ms, struct err *e)
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

int
wire_server_said(const struct client *c, const char *step, struct err *e)
{
	const struct smtp_reply *r = &c->reply;
	const char *blank = r->enhanced[0] != '\0' ? " " : "";

	err_temp(e, "%s: %d%s%s %s", step, r->code, blank, r->enhanced,
	    r->text);
	if (smtp_reply_permanent(r))
		e->class = ERR_PERM;
	return -1;
}

int
wire_read_reply(struct client *c, const char *step, bool of_hello, int wanted,
    unsigned rfc_s, struct err *e)
{
	if (c->is_xforward_due) {
		c->is_xforward_due = false;
		if (wire_expect(c, "XFORWARD", rfc_s, e) == -1)
			return -1;
	}
	if (wire_read(c, of_hello, wire_deadline(c, rfc_s), e) == -1)
		return err_prefix(e, "%s", step);
	if (c->reply.code == 421)
		return wire_server_said(c, step, e);
	if (c->reply.code / 100 == wanted || wire_is_refusal(&c->reply))
		return 0;
	err_temp(e, "%s: protocol error: reply %d", step, c->reply.code);
	e->sys = EPROTO;
	return -1;
}

int
wire_expect(struct client *c, const char *step, unsigned rfc_s, struct err *e)
{
	return wire_read_reply(c, step, false, 2, rfc_s, e);
}

/* ---- commands ---- */

int
wire_write_failed(struct client *c, struct err *e)
{
	struct err ignored = ERR_INIT;

	if (wire_read(c, false, clock_monotonic_ms(), &ignored) == 0)
		wire_server_said(c, "the server closes", e);
	else
		err_prefix(e, "connection to the server");
	e->class = ERR_TEMP;
	return -1;
}

int
wire_say(struct client *c, const struct buf *line, struct err *e)
{
	int64_t until = wire_deadline(c, SMTP_BLOCK_TIMEOUT_S);

	if (buf_check(line, e) == -1)
		return -1;
	for (size_t i = 0; i < line->len; i++)
		if ((unsigned char)line->data[i] < ' ' || line->data[i] == 0x7f)
			return err_data(e, "a control character in a command");
	if (conn_write(c->conn, line->data, line->len, until, e) == -1 ||
	    conn_write(c->conn, "\r\n", 2, until, e) == -1)
		return wire_write_failed(c, e);
	return 0;
}

int
wire_flush(struct client *c, struct err *e)
{
	if (conn_flush(c->conn, wire_deadline(c, SMTP_BLOCK_TIMEOUT_S), e) ==
	    -1)
		return wire_write_failed(c, e);
	return 0;
}

void
wire_begin_content(struct client *c)
{
	c->dot = (struct dot_encoder)DOT_ENCODER_INIT;
	c->is_chunk = c->is_finished = false;
	c->outcomes = NULL;
	c->noutcomes = 0;
}

int
wire_command(struct client *c, const char *verb, const char *arg, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	int rc;

	buf_addf(&line, "%s%s%s", verb, arg[0] != '\0' ? " " : "", arg);
	rc = wire_say(c, &line, e);
	buf_free(&line);
	return rc == 0 ? wire_flush(c, e) : -1;
}
