/* lib/mail/dot: transparency both ways (D12, D25, D26, D27). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mail/dot.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define TEXT(literal) (literal), sizeof(literal) - 1

/* ---- what a decoder does with an input given in pieces ---- */

struct result {
	char content[4096];
	size_t len;
	size_t taken; /* of the input */
	bool is_end;
	struct dot_decoder d;
};

/* Give it in[from..to) from a copy of that size, so that a sanitizer sees a
 * step beyond. */
static void
feed(struct result *r, const char *in, size_t from, size_t to)
{
	char *piece = malloc(to - from + 1);
	size_t at = 0, used;
	struct dot_slice out;

	assert_non_null(piece);
	memcpy(piece, in + from, to - from);
	while (at < to - from && !r->is_end) {
		r->is_end =
		    dot_decode(&r->d, piece + at, to - from - at, &used, &out);
		assert_true(r->len + out.len <= sizeof r->content);
		memcpy(r->content + r->len, out.data, out.len);
		r->len += out.len;
		at += used;
		r->taken += used;
	}
	free(piece);
}

/* The whole input in pieces of size bytes. */
static void
decode_by(struct result *r, const char *in, size_t len, size_t size)
{
	*r = (struct result){ .d = DOT_DECODER_INIT };
	for (size_t at = 0; at < len; at += size)
		feed(r, in, at, at + size < len ? at + size : len);
}

static void
decode_split(struct result *r, const char *in, size_t len, size_t at)
{
	*r = (struct result){ .d = DOT_DECODER_INIT };
	feed(r, in, 0, at);
	feed(r, in, at, len);
}

static void
assert_same(const struct result *a, const struct result *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->content, b->content, a->len);
	assert_int_equal(a->taken, b->taken);
	assert_int_equal(a->is_end, b->is_end);
	assert_int_equal(a->d.state, b->d.state);
	assert_int_equal(a->d.is_bare, b->d.is_bare);
	assert_int_equal(a->d.has_nul, b->d.has_nul);
	assert_int_equal(a->d.has_8bit, b->d.has_8bit);
}

/* ---- a second decoder, slow and plain, to compare with ---- */

static bool
is_at(const char *in, size_t len, size_t at, const char *text)
{
	size_t n = strlen(text);

	return at + n <= len && memcmp(in + at, text, n) == 0;
}

static void
decode_plainly(struct result *r, const char *in, size_t len)
{
	*r = (struct result){ .d = DOT_DECODER_INIT };
	for (size_t i = 0; i < len; i++) {
		bool is_line_start =
		    i == 0 || (i >= 2 && is_at(in, len, i - 2, "\r\n"));
		unsigned char c = (unsigned char)in[i];

		if (is_line_start && is_at(in, len, i, ".\r\n")) {
			r->is_end = true;
			r->taken = i + 3;
			return;
		}
		if (is_line_start && c == '.')
			continue;
		r->content[r->len++] = in[i];
		r->d.has_nul |= c == '\0';
		r->d.has_8bit |= c >= 0x80;
		if (c == '\r' && i + 1 < len && in[i + 1] != '\n')
			r->d.is_bare = true;
		if (c == '\n' && (i == 0 || in[i - 1] != '\r'))
			r->d.is_bare = true;
	}
	r->taken = len;
}

static void
assert_as_plainly(const struct result *r, const char *in, size_t len)
{
	struct result plain;

	decode_plainly(&plain, in, len);
	assert_int_equal(r->is_end, plain.is_end);
	assert_int_equal(r->taken, plain.taken);
	if (!plain.is_end)
		return; /* the rest may still be held back */
	assert_int_equal(r->len, plain.len);
	assert_memory_equal(r->content, plain.content, plain.len);
	assert_int_equal(r->d.is_bare, plain.d.is_bare);
	assert_int_equal(r->d.has_nul, plain.d.has_nul);
	assert_int_equal(r->d.has_8bit, plain.d.has_8bit);
}

/* ---- rows: every one decoded whole, split at every byte, byte by byte ---- */

#define END "\r\n.\r\n"

