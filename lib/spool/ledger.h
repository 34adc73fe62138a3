#ifndef BMX_LEDGER_H
#define BMX_LEDGER_H

#include <stdint.h>

#include "base/err.h"
#include "spool/spool.h"

/*
 * SPOOL/ledger/YYYY-MM: one line for each message handed over or given up,
 * "key=value" pairs, appended with one write. bmx-spool(5) lists the keys.
 */
struct ledger_line {
	const char *id, *domain;
	const char *what;   /* "delivered", "removed", "failed" */
	uint64_t size;      /* bytes of the message without its envelope */
	const char *sender; /* reverse-path without brackets */
	unsigned nrcpt;     /* recipients this line is about */
	const char *peer;   /* address, "" when none */
	const char *digest; /* SHA-256 of those bytes in hex; NULL: none */
	const char *reply;  /* the primary's final reply, or the reason */
	int64_t arrival_us;
};

/* One line, on disk when this returns. 0, -1. */
int ledger_add(const struct spool *sp, const struct ledger_line *line,
    int64_t now_us, struct err *e);

/* For who adds many: the file stays open from line to line, and lines are on
 * disk only after ledger_sync(). */
struct ledger {
	int fd; /* -1: not yet */
	char month[sizeof "YYYY-MM"];
};

/* clang-format off */
#define LEDGER_INIT { .fd = -1 }
/* clang-format on */

int ledger_append(struct ledger *l, const struct spool *sp,
    const struct ledger_line *line, int64_t now_us, struct err *e);
void ledger_close(struct ledger *l);

/* Make the lines of the last day, at least, durable: one call for many. 0, -1.
 * (The name of a month is before its first line.) */
int ledger_sync(const struct spool *sp, int64_t now_us, struct err *e);

#endif
