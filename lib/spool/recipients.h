#ifndef BMX_RECIPIENTS_H
#define BMX_RECIPIENTS_H

#include <stdbool.h>

#include "base/err.h"
#include "mail/addr.h"

/*
 * The list of a domain's recipients: a plain file, one a line, looked up in
 * place. Nothing is loaded, built or kept open, so a list costs nothing until
 * it is asked, and may be replaced by rename(2) at any time.
 *
 *	bob                local part
 *	bob@example.com    address; those of other domains are passed over
 *	sales-*            every local part that begins so
 *	*                  everybody (a catch-all); "@example.com" says the same
 *	# comment          empty lines are fine too
 *	#sorted            what follows is lower case, domains in A-labels,
 *	                   without patterns, and in the order of LC_ALL=C sort
 *
 * Letters match in either case. Without "#sorted" all lines are read; behind
 * it an address is found in some twenty short reads, were there a million.
 */

#define RECIPIENTS_LINE_MAX 512 /* bytes; a longer line is an error */

/*
 * Is the address one of them? delimiter, unless it is NUL, begins a tag that
 * does not count: with '+', bob+lists is bob, when the list has no
 * bob+lists. Returns 1 or 0; -1 when the list cannot be read (ERR_TEMP, also
 * when there is none, or when it has no byte: so looks one whose writer
 * failed; a list of nobody has a comment).
 */
int recipients_find(const char *path, const struct addr *rcpt,
    const char *domain, char delimiter, struct err *e);

#endif
