#ifndef BMX_TLSA_H
#define BMX_TLSA_H

#include <stdbool.h>
#include <stddef.h>

#include "net/tls.h"

/*
 * TLSA records (RFC 6698) as SMTP uses them (RFC 7672 section 3.1). Bytes in,
 * records out; they borrow the bytes.
 */

/*
 * One record as on the wire. False: it cannot be used, which is no mistake of
 * the sender's: usage 0 or 1 (PKIX-TA, PKIX-EE: RFC 7672 3.1.3), a selector or
 * matching type that nobody has defined, a digest of the wrong length, or no
 * data.
 */
bool tlsa_parse(const unsigned char *data, size_t len, struct tls_tlsa *record);

/*
 * Add one record to those of a demand. Where there are digests of one usage
 * and selector, only the strongest kind counts (RFC 7672 section 5): call
 * tlsa_choose() behind the last one. False: it is not used.
 */
bool tlsa_add(struct tls_demand *demand, const unsigned char *data, size_t len);
void tlsa_choose(struct tls_demand *demand);

#endif
