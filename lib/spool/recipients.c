#include "spool/recipients.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

#define BLOCK (64 * 1024) /* bytes read at once when all lines are read */

static const char sorted_marker[] = "#sorted";

/* What is looked for: all in lower case. */
struct wanted {
	char local[ADDR_MAX + 1];    /* "bob+lists" */
	char untagged[ADDR_MAX + 1]; /* "bob", "" when there is no tag */
	const char *domain;
};

struct list {
	int fd;
	off_t size;
	const char *path;
};

static void
fold(char *out, const char *in, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] =
		    in[i] >= 'A' && in[i] <= 'Z' ? (char)(in[i] | 0x20) : in[i];
	out[len] = '\0';
}

static void
want(struct wanted *w, const struct addr *rcpt, const char *domain,
    char delimiter)
{
	const char *tag;

	fold(w->local, rcpt->text, rcpt->local_len);
	w->untagged[0] = '\0';
	w->domain = domain;
	if (delimiter == '\0' || w->local[0] == '\0' || w->local[0] == '"')
		return;
	tag = strchr(w->local + 1, delimiter);
	if (tag == NULL)
		return;
	memcpy(w->untagged, w->local, (size_t)(tag - w->local));
	w->untagged[tag - w->local] = '\0';
}

/* ---- reading all lines ---- */

static bool
matches_local(const char *pattern, size_t len, const char *local)
{
	if (local[0] == '\0')
		return false;
	if (pattern[len - 1] == '*')
		return strncmp(pattern, local, len - 1) == 0;
	return strlen(local) == len && memcmp(pattern, local, len) == 0;
}

/* The same domain, also with a dot at its end, or in U-labels as it may stand
 * in bmx.conf. */
static bool
is_domain(const char *text, size_t len, const char *domain)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err ignored;
	bool is_plain = len > 0 && text[len - 1] != '.';

	for (size_t i = 0; i < len; i++)
		is_plain = is_plain && (unsigned char)text[i] < 0x80;
	if (is_plain)
		return strlen(domain) == len && memcmp(text, domain, len) == 0;
	return addr_fold_domain(text, len, folded, &ignored) == 0 &&
	       strcmp(folded, domain) == 0;
}

