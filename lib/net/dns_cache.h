#ifndef BMX_DNS_CACHE_H
#define BMX_DNS_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "net/dns_codec.h"

/*
 * Answers for as long as their TTL says, denials too (RFC 2308), for dns*.c.
 * Bounded: when it is full, what was not used for longest goes.
 */
#define DNS_CACHE_BYTES_MAX (16 * 1024 * 1024)
#define DNS_CACHE_TTL_MAX 86400 /* seconds */

struct dns_cache;

/* NULL: no memory. seed: random, so that nobody can aim at one bucket. */
struct dns_cache *dns_cache_new(size_t bytes_max, uint32_t seed);
void dns_cache_free(struct dns_cache *c);

/* The answer, to be released with dns_answer_free(); NULL: not there. Times
 * are clock_monotonic_ms(). */
struct dns_answer *dns_cache_get(struct dns_cache *c,
    const struct dns_question *q, int64_t now_ms);

/* Share the answer for its TTL; what is no answer is not kept, nor is one
 * that may not be (TTL 0) or cannot be (memory). */
void dns_cache_put(struct dns_cache *c, const struct dns_question *q,
    struct dns_answer *a, int64_t now_ms);

/* Of a question, as the cache does it; for tables like it. */
uint32_t dns_hash(const struct dns_question *q, uint32_t seed);

#endif
