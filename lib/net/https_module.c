#include "net/https_module.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#define HEAD_MAX 65536 /* bytes; libcurl keeps all of it */

/* What came so far. */
struct transfer {
	struct buf *body;
	size_t head;
};

/* libcurl gives head and body in pieces; too much of either ends it all. */
static size_t
take_head(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	(void)data;
	t->head += size * n;
	return t->head > HEAD_MAX ? 0 : size * n;
}

static size_t
take_body(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	buf_add(t->body, data, size * n);
	return t->body->failed ? 0 : size * n;
}

static bool
set_options(CURL *c, const struct https_request *r, const char *url,
    struct curl_slist *resolve, struct transfer *t, char *why)
{
	CURLcode bad = CURLE_OK;

	bad |= curl_easy_setopt(c, CURLOPT_URL, url);
	bad |= curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	bad |= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	bad |= curl_easy_setopt(c, CURLOPT_PROXY, "");
	bad |= curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	bad |= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_RESOLVE, resolve);
	bad |= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	bad |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
	bad |= curl_easy_setopt(c, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2);
	bad |= curl_easy_setopt(c, CURLOPT_HTTP_VERSION,
	    (long)CURL_HTTP_VERSION_1_1);
	bad |= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_head);
	bad |= curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	bad |= curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	bad |= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, why);
	if (r->ca_file != NULL) {
		bad |= curl_easy_setopt(c, CURLOPT_CAINFO, r->ca_file);
		bad |= curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	}
	return bad == CURLE_OK;
}

/* "text/plain; charset=utf-8" is text/plain. */
static bool
is_type(const char *said, const char *type)
{
	size_t len = strlen(type);

	return said != NULL && strncasecmp(said, type, len) == 0 &&
	       (said[len] == '\0' || strchr("; \t", said[len]) != NULL);
}

/* It is there, complete; is it what was asked for? */
static enum https_result
judge(CURL *c, const struct https_request *r, struct err *e)
{
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(c, CURLINFO_CONTENT_TYPE, &type);
	if (status != 200)
		err_temp(e, "HTTP status %ld%s", status,
		    status / 100 == 3 ? ", and redirects do not count" : "");
	else if (!is_type(type, r->type))
		err_temp(e, "Content-Type \"%.64s\", not %s",
		    type != NULL ? type : "", r->type);
	else
		return HTTPS_OK;
	return HTTPS_NOT_FETCHED;
}

static enum https_result
result_of(CURLcode code)
{
	switch (code) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CACERT_BADFILE: /* without roots none is good */
		return HTTPS_BAD_CERTIFICATE;
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return HTTPS_NO_ANSWER;
	default:
		return HTTPS_NOT_FETCHED;
	}
}

static int
perform(CURL *c, const struct https_request *r, const struct transfer *t,
    const char *why, enum https_result *result, struct err *e)
{
	CURLcode code = curl_easy_perform(c);

	*result = result_of(code);
	if (code == CURLE_OK) {
		*result = judge(c, r, e);
		return 0;
	}
	if (code == CURLE_SSL_CACERT_BADFILE && r->ca_file != NULL)
		return err_config(e, "%s: %s", r->ca_file, why);
	if (code == CURLE_OUT_OF_MEMORY)
		return err_temp(e, "HTTPS: out of memory");
	if (t->body->failed)
		err_temp(e, "more than %zu bytes", t->body->max);
	else if (t->head > HEAD_MAX)
		err_temp(e, "a head of more than %d bytes", HEAD_MAX);
	else
		err_temp(e, "%s",
		    why[0] != '\0' ? why : curl_easy_strerror(code));
	return 0;
}

static int
get(const struct https_request *r, const char *resolve, struct buf *b,
    enum https_result *result, struct err *e)
{
	struct curl_slist *list = curl_slist_append(NULL, resolve);
	CURL *c = curl_easy_init();
	struct transfer t = { .body = b };
	char why[CURL_ERROR_SIZE] = "", url[1024];
	int rc = -1;

	if ((size_t)snprintf(url, sizeof url, "https://%s:%u%s", r->host,
		r->port, r->path) >= sizeof url)
		err_temp(e, "too long to be fetched");
	else if (list == NULL || c == NULL ||
		 !set_options(c, r, url, list, &t, why))
		err_temp(e, "libcurl: not set up");
	else
		rc = perform(c, r, &t, why, result, e);
	curl_easy_cleanup(c);
	curl_slist_free_all(list);
	return rc;
}

__attribute__((visibility("default")))
const struct https_module bmx_https_module = {
	.abi = HTTPS_MODULE_ABI,
	.get = get,
};
