#ifndef BMX_LOG_H
#define BMX_LOG_H

#include <stdbool.h>

#include "base/err.h"

/*
 * One event, one line, "key=value" pairs, the message's id= first. The only
 * file-scope state in bmx is where the lines go.
 *
 * Values that a peer chose must have gone through text_printable(); as a last
 * guard every control byte of a finished line is replaced by '?', so that one
 * event can never become two lines.
 */

/*
 * Where lines go: "syslog" (facility mail), "stderr", or the absolute path of
 * a file, to which each line is appended with one write(2) and a time and
 * "ident[pid]:" in front. Before the first call lines go to syslog.
 * -1: the file cannot be opened (ERR_CONFIG); the destination is unchanged.
 */
int log_open(const char *ident, const char *destination, struct err *e);

/* For programs run by hand: repeat each line, without time and pid, on
 * stderr. Has no effect while the destination is stderr. */
void log_echo(bool on);

void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Something an operator has to mend: mail is not lost but will not move, or
 * a safety net is gone. Logged with priority crit and "alarm=yes" in front. */
void log_alarm(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
