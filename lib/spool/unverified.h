#ifndef BMX_UNVERIFIED_H
#define BMX_UNVERIFIED_H

#include <stdint.h>

#include "base/err.h"
#include "mail/addr.h"

/*
 * SPOOL/DOMAIN/unverified: mail that was taken while the primary was away, for
 * recipients of whom nobody knew whether they exist. A line for each recipient
 * of each message, "ID BYTES ADDRESS", the address in xtext (RFC 3461 section
 * 4); the lines of one message stand together.
 *
 * It is for counting: so much of it is taken between two times that the
 * primary was up, so lines from before the last such time count no more, and
 * a file that has only such lines is begun anew. Its size is thus bounded by
 * the limits, not by the spool. Lines are appended, each message's with one
 * write(2), and not synced: what a crash loses makes the limits a little
 * wider. Several receivers at once may go beyond a limit by one message each.
 */
struct unverified_count {
	uint64_t messages, bytes;
};

#define UNVERIFIED_FILE_MAX (32 * 1024 * 1024) /* bytes */

/*
 * What was taken after since_us, for this recipient and in all. domain_fd is
 * struct spool_domain's fd. -1: the file cannot be read (ERR_TEMP), or is
 * larger than we would have made it.
 */
int unverified_count(int domain_fd, int64_t since_us, const struct addr *rcpt,
    struct unverified_count *each, struct unverified_count *all, struct err *e);

/* Add a message that is in the spool now. */
int unverified_add(int domain_fd, int64_t since_us, const char *id,
    uint64_t bytes, const struct addr *const *rcpts, size_t nrcpts,
    struct err *e);

#endif
