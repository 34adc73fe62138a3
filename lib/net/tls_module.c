#include "net/tls_module.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "net/nowait.h"
#include "net/tls_judge.h"

/* GnuTLS's own choice of ciphers and groups, from TLS 1.2 up (RFC 8996). */
#define PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* The same for certificates of one kind: what a server may sign with, and for
 * TLS 1.2 the key exchange too. */
#define ONLY_RSA                                                               \
	PRIORITIES                                                             \
	":-ECDHE-ECDSA:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256:"                   \
	"+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512:"                 \
	"+SIGN-RSA-SHA256:+SIGN-RSA-SHA384:+SIGN-RSA-SHA512"
#define ONLY_ECDSA                                                             \
	PRIORITIES                                                             \
	":-ECDHE-RSA:-DHE-RSA:-RSA:-SIGN-ALL:+SIGN-ECDSA-SECP256R1-SHA256:"    \
	"+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SECP521R1-SHA512:"           \
	"+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512"

#define WARNINGS_MAX 8 /* alerts of a peer that we shrug off in a handshake */

#define PAIRS_MAX 16

struct pair {
	gnutls_x509_crt_t *chain;
	unsigned n;
	gnutls_x509_privkey_t key;
};

struct context {
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priorities;
	gnutls_datum_t ticket_key;    /* empty: no tickets */
	unsigned side;                /* GNUTLS_SERVER or GNUTLS_CLIENT */
	struct pair pairs[PAIRS_MAX]; /* those of the credentials, once more */
	size_t npairs;
	struct roots roots;
	bool asks_client; /* a server: its clients' certificates are of roots */
};

struct session {
	gnutls_session_t tls;
	struct context *context;
	/* instead of the context's, for a name that a wildcard covers */
	gnutls_certificate_credentials_t own;
	int read_fd, write_fd;
	bool said_bye;
};

/* ---- a server's key pair ---- */

static int
load_file(gnutls_datum_t *data, const char *path, struct err *e)
{
	errno = 0;
	if (gnutls_load_file(path, data) < 0)
		return err_config(e, "%s: %s", path,
		    errno != 0 ? strerror(errno) : "cannot be read");
	return 0;
}

/* The chain with the server's own certificate first. */
static int
load_chain(gnutls_x509_crt_t **chain, unsigned *n, const char *path,
    struct err *e)
{
	gnutls_datum_t data = { NULL, 0 };
	int rc;

	if (load_file(&data, path, e) == -1)
		return -1;
	rc = gnutls_x509_crt_list_import2(chain, n, &data, GNUTLS_X509_FMT_PEM,
	    GNUTLS_X509_CRT_LIST_SORT);
	gnutls_free(data.data);
	if (rc < 0)
		return err_config(e, "%s: no PEM certificate: %s", path,
		    gnutls_strerror(rc));
	return 0;
}

static int
load_key(gnutls_x509_privkey_t key, const char *path, struct err *e)
{
	gnutls_datum_t data = { NULL, 0 };
	int rc;

	if (load_file(&data, path, e) == -1)
		return -1;
	rc = gnutls_x509_privkey_import2(key, &data, GNUTLS_X509_FMT_PEM, NULL,
	    0);
	gnutls_memset(data.data, 0, data.size);
	gnutls_free(data.data);
	if (rc < 0)
		return err_config(e, "%s: no PEM key: %s", path,
		    gnutls_strerror(rc));
	return 0;
}

static int
check_dates(gnutls_x509_crt_t certificate, const char *path, struct err *e)
{
	time_t from = gnutls_x509_crt_get_activation_time(certificate);
	time_t to = gnutls_x509_crt_get_expiration_time(certificate);
	time_t now = time(NULL);
	char day[32];
	struct tm tm;

	if (now >= from && now <= to)
		return 0;
	gmtime_r(now < from ? &from : &to, &tm);
	strftime(day, sizeof day, "%Y-%m-%d %H:%M UTC", &tm);
	return err_config(e, "%s: the certificate %s %s", path,
	    now < from ? "is not valid before" : "expired on", day);
}

static void
pair_free(struct pair *p)
{
	for (unsigned i = 0; i < p->n; i++)
		gnutls_x509_crt_deinit(p->chain[i]);
	gnutls_free(p->chain);
	gnutls_x509_privkey_deinit(p->key);
}

static int
use_pair(gnutls_certificate_credentials_t credentials, const struct pair *p)
{
	return gnutls_certificate_set_x509_key(credentials, p->chain, (int)p->n,
	    p->key);
}

static int
load_pair(struct context *c, const char *certificate, const char *key,
    struct err *e)
{
	struct pair p = { NULL, 0, NULL };
	int rc = -1, status;

