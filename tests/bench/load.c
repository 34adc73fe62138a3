/*
 * load: an SMTP load generator for the benchmarks. Each session is a process
 * with blocking sockets, so that what it costs is the same for every peer.
 *
 *	load [-c SESSIONS] [-k MESSAGES] [-n MESSAGES] [-s BYTES] [-P] [-T] [-R]
 *	    [-H] [-Q] [-d DOMAIN] PORT
 *
 * -c sessions at once, -k messages for each connection, -n messages in all (0
 * with -k 0: connections that say EHLO and QUIT, -n of them), -s bytes of each,
 * -P pipelined groups, -T STARTTLS, -R resumed, -Q does not wait for the reply to
 * QUIT (which Exim delays), -H hold SESSIONS idle sessions until stdin ends.
 *
 * Each message has a distinct X-Seq, by which sink knows it again. It prints
 * one line: "messages=N errors=N seconds=S rate=R p50_ms=L p99_ms=L"; the
 * latency is of a message (from MAIL to the reply to the dot), or with -k 0 of
 * a connection up to its greeting. Exit 1 when anything was refused.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

struct plan {
	unsigned sessions, per_connection, messages;
	size_t size;
	bool pipelines, has_tls, resumes, holds, hurries;
	const char *domain;
	unsigned port;
};

/* What the sessions share. */
struct tally {
	atomic_uint next; /* the next message, or connection */
	atomic_uint done, errors;
	float latency_ms[];
};

struct session {
	const struct plan *plan;
	struct tally *tally;
	char *body;
	int fd;
	gnutls_session_t tls; /* NULL: in the clear */
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t ticket;
	char in[4096];
	size_t have, used;
};

static double
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- bytes ---- */

static bool
put(struct session *s, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = s->tls ? gnutls_record_send(s->tls, data, len)
				   : send(s->fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static bool
say(struct session *s, const char *line)
{
	return put(s, line, strlen(line));
}

/* A session ticket that comes in between is no data: gnutls says try again. */
static ssize_t
get(struct session *s)
{
	ssize_t n;

	if (s->tls == NULL)
		return recv(s->fd, s->in, sizeof s->in, 0);
	do
		n = gnutls_record_recv(s->tls, s->in, sizeof s->in);
	while (n < 0 && !gnutls_error_is_fatal((int)n));
	return n;
}

static int
get_byte(struct session *s)
{
	if (s->used == s->have) {
		ssize_t n = get(s);

		if (n <= 0)
			return -1;
		s->have = (size_t)n;
		s->used = 0;
	}
	return (unsigned char)s->in[s->used++];
}

/* The code's first digit, after the last line of a reply; -1: none came. */
static int
reply(struct session *s)
{
	for (;;) {
		char line[8] = "";
		size_t len = 0;
		int c;

		while ((c = get_byte(s)) != '\n') {
			if (c < 0)
				return -1;
			if (len < sizeof(line) - 1)
				line[len++] = (char)c;
		}
		if (len >= 4 && line[3] == ' ')
			return line[0] - '0';
	}
}

static bool
expect(struct session *s, int digit)
{
	return reply(s) == digit;
}

/* ---- a connection ---- */

static bool
start_tls(struct session *s)
{
	gnutls_session_t tls;
	int rc;

	if (!say(s, "STARTTLS\r\n") || !expect(s, 2))
		return false;
	gnutls_init(&tls, GNUTLS_CLIENT);
	gnutls_set_default_priority(tls);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, s->credentials);
	gnutls_transport_set_int(tls, s->fd);
	if (s->plan->resumes && s->ticket.data)
		gnutls_session_set_data(tls, s->ticket.data, s->ticket.size);
	do
		rc = gnutls_handshake(tls);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	s->tls = tls;
	return rc == 0;
}

static bool
begin(struct session *s)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)s->plan->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	s->have = s->used = 0;
	s->tls = NULL;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	return connect(s->fd, (const struct sockaddr *)&to, sizeof(to)) == 0 &&
	       expect(s, 2);
}

static bool
hello(struct session *s)
{
	static const char ehlo[] = "EHLO load.example.org\r\n";

	return say(s, ehlo) && expect(s, 2) &&
	       (!s->plan->has_tls ||
		   (start_tls(s) && say(s, ehlo) && expect(s, 2)));
}

static void
end(struct session *s, bool is_good)
{
	if (is_good) {
		say(s, "QUIT\r\n");
		if (!s->plan->hurries)
			reply(s);
	}
	if (s->tls) {
		if (is_good && s->plan->resumes && !s->ticket.data)
			gnutls_session_get_data2(s->tls, &s->ticket);
		gnutls_deinit(s->tls);
	}
	close(s->fd);
}

/* ---- a message ---- */

static bool
send_message(struct session *s, unsigned seq)
{
	const struct plan *p = s->plan;
	char envelope[512], head[160];
	int len = snprintf(envelope, sizeof(envelope),
	    "MAIL FROM:<a@sender.test>\r\nRCPT TO:<u%u@%s>\r\nDATA\r\n", seq,
	    p->domain);
	char *rcpt = strchr(envelope, '\n') + 1;
	char *data = strchr(rcpt, '\n') + 1;

	if (p->pipelines) {
		if (!put(s, envelope, (size_t)len) || !expect(s, 2) ||
		    !expect(s, 2) || !expect(s, 3))
			return false;
	} else if (!put(s, envelope, (size_t)(rcpt - envelope)) ||
		   !expect(s, 2) || !put(s, rcpt, (size_t)(data - rcpt)) ||
		   !expect(s, 2) || !say(s, data) || !expect(s, 3)) {
		return false;
	}
	len = snprintf(head, sizeof(head), "X-Seq: %u\r\nSubject: load\r\n\r\n",
	    seq);
	return put(s, head, (size_t)len) && put(s, s->body, p->size) &&
	       say(s, ".\r\n") && expect(s, 2);
}

