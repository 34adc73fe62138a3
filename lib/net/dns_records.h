#ifndef BMX_DNS_RECORDS_H
#define BMX_DNS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include <arpa/nameser.h>

#include "net/dns_codec.h"

/*
 * From the records of a reply to an answer, for dns_codec.c. Header and
 * question were compared before. Whatever the packet holds, the work is
 * bounded, and so is the answer.
 */

#define DNS_ALIASES_MAX 8       /* CNAMEs that are followed */
#define DNS_TTL_MAX 0x7fffffffu /* a larger one counts as 0, RFC 2181 8 */

/* Compression pointers of one name: it has no more labels, and one may stand
 * behind each. */
#define DNS_HOPS_MAX 127

/* Bytes of records. All text of one reply of 64 KiB fits; thousands of long
 * names that compression made small do not. */
#define DNS_ANSWER_MAX (256 * 1024)

struct dns_records {
	const struct dns_question *question;
	const unsigned char *packet;
	size_t len;
	ns_msg msg;
	unsigned extended_rcode; /* upper bits, from OPT; RFC 6891 6.1.3 */
};

/* False: a record is cut, a name is a loop, or bytes follow the last record. */
bool dns_records_open(struct dns_records *r, const struct dns_question *q,
    const unsigned char *packet, size_t len);

/* The answer, through its aliases; denied: the rcode was NXDOMAIN. False: it
 * is malformed. *answer stays NULL when there is no memory. */
bool dns_records_answer(struct dns_records *r, bool denied,
    struct dns_answer **answer);

#endif
