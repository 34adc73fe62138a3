#ifndef BMX_STS_FIND_H
#define BMX_STS_FIND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "net/dns.h"
#include "net/tls.h"
#include "smtp/sts.h"

/*
 * The MTA-STS policy in force for a domain: RFC 8461 sections 3 and 5.1.
 *
 * STATE/mta-sts/DOMAIN keeps the last good policy and when a fetch was tried
 * last. A policy counts until it is max_age old, whatever DNS and the web
 * server say meanwhile. It is fetched when the record's id is another one, or
 * the policy a day or half of its life old; after a failure not again for five
 * minutes. A damaged file counts as none.
 */

struct sts_source {
	struct dns *dns;
	const char *state;   /* bmx.conf's directory */
	const char *ca_file; /* roots for the web server; NULL: the system's */
	bool is_offline;     /* what is kept has to do: ask nobody */
	int64_t deadline_ms; /* of a fetch, monotonic; 0: 30 s from its begin */
};

struct sts_found {
	bool has_policy; /* one is in force; else the rest is trouble, if any */
	struct sts_policy policy;
	enum tls_result result; /* TLS_OK, or what kept us from a fresh one */
	bool is_unanswered;     /* it was that no web server answered */
	char why[TLS_TEXT_MAX]; /* in words, printable; not empty with TLS_OK:
				   the policy could not be kept */
};

/* now_s: 1970 seconds. 0, whatever others said; -1: our own trouble
 * (ERR_TEMP), ERR_CONFIG: no HTTPS module, bad roots. */
int sts_find(const char *domain, const struct sts_source *from, int64_t now_s,
    struct sts_found *found, struct err *e);

/* The policy as it is published now, for those who know that there is one: no
 * record is asked for, nothing kept counts, nothing is kept. */
int sts_fetch(const char *domain, const struct sts_source *from,
    struct sts_found *found, struct err *e);

#endif
