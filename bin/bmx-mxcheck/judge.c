#include "judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "hostname.h"
#include "rules.h"

/* ---- outcomes ---- */

static void
settle(struct judging *j, enum outcome outcome)
{
	enum outcome *overall = &j->out->outcome[j->check];

	if (outcome > *overall)
		*overall = outcome;
}

void
pass(struct judging *j)
{
	settle(j, OUTCOME_PASS);
}

static void
add(struct judging *j, enum outcome outcome, enum severity severity,
    const struct about *about, const char *fmt, va_list ap)
{
	struct finding *f = &j->out->findings[j->out->n];
	char text[2 * DNS_NAME_MAX + 128];

	settle(j, outcome);
	if (j->out->n == FINDINGS_MAX)
		return;
	j->out->n++;
	f->check = j->check;
	f->outcome = outcome;
	f->severity = severity;
	snprintf(f->server, sizeof f->server, "%s",
	    about->said == NULL ? "" : about->said->server);
	snprintf(text, sizeof text, "%s%s", about->name, about->type);
	text_safe(f->subject, sizeof f->subject, text);
	vsnprintf(text, sizeof text, fmt, ap);
	text_safe(f->evidence, sizeof f->evidence, text);
}

void
fail(struct judging *j, enum severity severity, struct about about,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(j, OUTCOME_FAIL, severity, &about, fmt, ap);
	va_end(ap);
}

void
untested(struct judging *j, struct about about, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(j, OUTCOME_UNTESTED, usual(j), &about, fmt, ap);
	va_end(ap);
}

void
untested_host(struct judging *j, const struct fact_host *h)
{
	bool has_a = lookup_is_definite(&h->a);
	bool has_aaaa = lookup_is_definite(&h->aaaa);
	struct about about = { h->name, "", has_a ? &h->aaaa : &h->a };

	if (!has_a && !has_aaaa)
		untested(j, about, "A: %s, AAAA: %s",
		    dns_status_text(h->a.status),
		    dns_status_text(h->aaaa.status));
	else if (!has_a)
		untested(j, about, "A: %s", dns_status_text(h->a.status));
	else if (!has_aaaa)
		untested(j, about, "AAAA: %s", dns_status_text(h->aaaa.status));
	else
		untested(j, about, "%zu more addresses were not looked at",
		    h->addrs_left);
}

void
say_hosts_left(struct judging *j)
{
	if (j->facts->hosts_left > 0)
		untested(j, about_mx(j), "%zu more MX hosts were not looked at",
		    j->facts->hosts_left);
}

enum severity
usual(const struct judging *j)
{
	return checks[j->check].severity;
}

/* ---- reading the facts ---- */

struct about
about_mx(const struct judging *j)
{
	return (struct about){ j->facts->domain, "", &j->facts->mx };
}

/* Prefer the family that has something to say. */
struct about
about_host(const struct fact_host *h)
{
	bool use_aaaa = h->a.status != DNS_OK && h->aaaa.status == DNS_OK;

	return (struct about){ h->name, "", use_aaaa ? &h->aaaa : &h->a };
}

struct about
about_record(const struct judging *j, const struct fact_host *h)
{
	return (struct about){ h->name, "", &j->facts->mx };
}

struct about
about_address(const struct fact_host *h, size_t at, struct lookup *who)
{
	*who = (struct lookup){ .was_asked = true };
	fact_addr_text(&h->addrs[at], who->server);
	return (struct about){ h->name, "", who };
}

bool
is_root(const struct fact_host *h)
{
	return h->name[0] == '\0';
}

bool
is_target(const struct facts *f, size_t i)
{
	if (is_root(&f->hosts[i]))
		return false;
	for (size_t k = 0; k < i; k++) {
		if (strcmp(f->hosts[k].name, f->hosts[i].name) == 0)
			return false;
	}
	return true;
}

size_t
count_targets(const struct facts *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nhosts; i++)
		n += is_target(f, i);
	return n;
}

bool
is_complete(const struct fact_host *h)
{
	return lookup_is_definite(&h->a) && lookup_is_definite(&h->aaaa) &&
	       h->addrs_left == 0;
}

bool
lacks_addresses(const struct fact_host *h)
{
	return !is_complete(h) && !is_root(h) && !hostname_is_address(h->name);
}

