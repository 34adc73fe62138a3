/* lib/net: conn, nowait, tls and the TLS module. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gnutls/gnutls.h>

#include "base/clock.h"
#include "net/conn.h"
#include "net/tls.h"
#include "pki.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define LONG_MS 10000 /* a deadline that is never reached */
#define SHORT_MS 100  /* one that is */
#define BIG (1024 * 1024)

static int64_t
soon(int ms)
{
	return clock_monotonic_ms() + ms;
}

static struct conn *
open_conn(int read_fd, int write_fd)
{
	struct err e = ERR_INIT;
	struct conn *c = conn_new(read_fd, write_fd, &e);

	assert_non_null(c);
	return c;
}

/* A connection and the other end of its socket. */
static struct conn *
open_pair(int *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	*peer = fds[1];
	return open_conn(fds[0], fds[0]);
}

static void
put(int fd, const char *data, size_t len)
{
	assert_int_equal(write(fd, data, len), (ssize_t)len);
}

/* The peer is a process of its own, so that both sides can wait. */
static pid_t
start_peer(struct conn *ours, int (*run)(int fd, void *arg), int fd, void *arg)
{
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		conn_close(ours);
		alarm(30);
		_exit(run(fd, arg));
	}
	close(fd);
	return pid;
}

static void
peer_did_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- lines ---- */

static const struct {
	const char *name;
	const char *input;
	size_t len;
	const char *lines[4]; /* up to NULL; then the connection is closed */
} line_rows[] = {
	{ "CRLF ends a line", "a\r\nbc\r\n", 7, { "a", "bc" } },
	{ "LF alone ends a line", "a\nbc\n", 5, { "a", "bc" } },
	{ "only the last CR is part of the end", "a\r\r\n", 4, { "a\r" } },
	{ "a CR inside stays", "a\rb\r\n", 5, { "a\rb" } },
	{ "empty lines are lines", "\r\n\n", 3, { "", "" } },
	{ "what has no end is no line", "a\r\nhalf", 7, { "a" } },
	{ "an end without anything", "", 0, { NULL } },
	{ "eight bits pass", "\xff\xc3\xa4\r\n", 5, { "\xff\xc3\xa4" } },
};

static void
expect_lines(struct conn *c, size_t row)
{
	char line[16];
	struct err e = ERR_INIT;
	ssize_t n;

	for (size_t i = 0; line_rows[row].lines[i] != NULL; i++) {
		n = conn_read_line(c, line, sizeof line, soon(LONG_MS), &e);
		if (n != (ssize_t)strlen(line_rows[row].lines[i]) ||
		    strcmp(line, line_rows[row].lines[i]) != 0)
			fail_msg("%s: got %zd \"%s\"", line_rows[row].name, n,
			    n == -1 ? e.text : line);
	}
	n = conn_read_line(c, line, sizeof line, soon(LONG_MS), &e);
	assert_int_equal(n, -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.text, "connection closed");
}

static void
lines_come_out_of_a_socket(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(line_rows); i++) {
		int peer;
		struct conn *c = open_pair(&peer);

		put(peer, line_rows[i].input, line_rows[i].len);
		close(peer);
		expect_lines(c, i);
		conn_close(c);
	}
}

static void
lines_come_out_of_a_pipe_into_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(line_rows); i++) {
		int in[2], out[2];
		struct conn *c;

		assert_int_equal(pipe(in), 0);
		assert_int_equal(pipe(out), 0);
		c = open_conn(in[0], out[1]);
		put(in[1], line_rows[i].input, line_rows[i].len);
		close(in[1]);
		expect_lines(c, i);
		conn_close(c);
		close(out[0]);
	}
}

static void
lines_come_out_of_a_regular_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(line_rows); i++) {
		FILE *f = tmpfile();
		struct conn *c;

		assert_non_null(f);
		put(fileno(f), line_rows[i].input, line_rows[i].len);
		assert_int_equal(lseek(fileno(f), 0, SEEK_SET), 0);
		c = open_conn(dup(fileno(f)), -1);
		expect_lines(c, i);
		conn_close(c);
		fclose(f);
	}
}

static void
bytes_that_come_one_by_one_make_the_same_lines(void **state)
{
	char line[16];
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	for (const char *p = "ab\r\nc\r"; *p != '\0'; p++) {
		put(peer, p, 1);
		if (*p == '\n')
			break;
		assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 1);
	}
	assert_int_equal(conn_read_line(c, line, sizeof line, soon(LONG_MS),
			     &e),
	    2);
	assert_string_equal(line, "ab");
	put(peer, "c", 1);
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 1);
	put(peer, "\r", 1);
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 1);
	put(peer, "\n", 1);
	assert_int_equal(conn_read_line(c, line, sizeof line, soon(LONG_MS),
			     &e),
	    1);
	assert_string_equal(line, "c");
	conn_close(c);
	close(peer);
}

