#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "certificate.h"
#include "mail/smtp.h"

#define DAY_S 86400

static bool
is_offered(const struct fact_session *s)
{
	return (s->plain.exts & SMTP_EXT_STARTTLS) != 0;
}

/* True if there is TLS to look at. Where the server offers it and it does not
 * work the check cannot be made; STARTTLS says what is wrong. */
static bool
has_tls(struct judging *j, const struct seen *s)
{
	const struct fact_tls *t = &s->session->tls;

	if (is_offered(s->session) && !t->is_up)
		untested(j, s->about, "no TLS: %s", t->why);
	return is_offered(s->session) && t->is_up;
}

void
starttls(struct judging *j, const struct seen *s)
{
	const struct fact_session *f = s->session;

	if (!is_offered(f))
		fail(j, usual(j), s->about, "is not offered");
	else if (f->tls.is_up)
		pass(j);
	else if (f->starttls.code != 0 && f->starttls.code != 220)
		fail(j, usual(j), s->about, "is offered and refused: %d %s",
		    f->starttls.code, f->starttls.text);
	else
		fail(j, usual(j), s->about, "%s", f->tls.why);
}

void
tls_version(struct judging *j, const struct seen *s)
{
	const struct fact_tls *t = &s->session->tls;

	if (!t->was_tried || t->old == OLD_TLS_UNASKED)
		return;
	if (t->old == OLD_TLS_TAKEN)
		fail(j, t->is_up ? usual(j) : SEVERITY_WARNING, s->about,
		    "%s %s",
		    t->is_up ? "still speaks" : "speaks nothing newer than",
		    t->old_version);
	else if (t->is_up && t->old == OLD_TLS_REFUSED)
		pass(j);
	else
		untested(j, s->about, "%s",
		    t->is_up ? "TLS 1.1 was not answered" : t->why);
}

/* ---- the certificate ---- */

static bool
is_in_date(const struct judging *j, const struct fact_tls *t)
{
	return t->not_before_s <= j->facts->taken_s &&
	       j->facts->taken_s <= t->not_after_s;
}

bool
is_certificate_valid(const struct judging *j, const struct fact_tls *t)
{
	return t->is_up && t->is_trusted && t->is_named && is_in_date(j, t);
}

/* "2026-11-24" */
static const char *
date_of(char out[CLOCK_RFC3339_MAX], int64_t when_s)
{
	clock_rfc3339(out, when_s * 1000000);
	out[10] = '\0';
	return out;
}

static size_t
add_fault(char *out, size_t size, size_t used, const char *fault)
{
	size_t left = size - used;
	int n = snprintf(out + used, left, "%s%s", used > 0 ? "; " : "", fault);

	return used + ((size_t)n < left ? (size_t)n : left - 1);
}

/* All that is wrong with it, "" if nothing is. */
static void
list_faults(const struct judging *j, const struct fact_tls *t,
    char out[FACT_SAID_MAX * 2])
{
	int64_t now_s = j->facts->taken_s;
	int64_t days = (t->not_after_s - now_s) / DAY_S;
	char day[CLOCK_RFC3339_MAX], text[2 * FACT_SAID_MAX];
	size_t used = 0, size = FACT_SAID_MAX * 2;

	out[0] = '\0';
	if (t->not_after_s < now_s)
		snprintf(text, sizeof text, "expired on %s",
		    date_of(day, t->not_after_s));
	else if (t->not_before_s > now_s)
		snprintf(text, sizeof text, "not valid before %s",
		    date_of(day, t->not_before_s));
	else
		snprintf(text, sizeof text, "expires in %d day%s, on %s",
		    (int)days, days == 1 ? "" : "s",
		    date_of(day, t->not_after_s));
	if (!is_in_date(j, t) || days < (int64_t)j->policy->cert_days)
		used = add_fault(out, size, used, text);
	if (!t->is_named) {
		snprintf(text, sizeof text, "has another name: %.120s",
		    t->names[0] == '\0' ? t->subject : t->names);
		used = add_fault(out, size, used, text);
	}
	if (!t->is_trusted) {
		snprintf(text, sizeof text,
		    "no known authority issued it: %.120s", t->issuer);
		add_fault(out, size, used, text);
	}
}

/* Who finds TLSA records of usage 3 looks at nothing else. */
static bool
has_key_record(const struct fact_host *h)
{
	for (size_t i = 0; i < h->ntlsas; i++) {
		if (h->tlsas[i].usage == 3 && is_usable_tlsa(h, &h->tlsas[i]))
			return true;
	}
	return false;
}

