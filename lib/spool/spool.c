#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* A domain's directory has the sticky bit from mkdir(2) until it and its
 * parent are synced: who finds it set cannot rely on the name being on disk,
 * and syncs too before answering 250. */
#define MODE_UNSYNCED (S_ISVTX | S_IRWXU)
#define MODE_SYNCED S_IRWXU

/* What SPOOL holds beside domains. A domain of this name cannot be spooled. */
static const char ledger[] = "ledger";

static int
open_dir(int at, const char *name)
{
	return openat(at, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* ---- the root ---- */

int
spool_act_as_owner(const char *path, struct err *e)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) == -1 || st.st_uid == 0)
		return 0;
	if (setgroups(1, &st.st_gid) == -1 || setgid(st.st_gid) == -1 ||
	    setuid(st.st_uid) == -1)
		return err_sys(e, "cannot become the owner of %s", path);
	return 0;
}

static const char *
user_name(uid_t uid, char *room, size_t size)
{
	struct passwd *pw = getpwuid(uid);

	if (pw != NULL)
		return text_safe(room, size, pw->pw_name);
	snprintf(room, size, "uid %lu", (unsigned long)uid);
	return room;
}

static int
explain_open(const char *path, struct err *e)
{
	int reason = errno;
	char owner[64];
	struct stat st;

	if (reason == ENOENT)
		return err_config(e,
		    "the spool %s does not exist: mkdir -p -m 700 %s && "
		    "chown bmx %s (the user that bmx runs as)",
		    path, path, path);
	if (reason == ENOTDIR)
		return err_config(e, "the spool %s is not a directory", path);
	if (reason == EACCES && stat(path, &st) == 0 &&
	    st.st_uid != geteuid()) {
		user_name(st.st_uid, owner, sizeof owner);
		return err_temp(e,
		    "cannot open the spool %s: %s: it belongs to %s, run this "
		    "as %s",
		    path, strerror(reason), owner, owner);
	}
	errno = reason;
	return err_sys(e, "cannot open the spool %s", path);
}

static int
check_owner(const char *path, const struct stat *st, struct err *e)
{
	char owner[64], self[64];

	if (st->st_uid != geteuid()) {
		user_name(st->st_uid, owner, sizeof owner);
		user_name(geteuid(), self, sizeof self);
		return err_config(e,
		    "the spool %s belongs to %s and this runs as %s: run it "
		    "as %s, or chown -R %s %s",
		    path, owner, self, owner, self, path);
	}
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return err_config(e,
		    "others may write to the spool %s: chmod 700 %s", path,
		    path);
	return 0;
}

int
spool_open(struct spool *sp, const char *path, struct err *e)
{
	size_t len = strlen(path);
	struct stat st;

	sp->fd = -1;
	if (len >= sizeof sp->path)
		return err_config(e, "the spool's path is too long");
	memcpy(sp->path, path, len + 1);
	/* A link is followed here alone: the spool may live on another disk. */
	sp->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->fd == -1)
		return explain_open(path, e);
	if (fstat(sp->fd, &st) == -1) {
		err_sys(e, "fstat %s", path);
		spool_close(sp);
		return -1;
	}
	if (check_owner(path, &st, e) == -1) {
		spool_close(sp);
		return -1;
	}
	return 0;
}

void
spool_close(struct spool *sp)
{
	close_fd(&sp->fd);
}

int
spool_sync_root(const struct spool *sp, struct err *e)
{
	int fd = open_dir(sp->fd, "."), rc = 0;

	if (fd == -1 || fsync(fd) == -1)
		rc = err_sys(e, "fsync %s", sp->path);
	close_fd(&fd);
	return rc;
}

/* ---- one domain ---- */

bool
spool_is_domain(const char *name)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err ignored;

	return addr_fold_domain(name, strlen(name), folded, &ignored) == 0 &&
	       strcmp(name, folded) == 0 && strcmp(name, ledger) != 0;
}

static int
make_part(const struct spool_domain *d, const char *part, struct err *e)
{
	int fd, failed;

	if (mkdirat(d->fd, part, S_IRWXU) == -1 && errno != EEXIST)
		return err_sys(e, "mkdir %s/%s", d->name, part);
	fd = open_dir(d->fd, part);
	if (fd == -1)
		return err_sys(e, "open %s/%s", d->name, part);
	failed = fsync(fd);
	close(fd);
	if (failed == -1)
		return err_sys(e, "fsync %s/%s", d->name, part);
	return 0;
}

