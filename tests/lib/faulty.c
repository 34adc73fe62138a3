/*
 * For LD_PRELOAD: the nth call of a kind fails, is cut short, is left out, or is
 * the last thing that the process does.
 *
 *	FAULTY_CALLS  kinds, with commas between; "disk" are all that change it:
 *	              create write sync link rename unlink mkdir chmod truncate
 *	              utime; then open close read opendir; send, recv (write and
 *	              read of anything but files), socket, connect, pipe, fork,
 *	              memory (malloc and the like, asked for by
 *	              the program itself), random
 *	FAULTY_AT     N, the Nth of them (from 1, all processes together); "N+":
 *	              it and all that follow
 *	FAULTY_DO     an error by name (EIO); short, half of a write; skip, 0 and
 *	              nothing is done; kill-before, kill-after
 *	FAULTY_FILE   "hit KIND\n" is in it when it came to that, and "again\n"
 *	              when a descriptor was synced once more after that had failed,
 *	              be it by a child that inherited it
 *
 * What the C library calls from inside itself does not come by here: fopen(3) is
 * one "open" and its reads are none. Only in programs whose name begins with
 * "bmx-": a script or valgrind(1) that runs one in its place keeps its calls.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#undef strdup
#undef strndup

/* The headers' checking versions are in the way of ours. */
#if defined(_FORTIFY_SOURCE) && _FORTIFY_SOURCE > 0
#error "compile without _FORTIFY_SOURCE"
#endif

#define FDS_MAX 4096
#define OPENS_MAX 65536 /* of the run; those beyond that are not watched */

enum deed { NOTHING, FAIL, SHORT, SKIP, KILL_BEFORE, KILL_AFTER };

/* FAULTY_FILE, mapped by every process of the run. */
struct shared {
	char text[64]; /* hit */
	char again[64];
	atomic_ulong calls;
	atomic_uint opens;
	atomic_bool sync_failed[OPENS_MAX];
};

static struct {
	const char *kinds;
	unsigned long at;
	bool and_on;
	enum deed deed;
	int error;
	struct shared *shared;    /* NULL: not yet, or not wanted */
	uintptr_t text, text_end; /* where the program's own code is */
	/* which open of the run a descriptor comes from, 0: not known yet; it is
	 * the same one in a child */
	atomic_uint open_of[FDS_MAX];
} faulty;

static const struct {
	const char *name;
	int number;
} errors[] = {
	{ "EIO", EIO },
	{ "ENOSPC", ENOSPC },
	{ "EDQUOT", EDQUOT },
	{ "EROFS", EROFS },
	{ "EMFILE", EMFILE },
	{ "ENFILE", ENFILE },
	{ "ENOMEM", ENOMEM },
	{ "EINTR", EINTR },
	{ "EACCES", EACCES },
	{ "EAGAIN", EAGAIN },
	{ "EPERM", EPERM },
	{ "ESTALE", ESTALE },
};

/* ---- what is wanted ---- */

static void
say(const char *text)
{
	syscall(SYS_write, 2, text, strlen(text));
}

static void
take_deed(const char *what)
{
	static const struct {
		const char *name;
		enum deed deed;
	} deeds[] = {
		{ "short", SHORT },
		{ "skip", SKIP },
		{ "kill-before", KILL_BEFORE },
		{ "kill-after", KILL_AFTER },
	};

	for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
		if (strcmp(what, deeds[i].name) == 0)
			faulty.deed = deeds[i].deed;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		if (strcmp(what, errors[i].name) == 0) {
			faulty.deed = FAIL;
			faulty.error = errors[i].number;
		}
	}
}

static struct shared *
map(const char *path)
{
	void *map;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path,
	    O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	if (fd == -1 || syscall(SYS_ftruncate, fd, sizeof(struct shared)) == -1)
		return NULL;
	map = mmap(NULL, sizeof(struct shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	return map == MAP_FAILED ? NULL : map;
}

static int take_bounds(struct dl_phdr_info *, size_t, void *);

__attribute__((constructor)) static void
begin(void)
{
	const char *at = getenv("FAULTY_AT"), *what = getenv("FAULTY_DO");
	const char *path = getenv("FAULTY_FILE");
	char *end;

	dl_iterate_phdr(take_bounds, NULL);
	faulty.kinds = getenv("FAULTY_CALLS");
	if (faulty.kinds == NULL || at == NULL || what == NULL || path == NULL)
		return;
	if (strncmp(program_invocation_short_name, "bmx-", 4) != 0)
		return;
	faulty.at = strtoul(at, &end, 10);
	faulty.and_on = *end == '+';
	take_deed(what);
	if (faulty.deed == NOTHING || faulty.at == 0)
		say("faulty: FAULTY_DO or FAULTY_AT is not known\n");
	else if ((faulty.shared = map(path)) == NULL)
		say("faulty: FAULTY_FILE cannot be written\n");
}

/* ---- whether this call is the one ---- */

static bool
is_disk(const char *kind)
{
	static const char *const kinds[] = { "create", "write", "sync", "link",
		"rename", "unlink", "mkdir", "chmod", "truncate", "utime" };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kind, kinds[i]) == 0)
			return true;
	return false;
}

