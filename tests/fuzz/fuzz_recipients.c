/*
 * lib/spool/recipients: the first line is an address, and perhaps a blank and
 * the delimiter; the rest is the list. Any list is searched or refused, and the
 * lines that may stand behind "#sorted" say the same there as in front of it.
 *
 * libFuzzer: -max_len=8192
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "scratch.h"
#include "spool/recipients.h"

#define DOMAIN "example.com"
#define LINES_MAX 512
#define LIST_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct lines {
	char *line[LINES_MAX];
	size_t n;
};

static int
find(const struct addr *rcpt, char delimiter, const char *list, size_t len)
{
	struct err e = ERR_INIT;
	int rc = recipients_find(scratch_memory(list, len), rcpt, DOMAIN,
	    delimiter, &e);

	assert(rc == 1 || rc == 0 || (rc == -1 && e.class == ERR_TEMP));
	assert(rc != -1 || len == 0 || strstr(e.text, "longer") != NULL);
	return rc;
}

/* What the manual allows behind the marker, and is no mark of UTF-8 in front of
 * the first line. */
static bool
is_plain(const char *line)
{
	const char *at = strrchr(line, '@');

	for (const char *p = line; *p != '\0'; p++)
		if ((*p >= 'A' && *p <= 'Z') || strchr(" \t\r", *p) != NULL)
			return false;
	return *line != '\0' && *line != '#' && at != line &&
	       strncmp(line, "\xef\xbb\xbf", 3) != 0 &&
	       line[strlen(line) - 1] != '*' &&
	       (at == NULL || (at[-1] != '*' && strcmp(at + 1, DOMAIN) == 0)) &&
	       strlen(line) <= RECIPIENTS_LINE_MAX;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
try_both_ways(const struct addr *rcpt, char delimiter, char *list)
{
	static const char marker[] = "#sorted\n";
	struct buf b = BUF_INIT(LIST_MAX);
	struct lines all = { .n = 0 };
	char *save = NULL;
	size_t skip = strlen(marker);

	for (char *line = strtok_r(list, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (all.n < LINES_MAX && is_plain(line))
			all.line[all.n++] = line;
	qsort(all.line, all.n, sizeof *all.line, compare);
	buf_puts(&b, marker);
	for (size_t i = 0; i < all.n; i++)
		buf_addf(&b, "%s\n", all.line[i]);
	if (all.n > 0 && !b.failed)
		assert(find(rcpt, delimiter, b.data, b.len) ==
		       find(rcpt, delimiter, b.data + skip, b.len - skip));
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data, *lf = memchr(s, '\n', size);
	size_t len = lf == NULL ? size : (size_t)(lf - s);
	char delimiter = '\0', *list;
	struct addr rcpt;
	struct err e = ERR_INIT;

	if (lf == NULL)
		return 0;
	if (len > 2 && s[len - 2] == ' ') {
		delimiter = s[len - 1];
		len -= 2;
	}
	if (addr_parse(s, len, &rcpt, &e) == -1)
		return 0;
	size -= (size_t)(lf + 1 - s);
	list = malloc(size + 1);
	assert(list != NULL);
	memcpy(list, lf + 1, size);
	list[size] = '\0';
	find(&rcpt, delimiter, list, size);
	try_both_ways(&rcpt, delimiter, list);
	free(list);
	return 0;
}
