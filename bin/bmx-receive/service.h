#ifndef BMX_RECEIVE_SERVICE_H
#define BMX_RECEIVE_SERVICE_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/sandbox.h"
#include "net/tls.h"
#include "spool/config.h"
#include "spool/memory.h"

/*
 * What the sessions of one process share: the configuration, and in listening
 * mode the key pair, loaded before the first fork.
 */
struct service {
	const char *config_path; /* borrowed; NULL: the default */
	bool stderr_is_client;
	const volatile sig_atomic_t *told_to_end; /* see serve.h */
	struct config config;
	struct tls *tls;
	struct sandbox_plan sandbox;
	int64_t sandbox_ms;   /* when it was prepared */
	struct memory memory; /* the listener never opens it; in a child it
				 stays open from session to session */
	/* in a child: */
	bool is_confined; /* rights were given up, for the session before */
	long first_kib;   /* memory after the first session; 0: none was yet */
};

/* clang-format off */
#define SERVICE_INIT \
	{ .config = CONFIG_INIT, .sandbox = SANDBOX_PLAN_INIT, .memory = MEMORY_INIT }
/* clang-format on */

/* Read the configuration, send the log where it says. */
int service_load(struct service *s, struct err *e);
void service_free(struct service *s);

/* One session on fd 0 and 1. */
int service_one(struct service *s, struct err *e);

/* Sessions from listening sockets, until SIGTERM or idle. */
int service_many(struct service *s, const int *fds, size_t nfds, struct err *e);

#endif
