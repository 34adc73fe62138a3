#ifndef BMX_MXCHECK_SPECIAL_H
#define BMX_MXCHECK_SPECIAL_H

#include <stddef.h>

/*
 * Addresses no mail can come to from the Internet: the IANA special-purpose
 * address registries (RFC 6890), multicast, and what was reserved or
 * deprecated since.
 */
struct special {
	const char *prefix; /* "192.168.0.0/16" */
	const char *use;    /* "private network" */
	const char *basis;  /* "RFC 1918" */
};

/* The longest prefix that holds the address (4 or 16 bytes, network order),
 * or NULL: an ordinary address. */
const struct special *special_find(const unsigned char *bytes, size_t len);

#endif
