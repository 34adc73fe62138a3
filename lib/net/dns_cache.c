#include "net/dns_cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "net/dns_answer.h"

#define BUCKETS 16384

struct entry {
	TAILQ_ENTRY(entry) use; /* the one used last is first */
	LIST_ENTRY(entry) bucket;
	struct dns_answer *answer;
	int64_t expires_ms;
	enum dns_type type;
	struct dns_place at;
	bool is_unchecked;
	size_t len;
	unsigned char wire[];
};

struct dns_cache {
	TAILQ_HEAD(entries, entry) use;
	size_t bytes, bytes_max;
	uint32_t seed;
	LIST_HEAD(, entry) buckets[BUCKETS];
};

static uint32_t
mix(uint32_t h, unsigned char byte)
{
	h = (h ^ byte) * 0x9e3779b1u;
	return h ^ h >> 15;
}

uint32_t
dns_hash(const struct dns_question *q, uint32_t seed)
{
	uint32_t h = seed ^ (uint32_t)q->type ^ q->at.port << 8;

	for (size_t i = 0; i < q->len; i++)
		h = mix(h, q->wire[i]);
	for (size_t i = 0; i < q->at.len; i++)
		h = mix(h, q->at.addr[i]);
	return h;
}

struct dns_cache *
dns_cache_new(size_t bytes_max, uint32_t seed)
{
	struct dns_cache *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	TAILQ_INIT(&c->use);
	c->bytes_max = bytes_max;
	c->seed = seed;
	return c;
}

static size_t
entry_size(const struct entry *n)
{
	return sizeof *n + n->len + dns_answer_size(n->answer);
}

static void
drop(struct dns_cache *c, struct entry *n)
{
	TAILQ_REMOVE(&c->use, n, use);
	LIST_REMOVE(n, bucket);
	c->bytes -= entry_size(n);
	dns_answer_free(n->answer);
	free(n);
}

void
dns_cache_free(struct dns_cache *c)
{
	if (c == NULL)
		return;
	while (!TAILQ_EMPTY(&c->use))
		drop(c, TAILQ_FIRST(&c->use));
	free(c);
}

static bool
is_of(const struct entry *n, const struct dns_question *q)
{
	return n->type == q->type && n->len == q->len &&
	       n->is_unchecked == q->is_unchecked &&
	       memcmp(n->wire, q->wire, q->len) == 0 &&
	       dns_place_same(&n->at, &q->at);
}

static struct entry *
find(struct dns_cache *c, const struct dns_question *q)
{
	struct entry *n;

	n = LIST_FIRST(&c->buckets[dns_hash(q, c->seed) % BUCKETS]);
	for (; n != NULL; n = LIST_NEXT(n, bucket))
		if (is_of(n, q))
			return n;
	return NULL;
}

struct dns_answer *
dns_cache_get(struct dns_cache *c, const struct dns_question *q, int64_t now_ms)
{
	struct entry *n = find(c, q);

	if (n == NULL)
		return NULL;
	if (n->expires_ms <= now_ms) {
		drop(c, n);
		return NULL;
	}
	TAILQ_REMOVE(&c->use, n, use);
	TAILQ_INSERT_HEAD(&c->use, n, use);
	return dns_answer_share(n->answer);
}

void
dns_cache_put(struct dns_cache *c, const struct dns_question *q,
    struct dns_answer *a, int64_t now_ms)
{
	uint32_t ttl = a->ttl < DNS_CACHE_TTL_MAX ? a->ttl : DNS_CACHE_TTL_MAX;
	struct entry *n;

	if (a->status > DNS_NXDOMAIN || ttl == 0)
		return;
	n = find(c, q);
	if (n != NULL)
		drop(c, n);
	n = malloc(sizeof *n + q->len);
	if (n == NULL)
		return;
	n->answer = dns_answer_share(a);
	n->expires_ms = now_ms + (int64_t)ttl * 1000;
	n->type = q->type;
	n->at = q->at;
	n->is_unchecked = q->is_unchecked;
	n->len = q->len;
	memcpy(n->wire, q->wire, q->len);
	TAILQ_INSERT_HEAD(&c->use, n, use);
	LIST_INSERT_HEAD(&c->buckets[dns_hash(q, c->seed) % BUCKETS], n,
	    bucket);
	c->bytes += entry_size(n);
	while (c->bytes > c->bytes_max)
		drop(c, TAILQ_LAST(&c->use, entries));
}
