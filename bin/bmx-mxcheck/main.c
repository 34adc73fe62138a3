#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "facts_json.h"
#include "net/sandbox.h"
#include "settings.h"

/*
 * Verdicts, on the scale CI tools have; our own trouble keeps its sysexits
 * code (bmx.conf is wrong: 78), which cannot be taken for one of these.
 */
#define EXIT_CLEAN 0
#define EXIT_FINDINGS 1
#define EXIT_WRONG_USE 2
#define EXIT_UNSURE 3

#define QUESTIONS_EACH 4 /* A and AAAA of two targets */
#define WINDOW_MAX 10000 /* the engine's */

static const struct options_usage usage = {
	"bmx-mxcheck",
	"[OPTION...] [DOMAIN... | -]   (default: those of bmx.conf)",
	"Are the MX records right, and primary and backup as a pair?",
	NULL,
};

#define IN_MANUAL POPT_ARGFLAG_DOC_HIDDEN

static int
parse_options(struct settings *s, int argc, char **argv, struct err *e)
{
	/* clang-format off */
	const struct poptOption rows[] = {
		{ "file", 'f', POPT_ARG_STRING, &s->list_path, 0,
		    "names from FILE, one a line; - is stdin", "FILE" },
		{ "brief", 'b', POPT_ARG_NONE, &s->brief, 0,
		    "a line each: domain, verdict, ids (tabs between)", NULL },
		{ "json", 0, POPT_ARG_NONE, &s->json, 0,
		    "a JSON object on a line each", NULL },
		{ "all", 'a', POPT_ARG_NONE, &s->all, 0,
		    "also the checks that ask more questions", NULL },
		{ "smtp", 0, POPT_ARG_NONE, &s->smtp, 0,
		    "also the checks that talk to the mail servers", NULL },
		{ "only", 0, POPT_ARG_ARGV, &s->only, 0,
		    "these checks alone", "ID,..." },
		{ "ignore", 0, POPT_ARG_ARGV, &s->ignored, 0,
		    "all but these checks", "ID,..." },
		{ "explain", 0, POPT_ARG_STRING, &s->explain, 0,
		    "what a check tests, why, the cure; or \"all\"", "ID" },
		{ "fail-on", 0, POPT_ARG_STRING, &s->fail_on, 0,
		    "exit 1 from: error (default), warning, notice", "LEVEL" },
		{ "primary", 0, POPT_ARG_ARGV, &s->primaries, 0,
		    "this MX host is a primary", "HOST" },
		{ "backup", 0, POPT_ARG_ARGV, &s->backups, 0,
		    "this MX host is a backup", "HOST" },
		{ "assume", 0, POPT_ARG_ARGV, &s->assumed, 0,
		    "as if published: \"MX 20 mx2.example.com\"", "CHANGE" },
		{ "record", 0, POPT_ARG_STRING, &s->record_path, 0,
		    "write what was heard, for --replay=FILE", "FILE" },
		{ "replay", 0, POPT_ARG_STRING | IN_MANUAL, &s->replay_path, 0,
		    "judge what was recorded; ask nobody", "FILE" },
		{ "baseline", 0, POPT_ARG_STRING | IN_MANUAL, &s->baseline_path, 0,
		    "tell only what is not in this former --json", "FILE" },
		{ "resolver", 0, POPT_ARG_ARGV, &s->resolvers, 0,
		    "ask ADDRESS or ADDRESS:PORT", "ADDRESS" },
		{ "without", 0, POPT_ARG_ARGV, &s->without, 0,
		    "what senders do when HOST or NET/BITS is down", "HOST" },
		{ "senders", 0, POPT_ARG_NONE | IN_MANUAL, &s->senders, 0,
		    "what senders do, address by address", NULL },
		{ "expect-down", 0, POPT_ARG_ARGV | IN_MANUAL, &s->down, 0,
		    "this host is dead on purpose", "HOST" },
		{ "jobs", 'j', POPT_ARG_INT | IN_MANUAL, &s->jobs, 0,
		    "domains under way at once (64)", "N" },
		{ "deadline", 0, POPT_ARG_INT | IN_MANUAL, &s->deadline_s, 0,
		    "seconds after which a domain is given up (10)", "SECONDS" },
		{ "dnsbl", 0, POPT_ARG_ARGV | IN_MANUAL, &s->lists, 0,
		    "a DNS block list to ask", "ZONE" },
		{ "ns-port", 0, POPT_ARG_INT | IN_MANUAL, &s->ns_port, 0,
		    "port of authoritative servers (53)", "N" },
		{ "helo", 0, POPT_ARG_STRING | IN_MANUAL, &s->helo, 0,
		    "our name in EHLO (that of bmx.conf)", "NAME" },
		{ "ca-file", 0, POPT_ARG_STRING | IN_MANUAL, &s->ca_path, 0,
		    "authorities instead of the system's", "FILE" },
		{ "cert-days", 0, POPT_ARG_INT | IN_MANUAL, &s->cert_days, 0,
		    "days a certificate has to be good for (14)", "N" },
		{ "sts-policy", 0, POPT_ARG_STRING | IN_MANUAL, &s->sts_path, 0,
		    "the MTA-STS policy, not fetched", "FILE" },
		{ "smtp-port", 0, POPT_ARG_INT | IN_MANUAL, &s->smtp_port, 0,
		    "port of mail servers (25)", "N" },
		{ "smtp-timeout", 0, POPT_ARG_INT | IN_MANUAL,
		    &s->smtp_timeout_s, 0,
		    "seconds for one connection (60)", "SECONDS" },
		{ "trust-ad", 0, POPT_ARG_NONE | IN_MANUAL, &s->trust_ad, 0,
		    "believe a resolver that is not on loopback", NULL },
		{ "unordered", 0, POPT_ARG_NONE | IN_MANUAL, &s->unordered, 0,
		    "records in the order they are ready", NULL },
		{ "ttl-min", 0, POPT_ARG_LONG | IN_MANUAL, &s->ttl_min, 0,
		    "shortest good TTL, seconds (300)", "N" },
		{ "ttl-max", 0, POPT_ARG_LONG | IN_MANUAL, &s->ttl_max, 0,
		    "longest good TTL, seconds (86400)", "N" },
		{ "quiet", 'q', POPT_ARG_NONE | IN_MANUAL, &s->quiet, 0,
		    "no summary and no progress on stderr", NULL },
		OPTIONS_COMMON(&s->common),
		POPT_TABLEEND,
	};
	/* clang-format on */

	return options_parse(&s->common, &usage, rows, argc, argv, e);
}

