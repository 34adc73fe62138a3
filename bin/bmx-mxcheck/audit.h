#ifndef BMX_MXCHECK_AUDIT_H
#define BMX_MXCHECK_AUDIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/names.h"
#include "baseline.h"
#include "collect.h"
#include "judge.h"
#include "jsonl.h"
#include "order.h"
#include "progress.h"
#include "record.h"
#include "report.h"
#include "roles.h"
#include "senders.h"
#include "sessions.h"

/*
 * A list of names through collect, judge and report: up to jobs domains under
 * way at once, one record out for each name in, in the order of the list.
 * Memory does not grow with the length of the list.
 */
struct audit {
	/* given */
	struct names names; /* the caller frees them */
	struct dns *dns;
	unsigned question_ms; /* deadline of one question, as in dns */
	unsigned ns_port;     /* of authoritative servers */
	char dnsbl[FACTS_LISTS_MAX][ADDR_DOMAIN_MAX + 1]; /* folded */
	size_t ndnsbl;
	struct assume assume;
	struct baseline baseline; /* the caller frees it */
	struct record *record;    /* facts are written there; NULL: nowhere */
	struct jsonl *replay;     /* facts are read from there, and neither
				     names nor dns are used; NULL: they are */
	struct sessions sessions; /* done and ignored are ours */
	char helo[ADDR_DOMAIN_MAX + 1]; /* sessions point to it */
	struct role_book roles;
	struct judge_policy policy;
	struct role_words down;    /* policy points to it */
	bool unasked[CHECK_COUNT]; /* DNS is not asked for these */
	bool with_senders;         /* tell what senders do */
	struct outage outage;
	struct report_style style;
	enum severity fail_on;
	unsigned jobs;
	bool is_unordered;
	bool show_progress;
	/* found */
	struct tally tally;
	bool has_findings; /* at fail_on or above */
	bool is_unsure;    /* a check at fail_on or above could not be made, or
			      a name was none */
};

/* -1: our own trouble (memory, input, output) ended it early. */
int audit_run(struct audit *a, struct err *e);

#endif
