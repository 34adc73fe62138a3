#include "collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hostname.h"

#define ALIASES_MAX 8 /* more steps the engine does not follow either */

/* One domain under way. */
struct collect {
	struct collector *with;
	struct facts facts;
	int64_t began_ms;
	size_t waiting; /* answers that are to come */
	bool has_failed;
	void *arg;
};

/* Who asked: an answer finds its way by this. */
struct question {
	struct collect *collect;
	enum dns_type type; /* CNAME: what l failed at is looked into */
	size_t host;        /* OWNER: the domain */
};

#define OWNER SIZE_MAX

static void
out_of_memory(struct collect *c)
{
	err_temp(&c->with->err, "out of memory");
	c->has_failed = true;
}

static char *
copy(struct collect *c, const char *text)
{
	char *s = strdup(text);

	if (s == NULL)
		out_of_memory(c);
	return s;
}

/* ---- reading an answer ---- */

static void
fill_ttls(struct lookup *l, const struct dns_answer *a)
{
	l->ttl_min = l->ttl_max = a->nrr > 0 ? a->rr[0].ttl : 0;
	for (size_t i = 1; i < a->nrr; i++) {
		if (a->rr[i].ttl < l->ttl_min)
			l->ttl_min = a->rr[i].ttl;
		if (a->rr[i].ttl > l->ttl_max)
			l->ttl_max = a->rr[i].ttl;
	}
}

static void
fill_lookup(struct collect *c, struct lookup *l, const struct dns_answer *a)
{
	l->status = a->status;
	l->aliases = a->aliases;
	l->is_authoritative = a->is_authoritative;
	if (a->aliases > 0 && a->name != NULL)
		l->owner = copy(c, a->name);
	if (a->server != NULL)
		snprintf(l->server, sizeof l->server, "%s", a->server);
	if (a->status == DNS_OK)
		fill_ttls(l, a);
}

static int
compare_addr(const void *one, const void *other)
{
	const struct fact_addr *a = one, *b = other;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->bytes, b->bytes, a->len);
}

/* Sorted, since servers turn the order of the records. */
static void
add_addrs(struct fact_host *h, enum dns_type type, const struct dns_answer *a)
{
	size_t n = a->nrr < FACTS_ADDRS_MAX ? a->nrr : FACTS_ADDRS_MAX;

	for (size_t i = 0; i < n; i++) {
		struct fact_addr *addr = &h->addrs[h->naddrs++];

		addr->len = type == DNS_A ? 4 : 16;
		memcpy(addr->bytes, a->rr[i].addr, addr->len);
	}
	h->addrs_left += a->nrr - n;
	qsort(h->addrs, h->naddrs, sizeof *h->addrs, compare_addr);
}

static int
compare_rr(const void *one, const void *other)
{
	const struct dns_rr *a = *(const struct dns_rr *const *)one;
	const struct dns_rr *b = *(const struct dns_rr *const *)other;

	if (a->mx.preference != b->mx.preference)
		return a->mx.preference < b->mx.preference ? -1 : 1;
	return strcmp(a->mx.host, b->mx.host);
}

/* The records in the order senders use them, so that the same zone gives the
 * same facts whatever the order of the reply. */
static void
add_hosts(struct collect *c, const struct dns_answer *a)
{
	struct facts *f = &c->facts;
	const struct dns_rr **rr = calloc(a->nrr, sizeof *rr);
	size_t n = a->nrr < FACTS_HOSTS_MAX ? a->nrr : FACTS_HOSTS_MAX;

	f->hosts = calloc(n, sizeof *f->hosts);
	if (rr == NULL || f->hosts == NULL) {
		out_of_memory(c);
		n = 0;
	}
	for (size_t i = 0; n > 0 && i < a->nrr; i++)
		rr[i] = &a->rr[i];
	if (n > 0)
		qsort(rr, a->nrr, sizeof *rr, compare_rr);
	for (f->nhosts = 0; f->nhosts < n; f->nhosts++) {
		f->hosts[f->nhosts].preference = rr[f->nhosts]->mx.preference;
		f->hosts[f->nhosts].name = copy(c, rr[f->nhosts]->mx.host);
	}
	f->hosts_left = a->nrr - n;
	free(rr);
}

/* RFC 5321 5.1: the domain as its own mail host. */
static void
add_implicit_host(struct collect *c)
{
	c->facts.hosts = calloc(1, sizeof *c->facts.hosts);
	if (c->facts.hosts == NULL) {
		out_of_memory(c);
		return;
	}
	c->facts.nhosts = 1;
	c->facts.hosts[0].name = copy(c, c->facts.domain);
}

