/* bmx-queue: look at the spool, and act on what is in it; and what is known of
 * recipients. */

#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/names.h"
#include "base/options.h"
#include "bmx-queue/filter.h"
#include "bmx-queue/monitor.h"
#include "bmx-queue/output.h"
#include "bmx-queue/request.h"
#include "bmx-queue/select.h"
#include "bmx-queue/verbs.h"
#include "spool/config.h"
#include "spool/spool.h"

#define OUTPUT_BUFFER 65536 /* bytes: a list is long */

static const struct options_usage usage = {
	"bmx-queue",
	"[VERB] [OPTION...] [ID | DOMAIN | DOMAIN/ID | -]...",
	"  look   list (the default), count, show, explain, cat, shape, "
	"watch;\n         list --domains, --summary, --nagios, --prometheus\n"
	"  act    hold, release, retry, remove, bounce, expire; pause, "
	"resume DOMAIN\n"
	"  keep   readiness, fsck [--repair], export, import FILE, reconcile "
	"LOG;\n"
	"         recipients list, export, import, diff, forget\n"
	"Which: --domain, --sender, --recipient GLOB; --older, --newer SPAN;\n"
	"--larger, --smaller SIZE; --held; --error TEXT. - reads names from "
	"stdin.",
	"  bmx-queue --domains | bmx-probe --up - | xargs -r bmx-flush\n"
	"  bmx-queue explain ID                    why it is still there\n"
	"  bmx-queue remove --sender 'win@*' --older 2d      only lists: "
	"--yes\n",
};

/* Names that mean nothing are told and passed over. */
static int
read_names(struct select *s, const struct request *r, struct output *o,
    struct err *e)
{
	struct names names = NAMES_INIT(r->names, stdin);
	const char *name;
	int rc;

	s->is_all = r->names[0] == NULL;
	while ((rc = names_next(&names, &name, e)) == 1) {
		if (select_add(s, name, e) == 0)
			continue;
		if (names.line_number > 0)
			err_prefix(e, "line %lu", names.line_number);
		output_complain(o, e);
	}
	names_free(&names);
	return rc;
}

/* What the verb's reach needs, then the verb. */
static int
run(struct job *job, struct err *e)
{
	const struct verb *verb = job->r->verb;
	const struct config_host *host = &job->conf->host;
	int rc = -1;

	if (verb->reach == REACH_NOTHING)
		return verb->run(job, e);
	if (spool_act_as_owner(host->spool, e) == -1 ||
	    spool_open(&job->sp, host->spool, e) == -1)
		goto out;
	if ((verb->takes & NEEDS_LOG) != 0 &&
	    log_open("bmx-queue", host->log, e) == -1)
		goto out;
	if (verb->reach == REACH_DOMAINS &&
	    (read_names(&job->s, job->r, job->o, e) == -1 ||
		select_domains(&job->s, &job->sp, e) == -1))
		goto out;
	rc = verb->run(job, e);
	if (rc == 0 && !job->r->nagios)
		job_tell_missing(job);
out:
	select_free(&job->s);
	spool_close(&job->sp);
	return rc;
}

static enum output_form
choose_form(const struct request *r)
{
	if (r->json)
		return OUTPUT_JSON;
	return isatty(STDOUT_FILENO) ? OUTPUT_TABLE : OUTPUT_LINES;
}

int
main(int argc, char **argv)
{
	static char room[OUTPUT_BUFFER]; /* stdout's, which outlives main() */
	struct request r = REQUEST_INIT;
	struct options options = OPTIONS_INIT;
	const struct poptOption rows[] = {
		{ "json", 'j', POPT_ARG_NONE, &r.json, 0,
		    "one JSON object per line", NULL },
		{ "reason", 'r', POPT_ARG_STRING, &r.reason, 0,
		    "why, for the logs and the ledger", "TEXT" },
		{ "yes", 'y', POPT_ARG_NONE, &r.yes, 0,
		    "really do it to more than single messages", NULL },
		OPTIONS_COMMON(&options),
		FILTER_OPTIONS(&r.filter),
		REQUEST_OPTIONS(&r),
		POPT_TABLEEND,
	};
	struct config conf = CONFIG_INIT;
	struct output o = { .data = stdout, .talk = stderr };
	struct job job = { .r = &r,
		.conf = &conf,
		.uid = getuid(),
		.o = &o,
		.sp = SPOOL_INIT,
		.s = SELECT_INIT };
	struct err e = ERR_INIT;
	int rc = options_parse(&options, &usage, rows, argc, argv, &e);

	if (rc != 0)
		goto out;
	o.now_us = clock_wall_us();
	job.s.filter = &r.filter;
	rc = request_begin(&r, options.args, o.now_us, &e);
	if (rc == 0)
		rc = config_load(&conf, options.config_path, &e);
	if (rc == -1)
		goto out;
	if (options.check_config) {
		config_print(&conf);
		goto out;
	}
	o.form = choose_form(&r);
	if (o.form != OUTPUT_TABLE) /* without room, the size is ignored */
		setvbuf(stdout, room, _IOFBF, sizeof room);
	rc = run(&job, &e);
out:
	if (rc == -1 && r.nagios)
		monitor_unknown(&o, &e);
	else if (rc == -1)
		output_complain(&o, &e);
	if (output_finish(&o) == -1 && r.nagios)
		o.status = MONITOR_UNKNOWN;
	config_free(&conf);
	options_free(&options);
	request_free(&r);
	return o.status;
}
