#include "rules.h"

/* ---- FCRDNS ---- */

enum way_back { BACK_GOOD, BACK_UNKNOWN, BACK_MISSING };

static enum way_back
way_back(const struct fact_reverse *r)
{
	if (r->leads_back)
		return BACK_GOOD;
	if (!lookup_is_definite(&r->ptr) ||
	    (r->forward.was_asked && !lookup_is_definite(&r->forward)) ||
	    (r->name != NULL && !r->forward.was_asked))
		return BACK_UNKNOWN;
	return BACK_MISSING;
}

void
fcrdns(struct judging *j, const struct fact_host *h)
{
	size_t first[3] = { 0 }, n[3] = { 0 };
	char addr[ENDPOINT_TEXT_MAX];
	const struct fact_reverse *r;

	for (size_t i = 0; h->reverse != NULL && i < h->naddrs; i++) {
		enum way_back way = way_back(&h->reverse[i]);

		if (n[way]++ == 0)
			first[way] = i;
	}
	if (n[BACK_MISSING] > 0) {
		r = &h->reverse[first[BACK_MISSING]];
		fact_addr_text(&h->addrs[first[BACK_MISSING]], addr);
		if (r->name == NULL)
			fail(j, usual(j),
			    (struct about){ h->name, "", &r->ptr },
			    "%zu of %zu address(es): %s has no name (PTR)",
			    n[BACK_MISSING], h->naddrs, addr);
		else
			fail(j, usual(j),
			    (struct about){ h->name, "", &r->forward },
			    "%zu of %zu address(es): %s is called %s, which "
			    "does not lead back to it",
			    n[BACK_MISSING], h->naddrs, addr, r->name);
	}
	if (n[BACK_UNKNOWN] > 0) {
		r = &h->reverse[first[BACK_UNKNOWN]];
		untested(j, (struct about){ h->name, "", &r->ptr },
		    "the way back from %s: %s",
		    fact_addr_text(&h->addrs[first[BACK_UNKNOWN]], addr),
		    dns_status_text(lookup_is_definite(&r->ptr)
					? r->forward.status
					: r->ptr.status));
	}
	if (n[BACK_GOOD] > 0 && n[BACK_MISSING] + n[BACK_UNKNOWN] == 0)
		pass(j);
	if (lacks_addresses(h))
		untested_host(j, h);
}

/* ---- DNSBL ---- */

/* RFC 5782 section 5: what a list says counts only if its test entries are as
 * they should be. */
static bool
is_list_alive(const struct fact_list *list, int family)
{
	return list->listed[family].status == DNS_OK &&
	       (list->unlisted[family].status == DNS_NXDOMAIN ||
		   list->unlisted[family].status == DNS_NODATA);
}

static void
judge_listing(struct judging *j, const struct fact_host *h,
    const struct fact_addr *a, const struct fact_list *list,
    const struct lookup *l)
{
	int family = a->len == 4 ? 0 : 1;
	char addr[ENDPOINT_TEXT_MAX];

	fact_addr_text(a, addr);
	if (l->status == DNS_OK && is_list_alive(list, family))
		fail(j, usual(j), (struct about){ h->name, "", l },
		    "%s is listed in %s", addr, list->zone);
	else if (l->status == DNS_OK ||
		 (family == 0 && !is_list_alive(list, family)))
		untested(j, (struct about){ list->zone, "", &list->listed[0] },
		    "the list's test entries are wrong: it is dead, or blocks "
		    "this resolver");
	else if (lookup_is_definite(l))
		pass(j);
	else
		untested(j, (struct about){ h->name, "", l }, "%s in %s: %s",
		    addr, list->zone, dns_status_text(l->status));
}

/* The worst of each list: an address that is in it, else one that could not be
 * asked for. */
void
dnsbl(struct judging *j, const struct fact_host *h)
{
	const struct facts *f = j->facts;

	for (size_t k = 0; h->listings != NULL && k < f->nlists; k++) {
		size_t worst = 0;
		int weight = -1;

		for (size_t i = 0; i < h->naddrs; i++) {
			const struct lookup *l =
			    &h->listings[i * f->nlists + k];
			int w = l->status == DNS_OK     ? 2
				: lookup_is_definite(l) ? 0
							: 1;

			if (w > weight) {
				weight = w;
				worst = i;
			}
		}
		if (weight >= 0)
			judge_listing(j, h, &h->addrs[worst], &f->lists[k],
			    &h->listings[worst * f->nlists + k]);
	}
	if (f->nlists > 0 && lacks_addresses(h))
		untested_host(j, h);
}
