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

/* The directory of the months, made with the first line. One whose name could
 * not be synced is taken back: who finds it need not ask. -1. */
static int
open_directory(const struct spool *sp, struct err *e)
{
	int fd;

	if (mkdirat(sp->fd, "ledger", S_IRWXU) == 0) {
		if (spool_sync_root(sp, e) == -1) {
			unlinkat(sp->fd, "ledger", AT_REMOVEDIR);
			return -1;
		}
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

/* Open already, and somebody can still read it: it was not removed. */
static bool
is_open(const struct ledger *l, const char *month)
{
	struct stat st;

	return l->fd != -1 && strcmp(l->month, month) == 0 &&
	       fstat(l->fd, &st) == 0 && st.st_nlink > 0;
}

/* Before the first line: who finds lines need not ask for the name. */
static int
sync_name(int fd, int dir, const char *month, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return err_sys(e, "stat ledger/%s", month);
	if (st.st_size == 0 && fsync(dir) == -1)
		return err_sys(e, "sync the name of ledger/%s", month);
	return 0;
}

static int
open_month(struct ledger *l, const struct spool *sp, const char *month,
    struct err *e)
{
	int dir, rc = -1;

	if (is_open(l, month))
		return 0;
	ledger_close(l);
	dir = open_directory(sp, e);
	if (dir == -1)
		return -1;
	l->fd = file_open_lines(dir, month, e);
	if (l->fd != -1)
		rc = sync_name(l->fd, dir, month, e);
	close(dir);
	if (rc == -1)
		ledger_close(l);
	else
		memcpy(l->month, month, sizeof l->month);
	return rc;
}

int
ledger_append(struct ledger *l, const struct spool *sp,
    const struct ledger_line *line, int64_t now_us, struct err *e)
{
	struct buf b = BUF_INIT(LINE_MAX_BYTES);
	char month[CLOCK_RFC3339_MAX];
	int rc;

	format(&b, line, now_us);
	rc = buf_check(&b, e);
	if (rc == 0)
		rc = open_month(l, sp, month_of(month, now_us), e);
	if (rc == 0)
		rc = file_add_line(l->fd, l->month, b.data, e);
	buf_free(&b);
	return rc;
}

void
ledger_close(struct ledger *l)
{
	if (l->fd != -1)
		close(l->fd);
	l->fd = -1;
}

int
ledger_add(const struct spool *sp, const struct ledger_line *line,
    int64_t now_us, struct err *e)
{
	struct ledger l = LEDGER_INIT;
	int rc = ledger_append(&l, sp, line, now_us, e);

	if (rc == 0 && fdatasync(l.fd) == -1)
		rc = err_sys(e, "sync ledger/%s", l.month);
	if (l.fd != -1 && close(l.fd) == -1 && rc == 0)
		rc = err_sys(e, "close %s/ledger/%s", sp->path, l.month);
	return rc;
}

static int
sync_month(int dir, const char *month, struct err *e)
{
	int fd =
	    openat(dir, month, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int rc = 0;

	if (fd == -1 && errno == ENOENT)
		return 0; /* no line yet */
	if (fd == -1 || fdatasync(fd) == -1)
		rc = err_sys(e, "sync ledger/%s", month);
	if (fd != -1)
		close(fd);
	return rc;
}

/* Lines that were added together may be of two months. */
#define DAY_US (INT64_C(24) * 60 * 60 * 1000000)

int
ledger_sync(const struct spool *sp, int64_t now_us, struct err *e)
{
	char month[CLOCK_RFC3339_MAX], before[CLOCK_RFC3339_MAX];
	int dir = openat(sp->fd, "ledger",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (dir == -1)
		return errno == ENOENT ? 0
				       : err_sys(e, "open %s/ledger", sp->path);
	month_of(month, now_us);
	rc = sync_month(dir, month, e);
	if (rc == 0 && strcmp(month, month_of(before, now_us - DAY_US)) != 0)
		rc = sync_month(dir, before, e);
	close(dir);
	return rc;
}
