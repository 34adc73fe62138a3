/*
 * ask: the least that can audit domains, to measure bmx-mxcheck against: MX of
 * each domain in FILE, then A and AAAA of each host found, over one socket with
 * IN_FLIGHT domains at once. It believes every answer, and judges nothing.
 *
 *	ask ADDRESS PORT IN_FLIGHT FILE
 *
 * It prints "domains=N answers=N"; exit 1 when questions stay unanswered.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SLOTS 4096 /* an ID is a slot and one of its questions */
#define QUESTIONS 16
#define TRIES 5 /* a second each, of silence */

struct question {
	char name[256];
	int type;
	bool is_open;
};

struct slot {
	struct question questions[QUESTIONS];
	unsigned n, open;
};

struct loop {
	FILE *names;
	int fd;
	struct slot *slots;
	unsigned busy;
	unsigned long domains, answers;
};

/* ---- asking ---- */

static void
send_question(const struct loop *l, unsigned slot, unsigned i)
{
	const struct question *q = &l->slots[slot].questions[i];
	unsigned char packet[NS_PACKETSZ] = { 0 };
	int len;

	packet[0] = (unsigned char)((slot * QUESTIONS + i) >> 8);
	packet[1] = (unsigned char)(slot * QUESTIONS + i);
	packet[2] = 1; /* recursion is desired */
	packet[5] = 1; /* question */
	len = dn_comp(q->name, packet + 12, sizeof packet - 16, NULL, NULL);
	if (len < 0)
		return;
	len += 12;
	packet[len + 1] = (unsigned char)q->type;
	packet[len + 3] = ns_c_in;
	(void)send(l->fd, packet, (size_t)len + 4, 0);
}

static void
ask(struct loop *l, unsigned slot, const char *name, int type)
{
	struct slot *s = &l->slots[slot];
	struct question *q = &s->questions[s->n];

	if (s->n == QUESTIONS)
		return;
	snprintf(q->name, sizeof q->name, "%s", name);
	q->type = type;
	q->is_open = true;
	s->open++;
	send_question(l, slot, s->n++);
}

static void
next_domain(struct loop *l, unsigned slot)
{
	char line[256];

	l->slots[slot].n = 0;
	if (fgets(line, sizeof line, l->names) == NULL)
		return;
	line[strcspn(line, "\n")] = '\0';
	l->domains++;
	l->busy++;
	ask(l, slot, line, ns_t_mx);
}

static void
ask_again(const struct loop *l)
{
	for (unsigned slot = 0; slot < SLOTS; slot++)
		for (unsigned i = 0; i < l->slots[slot].n; i++)
			if (l->slots[slot].questions[i].is_open)
				send_question(l, slot, i);
}

/* ---- answers ---- */

/* A and AAAA of each host in an answer. */
static void
ask_hosts(struct loop *l, unsigned slot, ns_msg *m)
{
	char host[NS_MAXDNAME];
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
		if (ns_parserr(m, ns_s_an, i, &rr) != 0 ||
		    ns_rr_type(rr) != ns_t_mx || ns_rr_rdlen(rr) < 3 ||
		    dn_expand(ns_msg_base(*m), ns_msg_end(*m),
			ns_rr_rdata(rr) + 2, host, sizeof host) < 0)
			continue;
		ask(l, slot, host, ns_t_a);
		ask(l, slot, host, ns_t_aaaa);
	}
}

static void
take(struct loop *l, const unsigned char *packet, int len)
{
	struct question *q;
	unsigned slot, i;
	ns_msg m;

	if (ns_initparse(packet, len, &m) != 0)
		return;
	slot = ns_msg_id(m) / QUESTIONS;
	i = ns_msg_id(m) % QUESTIONS;
	q = &l->slots[slot].questions[i];
	if (i >= l->slots[slot].n || !q->is_open)
		return;
	q->is_open = false;
	l->slots[slot].open--;
	l->answers++;
	if (q->type == ns_t_mx)
		ask_hosts(l, slot, &m);
	if (l->slots[slot].open == 0) {
		l->busy--;
		next_domain(l, slot);
	}
}

/* False: silence. */
static bool
run(struct loop *l)
{
	unsigned char packet[4096];
	unsigned tries = 0;

	while (l->busy > 0 && tries < TRIES) {
		struct pollfd p = { l->fd, POLLIN, 0 };
		ssize_t len;

		if (poll(&p, 1, 1000) != 1) {
			ask_again(l);
			tries++;
			continue;
		}
		tries = 0;
		while ((len = recv(l->fd, packet, sizeof packet,
			    MSG_DONTWAIT)) > 0)
			take(l, packet, (int)len);
	}
	return l->busy == 0;
}

int
main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct loop l = { 0 };
	unsigned long in_flight;
	bool is_done;

	if (argc != 5) {
		fprintf(stderr, "usage: ask ADDRESS PORT IN_FLIGHT FILE\n");
		return 2;
	}
	sin.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	in_flight = strtoul(argv[3], NULL, 10);
	l.names = fopen(argv[4], "r");
	l.slots = calloc(SLOTS, sizeof *l.slots);
	l.fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(l.fd, SOL_SOCKET, SO_RCVBUF, &(int){ 4 << 20 }, sizeof(int));
	if (inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1 || !l.names ||
	    !l.slots || in_flight == 0 || in_flight > SLOTS ||
	    connect(l.fd, (struct sockaddr *)&sin, sizeof sin) == -1) {
		perror("ask");
		return 2;
	}
	for (unsigned slot = 0; slot < in_flight; slot++)
		next_domain(&l, slot);
	is_done = run(&l);
	printf("domains=%lu answers=%lu\n", l.domains, l.answers);
	return is_done ? 0 : 1;
}
