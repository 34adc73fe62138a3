#ifndef BMX_QUEUE_ADDRESSES_H
#define BMX_QUEUE_ADDRESSES_H

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
void addresses_free(struct addresses *a);

#endif
