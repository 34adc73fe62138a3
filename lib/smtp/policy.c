#include "smtp/policy.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "smtp/tlsa.h"

const char *
policy_source_name(enum policy_source source)
{
	return source == POLICY_TLSA  ? "tlsa"
	       : source == POLICY_STS ? "sts"
				      : "no-policy-found";
}

/* ---- for a domain ---- */

/* RFC 8460 section 4.3: what the record, or the fetch of the policy, failed by.
 * Also where an older policy is still in force. */
static void
log_sts(const struct config_domain *domain, const struct sts_found *found)
{
	char why[TLS_TEXT_MAX];

	if (found->why[0] != '\0')
		log_warn("domain=%s policy=sts result=%s reason=\"%s\"",
		    domain->name,
		    found->result == TLS_OK ? "not-kept"
					    : tls_result_name(found->result),
		    text_quoted(why, sizeof why, found->why));
}

/* RFC 8461 section 2: it is about hosts that MX records name. */
static int
find_sts(const struct config_domain *domain, const struct sts_source *from,
    struct sts_found *found, struct err *e)
{
	int64_t now_s = clock_wall_us() / 1000000;

	if (!route_is_by_mx(domain) || domain->tls == CONFIG_TLS_NONE ||
	    domain->tls == CONFIG_TLS_DANE_ONLY)
		return 0;
	if (sts_find(domain->name, from, now_s, found, e) == -1)
		return -1;
	log_sts(domain, found);
	return 0;
}

int
policy_refresh(const struct config_host *host,
    const struct config_domain *domain, struct dns *dns, int64_t deadline_ms,
    struct err *e)
{
	const struct sts_source from = { .dns = dns,
		.state = host->state,
		.ca_file = domain->tls_ca,
		.deadline_ms = deadline_ms };
	struct sts_found found;

	if (!route_is_by_mx(domain) || access(host->state, W_OK) == -1)
		return 0;
	dns_limit(dns, deadline_ms);
	return find_sts(domain, &from, &found, e);
}

int
policy_open(struct policy *p, const struct config_host *host,
    const struct config_domain *domain, const struct route *route,
    struct dns *dns, struct err *e)
{
	const struct sts_source from = { .dns = dns,
		.state = host->state,
		.ca_file = domain->tls_ca,
		.is_offline = p->is_hurried };

	*p = (struct policy){ .host = host,
		.domain = domain,
		.route = route,
		.dns = dns,
		.is_hurried = p->is_hurried,
		.is_relaxed = p->is_relaxed };
	return p->is_relaxed ? 0 : find_sts(domain, &from, &p->sts, e);
}

void
policy_close(struct policy *p)
{
	*p = (struct policy)POLICY_INIT;
}

/* ---- TLSA records ---- */

/* "_25._tcp.mx.example.com", RFC 7672 section 2.2. */
static struct dns_answer *
ask_for_records(struct policy *p, const struct route_addr *to, const char *base,
    struct err *e)
{
	char name[DNS_NAME_MAX + 32];

	snprintf(name, sizeof name, "_%u._tcp.%s", endpoint_port(&to->ep),
	    base);
	return dns_lookup(p->dns, name, DNS_TLSA, e);
}

/* What an answer is worth; the usable records go into the demand. One of a
 * resolver that is not trusted is worth nothing: another one vouched for the
 * address, and gave none to this, perhaps since it is bogus. */
static enum policy_dane
take_records(const struct dns_answer *a, struct tls_demand *demand)
{
	if (a->status > DNS_NXDOMAIN || !a->is_trusted)
		return DANE_TROUBLE;
	if (a->nrr == 0 || !a->is_authentic)
		return DANE_NONE;
	for (size_t i = 0; i < a->nrr; i++)
		tlsa_add(demand, a->rr[i].raw.data, a->rr[i].raw.len);
	tlsa_choose(demand);
	return demand->ntlsa > 0 ? DANE_USABLE : DANE_UNUSABLE;
}

/* The names that a certificate of usage 2 may be for (RFC 7672 3.2.2), and the
 * one for SNI: where the records are. */
static void
demand_base(const struct policy *p, struct policy_hop *hop, const char *base)
{
	struct tls_demand *demand = &hop->tls.demand;

	hop->tls.name = base;
	demand->nnames = 0;
	demand->names[demand->nnames++] = base;
	if (strcmp(base, hop->to->host) != 0)
		demand->names[demand->nnames++] = hop->to->host;
	if (p->route->is_by_mx)
		demand->names[demand->nnames++] = p->domain->name;
}

