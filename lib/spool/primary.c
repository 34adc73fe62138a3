#include "spool/primary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "spool/history.h"

#define STATE_MAX (16 * 1024) /* bytes of the file */
#define FLAPPING_FROM 6       /* turns in primary.recent */
#define FLAPPING_TO 2
#define LOCK_TRIES 100
#define LOCK_NAP_MS 10

static const char file_name[] = "primary";

static const char *const verdicts[] = {
	[PRIMARY_UNKNOWN] = "unknown",
	[PRIMARY_UP] = "up",
	[PRIMARY_DEFERRING] = "deferring",
	[PRIMARY_DOWN] = "down",
};
#define VERDICTS (sizeof verdicts / sizeof *verdicts)

const char *
primary_verdict_name(enum primary_verdict verdict)
{
	return verdicts[verdict];
}

bool
primary_verdict_of(enum primary_verdict *verdict, const char *text, size_t len)
{
	for (size_t i = 0; i < VERDICTS; i++) {
		if (strlen(verdicts[i]) == len &&
		    memcmp(verdicts[i], text, len) == 0) {
			*verdict = (enum primary_verdict)i;
			return true;
		}
	}
	return false;
}

/* ---- between programs ---- */

/* On the directory, since the file is another one after each write. */
bool
primary_lock(int domain_fd)
{
	const struct timespec nap = { 0, LOCK_NAP_MS * 1000000 };

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(domain_fd, LOCK_EX | LOCK_NB) == 0)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

void
primary_unlock(int domain_fd)
{
	flock(domain_fd, LOCK_UN);
}

/* ---- reading ---- */

/* One line, "key value"; the value is printable ASCII and may be "". */
struct line {
	const char *key, *value;
	size_t key_len, value_len;
};

static bool
has_key(const struct line *l, const char *key)
{
	return strlen(key) == l->key_len &&
	       memcmp(key, l->key, l->key_len) == 0;
}

static bool
take_verdict(enum primary_verdict *verdict, const struct line *l)
{
	return primary_verdict_of(verdict, l->value, l->value_len);
}

static bool
take_time(int64_t *when_s, const struct line *l)
{
	int64_t us;

	if (clock_parse_rfc3339(l->value, l->value_len, &us) == -1)
		return false;
	*when_s = us / 1000000;
	return true;
}

static bool
take_count(unsigned *count, const struct line *l)
{
	unsigned long long n;

	if (text_number(l->value, l->value_len, 1000000000, &n) == -1)
		return false;
	*count = (unsigned)n;
	return true;
}

static bool
take_text(char *out, size_t size, const struct line *l)
{
	snprintf(out, size, "%.*s", (int)l->value_len, l->value);
	return l->value_len < size;
}

static bool
take_offer(struct smtp_offer *offer, const struct line *l)
{
	smtp_offer_line(offer, l->value, l->value_len);
	return true;
}

static bool
take_seconds(int64_t *seconds, const struct line *l)
{
	unsigned long long n;

	if (text_number(l->value, l->value_len, INT64_MAX / 2, &n) == -1)
		return false;
	*seconds = (int64_t)n;
	return true;
}

static bool
take_recent(struct primary *p, const struct line *l)
{
	for (size_t i = 0; i < l->value_len; i++)
		if (l->value[i] != 'u' && l->value[i] != 'd')
			return false;
	return take_text(p->recent, sizeof p->recent, l);
}

/* "tls 2026-11-24T08:00:00Z 192.0.2.1:25" */
static bool
take_tls(struct primary *p, const struct line *l)
{
	const char *blank = memchr(l->value, ' ', l->value_len);
	struct primary_tls *t = &p->tls[p->ntls];
	struct line part = *l;

	if (blank == NULL || p->ntls == PRIMARY_TLS_MAX)
		return false;
	part.value_len = (size_t)(blank - l->value);
	if (!take_time(&t->seen_s, &part) || t->seen_s <= 0)
		return false;
	part.value = blank + 1;
	part.value_len = l->value_len - part.value_len - 1;
	if (!take_text(t->address, sizeof t->address, &part))
		return false;
	p->ntls++;
	return true;
}

