#include "bmx-receive/hand.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A listener that is silent for so long is no more. With a limit, recvmsg(2)
 * is not begun again after a signal (signal(7)). */
#define SILENCE_S 60

union control {
	struct cmsghdr header; /* alignment */
	char space[CMSG_SPACE(sizeof(int))];
};

int
hand_pair(int ends[2], struct err *e)
{
	const struct timeval silence = { SILENCE_S, 0 };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == -1)
		return err_sys(e, "socketpair");
	if (setsockopt(ends[1], SOL_SOCKET, SO_RCVTIMEO, &silence,
		sizeof silence) == 0)
		return 0;
	err_sys(e, "SO_RCVTIMEO");
	close(ends[0]);
	close(ends[1]);
	ends[0] = ends[1] = -1;
	return -1;
}

int
hand_over(int channel, int fd, bool is_busy)
{
	union control control = { .space = { 0 } };
	struct iovec text = { .iov_base = &is_busy, .iov_len = sizeof is_busy };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof fd);
	memcpy(CMSG_DATA(rights), &fd, sizeof fd);
	return sendmsg(channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == -1
		   ? -1
		   : 0;
}

/* Without room for them, no descriptors come along. */
bool
hand_is_back(int channel)
{
	char said[2];

	return recv(channel, said, sizeof said, MSG_DONTWAIT) == 1;
}

int
hand_back(int channel)
{
	return send(channel, "", 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* The descriptor of a message; -1: it has none. */
static int
descriptor_of(struct msghdr *message)
{
	const struct cmsghdr *rights = CMSG_FIRSTHDR(message);
	int fd;

	if (rights == NULL || rights->cmsg_level != SOL_SOCKET ||
	    rights->cmsg_type != SCM_RIGHTS ||
	    rights->cmsg_len != CMSG_LEN(sizeof fd))
		return -1;
	memcpy(&fd, CMSG_DATA(rights), sizeof fd);
	return fd;
}

int
hand_next(int channel, const volatile sig_atomic_t *told_to_end, bool *is_busy)
{
	unsigned char said = 0;
	union control control = { .space = { 0 } };
	struct iovec text = { .iov_base = &said, .iov_len = sizeof said };
	struct msghdr message = {
		.msg_iov = &text,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof control,
	};
	ssize_t n;

	do /* who is on the way already is told so by the session */
		n = recvmsg(channel, &message,
		    MSG_CMSG_CLOEXEC | (*told_to_end ? MSG_DONTWAIT : 0));
	while (n == -1 && errno == EINTR);
	/* From here on the listener's hand_over() fails, and it finds somebody
	 * else; who came before that is served. */
	if (n == -1 && shutdown(channel, SHUT_RD) == 0)
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	*is_busy = said != 0;
	return n == 1 ? descriptor_of(&message) : -1;
}
