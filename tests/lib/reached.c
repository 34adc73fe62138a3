/*
 * For scripts/coverage: which basic blocks of a program ran, in a file that is
 * its memory. So it is known of processes too that were killed, ended by _exit(2),
 * changed their user or are in a sandbox, and of their children.
 *
 * Linked to each program and module of that build, whose every block calls
 * __sanitizer_cov_trace_pc (gcc -fsanitize-coverage=trace-pc). The file is
 * REACHED_DIR/BUILD-ID; its byte N is 1 when the call that returns to N bytes
 * after the program's beginning was made. What cannot be mapped is not counted.
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

static unsigned char *reached; /* NULL: not counted */
static size_t reached_size;

/* Where the name of our file is made of the build ID in NOTE; 0 for none. */
static int
name_of(const ElfW(Phdr) * note, char *name, size_t size)
{
	const unsigned char *at =
	    (const unsigned char *)&__ehdr_start + note->p_vaddr;
	const unsigned char *end = at + note->p_memsz;
	const unsigned char *id;
	size_t used;

	while (at + sizeof(ElfW(Nhdr)) < end) {
		const ElfW(Nhdr) *head = (const ElfW(Nhdr) *)at;

		id = at + sizeof(*head) + ((head->n_namesz + 3) & ~3U);
		if (head->n_type == NT_GNU_BUILD_ID && head->n_namesz == 4) {
			strcpy(name, REACHED_DIR "/");
			used = strlen(name);
			for (size_t i = 0;
			     i < head->n_descsz && used + 3 < size; i++) {
				name[used++] = "0123456789abcdef"[id[i] >> 4];
				name[used++] = "0123456789abcdef"[id[i] & 15];
			}
			name[used] = '\0';
			return 1;
		}
		at = id + ((head->n_descsz + 3) & ~3U);
	}
	return 0;
}

__attribute__((constructor(101))) static void
map_file(void)
{
	const ElfW(Phdr) *part =
	    (const ElfW(Phdr) *)((const char *)&__ehdr_start +
				 __ehdr_start.e_phoff);
	char name[sizeof(REACHED_DIR) + 64] = "";
	size_t size = 0;
	void *map;
	long fd, mask;

	for (int i = 0; i < __ehdr_start.e_phnum; i++) {
		if (part[i].p_type == PT_LOAD && (part[i].p_flags & PF_X) != 0)
			size = part[i].p_vaddr + part[i].p_memsz;
		if (part[i].p_type == PT_NOTE && name[0] == '\0')
			name_of(&part[i], name, sizeof(name));
	}
	if (name[0] == '\0')
		return;
	mask = syscall(SYS_umask, 0); /* other users run us too */
	fd = syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_CLOEXEC,
	    0666);
	syscall(SYS_umask, mask);
	if (fd < 0)
		return;
	if (syscall(SYS_ftruncate, fd, size) == 0) {
		map = (void *)syscall(SYS_mmap, NULL, size,
		    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (map != MAP_FAILED) {
			reached_size = size;
			reached = map;
		}
	}
	syscall(SYS_close, fd);
}

void
__sanitizer_cov_trace_pc(void)
{
	size_t at = (size_t)((const char *)__builtin_return_address(0) -
			     (const char *)&__ehdr_start);

	if (reached != NULL && at < reached_size)
		reached[at] = 1;
}
