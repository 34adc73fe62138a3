#ifndef BMX_MXCHECK_BASELINE_H
#define BMX_MXCHECK_BASELINE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "judge.h"

/*
 * What a former run found (its --json), so that only what is new is told: a
 * finding is known by its domain, check, severity, outcome and subject, not by
 * its evidence, which may hold numbers that change by themselves.
 */
#define BASELINE_MAX 4000000 /* findings: 8 bytes each */

struct baseline {
	uint64_t *known; /* hashes, sorted */
	size_t n, room;
};

/* clang-format off */
#define BASELINE_INIT { NULL, 0, 0 }
/* clang-format on */

/* -1: ERR_USAGE (cannot be opened), ERR_DATA (with the line), ERR_TEMP. */
int baseline_load(struct baseline *b, const char *path, struct err *e);
void baseline_free(struct baseline *b);

/* Take the known findings out of j; j->is_known says of which checks. */
void baseline_apply(const struct baseline *b, const char *domain,
    struct judgement *j);

#endif
