#ifndef BMX_LEARN_H
#define BMX_LEARN_H

#include <stdint.h>

#include "base/err.h"
#include "smtp/client.h"
#include "spool/config.h"
#include "spool/memory.h"
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

/*
 * The TLS of a session with state->address that can send mail, into *state.
 * An address that had TLS and now has none is an alarm (logged): somebody may
 * stand between, or TLS broke there; whether mail goes in the clear is the
 * policy's to say.
 */
void learn_tls(struct primary *state, const struct config_domain *domain,
    bool in_tls, bool is_authenticated, int64_t now_s);

/*
 * At the end of a session: what it taught about recipients, into the recipient
 * memory of the directory state; a host without that directory has none.
 * *notes is emptied. c is the session, when it is still open and outside of a
 * transaction, else NULL: once a day it asks for a recipient whose name is
 * random, and so finds out whether the primary accepts everybody (then nothing
 * is learned, see memory.h). What goes wrong is logged.
 */
void learn_recipients(const char *state, const struct config_domain *domain,
    struct client *c, struct memory_notes *notes, enum memory_source source);

/* Whether the state file says "up" already, with the same offers, and so
 * lately that a session that went well need not be written down. */
bool learn_is_known_up(const struct primary *p,
    const struct config_domain *domain, const struct client *c, int64_t now_s);

#endif
