/*
 * bmx-queue's unwire: the first byte is the size of the pieces. Any pieces give
 * the same; every CRLF is a LF, nothing else changes; and an mbox, unquoted as
 * its form says, is that again, with no line that another message begins with.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "bmx-queue/unwire.h"

#define TEXT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run(struct buf *out, const char *in, size_t len, size_t piece, bool is_mbox)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct unwire u = UNWIRE_INIT(f, is_mbox);

	assert(f != NULL);
	for (size_t at = 0; at < len; at += piece)
		unwire(&u, in + at, piece < len - at ? piece : len - at);
	unwire_end(&u);
	assert(fclose(f) == 0);
	buf_add(out, text, size);
	free(text);
}

static void
plain(struct buf *out, const char *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (in[i] != '\r' || i + 1 == len || in[i + 1] != '\n')
			buf_add(out, in + i, 1);
}

static void
assert_same(const struct buf *a, const struct buf *b)
{
	assert(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
}

static bool
begins_message(const char *p, const char *end)
{
	return end - p >= 5 && memcmp(p, "From ", 5) == 0;
}

static void
unquote(struct buf *out, const struct buf *mbox)
{
	const char *p = mbox->data, *end = p + mbox->len, *lf;

	for (; p < end; p = lf + 1) {
		const char *q = p;

		lf = memchr(p, '\n', (size_t)(end - p));
		assert(lf != NULL && !begins_message(p, end));
		while (q < lf && *q == '>')
			q++;
		p += q > p && begins_message(q, lf);
		buf_add(out, p, (size_t)(lf + 1 - p));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = BUF_INIT(TEXT_MAX), want = BUF_INIT(TEXT_MAX);
	struct buf mbox = BUF_INIT(TEXT_MAX), pieces = BUF_INIT(TEXT_MAX);
	struct buf back = BUF_INIT(TEXT_MAX);
	const char *in = (const char *)data + 1;
	size_t len = size - 1;

	if (size == 0)
		return 0;
	run(&whole, in, len, 1 + data[0], false);
	plain(&want, in, len);
	assert_same(&whole, &want);
	run(&mbox, in, len, 1 + data[0], true);
	run(&pieces, in, len, len + 1, true);
	assert_same(&mbox, &pieces);
	unquote(&back, &mbox);
	if (want.len > 0 && want.data[want.len - 1] != '\n')
		buf_puts(&want, "\n");
	assert_same(&back, &want);
	buf_free(&whole);
	buf_free(&want);
	buf_free(&mbox);
	buf_free(&pieces);
	buf_free(&back);
	return 0;
}
