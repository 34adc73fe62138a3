#ifndef BMX_DIGEST_H
#define BMX_DIGEST_H

#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 of bytes that come in pieces, by nettle: the library GnuTLS itself
 * computes with, but small, so that who needs only this need not load GnuTLS.
 */
struct digest {
	uint64_t state[16]; /* digest.c's */
};

#define DIGEST_HEX_MAX 65 /* 64 digits and a NUL */

void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t len);

/* The digest of all that was added, in lower case, into out. d has to be begun
 * anew after that. Returns out. */
char *digest_hex(struct digest *d, char out[DIGEST_HEX_MAX]);

/* Of bytes that are all there, as bytes. */
void digest_sha256(const void *data, size_t len, unsigned char out[32]);
void digest_sha512(const void *data, size_t len, unsigned char out[64]);

#endif
