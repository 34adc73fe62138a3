#include "bmx-receive/etrn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/network.h"
#include "bmx-receive/standing.h"

#define REQUEST_MAX (ETRN_DOMAINS_MAX * (ADDR_DOMAIN_MAX + 1))

static const char not_allowed[] =
    "459 4.7.1 You may not ask for the mail of that domain";
static const char nothing_waits[] = "251 2.0.0 No mail waits for that domain";
static const char is_running[] = "252 2.0.0 Its mail is being sent already";
static const char too_often[] =
    "458 4.7.1 You asked a moment ago, try again later";
static const char cannot_start[] = "458 4.3.0 Cannot send its mail now";

static const char stamp[] = "etrn"; /* its mtime: when a run was started */

static bool
allows(const struct config_domain *d, const char *client)
{
	return network_any_has(d->etrn.word, d->etrn.n, client);
}

bool
etrn_is_allowed(const struct config *config, const char *client)
{
	for (size_t i = 0; i < config->ndomains; i++)
		if (allows(&config->domains[i], client))
			return true;
	return false;
}

/* ---- the starter ---- */

static const char *
flush_path(void)
{
	const char *path = secure_getenv("BMX_FLUSH");

	return path != NULL ? path : SBINDIR "/bmx-flush";
}

/* Names, each with its NUL, in one request; only those that are configured. */
static void
run_flush(const struct config *config, const char *names, size_t len)
{
	const char *argv[ETRN_DOMAINS_MAX + 5] = { "bmx-flush", "-c",
		config->path, "--now" };
	const char *end = names + len;
	size_t argc = 4;

	for (; names < end && argc < ETRN_DOMAINS_MAX + 4;
	     names += strlen(names) + 1) {
		const struct config_domain *d = config_find(config, names);

		if (d != NULL)
			argv[argc++] = d->name;
	}
	setsid();
	signal(SIGCHLD, SIG_DFL);
	close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
	if (argc > 4)
		execv(flush_path(), (char *const *)argv);
	log_alarm("%s: %s", flush_path(), strerror(errno));
	_exit(1);
}

/* The starter's whole life: it must not hold the client's connection. */
static void
serve_requests(const struct config *config, int fd)
{
	char request[REQUEST_MAX + 1];
	ssize_t len;
	int null = open("/dev/null", O_RDWR);

	for (int i = 0; i <= STDERR_FILENO; i++)
		dup2(null, i);
	signal(SIGTERM, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	signal(SIGCHLD, SIG_IGN); /* no zombies */
	while ((len = recv(fd, request, REQUEST_MAX, 0)) > 0) {
		pid_t pid = fork();

		request[len] = '\0';
		if (pid == 0)
			run_flush(config, request, (size_t)len);
		if (pid == -1)
			log_alarm("ETRN: fork: %s", strerror(errno));
	}
	_exit(0);
}

int
etrn_init(struct etrn *t, const struct config *config,
    const struct spool *spool, int client_fd, struct err *e)
{
	int pair[2];
	pid_t pid;

	*t = (struct etrn){ config, spool, -1, "" };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == -1)
		return err_sys(e, "ETRN: socketpair");
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		if (client_fd > STDERR_FILENO)
			close(client_fd);
		serve_requests(config, pair[1]);
	}
	close(pair[1]);
	if (pid == -1) {
		close(pair[0]);
		return err_sys(e, "ETRN: fork");
	}
	t->starter_fd = pair[0];
	return 0;
}

void
etrn_free(struct etrn *t)
{
	if (t->starter_fd != -1)
		close(t->starter_fd);
	t->starter_fd = -1;
}

/* ---- one domain ---- */

struct state {
	unsigned long waiting; /* messages */
	bool is_running;       /* a flusher has the lock */
	bool is_paused;        /* by an operator: a flusher would do nothing */
	bool is_too_soon;
};

static int
count_waiting(struct state *s, const struct spool_domain *d, struct err *e)
{
	struct spool_entry entry;
	struct spool_list list;
	int rc;

	if (spool_list_open(&list, d, e) == -1)
		return -1;
	while ((rc = spool_list_next(&list, &entry, e)) == 1)
		s->waiting += !entry.is_held;
	spool_list_close(&list);
	return rc;
}

