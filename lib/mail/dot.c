#include "mail/dot.h"

#include <stdint.h>
#include <string.h>

static const char dot[] = ".";
static const char cr[] = "\r";

/* ---- server ---- */

static void
note_bytes(struct dot_decoder *d, const char *p, size_t len)
{
	uint64_t word, seen = 0;

	d->has_nul = d->has_nul || memchr(p, '\0', len) != NULL;
	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(&word, p, sizeof word);
		seen |= word;
	}
	for (; len > 0; p++, len--)
		seen |= (unsigned char)*p;
	if ((seen & UINT64_C(0x8080808080808080)) != 0)
		d->has_8bit = true;
}

/*
 * Read content from p to the end of its line: after CRLF, after a bare LF, or
 * end. Returns where it stopped; p < end.
 */
static const char *
read_line(struct dot_decoder *d, const char *p, const char *end)
{
	const char *lf = memchr(p, '\n', (size_t)(end - p));
	const char *stop = lf != NULL ? lf : end;
	const char *first_cr = memchr(p, '\r', (size_t)(stop - p));
	bool after_cr = d->state == DOT_IN_LINE_CR; /* what stands at stop */

	note_bytes(d, p, (size_t)(stop - p));
	if (stop > p) {
		d->is_bare = d->is_bare || after_cr;
		after_cr = stop[-1] == '\r';
	}
	if (first_cr != NULL && first_cr != stop - 1)
		d->is_bare = true;
	if (lf == NULL) {
		d->state = after_cr ? DOT_IN_LINE_CR : DOT_IN_LINE;
		return end;
	}
	d->is_bare = d->is_bare || !after_cr;
	d->state = after_cr ? DOT_LINE_START : DOT_IN_LINE;
	return lf + 1;
}

/*
 * Most content is plain: whole lines, of which none begins with a dot. That is
 * seen of many bytes at once, each beside the one behind it.
 */
typedef unsigned char wide __attribute__((vector_size(16)));
#define WINDOW (8 * sizeof(wide))

static bool
is_any(const wide *bytes)
{
	uint64_t half[2];

	memcpy(half, bytes, sizeof half);
	return (half[0] | half[1]) != 0;
}

/* A window, and the byte behind it. False: there is a bare CR or LF, or a line
 * that begins with a dot. *all gets the bits of its bytes, *nul where one is 0. */
static bool
is_plain(const char *p, wide *all, wide *nul)
{
	wide odd = { 0 }, some = *all, zero = *nul;

	for (size_t i = 0; i < WINDOW; i += sizeof(wide)) {
		wide here, next;

		memcpy(&here, p + i, sizeof here);
		memcpy(&next, p + i + 1, sizeof next);
		odd |= (wide)((here == '\r') ^ (next == '\n'));
		odd |= (wide)((here == '\n') & (next == '.'));
		some |= here;
		zero |= (wide)(here == 0);
	}
	if (is_any(&odd))
		return false;
	*all = some;
	*nul = zero;
	return true;
}

/* Read plain content, whole windows, from the start of a line or within. What
 * is no window, or not plain, is left to read_line(). */
static const char *
read_plain(struct dot_decoder *d, const char *p, const char *end)
{
	const char *from = p;
	wide all = { 0 }, nul = { 0 };

	if (d->state == DOT_IN_LINE_CR || *p == '\n')
		return p;
	while ((size_t)(end - p) > WINDOW && is_plain(p, &all, &nul))
		p += WINDOW;
	if (p == from)
		return p;
	all &= 0x80;
	d->has_8bit = d->has_8bit || is_any(&all);
	d->has_nul = d->has_nul || is_any(&nul);
	d->state = p[-1] == '\n'   ? DOT_LINE_START
		   : p[-1] == '\r' ? DOT_IN_LINE_CR
				   : DOT_IN_LINE;
	return p;
}

static const char *
read_some(struct dot_decoder *d, const char *p, const char *end)
{
	const char *stop = read_plain(d, p, end);

	return stop > p ? stop : read_line(d, p, end);
}

/*
 * Take what stands before content at the start of a line: the dot that
 * transparency put there, or the end. Returns where content begins.
 */
