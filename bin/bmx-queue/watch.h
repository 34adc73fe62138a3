#ifndef BMX_QUEUE_WATCH_H
#define BMX_QUEUE_WATCH_H

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"

/*
 * Live counters: once a second what is in the spool, by names alone. A
 * terminal shows the domains with the most mail, and ends at 'q'; anything
 * else gets the line of list_summary() for all together. Ends at SIGINT and
 * SIGTERM, or after so many times (0: never).
 */
int watch(unsigned times, struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

#endif
