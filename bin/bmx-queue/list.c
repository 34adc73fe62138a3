#include "bmx-queue/list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bmx-queue/census.h"
#include "bmx-queue/detail.h"
#include "bmx-queue/readers.h"

#define TABLE_RCPTS 3 /* recipients of a message that the table names */

/* ---- messages ---- */

static void
print_address(struct output *o, const struct addr *a)
{
	if (a->len == 0)
		fputs("<>", o->data);
	else
		output_safe(o, a->text, a->len);
}

static void
print_rcpts(struct output *o, const struct envelope *env, size_t max,
    const char *separator)
{
	for (size_t i = 0; i < env->nrcpt && i < max; i++) {
		fputs(i == 0 ? "" : separator, o->data);
		print_address(o, &env->rcpts[i].addr);
	}
	if (env->nrcpt > max)
		fprintf(o->data, "%sand %zu more", separator, env->nrcpt - max);
}

/* Two lines, which fit 80 columns but for long addresses. */
static void
print_table(struct output *o, const struct detail *m)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD], next[OUTPUT_WORD];

	fprintf(o->data, "%s %7s %5s %4u %-8s %-7s %s\n    ", m->entry.id,
	    output_age(o, m->entry.arrival_us, age),
	    output_size(o, m->entry.size, size), m->entry.nrcpt,
	    output_state(o, &m->entry),
	    output_next(o, &m->entry, m->next_s, next), m->d->name);
	if (m->f.fd == -1) {
		fputs("(unreadable)\n", o->data);
		return;
	}
	print_address(o, &m->f.env.mail.reverse_path);
	fputs(" -> ", o->data);
	print_rcpts(o, &m->f.env, TABLE_RCPTS, ", ");
	putc('\n', o->data);
}

static void
print_fields(struct output *o, const struct detail *m)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD], next[OUTPUT_WORD];

	fprintf(o->data, "%s\t%s\t%s\t%u\t%s\t%s\t%s\t", m->entry.id,
	    output_age(o, m->entry.arrival_us, age),
	    output_size(o, m->entry.size, size), m->entry.nrcpt,
	    output_state(o, &m->entry),
	    output_next(o, &m->entry, m->next_s, next), m->d->name);
	if (m->f.fd == -1) {
		fputs("?\t?\n", o->data);
		return;
	}
	print_address(o, &m->f.env.mail.reverse_path);
	putc('\t', o->data);
	print_rcpts(o, &m->f.env, SIZE_MAX, ",");
	putc('\n', o->data);
}

static int
print_json(struct jline *j, struct output *o, struct detail *m, struct err *e)
{
	detail_read_more(m, o);
	jline_open(j, NULL, '{');
	detail_json(j, o, m);
	jline_close(j, '}');
	return jline_print(j, o, e);
}

static int
print_message(struct jline *j, struct output *o, struct detail *m,
    struct err *e)
{
	switch (o->form) {
	case OUTPUT_TABLE:
		print_table(o, m);
		return 0;
	case OUTPUT_LINES:
		print_fields(o, m);
		return 0;
	case OUTPUT_JSON:
		return print_json(j, o, m, e);
	}
	return 0;
}

/* The table's last line, as mailq has one. */
static void
print_totals(struct output *o, const struct counts *c)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD];

	if (o->form != OUTPUT_TABLE)
		return;
	if (c->messages == 0) {
		fputs("No mail in the spool.\n", o->data);
		return;
	}
	fprintf(o->data, "-- %zu message%s, %s bytes, oldest %s\n", c->messages,
	    c->messages == 1 ? "" : "s", output_size(o, c->bytes, size),
	    output_age(o, c->oldest_us, age));
}

static void
print_head(struct output *o)
{
	if (o->form == OUTPUT_TABLE)
		fprintf(o->data, "%-21s %7s %5s %4s %-8s %-7s %s\n", "ID",
		    "AGE", "SIZE", "RCPT", "STATE", "NEXT", "DOMAIN");
}

struct lister {
	const struct select *s;
	struct output *o;
	struct counts *listed;
	bool has_head; /* printed, or the affair of another process */
	struct detail m;
	struct jline j;
};

static int
list_one(void *context, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	struct lister *l = context;
	int rc;

	l->m.d = d;
	l->m.entry = *entry;
	if (detail_read(&l->m, l->o) == 0)
		return 0;
	if (!l->has_head)
		print_head(l->o);
	l->has_head = true;
	counts_add(l->listed, &l->m.entry, l->o);
	rc = print_message(&l->j, l->o, &l->m, e);
	detail_close(&l->m);
	return rc;
}

static int
list_some(void *context, size_t first, size_t n, struct output *o,
    struct counts *sum, struct err *e)
{
	struct lister *l = context;
	struct select some = *l->s;

	some.items += first;
	some.nitems = n;
	l->o = o;
	l->listed = sum;
	return select_in_order(&some, l->m.spool, list_one, l, o, e);
}

