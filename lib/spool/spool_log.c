/* log/ID: what happened to a message, bounded. */

#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

/* How it begins and how it ends is what anybody asks for. */
#define LOG_MAX (256 * 1024)
#define LOG_HEAD (32 * 1024)
#define LOG_TAIL (128 * 1024)

static int
read_at(int fd, off_t at, size_t len, struct buf *b, struct err *e)
{
	char *room = buf_room(b, len);
	ssize_t n;

	if (room == NULL)
		return buf_check(b, e);
	do
		n = pread(fd, room, len, at);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return err_sys(e, "read");
	b->len += (size_t)n;
	b->data[b->len] = '\0';
	return 0;
}

/* The head up to its last line end, a line that says what is missing, and the
 * tail from its first line on. */
static int
read_ends(int fd, off_t size, size_t head, size_t tail, struct buf *b,
    struct err *e)
{
	struct buf end = BUF_INIT(LOG_MAX);
	const char *lf;
	int rc = read_at(fd, 0, head, b, e);

	while (b->len > 0 && b->data[b->len - 1] != '\n')
		b->data[--b->len] = '\0';
	if (rc == 0)
		rc = read_at(fd, size - (off_t)tail, tail, &end, e);
	lf = memchr(end.data, '\n', end.len);
	if (rc == 0 && lf != NULL) {
		size_t skipped = (size_t)(lf + 1 - end.data);

		buf_consume(&end, skipped);
		buf_addf(b, "... %lld bytes left out ...\n",
		    (long long)size - (long long)(b->len + end.len));
		buf_add(b, end.data, end.len);
	}
	buf_free(&end);
	return rc == 0 ? buf_check(b, e) : rc;
}

/* 1 and *fd, *size; 0: there is none; -1. */
static int
open_log(const struct spool_domain *d, const char *id, int *fd, off_t *size,
    struct err *e)
{
	struct stat st;

	*fd = -1;
	if (d->log_fd == -1 || spool_id_arrival_us(id) == -1)
		return 0;
	*fd = openat(d->log_fd, id,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (*fd == -1)
		return errno == ENOENT
			   ? 0
			   : err_sys(e, "open %s/log/%s", d->name, id);
	if (file_is_ours(*fd, id, &st, e) == 0) {
		*size = st.st_size;
		return 1;
	}
	close(*fd);
	*fd = -1;
	return err_prefix(e, "%s/log", d->name);
}

int
spool_log_read(const struct spool_domain *d, const char *id, struct buf *b,
    struct err *e)
{
	off_t size = 0;
	int fd, rc = open_log(d, id, &fd, &size, e);

	if (rc != 1)
		return rc;
	if (size > LOG_MAX)
		rc = read_ends(fd, size, LOG_HEAD, LOG_TAIL, b, e);
	else
		rc = read_at(fd, 0, (size_t)size, b, e);
	close(fd);
	return rc == -1 ? -1 : 1;
}

/* One writer may miss the line of another in this moment: it is for people,
 * and no program goes wrong for want of it. */
static void
shorten(const struct spool_domain *d, const char *id)
{
	struct buf b = BUF_INIT(LOG_MAX);
	struct err ignored;

	if (spool_log_read(d, id, &b, &ignored) == 1)
		file_replace(d->log_fd, id, b.data, b.len, 0600, &ignored);
	buf_free(&b);
}

void
spool_note(const struct spool_domain *d, const char *id, const char *fmt, ...)
{
	struct buf line = BUF_INIT(4096);
	char now[CLOCK_RFC3339_MAX];
	struct err ignored;
	struct stat st;
	va_list ap;

	if (d->log_fd == -1 || spool_id_arrival_us(id) == -1)
		return;
	if (fstatat(d->log_fd, id, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size > LOG_MAX)
		shorten(d, id);
	buf_addf(&line, "%s ", clock_rfc3339(now, clock_wall_us()));
	va_start(ap, fmt);
	buf_vaddf(&line, fmt, ap);
	va_end(ap);
	if (!line.failed)
		file_append_line(d->log_fd, id, line.data, &ignored);
	buf_free(&line);
}
