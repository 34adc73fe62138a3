#ifndef BMX_QUEUE_TARGET_H
#define BMX_QUEUE_TARGET_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

/*
 * A file or a directory of files that appears under its name as a whole, or
 * not at all. It is made beside it as ".NAME.PID.part".
 */
struct target {
	const char *path; /* borrowed; NULL: standard output */
	char part[4096];
	bool is_dir;
	int dir_fd;     /* of the directory that is made, -1 */
	FILE *out;      /* the file, or the one in the directory that is open */
	char name[256]; /* of that one */
};

/* clang-format off */
#define TARGET_INIT { .path = NULL, .dir_fd = -1 }
/* clang-format on */

/* -1: the name is taken, or it cannot be made. */
int target_begin(struct target *t, const char *path, bool is_dir,
    struct err *e);

/* A subdirectory; a file "NAME" or "SUB/NAME" to write t->out to, and its
 * end. */
int target_subdir(struct target *t, const char *name, struct err *e);
int target_open(struct target *t, const char *name, struct err *e);
int target_close(struct target *t, struct err *e);

/* Sync all and give it its name. */
int target_commit(struct target *t, struct err *e);

/* Remove what was not committed. */
void target_abort(struct target *t);

#endif
