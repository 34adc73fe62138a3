#include "policy_fetch.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "smtp/sts_find.h"

void
policy_fail(struct fact_policy *p, const char *why)
{
	p->is_valid = false;
	p->is_unreachable = true;
	text_safe(p->why, sizeof p->why, why);
}

/* It can be judged, and this is the verdict. */
static void
refuse(struct fact_policy *p, const char *why)
{
	policy_fail(p, why);
	p->is_unreachable = false;
}

static void
accept(struct fact_policy *p, const struct sts_policy *policy)
{
	static const enum fact_sts_mode modes[] = {
		[STS_NONE] = STS_MODE_NONE,
		[STS_TESTING] = STS_MODE_TESTING,
		[STS_ENFORCE] = STS_MODE_ENFORCE,
	};

	p->is_valid = true;
	p->mode = modes[policy->mode];
	p->max_age_s = (uint64_t)policy->max_age_s;
	for (size_t i = 0; i < policy->nmx; i++)
		snprintf(p->patterns[i], sizeof p->patterns[i], "%s",
		    policy->mx[i]);
	p->npatterns = policy->nmx;
}

static int
fetch(const struct policy_job *job, struct dns *dns, struct sts_found *found,
    struct err *e)
{
	const struct sts_source from = { .dns = dns,
		.ca_file = job->ca_file,
		.deadline_ms =
		    clock_monotonic_ms() + (int64_t)job->timeout_s * 1000 };

	return sts_fetch(job->domain, &from, found, e);
}

void
policy_fetch(const void *job, void *result)
{
	const struct policy_job *j = job;
	struct fact_policy *p = result;
	struct sts_found *found = calloc(1, sizeof *found);
	struct err e = ERR_INIT;
	struct dns *dns = dns_open(j->dns, &e);

	if (found == NULL)
		policy_fail(p, "out of memory");
	else if (dns == NULL || fetch(j, dns, found, &e) == -1)
		policy_fail(p, e.text);
	else if (found->has_policy)
		accept(p, &found->policy);
	else if (found->is_unanswered)
		policy_fail(p, found->why);
	else
		refuse(p, found->why);
	dns_close(dns);
	free(found);
}

void
policy_read(struct fact_policy *p, const char *path)
{
	struct buf b = BUF_INIT(STS_POLICY_MAX);
	struct sts_policy *policy = calloc(1, sizeof *policy);
	struct err e = ERR_INIT;
	int rc = policy == NULL ? err_temp(&e, "out of memory")
				: file_read(AT_FDCWD, path, &b, &e);

	if (rc == 0)
		err_data(&e, "%s: there is no such file", path);
	if (rc != 1)
		policy_fail(p, e.text);
	else if (sts_parse(b.data, b.len, policy, &e) == -1)
		refuse(p, e.text);
	else
		accept(p, policy);
	free(policy);
	buf_free(&b);
}
