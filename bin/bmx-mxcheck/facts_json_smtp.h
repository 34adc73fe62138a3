#ifndef BMX_MXCHECK_FACTS_JSON_SMTP_H
#define BMX_MXCHECK_FACTS_JSON_SMTP_H

#include "bmx-mxcheck/facts_smtp.h"
#include "visitor.h"

/* What mail servers said, for facts_json.c. */

/* Item i of the array v. */
void facts_visit_session(struct visitor *v, size_t i, struct fact_session *s);

/* Below "policy". */
void facts_visit_policy(struct visitor *v, struct fact_policy *p);

/* So many bytes, or when reading none, which are zeros then. */
void facts_visit_bytes(struct visitor *v, const char *key, unsigned char *bytes,
    size_t size);

#endif
