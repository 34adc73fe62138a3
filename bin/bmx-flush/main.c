#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/become.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/names.h"
#include "base/options.h"
#include "base/text.h"
#include "bmx-flush/ask.h"
#include "bmx-flush/drain.h"
#include "bmx-flush/watch.h"
#include "mail/addr.h"
#include "net/sandbox.h"

static const struct options_usage usage = {
	"bmx-flush",
	"[OPTION...] [DOMAIN... | -]",
	"Hand the mail that waits for a domain to its primary.",
	"  bmx-flush                       every domain that has mail waiting\n"
	"  bmx-flush --now example.com     also what is not due yet\n"
	"  bmx-flush --ask mx2.example.net example.com     on the primary\n"
	"  bmx-flush --dry-run             show where it would go\n"
	"  bmx-queue --domains | bmx-probe --up - | xargs -r bmx-flush\n",
};

/* All that a signal handler may touch, hence the only variables here. */
static volatile sig_atomic_t stop_asked, reload_asked;

static void
ask_to_stop(int signal_number)
{
	(void)signal_number;
	stop_asked = 1;
}

static void
ask_to_reload(int signal_number)
{
	(void)signal_number;
	reload_asked = 1;
}

/* The first signal breaks off what waits (but for the reply to a final dot:
 * see deliver.c) and ends the run in an orderly way, the second at once. No
 * moment is a bad one. */
static void
catch_signals(void)
{
	struct sigaction stop = { .sa_handler = ask_to_stop,
		.sa_flags = (int)SA_RESETHAND };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(&stop.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGTERM, &stop, NULL);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

/* A drain that is under way ends first, with the old configuration. */
static void
catch_reload(void)
{
	struct sigaction reload = { .sa_handler = ask_to_reload,
		.sa_flags = SA_RESTART };

	sigemptyset(&reload.sa_mask);
	sigaction(SIGHUP, &reload, NULL);
}

struct flush {
	struct options options;
	int now, dry_run, verbose, oldest_first, smallest_first, watch;
	char *ask; /* --ask: the backup */
	long max;
	struct config config;
	struct spool spool;
	struct drain_params params;
	unsigned long tried; /* messages, for --max over all domains */
	bool is_interactive;
	bool has_refused, has_left, has_bad_name;
	struct err trouble; /* the last of our own */
};

/* For the person who looks on; under cron the log has it, and nobody wants a
 * mail every minute. */
static void
tell(const struct flush *f, const char *subject, const char *text)
{
	if (f->is_interactive && !f->verbose)
		fprintf(stderr, "bmx-flush: %s: %s\n", subject, text);
}

/* ---- what a run works with ---- */

static void
close_run(struct flush *f)
{
	if (f->params.dns != NULL)
		dns_close(f->params.dns);
	f->params.dns = NULL;
	spool_close(&f->spool);
}

static int
open_run(struct flush *f, struct err *e)
{
	const struct config_host *host = &f->config.host;
	const struct dns_options dns_options = {
		.servers = (const char *const *)host->resolver.word,
		.nservers = host->resolver.n,
	};
	/* a bar and lines of log do not go together */
	bool is_talking = f->verbose || strcmp(host->log, "stderr") == 0;

	if (spool_open(&f->spool, host->spool, e) == -1)
		return -1;
	f->params = (struct drain_params){ .config = &f->config,
		.spool = &f->spool,
		.dns = dns_open(&dns_options, e),
		.is_forced = f->now,
		.order =
		    f->smallest_first ? WORK_SMALLEST_FIRST : WORK_OLDEST_FIRST,
		.watch = is_talking ? NULL : stderr,
		.stop = &stop_asked };
	if (f->params.dns != NULL)
		return 0;
	close_run(f);
	return -1;
}

/* ---- one domain ---- */

static void
summarize(struct flush *f, const char *domain, const struct drain_report *r)
{
	char line[512];
	double s = (double)r->elapsed_ms / 1000;

	snprintf(line, sizeof line,
	    "delivered=%lu deferred=%lu refused=%lu dropped=%lu set-aside=%lu "
	    "left=%lu later=%lu held=%lu bytes=%llu seconds=%.1f rate=%.0f/s "
	    "end=%s",
	    r->delivered, r->deferred, r->refused, r->dropped, r->set_aside,
	    r->left, r->later, r->held, (unsigned long long)r->bytes, s,
	    s > 0 ? (double)r->delivered / s : 0.0, drain_end_name(r->end));
	if (r->end != DRAIN_NOTHING)
		log_info("domain=%s %s", domain, line);
	tell(f, domain, line);
}

static void
note_trouble(struct flush *f, const char *domain, const struct err *e)
{
	f->trouble = *e;
	log_alarm("domain=%s %s", domain, e->text);
	tell(f, domain, e->text);
}

static void
flush_domain(struct flush *f, const struct config_domain *domain)
{
	struct drain_report r;
	struct err e = ERR_INIT;
	int rc;

	if (f->max > 0)
		f->params.max = (unsigned long)f->max - f->tried;
	rc = f->dry_run ? drain_plan(&f->params, domain, stdout, &r, &e)
			: drain_domain(&f->params, domain, &r, &e);
	if (rc == -1)
		note_trouble(f, domain->name, &e);
	if (!f->dry_run)
		summarize(f, domain->name, &r);
	f->tried += r.tried;
	f->has_refused = f->has_refused || r.refused + r.set_aside > 0 ||
			 r.end == DRAIN_BREAKER;
	f->has_left = f->has_left || r.deferred > 0 ||
		      (r.left > 0 && r.end != DRAIN_MAX && !f->dry_run);
}

static bool
is_over(const struct flush *f)
{
	return stop_asked || (f->max > 0 && f->tried >= (unsigned long)f->max);
}

/* ---- which domains ---- */

static void
reject_name(struct flush *f, const char *name, const char *why)
{
	char safe[ADDR_DOMAIN_MAX];

	text_safe(safe, sizeof safe, name);
	f->has_bad_name = true;
	log_alarm("domain=%s %s", safe, why);
	tell(f, safe, why);
}

/* NULL: it is none, or not ours, as *e says. */
static const struct config_domain *
find_named(const struct config *config, const char *name, struct err *e)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	const struct config_domain *domain;

	if (addr_fold_domain(name, strlen(name), folded, e) == -1)
		return NULL;
	domain = config_find(config, folded);
	if (domain == NULL)
		err_config(e, "not in bmx.conf");
	return domain;
}