/* Make what is missing. The sticky bit goes last: see MODE_UNSYNCED. */
static int
make_whole(const struct spool_domain *d, const struct spool *sp, struct err *e)
{
	static const char *const parts[] = { "tmp", "log", "cur", "new" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (make_part(d, parts[i], e) == -1)
			return -1;
	if (fsync(d->fd) == -1)
		return err_sys(e, "fsync %s", d->name);
	if (spool_sync_root(sp, e) == -1)
		return -1;
	if (fchmod(d->fd, MODE_SYNCED) == -1)
		return err_sys(e, "chmod %s", d->name);
	return 0;
}

/* 1, 0 when there is no such directory, -1. */
static int
open_top(struct spool_domain *d, const struct spool *sp, bool create,
    struct err *e)
{
	d->fd = open_dir(sp->fd, d->name);
	if (d->fd == -1 && errno == ENOENT && create) {
		if (mkdirat(sp->fd, d->name, MODE_UNSYNCED) == -1 &&
		    errno != EEXIST)
			return err_sys(e, "mkdir %s/%s", sp->path, d->name);
		d->fd = open_dir(sp->fd, d->name);
	}
	if (d->fd != -1)
		return 1;
	if (errno == ENOENT && !create)
		return 0;
	if (errno == ENOTDIR || errno == ELOOP)
		return err_temp(e,
		    "%s/%s is not a directory (links are not followed)",
		    sp->path, d->name);
	return err_sys(e, "open %s/%s", sp->path, d->name);
}

/* A part that is missing stays -1 and counts as empty. */
static int
open_part(const struct spool_domain *d, const char *part, int *fd,
    struct err *e)
{
	*fd = open_dir(d->fd, part);
	if (*fd == -1 && errno != ENOENT)
		return err_sys(e, "open %s/%s", d->name, part);
	return 0;
}

static int
open_parts(struct spool_domain *d, struct err *e)
{
	close_fd(&d->new_fd);
	close_fd(&d->cur_fd);
	close_fd(&d->log_fd);
	if (open_part(d, "new", &d->new_fd, e) == -1 ||
	    open_part(d, "cur", &d->cur_fd, e) == -1 ||
	    open_part(d, "log", &d->log_fd, e) == -1)
		return -1;
	return 0;
}

/* Before anything is written: all is there, and on disk. */
static int
prepare(struct spool_domain *d, const struct spool *sp, struct err *e)
{
	struct stat st, tmp;
	bool has_tmp = fstatat(d->fd, "tmp", &tmp, AT_SYMLINK_NOFOLLOW) == 0;

	d->has_proc = access("/proc/self/fd", X_OK) == 0;
	if (has_tmp && !S_ISDIR(tmp.st_mode))
		return err_temp(e,
		    "%s/tmp is not a directory (links are not followed)",
		    d->name);
	if (fstat(d->fd, &st) == -1)
		return err_sys(e, "fstat %s", d->name);
	if ((st.st_mode & S_ISVTX) == 0 && d->new_fd != -1 && d->cur_fd != -1 &&
	    d->log_fd != -1 && has_tmp)
		return 0;
	if (make_whole(d, sp, e) == -1)
		return -1;
	return open_parts(d, e);
}

int
spool_domain_open(struct spool_domain *d, const struct spool *sp,
    const char *domain, bool create, struct err *e)
{
	const struct spool_domain closed = SPOOL_DOMAIN_INIT;
	int rc;

	*d = closed;
	if (!spool_is_domain(domain)) {
		char safe[64];

		return err_data(e, "%s cannot be the name of a spooled domain",
		    text_safe(safe, sizeof safe, domain));
	}
	snprintf(d->name, sizeof d->name, "%s", domain);
	d->owner = geteuid();
	rc = open_top(d, sp, create, e);
	if (rc == 1 && open_parts(d, e) == -1)
		rc = -1;
	if (rc == 1 && create && prepare(d, sp, e) == -1)
		rc = -1;
	if (rc == -1)
		spool_domain_close(d);
	return rc;
}

/* A directory that is open keeps its number, also when it was removed. */
static bool
is_current(const struct spool_domain *d, const struct spool *sp)
{
	char path[ADDR_DOMAIN_MAX + sizeof "/new"];
	struct stat ours, there;

	snprintf(path, sizeof path, "%s/new", d->name);
	return fstat(d->new_fd, &ours) == 0 &&
	       fstatat(sp->fd, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
}

int
spool_domain_need(struct spool_domain *d, const struct spool *sp,
    const char *domain, struct err *e)
{
	if (d->new_fd != -1 && strcmp(d->name, domain) == 0 &&
	    is_current(d, sp))
		return 0;
	spool_domain_close(d);
	return spool_domain_open(d, sp, domain, true, e) == -1 ? -1 : 0;
}

void
spool_domain_close(struct spool_domain *d)
{
	close_fd(&d->lock_fd);
	close_fd(&d->log_fd);
	close_fd(&d->cur_fd);
	close_fd(&d->new_fd);
	close_fd(&d->fd);
}

int
spool_domain_lock(struct spool_domain *d, struct err *e)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int fd;

	if (d->lock_fd != -1)
		return 1;
	fd = openat(d->fd, "lock",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
	if (fd == -1 && errno == ENOENT) /* the whole directory is gone */
		return 0;
	if (fd == -1)
		return err_sys(e, "open %s/lock", d->name);
	if (fcntl(fd, F_OFD_SETLK, &whole) == 0) {
		/* spool_domain_remove() may have taken its name away: it is
		 * another file that others will lock now */
		if (fstat(fd, &st) == 0 && st.st_nlink > 0) {
			d->lock_fd = fd;
			return 1;
		}
		errno = EAGAIN;
	}
	if (errno == EAGAIN || errno == EACCES) {
		close(fd);
		return 0;
	}
	err_sys(e, "lock %s/lock", d->name);
	close(fd);
	return -1;
}

/* Nothing but what an empty Maildir has. */
static bool
is_bare(const struct spool_domain *d)
{
	static const char *const parts[] = { ".", "..", "tmp", "new", "cur",
		"log", "lock" };
	int fd = open_dir(d->fd, ".");
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *entry;
	bool is_known = dir != NULL;
	size_t i;

	while (is_known && (entry = readdir(dir)) != NULL) {
		for (i = 0; i < sizeof parts / sizeof *parts; i++)
			if (strcmp(entry->d_name, parts[i]) == 0)
				break;
		is_known = i < sizeof parts / sizeof *parts;
	}
	if (dir != NULL)
		closedir(dir);
	else if (fd != -1)
		close(fd);
	return is_known;
}

/*
 * new/ goes first: rmdir(2) fails while it has a message, and afterwards
 * nobody can put one in without making it again. Then the domain's directory
 * is not empty, and stays with what its maker will find missing and mend.
 */
int
spool_domain_remove(const struct spool_domain *d, const struct spool *sp,
    struct err *e)
{
	static const char *const parts[] = { "new", "cur", "log", "tmp" };

	if (d->lock_fd == -1 || !is_bare(d))
		return 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (unlinkat(d->fd, parts[i], AT_REMOVEDIR) == -1 &&
		    errno != ENOENT)
			return errno == ENOTEMPTY || errno == EEXIST
				   ? 0
				   : err_sys(e, "rmdir %s/%s", d->name,
					 parts[i]);
	if (unlinkat(d->fd, "lock", 0) == -1 && errno != ENOENT)
		return err_sys(e, "remove %s/lock", d->name);
	if (unlinkat(sp->fd, d->name, AT_REMOVEDIR) == 0)
		return 1;
	if (errno == ENOTEMPTY || errno == EEXIST)
		return 0;
	return err_sys(e, "rmdir %s", d->name);
}

/* ---- all domains ---- */

int
spool_domains_open(struct spool_domains *l, const struct spool *sp,
    struct err *e)
{
	int fd = open_dir(sp->fd, ".");

	l->dir = fd == -1 ? NULL : fdopendir(fd);
	if (l->dir != NULL)
		return 0;
	err_sys(e, "open %s", sp->path);
	close_fd(&fd);
	return -1;
}

/* A directory, or a link that somebody takes for one. */
static bool
may_be_domain(DIR *dir, const struct dirent *entry)
{
	struct stat st;

	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR || entry->d_type == DT_LNK;
	return fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		   0 &&
	       (S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode));
}

int
spool_domains_next(struct spool_domains *l, struct err *e)
{
	for (;;) {
		struct dirent *entry;

		errno = 0;
		entry = readdir(l->dir);
		if (entry == NULL)
			return errno == 0 ? 0 : err_sys(e, "read the spool");
		if (strlen(entry->d_name) >= sizeof l->name ||
		    !spool_is_domain(entry->d_name) ||
		    !may_be_domain(l->dir, entry))
			continue;
		snprintf(l->name, sizeof l->name, "%s", entry->d_name);
		return 1;
	}
}

void
spool_domains_close(struct spool_domains *l)
{
	if (l->dir != NULL)
		closedir(l->dir);
	l->dir = NULL;
}
