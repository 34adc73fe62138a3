#ifndef BMX_RECEIVE_SERVE_H
#define BMX_RECEIVE_SERVE_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"
#include "net/sandbox.h"
#include "bmx-receive/session.h"
#include "net/tls.h"
#include "spool/config.h"
#include "spool/memory.h"

/*
 * One SMTP session over two descriptors, which may be one: the engine of
 * session.h driven by what comes over a connection, with deadlines, TLS, and
 * the answers of intake.h.
 */
struct serve_params {
	const struct config *config; /* borrowed */
	int in_fd, out_fd;           /* taken: closed at the end */
	/* not 0: say 421 4.3.2 and end. Set by a signal handler that keeps
	 * waking us (EINTR) until we saw it. */
	const volatile sig_atomic_t *told_to_end;
	/* The key pair, where it was loaded before (borrowed; NULL: it is no
	 * good). Else it is loaded at the first STARTTLS. */
	struct tls *tls;
	bool is_preloaded;
	struct memory *memory; /* borrowed; may be open, and is left open */
	const struct sandbox_plan *sandbox; /* borrowed; NULL: prepare one */
	bool is_confined; /* rights are given up already, for another session:
			     this one cannot have ETRN */
	bool is_busy;     /* many are connected: be short with the idle */
};

/*
 * Serve until the client or we close. 1: a session without anything unusual: it
 * was greeted, nothing was refused, and it said QUIT. 0: any other, also when
 * the client only vanished; what happened is in the log. -1: there was no
 * session, the client was told 421 where that was possible.
 */
int serve(const struct serve_params *params, struct err *e);

/* The rules of a session with anybody, in the clear. */
struct session_params serve_rules(const struct config *config);

/*
 * The key pairs of the configuration, which has one at least. One that is no
 * good is an alarm; NULL: none is good. has_sessions: many sessions are going
 * to share it, so that tickets are of use without a key file too.
 */
struct tls *serve_tls(const struct config *config, bool has_sessions,
    struct err *e);

/* Open what a session needs (spool, key pair) and close it again: for
 * --check-config. -1: the first thing that is wrong. */
int serve_check(const struct config *config, struct err *e);

#endif
