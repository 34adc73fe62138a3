#include "bmx-queue/shape.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "bmx-queue/census.h"
#include "bmx-queue/jline.h"
#include "bmx-queue/journal.h"

static const char *const by_words[] = {
	[SHAPE_DOMAIN] = "domain",
	[SHAPE_SENDER] = "sender",
	[SHAPE_ERROR] = "error",
};

int
shape_parse_by(const char *word, enum shape_by *by, struct err *e)
{
	char safe[64];

	for (size_t i = 0; i < sizeof by_words / sizeof *by_words; i++) {
		if (strcmp(word, by_words[i]) == 0) {
			*by = (enum shape_by)i;
			return 0;
		}
	}
	return err_usage(e, "--by %s: domain, sender or error",
	    text_safe(safe, sizeof safe, word));
}

/* ---- ages ---- */

static const struct {
	const char *label;
	int64_t below_s;
} ages[] = {
	{ "10m", 600 },
	{ "1h", 3600 },
	{ "6h", 6 * 3600 },
	{ "1d", 86400 },
	{ "3d", 3 * 86400 },
	{ "7d", 7 * 86400 },
	{ "more", INT64_MAX },
};
#define AGES (sizeof ages / sizeof *ages)

static size_t
age_of(const struct spool_entry *entry, int64_t now_us)
{
	int64_t age_s = (now_us - entry->arrival_us) / 1000000;
	size_t i = 0;

	while (age_s >= ages[i].below_s)
		i++;
	return i;
}

/* ---- rows, found by what they are of ---- */

struct row {
	char *key; /* printable; NULL: the domain's own, by index */
	struct counts counts;
	size_t ages[AGES];
};

struct tally {
	enum shape_by by;
	struct output *o;
	struct row *rows;
	size_t n, room;
	size_t *slots; /* of a hash: row + 1; 0: none */
	size_t nslots; /* a power of 2 */
};

static size_t
hash_of(const char *key)
{
	uint64_t hash = 14695981039346656037ULL;

	for (; *key != '\0'; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211ULL;
	return (size_t)(hash >> 16);
}

static size_t *
slot_of(const struct tally *t, const char *key)
{
	size_t i = hash_of(key) & (t->nslots - 1);

	while (t->slots[i] != 0 &&
	       strcmp(t->rows[t->slots[i] - 1].key, key) != 0)
		i = (i + 1) & (t->nslots - 1);
	return &t->slots[i];
}

/* Twice as much, and all found anew. */
static int
grow(struct tally *t, struct err *e)
{
	size_t room = t->room == 0 ? 64 : t->room * 2;
	struct row *rows = reallocarray(t->rows, room, sizeof *rows);

	if (rows == NULL)
		return err_temp(e, "out of memory");
	t->rows = rows;
	t->room = room;
	free(t->slots);
	t->nslots = room * 2;
	t->slots = calloc(t->nslots, sizeof *t->slots);
	if (t->slots == NULL)
		return err_temp(e, "out of memory");
	for (size_t i = 0; i < t->n; i++)
		*slot_of(t, t->rows[i].key) = i + 1;
	return 0;
}

static struct row *
find_row(struct tally *t, const char *key, struct err *e)
{
	size_t *slot;

	if (t->n == t->room && grow(t, e) == -1)
		return NULL;
	if (t->n >= SHAPE_ROWS_MAX)
		key = "(others)";
	slot = slot_of(t, key);
	if (*slot == 0) {
		t->rows[t->n] = (struct row){ .key = strdup(key) };
		if (t->rows[t->n].key == NULL) {
			err_temp(e, "out of memory");
			return NULL;
		}
		*slot = ++t->n;
	}
	return &t->rows[*slot - 1];
}

static void
tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].key);
	free(t->rows);
	free(t->slots);
}

/* ---- what a message counts for ---- */

#define KEY_MAX 256

/* 1 and key; 0: the message is gone; -1: it cannot be read. */
static int
key_by_sender(char key[KEY_MAX], const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	struct spool_entry here = *entry;
	struct spool_file f = SPOOL_FILE_INIT;
	const char *domain;
	int rc;

	do
		rc = spool_file_open(&f, d, &here, false, e);
	while (rc == 0 && select_follow(d, &here));
	if (rc == 1) {
		domain = addr_domain(&f.env.mail.reverse_path);
		text_safe(key, KEY_MAX, domain[0] == '\0' ? "<>" : domain);
		for (char *c = key; *c != '\0'; c++)
			if (*c >= 'A' && *c <= 'Z')
				*c += 'a' - 'A';
	}
	spool_file_close(&f);
	return rc;
}

static int
key_by_error(char key[KEY_MAX], const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	struct journal j;
	int rc = journal_read(&j, d, entry->id, e);

	snprintf(key, KEY_MAX, "%.*s", 120,
	    rc == 1 && j.reply[0] != '\0' ? j.reply : "(none)");
	return rc == -1 ? -1 : 1;
}

