/*
 * lib/mail/tlsrequired: a message says "TLS-Required: No" in slices as it does
 * whole, and only where a reader of whole lines finds the same.
 */

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "mail/tlsrequired.h"

#define BLANKS " \t"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is left of text without what is in set, from its start. */
static void
skip(const char **text, const char *end, const char *set)
{
	while (*text < end && **text != '\0' && strchr(set, **text) != NULL)
		++*text;
}

/* Where the field that begins at s ends: before a line that is not folded. */
static const char *
end_of_field(const char *s, const char *end)
{
	do {
		const char *lf = memchr(s, '\n', (size_t)(end - s));

		s = lf == NULL ? end : lf + 1;
	} while (s < end && (*s == ' ' || *s == '\t'));
	return s;
}

/* Its colon; NULL: it is no field. */
static const char *
colon_of(const char *s, const char *end)
{
	const char *lf = memchr(s, '\n', (size_t)(end - s));
	const char *stop = lf == NULL ? end : lf;
	const char *colon = memchr(s, ':', (size_t)(stop - s));
	const char *blank = s;

	if (colon == NULL)
		return NULL;
	while (blank < colon && *blank != ' ' && *blank != '\t')
		blank++;
	skip(&blank, colon, BLANKS);
	return blank == colon ? colon : NULL;
}

static bool
is_ours(const char *s, const char *colon)
{
	while (colon > s && (colon[-1] == ' ' || colon[-1] == '\t'))
		colon--;
	return colon - s == 12 && strncasecmp(s, "TLS-Required", 12) == 0;
}

static bool
is_no(const char *value, const char *end)
{
	skip(&value, end, BLANKS "\r\n");
	if (end - value < 2 || strncasecmp(value, "no", 2) != 0)
		return false;
	value += 2;
	skip(&value, end, BLANKS "\r\n");
	return value == end;
}

static bool
says_no(const char *s, const char *end)
{
	unsigned fields = 0, good = 0;

	if (s < end && (*s == ' ' || *s == '\t'))
		s = end_of_field(s, end); /* it goes on, and never began */
	while (s < end) {
		const char *next, *colon;

		next = end_of_field(s, end);
		colon = colon_of(s, end);
		if (*s == '\r' || *s == '\n' || colon == NULL)
			break;
		if (is_ours(s, colon)) {
			fields++;
			good += is_no(colon + 1, next);
		}
		s = next;
	}
	return fields == 1 && good == 1;
}

/* The spool has no bare CR, and what it makes of a field is not looked at. */
static bool
has_odd_cr(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] == '\r' && (i + 1 == len || s[i + 1] != '\n'))
			return true;
	return false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	struct tlsrequired whole = TLSREQUIRED_INIT, bytes = TLSREQUIRED_INIT;
	bool is_over = tlsrequired_read(&whole, s, size);
	bool bytes_over = false;

	for (size_t i = 0; i < size; i++)
		bytes_over = tlsrequired_read(&bytes, s + i, 1);
	assert(size == 0 || is_over == bytes_over);
	assert(tlsrequired_is_no(&whole) == tlsrequired_is_no(&bytes));
	assert(has_odd_cr(s, size) ||
	       tlsrequired_is_no(&whole) == says_no(s, s + size));
	return 0;
}
