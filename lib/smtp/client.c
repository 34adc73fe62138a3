#include "smtp/client.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "smtp/client_wire.h"

#define QUIT_TIMEOUT_S 5 /* for a reply that changes nothing */

int
client_connect(struct client *c, const struct client_params *params,
    const struct endpoint *ep, struct err *e)
{
	int64_t until = wire_deadline_in(params, params->connect_timeout_s);
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
		return wire_not_open(e);
	return wire_expect(c, "greeting", SMTP_GREETING_TIMEOUT_S, e);
}

static int
hello(struct client *c, const char *verb, const char *name, struct err *e)
{
	c->offer = (struct smtp_offer){ 0 };
	c->name[0] = '\0';
	if (wire_command(c, verb, name, e) == -1)
		return -1;
	return wire_read_reply(c, verb, true, 2, SMTP_COMMAND_TIMEOUT_S, e);
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
client_hello_as(struct client *c, const char *name, struct err *e)
{
	bool in_tls;

	if (c->conn == NULL)
		return wire_not_open(e);
	if (hello(c, "EHLO", name, e) == -1)
		return -1;
	if (smtp_reply_permanent(&c->reply)) {
		if (hello(c, "HELO", name, e) == -1)
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
client_hello(struct client *c, struct err *e)
{
	return client_hello_as(c, c->params->helo, e);
}

int
client_start_tls(struct client *c, const char *host, struct err *e)
{
	int64_t until;

	if (c->conn == NULL)
		return wire_not_open(e);
	if (c->tls == NULL && (c->tls = tls_client(e)) == NULL)
		return -1;
	if (wire_command(c, "STARTTLS", "", e) == -1 ||
	    wire_expect(c, "STARTTLS", SMTP_COMMAND_TIMEOUT_S, e) == -1)
		return -1;
	if (!smtp_reply_ok(&c->reply))
		return 0;
	c->reply = (struct smtp_reply)SMTP_REPLY_INIT;
	until = wire_deadline(c, SMTP_COMMAND_TIMEOUT_S);
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
	return wire_server_said(c, step, e);
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
	until = wire_deadline_in(c->params, wait_s);
	if (conn_write(c->conn, "QUIT\r\n", 6, until, &ignored) == 0 &&
	    conn_flush(c->conn, until, &ignored) == 0 &&
	    wire_read(c, false, until, &ignored) == 0)
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
