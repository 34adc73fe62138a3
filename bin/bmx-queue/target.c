#include "bmx-queue/target.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

static int
say_taken(const struct target *t, struct err *e)
{
	return err_perm(e,
	    "%s is there already: remove it, or choose another "
	    "name",
	    t->path);
}

/* ".NAME.PID.part" beside NAME. */
static int
name_part(struct target *t, struct err *e)
{
	size_t len = strlen(t->path);
	const char *slash = strrchr(t->path, '/');
	int dir = slash == NULL ? 0 : (int)(slash - t->path) + 1;

	if (len == 0 || t->path[len - 1] == '/')
		return err_usage(e, "--output: no name of a file");
	if (len > sizeof t->part - 32)
		return err_usage(e, "--output: too long");
	snprintf(t->part, sizeof t->part, "%.*s.%s.%ld.part", dir, t->path,
	    t->path + dir, (long)getpid());
	return 0;
}

static FILE *
open_stream(int at, const char *name)
{
	int fd = openat(at, name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *out = fd == -1 ? NULL : fdopen(fd, "w");

	if (out == NULL && fd != -1)
		close(fd);
	return out;
}

int
target_begin(struct target *t, const char *path, bool is_dir, struct err *e)
{
	struct stat st;

	t->path = path;
	t->is_dir = is_dir;
	if (path == NULL) {
		t->out = stdout;
		return 0;
	}
	if (name_part(t, e) == -1)
		return -1;
	if (lstat(path, &st) == 0)
		return say_taken(t, e);
	if (!is_dir)
		t->out = open_stream(AT_FDCWD, t->part);
	else if (mkdir(t->part, 0700) == 0)
		t->dir_fd = open(t->part,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->out != NULL || t->dir_fd != -1)
		return 0;
	err_sys(e, "cannot make %s as user %lu, the spool's owner", t->part,
	    (unsigned long)geteuid());
	t->part[0] = '\0';
	return -1;
}

int
target_subdir(struct target *t, const char *name, struct err *e)
{
	if (mkdirat(t->dir_fd, name, 0700) == -1)
		return err_sys(e, "mkdir %s/%s", t->part, name);
	return 0;
}

int
target_open(struct target *t, const char *name, struct err *e)
{
	snprintf(t->name, sizeof t->name, "%s", name);
	t->out = open_stream(t->dir_fd, name);
	return t->out == NULL ? err_sys(e, "create %s/%s", t->part, name) : 0;
}

/* Written, synced and closed; what failed first is told. */
static int
finish_stream(struct target *t, struct err *e)
{
	FILE *out = t->out;
	bool is_bad = fflush(out) != 0 || ferror(out) ||
		      (!t->is_dir && fsync(fileno(out)) == -1);
	int saved = errno;

	t->out = NULL;
	if (fclose(out) != 0 && !is_bad) {
		is_bad = true;
		saved = errno;
	}
	errno = saved == 0 ? EIO : saved;
	return is_bad ? err_sys(e, "cannot write %s", t->path) : 0;
}

int
target_close(struct target *t, struct err *e)
{
	return finish_stream(t, e);
}

/* The directory that has the name. */
static void
sync_parent(const struct target *t)
{
	char dir[sizeof t->part];
	char *slash;
	int fd;

	snprintf(dir, sizeof dir, "%s", t->part);
	slash = strrchr(dir, '/');
	if (slash == NULL)
		strcpy(dir, ".");
	else
		slash[slash == dir] = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		fsync(fd);
		close(fd);
	}
}

int
target_commit(struct target *t, struct err *e)
{
	if (t->path == NULL) {
		t->out = NULL;
		return 0; /* output_finish() sees whether it was written */
	}
	if (t->out != NULL && finish_stream(t, e) == -1)
		return -1;
	/* one call for many files */
	if (t->is_dir && syncfs(t->dir_fd) == -1)
		return err_sys(e, "sync %s", t->part);
	if (renameat2(AT_FDCWD, t->part, AT_FDCWD, t->path, RENAME_NOREPLACE) ==
	    -1)
		return errno == EEXIST
			   ? say_taken(t, e)
			   : err_sys(e, "rename %s to %s", t->part, t->path);
	sync_parent(t);
	t->part[0] = '\0';
	if (t->dir_fd != -1)
		close(t->dir_fd);
	t->dir_fd = -1;
	return 0;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
target_abort(struct target *t)
{
	if (t->out != NULL && t->path != NULL)
		fclose(t->out);
	t->out = NULL;
	if (t->dir_fd != -1)
		close(t->dir_fd);
	t->dir_fd = -1;
	if (t->part[0] != '\0')
		nftw(t->part, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	t->part[0] = '\0';
}
