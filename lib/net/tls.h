#ifndef BMX_TLS_H
#define BMX_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * TLS by GnuTLS, loaded when it is needed: linking GnuTLS makes the start of
 * an inetd program three to four times dearer, so all of it is in a module,
 * bmx-tls.so (tls_module.c, the only file that includes <gnutls/...>), which
 * tls.c opens with dlopen(3) at the first tls_server() or tls_client(). The
 * module is looked for in PKGLIBDIR, or is $BMX_TLS_MODULE.
 *
 * TLS 1.2 is the floor. conn.h drives sessions; programs make contexts.
 */
struct tls; /* a context: credentials, made once, used for many sessions */

/* A server's key pair: PEM files, chain and key. -1 or NULL: ERR_CONFIG with
 * the file's name: unreadable, not PEM, key of another certificate, expired. */
struct tls *tls_server(const char *certificate, const char *key, struct err *e);

/* One more pair for the same server, ECDSA beside RSA, or of another name: the
 * client gets what it asks for (SNI) and can use, else the first. -1 as above:
 * the pairs before stay. */
int tls_add_pair(struct tls *t, const char *certificate, const char *key,
    struct err *e);

/* Session tickets (RFC 5077, RFC 8446 4.6.1) under this key, so that processes
 * with the same key resume each other's sessions. Without it there are none.
 */
#define TLS_TICKET_KEY_LEN 64
int tls_set_ticket_key(struct tls *t,
    const unsigned char key[TLS_TICKET_KEY_LEN], struct err *e);

/* A client that takes any certificate (opportunistic, RFC 7435). */
struct tls *tls_client(struct err *e);

void tls_free(struct tls *t);

/* ---- for conn.c: one session ---- */

struct tls_session;

struct tls_session *tls_start(struct tls *t, int read_fd, int write_fd,
    const char *name, struct err *e);

/* Each: bytes done (handshake: 1), 0 at the peer's close_notify (read only),
 * or -1: want_read or want_write is set when the call is to be repeated after
 * poll(2), else *e (ERR_TEMP) says why the session is over. */
struct tls_want {
	bool read, write;
};
int tls_handshake(struct tls_session *s, struct tls_want *want, struct err *e);
ssize_t tls_read(struct tls_session *s, char *data, size_t len,
    struct tls_want *want, struct err *e);
ssize_t tls_write(struct tls_session *s, const char *data, size_t len,
    struct tls_want *want, struct err *e);
/* Send close_notify, once, without waiting. */
void tls_bye(struct tls_session *s);
void tls_end(struct tls_session *s);

/* "TLS1.3/AES-256-GCM" into out. */
void tls_describe(const struct tls_session *s, char *out, size_t size);

#endif
