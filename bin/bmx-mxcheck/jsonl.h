#ifndef BMX_MXCHECK_JSONL_H
#define BMX_MXCHECK_JSONL_H

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

/* The lines of a file that holds a JSON object on each: --replay, --baseline. */
struct jsonl {
	const char *path; /* borrowed; "-" is stdin */
	FILE *stream;
	unsigned long line; /* number of the last that was read */
	struct buf text;    /* it, without its LF */
};

/* clang-format off */
#define JSONL_INIT(max) { NULL, NULL, 0, BUF_INIT(max) }
/* clang-format on */

/* -1: ERR_USAGE, it cannot be opened. */
int jsonl_open(struct jsonl *j, const char *path, struct err *e);
void jsonl_close(struct jsonl *j);

/* The next line that is not empty: 1; 0 at the end; -1: a read error, or
 * ERR_DATA: longer than max, with the number of the line. */
int jsonl_next(struct jsonl *j, struct err *e);

/* Put "PATH line N: " before the reason. Returns -1. */
int jsonl_blame(const struct jsonl *j, struct err *e);

#endif
