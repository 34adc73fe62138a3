#include "bmx-queue/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "bmx-queue/fsck_find.h"
#include "spool/paused.h"
#include "spool/primary.h"

static int64_t
now_s(const struct fsck *f)
{
	return f->o->now_us / 1000000;
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, SPOOL_ID_LEN);
}

static bool
has_id(const struct fsck *f, const char *id)
{
	return f->ids.len > 0 &&
	       bsearch(id, f->ids.data, f->ids.len / SPOOL_ID_LEN, SPOOL_ID_LEN,
		   compare_ids) != NULL;
}

/* ---- messages ---- */

/* One that nobody can deliver is held, so that nobody tries. */
static void
tell_damaged(struct fsck *f, const struct spool_domain *d,
    const char *directory, struct spool_entry *entry, const char *problem)
{
	char name[SPOOL_NAME_MAX];
	struct err ignored;
	bool is_held;

	snprintf(name, sizeof name, "%s", entry->name);
	is_held =
	    f->repair && !entry->is_held && spool_hold(d, entry, &ignored) == 1;
	fsck_tell(f, directory, name, is_held, problem);
}

static void
look_inside(struct fsck *f, const struct spool_domain *d, const char *directory,
    struct spool_entry *entry)
{
	struct spool_file file = SPOOL_FILE_INIT;
	struct err e;
	char *text;

	if (spool_file_open(&file, d, entry, false, &e) == -1) {
		/* the name is told already */
		text = strstr(e.text, entry->name);
		text = text == NULL ? e.text : text + strlen(entry->name);
		text += strspn(text, ": ");
		tell_damaged(f, d, directory, entry, text);
	}
	spool_file_close(&file);
}

static void
take_message(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name)
{
	struct spool_entry entry;
	struct stat st;
	char problem[64];

	if (!spool_parse_name(&entry, name, dirfd == d->new_fd)) {
		fsck_tell(f, directory, name, false, "not a name of bmx's");
		return;
	}
	if (fsck_look(f, dirfd, directory, name, FSCK_FILE, &st) == 0)
		return;
	f->messages++;
	buf_add(&f->ids, entry.id, SPOOL_ID_LEN);
	if ((uint64_t)st.st_size == entry.size) {
		look_inside(f, d, directory, &entry);
		return;
	}
	snprintf(problem, sizeof problem, "has %lld bytes, not as named",
	    (long long)st.st_size);
	tell_damaged(f, d, directory, &entry, problem);
}

/* An ID twice: moved while it was read, or copied by somebody. */
static void
look_for_copies(struct fsck *f, const struct spool_domain *d)
{
	size_t n = f->ids.len / SPOOL_ID_LEN;

	qsort(f->ids.data, n, SPOOL_ID_LEN, compare_ids);
	for (size_t i = 1; i < n; i++) {
		const char *one = f->ids.data + (i - 1) * SPOOL_ID_LEN;
		char id[SPOOL_ID_LEN + 1];
		struct spool_entry entry;
		struct spool_list l;
		struct err e;
		size_t found = 0;
		int rc;

		if (memcmp(one, one + SPOOL_ID_LEN, SPOOL_ID_LEN) != 0)
			continue;
		memcpy(id, one, SPOOL_ID_LEN);
		id[SPOOL_ID_LEN] = '\0';
		rc = spool_list_open(&l, d, &e);
		while (rc != -1 && (rc = spool_list_next(&l, &entry, &e)) == 1)
			found += strcmp(entry.id, id) == 0;
		spool_list_close(&l);
		if (rc == -1)
			fsck_tell(f, "", id, false, e.text);
		else if (found > 1)
			fsck_tell(f, "", id, false, "is there twice");
	}
}

/* ---- tmp/, log/ ---- */

static bool
is_stale(const struct fsck *f, const struct stat *st)
{
	return st->st_mtime < now_s(f) - FSCK_STALE_S &&
	       st->st_ctime < now_s(f) - FSCK_STALE_S;
}

