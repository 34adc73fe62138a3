#ifndef BMX_CLIENT_COMMANDS_H
#define BMX_CLIENT_COMMANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/addr.h"
#include "mail/smtp.h"
#include "smtp/client.h"

/*
 * The one way to write MAIL and RCPT, for client_transaction.c (all at once)
 * and client_steps.c (one after the other). Nobody else includes this.
 */

bool commands_offered(const struct client *c, enum smtp_ext ext);

/* What the message needs and the server lacks, as our reply; NULL: nothing.
 * is_utf8: one of its addresses, or the message, needs SMTPUTF8. */
const struct smtp_reply *commands_lacking(const struct client *c,
    const struct smtp_mail *m, bool is_utf8);

/* Append the command with the parameters that are offered. size 0: not known.
 * orcpt may be NULL or "". */
void commands_mail(struct buf *line, const struct client *c,
    const struct smtp_mail *m, uint64_t size, bool is_utf8);
void commands_rcpt(struct buf *line, const struct client *c,
    const struct addr *to, unsigned notify, const char *orcpt);

/* RFC 5321 4.5.3.1.10: "too many recipients" once was 552; it is 452. */
void commands_settle_rcpt(struct smtp_reply *r);

#endif
