#ifndef BMX_FLUSH_ASK_H
#define BMX_FLUSH_ASK_H

#include <stdio.h>

#include "base/err.h"
#include "net/dns.h"

/*
 * The primary's side of ETRN (RFC 1985): ask the host backup, HOST[:PORT] or
 * ADDRESS[:PORT], to start a run for the domain now. Its reply goes to out as
 * one line. 0: it will, or nothing waits there. -1: ERR_TEMP, or ERR_PERM when
 * it refused for good or does not know ETRN.
 */
int ask_for_mail(struct dns *dns, const char *hostname, const char *backup,
    const char *domain, FILE *out, struct err *e);

#endif
