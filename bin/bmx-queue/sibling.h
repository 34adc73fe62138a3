#ifndef BMX_QUEUE_SIBLING_H
#define BMX_QUEUE_SIBLING_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Run another program of bmx, by its installed path and without a shell, and
 * read what it says: on both streams, or (talk_only) on standard error. $BMX_PROGRAMS is a directory to take it
 * from instead, for an installation that is tried out.
 */
#define SIBLING_TEXT_MAX 65536 /* bytes of output; more is dropped */

/* The exit status, or -1: it cannot be run, was killed, or took longer than
 * timeout_s and was killed by us. dir: where it is installed; argv[0]: its
 * name. */
int sibling_run(const char *dir, const char *const argv[], bool talk_only,
    int timeout_s, struct buf *said, struct err *e);

#endif
