/*
 * bmx-queue import: any file becomes a message of the spool, or is refused with
 * a reason and leaves nothing. What is in the spool has an envelope that can be
 * read, and the bytes of the file in wire form, no more.
 *
 * libFuzzer: -max_len=8192
 */

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "bmx-queue/import.h"
#include "scratch.h"

#define TEXT_MAX (1 << 20)

static const char config_text[] = "[bmx]\nhostname = mx2.example.net\n"
				  "[example.com]\n[example.org]\n";

static struct config config = CONFIG_INIT;
static struct spool spool = SPOOL_INIT;
static FILE *nowhere;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char path[256];
	struct err e = ERR_INIT;

	(void)argc;
	(void)argv;
	snprintf(path, sizeof path, "%s/spool", scratch_path());
	assert(mkdir(path, 0700) == 0 && spool_open(&spool, path, &e) == 0);
	assert(config_load(&config,
		   scratch_memory(config_text, sizeof config_text - 1),
		   &e) == 0);
	assert(log_open("fuzz", "/dev/null", &e) == 0);
	nowhere = fopen("/dev/null", "w");
	assert(nowhere != NULL);
	return 0;
}

/* Lines that end in LF or CRLF, as they go over the wire. False: there is a CR
 * that ends none, or nothing at all. */
static bool
to_wire(struct buf *wire, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n')
			buf_puts(wire, "\r");
		else if (data[i] == '\r' && i + 1 < size && data[i + 1] == '\n')
			continue;
		else if (data[i] == '\r')
			return false;
		buf_add(wire, &data[i], 1);
	}
	if (size > 0 && data[size - 1] != '\n')
		buf_puts(wire, "\r\n");
	return size > 0;
}

static int
import(const uint8_t *data, size_t size)
{
	static const char *const to[] = { "c@example.com", "d@example.org",
		"e@example.com", NULL };
	char path[256];
	const char *const files[] = { path, NULL };
	struct import_order order = { .files = files,
		.from = "a@b.example",
		.to = to,
		.reason = "fuzz",
		.conf = &config };
	struct output o = { .data = nowhere, .talk = nowhere };
	struct err e = ERR_INIT;

	scratch_put("in", data, size);
	snprintf(path, sizeof path, "%s/in", scratch_path());
	assert(import_files(&order, &spool, &o, &e) == 0);
	return o.status;
}

/* The message is the one that came in; the Received field is ours. */
static void
assert_message(const struct buf *file, const char *domain,
    const struct buf *wire, bool is_ours)
{
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;
	long n = envelope_parse(&env, file->data, file->len, &e);
	const char *content = file->data + n, *end = file->data + file->len;

	assert(n > 0 && envelope_pending(&env) > 0);
	for (size_t i = 0; i < env.nrcpt; i++)
		if (rcpt_waits(env.rcpts[i].state) && !is_ours)
			assert(strcmp(addr_domain(&env.rcpts[i].addr),
				   domain) == 0);
	assert((size_t)(end - content) <= file->len);
	assert(strncmp(content, "Received:", 9) == 0 || is_ours);
	if (is_ours) {
		assert((size_t)(end - content) <= wire->len);
		assert(memcmp(content, wire->data + wire->len - (end - content),
			   (size_t)(end - content)) == 0);
	} else {
		assert((size_t)(end - content) > wire->len);
		assert(memcmp(end - wire->len, wire->data, wire->len) == 0);
	}
	envelope_reset(&env);
}

/* The number of messages; they are removed. */
static size_t
empty_domain(const char *domain, const struct buf *wire, bool is_ours)
{
	struct buf file = BUF_INIT(TEXT_MAX);
	const struct dirent *entry;
	struct err e = ERR_INIT;
	char path[300];
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof path, "%s/spool/%s/new", scratch_path(), domain);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		buf_reset(&file);
		assert(file_read(dirfd(d), entry->d_name, &file, &e) == 1);
		assert_message(&file, domain, wire, is_ours);
		assert(unlinkat(dirfd(d), entry->d_name, 0) == 0);
		n++;
	}
	if (d != NULL)
		closedir(d);
	buf_free(&file);
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char first[] = "Bmx-Envelope:";
	struct buf wire = BUF_INIT(TEXT_MAX);
	bool is_good = to_wire(&wire, data, size);
	bool is_ours = wire.len >= sizeof first &&
		       memcmp(wire.data, first, sizeof first - 1) == 0;
	int status = import(data, size);
	size_t n = empty_domain("example.com", &wire, is_ours) +
		   empty_domain("example.org", &wire, is_ours);

	assert(is_good || status != 0);
	assert((status == 0) == (n > 0));
	if (is_good && !is_ours)
		assert(status == 0 && n == 2);
	buf_free(&wire);
	return 0;
}
