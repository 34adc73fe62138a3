#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "collect_parts.h"
#include "hostname.h"

/* PTR records that are followed, RFC 7208 4.6.4 */
#define NAMES_OF_ADDRESS_MAX 10

/* ---- signatures ---- */

static void
read_unchecked(struct question *q, const struct dns_answer *a)
{
	q->again->is_bogus = a->status <= DNS_NXDOMAIN;
}

void
collect_if_bogus(struct collect *c, struct lookup *l, const char *name,
    enum dns_type type)
{
	const struct dns_how how = { .is_unchecked = true };

	if (l->status == DNS_SERVFAIL)
		collect_ask(c, name, type, &how,
		    (struct question){ .read = read_unchecked, .again = l });
}

/* ---- TXT ---- */

struct wanted_text {
	const char *prefix; /* of the name, with its dot */
	const char *word;   /* that the record begins with */
};

static const struct wanted_text wanted_texts[] = {
	{ "", "v=spf1" },
	{ "_mta-sts.", "v=STSv1" },
	{ "_smtp._tls.", "v=TLSRPTv1" },
};

/* Behind the word there has to be an end of a word. */
static bool
begins_with(const struct dns_rr *rr, const char *word)
{
	size_t len = strlen(word);

	if (rr->raw.len < len ||
	    strncasecmp((const char *)rr->raw.data, word, len) != 0)
		return false;
	return rr->raw.len == len ||
	       memchr(" \t;", rr->raw.data[len], 3) != NULL;
}

static int
compare_raw(const void *one, const void *other)
{
	const struct dns_rr *a = *(const struct dns_rr *const *)one;
	const struct dns_rr *b = *(const struct dns_rr *const *)other;
	size_t len = a->raw.len < b->raw.len ? a->raw.len : b->raw.len;
	int order = len == 0 ? 0 : memcmp(a->raw.data, b->raw.data, len);

	if (order != 0 || a->raw.len == b->raw.len)
		return order;
	return a->raw.len < b->raw.len ? -1 : 1;
}

static void
read_texts(struct question *q, const struct dns_answer *a)
{
	struct fact_texts *t = (struct fact_texts *)q->lookup; /* first in it */
	const struct dns_rr **rr = collect_sort(q->c, a, compare_raw);

	collect_fill(q->c, q->lookup, a);
	for (size_t i = 0; i < a->nrr && !q->c->has_failed; i++) {
		char *text;

		if (!begins_with(rr[i], wanted_texts[q->at].word))
			continue;
		if (t->n == FACTS_TEXTS_MAX || rr[i]->raw.len > FACTS_SET_MAX) {
			t->left++;
			continue;
		}
		text = strndup((const char *)rr[i]->raw.data, rr[i]->raw.len);
		if (text == NULL)
			collect_no_memory(q->c);
		else
			t->text[t->n++] = text;
	}
	free(rr);
}

static void
ask_texts(struct collect *c, struct fact_texts *t, const char *owner,
    size_t wanted)
{
	char name[DNS_NAME_MAX + 16];

	snprintf(name, sizeof name, "%s%s", wanted_texts[wanted].prefix, owner);
	collect_ask(c, name, DNS_TXT, NULL,
	    (struct question){
		.read = read_texts, .lookup = &t->said, .at = wanted });
}

/* ---- TLSA ---- */

static void
add_tlsa(struct fact_host *h, const unsigned char *p, size_t len)
{
	struct fact_tlsa *t = &h->tlsas[h->ntlsas];

	if (len < 3 || h->ntlsas == FACTS_TLSAS_MAX) {
		h->tlsas_left++;
		return;
	}
	h->ntlsas++;
	t->usage = p[0];
	t->selector = p[1];
	t->match = p[2];
	t->len = len - 3;
	memcpy(t->data, p + 3,
	    t->len < sizeof t->data ? t->len : sizeof t->data);
	if (t->match == 0)
		digest_sha256(p + 3, t->len, t->sha256);
}

static void
read_tlsas(struct question *q, const struct dns_answer *a)
{
	struct fact_host *h = q->host;
	const struct dns_rr **rr;

	collect_fill(q->c, q->lookup, a);
	if (a->nrr == 0) {
		collect_if_bogus(q->c, q->lookup, q->name, DNS_TLSA);
		return;
	}
	rr = collect_sort(q->c, a, compare_raw);
	h->tlsas = calloc(FACTS_TLSAS_MAX, sizeof *h->tlsas);
	if (h->tlsas == NULL)
		collect_no_memory(q->c);
	for (size_t i = 0; rr != NULL && h->tlsas != NULL && i < a->nrr; i++)
		add_tlsa(h, rr[i]->raw.data, rr[i]->raw.len);
	free(rr);
}

