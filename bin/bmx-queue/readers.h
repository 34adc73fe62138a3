#ifndef BMX_QUEUE_READERS_H
#define BMX_QUEUE_READERS_H

#include <stddef.h>

#include "base/err.h"
#include "bmx-queue/census.h"
#include "bmx-queue/output.h"

/*
 * A long list, read by several processes: to open each file costs more than
 * all else, and each processor can do it for some. The messages are dealt out
 * in batches of READERS_BATCH, batch after batch to the next reader; each prints
 * into a pipe, and the parent passes on what comes, in the order of the batches.
 * What is printed, complained of and returned is byte for byte that of one
 * process. No reader is further ahead than its pipe holds, so memory has a
 * bound; what a damaged file does to a reader, it does to no more than that.
 */

#define READERS_BATCH 64
#define READERS_MAX 4

struct readers_job {
	/* What a reader does: print messages first to first + n - 1 to o and
	 * add to *sum those it has printed. -1 ends the list. */
	int (*read)(void *context, size_t first, size_t n, struct output *o,
	    struct counts *sum, struct err *e);
	/* What the parent does before the first byte of them. */
	void (*begin)(struct output *o);
	void *context; /* copied by fork(2): a reader's changes are its own */
};

/* How many readers pay for so many messages: no more than there are processors
 * for this process; 1: the caller reads them itself. */
size_t readers_wanted(size_t messages);

/*
 * Do the job of messages 0 to total - 1 with n > 1 readers. What they complain
 * of is told to o. 1; 0: they could not be started, and nothing was printed;
 * -1: what job->read() failed with, or that a reader ended too early, and the
 * list is not whole.
 */
int readers_run(size_t n, const struct readers_job *job, size_t total,
    struct counts *sum, struct output *o, struct err *e);

#endif
