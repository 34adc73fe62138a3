#ifndef BMX_ROUTE_H
#define BMX_ROUTE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/connect.h"
#include "net/dns.h"
#include "spool/config.h"

/*
 * Who is the primary? RFC 5321 section 5.1, RFC 7505.
 *
 * Either what bmx.conf says, or the MX hosts of the domain whose preference
 * is better (lower) than our own. Hosts in order of preference, equal ones
 * shuffled; of each host every address in the order to be tried. Never
 * ourselves, never a worse MX. DNS never makes mail bounce: every failure
 * below means "hold it" or "later".
 */

enum route_status {
	ROUTE_OK,
	ROUTE_DNS_TROUBLE, /* SERVFAIL, timeout, malformed: 4.4.3, later */
	ROUTE_NO_DOMAIN,   /* NXDOMAIN: 5.1.2 by the RFC; we hold, 4.4.4 */
	ROUTE_NULL_MX,     /* 5.1.10 by RFC 7505; we hold, 4.1.10 */
	ROUTE_WE_ARE_BEST, /* no MX better than us, or the primary is us: 5.4.6
			      by RFC 5321 5.1; we hold, 4.4.6 */
	ROUTE_NOT_LISTED,  /* we are not among the MX (or there are none, and
			      so the domain itself is it) and no primary is
			      set: 4.4.6, an alarm */
	ROUTE_NO_ADDRESS,  /* better MX hosts, none has an address: 4.4.4 */
};

#define ROUTE_HOSTS_MAX 32
#define ROUTE_ADDRS_MAX 64 /* over all hosts */

struct route_addr {
	struct endpoint ep;
	const char *host; /* its MX name; of bmx.conf the name without its port,
			     or the address as it stands; owned by the route */
	unsigned preference;
};

struct route {
	enum route_status status;
	char why[256]; /* in words, for log and operator */
	struct route_addr addrs[ROUTE_ADDRS_MAX]; /* in the order to be tried */
	size_t naddrs;
	char *hosts[ROUTE_HOSTS_MAX];
	size_t nhosts;
};

/* clang-format off */
#define ROUTE_INIT { .naddrs = 0 }
/* clang-format on */

/* What "we" means: names, and addresses besides those of the interfaces.
 * Addresses of ours are never in a route, with one exception: a primary of
 * bmx.conf on loopback with a port that is not 25 is another service. */
struct route_self {
	const char *hostname;
	const struct config_list *names; /* config_host.self */
};

/*
 * Find the route of a domain. Returns 0 with r->status and r->why, whatever
 * DNS said; -1 only for our own trouble (ERR_TEMP), or for a primary that
 * config_load() would not have taken (ERR_CONFIG).
 */
int route_find(struct route *r, struct dns *dns,
    const struct config_domain *domain, const struct route_self *self,
    struct err *e);
void route_free(struct route *r);

/* "4.4.6", the enhanced status code to log and report. */
const char *route_status_code(enum route_status s);

#endif
