#ifndef BMX_MXCHECK_POLICY_FETCH_H
#define BMX_MXCHECK_POLICY_FETCH_H

#include "bmx-mxcheck/facts_smtp.h"
#include "mail/addr.h"
#include "net/dns.h"

/* The MTA-STS policy of a domain as facts (RFC 8461 section 3). */

struct policy_job {
	char domain[ADDR_DOMAIN_MAX + 1];
	unsigned timeout_s;
	const char *ca_file;           /* roots; NULL: the system's */
	const struct dns_options *dns; /* whom to ask for addresses */
};

/* Over HTTPS, as it is published now; it waits, so it is a worker_run: job is a
 * struct policy_job, result a struct fact_policy. */
void policy_fetch(const void *job, void *result);

/* Out of a file, as it is to be published. */
void policy_read(struct fact_policy *p, const char *path);

/* There is no policy to be judged, because. */
void policy_fail(struct fact_policy *p, const char *why);

#endif
