#ifndef BMX_RECEIVE_INSIST_H
#define BMX_RECEIVE_INSIST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/*
 * admit = defer sends clients to the primary while it is up. One that comes
 * back with the same mail all the same evidently cannot reach it: its tries
 * are counted here, and often enough over long enough lets it in (C1).
 *
 *	STATE/insist	INSIST_BUCKETS of INSIST_SLOTS entries of 32 bytes
 *
 * What comes again is known by a hash of the client's network (/24, /64), the
 * sender and the recipient; no address is written down. A key belongs in one
 * bucket; when that is full the entry with the fewest tries gives way, the
 * oldest of those, so that a flood of mail that comes once pushes out nobody
 * who insists. The file never grows.
 *
 * It may be lost, and nothing is locked or synced: an entry is written with
 * one short write(2), with a checksum, and two processes that write the same
 * one lose a try. Then the client comes once more.
 */
#define INSIST_BUCKETS 8192
#define INSIST_SLOTS 8

#define INSIST_APART_S 60           /* tries that are closer are one */
#define INSIST_FORGET_S (2 * 86400) /* without a try */

struct insist_key {
	const char *client; /* address; "" when it is not known */
	const char *sender, *rcpt;
};

struct insist {
	uint64_t key;
	uint32_t first_s, last_s; /* since 1970 */
	uint32_t tries;
};

/*
 * Note one more try, and what is known then into *i; with only_look nothing
 * is written. -1: the store is of no use, *i is one try.
 */
int insist_note(const char *state, const struct insist_key *key, int64_t now_s,
    bool only_look, struct insist *i, struct err *e);

/* Has it tried so often, over so long? Pure. */
bool insist_is_enough(const struct insist *i, unsigned tries, unsigned over_s);

/* ---- pure, for tests ---- */

uint64_t insist_hash(const struct insist_key *key);

#define INSIST_ENTRY_BYTES 32

/* Find the key in a bucket, or make room for it, and count the try. Returns
 * the number of its slot; *is_changed says whether it has to be written. */
unsigned insist_count(unsigned char bucket[INSIST_SLOTS * INSIST_ENTRY_BYTES],
    uint64_t key, int64_t now_s, struct insist *i, bool *is_changed);

#endif
