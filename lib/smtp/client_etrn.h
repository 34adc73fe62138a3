#ifndef BMX_CLIENT_ETRN_H
#define BMX_CLIENT_ETRN_H

#include "base/err.h"
#include "smtp/client.h"

/*
 * ETRN (RFC 1985) in an open session, outside of a transaction: ask the server
 * to start a queue run for node, a domain name. Its answer is in c->reply. It
 * is asked also when EHLO did not offer ETRN: the reply then says so. -1: the
 * session broke.
 */
int client_etrn(struct client *c, const char *node, struct err *e);

#endif
