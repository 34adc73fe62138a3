#ifndef BMX_PROBE_H
#define BMX_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/smtp.h"
#include "net/connect.h"
#include "net/dns.h"
#include "smtp/route.h"
#include "spool/config.h"
#include "spool/primary.h"

/*
 * Does a domain's primary answer, and would it take mail? One SMTP session,
 * up to the EHLO inside TLS and QUIT, with the addresses of the route in
 * order. Looks only: the state on disk is state.h's.
 */

/* How far a session came. DNS is timed for the domain, the others for each
 * address. */
enum probe_phase {
	PROBE_DNS,
	PROBE_CONNECT,
	PROBE_BANNER,
	PROBE_EHLO,
	PROBE_TLS, /* STARTTLS, handshake, EHLO again */
	PROBE_PHASES,
};

/*
 * Why, as one word that scripts can rely on. The words never change meaning;
 * bmx-probe(1) lists them.
 */
enum probe_code {
	PROBE_OK,
	PROBE_TLS_FAILED,  /* up all the same where TLS may be */
	PROBE_DEFERRED,    /* 4yz, 421 */
	PROBE_POLICY,      /* 5yz: it answers, and wants none of us */
	PROBE_NO_TLS,      /* not offered, and tls = encrypt */
	PROBE_LOOP,        /* it calls itself by our name */
	PROBE_REFUSED,     /* nobody listens */
	PROBE_UNREACHABLE, /* no way there */
	PROBE_TIMEOUT,
	PROBE_CLOSED,         /* it hung up */
	PROBE_PROTOCOL,       /* what came is no SMTP */
	PROBE_NO_ROUTE,       /* DNS or bmx.conf name no primary */
	PROBE_NOT_CONFIGURED, /* bmx.conf does not know the domain */
	PROBE_UNTRIED,        /* no time was left for this address */
	PROBE_TROUBLE,        /* our own: nothing is known about the primary */
	PROBE_CODES,
};

/* What one address did. Texts are printable. */
struct probe_address {
	char address[ENDPOINT_TEXT_MAX];
	char host[DNS_NAME_MAX]; /* its MX name, or the words of bmx.conf */
	unsigned preference;
	enum primary_verdict result;
	enum probe_code code;
	char reason[256];               /* "" with PROBE_OK */
	enum probe_phase phase;         /* the last one that was begun */
	int64_t ms[PROBE_PHASES];       /* -1: not begun */
	struct smtp_reply reply;        /* that decided; code 0: none */
	char name[ADDR_DOMAIN_MAX + 1]; /* after EHLO; "" */
	char tls[64];                   /* "TLS1.3/AES-256-GCM", or "" */
	struct smtp_offer plain, secured;
};

/* What the primary of a domain did: up when one address is good, else
 * deferring when one defers, else down. */
struct probe_result {
	enum primary_verdict result;
	enum probe_code code;
	char reason[256];
	int64_t dns_ms, total_ms;
	struct probe_address *addresses; /* those that were probed, in order */
	size_t n;
	const struct probe_address *decided; /* of them; NULL: none did */
};

/* clang-format off */
#define PROBE_RESULT_INIT { .addresses = NULL }
/* clang-format on */

/* A session is remembered for the rest of the run: domains that share a
 * primary cost it one connection. */
struct probe_memory {
	struct probe_seen {
		struct probe_address address;
		enum config_tls tls;
	} * seen;
	size_t n;
};

struct probe {
	const struct config_host *host;
	struct dns *dns;
	unsigned timeout_s; /* for a domain, all in all */
	bool all;           /* probe every address, not up to the first good */
	struct probe_memory memory;
};

/* Probe a domain. 0 and *r, to be given to probe_result_free(); also when our
 * own trouble kept us from it: then r->result is PRIMARY_UNKNOWN. -1: no
 * memory. */
int probe_domain(struct probe *p, const struct config_domain *domain,
    struct probe_result *r, struct err *e);
void probe_result_free(struct probe_result *r);

void probe_forget(struct probe *p);

/* "connection-refused", "banner". */
const char *probe_code_name(enum probe_code code);
const char *probe_phase_name(enum probe_phase phase);

#endif
