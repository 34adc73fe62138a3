#ifndef BMX_MXCHECK_WORKERS_H
#define BMX_MXCHECK_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/types.h>

#include "base/err.h"

/*
 * Work that waits, in processes of its own: a bounded number at once, each for
 * one job; what it found comes back whole through a pipe. A process that ends
 * without, or is not done at its time, has found nothing.
 */

#define WORKERS_MAX 256

/* In the worker: fill the result, which is zero. */
typedef void worker_run(const void *job, void *result);

/* In the parent: result is NULL when there is none. */
typedef void worker_done(void *arg, const void *result);

struct worker {
	pid_t pid; /* 0: free */
	int fd;
	int64_t deadline_ms; /* monotonic */
	char *result;
	size_t size, used;
	worker_done *done;
	void *arg;
};

struct workers {
	struct worker all[WORKERS_MAX];
	size_t most; /* at once */
	size_t running;
};

/* clang-format off */
#define WORKERS_INIT(max) { .most = (max) }
/* clang-format on */

bool workers_have_room(const struct workers *w);

/* Run it; job is the caller's and not needed any more after this. -1
 * (ERR_TEMP): done will not be called. There has to be room. */
int workers_start(struct workers *w, worker_run *run, const void *job,
    size_t size, unsigned timeout_s, worker_done *done, void *arg,
    struct err *e);

/* Wait up to so long for something to happen, and call done for all that are
 * ready. -1: ERR_TEMP. */
int workers_poll(struct workers *w, int timeout_ms, struct err *e);

/* End them all; done is not called. */
void workers_close(struct workers *w);

#endif
