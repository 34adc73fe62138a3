#include "spool/paused.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

static const char name[] = "paused";

#define FILE_MAX 4096

static int
parse_time(const char *value, size_t len, int64_t *seconds)
{
	int64_t us;

	if (clock_parse_rfc3339(value, len, &us) == -1)
		return -1;
	*seconds = us / 1000000;
	return 0;
}

/* One line "key value"; a key that is not known is passed over. */
static int
parse_line(struct paused *p, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);
	const char *value = blank == NULL ? line + len : blank + 1;
	size_t key_len = blank == NULL ? len : (size_t)(blank - line);
	size_t value_len = len - (size_t)(value - line);
	unsigned long long uid;

	if (key_len == 5 && memcmp(line, "since", 5) == 0)
		return parse_time(value, value_len, &p->since_s);
	if (key_len == 5 && memcmp(line, "until", 5) == 0)
		return parse_time(value, value_len, &p->until_s);
	if (key_len == 3 && memcmp(line, "uid", 3) == 0) {
		if (text_number(value, value_len, UINT32_MAX, &uid) == -1)
			return -1;
		p->uid = (uid_t)uid;
	}
	if (key_len == 6 && memcmp(line, "reason", 6) == 0)
		snprintf(p->reason, sizeof p->reason, "%.*s", (int)value_len,
		    value);
	return 0;
}

/* It is printable already, where it came from us: nothing changes then, or a
 * reason that is read and written would grow. */
static void
clean(char *reason)
{
	for (char *c = reason; *c != '\0'; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

static int
parse(struct paused *p, const struct buf *b, struct err *e)
{
	const char *at = b->data, *end = b->data + b->len;

	memset(p, 0, sizeof *p);
	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		if (lf == NULL || parse_line(p, at, (size_t)(lf - at)) == -1)
			return err_data(e, "paused: damaged");
		at = lf + 1;
	}
	clean(p->reason);
	return p->since_s == 0 ? err_data(e, "paused: damaged") : 0;
}

int
paused_read(int domain_fd, int64_t now_s, struct paused *p, struct err *e)
{
	struct buf b = BUF_INIT(FILE_MAX);
	int rc = file_read(domain_fd, name, &b, e);

	if (rc == 1)
		rc = parse(p, &b, e) == -1 ? -1 : 1;
	buf_free(&b);
	if (rc == 1 && p->until_s != 0 && p->until_s <= now_s)
		return 0;
	return rc;
}

int
paused_write(int domain_fd, const struct paused *p, struct err *e)
{
	char since[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX];
	char reason[PAUSED_REASON_MAX];
	struct buf b = BUF_INIT(FILE_MAX);
	int rc;

	buf_addf(&b, "since %s\n", clock_rfc3339(since, p->since_s * 1000000));
	if (p->until_s != 0)
		buf_addf(&b, "until %s\n",
		    clock_rfc3339(until, p->until_s * 1000000));
	buf_addf(&b, "uid %lu\n", (unsigned long)p->uid);
	snprintf(reason, sizeof reason, "%s", p->reason);
	clean(reason);
	if (reason[0] != '\0')
		buf_addf(&b, "reason %s\n", reason);
	rc = buf_check(&b, e);
	if (rc == 0)
		rc = file_replace(domain_fd, name, b.data, b.len, 0600, e);
	buf_free(&b);
	return rc;
}

int
paused_clear(int domain_fd, struct err *e)
{
	if (unlinkat(domain_fd, name, 0) == -1)
		return errno == ENOENT ? 0 : err_sys(e, "remove %s", name);
	if (fsync(domain_fd) == -1)
		return err_sys(e, "fsync the domain's directory");
	return 1;
}
