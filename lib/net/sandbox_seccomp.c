#include "net/sandbox.h"

/*
 * The filter is made here: it is one table of numbers, and a library that
 * compiles it costs a short process more than all the rest of its start.
 *
 * A number means something on one architecture alone, so each has a line here.
 * Elsewhere there is no filter.
 */
#include <linux/audit.h>

#ifndef ENABLE_SECCOMP
#elif defined __x86_64__ && !defined __ILP32__
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined __i386__
#define OUR_ARCH AUDIT_ARCH_I386
#elif defined __aarch64__ && !defined __ILP32__
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined __ARM_EABI__ && !defined __ARMEB__
#define OUR_ARCH AUDIT_ARCH_ARM
#elif defined __riscv && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#elif defined __powerpc64__ && defined __LITTLE_ENDIAN__
#define OUR_ARCH AUDIT_ARCH_PPC64LE
#elif defined __s390x__
#define OUR_ARCH AUDIT_ARCH_S390X
#endif

#ifdef OUR_ARCH

#include <errno.h>
#include <linux/net.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

/* What a session never does. Some are not everywhere, and 32 bits have two of
 * some, by another name. A leak checker needs ptrace. */
static const uint32_t refused[] = {
	/* other programs, other processes */
	SYS_execve,
	SYS_execveat,
#ifndef __SANITIZE_ADDRESS__
	SYS_ptrace,
#endif
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kcmp,
	SYS_personality,
	/* clients of our own */
	SYS_listen,
#ifdef SYS_accept
	SYS_accept,
#endif
	SYS_accept4,
	/* other files */
	SYS_chroot,
	SYS_pivot_root,
	SYS_mount,
#ifdef SYS_umount
	SYS_umount,
#endif
	SYS_umount2,
	SYS_move_mount,
	SYS_mount_setattr,
	SYS_open_tree,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_unshare,
	SYS_setns,
#ifdef SYS_mknod
	SYS_mknod,
#endif
	SYS_mknodat,
	SYS_name_to_handle_at,
	SYS_open_by_handle_at,
	/* large parts of the kernel */
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	/* the machine */
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_quotactl,
	SYS_sethostname,
	SYS_setdomainname,
#ifdef SYS_iopl
	SYS_iopl,
#endif
#ifdef SYS_ioperm
	SYS_ioperm,
#endif
	/* the clock */
	SYS_settimeofday,
	SYS_clock_settime,
#ifdef SYS_clock_settime64
	SYS_clock_settime64,
#endif
	SYS_clock_adjtime,
#ifdef SYS_clock_adjtime64
	SYS_clock_adjtime64,
#endif
	SYS_adjtimex,
#ifdef SYS_stime
	SYS_stime,
#endif
	/* who we are */
	SYS_setuid,
	SYS_setgid,
	SYS_setreuid,
	SYS_setregid,
	SYS_setresuid,
	SYS_setresgid,
	SYS_setgroups,
#ifdef SYS_setuid32
	SYS_setuid32,
	SYS_setgid32,
	SYS_setreuid32,
	SYS_setregid32,
	SYS_setresuid32,
	SYS_setresgid32,
	SYS_setgroups32,
#endif
};

#define NREFUSED (sizeof refused / sizeof *refused)

/* ---- the program ---- */

/* clang-format off */
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define IF(compare, value, yes, no) \
	BPF_JUMP(BPF_JMP | (compare) | BPF_K, value, yes, no)
#define ANSWER(action) BPF_STMT(BPF_RET | BPF_K, action)
/* clang-format on */

#define REFUSE (SECCOMP_RET_ERRNO | EPERM)
#define KILL SECCOMP_RET_KILL_PROCESS

#define ARCH offsetof(struct seccomp_data, arch)
#define NUMBER offsetof(struct seccomp_data, nr)
#define ARGUMENT offsetof(struct seccomp_data, args)
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ARGUMENT_LOW (ARGUMENT + sizeof(uint32_t))
#else
#define ARGUMENT_LOW ARGUMENT
#endif

/* What comes by another door has other numbers: who does that has no business
 * here. Then the number is loaded. */
static const struct sock_filter head[] = {
	LOAD(ARCH),
	IF(BPF_JEQ, OUR_ARCH, 1, 0),
	ANSWER(KILL),
	LOAD(NUMBER),
#ifdef __x86_64__
	/* x32 is the same architecture; who traces us says -1 for "none" */
	IF(BPF_JGE, __X32_SYSCALL_BIT, 0, 2),
	IF(BPF_JEQ, UINT32_MAX, 1, 0),
	ANSWER(KILL),
#endif
#ifdef SYS_socketcall
	/* listen and accept by their old name; the kernel reads an int */
	IF(BPF_JEQ, SYS_socketcall, 0, 6),
	LOAD(ARGUMENT_LOW),
	IF(BPF_JEQ, SYS_LISTEN, 2, 0),
	IF(BPF_JEQ, SYS_ACCEPT, 1, 0),
	IF(BPF_JEQ, SYS_ACCEPT4, 0, 1),
	ANSWER(REFUSE),
	ANSWER(SECCOMP_RET_ALLOW),
#endif
};

#define NHEAD (sizeof head / sizeof *head)

/* At most two bounds a number, two instructions a bound. */
_Static_assert(NHEAD + 4 * NREFUSED + 1 <= SANDBOX_FILTER_MAX,
    "the plan has room");

/*
 * Where the answer changes: bounds[0] is the first number that is refused,
 * bounds[1] the first after it that is not, and so on.
 */
static size_t
find_bounds(uint32_t *bounds)
{
	uint32_t calls[NREFUSED] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < NREFUSED; i++) {
		size_t at = i;

		for (; at > 0 && calls[at - 1] > refused[i]; at--)
			calls[at] = calls[at - 1];
		calls[at] = refused[i];
	}
	for (size_t i = 0; i < NREFUSED; i++) {
		if (n == 0 || calls[i] > bounds[n - 1]) {
			bounds[n++] = calls[i];
			n++;
		}
		bounds[n - 1] = calls[i] + 1;
	}
	return n;
}

static void
put(struct sandbox_plan *plan, struct sock_filter instruction)
{
	plan->filter[plan->nfilter++] = instruction;
}

/*
 * A binary search for the number among bounds[first] to bounds[end - 1]; of n
 * bounds it takes 2n + 1 instructions. For each number the kernel runs it once,
 * when it takes the filter, to know what is always allowed.
 */
static void
put_search(struct sandbox_plan *plan, const uint32_t *bounds, size_t first,
    size_t end)
{
	size_t middle = first + (end - first) / 2;
	unsigned char below = (unsigned char)(2 * (middle - first) + 1);

	if (first == end) {
		put(plan, (struct sock_filter)ANSWER(first % 2 == 1
							 ? REFUSE
							 : SECCOMP_RET_ALLOW));
		return;
	}
	put(plan, (struct sock_filter)IF(BPF_JGE, bounds[middle], below, 0));
	put_search(plan, bounds, first, middle);
	put_search(plan, bounds, middle + 1, end);
}

void
sandbox_prepare_filter(struct sandbox_plan *plan)
{
	uint32_t bounds[2 * NREFUSED] = { 0 };
	size_t n = find_bounds(bounds);

	memcpy(plan->filter, head, sizeof head);
	plan->nfilter = NHEAD;
	put_search(plan, bounds, 0, n);
}

#else

void
sandbox_prepare_filter(struct sandbox_plan *plan)
{
	(void)plan;
}

#endif
