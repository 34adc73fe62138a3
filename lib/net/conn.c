#include "net/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/nowait.h"
#include "net/tls.h"

#define OUTPUT_MAX (16 * 1024)  /* bytes buffered for writing: one TLS record */
#define LINGER_MAX (256 * 1024) /* unread input thrown away at the end */
#define LATE_MAX 8 /* records after the deadline that bring no bytes */

struct conn {
	int read_fd, write_fd;
	struct tls_session *tls; /* NULL in the clear */
	char tls_text[64];
	struct tls_peer *peer; /* what it showed; NULL: nothing yet */
	char *in; /* CONN_INPUT_MAX bytes; buffered are in_len from in_start */
	size_t in_start, in_len;
	bool is_tls_new;   /* nothing was read since the handshake */
	bool in_ended;     /* nothing is read any more ... */
	struct err in_why; /* ... for this reason; ERR_NONE: an orderly end */
	char *out;         /* OUTPUT_MAX bytes */
	size_t out_len;
	bool out_failed; /* part of the output is lost: nothing may follow */
	struct err out_why;
};

struct conn *
conn_new(int read_fd, int write_fd, struct err *e)
{
	struct conn *c = calloc(1, sizeof *c);

	if (c == NULL) {
		err_sys(e, "connection");
		return NULL;
	}
	c->in = malloc(CONN_INPUT_MAX);
	c->out = malloc(OUTPUT_MAX);
	c->read_fd = c->write_fd = -1;
	if (c->in == NULL || c->out == NULL) {
		err_sys(e, "connection");
		conn_close(c);
		return NULL;
	}
	c->read_fd = read_fd;
	c->write_fd = write_fd;
	return c;
}

void
conn_close(struct conn *c)
{
	if (c == NULL)
		return;
	tls_end(c->tls);
	free(c->peer);
	if (c->read_fd != -1)
		close(c->read_fd);
	if (c->write_fd != -1 && c->write_fd != c->read_fd)
		close(c->write_fd);
	free(c->in);
	free(c->out);
	free(c);
}

/*
 * Closing a socket with unread input makes the kernel send a reset, which can
 * destroy our last words before the peer reads them. So say that no more will
 * come, and take what has arrived by now.
 */
static void
linger(const struct conn *c)
{
	char waste[4096];
	size_t total = 0;
	ssize_t n;

	if (shutdown(c->write_fd, SHUT_WR) == -1)
		return;
	do {
		n = recv(c->read_fd, waste, sizeof waste, MSG_DONTWAIT);
		total += n > 0 ? (size_t)n : 0;
	} while (n > 0 && total < LINGER_MAX);
}

void
conn_finish(struct conn *c, int64_t deadline_ms)
{
	struct err ignored = ERR_INIT;

	if (conn_flush(c, deadline_ms, &ignored) == 0 && c->tls != NULL)
		tls_bye(c->tls);
	linger(c);
}

/* ---- waiting ---- */

static int
timed_out(struct err *e)
{
	err_temp(e, "timeout");
	e->sys = ETIMEDOUT;
	return -1;
}

/*
 * Wait until the descriptors can do what want says. -1: the deadline passed,
 * or a signal handler ran (EINTR).
 */
static int
wait_for(const struct conn *c, struct tls_want want, int64_t deadline_ms,
    struct err *e)
{
	struct pollfd p[2] = {
		{ want.read ? c->read_fd : -1, POLLIN, 0 },
		{ want.write ? c->write_fd : -1, POLLOUT, 0 },
	};
	int left = clock_left_ms(deadline_ms);
	int n = poll(p, 2, left);

	if (n == -1)
		return err_sys(e, "poll");
	if (n == 0 && clock_left_ms(deadline_ms) == 0)
		return timed_out(e);
	return 0;
}

/*
 * The same for TLS, which is given records that bring nothing: a peer that
 * sends them without end always has the descriptor ready. *late counts those
 * that are read after the deadline.
 */
static int
wait_again(const struct conn *c, struct tls_want want, int64_t deadline_ms,
    unsigned *late, struct err *e)
{
	if (clock_left_ms(deadline_ms) == 0 && (*late)++ == LATE_MAX)
		return timed_out(e);
	return wait_for(c, want, deadline_ms, e);
}

/* ---- input ---- */

const char *
conn_buffered(const struct conn *c, size_t *len)
{
	*len = c->in_len;
	return c->in + c->in_start;
}

