#ifndef BMX_FLUSH_GIVEUP_H
#define BMX_FLUSH_GIVEUP_H

#include <stdbool.h>
#include <stddef.h>

#include "bmx-flush/deliver.h"
#include "mail/smtp.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * on-5xx and on-expiry = bounce or drop: messages that the primary refused for
 * good, or that lived for too long, are given up. Not at once, though: a
 * primary that suddenly refuses everything is broken (see breaker.h), and what
 * it refused then has to be there when it is mended. So each is held first,
 * like any refused message, and listed here until the primary has taken
 * another one or the run has ended in peace, with only a few of them. Whatever
 * ends the program before leaves them held.
 *
 * What an extension is missing for (8BITMIME, SMTPUTF8, REQUIRETLS: 5.6.3,
 * 5.6.7, 5.7.10, 5.7.30) bounces, but is not dropped: the message is good, and the
 * primary can be mended. A notice of our own is always dropped (RFC 5321
 * 4.5.5: a failed notice makes no notice).
 *
 * With bounce, the recipients that were refused are given up also while others
 * of their message still wait.
 */
#define GIVEUP_MAX 64 /* listed at once; more stay held */

struct giveup {
	const struct spool *spool;
	const struct config *config;
	const struct config_domain *domain;
	const struct spool_domain *maildir;
	struct {
		char id[SPOOL_ID_LEN + 1];
		bool is_held, is_expired, is_bounced;
		struct smtp_reply reply;
	} list[GIVEUP_MAX];
	size_t n;
};

/* List one, if there is reason to, by what became of it. */
void giveup_add(struct giveup *g, const char *id,
    const struct deliver_result *result);

/* Give up all that are listed, each with a line in log and ledger. What cannot
 * be given up, or was held or released meanwhile, stays. Returns how many
 * messages went. */
unsigned long giveup_all(struct giveup *g);

#endif
