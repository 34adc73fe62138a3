#include "bmx-queue/verbs.h"

#include <string.h>

#include "bmx-queue/act.h"
#include "bmx-queue/census.h"
#include "bmx-queue/explain.h"
#include "bmx-queue/export.h"
#include "bmx-queue/fsck.h"
#include "bmx-queue/import.h"
#include "bmx-queue/list.h"
#include "bmx-queue/measure.h"
#include "bmx-queue/monitor.h"
#include "bmx-queue/pause.h"
#include "bmx-queue/readiness.h"
#include "bmx-queue/recipients.h"
#include "bmx-queue/reconcile.h"
#include "bmx-queue/shape.h"
#include "bmx-queue/show.h"
#include "bmx-queue/watch.h"

/* ---- names that mean nothing ---- */

/* A domain is known by bmx.conf, or by mail that is still there. */
static bool
is_domain_known(const char *name, const struct config *conf,
    const struct spool *sp)
{
	struct spool_domain d;
	struct err ignored;
	bool is_spooled = spool_domain_open(&d, sp, name, false, &ignored) == 1;

	spool_domain_close(&d);
	return is_spooled || config_find(conf, name) != NULL;
}

void
job_tell_missing(const struct job *job)
{
	const struct select_want *want;
	struct err e;

	for (size_t i = 0; (want = select_missing(&job->s, &i)) != NULL;) {
		if (want->id[0] != '\0')
			err_perm(&e, "%s%s%s: no such message%s", want->domain,
			    want->domain[0] == '\0' ? "" : "/", want->id,
			    job->r->filter.domain == NULL
				? ""
				: " in the domains of --domain");
		else if (is_domain_known(want->domain, job->conf, &job->sp))
			continue;
		else
			err_perm(&e, "%s: no such domain in the spool or in %s",
			    want->domain, job->conf->path);
		output_complain(job->o, &e);
	}
}

/* ---- looking ---- */

static int
scan(struct job *job, struct err *e)
{
	return select_scan(&job->s, &job->sp, job->o, e);
}

static int
run_nagios(struct job *job, struct err *e)
{
	const struct monitor_limits none = { -1, -1, -1, -1, -1 };
	struct monitor_limits warn = none, crit = none;
	const struct request *r = job->r;
	struct counts sum;

	if (monitor_parse(&warn, "--warn",
		r->warn == NULL ? MONITOR_WARN : r->warn, e) == -1 ||
	    monitor_parse(&crit, "--crit",
		r->crit == NULL ? MONITOR_CRIT : r->crit, e) == -1)
		return -1;
	if (census_total(&sum, &job->s, &job->sp, job->o, e) == -1)
		return -1;
	job_tell_missing(job); /* before the line that says whether all is OK */
	return monitor_nagios(&warn, &crit, &sum, &job->sp, job->o, e);
}

static int
run_list(struct job *job, struct err *e)
{
	const struct request *r = job->r;

	if (r->nagios)
		return run_nagios(job, e);
	if ((request_is_overview(r) || r->prometheus) && select_has_id(&job->s))
		return err_usage(e,
		    "--domains, --summary and --prometheus take domains, not "
		    "IDs");
	if (r->prometheus)
		return monitor_prometheus(r->output, &job->s, job->conf,
		    &job->sp, job->o, e);
	if (r->domains)
		return list_waiting(&job->s, &job->sp, r->null ? '\0' : '\n',
		    job->o, e);
	if (r->summary)
		return list_summary(&job->s, &job->sp, job->o, e);
	if (scan(job, e) == -1)
		return -1;
	if (r->null)
		return list_names(&job->s, &job->sp, job->o, e);
	return list_messages(&job->s, job->conf, &job->sp, job->o, e);
}

static int
run_count(struct job *job, struct err *e)
{
	return list_count(&job->s, &job->sp, job->o, e);
}

static int
run_show(struct job *job, struct err *e)
{
	if (scan(job, e) == -1)
		return -1;
	return show_messages(&job->s, job->conf, &job->sp, job->o, e);
}

static int
run_cat(struct job *job, struct err *e)
{
	if (select_has_domain(&job->s))
		return err_usage(e, "cat takes IDs, not domains");
	if (scan(job, e) == -1)
		return -1;
	return show_content(&job->s, &job->sp, job->o, e);
}

static int
run_explain(struct job *job, struct err *e)
{
	if (!select_has_id(&job->s) && !filter_is_given(&job->r->filter))
		return explain_domains(&job->s, job->conf, &job->sp, job->o, e);
	if (scan(job, e) == -1)
		return -1;
	return explain_messages(&job->s, job->conf, &job->sp, job->o, e);
}

