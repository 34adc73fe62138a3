#include "net/dns.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <netinet/in.h>

#include "base/clock.h"
#include "base/text.h"
#include "net/dns_answer.h"
#include "net/dns_engine.h"

#define WINDOW_DEFAULT 256
#define WINDOW_MAX 10000 /* ids of a socket stay easy to find */
#define DEADLINE_DEFAULT_MS 10000
#define READS_MAX 256 /* packets from one socket before the others' turn */

/*
 * More packets at once than the server has room for are lost, and so are their
 * repetitions, since all of these come at once too. So packets are paid for:
 * there is some credit each millisecond, and more with each reply.
 */
#define CREDIT_MAX 256 /* about what fits into a socket's usual 208 KiB */
#define CREDIT_PER_MS 32

/* ---- open and close ---- */

/* Does not fail once it worked: getrandom(2) says so for up to 256 bytes. */
static bool
fetch_random(struct dns *d)
{
	if (getrandom(d->random, sizeof d->random, 0) !=
	    (ssize_t)sizeof d->random)
		return false;
	d->random_left = DNS_RANDOM;
	return true;
}

uint16_t
dns_random(struct dns *d)
{
	while (d->random_left == 0)
		fetch_random(d);
	return d->random[--d->random_left];
}

static void
init_lists(struct dns *d)
{
	TAILQ_INIT(&d->ready);
	TAILQ_INIT(&d->queued);
	TAILQ_INIT(&d->queued_own);
	TAILQ_INIT(&d->flying);
	TAILQ_INIT(&d->again);
	for (int i = 0; i < DNS_TRIES; i++)
		TAILQ_INIT(&d->tries[i]);
}

static int
set_up(struct dns *d, const struct dns_options *o, struct err *e)
{
	int n;

	d->window = o->window > 0 ? o->window : WINDOW_DEFAULT;
	if (d->window > WINDOW_MAX)
		return err_config(e, "%u DNS questions at once, at most %d",
		    d->window, WINDOW_MAX);
	d->deadline_ms =
	    o->deadline_ms > 0 ? o->deadline_ms : DEADLINE_DEFAULT_MS;
	n = dns_servers_set(d->servers, o, e);
	if (n == -1)
		return -1;
	d->nservers = (unsigned)n;
	if (!fetch_random(d))
		return err_sys(e, "getrandom");
	d->seed = (uint32_t)dns_random(d) << 16 | dns_random(d);
	d->cache = dns_cache_new(DNS_CACHE_BYTES_MAX, d->seed);
	d->polls = calloc(d->nservers * DNS_SOCKETS + d->window + DNS_OWN_MAX,
	    sizeof *d->polls);
	if (d->cache == NULL || d->polls == NULL)
		return err_temp(e, "out of memory");
	return 0;
}

struct dns *
dns_open(const struct dns_options *o, struct err *e)
{
	struct dns *d = calloc(1, sizeof *d);

	if (d == NULL) {
		err_temp(e, "out of memory");
		return NULL;
	}
	init_lists(d);
	if (set_up(d, o, e) == -1) {
		dns_close(d);
		return NULL;
	}
	return d;
}

/* w is done with, whether or not it was called. */
static void
drop_ready(struct dns *d, struct waiter *w)
{
	TAILQ_REMOVE(&d->ready, w, link);
	d->nready--;
	d->outstanding--;
}

static void
free_waiter(struct waiter *w)
{
	dns_answer_free(w->answer);
	free(w);
}

void
dns_close(struct dns *d)
{
	struct waiter *w;
	struct query *q;

	if (d == NULL)
		return;
	while ((q = TAILQ_FIRST(&d->queued)) != NULL ||
	       (q = TAILQ_FIRST(&d->queued_own)) != NULL ||
	       (q = TAILQ_FIRST(&d->flying)) != NULL)
		query_drop(d, q);
	while ((w = TAILQ_FIRST(&d->ready)) != NULL) {
		drop_ready(d, w);
		free_waiter(w);
	}
	for (unsigned i = 0; i < d->nservers; i++)
		dns_server_close(&d->servers[i]);
	dns_cache_free(d->cache);
	free(d->polls);
	free(d);
}

