/*
 * lib/mail/dot: the first byte is the size of the pieces. The decoder gives
 * the same for any pieces, and the same as a plain one; what the encoder
 * sends has only CRLF line ends, ends once, and decodes to what it was.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mail/dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	char *content;
	size_t len;
	size_t taken;
	bool is_end;
	struct dot_decoder d;
};

static void
decode(struct result *r, const char *in, size_t len, size_t piece)
{
	struct dot_slice out;
	size_t used;

	*r = (struct result){ malloc(len + 1), 0, 0, false, DOT_DECODER_INIT };
	assert(r->content != NULL);
	for (size_t at = 0; at < len && !r->is_end; at += piece) {
		size_t end = at + piece < len ? at + piece : len;

		while (r->taken < end && !r->is_end) {
			r->is_end = dot_decode(&r->d, in + r->taken,
			    end - r->taken, &used, &out);
			assert(r->len + out.len <= r->taken + used);
			memcpy(r->content + r->len, out.data, out.len);
			r->len += out.len;
			r->taken += used;
		}
	}
}

static bool
is_at(const char *in, size_t len, size_t at, const char *text)
{
	size_t n = strlen(text);

	return at + n <= len && memcmp(in + at, text, n) == 0;
}

/* The octets of the wire form that come before its end, or len. */
static size_t
find_end(const char *in, size_t len)
{
	for (size_t i = 0; i + 3 <= len; i++)
		if (is_at(in, len, i, ".\r\n") &&
		    (i == 0 || (i >= 2 && is_at(in, len, i - 2, "\r\n"))))
			return i;
	return len;
}

static void
assert_same(const struct result *a, const struct result *b)
{
	assert(a->len == b->len && a->taken == b->taken);
	assert(memcmp(a->content, b->content, a->len) == 0);
	assert(a->is_end == b->is_end && a->d.state == b->d.state);
	assert(a->d.is_bare == b->d.is_bare && a->d.has_nul == b->d.has_nul);
	assert(a->d.has_8bit == b->d.has_8bit);
}

/* The content watched as it would come by BDAT has the same faults. */
static void
assert_watched(const struct result *r, size_t piece)
{
	struct dot_decoder d = DOT_DECODER_INIT;

	for (size_t at = 0; at < r->len; at += piece)
		dot_watch(&d, r->content + at,
		    piece < r->len - at ? piece : r->len - at);
	assert(d.has_nul == r->d.has_nul && d.has_8bit == r->d.has_8bit);
	if (r->is_end) {
		assert(d.is_bare == r->d.is_bare);
		assert(dot_watched_whole(&d));
	}
}

/* False when there is a bare CR or LF. */
static bool
encode(char *wire, size_t *wire_len, const char *in, size_t len, size_t piece)
{
	struct dot_encoder d = DOT_ENCODER_INIT;
	struct dot_slice out;
	size_t used, done = 0;
	bool is_bare = false, more;

	*wire_len = 0;
	for (size_t at = 0; at < len; at += piece) {
		size_t end = at + piece < len ? at + piece : len;

		do {
			more = dot_encode(&d, in + done, end - done, &used,
			    &out, &is_bare);
			if (is_bare)
				return false;
			memcpy(wire + *wire_len, out.data, out.len);
			*wire_len += out.len;
			done += used;
		} while (more);
		assert(done == end);
	}
	out = dot_finish(&d);
	memcpy(wire + *wire_len, out.data, out.len);
	*wire_len += out.len;
	return true;
}

static bool
has_bare(const char *in, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (in[i] == '\n' && (i == 0 || in[i - 1] != '\r'))
			return true;
		if (in[i] == '\r' && i + 1 < len && in[i + 1] != '\n')
			return true;
	}
	return false;
}

/* What the encoder has to add so that content ends a line. */
static const char *
line_end(const char *in, size_t len)
{
	if (len == 0 || (len >= 2 && is_at(in, len, len - 2, "\r\n")))
		return "";
	return in[len - 1] == '\r' ? "\n" : "\r\n";
}

static void
try_encode(const char *in, size_t len, size_t piece)
{
	char *wire = malloc(2 * len + 5);
	const char *added = line_end(in, len);
	struct result r;
	size_t wire_len;

	assert(wire != NULL);
	if (!encode(wire, &wire_len, in, len, piece)) {
		assert(has_bare(in, len));
		free(wire);
		return;
	}
	assert(!has_bare(in, len) && !has_bare(wire, wire_len));
	assert(find_end(wire, wire_len) == wire_len - 3);
	decode(&r, wire, wire_len, piece);
	assert(r.is_end && r.taken == wire_len && !r.d.is_bare);
	assert(r.len == len + strlen(added));
	assert(memcmp(r.content, in, len) == 0);
	assert(memcmp(r.content + len, added, strlen(added)) == 0);
	free(r.content);
	free(wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in = (const char *)data + 1;
	size_t len = size - 1, piece;
	struct result whole, pieces;

	if (size == 0)
		return 0;
	piece = 1 + data[0] % 32;
	decode(&whole, in, len, len + 1);
	decode(&pieces, in, len, piece);
	assert_same(&whole, &pieces);
	assert(whole.is_end == (find_end(in, len) < len));
	assert(!whole.is_end || whole.taken == find_end(in, len) + 3);
	assert(!whole.is_end ||
	       whole.d.is_bare == has_bare(in, find_end(in, len)));
	assert_watched(&whole, piece);
	try_encode(in, len, piece);
	try_encode(whole.content, whole.len, piece);
	free(whole.content);
	free(pieces.content);
	return 0;
}
