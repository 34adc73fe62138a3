/*
 * lib/spool/paused: any file is read, called damaged or over, and what was read
 * is written and read the same again.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "scratch.h"
#include "spool/paused.h"

#define NOW_S 1795489874 /* 2026-11-24 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_sane(const struct paused *p)
{
	assert(p->since_s != 0);
	assert(p->until_s == 0 || p->until_s > NOW_S);
	assert(memchr(p->reason, '\0', sizeof p->reason) != NULL);
	for (const char *c = p->reason; *c != '\0'; c++)
		assert(*c >= 0x20 && *c < 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct paused p, again;
	struct err e = ERR_INIT;
	int rc;

	scratch_put("paused", data, size);
	rc = paused_read(scratch_fd(), NOW_S, &p, &e);
	if (rc != 1) {
		assert(rc == 0 || (rc == -1 && e.class == ERR_DATA));
		return 0;
	}
	assert_sane(&p);
	assert(paused_write(scratch_fd(), &p, &e) == 0);
	assert(paused_read(scratch_fd(), NOW_S, &again, &e) == 1);
	assert(again.since_s == p.since_s && again.until_s == p.until_s);
	assert(again.uid == p.uid && strcmp(again.reason, p.reason) == 0);
	return 0;
}
