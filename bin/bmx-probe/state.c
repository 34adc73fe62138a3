#include "bmx-probe/state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/log.h"
#include "base/text.h"
#include "smtp/learn.h"

static bool
has_session(const struct probe_result *r)
{
	return r->result == PRIMARY_UP && r->decided != NULL && r->is_usual;
}

/* What the primary can do, as it said in a session that was good. */
static void
take_offers(struct primary *now, const struct probe_result *r)
{
	if (!has_session(r))
		return;
	snprintf(now->address, sizeof now->address, "%s", r->decided->address);
	snprintf(now->host, sizeof now->host, "%.255s", r->decided->host);
	now->plain = r->decided->plain;
	now->secured = r->decided->secured;
}

static void
take_tls(struct primary *now, const struct config_domain *domain,
    const struct probe_result *r, int64_t now_s)
{
	if (has_session(r))
		learn_tls(now, domain, r->decided->tls[0] != '\0',
		    r->decided->is_authenticated, now_s);
}

static void
take_latencies(struct primary *now, const struct probe_result *r)
{
	const struct probe_address *a = r->decided;

	primary_took(now, PRIMARY_DNS, r->dns_ms);
	for (int i = PRIMARY_CONNECT; a != NULL && i < PRIMARY_PHASES; i++)
		if (a->ms[i] != -1)
			primary_took(now, (enum primary_phase)i, a->ms[i]);
}

static void
log_change(const struct config_domain *domain, enum primary_verdict before,
    const struct primary *now)
{
	void (*log_line)(const char *, ...) =
	    now->verdict == PRIMARY_UP ? log_info : log_warn;
	char reason[sizeof now->reason];

	memcpy(reason, now->reason, sizeof reason);
	log_line("domain=%s primary=%s was=%s address=%s reason=\"%s\"",
	    domain->name, primary_verdict_name(now->verdict),
	    primary_verdict_name(before),
	    now->address[0] != '\0' ? now->address : "-",
	    text_quotable(reason));
}

static int
learn(int domain_fd, const struct config_domain *domain,
    const struct probe_result *r, int64_t now_s, struct primary *now,
    enum primary_verdict *was, struct err *e)
{
	struct err damage = ERR_INIT;
	bool has_changed, was_flapping;

	if (primary_read(domain_fd, now_s, domain->state_age_s, now, &damage) ==
	    -1)
		log_warn("domain=%s %s: begun anew", domain->name, damage.text);
	*was = now->verdict;
	was_flapping = now->is_flapping;
	has_changed = primary_learn(now, r->result, r->reason, domain->rise,
	    domain->fall, now_s);
	if (now->told == PRIMARY_UNKNOWN && now->verdict == PRIMARY_UP)
		now->told = PRIMARY_UP; /* a new domain that works is no news */
	take_offers(now, r);
	take_tls(now, domain, r, now_s);
	take_latencies(now, r);
	if (primary_write(domain_fd, now, e) == -1)
		return -1;
	if (has_changed)
		log_change(domain, *was, now);
	if (now->is_flapping != was_flapping)
		log_warn("domain=%s primary=%s flapping=%s", domain->name,
		    primary_verdict_name(now->verdict),
		    now->is_flapping ? "yes" : "no");
	return 0;
}

int
state_learn(const struct spool *sp, const struct config_domain *domain,
    const struct probe_result *r, int64_t now_s, struct primary *now,
    enum primary_verdict *was, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc;

	if (spool_domain_open(&d, sp, domain->name, true, e) == -1)
		return -1;
	primary_lock(d.fd); /* until the directory is closed */
	rc = learn(d.fd, domain, r, now_s, now, was, e);
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

int
state_look(const struct spool *sp, const struct config_domain *domain,
    int64_t now_s, struct primary *now, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct err damage = ERR_INIT;
	int rc = spool_domain_open(&d, sp, domain->name, false, e);

	*now = (struct primary)PRIMARY_INIT;
	if (rc == 1)
		primary_read(d.fd, now_s, domain->state_age_s, now, &damage);
	spool_domain_close(&d);
	return rc == -1 ? -1 : 0;
}

bool
state_begin_to_tell(const struct spool *sp, const struct config_domain *domain,
    int64_t now_s, const struct primary *news)
{
	struct err ignored = ERR_INIT;
	struct primary now;

	while (flock(sp->fd, LOCK_EX) == -1 && errno == EINTR)
		;
	return state_look(sp, domain, now_s, &now, &ignored) == -1 ||
	       (now.verdict == news->verdict && now.told == news->told);
}

void
state_end_of_telling(const struct spool *sp)
{
	flock(sp->fd, LOCK_UN);
}

int
state_tell(const struct spool *sp, const char *domain,
    enum primary_verdict verdict, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct primary now;
	int rc = spool_domain_open(&d, sp, domain, false, e);

	if (rc == 1) {
		primary_lock(d.fd);
		rc = primary_read(d.fd, 0, 0, &now, e);
	}
	if (rc == 1) {
		now.told = verdict;
		rc = primary_write(d.fd, &now, e);
	}
	spool_domain_close(&d);
	return rc == -1 ? -1 : 0;
}
