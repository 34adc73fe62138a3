#include "bmx-probe/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

bool
report_is_up(const struct report_row *row)
{
	return row->state->verdict == PRIMARY_UP &&
	       row->result->result == PRIMARY_UP;
}

bool
report_cert_days(const struct report_row *row, int64_t *days)
{
	const struct probe_result *r = row->result;
	int64_t first_s = INT64_MAX, left_s;

	for (size_t i = 0; i < r->n; i++)
		if (r->addresses[i].certificate.is_there &&
		    r->addresses[i].certificate.not_after_s < first_s)
			first_s = r->addresses[i].certificate.not_after_s;
	if (first_s == INT64_MAX)
		return false;
	left_s = first_s - row->now_s;
	*days = left_s >= 0 ? left_s / 86400 : (left_s - 86399) / 86400;
	return true;
}

const char *
report_seconds(char out[REPORT_SECONDS_MAX], int64_t ms)
{
	snprintf(out, REPORT_SECONDS_MAX, "%" PRId64 ".%03d", ms / 1000,
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

static const char *
time_of(char out[CLOCK_RFC3339_MAX], int64_t when_s)
{
	if (when_s <= 0)
		return "-";
	clock_rfc3339(out, when_s * 1000000);
	strcpy(out + strlen("2026-11-24T03:11:14"), "Z");
	return out;
}

/* "up" where an address of the family was probed, else "-". */
static const char *
family_of(const struct report_row *row, int family)
{
	enum primary_verdict v = probe_family(row->result, family);

	return v == PRIMARY_UNKNOWN ? "-" : primary_verdict_name(v);
}

static void
print_line(const struct report *r, const struct report_row *row)
{
	char since[CLOCK_RFC3339_MAX], good[CLOCK_RFC3339_MAX];
	char took[REPORT_SECONDS_MAX], days[24] = "-";
	const struct primary *p = row->state;
	int64_t left;

	if (report_cert_days(row, &left))
		snprintf(days, sizeof days, "%" PRId64, left);
	fprintf(r->out,
	    "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
	    row->name, primary_verdict_name(p->verdict),
	    time_of(since, p->since_s),
	    primary_verdict_name(row->result->result),
	    probe_code_name(row->result->code), address_of(row), tls_of(row),
	    report_seconds(took, row->result->total_ms),
	    or_dash(row->result->reason), time_of(good, p->good_s),
	    p->is_flapping ? "flapping" : "-", family_of(row, AF_INET),
	    family_of(row, AF_INET6), days);
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

const char *
report_trend(char *out, const struct report_row *row)
{
	const struct primary *p = row->state;
	bool is_up = row->result->result == PRIMARY_UP;

	out[0] = '\0';
	if (p->is_flapping)
		snprintf(out, REPORT_TREND_MAX, "flapping ");
	else if (row->domain != NULL &&
		 row->result->result != PRIMARY_UNKNOWN &&
		 (p->verdict == PRIMARY_UP) != is_up)
		snprintf(out, REPORT_TREND_MAX, "%s (%u of %u) ",
		    is_up ? "answers" : "fails", p->run,
		    is_up ? row->domain->rise : row->domain->fall);
	return out;
}

/* What is amiss although the primary is up: a family that is dead, a
 * certificate that ends soon. And when it was good last, when it is not. */
static void
print_blemishes(const struct report *r, const struct report_row *row)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char ago[16];
	int64_t days;

	for (int i = 0; i < 2; i++) {
		enum primary_verdict v = probe_family(row->result, families[i]);

		if (row->result->result == PRIMARY_UP &&
		    (v == PRIMARY_DOWN || v == PRIMARY_DEFERRING))
			fprintf(r->out, ", %s %s",
			    probe_family_name(families[i]),
			    primary_verdict_name(v));
	}
	if (report_cert_days(row, &days) && days < r->cert_warn_days)
		fprintf(r->out, ", certificate: %" PRId64 " d", days);
	if (row->result->result != PRIMARY_UP && row->state->good_s > 0)
		fprintf(r->out, ", last good %s ago",
		    clock_span(ago, row->now_s - row->state->good_s));
}

static void
print_table_row(const struct report *r, const struct report_row *row)
{
	const struct primary *p = row->state;
	const char *on = r->has_colour ? colour_of(p->verdict) : "";
	char since[16] = "-", took[REPORT_SECONDS_MAX];
	char trend[REPORT_TREND_MAX];

	if (p->since_s > 0)
		clock_span(since, row->now_s - p->since_s);
	fprintf(r->out, "%-*s %s%-9s%s %7s %7s  %-21s %s%s", r->name_width,
	    row->name, on, primary_verdict_name(p->verdict),
	    r->has_colour ? "\033[0m" : "", since,
	    report_seconds(took, row->result->total_ms), address_of(row),
	    report_trend(trend, row),
	    row->result->code == PROBE_OK ? tls_of(row)
					  : or_dash(row->result->reason));
	print_blemishes(r, row);
	fputc('\n', r->out);
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
print_certificate(const struct report *r, const struct report_row *row,
    const struct probe_certificate *c)
{
	char until[CLOCK_RFC3339_MAX];

	if (!c->is_there)
		return;
	fprintf(r->out,
	    "\t\tcertificate %s, for %s, by %s, until %s (%" PRId64 " d)%s%s\n",
	    or_dash(c->subject), or_dash(c->names), or_dash(c->issuer),
	    time_of(until, c->not_after_s),
	    (c->not_after_s - row->now_s) / 86400,
	    !c->is_judged   ? ""
	    : c->is_trusted ? ", trusted"
			    : ", not trusted",
	    c->is_judged && !c->is_name_matched ? ", for another name" : "");
}

static void
print_address(const struct report *r, const struct report_row *row,
    const struct probe_address *a)
{
	char took[REPORT_SECONDS_MAX];

	fprintf(r->out, "\t%s\t%s\t%s\t%s", a->address, a->host,
	    primary_verdict_name(a->result), probe_code_name(a->code));
	for (int i = PRIMARY_CONNECT; i < PRIMARY_PHASES; i++)
		if (a->ms[i] != -1)
			fprintf(r->out, " %s=%s",
			    primary_phase_name((enum primary_phase)i),
			    report_seconds(took, a->ms[i]));
	if (a->tls[0] != '\0')
		fprintf(r->out, " %s", a->tls);
	if (a->tls_result != TLS_OK)
		fprintf(r->out, " %s", tls_result_name(a->tls_result));
	if (a->tries > 1)
		fprintf(r->out, " tries=%u", a->tries);
	fputc('\n', r->out);
	if (a->reason[0] != '\0')
		fprintf(r->out, "\t\t%s\n", a->reason);
	print_certificate(r, row, &a->certificate);
}

static void
print_details(const struct report *r, const struct report_row *row)
{
	char took[REPORT_SECONDS_MAX];

	if (row->domain == NULL)
		return;
	fprintf(r->out, "\tdns=%s\n",
	    report_seconds(took, row->result->dns_ms));
	for (size_t i = 0; i < row->result->n; i++)
		print_address(r, row, &row->result->addresses[i]);
}

/* ---- rows that are kept until the end ---- */

static int
keep(struct report *r, const struct report_row *row)
{
	struct report_kept *larger = r->kept, *k;
	const struct probe_result *from = row->result;

	if (r->nkept % 64 == 0)
		larger = realloc(r->kept, (r->nkept + 64) * sizeof *larger);
	if (larger == NULL)
		return -1;
	r->kept = larger;
	k = &larger[r->nkept];
	*k = (struct report_kept){
		.row = *row, .result = *from, .state = *row->state
	};
	snprintf(k->name, sizeof k->name, "%s", row->name);
	k->result.addresses = calloc(from->n + 1, sizeof *from->addresses);
	if (k->result.addresses == NULL)
		return -1;
	if (from->n > 0)
		memcpy(k->result.addresses, from->addresses,
		    from->n * sizeof *from->addresses);
	if (from->decided != NULL)
		k->result.decided =
		    k->result.addresses + (from->decided - from->addresses);
	r->nkept++;
	return 0;
}

/* Only now they stay where they are. */
static void
settle_kept(struct report *r)
{
	for (size_t i = 0; i < r->nkept; i++) {
		struct report_kept *k = &r->kept[i];

		k->row.name = k->name;
		k->row.result = &k->result;
		k->row.state = &k->state;
	}
}

void
report_row(struct report *r, const struct report_row *row)
{
	switch (r->format) {
	case REPORT_TABLE:
		print_table_row(r, row);
		break;
	case REPORT_BRIEF:
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
	case REPORT_NAGIOS:
	case REPORT_METRICS:
		if (keep(r, row) == -1)
			r->has_lost = true;
		return;
	}
	if (r->is_verbose &&
	    (r->format == REPORT_TABLE || r->format == REPORT_BRIEF))
		print_details(r, row);
	fflush(r->out);
}

int
report_end(struct report *r, struct err *e)
{
	int rc = 0;

	settle_kept(r);
	if (r->has_lost)
		rc = err_temp(e, "report: no memory");
	else if (r->format == REPORT_NAGIOS)
		rc = report_nagios(r);
	else if (r->format == REPORT_METRICS)
		report_metrics(r);
	for (size_t i = 0; i < r->nkept; i++)
		probe_result_free(&r->kept[i].result);
	free(r->kept);
	r->kept = NULL;
	r->nkept = 0;
	return rc;
}
