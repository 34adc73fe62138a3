#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/become.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/names.h"
#include "base/options.h"
#include "bmx-probe/change.h"
#include "bmx-probe/crowd.h"
#include "bmx-probe/past.h"
#include "bmx-probe/probe.h"
#include "bmx-probe/rehearse.h"
#include "bmx-probe/report.h"
#include "bmx-probe/state.h"
#include "bmx-probe/words.h"
#include "net/sandbox.h"
#include "spool/config.h"
#include "spool/spool.h"

#define TIMEOUT_S 30 /* for a domain: a greeting may take 20 s by intent */
#define TIMEOUT_NAGIOS_S 10 /* what the plug-in guidelines want */
#define TIMEOUT_MAX_S 3600
#define TRIES_MAX 10
#define NOT_GIVEN -1
#define BURST_MAX 1000
#define FOREIGN "bmx-rehearsal@example.com" /* "v=spf1 -all" is in its DNS */
#define NAGIOS_UNKNOWN 3
#define METRICS_MODE 0644 /* the node exporter is another user */

static const struct options_usage usage = {
	"bmx-probe",
	"[OPTION...] [DOMAIN... | -]",
	"Does the primary answer, and would it take the mail?",
	"  bmx-probe -nv example.com       only look, and show each step\n"
	"  bmx-queue --domains | bmx-probe --up - | xargs -r bmx-flush\n",
};

struct run {
	struct options options;
	int all, brief, down, json, nagios, no_state, metrics, up, verbose;
	int want_report, want_rehearsal, only_v4, only_v6;
	int timeout_s, deadline_s, banner_timeout_s, change_timeout_s;
	int tries, gap_s, jobs, burst, cert_warn_days, cert_crit_days;
	double objective; /* percent; 0: none */
	char *output, *on_change;
	struct words_said said;
	struct config config;
	struct spool spool; /* open: state is kept */
	struct names names;
	struct words words; /* what said means */
	struct probe_how how;
	struct change change;
	struct report report;
	char *text; /* for --output */
	size_t text_len;
	int64_t now_s;
	bool has_down, has_deferring, has_bad_name, has_trouble;
};

/* ---- the command line ---- */

#define FLAG(name, letter, at, help)                                           \
	{                                                                      \
		name, letter, POPT_ARG_NONE, at, 0, help, NULL                 \
	}
#define NUMBER(name, letter, at, help)                                         \
	{                                                                      \
		name, letter, POPT_ARG_INT, at, 0, help, "N"                   \
	}
#define RARE(name, kind, at, arg)                                              \
	{                                                                      \
		name, 0, (kind) | POPT_ARGFLAG_DOC_HIDDEN, at, 0, NULL, arg    \
	}

