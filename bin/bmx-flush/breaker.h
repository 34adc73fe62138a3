#ifndef BMX_FLUSH_BREAKER_H
#define BMX_FLUSH_BREAKER_H

#include <stdbool.h>

#include "mail/smtp.h"

/*
 * A primary that suddenly refuses everything is broken, not the mail: it no
 * longer knows that we may relay to it, or its filter fails. After
 * BREAKER_LIMIT messages that were refused in one way, with no success and no
 * refusal of another kind between them, the drain stops.
 *
 * What is about one recipient (RFC 3463: 5.1.1 and the like, a mailbox that is
 * full or closed) or one message (5.3.4; what an extension is missing for) is
 * no such sign, however often it comes: after an outage there may be hundreds
 * of messages for people who do not exist. It neither counts nor ends a
 * count. A primary without enhanced codes does not say what
 * its 550 is about: there the same words count, and words that differ, because
 * they name the recipient, do not.
 */
#define BREAKER_LIMIT 20

struct breaker {
	unsigned run;            /* messages refused in a row */
	struct smtp_reply reply; /* in which way: the last one */
};

/* clang-format off */
#define BREAKER_INIT { 0, SMTP_REPLY_INIT }
/* clang-format on */

/* A message was refused. True: that is enough. */
bool breaker_refused(struct breaker *b, const struct smtp_reply *reply);

/* A message was taken. */
void breaker_taken(struct breaker *b);

#endif
