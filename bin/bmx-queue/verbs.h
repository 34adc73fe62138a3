#ifndef BMX_QUEUE_VERBS_H
#define BMX_QUEUE_VERBS_H

#include <sys/types.h>

#include "bmx-queue/output.h"
#include "bmx-queue/request.h"
#include "bmx-queue/select.h"
#include "spool/config.h"
#include "spool/spool.h"

/* What a verb works on. */
struct job {
	const struct request *r;
	const struct config *conf;
	uid_t uid; /* who gave the order, for the log */
	struct output *o;
	/* open and made, as far as the verb's reach goes */
	struct spool sp;
	struct select s; /* names and domains; no messages yet */
};

enum reach {
	REACH_NOTHING, /* the configuration is enough */
	REACH_SPOOL,
	REACH_DOMAINS, /* names are understood, the domains are known */
};

struct verb {
	const char *name;
	const char *names; /* what it is given: "IDs or domains" */
	unsigned takes;    /* of enum takes */
	enum reach reach;
	int (*run)(struct job *job, struct err *e);
};

/* After the messages were looked at: complain of each name that was given and is
 * not there. */
void job_tell_missing(const struct job *job);

/* NULL: there is none of that name. */
const struct verb *verb_find(const char *name);

#endif
