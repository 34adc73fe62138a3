#include "net/sandbox.h"

#ifdef HAVE_LIBSECCOMP

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/log.h"

/* What a session never does, by name: a name that this architecture or
 * libseccomp does not know is passed over. 32 bits have two of some, by another
 * name. A leak checker needs ptrace. */
static const char *const refused[] = {
	"execve",
	"execveat",
#ifndef __SANITIZE_ADDRESS__
	"ptrace",
#endif
	"process_vm_readv",
	"process_vm_writev",
	"kcmp",
	"listen",
	"accept",
	"accept4",
	"mount",
	"umount",
	"umount2",
	"pivot_root",
	"chroot",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"mount_setattr",
	"unshare",
	"setns",
	"mknod",
	"mknodat",
	"bpf",
	"perf_event_open",
	"userfaultfd",
	"io_uring_setup",
	"io_uring_enter",
	"io_uring_register",
	"add_key",
	"request_key",
	"keyctl",
	"open_by_handle_at",
	"name_to_handle_at",
	"init_module",
	"finit_module",
	"delete_module",
	"kexec_load",
	"kexec_file_load",
	"reboot",
	"swapon",
	"swapoff",
	"acct",
	"quotactl",
	"settimeofday",
	"clock_settime",
	"clock_settime64",
	"clock_adjtime",
	"clock_adjtime64",
	"adjtimex",
	"stime",
	"sethostname",
	"setdomainname",
	"iopl",
	"ioperm",
	"personality",
	"setuid",
	"setuid32",
	"setgid",
	"setgid32",
	"setreuid",
	"setreuid32",
	"setregid",
	"setregid32",
	"setresuid",
	"setresuid32",
	"setresgid",
	"setresgid32",
	"setgroups",
	"setgroups32",
};

static int
add_rules(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		int call = seccomp_syscall_resolve_name(refused[i]);
		int rc = call == __NR_SCMP_ERROR
			     ? 0
			     : seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
				   call, 0);

		/* -EDOM: no such call on this architecture */
		if (rc < 0 && rc != -EDOM)
			return rc;
	}
	return 0;
}

/* libseccomp writes it to a descriptor alone; a pipe has room for it. */
static int export(scmp_filter_ctx filter, struct sandbox_plan *plan)
{
	ssize_t len;
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == -1)
		return -errno;
	rc = seccomp_export_bpf(filter, fds[1]);
	len = rc < 0 ? rc : read(fds[0], plan->filter, sizeof plan->filter);
	if (len > 0 && (size_t)len < sizeof plan->filter)
		plan->nfilter = (size_t)len / sizeof *plan->filter;
	else if (rc == 0)
		rc = -E2BIG;
	close(fds[0]);
	close(fds[1]);
	return rc;
}

void
sandbox_prepare_filter(struct sandbox_plan *plan)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = filter == NULL ? -ENOMEM : add_rules(filter);

	if (rc == 0)
		rc = export(filter, plan);
	if (rc < 0)
		log_alarm("seccomp: %s", strerror(-rc));
	seccomp_release(filter);
}

#else

void
sandbox_prepare_filter(struct sandbox_plan *plan)
{
	(void)plan;
}

#endif
