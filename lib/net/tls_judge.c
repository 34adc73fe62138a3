#include "net/tls_judge.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

/* As strict about keys and digests as GnuTLS's own NORMAL. */
#define STRENGTH GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_LOW)
#define DATES (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)

#define DNS_NAME_SIZE 256

/* ---- roots ---- */

void
roots_free(struct roots *r)
{
	if (r->list != NULL)
		gnutls_x509_trust_list_deinit(r->list, 1);
	free(r->file);
	*r = (struct roots){ NULL, NULL };
}

static bool
is_loaded(const struct roots *r, const char *file)
{
	if (r->list == NULL || file == NULL || r->file == NULL)
		return r->list != NULL && file == r->file;
	return strcmp(file, r->file) == 0;
}

int
roots_load(struct roots *r, const char *file, struct err *e)
{
	int n;

	if (is_loaded(r, file))
		return 0;
	roots_free(r);
	if (file != NULL && (r->file = strdup(file)) == NULL)
		return err_sys(e, "TLS");
	if (gnutls_x509_trust_list_init(&r->list, 0) < 0)
		return err_temp(e, "TLS: out of memory");
	n = file == NULL
		? gnutls_x509_trust_list_add_system_trust(r->list, 0, 0)
		: gnutls_x509_trust_list_add_trust_file(r->list, file, NULL,
		      GNUTLS_X509_FMT_PEM, 0, 0);
	if (n > 0)
		return 0;
	err_config(e, "%s: %s", file != NULL ? file : "the system's roots",
	    n < 0 ? gnutls_strerror(n) : "no certificate in it");
	roots_free(r);
	return -1;
}

/* ---- what it says ---- */

static void
copy_name(char *out, size_t size, gnutls_x509_crt_t crt,
    int (*get)(gnutls_x509_crt_t crt, gnutls_datum_t *dn, unsigned flags))
{
	gnutls_datum_t dn = { NULL, 0 };

	if (get(crt, &dn, 0) >= 0)
		snprintf(out, size, "%.*s", (int)dn.size,
		    (const char *)dn.data);
	gnutls_free(dn.data);
}

/* The next of its dNSNames, those alone that are like one: a NUL in it, or a
 * blank, makes it none. False: there are no more. */
static bool
next_dns_name(gnutls_x509_crt_t crt, unsigned *i, char name[DNS_NAME_SIZE])
{
	size_t len;
	int type;

	for (;;) {
		len = DNS_NAME_SIZE - 1;
		type = gnutls_x509_crt_get_subject_alt_name(crt, (*i)++, name,
		    &len, NULL);
		if (type < 0 && type != GNUTLS_E_SHORT_MEMORY_BUFFER)
			return false; /* or none can be read */
		if (type != GNUTLS_SAN_DNSNAME || len >= DNS_NAME_SIZE)
			continue;
		name[len] = '\0';
		if (strlen(name) == len && strchr(name, ' ') == NULL)
			return true;
	}
}

static void
copy_dns_names(gnutls_x509_crt_t crt, struct tls_peer *peer)
{
	char name[DNS_NAME_SIZE];
	size_t used = 0;
	unsigned i = 0;

	while (next_dns_name(crt, &i, name)) {
		if (used + strlen(name) + 2 > sizeof peer->names)
			continue;
		used += (size_t)snprintf(peer->names + used,
		    sizeof peer->names - used, "%s%s", used > 0 ? " " : "",
		    name);
	}
}

static void
take_spki(gnutls_x509_crt_t crt, struct tls_peer *peer)
{
	gnutls_datum_t spki = { NULL, 0 };
	gnutls_pubkey_t key = NULL;

	if (gnutls_pubkey_init(&key) >= 0 &&
	    gnutls_pubkey_import_x509(key, crt, 0) >= 0 &&
	    gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &spki) >= 0)
		gnutls_hash_fast(GNUTLS_DIG_SHA256, spki.data, spki.size,
		    peer->spki);
	gnutls_free(spki.data);
	gnutls_pubkey_deinit(key);
}

