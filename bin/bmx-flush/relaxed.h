#ifndef BMX_FLUSH_RELAXED_H
#define BMX_FLUSH_RELAXED_H

#include <stdbool.h>

#include "spool/spool.h"

/*
 * Mail that had rather be read on its way than come late: it says
 * "TLS-Required: No", and came without REQUIRETLS (RFC 8689 section 4.1). It
 * is looked for only where no address comes up to what its domain's DNS asks
 * for, since each message has to be opened for it.
 */
#define RELAXED_HEADER_MAX (256 * 1024) /* a longer one says nothing */

/* Is this message such? Not, where it cannot be read: its delivery tells. */
bool relaxed_is_wanted(const struct spool_domain *d,
    const struct spool_entry *entry);

#endif
