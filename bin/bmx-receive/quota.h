#ifndef BMX_RECEIVE_QUOTA_H
#define BMX_RECEIVE_QUOTA_H

#include <stdint.h>

#include "base/err.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * May a message of so many bytes (0: not known) be added to what waits for
 * the domain (max-messages, max-bytes)? Counted by the names in the spool
 * alone, and only where there is a quota. Returns 1 or 0, -1: ERR_TEMP.
 */
int quota_allows(const struct config_domain *domain, const struct spool *spool,
    uint64_t size, struct err *e);

#endif
