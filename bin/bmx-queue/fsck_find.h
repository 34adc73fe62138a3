#ifndef BMX_QUEUE_FSCK_FIND_H
#define BMX_QUEUE_FSCK_FIND_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "bmx-queue/output.h"
#include "spool/spool.h"

/* A check at work, and what it found. */
struct fsck {
	struct output *o;
	const struct spool *sp;
	bool repair;
	const char *domain; /* that it is at; "": the spool itself */
	size_t messages, problems, repaired;
	struct buf ids; /* of the domain's messages, SPOOL_ID_LEN each */
	bool is_full;   /* memory ran out for a line */
};

#define FSCK_STALE_S (36 * 3600) /* nobody writes one file for so long */

/* Tell of a problem with DIRECTORY/NAME ("" for the directory itself). */
void fsck_tell(struct fsck *f, const char *directory, const char *name,
    bool is_repaired, const char *problem);

/* What fsck_look() takes. */
enum fsck_kind { FSCK_FILE, FSCK_DIRECTORY };

/*
 * Kind, owner, links and mode of a name, without following it; a wrong mode is
 * repaired. 1 and *st: it can be looked into; 0: it is gone, or of another
 * kind or owner, which was told.
 */
int fsck_look(struct fsck *f, int dirfd, const char *directory,
    const char *name, enum fsck_kind kind, struct stat *st);

/* A directory, not followed. -1: it is gone, or cannot be opened, which was
 * told. */
int fsck_open(struct fsck *f, int dirfd, const char *name);

/* The names of a directory, but "." and "..", each to take(); one that cannot
 * be read is told. fd stays open. */
typedef void fsck_take(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name);
void fsck_each(struct fsck *f, const struct spool_domain *d, int fd,
    const char *directory, fsck_take *take);

#endif
