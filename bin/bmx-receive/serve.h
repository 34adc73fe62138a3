#ifndef BMX_RECEIVE_SERVE_H
#define BMX_RECEIVE_SERVE_H

#include <signal.h>

#include "base/err.h"
#include "spool/config.h"

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
};

/*
 * Serve until the client or we close. 0: also when the client only vanished;
 * what happened is in the log. -1: there was no session, the client was told
 * 421 where that was possible.
 */
int serve(const struct serve_params *params, struct err *e);

/* Open what a session needs (spool, key pair) and close it again: for
 * --check-config. -1: the first thing that is wrong. */
int serve_check(const struct config *config, struct err *e);

#endif
