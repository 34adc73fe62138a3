/*
 * lib/smtp/tlsa: records of any bytes. Bytes: for each record its length and
 * so many bytes. What is used is what SMTP can use, and borrowed from where it
 * came; what is chosen has no weaker digest beside a stronger one.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/tlsa.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
assert_usable(const struct tls_tlsa *t)
{
	assert(t->usage == 2 || t->usage == 3);
	assert(t->selector <= 1 && t->matching <= 2);
	assert(t->matching != 0 || t->len > 0);
	assert(t->matching != 1 || t->len == 32);
	assert(t->matching != 2 || t->len == 64);
}

/* In memory of its own, so that a byte too many is found. */
static unsigned char *
add(struct tls_demand *d, const uint8_t *data, size_t len)
{
	unsigned char *copy = malloc(len + (len == 0));
	size_t before = d->ntlsa;
	const struct tls_tlsa *t = &d->tlsa[before];

	assert(copy != NULL);
	memcpy(copy, data, len);
	if (tlsa_add(d, copy, len)) {
		assert(d->ntlsa == before + 1);
		assert(t->data == copy + 3 && t->len == len - 3);
		assert_usable(t);
	} else {
		assert(d->ntlsa == before);
	}
	return copy;
}

static void
assert_chosen(const struct tls_demand *d)
{
	for (size_t i = 0; i < d->ntlsa; i++)
		for (size_t k = 0; k < d->ntlsa; k++)
			assert(d->tlsa[i].usage != d->tlsa[k].usage ||
			       d->tlsa[i].selector != d->tlsa[k].selector ||
			       d->tlsa[i].matching != 1 ||
			       d->tlsa[k].matching != 2);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tls_demand d = TLS_DEMAND_INIT;
	unsigned char *copies[64];
	size_t n = 0, len, before;

	while (size > 0 && n < sizeof copies / sizeof *copies) {
		len = data[0] < size - 1 ? data[0] : size - 1;
		copies[n++] = add(&d, data + 1, len);
		data += 1 + len;
		size -= 1 + len;
	}
	assert(d.ntlsa <= TLS_TLSA_MAX);
	before = d.ntlsa;
	tlsa_choose(&d);
	assert((before > 0) == (d.ntlsa > 0));
	assert_chosen(&d);
	while (n > 0)
		free(copies[--n]);
	return 0;
}
