#include "bmx-queue/select.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bmx-queue/filter.h"

/* Make room for one more element of each bytes. */
static int
grow(void *array, size_t *room, size_t n, size_t each, struct err *e)
{
	size_t want = *room == 0 ? 16 : *room + *room / 2;
	void *old, *grown;

	if (n < *room)
		return 0;
	memcpy(&old, array, sizeof old);
	grown = reallocarray(old, want, each);
	if (grown == NULL)
		return err_temp(e, "out of memory");
	memcpy(array, &grown, sizeof grown);
	*room = want;
	return 0;
}

/* ---- what is wanted ---- */

static int
compare_wants(const void *a, const void *b)
{
	const struct select_want *x = a, *y = b;
	int by_id = strcmp(x->id, y->id);

	return by_id != 0 ? by_id : strcmp(x->domain, y->domain);
}

/* ID, DOMAIN or DOMAIN/ID. The domain is folded, so it is a safe name. */
static int
parse(const char *name, char id[SPOOL_ID_LEN + 1],
    char domain[ADDR_DOMAIN_MAX + 1], struct err *e)
{
	const char *slash = strrchr(name, '/');
	const char *maybe_id = slash == NULL ? name : slash + 1;
	size_t len = slash == NULL ? strlen(name) : (size_t)(slash - name);
	bool is_id = spool_id_arrival_us(maybe_id) != -1;
	char safe[128];
	struct err why;

	id[0] = domain[0] = '\0';
	if (is_id)
		memcpy(id, maybe_id, SPOOL_ID_LEN + 1);
	if (is_id && slash == NULL)
		return 0;
	if ((slash == NULL || is_id) &&
	    addr_fold_domain(name, len, domain, &why) == 0)
		return 0;
	return err_usage(e, "%s: neither an ID nor a domain nor DOMAIN/ID",
	    text_safe(safe, sizeof safe, name));
}

int
select_add(struct select *s, const char *name, struct err *e)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct select_want *want;

	if (grow(&s->wants, &s->wants_room, s->nwants, sizeof *want, e) == -1)
		return -1;
	want = &s->wants[s->nwants];
	if (parse(name, want->id, domain, e) == -1)
		return -1;
	want->is_found = false;
	want->domain = strdup(domain);
	if (want->domain == NULL)
		return err_temp(e, "out of memory");
	s->nwants++;
	return 0;
}

bool
select_has_domain(const struct select *s)
{
	for (size_t i = 0; i < s->nwants; i++)
		if (s->wants[i].id[0] == '\0')
			return true;
	return s->is_all;
}

bool
select_has_id(const struct select *s)
{
	for (size_t i = 0; i < s->nwants; i++)
		if (s->wants[i].id[0] != '\0')
			return true;
	return false;
}

static void
sort_wants(struct select *s)
{
	size_t kept = 0;

	if (s->nwants == 0)
		return;
	qsort(s->wants, s->nwants, sizeof *s->wants, compare_wants);
	for (size_t i = 1; i < s->nwants; i++) {
		if (compare_wants(&s->wants[kept], &s->wants[i]) == 0)
			free(s->wants[i].domain);
		else
			s->wants[++kept] = s->wants[i];
	}
	s->nwants = kept + 1;
}

/* True when it is wanted under exactly these words; it is found then. */
static bool
find_want(struct select *s, const char *id, const char *domain)
{
	struct select_want key = { .domain = (char *)domain }, *found;

	memcpy(key.id, id, strlen(id) + 1);
	if (s->nwants == 0)
		return false;
	found = bsearch(&key, s->wants, s->nwants, sizeof key, compare_wants);
	if (found != NULL)
		found->is_found = true;
	return found != NULL;
}

const struct select_want *
select_missing(const struct select *s, size_t *i)
{
	while (*i < s->nwants) {
		const struct select_want *want = &s->wants[(*i)++];

		if (!want->is_found)
			return want;
	}
	return NULL;
}

/* ---- domains ---- */

