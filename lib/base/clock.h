#ifndef BMX_CLOCK_H
#define BMX_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Two clocks, never mixed: deadlines use the monotonic one, which no
 * administrator can set; names, logs and Received fields use the wall clock.
 */

/* Milliseconds on CLOCK_MONOTONIC; only differences mean anything. */
int64_t clock_monotonic_ms(void);

/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);

/* Milliseconds left until deadline_ms (monotonic), as poll(2) wants them:
 * never negative, rounded to INT_MAX. */
int clock_left_ms(int64_t deadline_ms);

#define CLOCK_RFC3339_MAX 32 /* "2026-11-24T03:11:14.123456Z" and its NUL */
#define CLOCK_RFC5322_MAX 40 /* "Tue, 24 Nov 2026 03:11:14 +0000" */

/* RFC 3339 in UTC with microseconds; a year beyond 9999 is that one. out has
 * CLOCK_RFC3339_MAX bytes. */
char *clock_rfc3339(char *out, int64_t wall_us);

/* What clock_rfc3339 wrote, back to microseconds (fewer or no digits after
 * the seconds are fine too). -1: not such a time. */
int clock_parse_rfc3339(const char *text, size_t len, int64_t *wall_us);

/* RFC 5322 section 3.3 in local time with a numeric zone, C locale. out has
 * CLOCK_RFC5322_MAX bytes. */
char *clock_rfc5322(char *out, int64_t wall_us);

/* A length of time for people: "4 s", "12 min", "3.5 h", "2.1 d". out has 16
 * bytes. */
char *clock_span(char *out, int64_t seconds);

#endif
