#ifndef BMX_ADDR_H
#define BMX_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Mailboxes and domain names: RFC 5321 section 4.1.2, RFC 6531 section 3.3.
 *
 * One parsed form goes to policy, spool and wire, so that no two parts of bmx
 * can read one address two ways: the text between the angle brackets without
 * a source route, its local part kept byte for byte (case and quotes
 * included).
 */
/* octets; RFC 5321 4.5.3.1.1 wants 64 at the least, and the reverse-paths of
 * bulk senders and forwarders (VERP, SRS) are longer */
#define ADDR_LOCAL_MAX 255
#define ADDR_DOMAIN_MAX 255 /* octets, 4.5.3.1.2 */
#define ADDR_MAX (ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX)

struct addr {
	char text[ADDR_MAX + 1]; /* "local@domain", "postmaster", or "" */
	size_t len;
	size_t local_len; /* the domain begins after text[local_len], the '@' */
	bool is_utf8;     /* has non-ASCII characters: needs SMTPUTF8 */
};

/*
 * Parse the path at the start of s: "<user@example.com>", with a source route
 * ("<@a,@b:user@d>", reduced to user@d), "<>" where null_ok, a bare
 * "<postmaster>" in any case where postmaster_ok. The domain may be an
 * address literal. "u%x@d" and "u!x@d" are local parts like any other.
 * Returns 0 and *used, the length of the path with its brackets; or -1
 * (ERR_PERM): not a path; *a is untouched.
 */
int addr_parse_path(const char *s, size_t len, bool null_ok, bool postmaster_ok,
    struct addr *a, size_t *used, struct err *e);

/* Parse a whole text "user@example.com" (no brackets). 0 or -1. */
int addr_parse(const char *s, size_t len, struct addr *a, struct err *e);

/* The domain, "" for the null path and for a bare postmaster. Borrowed. */
const char *addr_domain(const struct addr *a);

/* True for local part "postmaster" in any case, with or without domain. */
bool addr_is_postmaster(const struct addr *a);

/*
 * The octets of the UTF-8 character at the start of s: 1 for any ASCII one, 2
 * to 4, or 0 when it is malformed (RFC 3629), cut, or a C1 control.
 */
size_t addr_utf8_char(const char *s, size_t len);

/*
 * Lower-case a domain name for comparison and for file names: letters,
 * digits, hyphens and dots, labels of 1 to 63 octets, one trailing dot
 * dropped; an internationalised name is turned into A-labels (RFC 5891). out
 * has ADDR_DOMAIN_MAX + 1 bytes. -1 (ERR_DATA): not a host name: nothing that
 * passes can hold a '/', begin with '.', or be empty.
 */
int addr_fold_domain(const char *s, size_t len, char *out, struct err *e);

#endif
