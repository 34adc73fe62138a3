#ifndef BMX_RECEIVE_ETRN_H
#define BMX_RECEIVE_ETRN_H

#include <stdbool.h>

#include "base/err.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * ETRN (RFC 1985): a client that is in a domain's list may ask for its mail.
 * It gets none on its own connection: bmx-flush is started and finds the
 * primary by itself, so that whoever asks can have nothing but what is sent
 * to the primary anyway.
 *
 * A session gives up the right to start programs. So a starter is forked
 * before, where the client may need one; it knows the names of the domains
 * and takes nothing else. It ends with the session, bmx-flush does not.
 */

#define ETRN_INTERVAL_S 60  /* between two runs for a domain */
#define ETRN_DOMAINS_MAX 64 /* started at once; others when asked again */

struct etrn {
	const struct config *config; /* borrowed */
	const struct spool *spool;   /* borrowed */
	int starter_fd;              /* -1: there is none */
	char reply[80];
};

/* May the client ask for the mail of some domain? */
bool etrn_is_allowed(const struct config *config, const char *client);

/* Fork the starter, which must not hold the client's connection. -1: ERR_TEMP,
 * ETRN is not to be offered. */
int etrn_init(struct etrn *t, const struct config *config,
    const struct spool *spool, int client_fd, struct err *e);
void etrn_free(struct etrn *t);

/*
 * The reply to ETRN node, "example.com" or "@example.com" ("#queue" is never
 * allowed): 251 nothing waits, 252 a run is on, 253 started with so many
 * messages, 458 not now (also while an operator has paused it), 459 not
 * allowed.
 */
const char *etrn_answer(struct etrn *t, const char *client, const char *node);

/*
 * A client that is in a domain's list has sent us mail: so it is up, which is
 * a hint to try what waits for it (RFC 5321 4.5.4.2). The same is started for
 * each of these domains as if it had asked.
 */
void etrn_hint(struct etrn *t, const char *client);

#endif