static bool
is_listed(const char *kind)
{
	size_t len = strlen(kind);

	for (const char *p = faulty.kinds; p != NULL && *p != '\0';) {
		size_t n = strcspn(p, ",");

		if (n == len && memcmp(p, kind, n) == 0)
			return true;
		if (n == 4 && memcmp(p, "disk", 4) == 0 && is_disk(kind))
			return true;
		p += n + (p[n] == ',');
	}
	return false;
}

/* At once: kill(2) would have valgrind(1) tell first what was open. */
static void
die(void)
{
	siginfo_t how = { .si_code = SI_QUEUE };

	syscall(SYS_rt_sigqueueinfo, (int)syscall(SYS_getpid), SIGKILL, &how);
}

static enum deed
deed_of(const char *kind)
{
	unsigned long n;

	if (faulty.shared == NULL || !is_listed(kind))
		return NOTHING;
	n = atomic_fetch_add(&faulty.shared->calls, 1) + 1;
	if (n != faulty.at && !(faulty.and_on && n > faulty.at))
		return NOTHING;
	memcpy(faulty.shared->text, "hit ", 4);
	memcpy(faulty.shared->text + 4, kind, strlen(kind));
	faulty.shared->text[4 + strlen(kind)] = '\n';
	if (faulty.deed == KILL_BEFORE)
		die();
	return faulty.deed;
}

/* Files of the disk; anything else is a peer, or the terminal. */
static bool
is_file(int fd)
{
	struct statx st;
	int saved = errno;
	bool found = statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) == 0 &&
		     (S_ISREG(st.stx_mode) || S_ISDIR(st.stx_mode));

	errno = saved;
	return found;
}

/* A descriptor is a new one, or gone. */
static void
forget(int fd)
{
	if (fd >= 0 && fd < FDS_MAX)
		faulty.open_of[fd] = 0;
}

static void
number(int fd)
{
	if (fd >= 0 && fd < FDS_MAX && faulty.shared != NULL)
		faulty.open_of[fd] =
		    atomic_fetch_add(&faulty.shared->opens, 1) + 1;
}

/* Whether a sync of what fd was opened as has failed; NULL: that is not
 * watched. */
static atomic_bool *
sync_failure(int fd)
{
	if (fd < 0 || fd >= FDS_MAX || faulty.shared == NULL)
		return NULL;
	if (faulty.open_of[fd] == 0)
		number(fd);
	return faulty.open_of[fd] < OPENS_MAX
		   ? &faulty.shared->sync_failed[faulty.open_of[fd]]
		   : NULL;
}

/* ---- the calls ---- */

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* What they have in common: call, unless it is to fail, is the result. */
#define FAULTY(kind, failure, call)                                            \
	do {                                                                   \
		enum deed deed = deed_of(kind);                                \
		__typeof__(call) result;                                       \
                                                                               \
		if (deed == SKIP)                                              \
			return 0;                                              \
		if (deed == FAIL) {                                            \
			errno = faulty.error;                                  \
			return failure;                                        \
		}                                                              \
		result = (call);                                               \
		if (deed == KILL_AFTER)                                        \
			die();                                                 \
		return result;                                                 \
	} while (0)

static const char *
open_kind(int flags)
{
	return (flags & (O_CREAT | __O_TMPFILE)) != 0 ? "create" : "open";
}

static int
opened(int fd)
{
	number(fd);
	return fd;
}

/* What the headers make of openat(2) with flags that are not constant. */
int __openat64_2(int dir, const char *path, int flags);

/* And, where time_t once had 32 bits, of what has to do with time. */
int __utimensat64(int dir, const char *path, const void *times, int flags);
int __futimens64(int fd, const void *times);
ssize_t __sendmsg64(int fd, const struct msghdr *message, int flags);

