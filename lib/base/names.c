#include "base/names.h"

#include <errno.h>
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

/* The next name of the stream; 0 at its end. */
static int
next_line(struct names *n, const char **name, struct err *e)
{
	while (getline(&n->line, &n->line_size, n->stream) != -1) {
		n->line_number++;
		*name = name_in_line(n);
		if (*name != NULL)
			return 1;
	}
	if (ferror(n->stream))
		return err_sys(e, "read names");
	return 0;
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
	n->line_size = 0;
}
