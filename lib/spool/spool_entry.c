#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

/* ---- IDs ---- */

#define TIME_DIGITS 11 /* 55 bits of microseconds: until the year 3111 */
#define CHANCE_DIGITS (SPOOL_ID_LEN - TIME_DIGITS)

/* base32hex (RFC 4648 section 7) in lower case sorts like the numbers. */
static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

static void
put_digits(char *out, int n, uint64_t value)
{
	while (n-- > 0) {
		out[n] = digits[value & 31];
		value >>= 5;
	}
}

int
spool_new_id(char id[SPOOL_ID_LEN + 1], int64_t arrival_us, struct err *e)
{
	uint64_t chance;

	if (arrival_us < 0 || arrival_us >> (5 * TIME_DIGITS) != 0)
		return err_temp(e, "the clock is wrong");
	if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		return err_sys(e, "getrandom");
	put_digits(id, TIME_DIGITS, (uint64_t)arrival_us);
	put_digits(id + TIME_DIGITS, CHANCE_DIGITS, chance);
	id[SPOOL_ID_LEN] = '\0';
	return 0;
}

/* clang-format off */
/* One more than the value of each digit, 0 for every other byte. */
static const unsigned char digit_of[UCHAR_MAX + 1] = {
	['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
	['a'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
	22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
};
/* clang-format on */

/* Of the first SPOOL_ID_LEN bytes of text; -1: they are not an ID. */
static int64_t
arrival_of(const char *text)
{
	int64_t us = 0;
	int i;

	for (i = 0; i < TIME_DIGITS; i++) {
		int digit = digit_of[(unsigned char)text[i]];

		if (digit == 0)
			return -1;
		us = us << 5 | (digit - 1);
	}
	for (; i < SPOOL_ID_LEN; i++)
		if (digit_of[(unsigned char)text[i]] == 0)
			return -1;
	return us;
}

int64_t
spool_id_arrival_us(const char *id)
{
	return strlen(id) == SPOOL_ID_LEN ? arrival_of(id) : -1;
}

/* ---- names: ID,S=BYTES,R=RECIPIENTS[,H=SECONDS][,U=SECONDS] and in cur/
 * :2,FLAGS ---- */

#define HELD_MAX_S 9999999999 /* 316 years, and ten digits */
#define TIME_MAX_S HELD_MAX_S /* the year 2286 */

/* True when ",X=" is at p, X being key. A list looks at millions. */
static bool
is_key(const char *p, char key)
{
	return p[0] == ',' && p[1] == key && p[2] == '=';
}

/* ",X=" and a decimal number without leading zeros at *p, which moves on. */
static bool
take_number(const char **p, char key, uint64_t max, uint64_t *value)
{
	const char *first, *end;
	unsigned long long n;

	if (!is_key(*p, key))
		return false;
	first = end = *p + 3;
	while (*end >= '0' && *end <= '9')
		end++;
	if ((end - first > 1 && *first == '0') ||
	    text_number(first, (size_t)(end - first), max, &n) == -1)
		return false;
	*p = end;
	*value = n;
	return true;
}

/* Mail readers may have added flags of their own: kept, and without meaning. */
static bool
are_flags(const char *flags)
{
	for (; *flags != '\0'; flags++)
		if (!((*flags >= 'A' && *flags <= 'Z') ||
			(*flags >= 'a' && *flags <= 'z')))
			return false;
	return true;
}

bool
spool_parse_name(struct spool_entry *entry, const char *name, bool is_new)
{
	const char *p = name + SPOOL_ID_LEN;
	int64_t arrival = arrival_of(name);
	uint64_t size, nrcpt, held_s = 0, until_s = 0;
	size_t len = strlen(name);

	if (arrival == -1 || len >= sizeof entry->name)
		return false;
	if (!take_number(&p, 'S', INT64_MAX, &size) ||
	    !take_number(&p, 'R', ENVELOPE_RCPT_MAX, &nrcpt) || nrcpt == 0)
		return false;
	if (is_key(p, 'H') && !take_number(&p, 'H', HELD_MAX_S, &held_s))
		return false;
	if (is_key(p, 'U') && !take_number(&p, 'U', HELD_MAX_S, &until_s))
		return false;
	if (*p != '\0' && (strncmp(p, ":2,", 3) != 0 || !are_flags(p + 3)))
		return false;
	entry->is_held = *p != '\0' && strchr(p + 3, 'F') != NULL;
	entry->is_unwanted = *p != '\0' && strchr(p + 3, 'X') != NULL;
	entry->is_told = *p != '\0' && strchr(p + 3, 'W') != NULL;
	memcpy(entry->name, name, len + 1);
	memcpy(entry->id, name, SPOOL_ID_LEN);
	entry->id[SPOOL_ID_LEN] = '\0';
	entry->is_new = is_new;
	entry->arrival_us = arrival;
	entry->size = size;
	entry->nrcpt = (unsigned)nrcpt;
	entry->held_s = (int64_t)held_s;
	entry->until_s = entry->is_held ? (int64_t)until_s : 0;
	return true;
}

/* The name in cur/ of a message with these properties. False: no room. */
static bool
name_in_cur(const struct spool_entry *entry, char out[SPOOL_NAME_MAX])
{
	const char *flags = strstr(entry->name, ":2,");
	char own[4], held[24] = "", until[24] = "";
	size_t n = 0;
	int stem;

	snprintf(own, sizeof own, "%s%s%s", entry->is_held ? "F" : "",
	    entry->is_told ? "W" : "", entry->is_unwanted ? "X" : "");
	if (entry->held_s > 0)
		snprintf(held, sizeof held, ",H=%" PRId64, entry->held_s);
	if (entry->is_held && entry->until_s > 0)
		snprintf(until, sizeof until, ",U=%" PRId64, entry->until_s);
	flags = flags == NULL ? "" : flags + 3;
	stem = snprintf(out, SPOOL_NAME_MAX, "%s,S=%" PRIu64 ",R=%u%s%s:2,",
	    entry->id, entry->size, entry->nrcpt, held, until);
	if (stem + strlen(flags) + strlen(own) >= SPOOL_NAME_MAX)
		return false;
	out += stem;
	for (; *flags != '\0'; flags++) { /* in ASCII order, says Maildir */
		while (own[n] != '\0' && own[n] < *flags)
			*out++ = own[n++];
		if (strchr("FWX", *flags) == NULL)
			*out++ = *flags;
	}
	strcpy(out, own + n);
	return true;
}

/* ---- lists ---- */

static DIR *
open_listing(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again == -1 ? NULL : fdopendir(again);

	if (dir == NULL && again != -1)
		close(again);
	return dir;
}

/* The next directory of the two; one that is missing (-1) is empty. */
static int
enter(struct spool_list *l, int fd, bool is_new, struct err *e)
{
	spool_list_close(l);
	l->in_new = is_new;
	if (fd == -1)
		return 0;
	l->dir = open_listing(fd);
	if (l->dir == NULL)
		return err_sys(e, "read %s", is_new ? "new" : "cur");
	return 0;
}

int
spool_list_open(struct spool_list *l, const struct spool_domain *d,
    struct err *e)
{
	l->dir = NULL;
	l->cur_fd = d->cur_fd;
	l->foreign = 0;
	return enter(l, d->new_fd, true, e);
}

/* 1, 0 at the end of the directory, -1. */
static int
next_in_dir(struct spool_list *l, struct spool_entry *entry, struct err *e)
{
	struct dirent *file;

	if (l->dir == NULL)
		return 0;
	while (errno = 0, (file = readdir(l->dir)) != NULL) {
		if (spool_parse_name(entry, file->d_name, l->in_new))
			return 1;
		if (strcmp(file->d_name, ".") == 0 ||
		    strcmp(file->d_name, "..") == 0)
			continue;
		l->foreign++;
	}
	if (errno != 0)
		return err_sys(e, "read %s", l->in_new ? "new" : "cur");
	return 0;
}

int
spool_list_next(struct spool_list *l, struct spool_entry *entry, struct err *e)
{
	int rc = next_in_dir(l, entry, e);

	if (rc != 0 || !l->in_new)
		return rc;
	if (enter(l, l->cur_fd, false, e) == -1)
		return -1;
	return next_in_dir(l, entry, e);
}

void
spool_list_close(struct spool_list *l)
{
	if (l->dir != NULL)
		closedir(l->dir);
	l->dir = NULL;
}

int
spool_find(const struct spool_domain *d, const char *id,
    struct spool_entry *entry, struct err *e)
{
	char wanted[SPOOL_ID_LEN + 1];
	struct spool_list l;
	int rc;

	/* a copy: id may be entry's own */
	snprintf(wanted, sizeof wanted, "%s", id);
	if (spool_list_open(&l, d, e) == -1)
		return -1;
	while ((rc = spool_list_next(&l, entry, e)) == 1)
		if (strcmp(entry->id, wanted) == 0)
			break;
	spool_list_close(&l);
	return rc;
}

/* The directory that the entry is in. */
static int
home(const struct spool_domain *d, const struct spool_entry *entry)
{
	return entry->is_new ? d->new_fd : d->cur_fd;
}

/* For messages: "example.com/cur/NAME" as arguments of a format. */
#define WHERE "%s/%s/%s"
#define WHERE_ARGS(d, entry)                                                   \
	(d)->name, (entry)->is_new ? "new" : "cur", (entry)->name

/* After a failed call on entry's name: 0 when it is gone, else -1. */
static int
gone_or(struct err *e, const char *what, const struct spool_domain *d,
    const struct spool_entry *entry)
{
	if (errno == ENOENT)
		return 0;
	return err_sys(e, "%s " WHERE, what, WHERE_ARGS(d, entry));
}

/* A file may have any time, and microseconds are reckoned with. */
static int64_t
time_of(const struct stat *st)
{
	return st->st_mtime < TIME_MAX_S ? (int64_t)st->st_mtime : TIME_MAX_S;
}

static int
get_time(const struct spool_domain *d, const struct spool_entry *entry,
    int64_t *when_s, struct err *e)
{
	struct stat st;

	if (fstatat(home(d, entry), entry->name, &st, AT_SYMLINK_NOFOLLOW) ==
	    -1)
		return gone_or(e, "stat", d, entry);
	*when_s = time_of(&st);
	return 1;
}

int
spool_next_try(const struct spool_domain *d, const struct spool_entry *entry,
    int64_t *when_s, struct err *e)
{
	int rc = get_time(d, entry, when_s, e);

	if (rc == 1 && entry->is_new)
		*when_s = 0;
	return rc;
}

/* ---- one file ---- */

#define FIRST_READ 1024 /* bytes: the envelope of most messages */

/* Only a whole file that we wrote: nothing in the spool is followed or
 * believed because of where it lies. */
static int
check_file(struct spool_file *f, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	struct stat st;

	if (fstat(f->fd, &st) == -1)
		return err_sys(e, "fstat " WHERE, WHERE_ARGS(d, entry));
	if (!S_ISREG(st.st_mode))
		return err_data(e, WHERE " is not a regular file",
		    WHERE_ARGS(d, entry));
	if (st.st_uid != d->owner)
		return err_data(e, WHERE " belongs to another user (uid %lu)",
		    WHERE_ARGS(d, entry), (unsigned long)st.st_uid);
	if ((uint64_t)st.st_size != entry->size)
		return err_data(e, WHERE " has %lld bytes",
		    WHERE_ARGS(d, entry), (long long)st.st_size);
	f->size = entry->size;
	f->mtime_s = time_of(&st);
	return 0;
}

ssize_t
spool_file_read(const struct spool_file *f, uint64_t at, char *room, size_t n,
    struct err *e)
{
	uint64_t left = f->size - at;
	ssize_t got;

	if (left < n)
		n = (size_t)left;
	do
		got = pread(f->fd, room, n, (off_t)at);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return err_sys(e, "read");
	if (got == 0 && n > 0)
		return err_data(e, "the file has become shorter");
	return got;
}

/* Append up to n more bytes of the file to b. 0 at its end. */
static ssize_t
read_more(int fd, struct buf *b, size_t n, struct err *e)
{
	char *room = buf_room(b, n);
	ssize_t got;

	if (room == NULL)
		return buf_check(b, e);
	do
		got = pread(fd, room, n, (off_t)b->len);
	while (got == -1 && errno == EINTR);
	if (got == -1)
		return err_sys(e, "read");
	b->len += (size_t)got;
	b->data[b->len] = '\0';
	return got;
}

static int
read_envelope(struct spool_file *f, struct err *e)
{
	struct buf b = BUF_INIT(ENVELOPE_MAX);
	size_t want = FIRST_READ;
	long len = 0;

	while (len == 0) {
		size_t room = b.max - b.len;
		ssize_t got =
		    read_more(f->fd, &b, want < room ? want : room, e);

		if (got == 0)
			err_data(e, "the envelope does not end");
		if (got <= 0)
			break;
		len = envelope_parse(&f->env, b.data, b.len, e);
		want = b.len * 3;
	}
	buf_free(&b);
	if (len <= 0)
		return -1;
	f->content = (uint64_t)len;
	return 0;
}

static int
open_file(struct spool_file *f, const struct spool_domain *d,
    const struct spool_entry *entry, bool writable, struct err *e)
{
	f->fd = openat(home(d, entry), entry->name,
	    (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK |
		O_NOCTTY | O_CLOEXEC);
	if (f->fd != -1)
		return 1;
	if (errno == ELOOP || errno == ENXIO || errno == EISDIR)
		return err_data(e, WHERE " is not a regular file",
		    WHERE_ARGS(d, entry));
	if (errno == EACCES)
		return err_data(e, WHERE " may not be opened",
		    WHERE_ARGS(d, entry));
	return gone_or(e, "open", d, entry);
}

int
spool_file_open(struct spool_file *f, const struct spool_domain *d,
    const struct spool_entry *entry, bool writable, struct err *e)
{
	const struct spool_file closed = SPOOL_FILE_INIT;
	int rc;

	*f = closed;
	rc = open_file(f, d, entry, writable, e);
	if (rc != 1)
		return rc;
	if (check_file(f, d, entry, e) == -1)
		goto out;
	rc = read_envelope(f, e);
	if (rc == 0 && f->env.nrcpt != entry->nrcpt)
		rc =
		    err_data(e, "%zu recipients in the envelope", f->env.nrcpt);
	if (rc == -1) {
		err_prefix(e, WHERE, WHERE_ARGS(d, entry));
		goto out;
	}
	return 1;
out:
	spool_file_close(f);
	return -1;
}

int
spool_file_open_prepared(struct spool_file *f, const struct spool_domain *d,
    const char *name, struct err *e)
{
	const struct spool_file closed = SPOOL_FILE_INIT;
	char path[SPOOL_PREPARED_MAX + 8];
	struct stat st;

	*f = closed;
	snprintf(path, sizeof path, "tmp/%s", name);
	f->fd = openat(d->fd, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (f->fd == -1 && errno == ENOENT)
		return 0;
	if (f->fd == -1 || fstat(f->fd, &st) == -1)
		err_sys(e, "%s/%s", d->name, path);
	else if (!S_ISREG(st.st_mode) || st.st_uid != d->owner)
		err_data(e, "%s/%s is not ours", d->name, path);
	else if (read_envelope(f, e) == 0) {
		f->size = (uint64_t)st.st_size;
		return 1;
	} else
		err_prefix(e, "%s/%s", d->name, path);
	spool_file_close(f);
	return -1;
}

void
spool_file_close(struct spool_file *f)
{
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
	envelope_reset(&f->env);
}

int
spool_file_mark(struct spool_file *f, size_t i, enum rcpt_state state,
    struct err *e)
{
	const char byte = (char)state;
	ssize_t done;

	do
		done = pwrite(f->fd, &byte, 1,
		    (off_t)f->env.rcpts[i].state_offset);
	while (done == -1 && errno == EINTR);
	if (done != 1)
		return err_sys(e, "mark recipient %zu", i);
	f->env.rcpts[i].state = state;
	return 0;
}

int
spool_file_sync(struct spool_file *f, struct err *e)
{
	if (f->has_sync_failed)
		return err_temp(e, "the recipients' states were not synced");
	if (fdatasync(f->fd) == 0)
		return 0;
	f->has_sync_failed = true;
	return err_sys(e, "sync the recipients' states");
}

/* ---- changing one message ---- */

/*
 * Rename without replacing. Where the file system cannot promise that (NFS),
 * look first: only another name of the same message, there twice by an
 * operator's hand, could come between.
 */
static int
rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
	struct stat st;

	if (renameat2(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1; /* gone, perhaps to just that name */
	if (fstatat(to_fd, to, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return -1;
	}
	return errno == ENOENT ? renameat(from_fd, from, to_fd, to) : -1;
}

/* next: the properties it is to have. */
static int
move_to_cur(const struct spool_domain *d, struct spool_entry *entry,
    struct spool_entry next, struct err *e)
{
	char name[SPOOL_NAME_MAX];

	if (d->cur_fd == -1)
		return err_temp(e, "%s/cur is missing", d->name);
	if (!name_in_cur(&next, name))
		return err_data(e, WHERE " has too many flags",
		    WHERE_ARGS(d, entry));
	if (!entry->is_new && strcmp(name, entry->name) == 0)
		return 1;
	if (rename_new(home(d, entry), entry->name, d->cur_fd, name) == -1)
		return gone_or(e, "rename", d, entry);
	*entry = next;
	snprintf(entry->name, sizeof entry->name, "%s", name);
	entry->is_new = false;
	return 1;
}

static int
set_time(const struct spool_domain *d, const struct spool_entry *entry,
    struct timespec mtime, struct err *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, mtime };

	if (utimensat(home(d, entry), entry->name, times,
		AT_SYMLINK_NOFOLLOW) == -1)
		return gone_or(e, "set the time of", d, entry);
	return 1;
}

/* The time goes first: were it second, a kill between the two would leave a
 * message in cur/ with a time that nobody chose. In new/ it means nothing. */
int
spool_defer(const struct spool_domain *d, struct spool_entry *entry,
    int64_t next_try_s, struct err *e)
{
	int rc = set_time(d, entry,
	    (struct timespec){ .tv_sec = (time_t)next_try_s }, e);

	return rc == 1 ? move_to_cur(d, entry, *entry, e) : rc;
}

static int
hold(const struct spool_domain *d, struct spool_entry *entry, bool apart,
    int64_t until_s, struct err *e)
{
	struct spool_entry next = *entry;
	int rc = 1;

	next.is_held = true;
	next.is_unwanted = entry->is_unwanted || apart;
	next.until_s = until_s < HELD_MAX_S ? until_s : HELD_MAX_S;
	if (!entry->is_held)
		rc = set_time(d, entry,
		    (struct timespec){ .tv_nsec = UTIME_NOW }, e);
	/* another user's file: it is held all the same, since when or not */
	if (rc == -1 && (e->sys == EPERM || e->sys == EACCES))
		rc = 1;
	return rc == 1 ? move_to_cur(d, entry, next, e) : rc;
}

int
spool_hold(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	return hold(d, entry, false, 0, e);
}

int
spool_hold_until(const struct spool_domain *d, struct spool_entry *entry,
    int64_t until_s, struct err *e)
{
	return hold(d, entry, false, until_s, e);
}

bool
spool_is_held(const struct spool_entry *entry, int64_t now_s)
{
	return entry->is_held &&
	       (entry->until_s == 0 || entry->until_s > now_s);
}

int
spool_hold_apart(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	return hold(d, entry, true, 0, e);
}

int
spool_tell(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	struct spool_entry next = *entry;

	next.is_told = true;
	return move_to_cur(d, entry, next, e);
}

int64_t
spool_held_s(const struct spool_entry *entry, int64_t since_s)
{
	int64_t now_s = clock_wall_us() / 1000000, held_s = entry->held_s;

	if (entry->is_held && since_s > 0 && since_s < now_s)
		held_s += now_s - since_s;
	return held_s < HELD_MAX_S ? held_s : HELD_MAX_S;
}

int
spool_release(const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	struct spool_entry next = *entry;
	int64_t since_s = 0;
	int rc;

	if (!entry->is_held)
		return 1;
	/* also in new/, where the move of a spool puts what was held */
	rc = get_time(d, entry, &since_s, e);
	if (rc != 1)
		return rc;
	next.is_held = next.is_unwanted = false;
	next.until_s = 0;
	next.held_s = spool_held_s(entry, since_s);
	return move_to_cur(d, entry, next, e);
}

int
spool_remove(const struct spool_domain *d, const struct spool_entry *entry,
    struct err *e)
{
	if (unlinkat(home(d, entry), entry->name, 0) == -1)
		return gone_or(e, "remove", d, entry);
	if (d->log_fd != -1)
		unlinkat(d->log_fd, entry->id, 0);
	return 1;
}

int
spool_sync(const struct spool_domain *d, struct err *e)
{
	if (d->new_fd != -1 && fsync(d->new_fd) == -1)
		return err_sys(e, "fsync %s/new", d->name);
	if (d->cur_fd != -1 && fsync(d->cur_fd) == -1)
		return err_sys(e, "fsync %s/cur", d->name);
	return 0;
}
