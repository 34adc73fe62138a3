#ifndef BMX_QUEUE_FILTER_H
#define BMX_QUEUE_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include <popt.h>

#include "base/err.h"
#include "spool/spool.h"

/*
 * Which messages: one grammar for every verb. Each part that is given has to
 * hold. The name of a message tells most of it, so a file is opened only for
 * --sender and --recipient, and a log only for --error.
 */
struct filter {
	/* what the options said, each time; owned, NULL: not given */
	struct {
		char **domain, **sender, **recipient, **error, **older, **newer,
		    **larger, **smaller;
	} given;
	/* what filter_begin() made of them; text is of what was given */
	char *domain;    /* pattern */
	char *sender;    /* pattern; "" or "<>": the null sender */
	char *recipient; /* pattern, of any recipient */
	char *error;     /* in the last reply, upper and lower case alike */
	char *older, *newer, *larger, *smaller;
	int held, not_held; /* options */
	/* -1: any */
	int64_t older_us, newer_us; /* arrival before, after */
	int64_t larger_bytes, smaller_bytes;
	int64_t now_s; /* what is held until then is held no more */
};

/* clang-format off */
#define FILTER_INIT { .given = { NULL } }

/* Rows for struct options; --help names them in one place of its own. */
#define FILTER_ROW(name, variable, help, arg)                                  \
	{ name, '\0', POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, variable, 0,  \
	    help, arg }
#define FILTER_FLAG(name, variable, help)                                      \
	{ name, '\0', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, variable, 0,    \
	    help, NULL }
#define FILTER_PART(name, variable, help, arg)                                 \
	{ name, '\0', POPT_ARG_ARGV | POPT_ARGFLAG_DOC_HIDDEN, variable, 0,    \
	    help, arg }
#define FILTER_OPTIONS(f)                                                      \
	FILTER_PART("domain", &(f)->given.domain, "of these domains", "GLOB"), \
	FILTER_PART("sender", &(f)->given.sender,                              \
	    "from these senders", "GLOB"),                                     \
	FILTER_PART("recipient", &(f)->given.recipient, "to these", "GLOB"),   \
	FILTER_PART("error", &(f)->given.error,                                \
	    "with this in the last reply", "TEXT"),                            \
	FILTER_PART("older", &(f)->given.older, "here for longer", "SPAN"),    \
	FILTER_PART("newer", &(f)->given.newer, "here for less", "SPAN"),      \
	FILTER_PART("larger", &(f)->given.larger, "with more bytes", "SIZE"),  \
	FILTER_PART("smaller", &(f)->given.smaller,                            \
	    "with fewer bytes", "SIZE"),                                       \
	FILTER_FLAG("held", &(f)->held, "that are held"),                      \
	FILTER_FLAG("not-held", &(f)->not_held, "that are not held")
/* clang-format on */

/* Understand what was given. -1: ERR_USAGE. */
int filter_begin(struct filter *f, int64_t now_us, struct err *e);
void filter_free(struct filter *f);

/* Something is asked for. */
bool filter_is_given(const struct filter *f);

/* True when not even files have to be looked at. */
bool filter_is_by_name(const struct filter *f);

/* What a domain's name, and a message's, tell. */
bool filter_domain(const struct filter *f, const char *domain);
bool filter_entry(const struct filter *f, const struct spool_entry *entry);

/* What else is asked for, looked up. 1; 0: it does not hold, or the message is
 * gone; -1: it cannot be read, so nothing is known. */
int filter_file(const struct filter *f, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e);

#endif