static void
ask_tlsas(struct collect *c, struct fact_host *h)
{
	char name[DNS_NAME_MAX + 16];

	snprintf(name, sizeof name, "_25._tcp.%s", h->name);
	collect_ask(c, name, DNS_TLSA, NULL,
	    (struct question){ .read = read_tlsas,
		.lookup = &h->tlsa,
		.host = h,
		.name = collect_copy(c, name) });
}

/* ---- the names of addresses ---- */

/* "1.2.0.192" or 32 nibbles, and the zone: of PTR records and of DNSBLs. */
static void
reverse_name(const struct fact_addr *a, const char *zone, char *out,
    size_t size)
{
	size_t used = 0;

	for (size_t i = a->len; i-- > 0 && used < size;) {
		unsigned byte = a->bytes[i];

		if (a->len == 4)
			used += (size_t)snprintf(out + used, size - used, "%u.",
			    byte);
		else
			used += (size_t)snprintf(out + used, size - used,
			    "%x.%x.", byte & 15, byte >> 4);
	}
	if (used < size)
		snprintf(out + used, size - used, "%s", zone);
}

/* Of several names keep what matters, whichever answer comes first: the first
 * that leads back, then what gave no answer. */
static void
read_forward(struct question *q, const struct dns_answer *a)
{
	struct fact_reverse *r = &q->host->reverse[q->at];
	const struct fact_addr *addr = &q->host->addrs[q->at];
	bool leads_back = false;

	for (size_t i = 0; i < a->nrr && !leads_back; i++)
		leads_back = memcmp(a->rr[i].addr, addr->bytes, addr->len) == 0;
	if (leads_back && (!r->leads_back || strcmp(q->name, r->name) < 0)) {
		free(r->name);
		r->name = collect_copy(q->c, q->name);
	} else if (r->leads_back ||
		   (r->forward.was_asked && !lookup_is_definite(&r->forward))) {
		return;
	}
	r->leads_back = leads_back;
	r->forward.was_asked = true;
	collect_fill(q->c, &r->forward, a);
}

/* If there are more names than we follow, nobody knows whether one of the others
 * leads back. */
static void
follow_names(struct collect *c, struct fact_host *h, size_t at,
    const struct dns_answer *a)
{
	struct fact_reverse *r = &h->reverse[at];
	const struct dns_rr **rr = collect_sort(c, a, collect_compare_name);

	if (rr == NULL)
		return;
	r->name = collect_copy(c, rr[0]->name);
	r->forward.was_asked = a->nrr > NAMES_OF_ADDRESS_MAX;
	r->forward.status = DNS_TIMEOUT;
	for (size_t i = 0; i < a->nrr && i < NAMES_OF_ADDRESS_MAX; i++)
		collect_ask(c, rr[i]->name,
		    h->addrs[at].len == 4 ? DNS_A : DNS_AAAA, NULL,
		    (struct question){ .read = read_forward,
			.host = h,
			.at = at,
			.name = collect_copy(c, rr[i]->name) });
	free(rr);
}

static void
read_reverse(struct question *q, const struct dns_answer *a)
{
	collect_fill(q->c, q->lookup, a);
	if (a->nrr > 0)
		follow_names(q->c, q->host, q->at, a);
}

static void
ask_reverse(struct collect *c, struct fact_host *h)
{
	char name[128];

	h->reverse = calloc(h->naddrs + 1, sizeof *h->reverse);
	if (h->reverse == NULL)
		collect_no_memory(c);
	for (size_t i = 0; h->reverse != NULL && i < h->naddrs; i++) {
		reverse_name(&h->addrs[i],
		    h->addrs[i].len == 4 ? "in-addr.arpa" : "ip6.arpa", name,
		    sizeof name);
		collect_ask(c, name, DNS_PTR, NULL,
		    (struct question){ .read = read_reverse,
			.lookup = &h->reverse[i].ptr,
			.host = h,
			.at = i });
	}
}

/* ---- DNSBL ---- */

static void
read_listing(struct question *q, const struct dns_answer *a)
{
	collect_fill(q->c, q->lookup, a);
}

static void
ask_listing(struct collect *c, const struct fact_addr *addr, const char *zone,
    struct lookup *l)
{
	char name[DNS_NAME_MAX + 128];

	reverse_name(addr, zone, name, sizeof name);
	collect_ask(c, name, DNS_A, NULL,
	    (struct question){ .read = read_listing, .lookup = l });
}

/* RFC 5782 section 5. */
static void
ask_tests(struct collect *c, struct fact_list *list)
{
	static const struct fact_addr listed[2] = {
		{ { 127, 0, 0, 2 }, 4 },
		{ { [10] = 0xff, 0xff, 127, 0, 0, 2 }, 16 },
	};
	static const struct fact_addr unlisted[2] = {
		{ { 127, 0, 0, 1 }, 4 },
		{ { [10] = 0xff, 0xff, 127, 0, 0, 1 }, 16 },
	};

	for (int i = 0; i < 2; i++) {
		ask_listing(c, &listed[i], list->zone, &list->listed[i]);
		ask_listing(c, &unlisted[i], list->zone, &list->unlisted[i]);
	}
}

