#ifndef BMX_MXCHECK_CERTIFICATE_H
#define BMX_MXCHECK_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>

#include "bmx-mxcheck/facts_smtp.h"

/*
 * The digests of a certificate in DER (RFC 5280 section 4.1) and of the public
 * key in it: what TLSA records hold, RFC 6698 section 2.1. Nothing else of it
 * is looked at. False: it is none.
 */
bool certificate_digests(const unsigned char *der, size_t len,
    struct fact_certificate *out);

/* What kind of key is in it (RFC 3279 section 2.3.1, RFC 5480 section 2.1.1). */
enum certificate_key {
	CERTIFICATE_RSA,
	CERTIFICATE_ECDSA,
	CERTIFICATE_OTHER, /* or it is no certificate */
};
enum certificate_key certificate_key(const unsigned char *der, size_t len);

/* Does a TLSA record name this certificate or its key? */
struct fact_tlsa;
bool certificate_matches(const struct fact_certificate *c,
    const struct fact_tlsa *t);

#endif
