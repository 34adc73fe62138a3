#ifndef BMX_SANDBOX_H
#define BMX_SANDBOX_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

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

/*
 * What is to be given up, as the kernel takes it. To find that out costs more
 * than a short session does, so a listener prepares it once for many of its
 * children. It names the files that are there at that time: what is replaced
 * later (resolv.conf) cannot be read, so it must not be old.
 */
#define SANDBOX_FILTER_MAX 384 /* instructions */
struct sandbox_plan {
	int ruleset_fd; /* -1: no Landlock */
	int landlock;   /* its version */
	struct sock_filter filter[SANDBOX_FILTER_MAX];
	size_t nfilter; /* 0: no seccomp */
};

/* clang-format off */
#define SANDBOX_PLAN_INIT { .ruleset_fd = -1 }
/* clang-format on */

/* Into a plan that is empty, or old: then its filter, which names no files, is
 * kept. */
void sandbox_prepare(struct sandbox_plan *plan, const struct config *config);
void sandbox_forget(struct sandbox_plan *plan);

/* Give it up. */
void sandbox_enter(const struct sandbox_plan *plan, struct sandbox *s);

/*
 * The same at once, for a program that does not live long enough to see its
 * files replaced. written: a file that is going to be, or NULL. Before any
 * thread is made: only those made afterwards are in it.
 */
void sandbox_confine(const struct config *config, const char *written,
    struct sandbox *s);
/* For who reads and writes what its user names: all but the files. */
void sandbox_confine_calls(struct sandbox *s);

/* For sandbox.c: the filter. */
void sandbox_prepare_filter(struct sandbox_plan *plan);

#endif
