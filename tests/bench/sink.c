/*
 * sink: an SMTP server that throws mail away and counts it, the primary of the
 * benchmarks. Processes that are there before serve a connection at a time, so
 * that what it costs to take one is not a fork; PROCESSES at once.
 *
 *	sink [-a] [-n MESSAGES] [-w MS] PORT
 *
 * -a: at every address of the loopback interface, as many primaries.
 * -w: each reply takes MS milliseconds, as over a long line (a pipelined group
 * waits once). After MESSAGES distinct ones (by their X-Seq, which load gives
 * them), or on SIGTERM, it prints one line and ends:
 *	messages=N distinct=N connections=N seconds=S (first to last message)
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SEQ_MAX (1u << 24)
#define PROCESSES 64

struct tally {
	atomic_uint messages, distinct, connections;
	atomic_llong first_us, last_us;
	atomic_uchar seen[SEQ_MAX / 8];
};

struct session {
	struct tally *tally;
	int fd;
	jmp_buf over; /* the connection is */
	unsigned wait_ms;
	unsigned wanted; /* then the parent is woken; 0: never */
	pid_t parent;
	char in[256 * 1024];
	size_t have, used;
	char out[8192];
	size_t out_len;
};

static long long
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* ---- bytes ---- */

static void
flush(struct session *s)
{
	if (s->out_len == 0)
		return;
	if (s->wait_ms > 0) {
		const struct timespec t = { s->wait_ms / 1000,
			(long)(s->wait_ms % 1000) * 1000000L };
		nanosleep(&t, NULL);
	}
	if (send(s->fd, s->out, s->out_len, MSG_NOSIGNAL) < 0)
		longjmp(s->over, 1);
	s->out_len = 0;
}

static void
reply(struct session *s, const char *text)
{
	size_t len = strlen(text);

	if (s->out_len + len > sizeof(s->out))
		flush(s);
	memcpy(s->out + s->out_len, text, len);
	s->out_len += len;
}

/* More input behind what there is; everything said is sent first. */
static void
fill(struct session *s)
{
	flush(s);
	memmove(s->in, s->in + s->used, s->have - s->used);
	s->have -= s->used;
	s->used = 0;
	ssize_t n = recv(s->fd, s->in + s->have, sizeof(s->in) - s->have, 0);
	if (n <= 0)
		longjmp(s->over, 1);
	s->have += (size_t)n;
}

/* One line, without its CRLF, in place. */
static char *
line(struct session *s)
{
	char *lf;

	while (!(lf = memchr(s->in + s->used, '\n', s->have - s->used)))
		fill(s);
	char *from = s->in + s->used;
	s->used = (size_t)(lf + 1 - s->in);
	lf[lf > from && lf[-1] == '\r' ? -1 : 0] = '\0';
	return from;
}

/* ---- a message ---- */

static void
count(struct session *s, unsigned seq)
{
	struct tally *t = s->tally;
	long long now = now_us(), none = 0;
	unsigned distinct = 0;

	atomic_compare_exchange_strong(&t->first_us, &none, now);
	atomic_store(&t->last_us, now);
	atomic_fetch_add(&t->messages, 1);
	if (seq < SEQ_MAX) {
		unsigned char bit = (unsigned char)(1u << seq % 8);
		if (!(atomic_fetch_or(&t->seen[seq / 8], bit) & bit))
			distinct = atomic_fetch_add(&t->distinct, 1) + 1;
	}
	if (s->wanted != 0 && distinct == s->wanted) {
		flush(s);
		kill(s->parent, SIGTERM);
	}
}

static unsigned
find_seq(const char *content, size_t len)
{
	const char *field = memmem(content, len, "\nX-Seq: ", 8);

	return field ? (unsigned)strtoul(field + 8, NULL, 10) : SEQ_MAX;
}

