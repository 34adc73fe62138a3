#include "facts_json_smtp.h"

#include <stdint.h>
#include <string.h>

#define CODE_MAX 599
#define TIME_MAX (INT64_MAX / 1000000) /* as microseconds, too */

void
facts_visit_bytes(struct visitor *v, const char *key, unsigned char *bytes,
    size_t size)
{
	static const unsigned char none[64];
	size_t len = memcmp(bytes, none, size) == 0 ? 0 : size;

	visit_hex(v, key, bytes, &len, size);
	if (len != 0 && len != size)
		visitor_refuse(v, key);
}

/* An enum of so many values. */
static int
visit_choice(struct visitor *v, const char *key, int value, int last)
{
	return (int)visit_number(v, key, value, last);
}

static unsigned
visit_unsigned(struct visitor *v, const char *key, unsigned value)
{
	return (unsigned)visit_number(v, key, value, UINT32_MAX);
}

/* Nothing was answered: null. */
static void
visit_reply(struct visitor *v, const char *key, struct fact_reply *r)
{
	struct visitor in;

	if (visit_nothing(v, key, 0, r->code == 0))
		return;
	in = visitor_enter(v, key, 0);
	r->code = visit_choice(&in, "code", r->code, CODE_MAX);
	visit_chars(&in, "text", r->text, sizeof r->text);
	visitor_leave(v, key, &in);
}

static void
visit_offer(struct visitor *v, const char *key, struct fact_offer *o)
{
	struct visitor in = visitor_enter(v, key, 0);

	o->exts = visit_unsigned(&in, "extensions", o->exts);
	o->size_max = (uint64_t)visit_number(&in, "size",
	    o->size_max < INT64_MAX ? (json_int_t)o->size_max : INT64_MAX,
	    INT64_MAX);
	visitor_leave(v, key, &in);
}

static void
visit_digests(struct visitor *v, const char *key, struct fact_digests *d)
{
	struct visitor in = visitor_enter(v, key, 0);

	facts_visit_bytes(&in, "sha256", d->sha256, sizeof d->sha256);
	facts_visit_bytes(&in, "sha512", d->sha512, sizeof d->sha512);
	visitor_leave(v, key, &in);
}

static void
visit_chain(struct visitor *v, const char *key,
    struct fact_certificate chain[FACT_CERTS_MAX], size_t *n)
{
	struct visitor all = visitor_enter_array(v, key, n, FACT_CERTS_MAX);

	for (size_t i = 0; i < *n; i++) {
		struct visitor in = visitor_enter(&all, NULL, i);

		visit_digests(&in, "certificate", &chain[i].whole);
		visit_digests(&in, "key", &chain[i].key);
		visitor_leave(&all, NULL, &in);
	}
	visitor_leave_array(v, key, &all);
}

static void
visit_tls(struct visitor *v, struct fact_tls *t)
{
	struct visitor in;

	if (visit_nothing(v, "tls", 0, !t->was_tried))
		return;
	in = visitor_enter(v, "tls", 0);
	t->was_tried = true;
	visit_bool(&in, "up", &t->is_up);
	visit_chars(&in, "version", t->version, sizeof t->version);
	visit_chars(&in, "why", t->why, sizeof t->why);
	visit_bool(&in, "trusted", &t->is_trusted);
	visit_bool(&in, "named", &t->is_named);
	visit_chars(&in, "subject", t->subject, sizeof t->subject);
	visit_chars(&in, "issuer", t->issuer, sizeof t->issuer);
	visit_chars(&in, "names", t->names, sizeof t->names);
	t->not_before_s =
	    visit_number(&in, "not_before", t->not_before_s, TIME_MAX);
	t->not_after_s =
	    visit_number(&in, "not_after", t->not_after_s, TIME_MAX);
	visit_chain(&in, "chain", t->chain, &t->nchain);
	t->second = (enum fact_second)visit_choice(&in, "second",
	    (int)t->second, SECOND_SEEN);
	visit_chain(&in, "second_chain", t->second_chain, &t->nsecond);
	t->old = (enum fact_old_tls)visit_choice(&in, "old", (int)t->old,
	    OLD_TLS_TAKEN);
	visit_chars(&in, "old_version", t->old_version, sizeof t->old_version);
	t->inject = (enum fact_inject)visit_choice(&in, "inject",
	    (int)t->inject, INJECT_OBEYED);
	visitor_leave(v, "tls", &in);
}

static void
visit_replies(struct visitor *v, struct fact_session *s)
{
	visit_reply(v, "null_sender", &s->null_sender);
	visit_reply(v, "sender", &s->sender);
	visit_reply(v, "bare_postmaster", &s->bare_postmaster);
	visit_reply(v, "relay", &s->relay);
	visit_reply(v, "vrfy", &s->vrfy);
	visit_reply(v, "expn", &s->expn);
	visit_reply(v, "postmaster", &s->rcpts.postmaster);
	visit_reply(v, "abuse", &s->rcpts.abuse);
	visit_reply(v, "unknown", &s->rcpts.unknown);
}

void
facts_visit_session(struct visitor *v, size_t i, struct fact_session *s)
{
	struct visitor in = visitor_enter(v, NULL, i);

	s->step = (enum session_step)visit_choice(&in, "step", (int)s->step,
	    STEP_END);
	visit_chars(&in, "why", s->why, sizeof s->why);
	visit_bool(&in, "no_route", &s->has_no_route);
	visit_bool(&in, "refused", &s->is_refused);
	s->connections = visit_unsigned(&in, "connections", s->connections);
	s->connect_ms = visit_unsigned(&in, "connect_ms", s->connect_ms);
	s->banner_ms = visit_unsigned(&in, "banner_ms", s->banner_ms);
	visit_reply(&in, "banner", &s->banner);
	visit_reply(&in, "ehlo", &s->ehlo);
	visit_chars(&in, "name", s->name, sizeof s->name);
	visit_offer(&in, "plain", &s->plain);
	visit_offer(&in, "secured", &s->secured);
	visit_reply(&in, "starttls", &s->starttls);
	visit_tls(&in, &s->tls);
	visit_replies(&in, s);
	visitor_leave(v, NULL, &in);
}

static void
visit_patterns(struct visitor *v, struct fact_policy *p)
{
	struct visitor all =
	    visitor_enter_array(v, "mx", &p->npatterns, FACT_PATTERNS_MAX);

	for (size_t i = 0; i < p->npatterns; i++) {
		struct visitor in = visitor_enter(&all, NULL, i);

		visit_chars(&in, "pattern", p->patterns[i],
		    sizeof p->patterns[i]);
		visitor_leave(&all, NULL, &in);
	}
	visitor_leave_array(v, "mx", &all);
}

void
facts_visit_policy(struct visitor *v, struct fact_policy *p)
{
	struct visitor in = visitor_enter(v, "policy", 0);

	visit_bool(&in, "valid", &p->is_valid);
	visit_bool(&in, "unreachable", &p->is_unreachable);
	visit_chars(&in, "why", p->why, sizeof p->why);
	p->mode = (enum fact_sts_mode)visit_choice(&in, "mode", (int)p->mode,
	    STS_MODE_ENFORCE);
	p->max_age_s = (uint64_t)visit_number(&in, "max_age",
	    p->max_age_s < TIME_MAX ? (json_int_t)p->max_age_s : TIME_MAX,
	    TIME_MAX);
	visit_patterns(&in, p);
	visitor_leave(v, "policy", &in);
}
