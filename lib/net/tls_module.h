#ifndef BMX_TLS_MODULE_H
#define BMX_TLS_MODULE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "net/tls.h"

/*
 * What bmx-tls.so gives to tls.c: one symbol, a table of the functions of
 * tls.h that work on a context or on a session. The two kinds of pointer are
 * the module's own; tls.h tells what each function does.
 *
 * abi counts changes to this table and to the structs that cross it (err,
 * tls_want, tls_demand, tls_peer), so that a program never drives a module of
 * another build.
 */
#define TLS_MODULE_ABI 4u
#define TLS_MODULE_SYMBOL "bmx_tls_module"

struct tls_module {
	unsigned abi;
	void *(*server)(const char *certificate, const char *key,
	    struct err *e);
	int (*add_pair)(void *context, const char *certificate, const char *key,
	    struct err *e);
	int (*set_ticket_key)(void *context, const unsigned char *key,
	    struct err *e);
	int (*ask_client)(void *context, const char *ca_file, struct err *e);
	void *(*client)(struct err *e);
	int (*want_key)(void *context, enum tls_key key, struct err *e);
	void (*free)(void *context);
	void *(*start)(void *context, int read_fd, int write_fd,
	    const char *name, struct err *e);
	int (*handshake)(void *session, struct tls_want *want, struct err *e);
	ssize_t (*read)(void *session, char *data, size_t len,
	    struct tls_want *want, struct err *e);
	ssize_t (*write)(void *session, const char *data, size_t len,
	    struct tls_want *want, struct err *e);
	void (*bye)(void *session);
	void (*end)(void *session);
	int (*judge)(void *session, const struct tls_demand *demand,
	    struct tls_peer *peer, struct err *e);
	void (*describe)(const void *session, char *out, size_t size);
};

extern const struct tls_module bmx_tls_module;

#endif
