/*
 * lib/smtp/sts_find between a hostile DNS, a hostile web server and a damaged
 * file: parts that end in NEXT_PART. The first is the kept file; each other one
 * is a look-up: a byte of time that goes by, a byte of what becomes of a fetch,
 * TXT records that end in NEXT_TEXT, and behind the last one what the web server
 * has. No answer takes a policy away before its time, none that is in force came
 * from elsewhere than a whole answer, and what was found is what was kept.
 *
 * libFuzzer: -max_len=8192
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "net/dns_answer.h"
#include "net/https.h"
#include "scratch.h"
#include "smtp/sts_find.h"
#include "same.h"

#define NOW_S 1795489874 /* 2026-11-24 */
#define RETRY_S 300      /* RFC 8461 3.3 */
#define DOMAIN "example.com"
#define NEXT_PART 0xff
#define NEXT_TEXT 0xfe
#define TEXTS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the world says in one look-up. */
static struct world {
	struct dns_rr rr[TEXTS_MAX];
	size_t nrr;
	const uint8_t *body;
	size_t body_len;
	enum https_result result;
	unsigned fetches;
} world;

/* ---- in place of lib/net/dns.c and https.c ---- */

struct dns_answer *
dns_lookup(struct dns *d, const char *name, enum dns_type type, struct err *e)
{
	static const unsigned char address[16] = { 127, 0, 0, 1 };
	size_t n = type == DNS_TXT ? world.nrr : 1;
	struct dns_answer *a;
	char *bytes;

	(void)d;
	(void)e;
	a = dns_answer_new(n == 0 ? DNS_NXDOMAIN : DNS_OK, n, 0, &bytes);
	assert(a != NULL && strstr(name, "." DOMAIN) != NULL);
	for (size_t i = 0; i < n; i++)
		if (type == DNS_TXT)
			a->rr[i] = world.rr[i];
		else
			memcpy(a->rr[i].addr, address, sizeof address);
	return a;
}

int
https_get(const struct https_request *r, struct buf *b,
    enum https_result *result, struct err *e)
{
	assert(strcmp(r->host, "mta-sts." DOMAIN) == 0 && r->nto == 2);
	world.fetches++;
	buf_add(b, world.body, world.body_len);
	*result = world.result;
	if (b->failed && *result == HTTPS_OK)
		*result = HTTPS_NOT_FETCHED;
	if (*result != HTTPS_OK)
		err_temp(e, "it \033 failed");
	return 0;
}

/* ---- the input ---- */

/* The next part, up to and without its end. */
static const uint8_t *
take(const uint8_t **p, const uint8_t *end, uint8_t mark, size_t *len)
{
	const uint8_t *begin = *p;
	const uint8_t *at = memchr(begin, mark, (size_t)(end - begin));

	*len = (size_t)((at == NULL ? end : at) - begin);
	*p = at == NULL ? end : at + 1;
	return begin;
}

/* Returns the time that goes by. */
static int64_t
make_world(const uint8_t *p, const uint8_t *end)
{
	static const int64_t spans[] = { 0, 1, RETRY_S - 1, RETRY_S, 43200,
		86400, 604800, -86400 };
	int64_t span;

	world = (struct world){ .nrr = 0 };
	if (end - p < 2)
		return 0;
	span = spans[*p++ % 8];
	world.result = (enum https_result)(*p++ % 4);
	while (world.nrr < TEXTS_MAX &&
	       memchr(p, NEXT_TEXT, (size_t)(end - p)) != NULL) {
		struct dns_rr *rr = &world.rr[world.nrr++];

		rr->raw.data = take(&p, end, NEXT_TEXT, &rr->raw.len);
	}
	world.body = p;
	world.body_len = (size_t)(end - p);
	return span;
}

/* ---- a look-up ---- */

static void
look(struct sts_found *found, int64_t now_s, bool is_offline)
{
	const struct sts_source from = { .state = scratch_path(),
		.is_offline = is_offline };
	struct err e = ERR_INIT;

	assert(sts_find(DOMAIN, &from, now_s, found, &e) == 0);
	assert_printable(found->why, sizeof found->why);
}

static bool
is_fetched(void)
{
	return world.fetches > 0 && world.result == HTTPS_OK;
}

/* In force now: a fresh one, or the one that was kept. */
static void
assert_found(const struct sts_found *found, const struct sts_found *before)
{
	static struct sts_policy served;
	struct err e = ERR_INIT;
	bool is_served = is_fetched() && sts_parse((const char *)world.body,
					     world.body_len, &served, &e) == 0;

	assert(found->has_policy == (is_served || before->has_policy));
	if (found->has_policy)
		assert_same_policy(&found->policy,
		    is_served ? &served : &before->policy);
	assert(is_served || world.fetches == 0 || found->result != TLS_OK);
}

/* When the last fetch was, in the words of the kept file: the failure that comes
 * in the second of a success is not in it. */
struct past {
	int64_t good_s, failed_s;
};

static void
note(struct past *past, int64_t now_s, bool is_good)
{
	if (is_good)
		*past = (struct past){ .good_s = now_s };
	else
		past->failed_s = now_s == past->good_s ? 0 : now_s;
}

static void
step(int64_t now_s, struct past *past)
{
	static struct sts_found before, found, kept;

	look(&before, now_s, true);
	assert(world.fetches == 0);
	look(&found, now_s, false);
	assert(world.fetches <= 1);
	if (world.fetches > 0)
		assert(now_s < past->failed_s ||
		       now_s - past->failed_s >= RETRY_S);
	assert_found(&found, &before);
	if (world.fetches > 0)
		note(past, now_s, found.result == TLS_OK);
	look(&kept, now_s, true);
	/* one without an age is over at once, but for a clock set back */
	if (!found.has_policy || found.policy.max_age_s > 0)
		assert(kept.has_policy == found.has_policy);
	if (kept.has_policy)
		assert_same_policy(&kept.policy, &found.policy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size, *part;
	struct past past = { 0, 0 };
	int64_t now_s = NOW_S;
	size_t len;

	mkdirat(scratch_fd(), "mta-sts", 0700);
	part = take(&p, end, NEXT_PART, &len);
	scratch_put("mta-sts/" DOMAIN, part, len);
	for (int i = 0; p < end && i < 8; i++) {
		part = take(&p, end, NEXT_PART, &len);
		now_s += make_world(part, part + len);
		step(now_s, &past);
	}
	return 0;
}
