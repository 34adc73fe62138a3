#include "net/https.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/https_module.h"

/* Beside bmx-tls.so, as tls.c finds that. */
static void
module_path(char path[PATH_MAX])
{
	const char *tls = secure_getenv("BMX_TLS_MODULE");
	const char *slash = tls != NULL ? strrchr(tls, '/') : NULL;

	if (tls == NULL)
		snprintf(path, PATH_MAX, "%s", PKGLIBDIR "/bmx-https.so");
	else
		snprintf(path, PATH_MAX, "%.*sbmx-https.so",
		    slash == NULL ? 0 : (int)(slash + 1 - tls), tls);
}

static void
format_resolve(const struct https_request *r, struct buf *b)
{
	char host[ENDPOINT_TEXT_MAX];

	buf_addf(b, "%s:%u:", r->host, r->port);
	for (size_t i = 0; i < r->nto; i++)
		buf_addf(b, "%s%s", i > 0 ? "," : "",
		    endpoint_host(&r->to[i], host));
}

static int
get(const struct https_module *module, const struct https_request *r,
    struct buf *b, enum https_result *result, struct err *e)
{
	struct buf resolve = BUF_INIT(2048);
	int rc;

	format_resolve(r, &resolve);
	rc = buf_check(&resolve, e);
	if (rc == 0)
		rc = module->get(r, resolve.data, b, result, e);
	buf_free(&resolve);
	return rc;
}

int
https_get(const struct https_request *r, struct buf *b,
    enum https_result *result, struct err *e)
{
	const struct https_module *module;
	char path[PATH_MAX];
	void *library;
	int rc;

	module_path(path);
	/* NODELETE: libcurl and GnuTLS keep state of their own */
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (library == NULL)
		return err_config(e, "HTTPS module: %s", dlerror());
	module = dlsym(library, HTTPS_MODULE_SYMBOL);
	if (module == NULL || module->abi != HTTPS_MODULE_ABI)
		rc = err_config(e, "%s is not this bmx's HTTPS module", path);
	else
		rc = get(module, r, b, result, e);
	dlclose(library);
	return rc;
}
