#ifndef BMX_QUEUE_UNWIRE_H
#define BMX_QUEUE_UNWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * A message from wire form to lines that end in LF, as mailboxes have them;
 * for an mbox a line that is any number of '>' and "From " gets one '>' more
 * ("mboxrd"), so that it can be undone. In pieces of any size.
 */
struct unwire {
	FILE *out;
	bool is_mbox;
	/* private */
	bool has_cr;   /* one was seen and is not written */
	bool in_line;  /* nothing is to be looked for up to its end */
	size_t quotes; /* '>' at the start of the line, not written */
	unsigned from; /* letters of "From ", not written */
};

/* clang-format off */
#define UNWIRE_INIT(stream, mbox) { .out = (stream), .is_mbox = (mbox) }
/* clang-format on */

/* Failure to write shows in ferror(). */
void unwire(struct unwire *u, const char *data, size_t len);

/* The end: what was not written yet, and in an mbox a line end where it is
 * missing. */
void unwire_end(struct unwire *u);

#endif