	if (c->npairs == PAIRS_MAX)
		return err_config(e, "more than %d key pairs", PAIRS_MAX);
	if (gnutls_x509_privkey_init(&p.key) < 0) {
		err_temp(e, "TLS: out of memory");
		goto out;
	}
	if (load_chain(&p.chain, &p.n, certificate, e) == -1 ||
	    load_key(p.key, key, e) == -1 ||
	    check_dates(p.chain[0], certificate, e) == -1)
		goto out;
	status = use_pair(c->credentials, &p);
	if (status == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		err_config(e, "%s is not the key of %s", key, certificate);
	else if (status < 0)
		err_config(e, "%s: %s", certificate, gnutls_strerror(status));
	else
		rc = 0;
out:
	if (rc == 0)
		c->pairs[c->npairs++] = p;
	else
		pair_free(&p);
	return rc;
}

/* ---- contexts ---- */

static void
context_free(void *context)
{
	struct context *c = context;

	if (c == NULL)
		return;
	if (c->credentials != NULL)
		gnutls_certificate_free_credentials(c->credentials);
	if (c->ticket_key.data != NULL)
		gnutls_memset(c->ticket_key.data, 0, c->ticket_key.size);
	gnutls_free(c->ticket_key.data);
	roots_free(&c->roots);
	for (size_t i = 0; i < c->npairs; i++)
		pair_free(&c->pairs[i]);
	if (c->priorities != NULL)
		gnutls_priority_deinit(c->priorities);
	free(c);
}

static struct context *
context_new(unsigned side, struct err *e)
{
	struct context *c = calloc(1, sizeof *c);
	int rc = GNUTLS_E_MEMORY_ERROR;

	if (c != NULL) {
		c->side = side;
		rc = gnutls_certificate_allocate_credentials(&c->credentials);
	}
	if (rc >= 0)
		rc = gnutls_priority_init(&c->priorities, PRIORITIES, NULL);
	if (rc >= 0)
		return c;
	err_temp(e, "TLS: %s", gnutls_strerror(rc));
	context_free(c);
	return NULL;
}

static void *
context_server(const char *certificate, const char *key, struct err *e)
{
	struct context *c = context_new(GNUTLS_SERVER, e);

	if (c == NULL)
		return NULL;
	if (load_pair(c, certificate, key, e) == -1) {
		context_free(c);
		return NULL;
	}
	return c;
}

static int
context_add_pair(void *context, const char *certificate, const char *key,
    struct err *e)
{
	struct context *c = context;

	return load_pair(c, certificate, key, e);
}

static int
context_set_ticket_key(void *context, const unsigned char *key, struct err *e)
{
	struct context *c = context;

	if (c->ticket_key.data == NULL)
		c->ticket_key.data = gnutls_malloc(TLS_TICKET_KEY_LEN);
	if (c->ticket_key.data == NULL)
		return err_temp(e, "TLS: out of memory");
	c->ticket_key.size = TLS_TICKET_KEY_LEN;
	memcpy(c->ticket_key.data, key, TLS_TICKET_KEY_LEN);
	return 0;
}

/* The roots' names go to the client, so that it knows which certificate is
 * wanted (RFC 8446 4.2.4). */
static int
context_ask_client(void *context, const char *ca_file, struct err *e)
{
	struct context *c = context;

	if (roots_load(&c->roots, ca_file, e) == -1)
		return -1;
	if (gnutls_certificate_set_x509_trust_file(c->credentials, ca_file,
		GNUTLS_X509_FMT_PEM) < 0)
		return err_config(e, "%s: no roots", ca_file);
	c->asks_client = true;
	return 0;
}

static void *
context_client(struct err *e)
{
	return context_new(GNUTLS_CLIENT, e);
}

static int
context_want_key(void *context, enum tls_key key, struct err *e)
{
	struct context *c = context;
	gnutls_priority_t only;
	int rc = gnutls_priority_init(&only,
	    key == TLS_KEY_RSA ? ONLY_RSA : ONLY_ECDSA, NULL);

	if (rc < 0)
		return err_temp(e, "TLS: %s", gnutls_strerror(rc));
	gnutls_priority_deinit(c->priorities);
	c->priorities = only;
	return 0;
}

/* ---- sessions ---- */

/* GnuTLS takes the errno of these as it stands. */
static ssize_t
pull(gnutls_transport_ptr_t arg, void *data, size_t len)
{
	const struct session *s = arg;

	return nowait_read(s->read_fd, data, len);
}

static ssize_t
push(gnutls_transport_ptr_t arg, const giovec_t *iov, int n)
{
	const struct session *s = arg;

	return nowait_writev(s->write_fd, iov, (size_t)n);
}

/* SNI holds a host name, never an address (RFC 6066 section 3), nor a port. */
static bool
is_host_name(const char *name)
{
	unsigned char address[4];

	return name != NULL && name[0] != '\0' && strchr(name, ':') == NULL &&
	       inet_pton(AF_INET, name, address) != 1;
}

static void
session_end(void *session)
{
	struct session *s = session;

	if (s->tls != NULL)
		gnutls_deinit(s->tls);
	if (s->own != NULL)
		gnutls_certificate_free_credentials(s->own);
	free(s);
}

/* How many pairs are for this name; those go into *own, unless that is NULL. */
static size_t
pairs_for(const struct context *c, const char *name, unsigned flags,
    gnutls_certificate_credentials_t own)
{
	size_t n = 0;

	for (size_t i = 0; i < c->npairs; i++) {
		if (!gnutls_x509_crt_check_hostname2(c->pairs[i].chain[0], name,
			GNUTLS_VERIFY_DO_NOT_ALLOW_IP_MATCHES | flags))
			continue;
		n++;
		if (own != NULL)
			use_pair(own, &c->pairs[i]);
	}
	return n;
}

/*
 * The client's hello is there. GnuTLS finds the pairs of a name that it asks
 * for, but only the name as it stands: where nothing but a wildcard covers it,
 * the pairs that have one become the session's own.
 */
static int
choose_pairs(gnutls_session_t tls)
{
	struct session *s = gnutls_session_get_ptr(tls);
	const struct context *c = s->context;
	char name[256];
	size_t len = sizeof name;
	unsigned type;

	if (s->own != NULL ||
	    gnutls_server_name_get(tls, name, &len, &type, 0) < 0 ||
	    type != GNUTLS_NAME_DNS ||
	    pairs_for(c, name, GNUTLS_VERIFY_DO_NOT_ALLOW_WILDCARDS, NULL) >
		0 ||
	    pairs_for(c, name, 0, NULL) == 0 ||
	    gnutls_certificate_allocate_credentials(&s->own) < 0)
		return 0;
	pairs_for(c, name, 0, s->own);
	if (c->asks_client)
		gnutls_certificate_set_x509_trust_file(s->own, c->roots.file,
		    GNUTLS_X509_FMT_PEM);
	return gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, s->own);
}

