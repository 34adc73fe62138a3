#ifndef BMX_RECEIVE_XCLIENT_H
#define BMX_RECEIVE_XCLIENT_H

#include <stddef.h>

#include "mail/envelope.h"

/*
 * XCLIENT, Postfix's extension by which a trusted front end says who the
 * client is: "ADDR=192.0.2.1 NAME=mx.example.org HELO=...", values in xtext
 * (RFC 3461 section 4). Pure.
 */

/* What EHLO says. LOGIN is taken and means nothing: there are no users. */
#define XCLIENT_ATTRIBUTES "ADDR NAME PORT PROTO HELO LOGIN"

/*
 * Change *c as the attributes say: "[UNAVAILABLE]" and "[TEMPUNAVAIL]" make a
 * value empty, and so does a NAME of DNS that is no host name. Returns NULL, or
 * the reply to send, and *c is untouched.
 */
const char *xclient_parse(const char *arg, size_t len,
    struct envelope_client *c);

#endif
