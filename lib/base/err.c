#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void
set(struct err *e, enum err_class class, const char *fmt, va_list ap)
{
	e->class = class;
	e->sys = 0;
	vsnprintf(e->text, sizeof e->text, fmt, ap);
}

#define SETTER(name, class)                                                    \
	int name(struct err *e, const char *fmt, ...)                          \
	{                                                                      \
		va_list ap;                                                    \
		va_start(ap, fmt);                                             \
		set(e, class, fmt, ap);                                        \
		va_end(ap);                                                    \
		return -1;                                                     \
	}

SETTER(err_temp, ERR_TEMP)
SETTER(err_perm, ERR_PERM)
SETTER(err_data, ERR_DATA)
SETTER(err_config, ERR_CONFIG)
SETTER(err_usage, ERR_USAGE)

int
err_sys(struct err *e, const char *fmt, ...)
{
	int saved = errno;
	size_t used;
	va_list ap;

	va_start(ap, fmt);
	set(e, ERR_TEMP, fmt, ap);
	va_end(ap);
	e->sys = saved;
	used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, ": %s",
	    strerror(saved));
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char tail[sizeof e->text];
	size_t used;
	va_list ap;

	memcpy(tail, e->text, sizeof tail);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, ": %s", tail);
	return -1;
}

int
err_exit_code(const struct err *e)
{
	switch (e->class) {
	case ERR_NONE:
		return EX_OK;
	case ERR_TEMP:
		return EX_TEMPFAIL;
	case ERR_PERM:
		return EX_UNAVAILABLE;
	case ERR_DATA:
		return EX_DATAERR;
	case ERR_CONFIG:
		return EX_CONFIG;
	case ERR_USAGE:
		return EX_USAGE;
	}
	return EX_SOFTWARE;
}