/* ---- asking ---- */

/* The last answer is in. */
static void
finish(struct collect *c)
{
	struct facts facts = c->facts;
	collect_done *done = c->with->done;
	bool has_failed = c->has_failed;
	void *arg = c->arg;

	free(c);
	if (has_failed)
		facts_free(&facts);
	done(arg, has_failed ? NULL : &facts);
}

static dns_done on_answer;

static void
ask(struct collect *c, const char *name, enum dns_type type, size_t host)
{
	struct question *q = malloc(sizeof *q);

	if (q == NULL) {
		out_of_memory(c);
		return;
	}
	*q = (struct question){ c, type, host };
	if (dns_ask(c->with->dns, name, type, on_answer, q, &c->with->err) ==
	    -1) {
		c->has_failed = true;
		free(q);
		return;
	}
	c->waiting++;
}

static void
ask_addresses(struct collect *c)
{
	for (size_t i = 0; i < c->facts.nhosts && !c->has_failed; i++) {
		struct fact_host *h = &c->facts.hosts[i];

		if (h->name[0] == '\0' || hostname_is_address(h->name))
			continue;
		h->a.was_asked = h->aaaa.was_asked = true;
		ask(c, h->name, DNS_A, i);
		ask(c, h->name, DNS_AAAA, i);
	}
}

/*
 * A chain of aliases that loops, is too long, or ends at a broken zone gives
 * no answer but SERVFAIL or something malformed. Ask for the aliases alone,
 * one after the other, as long as the deadline allows.
 */
static void
look_into(struct collect *c, struct lookup *l, const char *name, size_t host)
{
	int64_t spent_ms = clock_monotonic_ms() - c->began_ms;

	if (l->aliases > ALIASES_MAX)
		l->is_endless = true;
	else if (spent_ms < c->with->question_ms)
		ask(c, name, DNS_CNAME, host);
}

static bool
is_worth_looking_into(const struct lookup *l)
{
	return l->status == DNS_SERVFAIL || l->status == DNS_MALFORMED;
}

static void
read_alias(struct collect *c, struct lookup *l, size_t host,
    const struct dns_answer *a)
{
	if (a->status != DNS_OK)
		return;
	free(l->owner);
	l->owner = copy(c, a->rr[0].name);
	l->aliases++;
	if (l->owner != NULL)
		look_into(c, l, l->owner, host);
}

static void
read_mx(struct collect *c, const struct dns_answer *a)
{
	struct lookup *mx = &c->facts.mx;

	fill_lookup(c, mx, a);
	if (a->status == DNS_OK)
		add_hosts(c, a);
	else if (a->status == DNS_NODATA)
		add_implicit_host(c);
	else if (is_worth_looking_into(mx))
		look_into(c, mx, c->facts.domain, OWNER);
	ask_addresses(c);
}

static void
read_addresses(struct collect *c, size_t host, enum dns_type type,
    const struct dns_answer *a)
{
	struct fact_host *h = &c->facts.hosts[host];
	struct lookup *l = type == DNS_A ? &h->a : &h->aaaa;

	fill_lookup(c, l, a);
	if (a->status == DNS_OK)
		add_addrs(h, type, a);
	else if (type == DNS_A && is_worth_looking_into(l))
		look_into(c, l, h->name, host);
}

static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct question q = *(struct question *)arg;
	struct collect *c = q.collect;

	free(arg);
	c->waiting--;
	if (c->has_failed)
		; /* only to be finished */
	else if (q.type == DNS_MX)
		read_mx(c, a);
	else if (q.type != DNS_CNAME)
		read_addresses(c, q.host, q.type, a);
	else if (q.host == OWNER)
		read_alias(c, &c->facts.mx, q.host, a);
	else
		read_alias(c, &c->facts.hosts[q.host].a, q.host, a);
	if (c->waiting == 0)
		finish(c);
}

int
collect_start(struct collector *with, const char *domain, void *arg)
{
	struct collect *c = calloc(1, sizeof *c);

	if (c == NULL)
		return err_temp(&with->err, "out of memory");
	c->with = with;
	c->arg = arg;
	c->began_ms = clock_monotonic_ms();
	c->facts.domain = copy(c, domain);
	c->facts.mx.was_asked = true;
	if (!c->has_failed)
		ask(c, domain, DNS_MX, OWNER);
	if (!c->has_failed)
		return 0;
	facts_free(&c->facts);
	free(c);
	return -1;
}
