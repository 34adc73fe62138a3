#include "bmx-queue/census.h"

#include <stdlib.h>

void
counts_add(struct counts *c, const struct spool_entry *entry,
    const struct output *o)
{
	bool is_held = output_is_held(o, entry);

	if (c->messages++ == 0 || entry->arrival_us < c->oldest_us)
		c->oldest_us = entry->arrival_us;
	c->held += is_held;
	c->new += entry->is_new && !is_held;
	c->deferred += !entry->is_new && !is_held;
	c->rcpts += entry->nrcpt;
	c->bytes += entry->size;
}

void
counts_sum(struct counts *sum, const struct counts *c)
{
	if (c->messages == 0)
		return;
	if (sum->messages == 0 || c->oldest_us < sum->oldest_us)
		sum->oldest_us = c->oldest_us;
	sum->messages += c->messages;
	sum->new += c->new;
	sum->deferred += c->deferred;
	sum->held += c->held;
	sum->rcpts += c->rcpts;
	sum->bytes += c->bytes;
}

void
counts_json(struct jline *j, const struct counts *c)
{
	jline_number(j, "messages", (int64_t)c->messages);
	jline_number(j, "new", (int64_t)c->new);
	jline_number(j, "deferred", (int64_t)c->deferred);
	jline_number(j, "held", (int64_t)c->held);
	jline_number(j, "recipients", (int64_t)c->rcpts);
	jline_number(j, "bytes", (int64_t)c->bytes);
	if (c->messages == 0)
		jline_null(j, "oldest");
	else
		jline_time(j, "oldest", c->oldest_us);
}

struct tally {
	struct counts *all;
	const struct output *o;
};

static int
take(void *context, size_t index, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	const struct tally *t = context;

	(void)d;
	(void)e;
	counts_add(&t->all[index], entry, t->o);
	return 1;
}

struct counts *
census(struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	struct counts *all = calloc(s->ndomains + 1, sizeof *all);
	struct tally t = { all, o };

	if (all == NULL) {
		err_temp(e, "out of memory");
		return NULL;
	}
	if (select_each(s, sp, take, &t, o, e) == 0)
		return all;
	free(all);
	return NULL;
}

int
census_total(struct counts *sum, struct select *s, const struct spool *sp,
    struct output *o, struct err *e)
{
	struct counts *all = census(s, sp, o, e);

	*sum = (struct counts){ 0 };
	if (all == NULL)
		return -1;
	for (size_t i = 0; i < s->ndomains; i++)
		counts_sum(sum, &all[i]);
	free(all);
	return 0;
}
