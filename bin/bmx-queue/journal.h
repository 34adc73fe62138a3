#ifndef BMX_QUEUE_JOURNAL_H
#define BMX_QUEUE_JOURNAL_H

#include <stdint.h>

#include "base/err.h"
#include "spool/spool.h"

/*
 * What log/ID says, in short. It is diagnosis: nothing is done because of it,
 * and what cannot be understood in it is passed over.
 */
struct journal {
	unsigned long attempts; /* of the recipient that was tried last; at
				   the least, for the log is bounded */
	int64_t tried_us;       /* the last of them, 0: none */
	/* "" when not known; printable, \xNN as in the file */
	char reply[512]; /* to that */
	char peer[128];  /* from there */
	char hold[512];  /* why it was last held */
};

/* 1; 0: there is no log, and *j is empty; -1. */
int journal_read(struct journal *j, const struct spool_domain *d,
    const char *id, struct err *e);

/* The same from a text; pure. */
void journal_parse(struct journal *j, const char *text, size_t len);

#endif
