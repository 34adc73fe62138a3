#ifndef BMX_RECEIVE_INTAKE_H
#define BMX_RECEIVE_INTAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "bmx-receive/admission.h"
#include "mail/envelope.h"
#include "mail/smtp.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * From the questions of a session to the spool: is the recipient ours, is
 * there room, and one message for each relay domain of the recipients, all of
 * them durable before the one 250.
 *
 * The functions that return a string return the SMTP reply. Trouble of our own
 * is logged here, with its reason, and answered 4yz.
 */

#define INTAKE_DOMAINS_MAX 50 /* of one message; each holds descriptors */

/* A recipient whose answer was put off. */
struct intake_due {
	const struct config_domain *domain; /* NULL: it is not ours */
	const char *asked; /* why the primary was asked; NULL: it was not */
};

struct intake_copy {
	const struct config_domain *domain;
	struct spool_domain dir;
	struct spool_msg msg;
	unsigned nrcpt;
};

struct intake {
	const struct config *config; /* borrowed */
	const struct spool *spool;   /* borrowed */
	char id[SPOOL_ID_LEN + 1];   /* of the message under way, or the last */
	struct intake_copy *copies;
	size_t ncopies;
	struct spool_domain kept; /* open from the message before, or closed */
	struct buf held; /* content of the copy that is not begun: the primary
			    may take it */
	size_t ndomains; /* of the recipients so far */
	bool failed;     /* a copy could not be written: why */
	struct err why;
	/* of each recipient of the transaction; one more, that is asked for */
	const struct config_domain *domain_of[ENVELOPE_RCPT_MAX + 1];
	bool is_unverified[ENVELOPE_RCPT_MAX + 1];
	bool is_kept[ENVELOPE_RCPT_MAX + 1];    /* taken without the primary */
	struct intake_due due[SESSION_DUE_MAX]; /* see intake_rcpt() */
	size_t ndue;
	struct admit_decision decision; /* on the last recipient of ours */
	struct envelope *env;           /* of the message under way */
	struct admission admission;
	char reply[64];
};

void intake_init(struct intake *in, const struct config *config,
    const struct spool *spool, struct memory *memory);

/* After the client has gone: ends the session to a primary, learns. */
void intake_free(struct intake *in);

/* MAIL: is there room on the disk? 452 4.3.1, 451 4.3.0. */
const char *intake_mail(struct intake *in, const struct smtp_mail *mail);

/*
 * RCPT: is it in a domain of ours, is it let in (admission.h), and may more
 * wait for the domain? env has the recipients so far. A bare postmaster is one
 * of the domain whose name sorts first (RFC 5321 4.5.1): *r becomes that
 * address. 550 5.7.1, 550 5.1.1, 452
 * 4.3.1, 452 4.5.3, 451 4.3.0.
 *
 * NULL: the primary was asked, or one before this was, and the answer comes
 * from intake_due(), one call for each, in the same order. So a group of
 * commands becomes one group to the primary. is_content_next: DATA follows, and
 * may go with them.
 */
const char *intake_rcpt(struct intake *in, const struct envelope *env,
    struct smtp_rcpt *r);
const char *intake_due(struct intake *in, const struct envelope *env,
    struct smtp_rcpt *r, bool is_content_next);

/* Every recipient is known: begin a copy for each domain, with the envelope
 * and our Received field. env->arrival_us is set; env stays where it is until
 * the end. When the primary is live the same goes there, and the copy of its
 * domain is in memory: it becomes a file when it is long or the relay fails. */
const char *intake_begin(struct intake *in, struct envelope *env);

/* The next piece of content. Failure is kept for intake_commit(). */
void intake_content(struct intake *in, const char *data, size_t len);

/* The content is complete: 250 only when every copy is on disk, or at the
 * primary that it was relayed to live. Then copies says where it is, until
 * intake_release(). */
const char *intake_commit(struct intake *in);

/* Drop what was begun and not committed; release all. Harmless when nothing
 * was begun. */
void intake_release(struct intake *in);

#endif