static bool
take_line(struct primary *p, const struct line *l)
{
	if (has_key(l, "verdict"))
		return take_verdict(&p->verdict, l);
	if (has_key(l, "since"))
		return take_time(&p->since_s, l);
	if (has_key(l, "probed"))
		return take_time(&p->probed_s, l);
	if (has_key(l, "good"))
		return take_time(&p->good_s, l);
	if (has_key(l, "last"))
		return take_verdict(&p->last, l);
	if (has_key(l, "run"))
		return take_count(&p->run, l);
	if (has_key(l, "began"))
		return take_time(&p->run_s, l);
	if (has_key(l, "recent"))
		return take_recent(p, l);
	if (has_key(l, "up-time"))
		return take_seconds(&p->up_s, l);
	if (has_key(l, "all-time"))
		return take_seconds(&p->all_s, l);
	if (has_key(l, "told"))
		return take_verdict(&p->told, l);
	if (has_key(l, "flapping"))
		return p->is_flapping = true;
	if (has_key(l, "day"))
		return primary_parse_day(&p->day, l->value, l->value_len);
	if (has_key(l, "reason"))
		return take_text(p->reason, sizeof p->reason, l);
	if (has_key(l, "address"))
		return take_text(p->address, sizeof p->address, l);
	if (has_key(l, "host"))
		return take_text(p->host, sizeof p->host, l);
	if (has_key(l, "plain"))
		return take_offer(&p->plain, l);
	if (has_key(l, "secured"))
		return take_offer(&p->secured, l);
	if (has_key(l, "authenticated"))
		return p->is_authenticated = true;
	if (has_key(l, "tls"))
		return take_tls(p, l);
	return true; /* a key of a later version */
}

static bool
is_printable(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return true;
}

/* The line at *text, which moves to the next; the last one ends in LF too. */
static bool
split_line(const char **text, const char *end, struct line *l)
{
	const char *start = *text, *blank;
	const char *lf = memchr(start, '\n', (size_t)(end - start));

	if (lf == NULL || !is_printable(start, (size_t)(lf - start)))
		return false;
	*text = lf + 1;
	blank = memchr(start, ' ', (size_t)(lf - start));
	l->key = start;
	l->key_len = (size_t)((blank == NULL ? lf : blank) - start);
	l->value = blank == NULL ? lf : blank + 1;
	l->value_len = (size_t)(lf - l->value);
	return true;
}

/* 0, or the number of the first line that cannot be right. */
static unsigned
parse(struct primary *p, const char *text, size_t len)
{
	const char *end = text + len;
	unsigned number = 0;
	struct line l;

	while (text < end) {
		number++;
		if (!split_line(&text, end, &l) || !take_line(p, &l))
			return number;
	}
	return p->probed_s == 0 ? number + 1 : 0; /* cut short, or empty */
}

/* A probe from the future is as strange as one from long ago. */
static bool
is_old(const struct primary *p, int64_t now_s, int64_t max_age_s)
{
	int64_t age_s = now_s - p->probed_s;

	return max_age_s > 0 && (age_s > max_age_s || age_s < -max_age_s);
}

int
primary_read(int domain_fd, int64_t now_s, int64_t max_age_s, struct primary *p,
    struct err *e)
{
	const struct primary none = PRIMARY_INIT;
	struct buf text = BUF_INIT(STATE_MAX);
	unsigned bad_line = 0;
	int rc;

	*p = none;
	rc = file_read(domain_fd, file_name, &text, e);
	if (rc == 1)
		bad_line = parse(p, text.data, text.len);
	buf_free(&text);
	if (bad_line > 0) {
		*p = none;
		return err_data(e, "%s, line %u: damaged", file_name, bad_line);
	}
	if (rc == 1 && is_old(p, now_s, max_age_s))
		p->verdict = PRIMARY_UNKNOWN;
	return rc;
}

/* ---- writing ---- */

