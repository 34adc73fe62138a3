#include "bmx-receive/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "net/connect.h"

#define SYSTEMD_FIRST_FD 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
#define RETRY_MS 100 /* after accept(2) or fork(2) failed for want of room */

static const char too_many[] =
    "421 4.3.2 Too many sessions, try again later\r\n";
static const char too_many_of_you[] =
    "421 4.7.0 Too many sessions from your network, try again later\r\n";

/* What the handlers saw; nothing else in this file outlives a call. */
static volatile sig_atomic_t terminations, hangups;

struct child {
	pid_t pid; /* 0: free */
	struct listen_network network;
};

struct listener {
	const struct listen_ops *ops;
	struct listen_limits limits;
	struct pollfd sockets[LISTEN_FDS_MAX];
	size_t nsockets;
	struct child *children; /* room for as many as ever were allowed */
	size_t room, nchildren;
	int64_t idle_since_ms;
	bool is_stopping;
};

/* ---- sockets that were given ---- */

static bool
is_listening(int fd)
{
	int yes = 0;
	socklen_t len = sizeof yes;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	       yes != 0;
}

/* LISTEN_PID keeps a child from taking the variables of its parent. */
static size_t
systemd_count(void)
{
	const char *pid = getenv("LISTEN_PID"), *n = getenv("LISTEN_FDS");
	unsigned long long value;

	if (pid == NULL || n == NULL ||
	    text_number(pid, strlen(pid), INT32_MAX, &value) == -1 ||
	    (pid_t)value != getpid() ||
	    text_number(n, strlen(n), LISTEN_FDS_MAX, &value) == -1)
		return 0;
	return (size_t)value;
}

/* inetd's is on 0 and 1 (and 2): no session is to inherit it there. */
static int
move_away(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, SYSTEMD_FIRST_FD);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (moved == -1 || null == -1)
		return fd;
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	close(null);
	return moved;
}

size_t
listen_inherited(int fds[LISTEN_FDS_MAX])
{
	size_t count = systemd_count(), n = 0;

	for (size_t i = 0; i < count; i++)
		if (is_listening(SYSTEMD_FIRST_FD + (int)i))
			fds[n++] = SYSTEMD_FIRST_FD + (int)i;
	if (n == 0 && is_listening(STDIN_FILENO))
		fds[n++] = move_away(STDIN_FILENO);
	for (size_t i = 0; i < n; i++) {
		int flags = fcntl(fds[i], F_GETFL);

		/* a client that left before accept(2) must not stop us */
		if (flags != -1)
			fcntl(fds[i], F_SETFL, flags | O_NONBLOCK);
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	}
	return n;
}

/* ---- who is connected ---- */

struct listen_network
listen_network_of(const struct sockaddr *addr)
{
	struct listen_network network = { { 0 } };

	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		network.bytes[10] = network.bytes[11] = 0xff;
		memcpy(network.bytes + 12, &in->sin_addr, 3);
	} else if (addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

		memcpy(network.bytes, &in6->sin6_addr, is_mapped ? 15 : 8);
	}
	return network;
}

static size_t
count_network(const struct listener *l, const struct listen_network *network)
{
	size_t n = 0;

	for (size_t i = 0; i < l->room; i++)
		n += l->children[i].pid != 0 &&
		     memcmp(&l->children[i].network, network,
			 sizeof *network) == 0;
	return n;
}

static struct child *
free_place(struct listener *l)
{
	for (size_t i = 0; i < l->room; i++)
		if (l->children[i].pid == 0)
			return &l->children[i];
	return NULL;
}

static int
make_room(struct listener *l, struct err *e)
{
	struct child *grown;

	if (l->room >= l->limits.sessions)
		return 0;
	grown =
	    reallocarray(l->children, l->limits.sessions, sizeof *l->children);
	if (grown == NULL)
		return err_temp(e, "no memory for %u sessions",
		    l->limits.sessions);
	memset(grown + l->room, 0,
	    (l->limits.sessions - l->room) * sizeof *grown);
	l->children = grown;
	l->room = l->limits.sessions;
	return 0;
}

/* ---- signals ---- */

