#ifndef BMX_CLIENT_H
#define BMX_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/dot.h"
#include "mail/envelope.h"
#include "mail/smtp.h"
#include "net/conn.h"
#include "net/connect.h"
#include "net/tls.h"
#include "spool/config.h"

/*
 * SMTP as a sender (RFC 5321), for flush, probe and live relay: one session
 * that carries many transactions. Each step waits as long as RFC 5321 4.5.3.2
 * says for that step (or params.reply_timeout_s for each).
 *
 * Every function returns -1 with *e when the session is of no more use
 * (closed, timeout, protocol error, 421): everything unsent is then deferred.
 * e->sys tells ETIMEDOUT, ECONNREFUSED, EPROTO (what came is no SMTP) and the
 * like apart; it is 0 when the server closed, or said so.
 * What the server said last is in client.reply; its text is printable.
 */
struct client_params {
	const char *helo; /* our name, RFC 5321 4.1.1.1 */
	unsigned connect_timeout_s;
	unsigned reply_timeout_s;    /* 0: RFC 5321's for each step */
	int64_t deadline_ms;         /* monotonic: no step waits beyond it; 0:
					none */
	const struct endpoint *from; /* bind to; NULL: any */
	bool xclient; /* it may be told by XCLIENT who the client is */
};

/* The TLS that a session with one address owes us; policy.h finds it. */
struct client_tls {
	enum config_tls level; /* NONE: no STARTTLS; MAY: in the clear where it
				  fails; all others: TLS or no session */
	const char *name;      /* for SNI; borrowed */
	struct tls_demand demand;
	/* it is certain that this is a next hop of the domain: with a demand
	 * that is met the session is fit for REQUIRETLS (RFC 8689 4.2.1) */
	bool is_vouched_for;
	/* what we show when asked for a certificate: files, or NULL; borrowed
	 */
	const char *certificate, *key;
};

#define CLIENT_IDENTITY_MAX 512 /* bytes of XCLIENT or XFORWARD, and a NUL */

struct client {
	const struct client_params *params; /* borrowed */
	struct conn *conn;
	struct tls *tls;
	/* what became of TLS in client_open() and client_start_tls(), also
	 * when the session goes on in the clear */
	enum tls_result tls_result;
	char tls_why[TLS_TEXT_MAX];     /* printable */
	bool is_authenticated;          /* it may carry REQUIRETLS messages */
	char peer[ENDPOINT_TEXT_MAX];   /* "192.0.2.1:25" */
	char host[ADDR_DOMAIN_MAX + 1]; /* its name, where policy.h opened it */
	char name[ADDR_DOMAIN_MAX + 1]; /* what it calls itself in EHLO */
	struct smtp_offer plain;        /* EHLO before TLS */
	struct smtp_offer offer;        /* EHLO in force */
	struct smtp_reply reply;        /* the last one */
	bool is_lmtp;                   /* RFC 2033 is spoken there, not SMTP */
	struct dot_encoder dot;
	bool is_chunk; /* the content goes as one BDAT chunk (RFC 3030), */
	uint64_t chunk_left; /* of which so much is still to come */
	bool is_finished; /* client_finish(): the end of the content is out */
	bool has_spoken_early; /* and the server had said something before */
	/* client_begin()'s, until client_end() has their final replies */
	const bool *send;
	struct client_outcome *outcomes;
	size_t noutcomes;
	bool needs_reset;      /* a chunk was refused, RFC 3030 section 2 */
	unsigned transactions; /* begun in this session */
	bool is_xforward_due;  /* its reply is still to come, of no interest */
	bool is_mail_due;      /* client_mail(): its reply is still to come */
	bool is_mail_taken;    /* and was 2yz */
	/* client_identity(): the last XCLIENT that was taken, or "" */
	char identity[CLIENT_IDENTITY_MAX];
	unsigned identity_attrs; /* of enum smtp_xattr: what it could name */
	bool is_xclient_refused;
};

/* clang-format off */
#define CLIENT_TLS_INIT { .level = CONFIG_TLS_MAY }
#define CLIENT_INIT { .params = NULL }
/* clang-format on */