/* ---- ask ---- */

void
dns_ready(struct dns *d, struct waiter *w, const struct dns_answer *a)
{
	w->answer = dns_answer_share(a);
	TAILQ_INSERT_TAIL(&d->ready, w, link);
	d->nready++;
}

static void
set_place(struct dns_place *at, const struct endpoint *ep)
{
	const void *addr = &ep->addr;
	const struct sockaddr_in *v4 = addr;
	const struct sockaddr_in6 *v6 = addr;

	at->port = endpoint_port(ep);
	at->len = ep->addr.ss_family == AF_INET ? 4 : 16;
	memcpy(at->addr,
	    at->len == 4 ? (const void *)&v4->sin_addr
			 : (const void *)&v6->sin6_addr,
	    at->len);
}

/* What can be answered without a server: what is known, or no question. */
static struct dns_answer *
answer_at_hand(struct dns *d, const char *name, enum dns_type type,
    const struct dns_how *how, struct dns_question *question)
{
	char safe[DNS_NAME_MAX];

	if (!dns_question_set(question, name, type))
		return dns_answer_empty(DNS_MALFORMED,
		    text_safe(safe, sizeof safe, name));
	question->is_unchecked = how->is_unchecked;
	if (how->server != NULL)
		set_place(&question->at, how->server);
	return dns_cache_get(d->cache, question, clock_monotonic_ms());
}

int
dns_ask(struct dns *d, const char *name, enum dns_type type, dns_done *done,
    void *arg, struct err *e)
{
	const struct dns_how plain = { .server = NULL };

	return dns_ask_how(d, name, type, &plain, done, arg, e);
}

int
dns_ask_how(struct dns *d, const char *name, enum dns_type type,
    const struct dns_how *how, dns_done *done, void *arg, struct err *e)
{
	struct waiter *w = calloc(1, sizeof *w);
	struct dns_question question;
	struct dns_answer *a;
	struct query *q;

	if (w == NULL)
		return err_temp(e, "out of memory");
	w->done = done;
	w->arg = arg;
	a = answer_at_hand(d, name, type, how, &question);
	if (a != NULL) {
		dns_ready(d, w, a);
		dns_answer_free(a);
	} else {
		q = query_find(d, &question);
		if (q == NULL)
			q = query_new(d, &question, how->server);
		if (q == NULL) {
			free(w);
			return err_temp(e, "out of memory");
		}
		TAILQ_INSERT_TAIL(&q->waiters, w, link);
	}
	d->outstanding++;
	return 0;
}

static void
forget_waiters(struct dns *d, struct query *q, const void *arg)
{
	struct waiter *w, *next;

	for (w = TAILQ_FIRST(&q->waiters); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->arg != arg)
			continue;
		TAILQ_REMOVE(&q->waiters, w, link);
		d->outstanding--;
		free(w);
	}
}

void
dns_forget(struct dns *d, const void *arg)
{
	struct waiter *w, *next;
	struct query *q;

	for (q = TAILQ_FIRST(&d->queued); q != NULL; q = TAILQ_NEXT(q, line))
		forget_waiters(d, q, arg);
	for (q = TAILQ_FIRST(&d->queued_own); q != NULL;
	     q = TAILQ_NEXT(q, line))
		forget_waiters(d, q, arg);
	for (q = TAILQ_FIRST(&d->flying); q != NULL; q = TAILQ_NEXT(q, line))
		forget_waiters(d, q, arg);
	for (w = TAILQ_FIRST(&d->ready); w != NULL; w = next) {
		next = TAILQ_NEXT(w, link);
		if (w->arg != arg)
			continue;
		drop_ready(d, w);
		free_waiter(w);
	}
}