const char *
owner_of(const struct lookup *l)
{
	return l->owner == NULL ? "another name" : l->owner;
}

/* ---- which rule when ---- */

enum need {
	NEEDS_NOTHING, /* it knows by itself */
	NEEDS_MX,      /* a definite answer to the MX question, and so do all
			  that follow */
	NEEDS_HOSTS,   /* at least one MX host that is not the root */
	NEEDS_TARGETS, /* the same, or the domain itself in their place */
	NEEDS_BACKUP,  /* a named backup, and a domain that takes mail */
	NEEDS_ROLES,   /* a named role, and at least one MX host */
};

/* One of the functions is set. */
struct rule {
	enum need need;
	enum session_step step; /* .session: that the session must have begun */
	void (*session)(struct judging *j, const struct seen *s);
	void (*domain)(struct judging *j);
	void (*host)(struct judging *j, const struct fact_host *h);
	void (*rrset)(struct judging *j, struct about about);
};

/* clang-format off */
static const struct rule rules[CHECK_COUNT] = {
	[CHECK_MX_EXISTS] = { NEEDS_MX, .domain = mx_exists },
	[CHECK_MX_NULL] = { NEEDS_MX, .domain = mx_null },
	[CHECK_MX_NULL_MIXED] = { NEEDS_MX, .domain = mx_null_mixed },
	[CHECK_MX_IMPLICIT] = { NEEDS_MX, .domain = mx_implicit },
	[CHECK_MX_ONE] = { NEEDS_HOSTS, .domain = mx_one },
	[CHECK_MX_OWNER_ALIAS] = { NEEDS_NOTHING, .domain = mx_owner_alias },
	[CHECK_MX_TARGET_ALIAS] = { NEEDS_HOSTS, .host = target_alias },
	[CHECK_MX_TARGET_IP] = { NEEDS_HOSTS, .host = target_ip },
	[CHECK_MX_TARGET_NAME] = { NEEDS_HOSTS, .host = target_name },
	[CHECK_MX_TARGET_NOADDR] = { NEEDS_HOSTS, .host = target_noaddr },
	[CHECK_MX_ADDR_SPECIAL] = { NEEDS_TARGETS, .host = addr_special },
	[CHECK_MX_ADDR_DUP] = { NEEDS_HOSTS, .host = addr_dup },
	[CHECK_MX_NAME_DUP] = { NEEDS_HOSTS, .host = name_dup },
	[CHECK_PREF_TIE] = { NEEDS_ROLES, .domain = pref_tie },
	[CHECK_PREF_ORDER] = { NEEDS_ROLES, .domain = pref_order },
	[CHECK_SELF_LISTED] = { NEEDS_BACKUP, .domain = self_listed },
	[CHECK_TTL_RANGE] = { NEEDS_MX, .rrset = ttl_range },
	[CHECK_TTL_RRSET] = { NEEDS_MX, .rrset = ttl_rrset },
	[CHECK_LOOP] = { NEEDS_ROLES, .domain = loop },
	[CHECK_NET_FATE] = { NEEDS_ROLES, .domain = net_fate },
	[CHECK_DNS_FATE_ZONE] = { NEEDS_ROLES, .domain = dns_fate_zone },
	[CHECK_NS_SAME_MX] = { NEEDS_MX, .domain = ns_same_mx },
	[CHECK_NS_SAME_ADDR] = { NEEDS_HOSTS, .host = ns_same_addr },
	[CHECK_NS_BACKUP_PRESENT] = { NEEDS_BACKUP, .domain = ns_backup_present },
	[CHECK_NS_LAG] = { NEEDS_MX, .domain = ns_lag },
	[CHECK_DNSSEC_DOMAIN] = { NEEDS_NOTHING, .domain = dnssec_domain },
	[CHECK_DNSSEC_HOST] = { NEEDS_HOSTS, .host = dnssec_host },
	[CHECK_TLSA_PRESENT] = { NEEDS_HOSTS, .domain = tlsa_present },
	[CHECK_TLSA_LOOKUP] = { NEEDS_HOSTS, .host = tlsa_lookup },
	[CHECK_TLSA_USABLE] = { NEEDS_HOSTS, .host = tlsa_usable },
	[CHECK_TLSA_ROLL] = { NEEDS_HOSTS, .host = tlsa_roll },
	[CHECK_STS_TXT] = { NEEDS_MX, .domain = sts_txt },
	[CHECK_TLSRPT] = { NEEDS_MX, .domain = tlsrpt },
	[CHECK_SPF_MX_COUNT] = { NEEDS_MX, .domain = spf_mx_count },
	[CHECK_SPF_BACKUP] = { NEEDS_ROLES, .domain = spf_backup },
	[CHECK_MX_NULL_SENDER] = { NEEDS_MX, .domain = mx_null_sender },
	[CHECK_FCRDNS] = { NEEDS_HOSTS, .host = fcrdns },
	[CHECK_DNSBL] = { NEEDS_HOSTS, .host = dnsbl },
	[CHECK_SPF_HELO] = { NEEDS_ROLES, .domain = spf_helo },
	[CHECK_TCP_25] = { NEEDS_TARGETS, STEP_CONNECT, tcp_25 },
	[CHECK_NOLIST] = { NEEDS_HOSTS, .domain = nolist },
	[CHECK_V6] = { NEEDS_TARGETS, .host = v6 },
	[CHECK_BANNER] = { NEEDS_TARGETS, STEP_BANNER, banner },
	[CHECK_EHLO] = { NEEDS_TARGETS, STEP_EHLO, ehlo },
	[CHECK_PTR_EHLO] = { NEEDS_TARGETS, STEP_TLS, ptr_ehlo },
	[CHECK_LEAK] = { NEEDS_TARGETS, STEP_EHLO, leak },
	[CHECK_STARTTLS] = { NEEDS_TARGETS, STEP_TLS, starttls },
	[CHECK_TLS_VERSION] = { NEEDS_TARGETS, STEP_TLS, tls_version },
	[CHECK_CERT] = { NEEDS_TARGETS, STEP_TLS, cert },
	[CHECK_STARTTLS_INJECT] = { NEEDS_TARGETS, STEP_TLS, starttls_inject },
	[CHECK_TLSA_MATCH] = { NEEDS_TARGETS, STEP_TLS, tlsa_match },
	[CHECK_TLSA_NAME] = { NEEDS_TARGETS, STEP_TLS, tlsa_name },
	[CHECK_VRFY_EXPN] = { NEEDS_TARGETS, STEP_MAIL, vrfy_expn },
	[CHECK_NULL_SENDER] = { NEEDS_TARGETS, STEP_MAIL, null_sender },
	[CHECK_RELAY] = { NEEDS_TARGETS, STEP_MAIL, relay },
	[CHECK_POSTMASTER] = { NEEDS_TARGETS, STEP_MAIL, postmaster },
	[CHECK_ABUSE] = { NEEDS_TARGETS, STEP_MAIL, abuse },
	[CHECK_RCPT_PARITY] = { NEEDS_ROLES, .domain = rcpt_parity },
	[CHECK_EXT_SUBSET] = { NEEDS_ROLES, .domain = ext_subset },
	[CHECK_TLS_PARITY] = { NEEDS_ROLES, .domain = tls_parity },
	[CHECK_STS_POLICY] = { NEEDS_MX, .domain = sts_policy },
	[CHECK_STS_COVERS] = { NEEDS_TARGETS, .host = sts_covers },
	[CHECK_STS_STALE] = { NEEDS_HOSTS, .domain = sts_stale },
	[CHECK_STS_CERT] = { NEEDS_TARGETS, STEP_TLS, sts_cert },
};
/* clang-format on */

