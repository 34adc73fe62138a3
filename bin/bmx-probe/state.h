#ifndef BMX_PROBE_STATE_H
#define BMX_PROBE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "bmx-probe/probe.h"
#include "spool/config.h"
#include "spool/primary.h"
#include "spool/spool.h"

/*
 * What a probe taught is kept in SPOOL/DOMAIN/primary (lib/spool/primary.h)
 * and in the history beside it, for bmx-receive, bmx-flush and the next probe.
 */

/*
 * Take a result into account. *now is the state after it, *was the verdict
 * before; a change of it is logged. -1: the state could not be kept.
 */
int state_learn(const struct spool *sp, const struct config_domain *domain,
    const struct probe_result *r, int64_t now_s, struct primary *now,
    enum primary_verdict *was, struct err *e);

/* The state that a result makes by itself, when none is kept. */
void state_of_result(const struct probe_result *r, int64_t now_s,
    struct primary *now);

/*
 * Only one run tells at a time: wait for others. False: they have told of this
 * change meanwhile, or it is over. state_end_of_telling() follows in any case.
 */
bool state_begin_to_tell(const struct spool *sp,
    const struct config_domain *domain, int64_t now_s,
    const struct primary *news);
void state_end_of_telling(const struct spool *sp);

/* Somebody was told of the verdict. */
int state_tell(const struct spool *sp, const char *domain,
    enum primary_verdict verdict, struct err *e);

/* The state as it is, for those who learned nothing. */
int state_look(const struct spool *sp, const struct config_domain *domain,
    int64_t now_s, struct primary *now, struct err *e);

#endif
