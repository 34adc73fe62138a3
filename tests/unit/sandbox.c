/* What a session can still do, tried in a child. What the kernel or the build
 * does not have is skipped. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/sandbox.h"

static char root[64], list[96];

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
	snprintf(list, sizeof list, "%s/lists/example.com", root);
	return close(open(list, O_WRONLY | O_CREAT, 0600));
}

static int
remove_spool(void **state)
{
	static const char *const names[] = { "spool/d/file", "spool/d/linked",
		"spool/file", "spool/d", "spool", "lists/example.com",
		"lists/new", "lists", "out/report", "out" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "%s/%s", root, names[i]);
		remove(path);
	}
	return rmdir(root);
}

/* Run try() in a child inside the sandbox; its result. */
static int
inside(int (*try)(const struct sandbox *))
{
	char spool[96], written[96];
	struct config_domain domain = { .recipients = list };
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
use_output(const struct sandbox *s)
{
	(void)s;
	if (open_errno("out/part", O_WRONLY | O_CREAT) != 0)
		return 1;
	return rename("out/part", "out/report") == -1 ? 2 : 0;
}

static int
use_other_files(const struct sandbox *s)
{
	if (s->landlock == 0)
		return 77;
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_spool_is_all_ours),
		cmocka_unit_test(lists_are_read_and_not_written),
		cmocka_unit_test(the_output_is_replaced),
		cmocka_unit_test(other_files_are_out_of_reach),
		cmocka_unit_test(no_program_is_started),
		cmocka_unit_test(the_network_is_for_asking_not_for_listening),
		cmocka_unit_test(privileges_are_not_regained),
		cmocka_unit_test(nobody_else_can_be_become),
		cmocka_unit_test(the_clock_is_left_alone),
	};

	return cmocka_run_group_tests(tests, make_spool, remove_spool);
}
