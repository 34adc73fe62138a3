#ifndef BMX_PAUSED_H
#define BMX_PAUSED_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * SPOOL/DOMAIN/paused: an operator has stopped the hand-over of a domain's
 * mail, for good or until some time. bmx-flush leaves its mail alone, and
 * bmx-receive treats its primary as down: mail is spooled and nothing is
 * relayed live. bmx-spool(5) has the grammar.
 */
#define PAUSED_REASON_MAX 256

struct paused {
	int64_t since_s;
	int64_t until_s;                /* 0: until it is resumed */
	uid_t uid;                      /* who ordered it */
	char reason[PAUSED_REASON_MAX]; /* printable, "": none given */
};

/*
 * Is the domain paused at now_s? domain_fd is struct spool_domain's. 1 and
 * *p; 0 when it is not, or not any more; -1 (ERR_DATA, ERR_TEMP): the file
 * cannot be read, which whoever sends mail takes for paused without end.
 */
int paused_read(int domain_fd, int64_t now_s, struct paused *p, struct err *e);

/* Pause it, or change what is known of the pause. Atomic and durable. */
int paused_write(int domain_fd, const struct paused *p, struct err *e);

/* Resume it. 1; 0 when there was no such file; -1. */
int paused_clear(int domain_fd, struct err *e);

#endif