static int
run_shape(struct job *job, struct err *e)
{
	enum shape_by by = SHAPE_DOMAIN;

	if (job->r->by != NULL && shape_parse_by(job->r->by, &by, e) == -1)
		return -1;
	return shape(by, &job->s, &job->sp, job->o, e);
}

static int
run_watch(struct job *job, struct err *e)
{
	if (job->r->count < 0)
		return err_usage(e, "--count is a number");
	return watch((unsigned)job->r->count, &job->s, &job->sp, job->o, e);
}

/* ---- acting ---- */

/* 0 stays without --until. */
static int
take_until(const struct job *job, int64_t *until_s, struct err *e)
{
	return job->r->until == NULL ? 0
				     : measure_until("--until", job->r->until,
					   job->o->now_us, until_s, e);
}

static int
act(struct job *job, enum act what, struct err *e)
{
	const struct request *r = job->r;
	struct act_order order = {
		.act = what,
		.reason = r->reason == NULL ? "" : r->reason,
		.uid = job->uid,
		.dry =
		    act_is_final(what) && select_has_domain(&job->s) && !r->yes,
		.conf = job->conf,
	};
	size_t n;

	if (take_until(job, &order.until_s, e) == -1 || scan(job, e) == -1 ||
	    act_on_messages(&order, &job->s, &job->sp, &n, job->o, e) == -1)
		return -1;
	if (order.dry) {
		err_usage(e,
		    "nothing was done; with --yes it is done to what is "
		    "listed (%zu)",
		    n);
		output_complain(job->o, e);
	}
	return 0;
}

static int
run_hold(struct job *job, struct err *e)
{
	return act(job, ACT_HOLD, e);
}

static int
run_release(struct job *job, struct err *e)
{
	return act(job, ACT_RELEASE, e);
}

static int
run_retry(struct job *job, struct err *e)
{
	return act(job, ACT_RETRY, e);
}

static int
run_remove(struct job *job, struct err *e)
{
	return act(job, ACT_REMOVE, e);
}

static int
run_bounce(struct job *job, struct err *e)
{
	return act(job, ACT_BOUNCE, e);
}

static int
run_expire(struct job *job, struct err *e)
{
	return act(job, ACT_EXPIRE, e);
}

static int
pause_or_resume(struct job *job, bool is_resume, struct err *e)
{
	const struct request *r = job->r;
	struct pause_order order = {
		.is_resume = is_resume,
		.reason = r->reason == NULL ? "" : r->reason,
		.uid = job->uid,
		.conf = job->conf,
	};

	if (select_has_id(&job->s))
		return err_usage(e, "%s takes domains, not IDs", r->verb->name);
	if (take_until(job, &order.until_s, e) == -1)
		return -1;
	return pause_domains(&order, &job->s, &job->sp, job->o, e);
}

static int
run_pause(struct job *job, struct err *e)
{
	return pause_or_resume(job, false, e);
}

static int
run_resume(struct job *job, struct err *e)
{
	return pause_or_resume(job, true, e);
}

/* ---- keeping ---- */

static int
run_export(struct job *job, struct err *e)
{
	enum export_form form = EXPORT_MBOX;

	if (job->r->format != NULL &&
	    export_parse_form(job->r->format, &form, e) == -1)
		return -1;
	if (scan(job, e) == -1)
		return -1;
	return export_messages(form, job->r->output, &job->s, &job->sp, job->o,
	    e);
}

static int
run_import(struct job *job, struct err *e)
{
	const struct request *r = job->r;
	const struct import_order order = {
		.files = (const char *const *)r->names,
		.from = r->from,
		.to = (const char *const *)r->to,
		.reason = r->reason == NULL ? "" : r->reason,
		.uid = job->uid,
		.conf = job->conf,
	};

	return import_files(&order, &job->sp, job->o, e);
}

static int
run_readiness(struct job *job, struct err *e)
{
	const struct readiness_order order = { .skip = job->r->skip,
		.conf = job->conf };

	if (select_has_id(&job->s))
		return err_usage(e, "readiness takes domains, not IDs");
	return readiness(&order, &job->s, &job->sp, job->o, e);
}

static int
run_fsck(struct job *job, struct err *e)
{
	if (select_has_id(&job->s))
		return err_usage(e, "fsck takes domains, not IDs");
	return fsck(job->r->repair, &job->s, &job->sp, job->o, e);
}

