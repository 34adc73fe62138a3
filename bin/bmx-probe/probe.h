#ifndef BMX_PROBE_H
#define BMX_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "bmx-probe/seen.h"
#include "bmx-probe/session.h"
#include "net/dns.h"
#include "spool/config.h"
#include "spool/primary.h"

/*
 * Does a domain's primary answer, and would it take mail? A session with the
 * addresses of its route in order. Looks only: the state on disk is state.h's.
 */

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
	bool is_usual; /* EHLO in TLS at the level of bmx.conf was asked for:
			  what was offered there is what mail will meet */
};

/* clang-format off */
#define PROBE_RESULT_INIT { .addresses = NULL }
/* clang-format on */

struct probe_how {
	const struct config_host *host;
	struct probe_session session; /* rcpt NULL: postmaster of the domain */
	const enum config_tls *level; /* instead of bmx.conf's; NULL: none */
	unsigned timeout_s;           /* for a domain, all in all */
	int64_t deadline_ms;          /* for the run; 0: none */
	bool all;   /* every address, not up to the first good one of each
			 family */
	int family; /* look at none but these addresses; 0: at all */
};

/* Probe a domain, with a DNS engine of this thread's. *r is to be given to
 * probe_result_free(); when our own trouble kept us from it, or how leaves no
 * address to look at, r->result is PRIMARY_UNKNOWN. */
void probe_domain(const struct probe_how *how, struct dns *dns,
    struct seen *seen, const struct config_domain *domain,
    struct probe_result *r);
void probe_result_free(struct probe_result *r);

/* "ipv4", "ipv6", "local". */
const char *probe_family_name(int family);

/* What the addresses of a family came to, PRIMARY_UNKNOWN: none was probed. */
enum primary_verdict probe_family(const struct probe_result *r, int family);

#endif
