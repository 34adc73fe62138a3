/*
 * lib/mail/trace: five lines (HELO, name, address, protocol, TLS) make our
 * Received field, which is one field whatever they say; the rest is a message
 * whose hops are counted, the same however it is cut.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mail/trace.h"

#define HOST "mx2.example.net"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line of the input, cut to size. */
static void
take_line(char *out, size_t size, const char **s, const char *end)
{
	const char *lf = memchr(*s, '\n', (size_t)(end - *s));
	size_t len = (size_t)((lf == NULL ? end : lf) - *s);

	snprintf(out, size, "%.*s", (int)len, *s);
	*s = lf == NULL ? end : lf + 1;
}

/* One field: its lines end in CRLF, and all but the first begin with a TAB. */
static void
assert_field(const char *text, size_t len)
{
	const char *p = text, *lf;

	assert(strlen(text) == len &&
	       strncmp(text, "Received: from ", 15) == 0);
	for (; *p != '\0'; p = lf + 1) {
		lf = strchr(p, '\n');
		assert(lf != NULL && lf > p && lf[-1] == '\r');
		assert(p == text || *p == '\t');
		assert(lf + 1 - p <= SMTP_TEXT_LINE_MAX);
		for (const char *c = p + 1; c < lf - 1; c++)
			assert(*c >= 0x20 && *c < 0x7f);
	}
}

static void
assert_counts(const char *text, size_t len, unsigned hops, unsigned own_hops)
{
	struct trace_counter whole, bytes;

	trace_counter_init(&whole, HOST);
	trace_count(&whole, text, len);
	trace_counter_init(&bytes, HOST);
	for (size_t i = 0; i < len; i++)
		trace_count(&bytes, text + i, 1);
	assert(whole.hops == hops && bytes.hops == hops);
	assert(whole.own_hops == bytes.own_hops);
	assert(whole.own_hops <= hops);
	assert(own_hops == 0 || whole.own_hops == own_hops);
}

static void
assert_received(struct envelope *env, const char **s, const char *end)
{
	struct envelope_client *c = &env->client;
	struct buf b = BUF_INIT(64 * 1024);
	struct err e = ERR_INIT;

	take_line(c->helo, sizeof c->helo, s, end);
	take_line(c->name, sizeof c->name, s, end);
	take_line(c->addr, sizeof c->addr, s, end);
	take_line(c->proto, sizeof c->proto, s, end);
	take_line(c->tls, sizeof c->tls, s, end);
	env->arrival_us = 1795489874000000;
	trace_received(&b, env, HOST, "0123", "bob@example.com");
	assert(buf_check(&b, &e) == 0);
	assert_field(b.data, b.len);
	assert_counts(b.data, b.len, 1, 1);
	buf_free(&b);
}

/* "Received", blanks, a colon. */
static bool
is_received(const char *line, size_t len)
{
	if (len < 9 || strncasecmp(line, "received", 8) != 0)
		return false;
	line += 8;
	len -= 8;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	return len > 0 && *line == ':';
}

/* The same count, by lines. */
static unsigned
count_hops(const char *s, const char *end)
{
	unsigned hops = 0;

	while (s < end) {
		const char *lf = memchr(s, '\n', (size_t)(end - s));
		const char *stop = lf == NULL ? end : lf;

		s += s < stop && *s == '\r';
		if (s == stop)
			return hops;
		hops += is_received(s, (size_t)(stop - s));
		s = lf == NULL ? end : lf + 1;
	}
	return hops;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *end = s + size;
	struct envelope env = ENVELOPE_INIT;

	env.mail.smtputf8 = size % 2 == 1;
	assert_received(&env, &s, end);
	assert_counts(s, (size_t)(end - s), count_hops(s, end), 0);
	return 0;
}
