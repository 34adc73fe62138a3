#include "rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Of a set of records in evidence. */
#define SET_SHOWN 120

/* A server's answer is there to be compared. */
static bool
has_set(const struct fact_server *s, int poll)
{
	return s->set[poll] != NULL && s->said[poll].is_authoritative;
}

/* What most servers say; of equals what the first says. NULL: nobody. */
static const char *
usual_set(const struct fact_zone *z, int poll)
{
	const char *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < z->nservers; i++) {
		size_t n = 0;

		if (!has_set(&z->servers[i], poll))
			continue;
		for (size_t k = 0; k < z->nservers; k++)
			n += has_set(&z->servers[k], poll) &&
			     strcmp(z->servers[i].set[poll],
				 z->servers[k].set[poll]) == 0;
		if (n > most) {
			most = n;
			best = z->servers[i].set[poll];
		}
	}
	return best;
}

static const char *
shown(const char *set)
{
	return set[0] == '\0' ? "none" : set;
}

/* A server that gave nothing to compare. The first poll speaks for all. */
static void
judge_silent(struct judging *j, const struct fact_zone *z,
    const struct fact_server *s, int poll)
{
	const struct lookup *l = &s->said[poll];
	struct about about = { s->name, "", l };

	if (s->addr.len == 0 && poll > 0)
		return;
	if (s->addr.len == 0 && lookup_is_definite(l))
		fail(j, SEVERITY_WARNING, about,
		    "a name server of %s, has no address (%s)", z->apex,
		    dns_status_text(l->status));
	else if (s->addr.len == 0)
		untested(j, about, "its address: %s",
		    dns_status_text(l->status));
	else if (l->has_no_route)
		return;
	else if (l->status == DNS_REFUSED)
		fail(j, SEVERITY_WARNING, about,
		    "a name server of %s, refuses the question, or refers to "
		    "others",
		    z->apex);
	else if (!lookup_is_definite(l))
		untested(j, about, "asked itself: %s",
		    dns_status_text(l->status));
	else if (!l->is_authoritative)
		fail(j, SEVERITY_WARNING, about,
		    "a name server of %s, answers without authority", z->apex);
	else
		untested(j, about, "gives more records than we look at");
}

static void
compare_sets(struct judging *j, const struct fact_zone *z, int poll,
    const char *what, const char *of)
{
	const char *most = usual_set(z, poll);

	for (size_t i = 0; i < z->nservers; i++) {
		const struct fact_server *s = &z->servers[i];
		struct about about = { s->name, "", &s->said[poll] };

		if (!has_set(s, poll))
			judge_silent(j, z, s, poll);
		else if (strcmp(s->set[poll], most) == 0)
			pass(j);
		else
			fail(j, usual(j), about,
			    "gives %s of %s: %.*s; others: %.*s", what, of,
			    SET_SHOWN, shown(s->set[poll]), SET_SHOWN,
			    shown(most));
	}
}

/* False, and said, if nobody could be asked. */
static bool
has_servers(struct judging *j, const struct fact_zone *z, const char *name)
{
	struct about about = { name, "", &z->ns };
	size_t reached = 0;

	for (size_t i = 0; i < z->nservers; i++)
		reached += !z->servers[i].said[0].has_no_route;
	if (z->apex == NULL)
		untested(j, about, "NS: %s", dns_status_text(z->ns.status));
	else if (reached == 0)
		untested(j, about, "no server of %s can be reached from here",
		    z->apex);
	else if (z->servers_left > 0)
		untested(j, about, "%zu more servers of %s were not looked at",
		    z->servers_left, z->apex);
	return z->apex != NULL && reached > 0;
}

void
ns_same_mx(struct judging *j)
{
	const struct facts *f = j->facts;

	if (f->zone.ns.was_asked && has_servers(j, &f->zone, f->domain))
		compare_sets(j, &f->zone, POLL_MX, "MX", f->domain);
}

void
ns_same_addr(struct judging *j, const struct fact_host *h)
{
	if (!h->zone.ns.was_asked || !has_servers(j, &h->zone, h->name))
		return;
	compare_sets(j, &h->zone, POLL_A, "A", h->name);
	compare_sets(j, &h->zone, POLL_AAAA, "AAAA", h->name);
}