static int
session_init(struct session *s, const struct context *c, const char *name)
{
	int rc = gnutls_init(&s->tls, c->side | GNUTLS_NONBLOCK);

	if (rc >= 0)
		rc = gnutls_priority_set(s->tls, c->priorities);
	if (rc >= 0)
		rc = gnutls_credentials_set(s->tls, GNUTLS_CRD_CERTIFICATE,
		    c->credentials);
	if (rc >= 0 && c->ticket_key.data != NULL)
		rc =
		    gnutls_session_ticket_enable_server(s->tls, &c->ticket_key);
	if (rc >= 0 && c->side == GNUTLS_CLIENT && is_host_name(name))
		rc = gnutls_server_name_set(s->tls, GNUTLS_NAME_DNS, name,
		    strlen(name));
	if (rc >= 0 && c->side == GNUTLS_SERVER) {
		gnutls_session_set_ptr(s->tls, s);
		gnutls_handshake_set_post_client_hello_function(s->tls,
		    choose_pairs);
	}
	if (rc >= 0 && c->asks_client)
		gnutls_certificate_server_set_request(s->tls,
		    GNUTLS_CERT_REQUEST);
	return rc;
}

static void *
session_start(void *context, int read_fd, int write_fd, const char *name,
    struct err *e)
{
	struct session *s = calloc(1, sizeof *s);
	int rc;

	if (s == NULL) {
		err_sys(e, "TLS");
		return NULL;
	}
	s->context = context;
	s->read_fd = read_fd;
	s->write_fd = write_fd;
	rc = session_init(s, context, name);
	if (rc < 0) {
		err_temp(e, "TLS: %s", gnutls_strerror(rc));
		session_end(s);
		return NULL;
	}
	gnutls_transport_set_ptr(s->tls, s);
	gnutls_transport_set_pull_function(s->tls, pull);
	gnutls_transport_set_vec_push_function(s->tls, push);
	gnutls_handshake_set_timeout(s->tls, 0); /* deadlines are conn's */
	return s;
}

/* True when the call is to be repeated, and *want says after what. */
static bool
is_again(const struct session *s, ssize_t rc, struct tls_want *want)
{
	if (rc != GNUTLS_E_AGAIN && rc != GNUTLS_E_INTERRUPTED)
		return false;
	want->write = gnutls_record_get_direction(s->tls) == 1;
	want->read = !want->write;
	return true;
}

/* Why the session is over; saved_errno: of the failed read or write. */
static int
failure(const struct session *s, const char *what, ssize_t rc, int saved_errno,
    struct err *e)
{
	const char *alert;

