#ifndef BMX_FLUSH_PROGRESS_H
#define BMX_FLUSH_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

/*
 * How far a drain is, for a person who watches: one line that is written over,
 * with the rate and the time that is left. Only on a terminal, never when
 * NO_COLOR is set.
 */
struct progress {
	FILE *out;         /* NULL: nobody watches */
	const char *label; /* borrowed: the domain */
	unsigned long done, total;
	int64_t started_ms, shown_ms; /* clock_monotonic_ms() */
	int width;                    /* of what stands there now */
};

/* clang-format off */
#define PROGRESS_INIT { NULL, "", 0, 0, 0, 0, 0 }
/* clang-format on */

#define PROGRESS_LINE_MAX 160

/* Begin. out is a stream that may or may not be a terminal. */
void progress_begin(struct progress *p, FILE *out, const char *label,
    unsigned long total);

/* One more is done; drawn again at most a few times in a second. */
void progress_step(struct progress *p);

/* Wipe the line. Harmless when nothing was shown. */
void progress_end(struct progress *p);

/*
 * The line after elapsed_ms: "example.com [#####.....] 1234/5000 310/s, 12 s
 * left". A pure function of its arguments. Returns out, of PROGRESS_LINE_MAX
 * bytes.
 */
char *progress_line(char *out, const struct progress *p, int64_t elapsed_ms);

#endif
