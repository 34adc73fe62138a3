#ifndef BMX_MEMORY_H
#define BMX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "mail/addr.h"
#include "mail/smtp.h"

/*
 * The recipient memory: what is known of the recipients of the domains, so
 * that unknown ones can be told from known ones while the primary is away.
 *
 *	STATE/recipients/data.mdb	an LMDB file, and lock.mdb
 *	STATE/recipients/busy		who is at work in it, see memory_db.h
 *	STATE/recipients.damaged-TIME	set aside: nothing reads it again
 *
 * Many short-lived processes read and write it at once: readers wait for
 * nobody, writers take turns. It survives kill -9 at any point, and a power
 * cut costs at most the last thing learned (each transaction's pages are
 * synced before the page that makes them count, which is not synced itself).
 * It is for one host: LMDB does not work on network file systems.
 *
 * A recipient is the folded name of a domain, as in bmx.conf, and a local
 * part, in which ASCII letters are the same in either case; otherwise it is
 * taken byte for byte, quotes included.
 *
 * It is memory, not mail: whatever fails here, mail goes on. A struct that
 * is closed (never opened, failed to, or lost its file) knows nothing and
 * learns nothing, and every call is harmless. A damaged file is renamed and
 * an empty one takes its place; the call that finds it damaged says so
 * (ERR_DATA, for the caller's alarm).
 *
 * One struct per process at a time, not used across fork(2): LMDB's locks
 * belong to the process.
 */

enum memory_answer {
	MEMORY_UNKNOWN, /* asked, and no verdict */
	MEMORY_GOOD,    /* the primary takes mail for it */
	MEMORY_BAD,     /* it says there is no such recipient */
};

enum memory_source {
	MEMORY_LIST,    /* the domain's list of recipients */
	MEMORY_SESSION, /* an SMTP session relayed live */
	MEMORY_FLUSH,
	MEMORY_PROBE,
	MEMORY_IMPORT, /* bmx-queue recipients import */
};

struct memory_fact {
	enum memory_answer answer;
	enum memory_source source;
	int64_t learned_s; /* seconds since 1970 */
};

/* How long facts are believed: keys good-age and bad-age of bmx.conf. What is
 * older counts as unknown. */
struct memory_ages {
	unsigned good_s, bad_s;
};

/* Of the pages in use; then bad answers are forgotten to make room. */
#define MEMORY_BYTES_MAX ((size_t)256 * 1024 * 1024)

struct memory {
	struct MDB_env *env; /* NULL: closed */
	unsigned dbi;
	int dir_fd, busy_fd;
	dev_t dev; /* of data.mdb, when it was opened */
	ino_t ino;
	off_t size;
	char path[1024];  /* STATE/recipients */
	size_t bytes_max; /* set before opening, for tests */
};

/* clang-format off */
#define MEMORY_INIT { NULL, 0, -1, -1, 0, 0, 0, "", MEMORY_BYTES_MAX }
/* clang-format on */

/*
 * Open the memory in the state directory, which must exist, belong to the
 * effective user and be writable by nobody else. Returns 0; or 1 when it is
 * open and empty because a damaged one was set aside: *e says so and is an
 * alarm; or -1: m is closed.
 */
int memory_open(struct memory *m, const char *state, struct err *e);

/*
 * The same for one that may be open already, of this state directory: it stays
 * open while its file is the one that others find, whole, and nobody has died
 * at work in it. Between calls an open one holds no page and no lock that
 * others wait for.
 */
int memory_need(struct memory *m, const char *state, struct err *e);
void memory_close(struct memory *m);

/* What is known of a recipient, however old. 1 and *fact, 0: nothing, -1. */
int memory_find(struct memory *m, const char *domain, const struct addr *rcpt,
    struct memory_fact *fact, struct err *e);

/* What a fact is worth now: MEMORY_UNKNOWN when it is too old. Pure. */
enum memory_answer memory_believe(const struct memory_fact *fact,
    const struct memory_ages *ages, int64_t now_s);

/*
 * Learn n facts in one transaction; best one call for a whole session, when
 * its client has been served, since it syncs. What is known already, and not
 * for long (an hour for good answers, a minute for others), is not written
 * again, so most sessions write nothing. Of a domain with a catch-all only
 * lists and imports teach. MEMORY_UNKNOWN replaces no other answer.
 *
 * Returns how many were written, or -1: ERR_TEMP, none was; "full" when there
 * are only good answers left and no room.
 */