static int
take(void *context, size_t index, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	struct tally *t = context;
	char key[KEY_MAX];
	struct row *row;
	int rc = 1;

	if (t->by == SHAPE_DOMAIN) {
		row = &t->rows[index];
	} else {
		rc = t->by == SHAPE_SENDER ? key_by_sender(key, d, entry, e)
					   : key_by_error(key, d, entry, e);
		if (rc == 0)
			return 1;
		if (rc != 1) {
			output_complain(t->o, e);
			snprintf(key, sizeof key, "(unreadable)");
		}
		row = find_row(t, key, e);
	}
	if (row == NULL)
		return -1;
	counts_add(&row->counts, entry, t->o);
	row->ages[age_of(entry, t->o->now_us)]++;
	return 1;
}

/* By domain a row is found by its number. */
static int
begin(struct tally *t, const struct select *s, struct err *e)
{
	if (t->by != SHAPE_DOMAIN || s->ndomains == 0)
		return 0;
	t->rows = calloc(s->ndomains, sizeof *t->rows);
	if (t->rows == NULL)
		return err_temp(e, "out of memory");
	for (; t->n < s->ndomains; t->n++) {
		t->rows[t->n].key = strdup(s->domains[t->n]);
		if (t->rows[t->n].key == NULL)
			return err_temp(e, "out of memory");
	}
	return 0;
}

/* ---- output ---- */

static int
compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->counts.messages != y->counts.messages)
		return x->counts.messages < y->counts.messages ? 1 : -1;
	return strcmp(x->key, y->key);
}

static int
json_row(const struct tally *t, const struct row *row, struct err *e)
{
	struct jline j = JLINE_INIT;
	int rc;

	jline_open(&j, NULL, '{');
	jline_word(&j, by_words[t->by], row->key);
	jline_number(&j, "messages", (int64_t)row->counts.messages);
	jline_open(&j, "ages", '{');
	for (size_t i = 0; i < AGES; i++)
		jline_number(&j, ages[i].label, (int64_t)row->ages[i]);
	jline_close(&j, '}');
	jline_number(&j, "held", (int64_t)row->counts.held);
	jline_number(&j, "bytes", (int64_t)row->counts.bytes);
	jline_time(&j, "oldest", row->counts.oldest_us);
	jline_close(&j, '}');
	rc = jline_print(&j, t->o, e);
	jline_free(&j);
	return rc;
}

static void
print_head(const struct tally *t)
{
	FILE *out = t->o->data;

	fprintf(out, "%7s", "ALL");
	for (size_t i = 0; i < AGES; i++) {
		char label[8];

		snprintf(label, sizeof label, "%s%s", i < AGES - 1 ? "<" : "",
		    ages[i].label);
		fprintf(out, " %5s", label);
	}
	fprintf(out, " %5s %7s %s\n", "SIZE", "OLDEST",
	    t->by == SHAPE_DOMAIN   ? "DOMAIN"
	    : t->by == SHAPE_SENDER ? "SENDER'S DOMAIN"
				    : "LAST ERROR");
}

/* For eyes the key is last, for it may be long; for programs it is first. */
static int
print_row(const struct tally *t, const struct row *row, struct err *e)
{
	bool is_table = t->o->form == OUTPUT_TABLE;
	char age[OUTPUT_WORD], size[OUTPUT_WORD];
	FILE *out = t->o->data;

	if (t->o->form == OUTPUT_JSON)
		return json_row(t, row, e);
	if (!is_table)
		fprintf(out, "%s\t", row->key);
	fprintf(out, is_table ? "%7zu" : "%zu", row->counts.messages);
	for (size_t i = 0; i < AGES; i++)
		fprintf(out, is_table ? " %5zu" : "\t%zu", row->ages[i]);
	fprintf(out, is_table ? " %5s %7s" : "\t%s\t%s",
	    output_size(t->o, row->counts.bytes, size),
	    output_age(t->o, row->counts.oldest_us, age));
	if (is_table)
		fprintf(out, " %s", row->key);
	putc('\n', out);
	return 0;
}

static int
print_rows(const struct tally *t, struct err *e)
{
	struct row sum = { .key = (char *)"(all)" };
	size_t shown = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (t->rows[i].counts.messages == 0)
			break;
		if (shown++ == 0 && t->o->form == OUTPUT_TABLE)
			print_head(t);
		counts_sum(&sum.counts, &t->rows[i].counts);
		for (size_t k = 0; k < AGES; k++)
			sum.ages[k] += t->rows[i].ages[k];
		if (print_row(t, &t->rows[i], e) == -1)
			return -1;
	}
	if (t->o->form == OUTPUT_TABLE && shown == 0)
		fputs("No mail in the spool.\n", t->o->data);
	if (t->o->form == OUTPUT_TABLE && shown > 1)
		return print_row(t, &sum, e);
	return 0;
}

int
shape(enum shape_by by, struct select *s, const struct spool *sp,
    struct output *o, struct err *e)
{
	struct tally t = { .by = by, .o = o };
	int rc = begin(&t, s, e);

	if (rc == 0)
		rc = select_each(s, sp, take, &t, o, e);
	if (rc == 0 && t.n > 0)
		qsort(t.rows, t.n, sizeof *t.rows, compare_rows);
	if (rc == 0)
		rc = print_rows(&t, e);
	tally_free(&t);
	return rc;
}
