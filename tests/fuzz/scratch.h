#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H

#include <stddef.h>

/*
 * A directory in memory for harnesses of what reads files: what is synced costs
 * nothing there. It is removed at exit, but a crash leaves it: $FUZZ_SCRATCH is
 * where it is made, /dev/shm without.
 */

/* Its descriptor; the first call makes it. */
int scratch_fd(void);
const char *scratch_path(void);

/* A file in it, in place of what was there. */
void scratch_put(const char *name, const void *data, size_t size);
void scratch_remove(const char *name);

/* A file with only a name in /proc, until the next call. */
const char *scratch_memory(const void *data, size_t size);

#endif
