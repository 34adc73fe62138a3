#ifndef BMX_QUEUE_FSCK_H
#define BMX_QUEUE_FSCK_H

#include <stdbool.h>

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"

/*
 * Look at every file of the selected domains, and with is_all at what lies
 * beside them: is it of a kind, owner, mode, name, size and form that bmx
 * believes? Links, FIFOs and devices are reported, never followed or opened.
 *
 * A line for each problem: domain, path in it, problem, what was done
 * ("reported" or "repaired"). With repair: modes are set, what a crash left
 * behind is removed when it is old enough, and a message that cannot be
 * delivered is held. Nothing else is touched; messages are never removed.
 *
 * Safe while everything runs: what vanishes meanwhile, and what is still being
 * written, is no problem.
 */
int fsck(bool repair, const struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

#endif