static void
a_line_with_a_nul_has_its_full_length(void **state)
{
	char line[16];
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	put(peer, "a\0b\r\n", 5);
	assert_int_equal(conn_read_line(c, line, sizeof line, soon(LONG_MS),
			     &e),
	    3);
	assert_memory_equal(line, "a\0b", 4);
	conn_close(c);
	close(peer);
}

static void
a_line_too_long_is_refused_and_not_cut(void **state)
{
	static const struct {
		const char *name, *input;
		ssize_t result; /* for a buffer of 8 bytes */
	} rows[] = {
		{ "seven bytes fit with CRLF", "1234567\r\n", 7 },
		{ "and with LF", "1234567\n", 7 },
		{ "eight do not", "12345678\r\n", -1 },
		{ "nor without an end in sight", "1234567890", -1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char line[8];
		struct err e = ERR_INIT;
		int peer;
		struct conn *c = open_pair(&peer);
		ssize_t n;

		put(peer, rows[i].input, strlen(rows[i].input));
		n = conn_read_line(c, line, sizeof line, soon(LONG_MS), &e);
		if (n != rows[i].result)
			fail_msg("%s: %zd %s", rows[i].name, n, e.text);
		if (n == -1)
			assert_int_equal(e.class, ERR_PERM);
		conn_close(c);
		close(peer);
	}
}

static void
a_line_longer_than_the_input_buffer_is_refused(void **state)
{
	static char junk[CONN_INPUT_MAX], line[2 * CONN_INPUT_MAX];
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	memset(junk, 'x', sizeof junk);
	put(peer, junk, sizeof junk);
	assert_int_equal(conn_read_line(c, line, sizeof line, soon(LONG_MS),
			     &e),
	    -1);
	assert_int_equal(e.class, ERR_PERM);
	conn_close(c);
	close(peer);
}

/* ---- the end of input, deadlines, signals ---- */

static void
the_end_of_input_is_said_again_and_again(void **state)
{
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	close(peer);
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 0);
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 0);
	conn_close(c);
}

static void
a_reset_has_its_errno_and_is_for_good(void **state)
{
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	assert_int_equal(conn_write(c, "x", 1, soon(LONG_MS), &e), 0);
	assert_int_equal(conn_flush(c, soon(LONG_MS), &e), 0);
	close(peer); /* with unread bytes: that is a reset */
	for (int i = 0; i < 2; i++) {
		e = (struct err)ERR_INIT;
		assert_int_equal(conn_fill(c, soon(LONG_MS), &e), -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(e.sys, ECONNRESET);
		assert_string_equal(e.text, "connection closed");
	}
	conn_close(c);
}

static void
expect_timeout(struct conn *c)
{
	struct err e = ERR_INIT;
	int64_t start = clock_monotonic_ms();
	char line[8];

	assert_int_equal(conn_read_line(c, line, sizeof line, soon(SHORT_MS),
			     &e),
	    -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, ETIMEDOUT);
	assert_string_equal(e.text, "timeout");
	assert_true(clock_monotonic_ms() - start >= SHORT_MS);
	assert_true(clock_monotonic_ms() - start < LONG_MS);
}

static void
a_silent_peer_runs_into_the_deadline_and_may_speak_later(void **state)
{
	struct err e = ERR_INIT;
	int peer, fds[2];
	struct conn *c = open_pair(&peer);

	(void)state;
	put(peer, "half", 4);
	expect_timeout(c);
	put(peer, "\r\n", 2);
	assert_int_equal(conn_read_line(c, (char[8]){ 0 }, 8, soon(LONG_MS),
			     &e),
	    4);
	conn_close(c);
	close(peer);
	assert_int_equal(pipe(fds), 0);
	c = open_conn(fds[0], -1);
	expect_timeout(c);
	conn_close(c);
	close(fds[1]);
}

static void
the_flags_of_shared_descriptors_stay_as_they_are(void **state)
{
	int peer, fds[2], other;
	struct conn *c = open_pair(&peer);

	(void)state;
	conn_close(c);
	close(peer);
	assert_int_equal(pipe(fds), 0);
	other = dup(fds[0]); /* the same open file, as the shell's fd 0 is */
	c = open_conn(fds[0], -1);
	expect_timeout(c);
	assert_int_equal(fcntl(other, F_GETFL) & O_NONBLOCK, 0);
	conn_close(c);
	close(fds[1]);
	close(other);
}

static void
take_signal(int number)
{
	(void)number;
}

static void
a_signal_handler_ends_the_wait_for_input(void **state)
{
	struct sigaction action = { .sa_handler = take_signal }, before;
	struct itimerval timer = { { 0, 20000 }, { 0, 20000 } };
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &timer, NULL);
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), -1);
	timer = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &timer, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, EINTR);
	put(peer, "x", 1);
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 1);
	conn_close(c);
	close(peer);
}

