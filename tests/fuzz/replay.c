/*
 * A harness without libFuzzer, so that every build and compiler runs it:
 * fuzz_NAME [FILE...], or all seeds and past findings of NAME. Each file goes in
 * whole, and cut after each of its bytes, since input can end anywhere. What is
 * wrong aborts, or takes longer than any input may; the last line of the output
 * is the file.
 */

#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CUTS_MAX 1024 /* bytes of a file that is cut */
#define FILE_TIME_S 60

int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t inputs;

static void
fail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

/* In memory of its own, so that a checker sees a byte too many. */
static void
run_input(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);

	if (copy == NULL)
		fail("memory");
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	inputs++;
}

static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	struct stat st;
	uint8_t *data;

	if (f == NULL || fstat(fileno(f), &st) == -1)
		fail(path);
	data = malloc((size_t)st.st_size + 1);
	if (data == NULL)
		fail("memory");
	*size = fread(data, 1, (size_t)st.st_size, f);
	if (ferror(f))
		fail(path);
	fclose(f);
	return data;
}

static void
run_file(const char *path)
{
	size_t size, cuts;
	uint8_t *data = read_file(path, &size);

	printf("# %s\n", path);
	fflush(stdout);
	alarm(FILE_TIME_S);
	run_input(data, size);
	cuts = size < CUTS_MAX ? size : CUTS_MAX;
	for (size_t len = 0; len < cuts; len++)
		run_input(data, len);
	alarm(0);
	free(data);
}

/* How many there were; a directory that is missing has none. */
static size_t
run_directory(const char *kind, const char *name)
{
	const char *top = getenv("top_srcdir");
	char dir[2048], path[4096];
	const struct dirent *entry;
	size_t n = 0;
	DIR *d;

	snprintf(dir, sizeof dir, "%s/tests/fuzz/%s/%s",
	    top == NULL ? "../.." : top, kind, name);
	d = opendir(dir);
	if (d == NULL && errno != ENOENT)
		fail(dir);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
		run_file(path);
		n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}

/* "session", of a program fuzz_session. */
static const char *
find_name(const char *program)
{
	const char *name = strstr(program, "fuzz_");

	for (const char *at = name; at != NULL; at = strstr(at, "fuzz_"))
		name = at += strlen("fuzz_");
	if (name == NULL)
		fail("a program that is not called fuzz_NAME");
	return name;
}

int
main(int argc, char **argv)
{
	const char *name = find_name(argv[0]);
	size_t seeds, findings;

	if (LLVMFuzzerInitialize != NULL)
		LLVMFuzzerInitialize(&argc, &argv);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	if (argc > 1)
		return 0;
	seeds = run_directory("corpus", name);
	findings = run_directory("findings", name);
	printf("%s 1 - %s: %zu seeds, %zu findings, %zu inputs\n",
	    seeds > 0 ? "ok" : "not ok", name, seeds, findings, inputs);
	printf("1..1\n");
	return seeds > 0 ? 0 : 1;
}
