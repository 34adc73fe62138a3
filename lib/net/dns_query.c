#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "net/dns_answer.h"
#include "net/dns_engine.h"

/* A try that gets no reply, then the next one: with another server when there
 * is one. From the last on they are all equally long. */
static const int try_ms[DNS_TRIES] = { 800, 1600, 3200 };

/* A server that refuses (ICMP) may be about to start again; after this time
 * it counts as dead, and each question fails at once. After a pause without
 * refusals it gets the grace once more. */
#define REFUSED_GRACE_MS 3000
#define REFUSED_PAUSE_MS 10000

/* ---- the tables it is in ---- */

static struct query_bucket *
asked_bucket(struct dns *d, const struct dns_question *question)
{
	return &d->asked[dns_hash(question, d->seed) % DNS_ASKED_BUCKETS];
}

struct query *
query_find(struct dns *d, const struct dns_question *question)
{
	struct query *q;

	q = LIST_FIRST(asked_bucket(d, question));
	for (; q != NULL; q = LIST_NEXT(q, same))
		if (dns_question_same(&q->question, question))
			return q;
	return NULL;
}

static struct query_bucket *
id_bucket(struct dns *d, uint16_t id)
{
	return &d->ids[id % DNS_ID_BUCKETS];
}

struct query *
query_by_id(struct dns *d, const struct dns_socket *s, uint16_t id)
{
	struct query *q;

	q = LIST_FIRST(id_bucket(d, id));
	for (; q != NULL; q = LIST_NEXT(q, by_id))
		if (q->id == id && q->socket == s)
			return q;
	return NULL;
}

static void
set_turn(struct query *q, struct queries *turns)
{
	if (q->turns != NULL)
		TAILQ_REMOVE(q->turns, q, turn);
	q->turns = turns;
	if (turns != NULL)
		TAILQ_INSERT_TAIL(turns, q, turn);
}

static void
try_again(struct dns *d, struct query *q)
{
	set_turn(q, &d->again);
}

/* Wait as long as patience says: for a reply, or, paused, for nothing. */
static void
wait_a_try(struct dns *d, struct query *q)
{
	q->try_ends_ms = d->now_ms + try_ms[q->patience];
	set_turn(q, &d->tries[q->patience]);
}

/* Wait for no reply any more. */
static void
leave_try(struct dns *d, struct query *q)
{
	if (q->socket != NULL) {
		LIST_REMOVE(q, by_id);
		q->socket->in_flight--;
		q->socket = NULL;
	}
	if (q->tcp != NULL) {
		LIST_REMOVE(q, by_tcp);
		d->ntcp--;
		dns_tcp_close(q->tcp);
		q->tcp = NULL;
	}
	set_turn(q, NULL);
}

/* ---- begin and end ---- */

static struct dns_server *
server_of(struct dns *d, const struct query *q, unsigned server)
{
	return q->own != NULL ? q->own : &d->servers[server];
}

static struct queries *
queue_of(struct dns *d, const struct query *q)
{
	return q->own != NULL ? &d->queued_own : &d->queued;
}

static void
free_query(struct query *q)
{
	if (q->own != NULL)
		dns_server_close(q->own);
	free(q->own);
	free(q);
}

struct query *
query_new(struct dns *d, const struct dns_question *question,
    const struct endpoint *server)
{
	struct query *q = calloc(1, sizeof *q);

	if (q == NULL)
		return NULL;
	if (server != NULL) {
		q->own = malloc(sizeof *q->own);
		if (q->own == NULL) {
			free(q);
			return NULL;
		}
		dns_server_set(q->own, server);
	}
	q->question = *question;
	q->status = DNS_TIMEOUT;
	TAILQ_INIT(&q->waiters);
	LIST_INSERT_HEAD(asked_bucket(d, question), q, same);
	TAILQ_INSERT_TAIL(queue_of(d, q), q, line);
	return q;
}

static void
take_off(struct dns *d, struct query *q)
{
	TAILQ_REMOVE(queue_of(d, q), q, line);
	TAILQ_INSERT_TAIL(&d->flying, q, line);
	d->nflying++;
	if (q->own != NULL) {
		LIST_INSERT_HEAD(&d->own, q, by_own);
		d->nown++;
	}
}

