#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/become.h"
#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "bmx-receive/check.h"
#include "bmx-receive/listen.h"
#include "bmx-receive/process.h"
#include "net/sandbox.h"
#include "bmx-receive/serve.h"
#include "bmx-receive/service.h"
#include "spool/spool.h"

#define CASE_ARGS 4
#define REFUSE_S 10 /* so often at most a super-server starts us in vain */

static const char not_configured[] =
    "421 4.3.5 The server is not configured right, try later\r\n";
static const char out_of_service[] =
    "421 4.3.0 The server is in trouble, try later\r\n";

/* Last: what is given up is gone. A comment, so that what we print remains a
 * configuration. */
static void
print_sandbox(const struct config *config)
{
	struct sandbox_plan plan = SANDBOX_PLAN_INIT;
	struct sandbox s;

	sandbox_prepare(&plan, config);
	sandbox_enter(&plan, &s);
	sandbox_forget(&plan);
	printf("# sandbox: no_new_privs=%s landlock=%d seccomp=%s\n",
	    s.no_new_privs ? "yes" : "no", s.landlock,
	    s.seccomp ? "yes" : "no");
}

/* As the user that would serve. */
static int
become_server(const struct config *config, struct err *e)
{
	if (config->host.user != NULL)
		return become_user(config->host.user, e);
	return spool_act_as_owner(config->host.spool, e);
}

/* For --check-config: what is configured, and whether it can work. */
static int
check(const struct options *o, struct err *e)
{
	struct config config = CONFIG_INIT;
	int rc = -1;

	if (config_load(&config, o->config_path, e) == 0) {
		config_print(&config);
		rc = become_server(&config, e);
	}
	if (rc == 0)
		rc = serve_check(&config, e);
	if (rc == 0) /* without a log there is no session */
		rc = log_open("bmx-receive", config.host.log, e);
	if (rc == 0) {
		putchar('\n');
		check_knowledge(&config);
		print_sandbox(&config);
	}
	config_free(&config);
	return rc;
}

/* --check: the exit status is the verdict. */
static int
try_case(const struct options *o, struct err *e)
{
	struct config config = CONFIG_INIT;
	struct check_case c = { o->args[0], o->args[1], o->args[2],
		o->args[3] };
	int digit = -1;

	if (config_load(&config, o->config_path, e) == 0 &&
	    log_open("bmx-receive", "stderr", e) == 0 &&
	    become_server(&config, e) == 0)
		digit = check_case(&config, &c, e);
	config_free(&config);
	return digit == -1  ? -1
	       : digit == 2 ? EX_OK
	       : digit == 4 ? EX_TEMPFAIL
			    : EX_UNAVAILABLE;
}

static int
receive(struct service *s, const int *fds, size_t nfds, struct err *e)
{
	int rc = -1;

	if (service_load(s, e) == 0)
		rc = nfds > 0 ? service_many(s, fds, nfds, e)
			      : service_one(s, e);
	service_free(s);
	return rc;
}

static size_t
count_args(const struct options *o)
{
	size_t n = 0;

	while (o->args[n] != NULL)
		n++;
	return n;
}

static int
parse_options(struct options *o, int *is_case, int argc, char **argv,
    struct err *e)
{
	static const struct options_usage usage = {
		.program = "bmx-receive",
		.args = "[OPTION...]",
		.purpose = "Serve SMTP on standard input and output, or on "
			   "a socket; spool the mail.",
		.examples =
		    "  smtp stream tcp nowait bmx /usr/sbin/bmx-receive "
		    "bmx-receive    (inetd.conf)\n"
		    "  bmx-receive --check-config\n"
		    "  bmx-receive --check 192.0.2.1 mx.example.org '' "
		    "bob@example.com\n",
	};
	const struct poptOption rows[] = {
		{ "check", 0, POPT_ARG_NONE, is_case, 0,
		    "say what a client would be answered, and why", NULL },
		OPTIONS_COMMON(o),
		POPT_TABLEEND,
	};
	int rc = options_parse(o, &usage, rows, argc, argv, e);

	if (rc == 0 && count_args(o) != (*is_case ? CASE_ARGS : 0))
		return err_usage(e, *is_case ? "--check takes IP HELO FROM RCPT"
					     : "there are no arguments; try "
					       "bmx-receive --help");
	return rc;
}

/* Nobody is left waiting: the log, a person and a client are told. */
static void
report(const struct service *s, bool is_by_hand, const int *fds, size_t nfds,
    const struct err *e)
{
	const char *reply =
	    e->class == ERR_TEMP ? out_of_service : not_configured;

	/* by hand with 2>&1 there is no client, though it looked so */
	fprintf(is_by_hand && s->stderr_is_client ? stdout : stderr,
	    "bmx-receive: %s\n", e->text);
	if (is_by_hand)
		return;
	log_alarm("%s", e->text);
	if (nfds > 0)
		listen_refuse(fds, nfds, reply, REFUSE_S);
	else if (!isatty(STDIN_FILENO) &&
		 file_write_all(STDOUT_FILENO, reply, strlen(reply)) == -1)
		return; /* the client is gone, and nobody is left to tell */
}

static int
run(struct service *s, const struct options *o, bool is_case, const int *fds,
    size_t nfds, struct err *e)
{
	if (o->check_config)
		return check(o, e);
	return is_case ? try_case(o, e) : receive(s, fds, nfds, e);
}

int
main(int argc, char **argv)
{
	struct options o = OPTIONS_INIT;
	struct service s = SERVICE_INIT;
	struct err e = ERR_INIT;
	int fds[LISTEN_FDS_MAX], is_case = 0, rc;
	size_t nfds;

	s.stderr_is_client = process_settle_descriptors();
	nfds = listen_inherited(fds);
	log_open("bmx-receive", "syslog", &e);
	s.told_to_end = process_settle_signals();
	umask(077);
	rc = parse_options(&o, &is_case, argc, argv, &e);
	s.config_path = o.config_path;
	if (rc == 0)
		rc = run(&s, &o, is_case != 0, fds, nfds, &e);
	else if (rc == 1) /* --help */
		rc = EX_OK;
	if (rc == -1)
		report(&s, o.check_config != 0 || is_case != 0, fds, nfds, &e);
	options_free(&o);
	return rc == -1 ? err_exit_code(&e) : rc;
}
