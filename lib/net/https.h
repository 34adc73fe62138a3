#ifndef BMX_HTTPS_H
#define BMX_HTTPS_H

#include "base/buf.h"
#include "base/err.h"
#include "net/connect.h"

/*
 * One small file by HTTPS, with libcurl. That is in a module, bmx-https.so
 * beside bmx-tls.so (see tls.h), which is opened here and nowhere else, so
 * that no run loads libcurl that fetches nothing.
 *
 * The certificate must be in date, of a root, and for the host; TLS 1.2 is the
 * floor. No redirect is followed, no proxy asked, no name looked up: the
 * addresses are the caller's.
 */

#define HTTPS_ADDRESSES_MAX 8

enum https_result {
	HTTPS_OK,
	HTTPS_NO_ANSWER,   /* no connection, or it broke, or took too long */
	HTTPS_NOT_FETCHED, /* an answer, but not with the file */
	HTTPS_BAD_CERTIFICATE,
};

struct https_request {
	const char *host;
	const char *path; /* "/.well-known/mta-sts.txt" */
	unsigned port;
	struct endpoint to[HTTPS_ADDRESSES_MAX]; /* tried in this order */
	size_t nto;
	const char *ca_file; /* PEM roots; NULL: the system's */
	const char *type;    /* of the content, "text/plain" */
	unsigned timeout_ms; /* for all of it, not 0 */
};

/*
 * GET it, appending at most what b takes. 0 with *result, and *e says what is
 * wrong unless that is HTTPS_OK; what b has counts for HTTPS_OK alone. -1: our
 * own trouble, ERR_TEMP or ERR_CONFIG (no module, an unreadable file of
 * roots).
 */
int https_get(const struct https_request *r, struct buf *b,
    enum https_result *result, struct err *e);

#endif
