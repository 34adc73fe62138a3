#ifndef BMX_MXCHECK_FACTS_H
#define BMX_MXCHECK_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/connect.h"
#include "net/dns.h"

/*
 * What was asked about one domain and what came back: plain data, with no
 * opinion in it. collect() fills it from DNS, judge() reads it; tests fill it
 * by hand.
 */

/* A hostile domain may list thousands: more hosts, or more addresses of one
 * host and family, are counted but not looked at. */
#define FACTS_HOSTS_MAX 32
#define FACTS_ADDRS_MAX 16

/* One question and its answer, without the records. */
struct lookup {
	bool was_asked;
	enum dns_status status;
	unsigned aliases; /* CNAMEs followed */
	bool is_endless;  /* the chain of aliases loops, or is too long */
	char *owner;      /* of the records, after the aliases; NULL: the name
			     that was asked for */
	bool is_authoritative;     /* the TTLs are the zone's, not what a cache
				      has left of them */
	uint32_t ttl_min, ttl_max; /* of the records; status DNS_OK only */
	char server[ENDPOINT_TEXT_MAX]; /* who said it; "" when nobody did */
};

struct fact_addr {
	unsigned char bytes[16];
	size_t len; /* 4 or 16 */
};

/* An MX record and the addresses of its target. */
struct fact_host {
	uint16_t preference;
	char *name;            /* lower case, no final dot; "" is the root */
	struct lookup a, aaaa; /* not asked for the root and for addresses */
	struct fact_addr addrs[2 * FACTS_ADDRS_MAX];
	size_t naddrs;
	size_t addrs_left; /* not looked at */
	bool is_local;     /* an address of it is on an interface of this host;
			      only found out where a rule asks for it */
};

struct facts {
	char *domain; /* folded */
	struct lookup mx;
	struct fact_host *hosts; /* by preference, then name; without any MX
				    record: one, the domain itself */
	size_t nhosts;
	size_t hosts_left; /* not looked at */
};

/* clang-format off */
#define FACTS_INIT { .domain = NULL }
/* clang-format on */

void facts_free(struct facts *f);

/* True when the look-up gave a definite answer: there are records, or it is
 * certain that there are none. */
bool lookup_is_definite(const struct lookup *l);

/* The MX set is one record, the root at preference 0: no mail, RFC 7505. */
bool facts_is_null_mx(const struct facts *f);

/* "192.0.2.1", "2001:db8::1". Returns out. */
char *fact_addr_text(const struct fact_addr *a, char out[ENDPOINT_TEXT_MAX]);
bool fact_addr_same(const struct fact_addr *a, const struct fact_addr *b);

#endif
