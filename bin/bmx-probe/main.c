#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/names.h"
#include "base/options.h"
#include "base/text.h"
#include "bmx-probe/probe.h"
#include "bmx-probe/report.h"
#include "bmx-probe/state.h"
#include "mail/addr.h"
#include "spool/config.h"
#include "spool/spool.h"

#define TIMEOUT_S 30 /* for a domain: a greeting may take 20 s by intent */
#define TIMEOUT_MAX_S 3600

static const struct options_usage usage = {
	"bmx-probe",
	"[OPTION...] [DOMAIN... | -]",
	"Does the primary answer, and would it take the mail?",
	"  bmx-probe                       every domain of bmx.conf\n"
	"  bmx-probe -nv example.com       only look, and show each step\n"
	"  bmx-probe --json - <domains     one object a line\n"
	"  bmx-queue --domains | bmx-probe --up - | xargs -r bmx-flush\n",
};

struct run {
	struct options options;
	int all, down, json, no_state, timeout_s, up, verbose;
	struct config config;
	struct spool spool; /* open: state is kept */
	struct probe probe;
	struct report report;
	bool has_down, has_deferring, has_bad_name, has_trouble;
};

static int
parse(struct run *u, int argc, char **argv, struct err *e)
{
	/* clang-format off */
	const struct poptOption rows[] = {
		{ "all", 'a', POPT_ARG_NONE, &u->all, 0,
		    "every address, not up to the first good one", NULL },
		{ "down", 'd', POPT_ARG_NONE, &u->down, 0,
		    "print the names whose primary is not up", NULL },
		{ "json", 'j', POPT_ARG_NONE, &u->json, 0,
		    "one object a line", NULL },
		{ "no-state", 'n', POPT_ARG_NONE, &u->no_state, 0,
		    "only look: read and write no state", NULL },
		{ "timeout", 't', POPT_ARG_INT, &u->timeout_s, 0,
		    "for a domain, in seconds (30)", "N" },
		{ "up", 'u', POPT_ARG_NONE, &u->up, 0,
		    "print the names whose primary is up", NULL },
		{ "verbose", 'v', POPT_ARG_NONE, &u->verbose, 0,
		    "show each address and the time of each step", NULL },
		OPTIONS_COMMON(&u->options),
		POPT_TABLEEND,
	};
	/* clang-format on */
	int rc = options_parse(&u->options, &usage, rows, argc, argv, e);

	if (rc != 0)
		return rc;
	if (u->up + u->down + u->json > 1)
		return err_usage(e, "--up, --down, --json: choose one");
	if (u->timeout_s < 1 || u->timeout_s > TIMEOUT_MAX_S)
		return err_usage(e, "--timeout: 1 to %d seconds",
		    TIMEOUT_MAX_S);
	return 0;
}

static void
set_report(struct run *u)
{
	const char *no_color = getenv("NO_COLOR");
	bool is_terminal = isatty(STDOUT_FILENO);
	struct report *r = &u->report;

	r->out = stdout;
	r->format = u->up         ? REPORT_UP
		    : u->down     ? REPORT_DOWN
		    : u->json     ? REPORT_JSON
		    : is_terminal ? REPORT_TABLE
				  : REPORT_LINES;
	r->is_verbose = u->verbose;
	r->has_colour =
	    is_terminal && (no_color == NULL || no_color[0] == '\0');
	r->name_width = (int)strlen("DOMAIN");
	for (size_t i = 0; i < u->config.ndomains; i++) {
		size_t len = strlen(u->config.domains[i].name);

		if (len > (size_t)r->name_width)
			r->name_width = len < 40 ? (int)len : 40;
	}
}

/* ---- one name ---- */

/* No record goes to a filter's reader for such a name. */
static void
refuse_name(struct run *u, const char *name, const char *why)
{
	struct probe_result result = PROBE_RESULT_INIT;
	struct primary state = PRIMARY_INIT;
	char safe[ADDR_DOMAIN_MAX + 1];
	const struct report_row row = { text_safe(safe, sizeof safe, name),
		NULL, &result, &state, clock_wall_us() / 1000000 };

	u->has_bad_name = true;
	result.code = PROBE_NOT_CONFIGURED;
	snprintf(result.reason, sizeof result.reason, "%.250s", why);
	if (u->up || u->down)
		fprintf(stderr, "bmx-probe: %s: %s\n", safe, why);
	report_row(&u->report, &row);
}

static void
count(struct run *u, const struct report_row *row)
{
	if (row->result->code == PROBE_TROUBLE)
		u->has_trouble = true;
	else if (row->state->verdict == PRIMARY_DOWN)
		u->has_down = true;
	else if (row->state->verdict == PRIMARY_DEFERRING)
		u->has_deferring = true;
}

