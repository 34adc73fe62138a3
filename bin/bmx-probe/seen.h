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

/* A session that is wanted with an address. */
struct seen_want {
	enum config_tls level;
	bool is_shared; /* an equal one, by address, host and level, is as
			   good as one of our own */
	int64_t deadline_ms;
	int64_t wait_ms; /* the longest wait in it, whatever the deadline */
};

/*
 * Wait until nobody is in a session with this address (named by
 * session_name()), until the deadline at most; for an equal one that is shared
 * however long it takes. One that ran out of time is none for who has more of
 * it, by more than SEEN_SLACK_MS.
 */
#define SEEN_SLACK_MS 1000
enum seen_turn {
	SEEN_OURS,  /* do it, then say seen_done() with ticket */
	SEEN_KNOWN, /* *a is what was found out */
	SEEN_LATE,  /* the deadline is over */
};
struct seen_entry;
enum seen_turn seen_begin(struct seen *s, struct probe_address *a,
    const struct seen_want *want, struct seen_entry **ticket);
void seen_done(struct seen *s, struct seen_entry *ticket,
    const struct probe_address *a);

#endif
