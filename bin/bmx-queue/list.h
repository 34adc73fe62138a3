#ifndef BMX_QUEUE_LIST_H
#define BMX_QUEUE_LIST_H

#include <stdbool.h>

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/*
 * The overviews. Trouble with one message or domain is told to o and the list
 * goes on; -1 is out of memory.
 */

/* Every selected message with its sender and recipients, oldest first. Reads
 * the envelopes; for JSON the logs of what was tried, too. */
int list_messages(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e);

/* DOMAIN/ID of each, with a NUL after it, for xargs -0. */
int list_names(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e);

/* The name of each selected domain that has mail waiting: a message, new or
 * deferred, that is not held. Each name ends in end ('\n', or NUL for xargs
 * -0). Reads names until the first such message. */
int list_waiting(struct select *s, const struct spool *sp, char end,
    struct output *o, struct err *e);

/* Messages and bytes of each selected domain that has any. Reads names. */
int list_summary(struct select *s, const struct spool *sp, struct output *o,
    struct err *e);

/* How many messages. Reads names. */
int list_count(struct select *s, const struct spool *sp, struct output *o,
    struct err *e);

#endif
