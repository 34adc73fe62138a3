/*
 * The spool on disk: in what order a message becomes durable, what a failed
 * call leaves behind, which names and files are ours, and how one message is
 * changed while others look (D17, D48, D49).
 *
 * The linker hands the system calls that matter to the __wrap_ functions
 * below, which write a journal and fail the call they are told to fail.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "spool/ledger.h"
#include "spool/spool.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define ARRIVAL_US 1795489874123456 /* 2026-11-24T03:11:14.123456Z */

/* ---- system calls: a journal, and one failure ---- */

static struct {
	char journal[4096];
	int calls;           /* since forget_calls() */
	int fail_call;       /* this one, 0: none */
	int error;           /* with this errno */
	bool is_kill;        /* not with an errno: the process ends */
	int tmpfile_error;   /* O_TMPFILE is refused with this, 0: not */
	int renameat2_error; /* likewise */
	const char *goes;    /* another process removes what we just opened */
	const char *comes;   /* and makes new/ once we removed that */
	bool failed;
	bool synced_after_failed_sync;
	bool sync_failed;
} sys;

static void
forget_calls(void)
{
	memset(&sys, 0, sizeof sys);
}

/* True: the caller is to fail with errno set. */
static bool
note(const char *what)
{
	size_t used = strlen(sys.journal);

	snprintf(sys.journal + used, sizeof sys.journal - used, "%s%s",
	    used > 0 ? " " : "", what);
	if (++sys.calls != sys.fail_call)
		return false;
	if (sys.is_kill)
		_exit(0);
	sys.failed = true;
	errno = sys.error;
	return true;
}

static bool
is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_linkat(int fd, const char *from, int to_fd, const char *to,
    int flags);
int __wrap_linkat(int fd, const char *from, int to_fd, const char *to,
    int flags);
int __real_openat64(int fd, const char *name, int flags, ...);
int __wrap_openat64(int fd, const char *name, int flags, ...);
int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __real_renameat2(int fd, const char *from, int to_fd, const char *to,
    unsigned flags);
int __wrap_renameat2(int fd, const char *from, int to_fd, const char *to,
    unsigned flags);

ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	if (fd <= STDERR_FILENO) /* cmocka talks */
		return __real_write(fd, data, len);
	return note("write") ? -1 : __real_write(fd, data, len);
}

int
__wrap_fsync(int fd)
{
	bool fails = note(is_directory(fd) ? "fsync-dir" : "fsync");

	if (sys.sync_failed)
		sys.synced_after_failed_sync = true;
	sys.sync_failed |= fails;
	return fails ? -1 : __real_fsync(fd);
}

int
__wrap_fdatasync(int fd)
{
	return note("fdatasync") ? -1 : __real_fdatasync(fd);
}

int
__wrap_linkat(int fd, const char *from, int to_fd, const char *to, int flags)
{
	if (note("link"))
		return -1;
	return __real_linkat(fd, from, to_fd, to, flags);
}

int
__wrap_openat64(int fd, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;
	int opened;

	if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	if ((flags & O_TMPFILE) == O_TMPFILE && sys.tmpfile_error != 0) {
		errno = sys.tmpfile_error;
		return -1;
	}
	if ((flags & O_CLOEXEC) == 0)
		fail_msg("%s is opened without O_CLOEXEC", name);
	if ((flags & (O_NOFOLLOW | O_TMPFILE)) == 0 && strcmp(name, ".") != 0)
		fail_msg("%s is opened without O_NOFOLLOW", name);
	if ((flags & O_DIRECTORY) == 0 || (flags & O_TMPFILE) == O_TMPFILE)
		if (note("open"))
			return -1;
	opened = __real_openat64(fd, name, flags, mode);
	if (sys.goes != NULL && strcmp(name, sys.goes) == 0)
		__real_unlinkat(fd, name, 0);
	return opened;
}

int
__wrap_unlinkat(int fd, const char *name, int flags)
{
	int rc = __real_unlinkat(fd, name, flags);

	if (sys.comes != NULL && strcmp(name, sys.comes) == 0)
		assert_int_equal(mkdirat(fd, "new", 0700), 0);
	return rc;
}

int
__wrap_renameat2(int fd, const char *from, int to_fd, const char *to,
    unsigned flags)
{
	if (sys.renameat2_error != 0) {
		errno = sys.renameat2_error;
		return -1;
	}
	return __real_renameat2(fd, from, to_fd, to, flags);
}

/* ---- a spool of our own ---- */

struct world {
	char path[64];
	struct spool sp;
	struct spool_domain d; /* example.com */
	struct err e;
};

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	if (w == NULL)
		return -1;
	snprintf(w->path, sizeof w->path, "/tmp/bmx-spool.XXXXXX");
	if (mkdtemp(w->path) == NULL)
		return -1;
	*state = w;
	if (spool_open(&w->sp, w->path, &w->e) == -1 ||
	    spool_domain_open(&w->d, &w->sp, "example.com", true, &w->e) != 1)
		return -1;
	forget_calls();
	return 0;
}

static int
teardown(void **state)
{
	struct world *w = *state;

	forget_calls();
	spool_domain_close(&w->d);
	spool_close(&w->sp);
	nftw(w->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(w);
	return 0;
}

/* Files in a directory of the spool, "." and ".." apart. */
static int
count_files(const struct world *w, const char *dir)
{
	char path[256];
	struct dirent *file;
	int n = 0;
	DIR *open;

	snprintf(path, sizeof path, "%s/%s", w->path, dir);
	open = opendir(path);
	assert_non_null(open);
	while ((file = readdir(open)) != NULL)
		n += file->d_name[0] != '.';
	closedir(open);
	return n;
}

static bool
exists(const struct world *w, const char *name)
{
	struct stat st;

	return fstatat(w->sp.fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static struct stat
stat_of(const struct world *w, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(w->sp.fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st;
}

static void
put_file(const struct world *w, const char *name, const char *data, size_t len)
{
	int fd = openat(w->sp.fd, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(file_write_all(fd, data, len), 0);
	close(fd);
}

static void
get_file(const struct world *w, const char *name, struct buf *b)
{
	struct err e = ERR_INIT;

	if (file_read(w->sp.fd, name, b, &e) != 1)
		fail_msg("%s: %s", name, e.text);
}

#define ENVELOPE                                                               \
	"Bmx-Envelope: 1\r\n"                                                  \
	"Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"                         \
	"Bmx-Client: addr=192.0.2.1 port=40312 name=unknown "                  \
	"helo=mx.example.org proto=ESMTP\r\n"                                  \
	"Bmx-From: <alice@example.org>\r\n"                                    \
	"Bmx-To: P <bob@example.com>\r\n"                                      \
	"Bmx-To: P <carol@example.com>\r\n"
#define CONTENT "Received: x\r\nSubject: test\r\n\r\nbody\r\n"

static void
begin(struct world *w, struct spool_msg *m, const struct spool_domain *d)
{
	char id[SPOOL_ID_LEN + 1];

	if (spool_new_id(id, ARRIVAL_US, &w->e) == -1 ||
	    spool_begin(m, d, id, 2, &w->e) == -1 ||
	    spool_write(m, ENVELOPE, strlen(ENVELOPE), &w->e) == -1 ||
	    spool_write(m, CONTENT, strlen(CONTENT), &w->e) == -1)
		fail_msg("%s", w->e.text);
}

/* One message of two recipients in example.com; *entry is where it is. */
static void
put_message(struct world *w, struct spool_entry *entry)
{
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };

	begin(w, &m, &w->d);
	if (spool_commit(msgs, 1, &w->e) == -1)
		fail_msg("%s", w->e.text);
	assert_true(spool_parse_name(entry, m.name, true));
	forget_calls();
}

/* "new/NAME" or "cur/NAME" below the spool. */
static const char *
place(const struct spool_entry *entry, char room[256])
{
	snprintf(room, 256, "example.com/%s/%s", entry->is_new ? "new" : "cur",
	    entry->name);
	return room;
}

/* ---- opening ---- */

static void
a_missing_spool_says_how_to_make_it(void **state)
{
	struct spool sp = SPOOL_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(spool_open(&sp, "/nonexistent/bmx", &e), -1);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "mkdir -p -m 700 /nonexistent/bmx"));
	assert_non_null(strstr(e.text, "chown bmx /nonexistent/bmx"));
	assert_int_equal(sp.fd, -1);
}

static void
a_spool_that_is_no_safe_directory_is_refused(void **state)
{
	struct world *w = *state;
	struct spool sp = SPOOL_INIT;
	char file[128];

	snprintf(file, sizeof file, "%s/file", w->path);
	put_file(w, "file", "", 0);
	assert_int_equal(spool_open(&sp, file, &w->e), -1);
	assert_non_null(strstr(w->e.text, "is not a directory"));
	assert_int_equal(chmod(w->path, 0770), 0);
	assert_int_equal(spool_open(&sp, w->path, &w->e), -1);
	assert_non_null(strstr(w->e.text, "chmod 700"));
	assert_int_equal(sp.fd, -1);
	if (geteuid() != 0) /* only root can give a directory away */
		return;
	assert_int_equal(chmod(w->path, 0700), 0);
	assert_int_equal(chown(w->path, 4711, 4711), 0);
	assert_int_equal(spool_open(&sp, w->path, &w->e), -1);
	assert_non_null(strstr(w->e.text, "belongs to uid 4711"));
}

static void
a_new_maildir_is_synced_up_to_the_root(void **state)
{
	struct world *w = *state;
	struct spool_domain d;

	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", true,
			     &w->e),
	    1);
	/* tmp, log, cur, new, the domain, the root */
	assert_string_equal(sys.journal,
	    "fsync-dir fsync-dir fsync-dir fsync-dir fsync-dir fsync-dir");
	spool_domain_close(&d);
	forget_calls();
	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", true,
			     &w->e),
	    1);
	assert_string_equal(sys.journal, ""); /* once is enough */
	spool_domain_close(&d);
}