	if (rc == GNUTLS_E_PREMATURE_TERMINATION)
		return err_temp(e, "connection closed within TLS");
	if (rc == GNUTLS_E_PULL_ERROR || rc == GNUTLS_E_PUSH_ERROR) {
		if (saved_errno == ECONNRESET || saved_errno == EPIPE)
			err_temp(e, "connection closed");
		else
			err_temp(e, "TLS %s: %s", what, strerror(saved_errno));
		e->sys = saved_errno == EPIPE ? ECONNRESET : saved_errno;
		return -1;
	}
	if (rc == GNUTLS_E_FATAL_ALERT_RECEIVED ||
	    rc == GNUTLS_E_WARNING_ALERT_RECEIVED) {
		alert = gnutls_alert_get_name(gnutls_alert_get(s->tls));
		return err_temp(e, "TLS %s: the peer's alert: %s", what,
		    alert != NULL ? alert : "unknown");
	}
	return err_temp(e, "TLS %s: %s", what, gnutls_strerror((int)rc));
}

static int
session_handshake(void *session, struct tls_want *want, struct err *e)
{
	struct session *s = session;
	int rc, saved, warnings = 0;

	*want = (struct tls_want){ false, false };
	do {
		rc = gnutls_handshake(s->tls);
		saved = errno;
	} while (rc == GNUTLS_E_WARNING_ALERT_RECEIVED &&
		 warnings++ < WARNINGS_MAX);
	if (rc == GNUTLS_E_SUCCESS)
		return 1;
	if (is_again(s, rc, want))
		return -1;
	if (rc != GNUTLS_E_PULL_ERROR && rc != GNUTLS_E_PUSH_ERROR)
		gnutls_alert_send_appropriate(s->tls, rc);
	return failure(s, "handshake", rc, saved, e);
}

/* A peer that wants to negotiate anew gets no second handshake: that is a
 * failure like any other. */
static ssize_t
session_read(void *session, char *data, size_t len, struct tls_want *want,
    struct err *e)
{
	struct session *s = session;
	ssize_t n = gnutls_record_recv(s->tls, data, len);
	int saved = errno;

	*want = (struct tls_want){ false, false };
	if (n >= 0)
		return n;
	return is_again(s, n, want) ? -1 : failure(s, "read", n, saved, e);
}

static ssize_t
session_write(void *session, const char *data, size_t len,
    struct tls_want *want, struct err *e)
{
	struct session *s = session;
	ssize_t n = gnutls_record_send(s->tls, data, len);
	int saved = errno;

	*want = (struct tls_want){ false, false };
	if (n >= 0)
		return n;
	return is_again(s, n, want) ? -1 : failure(s, "write", n, saved, e);
}

static void
session_bye(void *session)
{
	struct session *s = session;

	if (!s->said_bye)
		gnutls_bye(s->tls, GNUTLS_SHUT_WR);
	s->said_bye = true;
}

/* A client's certificate is welcome, whatever it says. */
static int
session_judge(void *session, const struct tls_demand *demand,
    struct tls_peer *peer, struct err *e)
{
	static const struct tls_demand nothing = TLS_DEMAND_INIT;
	const struct session *s = session;
	struct context *c = s->context;
	const struct tls_demand of_client = {
		.proof = TLS_PKIX, .is_advice = true, .ca_file = c->roots.file
	};

	if (c->side == GNUTLS_CLIENT)
		return judge_peer(s->tls, &c->roots, false,
		    demand != NULL ? demand : &nothing, peer, e);
	return judge_peer(s->tls, &c->roots, true,
	    c->asks_client ? &of_client : &nothing, peer, e);
}

/* GnuTLS's names are constants, NULL only for what it does not know. */
static void
session_describe(const void *session, char *out, size_t size)
{
	const struct session *s = session;
	const char *version =
	    gnutls_protocol_get_name(gnutls_protocol_get_version(s->tls));
	const char *cipher = gnutls_cipher_get_name(gnutls_cipher_get(s->tls));

	snprintf(out, size, "%s/%s", version != NULL ? version : "TLS",
	    cipher != NULL ? cipher : "unknown");
}

__attribute__((visibility("default")))
const struct tls_module bmx_tls_module = {
	.abi = TLS_MODULE_ABI,
	.server = context_server,
	.add_pair = context_add_pair,
	.set_ticket_key = context_set_ticket_key,
	.ask_client = context_ask_client,
	.client = context_client,
	.want_key = context_want_key,
	.free = context_free,
	.start = session_start,
	.handshake = session_handshake,
	.read = session_read,
	.write = session_write,
	.bye = session_bye,
	.end = session_end,
	.judge = session_judge,
	.describe = session_describe,
};
