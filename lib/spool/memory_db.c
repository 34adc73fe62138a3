#include "spool/memory_db.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#define READERS_MAX 1024 /* at once; a reader has its slot for microseconds */
#define WRITE_WAIT_MS 10000
#define WALK_MAX_S 60 /* of the CPU */
#define OPEN_TRIES 5

/*
 * The whole map is set up at once, so no process ever has to learn that
 * another made it larger. It is address space, not disk: the file grows as
 * pages are used. Twice the pages that entries may take, for those that are
 * free, or that a reader still holds.
 */
#define MAP_FACTOR 2

/*
 * MDB_NOMETASYNC, not MDB_NOSYNC: without any sync a power cut could leave a
 * tree of old and new pages, which nobody would notice before it kills its
 * readers. MDB_NOTLS: slots belong to transactions, and end with them.
 */
#define ENV_FLAGS (MDB_NOTLS | MDB_NOMETASYNC)

static const char directory[] = "recipients";

static bool
is_damage(int status)
{
	switch (status) {
	case MDB_CORRUPTED:
	case MDB_CURSOR_FULL: /* a tree so deep bites its own tail */
	case MDB_INCOMPATIBLE:
	case MDB_INVALID:
	case MDB_PAGE_NOTFOUND:
	case MDB_VERSION_MISMATCH:
		return true;
	default:
		return false;
	}
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* ---- the file busy: the process numbers of those at work ---- */

#define BUSY_SLOTS 1024

static off_t
busy_slot(uint32_t pid)
{
	return (off_t)(pid % BUSY_SLOTS) * (off_t)sizeof pid;
}

/* A hint, whose loss does no harm: so no locks, and errors are passed over. */
static void
set_busy(const struct memory *m, bool is_busy)
{
	uint32_t pid = (uint32_t)getpid(), entry = is_busy ? pid : 0;

	if (pwrite(m->busy_fd, &entry, sizeof entry, busy_slot(pid)) == -1)
		return;
}

static bool
is_running(uint32_t pid)
{
	if (pid > INT32_MAX || pid == (uint32_t)getpid())
		return false; /* ours from an earlier life: we have not begun */
	return kill((pid_t)pid, 0) == 0 || errno != ESRCH;
}

/* Has anybody died at work? Their entries are taken out, or left. */
static bool
find_dead(const struct memory *m, bool is_taken)
{
	uint32_t slots[BUSY_SLOTS] = { 0 };
	const uint32_t nobody = 0;
	bool found = false;

	if (pread(m->busy_fd, slots, sizeof slots, 0) <= 0)
		return false;
	for (size_t i = 0; i < BUSY_SLOTS; i++) {
		if (slots[i] == 0 || is_running(slots[i]))
			continue;
		found = true;
		if (!is_taken || pwrite(m->busy_fd, &nobody, sizeof nobody,
				     (off_t)(i * sizeof nobody)) == -1)
			break;
	}
	return found;
}

/* ---- the environment ---- */

/* Instead of LMDB's, which prints on fd 2: that may be an SMTP client. */
static void
assertion_failed(MDB_env *env, const char *text)
{
	(void)env;
	(void)text;
	abort();
}

static int
open_env(MDB_env **env, const struct memory *m, unsigned flags)
{
	int status = mdb_env_create(env);

	if (status != 0) {
		*env = NULL;
		return status;
	}
	mdb_env_set_assert(*env, assertion_failed);
	status = mdb_env_set_mapsize(*env, MAP_FACTOR * m->bytes_max);
	if (status == 0)
		status = mdb_env_set_maxreaders(*env, READERS_MAX);
	if (status == 0)
		status = mdb_env_open(*env, m->path, ENV_FLAGS | flags, 0600);
	if (status != 0) {
		mdb_env_close(*env);
		*env = NULL;
	}
	return status;
}

/* Once for each environment. */
static int
open_dbi(struct memory *m)
{
	MDB_txn *txn;
	MDB_dbi dbi;
	int status = mdb_txn_begin(m->env, NULL, MDB_RDONLY, &txn);

	if (status != 0)
		return status;
	status = mdb_dbi_open(txn, NULL, 0, &dbi);
	m->dbi = dbi;
	if (status == 0)
		return mdb_txn_commit(txn);
	mdb_txn_abort(txn);
	return status;
}

/* Which file it is; LMDB has just read its first pages. */
static int
note_file(struct memory *m)
{
	mdb_filehandle_t fd;
	struct stat st;
	int status = mdb_env_get_fd(m->env, &fd);

	if (status != 0)
		return status;
	if (fstat(fd, &st) == -1)
		return errno;
	m->dev = st.st_dev;
	m->ino = st.st_ino;
	m->size = st.st_size;
	return 0;
}

/* Pages that count but are not there: reading them is death by SIGBUS. */
static bool
is_cut(const struct memory *m, off_t size)
{
	MDB_envinfo info;
	MDB_stat pages;

	return mdb_env_info(m->env, &info) == 0 &&
	       mdb_env_stat(m->env, &pages) == 0 &&
	       (uint64_t)size <
		   ((uint64_t)info.me_last_pgno + 1) * pages.ms_psize;
}

/* ---- walking through all of it, in a child ---- */

static bool
is_ascending(const MDB_val *last, const MDB_val *key)
{
	size_t len =
	    last->mv_size < key->mv_size ? last->mv_size : key->mv_size;
	int order = memcmp(last->mv_data, key->mv_data, len);

	return order < 0 || (order == 0 && last->mv_size < key->mv_size);
}

/* The list of pages that a transaction freed: their number, then they. */
static bool
is_free_list(const MDB_val *key, const MDB_val *value, size_t last_page)
{
	size_t n, page;
	const char *at = value->mv_data;

	if (key->mv_size != sizeof n || value->mv_size < sizeof n)
		return false;
	memcpy(&n, at, sizeof n);
	if (value->mv_size / sizeof n - 1 < n)
		return false;
	for (size_t i = 1; i <= n; i++) {
		memcpy(&page, at + i * sizeof page, sizeof page);
		if (page > last_page)
			return false;
	}
	return true;
}

/* Free pages have keys that are numbers, the rest keys that are text. */
static bool
is_tree_sound(MDB_txn *txn, MDB_dbi dbi, bool is_free, size_t last_page)
{
	MDB_val key, value, last = { 0, NULL };
	MDB_cursor *cursor;
	MDB_stat st;
	size_t n = 0;
	int status;

	if (mdb_stat(txn, dbi, &st) != 0 ||
	    mdb_cursor_open(txn, dbi, &cursor) != 0)
		return false;
	while ((status = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
		if (is_free ? !is_free_list(&key, &value, last_page)
			    : n > 0 && !is_ascending(&last, &key))
			break;
		last = key;
		n++;
	}
	mdb_cursor_close(cursor);
	return status == MDB_NOTFOUND && n == st.ms_entries;
}

/* What cannot even be opened for other reasons is not damaged. */
static bool
is_env_sound(const struct memory *m)
{
	MDB_env *env;
	MDB_envinfo info;
	MDB_txn *txn;
	MDB_dbi dbi;
	int status = open_env(&env, m, MDB_RDONLY);
	bool is_sound;

	if (status != 0)
		return !is_damage(status);
	status = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	if (status != 0)
		return !is_damage(status);
	is_sound = mdb_env_info(env, &info) == 0 &&
		   mdb_dbi_open(txn, NULL, 0, &dbi) == 0 &&
		   is_tree_sound(txn, dbi, false, info.me_last_pgno) &&
		   is_tree_sound(txn, 0, true, info.me_last_pgno);
	mdb_txn_abort(txn);
	mdb_env_close(env);
	return is_sound;
}

static void
walk_and_say(const struct memory *m, int fd)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT };
	const struct rlimit no_core = { 0, 0 };
	const struct rlimit cpu = { WALK_MAX_S, WALK_MAX_S };

	for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
		signal(deadly[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	/* no alarm: to wait for a slow disk is no sign of damage */
	setrlimit(RLIMIT_CPU, &cpu);
	if (is_env_sound(m) && write(fd, "y", 1) == 1)
		_exit(0);
	_exit(1);
}

/* m's environment is closed: a child cannot inherit it. */
static bool
survives_walk(const struct memory *m)
{
	int ends[2];
	char said = '\0';
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) == -1)
		return true; /* nobody can tell */
	child = fork();
	if (child == 0)
		walk_and_say(m, ends[1]);
	close(ends[1]);
	/* The answer comes by the pipe: the status may be the caller's, who
	 * has children of its own. */
	while (child != -1 && read(ends[0], &said, 1) == -1 && errno == EINTR)
		;
	close(ends[0]);
	while (child != -1 && waitpid(child, NULL, 0) == -1 && errno == EINTR)
		;
	return child == -1 || said == 'y';
}

