#ifndef BMX_HISTORY_H
#define BMX_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "spool/primary.h"

/*
 * SPOOL/DOMAIN/history: when the primary was up, for more than a year. A line
 * for each change of the verdict and for each day that had results;
 * bmx-spool(5) has the grammar. primary_write() is the only writer, so whoever
 * learns something about a primary keeps its history too.
 *
 * What nobody looked at is not known: between two results that lie further
 * apart than HISTORY_GAP_S, and before the first and after the last one, the
 * primary counts neither as up nor as down.
 */
#define HISTORY_GAP_S 7200
#define HISTORY_KEEP_S (400 * 86400) /* older lines are dropped */

/* A time during which the verdict was the same and known, [from_s, to_s). It
 * begins with the first of the results that turned the verdict. */
struct history_spell {
	enum primary_verdict verdict; /* never PRIMARY_UNKNOWN */
	int64_t from_s, to_s;
	char reason[sizeof((struct primary *)0)->reason]; /* of the state, when
							     it began */
};

struct history {
	struct history_spell *spells; /* in order; time between two of them is
					 not known */
	size_t nspells;
	struct primary_day *days; /* in order, today included */
	size_t ndays;
	size_t damaged; /* lines that were passed over */
};

/* clang-format off */
#define HISTORY_INIT { .spells = NULL }
/* clang-format on */

/*
 * What is known of [from_s, to_s): spells are cut to it, days are those that
 * have a part of it. domain_fd is struct spool_domain's. 0, also when there
 * is no history; -1: it cannot be read. *h is to be given to history_free()
 * either way.
 */
int history_read(struct history *h, int domain_fd, int64_t from_s, int64_t to_s,
    struct err *e);
void history_free(struct history *h);

/* How long the primary was known to be up in [from_s, to_s), for lifetimes: a
 * message does not grow old while nobody knows. */
int history_up_seconds(int domain_fd, int64_t from_s, int64_t to_s,
    int64_t *up_s, struct err *e);

/* For primary_write(): append what *p tells that the last line does not. -1:
 * it could not; the next call makes up for it. */
int history_note(int domain_fd, const struct primary *p, struct err *e);

#endif
