#ifndef BMX_QUEUE_SELECT_H
#define BMX_QUEUE_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "bmx-queue/output.h"
#include "spool/spool.h"

/*
 * The messages that the arguments name: by ID (in whatever domain: all copies
 * of the message), by DOMAIN/ID, by domain, or all; of these, those that the
 * filter wants. They are collected by their names alone and sorted by arrival;
 * a message takes about 60 bytes, so a million of them fit anywhere.
 *
 *	select_add() for each name   or  select_all()
 *	select_domains()             which domains are looked at
 *	select_scan()                and which messages
 *	select_in_order()            one after the other
 *
 * or, where no order is needed, and a million are to cost no memory:
 *
 *	select_each()                in place of the last two
 */

/* One name that was given. */
struct select_want {
	char id[SPOOL_ID_LEN + 1]; /* "": all of the domain */
	char *domain;              /* "": any */
	bool is_found;
};

struct select_item {
	size_t name; /* in names */
	uint32_t domain;
	bool is_new;
};

struct filter;

struct select {
	const struct filter *filter; /* borrowed; NULL: none */
	bool is_all;
	struct select_want *wants; /* sorted */
	size_t nwants, wants_room;
	char **domains; /* that exist, sorted */
	size_t ndomains, domains_room;
	struct select_item *items; /* sorted, no message twice */
	size_t nitems, items_room;
	struct buf names;
};

/* clang-format off */
#define SELECT_INIT { .names = BUF_INIT(SIZE_MAX / 2) }
/* clang-format on */

/* Select what name says. -1: ERR_USAGE (it names nothing), ERR_TEMP. */
int select_add(struct select *s, const char *name, struct err *e);

/* True when whole domains are among the names, or all. */
bool select_has_domain(const struct select *s);

/* True when IDs are among them. */
bool select_has_id(const struct select *s);

/* Find the domains to look at. */
int select_domains(struct select *s, const struct spool *sp, struct err *e);

/* True: name is among them. */
bool select_looks_at(const struct select *s, const char *name);

/* Collect the messages. Trouble with one domain is told to o and does not hide
 * the others; -1: out of memory. */
int select_scan(struct select *s, const struct spool *sp, struct output *o,
    struct err *e);

/*
 * Give each message to take(), in no order; one that moves in this moment may
 * come twice. index is that of the domain in s->domains. take() returns 1 to
 * go on, 0 to leave out the rest of the domain, -1 to end. Trouble with a
 * domain or a message is told to o.
 */
typedef int select_take(void *context, size_t index,
    const struct spool_domain *d, const struct spool_entry *entry,
    struct err *e);
int select_each(struct select *s, const struct spool *sp, select_take *take,
    void *context, struct output *o, struct err *e);

/* The next name at or after *i that was given and is not there, and move *i
 * on; NULL: no more. */
const struct select_want *select_missing(const struct select *s, size_t *i);

void select_free(struct select *s);

/*
 * After select_scan(): give each message to visit(), the oldest first; *entry
 * is the visitor's to change. It returns 0 to go on, -1 to end. Trouble with a
 * message before that is told to o.
 */
typedef int select_visit(void *context, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e);
int select_in_order(const struct select *s, const struct spool *sp,
    select_visit *visit, void *context, struct output *o, struct err *e);

/*
 * The same for what many share, as a sync of the disk: each of up to
 * SELECT_BATCH messages goes to prepare(), then settle() is called, then each
 * goes to visit(). at: its place among them, the same both times.
 */
#define SELECT_BATCH 256

typedef int select_visit_at(void *context, size_t at,
    const struct spool_domain *d, struct spool_entry *entry, struct err *e);
struct select_batches {
	select_visit_at *prepare, *visit;
	int (*settle)(void *context, struct err *e);
};
int select_in_batches(const struct select *s, const struct spool *sp,
    const struct select_batches *to, void *context, struct output *o,
    struct err *e);

/* False: since it was listed it has become what the filter does not want. */
bool select_wants(const struct select *s, const struct spool_entry *entry);

/*
 * The message was not at *entry. Others may have deferred, held or released
 * it since it was listed: true, and *entry is where it is now.
 */
bool select_follow(const struct spool_domain *d, struct spool_entry *entry);

#endif
