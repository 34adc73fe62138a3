#ifndef BMX_TESTS_SCRATCH_H
#define BMX_TESTS_SCRATCH_H

/*
 * The directory of one run of one test: cmocka's fixtures for a group
 * (scratch_make, scratch_remove) and for each test in it (scratch_empty). Files
 * in it are removed, directories with what is in them.
 */
extern struct scratch {
	char path[64];
	int fd;
} scratch;

int scratch_make(void **state);
int scratch_empty(void **state);
int scratch_remove(void **state);

#endif
