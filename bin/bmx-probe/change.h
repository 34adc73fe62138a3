#ifndef BMX_PROBE_CHANGE_H
#define BMX_PROBE_CHANGE_H

#include <stdbool.h>

#include "bmx-probe/report.h"

/*
 * A command of the operator's for each verdict that changed. It is run as
 * COMMAND DOMAIN VERDICT WAS, without a shell, with the facts in BMX_DOMAIN,
 * BMX_VERDICT, BMX_WAS, BMX_SINCE, BMX_LAST_GOOD, BMX_RESULT, BMX_CODE,
 * BMX_REASON, BMX_ADDRESS and BMX_HOST. What it prints goes to stderr.
 */
struct change {
	const char *command; /* a path */
	unsigned timeout_s;  /* then it is killed, with its children */
};

/* Whether this row's verdict is another one than was told last: whoever turned
 * it, bmx-flush and bmx-receive among them. */
bool change_is_news(const struct report_row *row);

/* Run it and wait. A failure, which must not keep anybody from probing, is
 * logged; false then. */
bool change_tell(const struct change *c, const struct report_row *row);

#endif