/* A message that was never answered for, or a notice that was prepared. */
static void
take_tmp(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name)
{
	bool is_message = spool_id_arrival_us(name) != -1;
	struct stat st;

	(void)d;
	if (fsck_look(f, dirfd, directory, name, FSCK_FILE, &st) == 0 ||
	    !is_stale(f, &st))
		return;
	if (is_message)
		fsck_tell(f, directory, name,
		    f->repair && unlinkat(dirfd, name, 0) == 0,
		    "left behind, older than 36 hours");
	else
		fsck_tell(f, directory, name, false,
		    "older than 36 hours: does bmx-flush run?");
}

/* Nothing of ours beside messages and the ledger comes near. */
#define STATE_MAX (16 * 1024 * 1024)

static void
look_at_size(struct fsck *f, const char *directory, const char *name,
    const struct stat *st)
{
	char problem[64];

	if (st->st_size <= STATE_MAX)
		return;
	snprintf(problem, sizeof problem, "has %lld bytes, too many",
	    (long long)st->st_size);
	fsck_tell(f, directory, name, false, problem);
}

static void
take_log(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name)
{
	struct spool_entry entry;
	struct stat st;
	struct err ignored;

	if (fsck_look(f, dirfd, directory, name, FSCK_FILE, &st) == 0)
		return;
	look_at_size(f, directory, name, &st);
	if (has_id(f, name) || !is_stale(f, &st))
		return;
	if (spool_id_arrival_us(name) == -1)
		fsck_tell(f, directory, name, false, "not a name of bmx's");
	else if (spool_find(d, name, &entry, &ignored) == 0)
		fsck_tell(f, directory, name,
		    f->repair && unlinkat(dirfd, name, 0) == 0,
		    "the log of a message that is gone");
}

/* ---- a domain ---- */

static const struct {
	const char *name;
	fsck_take *take;
} parts[] = {
	{ "new", take_message }, /* before cur: mail moves this way */
	{ "cur", take_message },
	{ "tmp", take_tmp },
	{ "log", take_log },
};
#define PARTS (sizeof parts / sizeof *parts)

static int
fd_of_part(const struct spool_domain *d, size_t i)
{
	const int fds[] = { d->new_fd, d->cur_fd, -1, d->log_fd };

	return fds[i];
}

static void
look_at_part(struct fsck *f, const struct spool_domain *d, size_t i)
{
	int open_fd = fd_of_part(d, i), fd = open_fd;
	struct stat st;

	if (fsck_look(f, d->fd, "", parts[i].name, FSCK_DIRECTORY, &st) == 0)
		return;
	if (fd == -1)
		fd = fsck_open(f, d->fd, parts[i].name);
	if (fd == -1)
		return;
	fsck_each(f, d, fd, parts[i].name, parts[i].take);
	if (open_fd == -1)
		close(fd);
}

/* ".primary.123.abc" is one that is being replaced. */
static bool
is_known_name(const char *name)
{
	static const char *const known[] = { "lock", "primary", "history",
		"paused", "unverified", "etrn" };

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		size_t len = strlen(known[i]);

		if (strcmp(name, known[i]) == 0 ||
		    (name[0] == '.' && strncmp(name + 1, known[i], len) == 0 &&
			name[len + 1] == '.'))
			return true;
	}
	return false;
}

static void
take_top(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name)
{
	struct stat st;

	(void)d;
	for (size_t i = 0; i < PARTS; i++)
		if (strcmp(name, parts[i].name) == 0)
			return;
	if (!is_known_name(name)) {
		fsck_tell(f, directory, name, false, "not a name of bmx's");
		return;
	}
	if (fsck_look(f, dirfd, directory, name, FSCK_FILE, &st) == 0)
		return;
	look_at_size(f, directory, name, &st);
	if (name[0] == '.' && is_stale(f, &st))
		fsck_tell(f, directory, name,
		    f->repair && unlinkat(dirfd, name, 0) == 0,
		    "left behind, older than 36 hours");
}

