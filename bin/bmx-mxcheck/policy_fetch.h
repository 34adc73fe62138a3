#ifndef BMX_MXCHECK_POLICY_FETCH_H
#define BMX_MXCHECK_POLICY_FETCH_H

#include "bmx-mxcheck/facts_smtp.h"
#include "mail/addr.h"

/* The MTA-STS policy of a domain as facts (RFC 8461 section 3). */

struct policy_job {
	char domain[ADDR_DOMAIN_MAX + 1];
	unsigned timeout_s;
};

/* Over HTTPS; it waits, so it is a worker_run: job is a struct policy_job,
 * result a struct fact_policy. */
void policy_fetch(const void *job, void *result);

/* Out of a file, as it is to be published. */
void policy_read(struct fact_policy *p, const char *path);

/* There is no policy, because. */
void policy_fail(struct fact_policy *p, const char *why);

#endif