/* ---- a session ---- */

/*
 * The steps, for callers that time or judge each (bmx-probe): connect; read
 * the greeting; EHLO (HELO only after a 5yz); STARTTLS with its handshake and
 * the EHLO after it.
 * client_hello_as: by a name that is not ours.
 * client_greet and client_hello return 0 also when the server refuses: see
 * c->reply. client_hello: -1 ERR_PERM when the server calls itself by our own
 * name (a loop, 4.4.6).
 * client_start_tls: -1 when the handshake fails, or the certificate is not
 * what tls demands; then only a new connection helps, and conn_tls_peer() has
 * what the server showed. 0 with a reply that is not 2yz: TLS not now, the
 * session goes on.
 */
int client_connect(struct client *c, const struct client_params *params,
    const struct endpoint *ep, struct err *e);
int client_greet(struct client *c, struct err *e);
int client_hello(struct client *c, struct err *e);
int client_hello_as(struct client *c, const char *name, struct err *e);
int client_start_tls(struct client *c, const struct client_tls *tls,
    struct err *e);

/* What that does before its EHLO, in two steps: STARTTLS and its reply; when
 * that was 2yz, the handshake. */
int client_ask_tls(struct client *c, const struct client_tls *tls,
    struct err *e);
int client_shake_hands(struct client *c, const struct client_tls *tls,
    struct err *e);

/*
 * All of them: after 0 the session can send mail, at the TLS level asked for.
 * With CONFIG_TLS_MAY a failed handshake is followed by one more connection
 * without TLS; no other level is ever lowered. -1: e says at which step; ERR_PERM if the server
 * refused with 5yz (D9: next MX), ERR_CONFIG if TLS is wanted and our TLS
 * module is missing, else ERR_TEMP. c->reply.code then is the refusal's, or 0.
 */
int client_open(struct client *c, const struct client_params *params,
    const struct endpoint *ep, const struct client_tls *tls, struct err *e);

/* QUIT, a short wait for its reply, close; harmless when not open. */
void client_quit(struct client *c);

/* Close at once. */
void client_abort(struct client *c);

/*
 * Before a transaction: tell the server who the client is that brought the
 * message, so that it judges that one and not us. By XCLIENT (ADDR, NAME,
 * PORT, PROTO, HELO, as far as it names them) when it offers that and
 * params.xclient says so; EHLO by the client's name follows, since the
 * session starts anew. Else by XFORWARD, which servers only log, when it is
 * offered; else not at all. What is not known is "[UNAVAILABLE]". An XCLIENT
 * like the last one is not said again. XFORWARD goes out with MAIL where
 * PIPELINING is offered, and its reply is read before that one's.
 * 0: the session goes on, also when the server did not want to hear it. -1:
 * it broke, or the server refuses EHLO from such a client: then c->reply says
 * so (ERR_PERM when it is 5yz); or it heard of another client before, and of
 * this one it will not.
 */
int client_identity(struct client *c, const struct envelope_client *who,
    struct err *e);

/*
 * A transaction of this client's needs another session: the server wants no
 * more in this one (LIMITS MAILMAX, RFC 9422), or takes us for another client,
 * since it offers XCLIENT only to us and not to whom we speak for.
 */
bool client_is_spent(const struct client *c, const struct envelope_client *who);

/* ---- a transaction ---- */

/* What became of one recipient; reply is the server's, for this recipient or
 * for MAIL, DATA or the content when that decided it. */
struct client_outcome {
	bool accepted; /* at RCPT */
	bool is_final; /* the reply is the one to the content */
	struct smtp_reply reply;
	bool is_of_rcpt; /* and it is the one to this recipient's RCPT */
};