static void
release(struct dns *d, struct query *q)
{
	leave_try(d, q);
	TAILQ_REMOVE(&d->flying, q, line);
	d->nflying--;
	if (q->own != NULL) {
		LIST_REMOVE(q, by_own);
		d->nown--;
	}
	LIST_REMOVE(q, same);
	free_query(q);
}

void
query_drop(struct dns *d, struct query *q)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&q->waiters)) != NULL) {
		TAILQ_REMOVE(&q->waiters, w, link);
		free(w);
		d->outstanding--;
	}
	if (q->deadline_ms == 0) /* still queued */
		take_off(d, q);
	release(d, q);
}

/* Everybody who asked gets a, which was ours. */
static void
finish(struct dns *d, struct query *q, struct dns_answer *a)
{
	struct waiter *w;

	while ((w = TAILQ_FIRST(&q->waiters)) != NULL) {
		TAILQ_REMOVE(&q->waiters, w, link);
		dns_ready(d, w, a);
	}
	dns_answer_free(a);
	release(d, q);
}

void
query_give_up(struct dns *d, struct query *q)
{
	char name[DNS_NAME_MAX];
	struct dns_answer *a;
	unsigned server = q->status == DNS_TIMEOUT ? q->server : q->blamed;

	a = dns_answer_empty(q->status, dns_question_name(&q->question, name));
	dns_answer_stamp(a, server_of(d, q, server)->text, false);
	finish(d, q, a);
}

void
query_start(struct dns *d, struct query *q)
{
	take_off(d, q);
	q->deadline_ms = d->now_ms + d->deadline_ms;
	if (d->until_ms > 0 && d->until_ms < q->deadline_ms)
		q->deadline_ms = d->until_ms;
	query_next(d, q);
}

/* ---- one try ---- */

/* The server has no answer to give. */
static void
server_failed(struct dns *d, struct query *q, enum dns_status status)
{
	static const int weight[] = {
		[DNS_TIMEOUT] = 0,
		[DNS_REFUSED] = 1,
		[DNS_MALFORMED] = 2,
		[DNS_SERVFAIL] = 3,
	};

	q->failed |= 1u << q->server;
	if (weight[status] > weight[q->status]) {
		q->status = status;
		q->blamed = q->server;
	}
	try_again(d, q);
}

/* Nobody is there. Unlike silence this is known at once, so the next server
 * is asked without waiting. */
static void
refused(struct dns *d, struct query *q)
{
	struct dns_server *s = server_of(d, q, q->server);

	leave_try(d, q);
	s->missed++;
	if (s->refused_since_ms == 0 ||
	    d->now_ms - s->refused_last_ms > REFUSED_PAUSE_MS)
		s->refused_since_ms = d->now_ms;
	s->refused_last_ms = d->now_ms;
	if (d->now_ms - s->refused_since_ms > REFUSED_GRACE_MS)
		server_failed(d, q, DNS_TIMEOUT);
	else
		try_again(d, q);
}

void
query_socket_refused(struct dns *d, const struct dns_socket *s)
{
	struct query *q = TAILQ_FIRST(&d->flying);

	for (; q != NULL; q = TAILQ_NEXT(q, line))
		if (q->socket == s)
			refused(d, q);
}

/* Is the packet away? One that the kernel had no room for counts as lost. */
static bool
send_packet(struct dns *d, struct dns_socket *s, const unsigned char *packet,
    size_t len)
{
	for (int i = 0; i < 2; i++) {
		if (send(s->fd, packet, len, 0) != -1 || errno == EAGAIN ||
		    errno == ENOBUFS || errno == EINTR)
			return true;
		/* what is reported here happened to an earlier packet */
		query_socket_refused(d, s);
	}
	return false;
}

static bool
send_udp(struct dns *d, struct query *q)
{
	unsigned char packet[DNS_QUERY_MAX];
	struct dns_socket *s;
	size_t len;

	s = dns_server_socket(server_of(d, q, q->server),
	    q->own != NULL ? 0 : dns_random(d));
	if (s == NULL)
		return false;
	do
		q->id = dns_random(d);
	while (query_by_id(d, s, q->id) != NULL);
	len = dns_encode(&q->question, q->id, q->edns, packet);
	d->credit--;
	if (!send_packet(d, s, packet, len))
		return false;
	q->socket = s;
	s->in_flight++;
	LIST_INSERT_HEAD(id_bucket(d, q->id), q, by_id);
	return true;
}

