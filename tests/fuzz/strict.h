#ifndef FUZZ_STRICT_H
#define FUZZ_STRICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * A receiver of mail that forgives nothing, written apart from the parsers of
 * bmx: what the client engine puts on the wire is read again here, in the one
 * way that it can be meant. Anything else aborts.
 */
#define STRICT_PARAMS_MAX 8
#define STRICT_RCPT_MAX 100

/* MAIL or RCPT. */
struct strict_path {
	char text[1024];                     /* between the brackets */
	char param[STRICT_PARAMS_MAX][1024]; /* "BODY=8BITMIME" */
	size_t nparam;
};

struct strict {
	/* what was offered to the client, which may use nothing else */
	bool has_size, has_8bitmime, has_dsn, has_smtputf8, has_requiretls;
	bool has_chunking, has_pipelining, is_lmtp;
	void (*reply)(void *arg, const char *line); /* with CRLF */
	void *arg;
	/* what came */
	struct strict_path from, to[STRICT_RCPT_MAX];
	size_t nto;
	struct buf content;
	unsigned messages;
	/* private */
	enum {
		STRICT_HELLO,
		STRICT_READY,
		STRICT_MAIL,
		STRICT_DATA,
		STRICT_CHUNK,
		STRICT_QUIT,
	} state;
	uint64_t chunk_left;
	struct buf line;
};

void strict_init(struct strict *s);
void strict_take(struct strict *s, const char *data, size_t len);
void strict_free(struct strict *s);

/* The value of a parameter of MAIL or RCPT ("" when it has none), or NULL. */
const char *strict_param(const struct strict_path *p, const char *name);

#endif