/* ---- damaged: set aside ---- */

static int
open_state(const char *state, struct err *e)
{
	struct stat st;
	int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		return err_config(e,
		    "the state directory %s does not exist: mkdir -p -m 700 "
		    "%s && chown bmx %s (the user that bmx runs as)",
		    state, state, state);
	if (fd == -1)
		return err_sys(e, "cannot open the state directory %s", state);
	if (fstat(fd, &st) == -1)
		err_sys(e, "fstat %s", state);
	else if (st.st_uid != geteuid())
		err_config(e,
		    "the state directory %s belongs to another user: run this "
		    "as its owner, or chown -R it",
		    state);
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		err_config(e,
		    "others may write to the state directory %s: chmod 700 %s",
		    state, state);
	else
		return fd;
	close(fd);
	return -1;
}

/* Is what we opened what others find? */
static bool
is_in_place(const struct memory *m, int state_fd)
{
	struct stat ours, there;

	return fstat(m->dir_fd, &ours) == 0 &&
	       fstatat(state_fd, directory, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
}

/* Rename it under the lock of the state directory. 1; 0 when somebody has
 * been quicker: what is there now may be sound. */
static int
rename_ours(const struct memory *m, int state_fd, const char *aside,
    struct err *e)
{
	if (flock(state_fd, LOCK_EX) == -1)
		return err_sys(e, "cannot set aside %s", m->path);
	if (!is_in_place(m, state_fd))
		return 0;
	if (renameat2(state_fd, directory, state_fd, aside, RENAME_NOREPLACE) ==
	    -1)
		return err_sys(e, "cannot rename %s to %s", m->path, aside);
	return 1;
}

/* m is closed afterwards. -1 always: ERR_DATA when it could be done. */
static int
set_aside(struct memory *m, const char *why, struct err *e)
{
	char aside[sizeof directory + CLOCK_RFC3339_MAX + 16];
	char at[CLOCK_RFC3339_MAX], state[sizeof m->path];
	int state_fd, rc = -1;

	snprintf(aside, sizeof aside, "%s.damaged-%s", directory,
	    clock_rfc3339(at, clock_wall_us()));
	snprintf(state, sizeof state, "%.*s",
	    (int)(strrchr(m->path, '/') - m->path), m->path);
	state_fd = open_state(state, e);
	if (state_fd != -1) {
		rc = rename_ours(m, state_fd, aside, e);
		close(state_fd);
	}
	memory_close(m);
	if (rc == -1)
		return -1;
	return err_data(e,
	    "the recipient memory %s was damaged (%s) and %s%s; what it knew "
	    "is forgotten",
	    m->path, why, rc == 1 ? "is now " : "has been set aside",
	    rc == 1 ? aside : "");
}

/* ---- opening ---- */

/* 1: it was set aside at this moment. */
static int
open_directory(struct memory *m, int state_fd, struct err *e)
{
	if (mkdirat(state_fd, directory, 0700) == -1 && errno != EEXIST)
		return err_sys(e, "mkdir %s", m->path);
	m->dir_fd = openat(state_fd, directory,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (m->dir_fd == -1 && errno == ENOENT)
		return 1;
	if (m->dir_fd == -1)
		return err_sys(e, "open %s", m->path);
	m->busy_fd = openat(m->dir_fd, "busy",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (m->busy_fd == -1)
		return err_sys(e, "open %s/busy", m->path);
	return 0;
}

/* LMDB follows links, and writes into what is there. */
static int
check_files(const struct memory *m, struct err *e)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	struct stat st;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (fstatat(m->dir_fd, files[i], &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
			st.st_nlink > 1))
			return err_config(e,
			    "%s/%s is not a file of ours alone: remove it, or "
			    "put a copy in its place",
			    m->path, files[i]);
	return 0;
}

static int
attach(struct memory *m)
{
	int status = open_env(&m->env, m, 0);

	if (status == 0)
		status = open_dbi(m);
	return status != 0 ? status : note_file(m);
}

static void
detach(struct memory *m)
{
	if (m->env != NULL)
		mdb_env_close(m->env);
	m->env = NULL;
}

/* status is what attach() said. */
static int
check(struct memory *m, int status, bool has_dead, struct err *e)
{
	int dead;

	if (status == 0 && (has_dead || is_cut(m, m->size))) {
		mdb_reader_check(m->env, &dead); /* their slots hold pages */
		detach(m);
		if (!survives_walk(m))
			return set_aside(m, "it does not bear reading", e);
		status = attach(m);
	}
	return status == 0 ? 0 : memory_failed(m, status, e);
}

/* Open what is there. -1 with ERR_DATA: it was damaged, and is set aside. 1:
 * it was set aside by others while we opened it. */
static int
try_open(struct memory *m, const char *state, struct err *e)
{
	int status, state_fd = open_state(state, e), rc;
	bool has_dead;

	if (state_fd == -1)
		return -1;
	rc = open_directory(m, state_fd, e);
	if (rc == 0)
		rc = check_files(m, e);
	if (rc == 0) {
		has_dead = find_dead(m, true);
		status = attach(m); /* by name: LMDB takes no descriptor */
		rc = is_in_place(m, state_fd) ? check(m, status, has_dead, e)
					      : 1;
	}
	close(state_fd);
	return rc;
}

int
memory_open(struct memory *m, const char *state, struct err *e)
{
	struct err alarm_text = ERR_INIT;
	int rc = 1;

	if (snprintf(m->path, sizeof m->path, "%s/%s", state, directory) >=
	    (int)sizeof m->path)
		return err_config(e, "the state directory's path is too long");
	for (int i = 0; i < OPEN_TRIES && rc != 0; i++) {
		rc = try_open(m, state, e);
		if (rc != 0)
			memory_close(m);
		if (rc == -1 && e->class != ERR_DATA)
			return -1;
		if (rc == -1)
			alarm_text = *e;
	}
	if (rc != 0)
		return err_temp(e, "recipient memory %s: cannot be replaced",
		    m->path);
	if (alarm_text.class == ERR_NONE)
		return 0;
	*e = alarm_text;
	return 1;
}

/*
 * The same for what is open, without opening it again: two calls. A file of
 * LMDB never shrinks, and one that has is not even asked for its first pages.
 * Who died at work is left to memory_open().
 */
static bool
is_current(const struct memory *m)
{
	char file[sizeof m->path + sizeof "/data.mdb"];
	struct stat st;

	if (m->env == NULL)
		return false;
	snprintf(file, sizeof file, "%s/data.mdb", m->path);
	return stat(file, &st) == 0 && st.st_dev == m->dev &&
	       st.st_ino == m->ino && st.st_size >= m->size &&
	       !is_cut(m, st.st_size) && !find_dead(m, false);
}

int
memory_need(struct memory *m, const char *state, struct err *e)
{
	if (is_current(m))
		return 0;
	memory_close(m);
	return memory_open(m, state, e);
}

void
memory_close(struct memory *m)
{
	detach(m);
	close_fd(&m->busy_fd);
	close_fd(&m->dir_fd);
}

int
memory_failed(struct memory *m, int status, struct err *e)
{
	if (is_damage(status))
		return set_aside(m, mdb_strerror(status), e);
	return err_temp(e, "recipient memory %s: %s", m->path,
	    mdb_strerror(status));
}

/* ---- transactions ---- */

int
memory_begin_read(struct memory *m, MDB_txn **txn, struct err *e)
{
	int dead, status;

	set_busy(m, true);
	status = mdb_txn_begin(m->env, NULL, MDB_RDONLY, txn);
	if (status == MDB_READERS_FULL) { /* the dead may have them */
		mdb_reader_check(m->env, &dead);
		status = mdb_txn_begin(m->env, NULL, MDB_RDONLY, txn);
	}
	if (status == 0)
		return 0;
	*txn = NULL;
	set_busy(m, false);
	return memory_failed(m, status, e);
}

/* LMDB's own lock has no time limit: whoever has this one gets that at once. */
static int
lock_writers(const struct memory *m, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + WRITE_WAIT_MS;
	int wait_ms = 1;

	while (flock(m->dir_fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_sys(e, "lock %s", m->path);
		if (clock_left_ms(deadline) == 0)
			return err_temp(e,
			    "recipient memory %s: another process has been "
			    "writing for %d s",
			    m->path, WRITE_WAIT_MS / 1000);
		/* Not all in step: the number of the process is as good as
		 * chance here. */
		poll(NULL, 0, 1 + (int)getpid() % wait_ms);
		wait_ms = wait_ms < 16 ? 2 * wait_ms : 16;
	}
	return 0;
}

int
memory_begin_write(struct memory *m, MDB_txn **txn, struct err *e)
{
	int status;

	*txn = NULL;
	if (lock_writers(m, e) == -1)
		return -1;
	set_busy(m, true);
	status = mdb_txn_begin(m->env, NULL, 0, txn);
	if (status == 0)
		return 0;
	*txn = NULL;
	memory_end(m, NULL);
	return memory_failed(m, status, e);
}

int
memory_commit(struct memory *m, MDB_txn *txn, struct err *e)
{
	int status = mdb_txn_commit(txn);

	memory_end(m, NULL);
	return status == 0 ? 0 : memory_failed(m, status, e);
}

void
memory_end(struct memory *m, MDB_txn *txn)
{
	if (txn != NULL)
		mdb_txn_abort(txn);
	if (m->env == NULL)
		return;
	set_busy(m, false);
	flock(m->dir_fd, LOCK_UN);
}
