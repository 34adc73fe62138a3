#ifndef BMX_BUF_H
#define BMX_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Growable bytes with a hard cap, so that no input can make us take memory
 * without bound. data is always followed by a NUL that len does not count (it
 * is "" while nothing was added).
 *
 * Failure is sticky: once an addition did not fit, or memory ran out, that
 * one and all later additions do nothing and buf_check() says so. A writer of
 * many pieces checks once, at the end.
 */
struct buf {
	char *data;
	size_t len;
	size_t size; /* bytes allocated */
	size_t max;  /* cap on len */
	bool failed;
};

/* clang-format off */
#define BUF_INIT(cap) { (char *)"", 0, 0, (cap), false }
/* clang-format on */

void buf_add(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *text);
void buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vaddf(struct buf *b, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

/* Make room for n more bytes and return where they go, or NULL (then failed
 * is set). The caller writes there and adds to len what it wrote. */
char *buf_room(struct buf *b, size_t n);

/* Drop the first n bytes; n <= len. */
void buf_consume(struct buf *b, size_t n);

/* Empty it but keep the memory; clears failed. */
void buf_reset(struct buf *b);

/* 0, or -1 and ERR_TEMP when an addition was lost. */
int buf_check(const struct buf *b, struct err *e);

/* Release the memory; b is empty and usable again with the same cap. */
void buf_free(struct buf *b);

#endif
