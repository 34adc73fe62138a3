#ifndef BMX_FLUSH_DRAIN_H
#define BMX_FLUSH_DRAIN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "bmx-flush/work.h"
#include "net/dns.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * Hand over what waits for one domain: lock, work list, route, session,
 * messages.
 *
 * A primary that is down costs one connection to each of its addresses and no
 * touch of any message. It is asked again whenever the program runs; the state
 * file says since when it is down.
 */
struct drain_params {
	const struct config *config;
	const struct spool *spool;
	struct dns *dns;
	bool is_forced; /* also what is not due yet */
	enum work_order order;
	unsigned long max; /* messages to try at most; 0: all */
	FILE *watch;       /* where a progress bar may be drawn; NULL: none */
	const volatile sig_atomic_t *stop; /* not 0: come to an end */
};

enum drain_end {
	DRAIN_DONE,         /* everything that was due was tried */
	DRAIN_NOTHING,      /* nothing is due */
	DRAIN_BUSY,         /* another bmx-flush has the domain */
	DRAIN_PAUSED,       /* an operator has stopped it: see paused.h */
	DRAIN_NO_ROUTE,     /* it is not known where to send */
	DRAIN_PRIMARY_DOWN, /* no address gave a session, or none any more */
	DRAIN_LOST,         /* sessions break before anything gets done */
	DRAIN_BREAKER,      /* it refuses everything: see breaker.h */
	DRAIN_STOPPED,      /* a signal */
	DRAIN_MAX,          /* max messages were tried */
};

/* Messages, not recipients. */
struct drain_report {
	enum drain_end end;
	unsigned long tried;
	unsigned long delivered, deferred;
	unsigned long refused;   /* held now */
	unsigned long dropped;   /* refused and given up: on-5xx */
	unsigned long set_aside; /* damaged or sent too often, held now */
	unsigned long left;      /* due, but not tried */
	unsigned long later;     /* not due yet */
	int64_t due_s;           /* the first of those is, then; 0: none */
	unsigned long held;      /* were held before */
	uint64_t bytes;          /* delivered */
	int64_t elapsed_ms;
};

/* 0 and *r; -1: our own trouble, nothing more can be done for this domain (*r
 * has what was done before). */
int drain_domain(const struct drain_params *p,
    const struct config_domain *domain, struct drain_report *r, struct err *e);

/* "done", "primary-down", ... */
const char *drain_end_name(enum drain_end end);

/*
 * What drain_domain() would do, as lines of words to out: "route DOMAIN
 * ADDRESS HOST" in the order to be tried, then "send DOMAIN ID BYTES
 * RECIPIENTS" for each message; or "paused DOMAIN" alone. Nothing is connected to, locked or changed.
 * r->left is the number of messages.
 */
int drain_plan(const struct drain_params *p, const struct config_domain *domain,
    FILE *out, struct drain_report *r, struct err *e);

#endif
