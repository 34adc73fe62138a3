#include "jsonl.h"

#include <errno.h>
#include <string.h>

int
jsonl_open(struct jsonl *j, const char *path, struct err *e)
{
	j->path = path;
	if (strcmp(path, "-") == 0)
		j->stream = stdin;
	else
		j->stream = fopen(path, "re");
	if (j->stream == NULL)
		return err_usage(e, "%s: %s", path, strerror(errno));
	return 0;
}

void
jsonl_close(struct jsonl *j)
{
	if (j->stream != NULL && j->stream != stdin)
		fclose(j->stream);
	j->stream = NULL;
	buf_free(&j->text);
}

int
jsonl_blame(const struct jsonl *j, struct err *e)
{
	return err_prefix(e, "%s line %lu", j->path, j->line);
}

/* One line; a last one without LF counts. 0 at the end. */
static int
read_line(struct jsonl *j, struct err *e)
{
	char piece[4096];
	size_t n = 0;
	int c;

	buf_reset(&j->text);
	j->line++;
	while ((c = getc_unlocked(j->stream)) != EOF && c != '\n') {
		piece[n++] = (char)c;
		if (n < sizeof piece)
			continue;
		buf_add(&j->text, piece, n);
		n = 0;
		if (j->text.failed)
			break;
	}
	buf_add(&j->text, piece, n);
	if (ferror(j->stream))
		return err_sys(e, "read");
	if (j->text.failed)
		return err_data(e, "longer than %zu bytes, or out of memory",
		    j->text.max);
	return c == EOF && j->text.len == 0 ? 0 : 1;
}

int
jsonl_next(struct jsonl *j, struct err *e)
{
	int rc;

	do
		rc = read_line(j, e);
	while (rc == 1 && j->text.len == 0);
	return rc == -1 ? jsonl_blame(j, e) : rc;
}