static const struct row {
	const char *name;
	const char *in;
	size_t len;
	const char *content;
	size_t content_len;
	size_t left; /* bytes after the end; NOT_ENDED: it was not seen */
	bool is_bare, has_nul, has_8bit;
} rows[] = {
#define NOT_ENDED ((size_t)-1)
	{ "empty content", TEXT(".\r\n"), TEXT(""), 0, false, false, false },
	{ "one line", TEXT("abc" END), TEXT("abc\r\n"), 0, false, false,
	    false },
	{ "empty line", TEXT(END), TEXT("\r\n"), 0, false, false, false },
	{ "commands follow", TEXT("a" END "QUIT\r\n"), TEXT("a\r\n"), 6, false,
	    false, false },
	{ "a second end follows", TEXT(".\r\n.\r\n"), TEXT(""), 3, false, false,
	    false },
	{ "stuffed dot", TEXT("..\r\n.\r\n"), TEXT(".\r\n"), 0, false, false,
	    false },
	{ "stuffed dot and text", TEXT("a\r\n..b" END), TEXT("a\r\n.b\r\n"), 0,
	    false, false, false },
	{ "dot that nobody stuffed", TEXT(".a" END), TEXT("a\r\n"), 0, false,
	    false, false },
	{ "dots inside lines", TEXT("a.b.\r\nc." END), TEXT("a.b.\r\nc.\r\n"),
	    0, false, false, false },
	{ "three dots", TEXT("..." END), TEXT("..\r\n"), 0, false, false,
	    false },
	{ "NUL", TEXT("a\0b" END), TEXT("a\0b\r\n"), 0, false, true, false },
	{ "8 bits", TEXT("\xc3\xa9" END), TEXT("\xc3\xa9\r\n"), 0, false, false,
	    true },
	{ "8 bits behind 8 others", TEXT("01234567\xff" END),
	    TEXT("01234567\xff\r\n"), 0, false, false, true },
	{ "not yet", TEXT("abc\r\n"), TEXT("abc\r\n"), NOT_ENDED, false, false,
	    false },
	{ "not yet: dot", TEXT("abc\r\n."), TEXT("abc\r\n"), NOT_ENDED, false,
	    false, false },
	{ "not yet: dot CR", TEXT("abc\r\n.\r"), TEXT("abc\r\n"), NOT_ENDED,
	    false, false, false },

	/* D25: none of these ends the content; what follows is content too. */
	{ "LF.LF", TEXT("a\n.\nb" END), TEXT("a\n.\nb\r\n"), 0, true, false,
	    false },
	{ "LF.CRLF", TEXT("a\n.\r\nb" END), TEXT("a\n.\r\nb\r\n"), 0, true,
	    false, false },
	{ "CRLF.LF", TEXT("a\r\n.\nb" END), TEXT("a\r\n\nb\r\n"), 0, true,
	    false, false },
	{ "CR.CR", TEXT("a\r.\rb" END), TEXT("a\r.\rb\r\n"), 0, true, false,
	    false },
	{ "CR.CRLF", TEXT("a\r.\r\nb" END), TEXT("a\r.\r\nb\r\n"), 0, true,
	    false, false },
	{ "CRLF.CR", TEXT("a\r\n.\rb" END), TEXT("a\r\n\rb\r\n"), 0, true,
	    false, false },
	{ "CRLF.CRCRLF", TEXT("a\r\n.\r\r\nb" END), TEXT("a\r\n\r\r\nb\r\n"), 0,
	    true, false, false },
	{ "LF.CRLF after CRLF.CR", TEXT("a\r\n.\r.\r\nb" END),
	    TEXT("a\r\n\r.\r\nb\r\n"), 0, true, false, false },
	{ "LF.CR.LF", TEXT("a\n.\r.\nb" END), TEXT("a\n.\r.\nb\r\n"), 0, true,
	    false, false },
	{ "LFCR.LFCR", TEXT("a\n\r.\n\rb" END), TEXT("a\n\r.\n\rb\r\n"), 0,
	    true, false, false },
	{ "CRLF NUL.CRLF", TEXT("a\r\n\0.\r\nb" END), TEXT("a\r\n\0.\r\nb\r\n"),
	    0, false, true, false },
	{ "CRLF.NUL CRLF", TEXT("a\r\n.\0\r\nb" END), TEXT("a\r\n\0\r\nb\r\n"),
	    0, false, true, false },
	{ "CRLF. CRLF", TEXT("a\r\n. \r\nb" END), TEXT("a\r\n \r\nb\r\n"), 0,
	    false, false, false },
	{ "LF.LF at the start", TEXT("\n.\nb" END), TEXT("\n.\nb\r\n"), 0, true,
	    false, false },
	{ ".LF at the start", TEXT(".\nb" END), TEXT("\nb\r\n"), 0, true, false,
	    false },
	{ ".CR at the start", TEXT(".\rb" END), TEXT("\rb\r\n"), 0, true, false,
	    false },
	{ "LF MAIL", TEXT("a\n.\r\nMAIL FROM:<x@y>\r\n" END),
	    TEXT("a\n.\r\nMAIL FROM:<x@y>\r\n\r\n"), 0, true, false, false },

	/* D25: a lone CR or LF does not put the decoder out of step. */
	{ "lone CR before the end", TEXT("a\r" END), TEXT("a\r\r\n"), 0, true,
	    false, false },
	{ "lone LF before the end", TEXT("a\n" END), TEXT("a\n\r\n"), 0, true,
	    false, false },
	{ "many CRs", TEXT("\r\r\r\r" END), TEXT("\r\r\r\r\r\n"), 0, true,
	    false, false },
	{ "CR held back at the very end", TEXT("a\r"), TEXT("a\r"), NOT_ENDED,
	    false, false, false },
};

