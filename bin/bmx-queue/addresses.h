#ifndef BMX_QUEUE_ADDRESSES_H
#define BMX_QUEUE_ADDRESSES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * A plain list of a domain's recipients, one a line: an address, or its local
 * part alone. Blanks around it, empty lines and lines that start with '#' are
 * dropped, addresses of other domains are counted and passed over. Patterns
 * (bmx.conf(5) has them) are refused: this is about who exists.
 */
struct addresses {
	char **locals; /* as memory_fold() has them, sorted, none twice */
	size_t n, room;
	size_t foreign; /* of other domains */
};

/* clang-format off */
#define ADDRESSES_INIT { NULL, 0, 0, 0 }
/* clang-format on */

/*
 * Read all of the file ("-": standard input) for the folded domain. -1: it
 * cannot be read, or (ERR_DATA, with its line) something in it is no address.
 */
int addresses_read(struct addresses *a, const char *path, const char *domain,
    struct err *e);

/* Would a line that begins with this local part be read as something else: a
 * comment, a pattern, or a mark of UTF-8? Then it is written as a quoted
 * string, which is the same mailbox (RFC 5321 4.1.2), and read without the
 * quotes. */
bool addresses_wants_quotes(const char *local);
void addresses_free(struct addresses *a);

#endif
