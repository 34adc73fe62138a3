#include "rules.h"

bool
has_roles(const struct judging *j)
{
	return j->roles->backup.n > 0 || j->roles->primary.n > 0;
}

static bool
is_named(const struct role_words *words, const struct fact_host *h)
{
	for (size_t i = 0; i < words->n; i++) {
		if (role_word_is(&words->word[i], h))
			return true;
	}
	return false;
}

static enum role
named_role(const struct judging *j, const struct fact_host *h)
{
	if (is_root(h))
		return ROLE_NONE;
	if (is_named(&j->roles->backup, h) ||
	    (j->roles->backup_is_us && h->is_local))
		return ROLE_BACKUP;
	return is_named(&j->roles->primary, h) ? ROLE_PRIMARY : ROLE_NONE;
}

static const struct fact_host *
first_with(const struct judging *j, enum role role)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		if (j->role[i] == role && !is_root(&j->facts->hosts[i]))
			return &j->facts->hosts[i];
	}
	return NULL;
}

static void
set_role(struct judging *j, enum role role, unsigned up_to_preference)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		const struct fact_host *h = &j->facts->hosts[i];

		if (j->role[i] == ROLE_NONE && !is_root(h) &&
		    h->preference <= up_to_preference)
			j->role[i] = role;
	}
}

/* Where no primary is named, it is the best of the hosts that are not the
 * backup; where no backup is named, it is everybody else. */
void
assign_roles(struct judging *j)
{
	const struct fact_host *best;

	if (!has_roles(j))
		return;
	for (size_t i = 0; i < j->facts->nhosts; i++)
		j->role[i] = named_role(j, &j->facts->hosts[i]);
	best = first_with(j, ROLE_NONE);
	if (j->roles->primary.n > 0 && j->facts->hosts_left > 0)
		best = NULL; /* it may be one that was not looked at */
	if (best != NULL && first_with(j, ROLE_PRIMARY) == NULL)
		set_role(j, ROLE_PRIMARY, best->preference);
	if (j->roles->backup.n == 0)
		set_role(j, ROLE_BACKUP, UINT16_MAX);
}

/*
 * A role may be given by address, and ours always may: then a host whose
 * addresses are unknown could be the one that was not found.
 */
static const struct fact_host *
unknown_host(const struct judging *j)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		const struct fact_host *h = &j->facts->hosts[i];

		if (lacks_addresses(h) && named_role(j, h) == ROLE_NONE)
			return h;
	}
	return NULL;
}

/* No host has the backup's role. Say so if a host could not be looked up. */
static bool
lacks_backup(struct judging *j)
{
	const struct fact_host *unknown = unknown_host(j);

	if (first_with(j, ROLE_BACKUP) != NULL)
		return false;
	if (unknown != NULL)
		untested_host(j, unknown);
	return true;
}

static void
tie_with_primary(struct judging *j, const struct fact_host *backup)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (j->role[i] != ROLE_PRIMARY)
			continue;
		if (h->preference == backup->preference) {
			fail(j, usual(j), about_record(j, backup),
			    "the backup has preference %u, and so has the "
			    "primary %s",
			    backup->preference, h->name);
			return;
		}
		pass(j);
	}
}

void
pref_tie(struct judging *j)
{
	if (lacks_backup(j))
		return;
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		if (j->role[i] == ROLE_BACKUP)
			tie_with_primary(j, &j->facts->hosts[i]);
	}
}

/* What the command line names has to be among the MX hosts. */
static void
find_missing(struct judging *j, const struct role_words *words,
    const char *role)
{
	const struct facts *f = j->facts;
	const struct fact_host *unknown = unknown_host(j);

	for (size_t i = 0; i < words->n; i++) {
		const struct role_word *w = &words->word[i];
		bool found = false;

		for (size_t k = 0; k < f->nhosts && !found; k++)
			found = role_word_is(w, &f->hosts[k]);
		if (!found && unknown != NULL && w->ep.len > 0)
			untested_host(j, unknown);
		else if (!found && f->hosts_left == 0)
			fail(j, usual(j), (struct about){ w->text, "", &f->mx },
			    "the %s is not an MX host", role);
	}
}

/* last: the primary with the highest number. */
static void
order_host(struct judging *j, const struct fact_host *h, enum role role,
    const struct fact_host *last)
{
	if (role == ROLE_NONE && j->roles->primary.n > 0)
		fail(j, SEVERITY_INFO, about_record(j, h),
		    "is neither primary nor backup (preference %u)",
		    h->preference);
	else if (role == ROLE_BACKUP && h->preference < last->preference)
		fail(j, usual(j), about_record(j, h),
		    "the backup has preference %u and comes before the primary "
		    "%s with %u",
		    h->preference, last->name, last->preference);
	else if (role == ROLE_BACKUP && h->preference > last->preference)
		pass(j); /* equal: PREF-TIE says it */
}

void
pref_order(struct judging *j)
{
	const struct facts *f = j->facts;
	const struct fact_host *last = NULL;

	if (!j->roles->primary_is_route)
		find_missing(j, &j->roles->primary, "primary");
	if (lacks_backup(j))
		return;
	for (size_t i = 0; i < f->nhosts; i++) {
		if (j->role[i] == ROLE_PRIMARY)
			last = &f->hosts[i];
	}
	for (size_t i = 0; i < f->nhosts && last != NULL; i++) {
		if (!is_root(&f->hosts[i]))
			order_host(j, &f->hosts[i], j->role[i], last);
	}
}

/* Where would the backup hand mail to? Only to a host with a lower number,
 * or to where bmx.conf says. */
static void
find_better(struct judging *j, const struct fact_host *self)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if (!is_root(h) && j->role[i] != ROLE_BACKUP &&
		    h->preference < self->preference) {
			pass(j);
			return;
		}
	}
	if (j->roles->primary_is_route)
		pass(j);
	else
		fail(j, usual(j), about_record(j, self),
		    "no MX host is better than the backup, which has "
		    "preference %u",
		    self->preference);
}

void
self_listed(struct judging *j)
{
	const struct facts *f = j->facts;
	const struct fact_host *self = first_with(j, ROLE_BACKUP);

	if (f->mx.status == DNS_NODATA)
		fail(j, usual(j), about_mx(j),
		    "there is no MX record, so the backup is not listed");
	else if (!j->roles->backup_is_us)
		find_missing(j, &j->roles->backup, "backup");
	else if (lacks_backup(j) && unknown_host(j) == NULL &&
		 f->hosts_left == 0)
		fail(j, usual(j), about_mx(j),
		    "this host (%s) is not an MX host",
		    j->roles->backup.word[0].text);
	if (f->mx.status == DNS_OK && self != NULL)
		find_better(j, self);
}