void
dns_limit(struct dns *d, int64_t until_ms)
{
	d->until_ms = until_ms;
}

size_t
dns_outstanding(const struct dns *d)
{
	return d->outstanding;
}

/* ---- run ---- */

static void
look_at_clock(struct dns *d)
{
	int64_t now_ms = clock_monotonic_ms();
	int64_t credit = d->credit + (now_ms - d->now_ms) * CREDIT_PER_MS;

	d->credit = credit < CREDIT_MAX ? (int)credit : CREDIT_MAX;
	d->now_ms = now_ms;
}

/* The next that may take off; NULL: none. */
static struct query *
next_queued(const struct dns *d)
{
	if (d->nflying >= d->window)
		return NULL;
	if (d->nown < DNS_OWN_MAX && !TAILQ_EMPTY(&d->queued_own))
		return TAILQ_FIRST(&d->queued_own);
	return TAILQ_FIRST(&d->queued);
}

/* Send what waits to be sent, and can be paid for. */
static void
send_more(struct dns *d)
{
	struct query *q;

	while (d->credit > 0 && (q = TAILQ_FIRST(&d->again)) != NULL)
		query_next(d, q);
	while (d->credit > 0 && (q = next_queued(d)) != NULL)
		query_start(d, q);
}

static bool
has_more_to_send(const struct dns *d)
{
	return !TAILQ_EMPTY(&d->again) || next_queued(d) != NULL;
}

/* Everything whose time has come, and what follows from it. */
static void
advance(struct dns *d)
{
	struct query *q;

	while ((q = TAILQ_FIRST(&d->flying)) != NULL &&
	       q->deadline_ms <= d->now_ms)
		query_give_up(d, q);
	for (int i = 0; i < DNS_TRIES; i++)
		while ((q = TAILQ_FIRST(&d->tries[i])) != NULL &&
		       q->try_ends_ms <= d->now_ms)
			query_try_over(d, q);
	send_more(d);
}

/* For poll(2): until the next try or deadline is over; -1: there is none. */
static int
ms_to_next_event(const struct dns *d)
{
	const struct query *q = TAILQ_FIRST(&d->flying);
	int64_t next = q == NULL ? INT64_MAX : q->deadline_ms;

	if (has_more_to_send(d))
		return 1;
	for (int i = 0; i < DNS_TRIES; i++) {
		q = TAILQ_FIRST(&d->tries[i]);
		if (q != NULL && q->try_ends_ms < next)
			next = q->try_ends_ms;
	}
	return next == INT64_MAX ? -1 : clock_left_ms(next);
}

/* At most so many. With the answer to its question the socket of a query's
 * own server goes, so from that only one at a time. */
static void
read_packets(struct dns *d, struct dns_socket *s, int most)
{
	struct query *q;
	ssize_t n;

	for (int i = 0; i < most; i++) {
		n = recv(s->fd, d->packet, sizeof d->packet, MSG_TRUNC);
		if (n == -1 && errno != EAGAIN && errno != EINTR)
			query_socket_refused(d, s);
		if (n == -1)
			return;
		if (n < 12)
			continue; /* not even a header */
		if (n > (ssize_t)sizeof d->packet) {
			d->packet[2] |= 0x02; /* TC: cut here */
			n = sizeof d->packet;
		}
		q = query_by_id(d, s,
		    (uint16_t)(d->packet[0] << 8 | d->packet[1]));
		if (q != NULL)
			query_packet(d, q, d->packet, (size_t)n);
	}
}

