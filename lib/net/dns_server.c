#include "net/dns_server.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <resolv.h>

#define DNS_PORT 53

static void
set_server(struct dns_server *s, const struct endpoint *ep, bool trust_ad)
{
	memset(s, 0, sizeof *s);
	s->ep = *ep;
	endpoint_text(ep, s->text);
	s->is_trusted = trust_ad || endpoint_is_loopback(ep);
	for (int i = 0; i < DNS_SOCKETS; i++)
		s->sockets[i].fd = -1;
}

/*
 * Server i of resolv.conf. IPv6 addresses are in the part of the struct that
 * glibc calls extension; their sin_family is 0.
 */
static bool
resolv_server(const struct __res_state *st, int i, struct endpoint *ep)
{
	memset(ep, 0, sizeof *ep);
	if (st->nsaddr_list[i].sin_family == AF_INET) {
		ep->len = sizeof st->nsaddr_list[i];
		memcpy(&ep->addr, &st->nsaddr_list[i], ep->len);
	}
#ifdef __GLIBC__
	else if (st->_u._ext.nsaddrs[i] != NULL) {
		ep->len = sizeof *st->_u._ext.nsaddrs[i];
		memcpy(&ep->addr, st->_u._ext.nsaddrs[i], ep->len);
	}
#endif
	return ep->len > 0;
}

static int
servers_of_resolv_conf(struct dns_server servers[DNS_SERVERS_MAX],
    bool trust_ad, struct err *e)
{
	struct __res_state st;
	struct endpoint ep;
	int n = 0;

	memset(&st, 0, sizeof st);
	if (res_ninit(&st) == -1)
		return err_temp(e, "cannot read resolv.conf");
#ifdef RES_TRUSTAD
	trust_ad = trust_ad || (st.options & RES_TRUSTAD) != 0;
#endif
	for (int i = 0; i < st.nscount && i < MAXNS; i++)
		if (resolv_server(&st, i, &ep))
			set_server(&servers[n++], &ep, trust_ad);
	res_nclose(&st);
	if (n == 0)
		return err_temp(e, "resolv.conf names no server");
	return n;
}

int
dns_servers_set(struct dns_server servers[DNS_SERVERS_MAX],
    const struct dns_options *o, struct err *e)
{
	struct endpoint ep;

	if (o->nservers == 0)
		return servers_of_resolv_conf(servers, o->trust_ad, e);
	if (o->nservers > DNS_SERVERS_MAX)
		return err_config(e, "%zu resolvers, at most %d", o->nservers,
		    DNS_SERVERS_MAX);
	for (size_t i = 0; i < o->nservers; i++) {
		if (!endpoint_parse(&ep, o->servers[i], DNS_PORT))
			return err_config(e,
			    "resolver \"%s\" is no ADDRESS or ADDRESS:PORT",
			    o->servers[i]);
		set_server(&servers[i], &ep, o->trust_ad);
	}
	return (int)o->nservers;
}

void
dns_server_set(struct dns_server *s, const struct endpoint *ep)
{
	set_server(s, ep, false);
	s->is_trusted = false;
}

static void
close_socket(struct dns_socket *s)
{
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	s->queries = 0;
}

void
dns_server_close(struct dns_server *s)
{
	for (int i = 0; i < DNS_SOCKETS; i++)
		close_socket(&s->sockets[i]);
}

static int
open_socket(struct dns_socket *s, const struct endpoint *ep)
{
	const int size = DNS_SOCKET_BUFFER;
	int saved;

	s->fd = socket(ep->addr.ss_family,
	    SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
	if (s->fd == -1)
		return -1;
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (connect(s->fd, (const struct sockaddr *)&ep->addr, ep->len) == 0)
		return 0;
	saved = errno;
	close_socket(s);
	errno = saved;
	return -1;
}

/* The first from start on that is not worn out; a worn one rests until its
 * last reply came, and is replaced then. */
static struct dns_socket *
choose_socket(struct dns_server *s, unsigned start)
{
	for (unsigned i = 0; i < DNS_SOCKETS; i++) {
		struct dns_socket *k = &s->sockets[(start + i) % DNS_SOCKETS];

		if (k->queries >= DNS_SOCKET_QUERIES && k->in_flight == 0)
			close_socket(k);
		if (k->queries < DNS_SOCKET_QUERIES)
			return k;
	}
	return &s->sockets[start % DNS_SOCKETS];
}

struct dns_socket *
dns_server_socket(struct dns_server *s, unsigned start)
{
	struct dns_socket *k = choose_socket(s, start);

	if (k->fd == -1 && open_socket(k, &s->ep) == -1)
		return NULL;
	k->queries++;
	return k;
}