/* Up to the final dot; the number is in the first buffer or nowhere. */
static unsigned
take_data(struct session *s)
{
	unsigned seq = SEQ_MAX;

	for (;;) {
		char *from = s->in + s->used;
		size_t len = s->have - s->used;
		char *dot = memmem(from, len, "\r\n.\r\n", 5);

		if (seq == SEQ_MAX)
			seq = find_seq(from, dot ? (size_t)(dot - from) : len);
		if (dot) {
			s->used += (size_t)(dot + 5 - from);
			return seq;
		}
		if (len > 4)
			s->used += len - 4;
		fill(s);
	}
}

static unsigned
take_chunk(struct session *s, size_t size, unsigned seq)
{
	while (size > 0) {
		if (s->used == s->have)
			fill(s);
		size_t n = s->have - s->used;
		if (n > size)
			n = size;
		if (seq == SEQ_MAX)
			seq = find_seq(s->in + s->used, n);
		s->used += n;
		size -= n;
	}
	return seq;
}

static void
serve(struct session *s)
{
	unsigned seq = SEQ_MAX;

	reply(s, "220 sink.example.com ESMTP\r\n");
	for (;;) {
		const char *said = line(s);

		if (!strncasecmp(said, "EHLO", 4)) {
			reply(s,
			    "250-sink.example.com\r\n250-PIPELINING\r\n"
			    "250-8BITMIME\r\n250-CHUNKING\r\n250 SIZE\r\n");
		} else if (!strncasecmp(said, "DATA", 4)) {
			reply(s, "354 go on\r\n");
			count(s, take_data(s));
			reply(s, "250 2.0.0 taken\r\n");
		} else if (!strncasecmp(said, "BDAT ", 5)) {
			bool is_last = strstr(said, "LAST");
			seq = take_chunk(s, strtoul(said + 5, NULL, 10), seq);
			if (is_last) {
				count(s, seq);
				seq = SEQ_MAX;
			}
			reply(s, "250 2.0.0 taken\r\n");
		} else if (!strncasecmp(said, "QUIT", 4)) {
			reply(s, "221 2.0.0 bye\r\n");
			flush(s);
			return;
		} else {
			reply(s, "250 2.0.0 fine\r\n");
		}
	}
}

/* ---- listening ---- */

static int
listen_on(unsigned port, bool has_all)
{
	const struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr =
		    htonl(has_all ? INADDR_ANY : INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int));
	if ((has_all &&
		setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2) < 0) ||
	    bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 1024) < 0) {
		perror("sink");
		exit(2);
	}
	return fd;
}

static void
accept_one(int listener, struct session *s)
{
	s->fd = accept(listener, NULL, NULL);
	if (s->fd < 0)
		return;
	atomic_fetch_add(&s->tally->connections, 1);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	s->have = s->used = s->out_len = 0;
	if (setjmp(s->over) == 0)
		serve(s);
	close(s->fd);
}

static void
work(int listener, struct session *s)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (getppid() == s->parent)
		accept_one(listener, s);
	_exit(0);
}

int
main(int argc, char **argv)
{
	static struct session s;
	bool has_all = false;
	int option, number;
	sigset_t term;

	while ((option = getopt(argc, argv, "an:w:")) != -1) {
		if (option == 'a')
			has_all = true;
		else if (option == 'n')
			s.wanted = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'w')
			s.wait_ms = (unsigned)strtoul(optarg, NULL, 10);
		else
			return 2;
	}
	if (optind != argc - 1) {
		fprintf(stderr,
		    "usage: sink [-a] [-n MESSAGES] [-w MS] PORT\n");
		return 2;
	}
	s.parent = getpid();
	s.tally = mmap(NULL, sizeof(struct tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s.tally == MAP_FAILED)
		return 2;
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	int listener =
	    listen_on((unsigned)strtoul(argv[optind], NULL, 10), has_all);
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			work(listener, &s);
	sigwait(&term, &number);
	printf("messages=%u distinct=%u connections=%u seconds=%.3f\n",
	    atomic_load(&s.tally->messages), atomic_load(&s.tally->distinct),
	    atomic_load(&s.tally->connections),
	    (double)(atomic_load(&s.tally->last_us) -
		     atomic_load(&s.tally->first_us)) /
		1e6);
	return 0;
}