/* ---- configuration ---- */

/* bmx.conf is needed only where somebody points at it, or names no domain. */
static bool
has_config(const struct settings *s)
{
	return s->common.config_path != NULL || getenv("BMX_CONF") != NULL ||
	       access(SYSCONFDIR "/bmx.conf", F_OK) == 0 || errno != ENOENT;
}

/* The addresses are asked for when the MX records are there: two questions,
 * one after the other, make a domain. */
static unsigned
question_ms(const struct settings *s)
{
	return (unsigned)s->deadline_s * 1000 / 2;
}

static struct dns_options
dns_options(const struct settings *s, const struct config *config)
{
	const struct config_list *list = &config->host.resolver;
	size_t given = settings_count(s->resolvers);

	return (struct dns_options){
		.servers = (const char *const *)(given > 0 ? s->resolvers
							   : list->word),
		.nservers = given > 0 ? given : list->n,
		.window = (unsigned)(s->jobs < WINDOW_MAX / QUESTIONS_EACH
					 ? s->jobs * QUESTIONS_EACH
					 : WINDOW_MAX),
		.deadline_ms = question_ms(s),
		.trust_ad = s->trust_ad != 0,
	};
}

static struct dns *
open_dns(const struct settings *s, const struct dns_options *o, struct err *e)
{
	struct dns *dns = dns_open(o, e);

	if (dns == NULL && settings_count(s->resolvers) > 0 &&
	    e->class == ERR_CONFIG)
		e->class = ERR_USAGE; /* not bmx.conf's resolver */
	return dns;
}