static int
probe_one(struct run *u, const struct config_domain *domain, struct err *e)
{
	struct probe_result result = PROBE_RESULT_INIT;
	struct primary state = PRIMARY_INIT;
	struct report_row row = { domain->name, domain, &result, &state, 0 };
	int rc = -1;

	if (probe_domain(&u->probe, domain, &result, e) == -1)
		goto out;
	row.now_s = clock_wall_us() / 1000000;
	if (u->spool.fd == -1 || result.result == PRIMARY_UNKNOWN)
		state_of_result(&result, row.now_s, &state);
	else if (state_learn(&u->spool, domain, &result, row.now_s, &state,
		     e) == -1)
		goto out;
	if (result.code == PROBE_TROUBLE)
		fprintf(stderr, "bmx-probe: %s: %s\n", domain->name,
		    result.reason);
	count(u, &row);
	report_row(&u->report, &row);
	rc = 0;
out:
	probe_result_free(&result);
	return rc;
}

static int
probe_name(struct run *u, const char *name, struct err *e)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	const struct config_domain *domain;
	struct err why = ERR_INIT;

	if (addr_fold_domain(name, strlen(name), folded, &why) == -1) {
		refuse_name(u, name, why.text);
		return 0;
	}
	domain = config_find(&u->config, folded);
	if (domain != NULL)
		return probe_one(u, domain, e);
	refuse_name(u, folded, "not in bmx.conf");
	return 0;
}

/* ---- the run ---- */

static int
probe_all(struct run *u, struct err *e)
{
	for (size_t i = 0; i < u->config.ndomains; i++)
		if (probe_one(u, &u->config.domains[i], e) == -1)
			return -1;
	if (u->config.ndomains == 0)
		return err_config(e, "%s has no domain", u->config.path);
	return 0;
}

static int
probe_named(struct run *u, struct err *e)
{
	struct names names = NAMES_INIT(u->options.args, stdin);
	const char *name;
	int rc;

	while ((rc = names_next(&names, &name, e)) == 1)
		if (probe_name(u, name, e) == -1) {
			rc = -1;
			break;
		}
	names_free(&names);
	return rc;
}

/* Without a spool there is nothing to keep the state in, or to keep it for:
 * not yet set up, or the wrong host. Look all the same. */
static int
open_state(struct run *u, struct err *e)
{
	const struct config_host *host = &u->config.host;

	if (u->no_state)
		return 0;
	if (access(host->spool, F_OK) == -1 && errno == ENOENT) {
		fprintf(stderr, "bmx-probe: no state is kept: there is no %s\n",
		    host->spool);
		return 0;
	}
	if (spool_act_as_owner(host->spool, e) == -1 ||
	    log_open("bmx-probe", host->log, e) == -1)
		return -1;
	return spool_open(&u->spool, host->spool, e);
}

static int
probe(struct run *u, struct err *e)
{
	const struct config_host *host = &u->config.host;
	const struct dns_options dns_options = {
		.servers = (const char *const *)host->resolver.word,
		.nservers = host->resolver.n,
		/* MX, then addresses: two questions, one after the other */
		.deadline_ms = (unsigned)u->timeout_s * 1000 / 2,
	};
	int rc = -1;

	if (open_state(u, e) == -1)
		return -1;
	u->probe.host = host;
	u->probe.all = u->all;
	u->probe.timeout_s = (unsigned)u->timeout_s;
	u->probe.dns = dns_open(&dns_options, e);
	if (u->probe.dns == NULL)
		goto out;
	set_report(u);
	report_head(&u->report);
	rc = *u->options.args != NULL ? probe_named(u, e) : probe_all(u, e);
	dns_close(u->probe.dns);
out:
	probe_forget(&u->probe);
	spool_close(&u->spool);
	return rc;
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

int
main(int argc, char **argv)
{
	struct run u = { .options = OPTIONS_INIT,
		.timeout_s = TIMEOUT_S,
		.config = CONFIG_INIT,
		.spool = SPOOL_INIT };
	struct err e = ERR_INIT;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	rc = parse(&u, argc, argv, &e);
	if (rc == 0)
		rc = config_load(&u.config, u.options.config_path, &e);
	if (rc == 0 && u.options.check_config)
		config_print(&u.config);
	else if (rc == 0)
		rc = probe(&u, &e);
	if (rc == -1) {
		fprintf(stderr, "bmx-probe: %s\n", e.text);
		rc = err_exit_code(&e);
	} else {
		rc = rc == 0 ? exit_code(&u) : EX_OK; /* 1: --help, --version */
	}
	if ((fflush(stdout) == EOF || ferror(stdout)) && rc == EX_OK)
		rc = EX_IOERR;
	config_free(&u.config);
	options_free(&u.options);
	return rc;
}
