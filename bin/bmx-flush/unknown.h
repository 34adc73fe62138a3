#ifndef BMX_FLUSH_UNKNOWN_H
#define BMX_FLUSH_UNKNOWN_H

#include <stdbool.h>
#include <stddef.h>

#include "spool/spool.h"

/*
 * How often the reply to a message's final dot was lost. Each time the primary
 * may have taken it, so each try may be one more copy there: at UNKNOWN_MAX the
 * message is an operator's, and when he releases it there are as many tries
 * again.
 *
 * The count is a line "unknown=N" in log/ID. Where that is lost it begins anew:
 * that is some more copies, and never a message less.
 */
#define UNKNOWN_MAX 5

/* The count that the last such line of a log tells; 0: there is none. Pure. */
unsigned unknown_times(const char *log, size_t len);

/* The same for a message; 0 also where its log cannot be read. */
unsigned unknown_before(const struct spool_domain *d, const char *id);

/* That was the time for the operator. Pure. */
bool unknown_is_enough(unsigned times);

#endif
