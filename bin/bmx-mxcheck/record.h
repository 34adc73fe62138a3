#ifndef BMX_MXCHECK_RECORD_H
#define BMX_MXCHECK_RECORD_H

#include <stdbool.h>

#include "base/err.h"
#include "base/file.h"

/*
 * The file of --record. What was there stays until the run is over, and if it
 * fails or is killed: it may be the very file that is replayed. A device or a
 * FIFO is written as it is.
 */
struct record {
	const char *path; /* borrowed */
	int fd;           /* to write to */
	/* private */
	bool is_new; /* a regular file, which file replaces */
	char *target;
	struct file_new file;
};

/* -1: ERR_USAGE, and nothing is to be ended. */
int record_open(struct record *r, const char *path, struct err *e);

/* End it: 0 of the run keeps it. Returns rc, or -1: it could not be kept. */
int record_end(struct record *r, int rc, struct err *e);

#endif
