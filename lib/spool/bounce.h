#ifndef BMX_BOUNCE_H
#define BMX_BOUNCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/dsn.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * Notices to senders (dsn.h), as messages of the spool: from the null
 * reverse-path, in the Maildir of the sender's domain, which need not be in
 * bmx.conf. No network is touched. The caller holds the lock of the message's
 * domain.
 *
 * A notice appears once, however often we are killed. It is prepared as a
 * whole in tmp/ of the message's own domain (spool_prepare()), with what is to
 * become of the message written into its envelope:
 *
 *	Bmx-Notice: failed ID STATES	a state for each recipient
 *
 * From then on it is settled. The message is marked, or removed when nothing
 * is left to do for it, and then the notice is moved to where it goes, by one
 * rename. Who is killed before that leaves tmp/ID.failed behind, and
 * bounce_recover() goes on from there.
 */
struct bounce {
	const struct spool *spool;
	const struct config *config;
	const struct spool_domain *maildir; /* of the message */
};

struct bounce_order {
	/*
	 * DSN_FAILED: recipients in state F are given up. They become B, also
	 * where no notice is owed.
	 * DSN_DELAYED: those that wait are told of, but the unverified ones;
	 * the message gets flag W.
	 * DSN_RELAYED: those of whom is_taken says so. They become D.
	 */
	enum dsn_action action;
	const bool *is_taken;
	const struct smtp_reply *reply; /* RELAYED; else it is looked up, see
					   lastword.h */
	const char *peer;               /* its server, "192.0.2.1:25" */
	unsigned next_exts;             /* of that server's offer */
};

struct bounce_result {
	char id[SPOOL_ID_LEN + 1]; /* of the notice; "": none was owed, */
	const char *why;           /* because */
	bool is_removed;           /* the message is done with, and gone */
};

/*
 * f is the message *entry, opened writable; both follow what happens to it.
 * 0 with *r, or -1 (ERR_TEMP): what was settled is caught up by
 * bounce_recover(), else nothing has happened.
 */
int bounce_message(const struct bounce *b, const struct bounce_order *order,
    struct spool_entry *entry, struct spool_file *f, struct bounce_result *r,
    struct err *e);

/* Why nobody is owed a notice of that kind; NULL: somebody is. */
const char *bounce_why_not(const struct envelope *env,
    const struct bounce_order *order);

/* Finish the notice that a crash left as that name of spool_prepared_next().
 * 1 with the message's id and *r; 0: it is not there any more; -1: it stays
 * for the next time, or (ERR_DATA) for the operator. */
int bounce_recover(const struct bounce *b, const char *name,
    char about[SPOOL_ID_LEN + 1], struct bounce_result *r, struct err *e);

#endif
