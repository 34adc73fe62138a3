#ifndef BMX_FLUSH_DELIVER_H
#define BMX_FLUSH_DELIVER_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "mail/smtp.h"
#include "smtp/client.h"
#include "smtp/policy.h"
#include "spool/config.h"
#include "spool/ledger.h"
#include "spool/memory.h"
#include "spool/spool.h"

/*
 * One message over an open session, and what that makes of it in the spool.
 *
 * A recipient's reply decides (RFC 5321 4.2.1, first digit): 2yz after the
 * final dot is delivered, 4yz stays pending, 5yz failed. When each was asked:
 * all delivered, the message is removed; some pending, it is deferred, or has
 * expired with its lifetime; else it is held, since what was refused is the
 * operator's to judge, or giveup.h's. What was refused because there is no
 * such recipient, and had been taken without knowing that, is held apart.
 *
 * Where the sender wants to be told of success, and the server will not do it,
 * a notice is spooled (RFC 3461 5.2.2: relayed).
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
	DELIVER_SET_ASIDE, /* damaged, or sent too often (unknown.h); held, an
			      alarm was logged */
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
	bool is_expired; /* that was no 5yz, but the last 4yz of a message that
			    has lived for too long */
	bool is_notice;  /* it is one of our own, see bounce.h */
};

/* What all messages of a drain share. */
struct delivery {
	const struct spool *spool; /* for the ledger */
	struct ledger ledger;
	const struct config *config;
	const struct spool_domain *maildir;
	const struct config_domain *domain;
	struct client *client;
	const struct policy_hop *hop; /* where its session goes */
	/* its session proves less than the domain's own policy asks for, which
	 * is enough for this mail; nothing is learned from it */
	bool is_relaxed;
	const volatile sig_atomic_t *stop; /* not 0: come to an end */
	struct delivery_room *room;        /* deliver_room()'s */
	struct memory_notes *notes; /* what its session teaches of recipients */
	/* called when a final dot is out and its reply is awaited: the time to
	 * open the next message */
	void (*on_wait)(void *arg);
	void *arg;
};

/* A message to hand over. */
struct deliver_message {
	struct spool_entry entry;
	bool is_again; /* it was DELIVER_UNTOUCHED before: not twice */
	struct spool_file file;
	int opened;     /* what spool_file_open() said: 1, 0, -1, */
	struct err why; /* and why */
};

/* Memory for one message at a time, reused. NULL: ERR_TEMP. */
struct delivery_room *deliver_room(struct err *e);
void deliver_room_free(struct delivery_room *room);

/* Open m->entry, early perhaps: deliver_message() closes it. */
void deliver_open(const struct delivery *d, struct deliver_message *m);

/*
 * Hand over a message that deliver_open() has opened. Returns 0 with *r, or -1
 * when the spool would not take the outcome (ERR_TEMP): then go no further, or
 * mail that was taken is sent again and again.
 *
 * A session that breaks (421, timeout, hang-up) defers its message, unless
 * others went over that session before: then it may have been the session's
 * end and not this message's fault, and the result is DELIVER_UNTOUCHED: try
 * it first in the next session. One that broke between the final dot and its
 * reply has state=unknown in the log: the server may have the message, so it
 * waits as long as retry-max says, and is set aside when that happens too often.
 *
 * A session that has had its share of transactions (LIMITS MAILMAX, RFC 9422)
 * is replaced by another one with the same address, before or within a
 * message.
 */
int deliver_message(struct delivery *d, struct deliver_message *m,
    struct deliver_result *r, struct err *e);

#endif
