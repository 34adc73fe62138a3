#include "base/names.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n\v\f";

/* Cut the name out of the stream's line; NULL: nothing in it. */
static const char *
name_in_line(struct names *n)
{
	char *name = n->line + strspn(n->line, blanks);
	size_t len = strcspn(name, blanks);
	char *rest = name + len;

	if (*name == '\0' || *name == '#' || *name == ';')
		return NULL;
	if (*rest != '\0') {
		*rest++ = '\0';
		rest += strspn(rest, blanks);
		rest[strcspn(rest, "\r\n")] = '\0';
	}
	n->rest = rest;
	return name;
}

/*
 * One line into n->line, without its LF. 1; 0 at the end; -1. (getline(3)
 * would take as much memory as a line without an end has bytes.)
 */
static int
read_line(struct names *n, struct err *e)
{
	size_t len = 0;
	int c;

	if (n->line == NULL)
		n->line = malloc(NAMES_LINE_MAX + 1);
	if (n->line == NULL)
		return err_temp(e, "out of memory");
	n->line_number++;
	while ((c = getc_unlocked(n->stream)) != EOF && c != '\n') {
		if (len == NAMES_LINE_MAX)
			return err_data(e, "line %lu is longer than %d bytes",
			    n->line_number, NAMES_LINE_MAX);
		if (c == '\0')
			return err_data(e,
			    "line %lu has a NUL: names are one a line",
			    n->line_number);
		n->line[len++] = (char)c;
	}
	n->line[len] = '\0';
	if (ferror(n->stream))
		return err_sys(e, "read names");
	return c == EOF && len == 0 ? 0 : 1;
}

/* The next name of the stream; 0 at its end. */
static int
next_line(struct names *n, const char **name, struct err *e)
{
	int rc;

	while ((rc = read_line(n, e)) == 1) {
		*name = name_in_line(n);
		if (*name != NULL)
			break;
	}
	return rc;
}

int
names_next(struct names *n, const char **name, struct err *e)
{
	while (*n->args != NULL) {
		int rc;

		if (strcmp(*n->args, "-") != 0) {
			n->line_number = 0;
			n->rest = "";
			*name = *n->args++;
			return 1;
		}
		rc = next_line(n, name, e);
		if (rc != 0)
			return rc;
		n->args++;
	}
	return 0;
}

void
names_free(struct names *n)
{
	free(n->line);
	n->line = NULL;
}
