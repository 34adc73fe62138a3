#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define SWEEP_AGE_S 3600

/* Up to its end, which with all of size bytes is reached; 0: nobody knows. */
static int
read_all(int fd, const char *name, size_t size, struct buf *b, struct err *e)
{
	size_t left = size == 0 ? SIZE_MAX : size;

	while (left > 0) {
		char piece[4096];
		ssize_t n = read(fd, piece, sizeof piece);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, "read %s", name);
		if (n == 0)
			break;
		buf_add(b, piece, (size_t)n);
		if (b->failed)
			return err_data(e, "%s is larger than %zu bytes", name,
			    b->max);
		left -= (size_t)n < left ? (size_t)n : left;
	}
	return 1;
}

int
file_read(int dirfd, const char *name, struct buf *b, struct err *e)
{
	struct stat st;
	int fd, rc;

	fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return err_sys(e, "open %s", name);
	if (fstat(fd, &st) == -1)
		rc = err_sys(e, "stat %s", name);
	else if (!S_ISREG(st.st_mode))
		rc = err_data(e, "%s is not a regular file", name);
	else
		rc = read_all(fd, name, (size_t)st.st_size, b, e);
	close(fd);
	return rc;
}

int
file_write_all(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The new name must survive a power cut as well. */
static int
sync_directory(int dirfd, const char *name, struct err *e)
{
	const char *slash = strrchr(name, '/');
	char dir[FILE_NAME_BYTES];
	int fd, rc = 0;

	snprintf(dir, sizeof dir, "%.*s",
	    slash == NULL ? 1 : (int)(slash - name) + 1,
	    slash == NULL ? "." : name);
	fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return err_sys(e, "open directory of %s", name);
	if (fsync(fd) == -1)
		rc = err_sys(e, "fsync directory of %s", name);
	close(fd);
	return rc;
}

/* ".name.PID.CHANCE" beside name: two hosts that share a directory may have
 * one process id. */
static int
temporary_name(char out[FILE_NAME_BYTES], const char *name, struct err *e)
{
	const char *slash = strrchr(name, '/');
	int dir = slash == NULL ? 0 : (int)(slash - name) + 1;
	uint32_t chance;
	int len;

	if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		return err_sys(e, "getrandom");
	len = snprintf(out, FILE_NAME_BYTES, "%.*s.%s.%ld.%08lx", dir, name,
	    name + dir, (long)getpid(), (unsigned long)chance);
	if (len >= FILE_NAME_BYTES || len - dir > NAME_MAX)
		return err_temp(e, "%s: name too long", name);
	return 0;
}

int
file_begin(struct file_new *f, int dirfd, const char *name, mode_t mode,
    struct err *e)
{
	f->dirfd = dirfd;
	f->name = name;
	if (temporary_name(f->temporary, name, e) == -1)
		return -1;
	f->fd = openat(dirfd, f->temporary,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd == -1)
		return err_sys(e, "create %s", f->temporary);
	if (fchmod(f->fd, mode) == 0)
		return 0;
	err_sys(e, "chmod %s", f->temporary);
	file_abort(f);
	return -1;
}

int
file_commit(struct file_new *f, struct err *e)
{
	int rc = 0;

	if (fsync(f->fd) == -1)
		rc = err_sys(e, "fsync %s", f->temporary);
	if (close(f->fd) == -1 && rc == 0)
		rc = err_sys(e, "close %s", f->temporary);
	f->fd = -1;
	if (rc == 0 &&
	    renameat(f->dirfd, f->temporary, f->dirfd, f->name) == -1)
		rc = err_sys(e, "rename %s to %s", f->temporary, f->name);
	if (rc == 0)
		return sync_directory(f->dirfd, f->name, e);
	file_abort(f);
	return -1;
}

void
file_abort(struct file_new *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	unlinkat(f->dirfd, f->temporary, 0);
}

int
file_replace(int dirfd, const char *name, const char *data, size_t len,
    mode_t mode, struct err *e)
{
	struct file_new f;

	if (file_begin(&f, dirfd, name, mode, e) == -1)
		return -1;
	if (file_write_all(f.fd, data, len) == 0)
		return file_commit(&f, e);
	err_sys(e, "write %s", f.temporary);
	file_abort(&f);
	return -1;
}

/* ---- what was left behind ---- */

/* What temporary_name() makes, seen from its end. */
static bool
is_temporary(const char *name)
{
	const char *chance = strrchr(name, '.'), *pid;

	if (name[0] != '.' || chance == name || strlen(chance + 1) != 8 ||
	    strspn(chance + 1, "0123456789abcdef") != 8)
		return false;
	for (pid = chance; pid[-1] >= '0' && pid[-1] <= '9'; pid--)
		;
	return pid < chance && pid[-1] == '.' && pid - 1 > name + 1;
}

static void
sweep_one(int dirfd, const char *name, time_t now)
{
	struct stat st;

	if (is_temporary(name) &&
	    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_mtime < now - SWEEP_AGE_S)
		unlinkat(dirfd, name, 0);
}

void
file_sweep(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	time_t now = (time_t)(clock_wall_us() / 1000000);
	const struct dirent *one;

	for (size_t n = 0;
	     dir != NULL && n < FILE_SWEEP_MAX && (one = readdir(dir)) != NULL;
	     n++)
		sweep_one(dirfd, one->d_name, now);
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
}

int
file_is_ours(int fd, const char *name, struct stat *st, struct err *e)
{
	if (fstat(fd, st) == -1)
		return err_sys(e, "stat %s", name);
	if (!S_ISREG(st->st_mode))
		return err_data(e, "%s: not a regular file", name);
	if (st->st_uid != geteuid())
		return err_data(e, "%s belongs to another user (uid %lu)", name,
		    (unsigned long)st->st_uid);
	if (st->st_nlink > 1)
		return err_data(e,
		    "%s has another name (a hard link): put a copy in its "
		    "place",
		    name);
	return 0;
}

/* Whether the last line of a file has its end: 1; 0: a crash or a full disk cut
 * it; -1. */
static int
is_line_whole(int fd, const char *name, struct err *e)
{
	struct stat st;
	char last;

	if (file_is_ours(fd, name, &st, e) == -1)
		return -1;
	if (st.st_size == 0)
		return 1;
	if (pread(fd, &last, 1, st.st_size - 1) != 1)
		return err_sys(e, "read %s", name);
	return last == '\n';
}

int
file_open_lines(int dirfd, const char *name, struct err *e)
{
	int fd = openat(dirfd, name,
	    O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
		O_NOCTTY,
	    0600);

	return fd == -1 ? err_sys(e, "open %s", name) : fd;
}

int
file_add_line(int fd, const char *name, const char *line, struct err *e)
{
	char text[8192];
	int len, whole;

	len = snprintf(text, sizeof text, "\n%s\n", line);
	if (len >= (int)sizeof text)
		return err_temp(e, "%s: line of %d bytes is too long", name,
		    len);
	whole = is_line_whole(fd, name, e);
	if (whole == -1)
		return -1;
	if (file_write_all(fd, text + whole, (size_t)(len - whole)) == -1)
		return err_sys(e, "write %s", name);
	return 0;
}

int
file_append_line(int dirfd, const char *name, const char *line, struct err *e)
{
	int fd = file_open_lines(dirfd, name, e), rc;

	if (fd == -1)
		return -1;
	rc = file_add_line(fd, name, line, e);
	if (close(fd) == -1 && rc == 0)
		rc = err_sys(e, "close %s", name);
	return rc;
}