static int
parse(struct run *u, int argc, char **argv, struct err *e)
{
	/* clang-format off */
	const struct poptOption rows[] = {
		FLAG("all", 'a', &u->all, "every address, not up to the first good one"),
		FLAG("up", 'u', &u->up, "print the names whose primary is up"),
		FLAG("down", 'd', &u->down, "print the names whose primary is not up"),
		FLAG("json", 'j', &u->json, "one object a line"),
		FLAG("nagios", 0, &u->nagios, "be a plug-in for Nagios"),
		FLAG("prometheus", 0, &u->metrics, "metrics, see also --output"),
		FLAG("no-state", 'n', &u->no_state, "only look: read and write no state"),
		FLAG("rehearse", 0, &u->want_rehearsal, "would it take a drain?"),
		FLAG("report", 0, &u->want_report, "availability and outages, from the history"),
		NUMBER("timeout", 't', &u->timeout_s, "for a domain, in seconds (30)"),
		FLAG("verbose", 'v', &u->verbose, "show each address and the time of each step"),
		{ "ipv4", '4', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &u->only_v4, 0, NULL, NULL },
		{ "ipv6", '6', POPT_ARG_NONE | POPT_ARGFLAG_DOC_HIDDEN, &u->only_v6, 0, NULL, NULL },
		RARE("banner-timeout", POPT_ARG_INT, &u->banner_timeout_s, "N"),
		RARE("brief", POPT_ARG_NONE, &u->brief, NULL),
		RARE("burst", POPT_ARG_INT, &u->burst, "N"),
		RARE("cert-crit", POPT_ARG_INT, &u->cert_crit_days, "DAYS"),
		RARE("cert-warn", POPT_ARG_INT, &u->cert_warn_days, "DAYS"),
		RARE("change-timeout", POPT_ARG_INT, &u->change_timeout_s, "N"),
		RARE("deadline", POPT_ARG_INT, &u->deadline_s, "N"),
		RARE("foreign", POPT_ARG_STRING, &u->said.foreign, "ADDRESS"),
		RARE("gap", POPT_ARG_INT, &u->gap_s, "N"),
		RARE("jobs", POPT_ARG_INT, &u->jobs, "N"),
		RARE("objective", POPT_ARG_DOUBLE, &u->objective, "PERCENT"),
		RARE("on-change", POPT_ARG_STRING, &u->on_change, "COMMAND"),
		RARE("output", POPT_ARG_STRING, &u->output, "FILE"),
		RARE("rcpt", POPT_ARG_STRING, &u->said.rcpt, "ADDRESS"),
		RARE("since", POPT_ARG_STRING, &u->said.since, "DATE"),
		RARE("source", POPT_ARG_STRING, &u->said.source, "ADDRESS"),
		RARE("tls", POPT_ARG_STRING, &u->said.tls, "LEVEL"),
		RARE("tries", POPT_ARG_INT, &u->tries, "N"),
		RARE("until", POPT_ARG_STRING, &u->said.until, "STEP"),
		OPTIONS_COMMON(&u->options),
		POPT_TABLEEND,
	};
	/* clang-format on */

	return options_parse(&u->options, &usage, rows, argc, argv, e);
}

static int
check_range(const char *option, int value, int min, int max, struct err *e)
{
	if (value >= min && value <= max)
		return 0;
	return err_usage(e, "--%s: %d to %d", option, min, max);
}

static int
check_numbers(struct run *u, struct err *e)
{
	const struct {
		const char *option;
		int value, min, max;
	} rows[] = {
		{ "timeout", u->timeout_s, 1, TIMEOUT_MAX_S },
		{ "deadline", u->deadline_s, 0, 24 * TIMEOUT_MAX_S },
		{ "banner-timeout", u->banner_timeout_s, 0, TIMEOUT_MAX_S },
		{ "change-timeout", u->change_timeout_s, 1, TIMEOUT_MAX_S },
		{ "tries", u->tries, 1, TRIES_MAX },
		{ "gap", u->gap_s, 0, TIMEOUT_MAX_S },
		{ "jobs", u->jobs, 1, CROWD_JOBS_MAX },
		{ "burst", u->burst, 1, BURST_MAX },
		{ "cert-warn", u->cert_warn_days, -1, 3650 },
		{ "cert-crit", u->cert_crit_days, -1, 3650 },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (check_range(rows[i].option, rows[i].value, rows[i].min,
			rows[i].max, e) == -1)
			return -1;
	if (u->objective < 0 || u->objective > 100)
		return err_usage(e, "--objective: 0 to 100 percent");
	return 0;
}

/* What tells how to probe would be without effect in another kind of run. */
static int
check_kind(const struct run *u, struct err *e)
{
	const struct {
		const char *option;
		bool is_given;
	} rows[] = {
		{ "all", u->all },
		{ "banner-timeout", u->banner_timeout_s != 0 },
		{ "cert-crit", u->cert_crit_days != NOT_GIVEN },
		{ "cert-warn", u->cert_warn_days != NOT_GIVEN },
		{ "on-change", u->on_change != NULL },
		{ "rcpt", u->said.rcpt != NULL },
		{ "tries", u->tries != 1 },
		{ "until", u->said.until != NULL },
		{ "ipv4", u->only_v4 && u->want_report },
		{ "ipv6", u->only_v6 && u->want_report },
		{ "source", u->said.source != NULL && u->want_report },
		{ "tls", u->said.tls != NULL && u->want_report },
	};

	if (!u->want_report && !u->want_rehearsal)
		return 0;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].is_given)
			return err_usage(e, "--%s: not with --%s",
			    rows[i].option,
			    u->want_report ? "report" : "rehearse");
	return 0;
}

