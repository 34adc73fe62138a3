#ifndef BMX_PRIMARY_H
#define BMX_PRIMARY_H

#include <stdbool.h>
#include <stddef.h>
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

/* The steps of a session with a primary, as far as it came. */
enum primary_phase {
	PRIMARY_DNS,
	PRIMARY_CONNECT,
	PRIMARY_BANNER,
	PRIMARY_EHLO,
	PRIMARY_STARTTLS,
	PRIMARY_TLS,
	PRIMARY_EHLO2,
	PRIMARY_MAIL,
	PRIMARY_RCPT,
	PRIMARY_QUIT,
	PRIMARY_PHASES,
};

/* Latencies are counted by upper bounds of 1, 2, 5, 10, ... 20000 ms, and all
 * above. */
#define PRIMARY_BUCKETS 15

/* What the results of one day were. */
struct primary_day {
	int64_t start_s;              /* its midnight UTC; 0: no day */
	enum primary_verdict verdict; /* after its last result */
	unsigned results, good;
	unsigned took[PRIMARY_PHASES][PRIMARY_BUCKETS];
};

/*
 * A primary that turns up and down all the time is flapping: 6 turns within
 * the last 20 results, until there are only 2. While it is, results do not
 * turn the verdict up.
 */
#define PRIMARY_RECENT_MAX 20

#define PRIMARY_TLS_MAX 16
#define PRIMARY_TLS_AGE_S (30 * 86400)

struct primary {
	enum primary_verdict verdict;
	int64_t since_s;           /* the verdict holds since; 1970 seconds */
	int64_t probed_s;          /* last result */
	int64_t before_s;          /* the one before it; not in the file */
	int64_t good_s;            /* last good result, 0: never */
	enum primary_verdict last; /* the last result alone */
	unsigned run;              /* how many in a row were good, or bad */
	int64_t run_s;             /* the first of them */
	enum primary_verdict told; /* that bmx-probe --on-change told of last */
	bool is_flapping;
	char recent[PRIMARY_RECENT_MAX + 1]; /* 'u' good, 'd' bad, oldest
						first */
	/* Two clocks, in seconds, that run only between results not further
	 * apart than HISTORY_GAP_S, so that no jump of the system's clock moves
	 * them: up_s where both were good, all_s in any case. They never go
	 * back. Messages live by them, see lifetime.h. */
	int64_t up_s, all_s;
	char reason[256];          /* of the last result, printable; "" when
				      it was up */
	char address[128];         /* that answered, "192.0.2.1:25" */
	char host[256];            /* and the name it was found by, or "" */
	struct smtp_offer plain;   /* what EHLO offered in the clear */
	struct smtp_offer secured; /* and after STARTTLS; exts 0: no TLS */
	bool is_authenticated;     /* that session proved who it was with, and
				      was fit for REQUIRETLS */
	/* addresses that spoke TLS within PRIMARY_TLS_AGE_S */
	struct primary_tls {
		char address[128];
		int64_t seen_s; /* last */
	} tls[PRIMARY_TLS_MAX];
	size_t ntls;
	struct primary_day day;  /* of the last result */
	struct primary_day over; /* the day before, if the last result was
				      the first of its own; not in the file */
};

/* clang-format off */
#define PRIMARY_INIT { .verdict = PRIMARY_UNKNOWN }
/* clang-format on */

/*
 * Who reads the state to write it again keeps others who do so waiting, for
 * no longer than that takes. False: somebody holds the lock for a second; go
 * on without, at worst a result is not counted. Unlock only what was locked.
 */
bool primary_lock(int domain_fd);
void primary_unlock(int domain_fd);

/*
 * Read the state in domain_fd (struct spool_domain's fd). A missing file is
 * PRIMARY_UNKNOWN and 0; a damaged one is PRIMARY_UNKNOWN and -1 (ERR_DATA).
 * A state older than max_age_s (0: any age) reads as PRIMARY_UNKNOWN, never
 * as down; the other members are as stored. 1: read.
 */
int primary_read(int domain_fd, int64_t now_s, int64_t max_age_s,
    struct primary *p, struct err *e);

/* Replace the state, and take what changed into the history (history.h). -1:
 * one of both could not be written; the next write makes up for it. */
int primary_write(int domain_fd, const struct primary *p, struct err *e);

/*
 * Take one result into account: the verdict turns up after rise good results
 * in a row and away from up after fall bad ones (a first result counts at
 * once, and so does one after unknown). Returns true when the verdict changed.
 */
bool primary_learn(struct primary *p, enum primary_verdict result,
    const char *reason, unsigned rise, unsigned fall, int64_t now_s);

/*
 * A session with p->address that can send mail is in TLS, or not. True: it is
 * not, and that address had TLS before: a downgrade. When there are too many
 * addresses the one that was seen longest ago is forgotten.
 */
bool primary_saw_tls(struct primary *p, bool in_tls, int64_t now_s);

/* Count how long a step took, after primary_learn() of its result. */
void primary_took(struct primary *p, enum primary_phase phase, int64_t ms);

/* A bucket's upper bound in ms; of the last one -1: none. */
int64_t primary_bucket_ms(unsigned bucket);

/* "up", "deferring", "down", "unknown"; false: text is none of them. */
const char *primary_verdict_name(enum primary_verdict verdict);
bool primary_verdict_of(enum primary_verdict *verdict, const char *text,
    size_t len);

/* "connect", "ehlo2". */
const char *primary_phase_name(enum primary_phase phase);

/* A day as text, "2026-11-24 up results=1440 good=1439 connect=3:1400,4:12"
 * with a histogram for each phase that has any (bucket:count), and back.
 * False: it is no such text. */
struct buf;
void primary_format_day(struct buf *b, const struct primary_day *day);
bool primary_parse_day(struct primary_day *day, const char *text, size_t len);

#endif
