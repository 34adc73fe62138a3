#ifndef BMX_QUEUE_OUTPUT_H
#define BMX_QUEUE_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "spool/spool.h"

/*
 * What bmx-queue says: data on one stream, talk on another, and how the run
 * went. Every word of the spool passes here on its way out and is printable.
 */

enum output_form {
	OUTPUT_TABLE, /* for eyes: aligned, rounded */
	OUTPUT_LINES, /* for programs: tab separated, exact */
	OUTPUT_JSON,  /* one object per line */
};

struct output {
	FILE *data, *talk;
	enum output_form form;
	int64_t now_us;
	int status; /* sysexits(3) code of the first complaint, 0: none */
};

/* Something went wrong and the run goes on: say it, remember the status. */
void output_complain(struct output *o, const struct err *e);

/* All is written: -1 (and o->status EX_IOERR) when it was not. */
int output_finish(struct output *o);

/* ---- words for a message; room is the caller's ---- */

/* "held", "new", "deferred". */
const char *output_state(const struct output *o,
    const struct spool_entry *entry);

/* Held, and its hold has not ended: bmx-flush takes it then. */
bool output_is_held(const struct output *o, const struct spool_entry *entry);

/* "pending", "delivered", "failed". */
const char *output_rcpt_state(enum rcpt_state state);

#define OUTPUT_WORD 40

/* When it is tried next (of spool_next_try()): "-" for a held message, "now";
 * else for eyes "25 min", for programs an RFC 3339 time. */
const char *output_next(const struct output *o, const struct spool_entry *entry,
    int64_t next_s, char room[OUTPUT_WORD]);

/* For eyes "12 min" and "4.1K"; for programs seconds and bytes. */
const char *output_age(const struct output *o, int64_t arrival_us,
    char room[OUTPUT_WORD]);
const char *output_size(const struct output *o, uint64_t bytes,
    char room[OUTPUT_WORD]);

/* Write a word of the spool, printable. */
void output_safe(struct output *o, const char *word, size_t len);

/* The same for a line that was made printable when it was written: its \xNN
 * are not escaped again. */
void output_safe_again(struct output *o, const char *line, size_t len);

#endif
