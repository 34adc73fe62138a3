#ifndef BMX_FLUSH_WORKER_H
#define BMX_FLUSH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "bmx-flush/deliver.h"
#include "mail/smtp.h"
#include "net/connect.h"
#include "smtp/policy.h"
#include "spool/primary.h"
#include "spool/spool.h"

/*
 * A worker is a process with one session to the primary. It shares nothing
 * with the flusher that made it but a socket pair, on which names of messages
 * go one way and results the other: what a hostile server can do to one
 * session it cannot do to another, and the flusher alone decides pace, breaker
 * and state.
 *
 * The worker inherits the lock of the domain, and so it must be: as long as
 * one message is under way no other flusher may begin. It does not outlive
 * the flusher with it: when that dies (kill -9) the worker gets a SIGTERM and
 * breaks off, but for the reply to a final dot, which it still waits for.
 */

/* To the worker: deliver this. The end of the stream: QUIT and end. */
struct worker_order {
	char name[SPOOL_NAME_MAX];
	bool is_new;
	bool is_again; /* it broke a session before: see deliver.h */
};

enum worker_event {
	WORKER_OPEN,       /* the session is there; the first event */
	WORKER_NO_SESSION, /* or this one: the worker ends */
	WORKER_LOOP,       /* or this: the primary is we ourselves */
	WORKER_STOPPED,    /* or this, by a signal */
	WORKER_RESULT,     /* of one order; when it says that the session is
			      over the worker ends */
	WORKER_TROUBLE,    /* the spool would not take the outcome: it ends */
	WORKER_DIED,       /* made up by worker_take(): it ended untold */
};

struct worker_report {
	enum worker_event event;
	/* OPEN */
	size_t address; /* of the route */
	char peer[ENDPOINT_TEXT_MAX];
	struct smtp_offer plain, secured; /* secured.exts 0: no TLS */
	bool in_tls, is_authenticated;    /* see client.h */
	/* NO_SESSION */
	enum primary_verdict verdict;
	bool is_policy_unmet; /* some address would have done for less than the
				 domain's own policy asks for */
	/* RESULT */
	struct deliver_result result;
	/* NO_SESSION, LOOP, TROUBLE */
	struct err why;
};

/* A message for a worker. */
struct worker_task {
	struct spool_entry entry;
	bool is_again;
};

/* One under way, and one ahead, so that nobody waits for anybody when the
 * first is through. */
#define WORKER_TASKS 2

/* The flusher's side. */
struct worker {
	pid_t pid;
	int fd; /* -1: there is none, or no longer */
	bool is_open;
	bool is_well;    /* its last message was taken */
	unsigned losses; /* the flusher's, when it was started */
	struct worker_task tasks[WORKER_TASKS]; /* given, not reported yet */
	size_t ntasks;
};

/* clang-format off */
#define WORKER_INIT { .pid = 0, .fd = -1 }
/* clang-format on */

/*
 * Make worker w of all[n]; its session is opened with the first address of the
 * route that gives one, address first before the others. d is the delivery it works by;
 * d->client is the session's. -1: ERR_TEMP.
 */
int worker_start(struct worker *w, const struct worker *all, size_t n,
    const struct delivery *d, const struct client_params *params,
    const struct policy_hop *hops, size_t nhops, size_t first, struct err *e);

/* Give it a message; there is room for it. -1: it has died, or ends because it
 * got none; its report will say so. */
int worker_give(struct worker *w, const struct worker_task *task,
    struct err *e);

/* Its next report; poll(2) has said that there is one. A result is that of
 * tasks[0]. */
void worker_take(struct worker *w, struct worker_report *report);

/* tasks[0] is through. */
void worker_next(struct worker *w);

/* No more orders: it says QUIT and ends; w is free for another. */
void worker_dismiss(struct worker *w);

/* Break off what it does. One that has no session yet is gone at once, and w is
 * free for another. */
void worker_stop(struct worker *w);

/* Collect those that have ended; with waits all of them, so all have to be
 * dismissed. The program has no other children. */
void worker_reap(bool waits);

#endif
