#ifndef BMX_QUEUE_RECIPIENTS_H
#define BMX_QUEUE_RECIPIENTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "bmx-queue/output.h"
#include "spool/config.h"

/*
 * bmx-queue recipients: what is known of the domains' recipients, to look at,
 * to fill from a list, to compare with one, and to forget.
 */

#define RECIPIENTS_SHRINK_MAX 20 /* percent, unless the operator says else */

enum recipients_verb {
	RECIPIENTS_LIST, /* [DOMAIN...] */
	RECIPIENTS_IMPORT,
	RECIPIENTS_EXPORT, /* DOMAIN... */
	RECIPIENTS_DIFF,   /* DOMAIN FILE, as import */
	RECIPIENTS_FORGET, /* ADDRESS | DOMAIN ... */
};

struct recipients_order {
	enum recipients_verb verb;
	const char **names; /* what follows, NULL-terminated */
	unsigned shrink_max;
	bool is_yes; /* forget whole domains */
	uid_t uid;   /* who gave the order, for the log */
};

/* Take verb (list, when there is none) and names out of the arguments. -1:
 * ERR_USAGE, there are too few or too many. */
int recipients_parse(struct recipients_order *order, const char **args,
    struct err *e);

/* Carry it out. Trouble with one name is told to o and the rest goes on. */
int recipients_run(const struct recipients_order *order,
    const struct config *conf, struct output *o, struct err *e);

#endif
