#include "spool/primary.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/text.h"

/* What a day's results were, as text and back: a line of the history, and of
 * the state while the day lasts. */

#define COUNT_MAX 1000000000ULL
#define DATE_LEN (sizeof "2026-11-24" - 1)

static const char *const phase_names[PRIMARY_PHASES] = {
	[PRIMARY_DNS] = "dns",
	[PRIMARY_CONNECT] = "connect",
	[PRIMARY_BANNER] = "banner",
	[PRIMARY_EHLO] = "ehlo",
	[PRIMARY_STARTTLS] = "starttls",
	[PRIMARY_TLS] = "tls",
	[PRIMARY_EHLO2] = "ehlo2",
	[PRIMARY_MAIL] = "mail",
	[PRIMARY_RCPT] = "rcpt",
	[PRIMARY_QUIT] = "quit",
};

const char *
primary_phase_name(enum primary_phase phase)
{
	return phase_names[phase];
}

int64_t
primary_bucket_ms(unsigned bucket)
{
	static const int64_t bounds[PRIMARY_BUCKETS - 1] = { 1, 2, 5, 10, 20,
		50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000 };

	return bucket < PRIMARY_BUCKETS - 1 ? bounds[bucket] : -1;
}

void
primary_took(struct primary *p, enum primary_phase phase, int64_t ms)
{
	unsigned i = 0;

	while (i < PRIMARY_BUCKETS - 1 && ms > primary_bucket_ms(i))
		i++;
	if (p->day.took[phase][i] < COUNT_MAX)
		p->day.took[phase][i]++;
}

/* ---- to text ---- */

static void
format_phase(struct buf *b, const struct primary_day *day,
    enum primary_phase phase)
{
	const char *before = "";

	for (unsigned i = 0; i < PRIMARY_BUCKETS; i++) {
		if (day->took[phase][i] == 0)
			continue;
		if (before[0] == '\0')
			buf_addf(b, " %s=", primary_phase_name(phase));
		buf_addf(b, "%s%u:%u", before, i, day->took[phase][i]);
		before = ",";
	}
}

void
primary_format_day(struct buf *b, const struct primary_day *day)
{
	char date[CLOCK_RFC3339_MAX];

	clock_rfc3339(date, day->start_s * 1000000);
	buf_addf(b, "%.10s %s results=%u good=%u", date,
	    primary_verdict_name(day->verdict), day->results, day->good);
	for (int i = 0; i < PRIMARY_PHASES; i++)
		format_phase(b, day, (enum primary_phase)i);
}

/* ---- and back ---- */

static bool
parse_count(unsigned *count, const char *text, size_t len,
    unsigned long long max)
{
	unsigned long long n;

	if (text_number(text, len, max, &n) == -1)
		return false;
	*count = (unsigned)n;
	return true;
}

static bool
parse_date(int64_t *start_s, const char *text, size_t len)
{
	char midnight[CLOCK_RFC3339_MAX];
	int64_t us;

	if (len != DATE_LEN)
		return false;
	snprintf(midnight, sizeof midnight, "%.10sT00:00:00Z", text);
	if (clock_parse_rfc3339(midnight, strlen(midnight), &us) == -1)
		return false;
	*start_s = us / 1000000;
	return true;
}

/* "3:1400,4:12" */
static bool
parse_buckets(unsigned took[PRIMARY_BUCKETS], const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		const char *stop = comma == NULL ? end : comma;
		const char *colon = memchr(text, ':', (size_t)(stop - text));
		unsigned i;

		if (colon == NULL ||
		    !parse_count(&i, text, (size_t)(colon - text),
			PRIMARY_BUCKETS - 1) ||
		    !parse_count(&took[i], colon + 1,
			(size_t)(stop - colon - 1), COUNT_MAX))
			return false;
		text = comma == NULL ? end : comma + 1;
	}
	return true;
}

static bool
is_word(const char *word, const char *text, size_t len)
{
	return strlen(word) == len && memcmp(word, text, len) == 0;
}

/* "key=value"; a key of a later version is passed over. */
static bool
parse_pair(struct primary_day *day, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	const char *value;
	size_t key_len, value_len;

	if (equals == NULL)
		return false;
	key_len = (size_t)(equals - text);
	value = equals + 1;
	value_len = len - key_len - 1;
	if (is_word("results", text, key_len))
		return parse_count(&day->results, value, value_len, COUNT_MAX);
	if (is_word("good", text, key_len))
		return parse_count(&day->good, value, value_len, COUNT_MAX);
	for (int i = 0; i < PRIMARY_PHASES; i++)
		if (is_word(phase_names[i], text, key_len))
			return parse_buckets(day->took[i], value, value_len);
	return true;
}

bool
primary_parse_day(struct primary_day *day, const char *text, size_t len)
{
	const char *end = text + len;
	unsigned number = 0;

	*day = (struct primary_day){ 0 };
	for (; text <= end; number++) {
		const char *blank = memchr(text, ' ', (size_t)(end - text));
		size_t n = (size_t)((blank == NULL ? end : blank) - text);
		bool is_good = number == 0 ? parse_date(&day->start_s, text, n)
			       : number == 1
				   ? primary_verdict_of(&day->verdict, text, n)
				   : parse_pair(day, text, n);

		if (!is_good)
			return false;
		text += n + 1;
	}
	return number >= 2;
}
