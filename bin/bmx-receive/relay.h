#ifndef BMX_RECEIVE_RELAY_H
#define BMX_RECEIVE_RELAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "bmx-receive/admit.h"
#include "bmx-receive/session.h"
#include "bmx-receive/verdict.h"
#include "mail/envelope.h"
#include "mail/smtp.h"
#include "net/dns.h"
#include "smtp/client.h"
#include "smtp/route.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * Live relay: a transaction goes on to the primary as it comes, and what the
 * primary says is what the client is told.
 *
 * The domain of the first recipient that is asked for owns the session to
 * its primary until the transaction ends. Whatever fails on the way that is
 * not the primary's judgment of this mail (no connection, 421, trouble of its
 * own, silence, a lost connection) is RELAY_FAILED: the rest of the
 * transaction is the spool's, and what was accepted so far must be spooled
 * too. The reason is in the log.
 *
 * One failure is the client's doing: a primary that ends its session after it
 * had to refuse something, or while it waits for the client, or by a policy
 * about the client that it was told of, has enough of that client, and is not
 * away. The next recipient is told 421 then. If it were the
 * spool's, a client could come in with what a primary that is up would refuse.
 *
 * Every wait ends long before the client loses its patience (RFC 5321
 * 4.5.3.2: 5 minutes for RCPT, 2 for DATA, 3 for a block, 10 for the end).
 */
enum relay_step {
	RELAY_NOTHING, /* no transaction, or none that is the primary's */
	RELAY_IN_MAIL, /* MAIL was said */
	RELAY_IN_DATA, /* content goes out */
	RELAY_OVER,    /* failed, or refused as a whole: no more of it in this
			  transaction */
};

struct relay {
	const struct config *config;        /* borrowed */
	const struct spool *spool;          /* borrowed */
	struct dns *dns;                    /* opened when it has to be asked */
	const struct config_domain *domain; /* whose primary it is */
	struct client_params params;
	struct client client;
	bool is_open;      /* the session; it may carry several transactions */
	unsigned refusals; /* in this session */
	bool is_out_of_turn; /* it spoke or left when the client was to speak */
	enum relay_step step;
	unsigned taken; /* recipients of this transaction */
	/* relay_say(): of these relay_rcpt() is not called yet, so many replies
	 * are still to come, and what became of saying */
	unsigned ahead, unheard;
	bool is_data_due; /* DATA was said, and its reply is still to come */
	bool is_reused;   /* the session, by this transaction */
	int ahead_rc;
	struct err ahead_why;
	bool is_unknown;        /* of relay_end(): the primary may have it */
	bool is_cut_short;      /* the content was refused before its end */
	bool is_refused;        /* the whole transaction was: */
	struct smtp_reply said; /* the primary's last verdict */
	bool is_of_rcpt;        /* it was about the recipient, not about the
				   whole transaction */
	char reply[SESSION_REPLY_MAX];
};

void relay_init(struct relay *r, const struct config *config,
    const struct spool *spool);

/* QUIT, after relay_cancel(), and release all. */
void relay_free(struct relay *r);

/* May a recipient of the domain go this way in this transaction? */
bool relay_may(const struct relay *r, const struct config_domain *domain);

/* What is known of its primary before asking. That of a paused domain is
 * down. */
enum admit_primary relay_primary(const struct relay *r,
    const struct config_domain *domain);

/*
 * Say RCPT, and before the first one open the session and say MAIL, without
 * waiting for an answer: those of a group of commands go out together (RFC
 * 2920). env: sender and client. False: not now, relay_rcpt() does both.
 */
bool relay_say(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *rcpt);

/* The client asks for content behind the recipients that were said: so may
 * DATA go out with them. */
void relay_say_data(struct relay *r);

/* RCPT, if relay_say() did not say it, and its answer. Those that were said
 * come first, in the same order. */
enum relay_result relay_rcpt(struct relay *r,
    const struct config_domain *domain, const struct envelope *env,
    const struct smtp_rcpt *rcpt);

/* True while some recipient was taken and nothing has failed: the message is
 * on its way to the primary. */
bool relay_is_live(const struct relay *r);

/* The last verdict was a refusal by policy (X.7.x, RFC 3463), and the primary
 * does not know who the client is: it may have judged our own address, by
 * SPF, block lists, greylisting or rate limits. */
bool relay_judges_us(const struct relay *r);

/* DATA. Only when live. */
enum relay_result relay_begin(struct relay *r);

/* Content; when it fails relay_is_live() is false from then on. A primary that
 * refuses it and leaves has not failed. */
void relay_content(struct relay *r, const char *data, size_t len);

/* The end of the content, and the verdict. After RELAY_FAILED is_unknown says
 * that only the last reply was lost. */
enum relay_result relay_end(struct relay *r);

/* The transaction is over, whatever it had come to; harmless. The primary has
 * nothing of it. */
void relay_cancel(struct relay *r);

#endif
