#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 4096

/* Where lines go; fd -1: syslog. */
static struct {
	char ident[32];
	int fd;
	bool is_echoed;
} destination = { "bmx", -1, false };

int
log_open(const char *ident, const char *where, struct err *e)
{
	int fd;

	snprintf(destination.ident, sizeof destination.ident, "%s", ident);
	if (strcmp(where, "syslog") == 0) {
		openlog(destination.ident, LOG_PID, LOG_MAIL);
		fd = -1;
	} else if (strcmp(where, "stderr") == 0) {
		fd = STDERR_FILENO;
	} else if (where[0] == '/') {
		/* a FIFO without a reader holds nobody up, nor does a full one */
		fd = open(where,
		    O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC |
			O_NOFOLLOW | O_NOCTTY,
		    0600);
		if (fd == -1)
			return err_config(e, "log file %s: %s", where,
			    strerror(errno));
	} else {
		return err_config(e,
		    "log: \"%s\" is not syslog, stderr or an absolute path",
		    where);
	}
	if (destination.fd > STDERR_FILENO)
		close(destination.fd);
	destination.fd = fd;
	return 0;
}

void
log_echo(bool on)
{
	destination.is_echoed = on;
}

/* The last guard: whatever happened before, a line stays one line. */
static void
replace_controls(char *line)
{
	for (unsigned char *p = (unsigned char *)line; *p != '\0'; p++)
		if (*p < 0x20 || *p == 0x7f)
			*p = '?';
}

/* One write, so that lines of several processes do not mix. A log that cannot
 * be written is nobody's to tell. */
static void
write_line(int fd, const char *prefix, const char *text)
{
	char line[LINE_MAX_BYTES + 128];
	int len;

	len = snprintf(line, sizeof line, "%s%s\n", prefix, text);
	if (len >= (int)sizeof line) {
		len = (int)sizeof line;
		line[len - 1] = '\n';
	}
	if (write(fd, line, (size_t)len) == -1)
		return;
}

static void
vlog(int priority, const char *lead, const char *fmt, va_list ap)
{
	char text[LINE_MAX_BYTES], prefix[96], now[CLOCK_RFC3339_MAX];
	int saved = errno, used;

	used = snprintf(text, sizeof text, "%s", lead);
	vsnprintf(text + used, sizeof text - (size_t)used, fmt, ap);
	replace_controls(text);
	if (destination.fd == -1) {
		syslog(priority, "%s", text);
	} else {
		snprintf(prefix, sizeof prefix,
		    "%s %s[%ld]: ", clock_rfc3339(now, clock_wall_us()),
		    destination.ident, (long)getpid());
		write_line(destination.fd, prefix, text);
	}
	if (destination.is_echoed && destination.fd != STDERR_FILENO) {
		snprintf(prefix, sizeof prefix, "%s: ", destination.ident);
		write_line(STDERR_FILENO, prefix, text);
	}
	errno = saved;
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_INFO, "", fmt, ap);
	va_end(ap);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_WARNING, "", fmt, ap);
	va_end(ap);
}

void
log_alarm(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vlog(LOG_CRIT, "alarm=yes ", fmt, ap);
	va_end(ap);
}