static void
ask_lists(struct collect *c)
{
	struct facts *f = &c->facts;

	f->lists = calloc(c->with->ndnsbl, sizeof *f->lists);
	if (f->lists == NULL) {
		collect_no_memory(c);
		return;
	}
	for (size_t i = 0; i < c->with->ndnsbl && !c->has_failed; i++) {
		f->lists[i].zone = collect_copy(c, c->with->dnsbl[i]);
		f->nlists++;
		if (f->lists[i].zone != NULL)
			ask_tests(c, &f->lists[i]);
	}
}

static void
ask_listings(struct collect *c, struct fact_host *h)
{
	size_t n = c->facts.nlists;

	h->listings = calloc(h->naddrs * n + 1, sizeof *h->listings);
	if (h->listings == NULL)
		collect_no_memory(c);
	for (size_t i = 0; h->listings != NULL && i < h->naddrs * n; i++)
		ask_listing(c, &h->addrs[i / n], c->facts.lists[i % n].zone,
		    &h->listings[i]);
}

/* ---- what is asked when ---- */

/* The checks that need one thing; CHECK_COUNT ends each list. */
static const enum check_id sts_checks[] = { CHECK_STS_TXT, CHECK_TLSRPT,
	CHECK_STS_POLICY, CHECK_STS_COVERS, CHECK_STS_STALE, CHECK_STS_CERT,
	CHECK_TLS_PARITY, CHECK_COUNT };
static const enum check_id tlsa_checks[] = { CHECK_TLSA_PRESENT,
	CHECK_TLSA_LOOKUP, CHECK_TLSA_USABLE, CHECK_TLSA_ROLL, CHECK_TLSRPT,
	CHECK_TLSA_MATCH, CHECK_TLSA_NAME, CHECK_CERT, CHECK_TLS_PARITY,
	CHECK_COUNT };

static bool
wants_any(const struct collect *c, const enum check_id *ids)
{
	while (*ids != CHECK_COUNT && !collect_wants(c, *ids))
		ids++;
	return *ids != CHECK_COUNT;
}

static bool
wants_spf(const struct collect *c)
{
	return collect_wants(c, CHECK_SPF_BACKUP) ||
	       collect_wants(c, CHECK_SPF_MX_COUNT) ||
	       (collect_wants(c, CHECK_MX_NULL_SENDER) &&
		   facts_is_null_mx(&c->facts));
}

void
collect_more_domain(struct collect *c)
{
	struct facts *f = &c->facts;

	if (!lookup_is_definite(&f->mx) || f->mx.status == DNS_NXDOMAIN)
		return;
	if (collect_wants(c, CHECK_NS_SAME_MX) ||
	    collect_wants(c, CHECK_NS_BACKUP_PRESENT) ||
	    collect_wants(c, CHECK_NS_LAG))
		collect_zone(c, &f->zone,
		    f->mx.owner != NULL ? f->mx.owner : f->domain, NULL, true);
	if (wants_spf(c))
		ask_texts(c, &f->spf, f->domain, 0);
	if (wants_any(c, sts_checks))
		ask_texts(c, &f->sts, f->domain, 1);
	if (collect_wants(c, CHECK_TLSRPT))
		ask_texts(c, &f->tlsrpt, f->domain, 2);
}

/* Records of the same host are looked at once. */
static bool
is_first(const struct collect *c, const struct fact_host *h)
{
	for (const struct fact_host *k = c->facts.hosts; k < h; k++) {
		if (strcmp(k->name, h->name) == 0)
			return false;
	}
	return true;
}

void
collect_more_host(struct collect *c, struct fact_host *h)
{
	bool with_polls = collect_wants(c, CHECK_NS_SAME_ADDR);

	if (!is_first(c, h))
		return;
	if (with_polls || collect_wants(c, CHECK_DNS_FATE_ZONE))
		collect_zone(c, &h->zone, h->name, h, with_polls);
	if (wants_any(c, tlsa_checks))
		ask_tlsas(c, h);
	if (collect_wants(c, CHECK_SPF_HELO))
		ask_texts(c, &h->spf, h->name, 0);
	if (collect_wants(c, CHECK_DNSBL) && c->with->ndnsbl > 0 &&
	    c->facts.lists == NULL)
		ask_lists(c);
}

void
collect_more_addresses(struct collect *c, struct fact_host *h)
{
	if (!is_first(c, h))
		return;
	if (h->naddrs > 0 && (collect_wants(c, CHECK_FCRDNS) ||
				 collect_wants(c, CHECK_PTR_EHLO)))
		ask_reverse(c, h);
	if (collect_wants(c, CHECK_DNSBL) && c->facts.nlists > 0)
		ask_listings(c, h);
}