static void
describe(gnutls_x509_crt_t crt, const gnutls_datum_t *der,
    struct tls_peer *peer)
{
	time_t now = time(NULL);

	peer->has_certificate = true;
	copy_name(peer->subject, sizeof peer->subject, crt,
	    gnutls_x509_crt_get_dn3);
	copy_name(peer->issuer, sizeof peer->issuer, crt,
	    gnutls_x509_crt_get_issuer_dn3);
	copy_dns_names(crt, peer);
	peer->not_before_s = gnutls_x509_crt_get_activation_time(crt);
	peer->not_after_s = gnutls_x509_crt_get_expiration_time(crt);
	peer->is_in_date =
	    now >= peer->not_before_s && now <= peer->not_after_s;
	gnutls_hash_fast(GNUTLS_DIG_SHA256, der->data, der->size,
	    peer->fingerprint);
	take_spki(crt, peer);
}

/* ---- what it is worth ---- */

__attribute__((format(printf, 3, 4))) static void
find(struct tls_peer *peer, enum tls_result result, const char *fmt, ...)
{
	va_list ap;

	peer->result = result;
	va_start(ap, fmt);
	vsnprintf(peer->why, sizeof peer->why, fmt, ap);
	va_end(ap);
}

/* A '*' is a label, the leftmost one: GnuTLS takes it for the beginning of one,
 * too. As there, what follows has two labels at least. */
static bool
is_name_of(const char *name, const char *host)
{
	const char *parent = strchr(host, '.');

	if (strncmp(name, "*.", 2) != 0)
		return strcasecmp(name, host) == 0;
	return parent != NULL && parent != host &&
	       strchr(parent + 1, '.') != NULL &&
	       strcasecmp(name + 1, parent) == 0;
}

/* host may be in UTF-8. */
static bool
has_dns_name(gnutls_x509_crt_t crt, const char *host)
{
	gnutls_datum_t ascii = { NULL, 0 };
	char name[DNS_NAME_SIZE];
	bool found = false;
	unsigned i = 0;

	if (gnutls_idna_map(host, (unsigned)strlen(host), &ascii, 0) < 0)
		return false;
	while (!found && next_dns_name(crt, &i, name))
		found = is_name_of(name, (const char *)ascii.data);
	gnutls_free(ascii.data);
	return found;
}

/*
 * RFC 9525 and RFC 8461 4.1: by dNSName alone, and no longer by the common
 * name. A name of the demand that is an address is looked for as such.
 */
static bool
has_name_of(gnutls_x509_crt_t crt, const struct tls_demand *demand)
{
	for (size_t i = 0; i < demand->nnames; i++) {
		const char *name = demand->names[i];
		bool is_address = strchr(name, ':') != NULL ||
				  name[strspn(name, "0123456789.")] == '\0';

		if (is_address ? gnutls_x509_crt_check_hostname2(crt, name, 0)
			       : has_dns_name(crt, name))
			return true;
	}
	return false;
}

static unsigned
verify(const struct roots *r, gnutls_x509_crt_t *chain, unsigned n,
    bool is_server, unsigned flags)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID,
		(unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0 };
	unsigned status = GNUTLS_CERT_INVALID;

	if (gnutls_x509_trust_list_verify_crt2(r->list, chain, n, &purpose,
		is_server ? 0 : 1, flags | STRENGTH, &status, NULL) < 0)
		return GNUTLS_CERT_INVALID;
	return status;
}

