#include "bmx-receive/insist.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/network.h"

#define BUCKET_BYTES (INSIST_SLOTS * INSIST_ENTRY_BYTES)
#define CHECKED 28 /* bytes of an entry that its checksum is of */

/* ---- keys ---- */

#define HASH_START 0xcbf29ce484222325 /* FNV-1a, 64 bits */
#define HASH_PRIME 0x100000001b3

static uint64_t
hash(uint64_t h, const void *data, size_t len)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ bytes[i]) * HASH_PRIME;
	return h;
}

/* Letters are the same in either case; the NUL parts it from the next. */
static uint64_t
hash_folded(uint64_t h, const char *text)
{
	do {
		char c =
		    *text >= 'A' && *text <= 'Z' ? (char)(*text | 0x20) : *text;

		h = hash(h, &c, 1);
	} while (*text++ != '\0');
	return h;
}

uint64_t
insist_hash(const struct insist_key *key)
{
	static const unsigned char v4[12] = { [10] = 0xff, 0xff };
	struct network client;
	uint64_t h = HASH_START;

	if (network_parse(&client, key->client))
		h = hash(h, client.bytes,
		    memcmp(client.bytes, v4, sizeof v4) == 0 ? 15 : 8);
	return hash_folded(hash_folded(h, key->sender), key->rcpt);
}

/* ---- entries: key, first, last, tries, zero, checksum ---- */

static uint32_t
checksum(const unsigned char *entry)
{
	return (uint32_t)hash(HASH_START, entry, CHECKED);
}

/* Not there, damaged or long ago: tries is 0. */
static struct insist
read_entry(const unsigned char *entry, int64_t now_s)
{
	struct insist i = { .tries = 0 };
	uint32_t sum;

	memcpy(&sum, entry + CHECKED, sizeof sum);
	if (sum != checksum(entry))
		return i;
	memcpy(&i.key, entry, 8);
	memcpy(&i.first_s, entry + 8, 4);
	memcpy(&i.last_s, entry + 12, 4);
	memcpy(&i.tries, entry + 16, 4);
	if (i.last_s > now_s || now_s - i.last_s > INSIST_FORGET_S)
		i.tries = 0;
	return i;
}

static void
write_entry(unsigned char *entry, const struct insist *i)
{
	uint32_t sum;

	memset(entry, 0, INSIST_ENTRY_BYTES);
	memcpy(entry, &i->key, 8);
	memcpy(entry + 8, &i->first_s, 4);
	memcpy(entry + 12, &i->last_s, 4);
	memcpy(entry + 16, &i->tries, 4);
	sum = checksum(entry);
	memcpy(entry + CHECKED, &sum, sizeof sum);
}

static bool
gives_way(const struct insist *a, const struct insist *b)
{
	return a->tries != b->tries ? a->tries < b->tries
				    : a->last_s < b->last_s;
}

unsigned
insist_count(unsigned char bucket[BUCKET_BYTES], uint64_t key, int64_t now_s,
    struct insist *i, bool *is_changed)
{
	struct insist least = { .tries = 0 }, here;
	unsigned slot = 0;

	for (unsigned n = 0; n < INSIST_SLOTS; n++) {
		here = read_entry(bucket + n * INSIST_ENTRY_BYTES, now_s);
		if (here.tries > 0 && here.key == key) {
			least = here;
			slot = n;
			break;
		}
		if (n == 0 || gives_way(&here, &least)) {
			least = here;
			slot = n;
		}
	}
	*i = least;
	if (least.tries == 0 || least.key != key)
		*i = (struct insist){ .key = key, .first_s = (uint32_t)now_s };
	*is_changed = i->tries == 0 || now_s - i->last_s >= INSIST_APART_S;
	if (*is_changed) {
		i->last_s = (uint32_t)now_s;
		i->tries += i->tries < UINT32_MAX;
		write_entry(bucket + slot * INSIST_ENTRY_BYTES, i);
	}
	return slot;
}

bool
insist_is_enough(const struct insist *i, unsigned tries, unsigned over_s)
{
	return i->tries >= tries && i->last_s - i->first_s >= over_s;
}

/* ---- the file ---- */

static int
open_store(const char *state, struct err *e)
{
	char path[1024];
	struct stat st;
	int fd;

	if (snprintf(path, sizeof path, "%s/insist", state) >= (int)sizeof path)
		return err_config(e, "the state directory's path is too long");
	fd = open(path,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	if (fd == -1)
		return err_sys(e, "open %s", path);
	if (file_is_ours(fd, path, &st, e) == 0)
		return fd;
	close(fd);
	return -1;
}

/* A file that is too short reads as zeros: nothing is known. */
static int
count_in(int fd, uint64_t key, int64_t now_s, bool only_look, struct insist *i,
    struct err *e)
{
	unsigned char bucket[BUCKET_BYTES] = { 0 };
	off_t at = (off_t)(key % INSIST_BUCKETS) * BUCKET_BYTES;
	bool is_changed;
	unsigned slot;

	if (pread(fd, bucket, sizeof bucket, at) == -1)
		return err_sys(e, "read insist");
	slot = insist_count(bucket, key, now_s, i, &is_changed);
	if (!is_changed || only_look)
		return 0;
	if (pwrite(fd, bucket + slot * INSIST_ENTRY_BYTES, INSIST_ENTRY_BYTES,
		at + (off_t)slot * INSIST_ENTRY_BYTES) != INSIST_ENTRY_BYTES)
		return err_sys(e, "write insist");
	return 0;
}

int
insist_note(const char *state, const struct insist_key *key, int64_t now_s,
    bool only_look, struct insist *i, struct err *e)
{
	int fd = open_store(state, e), rc;

	*i = (struct insist){ .tries = 1 };
	if (fd == -1)
		return -1;
	rc = count_in(fd, insist_hash(key), now_s, only_look, i, e);
	close(fd);
	return rc;
}
