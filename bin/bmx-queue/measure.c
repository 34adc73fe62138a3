#include "bmx-queue/measure.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"

/* Ten digits, in a name of the spool; a time of more than four digits of a year
 * is none that anybody reads. */
#define UNTIL_MAX_S 9999999999

struct unit {
	char suffix;
	int64_t factor;
};

static const struct unit spans[] = {
	{ 's', 1 },
	{ 'm', 60 },
	{ 'h', 3600 },
	{ 'd', 86400 },
	{ 'w', 604800 },
	{ '\0', 1 },
};

static const struct unit sizes[] = {
	{ 'K', 1 << 10 },
	{ 'M', 1 << 20 },
	{ 'G', 1 << 30 },
	{ 'T', 1LL << 40 },
	{ '\0', 1 },
};

static int
parse_scaled(const struct unit *units, const char *text, int64_t max,
    int64_t *value)
{
	size_t len = strlen(text);
	unsigned long long n;

	while (units->suffix != '\0' &&
	       (len < 2 || text[len - 1] != units->suffix))
		units++;
	if (text_number(text, len - (units->suffix != '\0'),
		(unsigned long long)(max / units->factor), &n) == -1)
		return -1;
	*value = (int64_t)n * units->factor;
	return 0;
}

int
measure_span(const char *option, const char *text, int64_t *seconds,
    struct err *e)
{
	char safe[64];

	if (parse_scaled(spans, text, INT64_MAX / 1000000, seconds) == 0)
		return 0;
	return err_usage(e, "%s %s: no length of time, like 90s, 15m, 12h, 3d",
	    option, text_safe(safe, sizeof safe, text));
}

int
measure_size(const char *option, const char *text, int64_t *bytes,
    struct err *e)
{
	char safe[64];

	if (parse_scaled(sizes, text, INT64_MAX, bytes) == 0)
		return 0;
	return err_usage(e, "%s %s: no size, like 4096, 64K, 10M, 2G", option,
	    text_safe(safe, sizeof safe, text));
}

int
measure_until(const char *option, const char *text, int64_t now_us,
    int64_t *when_s, struct err *e)
{
	struct err ignored;
	int64_t value;
	char safe[64];

	if (measure_span(option, text, &value, &ignored) == 0)
		*when_s = now_us / 1000000 + value;
	else if (clock_parse_rfc3339(text, strlen(text), &value) == 0)
		*when_s = value / 1000000;
	else
		return err_usage(e,
		    "%s %s: no time, like 2h, 3d, 2026-11-24T06:00:00Z", option,
		    text_safe(safe, sizeof safe, text));
	if (*when_s <= now_us / 1000000)
		return err_usage(e, "%s %s is over", option,
		    text_safe(safe, sizeof safe, text));
	if (*when_s > UNTIL_MAX_S)
		return err_usage(e,
		    "%s %s is too far away; without %s it has no end", option,
		    text_safe(safe, sizeof safe, text), option);
	return 0;
}
