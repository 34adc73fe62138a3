#ifndef BMX_RECEIVE_ADMISSION_H
#define BMX_RECEIVE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "bmx-receive/admit.h"
#include "bmx-receive/relay.h"
#include "mail/envelope.h"
#include "spool/config.h"
#include "spool/memory.h"
#include "spool/spool.h"

/*
 * Who is let in: admit.h decides, this finds out what it has to know (the
 * primary's state, the list, the recipient memory, what was taken already)
 * and asks the primary where that is the decision. What the primary says of
 * recipients is learned when the session is over. The recipient memory may
 * be open from the session before, and is left open for the next.
 */

struct admission {
	const struct config *config; /* borrowed */
	struct relay relay;
	struct memory *memory; /* borrowed; opened when it is first asked */
	bool is_memory_tried, has_memory_failed;
	struct memory_notes notes; /* for the end of the session */
	bool is_trial;             /* nobody is there: no try is counted */
};

void admission_init(struct admission *a, const struct config *config,
    const struct spool *spool, struct memory *memory);

/* The client has gone: learn, release all but the memory. */
void admission_free(struct admission *a);

/* A transaction begins: nothing of another is under way. */
void admission_begin(struct admission *a);

/* What admission_ask() found. */
struct admission_look {
	const char *asked; /* why the primary was asked, as one word for the
			      log; NULL: it was not */
	bool is_fresh; /* question holds still: nobody was waited for since */
	struct admit_question question;
};

/* Say RCPT to the primary, if that is the decision, without waiting for an
 * answer: relay_say(). */
void admission_ask(struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *r,
    struct admission_look *look);

/* What was taken into the spool for this domain before, in this transaction. */
struct admission_taken {
	bool is_any; /* so are the others, whatever the primary has become */
	/* recipients of whom nobody knows, and how often it was this one */
	uint64_t unverified, same;
};

/*
 * RCPT. Returns the decision with the reply for the client: of ADMIT_THROUGH
 * the primary's own, 2yz or a refusal; it is valid until the next call. env:
 * sender, client. look: what admission_ask() found, or all zero.
 */
struct admit_decision admission_rcpt(struct admission *a,
    const struct config_domain *domain, const struct envelope *env,
    const struct smtp_rcpt *r, const struct admission_look *look,
    const struct admission_taken *taken);

/* What became of it in the end: one line in the log. */
void admission_log(const struct admission *a,
    const struct config_domain *domain, const struct envelope *env,
    const struct smtp_rcpt *r, const struct admit_decision *d);

/* A message is in the spool, for these n recipients of whom nobody knows:
 * count it. */
void admission_spooled(const struct spool_domain *dir,
    const struct config_domain *domain, const struct spool_msg *msg,
    const struct addr *const *unverified, size_t n);

#endif
