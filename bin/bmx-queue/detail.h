#ifndef BMX_QUEUE_DETAIL_H
#define BMX_QUEUE_DETAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "bmx-queue/jline.h"
#include "bmx-queue/journal.h"
#include "bmx-queue/output.h"
#include "bmx-queue/select.h"
#include "spool/config.h"
#include "spool/paused.h"
#include "spool/primary.h"
#include "spool/spool.h"

/* What is known of a domain, read once for its messages that follow. */
struct detail_domain {
	char name[ADDR_DOMAIN_MAX + 1]; /* "": not read yet */
	bool is_paused;
	struct paused paused;
	bool has_primary;
	struct primary primary;
};

#define DETAIL_DOMAINS 8 /* by arrival the domains take turns */

/*
 * One message with what is known of it, for list, show and explain.
 */
struct detail {
	const struct config *conf; /* borrowed, like spool */
	const struct spool *spool;
	const struct spool_domain *d; /* borrowed, of the walk */
	struct spool_entry entry;
	struct spool_file f; /* closed: the envelope is not readable */
	int64_t next_s;      /* see spool_next_try() */
	/* by detail_read_more() */
	struct journal journal;
	const struct detail_domain *domain;
	int64_t left_s; /* of its lifetime; -1: for ever, -2: not known */
	bool are_domains_told; /* by detail_tell_domains() */
	struct detail_domain domains[DETAIL_DOMAINS];
};

/* clang-format off */
#define DETAIL_INIT(the_conf, the_spool)                                       \
	{ .conf = (the_conf), .spool = (the_spool), .f = SPOOL_FILE_INIT }
/* clang-format on */

/* Read the envelope of m->entry in m->d. 1; 0: the message is gone. What is
 * not readable is told to o, and the file is closed. */
int detail_read(struct detail *m, struct output *o);

/* Read its log, the pause and the lifetime. */
void detail_read_more(struct detail *m, struct output *o);

/* What is known of the domain m->d, read when it was not. Valid until
 * DETAIL_DOMAINS others were asked for. */
const struct detail_domain *detail_domain(struct detail *m, struct output *o);

/* Tell o what is wrong with the domains of the selected messages, each once:
 * for who goes through many messages, perhaps in several processes. -1: out of
 * memory. */
int detail_tell_domains(const struct select *s, const struct spool *sp,
    struct output *o, struct err *e);

/* It is held for nobody but recipients that turned out not to exist, and has a
 * lifetime of its own. */
bool detail_is_apart(const struct detail *m);

void detail_close(struct detail *m);

/*
 * A message as the members of an object that is open: id, domain, state,
 * arrival, age, next, size, recipients, from, to; body, smtputf8, requiretls,
 * ret, envid; client; attempts, last_try, last_reply, peer; lifetime_left,
 * hold, hold_until, paused. What is not known is null.
 */
void detail_json(struct jline *j, const struct output *o,
    const struct detail *m);

#endif
