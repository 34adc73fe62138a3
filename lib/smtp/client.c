#include "smtp/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/text.h"
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
	c->is_lmtp = ep->is_lmtp;
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

/* There are servers that know no EHLO; HELO offers nothing. One that closes
 * without a reply to it has refused EHLO, and left. */
static int
hello_again(struct client *c, const char *name, struct err *e)
{
	const struct smtp_reply refusal = c->reply;
	int rc = hello(c, "HELO", name, e);

	c->offer = (struct smtp_offer){ 0 };
	if (rc == 0 || c->reply.code != 0 ||
	    (e->sys != 0 && e->sys != ECONNRESET))
		return rc;
	c->reply = refusal;
	return 0;
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
	if (hello(c, c->is_lmtp ? "LHLO" : "EHLO", name, e) == -1)
		return -1;
	if (smtp_reply_permanent(&c->reply) && !c->is_lmtp &&
	    hello_again(c, name, e) == -1)
		return -1;
	/* an LMTP server may well live on this host: we speak none */
	if (!c->is_lmtp && is_same_name(c->name, c->params->helo))
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

static void
note_tls(struct client *c, enum tls_result result, const char *why)
{
	c->tls_result = result;
	text_safe(c->tls_why, sizeof c->tls_why, why);
}

static int
open_context(struct client *c, const struct client_tls *tls, struct err *e)
{
	if (c->tls != NULL)
		return 0;
	c->tls = tls_client(e);
	if (c->tls == NULL)
		return -1;
	return tls->certificate == NULL
		   ? 0
		   : tls_add_pair(c->tls, tls->certificate, tls->key, e);
}

int
client_ask_tls(struct client *c, const struct client_tls *tls, struct err *e)
{
	if (c->conn == NULL)
		return wire_not_open(e);
	if (open_context(c, tls, e) == -1)
		return -1;
	if (wire_command(c, "STARTTLS", "", e) == -1 ||
	    wire_expect(c, "STARTTLS", SMTP_COMMAND_TIMEOUT_S, e) == -1) {
		note_tls(c, TLS_VALIDATION_FAILURE, e->text);
		return -1;
	}
	if (!smtp_reply_ok(&c->reply))
		note_tls(c, TLS_STARTTLS_NOT_SUPPORTED, c->reply.text);
	return 0;
}

int
client_shake_hands(struct client *c, const struct client_tls *tls,
    struct err *e)
{
	int64_t until = wire_deadline(c, SMTP_COMMAND_TIMEOUT_S);
	int rc =
	    conn_start_tls(c->conn, c->tls, tls->name, &tls->demand, until, e);
	const struct tls_peer *peer = conn_tls_peer(c->conn);

	c->reply = (struct smtp_reply)SMTP_REPLY_INIT;
	if (rc == 0)
		note_tls(c, peer->result, peer->why);
	else if (peer != NULL && peer->result != TLS_OK)
		note_tls(c, peer->result, peer->why);
	else
		note_tls(c, TLS_VALIDATION_FAILURE, e->text);
	if (rc == -1 && e->class != ERR_CONFIG)
		e->class = ERR_TEMP; /* it may do better next time */
	c->is_authenticated = rc == 0 && tls->is_vouched_for &&
			      tls->demand.proof != TLS_ANY &&
			      !tls->demand.is_advice;
	return rc;
}

/* A session broke between STARTTLS and the reply to EHLO in TLS. A reply of 4yz
 * or 5yz was a decision; without one TLS is what failed, behind the handshake
 * too: a server of TLS 1.3 judges our side of it when we think it is over. */
static bool
is_tls_to_blame(const struct client *c, const struct err *e)
{
	return e->class == ERR_TEMP && !wire_is_refusal(&c->reply);
}

int
client_start_tls(struct client *c, const struct client_tls *tls, struct err *e)
{
	if (client_ask_tls(c, tls, e) == -1)
		return -1;
	if (!smtp_reply_ok(&c->reply))
		return 0;
	if (client_shake_hands(c, tls, e) == -1)
		return -1;
	if (client_hello(c, e) == 0) /* all that was said is forgotten */
		return 0;
	if (is_tls_to_blame(c, e))
		note_tls(c, TLS_VALIDATION_FAILURE, e->text);
	return -1;
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
secure(struct client *c, const struct client_tls *tls, struct err *e)
{
	bool must = tls->level != CONFIG_TLS_MAY;
	bool in_tls;

	if ((c->offer.exts & SMTP_EXT_STARTTLS) == 0) {
		note_tls(c, TLS_STARTTLS_NOT_SUPPORTED, "it is not offered");
		if (!must)
			return 0;
		client_quit(c);
		return err_temp(e, "TLS is required, and STARTTLS not offered");
	}
	if (client_start_tls(c, tls, e) == -1)
		return -1;
	in_tls = conn_tls_text(c->conn)[0] != '\0';
	if (!smtp_reply_ok(&c->reply) && (in_tls || must))
		return refused(c, in_tls ? "EHLO in TLS" : "STARTTLS", e);
	return in_tls ? 1 : 0;
}

/* Once more in the clear, where that may be. What became of TLS stays. */
static int
open_again(struct client *c, const struct client_params *params,
    const struct endpoint *ep, struct err *e)
{
	enum tls_result result = c->tls_result;
	char why[TLS_TEXT_MAX];
	int rc;

	memcpy(why, c->tls_why, sizeof why);
	rc = open_plain(c, params, ep, e);
	note_tls(c, result, why);
	return rc;
}

int
client_open(struct client *c, const struct client_params *params,
    const struct endpoint *ep, const struct client_tls *tls, struct err *e)
{
	if (open_plain(c, params, ep, e) == -1)
		goto fail;
	if (tls->level == CONFIG_TLS_NONE || secure(c, tls, e) != -1)
		return 0;
	if (tls->level == CONFIG_TLS_MAY && is_tls_to_blame(c, e) &&
	    open_again(c, params, ep, e) == 0)
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
