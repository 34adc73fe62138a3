#ifndef BMX_QUEUE_TAR_H
#define BMX_QUEUE_TAR_H

#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

/* An archive in POSIX format (ustar, with pax records for long names), written
 * to a stream. Failure to write shows in ferror(). */

/* The header of a file of size bytes, which follow. -1: path or size are
 * beyond what the format can say. */
int tar_file(FILE *out, const char *path, uint64_t size, int64_t mtime_s,
    struct err *e);

/* Fill the last block of a file of size bytes. */
void tar_pad(FILE *out, uint64_t size);

/* The end of the archive. */
void tar_end(FILE *out);

#endif
