#ifndef BMX_QUEUE_REQUEST_H
#define BMX_QUEUE_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bmx-queue/filter.h"

struct verb;

/*
 * What the command line asks for: a verb, names, which messages, how.
 */
struct request {
	const struct verb *verb;
	const char **names; /* what follows the verb, NULL-terminated */
	struct filter filter;
	/* the options as given; NULL, 0, -1: not given; strings are owned */
	int domains, summary, null, json, yes, force, repair, nagios,
	    prometheus;
	int max_shrink, count;
	char *reason, *until, *since, *by, *format, *output, *warn, *crit,
	    *skip, *from;
	char **to; /* NULL-terminated */
};

/* clang-format off */
#define REQUEST_INIT { .filter = FILTER_INIT, .max_shrink = -1 }
/* clang-format on */

/* clang-format off */
#define REQUEST_OPTIONS(r)                                                     \
	FILTER_FLAG("domains", &(r)->domains, "domains with mail waiting"),    \
	{ "summary", 's', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN,             \
	    &(r)->summary, 0, "a line for each domain", NULL },                \
	{ "null", '0', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &(r)->null, 0, \
	    "end names with NUL", NULL },                                      \
	FILTER_ROW("until", &(r)->until, "for so long", "TIME"),               \
	FILTER_ROW("since", &(r)->since, "the ledger from then on", "TIME"),   \
	FILTER_ROW("by", &(r)->by, "rows of a shape", "WORD"),                 \
	{ "count", '\0', POPT_ARG_INT | POPT_ARGFLAG_DOC_HIDDEN, &(r)->count,  \
	    0, "so often", "N" },                                              \
	FILTER_FLAG("repair", &(r)->repair, "and repair it"),                  \
	FILTER_FLAG("nagios", &(r)->nagios, "be a plug-in"),                   \
	FILTER_FLAG("prometheus", &(r)->prometheus, "metrics"),                \
	FILTER_ROW("warn", &(r)->warn, "limits", "KEY=VALUE,..."),             \
	FILTER_ROW("crit", &(r)->crit, "limits", "KEY=VALUE,..."),             \
	FILTER_ROW("skip", &(r)->skip, "leave out checks", "CHECK,..."),       \
	FILTER_ROW("from", &(r)->from, "sender", "ADDRESS"),                   \
	{ "to", '\0', POPT_ARG_ARGV | POPT_ARGFLAG_DOC_HIDDEN, &(r)->to, 0,    \
	    "recipient, may be repeated", "ADDRESS" },                         \
	FILTER_ROW("format", &(r)->format, "of an export", "WORD"),            \
	{ "output", 'o', POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN,            \
	    &(r)->output, 0, "where to", "FILE" },                             \
	FILTER_FLAG("force", &(r)->force, "however many are lost"),            \
	{ "max-shrink", '\0', POPT_ARG_INT | POPT_ARGFLAG_DOC_HIDDEN,          \
	    &(r)->max_shrink, 0, "lose so many (20 %)", "N" }
/* clang-format on */

/* What a verb can do something with; the rest is a mistake of whoever gives
 * it. */
enum takes {
	TAKES_FILTER = 1 << 0,
	TAKES_JSON = 1 << 1,
	TAKES_OVERVIEW = 1 << 2, /* --domains, --summary, --null */
	TAKES_YES = 1 << 3,
	TAKES_REASON = 1 << 4,
	TAKES_UNTIL = 1 << 5,
	TAKES_SINCE = 1 << 6,
	TAKES_IMPORT = 1 << 7, /* --force, --max-shrink */
	TAKES_BY = 1 << 8,
	TAKES_COUNT = 1 << 9,
	TAKES_REPAIR = 1 << 10,
	TAKES_FORMAT = 1 << 11,
	TAKES_OUTPUT = 1 << 12,
	TAKES_MONITOR = 1 << 13, /* --nagios, --prometheus and theirs */
	TAKES_SKIP = 1 << 14,
	TAKES_ENVELOPE = 1 << 15,  /* --from, --to */
	NEEDS_NAMES = 1 << 20,     /* at least one */
	NEEDS_SELECTION = 1 << 21, /* names, or a filter */
	NEEDS_LOG = 1 << 22,       /* it changes something */
};

/* Take the verb (list, when there is none) out of the arguments, and see that
 * the options go with it. -1: ERR_USAGE. */
int request_begin(struct request *r, const char **args, int64_t now_us,
    struct err *e);
void request_free(struct request *r);

/* True for a whole overview: domains, not messages. */
bool request_is_overview(const struct request *r);

#endif
