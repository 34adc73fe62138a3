#include "bmx-queue/sibling.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

/* In the child: what it says into the pipe, nothing to read. */
static void
become(const char *path, const char *const argv[], bool talk_only, int out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null != -1 && dup2(null, STDIN_FILENO) != -1 &&
	    dup2(talk_only ? null : out, STDOUT_FILENO) != -1 &&
	    dup2(out, STDERR_FILENO) != -1)
		execv(path, (char *const *)argv);
	_exit(127);
}

/* Until its end or the deadline; false: that came first. */
static bool
listen_to(int fd, int64_t deadline_ms, struct buf *said)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char piece[4096];

	for (;;) {
		int left_ms = clock_left_ms(deadline_ms);
		ssize_t n;

		if (left_ms == 0)
			return false;
		if (poll(&p, 1, left_ms) <= 0)
			continue;
		n = read(fd, piece, sizeof piece);
		if (n <= 0)
			return true;
		if (said->len + (size_t)n <= SIBLING_TEXT_MAX)
			buf_add(said, piece, (size_t)n);
	}
}

static int
end_of(pid_t pid, bool is_late, const char *name, int timeout_s, struct err *e)
{
	int status;

	if (is_late)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return err_sys(e, "%s", name);
	if (is_late)
		return err_temp(e, "%s took longer than %d s", name, timeout_s);
	if (!WIFEXITED(status))
		return err_temp(e, "%s was killed", name);
	if (WEXITSTATUS(status) == 127)
		return err_temp(e, "%s cannot be run", name);
	return WEXITSTATUS(status);
}

int
sibling_run(const char *dir, const char *const argv[], bool talk_only,
    int timeout_s, struct buf *said, struct err *e)
{
	const char *other = getenv("BMX_PROGRAMS");
	char path[4096];
	int ends[2];
	bool is_late;
	pid_t pid;

	snprintf(path, sizeof path, "%s/%s", other == NULL ? dir : other,
	    argv[0]);
	if (pipe2(ends, O_CLOEXEC) == -1)
		return err_sys(e, "pipe");
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(path, argv, talk_only, ends[1]);
	close(ends[1]);
	if (pid == -1) {
		err_sys(e, "fork");
		close(ends[0]);
		return -1;
	}
	is_late = !listen_to(ends[0],
	    clock_monotonic_ms() + (int64_t)timeout_s * 1000, said);
	close(ends[0]);
	return end_of(pid, is_late, path, timeout_s, e);
}