/* ---- output ---- */

/* Byte i of the stream that the writing tests send. */
static char
byte_at(size_t i)
{
	return (char)(i * 31 + i / 251);
}

static int
read_stream(int fd, void *arg)
{
	struct err e = ERR_INIT;
	struct conn *c = conn_new(fd, -1, &e);
	size_t len, at = 0;
	const char *p;

	(void)arg;
	while (c != NULL && conn_fill(c, soon(LONG_MS), &e) > 0) {
		p = conn_buffered(c, &len);
		for (size_t i = 0; i < len; i++, at++)
			if (p[i] != byte_at(at))
				return 1;
		conn_consume(c, len);
	}
	conn_close(c);
	return at == BIG ? 0 : 2;
}

/* Slices of every size, so that some are buffered and some are not. */
static void
write_stream(struct conn *c)
{
	static char data[BIG];
	size_t at = 0, len, n = 0;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < BIG; i++)
		data[i] = byte_at(i);
	for (; at < BIG; at += len) {
		len = (n * n * 37) % 70000;
		len = len < BIG - at ? len : BIG - at;
		n++;
		if (conn_write(c, data + at, len, soon(LONG_MS), &e) == -1)
			fail_msg("byte %zu: %s", at, e.text);
	}
	assert_int_equal(conn_flush(c, soon(LONG_MS), &e), 0);
}

static void
slices_of_all_sizes_arrive_whole_and_in_order(void **state)
{
	int peer, fds[2];
	struct conn *c = open_pair(&peer);
	pid_t pid = start_peer(c, read_stream, peer, NULL);

	(void)state;
	write_stream(c);
	conn_close(c);
	peer_did_well(pid);
	assert_int_equal(pipe(fds), 0);
	c = open_conn(-1, fds[1]);
	pid = start_peer(c, read_stream, fds[0], NULL);
	write_stream(c);
	conn_close(c);
	peer_did_well(pid);
}

/* Where no writev(2) with a flag can keep from waiting. */
static void
what_is_too_long_to_be_held_goes_into_a_pipe_whole(void **state)
{
	enum { LEN = 50000 }; /* a pipe takes it */
	char *sent = malloc(LEN), *got = malloc(LEN);
	struct err e = ERR_INIT;
	struct conn *c;
	size_t n = 0;
	int ends[2];

	(void)state;
	assert_true(sent != NULL && got != NULL);
	for (size_t i = 0; i < LEN; i++)
		sent[i] = byte_at(i);
	assert_int_equal(pipe(ends), 0);
	c = conn_new(-1, ends[1], &e);
	assert_non_null(c);
	assert_int_equal(conn_write(c, sent, LEN, soon(LONG_MS), &e), 0);
	assert_int_equal(conn_flush(c, soon(LONG_MS), &e), 0);
	while (n < LEN) {
		ssize_t len = read(ends[0], got + n, LEN - n);

		assert_true(len > 0);
		n += (size_t)len;
	}
	assert_memory_equal(got, sent, LEN);
	conn_close(c);
	close(ends[0]);
	free(sent);
	free(got);
}

static void
nothing_is_sent_before_the_flush(void **state)
{
	struct err e = ERR_INIT;
	char got[8];
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	assert_int_equal(conn_write(c, "ab", 2, soon(LONG_MS), &e), 0);
	assert_int_equal(recv(peer, got, sizeof got, MSG_DONTWAIT), -1);
	assert_int_equal(conn_write(c, "cd", 2, soon(LONG_MS), &e), 0);
	assert_int_equal(conn_flush(c, soon(LONG_MS), &e), 0);
	assert_int_equal(recv(peer, got, sizeof got, MSG_DONTWAIT), 4);
	assert_memory_equal(got, "abcd", 4);
	conn_close(c);
	close(peer);
}

static void
a_peer_that_does_not_read_is_left_at_the_deadline(void **state)
{
	static char data[BIG];
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	assert_int_equal(conn_write(c, data, BIG, soon(SHORT_MS), &e), -1);
	assert_int_equal(e.sys, ETIMEDOUT);
	e = (struct err)ERR_INIT;
	assert_int_equal(conn_write(c, "x", 1, soon(LONG_MS), &e), -1);
	assert_int_equal(conn_flush(c, soon(LONG_MS), &e), -1);
	assert_string_equal(e.text, "timeout"); /* for good */
	put(peer, "421 bye\r\n", 9);
	assert_int_equal(conn_read_line(c, (char[16]){ 0 }, 16, soon(LONG_MS),
			     &e),
	    7);
	conn_close(c);
	close(peer);
}

