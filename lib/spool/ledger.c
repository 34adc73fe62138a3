#include "spool/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#define LINE_MAX_BYTES 4096
#define TEXT_MAX 1024 /* of one value, made printable */

/* The reply comes last: it is the rest of the line. */
static void
format(struct buf *b, const struct ledger_line *line, int64_t now_us)
{
	char now[CLOCK_RFC3339_MAX], arrival[CLOCK_RFC3339_MAX];
	char sender[4 * ADDR_MAX + 1], text[TEXT_MAX];

	buf_addf(b, "%s id=%s domain=%s what=%s size=%" PRIu64 " from=<%s>",
	    clock_rfc3339(now, now_us), line->id, line->domain, line->what,
	    line->size, text_word(sender, sizeof sender, line->sender));
	buf_addf(b, " nrcpt=%u peer=%s", line->nrcpt,
	    text_word(text, sizeof text, line->peer));
	buf_addf(b, " arrival=%s", clock_rfc3339(arrival, line->arrival_us));
	if (line->digest != NULL)
		buf_addf(b, " sha256=%s", line->digest);
	buf_addf(b, " reply=%s", text_safe(text, sizeof text, line->reply));
}

/* The directory of the months, made with the first line. -1. */
static int
open_ledger(const struct spool *sp, struct err *e)
{
	int fd;

	if (mkdirat(sp->fd, "ledger", S_IRWXU) == 0) {
		if (fsync(sp->fd) == -1)
			return err_sys(e, "fsync %s", sp->path);
	} else if (errno != EEXIST)
		return err_sys(e, "mkdir %s/ledger", sp->path);
	fd = openat(sp->fd, "ledger",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return err_sys(e, "open %s/ledger", sp->path);
	return fd;
}

/* The name of the file. */
static char *
month_of(char month[CLOCK_RFC3339_MAX], int64_t now_us)
{
	clock_rfc3339(month, now_us)[sizeof "YYYY-MM" - 1] = '\0';
	return month;
}

int
ledger_add(const struct spool *sp, const struct ledger_line *line,
    int64_t now_us, struct err *e)
{
	struct buf b = BUF_INIT(LINE_MAX_BYTES);
	char month[CLOCK_RFC3339_MAX];
	int fd, rc = -1;

	format(&b, line, now_us);
	fd = open_ledger(sp, e);
	if (fd != -1 && buf_check(&b, e) == 0)
		rc = file_append_line(fd, month_of(month, now_us), b.data, e);
	if (fd != -1)
		close(fd);
	buf_free(&b);
	return rc;
}

/* The lines, and the name of a month that is new. */
int
ledger_sync(const struct spool *sp, int64_t now_us, struct err *e)
{
	char month[CLOCK_RFC3339_MAX];
	int dir = openat(sp->fd, "ledger",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int fd = dir == -1
		     ? -1
		     : openat(dir, month_of(month, now_us),
			   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int rc = 0;

	if (fd == -1 && errno == ENOENT)
		rc = 0; /* no line yet */
	else if (fd == -1 || fdatasync(fd) == -1 || fsync(dir) == -1)
		rc = err_sys(e, "sync %s/ledger", sp->path);
	if (fd != -1)
		close(fd);
	if (dir != -1)
		close(dir);
	return rc;
}