static void
ask_server(struct dns *d, struct query *q, unsigned server)
{
	q->server = server;
	q->tried |= 1u << server;
	if (send_udp(d, q))
		wait_a_try(d, q);
	else
		refused(d, q);
}

/* The reply does not fit into a UDP packet. */
static void
ask_by_tcp(struct dns *d, struct query *q)
{
	unsigned char packet[DNS_QUERY_MAX];
	size_t len;

	q->id = dns_random(d);
	len = dns_encode(&q->question, q->id, q->edns, packet);
	q->tcp = dns_tcp_open(&server_of(d, q, q->server)->ep, packet, len);
	if (q->tcp == NULL) {
		try_again(d, q);
		return;
	}
	LIST_INSERT_HEAD(&d->tcp, q, by_tcp);
	d->ntcp++;
	q->patience = DNS_TRIES - 1;
	wait_a_try(d, q);
}

/* ---- from try to try ---- */

/* Of the servers not in the set, the one that missed least; of equal ones the
 * first, as resolv.conf(5) has it. */
static unsigned
best_server(const struct dns *d, unsigned set)
{
	unsigned best = 0, missed = UINT32_MAX;

	for (unsigned i = 0; i < d->nservers; i++)
		if ((set & 1u << i) == 0 && d->servers[i].missed < missed) {
			best = i;
			missed = d->servers[i].missed;
		}
	return best;
}

void
query_next(struct dns *d, struct query *q)
{
	unsigned all = q->own != NULL ? 1 : (1u << d->nservers) - 1;

	if (q->failed == all) {
		query_give_up(d, q);
		return;
	}
	if ((q->tried | q->failed) == all) { /* a round is over */
		q->tried = 0;
		if (!q->has_waited) {
			wait_a_try(d, q);
			return;
		}
	}
	if (q->tried == 0)
		q->has_waited = false;
	q->edns = true;
	ask_server(d, q,
	    q->own != NULL ? 0 : best_server(d, q->tried | q->failed));
}

void
query_try_over(struct dns *d, struct query *q)
{
	if (q->socket != NULL || q->tcp != NULL)
		server_of(d, q, q->server)->missed++;
	leave_try(d, q);
	q->has_waited = true;
	if (q->patience < DNS_TRIES - 1)
		q->patience++;
	try_again(d, q);
}

void
query_packet(struct dns *d, struct query *q, const unsigned char *packet,
    size_t len)
{
	struct dns_server *s = server_of(d, q, q->server);
	bool by_tcp = q->tcp != NULL;
	struct dns_reply reply;

	dns_decode(&q->question, q->id, packet, len, &reply);
	if (reply.verdict == DNS_STRANGE && !by_tcp)
		return;
	d->credit += DNS_CREDIT_PER_REPLY;
	s->missed = 0;
	s->refused_since_ms = 0;
	if (reply.verdict == DNS_ANSWERED) {
		dns_answer_stamp(reply.answer, s->text, s->is_trusted);
		dns_cache_put(d->cache, &q->question, reply.answer, d->now_ms);
		finish(d, q, reply.answer);
		return;
	}
	leave_try(d, q);
	if (reply.verdict == DNS_CUT && !by_tcp) {
		ask_by_tcp(d, q);
	} else if (reply.verdict != DNS_FAILED) {
		server_failed(d, q, DNS_MALFORMED);
	} else if (reply.blame_edns && q->edns) {
		q->edns = false;
		ask_server(d, q, q->server);
	} else {
		server_failed(d, q, reply.status);
	}
}

void
query_tcp_ready(struct dns *d, struct query *q)
{
	const unsigned char *packet;
	size_t len;

	switch (dns_tcp_step(q->tcp)) {
	case DNS_TCP_MORE:
		break;
	case DNS_TCP_DONE:
		packet = dns_tcp_reply(q->tcp, &len);
		query_packet(d, q, packet, len);
		break;
	case DNS_TCP_GONE:
		leave_try(d, q);
		try_again(d, q);
		break;
	}
}