/* Whom servers get to see: --helo, the name of bmx.conf, or the system's. */
static int
choose_helo(struct audit *a, const struct settings *s,
    const struct config *config, struct err *e)
{
	char name[ADDR_DOMAIN_MAX + 1] = "";
	const char *from = s->helo;

	a->sessions.ignored = a->policy.ignored;
	if (!sessions_meet_hosts(&a->sessions))
		return 0;
	if (from == NULL)
		from = config->host.hostname;
	if (from == NULL && gethostname(name, sizeof name - 1) == 0)
		from = name;
	if (from == NULL ||
	    addr_fold_domain(from, strlen(from), a->helo, e) == -1 ||
	    strchr(a->helo, '.') == NULL)
		return err_usage(e,
		    "%s is not a full name to say in EHLO; give one with "
		    "--helo",
		    from == NULL ? "the system's name" : from);
	a->sessions.helo = a->helo;
	return 0;
}

/* ---- names ---- */

static int
open_list(const struct settings *s, FILE **list, struct err *e)
{
	if (s->list_path == NULL || strcmp(s->list_path, "-") == 0)
		return 0;
	*list = fopen(s->list_path, "re");
	if (*list == NULL)
		return err_usage(e, "%s: %s", s->list_path, strerror(errno));
	return 0;
}

/* The names of the domains of bmx.conf, as if they were arguments. */
static const char **
config_names(const struct config *c, struct err *e)
{
	const char **all = calloc(c->ndomains + 1, sizeof *all);

	if (all == NULL)
		err_temp(e, "out of memory");
	for (size_t i = 0; all != NULL && i < c->ndomains; i++)
		all[i] = c->domains[i].name;
	return all;
}

static int
choose_names(const struct settings *s, const struct config *config,
    const char ***own, struct names *names, struct err *e)
{
	static const char *stream_only[] = { "-", NULL };

	if (s->list_path != NULL && s->common.args[0] != NULL)
		return err_usage(e,
		    "names and --file: give the one or the other");
	if (s->list_path != NULL) {
		names->args = stream_only;
	} else if (s->common.args[0] != NULL) {
		names->args = s->common.args;
	} else if (config->ndomains > 0) {
		names->args = *own = config_names(config, e);
		return *own == NULL ? -1 : 0;
	} else {
		return err_usage(e,
		    "no domain given, and none in bmx.conf; try bmx-mxcheck "
		    "--help");
	}
	return 0;
}

/* ---- the run ---- */

static int
run_names(struct audit *a, const struct settings *s, struct config *config,
    struct err *e)
{
	FILE *list = stdin;
	const char **own = NULL;
	int rc = -1;

	if (choose_names(s, config, &own, &a->names, e) == -1 ||
	    open_list(s, &list, e) == -1)
		goto out;
	a->question_ms = question_ms(s);
	if (choose_helo(a, s, config, e) == -1)
		goto out;
	a->sessions.dns = dns_options(s, config);
	a->dns = open_dns(s, &a->sessions.dns, e);
	if (a->dns == NULL)
		goto out;
	a->names.stream = list;
	rc = audit_run(a, e);
out:
	dns_close(a->dns);
	names_free(&a->names);
	if (list != stdin && list != NULL)
		fclose(list);
	free(own);
	return rc;
}

static int
run_replay(struct audit *a, const struct settings *s, struct err *e)
{
	struct jsonl lines = JSONL_INIT(FACTS_JSON_MAX);
	int rc = -1;

	if (s->list_path != NULL || s->common.args[0] != NULL)
		return err_usage(e,
		    "--replay takes the names from its file; give no others");
	a->replay = &lines;
	if (jsonl_open(&lines, s->replay_path, e) == 0)
		rc = audit_run(a, e);
	jsonl_close(&lines);
	a->replay = NULL;
	return rc;
}

