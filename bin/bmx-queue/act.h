#ifndef BMX_QUEUE_ACT_H
#define BMX_QUEUE_ACT_H

#include <stdbool.h>
#include <sys/types.h>

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"

/*
 * The operator's hand on the selected messages: each is one rename or unlink,
 * so a flusher at work is not disturbed, and one that was quicker is no
 * error. Each message prints a line (ID, domain, what happened: "removed",
 * "held", "released", "unchanged", "gone"); each change writes one to the
 * log, a removal also one to the ledger. Trouble with one message is told to o and the rest goes on;
 * -1 is out of memory.
 */
enum act { ACT_REMOVE, ACT_HOLD, ACT_RELEASE };

struct act_order {
	enum act act;
	const char *reason; /* the operator's words, "": none */
	uid_t uid;          /* who gave the order, for the log */
	bool dry;           /* only print what would be done ("remove") */
};

int act_on_messages(const struct act_order *order, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e);

#endif
