#include "spool/memory.h"

#include <stdlib.h>
#include <string.h>

#include "spool/memory_db.h"

#define RECORD_VERSION 1
#define TIME_MAX_S 253402300799 /* the year 9999 */
#define CATCHALL_AGE_S (30 * 86400)
#define CATCHALL_ASK_S 86400

/* What is known already is written again when it is older than this. */
#define REFRESH_GOOD_S 3600
#define REFRESH_OTHER_S 60

#define EVICT_TAKE 64 /* entries at most, to make room */

/* ---- keys and records ---- */

struct key {
	char bytes[MEMORY_KEY_MAX];
	size_t len;
};

void
memory_fold(char *out, const struct addr *rcpt)
{
	for (size_t i = 0; i < rcpt->local_len; i++) {
		char c = rcpt->text[i];

		out[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	out[rcpt->local_len] = '\0';
}

static int
set_key(struct key *key, const char *domain, const char *local, struct err *e)
{
	size_t domain_len = strlen(domain), local_len = strlen(local);

	if (domain_len > ADDR_DOMAIN_MAX || local_len > ADDR_LOCAL_MAX)
		return err_temp(e, "the address is too long to be remembered");
	memcpy(key->bytes, domain, domain_len);
	key->bytes[domain_len] = '@';
	memcpy(key->bytes + domain_len + 1, local, local_len);
	key->len = domain_len + 1 + local_len;
	return 0;
}

static int
set_rcpt_key(struct key *key, const char *domain, const struct addr *rcpt,
    struct err *e)
{
	char local[ADDR_LOCAL_MAX + 1];

	memory_fold(local, rcpt);
	return set_key(key, domain, local, e);
}

static MDB_val
key_value(struct key *key)
{
	return (MDB_val){ key->len, key->bytes };
}

static void
write_record(unsigned char record[MEMORY_RECORD_BYTES],
    const struct memory_fact *fact)
{
	uint64_t time = (uint64_t)fact->learned_s;

	record[0] = RECORD_VERSION;
	record[1] = (unsigned char)fact->answer;
	record[2] = (unsigned char)fact->source;
	record[3] = 0;
	for (int i = 0; i < 8; i++)
		record[4 + i] = (unsigned char)(time >> (8 * i));
}

/* False: of a later version, or nonsense; it counts as nothing. */
static bool
read_record(const MDB_val *value, struct memory_fact *fact)
{
	const unsigned char *record = value->mv_data;
	uint64_t time = 0;

	if (value->mv_size != MEMORY_RECORD_BYTES)
		return false;
	for (int i = 0; i < 8; i++)
		time |= (uint64_t)record[4 + i] << (8 * i);
	if (record[0] != RECORD_VERSION || record[1] > MEMORY_BAD ||
	    record[2] > MEMORY_IMPORT || time > TIME_MAX_S)
		return false;
	fact->answer = (enum memory_answer)record[1];
	fact->source = (enum memory_source)record[2];
	fact->learned_s = (int64_t)time;
	return true;
}

static bool
is_of_domain(const MDB_val *key, const struct key *prefix)
{
	return key->mv_size >= prefix->len &&
	       memcmp(key->mv_data, prefix->bytes, prefix->len) == 0;
}

/* ---- one entry, inside a transaction: 0 or LMDB's status ---- */

static int
get(MDB_txn *txn, MDB_dbi dbi, struct key *key, struct memory_fact *fact)
{
	MDB_val k = key_value(key), value;
	int status = mdb_get(txn, dbi, &k, &value);

	*fact = (struct memory_fact){ .answer = MEMORY_UNKNOWN };
	if (status == 0 && !read_record(&value, fact))
		return MDB_NOTFOUND;
	return status;
}

static int
put(MDB_txn *txn, MDB_dbi dbi, struct key *key, const struct memory_fact *fact)
{
	unsigned char record[MEMORY_RECORD_BYTES];
	MDB_val k = key_value(key), value = { sizeof record, record };

	write_record(record, fact);
	return mdb_put(txn, dbi, &k, &value, 0);
}

/* ---- finding ---- */

static int
find(struct memory *m, struct key *key, struct memory_fact *fact, struct err *e)
{
	MDB_txn *txn;
	int status;

	if (memory_begin_read(m, &txn, e) == -1)
		return -1;
	status = get(txn, m->dbi, key, fact);
	memory_end(m, txn);
	if (status == MDB_NOTFOUND)
		return 0;
	return status == 0 ? 1 : memory_failed(m, status, e);
}

int
memory_find(struct memory *m, const char *domain, const struct addr *rcpt,
    struct memory_fact *fact, struct err *e)
{
	struct key key;

	if (m->env == NULL)
		return 0;
	if (set_rcpt_key(&key, domain, rcpt, e) == -1)
		return -1;
	return find(m, &key, fact, e);
}

static bool
is_recent(const struct memory_fact *fact, int64_t now_s, int64_t max_s)
{
	return fact->learned_s <= now_s && now_s - fact->learned_s <= max_s;
}

static int
find_catchall(struct memory *m, const char *domain, struct memory_fact *fact,
    struct err *e)
{
	struct key key;

	if (set_key(&key, domain, "", e) == -1)
		return -1;
	return find(m, &key, fact, e);
}

int
memory_is_catchall(struct memory *m, const char *domain, int64_t now_s,
    struct err *e)
{
	struct memory_fact fact;
	int rc;

	if (m->env == NULL)
		return 0;
	rc = find_catchall(m, domain, &fact, e);
	if (rc != 1)
		return rc;
	return fact.answer == MEMORY_GOOD &&
	       is_recent(&fact, now_s, CATCHALL_AGE_S);
}

int
memory_asks_catchall(struct memory *m, const char *domain, int64_t now_s,
    struct err *e)
{
	struct memory_fact fact;
	int rc;

	if (m->env == NULL)
		return 0;
	rc = find_catchall(m, domain, &fact, e);
	if (rc != 1)
		return rc == 0 ? 1 : -1;
	return !is_recent(&fact, now_s, CATCHALL_ASK_S);
}

/* ---- learning ---- */

/* With a catch-all an accepted address proves nothing, and a refused one is
 * soon accepted: only lists know better. */
static int
check_catchall(MDB_txn *txn, MDB_dbi dbi, const struct memory_lesson *lesson,
    bool *proves_nothing)
{
	struct memory_fact fact;
	struct err ignored;
	struct key key;
	int status;

	*proves_nothing = false;
	if (lesson->fact.source == MEMORY_LIST ||
	    lesson->fact.source == MEMORY_IMPORT ||
	    set_key(&key, lesson->domain, "", &ignored) == -1)
		return 0;
	status = get(txn, dbi, &key, &fact);
	*proves_nothing =
	    status == 0 && fact.answer == MEMORY_GOOD &&
	    is_recent(&fact, lesson->fact.learned_s, CATCHALL_AGE_S);
	return status == MDB_NOTFOUND ? 0 : status;
}

static bool
is_news(const struct memory_fact *fact, const struct memory_fact *known)
{
	if (fact->answer == MEMORY_UNKNOWN && known->answer != MEMORY_UNKNOWN)
		return false;
	return fact->answer != known->answer ||
	       !is_recent(known, fact->learned_s,
		   fact->answer == MEMORY_GOOD ? REFRESH_GOOD_S
					       : REFRESH_OTHER_S);
}

/* Is it worth writing? *is_new: there is nothing yet in its place. An address
 * that cannot be a key is not. */
static int
weigh(MDB_txn *txn, MDB_dbi dbi, const struct memory_lesson *lesson,
    struct key *key, bool *is_worth, bool *is_new)
{
	struct memory_fact known;
	struct err ignored;
	bool proves_nothing;
	int status;

	*is_worth = *is_new = false;
	if (set_rcpt_key(key, lesson->domain, lesson->rcpt, &ignored) == -1)
		return 0;
	status = check_catchall(txn, dbi, lesson, &proves_nothing);
	if (status != 0 || proves_nothing)
		return status;
	status = get(txn, dbi, key, &known);
	*is_new = status == MDB_NOTFOUND;
	*is_worth = *is_new || (status == 0 && is_news(&lesson->fact, &known));
	return *is_new ? 0 : status;
}

static bool
is_full(MDB_txn *txn, const struct memory *m)
{
	MDB_stat st;

	return mdb_stat(txn, m->dbi, &st) == 0 &&
	       (st.ms_branch_pages + st.ms_leaf_pages + st.ms_overflow_pages) *
		       st.ms_psize >=
		   m->bytes_max;
}

/*
 * Take out some entries that are not good, the first ones behind the key
 * (and at the end from the beginning): bad ones are soon learned again.
 * *taken: how many.
 */
static int
evict(MDB_txn *txn, MDB_dbi dbi, struct key *key, unsigned *taken)
{
	MDB_val k = key_value(key), value;
	MDB_cursor *cursor;
	MDB_cursor_op op = MDB_SET_RANGE;
	MDB_stat all;
	int status = mdb_stat(txn, dbi, &all);

	*taken = 0;
	if (status == 0)
		status = mdb_cursor_open(txn, dbi, &cursor);
	if (status != 0)
		return status;
	for (size_t i = 0; i <= all.ms_entries && *taken < EVICT_TAKE; i++) {
		struct memory_fact fact;

		status = mdb_cursor_get(cursor, &k, &value, op);
		op = status == MDB_NOTFOUND ? MDB_FIRST : MDB_NEXT;
		if (status == MDB_NOTFOUND)
			continue;
		if (status == 0 && read_record(&value, &fact) &&
		    fact.answer != MEMORY_GOOD) {
			status = mdb_cursor_del(cursor, 0);
			++*taken;
		}
		if (status != 0)
			break;
	}
	mdb_cursor_close(cursor);
	return status == MDB_NOTFOUND ? 0 : status;
}

/* Where the key has no entry yet one is put, and others go when it is full. */
static int
put_new(struct memory *m, MDB_txn *txn, struct key *key,
    const struct memory_fact *fact)
{
	unsigned taken = 1;
	int status = 0;

	if (is_full(txn, m))
		status = evict(txn, m->dbi, key, &taken);
	if (status == 0 && taken == 0)
		return MDB_MAP_FULL;
	return status == 0 ? put(txn, m->dbi, key, fact) : status;
}

/* One lesson in a writing transaction. *written counts. */
static int
learn_one(struct memory *m, MDB_txn *txn, const struct memory_lesson *lesson,
    int *written)
{
	struct key key;
	bool is_worth, is_new;
	int status = weigh(txn, m->dbi, lesson, &key, &is_worth, &is_new);

	if (status != 0 || !is_worth)
		return status;
	status = is_new ? put_new(m, txn, &key, &lesson->fact)
			: put(txn, m->dbi, &key, &lesson->fact);
	*written += status == 0;
	return status;
}

/* Look before writing: most sessions bring nothing new. 1, 0, -1. */
static int
is_any_worth(struct memory *m, const struct memory_lesson *lessons, size_t n,
    struct err *e)
{
	bool is_worth = false, is_new;
	MDB_txn *txn;
	int status = 0;

	if (memory_begin_read(m, &txn, e) == -1)
		return -1;
	for (size_t i = 0; i < n && status == 0 && !is_worth; i++) {
		struct key key;

		status =
		    weigh(txn, m->dbi, &lessons[i], &key, &is_worth, &is_new);
	}
	memory_end(m, txn);
	return status == 0 ? is_worth : memory_failed(m, status, e);
}

static int
told_full(struct memory *m, int status, struct err *e)
{
	if (status != MDB_MAP_FULL)
		return memory_failed(m, status, e);
	return err_temp(e,
	    "recipient memory %s: full: %zu bytes, and only good recipients to "
	    "forget",
	    m->path, m->bytes_max);
}

int
memory_learn(struct memory *m, const struct memory_lesson *lessons, size_t n,
    struct err *e)
{
	MDB_txn *txn;
	int rc, status = 0, written = 0;

	if (m->env == NULL || n == 0)
		return 0;
	rc = is_any_worth(m, lessons, n, e);
	if (rc != 1)
		return rc;
	if (memory_begin_write(m, &txn, e) == -1)
		return -1;
	for (size_t i = 0; i < n && status == 0; i++)
		status = learn_one(m, txn, &lessons[i], &written);
	if (status != 0) {
		memory_end(m, txn);
		return told_full(m, status, e);
	}
	return memory_commit(m, txn, e) == -1 ? -1 : written;
}

int
memory_set_catchall(struct memory *m, const char *domain, bool is_catchall,
    int64_t now_s, struct err *e)
{
	const struct memory_fact fact = {
		is_catchall ? MEMORY_GOOD : MEMORY_BAD, MEMORY_PROBE, now_s
	};
	struct key key;
	MDB_txn *txn;
	int status;

	if (m->env == NULL)
		return 0;
	if (set_key(&key, domain, "", e) == -1 ||
	    memory_begin_write(m, &txn, e) == -1)
		return -1;
	status = put(txn, m->dbi, &key, &fact);
	if (status == 0)
		return memory_commit(m, txn, e);
	memory_end(m, txn);
	return told_full(m, status, e);
}

/* ---- going through ---- */

#define BATCH 64

/* Entries of one short transaction, and where the next one goes on. */
struct batch {
	struct memory_entry entries[BATCH];
	size_t n;
	struct key at; /* the first key not yet seen, or what comes before */
	bool is_begun; /* at was seen already */
	bool is_last;
};

static bool
is_shown(const char *s, size_t len)
{
	size_t n;

	for (; len > 0; s += n, len -= n) {
		n = addr_utf8_char(s, len);
		if (n == 0 || *s == 0x7f || (unsigned char)*s < 0x20)
			return false;
	}
	return true;
}

/* False: not one of ours, whoever wrote it, or that a domain has no
 * catch-all. */
static bool
read_entry(const MDB_val *key, const MDB_val *value, struct memory_entry *entry)
{
	const char *bytes = key->mv_data;
	const char *at = memchr(bytes, '@', key->mv_size);
	size_t domain_len, local_len;

	if (at == NULL || !read_record(value, &entry->fact))
		return false;
	domain_len = (size_t)(at - bytes);
	local_len = key->mv_size - domain_len - 1;
	if (domain_len > ADDR_DOMAIN_MAX || local_len > ADDR_LOCAL_MAX ||
	    !is_shown(bytes, key->mv_size))
		return false;
	memcpy(entry->domain, bytes, domain_len);
	entry->domain[domain_len] = '\0';
	memcpy(entry->local, at + 1, local_len);
	entry->local[local_len] = '\0';
	return local_len > 0 || entry->fact.answer == MEMORY_GOOD;
}

static int
fill_batch(struct batch *b, MDB_cursor *cursor, const struct key *prefix)
{
	MDB_val k = key_value(&b->at), value;
	int status = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);

	if (status == 0 && b->is_begun && k.mv_size == b->at.len &&
	    memcmp(k.mv_data, b->at.bytes, k.mv_size) == 0)
		status = mdb_cursor_get(cursor, &k, &value, MDB_NEXT);
	b->n = 0;
	while (status == 0 && is_of_domain(&k, prefix)) {
		if (k.mv_size <= sizeof b->at.bytes) {
			memcpy(b->at.bytes, k.mv_data, k.mv_size);
			b->at.len = k.mv_size;
			b->is_begun = true;
			b->n += read_entry(&k, &value, &b->entries[b->n]);
		}
		if (b->n == BATCH)
			return 0;
		status = mdb_cursor_get(cursor, &k, &value, MDB_NEXT);
	}
	b->is_last = true;
	return status == MDB_NOTFOUND ? 0 : status;
}

static int
read_batch(struct memory *m, struct batch *b, const struct key *prefix,
    struct err *e)
{
	MDB_cursor *cursor;
	MDB_txn *txn;
	int status;

	if (memory_begin_read(m, &txn, e) == -1)
		return -1;
	status = mdb_cursor_open(txn, m->dbi, &cursor);
	if (status == 0) {
		status = fill_batch(b, cursor, prefix);
		mdb_cursor_close(cursor);
	}
	memory_end(m, txn);
	return status == 0 ? 0 : memory_failed(m, status, e);
}

int
memory_each(struct memory *m, const char *domain,
    int (*take)(void *arg, const struct memory_entry *entry), void *arg,
    struct err *e)
{
	struct batch b = { .is_last = false };
	struct key prefix = { .len = 0 };

	if (domain != NULL && set_key(&prefix, domain, "", e) == -1)
		return -1;
	b.at = prefix;
	if (domain == NULL) { /* LMDB has no empty keys, nor have domains */
		b.at.bytes[0] = '\0';
		b.at.len = 1;
	}
	while (!b.is_last && m->env != NULL) {
		if (read_batch(m, &b, &prefix, e) == -1)
			return -1;
		for (size_t i = 0; i < b.n; i++) {
			int rc = take(arg, &b.entries[i]);

			if (rc != 0)
				return rc;
		}
	}
	return 0;
}

/* ---- whole domains, inside a writing transaction ---- */

/* Take out the domain's entries; only good ones, if is_good. */
static int
clear(MDB_txn *txn, MDB_dbi dbi, struct key *prefix, bool only_good,
    long *taken)
{
	MDB_val k = key_value(prefix), value;
	MDB_cursor *cursor;
	int status = mdb_cursor_open(txn, dbi, &cursor);

	if (status != 0)
		return status;
	status = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
	while (status == 0 && is_of_domain(&k, prefix)) {
		struct memory_fact fact = { .answer = MEMORY_UNKNOWN };
		bool is_read = read_record(&value, &fact);

		if (!only_good || (is_read && fact.answer == MEMORY_GOOD &&
				      k.mv_size > prefix->len)) {
			*taken += k.mv_size > prefix->len ||
				  fact.answer == MEMORY_GOOD;
			status = mdb_cursor_del(cursor, 0);
			if (status != 0)
				break;
		}
		status = mdb_cursor_get(cursor, &k, &value, MDB_NEXT);
	}
	mdb_cursor_close(cursor);
	return status == MDB_NOTFOUND ? 0 : status;
}

static int
forget_one(MDB_txn *txn, MDB_dbi dbi, struct key *key, long *taken)
{
	MDB_val k = key_value(key);
	int status = mdb_del(txn, dbi, &k, NULL);

	*taken = status == 0;
	return status == MDB_NOTFOUND ? 0 : status;
}

long
memory_forget(struct memory *m, const char *domain, const struct addr *rcpt,
    struct err *e)
{
	struct key key;
	MDB_txn *txn;
	long taken = 0;
	int status;

	if (m->env == NULL)
		return 0;
	if ((rcpt == NULL ? set_key(&key, domain, "", e)
			  : set_rcpt_key(&key, domain, rcpt, e)) == -1 ||
	    memory_begin_write(m, &txn, e) == -1)
		return -1;
	status = rcpt == NULL ? clear(txn, m->dbi, &key, false, &taken)
			      : forget_one(txn, m->dbi, &key, &taken);
	if (status != 0) {
		memory_end(m, txn);
		return told_full(m, status, e);
	}
	return memory_commit(m, txn, e) == -1 ? -1 : taken;
}

/* ---- importing ---- */

static int
compare_local(const MDB_val *key, size_t skip, const char *local)
{
	size_t key_len = key->mv_size - skip, local_len = strlen(local);
	int order = memcmp((const char *)key->mv_data + skip, local,
	    key_len < local_len ? key_len : local_len);

	if (order != 0)
		return order;
	return (key_len > local_len) - (key_len < local_len);
}

/* Count what would change: both lists are sorted, so one pass over each. */
static int
compare(MDB_txn *txn, MDB_dbi dbi, struct key *prefix,
    const struct memory_import *import, struct memory_change *change)
{
	MDB_val k = key_value(prefix), value;
	MDB_cursor *cursor;
	size_t i = 0, kept = 0;
	int status = mdb_cursor_open(txn, dbi, &cursor);

	if (status != 0)
		return status;
	status = mdb_cursor_get(cursor, &k, &value, MDB_SET_RANGE);
	for (; status == 0 && is_of_domain(&k, prefix);
	     status = mdb_cursor_get(cursor, &k, &value, MDB_NEXT)) {
		struct memory_fact fact;

		if (k.mv_size == prefix->len || !read_record(&value, &fact) ||
		    memory_believe(&fact, &import->ages, import->now_s) !=
			MEMORY_GOOD)
			continue;
		change->before++;
		while (i < import->nlocals &&
		       compare_local(&k, prefix->len, import->locals[i]) > 0)
			i++;
		if (i < import->nlocals &&
		    compare_local(&k, prefix->len, import->locals[i]) == 0)
			kept++;
	}
	mdb_cursor_close(cursor);
	change->lost = change->before - kept;
	change->added = import->nlocals - kept;
	return status == MDB_NOTFOUND ? 0 : status;
}

static int
put_all(struct memory *m, MDB_txn *txn, const struct memory_import *import,
    struct err *e)
{
	const struct memory_fact fact = { MEMORY_GOOD, MEMORY_IMPORT,
		import->now_s };
	int status = 0;

	for (size_t i = 0; i < import->nlocals && status == 0; i++) {
		struct key key;

		if (set_key(&key, import->domain, import->locals[i], e) == -1)
			return MDB_BAD_VALSIZE;
		status = put_new(m, txn, &key, &fact);
	}
	return status;
}

int
memory_replace(struct memory *m, const struct memory_import *import,
    struct memory_change *change, struct err *e)
{
	struct key prefix;
	MDB_txn *txn;
	long taken = 0;
	int status;

	memset(change, 0, sizeof *change);
	if (m->env == NULL)
		return err_temp(e, "the recipient memory is not open");
	if (set_key(&prefix, import->domain, "", e) == -1 ||
	    memory_begin_write(m, &txn, e) == -1)
		return -1;
	status = compare(txn, m->dbi, &prefix, import, change);
	if (status == 0 &&
	    change->lost * 100 > change->before * import->shrink_max) {
		memory_end(m, txn);
		return 0;
	}
	if (status == 0)
		status = clear(txn, m->dbi, &prefix, true, &taken);
	if (status == 0)
		status = put_all(m, txn, import, e);
	if (status != 0) {
		memory_end(m, txn);
		return told_full(m, status, e);
	}
	return memory_commit(m, txn, e) == -1 ? -1 : 1;
}
