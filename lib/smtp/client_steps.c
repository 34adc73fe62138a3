#include "smtp/client.h"

#include <errno.h>

#include "base/clock.h"
#include "smtp/client_commands.h"
#include "smtp/client_wire.h"

/*
 * A transaction whose recipients come one by one, each with its reply. MAIL
 * and the first RCPT go out together where PIPELINING is offered: who relays
 * live has somebody waiting.
 */

static const struct smtp_reply no_reply = SMTP_REPLY_INIT;

static int
hear_mail(struct client *c, struct err *e)
{
	c->is_mail_due = false;
	if (wire_expect(c, "MAIL", SMTP_MAIL_TIMEOUT_S, e) == -1)
		return -1;
	c->is_mail_taken = smtp_reply_ok(&c->reply);
	return 0;
}

int
client_mail(struct client *c, const struct smtp_mail *m, uint64_t size,
    struct err *e)
{
	bool is_utf8 = m->smtputf8 || m->reverse_path.is_utf8;
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	const struct smtp_reply *lack;
	int rc;

	if (c->conn == NULL)
		return wire_not_open(e);
	c->is_mail_due = c->is_mail_taken = false;
	lack = commands_lacking(c, m, is_utf8);
	if (lack != NULL) {
		c->reply = *lack;
		return 0;
	}
	c->transactions++;
	commands_mail(&line, c, m, size, is_utf8);
	rc = wire_say(c, &line, e);
	buf_free(&line);
	if (rc == -1)
		return -1;
	if (commands_offered(c, SMTP_EXT_PIPELINING)) {
		c->is_mail_due = true;
		c->reply = no_reply;
		return 0;
	}
	return wire_flush(c, e) == -1 ? -1 : hear_mail(c, e);
}

int
client_say_rcpt(struct client *c, const struct smtp_rcpt *r, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	int rc;

	if (c->conn == NULL)
		return wire_not_open(e);
	commands_rcpt(&line, c, &r->forward_path, r->notify, r->orcpt);
	rc = wire_say(c, &line, e);
	buf_free(&line);
	return rc;
}

int
client_hear_rcpt(struct client *c, struct err *e)
{
	struct smtp_reply of_mail;

	if (c->conn == NULL)
		return wire_not_open(e);
	if (wire_flush(c, e) == -1)
		return -1;
	if (c->is_mail_due && hear_mail(c, e) == -1)
		return -1;
	of_mail = c->reply;
	if (wire_expect(c, "RCPT", SMTP_RCPT_TIMEOUT_S, e) == 0) {
		commands_settle_rcpt(&c->reply);
	} else {
		if (c->is_mail_taken)
			return -1;
		client_abort(c); /* it has refused MAIL and gone */
	}
	if (!c->is_mail_taken)
		c->reply = of_mail; /* RCPT's follows from it */
	return 0;
}

int
client_rcpt(struct client *c, const struct smtp_rcpt *r, struct err *e)
{
	return client_say_rcpt(c, r, e) == -1 ? -1 : client_hear_rcpt(c, e);
}

int
client_say_data(struct client *c, struct err *e)
{
	struct buf line = BUF_INIT(SMTP_COMMAND_MAX);
	int rc;

	if (c->conn == NULL)
		return wire_not_open(e);
	buf_puts(&line, "DATA");
	rc = wire_say(c, &line, e);
	buf_free(&line);
	return rc;
}

int
client_hear_data(struct client *c, struct err *e)
{
	if (c->conn == NULL)
		return wire_not_open(e);
	if (wire_flush(c, e) == -1 ||
	    wire_read_reply(c, "DATA", false, 3, SMTP_DATA_TIMEOUT_S, e) == -1)
		return -1;
	wire_begin_content(c);
	return 0;
}

int
client_data(struct client *c, struct err *e)
{
	return client_say_data(c, e) == -1 ? -1 : client_hear_data(c, e);
}

bool
client_is_stale(struct client *c)
{
	struct err e = ERR_INIT;
	size_t len = 0;

	if (c->conn != NULL)
		conn_buffered(c->conn, &len);
	return c->conn == NULL || len > 0 ||
	       conn_fill(c->conn, clock_monotonic_ms(), &e) != -1 ||
	       e.sys != ETIMEDOUT;
}

int
client_expect_silence(struct client *c, struct err *e)
{
	static const char step[] = "between two commands";

	if (c->conn == NULL)
		return wire_not_open(e);
	if (!client_is_stale(c))
		return 0;
	if (wire_read(c, false, clock_monotonic_ms(), e) == -1)
		return err_prefix(e, "%s", step);
	if (c->reply.code == 421)
		return wire_server_said(c, step, e);
	err_temp(e, "%s: protocol error: %d for nothing", step, c->reply.code);
	e->sys = EPROTO;
	return -1;
}
