#ifndef BMX_FLUSH_AGEING_H
#define BMX_FLUSH_AGEING_H

#include <stdbool.h>

#include "bmx-flush/giveup.h"
#include "smtp/route.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * What time does to the messages of a domain, whether its primary was reached
 * in this run or not; under the domain's lock.
 */
struct ageing {
	struct giveup *giveup; /* spool, configuration, domain, Maildir */
	/* somebody took a session in this run, or there was no time to ask */
	bool was_reached;
	/* what it has done so far, in messages: that failed and were held, and
	 * of them those that are gone already */
	unsigned long failed, gone;
};

/*
 * One look at all of them:
 * - held apart and older than unverified-lifetime: removed;
 * - older than lifetime-max: expired, for giveup.h;
 * - waiting for longer than delay-notice: the sender is told, once.
 * In a domain that is not in bmx.conf: notices older than notice-lifetime are
 * dropped; and where nobody was reached the others wait longer each time (RFC
 * 5321 4.5.4.1: a dead host costs one attempt for all of its mail).
 */
void ageing_pass(struct ageing *a);

/* Is there anything for it to do in such a domain? unwanted: messages that
 * are held apart. */
bool ageing_is_due(const struct config_domain *domain, unsigned long unwanted);

/* strict-routing: by this route the mail is undeliverable, as RFC 5321 5.1 and
 * RFC 7505 say. */
bool ageing_is_undeliverable(const struct config_domain *domain,
    enum route_status status);

/* Then this message is refused as if the primary had said so. False: it waits
 * as before, which is in the log. */
bool ageing_refuse(struct ageing *a, struct spool_entry *entry,
    const struct route *route);

/* Notices that a crash left half made (bounce.h). */
void ageing_recover(const struct ageing *a);

#endif
