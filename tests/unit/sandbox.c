/* What a session can still do, tried in a child. What the kernel or the build
 * does not have is skipped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/net.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/sandbox.h"

static char root[64], list[96], roots[96];

static int
make_spool(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/bmx-sandbox.XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(list, sizeof list, "%s/spool", root);
	if (mkdir(list, 0700) == -1)
		return -1;
	snprintf(list, sizeof list, "%s/out", root);
	if (mkdir(list, 0700) == -1)
		return -1;
	snprintf(list, sizeof list, "%s/lists", root);
	if (mkdir(list, 0700) == -1)
		return -1;
	snprintf(roots, sizeof roots, "%s/roots.pem", root);
	snprintf(list, sizeof list, "%s/lists/example.com", root);
	return close(open(roots, O_WRONLY | O_CREAT, 0600)) |
	       close(open(list, O_WRONLY | O_CREAT, 0600));
}

static int
remove_spool(void **state)
{
	static const char *const names[] = { "spool/d/file", "spool/d/linked",
		"spool/file", "spool/d", "spool", "lists/example.com",
		"lists/new", "lists", "out/report", "out", "roots.pem" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", root, names[i]);
		remove(path);
	}
	return rmdir(root);
}

/* Run try() in a child inside the sandbox; what came of it. */
static int
status_inside(int (*try)(const struct sandbox *))
{
	char spool[96], written[96];
	struct config_domain domain = { .recipients = list, .tls_ca = roots };
	struct config config = {
		.host = { .spool = spool, .state = (char *)"/nonexistent" },
		.domains = &domain,
		.ndomains = 1,
	};
	struct sandbox s;
	int status;
	pid_t pid;

	snprintf(spool, sizeof spool, "%s/spool", root);
	snprintf(written, sizeof written, "%s/out/report", root);
	pid = fork();
	if (pid == 0) {
		sandbox_confine(&config, written, &s);
		_exit(chdir(root) == 0 ? try(&s) : 99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int
inside(int (*try)(const struct sandbox *))
{
	int status = status_inside(try);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* 0: it can be opened, else errno. */
static int
open_errno(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	if (fd == -1)
		return errno;
	close(fd);
	return 0;
}

static int
use_spool(const struct sandbox *s)
{
	(void)s;
	if (mkdir("spool/d", 0700) == -1)
		return 1;
	if (open_errno("spool/d/file", O_RDWR | O_CREAT | O_TRUNC) != 0)
		return 2;
	if (link("spool/d/file", "spool/file") == -1)
		return 3;
	if (rename("spool/file", "spool/d/linked") == -1)
		return 4;
	return unlink("spool/d/linked") == -1 ? 5 : 0;
}

static int
use_list(const struct sandbox *s)
{
	if (open_errno(list, O_RDONLY) != 0)
		return 1;
	if (s->landlock > 0 && open_errno(list, O_WRONLY) != EACCES)
		return 2;
	if (s->landlock > 0 &&
	    open_errno("lists/new", O_WRONLY | O_CREAT) != EACCES)
		return 3;
	return 0;
}

static int
use_roots(const struct sandbox *s)
{
	if (open_errno(roots, O_RDONLY) != 0)
		return 1;
	return s->landlock > 0 && open_errno(roots, O_WRONLY) != EACCES ? 2 : 0;
}

static int
use_output(const struct sandbox *s)
{
	(void)s;
	if (open_errno("out/part", O_WRONLY | O_CREAT) != 0)
		return 1;
	return rename("out/part", "out/report") == -1 ? 2 : 0;
}

#define LANDLOCK_MIN 2

static int
use_other_files(const struct sandbox *s)
{
	if (s->landlock == 0)
		return syscall(SYS_landlock_create_ruleset, NULL, 0,
			   LANDLOCK_CREATE_RULESET_VERSION) < LANDLOCK_MIN
			   ? 77
			   : 3;
	if (open_errno("/etc/passwd", O_RDONLY) != EACCES)
		return 1;
	if (open_errno("/tmp", O_RDONLY | O_DIRECTORY) != EACCES)
		return 2;
	return open_errno("/dev/urandom", O_RDONLY);
}

static int
use_programs(const struct sandbox *s)
{
	char *argv[] = { (char *)"true", NULL };

	if (s->landlock == 0 && !s->seccomp)
		return 77;
	execv("/bin/true", argv);
	return errno == EPERM || errno == EACCES ? 0 : 1;
}

static int
use_network(const struct sandbox *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd == -1)
		return 1;
	if (!s->seccomp)
		return 77;
	return listen(fd, 1) == -1 && errno == EPERM ? 0 : 2;
}

static int
use_privileges(const struct sandbox *s)
{
	return s->no_new_privs ? 0 : 1;
}

/* Everybody may become who he is; the calls have other names on 32 bits. */
static int
use_identity(const struct sandbox *s)
{
	uid_t uid = getuid();
	gid_t gid = getgid();

	if (!s->seccomp)
		return 77;
	if (setuid(uid) != -1 || errno != EPERM)
		return 1;
	if (setgid(gid) != -1 || errno != EPERM)
		return 2;
	if (setresuid(uid, uid, uid) != -1 || errno != EPERM)
		return 3;
	return setresgid(gid, gid, gid) == -1 && errno == EPERM ? 0 : 4;
}

/* Arguments that no call does anything with. */
static long
call(long number)
{
	errno = 0;
	return syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
}

/* Each of the calls, or none of them. */
static int
expect_eperm(const struct sandbox *s, const long *calls, size_t n, bool wanted)
{
	if (!s->seccomp)
		return 77;
	for (size_t i = 0; i < n; i++)
		if ((call(calls[i]) == -1 && errno == EPERM) != wanted) {
			print_error("call %ld\n", calls[i]);
			return 1;
		}
	return 0;
}

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static int
use_refused_calls(const struct sandbox *s)
{
	/* clang-format off */
	static const long refused[] = {
		SYS_execveat, SYS_process_vm_writev, SYS_personality, SYS_accept4,
		SYS_chroot, SYS_mount, SYS_umount2, SYS_mount_setattr, SYS_fspick,
		SYS_unshare, SYS_setns, SYS_mknodat, SYS_open_by_handle_at,
		SYS_bpf, SYS_userfaultfd, SYS_io_uring_setup, SYS_keyctl,
		SYS_finit_module, SYS_kexec_load, SYS_reboot, SYS_acct,
		SYS_setdomainname, SYS_settimeofday, SYS_clock_adjtime,
		SYS_setreuid, SYS_setregid, SYS_setgroups,
#ifdef SYS_setuid32 /* 32 bits: what the C library does not call */
		SYS_setuid, SYS_setgid, SYS_setresuid, SYS_setresgid,
		SYS_setreuid32, SYS_setregid32, SYS_setgroups32,
		SYS_adjtimex, SYS_clock_settime64, SYS_clock_settime,
#endif
#ifdef __i386__
		SYS_umount, SYS_stime, SYS_iopl,
#endif
	};
	/* clang-format on */

	return expect_eperm(s, refused, LENGTH(refused), true);
}

/* Those whose numbers are next to a refused one, on some architecture. */
static int
use_neighbours(const struct sandbox *s)
{
	static const long allowed[] = { SYS_getpid, SYS_getuid, SYS_geteuid,
		SYS_getgid, SYS_getegid, SYS_getppid, SYS_getgroups, SYS_uname,
		SYS_bind, SYS_socketpair, SYS_connect, SYS_getsockname,
		SYS_shutdown, SYS_setsockopt, SYS_recvmsg, SYS_umask,
		SYS_fchdir, SYS_fchmod, SYS_chdir, SYS_wait4, SYS_gettimeofday,
		SYS_clock_gettime, SYS_clock_getres, SYS_getresuid, SYS_gettid,
		SYS_getresgid, SYS_readahead, SYS_capget, SYS_prctl,
		SYS_mkdirat, SYS_fchownat, SYS_unlinkat, SYS_fanotify_mark,
		SYS_prlimit64, SYS_syncfs, SYS_sendmmsg, SYS_renameat2,
		SYS_getrandom, SYS_memfd_create, SYS_mlock2, SYS_membarrier,
		SYS_copy_file_range, SYS_pidfd_send_signal, SYS_faccessat2,
		SYS_pidfd_open, SYS_close_range, SYS_landlock_add_rule };

	return expect_eperm(s, allowed, LENGTH(allowed), false);
}

/* ---- other doors into the kernel ---- */

#ifdef __i386__
static int
use_socketcall(const struct sandbox *s)
{
	long args[6] = { -1, -1, -1, -1, -1, -1 };

	if (!s->seccomp)
		return 77;
	for (long n = SYS_SOCKET; n <= SYS_SENDMMSG; n++) {
		bool is_refused =
		    n == SYS_LISTEN || n == SYS_ACCEPT || n == SYS_ACCEPT4;

		errno = 0;
		syscall(SYS_socketcall, n, args);
		if ((errno == EPERM) != is_refused)
			return (int)n;
	}
	return 0;
}
#endif

#if defined __x86_64__ && !defined __ILP32__
#define GETPID_I386 20

/* As a process of 32 bits calls, which any may. */
static int
use_old_door(const struct sandbox *s)
{
	long rc = GETPID_I386;

	if (!s->seccomp)
		return 77;
	__asm__ volatile("int $0x80" : "+a"(rc) : : "memory");
	return rc == getpid() ? 1 : 2;
}

static int
use_x32(const struct sandbox *s)
{
	if (!s->seccomp)
		return 77;
	call(__X32_SYSCALL_BIT | SYS_getpid);
	return 1;
}

/* A tracer that has skipped a call leaves this number. */
static int
use_none(const struct sandbox *s)
{
	(void)s;
	return call(-1) == -1 && errno == ENOSYS ? 0 : 1;
}
#endif

/* Who changes nothing needs no privilege. */
static int
use_clock(const struct sandbox *s)
{
	struct timex asked = { .modes = 0 };

	if (!s->seccomp)
		return 77;
	return adjtimex(&asked) == -1 && errno == EPERM ? 0 : 1;
}

static void
check(int (*try)(const struct sandbox *))
{
	int rc = inside(try);

	/* cmocka's skip() says "not ok" in TAP */
	if (rc == 77)
		print_message("# SKIPPED: this kernel or build cannot\n");
	else
		assert_int_equal(rc, 0);
}

static void
the_spool_is_all_ours(void **state)
{
	(void)state;
	check(use_spool);
}

static void
lists_are_read_and_not_written(void **state)
{
	(void)state;
	check(use_list);
}

static void
a_file_is_read_and_not_written(void **state)
{
	(void)state;
	check(use_roots);
}

static void
the_output_is_replaced(void **state)
{
	(void)state;
	check(use_output);
}

static void
other_files_are_out_of_reach(void **state)
{
	(void)state;
	check(use_other_files);
}

static void
no_program_is_started(void **state)
{
	(void)state;
	check(use_programs);
}

static void
the_network_is_for_asking_not_for_listening(void **state)
{
	(void)state;
	check(use_network);
}

static void
privileges_are_not_regained(void **state)
{
	(void)state;
	check(use_privileges);
}

static void
nobody_else_can_be_become(void **state)
{
	(void)state;
	check(use_identity);
}

static void
the_clock_is_left_alone(void **state)
{
	(void)state;
	check(use_clock);
}

static void
calls_that_serve_breaking_out_are_refused(void **state)
{
	(void)state;
	check(use_refused_calls);
}

static void
and_those_beside_them_are_not(void **state)
{
	(void)state;
	check(use_neighbours);
}

#ifdef __i386__
static void
sockets_by_their_old_call_as_well(void **state)
{
	(void)state;
	check(use_socketcall);
}
#endif

#if defined __x86_64__ && !defined __ILP32__
static void
check_killed(int (*try)(const struct sandbox *))
{
	int status = status_inside(try);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		print_message("# SKIPPED: this kernel or build cannot\n");
	else
		assert_true(WIFSIGNALED(status)); /* some have no such door */
}

static void
another_architecture_is_no_way_round(void **state)
{
	(void)state;
	check_killed(use_old_door);
	check_killed(use_x32);
	check(use_none);
}
#endif

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_spool_is_all_ours),
		cmocka_unit_test(lists_are_read_and_not_written),
		cmocka_unit_test(a_file_is_read_and_not_written),
		cmocka_unit_test(the_output_is_replaced),
		cmocka_unit_test(other_files_are_out_of_reach),
		cmocka_unit_test(no_program_is_started),
		cmocka_unit_test(the_network_is_for_asking_not_for_listening),
		cmocka_unit_test(privileges_are_not_regained),
		cmocka_unit_test(nobody_else_can_be_become),
		cmocka_unit_test(the_clock_is_left_alone),
		cmocka_unit_test(calls_that_serve_breaking_out_are_refused),
		cmocka_unit_test(and_those_beside_them_are_not),
#ifdef __i386__
		cmocka_unit_test(sockets_by_their_old_call_as_well),
#endif
#if defined __x86_64__ && !defined __ILP32__
		cmocka_unit_test(another_architecture_is_no_way_round),
#endif
	};

	return cmocka_run_group_tests(tests, make_spool, remove_spool);
}
