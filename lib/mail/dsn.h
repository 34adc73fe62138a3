#ifndef BMX_DSN_H
#define BMX_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mail/envelope.h"
#include "mail/smtp.h"

/*
 * Delivery status notifications: the message that tells a sender what became
 * of theirs (RFC 3464; RFC 3461 section 6; RFC 6533 where addresses or the
 * header are UTF-8; RFC 3834 section 5 for Auto-Submitted).
 *
 * Of the message itself only the header section is returned, also where
 * RET=FULL asks for more (RFC 3461 section 4.3): a notice to an address that
 * nobody has verified stays small.
 */
#define DSN_HEADER_MAX (64 * 1024) /* bytes returned; the rest is cut off */
#define DSN_MAX (4 * 1024 * 1024)  /* bytes, ENVELOPE_RCPT_MAX recipients */
#define DSN_BOUNDARY_MAX 70        /* characters, RFC 2046 5.1.1 */

/* RFC 3464 2.3.3. */
enum dsn_action {
	DSN_FAILED,    /* given up */
	DSN_DELAYED,   /* still being tried */
	DSN_RELAYED,   /* taken by a host that sends no notices */
	DSN_DELIVERED, /* in the mailbox (LMTP) */
};

/*
 * Whether the sender is to be told (RFC 3461 4.1 and 5.2): nobody for the null
 * reverse-path; nothing with NOTIFY=NEVER; what NOTIFY asks for; failures
 * and delays where NOTIFY is absent, as 4.1 leaves us free to read it: whoever
 * wants no notices of delay makes none. next_exts is what the host that took the mail
 * offered, 0 for none: one with DSN sends the notice of success itself, so
 * DSN_RELAYED is not wanted from us.
 */
bool dsn_is_wanted(const struct envelope *env, const struct envelope_rcpt *r,
    enum dsn_action action, unsigned next_exts);

/* What became of one recipient. */
struct dsn_rcpt {
	const struct envelope_rcpt *rcpt; /* borrowed */
	enum dsn_action action;
	/* The last reply for this recipient, borrowed; NULL: none came. Where
	 * remote_mta is NULL it is no server's, but our own reason; then code
	 * may be 0. */
	const struct smtp_reply *reply;
	const char *remote_mta;  /* host name, or "[192.0.2.1]"; or NULL */
	int64_t last_attempt_us; /* 0: none was made */
	int64_t retry_until_us;  /* of DSN_DELAYED; 0: not said */
};

/* One notification. All is borrowed. */
struct dsn {
	const struct envelope *env; /* of the message it is about */
	const struct dsn_rcpt *rcpts;
	size_t nrcpt;         /* at least 1 */
	const char *hostname; /* ours: Reporting-MTA, From, Message-ID */
	const char *id; /* Message-ID's left side: letters, digits, dots */
	/* Letters, digits, '.', '_' and '=': random, so that nobody can put it
	 * in the message beforehand. */
	const char *boundary;
	int64_t date_us;     /* now */
	const char *message; /* what follows the envelope, as much as is there;
				its header section is cut out here */
	size_t message_len;
};

/*
 * Append the whole message, in wire form: CRLF, lines of at most 998 bytes,
 * ASCII unless the addresses or the header of an SMTPUTF8 message are not. No
 * text of the peers can end a field, a part or a line. Without dot-stuffing
 * and without an envelope.
 * -1: ERR_DATA, there is nobody to tell (the null reverse-path, no recipient)
 * or the boundary is in the message (draw another); ERR_TEMP, memory, or b is
 * too small. Then b holds a part that means nothing.
 */
int dsn_format(const struct dsn *d, struct buf *b, struct err *e);

/*
 * The envelope for it: from the null reverse-path to the reverse-path of the
 * message, one recipient; REQUIRETLS as the message had it (RFC 8689 section
 * 5); SMTPUTF8 and BODY=8BITMIME when what dsn_format() writes is not ASCII.
 * *env is empty before (ENVELOPE_INIT); the caller resets it. -1: as above.
 */
int dsn_envelope(const struct dsn *d, struct envelope *env, struct err *e);

#endif
