#ifndef BMX_PROBE_EACH_H
#define BMX_PROBE_EACH_H

#include "base/err.h"
#include "base/names.h"
#include "spool/config.h"

/* For each domain that is asked about, in order: names NULL is all of the
 * configuration. Stops at -1. Names that are not in bmx.conf are told on
 * stderr and counted. */
int each_domain(const struct config *config, struct names *names,
    int (*step)(void *arg, const struct config_domain *domain, struct err *e),
    void *arg, size_t *nbad, struct err *e);

#endif
