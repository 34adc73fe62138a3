#ifndef BMX_QUEUE_PAUSE_H
#define BMX_QUEUE_PAUSE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/*
 * Stop and resume the hand-over of whole domains, see paused.h. Each prints a
 * line (domain, "paused", "resumed" or "unchanged") and is logged. A domain
 * that is neither in the spool nor in bmx.conf is passed over.
 */
struct pause_order {
	bool is_resume;
	int64_t until_s; /* 0: until it is resumed */
	const char *reason;
	uid_t uid;
	const struct config *conf;
};

/* Trouble with one domain is told to o; -1: out of memory. */
int pause_domains(const struct pause_order *order, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e);

#endif
