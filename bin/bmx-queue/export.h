#ifndef BMX_QUEUE_EXPORT_H
#define BMX_QUEUE_EXPORT_H

#include "bmx-queue/output.h"
#include "bmx-queue/select.h"

/*
 * Copies of the selected messages, for mail readers or for another spool.
 *
 *	mbox     one file: each message with Return-Path and X-Envelope-To in
 *	         front, lines ending in LF, "From " quoted (mboxrd)
 *	maildir  the same, a file each, in a new Maildir
 *	wire     a directory with the files of the spool as they are, envelope
 *	         and all: DOMAIN,NAME
 *	tar      the same as an archive of DOMAIN/new/NAME or DOMAIN/cur/NAME
 *
 * What is written appears under its name when it is whole and on disk, or not
 * at all; a name that is taken is refused. mbox and tar go to standard output
 * without a name, and then nothing is promised.
 */
enum export_form { EXPORT_MBOX, EXPORT_MAILDIR, EXPORT_WIRE, EXPORT_TAR };

/* -1: ERR_USAGE. */
int export_parse_form(const char *word, enum export_form *form, struct err *e);

/* path NULL: standard output. With a path each message that was copied is a
 * line (ID, domain, "exported"). -1: nothing is there. */
int export_messages(enum export_form form, const char *path,
    const struct select *s, const struct spool *sp, struct output *o,
    struct err *e);

#endif