static void
a_maildir_another_process_has_not_synced_yet_is_synced(void **state)
{
	struct world *w = *state;
	struct spool_domain d;

	for (int call = 1; call <= 6; call++) {
		forget_calls();
		sys.fail_call = call;
		sys.error = EIO;
		assert_int_equal(spool_domain_open(&d, &w->sp, "example.net",
				     true, &w->e),
		    -1);
		assert_int_equal(w->e.class, ERR_TEMP);
		assert_int_equal(d.fd, -1);
	}
	forget_calls();
	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", true,
			     &w->e),
	    1);
	assert_int_equal(sys.calls, 6);
	spool_domain_close(&d);
	assert_int_equal(stat_of(w, "example.net").st_mode & 07777, 0700);
}

static void
modes_are_private_whatever_the_umask(void **state)
{
	static const mode_t masks[] = { 0, 022, 077 };
	static const char *const dirs[] = { "", "/tmp", "/new", "/cur",
		"/log" };
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(masks); i++) {
		struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
		mode_t before = umask(masks[i]);
		struct spool_domain d;
		char name[256];

		snprintf(name, sizeof name, "d%zu.example", i);
		assert_int_equal(spool_domain_open(&d, &w->sp, name, true,
				     &w->e),
		    1);
		for (size_t k = 0; k < COUNT(dirs); k++) {
			snprintf(name, sizeof name, "d%zu.example%s", i,
			    dirs[k]);
			assert_int_equal(stat_of(w, name).st_mode & 07777,
			    0700);
		}
		begin(w, &m, &d);
		assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
		snprintf(name, sizeof name, "d%zu.example/new/%s", i, m.name);
		assert_int_equal(stat_of(w, name).st_mode & 07777, 0600);
		spool_domain_close(&d);
		umask(before);
	}
}

static void
only_folded_domain_names_become_directories(void **state)
{
	static const char *const names[] = { "", ".", "..", "../x", "a/b",
		"/etc", ".hidden", "Example.COM", "example.com.", "ledger",
		"a..b", "a b" };
	struct world *w = *state;
	struct spool_domain d;

	for (size_t i = 0; i < COUNT(names); i++) {
		if (spool_domain_open(&d, &w->sp, names[i], true, &w->e) != -1)
			fail_msg("taken: \"%s\"", names[i]);
		assert_int_equal(w->e.class, ERR_DATA);
		assert_int_equal(d.fd, -1);
	}
	assert_int_equal(count_files(w, "."), 1);
}

static void
a_domain_without_a_directory_is_no_error(void **state)
{
	struct world *w = *state;
	struct spool_domain d;

	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", false,
			     &w->e),
	    0);
	assert_false(exists(w, "example.net"));
	assert_int_equal(symlinkat("example.com", w->sp.fd, "example.net"), 0);
	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", false,
			     &w->e),
	    -1);
}

/* new/, cur/ and log/ by their descriptors, tmp/ by its name. */
static void
no_part_of_a_maildir_may_be_a_link(void **state)
{
	static const char *const parts[] = { "new", "cur", "log", "tmp" };
	struct world *w = *state;
	struct spool_domain d;

	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", true,
			     &w->e),
	    1);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		struct spool_domain again;

		assert_int_equal(unlinkat(d.fd, parts[i], AT_REMOVEDIR), 0);
		assert_int_equal(symlinkat("../example.com/new", d.fd,
				     parts[i]),
		    0);
		assert_int_equal(spool_domain_open(&again, &w->sp,
				     "example.net", true, &w->e),
		    -1);
		assert_int_equal(unlinkat(d.fd, parts[i], 0), 0);
		assert_int_equal(mkdirat(d.fd, parts[i], 0700), 0);
	}
	spool_domain_close(&d);
}

static void
an_incomplete_maildir_reads_as_empty_and_is_completed_by_the_writer(
    void **state)
{
	struct world *w = *state;
	struct spool_list l;
	struct spool_entry entry;
	struct spool_domain d;

	assert_int_equal(mkdirat(w->sp.fd, "example.net", 0700), 0);
	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", false,
			     &w->e),
	    1);
	assert_int_equal(spool_list_open(&l, &d, &w->e), 0);
	assert_int_equal(spool_list_next(&l, &entry, &w->e), 0);
	spool_list_close(&l);
	spool_domain_close(&d);
	assert_false(exists(w, "example.net/new"));
	assert_int_equal(spool_domain_open(&d, &w->sp, "example.net", true,
			     &w->e),
	    1);
	assert_true(exists(w, "example.net/new"));
	assert_int_not_equal(d.new_fd, -1);
	spool_domain_close(&d);
}

static void
domains_are_directories_and_links_with_domain_names(void **state)
{
	struct world *w = *state;
	struct spool_domains l;
	int n = 0;

	assert_int_equal(mkdirat(w->sp.fd, "ledger", 0700), 0);
	assert_int_equal(mkdirat(w->sp.fd, "lost+found", 0700), 0);
	assert_int_equal(mkdirat(w->sp.fd, ".snapshot", 0700), 0);
	assert_int_equal(mkdirat(w->sp.fd, "xn--bcher-kva.example", 0700), 0);
	assert_int_equal(symlinkat("example.com", w->sp.fd, "link.example"), 0);
	put_file(w, "file.example", "", 0);
	assert_int_equal(spool_domains_open(&l, &w->sp, &w->e), 0);
	while (spool_domains_next(&l, &w->e) == 1) {
		n++;
		if (strcmp(l.name, "example.com") != 0 &&
		    strcmp(l.name, "link.example") != 0)
			assert_string_equal(l.name, "xn--bcher-kva.example");
	}
	spool_domains_close(&l);
	assert_int_equal(n, 3);
}

/* ---- the lock ---- */

static int
lock_from_another_process(struct world *w)
{
	struct spool_domain d;
	struct err e;
	int status;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		if (spool_domain_open(&d, &w->sp, "example.com", false, &e) !=
		    1)
			_exit(9);
		_exit(spool_domain_lock(&d, &e) + 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) - 1;
}

/* What becomes of a Maildir between two messages of a session. */
static void
remove_domain(struct world *w)
{
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 1);
}

static void
rename_domain(struct world *w)
{
	char old[] = "oldN";

	for (old[3] = '0'; faccessat(w->sp.fd, old, F_OK, 0) == 0; old[3]++)
		;
	assert_int_equal(renameat(w->sp.fd, "example.com", w->sp.fd, old), 0);
}

static void
replace_domain(struct world *w)
{
	struct spool_domain d;

	rename_domain(w);
	assert_int_equal(spool_domain_open(&d, &w->sp, "example.com", true,
			     &w->e),
	    1);
	spool_domain_close(&d);
}

static void
replace_new(struct world *w)
{
	assert_int_equal(renameat(w->d.fd, "new", w->d.fd, "old"), 0);
	assert_int_equal(mkdirat(w->d.fd, "new", 0700), 0);
}

static void
a_maildir_that_is_kept_open_is_the_one_of_that_name(void **state)
{
	struct world *w = *state;
	void (*const deeds[])(struct world *) = { remove_domain, rename_domain,
		replace_new, replace_domain };
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct spool_msg m;
	struct spool_msg *msgs[] = { &m };
	char name[SPOOL_NAME_MAX + 32];
	int before;

	assert_int_equal(spool_domain_need(&d, &w->sp, "example.com", &w->e),
	    0);
	before = d.new_fd;
	assert_int_equal(spool_domain_need(&d, &w->sp, "example.com", &w->e),
	    0);
	assert_int_equal(d.new_fd, before);
	for (size_t i = 0; i < COUNT(deeds); i++) {
		deeds[i](w);
		assert_int_equal(spool_domain_need(&d, &w->sp, "example.com",
				     &w->e),
		    0);
		begin(w, &m, &d);
		assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
		snprintf(name, sizeof name, "example.com/new/%s", m.name);
		assert_int_equal(stat_of(w, name).st_mode & 07777, 0600);
		unlinkat(w->sp.fd, name, 0);
		spool_domain_close(&w->d);
		assert_int_equal(spool_domain_open(&w->d, &w->sp, "example.com",
				     true, &w->e),
		    1);
	}
	assert_int_equal(spool_domain_need(&d, &w->sp, "example.net", &w->e),
	    0);
	assert_string_equal(d.name, "example.net");
	spool_domain_close(&d);
}

