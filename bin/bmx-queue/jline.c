#include "bmx-queue/jline.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "mail/addr.h"

static void
add_key(struct jline *j, const char *key)
{
	size_t len = key == NULL ? 0 : strlen(key), n = 0;
	char *room = buf_room(&j->b, len + sizeof ",\"\":");

	if (room == NULL)
		return;
	if (j->has_comma)
		room[n++] = ',';
	if (key != NULL) {
		room[n++] = '"';
		memcpy(room + n, key, len);
		n += len;
		room[n++] = '"';
		room[n++] = ':';
	}
	room[n] = '\0';
	j->b.len += n;
	j->has_comma = true;
}

void
jline_open(struct jline *j, const char *key, char bracket)
{
	add_key(j, key);
	buf_add(&j->b, &bracket, 1);
	j->has_comma = false;
}

void
jline_close(struct jline *j, char bracket)
{
	buf_add(&j->b, &bracket, 1);
	j->has_comma = true;
}

/* ---- strings ---- */

/* The code point of a well-formed UTF-8 character of n bytes. */
static uint32_t
code_point(const char *s, size_t n)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)s[0] & first[n];

	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s[i] & 0x3f);
	return c;
}

static void
add_escape(struct buf *b, uint32_t c)
{
	if (c == '"' || c == '\\') {
		char two[2] = { '\\', (char)c };

		buf_add(b, two, 2);
	} else if (c == '\n' || c == '\r' || c == '\t') {
		buf_puts(b, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
	} else if (c > 0xffff) {
		buf_addf(b, "\\u%04X\\u%04X",
		    (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
		    (unsigned)(0xdc00 + ((c - 0x10000) & 0x3ff)));
	} else {
		buf_addf(b, "\\u%04X", (unsigned)c);
	}
}

static bool
is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* C1 controls, which no address has, are characters of a file all the same. */
static size_t
char_len(const char *text, size_t len)
{
	if ((unsigned char)text[0] < 0x80)
		return 1;
	if (len >= 2 && (unsigned char)text[0] == 0xc2 &&
	    ((unsigned char)text[1] & 0xc0) == 0x80)
		return 2;
	return addr_utf8_char(text, len);
}

/* False: it is not UTF-8. */
static bool
add_characters(struct buf *b, const char *text, size_t len)
{
	while (len > 0) {
		size_t plain = 0, n;

		while (plain < len && is_plain(text[plain]))
			plain++;
		buf_add(b, text, plain);
		text += plain;
		len -= plain;
		if (len == 0)
			break;
		n = char_len(text, len);
		if (n == 0)
			return false;
		add_escape(b, code_point(text, n));
		text += n;
		len -= n;
	}
	return true;
}

void
jline_text(struct jline *j, const char *key, const char *text, size_t len)
{
	char safe[4096];
	size_t before;

	add_key(j, key);
	buf_add(&j->b, "\"", 1);
	before = j->b.len;
	if (!add_characters(&j->b, text, len) && !j->b.failed) {
		j->b.len = before;
		text_printable(safe, sizeof safe, text, len);
		add_characters(&j->b, safe, strlen(safe));
	}
	buf_add(&j->b, "\"", 1);
}

void
jline_word(struct jline *j, const char *key, const char *text)
{
	jline_text(j, key, text, strlen(text));
}

/* ---- the rest ---- */

void
jline_number(struct jline *j, const char *key, int64_t value)
{
	char digits[TEXT_DECIMAL_MAX];

	add_key(j, key);
	if (value < 0)
		buf_add(&j->b, "-", 1);
	buf_puts(&j->b, text_decimal(digits,
			    value < 0 ? 0 - (uint64_t)value : (uint64_t)value));
}

void
jline_bool(struct jline *j, const char *key, bool value)
{
	add_key(j, key);
	buf_puts(&j->b, value ? "true" : "false");
}

void
jline_null(struct jline *j, const char *key)
{
	add_key(j, key);
	buf_add(&j->b, "null", 4);
}

void
jline_time(struct jline *j, const char *key, int64_t wall_us)
{
	char text[CLOCK_RFC3339_MAX];

	jline_word(j, key, clock_rfc3339(text, wall_us));
}

int
jline_print(struct jline *j, struct output *o, struct err *e)
{
	int rc;

	buf_add(&j->b, "\n", 1);
	rc = buf_check(&j->b, e);
	if (rc == 0)
		fwrite(j->b.data, 1, j->b.len, o->data);
	buf_reset(&j->b);
	j->has_comma = false;
	return rc;
}

void
jline_free(struct jline *j)
{
	buf_free(&j->b);
}

int
jline_end(struct jline *j, struct output *o, struct err *e)
{
	int rc;

	jline_close(j, '}');
	rc = jline_print(j, o, e);
	jline_free(j);
	return rc;
}

int
jline_row(struct output *o, const struct jline_pair *pairs, size_t n,
    struct err *e)
{
	struct jline j = JLINE_INIT;
	int rc;

	if (o->form != OUTPUT_JSON) {
		for (size_t i = 0; i < n; i++)
			fprintf(o->data, "%s%s", i == 0 ? "" : "\t",
			    pairs[i].value);
		putc('\n', o->data);
		return 0;
	}
	jline_open(&j, NULL, '{');
	for (size_t i = 0; i < n; i++)
		jline_word(&j, pairs[i].key, pairs[i].value);
	jline_close(&j, '}');
	rc = jline_print(&j, o, e);
	jline_free(&j);
	return rc;
}