/* One entry, in lower case, without blanks around it. */
static bool
matches(const char *entry, size_t len, const struct wanted *w)
{
	const char *at = memrchr(entry, '@', len);

	if (len == 0)
		return false;
	if (at != NULL) {
		if (!is_domain(at + 1, len - (size_t)(at + 1 - entry),
			w->domain))
			return false;
		len = (size_t)(at - entry);
		if (len == 0)
			return true;
	}
	return matches_local(entry, len, w->local) ||
	       matches_local(entry, len, w->untagged);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* A line of the file: 1 it matches, 0 it does not. */
static int
try_line(const char *line, size_t len, const struct wanted *w)
{
	char entry[RECIPIENTS_LINE_MAX + 1];

	while (len > 0 && is_blank(line[len - 1]))
		len--;
	while (len > 0 && is_blank(*line)) {
		line++;
		len--;
	}
	if (len == 0 || *line == '#')
		return 0;
	fold(entry, line, len);
	return matches(entry, len, w);
}

static bool
is_marker(const char *line, size_t len)
{
	return len == sizeof sorted_marker - 1 &&
	       memcmp(line, sorted_marker, len) == 0;
}

static ssize_t
read_at(const struct list *l, char *room, size_t n, off_t at, struct err *e)
{
	ssize_t got;

	do
		got = pread(l->fd, room, n, at);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return err_sys(e, "read %s", l->path);
	return got;
}

static int
too_long(const struct list *l, struct err *e)
{
	return err_temp(e, "%s: a line is longer than %d bytes", l->path,
	    RECIPIENTS_LINE_MAX);
}

/*
 * Read lines from the start. 1: found; 0: not before *sorted_at, which is
 * behind the marker, or the end of the file.
 */
static int
scan(const struct list *l, const struct wanted *w, off_t *sorted_at,
    struct err *e)
{
	char block[BLOCK];
	off_t at = 0;

	*sorted_at = l->size;
	for (;;) {
		ssize_t got = read_at(l, block, sizeof block, at, e);
		size_t done = 0;

		if (got <= 0)
			return (int)got;
		if (at == 0)
			done = text_mark(block, (size_t)got);
		while (done < (size_t)got) {
			const char *line = block + done;
			const char *lf = memchr(line, '\n', (size_t)got - done);
			size_t len = lf != NULL ? (size_t)(lf - line)
						: (size_t)got - done;

			if (lf == NULL && at + got < l->size && done > 0)
				break; /* the next block has all of it */
			if (len > RECIPIENTS_LINE_MAX)
				return too_long(l, e);
			done += len + (lf != NULL);
			if (is_marker(line, len)) {
				*sorted_at = at + (off_t)done;
				return 0;
			}
			if (try_line(line, len, w))
				return 1;
		}
		at += (off_t)done;
	}
}

/* ---- the sorted part ---- */

/*
 * The first whole line that begins at or behind at, which is in [low, end).
 * Returns its length, or -1; *start is where it begins, end when there is
 * none.
 */
static int
line_behind(const struct list *l, off_t low, off_t at,
    char line[RECIPIENTS_LINE_MAX + 1], off_t *start, struct err *e)
{
	char room[2 * RECIPIENTS_LINE_MAX + 2];
	off_t from = at > low ? at - 1 : low; /* is a line end just before? */
	ssize_t got = read_at(l, room, sizeof room, from, e);
	const char *begin = room, *lf;

	if (got == -1)
		return -1;
	if (at > low) {
		begin = memchr(room, '\n', (size_t)got);
		begin = begin == NULL ? room + got : begin + 1;
	}
	*start = from + (begin - room);
	got -= begin - room;
	if (got == 0) {
		if (*start < l->size)
			return too_long(l, e);
		*start = l->size;
		return 0;
	}
	lf = memchr(begin, '\n', (size_t)got);
	if (lf != NULL)
		got = lf - begin;
	if (got > RECIPIENTS_LINE_MAX)
		return too_long(l, e);
	memcpy(line, begin, (size_t)got);
	line[got] = '\0';
	return (int)got;
}

/* Binary search for one line. The lines that begin in [low, high) are those
 * that may be it. */
static int
search(const struct list *l, off_t low, const char *key, struct err *e)
{
	const off_t first = low;
	off_t high = l->size;
	char line[RECIPIENTS_LINE_MAX + 1];

	while (low < high) {
		off_t middle = low + (high - low) / 2, start;
		int len = line_behind(l, first, middle, line, &start, e);
		int order;

		if (len == -1)
			return -1;
		if (start >= high) {
			high = middle; /* no line begins in [middle, high) */
			continue;
		}
		order = strcmp(key, line);
		if (order == 0)
			return 1;
		if (order < 0)
			high = middle;
		else
			low = start + len + 1;
	}
	return 0;
}

/* As "local" and as "local@domain". */
static int
search_local(const struct list *l, off_t from, const char *local,
    const char *domain, struct err *e)
{
	char address[2 * ADDR_MAX + 2];
	int rc;

	if (local[0] == '\0')
		return 0;
	rc = search(l, from, local, e);
	if (rc != 0)
		return rc;
	snprintf(address, sizeof address, "%s@%s", local, domain);
	return search(l, from, address, e);
}

/* ---- the list ---- */

static int
find(const struct list *l, const struct wanted *w, struct err *e)
{
	off_t sorted_at;
	int rc = scan(l, w, &sorted_at, e);

	if (rc == 0)
		rc = search_local(l, sorted_at, w->local, w->domain, e);
	if (rc == 0)
		rc = search_local(l, sorted_at, w->untagged, w->domain, e);
	return rc;
}

int
recipients_find(const char *path, const struct addr *rcpt, const char *domain,
    char delimiter, struct err *e)
{
	struct list l = { .path = path };
	struct wanted w;
	struct stat st;
	int rc;

	l.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (l.fd == -1)
		return err_sys(e, "recipients %s", path);
	if (fstat(l.fd, &st) == -1) {
		rc = err_sys(e, "recipients %s", path);
	} else if (!S_ISREG(st.st_mode)) {
		rc = err_temp(e, "recipients %s: not a regular file", path);
	} else if (st.st_size ==
		   0) { /* what a failed "generate >list" leaves */
		rc = err_temp(e, "recipients %s: empty", path);
	} else {
		l.size = st.st_size;
		want(&w, rcpt, domain, delimiter);
		rc = find(&l, &w, e);
	}
	close(l.fd);
	return rc;
}
