#include "net/dane_module.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/dane.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

enum { /* RFC 6698 2.1.1, RFC 7218 */
	USAGE_TA = 2,
	USAGE_EE = 3,
};

/*
 * RFC 7672 section 3.1. Usage 3 is about the server's own certificate, and
 * then its names and dates are of no interest. Usage 2 is about one above it
 * in the chain, which becomes the root that all below it is verified with,
 * names and dates too.
 *
 * libdane knows usage 2 for the second certificate of a chain alone, and does
 * not say what is wrong with the chain. So it is asked whether a record names
 * a certificate, as if that were the server's, and the rest is done here.
 */

struct judging {
	dane_state_t state;
	const struct tls_demand *demand;
	struct tls_peer *peer;
	gnutls_datum_t chain[TLS_CHAIN_MAX];
};

/* Does the record name this certificate? libdane wants it as on the wire, and
 * borrows the bytes. */
static int
matches(const struct judging *j, const struct tls_tlsa *t,
    const gnutls_datum_t *certificate, struct err *e)
{
	int len = (int)t->len + 3, rc;
	char *wire = malloc((size_t)len);
	char *data[] = { wire, NULL };
	dane_query_t query = NULL;
	unsigned status = 0;

	if (wire == NULL)
		return err_sys(e, "DANE");
	wire[0] = USAGE_EE;
	wire[1] = (char)t->selector;
	wire[2] = (char)t->matching;
	memcpy(wire + 3, t->data, t->len);
	rc = dane_raw_tlsa(j->state, &query, data, &len, 1, 0);
	if (rc == DANE_E_SUCCESS)
		rc = dane_verify_crt_raw(j->state, certificate, 1,
		    GNUTLS_CRT_X509, query, 0, DANE_VFLAG_FAIL_IF_NOT_CHECKED,
		    &status);
	if (query != NULL)
		dane_query_deinit(query);
	free(wire);
	return rc == DANE_E_SUCCESS && status == 0;
}

/* The certificates in the order they came, but the n-th as last. False: one
 * cannot be read; those before it are to be released all the same. */
static bool
import_with_last(const struct judging *j, size_t n,
    gnutls_x509_crt_t crt[TLS_CHAIN_MAX])
{
	size_t of = j->peer->nchain;

	for (size_t i = 0; i < of; i++) {
		size_t from = i < n ? i : i + 1 < of ? i + 1 : n;

		if (gnutls_x509_crt_init(&crt[i]) < 0 ||
		    gnutls_x509_crt_import(crt[i], &j->chain[from],
			GNUTLS_X509_FMT_DER) < 0)
			return false;
	}
	return true;
}

/* The chain with the n-th certificate as root. The others may stand in any
 * order, and some may have nothing to do with it (RFC 8446 4.4.2). */
static unsigned
verify_below(const struct judging *j, size_t n)
{
	gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID,
		(unsigned char *)GNUTLS_KP_TLS_WWW_SERVER, 0 };
	gnutls_x509_trust_list_t roots = NULL;
	gnutls_x509_crt_t crt[TLS_CHAIN_MAX] = { NULL };
	unsigned status = GNUTLS_CERT_INVALID;
	size_t others = j->peer->nchain - 1;

	if (!import_with_last(j, n, crt) ||
	    gnutls_x509_trust_list_init(&roots, 0) < 0 ||
	    gnutls_x509_trust_list_add_cas(roots, &crt[others], 1, 0) != 1)
		goto out;
	if (gnutls_x509_trust_list_verify_crt2(roots, crt, (unsigned)others,
		&purpose, 1,
		GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_LOW) |
		    GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS,
		&status, NULL) < 0)
		status = GNUTLS_CERT_INVALID;
out:
	if (roots != NULL)
		gnutls_x509_trust_list_deinit(roots, 0);
	for (size_t i = 0; i <= others; i++)
		if (crt[i] != NULL)
			gnutls_x509_crt_deinit(crt[i]);
	return status;
}

static void
object(struct tls_peer *peer, enum tls_result result, const char *why)
{
	peer->result = result;
	snprintf(peer->why, sizeof peer->why, "%s", why);
}

/* A record of usage 2 names the n-th certificate: is all in order below it? */
static bool
holds_below(struct judging *j, size_t n)
{
	const unsigned dates = GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED;
	unsigned status = verify_below(j, n);

	if (status == 0 && j->peer->is_name_matched)
		return true;
	if (status & dates)
		object(j->peer, TLS_CERTIFICATE_EXPIRED,
		    "below the authority that a TLSA record names, a "
		    "certificate is not in date");
	else if (status != 0)
		object(j->peer, TLS_CERTIFICATE_NOT_TRUSTED,
		    "the chain to the authority that a TLSA record names is "
		    "broken");
	else
		object(j->peer, TLS_CERTIFICATE_HOST_MISMATCH,
		    "it is of the authority that a TLSA record names, but for "
		    "another host");
	return false;
}

/* 1: this record is content. */
static int
judge_record(struct judging *j, const struct tls_tlsa *t, struct err *e)
{
	int rc;

	if (t->usage != USAGE_TA)
		return matches(j, t, &j->chain[0], e);
	for (size_t i = 1; i < j->peer->nchain; i++) {
		rc = matches(j, t, &j->chain[i], e);
		if (rc == -1)
			return -1;
		if (rc == 1 && holds_below(j, i))
			return 1;
	}
	return 0;
}

static int
judge_all(struct judging *j, struct err *e)
{
	int rc = 0;

	object(j->peer, TLS_TLSA_INVALID, "no TLSA record matches");
	for (size_t i = 0; i < j->demand->ntlsa && rc == 0; i++)
		rc = judge_record(j, &j->demand->tlsa[i], e);
	if (rc != 1)
		return rc;
	j->peer->is_trusted = true;
	object(j->peer, TLS_OK, "");
	return 0;
}

static int
judge(const struct tls_demand *demand, struct tls_peer *peer, struct err *e)
{
	struct judging j = { .demand = demand, .peer = peer };
	int rc = dane_state_init(&j.state, DANE_F_IGNORE_DNSSEC);

	if (rc != DANE_E_SUCCESS)
		return err_temp(e, "DANE: %s", dane_strerror(rc));
	for (size_t i = 0; i < peer->nchain; i++) {
		j.chain[i].data = (unsigned char *)peer->chain[i].data;
		j.chain[i].size = (unsigned)peer->chain[i].len;
	}
	rc = judge_all(&j, e);
	dane_state_deinit(j.state);
	return rc;
}

__attribute__((visibility("default")))
const struct dane_module bmx_dane_module = {
	.abi = DANE_MODULE_ABI,
	.judge = judge,
};