/* Who is who, and what all hosts have in common, is not known of those that were
 * not looked at. */
static void
judge_domain(struct judging *j, const struct rule *rule)
{
	rule->domain(j);
	if (rule->need >= NEEDS_HOSTS && j->check != CHECK_MX_ONE)
		say_hosts_left(j);
}

/* Does it concern this run at all, whatever DNS says? */
static bool
is_wanted(const struct judging *j, enum need need)
{
	if (need == NEEDS_BACKUP)
		return j->roles->backup.n > 0;
	return need != NEEDS_ROLES || has_roles(j);
}

static bool
is_met(const struct judging *j, enum need need)
{
	const struct facts *f = j->facts;
	bool has_hosts = f->mx.status == DNS_OK && count_targets(f) > 0;

	switch (need) {
	case NEEDS_HOSTS:
	case NEEDS_ROLES:
		return has_hosts;
	case NEEDS_TARGETS:
		return count_targets(f) > 0;
	case NEEDS_BACKUP:
		return j->roles->backup.n > 0 &&
		       (has_hosts || f->mx.status == DNS_NODATA);
	case NEEDS_MX:
	case NEEDS_NOTHING:
		break;
	}
	return true;
}

static void
judge_hosts(struct judging *j, const struct rule *rule)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		if (is_target(f, i))
			rule->host(j, &f->hosts[i]);
	}
	say_hosts_left(j);
}