static void
two_processes_cannot_lock_one_domain(void **state)
{
	struct world *w = *state;
	struct spool_domain again;

	assert_int_equal(lock_from_another_process(w), 1); /* and it exits */
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	assert_int_equal(lock_from_another_process(w), 0);
	/* nor can one process twice */
	assert_int_equal(spool_domain_open(&again, &w->sp, "example.com", false,
			     &w->e),
	    1);
	assert_int_equal(spool_domain_lock(&again, &w->e), 0);
	spool_domain_close(&again);
	assert_int_equal(lock_from_another_process(w), 0);
	spool_domain_close(&w->d);
	assert_int_equal(lock_from_another_process(w), 1);
}

static void
a_lock_on_a_file_that_has_no_name_any_more_is_none(void **state)
{
	struct world *w = *state;

	sys.goes = "lock";
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 0);
	sys.goes = NULL;
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	assert_int_equal(lock_from_another_process(w), 0);
}

static void
a_domain_is_removed_when_it_is_locked_and_empty(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;

	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 0);
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	put_file(w, "example.com/primary", "x", 1);
	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 0);
	assert_int_equal(unlinkat(w->d.fd, "primary", 0), 0);
	put_message(w, &entry);
	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 0);
	assert_int_equal(count_files(w, "example.com"), 5);
	assert_int_equal(spool_remove(&w->d, &entry, &w->e), 1);
	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 1);
	assert_false(exists(w, "example.com"));
}

static void
a_domain_that_is_gone_cannot_be_locked_and_is_no_error(void **state)
{
	struct spool_domain late = SPOOL_DOMAIN_INIT;
	struct world *w = *state;

	assert_int_equal(spool_domain_open(&late, &w->sp, "example.com", false,
			     &w->e),
	    1);
	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 1);
	assert_int_equal(spool_domain_lock(&late, &w->e), 0);
	spool_domain_close(&late);
}

static void
a_domain_that_is_made_again_while_it_is_removed_stays(void **state)
{
	struct world *w = *state;

	assert_int_equal(spool_domain_lock(&w->d, &w->e), 1);
	sys.comes = "lock"; /* the last before the directory itself */
	assert_int_equal(spool_domain_remove(&w->d, &w->sp, &w->e), 0);
	assert_true(exists(w, "example.com/new"));
}

/* ---- IDs and names ---- */

static void
ids_sort_by_arrival_and_hold_its_time(void **state)
{
	static const int64_t times[] = { 0, 1, 31, 32, ARRIVAL_US,
		ARRIVAL_US + 1, 36028797018963967 };
	char before[SPOOL_ID_LEN + 1] = "", id[SPOOL_ID_LEN + 1];
	struct err e;

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		assert_int_equal(spool_new_id(id, times[i], &e), 0);
		assert_int_equal(strlen(id), SPOOL_ID_LEN);
		assert_int_equal(spool_id_arrival_us(id), times[i]);
		assert_true(strcmp(before, id) < 0);
		strcpy(before, id);
	}
	assert_int_equal(spool_new_id(id, -1, &e), -1);
	assert_int_equal(spool_new_id(id, 36028797018963968, &e), -1);
}

static void
ids_of_one_microsecond_differ(void **state)
{
	char a[SPOOL_ID_LEN + 1], b[SPOOL_ID_LEN + 1];
	struct err e;

	(void)state;
	assert_int_equal(spool_new_id(a, ARRIVAL_US, &e), 0);
	assert_int_equal(spool_new_id(b, ARRIVAL_US, &e), 0);
	assert_memory_equal(a, b, 11);
	assert_string_not_equal(a, b);
}

static void
what_is_no_id_has_no_time(void **state)
{
	static const char *const texts[] = { "", "1", "1jqvl3vhe60ABCDEFGHIJ",
		"1jqvl3vhe60abcdefghi", "1jqvl3vhe60abcdefghijk",
		"1jqvl3vhe60abcdefghi/", "1jqvl3vhe60abcdefghiw",
		"../../../../../../etc", "example.com" };

	(void)state;
	assert_int_not_equal(spool_id_arrival_us("1jqvl3vhe60abcdefghij"), -1);
	for (size_t i = 0; i < COUNT(texts); i++)
		if (spool_id_arrival_us(texts[i]) != -1)
			fail_msg("an ID: \"%s\"", texts[i]);
}

#define ID "1jqvl3vhe60abcdefghij"

static void
names_are_parsed_whole(void **state)
{
	static const struct {
		const char *name;
		bool is_ours;
		uint64_t size;
		unsigned nrcpt;
		bool is_held;
	} rows[] = {
		{ ID ",S=1234,R=2", true, 1234, 2, false },
		{ ID ",S=0,R=1", true, 0, 1, false },
		{ ID ",S=9223372036854775807,R=1000", true, INT64_MAX, 1000,
		    false },
		{ ID ",S=1234,R=2:2,", true, 1234, 2, false },
		{ ID ",S=1234,R=2:2,F", true, 1234, 2, true },
		{ ID ",S=1234,R=2:2,DFS", true, 1234, 2, true },
		{ ID ",S=1234,R=2:2,Sab", true, 1234, 2, false },
		{ ID ",S=1234,R=2:2,f", true, 1234, 2, false },
		{ ID ",S=1234,R=2,H=9999999999,U=1:2,F", true, 1234, 2, true },
		{ ID ",S=1234,R=2,H=10000000000:2,F", false, 0, 0, false },
		{ ID ",S=1234,R=2,H=:2,F", false, 0, 0, false },
		{ ID ",S=1234,R=2,U=10000000000:2,F", false, 0, 0, false },
		{ ID ",S=1234,R=2,U=1,H=1:2,F", false, 0, 0, false },
		{ ID ",S=9223372036854775808,R=1", false, 0, 0, false },
		{ ID ",S=99999999999999999999,R=1", false, 0, 0, false },
		{ ID ",S=1234,R=1001", false, 0, 0, false },
		{ ID ",S=1234,R=0", false, 0, 0, false },
		{ ID ",S=01234,R=1", false, 0, 0, false },
		{ ID ",S=,R=1", false, 0, 0, false },
		{ ID ",S=-1,R=1", false, 0, 0, false },
		{ ID ",S= 1,R=1", false, 0, 0, false },
		{ ID ",S=1234", false, 0, 0, false },
		{ ID ",R=1,S=1234", false, 0, 0, false },
		{ ID ",S=1234,R=1,X=1", false, 0, 0, false },
		{ ID ",S=1234,R=1:2", false, 0, 0, false },
		{ ID ",S=1234,R=1:1,F", false, 0, 0, false },
		{ ID ",S=1234,R=1:2,F ", false, 0, 0, false },
		{ ID ",S=1234,R=1:2,\x1b[2J", false, 0, 0, false },
		{ ID, false, 0, 0, false },
		{ "", false, 0, 0, false },
		{ ".primary.123", false, 0, 0, false },
		{ "1JQVL3VHE60ABCDEFGHIJ,S=1234,R=2", false, 0, 0, false },
		{ "1479424274.M1P2.mx,S=1234:2,S", false, 0, 0, false },
		{ ID ",S=1234,R=1:2,"
		     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		     "aaaaaaaaaaaaaaaa",
		    false, 0, 0, false },
	};
	struct spool_entry entry;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (spool_parse_name(&entry, rows[i].name, false) !=
		    rows[i].is_ours)
			fail_msg("%s", rows[i].name);
		if (!rows[i].is_ours)
			continue;
		assert_string_equal(entry.name, rows[i].name);
		assert_string_equal(entry.id, ID);
		assert_true(entry.size == rows[i].size);
		assert_int_equal(entry.nrcpt, rows[i].nrcpt);
		if (entry.is_held != rows[i].is_held)
			fail_msg("held: %s", rows[i].name);
		assert_int_equal(entry.arrival_us, spool_id_arrival_us(ID));
		assert_false(entry.is_new);
	}
}

/* ---- writing ---- */

static void
a_message_is_synced_before_it_has_a_name_and_the_name_before_250(void **state)
{
	struct world *w = *state;
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
	char body[4096];

	memset(body, 'x', sizeof body);
	begin(w, &m, &w->d);
	assert_int_equal(spool_write(&m, body, sizeof body, &w->e), 0);
	assert_int_equal(count_files(w, "example.com/new"), 0);
	assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
	assert_string_equal(sys.journal, "open write fsync link fsync-dir");
	assert_int_equal(count_files(w, "example.com/new"), 1);
	assert_int_equal(count_files(w, "example.com/tmp"), 0);
}

