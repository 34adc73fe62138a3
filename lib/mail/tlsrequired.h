#ifndef BMX_TLSREQUIRED_H
#define BMX_TLSREQUIRED_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Does a message say "TLS-Required: No" (RFC 8689 section 3)? Reads the header
 * section as it streams by, in any slices. Pure.
 *
 * "No" in any case, blanks and folds around it; a comment or any other word is
 * no such value, and a second field of the name makes both void. The header
 * section ends at the first empty line, or the first one that is no field: what
 * may be the body does not count.
 */
enum tlsrequired_state {
	TLSREQUIRED_LINE_START,
	TLSREQUIRED_NAME,
	TLSREQUIRED_NAME_END, /* blanks after the name: now comes the colon */
	TLSREQUIRED_VALUE,
	TLSREQUIRED_BODY,
};

enum tlsrequired_value {
	TLSREQUIRED_NOTHING, /* or blanks, so far */
	TLSREQUIRED_N,
	TLSREQUIRED_NO, /* and blanks */
	TLSREQUIRED_ELSE,
};

struct tlsrequired {
	enum tlsrequired_state state;
	size_t name_len; /* bytes of our field's name seen; more than all of
			    them: it is another name */
	bool in_field;   /* the value is our field's, and so is the next line
			    when it is folded */
	unsigned fields; /* of ours, up to two */
	enum tlsrequired_value value;
};

/* clang-format off */
#define TLSREQUIRED_INIT { .state = TLSREQUIRED_LINE_START }
/* clang-format on */

/* The next bytes. True: the header section is over, more changes nothing. */
bool tlsrequired_read(struct tlsrequired *t, const char *data, size_t len);

/* Of the header section, when all of it was read. */
bool tlsrequired_is_no(const struct tlsrequired *t);

#endif