static void
tell_status(struct tls_peer *peer, unsigned status)
{
	const unsigned distrust =
	    GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
	    GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_INSECURE_ALGORITHM |
	    GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE;
	gnutls_datum_t text = { NULL, 0 };

	gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
	    &text, 0);
	find(peer,
	    status & distrust ? TLS_CERTIFICATE_NOT_TRUSTED
	    : status & DATES  ? TLS_CERTIFICATE_EXPIRED
			      : TLS_VALIDATION_FAILURE,
	    "%s (subject %.60s, issuer %.60s)",
	    text.data != NULL ? (const char *)text.data : "not valid",
	    peer->subject, peer->issuer);
	gnutls_free(text.data);
}

static void
find_mismatch(struct tls_peer *peer, const struct tls_demand *demand)
{
	find(peer, TLS_CERTIFICATE_HOST_MISMATCH,
	    "it is not for %.80s, but for %.120s", demand->names[0],
	    peer->names[0] != '\0' ? peer->names : peer->subject);
}

static void
judge_pkix(gnutls_x509_crt_t *chain, unsigned n, const struct roots *r,
    bool is_server, const struct tls_demand *demand, struct tls_peer *peer)
{
	unsigned status;

	if (r->list == NULL) {
		find(peer, TLS_VALIDATION_FAILURE, "the system has no roots");
		return;
	}
	status = verify(r, chain, n, is_server,
	    GNUTLS_VERIFY_DISABLE_TIME_CHECKS |
		GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS);
	peer->is_trusted = status == 0;
	if (status == 0)
		status = verify(r, chain, n, is_server, 0);
	if (status & DATES)
		peer->is_in_date = false;
	if (status != 0)
		tell_status(peer, status);
	else if (!peer->is_name_matched && demand->nnames > 0)
		find_mismatch(peer, demand);
}

static void
judge_pins(const struct tls_demand *demand, struct tls_peer *peer)
{
	for (size_t i = 0; i < demand->npins; i++)
		if (memcmp(demand->pins[i], peer->spki, sizeof peer->spki) == 0)
			peer->is_trusted = true;
	if (!peer->is_trusted)
		find(peer, TLS_CERTIFICATE_NOT_TRUSTED,
		    "its public key is none of those that are pinned");
}

/* ---- the whole ---- */

static unsigned
import_chain(const gnutls_datum_t *der, unsigned n, gnutls_x509_crt_t *chain)
{
	unsigned i;

	for (i = 0; i < n && i < TLS_CHAIN_MAX; i++) {
		if (gnutls_x509_crt_init(&chain[i]) < 0)
			break;
		if (gnutls_x509_crt_import(chain[i], &der[i],
			GNUTLS_X509_FMT_DER) < 0) {
			gnutls_x509_crt_deinit(chain[i]);
			break;
		}
	}
	return i;
}

int
judge_peer(gnutls_session_t session, struct roots *r, bool is_server,
    const struct tls_demand *demand, struct tls_peer *peer, struct err *e)
{
	gnutls_x509_crt_t chain[TLS_CHAIN_MAX];
	const gnutls_datum_t *der;
	unsigned n = 0;

	*peer = (struct tls_peer)TLS_PEER_INIT;
	if (demand->proof == TLS_PKIX &&
	    roots_load(r, demand->ca_file, e) == -1 &&
	    (!demand->is_advice || demand->ca_file != NULL))
		return -1;
	der = gnutls_certificate_get_peers(session, &n);
	n = der == NULL ? 0 : import_chain(der, n, chain);
	if (n == 0) {
		if (demand->proof != TLS_ANY)
			find(peer, TLS_VALIDATION_FAILURE,
			    "no certificate, or none that can be read");
		return 0;
	}
	for (unsigned i = 0; i < n; i++) {
		peer->chain[i].data = der[i].data;
		peer->chain[i].len = der[i].size;
	}
	peer->nchain = n;
	describe(chain[0], &der[0], peer);
	peer->is_name_matched = has_name_of(chain[0], demand);
	if (demand->proof == TLS_PKIX)
		judge_pkix(chain, n, r, is_server, demand, peer);
	else if (demand->proof == TLS_PIN)
		judge_pins(demand, peer);
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	return 0;
}
