#ifndef BMX_FLUSH_DELIVER_H
#define BMX_FLUSH_DELIVER_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "mail/smtp.h"
#include "smtp/client.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * One message over an open session, and what that makes of it in the spool.
 *
 * A recipient's reply decides (RFC 5321 4.2.1, first digit): 2yz after the
 * final dot is delivered, 4yz stays pending, 5yz failed. When each was asked:
 * all delivered, the message is removed; some pending, it is deferred; else it
 * is held, since what was refused is the operator's to judge.
 *
 * Nothing is written for a message that was taken whole but its removal. One
 * that stays has its recipients' states marked and synced before anything
 * else is sent, so that a crash cannot make anybody get it again but those of
 * the transaction that was under way.
 */
enum deliver_what {
	DELIVER_GONE,      /* not there any more: nothing to do */
	DELIVER_DELIVERED, /* to every recipient; removed */
	DELIVER_DEFERRED,  /* to be tried again later */
	DELIVER_REFUSED,   /* for good, at least one recipient; held */
	DELIVER_SET_ASIDE, /* damaged; held, an alarm was logged */
	DELIVER_UNTOUCHED, /* the session ended first, or a stop was asked for:
			      still as it was, due as it was */
};

struct deliver_result {
	enum deliver_what what;
	bool is_session_over;  /* the client is of no more use */
	bool was_session_lost; /* and that was the server's doing */
	bool was_taken;        /* by the server, for one recipient at least */
	bool was_deferred;     /* a 4yz came, for one recipient at least */
	int64_t wait_ms;       /* from the final dot to its reply */
	struct smtp_reply refusal; /* the last 5yz; code 0: none */
};

/* What all messages of a drain share. */
struct delivery {
	const struct spool *spool; /* for the ledger */
	const struct spool_domain *maildir;
	const struct config_domain *domain;
	struct client *client;
	bool
	    is_again; /* this message was DELIVER_UNTOUCHED before: not twice */
	const volatile sig_atomic_t *stop; /* not 0: come to an end */
	struct delivery_room *room;        /* deliver_room()'s */
};

/* Memory for one message at a time, reused. NULL: ERR_TEMP. */
struct delivery_room *deliver_room(struct err *e);
void deliver_room_free(struct delivery_room *room);

/*
 * Hand over the message *entry. Returns 0 with *r, or -1 when the spool would
 * not take the outcome (ERR_TEMP): then go no further, or mail that was taken
 * is sent again and again.
 *
 * A session that breaks (421, timeout, hang-up) defers its message, unless
 * others went over that session before: then it may have been the session's
 * end and not this message's fault, and the result is DELIVER_UNTOUCHED: try
 * it first in the next session. One that broke between the final dot and its
 * reply has state=unknown in the log: the server may have the message, so it
 * waits as long as retry-max says.
 */
int deliver_message(struct delivery *d, struct spool_entry *entry,
    struct deliver_result *r, struct err *e);

#endif