static void
assert_row(const struct row *row, const struct result *r)
{
	bool is_end = row->left != NOT_ENDED;

	if (r->len != row->content_len ||
	    memcmp(r->content, row->content, r->len) != 0 ||
	    r->is_end != is_end || (is_end && row->len - r->taken != row->left))
		fail_msg("%s: %zu bytes, end %d, left %zu", row->name, r->len,
		    r->is_end, row->len - r->taken);
	if (r->d.is_bare != row->is_bare || r->d.has_nul != row->has_nul ||
	    r->d.has_8bit != row->has_8bit)
		fail_msg("%s: bare %d nul %d 8bit %d", row->name, r->d.is_bare,
		    r->d.has_nul, r->d.has_8bit);
	assert_as_plainly(r, row->in, row->len);
}

static void
D25_only_crlf_dot_crlf_ends_content_split_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct result r;

		for (size_t at = 0; at <= row->len; at++) {
			decode_split(&r, row->in, row->len, at);
			assert_row(row, &r);
		}
		for (size_t size = 1; size <= 4; size++) {
			decode_by(&r, row->in, row->len, size);
			assert_row(row, &r);
		}
	}
}

/* Every text of up to 7 of the five bytes that matter. */
static void
D25_decoder_agrees_with_a_plain_one_on_all_short_texts(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a', '\0' };

	(void)state;
	for (unsigned n = 0; n < 5 * 5 * 5 * 5 * 5 * 5 * 5; n++) {
		char in[7 + sizeof END];
		struct result whole, r;
		unsigned rest = n;

		for (size_t i = 0; i < 7; i++, rest /= 5)
			in[i] = alphabet[rest % 5];
		memcpy(in + 7, END, sizeof END);
		decode_by(&whole, in, sizeof in - 1, sizeof in);
		assert_true(whole.is_end);
		assert_as_plainly(&whole, in, sizeof in - 1);
		decode_by(&r, in, sizeof in - 1, 1);
		assert_same(&r, &whole);
		decode_split(&r, in, sizeof in - 1, n % sizeof in);
		assert_same(&r, &whole);
	}
}

static void
an_ended_decoder_takes_nothing_more(void **state)
{
	struct dot_decoder d = DOT_DECODER_INIT;
	struct dot_slice out;
	size_t used;

	(void)state;
	assert_true(dot_decode(&d, ".\r\n", 3, &used, &out));
	assert_int_equal(used, 3);
	assert_true(dot_decode(&d, "x", 1, &used, &out));
	assert_int_equal(used, 0);
	assert_int_equal(out.len, 0);
}

/* No copies, and as much as lies contiguous. */
static void
content_without_dots_is_one_slice_of_the_input(void **state)
{
	static const char in[] = "a\r\nb.\r\n\r\nc" END;
	struct dot_decoder d = DOT_DECODER_INIT;
	struct dot_slice out;
	size_t used;

	(void)state;
	assert_false(dot_decode(&d, in, sizeof in - 1, &used, &out));
	assert_ptr_equal(out.data, in);
	assert_int_equal(out.len, sizeof in - 1 - 3);
	assert_int_equal(used, out.len);
	assert_true(dot_decode(&d, in + used, sizeof in - 1 - used, &used,
	    &out));
	assert_int_equal(out.len, 0);
}