static void
on_signal(int number)
{
	if (number == SIGTERM)
		terminations++;
	else if (number == SIGHUP)
		hangups++;
}

static const int handled[] = { SIGTERM, SIGHUP, SIGCHLD };

#define NHANDLED (sizeof handled / sizeof *handled)

/* What the signals did before: a session's business again. */
struct signals {
	sigset_t mask;
	struct sigaction actions[NHANDLED];
};

/* They are let in only while ppoll(2) waits, so none is missed. */
static void
catch_signals(struct signals *before)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&action.sa_mask);
	sigemptyset(&blocked);
	for (size_t i = 0; i < NHANDLED; i++) {
		sigaction(handled[i], &action, &before->actions[i]);
		sigaddset(&blocked, handled[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, &before->mask);
}

static void
release_signals(const struct signals *before)
{
	for (size_t i = 0; i < NHANDLED; i++)
		sigaction(handled[i], &before->actions[i], NULL);
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

/* ---- sessions ---- */

static void
log_death(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_alarm("session=%ld killed by signal %d", (long)pid,
		    WTERMSIG(status));
}

static void
reap(struct listener *l)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < l->room; i++) {
			if (l->children[i].pid != pid)
				continue;
			l->children[i].pid = 0;
			l->nchildren--;
			log_death(pid, status);
		}
		l->idle_since_ms = clock_monotonic_ms();
	}
}

/* One line, without waiting for a client that does not read. */
static void
send_last(int fd, const char *reply)
{
	if (send(fd, reply, strlen(reply), MSG_DONTWAIT | MSG_NOSIGNAL) != -1)
		shutdown(fd, SHUT_WR);
}

static void
turn_away(int fd, const char *reply, const char *client)
{
	log_warn("peer=%s reply=\"%.*s\" refused", client,
	    (int)strcspn(reply, "\r"), reply);
	send_last(fd, reply);
}

/* The child's whole life. */
static void
live(const struct listener *l, int fd, const struct signals *before)
{
	bool is_busy = l->nchildren >= l->limits.busy;

	release_signals(before);
	for (size_t i = 0; i < l->nsockets; i++)
		close(l->sockets[i].fd);
	free(l->children);
	_exit(l->ops->session(l->ops->arg, fd, is_busy));
}

static void
begin(struct listener *l, int fd, const struct listen_network *network,
    const struct signals *before)
{
	struct child *child = free_place(l);
	pid_t pid;

	l->ops->prepare(l->ops->arg);
	pid = child == NULL ? -1 : fork();
	if (pid == 0)
		live(l, fd, before);
	if (pid == -1) {
		log_alarm("fork: %s", strerror(errno));
		turn_away(fd, too_many, "unknown");
		return;
	}
	child->pid = pid;
	child->network = *network;
	l->nchildren++;
}

static bool
is_too_many(const struct listener *l, const struct endpoint *client,
    const struct listen_network *network)
{
	char host[ENDPOINT_TEXT_MAX];

	return count_network(l, network) >= l->limits.per_network &&
	       !l->ops->is_front(l->ops->arg, endpoint_host(client, host));
}

static void
admit(struct listener *l, int fd, const struct endpoint *client,
    const struct signals *before)
{
	struct listen_network network =
	    listen_network_of((const struct sockaddr *)&client->addr);
	char text[ENDPOINT_TEXT_MAX];

	endpoint_text(client, text);
	if (l->nchildren >= l->limits.sessions)
		turn_away(fd, too_many, text);
	else if (is_too_many(l, client, &network))
		turn_away(fd, too_many_of_you, text);
	else
		begin(l, fd, &network, before);
	close(fd);
}

/* A client that left again, or want of descriptors, ends nothing. */
static int
accept_one(struct listener *l, int socket, const struct signals *before,
    struct err *e)
{
	struct endpoint client = { .len = sizeof client.addr };
	int fd = accept4(socket, (struct sockaddr *)&client.addr, &client.len,
	    SOCK_CLOEXEC);

	if (fd != -1) {
		admit(l, fd, &client, before);
		return 0;
	}
	if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK ||
	    errno == EOPNOTSUPP)
		return err_sys(e, "accept");
	if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
	    errno == ENOMEM) {
		log_alarm("accept: %s", strerror(errno));
		poll(NULL, 0, RETRY_MS);
	}
	return 0;
}

