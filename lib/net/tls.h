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
 * bmx-tls.so (tls_module.c; tls_judge.c for certificates), which tls.c opens
 * with dlopen(3) at the first tls_server() or tls_client(). The module is
 * looked for in PKGLIBDIR, or is $BMX_TLS_MODULE. GnuTLS's DANE library brings
 * a resolver of its own along, so it has one more module, bmx-dane.so beside
 * the first, which is opened when TLSA records are to be matched and not
 * before.
 *
 * TLS 1.2 is the floor. conn.h drives sessions; programs make contexts.
 */
struct tls; /* a context: credentials, made once, used for many sessions */

/* ---- what a peer has to show, and what it showed ---- */

/* What became of TLS with a peer: the result types of RFC 8460 section 4.3,
 * which say what kept a session from being as it should. */
enum tls_result {
	TLS_OK,
	TLS_STARTTLS_NOT_SUPPORTED,
	TLS_CERTIFICATE_HOST_MISMATCH,
	TLS_CERTIFICATE_EXPIRED, /* or not valid yet */
	TLS_CERTIFICATE_NOT_TRUSTED,
	TLS_VALIDATION_FAILURE, /* all else, a broken handshake too */
	TLS_TLSA_INVALID,       /* no usable TLSA record matches */
	TLS_DNSSEC_INVALID,     /* a look-up for TLSA gave no answer to trust */
	TLS_DANE_REQUIRED,      /* and there are no TLSA records */
	TLS_STS_POLICY_FETCH_ERROR,
	TLS_STS_POLICY_INVALID,
	TLS_STS_WEBPKI_INVALID, /* the policy's own server */
};

/* "certificate-expired": the RFC's word; TLS_OK is "ok". */
const char *tls_result_name(enum tls_result result);

#define TLS_SHA256_LEN 32
#define TLS_NAMES_MAX 4
#define TLS_PINS_MAX 16
#define TLS_TLSA_MAX 32
#define TLS_CHAIN_MAX 16
#define TLS_TEXT_MAX 256

enum tls_proof {
	TLS_ANY,  /* any certificate will do (opportunistic, RFC 7435) */
	TLS_PKIX, /* a chain to a root, and one of the names */
	TLS_DANE, /* what the TLSA records say (RFC 7672 section 3) */
	TLS_PIN,  /* one of these public keys, whatever else it says */
};

/* One TLSA record that can be used (RFC 6698 section 2.1, RFC 7672 3.1):
 * usage 2 or 3, selector 0 or 1, matching type 0 to 2. */
struct tls_tlsa {
	uint8_t usage, selector, matching;
	const unsigned char *data; /* borrowed */
	size_t len;
};

struct tls_demand {
	enum tls_proof proof;
	/* the session goes on even so, and struct tls_peer tells the result:
	 * for those who report, and for MTA-STS in testing */
	bool is_advice;
	const char *names[TLS_NAMES_MAX]; /* PKIX, and usage 2 of DANE: one of
					     them; borrowed */
	size_t nnames;
	const char *ca_file; /* PKIX: PEM roots; NULL: the system's */
	struct tls_tlsa tlsa[TLS_TLSA_MAX];
	size_t ntlsa;
	unsigned char pins[TLS_PINS_MAX][TLS_SHA256_LEN]; /* of the SPKI */
	size_t npins;
};

/* A peer's certificate, also where any would have done. All text is
 * printable; names are cut where they are too long to be kept. */
struct tls_peer {
	enum tls_result result;
	char why[TLS_TEXT_MAX]; /* in words; "" when it is as demanded */
	bool has_certificate;   /* else all below is empty */
	bool is_trusted;        /* PKIX: the chain leads to a root, dates aside;
				   DANE: a record matches; PIN: a pin does */
	bool is_name_matched;   /* by one of the demand's names */
	bool is_in_date;
	char subject[TLS_TEXT_MAX], issuer[TLS_TEXT_MAX]; /* RFC 4514 */
	char names[4 * TLS_TEXT_MAX]; /* its dNSNames, a blank between them */
	int64_t not_before_s, not_after_s;         /* 1970 seconds */
	unsigned char fingerprint[TLS_SHA256_LEN]; /* of the certificate */
	unsigned char spki[TLS_SHA256_LEN];        /* of its public key */
	/* in DER as it came, its own first; valid as long as the session */
	struct {
		const unsigned char *data;
		size_t len;
	} chain[TLS_CHAIN_MAX];
	size_t nchain;
};

/* clang-format off */
#define TLS_DEMAND_INIT { .proof = TLS_ANY }
#define TLS_PEER_INIT { .result = TLS_OK }
/* clang-format on */

/* ---- contexts ---- */

/* A server's key pair: PEM files, chain and key. -1 or NULL: ERR_CONFIG with
 * the file's name: unreadable, not PEM, key of another certificate, expired. */
struct tls *tls_server(const char *certificate, const char *key, struct err *e);

/* One more pair for the same server, ECDSA beside RSA, or of another name: the
 * client gets what it asks for (SNI) and can use, else the first. For a
 * client: the pair it shows when the server asks for one. -1 as above: the
 * pairs before stay. */
int tls_add_pair(struct tls *t, const char *certificate, const char *key,
    struct err *e);

/* Session tickets (RFC 5077, RFC 8446 4.6.1) under this key, so that processes
 * with the same key resume each other's sessions. Without it there are none.
 */
#define TLS_TICKET_KEY_LEN 64
int tls_set_ticket_key(struct tls *t,
    const unsigned char key[TLS_TICKET_KEY_LEN], struct err *e);

/* A server that asks its clients for a certificate of these roots (PEM); who
 * has none is served as well. -1: ERR_CONFIG. */
int tls_ask_client(struct tls *t, const char *ca_file, struct err *e);

struct tls *tls_client(struct err *e);

/* A client that takes no other kind of certificate: a server may have one of
 * each, and shows the one it likes better. -1: ERR_TEMP. */
enum tls_key { TLS_KEY_RSA, TLS_KEY_ECDSA };
int tls_want_key(struct tls *t, enum tls_key key, struct err *e);

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

/*
 * After the handshake: fill in *peer, judged by the demand; NULL demands
 * nothing. For a server the client's certificate, by the roots of
 * tls_ask_client(). -1 only for our own trouble (ERR_CONFIG: a file of roots,
 * a missing module); what is wrong with the peer is peer->result.
 */
int tls_judge(struct tls_session *s, const struct tls_demand *demand,
    struct tls_peer *peer, struct err *e);

/* "TLS1.3/AES-256-GCM" into out. */
void tls_describe(const struct tls_session *s, char *out, size_t size);

#endif
