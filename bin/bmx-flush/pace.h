#ifndef BMX_FLUSH_PACE_H
#define BMX_FLUSH_PACE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * How many connections, and how fast: a primary that has just come back is
 * weak, so it is asked for more only as it shows that it copes. Pure: no
 * clock of its own.
 *
 * The window is the number of connections there may be. It begins at one and
 * grows by one with each message that went well, so it doubles while a message
 * goes over each connection. It is halved when the primary says "not now" (4yz,
 * 421, a session that broke) or takes much longer for a message than it used
 * to; from then on PACE_GROWTH messages for each connection have to go well
 * before it grows by one. What was under way when it was halved says nothing
 * about the new window and is not counted.
 */
#define PACE_GROWTH 16
#define PACE_SLOW_MS 1000  /* a final reply sooner than that is never slow */
#define PACE_SLOW_FACTOR 4 /* and slow is so many times what is usual */

struct pace_limits {
	unsigned connections;      /* the window's most, at least 1 */
	unsigned rate;             /* messages a second; 0: any */
	uint64_t bytes_per_second; /* 0: any */
};

struct pace {
	struct pace_limits limits;
	unsigned window;
	bool was_halved;
	unsigned good;    /* messages since the window changed */
	unsigned ignored; /* results still to come from before it was halved */
	int64_t usual_us; /* a smoothed mean of the final replies; 0: none */
	int64_t next_us;  /* the next message may go then */
};

enum pace_event {
	PACE_GOOD, /* the message was taken */
	PACE_BAD,  /* "not now" */
	PACE_ELSE, /* neither: a refusal for good, a message that was gone */
};

void pace_begin(struct pace *p, const struct pace_limits *limits);

/* One message is through; wait_ms is the time from the final dot to its
 * reply, for PACE_GOOD. under_way: the messages that are still. */
void pace_result(struct pace *p, enum pace_event event, int64_t wait_ms,
    unsigned under_way);

/* Milliseconds until the next message may go, at the time now_ms; 0: now. */
int64_t pace_wait_ms(const struct pace *p, int64_t now_ms);

/* A message of so many bytes goes. */
void pace_sent(struct pace *p, uint64_t bytes, int64_t now_ms);

/*
 * The wait before a session is tried again when lost of them in a row brought
 * nothing: none for the first, then PACE_REOPEN_MS, doubling.
 */
#define PACE_REOPEN_MS 250
#define PACE_REOPEN_MAX_MS 8000
int64_t pace_reopen_ms(unsigned lost);

#endif
