#ifndef BMX_FILE_H
#define BMX_FILE_H

#include <limits.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Whole small files: state that is read at once and replaced at once. Names
 * are relative to a directory descriptor (or AT_FDCWD).
 */

/*
 * Append the contents of a regular file to b. Symbolic links, FIFOs and
 * devices are refused, not followed. Returns 1, or 0 when there is no such
 * file, or -1.
 */
int file_read(int dirfd, const char *name, struct buf *b, struct err *e);

/*
 * Replace name atomically: a reader sees the old contents or the new, also
 * after a power cut. Written beside it as ".name.PID.CHANCE", synced, renamed, and
 * the directory synced. -1: the old file is untouched.
 */
int file_replace(int dirfd, const char *name, const char *data, size_t len,
    mode_t mode, struct err *e);

/*
 * Remove from a directory what a kill left of file_replace(): files with names
 * of that form that nobody has written to for an hour. It looks at no more than
 * FILE_SWEEP_MAX names, and trouble is left to the next time.
 */
#define FILE_SWEEP_MAX 10000

void file_sweep(int dirfd);

/*
 * file_replace() in steps, for what is too large to be held: begin, write to
 * fd, then commit or abort. After -1 of either there is nothing to be aborted.
 */
#define FILE_NAME_BYTES PATH_MAX

struct file_new {
	int dirfd, fd;
	const char *name; /* borrowed */
	char temporary[FILE_NAME_BYTES];
};

int file_begin(struct file_new *f, int dirfd, const char *name, mode_t mode,
    struct err *e);
int file_commit(struct file_new *f, struct err *e);
void file_abort(struct file_new *f);

/* Before it is written to where it is: a regular file of the effective user
 * under one name, so that nothing is changed elsewhere. 0 and *st, or -1. */
int file_is_ours(int fd, const char *name, struct stat *st, struct err *e);

/* Append one line (a '\n' is added) with a single write(2); created with
 * mode 0600 when missing. Not synced. A last line that was cut gets its end
 * first, so that it spoils no other. What file_is_ours() does not take is
 * refused. */
int file_append_line(int dirfd, const char *name, const char *line,
    struct err *e);

/* The same in two steps, for who has many lines: the descriptor, and each
 * line. -1. */
int file_open_lines(int dirfd, const char *name, struct err *e);
int file_add_line(int fd, const char *name, const char *line, struct err *e);

/* write(2) until all of data is out. -1 and errno. */
int file_write_all(int fd, const char *data, size_t len);

#endif
