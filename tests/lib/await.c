/*
 * What a test in sh cannot do by itself without waiting by the clock. Every
 * wait ends at the event, or fails after its seconds.
 *
 *	await port N			print N free loopback ports (TCP and UDP)
 *	await listen SECONDS ADDRESS PORT	somebody accepts on ADDRESS:PORT
 *	await gone SECONDS PID		the process has ended (a zombie has too)
 *	await true SECONDS COMMAND...	COMMAND exits 0, tried again and again
 *	await group COMMAND...		run it as leader of a session and group
 *
 * Exit: 0 it happened, 1 it did not, 64 usage, 71 a system call failed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 20 /* between two looks, where there is no event to wait for */

/* Below every system's range for outgoing connections, so that nobody gets
 * the port by chance between our look and its use. */
#define PORT_FIRST 10240
#define PORT_LAST 32000

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool
can_bind(unsigned port, int type)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, type, 0);
	bool ok;

	a.sin_port = htons((uint16_t)port);
	a.sin_addr.s_addr = htonl(INADDR_ANY);
	ok = fd != -1 && bind(fd, (struct sockaddr *)&a, sizeof a) == 0;
	if (fd != -1)
		close(fd);
	return ok;
}

static int
print_free_ports(long n)
{
	uint16_t r;

	for (int tries = 0; n > 0 && tries < 10000; tries++) {
		if (getrandom(&r, sizeof r, 0) != sizeof r)
			return EX_OSERR;
		unsigned port = PORT_FIRST + r % (PORT_LAST - PORT_FIRST);
		if (!can_bind(port, SOCK_STREAM) || !can_bind(port, SOCK_DGRAM))
			continue;
		printf("%u\n", port);
		n--;
	}
	return n > 0;
}

static bool
accepts(const char *address, long port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
	bool v4 = inet_pton(AF_INET, address, &a.sin_addr) == 1;
	int fd = -1;
	bool ok;

	a.sin_port = a6.sin6_port = htons((uint16_t)port);
	if (v4)
		fd = socket(AF_INET, SOCK_STREAM, 0);
	else if (inet_pton(AF_INET6, address, &a6.sin6_addr) == 1)
		fd = socket(AF_INET6, SOCK_STREAM, 0);
	if (fd == -1)
		return false;
	ok = connect(fd, v4 ? (struct sockaddr *)&a : (struct sockaddr *)&a6,
		 v4 ? sizeof a : sizeof a6) == 0;
	close(fd);
	return ok;
}

static bool
succeeds(char **argv)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		fprintf(stderr, "await: %s: %s\n", argv[0], strerror(errno));
		_exit(EX_UNAVAILABLE);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* A pidfd tells at once; without one look whether the process exists. */
static int
wait_gone(long pid, int64_t deadline_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int64_t left;

	while ((left = deadline_ms - now_ms()) > 0) {
		if (fd == -1 && kill((pid_t)pid, 0) == -1)
			return errno == ESRCH ? 0 : EX_OSERR;
		if (fd != -1 && poll(&p, 1, (int)left) == 1)
			return 0;
		if (fd == -1)
			poll(NULL, 0, POLL_MS);
	}
	return 1;
}

/* Wait for "listen" (ADDRESS PORT) or "true" (COMMAND...). */
static int
wait_until(bool listening, char **argv, long port, int64_t deadline_ms)
{
	for (;;) {
		if (listening ? accepts(argv[0], port) : succeeds(argv))
			return 0;
		if (now_ms() >= deadline_ms)
			return 1;
		poll(NULL, 0, POLL_MS);
	}
}

static int
run_group(char **argv)
{
	if (setsid() == -1)
		perror("await: setsid");
	execvp(argv[0], argv);
	fprintf(stderr, "await: %s: %s\n", argv[0], strerror(errno));
	return EX_OSERR;
}

static int
number(const char *text, long max, long *value)
{
	char *end;

	errno = 0;
	*value = strtol(text, &end, 10);
	return errno == 0 && end != text && *end == '\0' && *value >= 0 &&
		       *value <= max
		   ? 0
		   : -1;
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[1] : "";
	long n, port;

	if (strcmp(verb, "group") == 0)
		return run_group(argv + 2);
	if (verb[0] == '\0' || number(argv[2], INT32_MAX, &n) == -1)
		goto usage;
	if (strcmp(verb, "port") == 0)
		return print_free_ports(n);

	int64_t deadline_ms = now_ms() + (int64_t)n * 1000;

	if (strcmp(verb, "true") == 0 && argc > 3)
		return wait_until(false, argv + 3, 0, deadline_ms);
	if (strcmp(verb, "gone") == 0 && argc == 4 &&
	    number(argv[3], INT32_MAX, &n) == 0)
		return wait_gone(n, deadline_ms);
	if (strcmp(verb, "listen") == 0 && argc == 5 &&
	    number(argv[4], UINT16_MAX, &port) == 0)
		return wait_until(true, argv + 3, port, deadline_ms);
usage:
	fprintf(stderr,
	    "usage: await port N | listen SECONDS ADDRESS PORT | "
	    "gone SECONDS PID | true SECONDS COMMAND... | group COMMAND...\n");
	return EX_USAGE;
}
