#include "bmx-receive/ticket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

int
ticket_key_new(unsigned char key[TLS_TICKET_KEY_LEN], struct err *e)
{
	ssize_t n = getrandom(key, TLS_TICKET_KEY_LEN, 0);

	return n == TLS_TICKET_KEY_LEN ? 0 : err_sys(e, "getrandom");
}

/* 1 it is a key of ours that is young enough, 0 a new one is needed, -1. */
static int
read_key(int fd, const char *path, int64_t now_s,
    unsigned char key[TLS_TICKET_KEY_LEN], struct err *e)
{
	unsigned char room[TLS_TICKET_KEY_LEN + 1];
	struct stat st;

	if (fstat(fd, &st) == -1)
		return err_sys(e, "%s", path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
		return err_config(e,
		    "%s: has to be a file of ours that nobody else may read",
		    path);
	if (st.st_mtime > now_s || now_s - st.st_mtime > TICKET_KEY_AGE_S ||
	    read(fd, room, sizeof room) != TLS_TICKET_KEY_LEN)
		return 0;
	memcpy(key, room, TLS_TICKET_KEY_LEN);
	return 1;
}

/* Of two processes that do so at once one wins; the tickets of the other are
 * good for nothing, which costs a handshake. */
static int
replace_key(const char *path, unsigned char key[TLS_TICKET_KEY_LEN],
    struct err *e)
{
	const char *name = strrchr(path, '/');
	char *directory = strndup(path, (size_t)(name - path + 1));
	int fd, rc = -1;

	if (directory == NULL)
		return err_sys(e, "%s", path);
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		err_sys(e, "%s", directory);
	else if (ticket_key_new(key, e) == 0)
		rc = file_replace(fd, name + 1, (const char *)key,
		    TLS_TICKET_KEY_LEN, 0600, e);
	if (fd != -1)
		close(fd);
	free(directory);
	return rc;
}

int
ticket_key(const char *path, int64_t now_s,
    unsigned char key[TLS_TICKET_KEY_LEN], struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	int rc = 0;

	if (fd == -1 && errno != ENOENT)
		return err_sys(e, "%s", path);
	if (fd != -1) {
		rc = read_key(fd, path, now_s, key, e);
		close(fd);
	}
	if (rc == 0)
		rc = replace_key(path, key, e);
	return rc == -1 ? -1 : 0;
}
