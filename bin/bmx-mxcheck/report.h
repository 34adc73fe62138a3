#ifndef BMX_MXCHECK_REPORT_H
#define BMX_MXCHECK_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "facts.h"
#include "judge.h"
#include "senders.h"

/*
 * Judgements as text: for people, as tab-separated lines, as JSON lines. One
 * record for each name that was given. Everything printed is printable ASCII.
 */
enum report_format { REPORT_HUMAN, REPORT_BRIEF, REPORT_JSON };

struct report_style {
	enum report_format format;
	bool colour; /* people only */
};

/* Worst last. */
enum verdict {
	VERDICT_OK,
	VERDICT_INFO,
	VERDICT_NOTICE,
	VERDICT_UNKNOWN, /* nothing worse was found, but a check for a warning
			    or an error could not be made */
	VERDICT_WARNING,
	VERDICT_ERROR,
	VERDICT_BAD_NAME, /* the name given is no domain name */
};
#define VERDICT_COUNT 7

/* A name as it was given. */
struct report_name {
	char text[320];     /* printable */
	char rest[320];     /* what followed on the line, printable */
	unsigned long line; /* of the list, 0: an argument */
};

void report_name_set(struct report_name *n, const char *text, const char *rest,
    unsigned long line);

enum verdict verdict_of(const struct judgement *j);
const char *verdict_name(enum verdict v);

/* Append one record; the view is NULL where it is not wanted. */
void report_domain(struct buf *out, const struct report_style *style,
    const struct report_name *name, const struct facts *f,
    const struct judgement *j, const struct sender_view *view, int64_t now_us);
void report_bad_name(struct buf *out, const struct report_style *style,
    const struct report_name *name, const char *reason, int64_t now_us);

/* The counts of a run. Names in and records out have to be equal. */
struct tally {
	unsigned long names, records;
	unsigned long verdicts[VERDICT_COUNT];
};

void report_summary(FILE *out, const struct tally *t, int64_t elapsed_ms);

/* --explain: one check, or all of them. */
void report_explain(FILE *out, enum check_id id);
void report_explain_all(FILE *out);

#endif
