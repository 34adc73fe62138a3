#include "base/digest.h"

#include <stdio.h>

#include <nettle/sha2.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct digest),
    "struct digest has room for nettle's state");

void
digest_begin(struct digest *d)
{
	sha256_init((struct sha256_ctx *)d->state);
}

void
digest_add(struct digest *d, const void *data, size_t len)
{
	sha256_update((struct sha256_ctx *)d->state, len, data);
}

char *
digest_hex(struct digest *d, char out[DIGEST_HEX_MAX])
{
	uint8_t bytes[SHA256_DIGEST_SIZE];

	sha256_digest((struct sha256_ctx *)d->state, sizeof bytes, bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(out + 2 * i, 3, "%02x", bytes[i]);
	return out;
}

void
digest_sha256(const void *data, size_t len, unsigned char out[32])
{
	struct sha256_ctx c;

	sha256_init(&c);
	sha256_update(&c, len, data);
	sha256_digest(&c, SHA256_DIGEST_SIZE, out);
}

void
digest_sha512(const void *data, size_t len, unsigned char out[64])
{
	struct sha512_ctx c;

	sha512_init(&c);
	sha512_update(&c, len, data);
	sha512_digest(&c, SHA512_DIGEST_SIZE, out);
}
