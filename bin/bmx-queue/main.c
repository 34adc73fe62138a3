/* bmx-queue: look at the spool, and act on single messages; and what is known
 * of recipients. */

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/names.h"
#include "base/options.h"
#include "base/text.h"
#include "bmx-queue/act.h"
#include "bmx-queue/list.h"
#include "bmx-queue/output.h"
#include "bmx-queue/recipients.h"
#include "bmx-queue/reconcile.h"
#include "bmx-queue/select.h"
#include "bmx-queue/show.h"
#include "spool/config.h"
#include "spool/spool.h"

static const struct options_usage usage = {
	"bmx-queue",
	"[VERB] [OPTION...] [ID | DOMAIN | DOMAIN/ID | -]...",
	"VERB: list (the default), show, cat, hold, release, remove; "
	"reconcile LOG;\nrecipients list, export, import, diff, forget. "
	"- reads names from stdin.",
	"  bmx-queue --domains | bmx-probe --up - | xargs -r bmx-flush\n"
	"  bmx-queue show ID                       and why it is still there\n"
	"  bmx-queue recipients diff example.com LIST\n",
};

enum verb {
	LIST,
	SHOW,
	CAT,
	REMOVE,
	HOLD,
	RELEASE,
	RECIPIENTS,
	RECONCILE,
};

static const char *const verbs[] = {
	[LIST] = "list",
	[SHOW] = "show",
	[CAT] = "cat",
	[REMOVE] = "remove",
	[HOLD] = "hold",
	[RELEASE] = "release",
	[RECIPIENTS] = "recipients",
	[RECONCILE] = "reconcile",
};

/* The command line. */
struct request {
	enum verb verb;
	const char **names; /* NULL-terminated */
	int domains, summary, null, json, yes, force;
	int max_shrink; /* -1: not given */
	char *reason;
	char *since; /* reconcile */
	struct recipients_order recipients;
};

/* The verb is the first argument, when it is one. */
static void
take_verb(struct request *r, const char **args)
{
	r->verb = LIST;
	r->names = args;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (args[0] != NULL && strcmp(args[0], verbs[i]) == 0) {
			r->verb = (enum verb)i;
			r->names = args + 1;
		}
	}
}

static bool
is_act(enum verb verb)
{
	return verb == REMOVE || verb == HOLD || verb == RELEASE;
}

static int
take_recipients(struct request *r, struct err *e)
{
	struct recipients_order *order = &r->recipients;

	if (r->verb == RECIPIENTS && recipients_parse(order, r->names, e) == -1)
		return -1;
	if ((r->force || r->max_shrink != -1) &&
	    (r->verb != RECIPIENTS || order->verb != RECIPIENTS_IMPORT))
		return err_usage(e,
		    "--force and --max-shrink go with recipients import");
	if (r->max_shrink < -1 || r->max_shrink > 100)
		return err_usage(e, "--max-shrink is a percentage");
	order->shrink_max = r->max_shrink == -1 ? RECIPIENTS_SHRINK_MAX
						: (unsigned)r->max_shrink;
	if (r->force)
		order->shrink_max = 100;
	order->is_yes = r->yes;
	order->uid = getuid();
	return 0;
}

static bool
may_say_yes(const struct request *r)
{
	return r->verb == REMOVE ||
	       (r->verb == RECIPIENTS &&
		   r->recipients.verb == RECIPIENTS_FORGET);
}

/* Options that would have no effect are mistakes. */
static int
check_request(const struct request *r, struct err *e)
{
	const char *verb = verbs[r->verb];

	if (r->verb != LIST && r->verb != RECIPIENTS && r->names[0] == NULL)
		return err_usage(e, "%s what? give IDs or domains", verb);
	if ((r->domains || r->summary) && r->verb != LIST)
		return err_usage(e, "%s takes no --domains or --summary", verb);
	if (r->domains && r->summary)
		return err_usage(e, "either --domains or --summary");
	if (r->null && (!r->domains || r->json))
		return err_usage(e, "--null goes with --domains");
	if (r->json && r->verb == CAT)
		return err_usage(e, "cat takes no --json");
	if (r->yes && !may_say_yes(r))
		return err_usage(e,
		    "--yes goes with remove and recipients forget");
	if (r->since != NULL && r->verb != RECONCILE)
		return err_usage(e, "--since goes with reconcile");
	if (r->verb == RECONCILE && r->names[1] != NULL)
		return err_usage(e, "reconcile takes one log");
	if (r->reason != NULL && !is_act(r->verb))
		return err_usage(e,
		    "--reason goes with remove, hold and release");
	return 0;
}

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

static int
check_names(const struct select *s, const struct request *r, struct err *e)
{
	if (r->verb == CAT && select_has_domain(s))
		return err_usage(e, "cat takes IDs, not domains");
	if ((r->domains || r->summary) && select_has_id(s))
		return err_usage(e,
		    "--domains and --summary take domains, not IDs");
	return 0;
}

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

static void
tell_missing(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o)
{
	const struct select_want *want;
	struct err e;

	for (size_t i = 0; (want = select_missing(s, &i)) != NULL;) {
		if (want->id[0] != '\0')
			err_perm(&e, "%s%s%s: no such message", want->domain,
			    want->domain[0] == '\0' ? "" : "/", want->id);
		else if (is_domain_known(want->domain, conf, sp))
			continue;
		else
			err_perm(&e, "%s: no such domain in the spool or in %s",
			    want->domain, conf->path);
		output_complain(o, &e);
	}
}

