#ifndef BMX_RECEIVE_SANDBOX_H
#define BMX_RECEIVE_SANDBOX_H

#include <stdbool.h>

#include "spool/config.h"

/*
 * A process that talks to a stranger gives up what it does not need, for good:
 * new privileges, files beyond the spool, what it is configured to read and
 * what the C library and TLS read (Landlock, Linux 5.19), and the system calls
 * that serve breaking out and nothing else, execve(2) first (seccomp).
 *
 * What the kernel or the build does not have is left out: mail is served all
 * the same. What it has and refuses is an alarm.
 */
struct sandbox {
	bool no_new_privs;
	int landlock; /* the kernel's version of it, 0: not in force */
	bool seccomp;
};

void sandbox_enter(const struct config *config, struct sandbox *s);

/* For sandbox.c: true when the filter is in force. */
bool sandbox_filter_calls(void);

#endif
