#include "bmx-probe/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "bmx-probe/family.h"
#include "smtp/policy.h"
#include "smtp/route.h"

/* One domain, on its way. */
struct look {
	const struct probe_how *how;
	struct dns *dns;
	struct seen *seen;
	struct probe_session session; /* how's, with this domain's recipient */
	const struct config_domain *domain;
	struct policy policy;
	int64_t deadline_ms;
	struct probe_result *r;
};

/* An engine is open where DNS has to be asked. */
static void
limit_dns(const struct look *l, int64_t until_ms)
{
	if (l->dns != NULL)
		dns_limit(l->dns, until_ms);
}

/* ---- what the addresses come to ---- */

/* The one that tells most: a good one, then one that defers, then the one
 * that came furthest; the first of equals. */
static bool
tells_more(const struct probe_address *a, const struct probe_address *than)
{
	static const int rank[] = {
		[PRIMARY_UP] = 3,
		[PRIMARY_DEFERRING] = 2,
		[PRIMARY_DOWN] = 1,
		[PRIMARY_UNKNOWN] = 0,
	};

	if (than == NULL || rank[a->result] != rank[than->result])
		return than == NULL || rank[a->result] > rank[than->result];
	return a->phase > than->phase;
}

static void
take_address(struct probe_result *r, const struct probe_address *a)
{
	if (!tells_more(a, r->decided))
		return;
	r->decided = a;
	r->result = a->result;
	r->code = a->code;
	memcpy(r->reason, a->reason, sizeof r->reason);
}

const char *
probe_family_name(int family)
{
	return family == AF_INET6  ? "ipv6"
	       : family == AF_INET ? "ipv4"
				   : "local";
}

enum primary_verdict
probe_family(const struct probe_result *r, int family)
{
	const struct probe_address *best = NULL;

	for (size_t i = 0; i < r->n; i++)
		if (r->addresses[i].family == family &&
		    tells_more(&r->addresses[i], best))
			best = &r->addresses[i];
	return best == NULL ? PRIMARY_UNKNOWN : best->result;
}

/* ---- an address ---- */

/* What is told of the certificate is by this domain's names and roots. */
static bool
has_judgement(const struct look *l)
{
	return l->session.judges_certificates &&
	       (l->domain->tls_name.n > 0 || l->domain->tls_ca != NULL);
}

/* A session is as good for another domain when nothing in it is this one's:
 * what a certificate proves depends on names and pins, RCPT on the domain. */
static bool
is_shareable(const struct look *l, const struct policy_hop *hop)
{
	return hop->result == TLS_OK && hop->tls.demand.proof == TLS_ANY &&
	       !has_judgement(l) &&
	       (l->session.until < PRIMARY_RCPT ||
		   l->how->session.rcpt != NULL);
}

/* As bmx.conf has it for this domain: the shorter of its two. */
static int64_t
longest_wait_ms(const struct look *l)
{
	unsigned s = l->domain->connect_timeout_s;
	unsigned reply_s = l->domain->reply_timeout_s;

	if (reply_s > 0 && reply_s < s)
		s = reply_s;
	return (int64_t)s * 1000;
}

static void
probe_in_turn(struct look *l, const struct policy_hop *hop, int64_t deadline_ms,
    struct probe_address *a)
{
	const struct seen_want want = { .level = hop->tls.level,
		.is_shared = is_shareable(l, hop),
		.deadline_ms = deadline_ms,
		.wait_ms = longest_wait_ms(l) };
	unsigned preference = a->preference;
	struct seen_entry *ticket;

	switch (seen_begin(l->seen, a, &want, &ticket)) {
	case SEEN_KNOWN:
		a->preference = preference; /* that is this domain's */
		break;
	case SEEN_LATE:
		session_decide(a, PRIMARY_UNKNOWN, PROBE_UNTRIED,
		    "no time was left for it");
		break;
	case SEEN_OURS:
		session_probe(&l->session, l->domain, hop, deadline_ms, a);
		seen_done(l->seen, ticket, a);
		break;
	}
}

static int
probe_address(struct look *l, const struct route_addr *to, int64_t deadline_ms,
    struct probe_address *a, struct err *e)
{
	struct policy_hop hop = POLICY_HOP_INIT;

	limit_dns(l, deadline_ms);
	session_name(a, to);
	if (clock_left_ms(deadline_ms) == 0) {
		session_decide(a, PRIMARY_UNKNOWN, PROBE_UNTRIED,
		    "no time was left for it");
		return 0;
	}
	if (policy_find(&l->policy, to, &hop, e) == -1)
		return -1;
	probe_in_turn(l, &hop, deadline_ms, a);
	policy_hop_free(&hop);
	return 0;
}

/* ---- a domain ---- */

