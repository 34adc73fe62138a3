#ifndef BMX_DANE_MODULE_H
#define BMX_DANE_MODULE_H

#include "base/err.h"
#include "net/tls.h"

/*
 * What bmx-dane.so gives to tls.c: GnuTLS's DANE library behind one function.
 * It is a module apart from bmx-tls.so because that library is linked with a
 * resolver, which no other session is to load.
 */
#define DANE_MODULE_ABI 1u
#define DANE_MODULE_SYMBOL "bmx_dane_module"

struct dane_module {
	unsigned abi;
	/* Judge the chain that *peer has by the demand's TLSA records and
	 * names; is_name_matched is right already. -1: our own trouble. */
	int (*judge)(const struct tls_demand *demand, struct tls_peer *peer,
	    struct err *e);
};

extern const struct dane_module bmx_dane_module;

#endif