static void
flush_name(struct flush *f, const char *name)
{
	struct err e = ERR_INIT;
	const struct config_domain *domain = find_named(&f->config, name, &e);

	if (domain == NULL)
		reject_name(f, name, e.text);
	else
		flush_domain(f, domain);
}

static int
flush_named(struct flush *f, struct err *e)
{
	struct names names = NAMES_INIT(f->options.args, stdin);
	const char *name;
	int rc = 0;

	while (!is_over(f) && (rc = names_next(&names, &name, e)) == 1)
		flush_name(f, name);
	names_free(&names);
	return rc == -1 ? -1 : 0;
}

/* What waits for a domain that is not in bmx.conf: notices of our own to
 * senders, and mail for a domain that was taken out of it. */
struct unlisted {
	unsigned long notices, strays;
};

static bool
is_notice(const struct spool_domain *d, const struct spool_entry *entry)
{
	struct spool_file file = SPOOL_FILE_INIT;
	struct err ignored = ERR_INIT;
	bool is;

	spool_file_open(&file, d, entry, false, &ignored);
	is = file.env.notice != NULL;
	spool_file_close(&file);
	return is;
}

static void
look_into(struct unlisted *u, const struct flush *f, const char *name)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct spool_entry entry;
	struct spool_list list;
	struct err e = ERR_INIT;

	if (spool_domain_open(&d, &f->spool, name, false, &e) != 1)
		return;
	if (spool_list_open(&list, &d, &e) == 0) {
		while (spool_list_next(&list, &entry, &e) == 1) {
			if (is_notice(&d, &entry))
				u->notices++;
			else
				u->strays++;
		}
		spool_list_close(&list);
	}
	spool_domain_close(&d);
}

/* Notices go; of the rest nobody would know if it were not told. A sender's
 * server that is down is nothing an operator could mend: the exit status does
 * not tell. */
