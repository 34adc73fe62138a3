#include "net/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

void
endpoint_from_bytes(struct endpoint *ep, const unsigned char *bytes, size_t len,
    unsigned port)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ep->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ep->addr;

	memset(ep, 0, sizeof *ep);
	if (len == 4) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)port);
		memcpy(&v4->sin_addr, bytes, len);
		ep->len = sizeof *v4;
	} else if (len == 16) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		memcpy(&v6->sin6_addr, bytes, len);
		ep->len = sizeof *v6;
	}
}

/* The address without port or brackets, of either family. */
static bool
parse_host(struct endpoint *ep, const char *host, unsigned port)
{
	unsigned char bytes[16];

	if (inet_pton(AF_INET, host, bytes) == 1)
		endpoint_from_bytes(ep, bytes, 4, port);
	else if (inet_pton(AF_INET6, host, bytes) == 1)
		endpoint_from_bytes(ep, bytes, 16, port);
	else
		return false;
	return true;
}

/* ":25" or, when nothing is there, the default. */
static bool
parse_port(const char *text, unsigned default_port, unsigned *port)
{
	unsigned long long value;

	*port = default_port;
	if (*text == '\0')
		return true;
	if (*text != ':' ||
	    text_number(text + 1, strlen(text + 1), UINT16_MAX, &value) == -1 ||
	    value == 0)
		return false;
	*port = (unsigned)value;
	return true;
}

/* A socket's path. False: it is too long for one. */
static bool
parse_path(struct endpoint *ep, const char *path)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&ep->addr;

	memset(ep, 0, sizeof *ep);
	if (strlen(path) >= sizeof un->sun_path)
		return false;
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path, strlen(path) + 1);
	ep->len = sizeof *un;
	return true;
}

static bool
parse_address(struct endpoint *ep, const char *text, unsigned default_port)
{
	char host[INET6_ADDRSTRLEN];
	const char *end, *start = text;
	unsigned port;

	if (parse_host(ep, text, default_port))
		return true;
	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
	} else {
		end = strchr(start, ':');
	}
	if (end == NULL || (size_t)(end - start) >= sizeof host)
		return false;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	/* brackets are for IPv6, which has none of its own kind of port */
	if ((start > text) != (strchr(host, ':') != NULL))
		return false;
	if (!parse_port(start > text ? end + 1 : end, default_port, &port))
		return false;
	return parse_host(ep, host, port);
}

bool
endpoint_parse(struct endpoint *ep, const char *text, unsigned default_port)
{
	static const char lmtp[] = "lmtp:";
	bool ok;

	if (strncasecmp(text, lmtp, sizeof lmtp - 1) != 0)
		return parse_address(ep, text, default_port);
	text += sizeof lmtp - 1;
	ok = *text == '/' ? parse_path(ep, text)
			  : parse_address(ep, text, default_port);
	ep->is_lmtp = ok;
	return ok;
}

/* The 4 or 16 bytes of the address, an IPv4-mapped one as its 4; 0: neither
 * IPv4 nor IPv6. */
static size_t
host_bytes(const struct sockaddr *sa, const unsigned char **bytes)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;

	if (sa->sa_family == AF_INET) {
		*bytes = (const unsigned char *)&v4->sin_addr;
		return 4;
	}
	if (sa->sa_family != AF_INET6)
		return 0;
	*bytes = v6->sin6_addr.s6_addr;
	if (!IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		return 16;
	*bytes += 12;
	return 4;
}

static size_t
endpoint_bytes(const struct endpoint *ep, const unsigned char **bytes)
{
	if (ep->len == 0)
		return 0;
	return host_bytes((const struct sockaddr *)&ep->addr, bytes);
}

char *
endpoint_host(const struct endpoint *ep, char out[ENDPOINT_TEXT_MAX])
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&ep->addr;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&ep->addr;
	const void *bytes = &v6->sin6_addr;

	out[0] = '\0';
	if (ep->len == 0 || ep->addr.ss_family == AF_UNIX)
		return out;
	if (ep->addr.ss_family == AF_INET)
		bytes = &v4->sin_addr;
	if (inet_ntop(ep->addr.ss_family, bytes, out, ENDPOINT_TEXT_MAX) ==
	    NULL)
		out[0] = '\0';
	return out;
}

unsigned
endpoint_port(const struct endpoint *ep)
{
	if (ep->len == 0 || ep->addr.ss_family == AF_UNIX)
		return 0;
	if (ep->addr.ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)&ep->addr)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)&ep->addr)->sin6_port);
}