/* In two steps it is the same, and nothing is synced twice. */
static void
a_settled_message_needs_its_name_alone(void **state)
{
	struct world *w = *state;
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };

	begin(w, &m, &w->d);
	assert_int_equal(spool_settle(&m, &w->e), 0);
	assert_string_equal(sys.journal, "open write fsync");
	assert_int_equal(count_files(w, "example.com/new"), 0);
	assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
	assert_string_equal(sys.journal, "open write fsync link fsync-dir");
	assert_int_equal(count_files(w, "example.com/new"), 1);
}

static void
the_name_tells_the_final_size(void **state)
{
	struct world *w = *state;
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
	struct spool_entry entry;
	char path[256];

	begin(w, &m, &w->d);
	assert_int_equal(spool_write(&m, "more\r\n", 6, &w->e), 0);
	assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
	assert_true(spool_parse_name(&entry, m.name, true));
	assert_int_equal(entry.size, strlen(ENVELOPE CONTENT) + 6);
	assert_int_equal(entry.nrcpt, 2);
	assert_int_equal(entry.arrival_us, ARRIVAL_US);
	assert_int_equal(stat_of(w, place(&entry, path)).st_size, entry.size);
	assert_int_equal(stat_of(w, path).st_nlink, 1);
}

static void
copies_in_two_domains_are_all_synced_then_all_named(void **state)
{
	struct world *w = *state;
	struct spool_msg a = SPOOL_MSG_INIT, b = SPOOL_MSG_INIT;
	struct spool_msg *msgs[] = { &a, &b };
	struct spool_domain other;

	assert_int_equal(spool_domain_open(&other, &w->sp, "example.net", true,
			     &w->e),
	    1);
	forget_calls();
	begin(w, &a, &w->d);
	begin(w, &b, &other);
	assert_int_equal(spool_commit(msgs, 2, &w->e), 0);
	assert_string_equal(sys.journal, "open open write fsync write fsync "
					 "link link fsync-dir fsync-dir");
	spool_domain_close(&other);
}

/* Begin, write, commit in both domains; the n-th call fails. */
static int
try_two(struct world *w, struct spool_domain *const *d, size_t n)
{
	struct spool_msg m[2] = { SPOOL_MSG_INIT, SPOOL_MSG_INIT };
	struct spool_msg *msgs[] = { &m[0], &m[1] };
	static const char id[] = ID;
	int rc = -1;

	w->e.class = ERR_NONE;
	for (size_t i = 0; i < n; i++)
		if (spool_begin(&m[i], d[i], id, 2, &w->e) == -1 ||
		    spool_write(&m[i], ENVELOPE CONTENT,
			strlen(ENVELOPE CONTENT), &w->e) == -1)
			goto out;
	rc = spool_commit(msgs, n, &w->e);
out:
	spool_abort(&m[0]); /* harmless after a commit */
	spool_abort(&m[1]);
	return rc;
}

static void
fail_every_call(struct world *w, size_t domains, int error, int tmpfile_error)
{
	struct spool_domain other, *d[] = { &w->d, &other };
	int rc = -1, n;

	assert_int_equal(spool_domain_open(&other, &w->sp, "example.net", true,
			     &w->e),
	    1);
	for (n = 1; rc == -1; n++) {
		forget_calls();
		sys.fail_call = n;
		sys.error = error;
		sys.tmpfile_error = tmpfile_error;
		rc = try_two(w, d, domains);
		if (rc == 0)
			break;
		assert_true(sys.failed);
		assert_int_equal(w->e.class, ERR_TEMP);
		assert_int_equal(w->e.sys, error);
		assert_false(sys.synced_after_failed_sync);
		assert_int_equal(count_files(w, "example.com/new"), 0);
		assert_int_equal(count_files(w, "example.com/tmp"), 0);
		assert_int_equal(count_files(w, "example.net/new"), 0);
		assert_int_equal(count_files(w, "example.net/tmp"), 0);
	}
	/* open, write, fsync, link, fsync-dir: each has failed once */
	assert_int_equal(n, 5 * (int)domains + 1);
	assert_int_equal(count_files(w, "example.com/new"), 1);
	assert_int_equal(count_files(w, "example.com/tmp"), 0);
	spool_domain_close(&other);
}

static void
whatever_call_fails_nothing_is_left_in_new(void **state)
{
	fail_every_call(*state, 1, EIO, 0);
}

static void
a_full_disk_at_any_call_leaves_nothing_in_new(void **state)
{
	fail_every_call(*state, 1, ENOSPC, 0); /* D49 */
}

static void
two_domains_get_both_copies_or_none(void **state)
{
	fail_every_call(*state, 2, EIO, 0);
}

static void
without_nameless_files_a_failure_leaves_nothing_either(void **state)
{
	fail_every_call(*state, 2, ENOSPC, EOPNOTSUPP);
}

static void
a_killed_writer_leaves_no_name(void **state)
{
	struct world *w = *state;
	struct spool_msg m = SPOOL_MSG_INIT;
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		begin(w, &m, &w->d);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(count_files(w, "example.com/new"), 0);
	assert_int_equal(count_files(w, "example.com/tmp"), 0);
}

/* D17: ended before any call, the writer leaves a whole message or none. */
static void
kill_at_every_call(struct world *w, bool has_proc)
{
	struct spool_domain *d[] = { &w->d };
	int whole = 0;

	w->d.has_proc = has_proc;
	for (int call = 1; call <= 5; call++) {
		struct spool_entry entry;
		struct spool_list l;
		pid_t pid = fork();

		assert_int_not_equal(pid, -1);
		if (pid == 0) {
			forget_calls();
			sys.fail_call = call;
			sys.is_kill = true;
			try_two(w, d, 1);
			_exit(1);
		}
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		unlinkat(w->d.fd, "tmp/" ID, 0);
		assert_int_equal(spool_list_open(&l, &w->d, &w->e), 0);
		while (spool_list_next(&l, &entry, &w->e) == 1) {
			struct spool_file f;

			assert_int_equal(call, 5); /* linked, not yet synced */
			assert_int_equal(spool_file_open(&f, &w->d, &entry,
					     false, &w->e),
			    1);
			spool_file_close(&f);
			whole++;
		}
		assert_int_equal(l.foreign, 0);
		spool_list_close(&l);
	}
	assert_int_equal(whole, 1);
}

static void
a_writer_killed_at_any_call_leaves_a_whole_message_or_none(void **state)
{
	kill_at_every_call(*state, true);
}

static void
without_nameless_files_a_kill_leaves_a_whole_message_or_none(void **state)
{
	kill_at_every_call(*state, false);
}

static void
where_nameless_files_are_refused_tmp_is_used(void **state)
{
	static const int errors[] = { EOPNOTSUPP, EISDIR, EINVAL, ENOSYS };
	struct world *w = *state;

	for (size_t i = 0; i <= COUNT(errors); i++) {
		struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
		char path[256];

		forget_calls();
		if (i < COUNT(errors))
			sys.tmpfile_error = errors[i];
		w->d.has_proc = i < COUNT(errors); /* the last: no /proc */
		begin(w, &m, &w->d);
		assert_true(m.in_tmp);
		snprintf(path, sizeof path, "example.com/tmp/%s", m.id);
		assert_int_equal(stat_of(w, path).st_mode & 07777, 0600);
		assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
		assert_string_equal(sys.journal,
		    "open write fsync link fsync-dir");
		assert_int_equal(count_files(w, "example.com/tmp"), 0);
		assert_int_equal(count_files(w, "example.com/new"), (int)i + 1);
	}
}

static void
a_message_is_prepared_in_tmp_with_and_without_nameless_files(void **state)
{
	static const char prepared[] = ID ".x";
	struct world *w = *state;

	put_file(w, "example.com/tmp/no-id-but-as-long-as-.x", "x", 1);
	for (int fallback = 0; fallback < 2; fallback++) {
		struct spool_msg m = SPOOL_MSG_INIT;
		struct spool_prepared list;
		char name[SPOOL_PREPARED_MAX], path[256];
		struct buf got = BUF_INIT(4096);

		sys.tmpfile_error = fallback ? EOPNOTSUPP : 0;
		begin(w, &m, &w->d);
		assert_int_equal(spool_prepare(&m, prepared, &w->e), 0);
		assert_int_equal(count_files(w, "example.com/tmp"), 2);
		snprintf(path, sizeof path, "example.com/tmp/%s", prepared);
		get_file(w, path, &got);
		assert_string_equal(got.data, ENVELOPE CONTENT);
		buf_free(&got);
		assert_int_equal(spool_prepared_open(&list, &w->d, &w->e), 0);
		assert_int_equal(spool_prepared_next(&list, name, &w->e), 1);
		assert_string_equal(name, prepared);
		assert_int_equal(spool_prepared_next(&list, name, &w->e), 0);
		spool_prepared_close(&list);
	}
}

