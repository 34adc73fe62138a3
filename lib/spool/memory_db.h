#ifndef BMX_MEMORY_DB_H
#define BMX_MEMORY_DB_H

#include <lmdb.h>

#include "spool/memory.h"

/*
 * Inside the recipient memory: its LMDB environment, and the keys and records
 * in it. Only memory.c and memory_db.c include this.
 *
 * Key: DOMAIN '@' LOCAL, the domain first, so that a domain's recipients
 * stand together; DOMAIN '@' alone says whether it has a catch-all (good) or
 * was found to have none (bad). No domain has an '@'.
 * Record, little-endian: version 1, answer, source, zero, time (8 bytes).
 */
#define MEMORY_KEY_MAX (ADDR_DOMAIN_MAX + 1 + ADDR_LOCAL_MAX)
#define MEMORY_RECORD_BYTES 12

_Static_assert(MEMORY_KEY_MAX <= 511, "LMDB takes keys of 511 bytes");

/*
 * Begin a transaction, and end it in any way: readers and the one writer are
 * entered in the file busy in between. Who dies there leaves the entry
 * behind, and the next who opens the memory has a child walk through all of
 * it first: LMDB has no checksums, and a damaged page may kill its reader. So
 * it kills one, and not every session from then on. A child that goes round in
 * circles dies of a minute of the CPU; one that waits for a disk is waited for.
 *
 * A writer waits for others no longer than ten seconds (ERR_TEMP): one that
 * was stopped or hangs on its disk shall not hold up everybody's mail.
 */
int memory_begin_read(struct memory *m, MDB_txn **txn, struct err *e);
int memory_begin_write(struct memory *m, MDB_txn **txn, struct err *e);

/* Commit. -1: nothing was changed. */
int memory_commit(struct memory *m, MDB_txn *txn, struct err *e);

/* Give up what was written, or end reading. NULL is fine. */
void memory_end(struct memory *m, MDB_txn *txn);

/*
 * LMDB said status, and all transactions have ended: *e from it, and -1. When
 * it means that the file is damaged, m is closed and the file set aside.
 */
int memory_failed(struct memory *m, int status, struct err *e);

#endif
