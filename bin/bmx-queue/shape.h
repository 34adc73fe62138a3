#ifndef BMX_QUEUE_SHAPE_H
#define BMX_QUEUE_SHAPE_H

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"

/*
 * The shape of what waits: a row for each domain, sender's domain or last
 * error, with how many messages are of which age, their volume and the oldest;
 * the largest first. By domain no file is opened; by sender each file, by
 * error each log.
 */
enum shape_by { SHAPE_DOMAIN, SHAPE_SENDER, SHAPE_ERROR };

#define SHAPE_ROWS_MAX 100000 /* of strangers' making; the rest is one row */

/* "domain", "sender", "error". -1: ERR_USAGE. */
int shape_parse_by(const char *word, enum shape_by *by, struct err *e);

int shape(enum shape_by by, struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

#endif
