#ifndef BMX_QUEUE_GIVEUP_H
#define BMX_QUEUE_GIVEUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bmx-queue/select.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * An operator gives a message up: recipients that wait or were refused get it
 * no more, their sender is told where bounce.h says that one is owed, and the
 * message is gone. Nobody is told of recipients that nobody knew of when it
 * came. What was delivered stays delivered.
 *
 * It takes the lock of the domain, for this one message: a flusher at work is
 * neither waited for nor disturbed.
 */
struct giveup_order {
	const struct spool *spool;
	const struct config *config;
	const struct select *s; /* what it is still to match */
	bool only_expired;      /* only if its lifetime is over */
	const char *reason;     /* for the ledger; the sender does not see it */
	int64_t now_s;
};

enum giveup_end {
	GIVEUP_BOUNCED,   /* a notice is on its way */
	GIVEUP_DROPPED,   /* none was owed */
	GIVEUP_NOT_MEANT, /* not what was selected any more, or not expired */
	GIVEUP_BUSY,      /* a flusher has the domain */
	GIVEUP_GONE,      /* delivered or removed meanwhile */
};

struct giveup_result {
	enum giveup_end end;
	char notice[SPOOL_ID_LEN + 1]; /* BOUNCED: its ID */
	const char *why;               /* DROPPED: why none */
};

/* Would it be given up, as far as can be seen without the lock? 1, 0, or -1: it
 * cannot be read. */
int giveup_is_meant(const struct giveup_order *order,
    const struct spool_domain *d, struct spool_entry *entry, struct err *e);

/* -1: *e says what went wrong; the message is still there, unless the notice
 * is prepared already: then the next bmx-flush brings it to its end. */
int giveup_message(const struct giveup_order *order, const char *domain,
    struct spool_entry *entry, struct giveup_result *r, struct err *e);

#endif
