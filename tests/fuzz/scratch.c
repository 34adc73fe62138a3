#include "scratch.h"

#include <assert.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[256];
static int dir_fd = -1;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void
remove_all(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int
scratch_fd(void)
{
	const char *parent = getenv("FUZZ_SCRATCH");

	if (dir_fd != -1)
		return dir_fd;
	snprintf(dir, sizeof dir, "%s/bmx-fuzz.XXXXXX",
	    parent == NULL ? "/dev/shm" : parent);
	if (mkdtemp(dir) == NULL ||
	    (dir_fd = open(dir, O_RDONLY | O_DIRECTORY)) == -1) {
		perror(dir);
		exit(1);
	}
	assert(atexit(remove_all) == 0);
	return dir_fd;
}

const char *
scratch_path(void)
{
	scratch_fd();
	return dir;
}

void
scratch_put(const char *name, const void *data, size_t size)
{
	int fd = openat(scratch_fd(), name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert(fd != -1);
	assert(write(fd, data, size) == (ssize_t)size);
	assert(close(fd) == 0);
}

void
scratch_remove(const char *name)
{
	unlinkat(scratch_fd(), name, 0);
}

const char *
scratch_memory(const void *data, size_t size)
{
	static int fd = -1;
	static char path[64];

	if (fd != -1)
		close(fd);
	fd = memfd_create("bmx-fuzz", MFD_CLOEXEC);
	assert(fd != -1 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return path;
}
