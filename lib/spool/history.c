#include "spool/history.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"

#define HISTORY_MAX (1024 * 1024) /* bytes of the file; half of it stays */
#define LINE_MAX_BYTES 4096       /* a day with every bucket has 2,500 */
#define KEEP_SLACK_S (30 * 86400) /* lines are dropped a month at a time */
#define LOCK_TRIES 100
#define LOCK_NAP_MS 10

static const char file_name[] = "history";

/* ---- one line ---- */

struct line {
	bool is_day;
	enum primary_verdict verdict;
	int64_t at_s;           /* it was written; a day: it began */
	int64_t from_s, seen_s; /* of a change; 0: not there */
	char reason[sizeof((struct primary *)0)->reason];
	struct primary_day day;
};

/* A reason is printable already (primary.h): within quotes, only they are
 * escaped, and nothing else when it is read. */
static const char quote[] = "\\x22";
#define QUOTE_LEN (sizeof quote - 1)

static void
add_reason(struct buf *b, const char *reason)
{
	buf_puts(b, " reason=\"");
	for (; *reason != '\0'; reason++) {
		if (*reason == '"')
			buf_puts(b, quote);
		else
			buf_add(b, reason, 1);
	}
	buf_puts(b, "\"");
}

/* One that does not fit is cut: it is for people. */
static void
read_reason(char *out, size_t size, const char *text, size_t len)
{
	const char *end = text + len;
	size_t n = 0;

	for (; text < end && n + 1 < size; n++) {
		bool is_quote = (size_t)(end - text) >= QUOTE_LEN &&
				memcmp(text, quote, QUOTE_LEN) == 0;

		out[n] = is_quote                       ? '"'
			 : *text < 0x20 || *text > 0x7e ? '?'
							: *text;
		text += is_quote ? QUOTE_LEN : 1;
	}
	out[n] = '\0';
}

static bool
parse_time(int64_t *when_s, const char *text, size_t len)
{
	int64_t us;

	if (clock_parse_rfc3339(text, len, &us) == -1)
		return false;
	*when_s = us / 1000000;
	return true;
}

/* from=TIME, seen=TIME or reason="TEXT"; others are of a later version. */
static bool
parse_pair(struct line *l, const char *text, size_t len)
{
	if (len > 5 && memcmp(text, "from=", 5) == 0)
		return parse_time(&l->from_s, text + 5, len - 5);
	if (len > 5 && memcmp(text, "seen=", 5) == 0)
		return parse_time(&l->seen_s, text + 5, len - 5);
	if (len >= 9 && memcmp(text, "reason=\"", 8) == 0 &&
	    text[len - 1] == '"')
		read_reason(l->reason, sizeof l->reason, text + 8, len - 9);
	return true;
}

/* The end of the word at text: a blank that is not within quotes. */
static const char *
word_end(const char *text, const char *end)
{
	bool is_quoted = false;

	for (; text < end && (is_quoted || *text != ' '); text++)
		if (*text == '"')
			is_quoted = !is_quoted;
	return text;
}

static bool
parse_change(struct line *l, const char *text, const char *end)
{
	unsigned number = 0;

	for (; text <= end; number++) {
		const char *stop = word_end(text, end);
		size_t n = (size_t)(stop - text);
		bool is_good = number == 0 ? parse_time(&l->at_s, text, n)
			       : number == 1
				   ? primary_verdict_of(&l->verdict, text, n)
				   : parse_pair(l, text, n);

		if (!is_good)
			return false;
		text = stop + 1;
	}
	if (l->from_s == 0 || l->from_s > l->at_s)
		l->from_s = l->at_s;
	return number >= 2 && l->verdict != PRIMARY_UNKNOWN;
}

/* False: no line of ours, or cut by a crash. */
static bool
parse_line(struct line *l, const char *text, size_t len)
{
	const char *blank = memchr(text, ' ', len);

	*l = (struct line){ .is_day = false };
	if (blank == NULL)
		return false;
	if (memchr(text, 'T', (size_t)(blank - text)) != NULL)
		return parse_change(l, text, text + len);
	l->is_day = true;
	if (!primary_parse_day(&l->day, text, len))
		return false;
	l->verdict = l->day.verdict;
	l->at_s = l->day.start_s;
	return true;
}

/* The complete line at *text, which moves on. False: there is no more. */
static bool
next_line(const char **text, const char *end, const char **line, size_t *len)
{
	const char *lf;

	if (*text == end)
		return false;
	lf = memchr(*text, '\n', (size_t)(end - *text));
	if (lf == NULL)
		return false;
	*line = *text;
	*len = (size_t)(lf - *text);
	*text = lf + 1;
	return true;
}

