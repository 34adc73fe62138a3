#ifndef BMX_NETWORK_H
#define BMX_NETWORK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Blocks of addresses as text, and what is in them. Pure: the configuration
 * checks its lists with it, programs ask it about clients.
 */
struct network {
	unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
	unsigned bits;           /* of them that count */
};

/* "192.0.2.0/24", "2001:db8::/32", or one address. False: neither, or bits
 * are set behind the length, which is a mistake more often than not. */
bool network_parse(struct network *n, const char *text);

/* Is the address in it? IPv4 and ::ffff:IPv4 are the same, and not in a block of
 * IPv6, such as ::/0. False also for what is no address. */
bool network_has(const struct network *n, const char *address);

/* In one of n blocks? */
bool network_any_has(char *const *blocks, size_t n, const char *address);

#endif
