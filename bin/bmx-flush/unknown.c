#include "bmx-flush/unknown.h"

#include <string.h>

#include "base/buf.h"
#include "base/text.h"

#define LOG_BYTES_MAX (512 * 1024) /* more than spool_log_read() gives */
#define TIMES_MAX 1000000

static const char key[] = "unknown=";
#define KEY_LEN (sizeof key - 1)

/* "TIME unknown=N": what others said stands behind other words. */
static void
take_line(unsigned *times, const char *line, size_t len)
{
	const char *blank = memchr(line, ' ', len);
	unsigned long long n;
	size_t rest;

	if (blank == NULL)
		return;
	rest = len - (size_t)(blank + 1 - line);
	if (rest > KEY_LEN && memcmp(blank + 1, key, KEY_LEN) == 0 &&
	    text_number(blank + 1 + KEY_LEN, rest - KEY_LEN, TIMES_MAX, &n) ==
		0)
		*times = (unsigned)n;
}

unsigned
unknown_times(const char *log, size_t len)
{
	unsigned times = 0;

	while (len > 0) {
		const char *lf = memchr(log, '\n', len);

		if (lf == NULL)
			break; /* torn */
		take_line(&times, log, (size_t)(lf - log));
		len -= (size_t)(lf + 1 - log);
		log = lf + 1;
	}
	return times;
}

unsigned
unknown_before(const struct spool_domain *d, const char *id)
{
	struct buf b = BUF_INIT(LOG_BYTES_MAX);
	struct err ignored = ERR_INIT;
	unsigned times = 0;

	if (spool_log_read(d, id, &b, &ignored) == 1)
		times = unknown_times(b.data, b.len);
	buf_free(&b);
	return times;
}

bool
unknown_is_enough(unsigned times)
{
	return times > 0 && times % UNKNOWN_MAX == 0;
}
