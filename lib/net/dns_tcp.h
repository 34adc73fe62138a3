#ifndef BMX_DNS_TCP_H
#define BMX_DNS_TCP_H

#include <stddef.h>

#include "net/connect.h"

/*
 * One question over TCP, for dns*.c: what did not fit into a UDP reply
 * (RFC 7766). A machine that never waits: poll(2) for dns_tcp_events(), then
 * dns_tcp_step(). The deadline is the caller's.
 */
struct dns_tcp;

enum dns_tcp_state {
	DNS_TCP_MORE, /* not done yet */
	DNS_TCP_DONE, /* the reply is there */
	DNS_TCP_GONE, /* refused, reset, or closed too early */
};

/* Begin to connect, to send query afterwards. NULL and errno. */
struct dns_tcp *dns_tcp_open(const struct endpoint *server,
    const unsigned char *query, size_t len);
void dns_tcp_close(struct dns_tcp *t);

int dns_tcp_fd(const struct dns_tcp *t);
short dns_tcp_events(const struct dns_tcp *t);
enum dns_tcp_state dns_tcp_step(struct dns_tcp *t);

/* The reply, valid until dns_tcp_close(). */
const unsigned char *dns_tcp_reply(const struct dns_tcp *t, size_t *len);

#endif
