/*
 * lib/spool/unverified: any file is counted, and a message that is added counts
 * once more for its recipient, and no other way.
 *
 * libFuzzer: -max_len=16384
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "scratch.h"
#include "spool/spool.h"
#include "spool/unverified.h"

#define ARRIVAL_US 1795489874123456 /* 2026-11-24 */
#define BYTES 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct counts {
	struct unverified_count each, all;
};

static struct counts
count(int64_t since_us, const struct addr *rcpt)
{
	struct counts c;
	struct err e = ERR_INIT;

	assert(unverified_count(scratch_fd(), since_us, rcpt, &c.each, &c.all,
		   &e) == 0);
	assert(c.each.messages <= c.all.messages);
	return c;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const texts[] = { "bob+=@example.com",
		"\"a b\"@example.com" };
	const struct addr *rcpts[2];
	struct addr addrs[2];
	struct counts before, after;
	char id[SPOOL_ID_LEN + 1];
	struct err e = ERR_INIT;

	for (int i = 0; i < 2; i++) {
		assert(addr_parse(texts[i], strlen(texts[i]), &addrs[i], &e) ==
		       0);
		rcpts[i] = &addrs[i];
	}
	assert(spool_new_id(id, ARRIVAL_US, &e) == 0);
	scratch_put("unverified", data, size);
	before = count(0, rcpts[0]);
	assert(unverified_add(scratch_fd(), 0, id, BYTES, rcpts, 2, &e) == 0);
	after = count(0, rcpts[0]);
	/* a line that a crash had cut may be whole now */
	assert(after.each.messages - before.each.messages - 1 <= 1);
	assert(after.all.messages - before.all.messages - 2 <= 1);
	assert(after.all.bytes >= before.all.bytes + BYTES ||
	       after.all.bytes == UINT64_MAX);
	assert(count(INT64_MAX, rcpts[0]).all.messages == 0);
	return 0;
}
