#ifndef BMX_FLUSH_BREAKER_H
#define BMX_FLUSH_BREAKER_H

#include <stdbool.h>

#include "mail/smtp.h"

/*
 * A primary that suddenly refuses everything is broken, not the mail: it lost
 * its list of users, or it no longer knows that we may relay to it. After
 * BREAKER_LIMIT messages in a row that were refused in one way, with no
 * success between them, the drain stops.
 */
#define BREAKER_LIMIT 20

struct breaker {
	unsigned run; /* messages refused in a row */
	int code;     /* in which way: code and enhanced code */
	char enhanced[sizeof((struct smtp_reply *)0)->enhanced];
};

/* clang-format off */
#define BREAKER_INIT { 0, 0, "" }
/* clang-format on */

/* A message was refused. True: that is enough. */
bool breaker_refused(struct breaker *b, const struct smtp_reply *reply);

/* A message was taken. */
void breaker_taken(struct breaker *b);

#endif
