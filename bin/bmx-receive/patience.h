#ifndef BMX_RECEIVE_PATIENCE_H
#define BMX_RECEIVE_PATIENCE_H

#include <stdint.h>

/*
 * How long a message may take: a client that sends a byte now and then must
 * not hold a process for ever. Pure: the caller has the clock (ms).
 */
struct patience {
	unsigned grace_s;  /* nobody is too slow before */
	uint64_t min_rate; /* bytes a second, on average, then; 0: any */
	unsigned max_s;    /* for a whole message; 0: any time */
	int64_t since_ms;  /* when the message began */
	uint64_t bytes;    /* that have come since */
};

void patience_begin(struct patience *p, int64_t now_ms);

/* When the client is too slow, unless more comes; INT64_MAX: never. */
int64_t patience_deadline_ms(const struct patience *p);

#endif
