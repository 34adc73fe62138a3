#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"

bool
workers_have_room(const struct workers *w)
{
	return w->running < w->most;
}

/* The child: nothing of the parent's is flushed or closed here. */
static void
work(worker_run *run, const void *job, void *result, size_t size, int fd,
    pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	if (getppid() != parent)
		_exit(1);
	run(job, result);
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (char *)result + done, size - done);

		if (n <= 0)
			_exit(1);
		done += (size_t)n;
	}
	_exit(0);
}

static struct worker *
free_worker(struct workers *w)
{
	struct worker *k = w->all;

	while (k->pid != 0)
		k++;
	return k;
}

int
workers_start(struct workers *w, worker_run *run, const void *job, size_t size,
    unsigned timeout_s, worker_done *done, void *arg, struct err *e)
{
	struct worker *k = free_worker(w);
	pid_t parent = getpid();
	int fds[2];

	*k = (struct worker){ .fd = -1 };
	k->result = calloc(1, size);
	if (k->result == NULL)
		return err_temp(e, "out of memory");
	if (pipe2(fds, O_CLOEXEC) == -1) {
		free(k->result);
		return err_sys(e, "pipe");
	}
	k->pid = fork();
	if (k->pid == 0)
		work(run, job, k->result, size, fds[1], parent);
	close(fds[1]);
	if (k->pid == -1) {
		err_sys(e, "fork");
		close(fds[0]);
		free(k->result);
		k->pid = 0;
		return -1;
	}
	k->fd = fds[0];
	k->size = size;
	k->done = done;
	k->arg = arg;
	k->deadline_ms = clock_monotonic_ms() + (int64_t)timeout_s * 1000;
	w->running++;
	return 0;
}

/* It is over, one way or the other. */
static void
finish(struct workers *w, struct worker *k, bool is_whole)
{
	struct worker was = *k;

	if (!is_whole)
		kill(was.pid, SIGKILL);
	while (waitpid(was.pid, NULL, 0) == -1 && errno == EINTR)
		;
	close(was.fd);
	k->pid = 0;
	w->running--;
	was.done(was.arg, is_whole ? was.result : NULL);
	free(was.result);
}

/* True: there will not be more. */
static bool
take(struct worker *k)
{
	ssize_t n = read(k->fd, k->result + k->used, k->size - k->used);

	if (n == -1)
		return errno != EINTR;
	k->used += (size_t)n;
	return n == 0 || k->used == k->size;
}

int
workers_poll(struct workers *w, int timeout_ms, struct err *e)
{
	struct pollfd polls[WORKERS_MAX];
	struct worker *of[WORKERS_MAX];
	nfds_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct worker *k = &w->all[i];
		int left;

		if (k->pid == 0)
			continue;
		left = clock_left_ms(k->deadline_ms);
		if (left < timeout_ms)
			timeout_ms = left;
		polls[n] = (struct pollfd){ .fd = k->fd, .events = POLLIN };
		of[n++] = k;
	}
	if (poll(polls, n, timeout_ms) == -1)
		return errno == EINTR ? 0 : err_sys(e, "poll");
	for (nfds_t i = 0; i < n; i++) {
		struct worker *k = of[i];

		if (polls[i].revents != 0 && take(k))
			finish(w, k, k->used == k->size);
		else if (polls[i].revents == 0 &&
			 clock_left_ms(k->deadline_ms) == 0)
			finish(w, k, false);
	}
	return 0;
}

void
workers_close(struct workers *w)
{
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		struct worker *k = &w->all[i];

		if (k->pid == 0)
			continue;
		kill(k->pid, SIGKILL);
		while (waitpid(k->pid, NULL, 0) == -1 && errno == EINTR)
			;
		close(k->fd);
		free(k->result);
		k->pid = 0;
	}
	w->running = 0;
}
