#include "fakedns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define PACKET_MAX 16384
#define HEADER 12
#define OPT_LEN 11
#define LONG_REPLY 10000
#define BATCH_MAX 4096
#define BATCH_QUIET_MS 50 /* no more queries come */
#define TYPE_A 1
#define TYPE_TXT 16

struct packet {
	unsigned char bytes[PACKET_MAX];
	size_t len;
};

struct client {
	struct sockaddr_in addr;
	struct packet query;
};

static void
must(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

/* ---- packets ---- */

static void
add(struct packet *p, const void *bytes, size_t len)
{
	must(len <= sizeof p->bytes - p->len, "packet");
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static size_t
question_len(const struct packet *query)
{
	size_t at = HEADER;

	while (at < query->len && query->bytes[at] != 0)
		at += query->bytes[at] + 1u;
	must(at + 5 <= query->len, "a query without question");
	return at + 5 - HEADER;
}

static unsigned
question_type(const struct packet *query)
{
	size_t end = HEADER + question_len(query);

	return (unsigned)query->bytes[end - 4] << 8 | query->bytes[end - 3];
}

static bool
has_opt(const struct packet *query)
{
	return query->len == HEADER + question_len(query) + OPT_LEN;
}

/* Header and question, no records. */
static void
begin_reply(struct packet *reply, const struct packet *query, unsigned rcode)
{
	reply->len = 0;
	add(reply, query->bytes, HEADER + question_len(query));
	reply->bytes[2] = 0x81;                          /* QR RD */
	reply->bytes[3] = (unsigned char)(0x80 | rcode); /* RA */
	memset(reply->bytes + 4, 0, 8);
	reply->bytes[5] = 1;
}

static void
add_record(struct packet *reply, unsigned type, unsigned ttl, const void *rdata,
    size_t len)
{
	unsigned char fixed[12] = { 0xc0, 0x0c, 0, (unsigned char)type, 0, 1, 0,
		0, (unsigned char)(ttl >> 8), (unsigned char)ttl,
		(unsigned char)(len >> 8), (unsigned char)len };

	add(reply, fixed, sizeof fixed);
	add(reply, rdata, len);
	reply->bytes[7]++;
}

static void
add_txt(struct packet *reply, size_t len)
{
	unsigned char rdata[LONG_REPLY];
	size_t n = 0;

	while (n < len) {
		size_t piece = len - n > 256 ? 256 : len - n;

		rdata[n] = (unsigned char)(piece - 1);
		memset(rdata + n + 1, 'x', piece - 1);
		n += piece;
	}
	add_record(reply, TYPE_TXT, 300, rdata, n);
}

static void
add_soa(struct packet *reply)
{
	static const unsigned char soa[] = { 0, 0, 6, 0, 1, 0, 0, 1, 44, 0, 22,
		0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0,
		60 };

	add(reply, soa, sizeof soa);
	reply->bytes[9]++;
}

static void
deny(struct fakedns *f, struct packet *reply)
{
	if (f->way != FAKEDNS_NO_SOA)
		add_soa(reply);
}

/* The true answer, as far as this server has one; last: of the address. */
static void
answer(struct fakedns *f, const struct packet *query, struct packet *reply,
    unsigned char last)
{
	const unsigned char address[] = { 192, 0, 2, last };
	unsigned ttl = f->way == FAKEDNS_ANSWER_TTL_0 ? 0 : 300;

	if (memcmp(query->bytes + HEADER, "\2nx", 3) == 0) {
		begin_reply(reply, query, 3);
		deny(f, reply);
		return;
	}
	begin_reply(reply, query, 0);
	if (f->way == FAKEDNS_AD)
		reply->bytes[3] |= 0x20;
	if (question_type(query) == TYPE_A)
		add_record(reply, TYPE_A, ttl, address, sizeof address);
	else if (question_type(query) == TYPE_TXT)
		add_txt(reply, f->way == FAKEDNS_LONG ? LONG_REPLY : 3000);
	else
		deny(f, reply);
}

/* ---- UDP ---- */

static void
send_to(int fd, const struct sockaddr_in *to, const struct packet *p)
{
	sendto(fd, p->bytes, p->len, 0, (const struct sockaddr *)to,
	    sizeof *to);
}

/* From a socket that was not asked. */
static void
send_as_stranger(const struct sockaddr_in *to, const struct packet *p)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	must(fd != -1, "socket");
	send_to(fd, to, p);
	close(fd);
}

/* What must not be believed, in front of the true answer. */
static void
mislead(struct fakedns *f, const struct client *c)
{
	struct packet lie;

	answer(f, &c->query, &lie, 66);
	if (f->way == FAKEDNS_WRONG_ID)
		lie.bytes[0] ^= 0xff;
	if (f->way == FAKEDNS_WRONG_NAME)
		lie.bytes[HEADER + 1] ^= 1;
	if (f->way == FAKEDNS_WRONG_TYPE)
		lie.bytes[HEADER + question_len(&c->query) - 3] ^= 1;
	if (f->way == FAKEDNS_ECHO)
		send_to(f->udp_fd, &c->addr, &c->query);
	else if (f->way == FAKEDNS_STRANGER)
		send_as_stranger(&c->addr, &lie);
	else
		send_to(f->udp_fd, &c->addr, &lie);
}

static void
count(struct fakedns *f, const struct client *c)
{
	uint16_t id = (uint16_t)(c->query.bytes[0] << 8 | c->query.bytes[1]);
	unsigned port = ntohs(c->addr.sin_port);

	if (f->udp++ > 0 && id == (uint16_t)(f->last_id + 1))
		f->next_ids++;
	f->last_id = id;
	if (has_opt(&c->query))
		f->with_opt++;
	if ((c->query.bytes[2] & 0x01) != 0)
		f->with_rd++;
	if ((c->query.bytes[3] & 0x10) != 0)
		f->with_cd++;
	if ((f->port_seen[port / 8] & 1 << port % 8) == 0)
		f->ports++;
	f->port_seen[port / 8] |= (unsigned char)(1 << port % 8);
}

/* False: no reply to this one. */
static bool
reply_of(struct fakedns *f, const struct client *c, struct packet *reply)
{
	switch (f->way) {
	case FAKEDNS_SILENT:
		return false;
	case FAKEDNS_SILENT_ONCE:
		if (f->udp == 1)
			return false;
		break;
	case FAKEDNS_SERVFAIL:
		begin_reply(reply, &c->query, 2);
		return true;
	case FAKEDNS_REFUSED:
		begin_reply(reply, &c->query, 5);
		return true;
	case FAKEDNS_FORMERR_OPT:
		if (!has_opt(&c->query))
			break;
		reply->len = 0; /* not even the question */
		add(reply, c->query.bytes, HEADER);
		reply->bytes[2] = 0x81;
		reply->bytes[3] = 1;
		memset(reply->bytes + 4, 0, 8);
		return true;
	case FAKEDNS_TC:
	case FAKEDNS_TC_SLOW:
	case FAKEDNS_TC_CLOSES:
	case FAKEDNS_TC_LEAVES:
	case FAKEDNS_TC_REFUSES:
	case FAKEDNS_TC_SILENT:
	case FAKEDNS_TC_TC:
		begin_reply(reply, &c->query, 0);
		reply->bytes[2] |= 0x02;
		return true;
	case FAKEDNS_WRONG_ID:
	case FAKEDNS_WRONG_NAME:
	case FAKEDNS_WRONG_TYPE:
	case FAKEDNS_STRANGER:
	case FAKEDNS_ECHO:
		mislead(f, c);
		break;
	default:
		break;
	}
	answer(f, &c->query, reply, 1);
	if (f->way == FAKEDNS_JUNK ||
	    (f->way == FAKEDNS_JUNK_OPT && has_opt(&c->query)))
		add(reply, "junk", 4);
	return true;
}

static bool
receive(struct fakedns *f, struct client *c)
{
	socklen_t len = sizeof c->addr;
	ssize_t n = recvfrom(f->udp_fd, c->query.bytes, sizeof c->query.bytes,
	    MSG_DONTWAIT, (struct sockaddr *)&c->addr, &len);

	if (n < HEADER)
		return false;
	c->query.len = (size_t)n;
	count(f, c);
	return true;
}

static void
serve_udp(struct fakedns *f)
{
	struct client c;
	struct packet reply;

	while (receive(f, &c))
		if (reply_of(f, &c, &reply))
			send_to(f->udp_fd, &c.addr, &reply);
}

/* Collect until nothing more comes: so many were in flight. */
static void
serve_batch(struct fakedns *f)
{
	struct pollfd p = { .fd = f->udp_fd, .events = POLLIN };
	struct client *all = calloc(BATCH_MAX, sizeof *all);
	struct packet reply;
	unsigned n = 0;

	must(all != NULL, "calloc");
	while (poll(&p, 1, BATCH_QUIET_MS) == 1)
		while (n < BATCH_MAX && receive(f, &all[n]))
			n++;
	if (n > f->most)
		f->most = n;
	for (unsigned i = 0; i < n; i++)
		if (reply_of(f, &all[i], &reply))
			send_to(f->udp_fd, &all[i].addr, &reply);
	free(all);
}

/* ---- TCP: one query of one client ---- */

static bool
read_all(int fd, void *data, size_t len)
{
	unsigned char *p = data;
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = read(fd, p, len);
		if (n <= 0)
			return false;
	}
	return true;
}

