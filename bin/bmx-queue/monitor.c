#include "bmx-queue/monitor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/file.h"
#include "base/text.h"
#include "bmx-queue/census.h"
#include "bmx-queue/filter.h"
#include "bmx-queue/measure.h"
#include "spool/paused.h"

/* ---- limits ---- */

static int
parse_free(struct monitor_limits *l, const char *option, const char *value,
    struct err *e)
{
	size_t len = strlen(value);
	unsigned long long n;

	if (len == 0 || value[len - 1] != '%')
		return measure_size(option, value, &l->free_bytes, e);
	if (text_number(value, len - 1, 100, &n) == -1)
		return err_usage(e, "%s: free is a size, or 0%% to 100%%",
		    option);
	l->free_percent = (int64_t)n;
	return 0;
}

static int
parse_limit(struct monitor_limits *l, const char *option, const char *key,
    const char *value, struct err *e)
{
	char safe[64];
	unsigned long long n;

	if (strcmp(key, "age") == 0)
		return measure_span(option, value, &l->age_s, e);
	if (strcmp(key, "bytes") == 0)
		return measure_size(option, value, &l->bytes, e);
	if (strcmp(key, "free") == 0)
		return parse_free(l, option, value, e);
	if (strcmp(key, "count") != 0 ||
	    text_number(value, strlen(value), INT64_MAX, &n) == -1)
		return err_usage(e,
		    "%s %s=...: age=SPAN, count=N, bytes=SIZE, free=SIZE or "
		    "N%%",
		    option, text_safe(safe, sizeof safe, key));
	l->count = (int64_t)n;
	return 0;
}

int
monitor_parse(struct monitor_limits *l, const char *option, const char *text,
    struct err *e)
{
	char *copy = strdup(text), *rest = copy, *word;
	int rc = 0;

	if (copy == NULL)
		return err_temp(e, "out of memory");
	while (rc == 0 && (word = strsep(&rest, ",")) != NULL) {
		char *value = strchr(word, '=');

		if (value != NULL)
			*value++ = '\0';
		rc =
		    parse_limit(l, option, word, value == NULL ? "" : value, e);
	}
	free(copy);
	return rc;
}

/* ---- what there is ---- */

struct room {
	uint64_t free, size, inodes;
};

static int
read_room(struct room *r, const struct spool *sp, struct err *e)
{
	struct statvfs st;

	if (fstatvfs(sp->fd, &st) == -1)
		return err_sys(e, "statvfs %s", sp->path);
	r->free = (uint64_t)st.f_bavail * st.f_frsize;
	r->size = (uint64_t)st.f_blocks * st.f_frsize;
	r->inodes = st.f_favail;
	return 0;
}

static int64_t
percent_free(const struct room *r)
{
	return r->size == 0
		   ? 100
		   : (int64_t)((double)r->free * 100 / (double)r->size);
}

static int64_t
age_of(const struct counts *c, const struct output *o)
{
	return c->messages == 0 ? 0 : (o->now_us - c->oldest_us) / 1000000;
}

/* ---- Nagios ---- */

static bool
is_over(int64_t value, int64_t limit)
{
	return limit != -1 && value >= limit;
}

static bool
is_beyond(const struct monitor_limits *l, const struct counts *c,
    const struct room *r, const struct output *o)
{
	return is_over(age_of(c, o), l->age_s) ||
	       is_over((int64_t)c->messages, l->count) ||
	       is_over((int64_t)c->bytes, l->bytes) ||
	       (int64_t)r->free < l->free_bytes ||
	       percent_free(r) < l->free_percent;
}

static void
print_limit(struct output *o, int64_t limit, const char *after)
{
	putc(';', o->data);
	if (limit != -1)
		fprintf(o->data, "%" PRId64 "%s", limit, after);
}

static void
print_perfdata(struct output *o, const char *name, int64_t value,
    const char *unit, int64_t warn, int64_t crit, const char *after)
{
	fprintf(o->data, " %s=%" PRId64 "%s", name, value, unit);
	print_limit(o, warn, after);
	print_limit(o, crit, after);
	fputs(";0", o->data);
}