/* What goes together, and what the words mean. */
static int
understand(struct run *u, struct err *e)
{
	if (u->up + u->down + u->json + u->nagios + u->metrics + u->brief > 1)
		return err_usage(e, "--up, --down, --json, --brief, --nagios, "
				    "--prometheus: choose one");
	if (u->want_report && u->want_rehearsal)
		return err_usage(e, "--report, --rehearse: choose one");
	if ((u->want_report || u->want_rehearsal) &&
	    u->up + u->down + u->nagios + u->metrics + u->brief > 0)
		return err_usage(e, "--report and --rehearse print text, or "
				    "--json");
	if (check_kind(u, e) == -1)
		return -1;
	if (u->on_change != NULL && u->no_state)
		return err_usage(e, "--on-change needs the state that "
				    "--no-state leaves alone");
	if (u->timeout_s == NOT_GIVEN)
		u->timeout_s = u->nagios ? TIMEOUT_NAGIOS_S : TIMEOUT_S;
	if (u->nagios && u->deadline_s == 0)
		u->deadline_s = u->timeout_s;
	if (check_numbers(u, e) == -1)
		return -1;
	u->now_s = clock_wall_us() / 1000000;
	return words_parse(&u->words, &u->said, u->now_s, e);
}

/* ---- before the work ---- */

static enum report_format
format_of(const struct run *u)
{
	return u->up                   ? REPORT_UP
	       : u->down               ? REPORT_DOWN
	       : u->json               ? REPORT_JSON
	       : u->nagios             ? REPORT_NAGIOS
	       : u->metrics            ? REPORT_METRICS
	       : u->brief              ? REPORT_BRIEF
	       : isatty(STDOUT_FILENO) ? REPORT_TABLE
				       : REPORT_BRIEF;
}

static int
set_report(struct run *u, struct err *e)
{
	const char *no_color = getenv("NO_COLOR");
	struct report *r = &u->report;

	*r = (struct report){ .out = stdout,
		.format = format_of(u),
		.is_verbose = u->verbose,
		.has_colour = isatty(STDOUT_FILENO) && u->output == NULL &&
			      (no_color == NULL || no_color[0] == '\0'),
		.name_width = (int)strlen("DOMAIN"),
		.cert_warn_days = u->cert_warn_days,
		.cert_crit_days = u->cert_crit_days,
		.timeout_s = (unsigned)u->timeout_s };
	for (size_t i = 0; i < u->config.ndomains; i++) {
		size_t len = strlen(u->config.domains[i].name);

		if (len > (size_t)r->name_width)
			r->name_width = len < 40 ? (int)len : 40;
	}
	if (u->output != NULL)
		r->out = open_memstream(&u->text, &u->text_len);
	return r->out == NULL ? err_sys(e, "--output") : 0;
}

/* Of the run that begins now; 0: none. */
static int64_t
deadline_ms(const struct run *u)
{
	return u->deadline_s == 0
		   ? 0
		   : clock_monotonic_ms() + (int64_t)u->deadline_s * 1000;
}

static int
family_of(const struct run *u)
{
	if (u->only_v4 == u->only_v6)
		return 0;
	return u->only_v4 ? AF_INET : AF_INET6;
}

static void
set_how(struct run *u)
{
	const struct words *w = &u->words;

	u->how = (struct probe_how){ .host = &u->config.host,
		.session = { .helo = u->config.host.hostname,
		    .from4 = w->has_from4 ? &w->from4 : NULL,
		    .from6 = w->has_from6 ? &w->from6 : NULL,
		    .until = w->until,
		    .sender = "",
		    .rcpt = u->said.rcpt,
		    .banner_timeout_s = (unsigned)u->banner_timeout_s,
		    .judges_certificates =
			u->json || u->metrics || u->verbose ||
			u->cert_warn_days >= 0 || u->cert_crit_days >= 0,
		    .tries = (unsigned)u->tries,
		    .gap_ms = (unsigned)u->gap_s * 1000 },
		.level = w->has_level ? &w->level : NULL,
		.timeout_s = (unsigned)u->timeout_s,
		.deadline_ms = deadline_ms(u),
		.all = u->all,
		.family = family_of(u) };
}

/* Without a spool there is nothing to keep the state in, or to keep it for:
 * not yet set up, or the wrong host. Look all the same. */