/* ---- writing ---- */

/* Between lines of others: open, lock, and see that it is still the file of
 * that name, since dropping old lines replaces it. */
static int
open_locked(int domain_fd, struct err *e)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	const struct timespec nap = { 0, LOCK_NAP_MS * 1000000 };
	struct stat st;
	int fd;

	for (int i = 0; i < LOCK_TRIES; i++) {
		fd = openat(domain_fd, file_name,
		    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK |
			O_CLOEXEC | O_NOCTTY,
		    S_IRUSR | S_IWUSR);
		if (fd == -1)
			return err_sys(e, "open %s", file_name);
		if (file_is_ours(fd, file_name, &st, e) == -1) {
			close(fd);
			return -1;
		}
		if (fcntl(fd, F_OFD_SETLK, &whole) == 0 &&
		    fstat(fd, &st) == 0 && st.st_nlink > 0)
			return fd;
		close(fd);
		nanosleep(&nap, NULL);
	}
	return err_temp(e, "%s: another process holds its lock", file_name);
}

/* What the last line says; is_torn: it is not complete. */
struct tail {
	off_t size;
	bool is_torn, has_line;
	struct line line;
};

static int
read_tail(struct tail *t, int fd, struct err *e)
{
	char text[LINE_MAX_BYTES];
	off_t start;
	ssize_t n, begin;

	*t = (struct tail){ .size = lseek(fd, 0, SEEK_END) };
	start = t->size > (off_t)sizeof text ? t->size - (off_t)sizeof text : 0;
	n = t->size == -1 ? -1 : pread(fd, text, sizeof text, start);
	if (n == -1)
		return err_sys(e, "read %s", file_name);
	if (n == 0)
		return 0;
	t->is_torn = text[n - 1] != '\n';
	for (begin = n - 1; begin > 0 && text[begin - 1] != '\n'; begin--)
		;
	t->has_line = !t->is_torn && parse_line(&t->line, text + begin,
					 (size_t)(n - 1 - begin));
	return 0;
}

static void
add_time(struct buf *b, const char *before, int64_t when_s)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(text, when_s * 1000000);
	buf_addf(b, "%s%.19sZ", before, text); /* without the fraction */
}

/* Nobody looked for long, or the clock was set. */
static bool
is_after_gap(const struct primary *p)
{
	int64_t span_s = p->probed_s - p->before_s;

	return p->before_s > 0 &&
	       (span_s > HISTORY_GAP_S || span_s < -HISTORY_GAP_S);
}

/* A turn began with the first result of its sort; deferring turned down, or
 * the end of a time when nobody looked, with this one. */
static void
add_change(struct buf *b, const struct primary *p, const struct tail *t)
{
	bool is_turn = t->has_line && (t->line.verdict == PRIMARY_UP) !=
					  (p->verdict == PRIMARY_UP);

	add_time(b, "", p->probed_s);
	buf_addf(b, " %s", primary_verdict_name(p->verdict));
	add_time(b, " from=",
	    is_turn && !is_after_gap(p) && p->run_s > 0 ? p->run_s
							: p->probed_s);
	if (p->before_s > 0)
		add_time(b, " seen=", p->before_s);
	if (p->reason[0] != '\0' && p->verdict != PRIMARY_UP)
		add_reason(b, p->reason);
	buf_puts(b, "\n");
}

static void
add_lines(struct buf *b, const struct primary *p, const struct tail *t)
{
	if (p->over.start_s > 0 && !(t->has_line && t->line.is_day &&
				       t->line.at_s == p->over.start_s)) {
		primary_format_day(b, &p->over);
		buf_puts(b, "\n");
	}
	if (p->verdict != PRIMARY_UNKNOWN &&
	    (!t->has_line || t->line.verdict != p->verdict || is_after_gap(p)))
		add_change(b, p, t);
}

/* How many bytes at the beginning of text are too old to keep, or too many:
 * whole lines, but not the last change among them, which tells what held
 * when the rest began. */
static size_t
old_bytes(const char *text, size_t len, int64_t cutoff_s, const char **change,
    size_t *change_len)
{
	const size_t most = len > HISTORY_MAX ? HISTORY_MAX / 2 : len;
	const char *at = text, *end = text + len, *line;
	size_t line_len;
	struct line l;

	*change = NULL;
	while (next_line(&at, end, &line, &line_len)) {
		bool is_ours = parse_line(&l, line, line_len);

		if (is_ours && l.at_s >= cutoff_s &&
		    (size_t)(end - line) <= most)
			return (size_t)(line - text);
		if (is_ours && !l.is_day) {
			*change = line;
			*change_len = line_len + 1;
		}
	}
	return len;
}

