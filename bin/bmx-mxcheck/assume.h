#ifndef BMX_MXCHECK_ASSUME_H
#define BMX_MXCHECK_ASSUME_H

#include <stddef.h>

#include "base/err.h"
#include "facts.h"
#include "mail/addr.h"

/*
 * A change of the MX records that is not published yet: --assume. In order:
 *
 *	MX PREFERENCE HOST	add a record; one of that host gets the preference
 *	no MX HOST		take the host's records away
 *	no MX			take all away
 */
#define ASSUME_MAX 32

struct assume_step {
	bool is_removal;
	unsigned preference;
	char host[ADDR_DOMAIN_MAX + 1]; /* folded; "": all */
};

struct assume {
	struct assume_step step[ASSUME_MAX];
	size_t n;
};

/* -1 (ERR_USAGE): not one of the above, or too many. */
int assume_add(struct assume *a, const char *text, struct err *e);

/*
 * Change the hosts of the facts. What is known about a host stays; a new one
 * has its name alone, and nothing was asked about it. The MX look-up says
 * "found" when there are records. -1: no memory.
 */
int assume_apply(const struct assume *a, struct facts *f, struct err *e);

#endif
