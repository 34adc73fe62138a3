#ifndef BMX_QUEUE_READINESS_H
#define BMX_QUEUE_READINESS_H

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/*
 * Is this host ready to be needed? A line for each check: "OK", "WARN" or
 * "CRIT", the check, the domain ("-": the host), and why.
 *
 *	config       bmx-receive --check-config
 *	recipients   each list is there, and not older than a week
 *	dns          bmx-mxcheck
 *	certificate  bmx-mxcheck --smtp --only=CERT, where TLS is offered
 *	probe        somebody looks at the primary, and it is up
 *	flush        nothing waits in vain while it is up
 *	space        for how many days of mail like that of the last day
 *	clock        is set by something, and did not go back
 */
struct readiness_order {
	const char *skip; /* names of checks, with commas; NULL: none */
	const struct config *conf;
};

/* o->status is that of the worst: 0, 1 (WARN), 2 (CRIT). -1: it could not be
 * found out. */
int readiness(const struct readiness_order *order, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e);

#endif
