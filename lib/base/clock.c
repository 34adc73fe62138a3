#include "base/clock.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t
clock_monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int
clock_left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_monotonic_ms();

	if (left < 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* The last n digits of value, and what follows them. Lists write millions. */
static char *
put(char *out, int n, unsigned value, char next)
{
	for (int i = n; i-- > 0; value /= 10)
		out[i] = (char)('0' + value % 10);
	out[n] = next;
	return out + n + 1;
}

/* RFC 3339 has no others. */
static unsigned
year_of_four_digits(const struct tm *tm)
{
	if (tm->tm_year < -1900)
		return 0;
	return tm->tm_year > 9999 - 1900 ? 9999 : (unsigned)tm->tm_year + 1900;
}

char *
clock_rfc3339(char *out, int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;
	char *end;

	gmtime_r(&seconds, &tm);
	end = put(out, 4, year_of_four_digits(&tm), '-');
	end = put(end, 2, (unsigned)tm.tm_mon + 1, '-');
	end = put(end, 2, (unsigned)tm.tm_mday, 'T');
	end = put(end, 2, (unsigned)tm.tm_hour, ':');
	end = put(end, 2, (unsigned)tm.tm_min, ':');
	end = put(end, 2, (unsigned)tm.tm_sec, '.');
	end = put(end, 6, (unsigned)(wall_us % 1000000) % 1000000, 'Z');
	*end = '\0';
	return out;
}

/* Exactly n digits at *p; *p moves past them. -1: something else is there. */
static int
digits(const char **p, const char *end, int n)
{
	int value = 0;

	if (end - *p < n)
		return -1;
	for (int i = 0; i < n; i++, (*p)++) {
		if (**p < '0' || **p > '9')
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static bool
literal(const char **p, const char *end, char c)
{
	if (*p == end || **p != c)
		return false;
	(*p)++;
	return true;
}

/* The fraction after the seconds, in microseconds; 0 when there is none. */
static int
fraction_us(const char **p, const char *end)
{
	int value = 0, scale = 100000;

	if (!literal(p, end, '.'))
		return 0;
	for (; *p < end && **p >= '0' && **p <= '9'; (*p)++, scale /= 10)
		value += (**p - '0') * scale;
	return value;
}

int
clock_parse_rfc3339(const char *text, size_t len, int64_t *wall_us)
{
	static const char separators[] = "--T::";
	const char *p = text, *end = text + len;
	int part[6];
	struct tm tm = { 0 };
	time_t seconds;
	int us;

	for (int i = 0; i < 6; i++) {
		part[i] = digits(&p, end, i == 0 ? 4 : 2);
		if (part[i] == -1 ||
		    (i < 5 && !literal(&p, end, separators[i])))
			return -1;
	}
	us = fraction_us(&p, end);
	if (!literal(&p, end, 'Z') || p != end)
		return -1;
	if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 ||
	    part[3] > 23 || part[4] > 59 || part[5] > 60)
		return -1;
	tm.tm_year = part[0] - 1900;
	tm.tm_mon = part[1] - 1;
	tm.tm_mday = part[2];
	tm.tm_hour = part[3];
	tm.tm_min = part[4];
	tm.tm_sec = part[5];
	seconds = timegm(&tm);
	if (seconds < 0)
		return -1;
	*wall_us = (int64_t)seconds * 1000000 + us;
	return 0;
}

/* No bmx program calls setlocale(3), so the names are those of RFC 5322. */
char *
clock_rfc5322(char *out, int64_t wall_us)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	localtime_r(&seconds, &tm);
	strftime(out, CLOCK_RFC5322_MAX, "%a, %d %b %Y %H:%M:%S %z", &tm);
	return out;
}

char *
clock_span(char *out, int64_t seconds)
{
	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		snprintf(out, 16, "%d s", (int)seconds);
	else if (seconds < 3600)
		snprintf(out, 16, "%d min", (int)(seconds / 60));
	else if (seconds < 2 * 86400)
		snprintf(out, 16, "%.1f h", (double)seconds / 3600);
	else
		snprintf(out, 16, "%.1f d", (double)seconds / 86400);
	return out;
}
