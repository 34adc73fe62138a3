/*
 * For scripts/coverage: which basic blocks of a program ran, in a file that is
 * its memory. So it is known of processes too that were killed, ended by _exit(2),
 * changed their user or are in a sandbox, and of their children.
 *
 * Linked to each program and module of that build, whose every block calls
 * __sanitizer_cov_trace_pc (gcc -fsanitize-coverage=trace-pc). The file is
 * REACHED_DIR/BUILD-ID. From SPARE on, its byte N is 1 when the call that returns
 * to N bytes after the beginning of the program was made. Before that is room for
 * modules that are loaded in a sandbox, where no file can be opened: SLOTS of
 * SLOT bytes, each the first bytes of a build ID and then the same. What cannot
 * be mapped is not counted.
 *
 * System calls are made past the C library: tests make its functions fail.
 */
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

extern const ElfW(Ehdr) __ehdr_start HIDDEN; /* the linker's */
HIDDEN void __sanitizer_cov_trace_pc(void);

enum {
	SLOTS = 4,
	SLOT = 0x40000,
	SPARE = SLOTS * SLOT
}; /* as scripts/coverage */

/* The program's, when modules look: LDFLAGS export it. */
unsigned char *reached_spare;

static unsigned char *reached; /* NULL: not counted */
static size_t reached_size;

/* The build ID in NOTE; NULL: that is another note. */
static const ElfW(Nhdr) * build_id(const ElfW(Phdr) * note)
{
	const unsigned char *at =
	    (const unsigned char *)&__ehdr_start + note->p_vaddr;
	const unsigned char *end = at + note->p_memsz;

	while (at + sizeof(ElfW(Nhdr)) < end) {
		const ElfW(Nhdr) *head = (const ElfW(Nhdr) *)at;

		if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4)
			return head;
		at += sizeof *head + ((head->n_namesz + 3) & ~3U) +
		      ((head->n_descsz + 3) & ~3U);
	}
	return NULL;
}

static long
open_file(const unsigned char *id, size_t len)
{
	char name[sizeof REACHED_DIR + 64] = REACHED_DIR "/";
	size_t used = sizeof REACHED_DIR;
	long fd, mask;

	for (size_t i = 0; i < len && used + 3 < sizeof name; i++) {
		name[used++] = "0123456789abcdef"[id[i] >> 4];
		name[used++] = "0123456789abcdef"[id[i] & 15];
	}
	mask = syscall(SYS_umask, 0); /* other users run us too */
	fd = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_CLOEXEC,
	    0666);
	syscall(SYS_umask, mask);
	return fd;
}

static void
map_file(long fd, size_t size)
{
	void *map;

	if (syscall(SYS_ftruncate, fd, SPARE + size) == 0) {
		map = (void *)syscall(SYS_mmap, NULL, SPARE + size,
		    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			reached_size = size;
			reached = (unsigned char *)map + SPARE;
			if (reached_spare == NULL)
				reached_spare = map;
		}
	}
	syscall(SYS_close, fd);
}

static void
take_slot(const unsigned char *id)
{
	uint64_t mine, empty;

	memcpy(&mine, id, sizeof mine);
	for (int i = 0; i < SLOTS; i++) {
		uint64_t *slot = (uint64_t *)(reached_spare + i * SLOT);

		empty = 0;
		if (__atomic_compare_exchange_n(slot, &empty, mine, 0,
			__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) ||
		    empty == mine) {
			reached_size = SLOT - sizeof mine;
			reached = (unsigned char *)(slot + 1);
			return;
		}
	}
}

__attribute__((constructor(101))) static void
begin(void)
{
	const ElfW(Phdr) *part =
	    (const ElfW(Phdr) *)((const char *)&__ehdr_start +
				 __ehdr_start.e_phoff);
	const ElfW(Nhdr) *note = NULL;
	const unsigned char *id;
	size_t size = 0;
	long fd;

	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		if (part[i].p_type == PT_LOAD && (part[i].p_flags & PF_X) != 0)
			size = part[i].p_vaddr + part[i].p_memsz;
		if (part[i].p_type == PT_NOTE && note == NULL)
			note = build_id(&part[i]);
	}
	if (note == NULL)
		return;
	id = (const unsigned char *)(note + 1) + 4; /* after "GNU" */
	fd = open_file(id, note->n_descsz);
	if (fd >= 0)
		map_file(fd, size);
	else if (reached_spare != NULL)
		take_slot(id);
}

void
__sanitizer_cov_trace_pc(void)
{
	size_t at = (size_t)((const char *)__builtin_return_address(0) -
			     (const char *)&__ehdr_start);

	if (reached != NULL && at < reached_size)
		reached[at] = 1;
}
