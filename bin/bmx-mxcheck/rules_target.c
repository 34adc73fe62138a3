#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "hostname.h"
#include "special.h"

void
target_alias(struct judging *j, const struct fact_host *h)
{
	const struct lookup *l = h->a.aliases > 0 ? &h->a : &h->aaaa;

	if (hostname_is_address(h->name))
		return;
	if (l->aliases > 0)
		fail(j, usual(j), (struct about){ h->name, "", l },
		    "is an alias of %s", owner_of(l));
	else if (lookup_is_definite(&h->a) || lookup_is_definite(&h->aaaa))
		pass(j); /* an alias would show with either type */
	else
		untested_host(j, h);
}

void
target_ip(struct judging *j, const struct fact_host *h)
{
	if (hostname_is_address(h->name))
		fail(j, usual(j), about_record(j, h),
		    "is taken for an address, not for the name of a host");
	else
		pass(j);
}

void
target_name(struct judging *j, const struct fact_host *h)
{
	const char *fault = hostname_fault(h->name);

	if (hostname_is_address(h->name))
		return; /* MX-TARGET-IP says it */
	if (fault != NULL)
		fail(j, usual(j), about_record(j, h), "%s", fault);
	else
		pass(j);
}

void
target_noaddr(struct judging *j, const struct fact_host *h)
{
	const char *hint = "";

	if (hostname_is_address(h->name))
		return;
	if (hostname_lacks_dot(h->name, j->facts->domain))
		hint = "; its final dot seems to be missing in the zone file";
	if (h->naddrs > 0)
		pass(j);
	else if (!is_complete(h))
		untested_host(j, h);
	else if (h->a.status == DNS_NXDOMAIN)
		fail(j, usual(j), about_host(h),
		    "the name does not exist (NXDOMAIN)%s", hint);
	else
		fail(j, usual(j), about_host(h),
		    "has neither an A nor an AAAA record%s", hint);
}

#define ADDRS_SHOWN 3 /* of one host, in evidence */

/* The special addresses of a host, the first few into shown; how many. */
static size_t
find_special(const struct fact_host *h, char *shown, size_t size)
{
	size_t n = 0, used = 0;
	char addr[ENDPOINT_TEXT_MAX];

	shown[0] = '\0';
	for (size_t i = 0; i < h->naddrs; i++) {
		const struct special *s =
		    special_find(h->addrs[i].bytes, h->addrs[i].len);

		if (s == NULL || n++ >= ADDRS_SHOWN || used >= size)
			continue;
		used += (size_t)snprintf(shown + used, size - used,
		    "%s%s (%s: %s, %s)", used == 0 ? "" : ", ",
		    fact_addr_text(&h->addrs[i], addr), s->use, s->prefix,
		    s->basis);
	}
	return n;
}

void
addr_special(struct judging *j, const struct fact_host *h)
{
	char shown[ADDRS_SHOWN * 128];
	size_t n;

	if (hostname_is_address(h->name))
		return;
	n = find_special(h, shown, sizeof shown);
	if (n > ADDRS_SHOWN)
		fail(j, usual(j), about_host(h), "%s and %zu more", shown,
		    n - ADDRS_SHOWN);
	else if (n > 0)
		fail(j, usual(j), about_host(h), "%s", shown);
	else if (!is_complete(h))
		untested_host(j, h);
	else if (h->naddrs > 0)
		pass(j);
}

const struct fact_addr *
shared_addr(const struct fact_host *one, const struct fact_host *other)
{
	for (size_t i = 0; i < one->naddrs; i++) {
		for (size_t k = 0; k < other->naddrs; k++) {
			if (fact_addr_same(&one->addrs[i], &other->addrs[k]))
				return &one->addrs[i];
		}
	}
	return NULL;
}

void
addr_dup(struct judging *j, const struct fact_host *h)
{
	char addr[ENDPOINT_TEXT_MAX];

	if (hostname_is_address(h->name) || count_targets(j->facts) < 2)
		return;
	for (const struct fact_host *k = j->facts->hosts; k < h; k++) {
		const struct fact_addr *same = shared_addr(k, h);

		if (same == NULL)
			continue;
		fail(j, usual(j), about_host(h), "%s is also the address of %s",
		    fact_addr_text(same, addr), k->name);
		return;
	}
	if (!is_complete(h))
		untested_host(j, h);
	else if (h->naddrs > 0)
		pass(j);
}

void
name_dup(struct judging *j, const struct fact_host *h)
{
	const struct fact_host *end = j->facts->hosts + j->facts->nhosts;

	for (const struct fact_host *k = h + 1; k < end; k++) {
		if (strcmp(k->name, h->name) != 0)
			continue;
		fail(j, usual(j), about_record(j, h),
		    "is listed with preference %u and again with %u",
		    h->preference, k->preference);
		return;
	}
	pass(j);
}