static void
look_at_state(struct fsck *f, const struct spool_domain *d)
{
	struct primary primary;
	struct paused paused;
	struct err e;

	if (primary_read(d->fd, now_s(f), 0, &primary, &e) == -1)
		fsck_tell(f, "primary", "", false, e.text);
	if (paused_read(d->fd, now_s(f), &paused, &e) == -1)
		fsck_tell(f, "paused", "", false, e.text);
}

static int
look_at_domain(struct fsck *f, const char *name, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct stat st;
	int rc;

	f->domain = name;
	buf_reset(&f->ids);
	if (fsck_look(f, f->sp->fd, "", name, FSCK_DIRECTORY, &st) == 0)
		return 0;
	rc = spool_domain_open(&d, f->sp, name, false, e);
	if (rc == -1)
		fsck_tell(f, "", "", false, e->text);
	if (rc == 1) {
		for (size_t i = 0; i < PARTS; i++) {
			look_at_part(f, &d, i);
			if (i == 1) /* all messages are known */
				look_for_copies(f, &d);
		}
		fsck_each(f, &d, d.fd, "", take_top);
		look_at_state(f, &d);
	}
	spool_domain_close(&d);
	if (f->is_full)
		return err_temp(e, "out of memory");
	return buf_check(&f->ids, e);
}

/* ---- beside the domains ---- */

/* Old ones may be compressed: 2026-01.gz. */
static bool
is_month(const char *name)
{
	static const char form[] = "0000-00";

	for (size_t i = 0; form[i] != '\0'; i++)
		if (form[i] == '0' ? name[i] < '0' || name[i] > '9'
				   : name[i] != form[i])
			return false;
	name += sizeof form - 1;
	return *name == '\0' || *name == '.';
}

static void
take_month(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name)
{
	struct stat st;

	(void)d;
	if (!is_month(name))
		fsck_tell(f, directory, name, false, "not a name of bmx's");
	else
		fsck_look(f, dirfd, directory, name, FSCK_FILE, &st);
}

static void
look_at_ledger(struct fsck *f, int dirfd, const char *name)
{
	struct stat st;
	int fd;

	if (fsck_look(f, dirfd, "", name, FSCK_DIRECTORY, &st) == 0)
		return;
	fd = fsck_open(f, dirfd, name);
	if (fd == -1)
		return;
	fsck_each(f, NULL, fd, name, take_month);
	close(fd);
}

static void
take_beside(struct fsck *f, const struct spool_domain *d, int dirfd,
    const char *directory, const char *name)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err ignored;
	struct stat st;

	(void)d;
	if (strcmp(name, "ledger") == 0) {
		look_at_ledger(f, dirfd, name);
		return;
	}
	if (addr_fold_domain(name, strlen(name), folded, &ignored) == -1 ||
	    strcmp(name, folded) != 0)
		fsck_tell(f, directory, name, false, "not a name of bmx's");
	else if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		 !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		fsck_tell(f, directory, name, false, "not a directory");
}

int
fsck(bool repair, const struct select *s, const struct spool *sp,
    struct output *o, struct err *e)
{
	struct fsck f = { .o = o,
		.sp = sp,
		.repair = repair,
		.domain = "",
		.ids = BUF_INIT(SIZE_MAX / 2) };
	struct stat st;
	int rc = 0;

	if (s->is_all && fsck_look(&f, sp->fd, "", ".", FSCK_DIRECTORY, &st))
		fsck_each(&f, NULL, sp->fd, "", take_beside);
	for (size_t i = 0; i < s->ndomains && rc == 0; i++)
		rc = look_at_domain(&f, s->domains[i], e);
	buf_free(&f.ids);
	if (rc == -1)
		return -1;
	if (o->form == OUTPUT_TABLE || f.problems > 0) {
		fflush(o->data);
		fprintf(o->talk,
		    "bmx-queue: %zu messages, %zu problems, %zu repaired\n",
		    f.messages, f.problems, f.repaired);
	}
	if (f.problems > f.repaired && o->status == EX_OK)
		o->status = EX_DATAERR;
	return 0;
}
