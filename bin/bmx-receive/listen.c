#include "bmx-receive/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-receive/hand.h"
#include "net/connect.h"

#define SYSTEMD_FIRST_FD 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */
#define RETRY_MS 100 /* after accept(2) or fork(2) failed for want of room */
#define LOOK_MS 1000 /* how often to look for children that are too old */

static const char too_many[] =
    "421 4.3.2 Too many sessions, try again later\r\n";
static const char too_many_of_you[] =
    "421 4.7.0 Too many sessions from your network, try again later\r\n";

/* What the handlers saw; nothing else in this file outlives a call. */
static volatile sig_atomic_t terminations, hangups;

struct listener {
	const struct listen_ops *ops;
	struct listen_limits limits;
	const int *sockets;
	size_t nsockets;
	struct crew crew;
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

/* The child's whole life: this client, and those that are handed to it. */
static void
live(struct listener *l, int fd, bool is_busy, int channel,
    const struct signals *before)
{
	const struct listen_ops *ops = l->ops;
	int status;
	bool is_clean;

	release_signals(before);
	for (size_t i = 0; i < l->nsockets; i++)
		close(l->sockets[i]);
	crew_free(&l->crew);
	do
		status = ops->session(ops->arg, fd, is_busy, &is_clean);
	while (is_clean && channel != -1 && hand_back(channel) == 0 &&
	       (fd = hand_next(channel, ops->told_to_end, &is_busy)) != -1);
	_exit(status);
}

static void
begin(struct listener *l, int fd, const struct endpoint *client,
    const struct crew_network *network, const struct signals *before)
{
	bool is_busy = l->crew.nbusy >= l->limits.busy;
	char host[ENDPOINT_TEXT_MAX];
	bool is_alone =
	    l->ops->is_alone(l->ops->arg, endpoint_host(client, host));
	struct err e = ERR_INIT;
	int channel;
	pid_t pid;

	if (!is_alone && crew_pass(&l->crew, fd, is_busy, network))
		return;
	l->ops->prepare(l->ops->arg);
	pid = crew_fork(&l->crew, network, is_alone, &channel, &e);
	if (pid == 0)
		live(l, fd, is_busy, channel, before);
	if (pid == -1) {
		log_alarm("%s", e.text);
		turn_away(fd, too_many, "unknown");
	}
}

static bool
is_too_many(const struct listener *l, const struct endpoint *client,
    const struct crew_network *network)
{
	char host[ENDPOINT_TEXT_MAX];

	return crew_count(&l->crew, network) >= l->limits.per_network &&
	       !l->ops->is_front(l->ops->arg, endpoint_host(client, host));
}

static void
admit(struct listener *l, int fd, const struct endpoint *client,
    const struct signals *before)
{
	struct crew_network network =
	    crew_network_of((const struct sockaddr *)&client->addr);
	char text[ENDPOINT_TEXT_MAX];

	endpoint_text(client, text);
	if (l->crew.nbusy >= l->limits.sessions)
		turn_away(fd, too_many, text);
	else if (is_too_many(l, client, &network))
		turn_away(fd, too_many_of_you, text);
	else
		begin(l, fd, client, &network, before);
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
stop(struct listener *l)
{
	log_info("stopping sessions=%zu", l->crew.nbusy);
	l->is_stopping = true;
	for (size_t i = 0; i < l->nsockets; i++)
		l->crew.polls[i].fd = -1;
	crew_renew(&l->crew);
}

static void
reload(struct listener *l)
{
	struct err e = ERR_INIT;

	if (l->ops->reload(l->ops->arg, &l->limits, &e) == -1 ||
	    crew_make_room(&l->crew, l->limits.sessions, &e) == -1) {
		log_alarm("reload failed, the old configuration stays: %s",
		    e.text);
		return;
	}
	l->crew.per_process = l->limits.per_process;
	crew_renew(&l->crew);
	log_info("reloaded");
}

static void
heed_signals(struct listener *l)
{
	if (terminations > 0 && !l->is_stopping)
		stop(l);
	if (terminations > 1) {
		terminations = 1;
		crew_kill(&l->crew, SIGTERM);
	}
	if (hangups > 0) {
		hangups = 0;
		reload(l);
	}
}

/* Until we have been without a session for too long. -1: for ever. */
static int64_t
idle_left_ms(const struct listener *l)
{
	int64_t left;

	if (l->crew.nbusy > 0 || l->limits.idle_s == 0)
		return -1;
	left = l->idle_since_ms + (int64_t)l->limits.idle_s * 1000 -
	       clock_monotonic_ms();
	return left > 0 ? left : 0;
}

/* True: it is over. */
static bool
dismiss(struct listener *l)
{
	bool is_ending = l->is_stopping || idle_left_ms(l) == 0;

	if (l->crew.nidle > 0)
		crew_dismiss(&l->crew,
		    is_ending ? INT64_MAX
			      : clock_monotonic_ms() - CREW_LIFE_MS);
	return is_ending && l->crew.nalive == 0;
}

/* How long to wait at the most. -1: for ever, or for children that end. */
static int64_t
patience_ms(const struct listener *l)
{
	int64_t left = idle_left_ms(l);

	if (l->crew.nidle > 0)
		return left == -1 || left > LOOK_MS ? LOOK_MS : left;
	return left == 0 ? -1 : left;
}

/* Returns the number of sockets and channels that have news; 0 after a signal
 * or time. */
static int
wait_for_news(struct listener *l, const struct signals *before, struct err *e)
{
	int64_t ms = patience_ms(l);
	struct timespec limit = { ms / 1000, ms % 1000 * 1000000 };
	int n = ppoll(l->crew.polls, LISTEN_FDS_MAX + l->crew.used,
	    ms == -1 ? NULL : &limit, &before->mask);

	if (n == -1 && errno != EINTR)
		return err_sys(e, "poll");
	return n == -1 ? 0 : n;
}

static int
accept_all(struct listener *l, const struct signals *before, struct err *e)
{
	for (size_t i = 0; i < l->nsockets; i++)
		if (l->crew.polls[i].fd != -1 &&
		    l->crew.polls[i].revents != 0 &&
		    accept_one(l, l->sockets[i], before, e) == -1)
			return -1;
	return 0;
}

static int
loop(struct listener *l, const struct signals *before, struct err *e)
{
	while (!dismiss(l)) {
		bool was_busy = l->crew.nbusy > 0;
		int n = wait_for_news(l, before, e);

		if (n == -1)
			return -1;
		if (n > 0)
			crew_hear(&l->crew);
		crew_reap(&l->crew);
		heed_signals(l);
		if (n > 0 && accept_all(l, before, e) == -1)
			return -1;
		if (was_busy || l->crew.nbusy > 0)
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
		.sockets = fds,
		.nsockets = nfds,
		.crew = CREW_INIT,
		.idle_since_ms = clock_monotonic_ms(),
	};
	struct signals before;
	int rc = -1;

	catch_signals(&before);
	if (crew_make_room(&l.crew, limits.sessions, e) == 0) {
		l.crew.per_process = limits.per_process;
		for (size_t i = 0; i < nfds; i++)
			l.crew.polls[i].fd = fds[i];
		rc = loop(&l, &before, e);
	}
	crew_free(&l.crew);
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
