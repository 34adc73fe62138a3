#ifndef BMX_SPOOL_H
#define BMX_SPOOL_H

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "mail/addr.h"
#include "mail/envelope.h"

/*
 * The spool: one Maildir for each domain. Nobody else creates, renames or
 * removes messages. bmx-spool(5) is the specification of what is on disk.
 *
 *	SPOOL/DOMAIN/tmp/   being written (where O_TMPFILE is not to be had), and
 *	                    notices that are prepared: see bounce.h
 *	SPOOL/DOMAIN/new/   durable, never tried
 *	SPOOL/DOMAIN/cur/   tried or touched by the operator; flags after ":2,"
 *	SPOOL/DOMAIN/log/ID what happened, a line per event
 *	SPOOL/DOMAIN/lock   held by the flusher of the domain
 *
 * A message is one file ID,S=BYTES,R=RECIPIENTS; BYTES is the size of the
 * whole file. ",H=SECONDS" follows when it was held for so long, ",U=SECONDS"
 * (since 1970) while it is held until then. A message visible in new/ or cur/
 * is always whole.
 */

#define SPOOL_ID_LEN                                                           \
	21 /* 11 digits of time in microseconds, 10 of chance; each
			     of 0-9a-v, so that IDs sort by arrival */
#define SPOOL_NAME_MAX 96 /* bytes with flags and NUL */

struct spool {
	int fd; /* the root directory, -1 when closed */
	char path[1024];
};

/* clang-format off */
#define SPOOL_INIT { -1, "" }
/* clang-format on */

/*
 * For programs that people run: when root runs us, become the spool's owner,
 * for good, so that nothing in the spool ends up as root's. Does nothing for
 * anybody else, or when the spool is root's or missing. After the
 * configuration is read, before the log is opened.
 */
int spool_act_as_owner(const char *path, struct err *e);

/*
 * Open the spool. It must exist, be a directory, belong to the effective user
 * and not be writable by others; else -1 with what to do about it.
 */
int spool_open(struct spool *sp, const char *path, struct err *e);
void spool_close(struct spool *sp);

/* Make the names in the root durable. Each call has a descriptor of its own:
 * sp->fd stays open for long, is shared with children, and a sync that failed is
 * never tried again on the same one. 0, -1. */
int spool_sync_root(const struct spool *sp, struct err *e);

/* One domain's Maildir, its directories open. name is folded
 * (addr_fold_domain), so it is a safe file name. */
struct spool_domain {
	char name[ADDR_DOMAIN_MAX + 1];
	int fd, new_fd, cur_fd, log_fd, lock_fd; /* -1 when closed */
	bool has_proc; /* /proc/self/fd is there to name O_TMPFILE files by;
			  set by spool_domain_open() with create */
	uid_t owner;   /* us: whose files alone are read */
};

/* clang-format off */
#define SPOOL_DOMAIN_INIT { "", -1, -1, -1, -1, -1, false, 0 }
/* clang-format on */

/* Can there be a Maildir of that name? It is folded, and nothing else that
 * the spool has. */
bool spool_is_domain(const char *name);

/*
 * Open a domain's Maildir; with create, make what is missing and sync it.
 * Returns 1, or 0 when it does not exist (and create is false), or -1
 * (ERR_DATA: domain is no folded name, or "ledger"). Without create a missing
 * new/, cur/ or log/ counts as an empty one.
 */
int spool_domain_open(struct spool_domain *d, const struct spool *sp,
    const char *domain, bool create, struct err *e);
void spool_domain_close(struct spool_domain *d);

/*
 * The same with create, for who writes to one domain again and again: d may be
 * open from before, by this or with create. It is kept when SPOOL/DOMAIN/new
 * is still the directory that it was then, and opened anew when the Maildir
 * was removed, renamed or replaced since. tmp/, cur/ and log/ are not looked
 * for again. -1: d is closed.
 */
int spool_domain_need(struct spool_domain *d, const struct spool *sp,
    const char *domain, struct err *e);

/*
 * Remove a domain's Maildir when nothing is in it, under its lock. Whoever
 * puts a message there in this moment fails with ENOENT and opens it anew,
 * which makes it again. 1; 0 when something is there, or came; -1.
 */
int spool_domain_remove(const struct spool_domain *d, const struct spool *sp,
    struct err *e);

/*
 * Take the domain's lock (an open file description lock, good across hosts on
 * NFS), without waiting. Returns 1, 0 when another process has it or has
 * removed the domain, or -1. Closing the domain gives it back.
 */
int spool_domain_lock(struct spool_domain *d, struct err *e);

/* The domains that have a directory, in no order; and symbolic links of such a
 * name, which spool_domain_open() refuses, so that whoever looks says so. 1 and
 * *name, 0, -1. */
struct spool_domains {
	DIR *dir;
	char name[ADDR_DOMAIN_MAX + 1];
};
int spool_domains_open(struct spool_domains *l, const struct spool *sp,
    struct err *e);