/* Plain content is passed over many bytes at once: whatever is odd is seen at
 * each place among them. */
static void
D25_what_is_odd_is_seen_anywhere_in_long_content(void **state)
{
	static const struct {
		const char *text;
		size_t len;
	} odd[] = {
		{ TEXT("\r\n") },
		{ TEXT("\n") },
		{ TEXT("\r") },
		{ TEXT("\0") },
		{ TEXT("\xff") },
		{ TEXT("\r\n.") },
		{ TEXT("\r\n..") },
		{ TEXT("\n.\r\n") },
		{ TEXT("\r.\n") },
		{ TEXT(END) },
	};
	char in[700];

	(void)state;
	srand(1);
	for (int i = 0; i < 30000; i++) {
		size_t len = sizeof in - (size_t)rand() % 400;
		size_t size = 1 + (size_t)rand() % sizeof in;
		struct result r;

		memset(in, 'x', sizeof in);
		for (int n = rand() % 4; n > 0; n--) {
			size_t which = (size_t)rand() % COUNT(odd);
			size_t at = (size_t)rand() % (len - odd[which].len);

			memcpy(in + at, odd[which].text, odd[which].len);
		}
		decode_by(&r, in, len, size);
		assert_as_plainly(&r, in, len);
	}
}

/* ---- BDAT ---- */

static void
D26_watching_finds_the_same_without_dots(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		bool is_bare, has_nul, has_8bit, is_whole;
	} cases[] = {
		{ TEXT(""), false, false, false, true },
		{ TEXT("a\r\n"), false, false, false, true },
		{ TEXT(".\r\nabc\r\n"), false, false, false, true },
		{ TEXT("a\r\n..b"), false, false, false, false },
		{ TEXT("a\r"), false, false, false, false },
		{ TEXT("a\n"), true, false, false, false },
		{ TEXT("a\n.\r\n"), true, false, false, true },
		{ TEXT("a\rb\r\n"), true, false, false, true },
		{ TEXT("\0\r\n"), false, true, false, true },
		{ TEXT("\x80\r\n"), false, false, true, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (size_t at = 0; at <= cases[i].len; at++) {
			struct dot_decoder d = DOT_DECODER_INIT;

			dot_watch(&d, cases[i].in, at);
			dot_watch(&d, cases[i].in + at, cases[i].len - at);
			assert_int_equal(d.is_bare, cases[i].is_bare);
			assert_int_equal(d.has_nul, cases[i].has_nul);
			assert_int_equal(d.has_8bit, cases[i].has_8bit);
			assert_int_equal(dot_watched_whole(&d),
			    cases[i].is_whole);
		}
	}
}

/* ---- client ---- */

struct wire {
	char text[8192];
	size_t len;
	bool is_bare;
	struct dot_encoder d;
};

static void
put(struct wire *w, struct dot_slice out)
{
	assert_true(w->len + out.len <= sizeof w->text);
	memcpy(w->text + w->len, out.data, out.len);
	w->len += out.len;
}

static void
encode(struct wire *w, const char *in, size_t len)
{
	struct dot_slice out;
	size_t used, at = 0;
	bool more = true;

	while (more && !w->is_bare) {
		more = dot_encode(&w->d, in + at, len - at, &used, &out,
		    &w->is_bare);
		put(w, out);
		at += used;
	}
	assert_true(w->is_bare || at == len);
}

/* In two pieces, with the end. */
static void
encode_split(struct wire *w, const char *in, size_t len, size_t at)
{
	*w = (struct wire){ .d = DOT_ENCODER_INIT };
	encode(w, in, at);
	encode(w, in + at, len - at);
	put(w, dot_finish(&w->d));
}

