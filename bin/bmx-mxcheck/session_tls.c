#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "certificate.h"
#include "session_parts.h"
#include "smtp/client_ask.h"

static size_t
note_chain(struct fact_certificate chain[FACT_CERTS_MAX],
    const struct tls_peer *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->nchain && n < FACT_CERTS_MAX; i++)
		n += certificate_digests(p->chain[i].data, p->chain[i].len,
		    &chain[n]);
	return n;
}

static void
note_certificate(struct fact_tls *t, const struct tls_peer *p)
{
	t->is_trusted = p->is_trusted;
	t->is_named = p->is_name_matched;
	session_say(t->why, p->why);
	session_say(t->subject, p->subject);
	session_say(t->issuer, p->issuer);
	text_safe(t->names, sizeof t->names, p->names);
	t->not_before_s = p->not_before_s;
	t->not_after_s = p->not_after_s;
	t->nchain = note_chain(t->chain, p);
}

bool
session_tls(struct session *s)
{
	struct fact_tls *t = &s->facts->tls;
	struct client_tls tls = {
		.level = CONFIG_TLS_MAY,
		.name = s->job->host,
		.demand = { .proof = TLS_PKIX,
		    .is_advice = true,
		    .names = { s->job->host },
		    .nnames = 1,
		    .ca_file = s->job->ca_file },
	};
	const struct tls_peer *peer;
	int rc;

	t->was_tried = true;
	rc = client_start_tls(&s->client, &tls, &s->err);
	peer = s->client.conn == NULL ? NULL : conn_tls_peer(s->client.conn);
	if (peer == NULL) { /* a refusal, or no handshake */
		session_note(&s->facts->starttls, &s->client.reply);
		if (rc == -1)
			session_say(t->why, s->err.text);
		else
			session_say(t->why, "STARTTLS is refused");
		if (rc == -1 && s->client.reply.code == 0)
			s->facts->starttls.code = 220; /* it went on */
		return rc == 0;
	}
	s->facts->starttls.code = 220;
	t->is_up = conn_tls_text(s->client.conn)[0] != '\0';
	snprintf(t->version, sizeof t->version, "%s",
	    conn_tls_text(s->client.conn));
	note_certificate(t, peer);
	s->key = peer->nchain == 0
		     ? CERTIFICATE_OTHER
		     : certificate_key(peer->chain[0].data, peer->chain[0].len);
	if (!t->is_up)
		session_say(t->why, s->err.text);
	return rc == 0 || s->client.reply.code == 250; /* our own name */
}

/* ---- the certificate of the other kind ---- */

/* The handshake fails where there is none; so it does for other reasons, but
 * with the first kind it went through a moment ago. */
static enum fact_second
second(struct session *s)
{
	enum tls_key other =
	    s->key == CERTIFICATE_RSA ? TLS_KEY_ECDSA : TLS_KEY_RSA;
	struct fact_tls *t = &s->facts->tls;
	const struct tls_peer *peer;
	int rc;

	s->client.tls = tls_client(&s->err);
	if (s->client.tls == NULL ||
	    tls_want_key(s->client.tls, other, &s->err) == -1 ||
	    client_ask(&s->client, "STARTTLS", &s->err) == -1 ||
	    s->client.reply.code != 220)
		return SECOND_UNKNOWN;
	rc = conn_start_tls(s->client.conn, s->client.tls, s->job->host, NULL,
	    s->params.deadline_ms, &s->err);
	peer = conn_tls_peer(s->client.conn);
	if (rc == -1 || peer == NULL || peer->nchain == 0)
		return SECOND_NONE;
	t->nsecond = note_chain(t->second_chain, peer);
	return SECOND_SEEN;
}

void
session_second(struct session *s)
{
	struct fact_tls *t = &s->facts->tls;

	t->second = SECOND_UNKNOWN;
	if (s->key == CERTIFICATE_OTHER)
		t->second = SECOND_NONE;
	else if (session_reopen(s) == 0)
		t->second = second(s);
	client_abort(&s->client);
}

/* ---- STARTTLS-INJECT ---- */

static int
read_reply(struct session *s, struct smtp_reply *r)
{
	char line[SMTP_REPLY_LINE_MAX];
	int last = 0;

	*r = (struct smtp_reply)SMTP_REPLY_INIT;
	while (last == 0) {
		ssize_t len = conn_read_line(s->client.conn, line, sizeof line,
		    s->params.deadline_ms, &s->err);

		if (len == -1)
			return -1;
		last = smtp_reply_line(r, line, (size_t)len, &s->err);
	}
	return last == 1 ? 0 : -1;
}

/*
 * NOOP comes in one packet with STARTTLS. Who answers it in TLS took what was
 * said in the clear for something said in TLS (CVE-2011-0411): then each
 * later answer is one too late, and QUIT gets that of EHLO.
 */
