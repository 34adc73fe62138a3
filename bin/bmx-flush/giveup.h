#ifndef BMX_FLUSH_GIVEUP_H
#define BMX_FLUSH_GIVEUP_H

#include <stddef.h>

#include "mail/smtp.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * on-5xx = drop: messages that the primary refused for good are given up. Not
 * at once, though: a primary that suddenly refuses everything is broken (see
 * breaker.h), and what it refused then has to be there when it is mended. So
 * each is held first, like any refused message, and listed here until the
 * primary has taken another one or the run has ended in peace. Whatever ends
 * the program before leaves them held. What an extension is missing for
 * (8BITMIME, SMTPUTF8, REQUIRETLS: 5.6.3, 5.6.7, 5.7.30) stays held too: the
 * message is good, and the primary can be mended.
 */
#define GIVEUP_MAX 64 /* listed at once; more stay held */

struct giveup {
	const struct spool *spool;
	const struct spool_domain *maildir;
	struct {
		char id[SPOOL_ID_LEN + 1];
		struct smtp_reply reply;
	} list[GIVEUP_MAX];
	size_t n;
};

/* List one, if its refusal is of that kind. */
void giveup_add(struct giveup *g, const char *id,
    const struct smtp_reply *reply);

/* Remove all that are listed, each with a line in log and ledger. What cannot
 * be removed, or was released meanwhile, stays. Returns how many went. */
unsigned long giveup_all(struct giveup *g);

#endif
