#include "rules.h"

#include <string.h>

/* The network that shares a site, as far as that can be seen from here. */
static bool
is_same_net(const struct fact_addr *a, const struct fact_addr *b)
{
	return a->len == b->len &&
	       memcmp(a->bytes, b->bytes, a->len == 4 ? 3 : 6) == 0;
}

/* A primary in the same network, or NULL. */
static const struct fact_host *
primary_near(const struct judging *j, const struct fact_addr *a)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		for (size_t k = 0; j->role[i] == ROLE_PRIMARY && k < h->naddrs;
		     k++) {
			if (is_same_net(&h->addrs[k], a))
				return h;
		}
	}
	return NULL;
}

/* A primary, or self, whose addresses are not all known; or NULL. */
static const struct fact_host *
incomplete(const struct judging *j, const struct fact_host *self)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if ((j->role[i] == ROLE_PRIMARY || h == self) &&
		    !is_complete(h))
			return h;
	}
	return NULL;
}

static void
net_of_backup(struct judging *j, const struct fact_host *h)
{
	const struct fact_host *near = NULL, *unknown = incomplete(j, h);
	char addr[ENDPOINT_TEXT_MAX];
	size_t inside = 0;

	for (size_t i = 0; i < h->naddrs; i++) {
		const struct fact_host *p = primary_near(j, &h->addrs[i]);

		inside += p != NULL;
		near = p != NULL ? p : near;
	}
	if (unknown != NULL)
		untested_host(j, unknown);
	else if (h->naddrs > 0 && inside == h->naddrs)
		fail(j, usual(j), about_host(h),
		    "%s is in the same network (/%d) as the primary %s",
		    fact_addr_text(&h->addrs[0], addr),
		    h->addrs[0].len == 4 ? 24 : 48, near->name);
	else if (h->naddrs > 0)
		pass(j);
}

void
net_fate(struct judging *j)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		if (j->role[i] == ROLE_BACKUP && is_target(j->facts, i))
			net_of_backup(j, &j->facts->hosts[i]);
	}
}

static void
zone_of_backup(struct judging *j, const struct fact_host *h)
{
	const struct fact_zone *z = &h->zone;
	const struct fact_host *unknown = incomplete(j, NULL);
	struct about about = { h->name, "", &z->ns };
	size_t inside = 0, outside = 0, silent = z->servers_left;

	for (size_t i = 0; i < z->nservers; i++) {
		const struct fact_server *s = &z->servers[i];

		if (s->addr.len == 0)
			silent += !lookup_is_definite(&s->said[0]);
		else if (primary_near(j, &s->addr) != NULL)
			inside++;
		else
			outside++;
	}
	if (z->apex == NULL)
		untested(j, about, "NS: %s", dns_status_text(z->ns.status));
	else if (unknown != NULL)
		untested_host(j, unknown);
	else if (outside > 0)
		pass(j);
	else if (silent > 0)
		untested(j, about,
		    "%zu name server(s) of %s could not be looked up", silent,
		    z->apex);
	else if (inside > 0)
		fail(j, usual(j), about,
		    "all %zu address(es) of the name servers of %s are in "
		    "networks of the primary",
		    inside, z->apex);
}

void
dns_fate_zone(struct judging *j)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		const struct fact_host *h = &j->facts->hosts[i];

		if (j->role[i] == ROLE_BACKUP && is_target(j->facts, i) &&
		    h->zone.ns.was_asked)
			zone_of_backup(j, h);
	}
}

/* ---- LOOP ---- */

/* Where bmx.conf, or the command line, says the primary is. */
static const struct role_word *
primary_word_of(const struct judging *j, const struct fact_host *backup)
{
	const struct role_words *w = &j->roles->primary;

	for (size_t i = 0; i < w->n; i++) {
		if (role_word_is(&w->word[i], backup))
			return &w->word[i];
	}
	return NULL;
}

static void
loop_of_backup(struct judging *j, const struct fact_host *h)
{
	const struct role_word *word = primary_word_of(j, h);
	const struct facts *f = j->facts;
	char addr[ENDPOINT_TEXT_MAX];

	if (word != NULL) {
		fail(j, usual(j), about_host(h),
		    "the primary %s is this backup itself", word->text);
		return;
	}
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_addr *same;

		if (j->role[i] != ROLE_PRIMARY)
			continue;
		same = shared_addr(&f->hosts[i], h);
		if (same == NULL)
			continue;
		fail(j, usual(j), about_host(h),
		    "the primary %s has the backup's address %s",
		    f->hosts[i].name, fact_addr_text(same, addr));
		return;
	}
	if (incomplete(j, h) != NULL)
		untested_host(j, incomplete(j, h));
	else if (h->naddrs > 0)
		pass(j);
}

void
loop(struct judging *j)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		if (j->role[i] == ROLE_BACKUP && is_target(j->facts, i))
			loop_of_backup(j, &j->facts->hosts[i]);
	}
}
