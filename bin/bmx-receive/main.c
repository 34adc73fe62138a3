#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "bmx-receive/serve.h"

static const char not_configured[] =
    "421 4.3.5 The server is not configured right, try later\r\n";
static const char out_of_service[] =
    "421 4.3.0 The server is in trouble, try later\r\n";

/* ---- descriptors: under inetd the client is on 0, 1 and 2 ---- */

static bool
is_same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static void
silence_stderr(void)
{
	int fd = open("/dev/null", O_RDWR);

	if (fd != -1 && fd != STDERR_FILENO) {
		dup2(fd, STDERR_FILENO);
		close(fd);
	}
}

/* None of 0, 1 and 2 may be free for a spool file to get, and nothing may be
 * written to the client by way of fd 2. True: fd 2 is the client. */
static bool
settle_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd != -1 && fd <= STDERR_FILENO);
	if (fd != -1)
		close(fd);
	if (isatty(STDERR_FILENO) ||
	    (!is_same_file(STDERR_FILENO, STDIN_FILENO) &&
		!is_same_file(STDERR_FILENO, STDOUT_FILENO)))
		return false;
	silence_stderr();
	return true;
}

/* Where the log goes; stderr only if it is ours. */
static int
settle_log(const char *destination, bool stderr_is_client, struct err *e)
{
	bool is_stderr = strcmp(destination, "stderr") == 0;

	if (is_stderr && stderr_is_client)
		destination = "syslog";
	if (!is_stderr && !isatty(STDERR_FILENO))
		silence_stderr();
	return log_open("bmx-receive", destination, e);
}

/* ---- signals ---- */

static volatile sig_atomic_t told_to_end;

/* Again each second, until the session sees it: the first may come between
 * its look at told_to_end and its wait. */
static void
on_term(int signal_number)
{
	(void)signal_number;
	told_to_end = 1;
	alarm(1);
}

static void
settle_signals(void)
{
	struct sigaction term = { .sa_handler = on_term,
		.sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGALRM, &term, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* then write(2) says EFBIG */
}

/* ---- the program ---- */

static int
check(const struct config *config, struct err *e)
{
	config_print(config);
	return serve_check(config, e);
}

static int
receive(const struct options *o, bool stderr_is_client, struct err *e)
{
	struct config config = CONFIG_INIT;
	struct serve_params params = {
		.config = &config,
		.in_fd = STDIN_FILENO,
		.out_fd = STDOUT_FILENO,
		.told_to_end = &told_to_end,
	};
	int rc = -1;

	if (config_load(&config, o->config_path, e) == 0) {
		if (o->check_config)
			rc = check(&config, e);
		else if (settle_log(config.host.log, stderr_is_client, e) == 0)
			rc = serve(&params, e);
	}
	config_free(&config);
	return rc;
}

static int
parse_options(struct options *o, int argc, char **argv, struct err *e)
{
	static const struct options_usage usage = {
		.program = "bmx-receive",
		.args = "[OPTION...]",
		.purpose = "Serve one SMTP session on standard input and "
			   "output, and spool its mail.",
		.examples =
		    "  smtp stream tcp nowait bmx /usr/sbin/bmx-receive "
		    "bmx-receive    (inetd.conf)\n"
		    "  bmx-receive --check-config\n",
	};
	const struct poptOption rows[] = {
		OPTIONS_COMMON(o),
		POPT_TABLEEND,
	};
	int rc = options_parse(o, &usage, rows, argc, argv, e);

	if (rc == 0 && o->args[0] != NULL)
		return err_usage(e, "there are no arguments; try "
				    "bmx-receive --help");
	return rc;
}

/* Nobody is left waiting: the log, a person and a client are told. */
static void
report(const struct options *o, const struct err *e)
{
	const char *reply =
	    e->class == ERR_TEMP ? out_of_service : not_configured;

	fprintf(stderr, "bmx-receive: %s\n", e->text);
	if (o->check_config)
		return;
	log_alarm("%s", e->text);
	if (!isatty(STDIN_FILENO) &&
	    file_write_all(STDOUT_FILENO, reply, strlen(reply)) == -1)
		return; /* the client is gone, and nobody is left to tell */
}

int
main(int argc, char **argv)
{
	struct options o = OPTIONS_INIT;
	struct err e = ERR_INIT;
	bool stderr_is_client = settle_descriptors();
	int rc;

	log_open("bmx-receive", "syslog", &e);
	settle_signals();
	umask(077);
	rc = parse_options(&o, argc, argv, &e);
	if (rc == 0)
		rc = receive(&o, stderr_is_client, &e);
	if (rc == -1)
		report(&o, &e);
	options_free(&o);
	return rc == -1 ? err_exit_code(&e) : EX_OK;
}
