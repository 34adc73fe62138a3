#ifndef BMX_RECEIVE_VERDICT_H
#define BMX_RECEIVE_VERDICT_H

#include <stdbool.h>

#include "bmx-receive/session.h"
#include "mail/smtp.h"

/*
 * The primary's words in live relay, and what they mean to the client. Pure.
 */
enum relay_result {
	RELAY_TAKEN,   /* r->reply: 2yz */
	RELAY_REFUSED, /* r->reply: 4yz or 5yz, for the client */
	RELAY_FAILED,
};

/* Is a reply the primary's judgment of the mail (or of the client, sender or
 * recipient), or only trouble of its own? */
enum relay_result verdict_judge(const struct smtp_reply *said);

/* X.7.x: by policy, RFC 3463. */
bool verdict_is_policy(const struct smtp_reply *said);

/* What the client is told: the primary's words, with an enhanced code of the
 * right class (RFC 2034). */
char *verdict_format(char out[SESSION_REPLY_MAX],
    const struct smtp_reply *said);

#endif
