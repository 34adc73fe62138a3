#include "rules.h"

#include <string.h>

/* ---- signatures ---- */

/* Why a missing AD says nothing; NULL: it does. */
static const char *
why_unknown(const struct lookup *l)
{
	if (l->is_authoritative)
		return "an authoritative server answered, which does not "
		       "validate";
	if (!l->is_trusted)
		return "the way to the resolver is not trusted (--trust-ad)";
	return NULL;
}

static const char bogus[] = "SERVFAIL, but an answer when it is not "
			    "validated: the signature is wrong (bogus)";

void
dnssec_domain(struct judging *j)
{
	const struct lookup *mx = &j->facts->mx;

	if (mx->is_bogus)
		fail(j, SEVERITY_ERROR, about_mx(j), "%s", bogus);
	else if (!lookup_is_definite(mx))
		untested(j, about_mx(j), "MX: %s", dns_status_text(mx->status));
	else if (mx->is_authentic)
		pass(j);
	else if (why_unknown(mx) != NULL)
		untested(j, about_mx(j), "%s", why_unknown(mx));
	else
		fail(j, usual(j), about_mx(j),
		    "is not signed, or the resolver does not validate");
}

void
dnssec_host(struct judging *j, const struct fact_host *h)
{
	const struct lookup *l = !h->a.is_authentic ? &h->a : &h->aaaa;
	struct about about = { h->name, l == &h->a ? " A" : " AAAA", l };

	if (!h->a.was_asked)
		return;
	if (h->a.is_bogus)
		fail(j, SEVERITY_ERROR, (struct about){ h->name, " A", &h->a },
		    "%s", bogus);
	else if (h->aaaa.is_bogus)
		fail(j, h->a.status == DNS_OK ? usual(j) : SEVERITY_ERROR,
		    (struct about){ h->name, " AAAA", &h->aaaa }, "%s", bogus);
	else if (!lookup_is_definite(&h->a) || !lookup_is_definite(&h->aaaa))
		untested_host(j, h);
	else if (h->a.is_authentic && h->aaaa.is_authentic)
		pass(j);
	else if (why_unknown(l) != NULL)
		untested(j, about, "%s", why_unknown(l));
	else
		fail(j, usual(j), about,
		    "is not signed, or the resolver does not validate");
}

/* ---- TLSA ---- */

static size_t
digest_len(unsigned match)
{
	return match == 1 ? 32 : 64;
}

/* What makes a record unusable, RFC 7672 3.1.3 and RFC 6698 2.1; NULL: it is
 * usable. */
static const char *
fault_of(const struct fact_tlsa *t)
{
	if (t->usage < 2)
		return "usage 0 and 1 do not count with SMTP";
	if (t->usage > 3)
		return "unknown usage";
	if (t->selector > 1)
		return "unknown selector";
	if (t->match > 2)
		return "unknown matching type";
	if (t->match == 0 ? t->len == 0 : t->len != digest_len(t->match))
		return "data of the wrong length";
	return NULL;
}

/* Known not to be signed: senders take no notice of them. */
static bool
is_unsigned(const struct fact_host *h)
{
	return !h->tlsa.is_authentic && why_unknown(&h->tlsa) == NULL;
}

bool
is_usable_tlsa(const struct fact_host *h, const struct fact_tlsa *t)
{
	return fault_of(t) == NULL && !is_unsigned(h);
}

size_t
count_usable(const struct fact_host *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->ntlsas; i++)
		n += is_usable_tlsa(h, &h->tlsas[i]);
	return n;
}

static struct about
about_tlsa(const struct fact_host *h)
{
	return (struct about){ h->name, " TLSA", &h->tlsa };
}

void
tlsa_present(struct judging *j)
{
	const struct facts *f = j->facts;
	const struct fact_host *with = NULL;

	for (size_t i = 0; i < f->nhosts; i++) {
		if (is_target(f, i) && count_usable(&f->hosts[i]) > 0)
			with = &f->hosts[i];
	}
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (!is_target(f, i) || !h->tlsa.was_asked)
			continue;
		if (!lookup_is_definite(&h->tlsa))
			untested(j, about_tlsa(h), "TLSA: %s",
			    dns_status_text(h->tlsa.status));
		else if (count_usable(h) > 0)
			pass(j);
		else if (with != NULL)
			fail(j, usual(j), about_tlsa(h),
			    "has no usable TLSA record, but %s has",
			    with->name);
	}
}

void
tlsa_lookup(struct judging *j, const struct fact_host *h)
{
	const struct lookup *l = &h->tlsa;
	bool is_secure = h->a.is_authentic || h->aaaa.is_authentic;

	if (!l->was_asked || (is_complete(h) && h->naddrs == 0))
		return;
	if (lookup_is_definite(l))
		pass(j);
	else if (!lookup_is_definite(&h->a) && !lookup_is_definite(&h->aaaa))
		untested_host(j, h);
	else if (l->server[0] == '\0')
		untested(j, about_tlsa(h), "TLSA: no time left to ask");
	else if (is_secure)
		fail(j, usual(j), about_tlsa(h), "%s",
		    l->is_bogus ? bogus : dns_status_text(l->status));
	else if (why_unknown(&h->a) != NULL)
		fail(j, SEVERITY_WARNING, about_tlsa(h), "%s",
		    dns_status_text(l->status));
	/* else: insecure addresses, nobody asks (RFC 7672 2.2.2) */
}

void
tlsa_usable(struct judging *j, const struct fact_host *h)
{
	const char *fault = NULL;
	size_t bad = 0;

	if (h->ntlsas == 0 && h->tlsa.was_asked &&
	    !lookup_is_definite(&h->tlsa))
		untested(j, about_tlsa(h), "TLSA: %s",
		    dns_status_text(h->tlsa.status));
	if (h->tlsas_left > 0)
		untested(j, about_tlsa(h),
		    "%zu more record(s), cut or too many, were not looked at",
		    h->tlsas_left);
	if (h->ntlsas == 0)
		return;
	for (size_t i = 0; i < h->ntlsas; i++) {
		bad += fault_of(&h->tlsas[i]) != NULL;
		if (fault == NULL)
			fault = fault_of(&h->tlsas[i]);
	}
	if (fault != NULL)
		fail(j, usual(j), about_tlsa(h),
		    "%zu of %zu record(s) cannot be used: %s", bad, h->ntlsas,
		    fault);
	if (is_unsigned(h))
		fail(j, usual(j), about_tlsa(h),
		    "not signed: senders take no notice");
	if (fault == NULL && !is_unsigned(h))
		pass(j);
}

static bool
is_same_tlsa(const struct fact_tlsa *a, const struct fact_tlsa *b)
{
	return a->usage == b->usage && a->selector == b->selector &&
	       a->match == b->match && a->len == b->len &&
	       memcmp(a->data, b->data, sizeof a->data) == 0;
}

void
tlsa_roll(struct judging *j, const struct fact_host *h)
{
	size_t different = 0;

	for (size_t i = 0; i < h->ntlsas; i++) {
		bool is_new = fault_of(&h->tlsas[i]) == NULL;

		for (size_t k = 0; k < i && is_new; k++)
			is_new = !is_same_tlsa(&h->tlsas[k], &h->tlsas[i]);
		different += is_new;
	}
	if (different >= 2)
		pass(j);
	else if (different == 1)
		fail(j, usual(j), about_tlsa(h),
		    "one record only: nothing for the next key");
	else if (h->tlsa.was_asked && !lookup_is_definite(&h->tlsa))
		untested(j, about_tlsa(h), "TLSA: %s",
		    dns_status_text(h->tlsa.status));
}