struct memory_lesson {
	const char *domain; /* folded */
	const struct addr *rcpt;
	struct memory_fact fact;
};
int memory_learn(struct memory *m, const struct memory_lesson *lessons,
    size_t n, struct err *e);

/*
 * What a primary's reply to RCPT teaches: MEMORY_GOOD for 2yz, MEMORY_BAD
 * for 550, 551 and 553 that speak of the recipient (enhanced 5.1.0, 5.1.1,
 * 5.1.3, 5.1.6, or none), else MEMORY_UNKNOWN: learn nothing. Policy (5.7.x),
 * the sender (5.1.7, 5.1.8), the domain as such (5.1.2, 5.1.10), a full
 * mailbox and all that is temporary say nothing about who exists. Pure.
 */
enum memory_answer memory_judge(const struct smtp_reply *reply);

/*
 * The same for a whole session: its replies to RCPT are noted as they come,
 * the last one of each recipient, and learned when it is over. What teaches
 * nothing is not noted, what does not fit is learned another time. Domains
 * are borrowed. memory_learn_notes() empties the notes, whatever it returns.
 */
#define MEMORY_NOTES_MAX 100

struct memory_notes {
	struct memory_note *notes;
	size_t n;
};

/* clang-format off */
#define MEMORY_NOTES_INIT { NULL, 0 }
/* clang-format on */

void memory_note(struct memory_notes *n, const char *domain,
    const struct addr *rcpt, const struct smtp_reply *said);
int memory_learn_notes(struct memory_notes *n, struct memory *m,
    enum memory_source source, struct err *e);

/*
 * Whether the primary accepts everybody (a random address was accepted);
 * believed for 30 days. memory_is_catchall: 1, 0, -1. memory_asks_catchall: 1
 * when that was not found out for a day, and is worth another question.
 */
int memory_set_catchall(struct memory *m, const char *domain, bool is_catchall,
    int64_t now_s, struct err *e);
int memory_is_catchall(struct memory *m, const char *domain, int64_t now_s,
    struct err *e);
int memory_asks_catchall(struct memory *m, const char *domain, int64_t now_s,
    struct err *e);

/*
 * All recipients of a domain (NULL: of all domains) in the order of their
 * bytes; local is printable (or UTF-8), and "" for a catch-all. No
 * transaction is open while take() runs: it may call us again and take its
 * time. Other than 0 from take() ends the walk and is returned. Else 0, -1.
 */
struct memory_entry {
	char domain[ADDR_DOMAIN_MAX + 1];
	char local[ADDR_LOCAL_MAX + 1]; /* folded */
	struct memory_fact fact;
};
int memory_each(struct memory *m, const char *domain,
    int (*take)(void *arg, const struct memory_entry *entry), void *arg,
    struct err *e);

/* Forget one recipient, or with NULL all of the domain. Returns how many. */
long memory_forget(struct memory *m, const char *domain,
    const struct addr *rcpt, struct err *e);

/* The local part as the memory compares and lists it. out has
 * ADDR_LOCAL_MAX + 1 bytes. */
void memory_fold(char *out, const struct addr *rcpt);

/*
 * Make the good recipients of the domain exactly these, in one transaction:
 * locals are folded, sorted by their bytes, none twice. Refused, and nothing
 * changed, when more than shrink_max percent of those that are believed good
 * now would be lost. Bad answers for others stay.
 */
struct memory_import {
	const char *domain;
	char *const *locals;
	size_t nlocals;
	unsigned shrink_max; /* percent */
	struct memory_ages ages;
	int64_t now_s;
};
struct memory_change {
	size_t before, lost, added; /* good recipients */
};

/* 1 done, 0 refused; *change is set for both. -1. */
int memory_replace(struct memory *m, const struct memory_import *import,
    struct memory_change *change, struct err *e);

/* "good", "bad", "unknown"; "list", "session", "flush", "probe", "import". */
const char *memory_answer_name(enum memory_answer answer);
const char *memory_source_name(enum memory_source source);

#endif
