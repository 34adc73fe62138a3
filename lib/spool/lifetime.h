#ifndef BMX_LIFETIME_H
#define BMX_LIFETIME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/envelope.h"
#include "spool/config.h"
#include "spool/primary.h"
#include "spool/spool.h"

/*
 * How old a message is, for the end of its life. What counts is the time that
 * the primary was up, since a long outage is to lose nothing; and not the time
 * that the message was held.
 *
 * It is measured by the clocks of primary.h: the envelope has what they stood
 * at when the message came (Bmx-Clock), so no jump of the system's clock makes
 * a message older. Where the envelope has none, the history says for how long
 * the primary was up since then.
 */
struct lifetime {
	int64_t up_s;  /* while the primary was up */
	int64_t all_s; /* in all, as far as anybody looked; where there is no
			  Bmx-Clock: by the wall */
};

/* Pure. p: the state as it is now. */
struct lifetime lifetime_by_clock(const struct envelope *env,
    const struct primary *p, int64_t held_s);

/* Put what the clocks of a domain stand at into the envelope of a message that
 * comes now. Where the state cannot be read it gets none. */
void lifetime_stamp(struct envelope *env, int domain_fd);

/* The same for any message, reading what it takes from the domain's
 * directory. -1: it cannot be read, so that nothing is known. */
int lifetime_of(struct lifetime *l, int domain_fd, const struct envelope *env,
    const struct spool_entry *entry, int64_t now_s, struct err *e);

/* Whether it ends by lifetime or lifetime-max, and how many seconds are left
 * of what ends first; -1: for ever. */
bool lifetime_is_over(const struct lifetime *l,
    const struct config_domain *domain);
int64_t lifetime_left_s(const struct lifetime *l,
    const struct config_domain *domain);

/* Before anything is read: can it be? False for most of the mail. */
bool lifetime_may_be_over(const struct spool_entry *entry,
    const struct config_domain *domain, int64_t now_s);

/* Of what is held apart: does unverified-lifetime end it, and how many seconds
 * are left of that; -1: for ever. */
bool lifetime_unwanted_is_over(const struct lifetime *l,
    const struct config_domain *domain);
int64_t lifetime_unwanted_left_s(const struct lifetime *l,
    const struct config_domain *domain);

#endif
