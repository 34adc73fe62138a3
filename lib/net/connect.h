#ifndef BMX_CONNECT_H
#define BMX_CONNECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* Addresses as text, and a connection with a deadline. */

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t len; /* 0: empty */
	bool is_lmtp; /* an LMTP server (RFC 2033), over TCP or a socket file */
};

/* "lmtp:/run/lmtp" at its longest (sun_path), "[2001:db8::1]:25"; a NUL */
#define ENDPOINT_TEXT_MAX 120

/* Parse "192.0.2.1", "192.0.2.1:25", "2001:db8::1", "[2001:db8::1]",
 * "[2001:db8::1]:25", and the same after "lmtp:" or "lmtp:/PATH". False: it is
 * no numeric address (a host name, say). */
bool endpoint_parse(struct endpoint *ep, const char *text,
    unsigned default_port);

/* With the port: "192.0.2.1:25", "[2001:db8::1]:25", "lmtp:127.0.0.1:24".
 * Returns out. */
char *endpoint_text(const struct endpoint *ep, char out[ENDPOINT_TEXT_MAX]);

/* The address alone, and the port; of a socket file "" and 0. */
char *endpoint_host(const struct endpoint *ep, char out[ENDPOINT_TEXT_MAX]);
unsigned endpoint_port(const struct endpoint *ep);

/* From 4 or 16 bytes of an A or AAAA record; with another len it is empty. */
void endpoint_from_bytes(struct endpoint *ep, const unsigned char *bytes,
    size_t len, unsigned port);

/* Same address, whatever the port; ::ffff:192.0.2.1 equals 192.0.2.1. */
bool endpoint_same_host(const struct endpoint *a, const struct endpoint *b);

/* 127.0.0.0/8 or ::1. */
bool endpoint_is_loopback(const struct endpoint *ep);

/* 0.0.0.0 or ::, which connect(2) takes for this host. */
bool endpoint_is_unspecified(const struct endpoint *ep);

/* True if the address is this host: one of its interfaces (getifaddrs(3)),
 * loopback, or unspecified. */
bool endpoint_is_local(const struct endpoint *ep);

/*
 * Connect a TCP socket, or one with a path: non-blocking, close-on-exec,
 * TCP_NODELAY. from: bind to this address, NULL for any. Returns the descriptor, or -1 (ERR_TEMP,
 * e->sys has ECONNREFUSED, ETIMEDOUT, ...).
 */
int connect_to(const struct endpoint *ep, const struct endpoint *from,
    int64_t deadline_ms, struct err *e);

#endif
