#ifndef BMX_DNS_CODEC_H
#define BMX_DNS_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/dns.h"

/*
 * DNS messages <-> structs, for dns*.c: bytes in, struct out, no socket and no
 * clock. RFC 1035 section 4, RFC 6891 (EDNS).
 */

#define DNS_WIRE_NAME_MAX 255 /* RFC 1035 2.3.4 */

/* Header, name, type and class, OPT. */
#define DNS_QUERY_MAX (12 + DNS_WIRE_NAME_MAX + 4 + 11)

/* What we take over UDP: fits every path that IPv6 may have (RFC 8200 5). */
#define DNS_EDNS_SIZE 1232

/* A server that a question is for; len 0: any of the engine's. */
struct dns_place {
	unsigned char addr[16];
	unsigned len; /* 0, 4 or 16 */
	unsigned port;
};

struct dns_question {
	unsigned char wire[DNS_WIRE_NAME_MAX]; /* lower case */
	size_t len;
	enum dns_type type;
	struct dns_place at; /* there without recursion */
	bool is_unchecked;   /* CD */
};

/* In the plain way: at and is_unchecked are the caller's to set.
 * False: the name cannot be asked (empty label, label over 63, name over 255
 * octets, a bad escape, or ""). "." is the root; one final dot is fine. */
bool dns_question_set(struct dns_question *q, const char *name,
    enum dns_type type);
bool dns_place_same(const struct dns_place *a, const struct dns_place *b);
bool dns_question_same(const struct dns_question *a,
    const struct dns_question *b);

/* The name as text, as in struct dns_answer. Returns out. */
char *dns_question_name(const struct dns_question *q, char out[DNS_NAME_MAX]);

/* The query; edns adds OPT with DNS_EDNS_SIZE and DO. Returns its length. */
size_t dns_encode(const struct dns_question *q, uint16_t id, bool edns,
    unsigned char out[DNS_QUERY_MAX]);

enum dns_verdict {
	DNS_STRANGE,  /* not a reply to this question: go on waiting */
	DNS_CUT,      /* TC: ask again over TCP */
	DNS_FAILED,   /* this server does not answer, see status */
	DNS_ANSWERED, /* see answer: OK, NODATA or NXDOMAIN */
};

struct dns_reply {
	enum dns_verdict verdict;
	enum dns_status
	    status;      /* of DNS_FAILED: SERVFAIL, REFUSED, MALFORMED */
	bool blame_edns; /* of DNS_FAILED: may go well without OPT */
	struct dns_answer *answer; /* of DNS_ANSWERED: the caller's */
};

/*
 * Read a packet that came from the server that was asked. A reply that cannot
 * be stored (memory) counts as DNS_STRANGE, as if it had been lost.
 * answer->is_authentic is the packet's AD; see dns_answer_stamp().
 */
void dns_decode(const struct dns_question *q, uint16_t id,
    const unsigned char *packet, size_t len, struct dns_reply *reply);

/* Letters are compared without case, RFC 4343; others are left alone. */
static inline unsigned char
dns_lower(unsigned char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c + 'a' - 'A') : c;
}

#endif