/* RFC 7672 2.2.3: first for the name behind the aliases, then for the MX's own.
 * -1. */
static int
look_up_dane(struct policy *p, struct policy_hop *hop, enum policy_dane *dane,
    struct err *e)
{
	const struct route_addr *to = hop->to;
	const char *bases[] = { to->secure_name, to->host };
	size_t n = strcmp(bases[0], bases[1]) == 0 ? 1 : 2;

	*dane = DANE_NONE;
	for (size_t i = 0; i < n && *dane == DANE_NONE; i++) {
		dns_answer_free(hop->tlsa);
		hop->tlsa = ask_for_records(p, to, bases[i], e);
		if (hop->tlsa == NULL)
			return -1;
		*dane = take_records(hop->tlsa, &hop->tls.demand);
		if (*dane == DANE_USABLE)
			demand_base(p, hop, bases[i]);
	}
	return 0;
}

/*
 * That nothing is signed may be the resolver's fault: then "dane" is no more
 * than "may", which is to be known. The root is signed for sure.
 */
static int
check_resolver(struct policy *p, struct err *e)
{
	struct dns_answer *a;

	if (p->is_resolver_checked)
		return 0;
	p->is_resolver_checked = true;
	a = dns_lookup(p->dns, ".", DNS_SOA, e);
	if (a == NULL)
		return -1;
	if (!a->is_authentic)
		log_alarm("domain=%s resolver=%s tls=dane without effect: the "
			  "resolver does not validate, or is not on loopback",
		    p->domain->name, a->server != NULL ? a->server : "-");
	dns_answer_free(a);
	return 0;
}

static int
find_dane(struct policy *p, struct policy_hop *hop, enum policy_dane *dane,
    struct err *e)
{
	enum config_tls tls = p->domain->tls;

	*dane = DANE_NOT_ASKED;
	if (tls != CONFIG_TLS_DANE_ONLY &&
	    (tls != CONFIG_TLS_DANE || p->is_relaxed))
		return 0;
	if (hop->to->secure_name == NULL)
		return route_asks_dns(p->domain) ? check_resolver(p, e) : 0;
	return look_up_dane(p, hop, dane, e);
}

/* ---- for an address ---- */

/* What bmx.conf says, before DNS is asked. */
static void
begin(const struct policy *p, const struct route_addr *to,
    struct policy_hop *hop)
{
	const struct config_list *names = &p->domain->tls_name;
	const struct config_list *pins = &p->domain->tls_pin;
	struct tls_demand *demand = &hop->tls.demand;
	const char *name = to->host;
	struct endpoint literal;

	*hop = (struct policy_hop){ .domain = p->domain,
		.to = to,
		.tls = { .certificate = p->host->tls_client_certificate,
		    .key = p->host->tls_client_key } };
	if (endpoint_parse(&literal, name, 0)) /* with brackets, or a port */
		name = endpoint_host(&literal, hop->address);
	demand->ca_file = p->domain->tls_ca;
	if (names->n == 0)
		demand->names[demand->nnames++] = name;
	for (size_t i = 0; i < names->n && i < TLS_NAMES_MAX; i++)
		demand->names[demand->nnames++] = names->word[i];
	for (size_t i = 0; i < pins->n; i++)
		if (config_parse_pin(pins->word[i],
			demand->pins[demand->npins]))
			demand->npins++;
	hop->tls.name = demand->names[0];
}

/* RFC 8461 section 4.1: what makes the demand also says for which name. */
static void
demand_mx_host(struct policy_hop *hop)
{
	hop->tls.name = hop->to->host;
	hop->tls.demand.nnames = 0;
	hop->tls.demand.names[hop->tls.demand.nnames++] = hop->to->host;
}

static enum policy_sts
mode_of(const struct sts_found *found)
{
	if (!found->has_policy || found->policy.mode == STS_NONE)
		return POLICY_STS_NONE;
	return found->policy.mode == STS_ENFORCE ? POLICY_STS_ENFORCE
						 : POLICY_STS_TESTING;
}

/* RFC 8461 section 5: what enforcement would have failed by is told. */
static void
log_unlisted(const struct policy_hop *hop, const struct policy_facts *facts)
{
	if (facts->sts == POLICY_STS_TESTING && !facts->is_listed)
		log_info("domain=%s mx=%s policy=sts "
			 "result=validation-failure reason=\"it is not in the "
			 "domain's MTA-STS policy, which is being tested\"",
		    hop->domain->name, hop->to->host);
}