static void
flush_unlisted(struct flush *f, const char *name, bool tells)
{
	bool has_refused = f->has_refused, has_left = f->has_left;
	struct unlisted u = { 0, 0 };
	struct config_domain domain;
	struct err e = ERR_INIT;

	look_into(&u, f, name);
	if (u.strays > 0 && tells)
		reject_name(f, name, "mail waits, not in bmx.conf");
	if (u.strays > 0 && u.notices == 0)
		return;
	if (config_unlisted(&domain, &f->config, name, &e) == 0)
		flush_domain(f, &domain);
	else
		note_trouble(f, name, &e);
	config_unlisted_free(&domain);
	f->has_refused = has_refused;
	f->has_left = has_left;
}

/* The domains that have a directory; with unlisted_only those that are not in
 * bmx.conf, for their notices. */
static int
flush_all(struct flush *f, bool unlisted_only, struct err *e)
{
	struct spool_domains list;
	int rc = 0;

	if (spool_domains_open(&list, &f->spool, e) == -1)
		return -1;
	while (!is_over(f) && (rc = spool_domains_next(&list, e)) == 1) {
		const struct config_domain *domain =
		    config_find(&f->config, list.name);

		if (domain == NULL)
			flush_unlisted(f, list.name, !unlisted_only);
		else if (!unlisted_only)
			flush_domain(f, domain);
	}
	spool_domains_close(&list);
	return rc == -1 ? -1 : 0;
}

/* ---- one long run ---- */

/* The domains it is about: those named, else all of bmx.conf. */
static int
choose_domains(struct flush *f, bool *is_chosen, struct err *e)
{
	struct names names = NAMES_INIT(f->options.args, stdin);
	const struct config_domain *domain;
	const char *name;
	struct err why = ERR_INIT;
	int rc;

	while ((rc = names_next(&names, &name, e)) == 1) {
		domain = find_named(&f->config, name, &why);
		if (domain == NULL)
			reject_name(f, name, why.text);
		else
			is_chosen[domain - f->config.domains] = true;
	}
	names_free(&names);
	for (size_t i = 0; i < f->config.ndomains && !*f->options.args; i++)
		is_chosen[i] = true;
	return rc;
}

static void
watch_domain(struct flush *f, struct watch *w,
    const struct config_domain *domain)
{
	struct drain_report r;
	struct err e = ERR_INIT;
	int rc;

	if (!watch_is_due(w, &f->spool, domain->name))
		return;
	rc = drain_domain(&f->params, domain, &r, &e);
	if (rc == -1)
		note_trouble(f, domain->name, &e);
	if (r.end != DRAIN_NOTHING)
		summarize(f, domain->name, &r);
	watch_ran(w, &r, rc == -1);
}

/* Until a signal. */
static void
watch_domains(struct flush *f, struct watch *watches, const bool *is_chosen)
{
	const struct timespec tick = { WATCH_TICK_MS / 1000,
		WATCH_TICK_MS % 1000 * 1000000L };

	int64_t notices_ms = 0, ageing_ms = clock_monotonic_ms();
	struct err e = ERR_INIT;

	log_info("watching");
	while (!stop_asked && !reload_asked) {
		if (clock_left_ms(ageing_ms) == 0) {
			for (size_t i = 0; i < f->config.ndomains; i++)
				watches[i].looked_s = 0;
			ageing_ms = clock_monotonic_ms() + WATCH_AGEING_MS;
		}
		for (size_t i = 0; i < f->config.ndomains && !stop_asked; i++)
			if (is_chosen[i])
				watch_domain(f, &watches[i],
				    &f->config.domains[i]);
		if (!stop_asked && clock_left_ms(notices_ms) == 0) {
			if (flush_all(f, true, &e) == -1)
				note_trouble(f, f->spool.path, &e);
			notices_ms = clock_monotonic_ms() + WATCH_AGAIN_MS;
		}
		if (!stop_asked && !reload_asked)
			nanosleep(&tick, NULL);
		f->params.is_forced = false; /* --now is for the first look */
	}
	f->trouble.class = ERR_NONE; /* it is in the log, and was tried again */
}

static bool
has_any(const bool *is_chosen, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (is_chosen[i])
			return true;
	return false;
}