void
cert(struct judging *j, const struct seen *s)
{
	char faults[FACT_SAID_MAX * 2];

	if (!has_tls(j, s))
		return;
	list_faults(j, &s->session->tls, faults);
	if (faults[0] == '\0')
		pass(j);
	else
		fail(j, has_key_record(s->host) ? SEVERITY_NOTICE : usual(j),
		    s->about, "%s", faults);
}

void
starttls_inject(struct judging *j, const struct seen *s)
{
	switch (s->session->tls.inject) {
	case INJECT_DROPPED:
		pass(j);
		break;
	case INJECT_OBEYED:
		fail(j, usual(j), s->about,
		    "a NOOP sent in the clear was answered in TLS");
		break;
	case INJECT_UNKNOWN:
		untested(j, s->about,
		    "STARTTLS with a command behind it: no "
		    "answer that tells");
		break;
	case INJECT_UNASKED:
		break;
	}
}

/* ---- DANE ---- */

/* The usage of a record that matches, the best first; 0: none does. */
static unsigned
usage_of_chain(const struct fact_host *h, const struct fact_certificate *chain,
    size_t n)
{
	unsigned best = 0;

	for (size_t i = 0; i < h->ntlsas; i++) {
		const struct fact_tlsa *r = &h->tlsas[i];
		size_t most = r->usage == 3 ? 1 : n;

		for (size_t k = 0; k < most && k < n; k++) {
			if (is_usable_tlsa(h, r) && r->usage > best &&
			    certificate_matches(&chain[k], r))
				best = r->usage;
		}
	}
	return best;
}

static unsigned
matching_usage(const struct fact_host *h, const struct fact_tls *t)
{
	return usage_of_chain(h, t->chain, t->nchain);
}

enum dane_says
dane_of_session(const struct judging *j, const struct fact_host *h,
    const struct fact_session *s)
{
	unsigned usage;

	if (h->tlsa.was_asked && !lookup_is_definite(&h->tlsa))
		return DANE_UNKNOWN;
	if (count_usable(h) == 0)
		return DANE_NONE;
	if (!session_passed(s, STEP_EHLO))
		return DANE_UNKNOWN;
	usage = matching_usage(h, &s->tls);
	if (usage == 3)
		return DANE_GOOD;
	return usage == 2 && s->tls.is_named && is_in_date(j, &s->tls)
		   ? DANE_GOOD
		   : DANE_BAD;
}

void
tlsa_match(struct judging *j, const struct seen *s)
{
	const struct fact_session *f = s->session;
	size_t n = count_usable(s->host);

	if (n == 0)
		return;
	if (!is_offered(f))
		fail(j, usual(j), s->about,
		    "has TLSA records, but no STARTTLS: senders with DANE do "
		    "not deliver");
	else if (!f->tls.is_up)
		fail(j, usual(j), s->about, "has TLSA records, but no TLS: %s",
		    f->tls.why);
	else if (matching_usage(s->host, &f->tls) == 0)
		fail(j, usual(j), s->about,
		    "none of %zu TLSA record(s) matches the certificate of %s",
		    n, f->tls.subject);
	else if (f->tls.second == SECOND_SEEN &&
		 usage_of_chain(s->host, f->tls.second_chain, f->tls.nsecond) ==
		     0)
		fail(j, usual(j), s->about,
		    "one certificate matches, but the one with a key of "
		    "another kind (RSA, ECDSA) does not");
	else if (f->tls.second == SECOND_UNKNOWN)
		untested(j, s->about,
		    "whether it has a certificate with a key of another kind "
		    "is not known");
	else
		pass(j);
}

void
tlsa_name(struct judging *j, const struct seen *s)
{
	const struct fact_tls *t = &s->session->tls;

	if (!t->is_up || matching_usage(s->host, t) != 2)
		return;
	if (!t->is_named)
		fail(j, usual(j), s->about,
		    "a TLSA record of usage 2 matches, but the certificate has "
		    "another name: %s",
		    t->names[0] == '\0' ? t->subject : t->names);
	else if (!is_in_date(j, t))
		fail(j, usual(j), s->about,
		    "a TLSA record of usage 2 matches, but the certificate is "
		    "out of date");
	else
		pass(j);
}
