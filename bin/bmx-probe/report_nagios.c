#include "bmx-probe/report.h"

#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

/*
 * A plug-in for Nagios, Icinga and their like, by the Monitoring Plugins
 * Development Guidelines: one line "PRIMARY STATE - text | perfdata", then
 * long text when asked for, and the exit status 0 to 3.
 */
enum severity { OK, WARNING, CRITICAL, UNKNOWN };

static const char *const severity_names[] = { "OK", "WARNING", "CRITICAL",
	"UNKNOWN" };

#define NAMED_MAX 3 /* domains that are told by name, of many */

static enum severity
of_certificate(const struct report *r, const struct report_row *row)
{
	int64_t days;

	if (!report_cert_days(row, &days))
		return OK;
	if (r->cert_crit_days >= 0 && days < r->cert_crit_days)
		return CRITICAL;
	return r->cert_warn_days >= 0 && days < r->cert_warn_days ? WARNING
								  : OK;
}

static bool
has_dead_family(const struct report_row *row)
{
	enum primary_verdict v4 = probe_family(row->result, AF_INET);
	enum primary_verdict v6 = probe_family(row->result, AF_INET6);

	return v4 == PRIMARY_DOWN || v4 == PRIMARY_DEFERRING ||
	       v6 == PRIMARY_DOWN || v6 == PRIMARY_DEFERRING;
}

/* Names that DNS does not know and servers that are silent are the service's
 * fault; unknown is what is wrong here. */
static enum severity
of_row(const struct report *r, const struct report_row *row)
{
	enum severity certificate = of_certificate(r, row);

	if (row->domain == NULL || row->result->result == PRIMARY_UNKNOWN ||
	    row->state->verdict == PRIMARY_UNKNOWN)
		return UNKNOWN;
	if (row->state->verdict == PRIMARY_DOWN || certificate == CRITICAL)
		return CRITICAL;
	if (!report_is_up(row) || row->result->code != PROBE_OK ||
	    row->state->is_flapping || has_dead_family(row))
		return WARNING;
	return certificate;
}

/* CRITICAL comes before WARNING, UNKNOWN and OK. */
static bool
is_worse(enum severity a, enum severity than)
{
	static const int rank[] = {
		[OK] = 0, [UNKNOWN] = 1, [WARNING] = 2, [CRITICAL] = 3
	};

	return rank[a] > rank[than];
}

/* A text within the first line: the bar ends it there. */
static void
print_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		fputc(*text == '|' ? '/' : *text, out);
}

/* "example.com down for 12 min, last good 15 min ago: connection refused" */
static void
print_row(const struct report *r, const struct report_row *row)
{
	const struct probe_result *result = row->result;
	char span[16], trend[REPORT_TREND_MAX];
	int64_t days;

	print_text(r->out, row->name);
	fprintf(r->out, " %s", primary_verdict_name(row->state->verdict));
	if (row->state->since_s > 0)
		fprintf(r->out, " for %s",
		    clock_span(span, row->now_s - row->state->since_s));
	report_trend(trend, row);
	if (trend[0] != '\0')
		fprintf(r->out, ", %.*s", (int)strlen(trend) - 1, trend);
	if (result->result != PRIMARY_UP && row->state->good_s > 0)
		fprintf(r->out, ", last good %s ago",
		    clock_span(span, row->now_s - row->state->good_s));
	if (result->code == PROBE_OK && result->decided != NULL)
		fprintf(r->out, ", %s%s%s", result->decided->address,
		    result->decided->tls[0] != '\0' ? " " : "",
		    result->decided->tls);
	if (has_dead_family(row) && result->result == PRIMARY_UP)
		fprintf(r->out, ", %s does not answer",
		    probe_family(result, AF_INET) == PRIMARY_UP ? "ipv6"
								: "ipv4");
	if (of_certificate(r, row) != OK && report_cert_days(row, &days))
		fprintf(r->out, ", certificate ends in %" PRId64 " d", days);
	if (result->reason[0] != '\0') {
		fputs(": ", r->out);
		print_text(r->out, result->reason);
	}
}

/* ---- performance data ---- */

