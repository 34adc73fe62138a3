#include "bmx-queue/list.h"

#include <inttypes.h>
#include <string.h>

#define TABLE_RCPTS 3 /* recipients of a message that the table names */

/* ---- messages ---- */

/* What one line is made of. f is closed when the envelope is not readable. */
struct line {
	const char *domain;
	struct spool_entry entry;
	struct spool_file f;
	int64_t next_s;
};

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
print_table(struct output *o, const struct line *l)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD], next[OUTPUT_WORD];

	fprintf(o->data, "%s %7s %5s %4u %-8s %-7s %s\n    ", l->entry.id,
	    output_age(o, l->entry.arrival_us, age),
	    output_size(o, l->entry.size, size), l->entry.nrcpt,
	    output_state(&l->entry), output_next(o, &l->entry, l->next_s, next),
	    l->domain);
	if (l->f.fd == -1) {
		fputs("(unreadable)\n", o->data);
		return;
	}
	print_address(o, &l->f.env.mail.reverse_path);
	fputs(" -> ", o->data);
	print_rcpts(o, &l->f.env, TABLE_RCPTS, ", ");
	putc('\n', o->data);
}

static void
print_fields(struct output *o, const struct line *l)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD], next[OUTPUT_WORD];

	fprintf(o->data, "%s\t%s\t%s\t%u\t%s\t%s\t%s\t", l->entry.id,
	    output_age(o, l->entry.arrival_us, age),
	    output_size(o, l->entry.size, size), l->entry.nrcpt,
	    output_state(&l->entry), output_next(o, &l->entry, l->next_s, next),
	    l->domain);
	if (l->f.fd == -1) {
		fputs("?\t?\n", o->data);
		return;
	}
	print_address(o, &l->f.env.mail.reverse_path);
	putc('\t', o->data);
	print_rcpts(o, &l->f.env, SIZE_MAX, ",");
	putc('\n', o->data);
}

static int
print_line(struct output *o, const struct line *l, struct err *e)
{
	switch (o->form) {
	case OUTPUT_TABLE:
		print_table(o, l);
		return 0;
	case OUTPUT_LINES:
		print_fields(o, l);
		return 0;
	case OUTPUT_JSON:
		return output_json(o,
		    output_json_message(o, l->domain, &l->entry, l->next_s,
			l->f.fd == -1 ? NULL : &l->f.env),
		    e);
	}
	return 0;
}

/* Read what the name does not tell. 1, 0 when the message is gone, -1. */
static int
look(struct line *l, const struct spool_domain *d, struct output *o,
    struct err *e)
{
	int rc;

	do {
		rc = spool_next_try(d, &l->entry, &l->next_s, e);
		if (rc == 1)
			rc = spool_file_open(&l->f, d, &l->entry, false, e);
	} while (rc == 0 && select_follow(d, &l->entry));
	if (rc == -1)
		output_complain(o, e); /* and it is listed by its name */
	return rc == 0 ? 0 : 1;
}

struct totals {
	size_t messages;
	uint64_t bytes;
	int64_t oldest_us;
};

static void
add_to_totals(struct totals *t, const struct spool_entry *entry)
{
	if (t->messages++ == 0 || entry->arrival_us < t->oldest_us)
		t->oldest_us = entry->arrival_us;
	t->bytes += entry->size;
}

/* The table's last line, as mailq has one. */
static void
print_totals(struct output *o, const struct totals *t)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD];

	if (o->form != OUTPUT_TABLE)
		return;
	if (t->messages == 0) {
		fputs("No mail in the spool.\n", o->data);
		return;
	}
	fprintf(o->data, "-- %zu message%s, %s bytes, oldest %s\n", t->messages,
	    t->messages == 1 ? "" : "s", output_size(o, t->bytes, size),
	    output_age(o, t->oldest_us, age));
}

int
list_messages(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	const struct spool_domain *d;
	struct totals totals = { 0, 0, 0 };
	struct line l = { .f = SPOOL_FILE_INIT };
	struct select_walk walk;
	int rc;

	if (o->form == OUTPUT_TABLE && s->nitems > 0)
		fprintf(o->data, "%-21s %7s %5s %4s %-8s %-7s %s\n", "ID",
		    "AGE", "SIZE", "RCPT", "STATE", "NEXT", "DOMAIN");
	select_begin(&walk, s, sp);
	while ((rc = select_next(&walk, &d, &l.entry, e)) != 0) {
		if (rc == -1) {
			output_complain(o, e);
			continue;
		}
		if (look(&l, d, o, e) == 0)
			continue;
		l.domain = d->name;
		rc = print_line(o, &l, e);
		add_to_totals(&totals, &l.entry);
		spool_file_close(&l.f);
		if (rc == -1)
			break;
	}
	select_end(&walk);
	print_totals(o, &totals);
	return rc;
}