static void
writing_to_a_peer_that_left_is_an_error_and_no_signal(void **state)
{
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	close(peer);
	assert_int_equal(conn_write(c, "x", 1, soon(LONG_MS), &e), 0);
	assert_int_equal(conn_flush(c, soon(LONG_MS), &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.text, "connection closed");
	conn_close(c);
}

static void
our_last_words_are_followed_by_an_end_and_not_by_a_reset(void **state)
{
	struct err e = ERR_INIT;
	char got[8];
	int peer;
	struct conn *c = open_pair(&peer);

	(void)state;
	put(peer, "never read", 10);
	assert_int_equal(conn_write(c, "bye", 3, soon(LONG_MS), &e), 0);
	conn_finish(c, soon(LONG_MS));
	conn_close(c);
	assert_int_equal(read(peer, got, sizeof got), 3);
	assert_int_equal(read(peer, got, sizeof got), 0);
	close(peer);
}

/* ---- TLS ---- */

struct tls_side {
	struct tls *tls;
	const char *name;
};

/* The peer's TLS, without conn: it may break off where it likes. */
static struct tls_session *
secure_peer(int fd, const struct tls_side *side)
{
	struct err e = ERR_INIT;
	struct tls_want want;
	struct tls_session *s = tls_start(side->tls, fd, fd, side->name, &e);

	while (s != NULL && tls_handshake(s, &want, &e) == -1)
		if (!want.read && !want.write) {
			tls_end(s);
			return NULL;
		}
	return s;
}

static struct tls *
server_context(void **state)
{
	struct pki *p = *state;
	struct err e = ERR_INIT;
	struct tls *t = tls_server(p->certificate, p->key, &e);

	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

static struct tls *
client_context(void)
{
	struct err e = ERR_INIT;
	struct tls *t = tls_client(&e);

	if (t == NULL)
		fail_msg("%s", e.text);
	return t;
}

static int
read_stream_in_tls(int fd, void *arg)
{
	const struct tls_side *side = arg;
	struct err e = ERR_INIT;
	struct conn *c = conn_new(fd, fd, &e);
	size_t len, at = 0;
	const char *p;

	if (conn_start_tls(c, side->tls, side->name, NULL, soon(LONG_MS), &e) ==
	    -1)
		return 3;
	while (conn_fill(c, soon(LONG_MS), &e) > 0) {
		p = conn_buffered(c, &len);
		for (size_t i = 0; i < len; i++, at++)
			if (p[i] != byte_at(at))
				return 1;
		conn_consume(c, len);
	}
	if (e.class != ERR_NONE || at != BIG)
		return 2;
	if (conn_write(c, "250 OK\r\n", 8, soon(LONG_MS), &e) == -1)
		return 4;
	conn_finish(c, soon(LONG_MS));
	conn_close(c);
	return 0;
}

static void
both_sides_talk_in_tls_1_3(void **state)
{
	struct err e = ERR_INIT;
	char line[16];
	int peer;
	struct conn *c = open_pair(&peer);
	struct tls *server = server_context(state), *client = client_context();
	struct tls_side side = { client, "mx.example.com" };
	pid_t pid = start_peer(c, read_stream_in_tls, peer, &side);

	assert_string_equal(conn_tls_text(c), "");
	if (conn_start_tls(c, server, NULL, NULL, soon(LONG_MS), &e) == -1)
		fail_msg("%s", e.text);
	assert_string_equal(conn_tls_text(c), "TLS1.3/AES-256-GCM");
	write_stream(c);
	conn_finish(c, soon(LONG_MS)); /* close_notify; input goes on */
	assert_int_equal(conn_read_line(c, line, sizeof line, soon(LONG_MS),
			     &e),
	    6);
	assert_string_equal(line, "250 OK");
	assert_int_equal(conn_fill(c, soon(LONG_MS), &e), 0);
	conn_close(c);
	peer_did_well(pid);
	tls_free(server);
	tls_free(client);
}

/* ---- what the peer shows ---- */

static int
serve_one_handshake(int fd, void *arg)
{
	const struct tls_side *side = arg;
	struct err e = ERR_INIT;
	struct conn *c = conn_new(fd, fd, &e);

	conn_start_tls(c, side->tls, NULL, NULL, soon(LONG_MS), &e);
	conn_fill(c, soon(LONG_MS), &e);
	conn_close(c);
	return 0;
}

/* A handshake with the server of the pki, under this demand. */
static struct conn *
meet(void **state, const struct tls_demand *demand, int *rc, struct err *e)
{
	struct tls *server = server_context(state), *client = client_context();
	struct tls_side side = { server, NULL };
	int peer;
	struct conn *c = open_pair(&peer);
	pid_t pid = start_peer(c, serve_one_handshake, peer, &side);

	*rc = conn_start_tls(c, client, "mx.example.com", demand, soon(LONG_MS),
	    e);
	conn_finish(c, soon(LONG_MS));
	peer_did_well(pid);
	tls_free(server);
	tls_free(client);
	return c;
}

static void
a_peer_is_described_also_when_nothing_is_demanded(void **state)
{
	const struct tls_demand any = TLS_DEMAND_INIT;
	const struct tls_peer *peer;
	struct err e = ERR_INIT;
	int rc;
	struct conn *c = meet(state, &any, &rc, &e);

	assert_int_equal(rc, 0);
	peer = conn_tls_peer(c);
	assert_int_equal(peer->result, TLS_OK);
	assert_true(peer->has_certificate && peer->is_in_date);
	assert_false(peer->is_trusted || peer->is_name_matched);
	assert_string_equal(peer->subject, "CN=mx.example.com");
	assert_string_equal(peer->issuer, "CN=mx.example.com");
	assert_string_equal(peer->names, "");
	assert_int_equal(peer->not_after_s - peer->not_before_s, 2 * 86400);
	assert_int_equal(peer->nchain, 1);
	conn_close(c);
}

static void
a_demand_that_is_not_met_ends_the_session_unless_it_is_advice(void **state)
{
	static const struct {
		const char *name;
		enum tls_proof proof;
		bool is_advice, knows_key, knows_root;
		int rc;
		enum tls_result result;
		bool is_trusted;
	} rows[] = {
		{ "D45: a root of its own", TLS_PKIX, false, false, false, -1,
		    TLS_CERTIFICATE_NOT_TRUSTED, false },
		{ "D45: trusted, but it has no dNSName", TLS_PKIX, false, false,
		    true, -1, TLS_CERTIFICATE_HOST_MISMATCH, true },
		{ "advice", TLS_PKIX, true, false, true, 0,
		    TLS_CERTIFICATE_HOST_MISMATCH, true },
		{ "its key is pinned", TLS_PIN, false, true, false, 0, TLS_OK,
		    true },
		{ "another is pinned", TLS_PIN, false, false, false, -1,
		    TLS_CERTIFICATE_NOT_TRUSTED, false },
	};
	const struct tls_demand any = TLS_DEMAND_INIT;
	const struct pki *p = *state;
	unsigned char spki[TLS_SHA256_LEN];
	struct err e = ERR_INIT;
	int rc;
	struct conn *c = meet(state, &any, &rc, &e);

	memcpy(spki, conn_tls_peer(c)->spki, sizeof spki);
	conn_close(c);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_demand d = { .proof = rows[i].proof,
			.is_advice = rows[i].is_advice,
			.names = { "mx.example.com" },
			.nnames = 1,
			.npins = 1 };
		const struct tls_peer *peer;

		d.ca_file = rows[i].knows_root ? p->certificate : NULL;
		if (rows[i].knows_key)
			memcpy(d.pins[0], spki, sizeof spki);
		e = (struct err)ERR_INIT;
		c = meet(state, &d, &rc, &e);
		peer = conn_tls_peer(c);
		if (rc != rows[i].rc || peer->result != rows[i].result ||
		    peer->is_trusted != rows[i].is_trusted)
			fail_msg("%s: %d, %s: %s", rows[i].name, rc,
			    tls_result_name(peer->result), peer->why);
		if (rc == -1) /* nothing may be said any more */
			assert_int_equal(conn_write(c, "MAIL", 4,
					     soon(SHORT_MS), &e),
			    -1);
		conn_close(c);
	}
}

static void
roots_that_cannot_be_read_are_our_own_trouble(void **state)
{
	const struct pki *p = *state;
	const char *const files[] = { p->none, p->junk };

	for (size_t i = 0; i < COUNT(files); i++) {
		const struct tls_demand d = { .proof = TLS_PKIX,
			.ca_file = files[i] };
		struct err e = ERR_INIT;
		int rc;
		struct conn *c = meet(state, &d, &rc, &e);

		assert_int_equal(rc, -1);
		assert_int_equal(e.class, ERR_CONFIG);
		assert_non_null(strstr(e.text, files[i]));
		conn_close(c);
	}
}

/* A client of our own making, for versions that ours never speaks. */
static int
offer_one_version(int fd, void *arg)
{
	gnutls_certificate_credentials_t credentials;
	gnutls_session_t s;
	int rc;

	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_init(&s, GNUTLS_CLIENT);
	gnutls_priority_set_direct(s, arg, NULL);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_transport_set_int(s, fd);
	do
		rc = gnutls_handshake(s);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	gnutls_deinit(s);
	gnutls_certificate_free_credentials(credentials);
	return rc == 0 ? 0 : 1;
}

static void
tls_1_2_is_the_floor(void **state)
{
	static const struct {
		const char *priorities, *text; /* text NULL: refused */
	} rows[] = {
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.3", "TLS1.3/AES-256-GCM" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.2", "TLS1.2/AES-256-GCM" },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.1", NULL },
		{ "NORMAL:-VERS-ALL:+VERS-TLS1.0", NULL },
	};
	struct tls *server = server_context(state);

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;
		int peer, status, rc;
		struct conn *c = open_pair(&peer);
		pid_t pid = start_peer(c, offer_one_version, peer,
		    (char *)rows[i].priorities);

		rc = conn_start_tls(c, server, NULL, NULL, soon(LONG_MS), &e);
		assert_int_equal(rc, rows[i].text != NULL ? 0 : -1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (rc == 0)
			assert_string_equal(conn_tls_text(c), rows[i].text);
		else
			assert_string_equal(conn_tls_text(c), "");
		conn_close(c);
	}
	tls_free(server);
}