/* Lines of 70 bytes, the last one shorter. */
static char *
make_body(size_t size)
{
	char *body = malloc(size + 2);

	for (size_t i = 0; i < size; i++)
		body[i] = (char)('a' + i % 23);
	for (size_t i = 70; i < size; i += 72)
		memcpy(body + i, "\r\n", 2);
	memcpy(body + (size >= 2 ? size - 2 : 0), "\r\n", 2);
	return body;
}

/* ---- a session process ---- */

/* As many messages as go over one connection. False: no more are left. */
static bool
one_connection(struct session *s)
{
	const struct plan *p = s->plan;
	unsigned seq = atomic_fetch_add(&s->tally->next, 1);
	double from = now_ms();

	if (seq >= p->messages)
		return false;
	bool is_good = begin(s);
	if (p->per_connection == 0)
		s->tally->latency_ms[seq] = (float)(now_ms() - from);
	is_good = is_good && hello(s);
	if (is_good && p->per_connection == 0)
		atomic_fetch_add(&s->tally->done, 1);
	for (unsigned i = 0; is_good && i < p->per_connection; i++) {
		if (i > 0 &&
		    (seq = atomic_fetch_add(&s->tally->next, 1)) >= p->messages)
			break;
		from = now_ms();
		is_good = send_message(s, seq);
		s->tally->latency_ms[seq] = (float)(now_ms() - from);
		if (is_good)
			atomic_fetch_add(&s->tally->done, 1);
	}
	if (!is_good)
		atomic_fetch_add(&s->tally->errors, 1);
	end(s, is_good);
	return true;
}

static void
run_session(const struct plan *p, struct tally *t)
{
	struct session s = { .plan = p, .tally = t, .fd = -1 };

	s.body = make_body(p->size);
	if (p->has_tls)
		gnutls_certificate_allocate_credentials(&s.credentials);
	while (one_connection(&s))
		;
	_exit(0);
}

/* ---- idle sessions ---- */

static int
hold(const struct plan *p)
{
	struct session *all = calloc(p->sessions, sizeof(*all));
	char c;

	for (unsigned i = 0; i < p->sessions; i++) {
		all[i].plan = p;
		if (!begin(&all[i]) || !hello(&all[i])) {
			fprintf(stderr, "session %u is refused\n", i);
			return 1;
		}
	}
	printf("held=%u\n", p->sessions);
	fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	return 0;
}

/* ---- the sum ---- */

static int
by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static int
print_sum(const struct plan *p, struct tally *t, double elapsed_ms)
{
	unsigned done = atomic_load(&t->done);
	unsigned errors = atomic_load(&t->errors);
	unsigned n = p->messages;

	qsort(t->latency_ms, n, sizeof(float), by_value);
	printf("messages=%u errors=%u seconds=%.3f rate=%.1f p50_ms=%.2f "
	       "p99_ms=%.2f\n",
	    done, errors, elapsed_ms / 1e3, done / elapsed_ms * 1e3,
	    (double)t->latency_ms[n / 2], (double)t->latency_ms[n * 99 / 100]);
	return done == n && errors == 0 ? 0 : 1;
}

static int
run(const struct plan *p)
{
	size_t len = sizeof(struct tally) + p->messages * sizeof(float);
	struct tally *t = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double from = now_ms();

	if (t == MAP_FAILED)
		return 2;
	for (unsigned i = 0; i < p->sessions; i++)
		if (fork() == 0)
			run_session(p, t);
	while (wait(NULL) > 0 || errno == EINTR)
		;
	return print_sum(p, t, now_ms() - from);
}

static unsigned
number(const char *text)
{
	char *rest;
	unsigned long n = strtoul(text, &rest, 10);

	if (*text == '\0' || *rest != '\0' || n > 1u << 30) {
		fprintf(stderr, "load: not a number: %s\n", text);
		exit(2);
	}
	return (unsigned)n;
}

int
main(int argc, char **argv)
{
	struct plan p = { .sessions = 1,
		.per_connection = 1,
		.messages = 1,
		.size = 4096,
		.domain = "example.com" };
	int option;

	while ((option = getopt(argc, argv, "c:k:n:s:d:PTRHQ")) != -1) {
		switch (option) {
		case 'c':
			p.sessions = number(optarg);
			break;
		case 'k':
			p.per_connection = number(optarg);
			break;
		case 'n':
			p.messages = number(optarg);
			break;
		case 's':
			p.size = number(optarg);
			break;
		case 'd':
			p.domain = optarg;
			break;
		case 'P':
			p.pipelines = true;
			break;
		case 'T':
			p.has_tls = true;
			break;
		case 'R':
			p.resumes = true;
			break;
		case 'Q':
			p.hurries = true;
			break;
		case 'H':
			p.holds = true;
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1) {
		fprintf(stderr, "usage: load [options] PORT\n");
		return 2;
	}
	p.port = number(argv[optind]);
	return p.holds ? hold(&p) : run(&p);
}
