#ifndef BMX_MXCHECK_SESSIONS_H
#define BMX_MXCHECK_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <sys/queue.h>

#include "base/err.h"
#include "checks.h"
#include "facts.h"
#include "net/dns.h"
#include "workers.h"

/*
 * Which sessions a domain needs, and when: one for each address of its MX
 * hosts, never two with an address at once, shared by all domains that wait
 * for that address. Where nothing is asked about a domain's own recipients,
 * what an earlier session found is used again.
 */

#define SESSIONS_OF_HOST_MAX 4    /* addresses of a host and family */
#define SESSIONS_OF_DOMAIN_MAX 32 /* all in all; more are not looked at */

/* The facts with their sessions; they become the callee's. */
typedef void sessions_done(void *arg, struct facts *f);

struct target;
struct work;

struct sessions {
	/* given */
	const bool *ignored;    /* by check_id */
	const char *helo;       /* our name */
	const char *ca_file;    /* roots; NULL: the system's */
	const char *sts_file;   /* the policy of every domain; NULL: fetched, */
	struct dns_options dns; /* with addresses from there */
	unsigned timeout_s;     /* for one connection */
	unsigned port;
	sessions_done *done;
	struct workers workers;
	/* its own; begin with sessions_open() */
	TAILQ_HEAD(, target) targets; /* the one used last at the end */
	size_t ntargets;
	TAILQ_HEAD(, work) policies; /* that wait for their policy */
	size_t under_way;            /* domains */
};

void sessions_open(struct sessions *s);
void sessions_close(struct sessions *s);

/* Is a check made that needs a session, or a policy? */
bool sessions_are_wanted(const struct sessions *s);
/* Is one made that says EHLO? */
bool sessions_meet_hosts(const struct sessions *s);

/* Begin; the facts become ours, done may be called before this returns. -1
 * (ERR_TEMP): they are released. */
int sessions_start(struct sessions *s, struct facts *f, void *arg,
    struct err *e);

/* Wait up to so long for something to happen. -1: ERR_TEMP. */
int sessions_poll(struct sessions *s, int timeout_ms, struct err *e);

#endif
