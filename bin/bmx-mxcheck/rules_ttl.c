#include "rules.h"

void
ttl_range(struct judging *j, struct about about)
{
	const struct lookup *l = about.said;
	unsigned least = j->policy->ttl_min, most = j->policy->ttl_max;

	if (!l->was_asked || l->status != DNS_OK)
		return;
	if (l->ttl_min >= least)
		pass(j);
	else if (!l->is_authoritative)
		untested(j, about, "a cache has %u seconds left of it",
		    (unsigned)l->ttl_min);
	else
		fail(j, l->ttl_min == 0 ? SEVERITY_WARNING : usual(j), about,
		    "TTL %u, less than %u seconds", (unsigned)l->ttl_min,
		    least);
	if (l->ttl_max > most)
		fail(j, usual(j), about, "TTL %u, more than %u seconds",
		    (unsigned)l->ttl_max, most);
}

void
ttl_rrset(struct judging *j, struct about about)
{
	const struct lookup *l = about.said;

	if (!l->was_asked || l->status != DNS_OK)
		return;
	if (l->ttl_min == l->ttl_max)
		pass(j);
	else
		fail(j, usual(j), about, "TTLs from %u to %u seconds",
		    (unsigned)l->ttl_min, (unsigned)l->ttl_max);
}
