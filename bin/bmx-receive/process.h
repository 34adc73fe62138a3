#ifndef BMX_RECEIVE_PROCESS_H
#define BMX_RECEIVE_PROCESS_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

/* What a super-server started us with, made safe: descriptors, the log,
 * signals. */

/*
 * Under inetd the client is on 0, 1 and 2. None of them may be free for a
 * spool file to get, and nothing may be written to the client by way of fd 2:
 * where it is the same file as 0 or 1 it becomes /dev/null. True: it was.
 */
bool process_settle_descriptors(void);

/* Where the log goes, as in log_open(); "stderr" only if it is ours. */
int process_settle_log(const char *destination, bool stderr_is_client,
    struct err *e);

/* SIGPIPE and SIGXFSZ are ignored; SIGTERM, which is repeated each second (the
 * first may come between a look at it and a wait), sets what is returned. */
const volatile sig_atomic_t *process_settle_signals(void);

#endif
