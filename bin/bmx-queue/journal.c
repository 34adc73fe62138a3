#include "bmx-queue/journal.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define LOG_BYTES_MAX (512 * 1024) /* more than spool_log_read() gives */

/* One line without its time. */
struct line {
	const char *text;
	size_t len;
	int64_t when_us;
};

static bool
begins(const struct line *l, const char *word)
{
	size_t len = strlen(word);

	return l->len >= len && memcmp(l->text, word, len) == 0;
}

/* The value after the first word in line; its length up to stop, or to the
 * end of the line when there is none. False: word is not there. */
static bool
find(const struct line *l, const char *word, char stop, const char **value,
    size_t *len)
{
	const char *at = memmem(l->text, l->len, word, strlen(word)), *end;

	if (at == NULL)
		return false;
	*value = at + strlen(word);
	*len = (size_t)(l->text + l->len - *value);
	end = memchr(*value, stop, *len);
	if (end != NULL)
		*len = (size_t)(end - *value);
	return true;
}

static void
keep(char *out, size_t size, const char *text, size_t len)
{
	snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), text);
	for (char *c = out; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

/* "to=<bob@example.com> deferred peer=ADDRESS reply="TEXT"": the reply has no
 * quotes of its own. */
static void
take_attempt(struct journal *j, const struct line *l)
{
	const char *value;
	size_t len;

	if (!find(l, "reply=\"", '"', &value, &len))
		return;
	keep(j->reply, sizeof j->reply, value, len);
	j->tried_us = l->when_us;
	if (find(l, " peer=", ' ', &value, &len))
		keep(j->peer, sizeof j->peer, value, len);
	if (memmem(l->text, l->len, "> refused ", 10) != NULL)
		snprintf(j->hold, sizeof j->hold, "refused: %.500s", j->reply);
}

static void
take_line(struct journal *j, const struct line *l)
{
	const char *value;
	size_t len;

	if (begins(l, "to=<"))
		take_attempt(j, l);
	else if (begins(l, "set aside: "))
		keep(j->hold, sizeof j->hold, l->text, l->len);
	else if (begins(l, "action=held") &&
		 find(l, " reason=", '\n', &value, &len))
		keep(j->hold, sizeof j->hold, value, len);
}

/* The next line; false at the end. */
static bool
next_line(const char **text, const char *end, struct line *l)
{
	const char *lf, *blank;

	if (*text >= end)
		return false;
	lf = memchr(*text, '\n', (size_t)(end - *text));
	if (lf == NULL)
		lf = end;
	l->text = *text;
	l->len = (size_t)(lf - *text);
	l->when_us = 0;
	blank = memchr(l->text, ' ', l->len);
	if (blank != NULL && clock_parse_rfc3339(l->text,
				 (size_t)(blank - l->text), &l->when_us) == 0) {
		l->len -= (size_t)(blank + 1 - l->text);
		l->text = blank + 1;
	}
	*text = lf + 1;
	return true;
}

/* How often the recipient of the last attempt was tried: it was in each. */
static unsigned long
count_attempts(const char *text, const char *end, const struct line *last)
{
	const char *close = memchr(last->text, '>', last->len);
	size_t len = close == NULL ? 0 : (size_t)(close - last->text) + 1;
	unsigned long n = 0;
	struct line l;

	while (len > 0 && next_line(&text, end, &l))
		n += l.len >= len && memcmp(l.text, last->text, len) == 0;
	return n;
}

void
journal_parse(struct journal *j, const char *text, size_t len)
{
	const char *at = text, *end = text + len;
	struct line l, last = { .text = "", .len = 0 };

	memset(j, 0, sizeof *j);
	while (next_line(&at, end, &l)) {
		take_line(j, &l);
		if (begins(&l, "to=<"))
			last = l;
	}
	j->attempts = count_attempts(text, end, &last);
}

int
journal_read(struct journal *j, const struct spool_domain *d, const char *id,
    struct err *e)
{
	struct buf b = BUF_INIT(LOG_BYTES_MAX);
	int rc = spool_log_read(d, id, &b, e);

	journal_parse(j, b.data, b.len);
	buf_free(&b);
	return rc;
}