static void
put_time(struct buf *b, const char *key, int64_t when_s)
{
	char text[CLOCK_RFC3339_MAX];

	if (when_s <= 0)
		return;
	clock_rfc3339(text, when_s * 1000000);
	buf_addf(b, "%s %.19sZ\n", key, text); /* without the fraction */
}

static void
put_tls(struct buf *b, const struct primary_tls *t)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(text, t->seen_s * 1000000);
	buf_addf(b, "tls %.19sZ %s\n", text, t->address);
}

static void
put_text(struct buf *b, const char *key, const char *text)
{
	if (text[0] != '\0')
		buf_addf(b, "%s %s\n", key, text);
}

/* As the lines of the EHLO reply: smtp_offer_line() reads them back. */
static void
put_offer(struct buf *b, const char *key, const struct smtp_offer *offer)
{
	for (unsigned bit = 1; bit != 0 && bit <= offer->exts; bit <<= 1) {
		if ((offer->exts & bit) == 0)
			continue;
		buf_addf(b, "%s %s", key, smtp_ext_name(bit));
		if (bit == SMTP_EXT_SIZE && offer->size_max > 0)
			buf_addf(b, " %" PRIu64, offer->size_max);
		if (bit == SMTP_EXT_LIMITS && offer->rcpt_max > 0)
			buf_addf(b, " RCPTMAX=%u", offer->rcpt_max);
		if (bit == SMTP_EXT_LIMITS && offer->mail_max > 0)
			buf_addf(b, " MAILMAX=%u", offer->mail_max);
		buf_puts(b, "\n");
	}
}

static void
put_day(struct buf *b, const struct primary_day *day)
{
	if (day->start_s == 0)
		return;
	buf_puts(b, "day ");
	primary_format_day(b, day);
	buf_puts(b, "\n");
}

int
primary_write(int domain_fd, const struct primary *p, struct err *e)
{
	struct buf b = BUF_INIT(STATE_MAX);
	int rc = -1;

	buf_addf(&b, "verdict %s\n", primary_verdict_name(p->verdict));
	put_time(&b, "since", p->since_s);
	put_time(&b, "probed", p->probed_s);
	put_time(&b, "good", p->good_s);
	buf_addf(&b, "last %s\n", primary_verdict_name(p->last));
	buf_addf(&b, "run %u\n", p->run);
	put_time(&b, "began", p->run_s);
	put_text(&b, "recent", p->recent);
	buf_addf(&b, "up-time %" PRId64 "\nall-time %" PRId64 "\n", p->up_s,
	    p->all_s);
	if (p->told != PRIMARY_UNKNOWN)
		put_text(&b, "told", primary_verdict_name(p->told));
	if (p->is_flapping)
		buf_puts(&b, "flapping\n");
	put_text(&b, "reason", p->reason);
	put_text(&b, "address", p->address);
	put_text(&b, "host", p->host);
	put_offer(&b, "plain", &p->plain);
	put_offer(&b, "secured", &p->secured);
	if (p->is_authenticated)
		buf_puts(&b, "authenticated\n");
	for (size_t i = 0; i < p->ntls; i++)
		put_tls(&b, &p->tls[i]);
	put_day(&b, &p->day);
	if (buf_check(&b, e) == 0)
		rc = file_replace(domain_fd, file_name, b.data, b.len,
		    S_IRUSR | S_IWUSR, e);
	buf_free(&b);
	return rc == 0 ? history_note(domain_fd, p, e) : -1;
}

/* ---- TLS that was there once ---- */

static void
forget_old_tls(struct primary *p, int64_t now_s)
{
	size_t n = 0;

	for (size_t i = 0; i < p->ntls; i++)
		if (now_s - p->tls[i].seen_s <= PRIMARY_TLS_AGE_S)
			p->tls[n++] = p->tls[i];
	p->ntls = n;
}

/* The place of this address; a new one, or the oldest's, if it has none. */
static struct primary_tls *
place_of_tls(struct primary *p)
{
	struct primary_tls *oldest = &p->tls[0];

	for (size_t i = 0; i < p->ntls; i++) {
		if (strcmp(p->tls[i].address, p->address) == 0)
			return &p->tls[i];
		if (p->tls[i].seen_s < oldest->seen_s)
			oldest = &p->tls[i];
	}
	return p->ntls < PRIMARY_TLS_MAX ? &p->tls[p->ntls++] : oldest;
}

