#ifndef BMX_QUEUE_RECONCILE_H
#define BMX_QUEUE_RECONCILE_H

#include "bmx-queue/output.h"
#include "spool/spool.h"

/*
 * Do the ledger and the primary agree? Each hand-over in the ledger ends in
 * the primary's final reply, in which Postfix names its own queue ID; a log of
 * Postfix says what became of that.
 *
 * A line of words to o for each message that does not come out even:
 *
 *	missing ID DOMAIN QUEUE-ID	the log does not know the queue ID
 *	unknown ID DOMAIN -		the reply names none
 *	bounced ID DOMAIN QUEUE-ID	the primary returned it
 *	waiting ID DOMAIN QUEUE-ID	it has not delivered it yet
 *	doubled ID DOMAIN QUEUE-ID	one message was handed over again; the
 *					recipients may be others
 *
 * and last "total HANDED-OVER missing N unknown N bounced N waiting N doubled
 * N". With OUTPUT_JSON each is an object. The log is read once; memory is some
 * 150 bytes for each line of the ledger.
 */
struct reconcile_order {
	const char *log;   /* the file; "-" is stdin */
	const char *since; /* the ledger from this time on, the beginning of an
			      RFC 3339 time in UTC; NULL: all of it */
};

/* -1: the ledger or the log cannot be read, no memory. o->status is
 * EX_UNAVAILABLE when something is missing, unknown or bounced. */
int reconcile_ledger(const struct reconcile_order *order,
    const struct spool *sp, struct output *o, struct err *e);

#endif
