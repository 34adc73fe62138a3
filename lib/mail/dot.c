#include "mail/dot.h"

#include <stdint.h>
#include <string.h>

static const char dot[] = ".";
static const char cr[] = "\r";

/* ---- server ---- */

static void
note_line_len(struct dot_decoder *d)
{
	if (d->line_len > d->longest)
		d->longest = d->line_len;
}

static const char *
end_line(struct dot_decoder *d, const char *lf)
{
	note_line_len(d);
	d->line_len = 0;
	d->state = DOT_LINE_START;
	return lf + 1;
}

/*
 * Read content from p to the end of its line: after CRLF, after a bare LF, or
 * end. Returns where it stopped; p < end.
 */
static const char *
read_line(struct dot_decoder *d, const char *p, const char *end)
{
	const char *lf, *stop, *first_cr;

	if (d->state == DOT_IN_LINE_CR) {
		if (*p == '\n')
			return end_line(d, p);
		d->is_bare = true; /* the CR, now known to be content */
		d->line_len++;
	}
	lf = memchr(p, '\n', (size_t)(end - p));
	stop = lf != NULL ? lf : end;
	first_cr = memchr(p, '\r', (size_t)(stop - p));
	if (first_cr != NULL && first_cr != stop - 1)
		d->is_bare = true;
	d->line_len += (size_t)(stop - p);
	if (stop > p && stop[-1] == '\r') {
		d->line_len--;
		if (lf != NULL)
			return end_line(d, lf);
		d->state = DOT_IN_LINE_CR;
	} else {
		d->state = DOT_IN_LINE;
		if (lf != NULL) {
			d->is_bare = true;
			d->line_len++;
			stop++;
		}
	}
	note_line_len(d);
	return stop;
}

static bool
has_8bit(const char *p, size_t len)
{
	uint64_t word, seen = 0;

	for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
		memcpy(&word, p, sizeof word);
		seen |= word;
	}
	for (; len > 0; p++, len--)
		seen |= (unsigned char)*p;
	return (seen & UINT64_C(0x8080808080808080)) != 0;
}

static void
note_bytes(struct dot_decoder *d, const char *p, size_t len)
{
	if (len == 0)
		return;
	d->has_nul = d->has_nul || memchr(p, '\0', len) != NULL;
	d->has_8bit = d->has_8bit || has_8bit(p, len);
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
			p = read_line(d, p, end);
		*out = (struct dot_slice){ content, (size_t)(p - content) };
		note_bytes(d, content, out->len);
	}
	*used = (size_t)(p - in);
	return d->state == DOT_END;
}

void
dot_watch(struct dot_decoder *d, const char *in, size_t len)
{
	const char *p = in, *end = in + len;

	while (p < end)
		p = read_line(d, p, end);
	note_bytes(d, in, len);
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