static int
open_state(struct run *u, struct err *e)
{
	const struct config_host *host = &u->config.host;

	if (spool_act_as_owner(host->spool, e) == -1 ||
	    become_user(host->user, e) == -1)
		return -1;
	if (u->no_state)
		return 0;
	if (access(host->spool, F_OK) == -1 && errno == ENOENT) {
		if (u->want_report)
			return err_config(e, "there is no %s", host->spool);
		fprintf(stderr, "bmx-probe: no state is kept: there is no %s\n",
		    host->spool);
		return 0;
	}
	if (log_open("bmx-probe", host->log, e) == -1)
		return -1;
	return spool_open(&u->spool, host->spool, e);
}

/* ---- probing ---- */

static void
count(struct run *u, const struct report_row *row)
{
	if (row->domain == NULL)
		u->has_bad_name = true;
	else if (row->result->result == PRIMARY_UNKNOWN)
		u->has_trouble = true;
	else if (row->state->verdict == PRIMARY_DOWN)
		u->has_down = true;
	else if (row->state->verdict == PRIMARY_DEFERRING)
		u->has_deferring = true;
}

/* A filter passes on no record for a name that is not ours. */
static void
complain(const struct run *u, const struct report_row *row)
{
	bool is_filter = u->up || u->down;

	if ((row->domain != NULL && row->result->result == PRIMARY_UNKNOWN) ||
	    (row->domain == NULL && is_filter))
		fprintf(stderr, "bmx-probe: %s: %s\n", row->name,
		    row->result->reason);
}

/* What could not be told is told again by the next run. */
static void
tell(struct run *u, const struct report_row *row)
{
	struct err e = ERR_INIT;

	if (!change_tell(&u->change, row))
		fprintf(stderr,
		    "bmx-probe: %s: --on-change failed, see the log\n",
		    row->name);
	else if (state_tell(&u->spool, row->name, row->state->verdict, &e) ==
		 -1)
		fprintf(stderr, "bmx-probe: %s: %s\n", row->name, e.text);
}

/* Once, however many runs see it. */
static void
tell_once(struct run *u, const struct report_row *row)
{
	if (state_begin_to_tell(&u->spool, row->domain, row->now_s, row->state))
		tell(u, row);
	state_end_of_telling(&u->spool);
}

static void
emit(void *arg, const struct report_row *row)
{
	struct run *u = arg;

	complain(u, row);
	count(u, row);
	report_row(&u->report, row);
	if (u->change.command != NULL && change_is_news(row))
		tell_once(u, row);
}

/* A filter has done its work whatever the verdicts are: its output is them. */
static int
exit_code(const struct run *u)
{
	if (u->has_trouble)
		return EX_OSERR;
	if (u->has_down && !u->up && !u->down)
		return EX_UNAVAILABLE;
	if (u->has_bad_name)
		return EX_DATAERR;
	if (u->has_deferring && !u->up && !u->down)
		return EX_TEMPFAIL;
	return EX_OK;
}

static struct names *
names_of(struct run *u)
{
	return *u->options.args != NULL ? &u->names : NULL;
}

static int
probe(struct run *u, struct err *e)
{
	struct crowd crowd = { .config = &u->config,
		.spool = u->spool.fd != -1 ? &u->spool : NULL,
		.names = names_of(u),
		.how = &u->how,
		.jobs = (unsigned)u->jobs,
		.emit = emit,
		.arg = u };
	int rc;

	u->change = (struct change){ .command = u->on_change,
		.timeout_s = (unsigned)u->change_timeout_s };
	set_how(u);
	report_head(&u->report);
	rc = crowd_run(&crowd, e);
	if (rc == -1)
		return -1;
	rc = report_end(&u->report, e);
	return rc == -1 || u->nagios ? rc : exit_code(u);
}

/* ---- --report, --rehearse ---- */

static int
report_past(struct run *u, struct err *e)
{
	struct past past = { .config = &u->config,
		.spool = &u->spool,
		.names = names_of(u),
		.from_s = u->words.since_s,
		.to_s = u->now_s,
		.objective = u->objective > 0 ? u->objective / 100 : -1,
		.is_json = u->json,
		.out = u->report.out };

	if (past_report(&past, e) == -1)
		return -1;
	u->has_bad_name = past.nbad > 0;
	u->has_down = past.nmissed > 0;
	u->has_deferring = past.nblank > 0;
	return exit_code(u);
}

