#ifndef BMX_TLS_JUDGE_H
#define BMX_TLS_JUDGE_H

#include <stdbool.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/err.h"
#include "net/tls.h"

/*
 * A peer's certificate against a demand: the part of bmx-tls.so that judges
 * (tls.h has the terms). Nobody outside the module includes this.
 */

/* The roots that were read last. */
struct roots {
	gnutls_x509_trust_list_t list; /* NULL: none yet */
	char *file;                    /* they are of; NULL: the system's */
};

/* Have the roots of this file (NULL: the system's) in r. -1: ERR_CONFIG. */
int roots_load(struct roots *r, const char *file, struct err *e);
void roots_free(struct roots *r);

/* After the handshake. r: a place for roots that more than one session may
 * use. -1: our own trouble. */
int judge_peer(gnutls_session_t session, struct roots *r, bool is_server,
    const struct tls_demand *demand, struct tls_peer *peer, struct err *e);

#endif
