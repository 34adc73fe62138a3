#ifndef BMX_RECEIVE_OFFERS_H
#define BMX_RECEIVE_OFFERS_H

#include <stdint.h>

#include "bmx-receive/session.h"
#include "spool/config.h"
#include "spool/primary.h"
#include "spool/spool.h"

/*
 * What EHLO offers, as far as it depends on the primaries: what they could not
 * take later is better not taken now, while the sender still has the message
 * and can bounce it, or send it otherwise (RFC 6152, RFC 6531 3.2, RFC 8689).
 *
 * 8BITMIME, SMTPUTF8, DSN and REQUIRETLS are offered as the primary last
 * offered them, inside TLS where its last session was, and SIZE says no more
 * than it takes. Which domain a message is for is known only at RCPT, so with
 * several domains the least of all holds. Of a primary that was not seen for
 * OFFERS_AGE_S nothing is known, and nothing is held against it; but
 * REQUIRETLS is a promise, and needs knowledge: that the last session proved
 * who it was with, as the next one will have to (RFC 8689 4.2.1).
 */

#define OFFERS_AGE_S (30 * 86400)

/* Our Received field makes a message longer; the longest is below this. */
#define OFFERS_FIELD_MAX 2048

/* Narrow exts and max_size of *p to what this primary takes. Pure. */
void offers_narrow(struct session_params *p, const struct primary *seen,
    int64_t now_s);

/* To what all domains' primaries take, by their state files. */
void offers_mirror(struct session_params *p, const struct config *config,
    const struct spool *spool);

#endif
