#ifndef BMX_QUEUE_EXPLAIN_H
#define BMX_QUEUE_EXPLAIN_H

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/*
 * Why is this message, or the mail of this domain, still here: what holds it,
 * what was tried and what exactly was answered, when it is tried next, and
 * what would change that. Nothing is asked over the network: this is what the
 * spool knows.
 */
int explain_messages(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e);

/* The same for each selected domain as a whole. */
int explain_domains(struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e);

#endif