static nfds_t
fill_polls(struct dns *d)
{
	struct query *q;
	nfds_t n = 0;

	for (unsigned i = 0; i < d->nservers * DNS_SOCKETS; i++)
		d->polls[n++] = (struct pollfd){
			.fd = d->servers[i / DNS_SOCKETS]
				  .sockets[i % DNS_SOCKETS]
				  .fd,
			.events = POLLIN,
		};
	for (q = LIST_FIRST(&d->tcp); q != NULL; q = LIST_NEXT(q, by_tcp))
		d->polls[n++] = (struct pollfd){
			.fd = dns_tcp_fd(q->tcp),
			.events = dns_tcp_events(q->tcp),
		};
	for (q = LIST_FIRST(&d->own); q != NULL; q = LIST_NEXT(q, by_own)) {
		q->own_poll = n;
		d->polls[n++] = (struct pollfd){
			.fd = q->own->sockets[0].fd,
			.events = POLLIN,
		};
	}
	return n;
}

/* The servers that one question is for. What took off since poll(2) has no
 * index yet. */
static void
read_own(struct dns *d)
{
	struct query *q, *next;

	for (q = LIST_FIRST(&d->own); q != NULL; q = next) {
		const struct pollfd *p = &d->polls[q->own_poll];

		next = LIST_NEXT(q, by_own);
		if (q->own_poll > 0 && p->fd != -1 && p->revents != 0 &&
		    q->own->sockets[0].fd == p->fd)
			read_packets(d, &q->own->sockets[0], 1);
	}
}

/* The TCP connections first: they are in the order of their list only as long
 * as nothing else happened. */
static void
read_polls(struct dns *d)
{
	const struct pollfd *p = d->polls + d->nservers * DNS_SOCKETS;
	struct query *q, *next;

	for (q = LIST_FIRST(&d->tcp); q != NULL; q = next, p++) {
		next = LIST_NEXT(q, by_tcp);
		if (p->revents != 0)
			query_tcp_ready(d, q);
	}
	p = d->polls;
	for (unsigned i = 0; i < d->nservers * DNS_SOCKETS; i++, p++)
		if (p->fd != -1 && p->revents != 0)
			read_packets(d,
			    &d->servers[i / DNS_SOCKETS]
				 .sockets[i % DNS_SOCKETS],
			    READS_MAX);
	read_own(d);
}

/* One turn of the loop. 0: a signal came; 1; -1. */
static int
turn(struct dns *d, bool wait, struct err *e)
{
	int n, timeout = 0;

	look_at_clock(d);
	advance(d);
	if (wait && TAILQ_EMPTY(&d->ready))
		timeout = ms_to_next_event(d);
	if (d->nflying > 0) {
		n = poll(d->polls, fill_polls(d), timeout);
		look_at_clock(d);
		if (n == -1)
			return errno == EINTR ? 0 : err_sys(e, "poll");
		read_polls(d);
		advance(d);
	}
	return 1;
}

/* Call back those who are ready now, not those who become so meanwhile. */
static void
deliver(struct dns *d)
{
	struct waiter *w;

	for (size_t n = d->nready; n > 0; n--) {
		w = TAILQ_FIRST(&d->ready);
		if (w == NULL)
			return;
		drop_ready(d, w);
		w->done(w->arg, w->answer);
		free_waiter(w);
	}
}

long
dns_run(struct dns *d, bool wait, struct err *e)
{
	int rc;

	do {
		rc = turn(d, wait, e);
		if (rc == -1)
			return -1;
	} while (rc == 1 && wait && TAILQ_EMPTY(&d->ready) &&
		 d->outstanding > 0);
	deliver(d);
	return (long)d->outstanding;
}

/* ---- one question ---- */

static void
take_answer(void *arg, const struct dns_answer *a)
{
	struct dns_answer **answer = arg;

	*answer = dns_answer_share(a);
}

struct dns_answer *
dns_lookup(struct dns *d, const char *name, enum dns_type type, struct err *e)
{
	struct dns_answer *answer = NULL;

	if (dns_ask(d, name, type, take_answer, &answer, e) == -1)
		return NULL;
	while (answer == NULL)
		if (dns_run(d, true, e) == -1) {
			dns_forget(d, &answer);
			return NULL;
		}
	return answer;
}
