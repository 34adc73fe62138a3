#ifndef BMX_TRACE_H
#define BMX_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/envelope.h"

/*
 * Received fields: writing ours (RFC 5321 section 4.4, RFC 3848, RFC 6531
 * 4.3), counting the ones that are there (6.3).
 */

/* More Received fields than this is a loop: 6.3 says at least 100. */
#define TRACE_HOPS_MAX 100
#define TRACE_OWN_HOPS_MAX 3 /* times the message may have passed this host */

/*
 * Append our field: "Received: from HELO (NAME [IP]) by HOST with PROTO id ID
 * (TLS) for <RCPT>; DATE", folded, CRLF. What is not known is left out, but
 * an unknown name is "unknown". HELO is shown with '?' for every character
 * that no host name or address literal has, so that it cannot end the clause
 * it stands in. The message's SMTPUTF8 makes ESMTP(S) into UTF8SMTP(S).
 * only_rcpt is NULL unless the message has one recipient (RFC 5321 7.2).
 */
void trace_received(struct buf *b, const struct envelope *env,
    const char *hostname, const char *id, const char *only_rcpt);

/*
 * Reads the header section as it streams by and counts. Fields may be folded
 * anywhere; a field counts once; the first empty line ends the counting.
 */
enum trace_state {
	TRACE_LINE_START,
	TRACE_LINE_CR, /* after a CR at the start of a line */
	TRACE_NAME,    /* as far as it may become "Received" */
	TRACE_VALUE,
	TRACE_BODY,
};

struct trace_counter {
	const char *hostname; /* ours: "by HOSTNAME" counts as own; borrowed */
	unsigned hops;
	unsigned own_hops;
	/* private */
	enum trace_state state;
	size_t name_len;  /* bytes of "Received" seen, in TRACE_NAME */
	bool in_received; /* the field being read is a Received */
	bool after_by;    /* its last word was "by" */
	bool is_own;      /* it has been counted as own */
	size_t word_len;  /* of the word being read; longer ones are cut */
	char word[ADDR_DOMAIN_MAX + 2];
};

void trace_counter_init(struct trace_counter *t, const char *hostname);
void trace_count(struct trace_counter *t, const char *data, size_t len);

#endif
