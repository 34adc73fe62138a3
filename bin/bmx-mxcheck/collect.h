#ifndef BMX_MXCHECK_COLLECT_H
#define BMX_MXCHECK_COLLECT_H

#include <stdbool.h>
#include <stddef.h>

#include "assume.h"
#include "base/err.h"
#include "checks.h"
#include "facts.h"
#include "net/dns.h"

/*
 * The questions about one domain: its MX records, then A and AAAA of every
 * target; without an MX record those of the domain itself (the implicit MX of
 * RFC 5321 5.1); then what the checks want beyond these. Any number of domains
 * may be under way; what they have in common the engine asks once.
 */

/*
 * Called from within dns_run() when the last answer of a domain is there; the
 * facts become the callee's, to be released with facts_free(). NULL: our own
 * trouble (memory) ended it, and the collector's err says why.
 */
typedef void collect_done(void *arg, struct facts *f);

struct collector {
	struct dns *dns;      /* opened with the deadline that is below */
	unsigned question_ms; /* deadline of one question: a domain takes at
				 most twice as long */
	const bool *ignored;  /* by check_id: nothing is asked for these */
	const struct assume *assume; /* of the MX records; NULL: nothing */
	char (*dnsbl)[ADDR_DOMAIN_MAX + 1]; /* zones */
	size_t ndnsbl;                      /* at most FACTS_LISTS_MAX */
	unsigned ns_port;                   /* of authoritative servers */
	collect_done *done;
	struct err err;
};

/* Begin; domain is folded. -1 (c->err is set): done will not be called. */
int collect_start(struct collector *c, const char *domain, void *arg);

#endif
