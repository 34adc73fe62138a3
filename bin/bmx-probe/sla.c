#include "bmx-probe/sla.h"

#include <inttypes.h>

#include "base/clock.h"

/* ---- computing ---- */

/* Spells that are not up, one after the other, are one outage: also with time
 * between them that nobody looked at. */
static void
take_spells(struct sla *s, const struct history *h)
{
	int64_t down_s = 0, begun_s = 0;

	for (size_t i = 0; i < h->nspells; i++) {
		const struct history_spell *spell = &h->spells[i];
		int64_t took_s = spell->to_s - spell->from_s;

		s->known_s += took_s;
		s->is_down = spell->verdict != PRIMARY_UP;
		if (!s->is_down) {
			s->up_s += took_s;
			down_s = 0;
			continue;
		}
		if (down_s == 0) {
			begun_s = spell->from_s;
			s->outages++;
		}
		s->down_s += took_s;
		down_s += took_s;
		if (down_s > s->longest_s) {
			s->longest_s = down_s;
			s->longest_from_s = begun_s;
		}
	}
}

void
sla_compute(struct sla *s, const struct history *h, int64_t from_s,
    int64_t to_s)
{
	*s = (struct sla){ .from_s = from_s, .to_s = to_s };
	take_spells(s, h);
	for (size_t i = 0; i < h->ndays; i++) {
		const struct primary_day *day = &h->days[i];

		s->results += day->results;
		s->good += day->good;
		for (int p = 0; p < PRIMARY_PHASES; p++)
			for (int b = 0; b < PRIMARY_BUCKETS; b++)
				s->took[p][b] += day->took[p][b];
	}
}

double
sla_availability(const struct sla *s)
{
	return s->known_s > 0 ? (double)s->up_s / (double)s->known_s : -1;
}

double
sla_budget_left_s(const struct sla *s, double objective)
{
	return (1 - objective) * (double)s->known_s - (double)s->down_s;
}

static uint64_t
count_phase(const struct sla *s, enum primary_phase phase)
{
	uint64_t n = 0;

	for (int b = 0; b < PRIMARY_BUCKETS; b++)
		n += s->took[phase][b];
	return n;
}

int64_t
sla_percentile_ms(const struct sla *s, enum primary_phase phase, double part)
{
	double wanted = part * (double)count_phase(s, phase);
	uint64_t n = 0;

	if (wanted == 0)
		return -2;
	for (unsigned b = 0; b < PRIMARY_BUCKETS; b++) {
		n += s->took[phase][b];
		if ((double)n >= wanted)
			return primary_bucket_ms(b);
	}
	return -1;
}

/* ---- for a person ---- */

static const struct {
	double part;
	const char *name;
} parts[] = { { 0.5, "p50" }, { 0.95, "p95" }, { 0.99, "p99" } };
#define PARTS (sizeof parts / sizeof *parts)

static const char *
time_text(char out[CLOCK_RFC3339_MAX], int64_t when_s)
{
	clock_rfc3339(out, when_s * 1000000);
	out[sizeof "2026-11-24T03:11" - 1] = '\0';
	return out;
}

static const char *
span(char out[16], double seconds)
{
	return clock_span(out, (int64_t)(seconds + 0.5));
}

static void
print_objective(FILE *out, const struct sla *s, double objective)
{
	double left_s = sla_budget_left_s(s, objective);
	char budget[16], rest[16];

	fprintf(out, "\tobjective  %.3f %%: %s, error budget %s, %s %s\n",
	    objective * 100, left_s >= 0 ? "met" : "missed",
	    span(budget, (1 - objective) * (double)s->known_s),
	    left_s >= 0 ? "left" : "exceeded by",
	    span(rest, left_s >= 0 ? left_s : -left_s));
}

static void
print_outages(FILE *out, const struct sla *s)
{
	char all[16], longest[16], from[CLOCK_RFC3339_MAX], up[16], repair[16];

	if (s->outages == 0) {
		fputs("\toutages    none\n", out);
		return;
	}
	fprintf(out, "\toutages    %u, %s in all, longest %s from %sZ%s\n",
	    s->outages, span(all, (double)s->down_s),
	    span(longest, (double)s->longest_s),
	    time_text(from, s->longest_from_s),
	    s->is_down ? "; the last is not over" : "");
	fprintf(out, "\tMTBF       %s, MTTR %s\n",
	    span(up, (double)s->up_s / s->outages),
	    span(repair, (double)s->down_s / s->outages));
}

static void
print_phase(FILE *out, const struct sla *s, enum primary_phase phase)
{
	uint64_t n = count_phase(s, phase);

	if (n == 0)
		return;
	fprintf(out, "\t%-10s", primary_phase_name(phase));
	for (size_t i = 0; i < PARTS; i++) {
		int64_t ms = sla_percentile_ms(s, phase, parts[i].part);

		if (ms >= 0)
			fprintf(out, " %s <= %" PRId64 " ms,", parts[i].name,
			    ms);
		else
			fprintf(out, " %s > 20 s,", parts[i].name);
	}
	fprintf(out, " of %" PRIu64 "\n", n);
}

void
sla_print(FILE *out, const char *name, const struct sla *s, double objective)
{
	char from[CLOCK_RFC3339_MAX], to[CLOCK_RFC3339_MAX], known[16], all[16];

	fprintf(out, "%s from %sZ to %sZ, known %s of %s\n", name,
	    time_text(from, s->from_s), time_text(to, s->to_s),
	    span(known, (double)s->known_s),
	    span(all, (double)(s->to_s - s->from_s)));
	if (s->known_s == 0) {
		fputs("\tnothing is known: bmx-probe did not run\n", out);
		return;
	}
	fprintf(out, "\tavailable  %.4f %%\n", sla_availability(s) * 100);
	if (objective >= 0)
		print_objective(out, s, objective);
	print_outages(out, s);
	for (int p = 0; p < PRIMARY_PHASES; p++)
		print_phase(out, s, (enum primary_phase)p);
}