/* ---- the loop ---- */

static void
heed_signals(struct listener *l)
{
	struct err e = ERR_INIT;

	if (terminations > 0 && !l->is_stopping) {
		log_info("stopping sessions=%zu", l->nchildren);
		l->is_stopping = true;
		l->nsockets = 0;
	}
	if (terminations > 1) {
		terminations = 1;
		for (size_t i = 0; i < l->room; i++)
			if (l->children[i].pid != 0)
				kill(l->children[i].pid, SIGTERM);
	}
	if (hangups > 0) {
		hangups = 0;
		if (l->ops->reload(l->ops->arg, &l->limits, &e) == -1 ||
		    make_room(l, &e) == -1)
			log_alarm("reload failed, the old configuration stays: "
				  "%s",
			    e.text);
		else
			log_info("reloaded");
	}
}

/* How long to wait at the most: until idle time is over. -1: for ever. */
static int64_t
patience_ms(const struct listener *l)
{
	int64_t left;

	if (l->nchildren > 0 || l->limits.idle_s == 0)
		return -1;
	left = l->idle_since_ms + (int64_t)l->limits.idle_s * 1000 -
	       clock_monotonic_ms();
	return left > 0 ? left : 0;
}

static bool
is_over(const struct listener *l)
{
	if (l->is_stopping)
		return l->nchildren == 0;
	return patience_ms(l) == 0;
}

/* Returns the number of sockets with clients; 0 after a signal or time. */
static int
wait_for_clients(struct listener *l, const struct signals *before,
    struct err *e)
{
	int64_t ms = patience_ms(l);
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };
	int n = ppoll(l->sockets, l->nsockets, ms == -1 ? NULL : &limit,
	    &before->mask);

	if (n == -1 && errno != EINTR)
		return err_sys(e, "poll");
	return n == -1 ? 0 : n;
}

static int
loop(struct listener *l, const struct signals *before, struct err *e)
{
	while (!is_over(l)) {
		int n = wait_for_clients(l, before, e);

		if (n == -1)
			return -1;
		reap(l);
		heed_signals(l);
		for (size_t i = 0; n > 0 && i < l->nsockets; i++)
			if (l->sockets[i].revents != 0 &&
			    accept_one(l, l->sockets[i].fd, before, e) == -1)
				return -1;
		if (n > 0)
			l->idle_since_ms = clock_monotonic_ms();
	}
	return 0;
}

int
listen_serve(const int *fds, size_t nfds, struct listen_limits limits,
    const struct listen_ops *ops, struct err *e)
{
	struct listener l = {
		.ops = ops,
		.limits = limits,
		.nsockets = nfds,
		.idle_since_ms = clock_monotonic_ms(),
	};
	struct signals before;
	int rc = -1;

	for (size_t i = 0; i < nfds; i++)
		l.sockets[i] = (struct pollfd){ fds[i], POLLIN, 0 };
	catch_signals(&before);
	if (make_room(&l, e) == 0)
		rc = loop(&l, &before, e);
	free(l.children);
	release_signals(&before);
	return rc;
}

/* ---- when we cannot serve ---- */

void
listen_refuse(const int *fds, size_t nfds, const char *reply, unsigned for_s)
{
	int64_t deadline_ms = clock_monotonic_ms() + (int64_t)for_s * 1000;
	struct pollfd sockets[LISTEN_FDS_MAX];

	for (size_t i = 0; i < nfds; i++)
		sockets[i] = (struct pollfd){ fds[i], POLLIN, 0 };
	while (poll(sockets, nfds, clock_left_ms(deadline_ms)) > 0 &&
	       clock_left_ms(deadline_ms) > 0) {
		for (size_t i = 0; i < nfds; i++) {
			int fd =
			    sockets[i].revents == 0
				? -1
				: accept4(fds[i], NULL, NULL, SOCK_CLOEXEC);

			if (fd == -1)
				continue;
			send_last(fd, reply);
			close(fd);
		}
	}
}
