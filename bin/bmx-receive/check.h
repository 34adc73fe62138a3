#ifndef BMX_RECEIVE_CHECK_H
#define BMX_RECEIVE_CHECK_H

#include "base/err.h"
#include "spool/config.h"

/* A client, and what it would say. */
struct check_case {
	const char *client; /* address */
	const char *helo, *from, *rcpt;
};

/*
 * What the case would be answered now, and why: a line each on stdout, asked
 * of the same engine and the same intake as in a session. Nothing is stored.
 * Returns the first digit of the last reply (2, 4 or 5), or -1: the case or
 * the spool is of no use.
 */
int check_case(const struct config *config, const struct check_case *c,
    struct err *e);

/* For --check-config: a comment on stdout for each domain of whose recipients
 * nothing is known. */
void check_knowledge(const struct config *config);

#endif
