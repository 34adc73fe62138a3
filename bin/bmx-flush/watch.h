#ifndef BMX_FLUSH_WATCH_H
#define BMX_FLUSH_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "bmx-flush/drain.h"
#include "spool/spool.h"

/*
 * When a domain is worth another run, for --watch: its new/ or cur/ changed, a
 * message has become due, or it is time to ask a primary again that was down.
 * While it is paused nothing is, and at once when that is over.
 *
 * It is found by looking, at two directories' times each WATCH_TICK_MS, and
 * not told by inotify(7): a spool may be shared, and inotify knows nothing of
 * what other hosts do.
 */
#define WATCH_TICK_MS 1000
#define WATCH_AGAIN_MS 60000 /* after a run that ended before its work */
#define WATCH_SOON_MS 5000   /* and had delivered something */
#define WATCH_AGEING_MS                                                        \
	3600000 /* all domains, also those where nothing moves:
				   what is held apart expires */

struct watch {
	struct timespec new_changed, cur_changed;
	int64_t looked_s;      /* wall clock; 0: never */
	int64_t due_s;         /* a message is, then; 0: none is known */
	int64_t not_before_ms; /* monotonic */
	bool is_unfinished;    /* the last run left work */
	bool is_paused;        /* because an operator has stopped it */
};

/* clang-format off */
#define WATCH_INIT { .looked_s = 0 }
/* clang-format on */

/* Is it time? Then w is what it was before the run that follows now. */
bool watch_is_due(struct watch *w, const struct spool *spool,
    const char *domain);

/* That run has ended; failed: with trouble of our own. */
void watch_ran(struct watch *w, const struct drain_report *r, bool failed);

#endif
