#include "policy_fetch.h"

#include <string.h>

#include "base/text.h"

void
policy_fail(struct fact_policy *p, const char *why)
{
	p->is_valid = false;
	text_safe(p->why, sizeof p->why, why);
}

void
policy_fetch(const void *job, void *result)
{
	(void)job;
	policy_fail(result, "not fetched");
}

void
policy_read(struct fact_policy *p, const char *path)
{
	policy_fail(p, path);
}