static bool
is_recent(const struct spool_domain *d)
{
	struct stat st;
	time_t now = time(NULL);

	return fstatat(d->fd, stamp, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_mtime <= now && now - st.st_mtime < ETRN_INTERVAL_S;
}

static int
look(struct state *s, const struct spool *spool,
    const struct config_domain *domain, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc = spool_domain_open(&d, spool, domain->name, false, e);
	int lock;

	*s = (struct state){ .waiting = 0 };
	if (rc == 1) {
		rc = count_waiting(s, &d, e);
		lock =
		    rc == -1 || s->waiting == 0 ? 1 : spool_domain_lock(&d, e);
		s->is_running = lock == 0;
		s->is_paused =
		    s->waiting > 0 && standing_is_paused(spool, domain);
		s->is_too_soon = is_recent(&d);
		if (lock == -1)
			rc = -1;
	}
	spool_domain_close(&d); /* gives the lock back */
	return rc == -1 ? -1 : 0;
}

/* Remember that a run is started. */
static int
touch(const struct spool *spool, const char *domain, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc = -1, fd = -1;
	struct stat st;

	if (spool_domain_open(&d, spool, domain, false, e) == 1) {
		fd = openat(d.fd, stamp,
		    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		    0600);
		rc = fd == -1 ? err_sys(e, "open %s", stamp)
			      : file_is_ours(fd, stamp, &st, e);
		if (rc == 0 && futimens(fd, NULL) == -1)
			rc = err_sys(e, "utime %s", stamp);
		if (rc == -1)
			err_prefix(e, "%s", domain);
	}
	if (fd != -1)
		close(fd);
	spool_domain_close(&d);
	return rc;
}

/* ---- the answer ---- */

/* Is the domain meant by node: itself, or with "@" also below it? */
static bool
is_meant(const char *domain, const char *node)
{
	size_t len = strlen(domain), node_len;

	if (node[0] != '@')
		return strcmp(domain, node) == 0;
	node_len = strlen(++node);
	if (len < node_len || strcmp(domain + len - node_len, node) != 0)
		return false;
	return len == node_len || domain[len - node_len - 1] == '.';
}

struct request {
	struct state sum;
	size_t allowed; /* domains */
	size_t n;       /* of them, to be started */
	char names[REQUEST_MAX];
	size_t len;
};

static int
add_domain(struct request *r, const struct spool *spool,
    const struct config_domain *domain, struct err *e)
{
	size_t len = strlen(domain->name) + 1;
	struct state s;

	r->allowed++;
	if (look(&s, spool, domain, e) == -1)
		return -1;
	if (s.waiting == 0)
		return 0;
	r->sum.is_running |= s.is_running;
	r->sum.is_paused |= s.is_paused;
	r->sum.is_too_soon |= s.is_too_soon && !s.is_running;
	if (s.is_running || s.is_paused || s.is_too_soon)
		return 0;
	if (touch(spool, domain->name, e) == -1)
		return -1;
	memcpy(r->names + r->len, domain->name, len);
	r->len += len;
	r->n++;
	r->sum.waiting += s.waiting;
	return 0;
}

static const char *
start(struct etrn *t, const struct request *r)
{
	if (r->len == 0)
		return r->sum.is_running    ? is_running
		       : r->sum.is_paused   ? cannot_start
		       : r->sum.is_too_soon ? too_often
					    : nothing_waits;
	if (send(t->starter_fd, r->names, r->len, MSG_NOSIGNAL) == -1) {
		log_alarm("ETRN: %s", strerror(errno));
		return cannot_start;
	}
	snprintf(t->reply, sizeof t->reply,
	    "253 2.0.0 %lu pending messages started", r->sum.waiting);
	return t->reply;
}

/* The domains that the client may ask for and node means; NULL means all. */
static int
gather(struct request *r, const struct etrn *t, const char *client,
    const char *node)
{
	struct err e = ERR_INIT;

	*r = (struct request){ .len = 0 };
	for (size_t i = 0; i < t->config->ndomains; i++) {
		const struct config_domain *d = &t->config->domains[i];

		if ((node != NULL && !is_meant(d->name, node)) ||
		    !allows(d, client) || r->n == ETRN_DOMAINS_MAX)
			continue;
		if (add_domain(r, t->spool, d, &e) == -1) {
			log_alarm("ETRN: %s", e.text);
			return -1;
		}
	}
	return 0;
}

const char *
etrn_answer(struct etrn *t, const char *client, const char *node)
{
	struct request r;

	if (gather(&r, t, client, node) == -1)
		return cannot_start;
	return r.allowed == 0 ? not_allowed : start(t, &r);
}

void
etrn_hint(struct etrn *t, const char *client)
{
	struct request r;

	if (t->starter_fd == -1 || gather(&r, t, client, NULL) == -1 ||
	    r.len == 0)
		return;
	start(t, &r);
	log_info("peer=%s has sent mail, so it is up: %lu messages that wait "
		 "are tried",
	    client, r.sum.waiting);
}