/* The first line is older than need be, or the file is too big. */
static bool
is_too_long(const struct buf *text, int64_t cutoff_s)
{
	const char *at = text->data, *line;
	size_t len;
	struct line l;

	if (text->len > HISTORY_MAX)
		return true;
	return next_line(&at, text->data + text->len, &line, &len) &&
	       (!parse_line(&l, line, len) || l.at_s < cutoff_s - KEEP_SLACK_S);
}

/* Under the lock. Its file is gone after this, and so the lock: whoever
 * waited for it opens the new one. */
static int
drop_old(int domain_fd, int64_t now_s, struct err *e)
{
	struct buf text = BUF_INIT(2 * HISTORY_MAX),
		   kept = BUF_INIT(HISTORY_MAX);
	int64_t cutoff_s = now_s - HISTORY_KEEP_S;
	const char *change;
	size_t change_len = 0, old;
	int rc = -1;

	if (file_read(domain_fd, file_name, &text, e) == -1)
		goto out;
	rc = 0;
	if (!is_too_long(&text, cutoff_s))
		goto out;
	old = old_bytes(text.data, text.len, cutoff_s, &change, &change_len);
	if (change != NULL)
		buf_add(&kept, change, change_len);
	buf_add(&kept, text.data + old, text.len - old);
	rc = buf_check(&kept, e);
	if (rc == 0)
		rc = file_replace(domain_fd, file_name, kept.data, kept.len,
		    S_IRUSR | S_IWUSR, e);
out:
	buf_free(&kept);
	buf_free(&text);
	return rc;
}

/* Appended with one write; a line that was torn by a crash ends here. */
static int
append(int fd, const struct tail *t, const struct buf *lines, struct err *e)
{
	struct buf all = BUF_INIT(4 * LINE_MAX_BYTES);
	int rc = 0;

	if (t->is_torn)
		buf_puts(&all, "\n");
	buf_add(&all, lines->data, lines->len);
	if (buf_check(&all, e) == -1)
		rc = -1;
	else if (file_write_all(fd, all.data, all.len) == -1)
		rc = err_sys(e, "write %s", file_name);
	else if (fdatasync(fd) == -1)
		rc = err_sys(e, "fsync %s", file_name);
	buf_free(&all);
	return rc;
}

/* By a clock that has just jumped ahead all of a year would be old. */
static int64_t
earlier_result(const struct primary *p)
{
	return p->before_s > 0 && p->before_s < p->probed_s ? p->before_s
							    : p->probed_s;
}

int
history_note(int domain_fd, const struct primary *p, struct err *e)
{
	struct buf lines = BUF_INIT(2 * LINE_MAX_BYTES);
	struct tail t;
	int fd = open_locked(domain_fd, e), rc = -1;

	if (fd == -1)
		return -1;
	if (read_tail(&t, fd, e) == -1)
		goto out;
	add_lines(&lines, p, &t);
	rc = buf_check(&lines, e);
	if (rc == 0 && lines.len > 0)
		rc = append(fd, &t, &lines, e);
	if (rc == 0 && (p->over.start_s > 0 || t.size > HISTORY_MAX))
		rc = drop_old(domain_fd, earlier_result(p), e);
out:
	buf_free(&lines);
	close(fd);
	return rc;
}

/* ---- reading ---- */

struct reader {
	struct history *h;
	int64_t from_s, to_s;
	struct history_spell now; /* to_s: not known yet */
	size_t spells_size, days_size;
};

/* Room for one more of size bytes. NULL: no memory. */
static void *
grow(void *array, size_t n, size_t *size, size_t each)
{
	size_t more = *size == 0 ? 16 : *size * 2;
	void *larger;

	if (n < *size)
		return array;
	larger = realloc(array, more * each);
	if (larger != NULL)
		*size = more;
	return larger;
}

/* The spell that is open ends here. */
static int
end_spell(struct reader *r, int64_t end_s, struct err *e)
{
	struct history *h = r->h;
	struct history_spell s = r->now;
	void *larger;

	s.from_s = s.from_s < r->from_s ? r->from_s : s.from_s;
	s.to_s = end_s > r->to_s ? r->to_s : end_s;
	if (s.verdict == PRIMARY_UNKNOWN || s.to_s <= s.from_s)
		return 0;
	larger = grow(h->spells, h->nspells, &r->spells_size, sizeof s);
	if (larger == NULL)
		return err_sys(e, "%s", file_name);
	h->spells = larger;
	h->spells[h->nspells++] = s;
	return 0;
}

