#include "scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct scratch scratch = { "", -1 };

int
scratch_make(void **state)
{
	(void)state;
	snprintf(scratch.path, sizeof scratch.path, "/tmp/bmx-unit.XXXXXX");
	if (mkdtemp(scratch.path) == NULL)
		return -1;
	scratch.fd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return scratch.fd == -1 ? -1 : 0;
}

static int
remove_below(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	return at->level == 0 ? 0 : remove(path);
}

int
scratch_empty(void **state)
{
	(void)state;
	return nftw(scratch.path, remove_below, 16, FTW_DEPTH | FTW_PHYS);
}

int
scratch_remove(void **state)
{
	int rc = scratch_empty(state);

	close(scratch.fd);
	return rmdir(scratch.path) == -1 ? -1 : rc;
}
