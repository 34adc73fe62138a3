#include "senders.h"

#include <string.h>

#include "mail/smtp.h"
#include "rules.h"

/* ---- what is taken away ---- */

int
outage_add(struct outage *o, const char *word, struct err *e)
{
	if (o->nwords == OUTAGE_MAX)
		return err_usage(e, "--without: more than %d of them",
		    OUTAGE_MAX);
	o->words[o->nwords++] = word;
	if (network_parse(&o->nets[o->nnets], word)) {
		o->nnets++;
		return 0;
	}
	if (strchr(word, '/') != NULL || roles_add(&o->hosts, word, e) == -1 ||
	    o->hosts.word[o->hosts.n - 1].ep.len > 0)
		return err_usage(e,
		    "--without: %s: neither a host name nor an address nor a "
		    "network like 192.0.2.0/24",
		    word);
	return 0;
}

static bool
is_away(const struct outage *o, const struct fact_host *h, size_t at)
{
	char addr[ENDPOINT_TEXT_MAX];

	fact_addr_text(&h->addrs[at], addr);
	for (size_t i = 0; i < o->hosts.n; i++) {
		if (strcmp(o->hosts.word[i].name, h->name) == 0)
			return true;
	}
	for (size_t i = 0; i < o->nnets; i++) {
		if (network_has(&o->nets[i], addr))
			return true;
	}
	return false;
}

/* ---- one address ---- */

static enum attempt
attempt_of_reply(const struct fact_reply *r)
{
	if (r->code == 0)
		return ATTEMPT_DEAD;
	return r->code / 100 == 4 ? ATTEMPT_LATER : ATTEMPT_REFUSES;
}

static enum attempt
attempt_of(const struct fact_session *s)
{
	if (s == NULL || s->step == STEP_NONE || s->has_no_route)
		return ATTEMPT_UNTRIED;
	if (s->step == STEP_CONNECT)
		return ATTEMPT_DEAD;
	if (s->step == STEP_BANNER)
		return attempt_of_reply(&s->banner);
	return s->step == STEP_EHLO ? attempt_of_reply(&s->ehlo)
				    : ATTEMPT_TAKES;
}

/* RFC 7672 2.1 and 2.2: a host without TLSA records is one for plain senders. */
static const char *
unfit_for_dane(const struct judging *j, const struct fact_host *h,
    const struct fact_session *s)
{
	if (h->tlsa.was_asked && !lookup_is_definite(&h->tlsa))
		return "its TLSA records cannot be had";
	return dane_of_session(j, h, s) == DANE_BAD
		   ? "no TLSA record matches its certificate"
		   : NULL;
}

/* RFC 8461 4: in mode enforce. */
static const char *
unfit_for_sts(const struct judging *j, const struct fact_host *h,
    const struct fact_session *s)
{
	const struct fact_policy *p = j->facts->policy;

	if (p == NULL || !p->is_valid || p->mode != STS_MODE_ENFORCE)
		return NULL;
	if (!is_covered(p, h->name))
		return "the policy does not name it";
	if (!session_passed(s, STEP_EHLO))
		return NULL;
	if ((s->plain.exts & SMTP_EXT_STARTTLS) == 0)
		return "it does not offer STARTTLS";
	return is_certificate_valid(j, &s->tls) ? NULL
						: "it has no valid certificate";
}

static void
add_try(const struct judging *j, const struct outage *o,
    const struct fact_host *h, size_t at, struct sender_try *t)
{
	const struct fact_session *s = facts_session(h, at);

	*t = (struct sender_try){ .host = h, .at = at, .why = "" };
	t->attempt = is_away(o, h, at) ? ATTEMPT_AWAY : attempt_of(s);
	if (t->attempt == ATTEMPT_AWAY)
		t->wait_ms = SENDER_GIVES_UP_S * 1000;
	else if (s != NULL)
		t->wait_ms = (uint64_t)s->connect_ms + s->banner_ms;
	if (s != NULL && t->attempt != ATTEMPT_AWAY)
		t->why = s->why;
	t->unfit[SENDER_DANE] = unfit_for_dane(j, h, s);
	t->unfit[SENDER_STS] = unfit_for_sts(j, h, s);
}

