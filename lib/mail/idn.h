#ifndef BMX_IDN_H
#define BMX_IDN_H

#include <stddef.h>

#include "base/err.h"

/*
 * A domain name with characters beyond ASCII as A-labels (RFC 5890, IDNA2008
 * non-transitional), into out of size bytes. What the library maps may hold
 * any ASCII character: the caller checks it as any other name.
 *
 * Most names are ASCII, and libidn2 with its tables is half of what it costs
 * to start a program, so it is loaded at the first name that needs it, and
 * stays. -1: ERR_DATA: no name, ERR_TEMP: no memory, or no libidn2.
 */
int idn_to_ascii(const char *name, char *out, size_t size, struct err *e);

#endif
