#ifndef BMX_QUEUE_JLINE_H
#define BMX_QUEUE_JLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "bmx-queue/output.h"

/*
 * One JSON object as a line, written key by key, so that a list of a million
 * messages builds no trees. ASCII alone comes out, so no terminal takes it for
 * anything but text. key is NULL inside an array. What failed for memory shows
 * in jline_print().
 */
struct jline {
	struct buf b;
	bool has_comma; /* before the next member */
};

/* clang-format off */
#define JLINE_INIT { BUF_INIT(64 * 1024 * 1024), false }
/* clang-format on */

/* '{' or '[', and its end. */
void jline_open(struct jline *j, const char *key, char bracket);
void jline_close(struct jline *j, char bracket);

/* A string: the characters as they are when they are UTF-8, else printable. */
void jline_text(struct jline *j, const char *key, const char *text, size_t len);
void jline_word(struct jline *j, const char *key, const char *text);
void jline_number(struct jline *j, const char *key, int64_t value);
void jline_bool(struct jline *j, const char *key, bool value);
void jline_null(struct jline *j, const char *key);

/* RFC 3339, UTC. */
void jline_time(struct jline *j, const char *key, int64_t wall_us);

/* Print the line and begin anew. */
int jline_print(struct jline *j, struct output *o, struct err *e);
void jline_free(struct jline *j);

/* Close the object, print the line, and free it all. */
int jline_end(struct jline *j, struct output *o, struct err *e);

/* A row of words that are printable: an object for JSON, else with tabs between
 * them. */
struct jline_pair {
	const char *key, *value;
};
int jline_row(struct output *o, const struct jline_pair *pairs, size_t n,
    struct err *e);

#endif