int
monitor_nagios(const struct monitor_limits *warn,
    const struct monitor_limits *crit, const struct counts *sum,
    const struct spool *sp, struct output *o, struct err *e)
{
	static const char *const states[] = { "OK", "WARNING", "CRITICAL" };
	char age[OUTPUT_WORD], size[OUTPUT_WORD];
	struct output eyes = *o;
	struct room r = { 0, 0, 0 };

	if (read_room(&r, sp, e) == -1)
		return -1;
	/* a domain that could not be read, or is not there: not all is known */
	if (o->status != 0)
		return err_temp(e, "not all of it could be read");
	eyes.form = OUTPUT_TABLE;
	o->status = is_beyond(crit, sum, &r, o)   ? 2
		    : is_beyond(warn, sum, &r, o) ? 1
						  : 0;
	fprintf(o->data,
	    "QUEUE %s - %zu messages, %s bytes, oldest %s, %" PRId64
	    "%% of the disk free |",
	    states[o->status], sum->messages,
	    output_size(&eyes, sum->bytes, size),
	    sum->messages == 0 ? "-" : output_age(&eyes, sum->oldest_us, age),
	    percent_free(&r));
	print_perfdata(o, "age", age_of(sum, o), "s", warn->age_s, crit->age_s,
	    "");
	print_perfdata(o, "count", (int64_t)sum->messages, "", warn->count,
	    crit->count, "");
	print_perfdata(o, "bytes", (int64_t)sum->bytes, "B", warn->bytes,
	    crit->bytes, "");
	print_perfdata(o, "free", (int64_t)r.free, "B", warn->free_bytes,
	    crit->free_bytes, ":");
	print_perfdata(o, "free_percent", percent_free(&r), "%",
	    warn->free_percent, crit->free_percent, ":");
	putc('\n', o->data);
	return 0;
}

/* A bar would begin the performance data. */
void
monitor_unknown(struct output *o, const struct err *e)
{
	fputs("QUEUE UNKNOWN - ", o->data);
	for (const char *c = e->text; *c != '\0'; c++)
		putc(*c == '|' ? '/' : *c, o->data);
	putc('\n', o->data);
	o->status = MONITOR_UNKNOWN;
}

/* ---- Prometheus ---- */

/* A domain's name is a folded one, so a label needs no quoting. */
struct sample {
	const char *domain;
	struct counts counts;
	bool is_paused;
};

struct samples {
	struct sample *list;
	size_t n;
};

/* And leave out the domains that cannot be opened, of which was told: no number
 * says so, and 0 would be a lie. */
static void
read_pauses(struct samples *all, const struct spool *sp, const struct output *o)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->n; i++) {
		struct sample sample = all->list[i];
		struct spool_domain d = SPOOL_DOMAIN_INIT;
		struct paused ignored;
		struct err why;
		int rc = spool_domain_open(&d, sp, sample.domain, false, &why);

		sample.is_paused =
		    rc == 1 &&
		    paused_read(d.fd, o->now_us / 1000000, &ignored, &why) != 0;
		spool_domain_close(&d);
		if (rc != -1)
			all->list[kept++] = sample;
	}
	all->n = kept;
}

/* Those of bmx.conf too, so that a series does not end with the last
 * message. */
static int
gather(struct samples *all, struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e)
{
	struct counts *counts = census(s, sp, o, e);

	if (counts == NULL)
		return -1;
	all->list = calloc(s->ndomains + conf->ndomains + 1, sizeof *all->list);
	if (all->list == NULL) {
		free(counts);
		return err_temp(e, "out of memory");
	}
	for (size_t i = 0; i < s->ndomains; i++)
		all->list[all->n++] = (struct sample){ .domain = s->domains[i],
			.counts = counts[i] };
	for (size_t i = 0; i < conf->ndomains && s->is_all; i++) {
		const char *name = conf->domains[i].name;

		if (!select_looks_at(s, name) && filter_domain(s->filter, name))
			all->list[all->n++] = (struct sample){ .domain = name };
	}
	free(counts);
	read_pauses(all, sp, o);
	return 0;
}

