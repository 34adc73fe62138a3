/*
 * lib/spool/primary: any state file is read or called damaged, an old one is
 * never "down", and what was read is written and read the same again.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "scratch.h"
#include "spool/primary.h"

#define NOW_S 1795489874 /* 2026-11-24 */
#define AGE_S 900

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_text(const char *s, size_t size)
{
	size_t len = strnlen(s, size);

	assert(len < size);
	for (size_t i = 0; i < len; i++)
		assert(s[i] >= 0x20 && s[i] < 0x7f);
}

static void
assert_sane(const struct primary *p)
{
	assert(strlen(primary_verdict_name(p->verdict)) > 0);
	assert(strlen(primary_verdict_name(p->last)) > 0);
	assert_text(p->reason, sizeof p->reason);
	assert_text(p->address, sizeof p->address);
	assert(p->ntls <= PRIMARY_TLS_MAX);
	assert(p->probed_s != 0);
}

static void
assert_same_offer(const struct smtp_offer *a, const struct smtp_offer *b)
{
	assert(a->exts == b->exts && a->size_max == b->size_max);
	assert(a->rcpt_max == b->rcpt_max && a->mail_max == b->mail_max);
}

static void
assert_read_again(const struct primary *p)
{
	struct primary back;
	struct err e = ERR_INIT;

	assert(primary_write(scratch_fd(), p, &e) == 0);
	assert(primary_read(scratch_fd(), NOW_S, 0, &back, &e) == 1);
	assert(back.verdict == p->verdict && back.last == p->last);
	assert(back.run == p->run);
	assert(back.since_s == p->since_s && back.probed_s == p->probed_s);
	assert(back.good_s == p->good_s);
	assert(strcmp(back.reason, p->reason) == 0);
	assert(strcmp(back.address, p->address) == 0);
	assert_same_offer(&back.plain, &p->plain);
	assert_same_offer(&back.secured, &p->secured);
	assert(back.is_authenticated == p->is_authenticated);
	assert(back.ntls == p->ntls);
	for (size_t i = 0; i < p->ntls; i++)
		assert(back.tls[i].seen_s == p->tls[i].seen_s &&
		       strcmp(back.tls[i].address, p->tls[i].address) == 0);
}

/* A result on top of what was read. */
static void
assert_learns(struct primary p, enum primary_verdict result)
{
	enum primary_verdict before = p.verdict;
	bool changed = primary_learn(&p, result, "a\nb\xff", 2, 3, NOW_S);

	assert(changed == (p.verdict != before));
	assert(p.verdict == before || p.verdict == result);
	assert(p.last == result && p.run >= 1 && p.probed_s == NOW_S);
	assert(result != PRIMARY_UP || p.good_s == NOW_S);
	assert_text(p.reason, sizeof p.reason);
	assert_read_again(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct primary any, young;
	struct err e = ERR_INIT;
	int rc;

	scratch_remove("history");
	scratch_put("primary", data, size);
	rc = primary_read(scratch_fd(), NOW_S, 0, &any, &e);
	assert(rc == 1 || rc == -1);
	assert(primary_read(scratch_fd(), NOW_S, AGE_S, &young, &e) == rc);
	if (rc == -1) {
		assert(e.class == ERR_DATA);
		assert(any.verdict == PRIMARY_UNKNOWN);
		return 0;
	}
	assert_sane(&any);
	if (any.probed_s < NOW_S - AGE_S || any.probed_s > NOW_S + AGE_S)
		assert(young.verdict == PRIMARY_UNKNOWN);
	else
		assert(young.verdict == any.verdict);
	assert_read_again(&any);
	assert_learns(any, PRIMARY_UP);
	assert_learns(any, PRIMARY_DEFERRING);
	assert_learns(any, PRIMARY_DOWN);
	return 0;
}
