#ifndef BMX_ENVELOPE_H
#define BMX_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mail/addr.h"
#include "mail/smtp.h"

/*
 * The envelope of a spooled message: header fields whose names start with
 * "Bmx-", in front of our Received field and the message. bmx-spool(5) has
 * the grammar. Every line ends in CRLF; the envelope ends at the first line
 * that does not begin with "Bmx-".
 *
 *	Bmx-Envelope: 1
 *	Bmx-Arrival: 2026-11-24T03:11:14.123456Z
 *	Bmx-Client: addr=192.0.2.1 port=40312 name=mx.example.org
 *	    (one line) helo=mx.example.org proto=ESMTPS tls=TLS1.3/AES-256-GCM
 *	Bmx-Clock: up=2592000 all=2678400
 *	Bmx-From: <alice@example.org> BODY=8BITMIME RET=HDRS ENVID=x
 *	Bmx-To: P <bob@example.com> NOTIFY=FAILURE ORCPT=rfc822;bob@example.com
 *
 * Bmx-From and Bmx-To hold what MAIL and RCPT said, in SMTP's own syntax (a
 * SIZE too, when the client gave one). The values in Bmx-Client are xtext (RFC
 * 3461 section 4: blanks, '+' and '=' become "+HH"); what is not known is left
 * out. Arrival, From and at least one To must be there, From before To.
 * Bmx-Clock is what the primary's clocks stood at (primary.h) when it came.
 * Bmx-Notice is in notices of our own alone, see bounce.h.
 */
#define ENVELOPE_MAX                                                           \
	(2 * 1024 * 1024)      /* bytes; 1000 recipients at their most */
#define ENVELOPE_RCPT_MAX 1000 /* recipients; RFC 5321 4.5.3.1.8: >= 100 */
#define ENVELOPE_TEXT_MAX 256  /* helo, name, tls: longer is cut */

/* The state of a recipient: the one byte after "Bmx-To: ", overwritten in
 * place. bmx-spool(5) has the table of changes. */
enum rcpt_state {
	RCPT_PENDING = 'P',
	RCPT_UNVERIFIED = 'U', /* pending, and nobody knew of this recipient */
	RCPT_DELIVERED = 'D',
	RCPT_FAILED = 'F',   /* refused for good, or expired */
	RCPT_UNWANTED = 'X', /* the same, of one that was unverified: its
				sender is never told */
	RCPT_BOUNCED = 'B',  /* given up, and the sender told where that is
				wanted: final */
};

/* It waits for delivery. */
static inline bool
rcpt_waits(enum rcpt_state state)
{
	return state == RCPT_PENDING || state == RCPT_UNVERIFIED;
}

struct envelope_rcpt {
	struct addr addr;
	unsigned notify; /* of enum smtp_notify */
	char *orcpt;     /* malloc'ed, NULL when absent */
	enum rcpt_state state;
	size_t state_offset; /* in the file, of the state's byte; set by
				envelope_parse() */
};

/* Who brought the message; texts are printable, "" when not known. */
struct envelope_client {
	char addr[64]; /* "192.0.2.1", "2001:db8::1", "" for a pipe */
	unsigned port;
	char name[ENVELOPE_TEXT_MAX]; /* verified reverse name */
	char helo[ENVELOPE_TEXT_MAX]; /* what it said after EHLO or HELO */
	char proto
	    [16]; /* "SMTP", "ESMTP", "ESMTPS", "UTF8SMTPS" (RFC 3848, 6531) */
	char tls[ENVELOPE_TEXT_MAX]; /* "TLS1.3/AES-256-GCM", "" in the clear */
};

struct envelope {
	int64_t arrival_us;
	struct envelope_client client;
	bool has_clock;
	int64_t up_s, all_s;   /* Bmx-Clock, where has_clock */
	char *notice;          /* Bmx-Notice, malloc'ed; NULL: other mail */
	struct smtp_mail mail; /* reverse-path and its parameters */
	struct envelope_rcpt *rcpts;
	size_t nrcpt;
	size_t rcpt_room; /* allocated */
};

/* clang-format off */
#define ENVELOPE_INIT { .rcpts = NULL }
/* clang-format on */

/* Append one pending recipient (a copy). -1: ENVELOPE_RCPT_MAX are there
 * already (ERR_PERM), or no memory (ERR_TEMP). */
int envelope_add(struct envelope *env, const struct smtp_rcpt *r,
    struct err *e);

/* Append the fields to b. Only recipients for which keep[i] is true are
 * written, all when keep is NULL. -1: ERR_TEMP, memory, or a value with a
 * control character (no parser of ours lets one in). In texts of the client
 * what is not printable ASCII comes out as '?'. */
int envelope_format(const struct envelope *env, const bool *keep, struct buf *b,
    struct err *e);

/*
 * Read the envelope at the start of data, which may hold more. Returns its
 * length in bytes, or 0 when data ends before the envelope does (read more;
 * at the end of a file: it is not whole), or -1 (ERR_DATA, or ERR_TEMP for
 * memory): not an envelope of ours. What was in env is forgotten; after 0 and
 * -1 it is empty.
 * A field that is not known is passed over, and so is an unknown key in
 * Bmx-Client. Nothing in the file is trusted: addresses and parameters pass
 * the parser they passed on arrival.
 */
long envelope_parse(struct envelope *env, const char *data, size_t len,
    struct err *e);

/* Recipients that still wait. */
size_t envelope_pending(const struct envelope *env);

/* Forget all, release memory; usable again. */
void envelope_reset(struct envelope *env);

#endif