/* A clock was set back, so it had been ahead: what was told of the time from
 * then on is not so. */
static void
forget_spells(struct history *h, int64_t from_s)
{
	while (h->nspells > 0 && h->spells[h->nspells - 1].from_s >= from_s)
		h->nspells--;
	if (h->nspells > 0 && h->spells[h->nspells - 1].to_s > from_s)
		h->spells[h->nspells - 1].to_s = from_s;
}

static int
take_change(struct reader *r, const struct line *l, struct err *e)
{
	struct history_spell *now = &r->now;
	bool is_back = l->from_s < now->from_s;
	bool is_gap = l->seen_s > 0 && l->from_s - l->seen_s > HISTORY_GAP_S;

	if (l->verdict == now->verdict && !is_gap && !is_back)
		return 0; /* two processes wrote it */
	if (is_back)
		forget_spells(r->h, l->from_s);
	else if (end_spell(r, is_gap ? l->seen_s : l->from_s, e) == -1)
		return -1;
	now->verdict = l->verdict;
	now->from_s = l->from_s;
	memcpy(now->reason, l->reason, sizeof now->reason);
	return 0;
}

/* Two processes can each write the end of a day: the one that saw more
 * counts. They are in order, where no clock was set back. */
static int
take_day(struct reader *r, const struct primary_day *day, struct err *e)
{
	struct history *h = r->h;
	size_t at = h->ndays;
	void *larger;

	if (day->start_s + 86400 <= r->from_s || day->start_s >= r->to_s)
		return 0;
	while (at > 0 && h->days[at - 1].start_s > day->start_s)
		at--;
	if (at > 0 && h->days[at - 1].start_s == day->start_s) {
		if (day->results > h->days[at - 1].results)
			h->days[at - 1] = *day;
		return 0;
	}
	larger = grow(h->days, h->ndays, &r->days_size, sizeof *day);
	if (larger == NULL)
		return err_sys(e, "%s", file_name);
	h->days = larger;
	memmove(&h->days[at + 1], &h->days[at],
	    (h->ndays++ - at) * sizeof *day);
	h->days[at] = *day;
	return 0;
}

static int
take_lines(struct reader *r, const struct buf *text, struct err *e)
{
	const char *at = text->data, *line;
	size_t len;
	struct line l;

	while (next_line(&at, text->data + text->len, &line, &len)) {
		int rc = 0;

		if (!parse_line(&l, line, len))
			r->h->damaged++;
		else if (l.is_day)
			rc = take_day(r, &l.day, e);
		else
			rc = take_change(r, &l, e);
		if (rc == -1)
			return -1;
	}
	r->h->damaged += at != text->data + text->len;
	return 0;
}

/* The state knows what came after the last line: how long the verdict held,
 * and today. */
static int
take_state(struct reader *r, int domain_fd, struct err *e)
{
	struct primary state = PRIMARY_INIT;
	struct err damage = ERR_INIT;
	int64_t end_s;

	if (primary_read(domain_fd, 0, 0, &state, &damage) != 1)
		return end_spell(r, r->now.from_s, e);
	end_s = state.probed_s;
	if (r->to_s > end_s && r->to_s - end_s <= HISTORY_GAP_S)
		end_s = r->to_s;
	if (end_spell(r, end_s, e) == -1)
		return -1;
	return state.day.start_s > 0 ? take_day(r, &state.day, e) : 0;
}

int
history_read(struct history *h, int domain_fd, int64_t from_s, int64_t to_s,
    struct err *e)
{
	struct buf text = BUF_INIT(2 * HISTORY_MAX);
	struct reader r = { .h = h, .from_s = from_s, .to_s = to_s };
	int rc = -1;

	*h = (struct history)HISTORY_INIT;
	if (file_read(domain_fd, file_name, &text, e) != -1 &&
	    take_lines(&r, &text, e) == 0)
		rc = take_state(&r, domain_fd, e);
	buf_free(&text);
	return rc;
}

void
history_free(struct history *h)
{
	free(h->spells);
	free(h->days);
	*h = (struct history)HISTORY_INIT;
}

int
history_up_seconds(int domain_fd, int64_t from_s, int64_t to_s, int64_t *up_s,
    struct err *e)
{
	struct history h = HISTORY_INIT;
	int rc = history_read(&h, domain_fd, from_s, to_s, e);

	*up_s = 0;
	for (size_t i = 0; rc == 0 && i < h.nspells; i++)
		if (h.spells[i].verdict == PRIMARY_UP)
			*up_s += h.spells[i].to_s - h.spells[i].from_s;
	history_free(&h);
	return rc;
}
