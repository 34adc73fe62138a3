#ifndef BMX_ROUTE_ORDER_H
#define BMX_ROUTE_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/route.h"

/*
 * Which hosts, in which order: the pure part of route.c. What DNS said goes
 * in, the route comes out.
 */
#define ROUTE_HOST_ADDRS_MAX 16 /* of one family; further ones are not tried */
#define ROUTE_NO_PREFERENCE 65536 /* we are not in the list by name */

enum route_family { ROUTE_V4, ROUTE_V6, ROUTE_FAMILIES };

struct route_host {
	const char *name;
	unsigned preference;
	uint32_t tie; /* random: the order among equal preferences */
	unsigned port;
	bool has_port; /* bmx.conf names it */
	bool is_lmtp;  /* and LMTP as what is spoken there */
	bool is_self;  /* one of its addresses, or its name, is ours */
	/* by family: its addresses are validated; and the name they are of */
	const char *secure_name[ROUTE_FAMILIES];
	enum dns_status trouble; /* of a look-up that got no answer, else
				    DNS_OK */
	struct endpoint addrs[ROUTE_FAMILIES][ROUTE_HOST_ADDRS_MAX]; /* without
				    ours */
	size_t naddrs[ROUTE_FAMILIES];
};

/*
 * Sort the hosts by preference, equal ones by tie, and drop ours with all that
 * are not better (RFC 5321 5.1): returns how many are left at the beginning.
 * own_preference: the one of our name, or ROUTE_NO_PREFERENCE; hosts with
 * is_self count too.
 */
size_t route_better(struct route_host *hosts, size_t n,
    unsigned own_preference);

/* The status that follows for MX hosts, of which the first better ones are
 * left. must_be_listed: we are a backup of this domain, so its MX have to name
 * us. */
enum route_status route_judge(const struct route_host *hosts, size_t n,
    size_t better, unsigned own_preference, bool must_be_listed);

/* The addresses in the order to be tried into r->addrs, each once; host names
 * are the hosts' own. */
void route_list(struct route *r, const struct route_host *hosts, size_t n,
    bool v6_first);

#endif