/* A session that did not come so far leaves the check untested. */
static void
judge_session(struct judging *j, const struct rule *rule,
    const struct fact_host *h, size_t i)
{
	const struct fact_session *s = facts_session(h, i);
	struct seen seen = { .session = s, .host = h, .at = i };

	if (s == NULL)
		return;
	seen.about = about_address(h, i, &seen.who);
	if (s->step >= rule->step)
		rule->session(j, &seen);
	else
		untested(j, seen.about, "%s",
		    s->why[0] == '\0' ? "no session" : s->why);
}

static void
judge_sessions(struct judging *j, const struct rule *rule)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (!is_target(f, i))
			continue;
		for (size_t k = 0; k < h->naddrs; k++)
			judge_session(j, rule, h, k);
		if (lacks_addresses(h))
			untested_host(j, h);
	}
	say_hosts_left(j);
}

/* The zone's own answer, with its own TTLs, where a server was asked; else
 * what the resolver said. */
static const struct lookup *
best_lookup(const struct lookup *l, const struct fact_zone *z, int poll)
{
	for (size_t i = 0; l->status == DNS_OK && i < z->nservers; i++) {
		const struct lookup *own = &z->servers[i].said[poll];

		if (own->was_asked && own->status == DNS_OK &&
		    own->is_authoritative)
			return own;
	}
	return l;
}

static void
judge_rrsets(struct judging *j, const struct rule *rule)
{
	const struct facts *f = j->facts;

	rule->rrset(j, (struct about){ f->domain, " MX",
			   best_lookup(&f->mx, &f->zone, POLL_MX) });
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (!is_target(f, i))
			continue;
		rule->rrset(j, (struct about){ h->name, " A",
				   best_lookup(&h->a, &h->zone, POLL_A) });
		rule->rrset(j,
		    (struct about){ h->name, " AAAA",
			best_lookup(&h->aaaa, &h->zone, POLL_AAAA) });
	}
}

static void
judge_check(struct judging *j)
{
	const struct rule *rule = &rules[j->check];
	const struct lookup *mx = &j->facts->mx;

	if (!is_wanted(j, rule->need))
		return;
	if (rule->need != NEEDS_NOTHING && !lookup_is_definite(mx)) {
		untested(j, about_mx(j), "MX: %s", dns_status_text(mx->status));
		return;
	}
	if (!is_met(j, rule->need))
		return;
	if (rule->domain != NULL)
		judge_domain(j, rule);
	else if (rule->host != NULL)
		judge_hosts(j, rule);
	else if (rule->session != NULL)
		judge_sessions(j, rule);
	else
		judge_rrsets(j, rule);
}

void
judge(const struct facts *f, const struct roles *roles,
    const struct judge_policy *policy, struct judgement *out)
{
	struct judging j = { f, roles, policy, out, 0, { ROLE_NONE } };

	out->n = 0;
	assign_roles(&j);
	for (j.check = 0; j.check < CHECK_COUNT; j.check++) {
		out->outcome[j.check] = OUTCOME_NOT_APPLICABLE;
		out->is_known[j.check] = false;
		if (!policy->ignored[j.check])
			judge_check(&j);
	}
}

bool
judgement_has(const struct judgement *j, enum outcome outcome,
    enum severity at_least)
{
	for (size_t i = 0; i < j->n; i++) {
		if (j->findings[i].outcome == outcome &&
		    j->findings[i].severity >= at_least)
			return true;
	}
	return false;
}
