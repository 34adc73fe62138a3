#include "bmx-probe/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

#define SECONDS_MAX 24 /* "12345.678" and its NUL */

bool
report_is_up(const struct report_row *row)
{
	return row->state->verdict == PRIMARY_UP &&
	       row->result->result == PRIMARY_UP;
}

static const char *
seconds(char out[SECONDS_MAX], int64_t ms)
{
	snprintf(out, SECONDS_MAX, "%" PRId64 ".%03d", ms / 1000,
	    (int)(ms % 1000));
	return out;
}

static const char *
or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

/* The address that decided, also when it was bad. */
static const char *
address_of(const struct report_row *row)
{
	const struct probe_address *a = row->result->decided;

	return a != NULL ? or_dash(a->address) : "-";
}

static const char *
tls_of(const struct report_row *row)
{
	const struct probe_address *a = row->result->decided;

	return a != NULL ? or_dash(a->tls) : "-";
}

/* ---- lines ---- */

static void
print_line(const struct report *r, const struct report_row *row)
{
	char since[CLOCK_RFC3339_MAX] = "-", took[SECONDS_MAX];
	const struct primary *p = row->state;

	if (p->since_s > 0) {
		clock_rfc3339(since, p->since_s * 1000000);
		strcpy(since + strlen("2026-11-24T03:11:14"), "Z");
	}
	fprintf(r->out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row->name,
	    primary_verdict_name(p->verdict), since,
	    primary_verdict_name(row->result->result),
	    probe_code_name(row->result->code), address_of(row), tls_of(row),
	    seconds(took, row->result->total_ms), or_dash(row->result->reason));
}

/* ---- the table ---- */

static const char *
colour_of(enum primary_verdict verdict)
{
	switch (verdict) {
	case PRIMARY_UP:
		return "\033[32m";
	case PRIMARY_DEFERRING:
	case PRIMARY_UNKNOWN:
		return "\033[33m";
	case PRIMARY_DOWN:
		return "\033[31m";
	}
	return "";
}

/* "answers, 1 of 2" while the verdict waits for more results like this. */
static void
print_trend(const struct report *r, const struct report_row *row)
{
	const struct primary *p = row->state;
	bool is_up = row->result->result == PRIMARY_UP;

	if (row->domain == NULL || row->result->result == PRIMARY_UNKNOWN ||
	    (p->verdict == PRIMARY_UP) == is_up)
		return;
	fprintf(r->out, "%s (%u of %u) ", is_up ? "answers" : "fails", p->run,
	    is_up ? row->domain->rise : row->domain->fall);
}

static void
print_table_row(const struct report *r, const struct report_row *row)
{
	const struct primary *p = row->state;
	const char *on = r->has_colour ? colour_of(p->verdict) : "";
	char since[16] = "-", took[SECONDS_MAX];

	if (p->since_s > 0)
		clock_span(since, row->now_s - p->since_s);
	fprintf(r->out, "%-*s %s%-9s%s %7s %7s  %-21s ", r->name_width,
	    row->name, on, primary_verdict_name(p->verdict),
	    r->has_colour ? "\033[0m" : "", since,
	    seconds(took, row->result->total_ms), address_of(row));
	print_trend(r, row);
	if (row->result->code == PROBE_OK)
		fprintf(r->out, "%s\n", tls_of(row));
	else
		fprintf(r->out, "%s\n", or_dash(row->result->reason));
}

void
report_head(const struct report *r)
{
	if (r->format == REPORT_TABLE)
		fprintf(r->out, "%-*s %-9s %7s %7s  %-21s %s\n", r->name_width,
		    "DOMAIN", "PRIMARY", "FOR", "SECONDS", "ADDRESS",
		    "TLS OR REASON");
}

/* ---- what each address did ---- */

static void
print_address(const struct report *r, const struct probe_address *a)
{
	char took[SECONDS_MAX];

	fprintf(r->out, "\t%s\t%s\t%s\t%s", a->address, a->host,
	    primary_verdict_name(a->result), probe_code_name(a->code));
	for (int i = PROBE_CONNECT; i < PROBE_PHASES; i++)
		if (a->ms[i] != -1)
			fprintf(r->out, " %s=%s",
			    probe_phase_name((enum probe_phase)i),
			    seconds(took, a->ms[i]));
	if (a->tls[0] != '\0')
		fprintf(r->out, " %s", a->tls);
	if (a->reason[0] != '\0')
		fprintf(r->out, "\n\t\t%s", a->reason);
	fputc('\n', r->out);
}

static void
print_details(const struct report *r, const struct report_row *row)
{
	char took[SECONDS_MAX];

	if (row->domain == NULL)
		return;
	fprintf(r->out, "\tdns=%s\n", seconds(took, row->result->dns_ms));
	for (size_t i = 0; i < row->result->n; i++)
		print_address(r, &row->result->addresses[i]);
}

void
report_row(const struct report *r, const struct report_row *row)
{
	switch (r->format) {
	case REPORT_TABLE:
		print_table_row(r, row);
		break;
	case REPORT_LINES:
		print_line(r, row);
		break;
	case REPORT_JSON:
		report_json(r->out, row);
		break;
	case REPORT_UP:
	case REPORT_DOWN:
		if (row->domain != NULL &&
		    report_is_up(row) == (r->format == REPORT_UP))
			fprintf(r->out, "%s\n", row->name);
		break;
	}
	if (r->is_verbose &&
	    (r->format == REPORT_TABLE || r->format == REPORT_LINES))
		print_details(r, row);
	fflush(r->out);
}
