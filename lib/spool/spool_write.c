#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

/* Room for "tmp/" and an ID, or "/proc/self/fd/" and a descriptor. */
#define PATH_ROOM 40

static char *
tmp_path(const struct spool_msg *m, char path[PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "tmp/%s", m->id);
	return path;
}

/* ---- begin ---- */

/* A file without a name dies with its process, so a kill leaves nothing
 * behind, and no name has to be made and removed in tmp/. */
static int
open_nameless(const struct spool_domain *d)
{
	if (!d->has_proc) { /* it could not be given a name later */
		errno = EOPNOTSUPP;
		return -1;
	}
	return openat(d->new_fd, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
}

/* The kernel or the file system does not know O_TMPFILE (NFS, old FUSE). */
static bool
is_refused(int error)
{
	return error == EOPNOTSUPP || error == EISDIR || error == EINVAL ||
	       error == ENOSYS;
}

static int
open_named(const struct spool_msg *m)
{
	char path[PATH_ROOM];

	return openat(m->domain->fd, tmp_path(m, path),
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    S_IRUSR | S_IWUSR);
}

int
spool_begin(struct spool_msg *m, const struct spool_domain *d, const char *id,
    unsigned nrcpt, struct err *e)
{
	const struct spool_msg none = SPOOL_MSG_INIT;

	*m = none;
	m->domain = d;
	m->nrcpt = nrcpt;
	snprintf(m->id, sizeof m->id, "%s", id);
	m->fd = open_nameless(d);
	if (m->fd == -1 && is_refused(errno)) {
		m->fd = open_named(m);
		m->in_tmp = m->fd != -1;
	}
	if (m->fd == -1)
		return err_sys(e, "create %s/tmp/%s", d->name, m->id);
	return 0;
}

/* ---- write ---- */

static int
give(struct spool_msg *m, const char *data, size_t len, struct err *e)
{
	if (len > 0 && file_write_all(m->fd, data, len) == -1)
		return err_sys(e, "write %s/%s", m->domain->name, m->id);
	return 0;
}

static int
give_pending(struct spool_msg *m, struct err *e)
{
	if (buf_check(&m->pending, e) == -1)
		return -1;
	if (give(m, m->pending.data, m->pending.len, e) == -1)
		return -1;
	buf_reset(&m->pending);
	return 0;
}

/* Whole pieces, so that each begins where a page of the file does. */
int
spool_write(struct spool_msg *m, const char *data, size_t len, struct err *e)
{
	m->size += len;
	while (len > 0) {
		size_t room = m->pending.max - m->pending.len;
		size_t n = len < room ? len : room;

		buf_add(&m->pending, data, n);
		data += n;
		len -= n;
		if (m->pending.len == m->pending.max &&
		    give_pending(m, e) == -1)
			return -1;
	}
	return buf_check(&m->pending, e);
}

/* ---- commit ---- */

/* The bytes. A message is at most as large as its name says, and the name is
 * not yet made: it holds the final size. */
int
spool_settle(struct spool_msg *m, struct err *e)
{
	char held[24] = "";

	if (m->name[0] != '\0')
		return 0; /* it is done */
	if (give_pending(m, e) == -1)
		return -1;
	if (fsync(m->fd) == -1)
		return err_sys(e, "fsync %s/%s", m->domain->name, m->id);
	if (m->held_s > 0)
		snprintf(held, sizeof held, ",H=%" PRId64, m->held_s);
	snprintf(m->name, sizeof m->name, "%s,S=%" PRIu64 ",R=%u%s%s", m->id,
	    m->size, m->nrcpt, held, m->is_told ? ":2,W" : "");
	return 0;
}

/* After link(2) failed: over a network it may have worked and its reply been
 * lost, and then the name is there and is ours. Leaves errno alone. */
static bool
is_linked(const struct spool_msg *m)
{
	struct stat ours, there;
	int saved = errno;
	bool found = fstat(m->fd, &ours) == 0 &&
		     fstatat(m->domain->new_fd, m->name, &there,
			 AT_SYMLINK_NOFOLLOW) == 0 &&
		     ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;

	errno = saved;
	return found;
}

/* The name. A link never replaces a file that is there. */
static int
link_new(const struct spool_msg *m, struct err *e)
{
	char path[PATH_ROOM];
	int rc;

	if (m->in_tmp) {
		rc = linkat(m->domain->fd, tmp_path(m, path), m->domain->new_fd,
		    m->name, 0);
	} else {
		snprintf(path, sizeof path, "/proc/self/fd/%d", m->fd);
		rc = linkat(AT_FDCWD, path, m->domain->new_fd, m->name,
		    AT_SYMLINK_FOLLOW);
	}
	if (rc == -1 && !is_linked(m))
		return err_sys(e, "link %s/new/%s", m->domain->name, m->name);
	return 0;
}

/* The name on disk. */
static int
sync_new(const struct spool_msg *m, struct err *e)
{
	if (fsync(m->domain->new_fd) == -1)
		return err_sys(e, "fsync %s/new", m->domain->name);
	return 0;
}

static void
unlink_new(const struct spool_msg *m, struct err *e)
{
	if (unlinkat(m->domain->new_fd, m->name, 0) == -1 && errno != ENOENT)
		err_prefix(e, "%s/new/%s could not be taken back",
		    m->domain->name, m->name);
}

int
spool_commit(struct spool_msg *const *msgs, size_t n, struct err *e)
{
	size_t linked = 0;
	int rc = -1;

	for (size_t i = 0; i < n; i++)
		if (spool_settle(msgs[i], e) == -1)
			goto out;
	for (; linked < n; linked++)
		if (link_new(msgs[linked], e) == -1)
			goto out;
	for (size_t i = 0; i < n; i++)
		if (sync_new(msgs[i], e) == -1)
			goto out;
	rc = 0;
out:
	if (rc == -1)
		while (linked > 0)
			unlink_new(msgs[--linked], e);
	for (size_t i = 0; i < n; i++)
		spool_abort(msgs[i]);
	return rc;
}

void
spool_abort(struct spool_msg *m)
{
	char path[PATH_ROOM];

	if (m->in_tmp)
		unlinkat(m->domain->fd, tmp_path(m, path), 0);
	if (m->fd != -1)
		close(m->fd); /* fsync has said all that close could */
	m->in_tmp = false;
	m->fd = -1;
	buf_free(&m->pending);
}

/* ---- prepare, publish ---- */

static int
sync_tmp(const struct spool_domain *d, struct err *e)
{
	int fd = openat(d->fd, "tmp",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int failed = fd == -1 || fsync(fd) == -1;

	if (failed)
		err_sys(e, "fsync %s/tmp", d->name);
	if (fd != -1)
		close(fd);
	return failed ? -1 : 0;
}

int
spool_prepare(struct spool_msg *m, const char *name, struct err *e)
{
	char path[PATH_ROOM + SPOOL_PREPARED_MAX], from[PATH_ROOM];
	int rc;

	if (spool_settle(m, e) == -1)
		return -1;
	snprintf(path, sizeof path, "tmp/%s", name);
	unlinkat(m->domain->fd, path, 0);
	if (m->in_tmp) {
		rc = linkat(m->domain->fd, tmp_path(m, from), m->domain->fd,
		    path, 0);
	} else {
		snprintf(from, sizeof from, "/proc/self/fd/%d", m->fd);
		rc = linkat(AT_FDCWD, from, m->domain->fd, path,
		    AT_SYMLINK_FOLLOW);
	}
	if (rc == -1)
		return err_sys(e, "link %s/%s", m->domain->name, path);
	spool_abort(m); /* it has its name */
	return sync_tmp(m->domain, e);
}

int
spool_publish(const struct spool_domain *from, const char *name,
    const struct spool_domain *to, const char *id, unsigned nrcpt,
    struct err *e)
{
	char path[SPOOL_PREPARED_MAX + 8], target[SPOOL_NAME_MAX];
	struct stat st;

	snprintf(path, sizeof path, "tmp/%s", name);
	if (fstatat(from->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "stat %s", path);
	snprintf(target, sizeof target, "%s,S=%" PRIu64 ",R=%u", id,
	    (uint64_t)st.st_size, nrcpt);
	if (renameat(from->fd, path, to->new_fd, target) == -1)
		return err_sys(e, "move %s/%s to %s/new", from->name, path,
		    to->name);
	if (fsync(to->new_fd) == -1)
		return err_sys(e, "fsync %s/new", to->name);
	return sync_tmp(from, e) == -1 ? -1 : 1;
}

int
spool_prepared_open(struct spool_prepared *l, const struct spool_domain *d,
    struct err *e)
{
	int fd = openat(d->fd, "tmp",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	l->dir = fd == -1 ? NULL : fdopendir(fd);
	if (l->dir != NULL || (fd == -1 && errno == ENOENT))
		return 0;
	err_sys(e, "read %s/tmp", d->name);
	if (fd != -1)
		close(fd);
	return -1;
}

int
spool_prepared_next(struct spool_prepared *l, char name[SPOOL_PREPARED_MAX],
    struct err *e)
{
	char id[SPOOL_ID_LEN + 1];
	struct dirent *file;

	if (l->dir == NULL)
		return 0;
	while (errno = 0, (file = readdir(l->dir)) != NULL) {
		size_t len = strlen(file->d_name);

		if (len <= SPOOL_ID_LEN || len >= SPOOL_PREPARED_MAX ||
		    file->d_name[SPOOL_ID_LEN] != '.')
			continue;
		memcpy(id, file->d_name, SPOOL_ID_LEN);
		id[SPOOL_ID_LEN] = '\0';
		if (spool_id_arrival_us(id) == -1)
			continue;
		memcpy(name, file->d_name, len + 1);
		return 1;
	}
	return errno == 0 ? 0 : err_sys(e, "read tmp");
}

void
spool_prepared_close(struct spool_prepared *l)
{
	if (l->dir != NULL)
		closedir(l->dir);
	l->dir = NULL;
}
