#ifndef BMX_RECEIVE_ADMIT_H
#define BMX_RECEIVE_ADMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "spool/config.h"
#include "spool/primary.h"

/*
 * What becomes of a recipient: the decision alone, from what is known. Pure.
 *
 *	admit    primary      what
 *	through  up, unknown  asked live, where this transaction can
 *	defer    up           451 4.3.2; but who insists is let in: asked live,
 *	                      where this transaction can
 *	else                  known good: spooled. Known bad: 550 5.1.1.
 *	                      Unknown: with admit = spool spooled, else as the
 *	                      key unknown says
 */

/* How the primary seems to be: "up" and "down" are recent. */
enum admit_primary {
	ADMIT_PRIMARY_UNKNOWN,
	ADMIT_PRIMARY_UP,
	ADMIT_PRIMARY_DOWN, /* or it defers: it would take nothing now */
};

enum admit_knowledge {
	ADMIT_UNKNOWN,
	ADMIT_GOOD,
	ADMIT_BAD,
};

/* Of a domain with a list the list alone decides. */
enum admit_list {
	ADMIT_NO_LIST,
	ADMIT_LISTED,
	ADMIT_NOT_LISTED,
};

/* Mail for unknown recipients since the primary was last up. */
struct admit_count {
	uint64_t messages, bytes;
};

struct admit_question {
	enum config_admit mode;
	enum config_unknown unknown;
	enum admit_primary primary;
	bool insists;   /* came back so often that it cannot reach the primary:
			   of admit = defer (insist.h) */
	bool may_relay; /* the live session is of this domain, or to be had */
	bool is_postmaster; /* taken always (RFC 5321 4.5.1) */
	enum admit_list list;
	enum admit_knowledge memory;
	uint64_t size; /* of this message as announced; 0: it was not */
	struct admit_count each, each_max; /* of this recipient */
	struct admit_count all, all_max;   /* of all of the domain */
};

enum admit_what {
	ADMIT_THROUGH, /* ask the primary */
	ADMIT_SPOOL,
	ADMIT_REFUSE,
	ADMIT_DEFER,
};

struct admit_decision {
	enum admit_what what;
	bool is_unverified; /* spooled, but nobody knows that it exists: to be
			       counted */
	const char *reason; /* one word, for the log */
	const char *reply;  /* to RCPT; of THROUGH NULL */
};

struct admit_decision admit_decide(const struct admit_question *q);

/* "through", "spool", "refuse", "defer". */
const char *admit_name(enum admit_what what);

/* How long it is remembered that the primary was found away, whatever its
 * verdict, so that not every session waits for it. */
#define ADMIT_AWAY_S 60

/* From the state file, as read with state-age: unknown when it is old. */
enum admit_primary admit_primary(const struct primary *p, int64_t now_s);

#endif