/* A server of our own making that sends nothing but session tickets, as many
 * as the socket takes at once. */
static int
send_tickets(int fd, void *arg)
{
	const struct pki *p = arg;
	gnutls_certificate_credentials_t credentials;
	gnutls_datum_t key;
	gnutls_session_t s;
	int rc;

	signal(SIGPIPE, SIG_IGN);
	gnutls_certificate_allocate_credentials(&credentials);
	gnutls_certificate_set_x509_key_file(credentials, p->certificate,
	    p->key, GNUTLS_X509_FMT_PEM);
	gnutls_session_ticket_key_generate(&key);
	gnutls_init(&s, GNUTLS_SERVER);
	gnutls_priority_set_direct(s, "NORMAL:-VERS-ALL:+VERS-TLS1.3", NULL);
	gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, credentials);
	gnutls_session_ticket_enable_server(s, &key);
	gnutls_transport_set_int(s, fd);
	do
		rc = gnutls_handshake(s);
	while (rc < 0 && !gnutls_error_is_fatal(rc));
	if (rc < 0)
		return 1;
	for (int i = 0; i < 60; i++)
		if (gnutls_session_ticket_send(s, 1, 0) < 0)
			return 2;
	return 0;
}

/* Who sends them faster than they are read would hold up whoever waits. */
static void
records_without_bytes_do_not_hold_up_the_deadline(void **state)
{
	struct tls *client = client_context();
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);
	pid_t pid = start_peer(c, send_tickets, peer, *state);

	assert_int_equal(conn_start_tls(c, client, "mx.example.com", NULL,
			     soon(LONG_MS), &e),
	    0);
	peer_did_well(pid);
	assert_int_equal(conn_fill(c, soon(0), &e), -1);
	assert_int_equal(e.sys, ETIMEDOUT);
	conn_close(c);
	tls_free(client);
}

