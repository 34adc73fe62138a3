#include "base/text.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool
is_plain(char c, const char *escaped)
{
	while (*escaped != '\0')
		if (c == *escaped++)
			return false;
	return c >= 0x20 && c < 0x7f;
}

/* escaped: which of the printable characters become \xNN too. */
static char *
escape(char *out, size_t size, const char *in, size_t len, const char *escaped)
{
	size_t used = 0, safe = 0; /* safe: where "..." still fits */

	for (size_t i = 0; i < len; i++) {
		size_t need = is_plain(in[i], escaped) ? 1 : 4;

		if (used + need >= size) {
			memcpy(out + safe, "...", 4);
			return out;
		}
		if (need == 1)
			out[used] = in[i];
		else
			snprintf(out + used, 5, "\\x%02x",
			    (unsigned char)in[i]);
		used += need;
		if (used + 4 <= size)
			safe = used;
	}
	out[used] = '\0';
	return out;
}

char *
text_printable(char *out, size_t size, const char *in, size_t len)
{
	return escape(out, size, in, len, "\\");
}

char *
text_word(char *out, size_t size, const char *in)
{
	return escape(out, size, in, strlen(in), "\\ \"");
}

char *
text_quoted(char *out, size_t size, const char *in)
{
	return escape(out, size, in, strlen(in), "\\\"");
}

char *
text_quotable(char *text)
{
	for (char *c = text; *c != '\0'; c++)
		if (*c == '"')
			*c = '\'';
	return text;
}

char *
text_safe(char *out, size_t size, const char *in)
{
	return text_printable(out, size, in, strlen(in));
}

int
text_number(const char *text, size_t len, unsigned long long max,
    unsigned long long *value)
{
	unsigned long long n = 0;

	if (len == 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = (unsigned char)text[i] - (unsigned)'0';

		if (digit > 9 || digit > max || n > ULLONG_MAX / 10 ||
		    n * 10 > max - digit)
			return -1;
		n = n * 10 + digit;
	}
	*value = n;
	return 0;
}

bool
text_is_ascii(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] > 0x7f)
			return false;
	return true;
}

size_t
text_mark(const char *s, size_t len)
{
	static const char mark[] = { '\xef', '\xbb', '\xbf' };

	return len >= sizeof mark && memcmp(s, mark, sizeof mark) == 0
		   ? sizeof mark
		   : 0;
}

char *
text_decimal(char *out, uint64_t value)
{
	char digits[TEXT_DECIMAL_MAX], *p = digits + sizeof digits;

	*--p = '\0';
	do
		*--p = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	return memcpy(out, p, (size_t)(digits + sizeof digits - p));
}
