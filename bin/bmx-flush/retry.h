#ifndef BMX_FLUSH_RETRY_H
#define BMX_FLUSH_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * When a message that was answered 4yz is tried again (RFC 5321 4.5.4.1).
 * Pure: no clock, no chance of its own.
 *
 * The wait doubles. No count of tries is kept anywhere: a deferred message's
 * mtime is when it is due and its ctime when that was written, so their
 * difference is the wait before, and twice that is the next one. The age of
 * the message plays no part: what came in at the beginning of a long outage
 * is not to wait longest when the primary is back and greylists.
 */

/*
 * The next wait. last_s: the one before, 0 when this was the first try. The
 * first is between min_s and a third more; each later one at most twice the
 * last, of which chance (any number) takes up to a quarter, so that what was
 * refused together does not come back together. Never outside [min_s, max_s].
 */
int64_t retry_wait_s(int64_t last_s, unsigned min_s, unsigned max_s,
    uint32_t chance);

/* The wait before, from the file's times; 0 for a message in new/ and for
 * times that do not fit (restored from a copy, released by hand). */
int64_t retry_last_s(bool is_new, int64_t mtime_s, int64_t ctime_s);

#endif
