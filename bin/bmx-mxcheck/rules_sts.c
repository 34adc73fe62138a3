#include "rules.h"

#include "mail/smtp.h"
#include "smtp/sts.h"

/* The policy where one is in force, or NULL. */
static const struct fact_policy *
policy_of(const struct judging *j)
{
	const struct fact_policy *p = j->facts->policy;

	return p != NULL && p->is_valid && p->mode != STS_MODE_NONE ? p : NULL;
}

/* In mode testing a sender only reports. */
static enum severity
by_mode(const struct judging *j, const struct fact_policy *p)
{
	return p->mode == STS_MODE_ENFORCE ? usual(j) : SEVERITY_WARNING;
}

static struct about
about_policy(const struct judging *j, const char *name)
{
	return (struct about){ name, "", &j->facts->sts.said };
}

bool
is_covered(const struct fact_policy *p, const char *host)
{
	for (size_t i = 0; i < p->npatterns; i++) {
		if (sts_is_match(p->patterns[i], host))
			return true;
	}
	return false;
}

/* Without an answer nobody knows whether there is a policy. */
static void
say_no_text(struct judging *j, const char *name)
{
	const struct lookup *l = &j->facts->sts.said;

	if (l->was_asked && !lookup_is_definite(l))
		untested(j, about_policy(j, name), "MTA-STS: %s",
		    dns_status_text(l->status));
}

void
sts_policy(struct judging *j)
{
	const struct fact_policy *p = j->facts->policy;
	struct about about = about_policy(j, j->facts->domain);

	if (p == NULL)
		say_no_text(j, j->facts->domain);
	else if (p->is_valid)
		pass(j);
	else if (p->is_unreachable)
		untested(j, about, "%s", p->why);
	else
		fail(j, usual(j), about, "%s", p->why);
}

/* Where the policy could not be had, what depends on it is not known. */
static const struct fact_policy *
policy_for(struct judging *j, const char *name)
{
	const struct fact_policy *p = j->facts->policy;

	if (p == NULL)
		say_no_text(j, name);
	else if (!p->is_valid)
		untested(j, about_policy(j, name), "no policy: %s", p->why);
	return policy_of(j);
}

void
sts_covers(struct judging *j, const struct fact_host *h)
{
	const struct fact_policy *p = policy_for(j, h->name);

	if (p == NULL)
		return;
	if (is_covered(p, h->name))
		pass(j);
	else
		fail(j, by_mode(j, p), about_policy(j, h->name),
		    "the policy does not name it: senders with MTA-STS %s",
		    p->mode == STS_MODE_ENFORCE ? "do not deliver to it"
						: "report it");
}

static bool
is_needed(const struct facts *f, const char *pattern)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		if (sts_is_match(pattern, f->hosts[i].name))
			return true;
	}
	return f->hosts_left > 0;
}

void
sts_stale(struct judging *j)
{
	const struct fact_policy *p = policy_for(j, j->facts->domain);

	for (size_t i = 0; p != NULL && i < p->npatterns; i++) {
		if (is_needed(j->facts, p->patterns[i]))
			pass(j);
		else
			fail(j, usual(j), about_policy(j, j->facts->domain),
			    "the policy names %s, which is no MX host",
			    p->patterns[i]);
	}
}

void
sts_cert(struct judging *j, const struct seen *s)
{
	const struct fact_policy *p = policy_for(j, s->host->name);
	const struct fact_tls *t = &s->session->tls;

	if (p == NULL || !is_covered(p, s->host->name))
		return;
	if ((s->session->plain.exts & SMTP_EXT_STARTTLS) == 0)
		fail(j, by_mode(j, p), s->about, "does not offer STARTTLS");
	else if (!t->is_up)
		fail(j, by_mode(j, p), s->about, "%s", t->why);
	else if (is_certificate_valid(j, t))
		pass(j);
	else
		fail(j, by_mode(j, p), s->about,
		    "the certificate does not do for MTA-STS: %s",
		    t->why[0] != '\0' ? t->why : "out of date");
}