static void
clients_name_the_server_but_never_by_address(void **state)
{
	static const struct {
		const char *name;
		bool is_sent;
	} rows[] = {
		{ "mx.example.com", true },
		{ "192.0.2.1", false },
		{ "192.0.2.1:2525", false },
		{ "2001:db8::1", false },
		{ "[2001:db8::1]:25", false },
		{ "", false },
	};
	struct tls *client = client_context();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		char hello[4096];
		struct err e = ERR_INIT;
		int peer;
		struct conn *c = open_pair(&peer);
		ssize_t n;

		assert_int_equal(conn_start_tls(c, client, rows[i].name, NULL,
				     soon(SHORT_MS), &e),
		    -1);
		assert_int_equal(e.sys, ETIMEDOUT);
		n = read(peer, hello, sizeof hello);
		assert_true(n > 0);
		if (rows[i].name[0] != '\0')
			assert_int_equal(memmem(hello, (size_t)n, rows[i].name,
					     strlen(rows[i].name)) != NULL,
			    rows[i].is_sent);
		conn_close(c);
		close(peer);
	}
	tls_free(client);
}

/* After TLS failed, or before it could begin, nothing goes in the clear. */
static void
expect_no_use(struct conn *c, int peer)
{
	struct err e = ERR_INIT;
	char got[64];
	size_t len;

	send(peer, "QUIT\r\n", 6, MSG_NOSIGNAL);
	for (int i = 0; i < 2; i++) {
		assert_true(conn_fill(c, soon(LONG_MS), &e) <= 0);
		conn_buffered(c, &len);
		assert_int_equal(len, 0);
	}
	if (conn_write(c, "leak", 4, soon(LONG_MS), &e) == 0)
		conn_flush(c, soon(LONG_MS), &e);
	for (;;) {
		ssize_t n = recv(peer, got, sizeof got, MSG_DONTWAIT);

		if (n <= 0)
			break;
		assert_null(memmem(got, (size_t)n, "leak", 4));
	}
}