/* 0: there is too little for several, or they could not be started. */
static int
list_with_readers(struct lister *l, struct counts *sum, struct err *e)
{
	const struct readers_job job = { list_some, print_head, l };
	size_t total = l->s->nitems, n = readers_wanted(total);
	int rc = 0;

	l->has_head = true;
	if (n > 1)
		rc = readers_run(n, &job, total, sum, l->o, e);
	l->has_head = false;
	return rc;
}

int
list_messages(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e)
{
	struct counts sum = { 0 };
	struct lister l = {
		.s = s,
		.o = o,
		.m = DETAIL_INIT(conf, sp),
		.j = JLINE_INIT,
	};
	int rc;

	if (o->form == OUTPUT_JSON && detail_tell_domains(s, sp, o, e) == -1)
		return -1;
	l.m.are_domains_told = o->form == OUTPUT_JSON;
	rc = list_with_readers(&l, &sum, e);
	if (rc == 0)
		rc = list_some(&l, 0, s->nitems, o, &sum, e);
	jline_free(&l.j);
	print_totals(o, &sum);
	return rc == -1 ? -1 : 0;
}

static int
list_name(void *context, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct output *o = context;

	(void)e;
	fprintf(o->data, "%s/%s%c", d->name, entry->id, '\0');
	return 0;
}

int
list_names(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	return select_in_order(s, sp, list_name, o, o, e);
}

/* ---- domains ---- */

struct waiting {
	struct output *o;
	char end;
};

static int
print_waiting(struct output *o, const char *name, char end, struct err *e)
{
	const struct jline_pair row = { "domain", name };

	if (end == '\n')
		return jline_row(o, &row, 1, e);
	fprintf(o->data, "%s%c", name, end);
	return 0;
}

/* One that is not held, or not any more, is enough. */
static int
take_waiting(void *context, size_t index, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	const struct waiting *w = context;

	(void)index;
	if (output_is_held(w->o, entry))
		return 1;
	return print_waiting(w->o, d->name, w->end, e);
}

int
list_waiting(struct select *s, const struct spool *sp, char end,
    struct output *o, struct err *e)
{
	struct waiting w = { o, end };

	return select_each(s, sp, take_waiting, &w, o, e);
}

static int
json_counts(struct output *o, const char *domain, const struct counts *c,
    struct err *e)
{
	struct jline j = JLINE_INIT;
	int rc;

	jline_open(&j, NULL, '{');
	if (domain != NULL)
		jline_word(&j, "domain", domain);
	counts_json(&j, c);
	jline_close(&j, '}');
	rc = jline_print(&j, o, e);
	jline_free(&j);
	return rc;
}

static int
print_counts(struct output *o, int width, const char *domain,
    const struct counts *c, struct err *e)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD];

	if (o->form == OUTPUT_JSON)
		return json_counts(o, domain, c, e);
	output_size(o, c->bytes, size);
	output_age(o, c->oldest_us, age);
	if (o->form == OUTPUT_TABLE)
		fprintf(o->data, "%-*s %8zu %8zu %8zu %8zu %8zu %6s %7s\n",
		    width, domain, c->messages, c->new, c->deferred, c->held,
		    c->rcpts, size, age);
	else
		fprintf(o->data, "%s\t%zu\t%zu\t%zu\t%zu\t%zu\t%s\t%s\n",
		    domain, c->messages, c->new, c->deferred, c->held, c->rcpts,
		    size, age);
	return 0;
}

/* Of the column of domains. */
static int
widest(const struct select *s)
{
	size_t width = sizeof "DOMAIN" - 1;

	for (size_t i = 0; i < s->ndomains; i++)
		if (strlen(s->domains[i]) > width)
			width = strlen(s->domains[i]);
	return (int)width;
}

int
list_summary(struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	struct counts *all = census(s, sp, o, e), sum = { 0 };
	int width = widest(s), rc = 0;
	size_t domains = 0;

	if (all == NULL)
		return -1;
	for (size_t i = 0; i < s->ndomains && rc == 0; i++) {
		if (all[i].messages == 0)
			continue;
		if (domains++ == 0 && o->form == OUTPUT_TABLE)
			fprintf(o->data, "%-*s %8s %8s %8s %8s %8s %6s %7s\n",
			    width, "DOMAIN", "MESSAGES", "NEW", "DEFERRED",
			    "HELD", "RCPTS", "SIZE", "OLDEST");
		counts_sum(&sum, &all[i]);
		rc = print_counts(o, width, s->domains[i], &all[i], e);
	}
	free(all);
	if (o->form == OUTPUT_TABLE && domains == 0)
		fputs("No mail in the spool.\n", o->data);
	if (o->form == OUTPUT_TABLE && domains > 1)
		return print_counts(o, width, "(all)", &sum, e);
	return rc;
}

int
list_count(struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	struct counts sum;

	if (census_total(&sum, s, sp, o, e) == -1)
		return -1;
	if (o->form == OUTPUT_JSON)
		return json_counts(o, NULL, &sum, e);
	fprintf(o->data, "%zu\n", sum.messages);
	return 0;
}