static void
D27_dots_are_doubled_and_the_end_is_added(void **state)
{
	static const struct {
		const char *name, *in, *wire;
	} cases[] = {
		{ "empty", "", ".\r\n" },
		{ "one line", "a\r\n", "a\r\n.\r\n" },
		{ "empty line", "\r\n", "\r\n.\r\n" },
		{ "no line end", "a", "a\r\n.\r\n" },
		{ "CR at the end", "a\r", "a\r\n.\r\n" },
		{ "a dot", ".\r\n", "..\r\n.\r\n" },
		{ "a dot without line end", ".", "..\r\n.\r\n" },
		{ "two dots", "..\r\n", "...\r\n.\r\n" },
		{ "dots at each line", ".a\r\n.b\r\n", "..a\r\n..b\r\n.\r\n" },
		{ "dots inside", "a.\r\nb.c\r\n", "a.\r\nb.c\r\n.\r\n" },
		{ "what would end it", "a\r\n.\r\nQUIT\r\n",
		    "a\r\n..\r\nQUIT\r\n.\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].in);

		for (size_t at = 0; at <= len; at++) {
			struct wire w;

			encode_split(&w, cases[i].in, len, at);
			if (w.is_bare || w.len != strlen(cases[i].wire) ||
			    memcmp(w.text, cases[i].wire, w.len) != 0)
				fail_msg("%s, split at %zu: %.*s",
				    cases[i].name, at, (int)w.len, w.text);
		}
	}
}

static void
D27_a_bare_cr_or_lf_is_never_sent(void **state)
{
	static const char *const cases[] = { "a\nb\r\n", "\n", "a\rb\r\n",
		"a\r\r\n", "\r\r\n", "a\r\n\n", "a\n.\r\n", "a\r\n.\n",
		"\r.\r\n", "a\r\n.\r.\r\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i]);

		for (size_t at = 0; at <= len; at++) {
			struct wire w = { .d = DOT_ENCODER_INIT };

			encode(&w, cases[i], at);
			if (!w.is_bare)
				encode(&w, cases[i] + at, len - at);
			if (!w.is_bare)
				fail_msg("row %zu, split at %zu", i, at);
			for (size_t n = 0; n < w.len; n++)
				if (w.text[n] == '\n')
					assert_true(n > 0 &&
						    w.text[n - 1] == '\r');
		}
	}
}

/* xorshift, so that a failure can be had again. */
static uint32_t
next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Content with only CRLF line ends, rich in dots. */
static size_t
random_content(char *out, size_t max, uint32_t *seed)
{
	size_t len = 0;

	while (len + 2 < max && next_random(seed) % 64 != 0) {
		switch (next_random(seed) % 4) {
		case 0:
			memcpy(out + len, "\r\n", 2);
			len += 2;
			break;
		case 1:
			out[len++] = '.';
			break;
		default:
			out[len] = (char)next_random(seed);
			len += out[len] != '\r' && out[len] != '\n';
		}
	}
	return len;
}

static size_t
count(const char *text, size_t len, const char *what)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += is_at(text, len, i, what);
	return n;
}

static void
D27_what_is_encoded_decodes_to_itself_and_ends_once(void **state)
{
	uint32_t seed = 20260101;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		char content[512 + 2];
		size_t len = random_content(content, 512, &seed);
		struct wire w;
		struct result r;

		encode_split(&w, content, len, next_random(&seed) % (len + 1));
		assert_false(w.is_bare);
		if (len > 0 &&
		    (len < 2 || !is_at(content, len, len - 2, "\r\n"))) {
			memcpy(content + len, "\r\n", 2);
			len += 2;
		}
		assert_int_equal(count(w.text, w.len, END) +
				     is_at(w.text, w.len, 0, ".\r\n"),
		    1);
		decode_by(&r, w.text, w.len, 1 + next_random(&seed) % 64);
		assert_true(r.is_end);
		assert_false(r.d.is_bare);
		assert_int_equal(r.taken, w.len);
		assert_int_equal(r.len, len);
		assert_memory_equal(r.content, content, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    D25_only_crlf_dot_crlf_ends_content_split_anywhere),
		cmocka_unit_test(
		    D25_decoder_agrees_with_a_plain_one_on_all_short_texts),
		cmocka_unit_test(an_ended_decoder_takes_nothing_more),
		cmocka_unit_test(
		    content_without_dots_is_one_slice_of_the_input),
		cmocka_unit_test(
		    D25_what_is_odd_is_seen_anywhere_in_long_content),
		cmocka_unit_test(D26_watching_finds_the_same_without_dots),
		cmocka_unit_test(D27_dots_are_doubled_and_the_end_is_added),
		cmocka_unit_test(D27_a_bare_cr_or_lf_is_never_sent),
		cmocka_unit_test(
		    D27_what_is_encoded_decodes_to_itself_and_ends_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
