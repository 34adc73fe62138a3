#ifndef BMX_MXCHECK_FACTS_H
#define BMX_MXCHECK_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bmx-mxcheck/facts_smtp.h"
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
#define FACTS_SERVERS_MAX                                                      \
	32                 /* addresses of a zone's servers; of a few names
				fewer, four of each */
#define FACTS_NAMES_MAX 16 /* of a zone's servers */
#define FACTS_SET_MAX 4096 /* bytes of records as text */
#define FACTS_TEXTS_MAX 4  /* TXT records that begin as they should */
#define FACTS_TLSAS_MAX 16
#define FACTS_TLSA_BYTES 64 /* SHA-512; of a longer one this is the head */
#define FACTS_LISTS_MAX 8   /* DNSBL zones */

/* One question and its answer, without the records. */
struct lookup {
	bool was_asked;
	enum dns_status status;
	unsigned aliases; /* CNAMEs followed */
	bool is_endless;  /* the chain of aliases loops, or is too long */
	char *owner;      /* of the records, after the aliases; NULL: the name
			     that was asked for */
	bool is_authoritative; /* the TTLs are the zone's, not what a cache
				      has left of them */
	bool is_authentic;     /* AD, and the resolver is trusted */
	bool is_trusted;       /* its AD would count */
	bool is_bogus;     /* SERVFAIL, but with CD set there is an answer */
	bool has_no_route; /* from here to the server that was to be asked */
	uint32_t ttl_min, ttl_max;      /* of the records; status DNS_OK only */
	char server[ENDPOINT_TEXT_MAX]; /* who said it; "" when nobody did */
};

struct fact_addr {
	unsigned char bytes[16];
	size_t len; /* 4 or 16 */
};

/* A server of a zone, by one of its addresses, and what it says when it is
 * asked itself; of the domain: MX and SOA, of a host: A and AAAA. */
enum fact_poll { POLL_MX = 0, POLL_SOA = 1, POLL_A = 0, POLL_AAAA = 1 };

struct fact_server {
	char *name;
	struct fact_addr addr; /* len 0: it has none, said[0] tells why */
	struct lookup said[2];
	char *set[2]; /* "10 mx1.test, 20 mx2.test", sorted; a SOA's serial
			 number; NULL: no answer, or longer than we look at */
};

/* The zone that holds a name. */
struct fact_zone {
	char *apex;                  /* NULL: not found */
	struct lookup ns;            /* the last that was asked on the way up */
	struct fact_server *servers; /* by name, then address */
	size_t nservers;
	size_t servers_room; /* while they are collected */
	size_t servers_left; /* not looked at */
};

struct fact_tlsa {
	unsigned char usage, selector, match;
	unsigned char data[FACTS_TLSA_BYTES];
	size_t len; /* of all data, may be more than there is room for */
	unsigned char sha256[32]; /* of all data, with match 0 */
};

/* The way back from an address. */
struct fact_reverse {
	struct lookup ptr;
	char *name;            /* the first; or the one that leads back */
	struct lookup forward; /* its address, or the last that failed */
	bool leads_back;       /* one of the names has the address */
};

/* TXT records that begin with the word for what is looked for. */
struct fact_texts {
	struct lookup said;
	char *text[FACTS_TEXTS_MAX];
	size_t n;
	size_t left; /* not looked at */
};

/* A DNSBL and its test entries, RFC 5782 section 5: 127.0.0.2 or the like is
 * listed, 127.0.0.1 is not. */
struct fact_list {
	char *zone;
	struct lookup listed[2], unlisted[2]; /* for IPv4, IPv6 */
};

/* An MX record and the addresses of its target. */
struct fact_host {
	uint16_t preference;
	char *name;            /* lower case, no final dot; "" is the root */
	struct lookup a, aaaa; /* not asked for the root and for addresses */
	struct fact_addr addrs[2 * FACTS_ADDRS_MAX];
	size_t naddrs;
	size_t addrs_left; /* not looked at */
	/* only where a check asks for it */
	struct fact_zone zone;
	struct lookup tlsa; /* of _25._tcp.NAME */
	struct fact_tlsa *tlsas;
	size_t ntlsas, tlsas_left;
	struct fact_reverse *reverse;   /* of addrs; NULL: not looked at */
	struct lookup *listings;        /* of addrs, and each of facts.lists;
					 NULL: not looked at */
	struct fact_texts spf;          /* of its own name */
	struct fact_session **sessions; /* of addrs, NULL among them: none was
					    wanted; NULL: not looked at */
	bool is_local; /* an address of it is on an interface of this host;
			      only found out where a rule asks for it */
};

struct facts {
	char *domain; /* folded */
	struct lookup mx;
	struct fact_host *hosts; /* by preference, then name; without any MX
				    record: one, the domain itself */
	size_t nhosts;
	size_t hosts_left; /* not looked at */
	/* only where a check asks for it */
	struct fact_zone zone;
	struct fact_texts spf, sts, tlsrpt;
	struct fact_policy *policy; /* MTA-STS; NULL: not asked for */
	struct fact_list *lists;
	size_t nlists;
	int64_t taken_s; /* when they were collected, 1970 seconds */
};

/* clang-format off */
#define FACTS_INIT { .domain = NULL }
/* clang-format on */

void facts_free(struct facts *f);

/* What one of its hosts owns. */
void facts_free_host(const struct facts *f, struct fact_host *h);
void lookup_free(struct lookup *l);

/* True when the look-up gave a definite answer: there are records, or it is
 * certain that there are none. */
bool lookup_is_definite(const struct lookup *l);

/* The MX set is one record, the root at preference 0: no mail, RFC 7505. */
bool facts_is_null_mx(const struct facts *f);

/* "192.0.2.1", "2001:db8::1". Returns out. */
char *fact_addr_text(const struct fact_addr *a, char out[ENDPOINT_TEXT_MAX]);
bool fact_addr_same(const struct fact_addr *a, const struct fact_addr *b);

/* The session with address i of the host; NULL: none was wanted. */
const struct fact_session *facts_session(const struct fact_host *h, size_t i);

#endif
