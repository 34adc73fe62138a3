#ifndef BMX_DNS_SERVER_H
#define BMX_DNS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/connect.h"
#include "net/dns.h"

/*
 * The servers that are asked and their sockets, for dns*.c.
 *
 * Each has a few UDP sockets, connected, so that strangers' packets are dropped
 * and refusals (ICMP) arrive; the kernel picks their ports at random, and after
 * some thousand queries a socket is replaced by one with another port.
 */
#define DNS_SERVERS_MAX 16
#define DNS_SOCKETS 4                   /* of one server */
#define DNS_SOCKET_QUERIES 2048         /* before it is replaced */
#define DNS_SOCKET_BUFFER (1024 * 1024) /* SO_RCVBUF: a window's replies */

struct dns_socket {
	int fd;             /* -1: not open */
	unsigned queries;   /* sent since it was opened */
	unsigned in_flight; /* of these, still waited for */
};

struct dns_server {
	struct endpoint ep;
	char text[ENDPOINT_TEXT_MAX];
	bool is_trusted; /* its AD counts */
	unsigned missed; /* tries without a reply since the last reply */
	int64_t
	    refused_since_ms; /* the first of the refusals that go on until */
	int64_t refused_last_ms; /* now; 0: none */
	struct dns_socket sockets[DNS_SOCKETS];
};

/* Fill servers from o, or from resolv.conf. Their number, or -1. */
int dns_servers_set(struct dns_server servers[DNS_SERVERS_MAX],
    const struct dns_options *o, struct err *e);
void dns_server_close(struct dns_server *s);

/* A server that is asked one question. Its AD says nothing. */
void dns_server_set(struct dns_server *s, const struct endpoint *ep);

/* A socket for one more query; start: random. NULL and errno. */
struct dns_socket *dns_server_socket(struct dns_server *s, unsigned start);

#endif
