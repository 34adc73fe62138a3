#ifndef BMX_PROBE_REPORT_H
#define BMX_PROBE_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "bmx-probe/probe.h"
#include "spool/config.h"
#include "spool/primary.h"

/* What a person, a script or a pipeline gets to see of a probe. */

enum report_format {
	REPORT_TABLE, /* for a terminal */
	REPORT_LINES, /* fields with tabs between them, see bmx-probe(1) */
	REPORT_JSON,  /* an object on a line */
	REPORT_UP,    /* a filter: the names whose primary is up */
	REPORT_DOWN,  /* the others */
};

struct report {
	FILE *out;
	enum report_format format;
	bool is_verbose; /* what each address did, too */
	bool has_colour;
	int name_width; /* of the longest name to come, for the table */
};

/* One name that was asked about. */
struct report_row {
	const char *name;                   /* printable */
	const struct config_domain *domain; /* NULL: not in bmx.conf */
	const struct probe_result *result;
	const struct primary *state; /* after the result */
	int64_t now_s;
};

/*
 * Good right now, and by its verdict, which rise and fall keep from
 * fluttering: a name on its way up or down is not yet, or no longer, up.
 */
bool report_is_up(const struct report_row *row);

void report_head(const struct report *r);

/* One name; the line is out when this returns, for whoever reads the pipe. */
void report_row(const struct report *r, const struct report_row *row);

/* The object of one name as a line, for REPORT_JSON. */
void report_json(FILE *out, const struct report_row *row);

#endif
