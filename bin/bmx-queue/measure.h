#ifndef BMX_QUEUE_MEASURE_H
#define BMX_QUEUE_MEASURE_H

#include <stdint.h>

#include "base/err.h"

/*
 * Amounts as operators write them. -1: ERR_USAGE, with option in the text.
 */

/* "90", "15m", "12h", "3d", "2w" in seconds. */
int measure_span(const char *option, const char *text, int64_t *seconds,
    struct err *e);

/* "4096", "64K", "10M", "2G" in bytes. */
int measure_size(const char *option, const char *text, int64_t *bytes,
    struct err *e);

/* A time to come, in seconds since 1970: RFC 3339, or a span from now on. */
int measure_until(const char *option, const char *text, int64_t now_us,
    int64_t *when_s, struct err *e);

#endif
