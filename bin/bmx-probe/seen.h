#ifndef BMX_PROBE_SEEN_H
#define BMX_PROBE_SEEN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bmx-probe/session.h"

/*
 * What this run has seen already, and what is being looked at: domains that
 * share a primary cost it one session, and no address ever has two at a time,
 * however many domains are probed at once.
 */
struct seen {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct seen_entry *first; /* the latest one first */
	size_t n;
};

int seen_open(struct seen *s, struct err *e);
void seen_close(struct seen *s);

/*
 * Wait until nobody is in a session with this address (named by
 * session_name()), until the deadline at most.
 * is_shared: an equal session, by address, host and level, is as good as one
 * of our own; it is waited for however long it takes.
 */
enum seen_turn {
	SEEN_OURS,  /* do it, then say seen_done() with ticket */
	SEEN_KNOWN, /* *a is what was found out */
	SEEN_LATE,  /* the deadline is over */
};
struct seen_entry;
enum seen_turn seen_begin(struct seen *s, struct probe_address *a,
    enum config_tls level, bool is_shared, int64_t deadline_ms,
    struct seen_entry **ticket);
void seen_done(struct seen *s, struct seen_entry *ticket,
    const struct probe_address *a);

#endif
