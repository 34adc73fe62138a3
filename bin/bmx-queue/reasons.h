#ifndef BMX_QUEUE_REASONS_H
#define BMX_QUEUE_REASONS_H

#include <stddef.h>

#include "bmx-queue/detail.h"
#include "bmx-queue/output.h"
#include "spool/config.h"

/*
 * What keeps mail here, in sentences: the strongest reason first, and for each
 * the command that would change it. Printable.
 */
#define REASONS_MAX 8

struct reasons {
	char why[REASONS_MAX][512];
	char change[REASONS_MAX][384]; /* "": nothing to be done */
	size_t n;
};

/* What holds for all mail of a domain; domain NULL: not in bmx.conf. */
void reasons_of_domain(struct reasons *r, const struct output *o,
    const struct detail_domain *known, const struct config_domain *domain);

/* What holds for the message besides; detail_read_more() was called. */
void reasons_of_message(struct reasons *r, const struct output *o,
    const struct detail *m);

#endif