static void
an_aborted_message_is_gone(void **state)
{
	struct world *w = *state;

	for (int named = 0; named < 2; named++) {
		struct spool_msg m = SPOOL_MSG_INIT;

		w->d.has_proc = named == 0;
		begin(w, &m, &w->d);
		spool_abort(&m);
		spool_abort(&m);
		assert_int_equal(m.fd, -1);
		assert_int_equal(count_files(w, "example.com/new"), 0);
		assert_int_equal(count_files(w, "example.com/tmp"), 0);
	}
}

static void
one_id_is_never_linked_over_another_message(void **state)
{
	struct world *w = *state;
	struct spool_domain *d[] = { &w->d };

	assert_int_equal(try_two(w, d, 1), 0);
	assert_int_equal(try_two(w, d, 1), -1);
	assert_int_equal(w->e.sys, EEXIST);
	assert_int_equal(count_files(w, "example.com/new"), 1);
}

static void
large_messages_are_written_whole_in_few_calls(void **state)
{
	static const size_t pieces[] = { 1000, 70000, 262144, 300000, 1, 262145,
		1000000, 3 };
	struct world *w = *state;
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
	struct buf sent = BUF_INIT(4 * 1024 * 1024);
	struct buf found = BUF_INIT(4 * 1024 * 1024);
	char id[SPOOL_ID_LEN + 1], path[256];

	assert_int_equal(spool_new_id(id, ARRIVAL_US, &w->e), 0);
	assert_int_equal(spool_begin(&m, &w->d, id, 1, &w->e), 0);
	for (size_t i = 0; i < COUNT(pieces); i++) {
		size_t start = sent.len;

		for (size_t k = 0; k < pieces[i]; k++)
			buf_addf(&sent, "%c", (int)('a' + (k * 7 + i) % 26));
		assert_int_equal(spool_write(&m, sent.data + start, pieces[i],
				     &w->e),
		    0);
	}
	assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
	snprintf(path, sizeof path, "example.com/new/%s", m.name);
	get_file(w, path, &found);
	assert_int_equal(found.len, sent.len);
	assert_memory_equal(found.data, sent.data, sent.len);
	/* a write for each buffer, and one for each piece that is larger */
	assert_true(sys.calls <= 10 + 4);
	buf_free(&sent);
	buf_free(&found);
}

/* ---- looking ---- */

static void
names_that_are_not_ours_are_counted_and_passed_over(void **state)
{
	struct world *w = *state;
	struct spool_list l;
	struct spool_entry put, entry;

	put_message(w, &put);
	put_file(w, "example.com/new/README", "x", 1);
	put_file(w, "example.com/new/.nfs0001", "x", 1);
	put_file(w, "example.com/cur/1479424274.M1P2.mx,S=1:2,S", "x", 1);
	assert_int_equal(spool_list_open(&l, &w->d, &w->e), 0);
	assert_int_equal(spool_list_next(&l, &entry, &w->e), 1);
	assert_string_equal(entry.name, put.name);
	assert_true(entry.is_new);
	assert_int_equal(spool_list_next(&l, &entry, &w->e), 0);
	assert_int_equal(l.foreign, 3);
	spool_list_close(&l);
	spool_list_close(&l);
}

static void
a_message_that_moves_while_the_list_is_read_is_not_missed(void **state)
{
	struct world *w = *state;
	struct spool_list l;
	struct spool_entry first, second, entry;
	int seen_first = 0, seen_second = 0;

	put_message(w, &first);
	put_message(w, &second);
	assert_int_equal(spool_list_open(&l, &w->d, &w->e), 0);
	while (spool_list_next(&l, &entry, &w->e) == 1) {
		seen_first += strcmp(entry.id, first.id) == 0;
		seen_second += strcmp(entry.id, second.id) == 0;
		if (first.is_new)
			assert_int_equal(spool_hold(&w->d, &first, &w->e), 1);
		if (second.is_new)
			assert_int_equal(spool_defer(&w->d, &second, 1, &w->e),
			    1);
	}
	spool_list_close(&l);
	assert_true(seen_first >= 1);
	assert_true(seen_second >= 1);
}

static void
a_message_is_found_by_its_id_wherever_it_is(void **state)
{
	struct world *w = *state;
	struct spool_entry put, entry;

	put_message(w, &put);
	put_message(w, &entry);
	assert_int_equal(spool_find(&w->d, put.id, &entry, &w->e), 1);
	assert_string_equal(entry.name, put.name);
	assert_int_equal(spool_hold(&w->d, &put, &w->e), 1);
	assert_int_equal(spool_find(&w->d, put.id, &entry, &w->e), 1);
	assert_string_equal(entry.name, put.name);
	assert_false(entry.is_new);
	assert_int_equal(spool_find(&w->d, ID, &entry, &w->e), 0);
}

static void
a_message_is_found_by_the_id_of_the_entry_that_is_filled(void **state)
{
	struct world *w = *state;
	struct spool_entry put[20], entry;

	for (int i = 0; i < 20; i++)
		put_message(w, &put[i]);
	for (int i = 0; i < 20; i++) {
		entry = put[i];
		assert_int_equal(spool_find(&w->d, entry.id, &entry, &w->e), 1);
		assert_string_equal(entry.name, put[i].name);
	}
}

/* ---- one file ---- */

static void
the_envelope_is_read_and_the_content_follows_it(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;
	struct spool_file f;
	char content[sizeof CONTENT] = "";

	put_message(w, &entry);
	if (spool_file_open(&f, &w->d, &entry, false, &w->e) != 1)
		fail_msg("%s", w->e.text);
	assert_string_equal(f.env.mail.reverse_path.text, "alice@example.org");
	assert_int_equal(f.env.nrcpt, 2);
	assert_string_equal(f.env.rcpts[1].addr.text, "carol@example.com");
	assert_int_equal(f.content, strlen(ENVELOPE));
	assert_int_equal(f.size, strlen(ENVELOPE CONTENT));
	assert_int_equal(pread(f.fd, content, sizeof content, (off_t)f.content),
	    strlen(CONTENT));
	assert_string_equal(content, CONTENT);
	spool_file_close(&f);
	spool_file_close(&f);
}

/* A message of n recipients, each with a local part of 60 bytes. */
static void
an_envelope_larger_than_one_read_is_read_whole(void **state)
{
	static const unsigned counts[] = { 40, 41, 42, 43, 44, 45, 1000 };
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(counts); i++) {
		struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
		struct spool_entry entry;
		struct spool_file f;
		char id[SPOOL_ID_LEN + 1], line[256];

		assert_int_equal(spool_new_id(id, ARRIVAL_US, &w->e), 0);
		assert_int_equal(spool_begin(&m, &w->d, id, counts[i], &w->e),
		    0);
		spool_write(&m, "Bmx-Envelope: 1\r\n", 17, &w->e);
		snprintf(line, sizeof line,
		    "Bmx-Arrival: 2026-11-24T03:11:14.123456Z\r\n"
		    "Bmx-Client: addr=192.0.2.1 port=1\r\nBmx-From: <>\r\n");
		spool_write(&m, line, strlen(line), &w->e);
		for (unsigned k = 0; k < counts[i]; k++) {
			snprintf(line, sizeof line,
			    "Bmx-To: P <%060u@example.com>\r\n", k);
			spool_write(&m, line, strlen(line), &w->e);
		}
		spool_write(&m, CONTENT, strlen(CONTENT), &w->e);
		assert_int_equal(spool_commit(msgs, 1, &w->e), 0);
		assert_true(spool_parse_name(&entry, m.name, true));
		if (spool_file_open(&f, &w->d, &entry, false, &w->e) != 1)
			fail_msg("%u: %s", counts[i], w->e.text);
		assert_int_equal(f.env.nrcpt, counts[i]);
		assert_int_equal(f.content, m.size - strlen(CONTENT));
		spool_file_close(&f);
	}
}

static void
a_mark_changes_one_byte_and_is_there_after_reopening(void **state)
{
	struct world *w = *state;
	struct buf before = BUF_INIT(4096), after = BUF_INIT(4096);
	struct spool_entry entry;
	struct spool_file f;
	char path[256];
	int differ = 0;

	put_message(w, &entry);
	get_file(w, place(&entry, path), &before);
	assert_int_equal(spool_file_open(&f, &w->d, &entry, true, &w->e), 1);
	assert_int_equal(spool_file_mark(&f, 1, RCPT_DELIVERED, &w->e), 0);
	assert_int_equal(f.env.rcpts[1].state, RCPT_DELIVERED);
	assert_int_equal(spool_file_sync(&f, &w->e), 0);
	spool_file_close(&f);
	get_file(w, path, &after);
	assert_int_equal(after.len, before.len);
	for (size_t i = 0; i < after.len; i++)
		differ += after.data[i] != before.data[i];
	assert_int_equal(differ, 1);
	assert_int_equal(spool_file_open(&f, &w->d, &entry, false, &w->e), 1);
	assert_int_equal(f.env.rcpts[0].state, RCPT_PENDING);
	assert_int_equal(f.env.rcpts[1].state, RCPT_DELIVERED);
	assert_int_equal(envelope_pending(&f.env), 1);
	assert_int_equal(spool_file_mark(&f, 0, RCPT_FAILED, &w->e), -1);
	spool_file_close(&f);
	buf_free(&before);
	buf_free(&after);
}

