#ifndef BMX_PROBE_CROWD_H
#define BMX_PROBE_CROWD_H

#include "base/err.h"
#include "base/names.h"
#include "bmx-probe/probe.h"
#include "bmx-probe/report.h"
#include "spool/config.h"
#include "spool/spool.h"

/*
 * Many names at once: each thread takes the next name, probes it, learns from
 * it, and the rows come out in the order of the names. Only so many rows wait
 * for one that is slow.
 */
#define CROWD_JOBS_MAX 64

struct crowd {
	const struct config *config;
	const struct spool *spool; /* NULL: no state is kept */
	struct names *names;       /* NULL: every domain of the configuration */
	const struct probe_how *how;
	unsigned jobs;
	/* Each row, one at a time, in order. */
	void (*emit)(void *arg, const struct report_row *row);
	void *arg;
};

/* -1: a failure that ended the run; rows before it are out. */
int crowd_run(const struct crowd *c, struct err *e);

#endif
