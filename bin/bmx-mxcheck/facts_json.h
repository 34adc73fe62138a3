#ifndef BMX_MXCHECK_FACTS_JSON_H
#define BMX_MXCHECK_FACTS_JSON_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "facts.h"

/*
 * Facts as one line of JSON, and back: --record and --replay. Version changes
 * with the meaning of a key. Whether an address is this host's is not written
 * down: who judges the facts finds that out anew.
 */
#define FACTS_JSON_VERSION 2
#define FACTS_JSON_MAX (16 * 1024 * 1024) /* bytes of a line */

/* Append the line with its LF; trouble shows in buf_check(). */
void facts_to_json(const struct facts *f, struct buf *out);

/*
 * Strict, since the file may come from anybody: unknown, missing and repeated
 * keys, values of another type or beyond our bounds, and facts that contradict
 * each other are refused. -1 (ERR_DATA, ERR_TEMP): f is empty.
 */
int facts_from_json(struct facts *f, const char *line, size_t len,
    struct err *e);

#endif
