#ifndef BMX_QUEUE_IMPORT_H
#define BMX_QUEUE_IMPORT_H

#include <sys/types.h>

#include "bmx-queue/output.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * Messages from files ("-": standard input) into the spool, as durable as what
 * bmx-receive takes. A file that begins with an envelope of ours (export
 * --format wire) keeps ID, sender and those recipients that wait; one whose ID
 * is there already is left alone. Any other is a message (RFC 5322), with
 * sender and recipients from the command line, and gets a new ID and a
 * Received field. Line ends become CRLF.
 *
 * Each copy prints a line: ID, domain, "imported" or "unchanged". Every
 * recipient has to be of a domain of bmx.conf, or nothing of the file is
 * taken. Trouble with one file is told to o.
 */
struct import_order {
	const char *const *files; /* NULL-terminated */
	const char *from;         /* NULL: not given */
	const char *const *to;    /* NULL-terminated; NULL: not given */
	const char *reason;
	uid_t uid;
	const struct config *conf;
};

int import_files(const struct import_order *order, const struct spool *sp,
    struct output *o, struct err *e);

#endif
