#ifndef BMX_QUEUE_SHOW_H
#define BMX_QUEUE_SHOW_H

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/* All that the spool knows of each selected message: place, state, next try,
 * envelope with the recipients' states, and the log of what was tried. */
int show_messages(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e);

/*
 * The selected messages as they will go to the primary: without the envelope,
 * byte for byte. For a terminal (OUTPUT_TABLE) made printable, for no message
 * shall tell a terminal what to do.
 */
int show_content(const struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

#endif