static enum fact_inject
inject(struct session *s)
{
	static const char both[] = "STARTTLS\r\nNOOP\r\n";
	struct smtp_reply reply;
	struct tls *tls;
	int rc;

	if (conn_write(s->client.conn, both, sizeof both - 1,
		s->params.deadline_ms, &s->err) == -1 ||
	    conn_flush(s->client.conn, s->params.deadline_ms, &s->err) == -1 ||
	    read_reply(s, &reply) == -1)
		return INJECT_UNKNOWN;
	if (reply.code != 220)
		return INJECT_DROPPED; /* it will have nothing of this */
	tls = tls_client(&s->err);
	if (tls == NULL)
		return INJECT_UNKNOWN;
	rc = conn_start_tls(s->client.conn, tls, s->job->host, NULL,
	    s->params.deadline_ms, &s->err);
	s->client.tls = tls; /* that closes it */
	if (rc == -1)
		return s->err.class == ERR_PERM ? INJECT_UNKNOWN
						: INJECT_DROPPED;
	if (session_hello(s) == -1 ||
	    client_ask(&s->client, "QUIT", &s->err) == -1)
		return INJECT_DROPPED; /* it hung up */
	return s->client.reply.code == 221 ? INJECT_DROPPED : INJECT_OBEYED;
}

void
session_inject(struct session *s)
{
	s->facts->tls.inject = INJECT_UNKNOWN;
	if (session_reopen(s) == 0)
		s->facts->tls.inject = inject(s);
	client_abort(&s->client);
}

/* ---- TLS 1.1 and older ---- */

/*
 * A ClientHello of TLS 1.1 (RFC 4346 section 7.4.1.2) by hand, since our TLS
 * library does not speak it any more: suites that every old server has, the
 * groups and signatures that some want to see, no name. Nothing follows: what
 * the server answers is all we want.
 */
/* clang-format off */
static const unsigned char old_hello[] = {
	22, 3, 1, 0, 102,  /* a record of the handshake */
	1, 0, 0, 98, 3, 2, /* ClientHello, TLS 1.1 */
	/* 32 bytes that should be random */
	'b', 'm', 'x', '-', 'm', 'x', 'c', 'h', 'e', 'c', 'k', ' ', 'a', 's', 'k', 's',
	' ', 'f', 'o', 'r', ' ', 'T', 'L', 'S', ' ', '1', '.', '1', ' ', 'o', 'r', ' ',
	0,                 /* no session */
	0, 16,             /* suites: ECDHE, DHE and RSA with AES, RFC 4492, RFC 5246 */
	0xc0, 0x14, 0xc0, 0x13, 0xc0, 0x0a, 0xc0, 0x09, 0, 0x39, 0, 0x33, 0, 0x35, 0, 0x2f,
	1, 0,              /* no compression */
	0, 41,             /* extensions */
	0, 10, 0, 8, 0, 6, 0, 29, 0, 23, 0, 24,     /* groups */
	0, 11, 0, 2, 1, 0,                          /* points as they are */
	0, 13, 0, 10, 0, 8, 4, 1, 4, 3, 2, 1, 2, 3, /* signatures */
	0xff, 1, 0, 1, 0,                           /* renegotiation, RFC 5746 */
	0, 23, 0, 0,                                /* extended master secret */
};
/* clang-format on */
_Static_assert(sizeof old_hello == 5 + 102, "the record is as long as it says");

/* The first record: a handshake with ServerHello, and its version. */
static enum fact_old_tls
read_hello(struct session *s)
{
	static const char *const names[] = { "SSL 3.0", "TLS 1.0", "TLS 1.1" };
	const unsigned char *p;
	size_t len = 0;

	do {
		ssize_t n =
		    conn_fill(s->client.conn, s->params.deadline_ms, &s->err);

		if (n <= 0)
			return n == 0 ? OLD_TLS_REFUSED : OLD_TLS_UNKNOWN;
		p = (const unsigned char *)conn_buffered(s->client.conn, &len);
	} while (len < 11 && !(len >= 7 && p[0] == 21));
	if (p[0] == 21)
		return OLD_TLS_REFUSED; /* an alert */
	if (p[0] != 22 || p[5] != 2 || p[9] != 3 || p[10] > 2)
		return OLD_TLS_UNKNOWN;
	snprintf(s->facts->tls.old_version, sizeof s->facts->tls.old_version,
	    "%s", names[p[10]]);
	return OLD_TLS_TAKEN;
}

void
session_old_tls(struct session *s)
{
	int64_t until;

	s->facts->tls.old = OLD_TLS_UNKNOWN;
	if (session_reopen(s) == 0 &&
	    client_ask(&s->client, "STARTTLS", &s->err) == 0 &&
	    s->client.reply.code == 220) {
		until = s->params.deadline_ms;
		if (conn_write(s->client.conn, (const char *)old_hello,
			sizeof old_hello, until, &s->err) == 0 &&
		    conn_flush(s->client.conn, until, &s->err) == 0)
			s->facts->tls.old = read_hello(s);
	}
	client_abort(&s->client);
}