static void
open_refused(struct world *w, const char *name, const char *why)
{
	struct spool_entry entry;
	struct spool_file f;

	assert_true(spool_parse_name(&entry, name, true));
	for (int writable = 0; writable < 2; writable++) {
		w->e.class = ERR_NONE;
		assert_int_equal(spool_file_open(&f, &w->d, &entry, writable,
				     &w->e),
		    -1);
		assert_int_equal(w->e.class, ERR_DATA);
		if (strstr(w->e.text, why) == NULL)
			fail_msg("%s: %s", name, w->e.text);
		assert_int_equal(f.fd, -1);
	}
}

static void
files_that_are_not_whole_messages_of_ours_are_refused(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;
	struct spool_file f;
	char path[256];

	put_message(w, &entry);
	assert_int_equal(symlinkat(entry.name, w->d.new_fd, ID ",S=1,R=1"), 0);
	open_refused(w, ID ",S=1,R=1", "not a regular file");
	assert_int_equal(mkfifoat(w->d.new_fd, ID ",S=2,R=1", 0600), 0);
	open_refused(w, ID ",S=2,R=1", "not a regular file");
	assert_int_equal(mkdirat(w->d.new_fd, ID ",S=3,R=1", 0700), 0);
	open_refused(w, ID ",S=3,R=1", "not a regular file");
	put_file(w, "example.com/new/" ID ",S=4,R=1", "12345", 5);
	open_refused(w, ID ",S=4,R=1", "has 5 bytes");
	put_file(w, "example.com/new/" ID ",S=5,R=1", "12345", 5);
	open_refused(w, ID ",S=5,R=1", "");
	put_file(w, "example.com/new/" ID ",S=0,R=1", "", 0);
	open_refused(w, ID ",S=0,R=1", "the envelope does not end");
	put_file(w, "example.com/new/" ID ",S=17,R=1", ENVELOPE, 17);
	open_refused(w, ID ",S=17,R=1", "the envelope does not end");
	snprintf(path, sizeof path, ID ",S=%zu,R=1", strlen(ENVELOPE CONTENT));
	assert_int_equal(renameat(w->d.new_fd, entry.name, w->d.new_fd, path),
	    0);
	open_refused(w, path, "2 recipients");
	/* gone meanwhile: no error */
	assert_int_equal(spool_file_open(&f, &w->d, &entry, false, &w->e), 0);
	if (geteuid() != 0) /* only root can give a file away */
		return;
	assert_int_equal(fchownat(w->d.new_fd, path, 4711, 4711, 0), 0);
	open_refused(w, path, "another user");
}

/* ---- changing ---- */

static void
a_deferred_message_is_in_cur_with_the_time_of_its_next_try(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;
	char path[256];
	int64_t when;

	put_message(w, &entry);
	assert_int_equal(spool_next_try(&w->d, &entry, &when, &w->e), 1);
	assert_int_equal(when, 0);
	assert_int_equal(spool_defer(&w->d, &entry, ARRIVAL_US / 1000000,
			     &w->e),
	    1);
	assert_false(entry.is_new);
	assert_false(entry.is_held);
	assert_non_null(strstr(entry.name, ",R=2:2,"));
	assert_true(exists(w, place(&entry, path)));
	assert_int_equal(count_files(w, "example.com/new"), 0);
	assert_int_equal(spool_next_try(&w->d, &entry, &when, &w->e), 1);
	assert_int_equal(when, ARRIVAL_US / 1000000);
	assert_int_equal(spool_defer(&w->d, &entry, 1800000000, &w->e), 1);
	assert_int_equal(spool_next_try(&w->d, &entry, &when, &w->e), 1);
	assert_int_equal(when, 1800000000);
	assert_int_equal(entry.arrival_us, ARRIVAL_US);
}

static void
a_file_of_any_time_has_one_that_can_be_told(void **state)
{
	/* what the file system has no room for is its last second */
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec =
			(time_t)(INT64_MAX >> (64 - 8 * sizeof(time_t))) } };
	struct spool_file f = SPOOL_FILE_INIT;
	struct world *w = *state;
	struct spool_entry entry;
	char path[256];
	int64_t when;

	put_message(w, &entry);
	assert_int_equal(spool_defer(&w->d, &entry, 0, &w->e), 1);
	assert_int_equal(utimensat(w->sp.fd, place(&entry, path), times, 0), 0);
	assert_int_equal(spool_next_try(&w->d, &entry, &when, &w->e), 1);
	assert_in_range(when, INT32_MAX, 9999999999);
	assert_int_equal(spool_file_open(&f, &w->d, &entry, false, &w->e), 1);
	assert_int_equal(f.mtime_s, when);
	spool_file_close(&f);
}

static void
a_deferral_cut_short_leaves_the_message_due_at_once(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;
	int64_t when;

	put_message(w, &entry);
	sys.renameat2_error = EIO;
	assert_int_equal(spool_defer(&w->d, &entry, 1800000000, &w->e), -1);
	assert_true(entry.is_new);
	assert_int_equal(spool_next_try(&w->d, &entry, &when, &w->e), 1);
	assert_int_equal(when, 0);
}

static void
hold_and_release_change_the_flag_alone(void **state)
{
	static const struct {
		const char *is, *held, *released;
	} rows[] = {
		{ "new/" ID ",S=1,R=1", ID ",S=1,R=1:2,F", ID ",S=1,R=1:2," },
		{ "new/" ID ",S=1,R=1:2,F", ID ",S=1,R=1:2,F",
		    ID ",S=1,R=1:2," },
		{ "cur/" ID ",S=1,R=1", ID ",S=1,R=1:2,F", ID ",S=1,R=1:2," },
		{ "cur/" ID ",S=1,R=1:2,", ID ",S=1,R=1:2,F",
		    ID ",S=1,R=1:2," },
		{ "cur/" ID ",S=1,R=1:2,F", ID ",S=1,R=1:2,F",
		    ID ",S=1,R=1:2," },
		{ "cur/" ID ",S=1,R=1:2,DS", ID ",S=1,R=1:2,DFS",
		    ID ",S=1,R=1:2,DS" },
		{ "cur/" ID ",S=1,R=1:2,ab", ID ",S=1,R=1:2,Fab",
		    ID ",S=1,R=1:2,ab" },
	};
	struct world *w = *state;

	for (int fallback = 0; fallback < 2; fallback++) {
		sys.renameat2_error = fallback ? EINVAL : 0; /* NFS */
		for (size_t i = 0; i < COUNT(rows); i++) {
			struct spool_entry entry;
			char path[256];

			snprintf(path, sizeof path, "example.com/%s",
			    rows[i].is);
			put_file(w, path, "x", 1);
			assert_true(spool_parse_name(&entry, rows[i].is + 4,
			    rows[i].is[0] == 'n'));
			assert_int_equal(spool_hold(&w->d, &entry, &w->e), 1);
			assert_string_equal(entry.name, rows[i].held);
			assert_true(entry.is_held);
			assert_false(entry.is_new);
			assert_true(exists(w, place(&entry, path)));
			assert_int_equal(spool_release(&w->d, &entry, &w->e),
			    1);
			assert_string_equal(entry.name, rows[i].released);
			assert_false(entry.is_held);
			assert_int_equal(spool_release(&w->d, &entry, &w->e),
			    1);
			assert_string_equal(entry.name, rows[i].released);
			assert_true(exists(w, place(&entry, path)));
			assert_int_equal(count_files(w, "example.com/new"), 0);
			assert_int_equal(count_files(w, "example.com/cur"), 1);
			assert_int_equal(spool_remove(&w->d, &entry, &w->e), 1);
		}
	}
}

static void
a_held_message_that_is_deferred_stays_held(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;

	put_message(w, &entry);
	assert_int_equal(spool_hold(&w->d, &entry, &w->e), 1);
	assert_int_equal(spool_defer(&w->d, &entry, 1800000000, &w->e), 1);
	assert_true(entry.is_held);
	assert_non_null(strstr(entry.name, ":2,F"));
}

static void
the_time_that_was_held_has_a_limit(void **state)
{
	static const char held[] = ID ",S=1,R=1,H=9999999999:2,F";
	const struct timespec times[2] = { { .tv_sec = 1 }, { .tv_sec = 1 } };
	struct world *w = *state;
	struct spool_entry entry;

	put_file(w, "example.com/cur/" ID ",S=1,R=1,H=9999999999:2,F", "x", 1);
	assert_int_equal(utimensat(w->d.cur_fd, held, times, 0), 0);
	assert_true(spool_parse_name(&entry, held, false));
	assert_int_equal(spool_release(&w->d, &entry, &w->e), 1);
	assert_string_equal(entry.name, ID ",S=1,R=1,H=9999999999:2,");
}

/* Held on one host and moved to the next, which bmx-spool(5) does by way of
 * new/, it has been held since it was held. */