static bool
is_wanted(const struct look *l, const struct route_addr *to)
{
	int family = to->ep.addr.ss_family;

	return l->how->all || probe_family(l->r, family) != PRIMARY_UP;
}

/* This address, and those behind it that are wanted as things are. */
static int64_t
count_wanted(const struct look *l, size_t from)
{
	const struct route *route = l->policy.route;
	int64_t n = 0;

	for (size_t i = from; i < route->naddrs; i++)
		n += is_wanted(l, &route->addrs[i]);
	return n;
}

/*
 * Every address gets its share of the time that is left, so that one which
 * swallows everything does not hide the next; what it does not use goes to
 * the others.
 */
static int
probe_route(struct look *l, struct err *e)
{
	const struct route *route = l->policy.route;

	for (size_t i = 0; i < route->naddrs; i++) {
		struct probe_address *a = &l->r->addresses[l->r->n];
		int64_t share_ms;

		if (!is_wanted(l, &route->addrs[i]))
			continue;
		share_ms = clock_left_ms(l->deadline_ms) / count_wanted(l, i);
		l->r->n++;
		if (probe_address(l, &route->addrs[i],
			clock_monotonic_ms() + share_ms, a, e) == -1)
			return -1;
		take_address(l->r, a);
	}
	return 0;
}

/* What is our own fault, or wish, says nothing about the primary. */
static void
tell_unknown(struct probe_result *r, enum probe_code code, const char *why)
{
	r->result = PRIMARY_UNKNOWN;
	r->code = code;
	snprintf(r->reason, sizeof r->reason, "%.250s", why);
}

static int
no_route(struct probe_result *r, const char *code, const char *why)
{
	r->result = PRIMARY_DOWN;
	r->code = PROBE_NO_ROUTE;
	snprintf(r->reason, sizeof r->reason, "no route: %s %.220s", code, why);
	return 0;
}

static int
follow_route(struct look *l, const struct route *route, struct err *e)
{
	struct probe_result *r = l->r;
	int rc;

	if (route->status != ROUTE_OK)
		return no_route(r, route_status_code(route->status),
		    route->why);
	if (route->naddrs == 0) {
		tell_unknown(r, PROBE_UNTRIED, "no address of this family");
		return 0;
	}
	r->addresses = calloc(route->naddrs, sizeof *r->addresses);
	if (r->addresses == NULL)
		return err_sys(e, "probe");
	rc = policy_open(&l->policy, l->how->host, l->domain, route, l->dns, e);
	if (rc == 0)
		rc = probe_route(l, e);
	policy_close(&l->policy);
	return rc;
}

static void
look_at(struct look *l)
{
	const struct config_host *host = l->how->host;
	const struct route_self self = { host->hostname, &host->self };
	int64_t begun_ms = clock_monotonic_ms();
	struct route route = ROUTE_INIT;
	struct err trouble = ERR_INIT;
	int rc;

	limit_dns(l, l->deadline_ms);
	rc = route_find(&route, l->dns, l->domain, &self, &trouble);
	l->r->dns_ms = clock_monotonic_ms() - begun_ms;
	family_keep(&route, l->how->family);
	if (rc == 0)
		rc = follow_route(l, &route, &trouble);
	if (rc == -1)
		tell_unknown(l->r, PROBE_TROUBLE, trouble.text);
	l->r->total_ms = clock_monotonic_ms() - begun_ms;
	route_free(&route);
}

void
probe_domain(const struct probe_how *how, struct dns *dns, struct seen *seen,
    const struct config_domain *domain, struct probe_result *r)
{
	struct config_domain at_level = *domain;
	char postmaster[sizeof "postmaster@" + ADDR_DOMAIN_MAX];
	struct look l = { .how = how,
		.dns = dns,
		.seen = seen,
		.session = how->session,
		.domain = &at_level,
		.policy = { .is_hurried = true },
		.r = r };

	*r = (struct probe_result)PROBE_RESULT_INIT;
	r->is_usual = how->session.until >= PRIMARY_EHLO2 && how->level == NULL;
	snprintf(postmaster, sizeof postmaster, "postmaster@%s", domain->name);
	if (l.session.rcpt == NULL)
		l.session.rcpt = postmaster;
	if (how->level != NULL)
		at_level.tls = *how->level;
	l.deadline_ms = clock_monotonic_ms() + (int64_t)how->timeout_s * 1000;
	if (how->deadline_ms > 0 && how->deadline_ms < l.deadline_ms)
		l.deadline_ms = how->deadline_ms;
	if (clock_left_ms(l.deadline_ms) > 0)
		look_at(&l);
	else
		tell_unknown(r, PROBE_UNTRIED, "the time of this run is over");
}

void
probe_result_free(struct probe_result *r)
{
	free(r->addresses);
	*r = (struct probe_result)PROBE_RESULT_INIT;
}
