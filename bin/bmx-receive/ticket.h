#ifndef BMX_RECEIVE_TICKET_H
#define BMX_RECEIVE_TICKET_H

#include <stdint.h>

#include "base/err.h"
#include "net/tls.h"

/*
 * The key of TLS session tickets in a file, so that a client that comes back
 * may resume its session in another process, or on another host that has the
 * same file.
 */

#define TICKET_KEY_AGE_S 86400 /* then it is replaced by a new one */

/*
 * Read the key; make the file (mode 0600) when it is missing, too old or not
 * as long as a key. -1: it is not ours, others may read it, or it cannot be
 * made.
 */
int ticket_key(const char *path, int64_t now_s,
    unsigned char key[TLS_TICKET_KEY_LEN], struct err *e);

/* A key that nobody else has. */
int ticket_key_new(unsigned char key[TLS_TICKET_KEY_LEN], struct err *e);

#endif
