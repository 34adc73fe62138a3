#ifndef BMX_MXCHECK_REPORT_JSON_H
#define BMX_MXCHECK_REPORT_JSON_H

#include "report.h"

/*
 * One object per line, keys always all there and in the same order; schema
 * changes when a key changes its meaning or goes away. bmx-mxcheck(1) lists
 * them.
 */
#define REPORT_JSON_SCHEMA 1

void report_json_domain(struct buf *out, const struct report_name *name,
    const struct facts *f, const struct judgement *j,
    const struct sender_view *view, int64_t now_us);
void report_json_bad_name(struct buf *out, const struct report_name *name,
    const char *reason, int64_t now_us);

#endif
