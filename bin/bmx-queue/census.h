#ifndef BMX_QUEUE_CENSUS_H
#define BMX_QUEUE_CENSUS_H

#include <stddef.h>
#include <stdint.h>

#include "bmx-queue/jline.h"
#include "bmx-queue/output.h"
#include "bmx-queue/select.h"

/* What names tell of some messages, added up. */
struct counts {
	size_t messages, new, deferred, held, rcpts;
	uint64_t bytes;
	int64_t oldest_us; /* means nothing without messages */
};

void counts_add(struct counts *c, const struct spool_entry *entry,
    const struct output *o);
void counts_sum(struct counts *sum, const struct counts *c);

/* As members of an object that is open. */
void counts_json(struct jline *j, const struct counts *c);

/*
 * Counts of each selected domain, in the order of s->domains. No file is
 * opened unless the filter asks for what only files tell. The array is
 * malloc'ed; NULL: out of memory.
 */
struct counts *census(struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

/* Of all together. -1: out of memory. */
int census_total(struct counts *sum, struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

#endif
