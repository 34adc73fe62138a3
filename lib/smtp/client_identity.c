#include "smtp/client.h"

#include <stdio.h>
#include <string.h>

#include "smtp/client_commands.h"
#include "smtp/client_wire.h"

/*
 * XCLIENT and XFORWARD, Postfix's extensions (its XCLIENT_README and
 * XFORWARD_README): one line "XCLIENT ADDR=... NAME=...", values in xtext.
 */

#define LINE_MAX_LEN (CLIENT_IDENTITY_MAX - 2) /* RFC 5321 4.5.3.1.4, no CRLF */

static const char not_known[] = "[UNAVAILABLE]";

/* The value of one attribute, "" when it is not known. */
static const char *
value_of(unsigned attr, const struct envelope_client *who,
    char room[sizeof who->addr + 8])
{
	switch ((enum smtp_xattr)attr) {
	case SMTP_XATTR_ADDR:
		snprintf(room, sizeof who->addr + 8, "%s%s",
		    strchr(who->addr, ':') != NULL ? "IPV6:" : "", who->addr);
		return room;
	case SMTP_XATTR_PORT:
		snprintf(room, sizeof who->addr + 8, "%u", who->port);
		return who->port == 0 ? "" : room;
	case SMTP_XATTR_PROTO: /* nothing else is known there */
		return strcmp(who->proto, "SMTP") == 0 ? "SMTP" : "ESMTP";
	case SMTP_XATTR_NAME:
		return who->name;
	case SMTP_XATTR_HELO:
		return who->helo;
	}
	return "";
}

/* " ADDR=192.0.2.1"; what would make the line too long is not known. */
static void
add_attribute(struct buf *line, unsigned attr,
    const struct envelope_client *who)
{
	char room[sizeof who->addr + 8], text[3 * ENVELOPE_TEXT_MAX + 1];
	const char *value = value_of(attr, who, room);
	/* what is still to come takes no more than so much */
	size_t rest = 5 * (sizeof " PROTO=" + sizeof not_known);
	size_t len = smtp_xtext_encode(value, strlen(value), text);

	if (len == 0 || line->len + len + rest > LINE_MAX_LEN)
		snprintf(text, sizeof text, "%s", not_known);
	buf_addf(line, " %s=%s", smtp_xattr_name(attr), text);
}

static void
format_identity(struct buf *line, const char *verb, unsigned attrs,
    const struct envelope_client *who)
{
	buf_puts(line, verb);
	for (unsigned attr = 1; attr <= SMTP_XATTR_HELO; attr <<= 1)
		if (attrs & attr)
			add_attribute(line, attr, who);
}

static int
say_identity(struct client *c, const struct buf *line, const char *step,
    struct err *e)
{
	if (wire_say(c, line, e) == -1 || wire_flush(c, e) == -1)
		return -1;
	return wire_expect(c, step, SMTP_COMMAND_TIMEOUT_S, e);
}

/* What the client said after EHLO, where we can say it too. */
static const char *
name_in_hello(const struct client *c, const struct envelope_client *who)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._[]:";

	if (who->helo[0] == '\0' || strlen(who->helo) > ADDR_DOMAIN_MAX ||
	    who->helo[strspn(who->helo, usual)] != '\0')
		return c->params->helo;
	return who->helo;
}

/* The server takes us for a client, but not for this one. */
static bool
is_taken_for_another(const struct client *c, const struct envelope_client *who)
{
	struct buf line = BUF_INIT(CLIENT_IDENTITY_MAX);
	bool is_other;

	if (c->identity[0] == '\0')
		return false;
	format_identity(&line, "XCLIENT", c->identity_attrs, who);
	is_other = line.failed || strcmp(line.data, c->identity) != 0;
	buf_free(&line);
	return is_other;
}

static bool
hears_xclient(const struct client *c)
{
	return c->params->xclient && !c->is_xclient_refused &&
	       commands_offered(c, SMTP_EXT_XCLIENT) && c->offer.xclient != 0;
}

bool
client_is_spent(const struct client *c, const struct envelope_client *who)
{
	unsigned max = c->offer.mail_max;

	return (max > 0 && c->transactions >= max) ||
	       (!hears_xclient(c) && is_taken_for_another(c, who));
}

/* It would judge this client's mail as that of the one before. */
static int
not_heard(struct client *c, struct err *e)
{
	c->reply = (struct smtp_reply)SMTP_REPLY_INIT;
	return err_temp(e,
	    "XCLIENT: the server takes us for the client before");
}

/* The session starts anew, as that client's (XCLIENT_README). 1; 0: the
 * server does not listen to our XCLIENT. */
static int
become(struct client *c, const struct envelope_client *who,
    const struct buf *line, struct err *e)
{
	if (say_identity(c, line, "XCLIENT", e) == -1)
		return -1;
	if (!smtp_reply_ok(&c->reply)) {
		c->is_xclient_refused = true;
		return c->identity[0] == '\0' ? 0 : not_heard(c, e);
	}
	snprintf(c->identity, sizeof c->identity, "%s", line->data);
	c->identity_attrs = c->offer.xclient;
	if (client_hello_as(c, name_in_hello(c, who), e) == -1)
		return -1;
	return smtp_reply_ok(&c->reply) ? 1 : wire_server_said(c, "EHLO", e);
}

/* 1: the server knows; 0: not by XCLIENT. */
static int
by_xclient(struct client *c, const struct envelope_client *who, struct err *e)
{
	struct buf line = BUF_INIT(CLIENT_IDENTITY_MAX);
	int rc = 1;

	if (!hears_xclient(c)) {
		if (is_taken_for_another(c, who))
			return not_heard(c, e);
		return c->identity[0] != '\0';
	}
	format_identity(&line, "XCLIENT", c->offer.xclient, who);
	if (buf_check(&line, e) == -1)
		rc = -1;
	else if (strcmp(line.data, c->identity) != 0)
		rc = become(c, who, &line, e);
	buf_free(&line);
	return rc;
}

/* It holds for one transaction. A refusal changes nothing: it is for the
 * server's log. So nobody waits for the reply, where MAIL may go with it. */
static int
by_xforward(struct client *c, const struct envelope_client *who, struct err *e)
{
	struct buf line = BUF_INIT(CLIENT_IDENTITY_MAX);
	int rc;

	if (!commands_offered(c, SMTP_EXT_XFORWARD) || c->offer.xforward == 0)
		return 0;
	format_identity(&line, "XFORWARD", c->offer.xforward, who);
	if (commands_offered(c, SMTP_EXT_PIPELINING)) {
		rc = wire_say(c, &line, e);
		c->is_xforward_due = rc == 0;
	} else {
		rc = say_identity(c, &line, "XFORWARD", e);
	}
	buf_free(&line);
	return rc;
}

/* The one before was for a transaction that then had nothing to say: two of
 * them would have two replies. */
static int
hear_xforward(struct client *c, struct err *e)
{
	if (!c->is_xforward_due)
		return 0;
	c->is_xforward_due = false;
	if (wire_flush(c, e) == -1)
		return -1;
	return wire_expect(c, "XFORWARD", SMTP_COMMAND_TIMEOUT_S, e);
}

int
client_identity(struct client *c, const struct envelope_client *who,
    struct err *e)
{
	int rc;

	if (c->conn == NULL)
		return wire_not_open(e);
	if (hear_xforward(c, e) == -1 ||
	    (c->needs_reset && client_reset(c, e) == -1))
		return -1;
	rc = by_xclient(c, who, e);
	if (rc == 0)
		rc = by_xforward(c, who, e);
	return rc == -1 ? -1 : 0;
}
