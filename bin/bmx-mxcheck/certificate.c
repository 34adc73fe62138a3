#include "certificate.h"

#include <string.h>

#include "base/digest.h"
#include "facts.h"

#define DER_SEQUENCE 0x30
#define DER_INTEGER 0x02
#define DER_OID 0x06
#define DER_VERSION 0xa0 /* [0], explicit */

/* What is left to be read. */
struct der {
	const unsigned char *p, *end;
};

/* The next element, with its head; what is in it becomes *inside. NULL: it is
 * of another kind, or longer than what is there. */
static const unsigned char *
der_take(struct der *d, unsigned char tag, struct der *inside)
{
	const unsigned char *start = d->p, *p = d->p;
	size_t len, bytes;

	if (d->end - p < 2 || *p++ != tag)
		return NULL;
	len = *p++;
	if (len > 0x80) {
		bytes = len & 0x7f;
		if (bytes > 3 || (size_t)(d->end - p) < bytes)
			return NULL;
		for (len = 0; bytes > 0; bytes--)
			len = len << 8 | *p++;
	}
	if (len == 0x80 || (size_t)(d->end - p) < len)
		return NULL;
	*inside = (struct der){ p, p + len };
	d->p = p + len;
	return start;
}

/* subjectPublicKeyInfo, the seventh field of the certificate. */
static bool
find_key(const unsigned char *der, size_t len, struct der *key)
{
	struct der d = { der, der + len }, body, field;
	const unsigned char *start;

	if (der_take(&d, DER_SEQUENCE, &body) == NULL ||
	    der_take(&body, DER_SEQUENCE, &d) == NULL)
		return false;
	der_take(&d, DER_VERSION, &field); /* DEFAULT v1 */
	if (der_take(&d, DER_INTEGER, &field) == NULL)
		return false;
	for (int i = 0; i < 4; i++) /* signature, issuer, validity, subject */
		if (der_take(&d, DER_SEQUENCE, &field) == NULL)
			return false;
	start = der_take(&d, DER_SEQUENCE, &field);
	*key = (struct der){ start, d.p };
	return start != NULL;
}

static void
digest(struct fact_digests *out, const unsigned char *data, size_t len)
{
	digest_sha256(data, len, out->sha256);
	digest_sha512(data, len, out->sha512);
}

bool
certificate_digests(const unsigned char *der, size_t len,
    struct fact_certificate *out)
{
	struct der key;

	if (!find_key(der, len, &key))
		return false;
	digest(&out->whole, der, len);
	digest(&out->key, key.p, (size_t)(key.end - key.p));
	return true;
}

enum certificate_key
certificate_key(const unsigned char *der, size_t len)
{
	static const unsigned char rsa[] = { 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
		0x01, 0x01, 0x01 };
	static const unsigned char ecdsa[] = { 0x2a, 0x86, 0x48, 0xce, 0x3d,
		0x02, 0x01 };
	struct der key, algorithm, oid;

	if (!find_key(der, len, &key) ||
	    der_take(&key, DER_SEQUENCE, &algorithm) == NULL ||
	    der_take(&algorithm, DER_SEQUENCE, &oid) == NULL ||
	    der_take(&oid, DER_OID, &algorithm) == NULL)
		return CERTIFICATE_OTHER;
	len = (size_t)(algorithm.end - algorithm.p);
	if (len == sizeof rsa && memcmp(algorithm.p, rsa, len) == 0)
		return CERTIFICATE_RSA;
	return len == sizeof ecdsa && memcmp(algorithm.p, ecdsa, len) == 0
		   ? CERTIFICATE_ECDSA
		   : CERTIFICATE_OTHER;
}

bool
certificate_matches(const struct fact_certificate *c, const struct fact_tlsa *t)
{
	const struct fact_digests *d = t->selector == 0 ? &c->whole : &c->key;

	switch (t->match) {
	case 0:
		return memcmp(d->sha256, t->sha256, 32) == 0;
	case 1:
		return t->len == 32 && memcmp(d->sha256, t->data, 32) == 0;
	case 2:
		return t->len == 64 && memcmp(d->sha512, t->data, 64) == 0;
	default:
		return false;
	}
}
