#include "bmx-probe/change.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

#define NAP_MS 20
#define FACTS_MAX 16
#define FACTS_BYTES (16 * 1024)

extern char **environ;

bool
change_is_news(const struct report_row *row)
{
	const struct primary *p = row->state;

	return row->is_kept && p->verdict != PRIMARY_UNKNOWN &&
	       p->verdict != p->told;
}

/* ---- the facts ---- */

/* The environment of the command: "NAME=value" texts in one buffer, then what
 * we have ourselves. */
struct facts {
	struct buf text;
	size_t at[FACTS_MAX];
	size_t n;
	char **environment;
};

static void
add_fact(struct facts *f, const char *name, const char *value)
{
	f->at[f->n++] = f->text.len;
	buf_addf(&f->text, "%s=%s", name, value);
	buf_add(&f->text, "", 1);
}

static void
add_time(struct facts *f, const char *name, int64_t when_s)
{
	char text[CLOCK_RFC3339_MAX] = "";

	if (when_s > 0) {
		clock_rfc3339(text, when_s * 1000000);
		strcpy(text + strlen("2026-11-24T03:11:14"), "Z");
	}
	add_fact(f, name, text);
}

static void
gather_facts(struct facts *f, const struct report_row *row)
{
	const struct probe_result *r = row->result;
	const struct probe_address *a = r->decided;

	add_fact(f, "BMX_DOMAIN", row->name);
	add_fact(f, "BMX_VERDICT", primary_verdict_name(row->state->verdict));
	add_fact(f, "BMX_WAS", primary_verdict_name(row->state->told));
	add_time(f, "BMX_SINCE", row->state->since_s);
	add_time(f, "BMX_LAST_GOOD", row->state->good_s);
	add_fact(f, "BMX_RESULT", primary_verdict_name(r->result));
	add_fact(f, "BMX_CODE", probe_code_name(r->code));
	add_fact(f, "BMX_REASON", r->reason);
	add_fact(f, "BMX_ADDRESS", a != NULL ? a->address : "");
	add_fact(f, "BMX_HOST", a != NULL ? a->host : "");
}

static bool
is_fact(const struct facts *f, const char *variable)
{
	size_t len = strcspn(variable, "=") + 1;

	for (size_t i = 0; i < f->n; i++)
		if (strncmp(f->text.data + f->at[i], variable, len) == 0)
			return true;
	return false;
}

static bool
make_environment(struct facts *f)
{
	size_t own = 0, n = 0;

	while (environ[own] != NULL)
		own++;
	f->environment = calloc(own + f->n + 1, sizeof *f->environment);
	if (f->environment == NULL || f->text.failed)
		return false;
	for (size_t i = 0; i < f->n; i++)
		f->environment[n++] = f->text.data + f->at[i];
	for (size_t i = 0; i < own; i++)
		if (!is_fact(f, environ[i]))
			f->environment[n++] = environ[i];
	return true;
}

/* ---- the command ---- */

/* A group of its own, so that its children end with it; stdin is empty, and
 * what it prints cannot get into our output. */
static int
start(const char *command, const struct report_row *row, char **environment,
    pid_t *pid)
{
	char domain[ADDR_DOMAIN_MAX + 1], is[16], was[16], path[4096];
	char *const argv[] = { path, domain, is, was, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t all;
	int rc;

	if (snprintf(path, sizeof path, "%s", command) >= (int)sizeof path)
		return ENAMETOOLONG;
	snprintf(domain, sizeof domain, "%s", row->name);
	snprintf(is, sizeof is, "%s",
	    primary_verdict_name(row->state->verdict));
	snprintf(was, sizeof was, "%s", primary_verdict_name(row->state->told));
	sigfillset(&all);
	if (posix_spawn_file_actions_init(&files) != 0)
		return ENOMEM;
	if (posix_spawnattr_init(&how) != 0) {
		posix_spawn_file_actions_destroy(&files);
		return ENOMEM;
	}
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null",
	    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	posix_spawnattr_setsigdefault(&how, &all);
	posix_spawnattr_setflags(&how,
	    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF);
	rc = posix_spawn(pid, path, &files, &how, argv, environment);
	posix_spawnattr_destroy(&how);
	posix_spawn_file_actions_destroy(&files);
	return rc;
}

/* Its status; -1: it had to be killed. */
static int
await(pid_t pid, unsigned timeout_s)
{
	const struct timespec nap = { 0, NAP_MS * 1000000 };
	int64_t until_ms = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
	int status = 0;
	pid_t done;

	while ((done = waitpid(pid, &status, WNOHANG)) == 0 ||
	       (done == -1 && errno == EINTR)) {
		if (clock_left_ms(until_ms) == 0) {
			kill(-pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		nanosleep(&nap, NULL);
	}
	return status;
}

static bool
run(const struct change *c, const struct report_row *row, char **environment)
{
	const char *command = c->command;
	pid_t pid;
	int status, rc = start(command, row, environment, &pid);

	if (rc != 0) {
		log_warn("domain=%s on-change=failed reason=\"%s: %s\"",
		    row->name, command, strerror(rc));
		return false;
	}
	status = await(pid, c->timeout_s);
	if (status == 0)
		return true;
	if (status == -1)
		log_warn("domain=%s on-change=failed reason=\"%s: killed after "
			 "%u s\"",
		    row->name, command, c->timeout_s);
	else
		log_warn("domain=%s on-change=failed reason=\"%s: %s %d\"",
		    row->name, command,
		    WIFSIGNALED(status) ? "signal" : "status",
		    WIFSIGNALED(status) ? WTERMSIG(status)
					: WEXITSTATUS(status));
	return false;
}

bool
change_tell(const struct change *c, const struct report_row *row)
{
	struct facts f = { .text = BUF_INIT(FACTS_BYTES) };
	bool is_told = false;

	gather_facts(&f, row);
	if (make_environment(&f))
		is_told = run(c, row, f.environment);
	else
		log_warn("domain=%s on-change=failed reason=\"no memory\"",
		    row->name);
	free(f.environment);
	buf_free(&f.text);
	return is_told;
}
