#include "bmx-queue/select.h"

#include <stdlib.h>

#include "bmx-queue/filter.h"

#define OPEN_MAX 16 /* domains held open at once */

struct walk {
	const struct select *s;
	const struct spool *sp;
	size_t next;
	struct spool_domain open[OPEN_MAX];
	size_t which[OPEN_MAX]; /* domain in each, SIZE_MAX: none */
};

static void
begin(struct walk *w, const struct select *s, const struct spool *sp)
{
	w->s = s;
	w->sp = sp;
	w->next = 0;
	for (size_t i = 0; i < OPEN_MAX; i++)
		w->which[i] = SIZE_MAX;
}

static void
close_slot(struct walk *w, size_t slot)
{
	if (w->which[slot] != SIZE_MAX)
		spool_domain_close(&w->open[slot]);
	w->which[slot] = SIZE_MAX;
}

static void
close_slots(struct walk *w)
{
	for (size_t i = 0; i < OPEN_MAX; i++)
		close_slot(w, i);
}

/* By arrival the domains take turns, so several stay open. 1, 0 when its
 * directory has gone meanwhile, -1. */
static int
open_slot(struct walk *w, size_t domain, const struct spool_domain **d,
    struct err *e)
{
	size_t slot = domain % OPEN_MAX;
	int rc;

	*d = &w->open[slot];
	if (w->which[slot] == domain)
		return 1;
	close_slot(w, slot);
	rc = spool_domain_open(&w->open[slot], w->sp, w->s->domains[domain],
	    false, e);
	if (rc == 1)
		w->which[slot] = domain;
	return rc;
}

/* 1, *d (valid until the next call) and *entry; 0 at the end; -1: the next one
 * cannot be read, and the one after it is next. */
static int
next(struct walk *w, const struct spool_domain **d, struct spool_entry *entry,
    struct err *e)
{
	while (w->next < w->s->nitems) {
		const struct select_item *item = &w->s->items[w->next++];
		int rc = open_slot(w, item->domain, d, e);

		if (rc == 0)
			continue;
		spool_parse_name(entry, w->s->names.data + item->name,
		    item->is_new);
		if (rc == 1 && w->s->filter != NULL &&
		    !filter_is_by_name(w->s->filter))
			rc = filter_file(w->s->filter, *d, entry, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
select_in_order(const struct select *s, const struct spool *sp,
    select_visit *visit, void *context, struct output *o, struct err *e)
{
	const struct spool_domain *d;
	struct spool_entry entry;
	struct walk w;
	int rc, end = 0;

	begin(&w, s, sp);
	while (end == 0 && (rc = next(&w, &d, &entry, e)) != 0) {
		if (rc == -1)
			output_complain(o, e);
		else
			end = visit(context, d, &entry, e);
	}
	close_slots(&w);
	return end;
}

/* ---- in batches ---- */

struct batch {
	const struct select_batches *to;
	void *context;
	struct output *o;
	size_t n;
	struct {
		struct spool_entry entry;
		size_t domain;
	} found[SELECT_BATCH];
};

/* Until there are enough, or no more. */
static int
prepare_some(struct batch *b, struct walk *w, struct err *e)
{
	const struct spool_domain *d;
	int rc, end = 0;

	b->n = 0;
	while (end == 0 && b->n < SELECT_BATCH &&
	       (rc = next(w, &d, &b->found[b->n].entry, e)) != 0) {
		if (rc == -1) {
			output_complain(b->o, e);
			continue;
		}
		b->found[b->n].domain = w->s->items[w->next - 1].domain;
		end = b->to->prepare(b->context, b->n, d, &b->found[b->n].entry,
		    e);
		b->n++;
	}
	return end;
}

static int
visit_some(struct batch *b, struct walk *w, struct err *e)
{
	const struct spool_domain *d;
	int end = 0;

	for (size_t i = 0; i < b->n && end == 0; i++) {
		int rc = open_slot(w, b->found[i].domain, &d, e);

		if (rc == -1)
			output_complain(b->o, e);
		else if (rc == 1)
			end = b->to->visit(b->context, i, d, &b->found[i].entry,
			    e);
	}
	return end;
}

int
select_in_batches(const struct select *s, const struct spool *sp,
    const struct select_batches *to, void *context, struct output *o,
    struct err *e)
{
	struct batch *b = malloc(sizeof *b);
	struct walk w;
	int end = 0;

	if (b == NULL)
		return err_temp(e, "out of memory");
	b->to = to;
	b->context = context;
	b->o = o;
	begin(&w, s, sp);
	while (end == 0 && w.next < s->nitems) {
		end = prepare_some(b, &w, e);
		if (end == 0)
			end = to->settle(context, e);
		if (end == 0)
			end = visit_some(b, &w, e);
	}
	close_slots(&w);
	free(b);
	return end;
}
