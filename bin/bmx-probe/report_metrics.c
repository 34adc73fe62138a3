#include "bmx-probe/report.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

/*
 * The text format of Prometheus, for the textfile collector of its node
 * exporter: each family in one piece, no timestamps, base units. A label is
 * the operator's word, or one of few: what a server said is never one.
 */

static void
print_family(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

/* Backslash, quote and line feed are escaped. */
static void
print_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value != '\0'; value++) {
		if (*value == '\n') {
			fputs("\\n", out);
			continue;
		}
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		fputc(*value, out);
	}
	fputc('"', out);
}

/* "name{domain="..."", for more labels to come. */
static void
begin(FILE *out, const char *name, const struct report_row *row)
{
	fprintf(out, "%s{", name);
	print_label(out, "domain", row->name);
}

static void
more(FILE *out, const char *label, const char *value)
{
	fputc(',', out);
	print_label(out, label, value);
}

static void
end_seconds(FILE *out, int64_t ms)
{
	char text[REPORT_SECONDS_MAX];

	fprintf(out, "} %s\n", report_seconds(text, ms));
}

static void
end_number(FILE *out, int64_t value)
{
	fprintf(out, "} %" PRId64 "\n", value);
}

/* ---- a row in each family ---- */

static void
put_success(FILE *out, const char *name, const struct report_row *row)
{
	begin(out, name, row);
	end_number(out, row->result->result == PRIMARY_UP);
}

static void
put_verdict(FILE *out, const char *name, const struct report_row *row)
{
	for (int v = PRIMARY_UNKNOWN; v <= PRIMARY_DOWN; v++) {
		begin(out, name, row);
		more(out, "verdict",
		    primary_verdict_name((enum primary_verdict)v));
		end_number(out, row->state->verdict == (enum primary_verdict)v);
	}
}

static void
put_flapping(FILE *out, const char *name, const struct report_row *row)
{
	begin(out, name, row);
	end_number(out, row->state->is_flapping);
}

static void
put_since(FILE *out, const char *name, const struct report_row *row)
{
	if (row->state->since_s <= 0)
		return;
	begin(out, name, row);
	end_number(out, row->state->since_s);
}

static void
put_good(FILE *out, const char *name, const struct report_row *row)
{
	if (row->state->good_s <= 0)
		return;
	begin(out, name, row);
	end_number(out, row->state->good_s);
}

static void
put_elapsed(FILE *out, const char *name, const struct report_row *row)
{
	begin(out, name, row);
	end_seconds(out, row->result->total_ms);
}

static void
put_phases(FILE *out, const char *name, const struct report_row *row)
{
	const struct probe_address *a = row->result->decided;

	begin(out, name, row);
	more(out, "phase", primary_phase_name(PRIMARY_DNS));
	end_seconds(out, row->result->dns_ms);
	for (int i = PRIMARY_CONNECT; a != NULL && i < PRIMARY_PHASES; i++) {
		if (a->ms[i] == -1)
			continue;
		begin(out, name, row);
		more(out, "phase", primary_phase_name((enum primary_phase)i));
		end_seconds(out, a->ms[i]);
	}
}

static void
put_addresses(FILE *out, const char *name, const struct report_row *row)
{
	for (size_t i = 0; i < row->result->n; i++) {
		const struct probe_address *a = &row->result->addresses[i];

		begin(out, name, row);
		more(out, "address", a->address);
		more(out, "family", probe_family_name(a->family));
		end_number(out, a->result == PRIMARY_UP);
	}
}

static void
put_certificates(FILE *out, const char *name, const struct report_row *row)
{
	for (size_t i = 0; i < row->result->n; i++) {
		const struct probe_address *a = &row->result->addresses[i];

		if (!a->certificate.is_there)
			continue;
		begin(out, name, row);
		more(out, "address", a->address);
		end_number(out, a->certificate.not_after_s);
	}
}

static void
put_info(FILE *out, const char *name, const struct report_row *row)
{
	const struct probe_address *a = row->result->decided;

	begin(out, name, row);
	more(out, "code", probe_code_name(row->result->code));
	more(out, "address", a != NULL ? a->address : "");
	more(out, "host", a != NULL ? a->host : "");
	more(out, "tls", a != NULL ? a->tls : "");
	end_number(out, 1);
}

/* ---- the families ---- */

static const struct family {
	const char *name, *help;
	void (*put)(FILE *out, const char *name, const struct report_row *row);
} families[] = {
	{ "bmx_probe_success", "Whether this probe of the primary was good.",
	    put_success },
	{ "bmx_probe_verdict",
	    "The verdict on the primary: 1 for the one that holds.",
	    put_verdict },
	{ "bmx_probe_flapping",
	    "Whether the primary turns up and down all the time.",
	    put_flapping },
	{ "bmx_probe_verdict_since_timestamp_seconds",
	    "When the verdict began.", put_since },
	{ "bmx_probe_last_good_timestamp_seconds",
	    "When a probe was good last.", put_good },
	{ "bmx_probe_elapsed_seconds", "How long the probe took in all.",
	    put_elapsed },
	{ "bmx_probe_duration_seconds",
	    "How long each step took, at the address that decided.",
	    put_phases },
	{ "bmx_probe_address_success",
	    "Whether the address was good in this probe.", put_addresses },
	{ "bmx_probe_tls_cert_not_after_timestamp_seconds",
	    "When the certificate ends.", put_certificates },
	{ "bmx_probe_info", "What decided; always 1.", put_info },
};
#define FAMILIES (sizeof families / sizeof *families)

/* A series that is there twice spoils the whole file; a name may have been
 * given twice. */
static bool
is_due(const struct report *r, size_t i)
{
	const struct report_row *row = &r->kept[i].row;

	for (size_t k = 0; k < i; k++)
		if (r->kept[k].row.domain == row->domain)
			return false;
	return row->domain != NULL;
}

void
report_metrics(const struct report *r)
{
	static const char last_run[] = "bmx_probe_last_run_timestamp_seconds";

	for (size_t f = 0; f < FAMILIES && r->nkept > 0; f++) {
		print_family(r->out, families[f].name, families[f].help);
		for (size_t i = 0; i < r->nkept; i++)
			if (is_due(r, i))
				families[f].put(r->out, families[f].name,
				    &r->kept[i].row);
	}
	print_family(r->out, last_run, "When bmx-probe ran last.");
	fprintf(r->out, "%s %" PRId64 "\n", last_run,
	    clock_wall_us() / 1000000);
}