/* "cert=12;14:;3:": to be at least so many. */
static void
print_cert_days(const struct report *r, int64_t days)
{
	fprintf(r->out, " cert_days=%" PRId64 ";", days);
	if (r->cert_warn_days >= 0)
		fprintf(r->out, "%d:", r->cert_warn_days);
	fputc(';', r->out);
	if (r->cert_crit_days >= 0)
		fprintf(r->out, "%d:", r->cert_crit_days);
	fputc(';', r->out);
}

static void
print_one(const struct report *r, const struct report_row *row)
{
	const struct probe_address *a = row->result->decided;
	char took[REPORT_SECONDS_MAX];
	int64_t days;

	fprintf(r->out, " up=%d;;;0;1 time=%ss;;;0;%u", report_is_up(row),
	    report_seconds(took, row->result->total_ms), r->timeout_s);
	fprintf(r->out, " dns=%ss;;;0;",
	    report_seconds(took, row->result->dns_ms));
	for (int i = PRIMARY_CONNECT; a != NULL && i < PRIMARY_PHASES; i++)
		if (a->ms[i] != -1)
			fprintf(r->out, " %s=%ss;;;0;",
			    primary_phase_name((enum primary_phase)i),
			    report_seconds(took, a->ms[i]));
	if (report_cert_days(row, &days))
		print_cert_days(r, days);
}

/* Of many there are only sums: plug-in output has a small maximum. */
static void
print_sums(const struct report *r)
{
	size_t verdicts[4] = { 0 };
	int64_t slowest_ms = 0, days, fewest = INT64_MAX;
	char took[REPORT_SECONDS_MAX];

	for (size_t i = 0; i < r->nkept; i++) {
		const struct report_row *row = &r->kept[i].row;

		verdicts[row->state->verdict]++;
		if (row->result->total_ms > slowest_ms)
			slowest_ms = row->result->total_ms;
		if (report_cert_days(row, &days) && days < fewest)
			fewest = days;
	}
	for (int v = PRIMARY_UP; v <= PRIMARY_DOWN; v++)
		fprintf(r->out, " %s=%zu;;;0;%zu",
		    primary_verdict_name((enum primary_verdict)v), verdicts[v],
		    r->nkept);
	fprintf(r->out, " time=%ss;;;0;%u", report_seconds(took, slowest_ms),
	    r->timeout_s);
	if (fewest != INT64_MAX)
		print_cert_days(r, fewest);
}

/* ---- the whole ---- */

/* How many are as they should be, and the names of some that are not. */
static void
print_summary(const struct report *r, enum severity worst)
{
	size_t good = 0, named = 0;

	for (size_t i = 0; i < r->nkept; i++)
		good += of_row(r, &r->kept[i].row) == OK;
	fprintf(r->out, "%zu of %zu ok", good, r->nkept);
	for (size_t i = 0; i < r->nkept && worst != OK; i++) {
		if (of_row(r, &r->kept[i].row) != worst)
			continue;
		if (named++ == NAMED_MAX) {
			fputs("; and others", r->out);
			break;
		}
		fputs("; ", r->out);
		print_row(r, &r->kept[i].row);
	}
}

static void
print_long_text(const struct report *r)
{
	for (size_t i = 0; i < r->nkept; i++) {
		const struct probe_result *result = r->kept[i].row.result;

		print_row(r, &r->kept[i].row);
		fputc('\n', r->out);
		for (size_t k = 0; k < result->n; k++)
			fprintf(r->out, "  %s %s %s %s\n",
			    result->addresses[k].address,
			    result->addresses[k].host,
			    primary_verdict_name(result->addresses[k].result),
			    probe_code_name(result->addresses[k].code));
	}
}

int
report_nagios(const struct report *r)
{
	enum severity worst = r->nkept == 0 ? UNKNOWN : OK;

	for (size_t i = 0; i < r->nkept; i++)
		if (is_worse(of_row(r, &r->kept[i].row), worst))
			worst = of_row(r, &r->kept[i].row);
	fprintf(r->out, "PRIMARY %s - ", severity_names[worst]);
	if (r->nkept == 1)
		print_row(r, &r->kept[0].row);
	else
		print_summary(r, worst);
	fputs(" |", r->out);
	if (r->nkept == 1)
		print_one(r, &r->kept[0].row);
	else
		print_sums(r);
	fputc('\n', r->out);
	if (r->is_verbose)
		print_long_text(r);
	return worst;
}