int spool_domains_next(struct spool_domains *l, struct err *e);
void spool_domains_close(struct spool_domains *l);

/* ---- writing: begin, write, commit or abort (bmx-receive, DSNs) ---- */

struct spool_msg {
	const struct spool_domain *domain; /* borrowed until commit or abort */
	int fd; /* -1 when there is nothing to abort */
	char id[SPOOL_ID_LEN + 1];
	char name[SPOOL_NAME_MAX]; /* in new/, once committed */
	bool in_tmp;               /* it has the name tmp/ID */
	uint64_t size;             /* bytes written and buffered */
	unsigned nrcpt;
	int64_t held_s; /* for so long it was held elsewhere, if it was: to be
			   set after spool_begin() */
	bool is_told;   /* flag W; to be set after spool_begin(), too */
	struct buf pending; /* not yet given to the kernel */
};

/* clang-format off */
#define SPOOL_MSG_INIT \
	{ NULL, -1, "", "", false, 0, 0, 0, false, BUF_INIT(256 * 1024) }
/* clang-format on */

/* A new ID for a message that arrives now: unique without asking anybody. */
int spool_new_id(char id[SPOOL_ID_LEN + 1], int64_t arrival_us, struct err *e);

/* The arrival time in an ID, microseconds. -1: not an ID. */
int64_t spool_id_arrival_us(const char *id);

/* Begin a message for nrcpt recipients. Copies of one message in several
 * domains share its ID. -1: ERR_TEMP. */
int spool_begin(struct spool_msg *m, const struct spool_domain *d,
    const char *id, unsigned nrcpt, struct err *e);

/* Append bytes; small writes are gathered. -1: ERR_TEMP, m is to be aborted. */
int spool_write(struct spool_msg *m, const char *data, size_t len,
    struct err *e);

/* Have all bytes on disk, once: what remains for spool_commit() seldom fails. No
 * more is written then. -1: ERR_TEMP, m is to be aborted. */
int spool_settle(struct spool_msg *m, struct err *e);

/*
 * Make n messages (one per domain) durable and visible: every file written
 * and synced, then each linked into its new/, then each new/ synced. Only
 * after 0 may the caller answer 250: from then on the message is ours (RFC
 * 5321 sections 4.2.5 and 6.1). After -1 (always ERR_TEMP) none of them is in
 * new/, unless even taking it back failed: then mail comes twice, not never.
 * A sync that failed is never tried again. All are aborted or done on return.
 */
int spool_commit(struct spool_msg *const *msgs, size_t n, struct err *e);

/* Forget a message that was not committed; does nothing otherwise. */
void spool_abort(struct spool_msg *m);

/*
 * ---- in two steps: prepare, publish ----
 *
 * What has to appear once and no more, with something else that has to happen
 * once, is prepared first: tmp/NAME, whole and durable, in no Maildir's new/.
 * NAME is "ID.WORD", chosen by the caller; one that is there is replaced. All
 * of it under the domain's lock. -1: ERR_TEMP, and m is to be aborted.
 */
#define SPOOL_PREPARED_MAX 40 /* bytes with NUL */
int spool_prepare(struct spool_msg *m, const char *name, struct err *e);

/*
 * Then it is moved into new/ of its own domain, by one rename. 1; 0 when it is
 * not there, so it was published before; -1, with e->sys ENOENT when the
 * Maildir to has been removed: open it anew.
 */
int spool_publish(const struct spool_domain *from, const char *name,
    const struct spool_domain *to, const char *id, unsigned nrcpt,
    struct err *e);

/* What is prepared in a domain: a crash left it. 1 and name; 0; -1. */
struct spool_prepared {
	DIR *dir;
};
int spool_prepared_open(struct spool_prepared *l, const struct spool_domain *d,
    struct err *e);
int spool_prepared_next(struct spool_prepared *l, char name[SPOOL_PREPARED_MAX],
    struct err *e);
void spool_prepared_close(struct spool_prepared *l);

/* ---- looking: names alone, no file is opened ---- */

struct spool_entry {
	char name[SPOOL_NAME_MAX]; /* as in its directory, with flags */
	char id[SPOOL_ID_LEN + 1];
	bool is_new;        /* in new/, else in cur/ */
	bool is_held;       /* flag F */
	bool is_unwanted;   /* flag X: held apart, see spool_hold_apart() */
	bool is_told;       /* flag W: its sender was told that it waits */
	int64_t held_s;     /* for so long it was held, before */
	int64_t until_s;    /* it is held until then; 0: until released */
	int64_t arrival_us; /* from the ID: file times say nothing about age */
	uint64_t size;      /* of the file */
	unsigned nrcpt;
};

/* Parse a name (in new/ or cur/). False: it is not one of ours. Flags are
 * allowed in new/ too, and none in cur/: an operator may have moved the file. */
bool spool_parse_name(struct spool_entry *entry, const char *name, bool is_new);

