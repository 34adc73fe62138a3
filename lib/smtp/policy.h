#ifndef BMX_POLICY_H
#define BMX_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "net/dns.h"
#include "net/tls.h"
#include "smtp/client.h"
#include "smtp/route.h"
#include "smtp/sts_find.h"
#include "spool/config.h"

/*
 * Which TLS the next hop owes us: "tls" of bmx.conf, DANE (RFC 7672) and
 * MTA-STS (RFC 8461) put together, for one address of a route. What comes out
 * is for client_open(), or "skip this address, because": a level that bmx.conf
 * or the domain's owner asks for is never lowered, mail waits instead, but for
 * what is_relaxed says.
 *
 *	struct policy policy = POLICY_INIT;
 *	policy_open(&policy, &config.host, domain, &route, dns, e)
 *	for each address a of the route:
 *		struct policy_hop hop = POLICY_HOP_INIT;
 *		policy_find(&policy, a, &hop, e)
 *		policy_session(&hop, &client, &params, e)
 *		policy_hop_free(&hop)
 *	policy_close(&policy)
 */

/* RFC 8460 4.2: what made the level in force. */
enum policy_source {
	POLICY_NONE, /* "no-policy-found": bmx.conf alone */
	POLICY_TLSA,
	POLICY_STS,
};

/* ---- the decision: pure ---- */

/* What DNS says of an address's TLSA records. */
enum policy_dane {
	DANE_NOT_ASKED, /* bmx.conf does not want it, or DNSSEC does not vouch
			   for the way to the address (RFC 7672 2.2) */
	DANE_NONE,      /* and that is certain, or they are not signed */
	DANE_TROUBLE,   /* SERVFAIL, bogus, no answer: an attack looks so */
	DANE_UNUSABLE,  /* records, and none that can be used */
	DANE_USABLE,
};

/* And the domain's MTA-STS policy. */
enum policy_sts {
	POLICY_STS_NONE,
	POLICY_STS_TESTING,
	POLICY_STS_ENFORCE,
};

struct policy_facts {
	enum config_tls configured;
	bool is_by_bmx_conf; /* it names the host; else an MX record does */
	bool has_names;      /* it says what its certificate is for */
	bool is_mx_secure;   /* DNSSEC vouches for the MX records */
	enum policy_dane dane;
	enum policy_sts sts;
	bool is_listed; /* the host is in the MTA-STS policy */
};

struct policy_decision {
	enum tls_result result; /* not TLS_OK: skip this address */
	enum config_tls level;  /* for struct client_tls */
	enum tls_proof proof;
	bool is_advice;
	enum policy_source source;
	/* RFC 8689 4.2.1: it is certain that this is a next hop of the domain:
	 * by bmx.conf, DNSSEC or MTA-STS */
	bool is_vouched_for;
};

struct policy_decision policy_decide(const struct policy_facts *f);

/* ---- a domain, its addresses, their sessions ---- */

struct policy {
	const struct config_host *host; /* borrowed, as all here */
	const struct config_domain *domain;
	const struct route *route;
	struct dns *dns;
	/* The caller's, before policy_open(): somebody waits for us, so no web
	 * server is asked, and the MTA-STS policy that is kept has to do. A drain,
	 * and policy_refresh() after a probe, keep it fresh. */
	bool is_hurried;
	/* The caller's as well: this is for mail that says "TLS-Required: No" (RFC
	 * 8689 4.2.2). As if neither TLSA records nor MTA-STS were known here; what
	 * bmx.conf asks for by itself stays. */
	bool is_relaxed;
	bool is_resolver_checked;
	struct sts_found sts; /* of the domain */
};

/* What one address owes us. tls borrows from here, so that it is not to be
 * moved, and from the policy with its route and configuration. */
struct policy_hop {
	const struct config_domain *domain;
	const struct route_addr *to;
	char address[ENDPOINT_TEXT_MAX]; /* when it has no other name */
	struct client_tls tls;
	enum policy_source source;
	enum tls_result result; /* not TLS_OK: this address is to be skipped, */
	char why[TLS_TEXT_MAX]; /* because */
	struct dns_answer *tlsa; /* the demand's records are in it */
};

/* clang-format off */
#define POLICY_INIT { .host = NULL }
#define POLICY_HOP_INIT { .domain = NULL }
/* clang-format on */

/* For one domain in one run: what is the same for all of its addresses is
 * found out here. -1: our own trouble. */
int policy_open(struct policy *p, const struct config_host *host,
    const struct config_domain *domain, const struct route *route,
    struct dns *dns, struct err *e);
void policy_close(struct policy *p);

/* Fetch the domain's MTA-STS policy where that is due, for those who will be
 * in a hurry, until deadline_ms (monotonic). Nothing is asked where there is no
 * directory to keep it in. -1: our own trouble. */
int policy_refresh(const struct config_host *host,
    const struct config_domain *domain, struct dns *dns, int64_t deadline_ms,
    struct err *e);

/* For one address of the route; it may ask DNS. 0 with hop->result, whatever
 * DNS said. -1: our own trouble (ERR_TEMP). */
int policy_find(struct policy *p, const struct route_addr *to,
    struct policy_hop *hop, struct err *e);
void policy_hop_free(struct policy_hop *hop);

/*
 * client_open() as the hop says, or -1 (ERR_TEMP) at once when it is to be
 * skipped; c->tls_result tells. One event per handshake, or refusal to make
 * one, is logged (RFC 8460: "domain= peer= tls= policy= result=").
 */
int policy_session(const struct policy_hop *hop, struct client *c,
    const struct client_params *params, struct err *e);

/* The event alone, for those who take the steps of a session one by one. */
void policy_log(const struct policy_hop *hop, const struct client *c);

/* "no-policy-found", "tlsa", "sts". */
const char *policy_source_name(enum policy_source source);

#endif
