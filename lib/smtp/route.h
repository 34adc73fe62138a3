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
 * ourselves, never a worse MX; whether we are among the MX hosts of a domain
 * that is not in bmx.conf does not matter. DNS never makes mail bounce: every
 * failure below means "hold it" or "later".
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
	/* DNSSEC vouches for the address, and for the MX unless bmx.conf names
	 * the host: only then TLSA records count (RFC 7672 2.2). The host's
	 * name behind its aliases, itself without any; NULL: not vouched for.
	 * Owned by the route */
	const char *secure_name;
	unsigned preference;
};

struct route {
	enum route_status status;
	char why[256]; /* in words, for log and operator */
	struct route_addr addrs[ROUTE_ADDRS_MAX]; /* in the order to be tried */
	size_t naddrs;
	bool is_by_mx;     /* the hosts are the domain's MX, not bmx.conf's */
	bool is_mx_secure; /* and DNSSEC vouches for the list */
	char *hosts[3 * ROUTE_HOSTS_MAX]; /* names that addrs refer to */
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

/* bmx.conf leaves it to MX records to say who the primary is. */
bool route_is_by_mx(const struct config_domain *domain);

/* DNS has to be asked. Not so when bmx.conf has nothing but addresses: then an
 * engine is not worth opening, and dns may be NULL for all that is done with
 * the route. */
bool route_asks_dns(const struct config_domain *domain);

/*
 * Find the route of a domain. Returns 0 with r->status and r->why, whatever
 * DNS said; -1 only for our own trouble (ERR_TEMP), or for a primary that
 * config_load() would not have taken (ERR_CONFIG).
 */
int route_find(struct route *r, struct dns *dns,
    const struct config_domain *domain, const struct route_self *self,
    struct err *e);
void route_free(struct route *r);

/*
 * DNS did not tell (DNS_TROUBLE, NO_DOMAIN, NO_ADDRESS): make the address that
 * worked last the route, as primary.h keeps it, with the name it was found by.
 * Whether it is fresh enough, and a server that got it by fraud would be found
 * out, is for the caller to say. False: the route is another matter, bmx.conf
 * names other hosts now, or the address is ours. r->why stays.
 */
bool route_last_good(struct route *r, const struct route_self *self,
    const char *address, const char *host);

/* "4.4.6", the enhanced status code to log and report. */
const char *route_status_code(enum route_status s);

#endif
