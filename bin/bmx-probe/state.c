#include "bmx-probe/state.h"

#include <stdio.h>

#include "base/log.h"

/* What the primary can do, as it said in a session that was good. */
static void
take_offers(struct primary *now, const struct probe_result *r)
{
	if (r->result != PRIMARY_UP || r->decided == NULL)
		return;
	snprintf(now->address, sizeof now->address, "%s", r->decided->address);
	now->plain = r->decided->plain;
	now->secured = r->decided->secured;
}

static void
log_change(const struct config_domain *domain, enum primary_verdict before,
    const struct primary *now)
{
	void (*log_line)(const char *, ...) =
	    now->verdict == PRIMARY_UP ? log_info : log_warn;

	log_line("domain=%s primary=%s was=%s address=%s reason=\"%s\"",
	    domain->name, primary_verdict_name(now->verdict),
	    primary_verdict_name(before),
	    now->address[0] != '\0' ? now->address : "-", now->reason);
}

static int
learn(int domain_fd, const struct config_domain *domain,
    const struct probe_result *r, int64_t now_s, struct primary *now,
    struct err *e)
{
	struct err damage = ERR_INIT;
	enum primary_verdict before;
	bool has_changed;

	if (primary_read(domain_fd, now_s, domain->state_age_s, now, &damage) ==
	    -1)
		log_warn("domain=%s %s: begun anew", domain->name, damage.text);
	before = now->verdict;
	has_changed = primary_learn(now, r->result, r->reason, domain->rise,
	    domain->fall, now_s);
	take_offers(now, r);
	if (primary_write(domain_fd, now, e) == -1)
		return -1;
	if (has_changed)
		log_change(domain, before, now);
	return 0;
}

int
state_learn(const struct spool *sp, const struct config_domain *domain,
    const struct probe_result *r, int64_t now_s, struct primary *now,
    struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc;

	if (spool_domain_open(&d, sp, domain->name, true, e) == -1)
		return -1;
	rc = learn(d.fd, domain, r, now_s, now, e);
	spool_domain_close(&d);
	return rc;
}

void
state_of_result(const struct probe_result *r, int64_t now_s,
    struct primary *now)
{
	*now = (struct primary)PRIMARY_INIT;
	primary_learn(now, r->result, r->reason, 1, 1, now_s);
	take_offers(now, r);
}