static int
run_recipients(struct job *job, struct err *e)
{
	const struct request *r = job->r;
	struct recipients_order order = {
		.shrink_max = RECIPIENTS_SHRINK_MAX,
		.is_yes = r->yes,
		.uid = job->uid,
	};

	if (recipients_parse(&order, r->names, e) == -1)
		return -1;
	if ((r->force || r->max_shrink != -1) &&
	    order.verb != RECIPIENTS_IMPORT)
		return err_usage(e,
		    "--force and --max-shrink go with recipients import");
	if (r->yes && order.verb != RECIPIENTS_FORGET)
		return err_usage(e, "--yes goes with recipients forget");
	if (r->max_shrink < -1 || r->max_shrink > 100)
		return err_usage(e, "--max-shrink is a percentage");
	if (r->max_shrink != -1)
		order.shrink_max = (unsigned)r->max_shrink;
	if (r->force)
		order.shrink_max = 100;
	return recipients_run(&order, job->conf, job->o, e);
}

static int
run_reconcile(struct job *job, struct err *e)
{
	const struct reconcile_order order = {
		.log = job->r->names[0],
		.since = job->r->since,
	};

	if (job->r->names[1] != NULL)
		return err_usage(e, "reconcile takes one log");
	return reconcile_ledger(&order, &job->sp, job->o, e);
}

/* ---- the table ---- */

#define LOOKS (TAKES_FILTER | TAKES_JSON)
#define ACTS                                                                   \
	(TAKES_FILTER | TAKES_JSON | TAKES_REASON | NEEDS_SELECTION | NEEDS_LOG)

#define PAUSES (TAKES_JSON | TAKES_REASON | NEEDS_NAMES | NEEDS_LOG)

static const char ids_or_domains[] = "IDs or domains";

/* clang-format off */
static const struct verb verbs[] = {
	{ "list", ids_or_domains, LOOKS | TAKES_OVERVIEW | TAKES_OUTPUT | TAKES_MONITOR, REACH_DOMAINS, run_list },
	{ "count", ids_or_domains, LOOKS, REACH_DOMAINS, run_count },
	{ "show", ids_or_domains, LOOKS | NEEDS_SELECTION, REACH_DOMAINS, run_show },
	{ "cat", "IDs", TAKES_FILTER | NEEDS_NAMES, REACH_DOMAINS, run_cat },
	{ "explain", ids_or_domains, LOOKS | NEEDS_SELECTION, REACH_DOMAINS, run_explain },
	{ "shape", ids_or_domains, LOOKS | TAKES_BY, REACH_DOMAINS, run_shape },
	{ "watch", ids_or_domains, LOOKS | TAKES_COUNT, REACH_DOMAINS, run_watch },
	{ "hold", ids_or_domains, ACTS | TAKES_UNTIL, REACH_DOMAINS, run_hold },
	{ "release", ids_or_domains, ACTS, REACH_DOMAINS, run_release },
	{ "retry", ids_or_domains, ACTS, REACH_DOMAINS, run_retry },
	{ "remove", ids_or_domains, ACTS | TAKES_YES, REACH_DOMAINS, run_remove },
	{ "bounce", ids_or_domains, ACTS | TAKES_YES, REACH_DOMAINS, run_bounce },
	{ "expire", ids_or_domains, ACTS | TAKES_YES, REACH_DOMAINS, run_expire },
	{ "pause", "domains", PAUSES | TAKES_UNTIL, REACH_DOMAINS, run_pause },
	{ "resume", "domains", PAUSES, REACH_DOMAINS, run_resume },
	{ "fsck", "domains", TAKES_JSON | TAKES_REPAIR, REACH_DOMAINS, run_fsck },
	{ "export", ids_or_domains, LOOKS | TAKES_FORMAT | TAKES_OUTPUT | NEEDS_SELECTION, REACH_DOMAINS, run_export },
	{ "import", "files", TAKES_JSON | TAKES_REASON | TAKES_ENVELOPE | NEEDS_NAMES | NEEDS_LOG, REACH_SPOOL, run_import },
	{ "readiness", "domains", TAKES_JSON | TAKES_SKIP, REACH_DOMAINS, run_readiness },
	{ "recipients", "a verb", TAKES_JSON | TAKES_YES | TAKES_IMPORT, REACH_NOTHING, run_recipients },
	{ "reconcile", "a log", TAKES_JSON | TAKES_SINCE | NEEDS_NAMES, REACH_SPOOL, run_reconcile },
};
/* clang-format on */

const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}
