#ifndef BMX_PROBE_REPORT_H
#define BMX_PROBE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "bmx-probe/probe.h"
#include "spool/config.h"
#include "spool/primary.h"

/* What a person, a script or a pipeline gets to see of a probe. */

enum report_format {
	REPORT_TABLE,   /* for a terminal */
	REPORT_BRIEF,   /* fields with tabs between them, see bmx-probe(1) */
	REPORT_JSON,    /* an object on a line */
	REPORT_UP,      /* a filter: the names whose primary is up */
	REPORT_DOWN,    /* the others */
	REPORT_NAGIOS,  /* one line for all, at the end */
	REPORT_METRICS, /* Prometheus text, at the end */
};

/* One name that was asked about. */
struct report_row {
	const char *name;                   /* printable */
	const struct config_domain *domain; /* NULL: not in bmx.conf */
	const struct probe_result *result;
	const struct primary *state; /* after the result */
	enum primary_verdict was;    /* the verdict before */
	bool is_kept;                /* the state is in the spool */
	int64_t now_s;
};

struct report {
	FILE *out;
	enum report_format format;
	bool is_verbose; /* what each address did, too */
	bool has_colour;
	int name_width; /* of the longest name to come, for the table */
	/* certificates that end within so many days are told of; -1: none */
	int cert_warn_days, cert_crit_days;
	unsigned timeout_s;       /* for the maximum of the time it took */
	struct report_kept *kept; /* rows, for what is printed at the end */
	size_t nkept;
	bool has_lost; /* no memory for one of them */
};

struct report_kept {
	struct report_row row; /* its pointers are into this struct */
	char name[ADDR_DOMAIN_MAX + 1];
	struct probe_result result;
	struct primary state;
};

/*
 * Good right now, and by its verdict, which rise and fall keep from
 * fluttering: a name on its way up or down is not yet, or no longer, up.
 */
bool report_is_up(const struct report_row *row);

/* The days until the first certificate among its addresses ends (negative: it
 * ended). False: there is none. */
bool report_cert_days(const struct report_row *row, int64_t *days);

/* "answers (1 of 2) " while the verdict waits for more results like the last
 * one, else "". out has REPORT_TREND_MAX bytes. */
#define REPORT_TREND_MAX 40
const char *report_trend(char *out, const struct report_row *row);

#define REPORT_SECONDS_MAX 24 /* "12345.678" and its NUL */
const char *report_seconds(char out[REPORT_SECONDS_MAX], int64_t ms);

void report_head(const struct report *r);

/* One name; the line is out when this returns, for whoever reads the pipe. */
void report_row(struct report *r, const struct report_row *row);

/* What comes after all rows. Releases what was kept. For REPORT_NAGIOS the
 * exit status that goes with it, else 0. -1: no memory. */
int report_end(struct report *r, struct err *e);

/* ---- for report.c ---- */

/* The object of one name as a line. */
void report_json(FILE *out, const struct report_row *row);

/* All rows that were kept. */
int report_nagios(const struct report *r);
void report_metrics(const struct report *r);

#endif
