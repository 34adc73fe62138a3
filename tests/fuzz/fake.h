#ifndef FUZZ_FAKE_H
#define FUZZ_FAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "net/conn.h"

/*
 * The other end of a connection, in memory: fake.c takes the place of
 * lib/net/nowait.c, below the real conn.c. What our side writes goes to hear(),
 * which may answer with fake_say(). When nothing is left to read, our side finds
 * the end of input (is_closed), or silence: then every deadline must be over
 * already, or it waits.
 */
struct fake {
	void (*hear)(struct fake *f, const char *data, size_t len);
	size_t piece; /* the most that one read or write takes; 0: all */
	bool is_closed;
	struct buf said; /* not yet read by our side */
};

#define FAKE_SAID_MAX (1 << 20)

/* A connection to it. One at a time: *f stays until conn_close(). */
struct conn *fake_connect(struct fake *f);

void fake_say(struct fake *f, const char *data, size_t len);

#endif