void
conn_consume(struct conn *c, size_t n)
{
	c->in_start += n;
	c->in_len -= n;
	if (c->in_len == 0)
		c->in_start = 0;
}

/* Remember why the input is over, for every later call too. */
static ssize_t
end_input(struct conn *c, const struct err *why, struct err *e)
{
	c->in_ended = true;
	c->in_why = *why;
	if (why->class == ERR_NONE)
		return 0;
	*e = *why;
	return -1;
}

static ssize_t
read_plain(const struct conn *c, char *data, size_t len, struct tls_want *want,
    struct err *e)
{
	ssize_t n = nowait_read(c->read_fd, data, len);

	*want = (struct tls_want){ false, false };
	if (n != -1)
		return n;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		want->read = true;
		return -1;
	}
	if (errno != ECONNRESET)
		return err_sys(e, "read");
	err_temp(e, "connection closed");
	e->sys = ECONNRESET;
	return -1;
}

/*
 * A server whose TLS library speaks first (TLS 1.3's session tickets) holds its
 * reply back until that was acknowledged, if it does as most do (Nagle), and we
 * acknowledge it with what we send next, or 40 ms later: so at once, now.
 */
static void
acknowledge_at_once(struct conn *c)
{
	const int on = 1;

	c->is_tls_new = false;
	setsockopt(c->read_fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

ssize_t
conn_fill(struct conn *c, int64_t deadline_ms, struct err *e)
{
	struct err why = ERR_INIT;
	struct tls_want want;
	unsigned late = 0;
	char *room;
	ssize_t n;

	if (c->in_ended) {
		if (c->in_why.class == ERR_NONE)
			return 0;
		*e = c->in_why;
		return -1;
	}
	if (c->in_start > 0) {
		memmove(c->in, c->in + c->in_start, c->in_len);
		c->in_start = 0;
	}
	if (c->is_tls_new)
		acknowledge_at_once(c);
	room = c->in + c->in_len;
	for (;;) {
		n = c->tls != NULL
			? tls_read(c->tls, room, CONN_INPUT_MAX - c->in_len,
			      &want, &why)
			: read_plain(c, room, CONN_INPUT_MAX - c->in_len, &want,
			      &why);
		if (n > 0)
			break;
		if (n == 0 || (!want.read && !want.write))
			return end_input(c, &why, e);
		if (wait_again(c, want, deadline_ms, &late, e) == -1)
			return -1;
	}
	c->in_len += (size_t)n;
	return n;
}

ssize_t
conn_read_line(struct conn *c, char *line, size_t size, int64_t deadline_ms,
    struct err *e)
{
	size_t scanned = 0, len;
	const char *start, *lf;
	ssize_t n;

	for (;;) {
		start = c->in + c->in_start;
		lf = memchr(start + scanned, '\n', c->in_len - scanned);
		if (lf != NULL)
			break;
		scanned = c->in_len;
		if (scanned > size || scanned == CONN_INPUT_MAX)
			return err_perm(e, "line too long");
		n = conn_fill(c, deadline_ms, e);
		if (n == 0)
			return err_temp(e, "connection closed");
		if (n == -1)
			return -1;
	}
	len = (size_t)(lf - start);
	if (len > 0 && start[len - 1] == '\r')
		len--;
	if (len >= size)
		return err_perm(e, "line too long");
	memcpy(line, start, len);
	line[len] = '\0';
	conn_consume(c, (size_t)(lf + 1 - start));
	return (ssize_t)len;
}

/* ---- output ---- */

static int
fail_output(struct conn *c, const struct err *why)
{
	c->out_failed = true;
	c->out_why = *why;
	c->out_len = 0;
	return -1;
}

static ssize_t
write_plain(const struct conn *c, const struct iovec *iov, size_t n,
    struct tls_want *want, struct err *e)
{
	ssize_t done = nowait_writev(c->write_fd, iov, n);

	*want = (struct tls_want){ false, false };
	if (done != -1)
		return done;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
		want->write = true;
		return -1;
	}
	if (errno != ECONNRESET && errno != EPIPE)
		return err_sys(e, "write");
	err_temp(e, "connection closed");
	e->sys = ECONNRESET;
	return -1;
}

/* Drop the first done bytes of n slices; returns how many slices are left,
 * and *iov is the first of them. */
static size_t
advance(struct iovec **iov, size_t n, size_t done)
{
	while (n > 0 && done >= (*iov)->iov_len) {
		done -= (*iov)->iov_len;
		(*iov)++;
		n--;
	}
	if (n > 0) {
		(*iov)->iov_base = (char *)(*iov)->iov_base + done;
		(*iov)->iov_len -= done;
	}
	return n;
}

/* Send all of n slices. A signal does not end the wait: the peer would be
 * left with a part of something. */
static int
send_all(struct conn *c, struct iovec *iov, size_t n, int64_t deadline_ms,
    struct err *e)
{
	struct tls_want want;
	ssize_t done;

	n = advance(&iov, n, 0);
	while (n > 0) {
		done = c->tls != NULL ? tls_write(c->tls, iov->iov_base,
					    iov->iov_len, &want, e)
				      : write_plain(c, iov, n, &want, e);
		if (done != -1)
			n = advance(&iov, n, (size_t)done);
		else if (!want.read && !want.write)
			return fail_output(c, e);
		else if (wait_for(c, want, deadline_ms, e) == -1 &&
			 e->sys != EINTR)
			return fail_output(c, e);
	}
	return 0;
}

int
conn_write(struct conn *c, const char *data, size_t len, int64_t deadline_ms,
    struct err *e)
{
	struct iovec iov[2] = {
		{ c->out, c->out_len },
		{ (char *)data, len },
	};

	if (c->out_failed) {
		*e = c->out_why;
		return -1;
	}
	if (len <= OUTPUT_MAX - c->out_len) {
		memcpy(c->out + c->out_len, data, len);
		c->out_len += len;
		return 0;
	}
	c->out_len = 0;
	return send_all(c, iov, 2, deadline_ms, e);
}

int
conn_flush(struct conn *c, int64_t deadline_ms, struct err *e)
{
	struct iovec iov = { c->out, c->out_len };

	if (c->out_failed) {
		*e = c->out_why;
		return -1;
	}
	c->out_len = 0;
	return send_all(c, &iov, 1, deadline_ms, e);
}

/* ---- TLS ---- */

static int
shake_hands(struct conn *c, struct tls *tls, const char *name,
    int64_t deadline_ms, struct err *e)
{
	struct tls_want want;
	unsigned late = 0;

	/* from here on only TLS reads the descriptor, whatever happens */
	c->tls = tls_start(tls, c->read_fd, c->write_fd, name, e);
	if (c->tls == NULL)
		return -1;
	while (tls_handshake(c->tls, &want, e) == -1) {
		if (!want.read && !want.write)
			return -1;
		if (wait_again(c, want, deadline_ms, &late, e) == -1 &&
		    e->sys != EINTR)
			return err_prefix(e, "TLS handshake");
	}
	tls_describe(c->tls, c->tls_text, sizeof c->tls_text);
	return 0;
}

/* The handshake, and what the peer's certificate is worth. */
static int
secure(struct conn *c, struct tls *tls, const char *name,
    const struct tls_demand *demand, int64_t deadline_ms, struct err *e)
{
	if (c->in_len > 0)
		return err_perm(e, "%zu bytes came behind STARTTLS", c->in_len);
	if (c->tls != NULL)
		return err_perm(e, "STARTTLS within TLS");
	if (conn_flush(c, deadline_ms, e) == -1)
		return -1;
	c->peer = calloc(1, sizeof *c->peer);
	if (c->peer == NULL)
		return err_sys(e, "TLS");
	if (shake_hands(c, tls, name, deadline_ms, e) == -1) {
		c->peer->result = TLS_VALIDATION_FAILURE;
		text_safe(c->peer->why, sizeof c->peer->why, e->text);
		return -1;
	}
	if (tls_judge(c->tls, demand, c->peer, e) == -1)
		return -1;
	if (c->peer->result == TLS_OK || demand == NULL || demand->is_advice)
		return 0;
	return err_temp(e, "%s: %s", tls_result_name(c->peer->result),
	    c->peer->why);
}

int
conn_start_tls(struct conn *c, struct tls *tls, const char *name,
    const struct tls_demand *demand, int64_t deadline_ms, struct err *e)
{
	if (secure(c, tls, name, demand, deadline_ms, e) == 0) {
		c->is_tls_new = true;
		return 0;
	}
	conn_consume(c, c->in_len);
	end_input(c, e, e);
	return fail_output(c, e);
}

const struct tls_peer *
conn_tls_peer(const struct conn *c)
{
	return c->peer;
}

const char *
conn_tls_text(const struct conn *c)
{
	return c->tls_text;
}
