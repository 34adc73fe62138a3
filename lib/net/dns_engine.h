#ifndef BMX_DNS_ENGINE_H
#define BMX_DNS_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/dns.h"
#include "net/dns_cache.h"
#include "net/dns_codec.h"
#include "net/dns_server.h"
#include "net/dns_tcp.h"

/*
 * The engine's inside, shared by dns.c (the loop and what callers see) and
 * dns_query.c (the life of one question).
 *
 * A question is queued while the window is full, then in flight until it is
 * answered or its deadline comes. In flight it waits for the end of a try, in
 * the list of that try's length, or is to be tried again at once. Since all
 * that is in one list waits equally long, each list is in order of time.
 */

/* Somebody who asked. */
struct waiter {
	TAILQ_ENTRY(waiter) link; /* of query.waiters or dns.ready */
	dns_done *done;
	void *arg;
	struct dns_answer *answer; /* in dns.ready */
};
TAILQ_HEAD(waiters, waiter);

struct query {
	LIST_ENTRY(query) same;  /* dns.asked: equal questions are asked once */
	TAILQ_ENTRY(query) line; /* dns.queued, or dns.flying */
	TAILQ_ENTRY(query) turn; /* of *turns */
	LIST_ENTRY(query) by_id; /* dns.ids, while socket is set */
	LIST_ENTRY(query) by_tcp; /* dns.tcp, while tcp is set */
	LIST_ENTRY(query) by_own; /* dns.own, while it flies and own is set */
	size_t own_poll; /* index of its socket in dns.polls; 0: none yet */
	struct queries *turns; /* dns.again or one of dns.tries; NULL: none */
	struct waiters waiters;
	struct dns_question question;
	struct dns_server *own; /* the one it is for; NULL: the engine's */
	int64_t deadline_ms;
	int64_t try_ends_ms;
	/* this try */
	unsigned server;           /* index; 0 with own */
	struct dns_socket *socket; /* UDP; NULL: none */
	struct dns_tcp *tcp;       /* NULL: none */
	uint16_t id;
	bool edns;
	/* all tries */
	unsigned patience;      /* how long the next try is, an index */
	bool has_waited;        /* in this round through the servers */
	unsigned tried;         /* servers of this round, bits */
	unsigned failed;        /* servers that will not answer it, bits */
	enum dns_status status; /* the best that a failed server said */
	unsigned blamed;        /* the server that said it */
};
TAILQ_HEAD(queries, query);
LIST_HEAD(query_bucket, query);

#define DNS_TRIES 3 /* lengths of a try */
/* Questions for one server in flight: each has a descriptor or two. */
#define DNS_OWN_MAX 256
#define DNS_ASKED_BUCKETS 4096
#define DNS_ID_BUCKETS 4096
#define DNS_RANDOM 128         /* numbers fetched at once */
#define DNS_CREDIT_PER_REPLY 2 /* packets that may be sent for it */
#define DNS_PACKET_MAX 4096    /* over UDP; we asked for DNS_EDNS_SIZE */

struct dns {
	struct dns_server servers[DNS_SERVERS_MAX];
	unsigned nservers;
	unsigned window;
	int64_t deadline_ms; /* for one question */
	int64_t until_ms;    /* for all of them; 0: none */
	int64_t now_ms;      /* as of the last poll(2) */
	int credit;          /* packets that may be sent now: see dns.c */
	struct dns_cache *cache;
	struct waiters ready; /* answered, done() not yet called */
	size_t nready;
	size_t outstanding; /* waiters, ready or not */
	struct queries queued;
	struct queries queued_own;
	struct queries flying; /* in order of their deadlines */
	unsigned nflying;
	struct queries again;
	struct queries tries[DNS_TRIES];
	struct query_bucket tcp;
	unsigned ntcp;
	struct query_bucket own;
	unsigned nown;
	uint32_t seed;
	uint16_t random[DNS_RANDOM];
	unsigned random_left;
	struct pollfd *polls; /* room for all sockets and a window of TCP */
	unsigned char packet[DNS_PACKET_MAX];
	struct query_bucket asked[DNS_ASKED_BUCKETS];
	struct query_bucket ids[DNS_ID_BUCKETS];
};

/* ---- dns_query.c ---- */

/* The query that already asks this, or NULL. */
struct query *query_find(struct dns *d, const struct dns_question *question);

/* A new one, queued; server: NULL, or the one of question->at. NULL: no
 * memory. */
struct query *query_new(struct dns *d, const struct dns_question *question,
    const struct endpoint *server);

/* Forget it with all who wait. */
void query_drop(struct dns *d, struct query *q);

/* From its queue into the air. */
void query_start(struct dns *d, struct query *q);

/* Ask the next server, pause, or give up: what comes next. */
void query_next(struct dns *d, struct query *q);

/* The query that waits on a socket for this id, or NULL. */
struct query *query_by_id(struct dns *d, const struct dns_socket *s,
    uint16_t id);

/* A packet came for it; poll(2) has something for its TCP connection; the try
 * is over; the deadline came. */
void query_packet(struct dns *d, struct query *q, const unsigned char *packet,
    size_t len);
void query_tcp_ready(struct dns *d, struct query *q);
void query_try_over(struct dns *d, struct query *q);
void query_give_up(struct dns *d, struct query *q);

/* What waits on this socket was refused (ICMP). */
void query_socket_refused(struct dns *d, const struct dns_socket *s);

/* dns.c: an answer for w, to be handed over by dns_run(). a is shared. */
void dns_ready(struct dns *d, struct waiter *w, const struct dns_answer *a);

/* dns.c: 16 random bits. */
uint16_t dns_random(struct dns *d);

#endif
