#ifndef BMX_LEARN_H
#define BMX_LEARN_H

#include <stdint.h>

#include "base/err.h"
#include "smtp/client.h"
#include "spool/config.h"
#include "spool/primary.h"

/*
 * What a session, or the lack of one, taught about the primary, into the
 * state file of primary.h.
 *
 * c: the session, for address and offers when the result is PRIMARY_UP; else
 * it is not looked at. reason: why it is not up, printable. A change of the
 * verdict is logged. -1: it could not be written, which is no reason to stop.
 */
int learn_primary(int domain_fd, const struct config_domain *domain,
    enum primary_verdict result, const char *reason, const struct client *c,
    struct err *e);

/* Whether the state file says "up" already, and so lately that a session that
 * went well need not be written down. */
bool learn_is_known_up(const struct primary *p,
    const struct config_domain *domain, int64_t now_s);

#endif
