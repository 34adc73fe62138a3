#ifndef BMX_QUEUE_ACT_H
#define BMX_QUEUE_ACT_H

#include <stdbool.h>
#include <sys/types.h>

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/*
 * The operator's hand on the selected messages: each is one rename or unlink,
 * so a flusher at work is not disturbed, and one that was quicker is no
 * error. Each message prints a line (ID, domain, what happened: "removed",
 * "held", "released", "due", "bounced", "expired"; "dropped" for the last two
 * when no notice was owed, "unchanged" when it was so before, "gone" when it is
 * not there any more, "busy" when bmx-flush has the domain, which bounce and
 * expire have to have for themselves). Each change writes a line to the log, a
 * removal also one to the ledger; that is on disk before, with one sync for
 * SELECT_BATCH of them. Trouble with one message is told to o and the rest goes
 * on; -1 is out of memory.
 */
enum act {
	ACT_REMOVE,
	ACT_HOLD,
	ACT_RELEASE,
	ACT_RETRY,  /* it is due now */
	ACT_BOUNCE, /* given up, its sender told */
	ACT_EXPIRE, /* the same, if its lifetime is over */
};

struct act_order {
	enum act act;
	const char *reason; /* the operator's words, "": none */
	uid_t uid;          /* who gave the order, for the log */
	int64_t until_s;    /* hold: until then; 0: until it is released */
	bool dry;           /* only print what would be done ("remove") */
	const struct config *conf;
};

/* True for what cannot be taken back. */
bool act_is_final(enum act act);

/* *n: the messages that a line was printed for. */
int act_on_messages(const struct act_order *order, const struct select *s,
    const struct spool *sp, size_t *n, struct output *o, struct err *e);

#endif
