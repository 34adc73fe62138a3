#ifndef BMX_CLIENT_WIRE_H
#define BMX_CLIENT_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "smtp/client.h"

/*
 * Commands out and replies in, with their deadlines: what the files client*.c
 * share. Nobody else includes this.
 */

/* A monotonic deadline so many seconds from now, and one for a step that RFC
 * 5321 gives rfc_s; both within params.deadline_ms. */
int64_t wire_deadline_in(const struct client_params *params, unsigned s);
int64_t wire_deadline(const struct client *c, unsigned rfc_s);

/* ---- replies, into c->reply ---- */

/* One reply, as it comes: 421 is a reply like any other. of_hello: its lines
 * say what the server offers. */
int wire_read(struct client *c, bool of_hello, int64_t deadline_ms,
    struct err *e);

/*
 * The reply to what was flushed; step names that in errors. wanted is the
 * first digit that lets the session go on, besides 4 and 5, which refuse (RFC
 * 5321 4.2.1, 4.3.2). -1: anything else, and 421, which ends the session
 * whatever it answers (3.8).
 */
int wire_read_reply(struct client *c, const char *step, bool of_hello,
    int wanted, unsigned rfc_s, struct err *e);

/* The usual case: 2yz, 4yz or 5yz. */
int wire_expect(struct client *c, const char *step, unsigned rfc_s,
    struct err *e);

bool wire_is_refusal(const struct smtp_reply *r);

/* -1 with "STEP: 421 4.3.2 closing": temporary, unless the reply is 5yz. */
int wire_server_said(const struct client *c, const char *step, struct err *e);

int wire_not_open(struct err *e);

/* ---- commands ---- */

/* Queue one command line, without its CRLF. What came from a message is
 * checked once more: nothing may end the line early (ERR_DATA). */
int wire_say(struct client *c, const struct buf *line, struct err *e);

/* Send what is queued. */
int wire_flush(struct client *c, struct err *e);

/* Content follows, by DATA. */
void wire_begin_content(struct client *c);

/* Both, for fixed words; arg "" when there is none. */
int wire_command(struct client *c, const char *verb, const char *arg,
    struct err *e);

/*
 * Our words could not be sent. A server that closed most often said why: take
 * that reply if it is there, so that its 421 or 5yz is not lost. Always -1.
 */
int wire_write_failed(struct client *c, struct err *e);

#endif