bool
primary_saw_tls(struct primary *p, bool in_tls, int64_t now_s)
{
	struct primary_tls *t;

	forget_old_tls(p, now_s);
	if (in_tls) {
		t = place_of_tls(p);
		snprintf(t->address, sizeof t->address, "%s", p->address);
		t->seen_s = now_s;
		return false;
	}
	for (size_t i = 0; i < p->ntls; i++)
		if (strcmp(p->tls[i].address, p->address) == 0)
			return true;
	return false;
}

/* ---- learning ---- */

static bool
is_good(enum primary_verdict result)
{
	return result == PRIMARY_UP;
}

/* The verdict after a result that was the run-th of its sort in a row. Which
 * sort of bad it is (deferring, down) needs no damping. */
static enum primary_verdict
next_verdict(const struct primary *p, enum primary_verdict result,
    unsigned rise, unsigned fall)
{
	if (p->verdict == PRIMARY_UNKNOWN ||
	    is_good(p->verdict) == is_good(result))
		return result;
	if (is_good(result) && p->is_flapping)
		return p->verdict;
	return p->run >= (is_good(result) ? rise : fall) ? result : p->verdict;
}

/* Several turns begin it, only few end it: flapping must not flap. */
static void
learn_flapping(struct primary *p, enum primary_verdict result)
{
	size_t len = strlen(p->recent);
	unsigned turns = 0;

	if (len == PRIMARY_RECENT_MAX)
		memmove(p->recent, p->recent + 1, len--);
	p->recent[len] = is_good(result) ? 'u' : 'd';
	p->recent[len + 1] = '\0';
	for (size_t i = 0; i < len; i++)
		turns += p->recent[i] != p->recent[i + 1];
	if (turns >= FLAPPING_FROM)
		p->is_flapping = true;
	else if (turns <= FLAPPING_TO)
		p->is_flapping = false;
}

/* A result belongs to its day; what came before belongs to history. */
static void
count_result(struct primary *p, enum primary_verdict result, int64_t now_s)
{
	int64_t start_s = now_s - now_s % 86400;

	if (p->day.start_s != start_s) {
		p->over = p->day;
		p->day = (struct primary_day){ .start_s = start_s };
	}
	p->day.results++;
	p->day.good += is_good(result);
	p->day.verdict = p->verdict;
}

/* Before *p takes the result. */
static void
run_clocks(struct primary *p, enum primary_verdict result, int64_t now_s)
{
	int64_t span_s = p->probed_s == 0 ? 0 : now_s - p->probed_s;

	if (span_s <= 0 || span_s > HISTORY_GAP_S)
		return;
	p->all_s += span_s;
	if (is_good(result) && is_good(p->last))
		p->up_s += span_s;
}

bool
primary_learn(struct primary *p, enum primary_verdict result,
    const char *reason, unsigned rise, unsigned fall, int64_t now_s)
{
	enum primary_verdict before = p->verdict;
	bool is_same_sort =
	    p->last != PRIMARY_UNKNOWN && is_good(p->last) == is_good(result);

	if (result == PRIMARY_UNKNOWN)
		return false; /* nothing was learned */
	run_clocks(p, result, now_s);
	p->run = is_same_sort && p->run < UINT32_MAX ? p->run + 1 : 1;
	if (p->run == 1 || p->run_s == 0)
		p->run_s = now_s;
	p->last = result;
	p->before_s = p->probed_s;
	p->probed_s = now_s;
	if (is_good(result))
		p->good_s = now_s;
	text_safe(p->reason, sizeof p->reason, is_good(result) ? "" : reason);
	learn_flapping(p, result);
	p->verdict = next_verdict(p, result, rise, fall);
	count_result(p, result, now_s);
	if (p->verdict != before)
		p->since_s = now_s;
	return p->verdict != before;
}