/* ---- domains ---- */

/* What the names of one domain tell. */
struct counts {
	size_t messages, new, deferred, held, rcpts;
	uint64_t bytes;
	int64_t oldest_us;
};

static void
count(struct counts *c, const struct spool_entry *entry)
{
	if (c->messages++ == 0 || entry->arrival_us < c->oldest_us)
		c->oldest_us = entry->arrival_us;
	c->held += entry->is_held;
	c->new += entry->is_new && !entry->is_held;
	c->deferred += !entry->is_new && !entry->is_held;
	c->rcpts += entry->nrcpt;
	c->bytes += entry->size;
}

static void
add_counts(struct counts *sum, const struct counts *c)
{
	if (sum->messages == 0 || c->oldest_us < sum->oldest_us)
		sum->oldest_us = c->oldest_us;
	sum->messages += c->messages;
	sum->new += c->new;
	sum->deferred += c->deferred;
	sum->held += c->held;
	sum->rcpts += c->rcpts;
	sum->bytes += c->bytes;
}

/* Count the messages of a domain; only until one waits, when that is all that
 * is asked. Trouble is told to o. */
static void
count_domain(struct counts *c, const struct spool *sp, const char *name,
    bool until_waiting, struct output *o)
{
	struct spool_domain d;
	struct spool_entry entry;
	struct spool_list l;
	struct err e = ERR_INIT;
	int rc;

	memset(c, 0, sizeof *c);
	rc = spool_domain_open(&d, sp, name, false, &e);
	if (rc == 1 && (rc = spool_list_open(&l, &d, &e)) == 0) {
		while ((rc = spool_list_next(&l, &entry, &e)) == 1) {
			count(c, &entry);
			if (until_waiting && c->messages > c->held)
				break;
		}
		spool_list_close(&l);
	}
	if (rc == -1)
		output_complain(o, &e);
	spool_domain_close(&d);
}

static int
print_waiting(struct output *o, const char *name, char end, struct err *e)
{
	if (o->form == OUTPUT_JSON)
		return output_json(o, json_pack("{s:s}", "domain", name), e);
	fprintf(o->data, "%s%c", name, end);
	return 0;
}

int
list_waiting(const struct select *s, const struct spool *sp, char end,
    struct output *o, struct err *e)
{
	for (size_t i = 0; i < s->ndomains; i++) {
		struct counts c;

		count_domain(&c, sp, s->domains[i], true, o);
		if (c.messages > c.held &&
		    print_waiting(o, s->domains[i], end, e) == -1)
			return -1;
	}
	return 0;
}

static int
json_counts(struct output *o, const char *domain, const struct counts *c,
    struct err *e)
{
	return output_json(o,
	    json_pack("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:o}", "domain", domain,
		"messages", (json_int_t)c->messages, "new", (json_int_t)c->new,
		"deferred", (json_int_t)c->deferred, "held",
		(json_int_t)c->held, "recipients", (json_int_t)c->rcpts,
		"bytes", (json_int_t)c->bytes, "oldest",
		output_json_time(c->oldest_us)),
	    e);
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
list_summary(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	struct counts sum = { 0 };
	int width = widest(s);
	size_t domains = 0;

	for (size_t i = 0; i < s->ndomains; i++) {
		struct counts c;

		count_domain(&c, sp, s->domains[i], false, o);
		if (c.messages == 0)
			continue;
		if (domains++ == 0 && o->form == OUTPUT_TABLE)
			fprintf(o->data, "%-*s %8s %8s %8s %8s %8s %6s %7s\n",
			    width, "DOMAIN", "MESSAGES", "NEW", "DEFERRED",
			    "HELD", "RCPTS", "SIZE", "OLDEST");
		add_counts(&sum, &c);
		if (print_counts(o, width, s->domains[i], &c, e) == -1)
			return -1;
	}
	if (o->form == OUTPUT_TABLE && domains == 0)
		fputs("No mail in the spool.\n", o->data);
	if (o->form == OUTPUT_TABLE && domains > 1)
		return print_counts(o, width, "(all)", &sum, e);
	return 0;
}
