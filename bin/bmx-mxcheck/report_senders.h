#ifndef BMX_MXCHECK_REPORT_SENDERS_H
#define BMX_MXCHECK_REPORT_SENDERS_H

#include <jansson.h>

#include "base/buf.h"
#include "senders.h"

/* What senders do, for people and for programs. */
void report_senders(struct buf *out, const struct sender_view *v);

/* An object, or null for NULL. */
json_t *report_json_senders(const struct sender_view *v);

#endif