static void
a_release_counts_how_long_it_was_held(void **state)
{
	static const char held[] = ID ",S=1,R=1,H=5:2,F";
	struct world *w = *state;

	for (int is_new = 0; is_new < 2; is_new++) {
		const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
			{ .tv_sec = time(NULL) - 1000 } };
		struct spool_entry entry;
		char path[256];

		snprintf(path, sizeof path, "example.com/%s/%s",
		    is_new ? "new" : "cur", held);
		put_file(w, path, "x", 1);
		assert_int_equal(utimensat(w->sp.fd, path, times, 0), 0);
		assert_true(spool_parse_name(&entry, held, is_new));
		assert_int_equal(spool_release(&w->d, &entry, &w->e), 1);
		assert_in_range(entry.held_s, 1005, 2005);
		assert_int_equal(spool_remove(&w->d, &entry, &w->e), 1);
	}
}

static void
without_cur_a_message_stays_in_new(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;
	char path[256];

	put_message(w, &entry);
	assert_int_equal(unlinkat(w->d.fd, "cur", AT_REMOVEDIR), 0);
	spool_domain_close(&w->d);
	assert_int_equal(spool_domain_open(&w->d, &w->sp, "example.com", false,
			     &w->e),
	    1);
	assert_int_equal(spool_defer(&w->d, &entry, 1, &w->e), -1);
	assert_string_equal(w->e.text, "example.com/cur is missing");
	assert_int_equal(w->e.class, ERR_TEMP);
	assert_true(exists(w, place(&entry, path)));
}

static void
a_message_that_is_gone_is_no_error(void **state)
{
	struct world *w = *state;
	struct spool_entry entry, stale;
	int64_t when;

	for (int fallback = 0; fallback < 2; fallback++) {
		put_message(w, &entry);
		sys.renameat2_error = fallback ? EINVAL : 0;
		stale = entry;
		assert_int_equal(spool_hold(&w->d, &entry, &w->e), 1);
		/* moved on */
		assert_int_equal(spool_hold(&w->d, &stale, &w->e), 0);
		assert_int_equal(spool_defer(&w->d, &stale, 1, &w->e), 0);
		assert_int_equal(spool_tell(&w->d, &stale, &w->e), 0);
		assert_int_equal(spool_remove(&w->d, &stale, &w->e), 0);
		assert_int_equal(spool_next_try(&w->d, &stale, &when, &w->e),
		    0);
		assert_int_equal(spool_remove(&w->d, &entry, &w->e), 1);
		assert_int_equal(spool_remove(&w->d, &entry, &w->e), 0);
		assert_int_equal(spool_release(&w->d, &entry, &w->e), 0);
	}
}

static void
a_rename_never_replaces_a_message(void **state)
{
	struct world *w = *state;
	struct spool_entry entry;
	struct buf kept = BUF_INIT(64);
	char held[256];

	for (int fallback = 0; fallback < 2; fallback++) {
		put_message(w, &entry);
		snprintf(held, sizeof held, "example.com/cur/%s:2,F",
		    entry.name);
		put_file(w, held, "other", 5);
		sys.renameat2_error = fallback ? EINVAL : 0;
		assert_int_equal(spool_hold(&w->d, &entry, &w->e), -1);
		assert_int_equal(w->e.sys, EEXIST);
		assert_true(entry.is_new);
		buf_reset(&kept);
		get_file(w, held, &kept);
		assert_string_equal(kept.data, "other");
	}
	buf_free(&kept);
}

static void
the_log_of_a_message_goes_with_it(void **state)
{
	struct world *w = *state;
	struct buf log = BUF_INIT(4096);
	struct spool_entry entry;
	char path[256];

	put_message(w, &entry);
	snprintf(path, sizeof path, "example.com/log/%s", entry.id);
	spool_note(&w->d, entry.id, "reply=%s", "450 later");
	spool_note(&w->d, entry.id, "reply=%s", "450 again");
	get_file(w, path, &log);
	assert_non_null(strstr(log.data, "Z reply=450 later\n"));
	assert_non_null(strstr(log.data, "Z reply=450 again\n"));
	assert_int_equal(stat_of(w, path).st_mode & 07777, 0600);
	assert_int_equal(spool_remove(&w->d, &entry, &w->e), 1);
	assert_false(exists(w, path));
	spool_note(&w->d, "../primary", "no");
	assert_false(exists(w, "example.com/primary"));
	buf_free(&log);
}

/* Lines "N: xxx" with N from 0, until there are MORE bytes than that. */
static void
fill_log(const struct world *w, const char *id, off_t more)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/example.com/log/%s", w->path, id);
	file = fopen(path, "w");
	assert_non_null(file);
	for (int i = 0; ftello(file) <= more; i++)
		fprintf(file, "%d: %0100d\n", i, 0);
	assert_int_equal(fclose(file), 0);
}

static void
a_long_log_keeps_how_it_began_and_ended(void **state)
{
	struct world *w = *state;
	struct buf log = BUF_INIT(1 << 20);
	struct spool_entry entry;
	char path[256];
	const char *gap, *lf;

	put_message(w, &entry);
	snprintf(path, sizeof path, "example.com/log/%s", entry.id);
	fill_log(w, entry.id, 256 * 1024);
	spool_note(&w->d, entry.id, "the last");
	assert_in_range(stat_of(w, path).st_size, 128 * 1024, 161 * 1024);
	assert_int_equal(spool_log_read(&w->d, entry.id, &log, &w->e), 1);
	assert_int_equal(strncmp(log.data, "0: 000", 6), 0);
	assert_non_null(strstr(log.data, "Z the last\n"));

	/* Every line is whole: those around the gap too. */
	gap = strstr(log.data, "\n... ");
	assert_non_null(gap);
	assert_non_null(strstr(gap, " bytes left out ...\n"));
	lf = strchr(gap + 1, '\n');
	assert_non_null(strstr(lf, ": 0000"));
	assert_true(strstr(lf, ": 0000") - lf < 8);
	for (const char *line = log.data; *line != '\0'; line = lf + 1) {
		lf = strchr(line, '\n');
		assert_non_null(lf);
		if (*line != '.' && lf[1] != '\0')
			assert_int_equal(lf - strchr(line, ':'), 102);
	}

	/* One that is not shortened yet is read as if it were. */
	fill_log(w, entry.id, 300 * 1024);
	buf_reset(&log);
	assert_int_equal(spool_log_read(&w->d, entry.id, &log, &w->e), 1);
	assert_in_range(log.len, 128 * 1024, 161 * 1024);
	assert_non_null(strstr(log.data, " bytes left out ...\n"));
	buf_free(&log);
}

