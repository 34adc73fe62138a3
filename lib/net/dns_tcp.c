#include "net/dns_tcp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netinet/in.h>

#include "net/dns_codec.h"

#define LENGTH 2 /* bytes in front of each message, RFC 1035 4.2.2 */

struct dns_tcp {
	int fd;
	unsigned char out[LENGTH + DNS_QUERY_MAX];
	size_t out_len, sent;
	unsigned char in_length[LENGTH];
	unsigned char *in;  /* allocated once its length is known */
	size_t in_len, got; /* got counts in_length too */
};

struct dns_tcp *
dns_tcp_open(const struct endpoint *server, const unsigned char *query,
    size_t len)
{
	struct dns_tcp *t;
	int saved;

	if (len > DNS_QUERY_MAX) {
		errno = EMSGSIZE;
		return NULL;
	}
	t = calloc(1, sizeof *t);
	if (t == NULL)
		return NULL;
	t->out[0] = (unsigned char)(len >> 8);
	t->out[1] = (unsigned char)len;
	memcpy(t->out + LENGTH, query, len);
	t->out_len = LENGTH + len;
	t->fd = socket(server->addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	if (t->fd != -1 &&
	    (connect(t->fd, (const struct sockaddr *)&server->addr,
		 server->len) == 0 ||
		errno == EINPROGRESS || errno == EINTR))
		return t;
	saved = errno;
	dns_tcp_close(t);
	errno = saved;
	return NULL;
}

void
dns_tcp_close(struct dns_tcp *t)
{
	if (t == NULL)
		return;
	if (t->fd != -1)
		close(t->fd);
	free(t->in);
	free(t);
}

int
dns_tcp_fd(const struct dns_tcp *t)
{
	return t->fd;
}

short
dns_tcp_events(const struct dns_tcp *t)
{
	return t->sent < t->out_len ? POLLOUT : POLLIN;
}

static enum dns_tcp_state
after(ssize_t n)
{
	if (n == -1 &&
	    (errno == EAGAIN || errno == EINTR || errno == EINPROGRESS))
		return DNS_TCP_MORE;
	return DNS_TCP_GONE;
}

static enum dns_tcp_state
send_query(struct dns_tcp *t)
{
	ssize_t n =
	    send(t->fd, t->out + t->sent, t->out_len - t->sent, MSG_NOSIGNAL);

	if (n <= 0)
		return after(n);
	t->sent += (size_t)n;
	return DNS_TCP_MORE;
}

static enum dns_tcp_state
read_length(struct dns_tcp *t)
{
	ssize_t n = recv(t->fd, t->in_length + t->got, LENGTH - t->got, 0);

	if (n <= 0)
		return after(n);
	t->got += (size_t)n;
	if (t->got < LENGTH)
		return DNS_TCP_MORE;
	t->in_len = (size_t)t->in_length[0] << 8 | t->in_length[1];
	t->in = malloc(t->in_len + 1);
	return t->in_len > 0 && t->in != NULL ? DNS_TCP_MORE : DNS_TCP_GONE;
}

static enum dns_tcp_state
read_reply(struct dns_tcp *t)
{
	size_t have = t->got - LENGTH;
	ssize_t n = recv(t->fd, t->in + have, t->in_len - have, 0);

	if (n <= 0)
		return after(n);
	t->got += (size_t)n;
	return t->got == LENGTH + t->in_len ? DNS_TCP_DONE : DNS_TCP_MORE;
}

enum dns_tcp_state
dns_tcp_step(struct dns_tcp *t)
{
	if (t->sent < t->out_len)
		return send_query(t);
	if (t->got < LENGTH)
		return read_length(t);
	return read_reply(t);
}

const unsigned char *
dns_tcp_reply(const struct dns_tcp *t, size_t *len)
{
	*len = t->in_len;
	return t->in;
}
