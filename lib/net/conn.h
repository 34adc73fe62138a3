#ifndef BMX_CONN_H
#define BMX_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * A byte stream with one buffer for each way, plain or TLS: the caller cannot
 * tell. Two descriptors, since under inetd and in a pipe input and output are
 * fd 0 and fd 1. Everything that can wait has a deadline (clock.h, monotonic
 * ms). After TLS began nothing reads the descriptor in the clear again; any
 * TLS error, close_notify included, ends the input for good.
 *
 * Errors are ERR_TEMP: "timeout" (err.sys ETIMEDOUT), "connection closed"
 * (ECONNRESET or 0), or the system's or GnuTLS's words. A signal handler that
 * ran while input was waited for ends the wait too (EINTR): nothing is lost,
 * the call may be repeated. Output goes on waiting. Once output failed, all
 * later output fails; what the peer said before can still be read.
 */
struct conn;
struct tls; /* tls.h, these three */
struct tls_demand;
struct tls_peer;

#define CONN_INPUT_MAX (64 * 1024) /* bytes buffered for reading */

/*
 * Takes both descriptors (they may be one), closes them in conn_close(). They
 * can be sockets, pipes or files, and their O_NONBLOCK flag stays as it is.
 * NULL: ERR_TEMP, and they are still the caller's.
 */
struct conn *conn_new(int read_fd, int write_fd, struct err *e);

/* Flushes nothing, sends no close_notify: see conn_finish(). NULL is fine. */
void conn_close(struct conn *c);

/* The orderly end: flush, close_notify under TLS, no more output; errors are
 * ignored. conn_close() is still to be called. */
void conn_finish(struct conn *c, int64_t deadline_ms);

/* ---- input ---- */

/* What is buffered now, without reading. Valid until the next read. */
const char *conn_buffered(const struct conn *c, size_t *len);

/* Take n buffered bytes. */
void conn_consume(struct conn *c, size_t n);

/* Wait for more bytes and buffer them. Their number; 0 at the end of input;
 * -1. The buffer must not be full. */
ssize_t conn_fill(struct conn *c, int64_t deadline_ms, struct err *e);

/*
 * Read one line that ends in LF; CRLF or LF is replaced by a NUL. Returns
 * its length, or -1: timeout, end of input, or longer than size - 1
 * (ERR_PERM).
 */
ssize_t conn_read_line(struct conn *c, char *line, size_t size,
    int64_t deadline_ms, struct err *e);

/* ---- output ---- */

/* Queue bytes; sent when the buffer is full or flushed. Large slices go out
 * with the buffer in one writev(2). */
int conn_write(struct conn *c, const char *data, size_t len,
    int64_t deadline_ms, struct err *e);
int conn_flush(struct conn *c, int64_t deadline_ms, struct err *e);

/* ---- TLS ---- */

/*
 * Run the handshake, as the side that tls was made for. Input must be empty:
 * bytes that came behind STARTTLS are an injection, -1 (ERR_PERM). name: for
 * a client the server's name (SNI); for a server NULL. demand: what the peer's
 * certificate must show; NULL: anything. -1 also when it does not show it and
 * the demand is no advice (ERR_TEMP; conn_tls_peer() has the result). After -1
 * the connection is of no use.
 */
int conn_start_tls(struct conn *c, struct tls *tls, const char *name,
    const struct tls_demand *demand, int64_t deadline_ms, struct err *e);

/* What the peer showed, also after conn_start_tls() failed; NULL before it.
 * The connection's. */
const struct tls_peer *conn_tls_peer(const struct conn *c);

/* "TLS1.3/AES-256-GCM", or "" in the clear. */
const char *conn_tls_text(const struct conn *c);

#endif