static void
print_head(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static void
print_states(FILE *out, const struct samples *all)
{
	print_head(out, "bmx_queue_messages", "Messages in the spool.");
	for (size_t i = 0; i < all->n; i++) {
		const struct counts *c = &all->list[i].counts;
		const struct {
			const char *state;
			size_t n;
		} rows[] = {
			{ "new", c->new },
			{ "deferred", c->deferred },
			{ "held", c->held },
		};

		for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
			fprintf(out,
			    "bmx_queue_messages{domain=\"%s\",state=\"%s\"} "
			    "%zu\n",
			    all->list[i].domain, rows[k].state, rows[k].n);
	}
}

enum gauge { BYTES, RECIPIENTS, OLDEST, PAUSED };

static double
value_of(enum gauge gauge, const struct sample *sample)
{
	const struct counts *c = &sample->counts;

	switch (gauge) {
	case BYTES:
		return (double)c->bytes;
	case RECIPIENTS:
		return (double)c->rcpts;
	case OLDEST:
		return c->messages == 0 ? 0 : (double)c->oldest_us / 1000000;
	case PAUSED:
		break;
	}
	return sample->is_paused;
}

static void
print_gauges(FILE *out, const struct samples *all)
{
	static const struct {
		const char *name, *help;
	} gauges[] = {
		[BYTES] = { "bmx_queue_bytes", "Bytes of these messages." },
		[RECIPIENTS] = { "bmx_queue_recipients",
		    "Recipients of these messages." },
		[OLDEST] = { "bmx_queue_oldest_timestamp_seconds",
		    "When the oldest of them came, 0: there is none." },
		[PAUSED] = { "bmx_queue_paused",
		    "An operator stopped the hand-over." },
	};

	for (size_t g = 0; g < sizeof gauges / sizeof *gauges; g++) {
		print_head(out, gauges[g].name, gauges[g].help);
		for (size_t i = 0; i < all->n; i++)
			fprintf(out, "%s{domain=\"%s\"} %.15g\n",
			    gauges[g].name, all->list[i].domain,
			    value_of((enum gauge)g, &all->list[i]));
	}
}

static void
print_room(FILE *out, const struct room *r)
{
	print_head(out, "bmx_spool_free_bytes",
	    "Room on the disk of the spool.");
	fprintf(out, "bmx_spool_free_bytes %" PRIu64 "\n", r->free);
	print_head(out, "bmx_spool_size_bytes", "Size of that disk.");
	fprintf(out, "bmx_spool_size_bytes %" PRIu64 "\n", r->size);
	print_head(out, "bmx_spool_free_inodes", "Files it has room for.");
	fprintf(out, "bmx_spool_free_inodes %" PRIu64 "\n", r->inodes);
}

static int
write_out(const char *path, const char *text, size_t len, struct output *o,
    struct err *e)
{
	if (path != NULL)
		return file_replace(AT_FDCWD, path, text, len, 0644, e);
	fwrite(text, 1, len, o->data);
	return 0;
}

int
monitor_prometheus(const char *path, struct select *s,
    const struct config *conf, const struct spool *sp, struct output *o,
    struct err *e)
{
	struct samples all = { NULL, 0 };
	char *text = NULL;
	size_t len = 0;
	struct room r = { 0, 0, 0 };
	FILE *out;
	int rc = -1;

	if (read_room(&r, sp, e) == -1 || gather(&all, s, conf, sp, o, e) == -1)
		goto out;
	out = open_memstream(&text, &len);
	if (out == NULL) {
		err_sys(e, "memory");
		goto out;
	}
	print_states(out, &all);
	print_gauges(out, &all);
	print_room(out, &r);
	if (fclose(out) != 0)
		err_sys(e, "memory");
	else
		rc = write_out(path, text, len, o, e);
out:
	free(text);
	free(all.list);
	return rc;
}
