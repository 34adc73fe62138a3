#ifndef BMX_CLIENT_ASK_H
#define BMX_CLIENT_ASK_H

#include "base/err.h"
#include "smtp/client.h"

/*
 * For those who look at a server and send it nothing: one command in its own
 * words, as in "VRFY postmaster", in an open session. The answer, 2yz, 4yz or
 * 5yz, is in c->reply. -1: the session broke. Nothing may end the line early
 * (ERR_DATA).
 */
int client_ask(struct client *c, const char *line, struct err *e);

#endif
