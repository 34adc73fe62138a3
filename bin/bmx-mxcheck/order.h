#ifndef BMX_MXCHECK_ORDER_H
#define BMX_MXCHECK_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/*
 * Records come ready in any order and go out in the order of the input. What
 * is ready too early waits here: never more than ORDER_RECORDS of them, nor
 * much more than ORDER_BYTES, so that one slow name holds up the others before
 * it holds memory.
 */
#define ORDER_RECORDS 65536
#define ORDER_BYTES (16 * 1024 * 1024)

struct order {
	int fd;            /* borrowed */
	const char *name;  /* of it, borrowed */
	bool is_unordered; /* as they come: nothing waits */
	struct order_record *ring;
	uint64_t next_in, next_out; /* numbers of records */
	size_t bytes;               /* that wait */
	struct buf ready;           /* and what waits for nothing but a write */
};

/* clang-format off */
#define ORDER_INIT(to, called) { .fd = (to), .name = (called), \
	.ready = BUF_INIT(2 * ORDER_BYTES) }
/* clang-format on */

int order_open(struct order *o, struct err *e);
void order_close(struct order *o);

/* True if another record may be begun. */
bool order_has_room(const struct order *o);

/* The number of the next record; only with room. Each has to be put. */
uint64_t order_begin(struct order *o);

/* The record is ready, and so is what waited for it. It is written when there
 * is enough of it, or by order_flush(). -1: ERR_TEMP, the run has to end. */
int order_put(struct order *o, uint64_t number, const char *text, size_t len,
    struct err *e);
int order_flush(struct order *o, struct err *e);

#endif
