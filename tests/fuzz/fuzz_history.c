/*
 * lib/spool/history: any file is read; spells are in order and within the time
 * asked about, the time that was up is no longer than that, and the next note
 * can be read again.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "scratch.h"
#include "spool/history.h"
#include "spool/primary.h"

#define NOW_S 1795489874 /* 2026-11-24 */
#define FROM_S (NOW_S - 400 * 86400)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_spell(const struct history_spell *s, int64_t from_s)
{
	assert(s->verdict != PRIMARY_UNKNOWN);
	assert(s->from_s >= from_s && s->from_s < s->to_s && s->to_s <= NOW_S);
	for (size_t i = 0; s->reason[i] != '\0'; i++)
		assert(s->reason[i] >= 0x20 && s->reason[i] < 0x7f);
}

/* The damaged lines. */
static size_t
assert_history(void)
{
	struct history h = HISTORY_INIT;
	int64_t end_s = FROM_S, sum_s = 0, up_s;
	struct err e = ERR_INIT;
	size_t damaged;

	assert(history_read(&h, scratch_fd(), FROM_S, NOW_S, &e) == 0);
	for (size_t i = 0; i < h.nspells; i++) {
		assert_spell(&h.spells[i], end_s);
		end_s = h.spells[i].to_s;
		if (h.spells[i].verdict == PRIMARY_UP)
			sum_s += end_s - h.spells[i].from_s;
	}
	for (size_t i = 1; i < h.ndays; i++)
		assert(h.days[i].start_s > h.days[i - 1].start_s);
	damaged = h.damaged;
	history_free(&h);
	assert(history_up_seconds(scratch_fd(), FROM_S, NOW_S, &up_s, &e) == 0);
	assert(up_s == sum_s && up_s <= NOW_S - FROM_S);
	return damaged;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char state[] = "verdict up\nprobed 2026-11-24T03:11:00Z\n"
				    "last up\nrun 3\n";
	struct primary p = PRIMARY_INIT;
	struct err e = ERR_INIT;
	size_t damaged;

	scratch_put("primary", state, sizeof state - 1);
	scratch_put("history", data, size);
	damaged = assert_history();
	primary_learn(&p, PRIMARY_UP, "", 2, 3, NOW_S - 90000);
	primary_learn(&p, PRIMARY_DOWN, "\"x\" y", 1, 1, NOW_S);
	assert(history_note(scratch_fd(), &p, &e) == 0);
	assert(assert_history() <= damaged);
	return 0;
}
