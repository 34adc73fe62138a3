#include "collect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "collect_parts.h"
#include "hostname.h"

#define ALIASES_MAX 8 /* more steps the engine does not follow either */

void
collect_no_memory(struct collect *c)
{
	err_temp(&c->with->err, "out of memory");
	c->has_failed = true;
}

char *
collect_copy(struct collect *c, const char *text)
{
	char *s = strdup(text);

	if (s == NULL)
		collect_no_memory(c);
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

/* Each can be the answer to a second question. */
void
collect_fill(struct collect *c, struct lookup *l, const struct dns_answer *a)
{
	l->status = a->status;
	l->aliases = a->aliases;
	l->is_authoritative = a->is_authoritative;
	l->is_authentic = a->is_authentic;
	l->is_trusted = a->is_trusted;
	if (a->aliases > 0 && a->name != NULL) {
		lookup_free(l);
		l->owner = collect_copy(c, a->name);
	}
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

const struct dns_rr **
collect_sort(struct collect *c, const struct dns_answer *a,
    int (*compare)(const void *, const void *))
{
	const struct dns_rr **rr = calloc(a->nrr + 1, sizeof *rr);

	if (rr == NULL) {
		collect_no_memory(c);
		return NULL;
	}
	for (size_t i = 0; i < a->nrr; i++)
		rr[i] = &a->rr[i];
	qsort(rr, a->nrr, sizeof *rr, compare);
	return rr;
}

int
collect_compare_name(const void *one, const void *other)
{
	const struct dns_rr *a = *(const struct dns_rr *const *)one;
	const struct dns_rr *b = *(const struct dns_rr *const *)other;

	return strcmp(a->name, b->name);
}

static int
compare_rr_addr(const void *one, const void *other)
{
	const struct dns_rr *a = *(const struct dns_rr *const *)one;
	const struct dns_rr *b = *(const struct dns_rr *const *)other;

	return memcmp(a->addr, b->addr, sizeof a->addr);
}

static void
add_addrs(struct collect *c, struct fact_host *h, enum dns_type type,
    const struct dns_answer *a)
{
	const struct dns_rr **rr = collect_sort(c, a, compare_rr_addr);
	size_t n = a->nrr < FACTS_ADDRS_MAX ? a->nrr : FACTS_ADDRS_MAX;

	for (size_t i = 0; rr != NULL && i < n; i++) {
		struct fact_addr *addr = &h->addrs[h->naddrs++];

		addr->len = type == DNS_A ? 4 : 16;
		memcpy(addr->bytes, rr[i]->addr, addr->len);
	}
	h->addrs_left += a->nrr - n;
	qsort(h->addrs, h->naddrs, sizeof *h->addrs, compare_addr);
	free(rr);
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

/* The records in the order senders use them. */
static void
add_hosts(struct collect *c, const struct dns_answer *a)
{
	struct facts *f = &c->facts;
	const struct dns_rr **rr = collect_sort(c, a, compare_rr);
	size_t n = a->nrr < FACTS_HOSTS_MAX ? a->nrr : FACTS_HOSTS_MAX;

	f->hosts = calloc(n, sizeof *f->hosts);
	if (f->hosts == NULL)
		collect_no_memory(c);
	if (rr == NULL || f->hosts == NULL)
		n = 0;
	for (f->nhosts = 0; f->nhosts < n; f->nhosts++) {
		f->hosts[f->nhosts].preference = rr[f->nhosts]->mx.preference;
		f->hosts[f->nhosts].name =
		    collect_copy(c, rr[f->nhosts]->mx.host);
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
		collect_no_memory(c);
		return;
	}
	c->facts.nhosts = 1;
	c->facts.hosts[0].name = collect_copy(c, c->facts.domain);
}

/* ---- asking ---- */

bool
collect_wants(const struct collect *c, enum check_id id)
{
	return !c->with->ignored[id];
}

/* The last answer is in. */
static void
finish(struct collect *c)
{
	struct facts facts = c->facts;
	collect_done *done = c->with->done;
	bool has_failed = c->has_failed;
	void *arg = c->arg;

	free(c);
	collect_zone_sort(&facts.zone);
	for (size_t i = 0; i < facts.nhosts; i++)
		collect_zone_sort(&facts.hosts[i].zone);
	if (has_failed)
		facts_free(&facts);
	done(arg, has_failed ? NULL : &facts);
}

/* A dns_done. */
static void
on_answer(void *arg, const struct dns_answer *a)
{
	struct question *q = arg;
	struct collect *c = q->c;

	c->waiting--;
	if (!c->has_failed)
		q->read(q, a);
	free(q->name);
	free(q);
	if (c->waiting == 0)
		finish(c);
}

void
collect_ask(struct collect *c, const char *name, enum dns_type type,
    const struct dns_how *how, struct question given)
{
	const struct dns_how plain = { .server = NULL };
	int64_t spent_ms = clock_monotonic_ms() - c->began_ms;
	struct question *q;

	if (given.lookup != NULL) {
		given.lookup->was_asked = true;
		given.lookup->status = DNS_TIMEOUT;
	}
	if (c->has_failed || spent_ms > c->with->question_ms) {
		free(given.name);
		return;
	}
	q = malloc(sizeof *q);
	if (q == NULL) {
		collect_no_memory(c);
		free(given.name);
		return;
	}
	*q = given;
	q->c = c;
	q->type = type;
	if (dns_ask_how(c->with->dns, name, type, how == NULL ? &plain : how,
		on_answer, q, &c->with->err) == -1) {
		c->has_failed = true;
		free(q->name);
		free(q);
		return;
	}
	c->waiting++;
}

static bool
is_worth_looking_into(const struct lookup *l)
{
	return l->status == DNS_SERVFAIL || l->status == DNS_MALFORMED;
}

static collect_reader read_alias;

/*
 * A chain of aliases that loops, is too long, or ends at a broken zone gives
 * no answer but SERVFAIL or something malformed. Ask for the aliases alone,
 * one after the other, as long as the deadline allows.
 */
static void
look_into(struct collect *c, struct lookup *l, const char *name)
{
	if (l->aliases > ALIASES_MAX)
		l->is_endless = true;
	else
		collect_ask(c, name, DNS_CNAME, NULL,
		    (struct question){ .read = read_alias, .again = l });
}

static void
read_alias(struct question *q, const struct dns_answer *a)
{
	struct lookup *l = q->again;

	if (a->status != DNS_OK)
		return;
	lookup_free(l);
	l->owner = collect_copy(q->c, a->rr[0].name);
	l->aliases++;
	if (l->owner != NULL)
		look_into(q->c, l, l->owner);
}

/* ---- the MX records and the addresses ---- */

static void
read_addresses(struct question *q, const struct dns_answer *a)
{
	struct collect *c = q->c;
	struct fact_host *h = q->host;
	struct lookup *l = q->lookup;

	collect_fill(c, l, a);
	if (a->status == DNS_OK)
		add_addrs(c, h, q->type, a);
	else if (q->type == DNS_A && is_worth_looking_into(l))
		look_into(c, l, h->name);
	if (collect_wants(c, CHECK_DNSSEC_HOST))
		collect_if_bogus(c, l, h->name, q->type);
	if (++c->kinds_in[h - c->facts.hosts] == 2)
		collect_more_addresses(c, h);
}

static void
ask_host(struct collect *c, struct fact_host *h)
{
	if (h->name[0] == '\0' || hostname_is_address(h->name))
		return;
	collect_ask(c, h->name, DNS_A, NULL,
	    (struct question){
		.read = read_addresses, .lookup = &h->a, .host = h });
	collect_ask(c, h->name, DNS_AAAA, NULL,
	    (struct question){
		.read = read_addresses, .lookup = &h->aaaa, .host = h });
	collect_more_host(c, h);
}

static void
read_mx(struct question *q, const struct dns_answer *a)
{
	struct collect *c = q->c;
	struct lookup *mx = q->lookup;

	collect_fill(c, mx, a);
	if (a->status == DNS_OK)
		add_hosts(c, a);
	else if (a->status == DNS_NODATA)
		add_implicit_host(c);
	else if (is_worth_looking_into(mx))
		look_into(c, mx, c->facts.domain);
	if (collect_wants(c, CHECK_DNSSEC_DOMAIN))
		collect_if_bogus(c, mx, c->facts.domain, DNS_MX);
	if (!c->has_failed && c->with->assume != NULL &&
	    lookup_is_definite(mx) &&
	    assume_apply(c->with->assume, &c->facts, &c->with->err) == -1)
		c->has_failed = true;
	for (size_t i = 0; i < c->facts.nhosts && !c->has_failed; i++)
		ask_host(c, &c->facts.hosts[i]);
	if (!c->has_failed)
		collect_more_domain(c);
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
	c->facts.taken_s = clock_wall_us() / 1000000;
	c->facts.domain = collect_copy(c, domain);
	collect_ask(c, domain, DNS_MX, NULL,
	    (struct question){ .read = read_mx, .lookup = &c->facts.mx });
	if (!c->has_failed)
		return 0;
	facts_free(&c->facts);
	free(c);
	return -1;
}