/* D22 */
static void
bytes_behind_starttls_are_an_injection(void **state)
{
	struct tls *server = server_context(state);
	struct err e = ERR_INIT;
	char line[16];
	int peer;
	struct conn *c = open_pair(&peer);

	put(peer, "STARTTLS\r\nRSET\r\n", 16);
	assert_int_equal(conn_read_line(c, line, sizeof line, soon(LONG_MS),
			     &e),
	    8);
	assert_int_equal(conn_start_tls(c, server, NULL, NULL, soon(LONG_MS),
			     &e),
	    -1);
	assert_int_equal(e.class, ERR_PERM);
	expect_no_use(c, peer);
	conn_close(c);
	close(peer);
	tls_free(server);
}

static void
there_is_no_tls_within_tls(void **state)
{
	struct tls *client = client_context();
	struct err e = ERR_INIT;
	int rc;
	struct conn *c = meet(state, NULL, &rc, &e);

	assert_int_equal(rc, 0);
	assert_int_equal(conn_start_tls(c, client, "mx.example.com", NULL,
			     soon(LONG_MS), &e),
	    -1);
	assert_string_equal(e.text, "STARTTLS within TLS");
	assert_int_equal(e.class, ERR_PERM);
	conn_close(c);
	tls_free(client);
}

static void
a_peer_that_speaks_no_tls_fails_the_handshake_for_good(void **state)
{
	struct tls *server = server_context(state);
	struct err e = ERR_INIT;
	int peer;
	struct conn *c = open_pair(&peer);

	put(peer, "EHLO mx.example.com\r\n", 21);
	assert_int_equal(conn_start_tls(c, server, NULL, NULL, soon(LONG_MS),
			     &e),
	    -1);
	assert_int_equal(e.class, ERR_TEMP);
	expect_no_use(c, peer);
	conn_close(c);
	close(peer);
	tls_free(server);
}

static void
a_silent_peer_ends_the_handshake_at_the_deadline(void **state)
{
	struct tls *server = server_context(state);
	struct err e = ERR_INIT;
	int64_t start = clock_monotonic_ms();
	int peer;
	struct conn *c = open_pair(&peer);

	put(peer, "\x16\x03\x01", 3); /* a handshake record begins */
	assert_int_equal(conn_start_tls(c, server, NULL, NULL, soon(SHORT_MS),
			     &e),
	    -1);
	assert_int_equal(e.sys, ETIMEDOUT);
	assert_true(clock_monotonic_ms() - start < LONG_MS);
	expect_no_use(c, peer);
	conn_close(c);
	close(peer);
	tls_free(server);
}

struct bad_end {
	struct tls_side side;
	bool says_bye;
	const char *in_the_clear;
};

/* A peer that says one line in TLS and then leaves it. */
static int
leave_tls(int fd, void *arg)
{
	const struct bad_end *b = arg;
	struct tls_session *s = secure_peer(fd, &b->side);
	struct err e = ERR_INIT;
	struct tls_want want;

	if (s == NULL || tls_write(s, "MAIL\r\n", 6, &want, &e) != 6)
		return 1;
	if (b->says_bye)
		tls_bye(s);
	if (b->in_the_clear[0] != '\0' &&
	    write(fd, b->in_the_clear, strlen(b->in_the_clear)) == -1)
		return 2;
	return 0;
}

/* The class of CVE-2026-45185: TLS ends, and bytes in the clear follow. */
static void
whatever_ends_tls_ends_the_input_for_good(void **state)
{
	static const struct {
		const char *name;
		bool says_bye;
		const char *in_the_clear;
		ssize_t result;
	} rows[] = {
		{ "close_notify, then plain bytes", true, "RSET\r\n", 0 },
		{ "close_notify, then the end", true, "", 0 },
		{ "the end without close_notify", false, "", -1 },
		{ "plain bytes within TLS", false, "RSET\r\nRSET\r\n", -1 },
	};
	struct tls *server = server_context(state), *client = client_context();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bad_end end = { { client, NULL }, rows[i].says_bye,
			rows[i].in_the_clear };
		struct err e = ERR_INIT;
		char line[16];
		int peer;
		struct conn *c = open_pair(&peer);
		int spare = dup(peer); /* writing must not fail first */
		pid_t pid = start_peer(c, leave_tls, peer, &end);

		assert_int_equal(conn_start_tls(c, server, NULL, NULL,
				     soon(LONG_MS), &e),
		    0);
		assert_int_equal(conn_read_line(c, line, sizeof line,
				     soon(LONG_MS), &e),
		    4);
		peer_did_well(pid);
		if (!rows[i].says_bye && rows[i].in_the_clear[0] == '\0')
			assert_int_equal(shutdown(spare, SHUT_WR), 0);
		for (int again = 0; again < 2; again++)
			if (conn_fill(c, soon(LONG_MS), &e) != rows[i].result)
				fail_msg("%s: %s", rows[i].name, e.text);
		expect_no_use(c, spare);
		conn_close(c);
		close(spare);
	}
	tls_free(server);
	tls_free(client);
}