/*
 * The messages of a domain in no order. A message that goes from new/ to cur/
 * while the list is read may come twice, never not at all: new/ is read
 * first. One that is held or released in that moment (a rename inside cur/)
 * may be missed once.
 * spool_list_next: 1 and *entry; 0 at the end; -1. Names that are not ours
 * are counted in foreign and passed over.
 */
struct spool_list {
	DIR *dir;
	bool in_new;
	int cur_fd;
	unsigned long foreign;
};
int spool_list_open(struct spool_list *l, const struct spool_domain *d,
    struct err *e);
int spool_list_next(struct spool_list *l, struct spool_entry *entry,
    struct err *e);
void spool_list_close(struct spool_list *l);

/* Find a message by ID. 1, 0 when it is not in this domain, -1. */
int spool_find(const struct spool_domain *d, const char *id,
    struct spool_entry *entry, struct err *e);

/* When it is to be tried next, seconds since 1970: its mtime in cur/; 0 (at
 * once) in new/. 1, 0 when it is gone, -1. */
int spool_next_try(const struct spool_domain *d,
    const struct spool_entry *entry, int64_t *when_s, struct err *e);

/* ---- reading one message ---- */

struct spool_file {
	int fd; /* positioned nowhere in particular: use pread(2) */
	struct envelope env;
	uint64_t content;     /* offset of the message: our Received field */
	uint64_t size;        /* of the file */
	int64_t mtime_s;      /* see spool_next_try() */
	bool has_sync_failed; /* see spool_file_sync() */
};

/* clang-format off */
#define SPOOL_FILE_INIT { -1, ENVELOPE_INIT, 0, 0, 0, false }
/* clang-format on */

/*
 * Open and read the envelope. Links, FIFOs, devices, files of another user
 * and files of another size than their name says are refused. 1; 0 when it
 * is gone; -1: ERR_DATA when the file is not whole, not ours or may not be
 * opened, ERR_TEMP.
 * writable: recipient states are going to be changed.
 */
int spool_file_open(struct spool_file *f, const struct spool_domain *d,
    const struct spool_entry *entry, bool writable, struct err *e);
/* The same for what spool_prepare() made. */
int spool_file_open_prepared(struct spool_file *f, const struct spool_domain *d,
    const char *name, struct err *e);
void spool_file_close(struct spool_file *f);

/* Up to n bytes from offset at on; 0: at is its size. -1: ERR_DATA when it has
 * become shorter, ERR_TEMP. */
ssize_t spool_file_read(const struct spool_file *f, uint64_t at, char *room,
    size_t n, struct err *e);

/* Overwrite the state of recipient i in place (flush only, under the lock).
 * Sets the file's mtime to now: spool_defer() comes after the marks. */
int spool_file_mark(struct spool_file *f, size_t i, enum rcpt_state state,
    struct err *e);

/* Make the marks durable. After one failure it fails without asking: a second
 * sync says yes to marks that are lost. */
int spool_file_sync(struct spool_file *f, struct err *e);

/*
 * ---- changing one message: each is one rename or unlink ----
 * Each returns 1; 0 when the message is gone or moved on: that is no error;
 * -1. *entry follows the message to its new name.
 */
int spool_defer(const struct spool_domain *d, struct spool_entry *entry,
    int64_t next_try_s, struct err *e);
/* Its mtime says since when, so that spool_release() can add that to the name:
 * the clock of a held message stands still. */
int spool_hold(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e);
/* The same with an end: then bmx-flush releases it. */
int spool_hold_until(const struct spool_domain *d, struct spool_entry *entry,
    int64_t until_s, struct err *e);
/* It is held, and its hold has not ended. */
bool spool_is_held(const struct spool_entry *entry, int64_t now_s);
/* The same with flag X: what nobody will want, and is not kept for long. */
int spool_hold_apart(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e);
/* Flag W. */
int spool_tell(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e);
int spool_release(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e);
/* For how long it was held, until now where it still is, since the mtime. */
int64_t spool_held_s(const struct spool_entry *entry, int64_t since_s);
/* Its log/ID goes too. Not durable before spool_sync(). */
int spool_remove(const struct spool_domain *d, const struct spool_entry *entry,
    struct err *e);

/* Make durable what became of messages so far, one call for many: until then
 * a power cut may bring one back that was removed. 0; -1: d is not synced again,
 * that would say yes to what was lost. */
int spool_sync(const struct spool_domain *d, struct err *e);

/* Append "TIME text" to log/ID. Failure is ignored: nothing may be wrong for
 * want of a line. Of a log
 * that grows beyond 256 KiB the middle is left out. */
void spool_note(const struct spool_domain *d, const char *id, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));

/* Append log/ID to b, at most 256 KiB of it: of a longer one the middle is
 * left out, which a line says. 1; 0 when there is none; -1. */
int spool_log_read(const struct spool_domain *d, const char *id, struct buf *b,
    struct err *e);

#endif