char *
endpoint_text(const struct endpoint *ep, char out[ENDPOINT_TEXT_MAX])
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)&ep->addr;
	const char *fmt = "%s%.60s:%u";
	char host[ENDPOINT_TEXT_MAX];

	out[0] = '\0';
	if (ep->len == 0)
		return out;
	if (ep->addr.ss_family == AF_UNIX) {
		snprintf(out, ENDPOINT_TEXT_MAX, "lmtp:%s", un->sun_path);
		return out;
	}
	if (ep->addr.ss_family == AF_INET6)
		fmt = "%s[%.60s]:%u";
	snprintf(out, ENDPOINT_TEXT_MAX, fmt, ep->is_lmtp ? "lmtp:" : "",
	    endpoint_host(ep, host), endpoint_port(ep));
	return out;
}

bool
endpoint_same_host(const struct endpoint *a, const struct endpoint *b)
{
	const unsigned char *p, *q;
	size_t n = endpoint_bytes(a, &p);

	return n > 0 && n == endpoint_bytes(b, &q) && memcmp(p, q, n) == 0;
}

bool
endpoint_is_loopback(const struct endpoint *ep)
{
	const unsigned char *bytes;

	switch (endpoint_bytes(ep, &bytes)) {
	case 4:
		return bytes[0] == 127;
	case 16:
		return IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)bytes);
	default:
		return false;
	}
}

bool
endpoint_is_unspecified(const struct endpoint *ep)
{
	static const unsigned char zero[16];
	const unsigned char *bytes;
	size_t n = endpoint_bytes(ep, &bytes);

	return n > 0 && memcmp(bytes, zero, n) == 0;
}

bool
endpoint_is_local(const struct endpoint *ep)
{
	const unsigned char *mine, *theirs;
	struct ifaddrs *all;
	bool found = false;
	size_t n;

	if (endpoint_is_loopback(ep) || endpoint_is_unspecified(ep))
		return true;
	n = endpoint_bytes(ep, &theirs);
	if (n == 0 || getifaddrs(&all) == -1)
		return false;
	for (struct ifaddrs *i = all; i != NULL && !found; i = i->ifa_next)
		found = i->ifa_addr != NULL &&
			host_bytes(i->ifa_addr, &mine) == n &&
			memcmp(mine, theirs, n) == 0;
	freeifaddrs(all);
	return found;
}

/* Wait for the handshake and fetch its result into errno. */
static int
await_connected(int fd, int64_t deadline_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int n, result = 0;
	socklen_t len = sizeof result;

	do
		n = poll(&p, 1, clock_left_ms(deadline_ms));
	while (n == -1 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	if (n <= 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) == -1)
		return -1;
	errno = result;
	return result == 0 ? 0 : -1;
}

/*
 * A socket that is bound by connect(2) itself can get the very port it
 * connects to, when that is a local one in the ephemeral range on which
 * nobody listens: TCP then connects it to itself (RFC 9293 3.5, simultaneous
 * open). Nobody is there, so it counts as refused.
 */
static bool
is_connected_to_itself(int fd, const struct endpoint *ep)
{
	struct endpoint own = { .len = sizeof own.addr };

	if (getsockname(fd, (struct sockaddr *)&own.addr, &own.len) == -1)
		return false;
	return endpoint_port(&own) == endpoint_port(ep) &&
	       endpoint_same_host(&own, ep);
}

static int
connect_socket(int fd, const struct endpoint *ep, const struct endpoint *from,
    int64_t deadline_ms)
{
	const int on = 1;

	if (from != NULL && from->len > 0 &&
	    bind(fd, (const struct sockaddr *)&from->addr, from->len) == -1)
		return -1;
	/* replies must not wait for the peer's delayed ACK */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)&ep->addr, ep->len) == -1 &&
	    ((errno != EINPROGRESS && errno != EINTR) ||
		await_connected(fd, deadline_ms) == -1))
		return -1;
	if (is_connected_to_itself(fd, ep)) {
		errno = ECONNREFUSED;
		return -1;
	}
	return 0;
}

int
connect_to(const struct endpoint *ep, const struct endpoint *from,
    int64_t deadline_ms, struct err *e)
{
	char text[ENDPOINT_TEXT_MAX];
	int fd, saved;

	fd = socket(ep->addr.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_sys(e, "socket for %s", endpoint_text(ep, text));
	if (connect_socket(fd, ep, from, deadline_ms) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return err_sys(e, "connect to %s", endpoint_text(ep, text));
	}
	return fd;
}
