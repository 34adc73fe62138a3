#include "rules.h"

#include "hostname.h"

static void
no_mx(struct judging *j)
{
	const struct fact_host *self = &j->facts->hosts[0];

	if (self->naddrs > 0)
		fail(j, SEVERITY_WARNING, about_mx(j),
		    "no MX record; senders fall back to the domain's address");
	else if (is_complete(self))
		fail(j, usual(j), about_mx(j),
		    "no MX record, and no address to fall back to");
	else
		fail(j, SEVERITY_WARNING, about_mx(j),
		    "no MX record; whether there is an address to fall back to "
		    "could not be found out");
}

void
mx_exists(struct judging *j)
{
	const struct lookup *mx = &j->facts->mx;

	if (mx->status == DNS_OK)
		pass(j);
	else if (mx->status == DNS_NODATA)
		no_mx(j);
	else if (mx->aliases > 0)
		fail(j, usual(j), about_mx(j),
		    "is an alias of %s, which does not exist (NXDOMAIN)",
		    owner_of(mx));
	else
		fail(j, usual(j), about_mx(j),
		    "the domain does not exist (NXDOMAIN)");
}

void
mx_null(struct judging *j)
{
	if (j->facts->mx.status != DNS_OK)
		return;
	if (!facts_is_null_mx(j->facts))
		pass(j);
	else if (has_roles(j))
		fail(j, SEVERITY_ERROR, about_mx(j),
		    "says that it accepts no mail, yet it is to be backed up");
	else
		fail(j, usual(j), about_mx(j), "says that it accepts no mail");
}

void
mx_null_mixed(struct judging *j)
{
	const struct facts *f = j->facts;
	size_t others = f->nhosts + f->hosts_left - 1;

	if (f->mx.status != DNS_OK)
		return;
	for (size_t i = 0; i < f->nhosts && !facts_is_null_mx(f); i++) {
		unsigned preference = f->hosts[i].preference;

		if (!is_root(&f->hosts[i]))
			continue;
		if (others > 0)
			fail(j, usual(j), about_mx(j),
			    "the root (preference %u) stands beside %zu other "
			    "MX record(s)",
			    preference, others);
		else
			fail(j, usual(j), about_mx(j),
			    "the root is the only MX host, but with preference "
			    "%u",
			    preference);
		return;
	}
	pass(j);
	say_hosts_left(j); /* the root may be among them */
}

void
mx_implicit(struct judging *j)
{
	const struct fact_host *self;
	char addr[ENDPOINT_TEXT_MAX];

	if (j->facts->mx.status == DNS_OK)
		pass(j);
	if (j->facts->mx.status != DNS_NODATA)
		return;
	self = &j->facts->hosts[0];
	if (self->naddrs > 0)
		fail(j, usual(j), about_host(self),
		    "senders deliver to the domain's own address, %s",
		    fact_addr_text(&self->addrs[0], addr));
	else if (!is_complete(self))
		untested_host(j, self);
}

static bool
has_addr(const struct fact_host *h, const struct fact_addr *a)
{
	for (size_t i = 0; i < h->naddrs; i++) {
		if (fact_addr_same(&h->addrs[i], a))
			return true;
	}
	return false;
}

static bool
has_same_addrs(const struct fact_host *one, const struct fact_host *other)
{
	for (size_t i = 0; i < one->naddrs; i++) {
		if (!has_addr(other, &one->addrs[i]))
			return false;
	}
	for (size_t i = 0; i < other->naddrs; i++) {
		if (!has_addr(one, &other->addrs[i]))
			return false;
	}
	return true;
}

/* What the targets' addresses say about there being a backup. */
struct reach {
	const struct fact_host *first;   /* with an address */
	const struct fact_host *unknown; /* with addresses not looked up */
	size_t reachable;                /* hosts with an address */
	bool differ;                     /* not all have the same ones */
};

static void
find_reach(const struct facts *f, struct reach *r)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (!is_target(f, i) || hostname_is_address(h->name))
			continue;
		if (!is_complete(h))
			r->unknown = h;
		if (h->naddrs == 0)
			continue;
		r->reachable++;
		if (r->first == NULL)
			r->first = h;
		else if (!has_same_addrs(r->first, h))
			r->differ = true;
	}
}

static void
mx_one_host(struct judging *j)
{
	const struct facts *f = j->facts;
	size_t i = 0;

	while (!is_target(f, i))
		i++;
	fail(j, usual(j), about_mx(j), "%s is the only MX host",
	    f->hosts[i].name);
}

void
mx_one(struct judging *j)
{
	struct reach r = { NULL, NULL, 0, false };

	find_reach(j->facts, &r);
	if (j->facts->hosts_left == 0 && count_targets(j->facts) == 1)
		mx_one_host(j);
	else if (r.differ)
		pass(j);
	else if (r.unknown != NULL)
		untested_host(j, r.unknown);
	else if (j->facts->hosts_left > 0)
		say_hosts_left(j);
	else if (r.reachable == 1)
		fail(j, usual(j), about_mx(j), "only %s has an address",
		    r.first->name);
	else if (r.reachable > 1)
		fail(j, usual(j), about_mx(j),
		    "all %zu hosts share the same address(es)", r.reachable);
}

void
mx_owner_alias(struct judging *j)
{
	const struct lookup *mx = &j->facts->mx;

	if (mx->is_endless)
		fail(j, SEVERITY_ERROR, about_mx(j),
		    "is an alias, and the chain loops or has more than 8 "
		    "steps");
	else if (!lookup_is_definite(mx))
		untested(j, about_mx(j), "MX: %s", dns_status_text(mx->status));
	else if (mx->aliases > 0)
		fail(j, usual(j), about_mx(j), "is an alias of %s",
		    owner_of(mx));
	else
		pass(j);
}
