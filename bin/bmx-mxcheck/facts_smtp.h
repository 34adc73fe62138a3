#ifndef BMX_MXCHECK_FACTS_SMTP_H
#define BMX_MXCHECK_FACTS_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What mail servers said: one struct for each address, without pointers, so
 * that a worker process can hand it over as it is. All text is printable.
 */

#define FACT_SAID_MAX 160
#define FACT_NAME_MAX 256
#define FACT_CERTS_MAX 8 /* of a chain; more are not looked at */

/* A reply; code 0: none came, or nothing was asked. */
struct fact_reply {
	int code;
	char text[FACT_SAID_MAX];
};

/* What EHLO offered; size_max 0: no limit named. */
struct fact_offer {
	unsigned exts; /* of enum smtp_ext */
	uint64_t size_max;
};

/* What a TLSA record can be compared with: digests of a certificate and of its
 * public key. */
struct fact_digests {
	unsigned char sha256[32], sha512[64];
};

struct fact_certificate {
	struct fact_digests whole, key;
};

/* An older TLS, asked for in a connection of its own. */
enum fact_old_tls {
	OLD_TLS_UNASKED,
	OLD_TLS_UNKNOWN,
	OLD_TLS_REFUSED,
	OLD_TLS_TAKEN
};

/* A command sent together with STARTTLS, in a connection of its own. */
enum fact_inject {
	INJECT_UNASKED,
	INJECT_UNKNOWN,
	INJECT_DROPPED,
	INJECT_OBEYED
};

/* The certificate with a key of another kind (ECDSA beside RSA), asked for in a
 * connection of its own. */
enum fact_second {
	SECOND_UNASKED,
	SECOND_UNKNOWN,
	SECOND_NONE, /* it has no other */
	SECOND_SEEN,
};

struct fact_tls {
	bool was_tried;
	bool is_up;              /* the handshake went through */
	char version[40];        /* "TLS1.3/AES-256-GCM" */
	char why[FACT_SAID_MAX]; /* it did not; or what is wrong with the
				      certificate */
	bool is_trusted;         /* the chain leads to a root, dates aside */
	bool is_named;           /* the certificate has the host's name */
	char subject[FACT_SAID_MAX], issuer[FACT_SAID_MAX];
	char names[FACT_NAME_MAX]; /* its dNSNames, a blank between them */
	int64_t not_before_s, not_after_s;             /* 1970 seconds */
	struct fact_certificate chain[FACT_CERTS_MAX]; /* its own first */
	size_t nchain;
	enum fact_second second;
	struct fact_certificate second_chain[FACT_CERTS_MAX];
	size_t nsecond;
	enum fact_old_tls old;
	char old_version[16]; /* "TLS 1.1", where it was taken */
	enum fact_inject inject;
};

/* How far a session came: the last step that was begun. */
enum session_step {
	STEP_NONE, /* there was none: why says why */
	STEP_CONNECT,
	STEP_BANNER,
	STEP_EHLO,
	STEP_TLS,
	STEP_MAIL,
	STEP_END, /* up to QUIT */
};

/* The answers about one domain's recipients. */
struct fact_rcpts {
	struct fact_reply postmaster, abuse;
	struct fact_reply unknown; /* a local part at random */
};

struct fact_session {
	enum session_step step;
	char why[FACT_SAID_MAX]; /* it went no further; "" at the end */
	bool has_no_route;       /* from here to this address */
	bool is_refused;         /* at once: nobody listens */
	unsigned connections;    /* that were made, one after the other */
	unsigned connect_ms, banner_ms;
	struct fact_reply banner, ehlo;
	char name[FACT_NAME_MAX]; /* what it calls itself in EHLO */
	struct fact_offer plain, secured;
	struct fact_reply starttls;
	struct fact_tls tls;
	struct fact_reply null_sender; /* MAIL FROM:<> */
	struct fact_reply sender;      /* MAIL for the RCPTs below */
	struct fact_reply bare_postmaster, relay;
	struct fact_reply vrfy, expn;
	struct fact_rcpts rcpts; /* of the domain these facts are about */
};

/* The session came so far that this step is over. */
static inline bool
session_passed(const struct fact_session *s, enum session_step step)
{
	return s != NULL && s->step > step;
}

/* What counts: the offer in TLS where there is TLS. */
static inline const struct fact_offer *
session_offer(const struct fact_session *s)
{
	return s->tls.is_up && s->secured.exts != 0 ? &s->secured : &s->plain;
}

/* ---- MTA-STS ---- */

#define FACT_PATTERNS_MAX 64 /* STS_MX_MAX */

enum fact_sts_mode { STS_MODE_NONE, STS_MODE_TESTING, STS_MODE_ENFORCE };

/* The policy of a domain, RFC 8461 section 3.2. */
struct fact_policy {
	bool is_valid;       /* else why says what failed */
	bool is_unreachable; /* it is not there to be judged */
	char why[FACT_SAID_MAX];
	enum fact_sts_mode mode;
	uint64_t max_age_s;
	char patterns[FACT_PATTERNS_MAX][FACT_NAME_MAX];
	size_t npatterns;
};

#endif