static void
a_bad_key_pair_is_named_with_its_file(void **state)
{
	const struct pki *p = *state;
	const struct {
		const char *certificate, *key, *file, *words;
	} rows[] = {
		{ p->none, p->key, p->none, "No such file" },
		{ p->certificate, p->none, p->none, "No such file" },
		{ p->junk, p->key, p->junk, "no PEM certificate" },
		{ p->certificate, p->junk, p->junk, "no PEM key" },
		{ p->certificate, p->other_key, p->other_key,
		    "not the key of" },
		{ p->expired, p->key, p->expired, "expired on 2" },
		{ p->future, p->key, p->future, "not valid before 2" },
		{ p->key, p->certificate, p->key, "no PEM certificate" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;

		assert_null(tls_server(rows[i].certificate, rows[i].key, &e));
		assert_int_equal(e.class, ERR_CONFIG);
		if (strstr(e.text, rows[i].file) == NULL ||
		    strstr(e.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, e.text);
	}
}

static void
a_missing_or_foreign_module_is_a_configuration_error(void **state)
{
	static const struct {
		const char *path, *words;
	} rows[] = {
		{ "/nonexistent/bmx-tls.so", "No such file" },
		{ "libm.so.6", "not bmx's TLS module" },
	};
	char *saved = strdup(getenv("BMX_TLS_MODULE"));

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;

		setenv("BMX_TLS_MODULE", rows[i].path, 1);
		assert_null(tls_client(&e));
		assert_int_equal(e.class, ERR_CONFIG);
		assert_non_null(strstr(e.text, rows[i].words));
	}
	setenv("BMX_TLS_MODULE", saved, 1);
	free(saved);
}

static struct pki pki;

static int
make_pki(void **state)
{
	*state = &pki;
	return pki_make(&pki);
}

static int
remove_pki(void **state)
{
	(void)state;
	pki_remove(&pki);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_out_of_a_socket),
		cmocka_unit_test(lines_come_out_of_a_pipe_into_another),
		cmocka_unit_test(lines_come_out_of_a_regular_file),
		cmocka_unit_test(
		    bytes_that_come_one_by_one_make_the_same_lines),
		cmocka_unit_test(a_line_with_a_nul_has_its_full_length),
		cmocka_unit_test(a_line_too_long_is_refused_and_not_cut),
		cmocka_unit_test(
		    a_line_longer_than_the_input_buffer_is_refused),
		cmocka_unit_test(the_end_of_input_is_said_again_and_again),
		cmocka_unit_test(a_reset_has_its_errno_and_is_for_good),
		cmocka_unit_test(
		    a_silent_peer_runs_into_the_deadline_and_may_speak_later),
		cmocka_unit_test(
		    the_flags_of_shared_descriptors_stay_as_they_are),
		cmocka_unit_test(a_signal_handler_ends_the_wait_for_input),
		cmocka_unit_test(slices_of_all_sizes_arrive_whole_and_in_order),
		cmocka_unit_test(
		    what_is_too_long_to_be_held_goes_into_a_pipe_whole),
		cmocka_unit_test(nothing_is_sent_before_the_flush),
		cmocka_unit_test(
		    a_peer_that_does_not_read_is_left_at_the_deadline),
		cmocka_unit_test(
		    writing_to_a_peer_that_left_is_an_error_and_no_signal),
		cmocka_unit_test(
		    our_last_words_are_followed_by_an_end_and_not_by_a_reset),
		cmocka_unit_test(both_sides_talk_in_tls_1_3),
		cmocka_unit_test(
		    a_peer_is_described_also_when_nothing_is_demanded),
		cmocka_unit_test(
		    a_demand_that_is_not_met_ends_the_session_unless_it_is_advice),
		cmocka_unit_test(roots_that_cannot_be_read_are_our_own_trouble),
		cmocka_unit_test(tls_1_2_is_the_floor),
		cmocka_unit_test(
		    records_without_bytes_do_not_hold_up_the_deadline),
		cmocka_unit_test(clients_name_the_server_but_never_by_address),
		cmocka_unit_test(bytes_behind_starttls_are_an_injection),
		cmocka_unit_test(there_is_no_tls_within_tls),
		cmocka_unit_test(
		    a_peer_that_speaks_no_tls_fails_the_handshake_for_good),
		cmocka_unit_test(
		    a_silent_peer_ends_the_handshake_at_the_deadline),
		cmocka_unit_test(whatever_ends_tls_ends_the_input_for_good),
		cmocka_unit_test(a_bad_key_pair_is_named_with_its_file),
		cmocka_unit_test(
		    a_missing_or_foreign_module_is_a_configuration_error),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