/* ---- the backup in every list ---- */

/* The set is "10 mx1.test, 20 mx2.test". */
static bool
set_has(const char *set, const char *host)
{
	size_t len = strlen(host);

	while (*set != '\0') {
		size_t n = strcspn(set, ",");
		const char *name = memchr(set, ' ', n);

		if (name != NULL && (size_t)(set + n - name) == len + 1 &&
		    memcmp(name + 1, host, len) == 0)
			return true;
		set += n;
		set += strspn(set, ", ");
	}
	return false;
}

/* The first backup that the set lacks. Of one that is nowhere to be seen we
 * only know what it may be called. */
static const char *
missing_backup(const struct judging *j, const char *set)
{
	const struct role_words *w = &j->roles->backup;
	bool is_known = false;

	for (size_t i = 0; i < j->facts->nhosts; i++) {
		if (j->role[i] != ROLE_BACKUP)
			continue;
		is_known = true;
		if (!set_has(set, j->facts->hosts[i].name))
			return j->facts->hosts[i].name;
	}
	for (size_t i = 0; !is_known && i < w->n; i++)
		is_known =
		    w->word[i].name[0] != '\0' && set_has(set, w->word[i].name);
	return is_known ? NULL : w->word[0].text;
}

void
ns_backup_present(struct judging *j)
{
	const struct fact_zone *z = &j->facts->zone;

	if (!z->ns.was_asked || !has_servers(j, z, j->facts->domain))
		return;
	for (size_t i = 0; i < z->nservers; i++) {
		const struct fact_server *s = &z->servers[i];
		struct about about = { s->name, "", &s->said[POLL_MX] };
		const char *missing;

		if (!has_set(s, POLL_MX)) {
			if (!lookup_is_definite(&s->said[POLL_MX]) &&
			    !s->said[POLL_MX].has_no_route)
				untested(j, about, "asked itself: %s",
				    dns_status_text(s->said[POLL_MX].status));
			continue;
		}
		missing = missing_backup(j, s->set[POLL_MX]);
		if (missing == NULL)
			pass(j);
		else
			fail(j, usual(j), about,
			    "does not list the backup %s: %.*s", missing,
			    SET_SHOWN, shown(s->set[POLL_MX]));
	}
}

/* ---- serial numbers ---- */

static uint32_t
serial_of(const struct fact_server *s)
{
	return (uint32_t)strtoul(s->set[POLL_SOA], NULL, 10);
}

/* RFC 1982 section 3.2: a comes before b. */
static bool
is_before(uint32_t a, uint32_t b)
{
	return a != b && b - a < UINT32_C(1) << 31;
}

void
ns_lag(struct judging *j)
{
	const struct fact_zone *z = &j->facts->zone;
	const struct fact_server *newest = NULL;

	if (!z->ns.was_asked || !has_servers(j, z, j->facts->domain))
		return;
	for (size_t i = 0; i < z->nservers; i++) {
		const struct fact_server *s = &z->servers[i];

		if (has_set(s, POLL_SOA) &&
		    (newest == NULL ||
			is_before(serial_of(newest), serial_of(s))))
			newest = s;
	}
	for (size_t i = 0; i < z->nservers; i++) {
		const struct fact_server *s = &z->servers[i];
		struct about about = { s->name, "", &s->said[POLL_SOA] };

		if (!has_set(s, POLL_SOA) && s->said[POLL_SOA].was_asked &&
		    !lookup_is_definite(&s->said[POLL_SOA]) &&
		    !s->said[POLL_SOA].has_no_route)
			untested(j, about, "asked itself: %s",
			    dns_status_text(s->said[POLL_SOA].status));
		else if (newest == NULL || !has_set(s, POLL_SOA))
			continue; /* NS-SAME-MX says it */
		else if (serial_of(s) == serial_of(newest))
			pass(j);
		else
			fail(j, usual(j), about,
			    "has serial %" PRIu32 " of %s, %s has %" PRIu32,
			    serial_of(s), z->apex, newest->name,
			    serial_of(newest));
	}
}
