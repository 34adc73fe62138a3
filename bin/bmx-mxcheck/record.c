#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static mode_t
usual_mode(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

int
record_open(struct record *r, const char *path, struct err *e)
{
	struct stat st;
	bool is_there = stat(path, &st) == 0;

	if (path[0] == '\0')
		return err_usage(e, "--record: no file");
	r->path = path;
	r->target = NULL;
	r->is_new = !is_there || S_ISREG(st.st_mode);
	if (!r->is_new) {
		r->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return r->fd == -1
			   ? err_usage(e, "%s: %s", path, strerror(errno))
			   : 0;
	}
	if (is_there) /* a symbolic link stays one */
		r->target = realpath(path, NULL);
	if (file_begin(&r->file, AT_FDCWD, r->target == NULL ? path : r->target,
		is_there ? st.st_mode & 0777 : usual_mode(), e) == -1) {
		free(r->target);
		e->class = ERR_USAGE;
		return err_prefix(e, "%s", path);
	}
	r->fd = r->file.fd;
	return 0;
}

int
record_end(struct record *r, int rc, struct err *e)
{
	if (rc == 0 && r->is_new)
		rc = file_commit(&r->file, e);
	else if (r->is_new)
		file_abort(&r->file);
	else if (close(r->fd) == -1 && rc == 0)
		rc = err_sys(e, "close %s", r->path);
	free(r->target);
	return rc;
}
