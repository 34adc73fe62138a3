#ifndef BMX_DOT_H
#define BMX_DOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * DATA's transparency, both ways (RFC 5321 sections 2.3.8, 4.1.1.4, 4.5.2).
 *
 * Pure and without copies: each call gives the next slice of its input (or of
 * a constant) that belongs to the output.
 */

struct dot_slice {
	const char *data;
	size_t len;
};

/* ---- server: wire form in, content out ---- */

/*
 * A state is named for what was just seen. Only CR LF "." CR LF ends the
 * content. A CR without LF or an LF without CR is remembered in is_bare and
 * the bytes go on as content, so that the session stays in step; the caller
 * refuses the message at its end: this is how mail is smuggled (VU#302671).
 * A NUL is remembered in has_nul.
 */
enum dot_state {
	DOT_LINE_START,  /* nothing yet, or after CRLF */
	DOT_LINE_DOT,    /* after CRLF "." */
	DOT_LINE_DOT_CR, /* after CRLF "." CR: now LF ends the content */
	DOT_IN_LINE,
	DOT_IN_LINE_CR, /* after CR: only LF may come */
	DOT_END,
};

struct dot_decoder {
	enum dot_state state;
	bool is_bare;
	bool has_nul;
	bool has_8bit;
};

/* clang-format off */
#define DOT_DECODER_INIT { DOT_LINE_START, false, false, false }
/* clang-format on */

/*
 * Take bytes from in; *used says how many were taken, *out is the content
 * among them (possibly empty; valid as long as in is), or a CR that was held
 * back; *used may be 0 then. Call again with the rest while *used < len. Returns
 * true when the end was seen: what follows *used belongs to the next command.
 * Speed: plain lines are passed over many at once, and one call yields as much
 * as lies contiguous.
 */
bool dot_decode(struct dot_decoder *d, const char *in, size_t len, size_t *used,
    struct dot_slice *out);

/* ---- the same checks for content that comes without transparency (BDAT) ---- */

/* Watch content in order; sets is_bare, has_nul, has_8bit. */
void dot_watch(struct dot_decoder *d, const char *in, size_t len);

/* At its end: true if the content ends in CRLF, or is empty. */
bool dot_watched_whole(const struct dot_decoder *d);

/* ---- client: content in, wire form out ---- */

struct dot_encoder {
	bool line_start; /* the last two bytes sent were CRLF, or none yet */
	bool after_cr;
};

/* clang-format off */
#define DOT_ENCODER_INIT { true, false }
/* clang-format on */

/*
 * Take bytes from in; *out is the next slice to send: a part of in, or a
 * constant (the doubled dot; *used is 0 then). True: call again with the rest;
 * false: all of in is out. Content in the spool has only CRLF line ends, and
 * dot_encode() makes sure of it: at a bare CR or LF *is_bare is true, false is
 * returned, and nothing more may be sent (RFC 5321 2.3.8 forbids it).
 */
bool dot_encode(struct dot_encoder *d, const char *in, size_t len, size_t *used,
    struct dot_slice *out, bool *is_bare);

/* The same watch over content that goes without transparency (BDAT), in order:
 * false at a bare CR or LF. d->after_cr at its end is a bare CR too. */
bool dot_is_clean(struct dot_encoder *d, const char *in, size_t len);

/* What ends the content: ".\r\n" after a line end (or when there was nothing),
 * else the rest of a line end, so that there is no bare CR, and ".\r\n". */
struct dot_slice dot_finish(const struct dot_encoder *d);

#endif