/* clang-format off */
#define OPEN(name)                                                             \
int                                                                            \
name(const char *path, int flags, ...)                                         \
{                                                                              \
	va_list list;                                                          \
	mode_t mode;                                                           \
                                                                               \
	va_start(list, flags);                                                 \
	mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(list, mode_t) : 0;   \
	va_end(list);                                                          \
	FAULTY(open_kind(flags), -1, opened(REAL(name)(path, flags, mode)));   \
}

#define OPENAT(name)                                                           \
int                                                                            \
name(int dir, const char *path, int flags, ...)                                \
{                                                                              \
	va_list list;                                                          \
	mode_t mode;                                                           \
                                                                               \
	va_start(list, flags);                                                 \
	mode = (flags & (O_CREAT | __O_TMPFILE)) ? va_arg(list, mode_t) : 0;   \
	va_end(list);                                                          \
	FAULTY(open_kind(flags), -1,                                           \
	    opened(REAL(name)(dir, path, flags, mode)));                       \
}

/* A call with its arguments, of a kind. */
#define CALL1(kind, type, failure, name, t1)                                   \
type                                                                           \
name(t1 a)                                                                     \
{                                                                              \
	FAULTY(kind, failure, REAL(name)(a));                                  \
}

#define CALL2(kind, type, failure, name, t1, t2)                               \
type                                                                           \
name(t1 a, t2 b)                                                               \
{                                                                              \
	FAULTY(kind, failure, REAL(name)(a, b));                               \
}

#define CALL3(kind, type, failure, name, t1, t2, t3)                           \
type                                                                           \
name(t1 a, t2 b, t3 c)                                                         \
{                                                                              \
	FAULTY(kind, failure, REAL(name)(a, b, c));                            \
}

#define CALL4(kind, type, failure, name, t1, t2, t3, t4)                       \
type                                                                           \
name(t1 a, t2 b, t3 c, t4 d)                                                   \
{                                                                              \
	FAULTY(kind, failure, REAL(name)(a, b, c, d));                         \
}

#define CALL5(kind, type, failure, name, t1, t2, t3, t4, t5)                   \
type                                                                           \
name(t1 a, t2 b, t3 c, t4 d, t5 e)                                             \
{                                                                              \
	FAULTY(kind, failure, REAL(name)(a, b, c, d, e));                      \
}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
CALL3("open", int, -1, __openat64_2, int, const char *, int)
CALL2("open", FILE *, NULL, fopen, const char *, const char *)
CALL2("open", FILE *, NULL, fopen64, const char *, const char *)
CALL1("opendir", DIR *, NULL, opendir, const char *)
CALL1("opendir", DIR *, NULL, fdopendir, int)

CALL5("link", int, -1, linkat, int, const char *, int, const char *, int)
CALL2("link", int, -1, link, const char *, const char *)
CALL2("rename", int, -1, rename, const char *, const char *)
CALL4("rename", int, -1, renameat, int, const char *, int, const char *)
CALL5("rename", int, -1, renameat2, int, const char *, int, const char *, unsigned)
CALL1("unlink", int, -1, unlink, const char *)
CALL3("unlink", int, -1, unlinkat, int, const char *, int)
CALL1("unlink", int, -1, rmdir, const char *)
CALL2("mkdir", int, -1, mkdir, const char *, mode_t)
CALL3("mkdir", int, -1, mkdirat, int, const char *, mode_t)
CALL2("chmod", int, -1, fchmod, int, mode_t)
CALL2("truncate", int, -1, ftruncate, int, off_t)
CALL2("truncate", int, -1, ftruncate64, int, off64_t)
CALL4("utime", int, -1, utimensat, int, const char *, const struct timespec *, int)
CALL4("utime", int, -1, __utimensat64, int, const char *, const void *, int)
CALL2("utime", int, -1, futimens, int, const struct timespec *)
CALL2("utime", int, -1, __futimens64, int, const void *)

CALL3(is_file(a) ? "read" : "recv", ssize_t, -1, read, int, void *, size_t)
CALL4("read", ssize_t, -1, pread, int, void *, size_t, off_t)
CALL4("read", ssize_t, -1, pread64, int, void *, size_t, off64_t)
CALL4("recv", ssize_t, -1, recv, int, void *, size_t, int)
CALL4("send", ssize_t, -1, send, int, const void *, size_t, int)
CALL3("send", ssize_t, -1, sendmsg, int, const struct msghdr *, int)
CALL3("send", ssize_t, -1, __sendmsg64, int, const struct msghdr *, int)
CALL3("socket", int, -1, socket, int, int, int)
CALL3("connect", int, -1, connect, int, const struct sockaddr *, socklen_t)
CALL4("socket", int, -1, socketpair, int, int, int, int *)
CALL2("pipe", int, -1, pipe2, int *, int)
CALL3("random", ssize_t, -1, getrandom, void *, size_t, unsigned)
/* clang-format on */

