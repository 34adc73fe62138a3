#ifndef BMX_RECEIVE_STANDING_H
#define BMX_RECEIVE_STANDING_H

#include <stdbool.h>

#include "base/err.h"
#include "smtp/client.h"
#include "spool/config.h"
#include "spool/primary.h"
#include "spool/spool.h"

/*
 * What is known of a domain's primary before it is asked, and what a live
 * session leaves for the next one. Trouble with the files is in the log: it is
 * no reason to stop.
 */

/* *state is PRIMARY_INIT where nothing is known. */
void standing_read(const struct spool *spool,
    const struct config_domain *domain, struct primary *state);

/* See paused.h. */
bool standing_is_paused(const struct spool *spool,
    const struct config_domain *domain);

/* There is a session with it. Most find what is known already, and write
 * nothing. */
void standing_learn_up(const struct spool *spool,
    const struct config_domain *domain, const struct client *client);

/* It is away, or sends us away for now; e says why. A signal that tells us to
 * end says nothing about the primary. */
void standing_learn_away(const struct spool *spool,
    const struct config_domain *domain, const struct client *client,
    bool is_deferring, const struct err *e);

#endif
