#include "bmx-queue/fsck_find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "bmx-queue/jline.h"

#define LINKED_FOR_S 60 /* a name more, on the way from tmp/ to new/ */

void
fsck_tell(struct fsck *f, const char *directory, const char *name,
    bool is_repaired, const char *problem)
{
	char path[4 * NAME_MAX + 64], safe[4 * NAME_MAX + 1];
	const struct jline_pair row[] = {
		{ "domain", f->domain[0] == '\0' ? "." : f->domain },
		{ "path", path },
		{ "problem", problem },
		{ "done", is_repaired ? "repaired" : "reported" },
	};
	struct err e;

	f->problems++;
	f->repaired += is_repaired;
	text_safe(safe, sizeof safe, name);
	snprintf(path, sizeof path, "%s%s%s", directory,
	    directory[0] == '\0' || name[0] == '\0' ? "" : "/", safe);
	if (path[0] == '\0')
		snprintf(path, sizeof path, ".");
	if (jline_row(f->o, row, sizeof row / sizeof *row, &e) == -1)
		f->is_full = true;
}

static const char *
kind_of(mode_t mode)
{
	if (S_ISLNK(mode))
		return "a symbolic link, which is not followed";
	if (S_ISDIR(mode))
		return "a directory";
	if (S_ISFIFO(mode))
		return "a FIFO";
	if (S_ISSOCK(mode))
		return "a socket";
	return S_ISREG(mode) ? "a file, not a directory" : "a device";
}

/* By a descriptor of the very file that was looked at. */
static bool
set_mode(int dirfd, const char *name, const struct stat *seen, mode_t mode)
{
	int fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	bool is_set = fd != -1 && fstat(fd, &st) == 0 &&
		      st.st_dev == seen->st_dev && st.st_ino == seen->st_ino &&
		      fchmod(fd, mode) == 0;

	if (fd != -1)
		close(fd);
	return is_set;
}

static void
look_at_mode(struct fsck *f, int dirfd, const char *directory, const char *name,
    enum fsck_kind kind, const struct stat *st)
{
	mode_t mode = st->st_mode & ALLPERMS;
	mode_t wanted = kind == FSCK_FILE ? 0600 : 0700;
	char problem[64];

	/* the sticky bit: see spool.c */
	if (kind == FSCK_DIRECTORY)
		mode &= ~(mode_t)S_ISVTX;
	if (mode == wanted)
		return;
	snprintf(problem, sizeof problem, "mode %04o, not %04o", mode, wanted);
	fsck_tell(f, directory, name,
	    f->repair && set_mode(dirfd, name, st, wanted), problem);
}

int
fsck_look(struct fsck *f, int dirfd, const char *directory, const char *name,
    enum fsck_kind kind, struct stat *st)
{
	char problem[64];

	if (fstatat(dirfd, name, st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT)
			fsck_tell(f, directory, name, false, strerror(errno));
		return 0;
	}
	if (kind == FSCK_FILE ? !S_ISREG(st->st_mode) : !S_ISDIR(st->st_mode)) {
		fsck_tell(f, directory, name, false, kind_of(st->st_mode));
		return 0;
	}
	if (st->st_uid != geteuid()) {
		snprintf(problem, sizeof problem, "belongs to user %lu",
		    (unsigned long)st->st_uid);
		fsck_tell(f, directory, name, false, problem);
		return 0;
	}
	if (kind == FSCK_FILE && st->st_nlink > 1 &&
	    st->st_ctime < f->o->now_us / 1000000 - LINKED_FOR_S)
		fsck_tell(f, directory, name, false,
		    "has another name (a hard link)");
	look_at_mode(f, dirfd, directory, name, kind, st);
	return 1;
}

int
fsck_open(struct fsck *f, int dirfd, const char *name)
{
	int fd = openat(dirfd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 && errno != ENOENT)
		fsck_tell(f, "", name, false, strerror(errno));
	return fd;
}

void
fsck_each(struct fsck *f, const struct spool_domain *d, int fd,
    const char *directory, fsck_take *take)
{
	int again =
	    openat(fd, ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = again == -1 ? NULL : fdopendir(again);
	struct dirent *entry;

	if (dir == NULL) {
		fsck_tell(f, directory, "", false, strerror(errno));
		if (again != -1)
			close(again);
		return;
	}
	while (errno = 0, (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 &&
		    strcmp(entry->d_name, "..") != 0)
			take(f, d, fd, directory, entry->d_name);
	if (errno != 0)
		fsck_tell(f, directory, "", false, strerror(errno));
	closedir(dir);
}
