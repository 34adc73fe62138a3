#include "smtp/route_order.h"

#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	const struct route_host *x = a, *y = b;

	if (x->preference != y->preference)
		return x->preference < y->preference ? -1 : 1;
	if (x->tie != y->tie)
		return x->tie < y->tie ? -1 : 1;
	return 0;
}

/* The best of our preferences. */
static unsigned
own_best(const struct route_host *hosts, size_t n, unsigned own_preference)
{
	for (size_t i = 0; i < n; i++)
		if (hosts[i].is_self && hosts[i].preference < own_preference)
			own_preference = hosts[i].preference;
	return own_preference;
}

size_t
route_better(struct route_host *hosts, size_t n, unsigned own_preference)
{
	unsigned own = own_best(hosts, n, own_preference);
	size_t better = 0;

	qsort(hosts, n, sizeof *hosts, compare);
	while (better < n && hosts[better].preference < own)
		better++;
	return better;
}

static bool
has_address(const struct route_host *h)
{
	return h->naddrs[ROUTE_V4] > 0 || h->naddrs[ROUTE_V6] > 0;
}

enum route_status
route_judge(const struct route_host *hosts, size_t n, size_t better,
    unsigned own_preference, bool must_be_listed)
{
	bool is_listed =
	    own_best(hosts, n, own_preference) != ROUTE_NO_PREFERENCE;
	bool trouble = false, reachable = false;

	for (size_t i = 0; i < better; i++) {
		trouble = trouble || hosts[i].trouble != DNS_OK;
		reachable = reachable || has_address(&hosts[i]);
	}
	/* a host whose address is not known now may be ours */
	if (!is_listed && must_be_listed)
		return trouble ? ROUTE_DNS_TROUBLE : ROUTE_NOT_LISTED;
	if (better == 0)
		return ROUTE_WE_ARE_BEST;
	if (reachable)
		return ROUTE_OK;
	return trouble ? ROUTE_DNS_TROUBLE : ROUTE_NO_ADDRESS;
}

static bool
is_listed(const struct route *r, const struct endpoint *ep)
{
	for (size_t i = 0; i < r->naddrs; i++)
		if (endpoint_same_host(&r->addrs[i].ep, ep) &&
		    endpoint_port(&r->addrs[i].ep) == endpoint_port(ep))
			return true;
	return false;
}

static void
list_family(struct route *r, const struct route_host *h,
    enum route_family family)
{
	for (size_t i = 0; i < h->naddrs[family]; i++) {
		const struct endpoint *ep = &h->addrs[family][i];

		if (r->naddrs == ROUTE_ADDRS_MAX || is_listed(r, ep))
			continue;
		r->addrs[r->naddrs++] = (struct route_addr){
			.ep = *ep,
			.host = h->name,
			.secure_name = h->secure_name[family],
			.preference = h->preference,
		};
	}
}

void
route_list(struct route *r, const struct route_host *hosts, size_t n,
    bool v6_first)
{
	r->naddrs = 0;
	for (size_t i = 0; i < n; i++) {
		list_family(r, &hosts[i], v6_first ? ROUTE_V6 : ROUTE_V4);
		list_family(r, &hosts[i], v6_first ? ROUTE_V4 : ROUTE_V6);
	}
}
