/*
 * bare: the least that can receive mail, to measure bmx-receive against. It
 * believes every client, knows no limit, and makes each message durable:
 *
 *	bare file DIRECTORY WORKERS	one file each: O_TMPFILE, write, link,
 *					sync of the file and of the directory
 *	bare log DIRECTORY WORKERS	appended to one log for all, synced by one
 *					worker for those who wrote before
 *	bare hello			a greeting and QUIT on standard input:
 *					the least that a super-server can start
 *
 * With file and log, descriptor 3 is a listening socket, as systemd passes it.
 * The log only shows what the disk gives: nothing reads it again.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTEN_FD 3 /* SD_LISTEN_FDS_START of sd_listen_fds(3) */

/* Bytes of the log that are written, and synced. */
struct progress {
	atomic_long written, synced;
};

struct store {
	int dir, log, lock; /* log -1: a file for each */
	struct progress *progress;
	unsigned long next;
};

struct session {
	int in, out;
	char buf[128 * 1024];
	size_t used, have;
};

/* ---- durable ---- */

static bool
write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
link_and_sync(struct store *s, int fd)
{
	char from[40], name[60];

	snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
	snprintf(name, sizeof name, "%d.%lu", (int)getpid(), s->next++);
	return fsync(fd) == 0 &&
	       linkat(AT_FDCWD, from, s->dir, name, AT_SYMLINK_FOLLOW) == 0 &&
	       fsync(s->dir) == 0;
}

static bool
sync_log(struct store *s, long mine)
{
	bool is_good = true;

	if (atomic_load(&s->progress->synced) >= mine)
		return true;
	flock(s->lock, LOCK_EX);
	if (atomic_load(&s->progress->synced) < mine) {
		long upto = atomic_load(&s->progress->written);

		is_good = fdatasync(s->log) == 0;
		if (is_good)
			atomic_store(&s->progress->synced, upto);
	}
	flock(s->lock, LOCK_UN);
	return is_good;
}

/* ---- lines ---- */

static bool
fill(struct session *s)
{
	ssize_t n;

	memmove(s->buf, s->buf + s->used, s->have - s->used);
	s->have -= s->used;
	s->used = 0;
	n = read(s->in, s->buf + s->have, sizeof s->buf - s->have);
	s->have += n > 0 ? (size_t)n : 0;
	return n > 0;
}

static char *
line(struct session *s)
{
	char *lf, *from;

	while ((lf = memchr(s->buf + s->used, '\n', s->have - s->used)) == NULL)
		if (!fill(s))
			return NULL;
	from = s->buf + s->used;
	s->used = (size_t)(lf + 1 - s->buf);
	*lf = '\0';
	return from;
}

static bool
say(const struct session *s, const char *text)
{
	return write_all(s->out, text, strlen(text));
}

/* ---- a message ---- */

/* Up to the final dot, into fd. */
static bool
take(struct session *s, int fd, size_t *size)
{
	for (;;) {
		char *from = s->buf + s->used;
		size_t len = s->have - s->used;
		char *dot = memmem(from, len, "\r\n.\r\n", 5);
		size_t n = dot != NULL ? (size_t)(dot + 2 - from)
			   : len > 4   ? len - 4
				       : 0;

		if (!write_all(fd, from, n))
			return false;
		*size += n;
		s->used += dot != NULL ? n + 3 : n;
		if (dot != NULL)
			return true;
		if (!fill(s))
			return false;
	}
}

static bool
keep_file(struct store *store, struct session *s)
{
	int fd = openat(store->dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	size_t size = 0;
	bool is_good =
	    fd != -1 && take(s, fd, &size) && link_and_sync(store, fd);

	if (fd != -1)
		close(fd);
	return is_good;
}

static bool
keep_logged(struct store *store, struct session *s)
{
	size_t size = 0;

	if (!take(s, store->log, &size))
		return false;
	return sync_log(store,
	    atomic_fetch_add(&store->progress->written, (long)size) +
		(long)size);
}

static bool
keep(struct store *store, struct session *s)
{
	return say(s, "354 go on\r\n") &&
	       (store->log == -1 ? keep_file(store, s) : keep_logged(store, s));
}

static void
serve(struct store *store, struct session *s)
{
	bool is_good = say(s, "220 bare.example.net ESMTP\r\n");
	const char *said;

	while (is_good && (said = line(s)) != NULL) {
		if (strncasecmp(said, "EHLO", 4) == 0)
			is_good = say(s, "250-bare.example.net\r\n"
					 "250-8BITMIME\r\n250 PIPELINING\r\n");
		else if (strncasecmp(said, "DATA", 4) == 0 && store != NULL)
			is_good =
			    keep(store, s) && say(s, "250 2.0.0 kept\r\n");
		else if (strncasecmp(said, "QUIT", 4) == 0) {
			say(s, "221 2.0.0 bye\r\n");
			return;
		} else
			is_good = say(s, "250 2.0.0 fine\r\n");
	}
}

/* ---- workers ---- */

static struct store
open_store(const char *directory, bool has_log)
{
	struct store s = { .log = -1, .lock = -1 };

	s.dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s.progress = mmap(NULL, sizeof *s.progress, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (has_log)
		s.log = openat(s.dir, "log",
		    O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC,
		    S_IRUSR | S_IWUSR);
	if (s.dir == -1 || s.progress == MAP_FAILED ||
	    (has_log && s.log == -1)) {
		perror(directory);
		exit(2);
	}
	return s;
}

static void
work(struct store *store)
{
	static struct session s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* a lock of its own: flock(2) belongs to the open file */
	store->lock = openat(store->dir, "lock", O_CREAT | O_RDWR | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	for (;;) {
		s.used = s.have = 0;
		s.in = s.out = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
		if (s.in == -1)
			continue;
		setsockopt(s.in, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 },
		    sizeof(int));
		serve(store, &s);
		close(s.in);
	}
}

int
main(int argc, char **argv)
{
	static struct session one = { .in = STDIN_FILENO,
		.out = STDOUT_FILENO };
	struct store store;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && strcmp(argv[1], "hello") == 0) {
		serve(NULL, &one);
		return 0;
	}
	if (argc != 4) {
		fprintf(stderr, "usage: bare file|log DIRECTORY WORKERS\n");
		return 2;
	}
	store = open_store(argv[2], strcmp(argv[1], "log") == 0);
	for (int i = 0; i < atoi(argv[3]); i++)
		if (fork() == 0)
			work(&store);
	while (wait(NULL) > 0)
		;
	return 0;
}
