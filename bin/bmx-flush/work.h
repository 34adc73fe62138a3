#ifndef BMX_FLUSH_WORK_H
#define BMX_FLUSH_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "spool/spool.h"

/*
 * What is to be done in one run: the names of the messages, oldest first or
 * smallest first.
 *
 * A name says all that is needed, so names are what is kept, one behind the
 * other, and the place of each: some 45 bytes a message, so that a million of
 * them fit into 64 MiB with the program.
 */
enum work_order {
	WORK_OLDEST_FIRST,
	WORK_SMALLEST_FIRST, /* of one size the oldest */
};

struct work {
	enum work_order order;
	struct buf names; /* per message: 'n' (new/) or 'c' (cur/), name, NUL */
	uint32_t *at;     /* where each begins, in the order of the work */
	size_t n, room;
	size_t next;    /* the one that work_next() gives */
	uint64_t bytes; /* of all files */
	/* no wait is longer than this: a message that is due later was deferred
	 * by a clock that ran ahead, and is due now; 0: believe all */
	int64_t wait_max_s;
};

/* clang-format off */
#define WORK_INIT(order)                                                       \
	{ (order), BUF_INIT(UINT32_MAX), NULL, 0, 0, 0, 0, 0 }
/* clang-format on */

/* What else is in the domain: not for this run. */
struct work_rest {
	unsigned long held;
	unsigned long unwanted; /* of those, held apart */
	unsigned long ended;    /* were held until a time that is over; they
				   are in the work, see work_release() */
	unsigned long later;    /* not due yet */
	int64_t due_s;          /* the first of them is, or of those that are
				   held until a time, then; 0: none */
	unsigned long foreign;  /* files that are not messages */
};

/*
 * Read the domain's directories: every message that is not held and is due at
 * now_s (all of them when now_s is INT64_MAX), in the order asked for. -1: a
 * directory cannot be read, or no memory.
 */
int work_collect(struct work *w, const struct spool_domain *d, int64_t now_s,
    struct work_rest *rest, struct err *e);

/* Release what was held until a time that is over; then collect anew: it has
 * other names. Under the domain's lock. */
int work_release(const struct spool_domain *d, struct err *e);

/* The two steps of work_collect(). */
int work_add(struct work *w, const struct spool_entry *entry, struct err *e);
void work_sort(struct work *w);

/* The next message. False: that was all. */
bool work_next(struct work *w, struct spool_entry *entry);

/* Messages that work_next() has still to give. */
size_t work_left(const struct work *w);

void work_free(struct work *w);

#endif