static void
add_tries(const struct judging *j, const struct outage *o,
    struct sender_view *v)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (!is_target(f, i))
			continue;
		v->left += h->addrs_left;
		for (size_t k = 0; k < h->naddrs; k++) {
			if (v->n == SENDER_TRIES_MAX)
				v->left++;
			else
				add_try(j, o, h, k, &v->tries[v->n++]);
		}
	}
}

/* ---- one class ---- */

static const char *
note_for_dane(const struct facts *f)
{
	bool was_asked = false;

	for (size_t i = 0; i < f->nhosts; i++) {
		if (f->hosts[i].ntlsas > 0 ||
		    (f->hosts[i].tlsa.was_asked &&
			!lookup_is_definite(&f->hosts[i].tlsa)))
			return "";
		was_asked |= f->hosts[i].tlsa.was_asked;
	}
	return was_asked ? "there are no TLSA records"
			 : "TLSA records were not asked for";
}

static const char *
note_for_sts(const struct facts *f)
{
	const struct fact_policy *p = f->policy;

	if (p == NULL && f->sts.n > 0)
		return "the policy was not fetched";
	if (p == NULL && !f->sts.said.was_asked)
		return "no policy was asked for";
	if (p == NULL)
		return lookup_is_definite(&f->sts.said)
			   ? "there is no policy"
			   : "whether there is a policy is not known";
	if (!p->is_valid)
		return "the policy is of no use";
	return p->mode == STS_MODE_ENFORCE ? "" : "the policy is not enforced";
}

/* There is no address to try but those that are known. */
static bool
knows_all(const struct facts *f)
{
	bool is_certain = f->hosts_left == 0 && lookup_is_definite(&f->mx);

	for (size_t i = 0; i < f->nhosts; i++)
		is_certain &=
		    is_complete(&f->hosts[i]) || is_root(&f->hosts[i]);
	return is_certain;
}

static void
find_fate(const struct facts *f, const struct sender_view *v,
    enum sender_class class, struct sender_fate *out)
{
	bool is_put_off = v->left > 0 || !knows_all(f);

	for (size_t i = 0; i < v->n; i++) {
		const struct sender_try *t = &v->tries[i];

		out->at = t;
		out->wait_ms += t->wait_ms;
		if (t->unfit[class] == NULL && t->attempt <= ATTEMPT_UNTRIED) {
			out->fate = t->attempt == ATTEMPT_TAKES ? FATE_ARRIVES
								: FATE_UNTRIED;
			return;
		}
		is_put_off |=
		    t->unfit[class] != NULL || t->attempt != ATTEMPT_REFUSES;
	}
	out->fate = is_put_off ? FATE_WAITS : FATE_RETURNED;
}

void
senders_view(const struct facts *f, const struct judge_policy *policy,
    const struct outage *o, struct sender_view *out)
{
	struct judging j = { .facts = f, .policy = policy };

	memset(out, 0, sizeof *out);
	out->outage = o;
	add_tries(&j, o, out);
	for (enum sender_class class = 0; class < SENDER_CLASSES; class ++) {
		find_fate(f, out, class, &out->fates[class]);
		out->fates[class].note = "";
	}
	out->fates[SENDER_DANE].note = note_for_dane(f);
	out->fates[SENDER_STS].note = note_for_sts(f);
}

/* ---- words ---- */

const char *sender_class_name(enum sender_class class)
{
	static const char *const names[SENDER_CLASSES] = { "plain", "DANE",
		"MTA-STS" };

	return names[class];
}

const char *
attempt_text(enum attempt attempt)
{
	static const char *const texts[] = {
		[ATTEMPT_TAKES] = "answers",
		[ATTEMPT_UNTRIED] = "not tried",
		[ATTEMPT_AWAY] = "taken away",
		[ATTEMPT_DEAD] = "does not answer",
		[ATTEMPT_LATER] = "puts senders off",
		[ATTEMPT_REFUSES] = "turns senders away",
	};

	return texts[attempt];
}

const char *
fate_name(enum fate fate)
{
	static const char *const names[] = {
		[FATE_ARRIVES] = "arrives",
		[FATE_UNTRIED] = "untried",
		[FATE_WAITS] = "waits",
		[FATE_RETURNED] = "returned",
	};

	return names[fate];
}
