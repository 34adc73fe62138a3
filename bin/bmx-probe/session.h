#ifndef BMX_PROBE_SESSION_H
#define BMX_PROBE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/addr.h"
#include "mail/smtp.h"
#include "net/connect.h"
#include "net/dns.h"
#include "net/tls.h"
#include "smtp/policy.h"
#include "spool/primary.h"

/*
 * One SMTP session with one address of a primary, step by step, each timed:
 * what became of it. No message is ever sent: the last step that can be asked
 * for is RCPT, then follow RSET and QUIT.
 */

/*
 * Why, as one word that scripts can rely on. The words never change meaning;
 * bmx-probe(1) lists them.
 */
enum probe_code {
	PROBE_OK,
	PROBE_TLS_FAILED,  /* up all the same where TLS may be */
	PROBE_DEFERRED,    /* 4yz, 421 */
	PROBE_POLICY,      /* 5yz: it answers, and wants none of us */
	PROBE_NO_TLS,      /* not offered, and it has to be */
	PROBE_LOOP,        /* it calls itself by our name */
	PROBE_REFUSED,     /* nobody listens */
	PROBE_UNREACHABLE, /* no way there */
	PROBE_TIMEOUT,
	PROBE_CLOSED,         /* it hung up */
	PROBE_PROTOCOL,       /* what came is no SMTP */
	PROBE_NO_ROUTE,       /* DNS or bmx.conf name no primary */
	PROBE_NOT_CONFIGURED, /* bmx.conf does not know the domain */
	PROBE_UNTRIED,        /* no time for this address, or none wanted */
	PROBE_TROUBLE,        /* our own: nothing is known about the primary */
	PROBE_CODES,
};

/* What the certificate is like, whether it matters or not. */
struct probe_certificate {
	bool is_there;  /* else all below is empty */
	bool is_judged; /* is_trusted and is_name_matched were found out */
	bool is_trusted, is_name_matched;
	char subject[128], issuer[128], names[256];
	int64_t not_before_s, not_after_s;
	unsigned char spki[TLS_SHA256_LEN];
};

/* What one address did. Texts are printable. */
struct probe_address {
	char address[ENDPOINT_TEXT_MAX];
	char host[DNS_NAME_MAX]; /* its MX name, or the words of bmx.conf */
	int family;              /* AF_INET, AF_INET6; AF_UNIX */
	unsigned preference;
	unsigned tries;
	enum primary_verdict result;
	enum probe_code code;
	char reason[256];               /* "" with PROBE_OK */
	bool is_late;                   /* more time might have told more */
	enum primary_phase phase;       /* the last one that was begun */
	int64_t ms[PRIMARY_PHASES];     /* -1: not begun */
	struct smtp_reply reply;        /* that decided; code 0: none */
	char name[ADDR_DOMAIN_MAX + 1]; /* after EHLO; "" */
	enum config_tls level;          /* in force */
	enum policy_source source;      /* that put it into force */
	enum tls_result tls_result;
	char tls[64]; /* "TLS1.3/AES-256-GCM", or "" */
	struct probe_certificate certificate;
	struct smtp_offer plain, secured;
	bool is_authenticated; /* see client.h */
};

/* How to ask. */
struct probe_session {
	const char *helo;
	const struct endpoint *from4, *from6; /* bind to; NULL: any */
	enum primary_phase until;             /* the last step, but for QUIT */
	const char *sender, *rcpt; /* paths without brackets, for MAIL, RCPT */
	unsigned banner_timeout_s; /* 0: reply-timeout of bmx.conf */
	bool judges_certificates;  /* also where any would do */
	unsigned tries;            /* how often, while the outcome may pass */
	unsigned gap_ms;           /* between two of them */
};

/* Begin *a: an address that was not tried yet. */
void session_name(struct probe_address *a, const struct route_addr *to);

/* Do it. The result is in *a, also when it is our own trouble. */
void session_probe(const struct probe_session *s,
    const struct config_domain *domain, const struct policy_hop *hop,
    int64_t deadline_ms, struct probe_address *a);

__attribute__((format(printf, 4, 5))) void
session_decide(struct probe_address *a, enum primary_verdict result,
    enum probe_code code, const char *fmt, ...);

/* "connection-refused". */
const char *probe_code_name(enum probe_code code);

#endif