static void
send_tcp(struct fakedns *f, int fd, const struct packet *reply)
{
	unsigned char length[] = { (unsigned char)(reply->len >> 8),
		(unsigned char)reply->len };
	size_t len = f->way == FAKEDNS_TC_CLOSES ? 20 : reply->len;
	size_t step = f->way == FAKEDNS_TC_SLOW ? 1 : len;

	send(fd, length, 1, MSG_NOSIGNAL);
	send(fd, length + 1, 1, MSG_NOSIGNAL);
	for (size_t at = 0; at < len; at += step)
		if (send(fd, reply->bytes + at, step, MSG_NOSIGNAL) == -1)
			return;
}

static void
serve_client(struct fakedns *f, int fd)
{
	const struct timeval limit = { .tv_sec = 5 };
	unsigned char length[2];
	struct packet query, reply;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (!read_all(fd, length, sizeof length))
		return;
	query.len = (size_t)length[0] << 8 | length[1];
	if (query.len > sizeof query.bytes ||
	    !read_all(fd, query.bytes, query.len))
		return;
	f->tcp++;
	if (f->way == FAKEDNS_TC_LEAVES)
		return;
	if (f->way == FAKEDNS_TC_SILENT) {
		read_all(fd, length, 1); /* until it goes */
		return;
	}
	answer(f, &query, &reply, 1);
	if (f->way == FAKEDNS_TC_TC)
		reply.bytes[2] |= 0x02;
	send_tcp(f, fd, &reply);
}