static void
a_log_that_is_no_file_is_not_read(void **state)
{
	struct world *w = *state;
	struct buf log = BUF_INIT(4096);
	struct spool_entry entry;
	struct stat before, after;
	char path[256], other[256];

	put_message(w, &entry);
	assert_int_equal(spool_log_read(&w->d, entry.id, &log, &w->e), 0);
	assert_int_equal(spool_log_read(&w->d, "../primary", &log, &w->e), 0);
	snprintf(path, sizeof path, "%s/example.com/log/%s", w->path, entry.id);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(spool_log_read(&w->d, entry.id, &log, &w->e), -1);
	assert_non_null(strstr(w->e.text, "not a regular file"));
	assert_int_equal(unlink(path), 0);
	spool_note(&w->d, entry.id, "one");
	snprintf(other, sizeof other, "%s/other", w->path);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(stat(other, &before), 0);
	spool_note(&w->d, entry.id, "two");
	assert_int_equal(stat(other, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(spool_log_read(&w->d, entry.id, &log, &w->e), -1);
	assert_non_null(strstr(w->e.text, "has another name (a hard link)"));
	assert_int_equal(log.len, 0);
	buf_free(&log);
}

/* ---- the ledger ---- */

static void
a_ledger_line_cannot_be_forged(void **state)
{
	static const char expected[] =
	    "2026-11-24T03:11:14.123456Z id=" ID " domain=example.com "
	    "what=delivered size=1234 "
	    "from=<\\x22a\\x20nrcpt=9\\x0a\\x22@example.org> nrcpt=2 "
	    "peer=192.0.2.1:25 arrival=2026-11-24T03:11:13.123456Z "
	    "reply=250 2.0.0 Ok:\\x0d\\x0a queued as 4711\n";
	struct world *w = *state;
	struct buf lines = BUF_INIT(4096);
	const struct ledger_line line = {
		.id = ID,
		.domain = "example.com",
		.what = "delivered",
		.size = 1234,
		.sender = "\"a nrcpt=9\n\"@example.org",
		.nrcpt = 2,
		.peer = "192.0.2.1:25",
		.reply = "250 2.0.0 Ok:\r\n queued as 4711",
		.arrival_us = ARRIVAL_US - 1000000,
	};

	forget_calls();
	assert_int_equal(ledger_add(&w->sp, &line, ARRIVAL_US, &w->e), 0);
	assert_string_equal(sys.journal,
	    "fsync-dir open fsync-dir write fdatasync");
	forget_calls();
	assert_int_equal(ledger_add(&w->sp, &line, ARRIVAL_US, &w->e), 0);
	assert_string_equal(sys.journal, "open write fdatasync");
	get_file(w, "ledger/2026-11", &lines);
	assert_int_equal(lines.len, 2 * strlen(expected));
	assert_memory_equal(lines.data, expected, strlen(expected));
	assert_int_equal(stat_of(w, "ledger").st_mode & 07777, 0700);
	assert_int_equal(stat_of(w, "ledger/2026-11").st_mode & 07777, 0600);
	buf_free(&lines);
}

static size_t
count_lines(const struct world *w, const char *month)
{
	struct buf lines = BUF_INIT(8192);
	size_t n = 0;

	get_file(w, month, &lines);
	for (size_t i = 0; i < lines.len; i++)
		n += lines.data[i] == '\n';
	buf_free(&lines);
	return n;
}

static const struct ledger_line a_line = { .id = ID,
	.domain = "example.com",
	.what = "delivered",
	.sender = "",
	.nrcpt = 1,
	.peer = "",
	.reply = "250 OK" };

static void
a_ledger_that_stays_open_follows_the_month_and_is_made_again(void **state)
{
	const int64_t december_us = ARRIVAL_US + INT64_C(10) * 86400 * 1000000;
	struct world *w = *state;
	struct ledger l = LEDGER_INIT;

	for (int i = 0; i < 3; i++)
		assert_int_equal(ledger_append(&l, &w->sp, &a_line, ARRIVAL_US,
				     &w->e),
		    0);
	assert_int_equal(count_lines(w, "ledger/2026-11"), 3);
	assert_int_equal(ledger_append(&l, &w->sp, &a_line, december_us, &w->e),
	    0);
	assert_int_equal(count_lines(w, "ledger/2026-11"), 3);
	assert_int_equal(count_lines(w, "ledger/2026-12"), 1);
	/* somebody removes what is open */
	assert_int_equal(unlinkat(w->sp.fd, "ledger/2026-12", 0), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(ledger_append(&l, &w->sp, &a_line, december_us,
				     &w->e),
		    0);
	assert_int_equal(count_lines(w, "ledger/2026-12"), 2);
	ledger_close(&l);
	assert_int_equal(l.fd, -1);
}

/* Lines of the last second of a month, synced in the first of the next one. */
static void
a_ledger_is_synced_across_the_end_of_a_month(void **state)
{
	static const struct {
		int64_t now_us; /* the line is of November */
		bool is_synced;
	} rows[] = {
		{ INT64_C(1796083199000000), true },
		{ INT64_C(1796083201000000), true },
		{ INT64_C(1796183201000000), false },
	};
	struct world *w = *state;

	assert_int_equal(ledger_add(&w->sp, &a_line, rows[0].now_us, &w->e), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		forget_calls();
		assert_int_equal(ledger_sync(&w->sp, rows[i].now_us, &w->e), 0);
		assert_int_equal(strstr(sys.journal, "fdatasync") != NULL,
		    rows[i].is_synced);
	}
}

static void
the_longest_values_fit_a_ledger_line(void **state)
{
	struct world *w = *state;
	struct buf lines = BUF_INIT(8192);
	char sender[ADDR_MAX + 1], reply[SMTP_REPLY_TEXT_MAX];
	struct ledger_line line = {
		.id = ID,
		.domain = "example.com",
		.what = "failed",
		.size = UINT64_MAX,
		.sender = sender,
		.nrcpt = 1000,
		.peer = "[2001:db8::1]:65535",
		.reply = reply,
	};

	memset(sender, 0xff, sizeof sender);
	sender[sizeof sender - 1] = '\0';
	memset(reply, 'x', sizeof reply);
	reply[sizeof reply - 1] = '\0';
	assert_int_equal(ledger_add(&w->sp, &line, ARRIVAL_US, &w->e), 0);
	get_file(w, "ledger/2026-11", &lines);
	assert_non_null(strstr(lines.data, reply));
	buf_free(&lines);
}

#define IN_SPOOL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_missing_spool_says_how_to_make_it),
		IN_SPOOL(a_spool_that_is_no_safe_directory_is_refused),
		IN_SPOOL(a_new_maildir_is_synced_up_to_the_root),
		IN_SPOOL(
		    a_maildir_another_process_has_not_synced_yet_is_synced),
		IN_SPOOL(modes_are_private_whatever_the_umask),
		IN_SPOOL(only_folded_domain_names_become_directories),
		IN_SPOOL(a_domain_without_a_directory_is_no_error),
		IN_SPOOL(no_part_of_a_maildir_may_be_a_link),
		IN_SPOOL(
		    an_incomplete_maildir_reads_as_empty_and_is_completed_by_the_writer),
		IN_SPOOL(domains_are_directories_and_links_with_domain_names),
		IN_SPOOL(a_maildir_that_is_kept_open_is_the_one_of_that_name),
		IN_SPOOL(two_processes_cannot_lock_one_domain),
		IN_SPOOL(a_lock_on_a_file_that_has_no_name_any_more_is_none),
		IN_SPOOL(a_domain_is_removed_when_it_is_locked_and_empty),
		IN_SPOOL(
		    a_domain_that_is_gone_cannot_be_locked_and_is_no_error),
		IN_SPOOL(a_domain_that_is_made_again_while_it_is_removed_stays),
		cmocka_unit_test(ids_sort_by_arrival_and_hold_its_time),
		cmocka_unit_test(ids_of_one_microsecond_differ),
		cmocka_unit_test(what_is_no_id_has_no_time),
		cmocka_unit_test(names_are_parsed_whole),
		IN_SPOOL(
		    a_message_is_synced_before_it_has_a_name_and_the_name_before_250),
		IN_SPOOL(a_settled_message_needs_its_name_alone),
		IN_SPOOL(the_name_tells_the_final_size),
		IN_SPOOL(copies_in_two_domains_are_all_synced_then_all_named),
		IN_SPOOL(whatever_call_fails_nothing_is_left_in_new),
		IN_SPOOL(a_full_disk_at_any_call_leaves_nothing_in_new),
		IN_SPOOL(two_domains_get_both_copies_or_none),
		IN_SPOOL(
		    without_nameless_files_a_failure_leaves_nothing_either),
		IN_SPOOL(a_killed_writer_leaves_no_name),
		IN_SPOOL(
		    a_writer_killed_at_any_call_leaves_a_whole_message_or_none),
		IN_SPOOL(
		    without_nameless_files_a_kill_leaves_a_whole_message_or_none),
		IN_SPOOL(where_nameless_files_are_refused_tmp_is_used),
		IN_SPOOL(
		    a_message_is_prepared_in_tmp_with_and_without_nameless_files),
		IN_SPOOL(an_aborted_message_is_gone),
		IN_SPOOL(one_id_is_never_linked_over_another_message),
		IN_SPOOL(large_messages_are_written_whole_in_few_calls),
		IN_SPOOL(names_that_are_not_ours_are_counted_and_passed_over),
		IN_SPOOL(
		    a_message_that_moves_while_the_list_is_read_is_not_missed),
		IN_SPOOL(a_message_is_found_by_its_id_wherever_it_is),
		IN_SPOOL(
		    a_message_is_found_by_the_id_of_the_entry_that_is_filled),
		IN_SPOOL(the_envelope_is_read_and_the_content_follows_it),
		IN_SPOOL(an_envelope_larger_than_one_read_is_read_whole),
		IN_SPOOL(a_mark_changes_one_byte_and_is_there_after_reopening),
		IN_SPOOL(files_that_are_not_whole_messages_of_ours_are_refused),
		IN_SPOOL(
		    a_deferred_message_is_in_cur_with_the_time_of_its_next_try),
		IN_SPOOL(a_file_of_any_time_has_one_that_can_be_told),
		IN_SPOOL(a_deferral_cut_short_leaves_the_message_due_at_once),
		IN_SPOOL(hold_and_release_change_the_flag_alone),
		IN_SPOOL(a_held_message_that_is_deferred_stays_held),
		IN_SPOOL(the_time_that_was_held_has_a_limit),
		IN_SPOOL(a_release_counts_how_long_it_was_held),
		IN_SPOOL(without_cur_a_message_stays_in_new),
		IN_SPOOL(a_message_that_is_gone_is_no_error),
		IN_SPOOL(a_rename_never_replaces_a_message),
		IN_SPOOL(the_log_of_a_message_goes_with_it),
		IN_SPOOL(a_long_log_keeps_how_it_began_and_ended),
		IN_SPOOL(a_log_that_is_no_file_is_not_read),
		IN_SPOOL(a_ledger_line_cannot_be_forged),
		IN_SPOOL(
		    a_ledger_that_stays_open_follows_the_month_and_is_made_again),
		IN_SPOOL(a_ledger_is_synced_across_the_end_of_a_month),
		IN_SPOOL(the_longest_values_fit_a_ledger_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
