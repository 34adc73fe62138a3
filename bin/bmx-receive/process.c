#include "bmx-receive/process.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* ---- descriptors ---- */

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

bool
process_settle_descriptors(void)
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

int
process_settle_log(const char *destination, bool stderr_is_client,
    struct err *e)
{
	bool is_stderr = strcmp(destination, "stderr") == 0;

	if (is_stderr && stderr_is_client)
		destination = "syslog";
	if (!is_stderr && !isatty(STDERR_FILENO))
		silence_stderr();
	return log_open("bmx-receive", destination, e);
}

/* ---- signals ---- */

/* The one thing a signal handler may touch, hence the one variable here. */
static volatile sig_atomic_t told_to_end;

static void
on_term(int signal_number)
{
	(void)signal_number;
	told_to_end = 1;
	alarm(1);
}

const volatile sig_atomic_t *
process_settle_signals(void)
{
	struct sigaction term = { .sa_handler = on_term,
		.sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGALRM, &term, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL); /* then write(2) says EFBIG */
	return &told_to_end;
}
