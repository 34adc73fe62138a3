#ifndef BMX_MXCHECK_SESSION_H
#define BMX_MXCHECK_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "bmx-mxcheck/facts_smtp.h"
#include "mail/addr.h"
#include "net/connect.h"

/*
 * One address of one mail host, all that the checks want to know of it, in one
 * session: greeting, EHLO, TLS, senders and recipients up to RCPT, QUIT. Never
 * DATA. It waits, so it runs in a process of its own (workers.h).
 *
 * A broken handshake costs one more connection, in the clear; an older TLS,
 * STARTTLS-INJECT and a certificate of another kind one each. They are made one after the other.
 */

#define SESSION_DOMAINS_MAX 16 /* whose recipients one session asks for */

struct session_job {
	struct endpoint ep;
	char host[ADDR_DOMAIN_MAX + 1]; /* its MX name: SNI, and wanted in the
					   certificate */
	const char *helo;
	const char *ca_file; /* roots; NULL: the system's */
	unsigned timeout_s;  /* for one connection, all in all */
	bool wants_rcpts, wants_old_tls, wants_inject, wants_second;
	char domains[SESSION_DOMAINS_MAX][ADDR_DOMAIN_MAX + 1];
	size_t ndomains;
};

/* session.rcpts is empty: rcpts has each domain's. */
struct session_result {
	struct fact_session session;
	struct fact_rcpts rcpts[SESSION_DOMAINS_MAX];
};

/* Trouble of our own is a reason like any other. */
void session_run(const struct session_job *job, struct session_result *r);

#endif