static const char *
read_dot(struct dot_decoder *d, const char *p, const char *end)
{
	if (d->state == DOT_LINE_START && *p == '.') {
		d->state = DOT_LINE_DOT;
		p++;
	}
	if (d->state == DOT_LINE_DOT && p < end) {
		d->state = *p == '\r' ? DOT_LINE_DOT_CR : DOT_IN_LINE;
		p += d->state == DOT_LINE_DOT_CR;
	}
	if (d->state == DOT_LINE_DOT_CR && p < end && *p == '\n') {
		d->state = DOT_END;
		p++;
	}
	return p;
}

bool
dot_decode(struct dot_decoder *d, const char *in, size_t len, size_t *used,
    struct dot_slice *out)
{
	const char *p = in, *end = in + len, *content;

	*used = 0;
	*out = (struct dot_slice){ in, 0 };
	if (d->state == DOT_END || len == 0)
		return d->state == DOT_END;
	content = p = read_dot(d, p, end);
	if (d->state == DOT_LINE_DOT_CR && p < end) {
		/* That CR was content; whether a bare one, the next call sees. */
		*out = (struct dot_slice){ cr, 1 };
		d->state = DOT_IN_LINE_CR;
	} else if (d->state != DOT_END) {
		while (p < end && !(d->state == DOT_LINE_START && *p == '.'))
			p = read_some(d, p, end);
		*out = (struct dot_slice){ content, (size_t)(p - content) };
	}
	*used = (size_t)(p - in);
	return d->state == DOT_END;
}

void
dot_watch(struct dot_decoder *d, const char *in, size_t len)
{
	const char *p = in, *end = in + len;

	while (p < end)
		p = read_some(d, p, end);
}

bool
dot_watched_whole(const struct dot_decoder *d)
{
	return d->state == DOT_LINE_START;
}

/* ---- client ---- */

/*
 * Read content from p to the end of its line, after CRLF, or to end. NULL: a
 * bare CR or LF is there. p < end.
 */
static const char *
read_clean_line(struct dot_encoder *d, const char *p, const char *end)
{
	const char *lf, *stop, *first_cr;
	bool is_first_lf = d->after_cr;

	d->after_cr = false;
	if (is_first_lf) {
		d->line_start = true;
		return *p == '\n' ? p + 1 : NULL;
	}
	lf = memchr(p, '\n', (size_t)(end - p));
	stop = lf != NULL ? lf : end;
	first_cr = memchr(p, '\r', (size_t)(stop - p));
	if (first_cr != NULL && first_cr != stop - 1)
		return NULL;
	if (lf != NULL && first_cr == NULL)
		return NULL;
	d->line_start = lf != NULL;
	d->after_cr = lf == NULL && first_cr != NULL;
	return lf != NULL ? lf + 1 : end;
}

bool
dot_encode(struct dot_encoder *d, const char *in, size_t len, size_t *used,
    struct dot_slice *out, bool *is_bare)
{
	const char *p = in, *end = in + len;

	*used = 0;
	*is_bare = false;
	*out = (struct dot_slice){ in, 0 };
	if (len > 0 && *p == '.' && d->line_start) {
		d->line_start = false; /* the next call sends in's own dot */
		*out = (struct dot_slice){ dot, 1 };
		return true;
	}
	while (p < end && !(*p == '.' && d->line_start)) {
		p = read_clean_line(d, p, end);
		if (p == NULL) {
			*is_bare = true;
			return false;
		}
	}
	*used = (size_t)(p - in);
	out->len = *used;
	return *used < len;
}

bool
dot_is_clean(struct dot_encoder *d, const char *in, size_t len)
{
	const char *p = in, *end = in + len;

	while (p != NULL && p < end)
		p = read_clean_line(d, p, end);
	return p != NULL;
}

struct dot_slice
dot_finish(const struct dot_encoder *d)
{
	static const char end[] = "\r\n.\r\n";
	size_t skip = d->line_start ? 2 : d->after_cr ? 1 : 0;

	return (struct dot_slice){ end + skip, sizeof end - 1 - skip };
}
