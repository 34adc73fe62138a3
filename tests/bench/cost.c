/*
 * cost: what a command costs, run N times, one after the other; its output is
 * thrown away.
 *
 *	cost N COMMAND...
 *
 * It prints "wall_ms=M cpu_ms=M rss_kib=N bad=N": the means of one run, the
 * largest memory of any process, how many runs did not exit with 0 or 1 (a
 * verdict).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double
ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

/* Its exit status is a verdict. */
static int
run(char **argv)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid != -1 && waitpid(pid, &status, 0) == pid &&
	       WIFEXITED(status) && WEXITSTATUS(status) <= 1;
}

int
main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[1]) : 0, bad = 0;
	double from = now_ms();
	struct rusage used;

	if (n <= 0) {
		fprintf(stderr, "usage: cost N COMMAND...\n");
		return 2;
	}
	for (int i = 0; i < n; i++)
		bad += !run(argv + 2);
	from = now_ms() - from;
	getrusage(RUSAGE_CHILDREN, &used);
	printf("wall_ms=%.3f cpu_ms=%.3f rss_kib=%ld bad=%d\n", from / n,
	    (ms(used.ru_utime) + ms(used.ru_stime)) / n, used.ru_maxrss, bad);
	return 0;
}
