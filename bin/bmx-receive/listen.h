#ifndef BMX_RECEIVE_LISTEN_H
#define BMX_RECEIVE_LISTEN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "bmx-receive/crew.h"

/*
 * Listening mode: a super-server gave us the listening socket itself (inetd
 * and xinetd "wait", systemd Accept=no). One process accepts; what all
 * sessions need (configuration, certificates) it has loaded before. Sessions
 * run in children, one client of each child after another (crew.h).
 *
 * SIGTERM: accept no more, and end when the last session has; a second one
 * ends the sessions too. SIGHUP: reload. After idle_s without a session the
 * process ends, and the super-server starts it again for the next client.
 */
struct listen_limits {
	unsigned sessions;    /* at once */
	unsigned per_network; /* at once, of one /24 (IPv4) or /64 (IPv6) */
	unsigned per_process; /* one after another in one child; 1: each has a
				 child of its own */
	unsigned idle_s;      /* 0: never end for want of work */
	unsigned busy;        /* sessions from which on new ones are told that
				 the host is busy (stress mode) */
};

struct listen_ops {
	/* In the parent, before each fork. */
	void (*prepare)(void *arg);
	/* In the child, with the client's socket, which is taken. The return
	 * value is the exit status. *is_clean: nothing unusual happened, and
	 * the child may serve another client. */
	int (*session)(void *arg, int fd, bool is_busy, bool *is_clean);
	/* In the parent, on SIGHUP: new limits into *limits. -1 and *e: go on
	 * with the old. */
	int (*reload)(void *arg, struct listen_limits *limits, struct err *e);
	/* Does this address speak for others? Then it is no client, and
	 * per_network does not hold for it. */
	bool (*is_front)(void *arg, const char *address);
	/* Does this client need a child that has given nothing up yet? It gets
	 * a new one, which serves nobody else. */
	bool (*is_alone)(void *arg, const char *address);
	const volatile sig_atomic_t *told_to_end; /* see serve.h */
	void *arg;
};

#define LISTEN_FDS_MAX CREW_SOCKETS_MAX

/*
 * The listening sockets that this process was given: fd 0 when it is one
 * (inetd), or those of LISTEN_FDS (systemd, sd_listen_fds(3)). Returns their
 * number, 0 when there are none: then fd 0 is a client. They are non-blocking,
 * and not on 0, 1 or 2, which become /dev/null.
 */
size_t listen_inherited(int fds[LISTEN_FDS_MAX]);

/* Serve until SIGTERM or idle: 0; -1 when the sockets are of no use. */
int listen_serve(const int *fds, size_t nfds, struct listen_limits limits,
    const struct listen_ops *ops, struct err *e);

/*
 * Nobody can be served: tell so whoever comes within for_s seconds (a whole
 * line, "421 ..."). To end at once instead would make a super-server start us
 * again and again for the client that is still waiting, and then give up.
 */
void listen_refuse(const int *fds, size_t nfds, const char *reply,
    unsigned for_s);

#endif
