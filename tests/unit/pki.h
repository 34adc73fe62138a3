#ifndef BMX_TEST_PKI_H
#define BMX_TEST_PKI_H

/*
 * Certificates for tests, made when the test starts and removed at its end:
 * no key is ever stored. All are for mx.example.com, self-signed.
 */
struct pki {
	char dir[64];
	char certificate[96], key[96]; /* a pair that is valid now */
	char other_key[96];            /* of another pair */
	char expired[96], future[96];  /* certificates of key */
	char junk[96];                 /* a text file */
	char none[96];                 /* no file at all */
};

/* 0, or -1: the test cannot run. Also finds bmx-tls.so for who starts a test by
 * hand in the build directory; make check sets BMX_TLS_MODULE. */
int pki_make(struct pki *p);
void pki_remove(struct pki *p);

#endif
