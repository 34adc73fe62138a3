#ifndef BMX_QUEUE_MONITOR_H
#define BMX_QUEUE_MONITOR_H

#include "bmx-queue/census.h"
#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"

/*
 * The queue for monitoring: by names alone, and the room that its disk has.
 */

/* Limits: -1: none. */
struct monitor_limits {
	int64_t age_s, count, bytes;
	int64_t free_bytes, free_percent; /* at least */
};

/* Take "age=4h,count=1000,bytes=1G,free=10%" into what is there. -1:
 * ERR_USAGE, with option in the text. */
int monitor_parse(struct monitor_limits *l, const char *option,
    const char *text, struct err *e);

#define MONITOR_WARN "age=1d,free=10%"
#define MONITOR_CRIT "age=3d,free=5%"

/* A line for Nagios and its like; o->status is 0, 1 or 2. -1: *e says why
 * nothing is known; so it is when o has complained of something. */
int monitor_nagios(const struct monitor_limits *warn,
    const struct monitor_limits *crit, const struct counts *sum,
    const struct spool *sp, struct output *o, struct err *e);

#define MONITOR_UNKNOWN 3

/* What that is for a run that failed: a line, and o->status 3. */
void monitor_unknown(struct output *o, const struct err *e);

/* Metrics in the text format of Prometheus, for each domain of bmx.conf and
 * of the spool; path NULL: standard output, else it is replaced as a whole. */
int monitor_prometheus(const char *path, struct select *s,
    const struct config *conf, const struct spool *sp, struct output *o,
    struct err *e);

#endif
