#ifndef BMX_PRIMARY_H
#define BMX_PRIMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/smtp.h"

/*
 * SPOOL/DOMAIN/primary: the last verdict on a domain's primary, "key value"
 * lines, replaced atomically. Written by bmx-probe, and by bmx-flush when it
 * learns something; bmx-spool(5) lists the keys. Keys a reader does not know
 * are passed over.
 */

enum primary_verdict {
	PRIMARY_UNKNOWN,   /* never probed, or too long ago */
	PRIMARY_UP,        /* it answers and would take mail */
	PRIMARY_DEFERRING, /* it answers, with 4yz */
	PRIMARY_DOWN,
};

struct primary {
	enum primary_verdict verdict;
	int64_t since_s;           /* the verdict holds since; 1970 seconds */
	int64_t probed_s;          /* last result */
	int64_t good_s;            /* last good result, 0: never */
	enum primary_verdict last; /* the last result alone */
	unsigned run;              /* how many in a row were good, or bad */
	char reason[256];          /* of the last result, printable; "" when
				      it was up */
	char address[128];         /* that answered, "192.0.2.1:25" */
	struct smtp_offer plain;   /* what EHLO offered in the clear */
	struct smtp_offer secured; /* and after STARTTLS; exts 0: no TLS */
};

/* clang-format off */
#define PRIMARY_INIT { .verdict = PRIMARY_UNKNOWN }
/* clang-format on */

/*
 * Read the state in domain_fd (struct spool_domain's fd). A missing file is
 * PRIMARY_UNKNOWN and 0; a damaged one is PRIMARY_UNKNOWN and -1 (ERR_DATA).
 * A state older than max_age_s (0: any age) reads as PRIMARY_UNKNOWN, never
 * as down; the other members are as stored. 1: read.
 */
int primary_read(int domain_fd, int64_t now_s, int64_t max_age_s,
    struct primary *p, struct err *e);

/* Replace the state. */
int primary_write(int domain_fd, const struct primary *p, struct err *e);

/*
 * Take one result into account: the verdict turns up after rise good results
 * in a row and away from up after fall bad ones (a first result counts at
 * once, and so does one after unknown). Returns true when the verdict changed.
 */
bool primary_learn(struct primary *p, enum primary_verdict result,
    const char *reason, unsigned rise, unsigned fall, int64_t now_s);

/* "up", "deferring", "down", "unknown". */
const char *primary_verdict_name(enum primary_verdict verdict);

#endif
