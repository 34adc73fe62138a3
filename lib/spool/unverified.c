#include "spool/unverified.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/text.h"
#include "mail/smtp.h"
#include "spool/spool.h"

static const char file_name[] = "unverified";

#define XTEXT_MAX (3 * ADDR_MAX + 1)

/* One line of the file; text points into it. */
struct entry {
	char id[SPOOL_ID_LEN + 1];
	int64_t arrival_us;
	uint64_t bytes;
	const char *address; /* xtext */
	size_t address_len;
};

/* False: it is none of ours, or was cut by a crash. */
static bool
parse(struct entry *entry, const char *line, size_t len)
{
	const char *number = line + SPOOL_ID_LEN + 1, *blank;
	unsigned long long bytes;

	if (len < SPOOL_ID_LEN + 2 || line[SPOOL_ID_LEN] != ' ')
		return false;
	memcpy(entry->id, line, SPOOL_ID_LEN);
	entry->id[SPOOL_ID_LEN] = '\0';
	entry->arrival_us = spool_id_arrival_us(entry->id);
	len -= SPOOL_ID_LEN + 1;
	blank = memchr(number, ' ', len);
	if (entry->arrival_us == -1 || blank == NULL ||
	    text_number(number, (size_t)(blank - number), INT64_MAX, &bytes) ==
		-1)
		return false;
	entry->bytes = bytes;
	entry->address = blank + 1;
	entry->address_len = len - (size_t)(blank + 1 - number);
	return true;
}

static void
count(struct unverified_count *c, uint64_t bytes)
{
	c->messages++;
	c->bytes =
	    bytes > UINT64_MAX - c->bytes ? UINT64_MAX : c->bytes + bytes;
}

/* Letters in either case are one recipient here. */
static void
count_lines(const struct buf *text, int64_t since_us, const char *wanted,
    struct unverified_count *each, struct unverified_count *all)
{
	const char *line = text->data, *end = text->data + text->len, *lf;
	char last[SPOOL_ID_LEN + 1] = "";
	struct entry entry;

	for (; (lf = memchr(line, '\n', (size_t)(end - line))) != NULL;
	     line = lf + 1) {
		if (!parse(&entry, line, (size_t)(lf - line)) ||
		    entry.arrival_us <= since_us)
			continue;
		/* a message for many takes its bytes once */
		count(all, strcmp(entry.id, last) == 0 ? 0 : entry.bytes);
		memcpy(last, entry.id, sizeof last);
		if (entry.address_len == strlen(wanted) &&
		    strncasecmp(entry.address, wanted, entry.address_len) == 0)
			count(each, entry.bytes);
	}
}

/* Nothing was added since then: all of it is history. */
static bool
is_history(int domain_fd, int64_t since_us)
{
	struct stat st;

	return fstatat(domain_fd, file_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (int64_t)st.st_mtime < since_us / 1000000;
}

int
unverified_count(int domain_fd, int64_t since_us, const struct addr *rcpt,
    struct unverified_count *each, struct unverified_count *all, struct err *e)
{
	struct buf text = BUF_INIT(UNVERIFIED_FILE_MAX);
	char wanted[XTEXT_MAX];
	int rc;

	*each = *all = (struct unverified_count){ 0, 0 };
	if (is_history(domain_fd, since_us))
		return 0; /* however large it is */
	rc = file_read(domain_fd, file_name, &text, e);
	if (rc == 1) {
		smtp_xtext_encode(rcpt->text, rcpt->len, wanted);
		count_lines(&text, since_us, wanted, each, all);
	}
	buf_free(&text);
	return rc == -1 ? -1 : 0;
}

/* Lines are appended so many bytes at once, and of one line more: a message may
 * have a thousand of them. */
#define GROUP_MAX 4096
#define LINE_MAX_BYTES (SPOOL_ID_LEN + XTEXT_MAX + 32)

int
unverified_add(int domain_fd, int64_t since_us, const char *id, uint64_t bytes,
    const struct addr *const *rcpts, size_t nrcpts, struct err *e)
{
	struct buf lines = BUF_INIT(GROUP_MAX + LINE_MAX_BYTES);
	char address[XTEXT_MAX];
	int rc = 0;

	if (nrcpts == 0)
		return 0;
	if (is_history(domain_fd, since_us))
		unlinkat(domain_fd, file_name, 0);
	for (size_t i = 0; i < nrcpts && rc == 0; i++) {
		smtp_xtext_encode(rcpts[i]->text, rcpts[i]->len, address);
		buf_addf(&lines, "%s%s %" PRIu64 " %s",
		    lines.len > 0 ? "\n" : "", id, bytes, address);
		if (lines.len < GROUP_MAX && i + 1 < nrcpts)
			continue;
		rc = buf_check(&lines, e);
		if (rc == 0)
			rc = file_append_line(domain_fd, file_name, lines.data,
			    e);
		buf_reset(&lines);
	}
	buf_free(&lines);
	return rc;
}
