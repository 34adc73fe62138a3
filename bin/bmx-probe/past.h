#ifndef BMX_PROBE_PAST_H
#define BMX_PROBE_PAST_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"
#include "base/names.h"
#include "spool/config.h"
#include "spool/spool.h"

/* --report: what the history says of each domain. */
struct past {
	const struct config *config;
	const struct spool *spool;
	struct names *names; /* NULL: every domain of the configuration */
	int64_t from_s, to_s;
	double objective; /* 0 to 1; negative: none */
	bool is_json;
	FILE *out;
	/* what came out */
	size_t nbad;    /* names that are not ours */
	size_t nmissed; /* domains that missed the objective */
	size_t nblank;  /* of which nothing is known, so nobody can tell */
};

int past_report(struct past *p, struct err *e);

#endif