static int
run_audit(struct audit *a, const struct settings *s, struct config *config,
    struct err *e)
{
	int64_t began_ms = clock_monotonic_ms();
	struct record record;
	int rc;

	if (s->baseline_path != NULL &&
	    baseline_load(&a->baseline, s->baseline_path, e) == -1)
		return -1;
	if (s->record_path != NULL) {
		if (record_open(&record, s->record_path, e) == -1)
			return -1;
		a->record = &record;
	}
	rc = s->replay_path != NULL ? run_replay(a, s, e)
				    : run_names(a, s, config, e);
	if (a->record != NULL)
		rc = record_end(&record, rc, e);
	a->record = NULL;
	if (!s->quiet && (rc == 0 || a->tally.names > 0))
		report_summary(stderr, &a->tally,
		    clock_monotonic_ms() - began_ms);
	return rc;
}

static int
verdict_exit_code(const struct audit *a)
{
	if (a->has_findings)
		return EXIT_FINDINGS;
	return a->is_unsure ? EXIT_UNSURE : EXIT_CLEAN;
}

static int
audit_names(const struct settings *s, int *code, struct err *e)
{
	struct config config = CONFIG_INIT;
	struct audit a = {
		.names = NAMES_INIT(NULL, NULL),
		.baseline = BASELINE_INIT,
		.roles = ROLE_BOOK_INIT,
		.policy = JUDGE_POLICY_INIT,
		.fail_on = SEVERITY_ERROR,
	};
	int rc = -1;

	if (settings_to_audit(s, &a, e) == -1)
		return -1;
	if (has_config(s)) {
		if (config_load(&config, s->common.config_path, e) == -1)
			goto out;
		a.roles.config = &config;
	}
	if (roles_prepare(&a.roles, e) == -1 ||
	    run_audit(&a, s, &config, e) == -1)
		goto out;
	*code = verdict_exit_code(&a);
	rc = 0;
out:
	baseline_free(&a.baseline);
	config_free(&config);
	return rc;
}

static int
check_config(const struct settings *s, struct err *e)
{
	struct config config = CONFIG_INIT;
	int rc = config_load(&config, s->common.config_path, e);

	if (rc == 0)
		config_print(&config);
	config_free(&config);
	return rc;
}

static int
explain(const char *id, struct err *e)
{
	if (strcmp(id, "all") == 0)
		report_explain_all(stdout);
	else if (check_find(id) == CHECK_COUNT)
		return err_usage(e,
		    "--explain: there is no check %s; --explain all lists them",
		    id);
	else
		report_explain(stdout, check_find(id));
	return fflush(stdout) == 0 ? 0 : err_sys(e, "write");
}

/* A standard descriptor that is closed must not become one of ours, which the
 * report would go to: what it becomes fails when it is used. */
static void
fill_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) == -1)
			(void)!open("/dev/null",
			    fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	}
}

int
main(int argc, char **argv)
{
	struct settings s = SETTINGS_INIT;
	struct err e = ERR_INIT;
	struct sandbox sandbox;
	int code = EXIT_CLEAN, rc;

	fill_standard();
	signal(SIGXFSZ, SIG_IGN); /* then write(2) says EFBIG */
	rc = parse_options(&s, argc, argv, &e);
	if (rc == 0 && s.explain != NULL)
		rc = explain(s.explain, &e);
	else if (rc == 0 && s.common.check_config)
		rc = check_config(&s, &e);
	else if (rc == 0) {
		sandbox_confine_calls(&sandbox);
		rc = audit_names(&s, &code, &e);
	}
	if (rc == -1) {
		code =
		    e.class == ERR_USAGE ? EXIT_WRONG_USE : err_exit_code(&e);
		fprintf(stderr, "bmx-mxcheck: %s\n", e.text);
	}
	settings_free(&s);
	return code;
}