pid_t
fork(void)
{
	FAULTY("fork", -1, REAL(fork)());
}

/* ---- writing: half of it may go through ---- */

static size_t
cut(enum deed deed, size_t len)
{
	return deed == SHORT && len > 1 ? len / 2 : len;
}

static ssize_t
wrote(enum deed deed, ssize_t n)
{
	if (deed == KILL_AFTER)
		die();
	return n;
}

/* clang-format off */
#define WRITE(kind, name, arguments, call)                                     \
ssize_t                                                                        \
name arguments                                                                 \
{                                                                              \
	enum deed deed = deed_of(kind);                                        \
                                                                               \
	if (deed == FAIL) {                                                    \
		errno = faulty.error;                                          \
		return -1;                                                     \
	}                                                                      \
	return wrote(deed, REAL(name) call);                                   \
}

WRITE(is_file(fd) ? "write" : "send", write,
    (int fd, const void *data, size_t len), (fd, data, cut(deed, len)))
WRITE("write", pwrite, (int fd, const void *data, size_t len, off_t at),
    (fd, data, cut(deed, len), at))
WRITE("write", pwrite64, (int fd, const void *data, size_t len, off64_t at),
    (fd, data, cut(deed, len), at))
WRITE(is_file(fd) ? "write" : "send", writev,
    (int fd, const struct iovec *pieces, int n),
    (fd, pieces, (int)cut(deed, (size_t)n)))
/* clang-format on */

/* ---- what is done with a descriptor whose sync failed ---- */

static int
sync_of(int fd, int (*real)(int))
{
	enum deed deed = deed_of("sync");
	atomic_bool *failed = sync_failure(fd);
	int rc = -1;

	if (failed != NULL && *failed)
		memcpy(faulty.shared->again, "again\n", 6);
	if (deed == SKIP)
		return 0;
	if (deed == FAIL)
		errno = faulty.error;
	else
		rc = real(fd);
	if (rc == -1 && failed != NULL)
		*failed = true;
	if (deed == KILL_AFTER)
		die();
	return rc;
}

int
fsync(int fd)
{
	return sync_of(fd, REAL(fsync));
}

int
fdatasync(int fd)
{
	return sync_of(fd, REAL(fdatasync));
}

int
msync(void *start, size_t len, int flags)
{
	FAULTY("sync", -1, REAL(msync)(start, len, flags));
}

/* Like Linux: the descriptor is gone though close says that it failed. */
int
close(int fd)
{
	enum deed deed = deed_of("close");
	int rc;

	forget(fd);
	rc = REAL(close)(fd);
	if (deed == KILL_AFTER)
		die();
	if (deed != FAIL)
		return rc;
	errno = faulty.error;
	return -1;
}

/*
 * ---- memory: what the program itself asks for ----
 * Foreign libraries have their own ways to fail without it. dlsym(3) may want
 * some itself.
 */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

static int
take_bounds(struct dl_phdr_info *program, size_t size, void *ignored)
{
	(void)size;
	(void)ignored;
	for (int i = 0; i < program->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &program->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0) {
			faulty.text = program->dlpi_addr + part->p_vaddr;
			faulty.text_end = faulty.text + part->p_memsz;
		}
	}
	return 1; /* the first is the program */
}

static bool
is_ours(const void *caller)
{
	return (uintptr_t)caller >= faulty.text &&
	       (uintptr_t)caller < faulty.text_end;
}

#define MEMORY                                                                 \
	(is_ours(__builtin_return_address(0)) ? "memory" : "their-memory")

void *
malloc(size_t size)
{
	FAULTY(MEMORY, NULL, __libc_malloc(size));
}

void *
calloc(size_t n, size_t size)
{
	FAULTY(MEMORY, NULL, __libc_calloc(n, size));
}

void *
realloc(void *old, size_t size)
{
	FAULTY(MEMORY, NULL, __libc_realloc(old, size));
}

void *
reallocarray(void *old, size_t n, size_t size)
{
	FAULTY(MEMORY, NULL, REAL(reallocarray)(old, n, size));
}

char *
strdup(const char *text)
{
	FAULTY(MEMORY, NULL, REAL(strdup)(text));
}

char *
strndup(const char *text, size_t len)
{
	FAULTY(MEMORY, NULL, REAL(strndup)(text, len));
}
