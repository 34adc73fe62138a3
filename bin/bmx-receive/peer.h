#ifndef BMX_RECEIVE_PEER_H
#define BMX_RECEIVE_PEER_H

#include "mail/envelope.h"
#include "net/connect.h"

/*
 * Who is at the other end of fd: addr, port and name of *c. A socket knows;
 * behind a pipe it is what a wrapper says in the environment as tcpserver does
 * (TCPREMOTEIP, TCPREMOTEPORT), or nothing. The name is TCPREMOTEHOST, where
 * it belongs to the same address: we look nobody up.
 */
void peer_find(struct envelope_client *c, int fd);

/* For the log: "192.0.2.1:40312", "[2001:db8::1]:40312", "pipe". */
char *peer_text(const struct envelope_client *c, char out[ENDPOINT_TEXT_MAX]);

#endif
