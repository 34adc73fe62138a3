#ifndef BMX_HTTPS_MODULE_H
#define BMX_HTTPS_MODULE_H

#include "net/https.h"

/* What bmx-https.so gives to https.c. abi counts changes to this table and to
 * the structs that cross it (err, buf, https_request). */
#define HTTPS_MODULE_ABI 2u
#define HTTPS_MODULE_SYMBOL "bmx_https_module"

struct https_module {
	unsigned abi;
	/* resolve: libcurl's "HOST:PORT:ADDRESS,ADDRESS" */
	int (*get)(const struct https_request *r, const char *resolve,
	    struct buf *b, enum https_result *result, struct err *e);
};

extern const struct https_module bmx_https_module;

#endif
