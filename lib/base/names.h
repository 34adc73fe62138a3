#ifndef BMX_NAMES_H
#define BMX_NAMES_H

#include <stdio.h>

#include "base/err.h"

/*
 * The names a program works on, as every bmx program takes them: the
 * arguments, and for the argument "-" the lines of a stream (so the two mix).
 * Of a line, blanks around the name, a CR, empty lines and lines that start
 * with '#' or ';' are dropped; what follows the first blank after the name is
 * kept apart as the rest.
 */
#define NAMES_LINE_MAX 65536 /* bytes without the LF */

struct names {
	const char **args; /* NULL-terminated, borrowed */
	FILE *stream;      /* what "-" reads; borrowed */
	char *line;        /* NAMES_LINE_MAX and a NUL; NULL: none yet */
	unsigned long line_number; /* in the stream, of the last name; 0: an
				      argument */
	const char *rest;          /* "" when nothing follows the name */
};

/* clang-format off */
#define NAMES_INIT(arguments, input) { (arguments), (input), NULL, 0, "" }
/* clang-format on */

/* 1 and *name, valid until the next call; 0 at the end; -1: a read error, or
 * ERR_DATA, a line longer than NAMES_LINE_MAX or with a NUL, as in a list for
 * xargs -0, of which the first name alone would be seen: e->text has its
 * number. */
int names_next(struct names *n, const char **name, struct err *e);

void names_free(struct names *n);

#endif
