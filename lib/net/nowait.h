#ifndef BMX_NOWAIT_H
#define BMX_NOWAIT_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/*
 * Reading and writing that never waits, on any descriptor, and leaves its
 * O_NONBLOCK flag alone: under inetd or in a pipe the open file behind fd 0
 * and fd 1 is shared with other processes, and the flag with it.
 *
 * Both are read(2) and writev(2) otherwise: -1 with EAGAIN instead of a wait.
 * A socket whose peer is gone gives EPIPE without SIGPIPE; for a pipe the
 * program has to ignore that signal. Writing to a pipe takes at most PIPE_BUF
 * bytes at a time: a pipe promises no more room than that. The first of the n
 * slices is not empty.
 */
ssize_t nowait_read(int fd, void *data, size_t len);
ssize_t nowait_writev(int fd, const struct iovec *iov, size_t n);

#endif
