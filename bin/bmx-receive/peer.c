#include "bmx-receive/peer.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "mail/addr.h"

/* The environment's word is checked like a client's. */
static bool
from_environment(struct endpoint *ep)
{
	const char *address = getenv("TCPREMOTEIP");
	const char *port = getenv("TCPREMOTEPORT");
	unsigned long long n = 0;

	if (address == NULL)
		return false;
	if (port != NULL)
		(void)text_number(port, strlen(port), 65535, &n);
	return endpoint_parse(ep, address, (unsigned)n);
}

static bool
from_socket(struct endpoint *ep, int fd)
{
	ep->len = sizeof ep->addr;
	if (getpeername(fd, (struct sockaddr *)&ep->addr, &ep->len) == -1)
		return false;
	return ep->addr.ss_family == AF_INET || ep->addr.ss_family == AF_INET6;
}

static void
set_name(struct envelope_client *c)
{
	const char *name = getenv("TCPREMOTEHOST");
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;

	if (name != NULL &&
	    addr_fold_domain(name, strlen(name), folded, &e) == 0)
		snprintf(c->name, sizeof c->name, "%s", folded);
}

void
peer_find(struct envelope_client *c, int fd)
{
	struct endpoint ep = { .len = 0 }, said = { .len = 0 };
	bool is_said = from_environment(&said);
	bool is_known = from_socket(&ep, fd);
	char host[ENDPOINT_TEXT_MAX];

	c->addr[0] = c->name[0] = '\0';
	c->port = 0;
	if (!is_known && !is_said)
		return;
	if (!is_known)
		ep = said;
	snprintf(c->addr, sizeof c->addr, "%s", endpoint_host(&ep, host));
	c->port = endpoint_port(&ep);
	if (is_said && endpoint_same_host(&ep, &said))
		set_name(c);
}

char *
peer_text(const struct envelope_client *c, char out[ENDPOINT_TEXT_MAX])
{
	bool is_v6 = strchr(c->addr, ':') != NULL;

	if (c->addr[0] == '\0')
		snprintf(out, ENDPOINT_TEXT_MAX, "pipe");
	else
		snprintf(out, ENDPOINT_TEXT_MAX, "%s%s%s:%u", is_v6 ? "[" : "",
		    c->addr, is_v6 ? "]" : "", c->port);
	return out;
}