static int
watch_chosen(struct flush *f, struct err *e)
{
	size_t n = f->config.ndomains;
	struct watch *watches = calloc(n + 1, sizeof *watches);
	bool *is_chosen = calloc(n + 1, sizeof *is_chosen);
	int rc = -1;

	if (watches == NULL || is_chosen == NULL)
		err_temp(e, "no memory for %zu domains", n);
	else
		rc = choose_domains(f, is_chosen, e);
	if (rc == 0 && (!f->has_bad_name || has_any(is_chosen, n)))
		watch_domains(f, watches, is_chosen);
	free(watches);
	free(is_chosen);
	return rc;
}

/* Is there still a spool, and one of the domains that were named? */
static int
check_fresh(const struct flush *f, const struct config *fresh, struct err *e)
{
	struct spool spool = SPOOL_INIT;
	const char **name = f->options.args;
	struct err ignored = ERR_INIT;

	if (spool_open(&spool, fresh->host.spool, e) == -1)
		return -1;
	spool_close(&spool);
	for (; *name != NULL; name++)
		if (find_named(fresh, *name, &ignored) != NULL)
			return 0;
	return name == f->options.args
		   ? 0
		   : err_config(e, "none of the domains is in bmx.conf");
}

/* What bmx.conf says now, and a log that was rotated; when the new one is no
 * good the old one stays. */
static void
reload(struct flush *f)
{
	struct config fresh = CONFIG_INIT;
	struct err e = ERR_INIT;

	reload_asked = 0;
	if (config_load(&fresh, f->options.config_path, &e) == -1 ||
	    check_fresh(f, &fresh, &e) == -1 ||
	    log_open("bmx-flush", fresh.host.log, &e) == -1) {
		log_alarm("reload failed, the old configuration stays: %s",
		    e.text);
		config_free(&fresh);
		return;
	}
	config_free(&f->config);
	f->config = fresh;
	f->now = false;
	log_info("reloaded");
}

static int
flush_watching(struct flush *f, struct err *e)
{
	int rc = watch_chosen(f, e);

	while (rc == 0 && reload_asked && !stop_asked) {
		reload(f);
		close_run(f);
		rc = open_run(f, e);
		if (rc == 0)
			rc = watch_chosen(f, e);
	}
	log_info("watching no longer");
	return rc;
}

/* ---- the primary's side ---- */

/* Without bmx.conf, unless it is named: the primary is no backup. */
static int
ask_backup(struct flush *f, struct err *e)
{
	char hostname[ADDR_DOMAIN_MAX + 1] = "";
	struct names names = NAMES_INIT(f->options.args, stdin);
	const struct config_list *servers = &f->config.host.resolver;
	const struct dns_options dns_options = {
		.servers = (const char *const *)servers->word,
		.nservers = servers->n,
	};
	struct dns *dns = dns_open(&dns_options, e);
	struct sandbox sandbox;
	const char *name;
	int rc = -1;

	if (f->config.host.hostname != NULL)
		snprintf(hostname, sizeof hostname, "%s",
		    f->config.host.hostname);
	else if (gethostname(hostname, sizeof hostname - 1) == -1)
		snprintf(hostname, sizeof hostname, "localhost");
	if (dns == NULL)
		return -1;
	sandbox_confine_calls(&sandbox);
	while ((rc = names_next(&names, &name, e)) == 1)
		if (ask_for_mail(dns, hostname, f->ask, name, stdout, e) ==
		    -1) {
			err_prefix(e, "%s", name);
			rc = -1;
			break;
		}
	names_free(&names);
	dns_close(dns);
	return rc;
}

/* ---- the run ---- */

static int
run(struct flush *f, struct err *e)
{
	const struct config_host *host = &f->config.host;
	struct sandbox sandbox;
	int rc = -1;

	if (spool_act_as_owner(host->spool, e) == -1 ||
	    become_user(host->user, e) == -1 ||
	    log_open("bmx-flush", host->log, e) == -1)
		return -1;
	log_echo(f->verbose);
	if (open_run(f, e) == -1)
		return -1;
	if (f->watch) /* files may be replaced: its workers look anew */
		sandbox_confine_calls(&sandbox);
	else
		sandbox_confine(&f->config, NULL, &sandbox);
	if (f->watch)
		rc = flush_watching(f, e);
	else if (*f->options.args != NULL)
		rc = flush_named(f, e);
	else
		rc = flush_all(f, false, e);
	if (rc == 0 && !f->watch && *f->options.args != NULL && !f->dry_run)
		rc = flush_all(f, true, e);
	close_run(f);
	return rc;
}