static int
compare_domains(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
add_domain(struct select *s, const char *name, struct err *e)
{
	char *copy;

	if (grow(&s->domains, &s->domains_room, s->ndomains, sizeof copy, e) ==
	    -1)
		return -1;
	copy = strdup(name);
	if (copy == NULL)
		return err_temp(e, "out of memory");
	s->domains[s->ndomains++] = copy;
	return 0;
}

static bool
is_domain_wanted(const struct select *s, const char *name)
{
	return s->filter == NULL || filter_domain(s->filter, name);
}

static int
add_every_domain(struct select *s, const struct spool *sp, struct err *e)
{
	struct spool_domains l;
	int rc;

	if (spool_domains_open(&l, sp, e) == -1)
		return -1;
	while ((rc = spool_domains_next(&l, e)) == 1)
		if (is_domain_wanted(s, l.name) &&
		    (rc = add_domain(s, l.name, e)) == -1)
			break;
	spool_domains_close(&l);
	return rc;
}

static int
add_wanted_domains(struct select *s, struct err *e)
{
	for (size_t i = 0; i < s->nwants; i++)
		if (is_domain_wanted(s, s->wants[i].domain) &&
		    add_domain(s, s->wants[i].domain, e) == -1)
			return -1;
	return 0;
}

static void
sort_domains(struct select *s)
{
	size_t kept = 0;

	if (s->ndomains == 0)
		return;
	qsort(s->domains, s->ndomains, sizeof *s->domains, compare_domains);
	for (size_t i = 1; i < s->ndomains; i++) {
		if (strcmp(s->domains[kept], s->domains[i]) == 0)
			free(s->domains[i]);
		else
			s->domains[++kept] = s->domains[i];
	}
	s->ndomains = kept + 1;
}

int
select_domains(struct select *s, const struct spool *sp, struct err *e)
{
	bool is_any = s->is_all;
	int rc;

	sort_wants(s);
	for (size_t i = 0; i < s->nwants; i++)
		is_any = is_any || s->wants[i].domain[0] == '\0';
	rc = is_any ? add_every_domain(s, sp, e) : add_wanted_domains(s, e);
	sort_domains(s);
	return rc;
}

bool
select_looks_at(const struct select *s, const char *name)
{
	return s->ndomains > 0 &&
	       bsearch(&name, s->domains, s->ndomains, sizeof *s->domains,
		   compare_domains) != NULL;
}

/* ---- messages ---- */

static int
add_item(struct select *s, size_t domain, const struct spool_entry *entry,
    struct err *e)
{
	struct select_item *item;

	if (grow(&s->items, &s->items_room, s->nitems, sizeof *item, e) == -1)
		return -1;
	item = &s->items[s->nitems];
	item->name = s->names.len;
	item->domain = (uint32_t)domain;
	item->is_new = entry->is_new;
	buf_add(&s->names, entry->name, strlen(entry->name) + 1);
	if (buf_check(&s->names, e) == -1)
		return -1;
	s->nitems++;
	return 0;
}

/* By arrival; copies in several domains by domain; and of a message that was
 * seen twice, because it moved, first where it came from. */
static int
compare_items(const void *a, const void *b, void *names)
{
	const struct select_item *x = a, *y = b;
	const char *all = names;
	int by_id = memcmp(all + x->name, all + y->name, SPOOL_ID_LEN);

	if (by_id != 0)
		return by_id;
	if (x->domain != y->domain)
		return x->domain < y->domain ? -1 : 1;
	return (int)y->is_new - (int)x->is_new;
}

static bool
is_same_message(const struct select *s, const struct select_item *x,
    const struct select_item *y)
{
	return x->domain == y->domain &&
	       memcmp(s->names.data + x->name, s->names.data + y->name,
		   SPOOL_ID_LEN) == 0;
}

static void
sort_items(struct select *s)
{
	size_t kept = 0;

	if (s->nitems == 0)
		return;
	qsort_r(s->items, s->nitems, sizeof *s->items, compare_items,
	    s->names.data);
	for (size_t i = 1; i < s->nitems; i++) {
		if (!is_same_message(s, &s->items[kept], &s->items[i]))
			kept++;
		s->items[kept] = s->items[i];
	}
	s->nitems = kept + 1;
}

/* Names that are not ours may be mail that somebody put there by hand. */
static void
tell_foreign(struct output *o, const char *domain, unsigned long foreign)
{
	if (foreign > 0)
		fprintf(o->talk,
		    "bmx-queue: %s: %lu file%s in new/ or cur/ with names "
		    "that are not bmx's\n",
		    domain, foreign, foreign == 1 ? "" : "s");
}

/* All names of one domain; those that are wanted go to take(). What take()
 * returned last, but 1 becomes 0. */
static int
take_messages(struct select *s, size_t index, const struct spool_domain *d,
    struct spool_list *l, select_take *take, void *context, struct output *o,
    struct err *e)
{
	bool is_whole = find_want(s, "", d->name) || s->is_all;
	bool has_ids = select_has_id(s);
	struct spool_entry entry;
	int rc;

	while ((rc = spool_list_next(l, &entry, e)) == 1) {
		bool is_named = has_ids && find_want(s, entry.id, "");

		is_named =
		    (has_ids && find_want(s, entry.id, d->name)) || is_named;
		if (!is_named && !is_whole)
			continue;
		if (s->filter != NULL && !filter_entry(s->filter, &entry))
			continue;
		rc = take(context, index, d, &entry, e);
		if (rc != 1)
			return rc;
	}
	if (rc == -1) {
		err_prefix(e, "%s", d->name);
		output_complain(o, e);
	}
	if (is_whole)
		tell_foreign(o, d->name, l->foreign);
	return 0;
}

static int
walk_domain(struct select *s, size_t index, const struct spool *sp,
    select_take *take, void *context, struct output *o, struct err *e)
{
	struct spool_domain d;
	struct spool_list l;
	int rc = spool_domain_open(&d, sp, s->domains[index], false, e);

	if (rc == 1)
		rc = spool_list_open(&l, &d, e);
	if (rc == 0 && d.fd != -1) {
		rc = take_messages(s, index, &d, &l, take, context, o, e);
		spool_list_close(&l);
	} else if (rc == -1) {
		output_complain(o, e);
		rc = 0;
	}
	spool_domain_close(&d);
	return rc;
}

static int
walk_domains(struct select *s, const struct spool *sp, select_take *take,
    void *context, struct output *o, struct err *e)
{
	for (size_t i = 0; i < s->ndomains; i++)
		if (walk_domain(s, i, sp, take, context, o, e) == -1)
			return -1;
	return 0;
}

static int
keep_item(void *context, size_t index, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	(void)d;
	return add_item(context, index, entry, e) == -1 ? -1 : 1;
}

int
select_scan(struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	if (walk_domains(s, sp, keep_item, s, o, e) == -1)
		return -1;
	sort_items(s);
	return 0;
}

/* Between the names and who wants them: what only the files tell. */
struct sieve {
	const struct filter *filter;
	select_take *take;
	void *context;
	struct output *o;
};

static int
sift(void *context, size_t index, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	const struct sieve *sieve = context;
	struct spool_entry found = *entry;
	int rc = filter_file(sieve->filter, d, &found, e);

	if (rc == 1)
		return sieve->take(sieve->context, index, d, &found, e);
	if (rc == -1)
		output_complain(sieve->o, e);
	return 1;
}

int
select_each(struct select *s, const struct spool *sp, select_take *take,
    void *context, struct output *o, struct err *e)
{
	struct sieve sieve = { s->filter, take, context, o };

	if (s->filter == NULL || filter_is_by_name(s->filter))
		return walk_domains(s, sp, take, context, o, e);
	return walk_domains(s, sp, sift, &sieve, o, e);
}

void
select_free(struct select *s)
{
	for (size_t i = 0; i < s->nwants; i++)
		free(s->wants[i].domain);
	for (size_t i = 0; i < s->ndomains; i++)
		free(s->domains[i]);
	free(s->wants);
	free(s->domains);
	free(s->items);
	buf_free(&s->names);
	memset(s, 0, sizeof *s);
}

/* ---- one of them ---- */

bool
select_wants(const struct select *s, const struct spool_entry *entry)
{
	return s->filter == NULL || filter_entry(s->filter, entry);
}

/* Where a message goes that was not held: its flags alone change. */
static bool
is_near(const struct spool_domain *d, struct spool_entry *entry)
{
	static const char *const flags[] = { ":2,", ":2,F", ":2,W", ":2,FW",
		":2,FX", ":2,FWX" };
	int stem = (int)strcspn(entry->name, ":");

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		struct spool_entry moved;
		char name[SPOOL_NAME_MAX + 8];
		struct err ignored;
		int64_t when;

		snprintf(name, sizeof name, "%.*s%s", stem, entry->name,
		    flags[i]);
		if (spool_parse_name(&moved, name, false) &&
		    spool_next_try(d, &moved, &when, &ignored) == 1) {
			*entry = moved;
			return true;
		}
	}
	return false;
}

bool
select_follow(const struct spool_domain *d, struct spool_entry *entry)
{
	struct spool_entry found;
	struct err ignored;

	if (is_near(d, entry))
		return true;
	/* a release writes into the name for how long it was held; to look for
	 * others too would cost a read of the directory for each message that
	 * was delivered */
	if (!entry->is_held ||
	    spool_find(d, entry->id, &found, &ignored) != 1 ||
	    strcmp(found.name, entry->name) == 0)
		return false;
	*entry = found;
	return true;
}