static int
rehearse(struct run *u, struct err *e)
{
	const struct words *w = &u->words;
	struct rehearse_run all = {
		.how = { .host = &u->config.host,
		    .from4 = w->has_from4 ? &w->from4 : NULL,
		    .from6 = w->has_from6 ? &w->from6 : NULL,
		    .foreign =
			u->said.foreign != NULL ? u->said.foreign : FOREIGN,
		    .level = w->has_level ? &w->level : NULL,
		    .family = family_of(u),
		    .burst = (unsigned)u->burst,
		    .timeout_s = (unsigned)u->timeout_s,
		    .deadline_ms = deadline_ms(u) },
		.config = &u->config,
		.names = names_of(u),
		.is_kept = u->spool.fd != -1,
		.is_json = u->json,
		.out = u->report.out
	};

	if (rehearse_all(&all, e) == -1)
		return -1;
	u->has_bad_name = all.nbad > 0;
	u->has_down = all.nrefused > 0;
	u->has_deferring = all.nslow > 0;
	return exit_code(u);
}

/* ---- the run ---- */

/* The file is replaced only by a run that went through; one that did not
 * leaves an old one, whose age tells. */
static int
write_output(struct run *u, int rc, struct err *e)
{
	if (u->report.out == NULL || u->report.out == stdout)
		return rc;
	if (fclose(u->report.out) == EOF && rc != -1)
		rc = err_sys(e, "--output");
	if (rc != -1 && file_replace(AT_FDCWD, u->output, u->text, u->text_len,
			    METRICS_MODE, e) == -1)
		rc = -1;
	free(u->text);
	return rc;
}

static int
run(struct run *u, struct err *e)
{
	struct sandbox sandbox;
	int rc;

	u->names = (struct names)NAMES_INIT(u->options.args, stdin);
	if (u->config.ndomains == 0)
		return err_config(e, "%s has no domain", u->config.path);
	if (set_report(u, e) == -1)
		return -1;
	/* the command may be anything, and need anything */
	rc = open_state(u, e);
	if (rc == 0 && u->on_change == NULL)
		sandbox_confine(&u->config, u->output, &sandbox);
	if (rc == 0)
		rc = u->want_report      ? report_past(u, e)
		     : u->want_rehearsal ? rehearse(u, e)
					 : probe(u, e);
	names_free(&u->names);
	spool_close(&u->spool);
	return write_output(u, rc, e);
}

static void
release(struct run *u)
{
	words_free(&u->said);
	free(u->output);
	free(u->on_change);
	config_free(&u->config);
	options_free(&u->options);
}

/* A plug-in says what is wrong where its reader looks. */
static int
complain_at_end(const struct run *u, const struct err *e)
{
	if (u->nagios) {
		printf("PRIMARY UNKNOWN - %s\n", e->text);
		return NAGIOS_UNKNOWN;
	}
	fprintf(stderr, "bmx-probe: %s\n", e->text);
	return err_exit_code(e);
}

int
main(int argc, char **argv)
{
	struct run u = { .options = OPTIONS_INIT,
		.timeout_s = NOT_GIVEN,
		.tries = 1,
		.gap_s = 2,
		.jobs = 8,
		.burst = 20,
		.change_timeout_s = 60,
		.cert_warn_days = NOT_GIVEN,
		.cert_crit_days = NOT_GIVEN,
		.config = CONFIG_INIT,
		.spool = SPOOL_INIT };
	struct err e = ERR_INIT;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	rc = parse(&u, argc, argv, &e);
	if (rc == 1) { /* --help, --version: no state of any service */
		rc = u.nagios ? NAGIOS_UNKNOWN : EX_OK;
		goto out;
	}
	if (rc == 0)
		rc = understand(&u, &e);
	if (rc == 0)
		rc = config_load(&u.config, u.options.config_path, &e);
	if (rc == 0 && u.options.check_config)
		config_print(&u.config);
	else if (rc == 0)
		rc = run(&u, &e);
	if (rc == -1)
		rc = complain_at_end(&u, &e);
	if ((fflush(stdout) == EOF || ferror(stdout)) && rc == EX_OK)
		rc = u.nagios ? NAGIOS_UNKNOWN : EX_IOERR;
out:
	release(&u);
	return rc;
}
