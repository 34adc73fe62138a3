#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *
buf_room(struct buf *b, size_t n)
{
	size_t want, size;
	char *grown;

	if (b->failed || n > b->max - b->len) {
		b->failed = true;
		return NULL;
	}
	want = b->len + n + 1;
	if (want <= b->size)
		return b->data + b->len;
	size = b->size < 256 ? 256 : b->size;
	while (size < want)
		size += size / 2;
	grown = realloc(b->size > 0 ? b->data : NULL, size);
	if (grown == NULL) {
		b->failed = true;
		return NULL;
	}
	b->data = grown;
	b->size = size;
	return b->data + b->len;
}

void
buf_add(struct buf *b, const void *data, size_t len)
{
	char *room = buf_room(b, len);

	if (room == NULL)
		return;
	if (len > 0)
		memcpy(room, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_puts(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void
buf_vaddf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	char *room;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	room = len < 0 ? NULL : buf_room(b, (size_t)len);
	if (room != NULL) {
		vsnprintf(room, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	}
	if (len < 0)
		b->failed = true;
	va_end(again);
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void
buf_consume(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->size > 0)
		b->data[0] = '\0';
}

int
buf_check(const struct buf *b, struct err *e)
{
	if (b->failed)
		return err_temp(e, "more than %zu bytes, or out of memory",
		    b->max);
	return 0;
}

void
buf_free(struct buf *b)
{
	if (b->size > 0)
		free(b->data);
	b->data = (char *)"";
	b->len = b->size = 0;
	b->failed = false;
}