static void
serve_tcp(struct fakedns *f)
{
	int fd = accept(f->tcp_fd, NULL, NULL);

	if (fd == -1)
		return;
	serve_client(f, fd);
	close(fd);
}

/* ---- the thread ---- */

static void *
serve(void *arg)
{
	struct fakedns *f = arg;
	struct pollfd p[] = {
		{ .fd = f->stop_fd[0], .events = POLLIN },
		{ .fd = f->udp_fd, .events = POLLIN },
		{ .fd = f->way == FAKEDNS_TC_REFUSES ? -1 : f->tcp_fd,
		    .events = POLLIN },
	};

	while (poll(p, 3, -1) != -1 || errno == EINTR) {
		if (p[0].revents != 0)
			break;
		if (p[1].revents != 0 && f->way == FAKEDNS_BATCH)
			serve_batch(f);
		else if (p[1].revents != 0)
			serve_udp(f);
		if (p[2].revents != 0)
			serve_tcp(f);
	}
	return NULL;
}

/* A port that is free for both. */
static bool
bind_both(struct fakedns *f)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof addr;
	const int size = 1024 * 1024;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	f->udp_fd = socket(AF_INET, SOCK_DGRAM, 0);
	f->tcp_fd = socket(AF_INET, SOCK_STREAM, 0);
	must(f->udp_fd != -1 && f->tcp_fd != -1, "socket");
	setsockopt(f->udp_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	must(bind(f->udp_fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
		 getsockname(f->udp_fd, (struct sockaddr *)&addr, &len) == 0,
	    "bind");
	snprintf(f->address, sizeof f->address, "127.0.0.1:%u",
	    ntohs(addr.sin_port));
	if (bind(f->tcp_fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
	    (f->way == FAKEDNS_TC_REFUSES || listen(f->tcp_fd, 64) == 0))
		return true;
	close(f->udp_fd);
	close(f->tcp_fd);
	return false;
}

void
fakedns_start(struct fakedns *f, enum fakedns_way way)
{
	int tries = 0;

	memset(f, 0, sizeof *f);
	f->way = way;
	while (!bind_both(f))
		must(++tries < 100, "bind");
	must(pipe(f->stop_fd) == 0, "pipe");
	must(pthread_create(&f->thread, NULL, serve, f) == 0, "thread");
}

void
fakedns_stop(struct fakedns *f)
{
	must(write(f->stop_fd[1], "", 1) == 1, "write");
	pthread_join(f->thread, NULL);
	close(f->udp_fd);
	close(f->tcp_fd);
	close(f->stop_fd[0]);
	close(f->stop_fd[1]);
}
