#include "net/nowait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* True when a read or write would not wait (or would fail). False: EAGAIN. */
static bool
is_ready(int fd, short events)
{
	struct pollfd p = { fd, events, 0 };
	int n = poll(&p, 1, 0);

	if (n == 0)
		errno = EAGAIN;
	return n > 0;
}

ssize_t
nowait_read(int fd, void *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	if (n != -1 || errno != ENOTSOCK)
		return n;
	return is_ready(fd, POLLIN) ? read(fd, data, len) : -1;
}

ssize_t
nowait_writev(int fd, const struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = n };
	ssize_t done = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done != -1 || errno != ENOTSOCK)
		return done;
	if (!is_ready(fd, POLLOUT))
		return -1;
	return write(fd, iov->iov_base,
	    iov->iov_len < PIPE_BUF ? iov->iov_len : PIPE_BUF);
}
