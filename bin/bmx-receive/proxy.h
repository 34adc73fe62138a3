#ifndef BMX_RECEIVE_PROXY_H
#define BMX_RECEIVE_PROXY_H

#include <stddef.h>

#include "mail/envelope.h"

/*
 * The header that a trusted front end (HAProxy and others) sends first to say
 * who the client is: the PROXY protocol, version 1 (a line) or 2 (binary).
 * Pure: bytes in, client out.
 */

#define PROXY_MAX                                                              \
	2048 /* bytes of a header that we read; version 2 can be
			  longer with extensions nobody sends to SMTP */

/*
 * Take the header at the start of in, which may hold more. Returns its length,
 * 0 when in ends before it does, -1 when it is none. addr and port of *c are
 * the client's; they stay as they are where the header says that the front end
 * speaks for itself (UNKNOWN, LOCAL). The name is cleared with them.
 */
int proxy_parse(const char *in, size_t len, struct envelope_client *c);

#endif
