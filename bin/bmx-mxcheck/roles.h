#ifndef BMX_MXCHECK_ROLES_H
#define BMX_MXCHECK_ROLES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "facts.h"
#include "mail/addr.h"
#include "spool/config.h"

/*
 * Which MX hosts are meant to be the primary and which the backup: what the
 * command line says, else for a domain of bmx.conf: this host is the backup,
 * and the primary is what bmx.conf names, or whoever is better than us.
 */
#define ROLES_MAX (2 * CONFIG_LIST_MAX) /* words of one role */

/* A host name or an address. */
struct role_word {
	char name[ADDR_DOMAIN_MAX + 1]; /* folded; "" for an address */
	struct endpoint ep;             /* len 0 for a name */
	const char *text;               /* as it was given; borrowed */
};

struct role_words {
	struct role_word word[ROLES_MAX];
	size_t n;
};

struct roles {
	struct role_words primary, backup;
	bool backup_is_us;     /* the words of backup are names and addresses of
				  this one host */
	bool primary_is_route; /* the words of primary say where bmx.conf sends
				  mail; they need not be MX hosts */
};

/* clang-format off */
#define ROLES_INIT { .backup_is_us = false }
/* clang-format on */

/* The roles of every domain of a run. */
struct role_book {
	struct roles named; /* by --primary and --backup, for all domains */
	struct roles ours;  /* the same for a domain of bmx.conf */
	const struct config *config; /* borrowed; NULL: there is none */
};

/* clang-format off */
#define ROLE_BOOK_INIT { .config = NULL }
/* clang-format on */

/* Add a word of the command line. -1 (ERR_USAGE): no host name or address, or
 * too many. */
int roles_add(struct role_words *w, const char *text, struct err *e);

/* With config (or NULL) set: once named is complete, prepare ours. -1:
 * ERR_CONFIG. */
int roles_prepare(struct role_book *book, struct err *e);

/* The roles that count for a (folded) domain; valid until the next call. */
const struct roles *roles_for(struct role_book *book, const char *domain);

/* True if the word means this MX host. */
bool role_word_is(const struct role_word *w, const struct fact_host *h);

/* Look the hosts' addresses up among this host's interfaces (is_local). */
void roles_find_local(struct facts *f);

#endif