static int
act(const struct request *r, enum act what, const struct select *s,
    const struct spool *sp, uid_t uid, struct output *o, struct err *e)
{
	const struct act_order order = {
		.act = what,
		.reason = r->reason == NULL ? "" : r->reason,
		.uid = uid,
		.dry = what == ACT_REMOVE && select_has_domain(s) && !r->yes,
	};

	if (act_on_messages(&order, s, sp, o, e) == -1)
		return -1;
	if (order.dry)
		return err_usage(e,
		    "nothing was removed; --yes removes what is listed (%zu)",
		    s->nitems);
	return 0;
}

static int
do_verb(const struct request *r, const struct select *s, const struct spool *sp,
    uid_t uid, struct output *o, struct err *e)
{
	if (r->domains)
		return list_waiting(s, sp, r->null ? '\0' : '\n', o, e);
	if (r->summary)
		return list_summary(s, sp, o, e);
	switch (r->verb) {
	case LIST:
		return list_messages(s, sp, o, e);
	case SHOW:
		return show_messages(s, sp, o, e);
	case CAT:
		return show_content(s, sp, o, e);
	case REMOVE:
		return act(r, ACT_REMOVE, s, sp, uid, o, e);
	case HOLD:
		return act(r, ACT_HOLD, s, sp, uid, o, e);
	case RELEASE:
		return act(r, ACT_RELEASE, s, sp, uid, o, e);
	case RECIPIENTS: /* needs no spool: not in here */
	case RECONCILE:  /* no messages: nor this */
		break;
	}
	return 0;
}

/* The order of the steps once the command line is understood. */
static int
run(const struct request *r, const struct config *conf, struct output *o,
    struct err *e)
{
	struct select s = SELECT_INIT;
	struct spool sp = SPOOL_INIT;
	uid_t uid = getuid();
	int rc = -1;

	if (spool_act_as_owner(conf->host.spool, e) == -1 ||
	    spool_open(&sp, conf->host.spool, e) == -1)
		goto out;
	if (is_act(r->verb) && log_open("bmx-queue", conf->host.log, e) == -1)
		goto out;
	if (read_names(&s, r, o, e) == -1 || check_names(&s, r, e) == -1 ||
	    select_domains(&s, &sp, e) == -1)
		goto out;
	if (!r->domains && !r->summary && select_scan(&s, &sp, o, e) == -1)
		goto out;
	rc = do_verb(r, &s, &sp, uid, o, e);
	tell_missing(&s, conf, &sp, o);
out:
	select_free(&s);
	spool_close(&sp);
	return rc;
}

/* reconcile: the ledger alone, whatever waits. */
static int
run_reconcile(const struct request *r, const struct config *conf,
    struct output *o, struct err *e)
{
	const struct reconcile_order order = { .log = r->names[0],
		.since = r->since };
	struct spool sp = SPOOL_INIT;
	int rc = -1;

	if (spool_act_as_owner(conf->host.spool, e) == 0 &&
	    spool_open(&sp, conf->host.spool, e) == 0)
		rc = reconcile_ledger(&order, &sp, o, e);
	spool_close(&sp);
	return rc;
}

/* What the verb works on decides. */
static int
run_verb(const struct request *r, const struct config *conf, struct output *o,
    struct err *e)
{
	switch (r->verb) {
	case RECIPIENTS:
		return recipients_run(&r->recipients, conf, o, e);
	case RECONCILE:
		return run_reconcile(r, conf, o, e);
	default:
		return run(r, conf, o, e);
	}
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
	struct request r = { .max_shrink = -1 };
	struct options options = OPTIONS_INIT;
	const struct poptOption rows[] = {
		{ "domains", '\0', POPT_ARG_NONE, &r.domains, 0,
		    "domains that have mail waiting, one per line", NULL },
		{ "null", '0', POPT_ARG_NONE, &r.null, 0,
		    "end each domain with NUL, for xargs -0", NULL },
		{ "summary", 's', POPT_ARG_NONE, &r.summary, 0,
		    "messages and bytes of each domain", NULL },
		{ "json", 'j', POPT_ARG_NONE, &r.json, 0,
		    "one JSON object per line", NULL },
		{ "reason", 'r', POPT_ARG_STRING, &r.reason, 0,
		    "why, for the log and the ledger", "TEXT" },
		{ "since", '\0', POPT_ARG_STRING, &r.since, 0,
		    "reconcile: from this time on (RFC 3339, UTC)", "TIME" },
		{ "yes", 'y', POPT_ARG_NONE, &r.yes, 0,
		    "remove or forget whole domains without asking", NULL },
		{ "max-shrink", '\0', POPT_ARG_INT, &r.max_shrink, 0,
		    "import: lose so many good recipients (20 %)", "N" },
		{ "force", '\0', POPT_ARG_NONE, &r.force, 0,
		    "import: however many are lost", NULL },
		OPTIONS_COMMON(&options),
		POPT_TABLEEND,
	};
	struct config conf = CONFIG_INIT;
	struct output o = { .data = stdout, .talk = stderr };
	struct err e = ERR_INIT;
	int rc = options_parse(&options, &usage, rows, argc, argv, &e);

	if (rc != 0)
		goto out;
	take_verb(&r, options.args);
	rc = take_recipients(&r, &e);
	if (rc == 0)
		rc = check_request(&r, &e);
	if (rc == 0)
		rc = config_load(&conf, options.config_path, &e);
	if (rc == -1)
		goto out;
	if (options.check_config) {
		config_print(&conf);
		goto out;
	}
	o.form = choose_form(&r);
	o.now_us = clock_wall_us();
	rc = run_verb(&r, &conf, &o, &e);
out:
	if (rc == -1)
		output_complain(&o, &e);
	output_finish(&o);
	config_free(&conf);
	options_free(&options);
	free(r.reason);
	free(r.since);
	return o.status;
}