/* What needs a person comes before what only needs time. */
static int
exit_code(const struct flush *f)
{
	if (f->trouble.class != ERR_NONE)
		return err_exit_code(&f->trouble);
	if (f->watch) /* a signal is its good end */
		return f->has_bad_name ? EX_DATAERR : EX_OK;
	if (f->has_refused)
		return EX_UNAVAILABLE;
	if (f->has_bad_name)
		return EX_DATAERR;
	return f->has_left ? EX_TEMPFAIL : EX_OK;
}

/* Options that would have no effect are mistakes. */
static int
check_options(const struct flush *f, struct err *e)
{
	if (f->max < 0)
		return err_usage(e, "--max: not less than 1");
	if (f->oldest_first && f->smallest_first)
		return err_usage(e,
		    "either --oldest-first or --smallest-first");
	if (f->watch && (f->dry_run || f->max > 0))
		return err_usage(e, "--watch takes no --dry-run and no --max");
	for (const char **a = f->options.args; f->watch && *a != NULL; a++)
		if (strcmp(*a, "-") == 0) /* read again after SIGHUP */
			return err_usage(e, "--watch reads no standard input");
	if (f->ask != NULL && (f->watch || f->dry_run || f->now || f->max > 0))
		return err_usage(e, "--ask goes with domains alone");
	if (f->ask != NULL && *f->options.args == NULL)
		return err_usage(e, "--ask for which domain?");
	return 0;
}

static int
parse(struct flush *f, int argc, char **argv, struct err *e)
{
	const struct poptOption rows[] = {
		{ "now", 'n', POPT_ARG_NONE, &f->now, 0,
		    "also messages that are not due yet", NULL },
		{ "dry-run", 0, POPT_ARG_NONE, &f->dry_run, 0,
		    "print the route and what would be sent", NULL },
		{ "oldest-first", 0, POPT_ARG_NONE, &f->oldest_first, 0,
		    "in the order of arrival (default)", NULL },
		{ "smallest-first", 0, POPT_ARG_NONE, &f->smallest_first, 0,
		    "the small messages before the large ones", NULL },
		{ "watch", 'w', POPT_ARG_NONE, &f->watch, 0,
		    "one long run: mail goes when it is due", NULL },
		{ "ask", 0, POPT_ARG_STRING, &f->ask, 0,
		    "ask BACKUP by ETRN for the mail of a DOMAIN", "BACKUP" },
		{ "max", 0, POPT_ARG_LONG, &f->max, 0, "stop after N messages",
		    "N" },
		{ "verbose", 'v', POPT_ARG_NONE, &f->verbose, 0,
		    "repeat the log on stderr", NULL },
		OPTIONS_COMMON(&f->options),
		POPT_TABLEEND,
	};
	int rc = options_parse(&f->options, &usage, rows, argc, argv, e);

	return rc == 0 ? check_options(f, e) : rc;
}

static bool
needs_config(const struct flush *f)
{
	return f->ask == NULL || f->options.config_path != NULL ||
	       getenv("BMX_CONF") != NULL;
}

int
main(int argc, char **argv)
{
	struct flush f = { .options = OPTIONS_INIT,
		.config = CONFIG_INIT,
		.spool = SPOOL_INIT,
		.trouble = ERR_INIT };
	struct err e = ERR_INIT;
	int rc;

	catch_signals();
	f.is_interactive = isatty(STDERR_FILENO);
	rc = parse(&f, argc, argv, &e);
	if (f.watch)
		catch_reload();
	if (rc == 0 && needs_config(&f))
		rc = config_load(&f.config, f.options.config_path, &e);
	if (rc == 0 && f.options.check_config)
		config_print(&f.config);
	else if (rc == 0)
		rc = f.ask != NULL ? ask_backup(&f, &e) : run(&f, &e);
	if (rc == -1) {
		fprintf(stderr, "bmx-flush: %s\n", e.text);
		rc = err_exit_code(&e);
	} else if (rc == 0) {
		rc = exit_code(&f);
	} else {
		rc = EX_OK; /* --help, --version */
	}
	if (fflush(stdout) == EOF && rc == EX_OK)
		rc = EX_IOERR;
	config_free(&f.config);
	free(f.ask);
	options_free(&f.options);
	return rc;
}
