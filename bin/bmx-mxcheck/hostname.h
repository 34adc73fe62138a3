#ifndef BMX_MXCHECK_HOSTNAME_H
#define BMX_MXCHECK_HOSTNAME_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is a name out of DNS (presentation form, escapes included, no final dot) a
 * name that a mail host can have? The resolver library's own test lets
 * underscores pass, so this is ours.
 */

/* NULL: letters, digits and hyphens, as RFC 1123 2.1 wants host names; else
 * what is wrong, in words. */
const char *hostname_fault(const char *name);

/* True for "192.0.2.1", "[192.0.2.1]", "2001:db8::1", and every name whose
 * last label is all digits: programs take those for addresses (RFC 1123 2.1). */
bool hostname_is_address(const char *name);

/*
 * True when the name looks as if its final dot had been forgotten in the zone
 * that holds domain, so that the zone's name was put behind it:
 * "mx.example.com.example.com", "192.0.2.1.example.com".
 */
bool hostname_lacks_dot(const char *name, const char *domain);

#endif