/*
 * MAIL, one RCPT for each recipient i with send[i], and DATA, as one group
 * where PIPELINING is offered. outcomes[i] is set for each of them; a refused
 * MAIL refuses all. Returns how many were accepted: 0 ends the transaction
 * here (nothing is open at the server any more); else content follows, and
 * client_end() sets the outcomes of the accepted ones: send and outcomes are
 * borrowed until then.
 * Where CHUNKING is offered there is no DATA: the content goes as one chunk,
 * "BDAT size LAST", as it is, so size has to be exact.
 * When LIMITS names an RCPTMAX (RFC 9422), only so many are attempted, in
 * order; the others' outcomes keep reply.code 0 and are for a transaction of
 * their own. After -1 an outcome with a code was answered before the session
 * broke: a refusal stands, an acceptance means nothing.
 * A parameter is sent only when its extension is offered; what the message
 * needs and the server lacks (8BITMIME, SMTPUTF8, REQUIRETLS: RFC 6152, RFC
 * 6531 3.2, RFC 8689 4.2) refuses it here with our own reply 554 5.6.3, 5.6.7
 * or 5.7.30, nothing is sent; 5.7.10 when a message with REQUIRETLS meets a
 * session that is not authenticated.
 * 552 to RCPT counts as 452 (RFC 5321 4.5.3.1.10). size: octets of content.
 *
 * With an LMTP server (RFC 2033; an address of a route says so) nothing is
 * different but the final replies: one for each recipient.
 */
long client_begin(struct client *c, const struct envelope *env,
    const bool *send, uint64_t size, struct client_outcome *outcomes,
    struct err *e);

/*
 * The same step by step, for live relay: what the server says to each is in
 * c->reply (2yz, 4yz, 5yz; 354 to DATA).
 * client_mail: size 0 is not known. What the message needs and the server
 * lacks is refused here, by our own reply, as above. Where PIPELINING is
 * offered, MAIL waits for the first RCPT: reply.code is 0, and client_rcpt()
 * gives MAIL's reply when that was a refusal, also where nothing came behind
 * it and the session is over. c->is_mail_taken is false then, and there is no
 * transaction.
 * client_data: after the 354 content follows.
 *
 * client_rcpt() is client_say_rcpt(), which queues the command, and
 * client_hear_rcpt(), which sends what is queued and hears one reply;
 * client_data() likewise. Where PIPELINING is offered many may be said before
 * the first is heard, in the same order, and DATA last (RFC 2920 3.1).
 */
int client_mail(struct client *c, const struct smtp_mail *m, uint64_t size,
    struct err *e);
int client_rcpt(struct client *c, const struct smtp_rcpt *r, struct err *e);
int client_data(struct client *c, struct err *e);
int client_say_rcpt(struct client *c, const struct smtp_rcpt *r, struct err *e);
int client_hear_rcpt(struct client *c, struct err *e);
int client_say_data(struct client *c, struct err *e);
int client_hear_data(struct client *c, struct err *e);

/* Between two transactions: did the server close, or say something unasked (a
 * 421) meanwhile? Then the session is of no more use. */
bool client_is_stale(struct client *c);

/* The same in words: 0, or -1 with what it said. What was said unasked is not
 * to be taken for the reply to the next command: with CHUNKING nothing would
 * show that all replies after it are those to the command before. */
int client_expect_silence(struct client *c, struct err *e);

/* Content, in pieces as they come. -1 also when it has a bare CR or LF
 * (ERR_DATA): the session was cut off, so that the server has nothing. */
int client_send(struct client *c, const char *data, size_t len, struct err *e);

/* The end of the content, a final dot or the rest of the chunk, without
 * waiting for what the server says to it. */
int client_finish(struct client *c, struct err *e);

/*
 * client_finish(), unless that was done, and the reply, in c->reply and in the
 * outcomes of those that were accepted: 2yz, the server has the message; else
 * refused. A 2yz that came before the final dot, or the last piece of a chunk,
 * was sent is not that reply: -1 and *lost. *lost: all was sent and the reply
 * never came, so the server may have the message (with -1); of several replies
 * (LMTP) those that came stand, see is_final.
 */
int client_end(struct client *c, bool *lost, struct err *e);

/* RSET, when a transaction is to be given up before client_begin() returned
 * more than 0, or to see whether the session lives. 0 when the server agrees;
 * -1 also when it does not. */
int client_reset(struct client *c, struct err *e);

#endif