static const char *
dane_lack(enum policy_dane dane)
{
	switch (dane) {
	case DANE_NOT_ASKED:
		return "DNSSEC does not vouch for its address";
	case DANE_NONE:
		return "it has no signed TLSA records";
	default:
		return "it has no usable TLSA records";
	}
}

/* Why it is skipped, in words. */
static void
explain(struct policy_hop *hop, enum policy_dane dane)
{
	if (hop->result == TLS_DNSSEC_INVALID)
		snprintf(hop->why, sizeof hop->why,
		    "no answer about its TLSA records: %s",
		    dns_status_text(hop->tlsa->status));
	else if (hop->result == TLS_DANE_REQUIRED)
		snprintf(hop->why, sizeof hop->why, "%s", dane_lack(dane));
	else if (hop->result != TLS_OK)
		snprintf(hop->why, sizeof hop->why,
		    "it is not in the domain's MTA-STS policy");
}

int
policy_find(struct policy *p, const struct route_addr *to,
    struct policy_hop *hop, struct err *e)
{
	struct policy_facts facts = { .configured = p->domain->tls,
		.is_by_bmx_conf = !p->route->is_by_mx,
		.has_names = p->domain->tls_name.n > 0,
		.is_mx_secure = p->route->is_mx_secure,
		.sts = mode_of(&p->sts),
		.is_listed = p->sts.has_policy &&
			     sts_is_covered(&p->sts.policy, to->host) };
	struct policy_decision d;

	begin(p, to, hop);
	if (find_dane(p, hop, &facts.dane, e) == -1)
		return -1;
	d = policy_decide(&facts);
	hop->result = d.result;
	hop->source = d.source;
	hop->tls.level = d.level;
	hop->tls.demand.proof = d.proof;
	hop->tls.demand.is_advice = d.is_advice;
	hop->tls.is_vouched_for = d.is_vouched_for;
	if (d.source == POLICY_STS && facts.configured != CONFIG_TLS_VERIFY)
		demand_mx_host(hop);
	explain(hop, facts.dane);
	log_unlisted(hop, &facts);
	return 0;
}

void
policy_hop_free(struct policy_hop *hop)
{
	dns_answer_free(hop->tlsa);
	*hop = (struct policy_hop)POLICY_HOP_INIT;
}

/* ---- a session ---- */

void
policy_log(const struct policy_hop *hop, const struct client *c)
{
	const char *text = c->conn != NULL ? conn_tls_text(c->conn) : "";
	void (*log_line)(const char *fmt, ...) =
	    hop->tls.level == CONFIG_TLS_MAY ? log_info : log_warn;
	char why[TLS_TEXT_MAX];

	if (c->tls_result == TLS_OK)
		log_info("domain=%s peer=%s mx=%s tls=%s policy=%s result=ok",
		    hop->domain->name, c->peer, hop->to->host, text,
		    policy_source_name(hop->source));
	else
		log_line("domain=%s peer=%s mx=%s tls=%s policy=%s result=%s "
			 "reason=\"%s\"",
		    hop->domain->name, c->peer, hop->to->host,
		    text[0] != '\0' ? text : "-",
		    policy_source_name(hop->source),
		    tls_result_name(c->tls_result),
		    text_quoted(why, sizeof why, c->tls_why));
}

static int
skip(const struct policy_hop *hop, struct client *c,
    const struct client_params *params, struct err *e)
{
	client_abort(c);
	*c = (struct client){ .params = params, .tls_result = hop->result };
	endpoint_text(&hop->to->ep, c->peer);
	memcpy(c->tls_why, hop->why, sizeof c->tls_why);
	policy_log(hop, c);
	return err_temp(e, "%s: %s", tls_result_name(hop->result), hop->why);
}

int
policy_session(const struct policy_hop *hop, struct client *c,
    const struct client_params *params, struct err *e)
{
	int rc;

	if (hop->result != TLS_OK)
		return skip(hop, c, params, e);
	rc = client_open(c, params, &hop->to->ep, &hop->tls, e);
	snprintf(c->host, sizeof c->host, "%s", hop->to->host);
	if (hop->tls.level != CONFIG_TLS_NONE &&
	    (rc == 0 || c->tls_result != TLS_OK))
		policy_log(hop, c);
	return rc;
}
