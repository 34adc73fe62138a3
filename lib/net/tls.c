#include "net/tls.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "net/dane_module.h"
#include "net/tls_module.h"

struct tls {
	void *library;
	const struct tls_module *module;
	void *context; /* the module's */
};

struct tls_session {
	const struct tls_module *module;
	void *session; /* the module's */
};

/* Where the modules are: beside each other. */
static const char *
module_path(void)
{
	const char *path = secure_getenv("BMX_TLS_MODULE");

	return path != NULL ? path : PKGLIBDIR "/bmx-tls.so";
}

/*
 * Open the module. NODELETE: GnuTLS runs constructors and keeps state of its
 * own, so once in, it stays; closing gives back the handle alone.
 */
static int
load(struct tls *t, struct err *e)
{
	const char *path = module_path();
	const struct tls_module *module;

	t->library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (t->library == NULL)
		return err_config(e, "TLS module: %s", dlerror());
	module = dlsym(t->library, TLS_MODULE_SYMBOL);
	if (module == NULL)
		return err_config(e, "%s is not bmx's TLS module", path);
	if (module->abi != TLS_MODULE_ABI)
		return err_config(e,
		    "%s is of another version of bmx: %u, not %u", path,
		    module->abi, TLS_MODULE_ABI);
	t->module = module;
	return 0;
}

/* A context without credentials yet; NULL: no module. */
static struct tls *
new_context(struct err *e)
{
	struct tls *t = calloc(1, sizeof *t);

	if (t == NULL) {
		err_sys(e, "TLS");
		return NULL;
	}
	if (load(t, e) == -1) {
		tls_free(t);
		return NULL;
	}
	return t;
}

struct tls *
tls_server(const char *certificate, const char *key, struct err *e)
{
	struct tls *t = new_context(e);

	if (t == NULL)
		return NULL;
	t->context = t->module->server(certificate, key, e);
	if (t->context == NULL) {
		tls_free(t);
		return NULL;
	}
	return t;
}

int
tls_add_pair(struct tls *t, const char *certificate, const char *key,
    struct err *e)
{
	return t->module->add_pair(t->context, certificate, key, e);
}

int
tls_set_ticket_key(struct tls *t, const unsigned char key[TLS_TICKET_KEY_LEN],
    struct err *e)
{
	return t->module->set_ticket_key(t->context, key, e);
}

int
tls_ask_client(struct tls *t, const char *ca_file, struct err *e)
{
	return t->module->ask_client(t->context, ca_file, e);
}

struct tls *
tls_client(struct err *e)
{
	struct tls *t = new_context(e);

	if (t == NULL)
		return NULL;
	t->context = t->module->client(e);
	if (t->context == NULL) {
		tls_free(t);
		return NULL;
	}
	return t;
}

int
tls_want_key(struct tls *t, enum tls_key key, struct err *e)
{
	return t->module->want_key(t->context, key, e);
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	if (t->context != NULL)
		t->module->free(t->context);
	if (t->library != NULL)
		dlclose(t->library);
	free(t);
}

struct tls_session *
tls_start(struct tls *t, int read_fd, int write_fd, const char *name,
    struct err *e)
{
	struct tls_session *s = calloc(1, sizeof *s);

	if (s == NULL) {
		err_sys(e, "TLS");
		return NULL;
	}
	s->module = t->module;
	s->session = t->module->start(t->context, read_fd, write_fd, name, e);
	if (s->session == NULL) {
		free(s);
		return NULL;
	}
	return s;
}

int
tls_handshake(struct tls_session *s, struct tls_want *want, struct err *e)
{
	return s->module->handshake(s->session, want, e);
}

ssize_t
tls_read(struct tls_session *s, char *data, size_t len, struct tls_want *want,
    struct err *e)
{
	return s->module->read(s->session, data, len, want, e);
}

ssize_t
tls_write(struct tls_session *s, const char *data, size_t len,
    struct tls_want *want, struct err *e)
{
	return s->module->write(s->session, data, len, want, e);
}

void
tls_bye(struct tls_session *s)
{
	s->module->bye(s->session);
}

void
tls_end(struct tls_session *s)
{
	if (s == NULL)
		return;
	s->module->end(s->session);
	free(s);
}

/* GnuTLS's DANE library, for this once; it stays, as above. */
static int
judge_by_dane(const struct tls_demand *demand, struct tls_peer *peer,
    struct err *e)
{
	const char *path = module_path(), *slash = strrchr(path, '/');
	const struct dane_module *module = NULL;
	char beside[PATH_MAX];
	void *library;
	int rc;

	snprintf(beside, sizeof beside, "%.*sbmx-dane.so",
	    slash == NULL ? 0 : (int)(slash + 1 - path), path);
	library = dlopen(beside, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
	if (library == NULL)
		return err_config(e, "DANE module: %s", dlerror());
	module = dlsym(library, DANE_MODULE_SYMBOL);
	if (module == NULL || module->abi != DANE_MODULE_ABI)
		rc = err_config(e, "%s is not this bmx's DANE module", beside);
	else
		rc = module->judge(demand, peer, e);
	dlclose(library);
	return rc;
}

/* A certificate's words are a peer's. */
static void
clean(char *text, size_t size)
{
	char raw[4 * TLS_TEXT_MAX];

	snprintf(raw, sizeof raw, "%s", text);
	text_safe(text, size, raw);
}

int
tls_judge(struct tls_session *s, const struct tls_demand *demand,
    struct tls_peer *peer, struct err *e)
{
	int rc = s->module->judge(s->session, demand, peer, e);

	if (rc == 0 && demand != NULL && demand->proof == TLS_DANE &&
	    peer->has_certificate)
		rc = judge_by_dane(demand, peer, e);
	clean(peer->why, sizeof peer->why);
	clean(peer->subject, sizeof peer->subject);
	clean(peer->issuer, sizeof peer->issuer);
	clean(peer->names, sizeof peer->names);
	return rc;
}

const char *
tls_result_name(enum tls_result result)
{
	static const char *const names[] = {
		[TLS_OK] = "ok",
		[TLS_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
		[TLS_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
		[TLS_CERTIFICATE_EXPIRED] = "certificate-expired",
		[TLS_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
		[TLS_VALIDATION_FAILURE] = "validation-failure",
		[TLS_TLSA_INVALID] = "tlsa-invalid",
		[TLS_DNSSEC_INVALID] = "dnssec-invalid",
		[TLS_DANE_REQUIRED] = "dane-required",
		[TLS_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
		[TLS_STS_POLICY_INVALID] = "sts-policy-invalid",
		[TLS_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	};

	return names[result];
}

void
tls_describe(const struct tls_session *s, char *out, size_t size)
{
	s->module->describe(s->session, out, size);
}
