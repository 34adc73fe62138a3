#include "pki.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#define DAY 86400

static int
write_file(const char *path, const void *data, size_t len)
{
	FILE *f = fopen(path, "w");
	int rc;

	if (f == NULL)
		return -1;
	rc = fwrite(data, 1, len, f) == len ? 0 : -1;
	return fclose(f) == 0 ? rc : -1;
}

static int
write_key(gnutls_x509_privkey_t key, const char *path)
{
	gnutls_datum_t pem;
	int rc;

	if (gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem) < 0)
		return -1;
	rc = write_file(path, pem.data, pem.size);
	gnutls_free(pem.data);
	return rc;
}

static int
write_certificate(gnutls_x509_privkey_t key, time_t from, time_t to,
    const char *path)
{
	gnutls_x509_crt_t crt;
	gnutls_datum_t pem = { NULL, 0 };
	int rc = -1;

	gnutls_x509_crt_init(&crt);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, "\1", 1);
	gnutls_x509_crt_set_activation_time(crt, from);
	gnutls_x509_crt_set_expiration_time(crt, to);
	gnutls_x509_crt_set_dn(crt, "CN=mx.example.com", NULL);
	gnutls_x509_crt_set_key(crt, key);
	if (gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) >= 0 &&
	    gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) >= 0)
		rc = write_file(path, pem.data, pem.size);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(crt);
	return rc;
}

static void
name_files(struct pki *p)
{
	snprintf(p->certificate, sizeof p->certificate, "%s/cert.pem", p->dir);
	snprintf(p->key, sizeof p->key, "%s/key.pem", p->dir);
	snprintf(p->other_key, sizeof p->other_key, "%s/other.pem", p->dir);
	snprintf(p->expired, sizeof p->expired, "%s/expired.pem", p->dir);
	snprintf(p->future, sizeof p->future, "%s/future.pem", p->dir);
	snprintf(p->junk, sizeof p->junk, "%s/junk.pem", p->dir);
	snprintf(p->none, sizeof p->none, "%s/none.pem", p->dir);
}

static int
find_module(void)
{
	if (getenv("BMX_TLS_MODULE") != NULL)
		return 0;
	if (access("./bmx-tls.so", R_OK) == 0)
		return setenv("BMX_TLS_MODULE", "./bmx-tls.so", 1);
	fputs("No ./bmx-tls.so: make it, and start the test in the build "
	      "directory,\nor set BMX_TLS_MODULE to its path.\n",
	    stderr);
	return -1;
}

int
pki_make(struct pki *p)
{
	const char *tmp = getenv("TMPDIR");
	gnutls_x509_privkey_t key = NULL, other = NULL;
	time_t now = time(NULL);
	int rc = -1;

	if (find_module() != 0)
		return -1;
	snprintf(p->dir, sizeof p->dir, "%.40s/bmx-pki-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(p->dir) == NULL)
		return -1;
	name_files(p);
	gnutls_x509_privkey_init(&key);
	gnutls_x509_privkey_init(&other);
	if (gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0 &&
	    gnutls_x509_privkey_generate(other, GNUTLS_PK_ECDSA,
		GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) >= 0 &&
	    write_key(key, p->key) == 0 &&
	    write_key(other, p->other_key) == 0 &&
	    write_certificate(key, now - DAY, now + DAY, p->certificate) == 0 &&
	    write_certificate(key, now - 2 * DAY, now - DAY, p->expired) == 0 &&
	    write_certificate(key, now + DAY, now + 2 * DAY, p->future) == 0 &&
	    write_file(p->junk, "no PEM\n", 7) == 0)
		rc = 0;
	gnutls_x509_privkey_deinit(key);
	gnutls_x509_privkey_deinit(other);
	return rc;
}

void
pki_remove(struct pki *p)
{
	unlink(p->certificate);
	unlink(p->key);
	unlink(p->other_key);
	unlink(p->expired);
	unlink(p->future);
	unlink(p->junk);
	rmdir(p->dir);
}
