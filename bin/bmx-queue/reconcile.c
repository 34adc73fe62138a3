#include "bmx-queue/reconcile.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "bmx-queue/jline.h"

#define QUEUE_ID_MAX 32 /* Postfix's long ones have 10 to 20 characters */

/* One hand-over. */
struct handover {
	char id[SPOOL_ID_LEN + 1];
	char queue_id[QUEUE_ID_MAX]; /* "": the reply names none */
	char *domain;
	int64_t at_us;
	bool is_logged, is_sent, is_deferred, is_bounced;
	bool is_removed; /* from the queue: the ID may be another message's */
	bool is_doubled; /* an earlier line has the same id and domain */
};

struct handovers {
	struct handover *list;
	size_t n, room;
};

static void
handovers_free(struct handovers *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->list[i].domain);
	free(h->list);
	*h = (struct handovers){ NULL, 0, 0 };
}

/* ---- the ledger ---- */

/* The value of " key=" in line, up to a blank, into out. */
static bool
take_value(const char *line, const char *key, char *out, size_t size)
{
	const char *at = strstr(line, key);
	size_t len;

	if (at == NULL)
		return false;
	at += strlen(key);
	len = strcspn(at, " \r\n");
	if (len >= size)
		return false;
	memcpy(out, at, len);
	out[len] = '\0';
	return true;
}

/* "250 2.0.0 Ok: queued as 4XyZ1234": Postfix's words. */
static void
take_queue_id(const char *line, char out[QUEUE_ID_MAX])
{
	const char *reply = strstr(line, " reply=");

	out[0] = '\0';
	if (reply == NULL ||
	    !take_value(reply, "queued as ", out, QUEUE_ID_MAX))
		out[0] = '\0';
	for (const char *p = out; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p)) {
			out[0] = '\0';
			return;
		}
}

static int
add_line(struct handovers *h, const char *line, struct err *e)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct handover *added;

	if (h->n == h->room) {
		size_t room = h->room == 0 ? 1024 : 2 * h->room;

		added = reallocarray(h->list, room, sizeof *added);
		if (added == NULL)
			return err_temp(e, "no memory for %zu lines", room);
		h->list = added;
		h->room = room;
	}
	added = &h->list[h->n];
	memset(added, 0, sizeof *added);
	if (!take_value(line, " id=", added->id, sizeof added->id) ||
	    !take_value(line, " domain=", domain, sizeof domain))
		return 0;
	take_queue_id(line, added->queue_id);
	if (clock_parse_rfc3339(line, strcspn(line, " "), &added->at_us) == -1)
		added->at_us = 0;
	added->domain = strdup(domain);
	if (added->domain == NULL)
		return err_temp(e, "out of memory");
	h->n++;
	return 0;
}

#define TIME_ROOM sizeof "2026-11-24T03:06:00.000000Z"

/* All of a time or its beginning, to compare lines with; they have digits where
 * a Z may be given. */
static int
take_since(const char *given, char since[TIME_ROOM], struct err *e)
{
	static const char form[TIME_ROOM] = "0000-00-00T00:00:00.000000";
	size_t len = strlen(given), n = 0;
	char safe[64];

	while (n < len && form[n] != '\0' &&
	       (form[n] == '0' ? isdigit((unsigned char)given[n])
			       : given[n] == form[n]))
		n++;
	if (n < strlen("0000") ||
	    (n < len && (strcmp(given + n, "Z") != 0 ||
			    n < strlen("0000-00-00T00:00:00"))))
		return err_usage(e,
		    "--since %s: no time, like 2026-11-24 or "
		    "2026-11-24T06:00:00Z",
		    text_safe(safe, sizeof safe, given));
	memcpy(since, given, n);
	since[n] = '\0';
	return 0;
}

/* A line of the ledger that is a hand-over since then. */
static bool
is_wanted(const char *line, const char *since)
{
	const char *reply = strstr(line, " reply=");
	const char *what = strstr(line, " what=delivered ");

	return what != NULL && (reply == NULL || what < reply) &&
	       strncmp(line, since, strlen(since)) >= 0;
}

#define LINE_ROOM 8192 /* no line of the ledger is half as long */

/* A regular file: anything else may have no end. */
static FILE *
open_month(int dirfd, const char *name, struct err *e)
{
	int fd = openat(dirfd, name,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	FILE *file = NULL;
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		err_sys(e, "open ledger/%s", name);
	else if (!S_ISREG(st.st_mode))
		err_data(e, "ledger/%s is not a regular file", name);
	else if ((file = fdopen(fd, "r")) == NULL)
		err_sys(e, "open ledger/%s", name);
	if (file == NULL && fd != -1)
		close(fd);
	return file;
}

static int
read_month(struct handovers *h, int dirfd, const char *name, const char *since,
    struct err *e)
{
	FILE *file = open_month(dirfd, name, e);
	char line[LINE_ROOM];
	int rc = 0;

	if (file == NULL)
		return -1;
	while (rc == 0 && fgets(line, sizeof line, file) != NULL)
		if (is_wanted(line, since))
			rc = add_line(h, line, e);
	if (rc == 0 && ferror(file))
		rc = err_sys(e, "read ledger/%s", name);
	fclose(file);
	return rc;
}

/* All months: those that are compressed or moved away are not asked for. */
static int
read_ledger(struct handovers *h, const struct spool *sp, const char *since,
    struct err *e)
{
	int fd = openat(sp->fd, "ledger",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct dirent *entry;
	int rc = 0;
	DIR *dir;

	if (fd == -1 && errno == ENOENT)
		return 0;
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		err_sys(e, "open %s/ledger", sp->path);
		if (fd != -1)
			close(fd);
		return -1;
	}
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (strlen(entry->d_name) == sizeof "YYYY-MM" - 1 &&
		    entry->d_name[4] == '-')
			rc = read_month(h, fd, entry->d_name, since, e);
	closedir(dir);
	return rc;
}

/* ---- the log ---- */

/* Of one ID the oldest first: Postfix gives a short one again when the inode
 * that it is made of is free, within a second if need be. */
static int
by_queue_id(const void *a, const void *b)
{
	const struct handover *x = a, *y = b;
	int order = strcmp(x->queue_id, y->queue_id);

	return order != 0 ? order
			  : (x->at_us > y->at_us) - (x->at_us < y->at_us);
}

static int
by_message(const void *a, const void *b)
{
	const struct handover *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	if (order == 0)
		order = strcmp(x->domain, y->domain);
	return order != 0 ? order : strcmp(x->queue_id, y->queue_id);
}

/* What follows the queue ID of a line "... postfix/smtpd[123]: QUEUE-ID: ...";
 * NULL: it has none. */
static const char *
logged_queue_id(const char *line, char out[QUEUE_ID_MAX])
{
	const char *at = strstr(line, "]: ");
	size_t len;

	if (at == NULL)
		return NULL;
	at += strlen("]: ");
	len = strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "abcdefghijklmnopqrstuvwxyz");
	if (len == 0 || len >= QUEUE_ID_MAX || at[len] != ':')
		return NULL;
	memcpy(out, at, len);
	out[len] = '\0';
	return at + len + 1;
}

/* The hand-over that has this ID now: the first that was not removed, or else
 * the last. */
static struct handover *
holder_of(const struct handovers *h, const char *queue_id)
{
	size_t low = 0, high = h->n;

	while (low < high) {
		size_t i = low + (high - low) / 2;
		int order = strcmp(h->list[i].queue_id, queue_id);

		if (order < 0 || (order == 0 && h->list[i].is_removed))
			low = i + 1;
		else
			high = i;
	}
	if (low < h->n && strcmp(h->list[low].queue_id, queue_id) == 0)
		return &h->list[low];
	if (low > 0 && strcmp(h->list[low - 1].queue_id, queue_id) == 0)
		return &h->list[low - 1];
	return NULL;
}

static void
take_log_line(struct handovers *h, const char *line)
{
	char queue_id[QUEUE_ID_MAX];
	const char *text = logged_queue_id(line, queue_id);
	struct handover *found = text == NULL ? NULL : holder_of(h, queue_id);

	if (found == NULL)
		return;
	found->is_logged = true;
	found->is_sent = found->is_sent || strstr(text, " status=sent ");
	found->is_deferred =
	    found->is_deferred || strstr(text, " status=deferred ");
	/* qmgr(8) gives up what waited for too long, or was told to */
	found->is_bounced = found->is_bounced ||
			    strstr(text, " status=bounced ") ||
			    strstr(text, "expired, returned to sender\n");
	found->is_removed =
	    found->is_removed || strcmp(text, " removed\n") == 0;
}

static int
read_log(struct handovers *h, const char *path, struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int rc = 0;

	if (file == NULL)
		return err_sys(e, "open %s", path);
	while (getline(&line, &size, file) != -1)
		take_log_line(h, line);
	if (ferror(file))
		rc = err_sys(e, "read %s", path);
	free(line);
	if (!is_stdin)
		fclose(file);
	return rc;
}

/* ---- what does not come out even ---- */

enum finding { MISSING, UNKNOWN, BOUNCED, WAITING, DOUBLED, NFINDINGS };

static const char *const finding_names[NFINDINGS] = { "missing", "unknown",
	"bounced", "waiting", "doubled" };

static bool
is_found(const struct handover *h, enum finding finding)
{
	bool is_named = h->queue_id[0] != '\0';
	bool is_ended = h->is_sent || h->is_bounced;

	switch (finding) {
	case MISSING:
		return is_named &&
		       (!h->is_logged || (h->is_removed && !is_ended));
	case UNKNOWN:
		return !is_named;
	case BOUNCED:
		return h->is_bounced;
	case WAITING:
		return h->is_logged && !h->is_removed &&
		       (h->is_deferred || !is_ended);
	case DOUBLED:
		return h->is_doubled;
	case NFINDINGS:
		break;
	}
	return false;
}

static int
tell_finding(struct output *o, const struct handover *h, enum finding finding,
    struct err *e)
{
	const char *queue_id = h->queue_id[0] == '\0' ? "-" : h->queue_id;
	const struct jline_pair row[] = {
		{ "finding", finding_names[finding] },
		{ "id", h->id },
		{ "domain", h->domain },
		{ "queue_id", queue_id },
	};

	if (o->form == OUTPUT_JSON)
		return jline_row(o, row, sizeof row / sizeof *row, e);
	fprintf(o->data, "%s %s %s %s\n", finding_names[finding], h->id,
	    h->domain, queue_id);
	return 0;
}

static int
tell_total(struct output *o, size_t total, const size_t n[NFINDINGS],
    struct err *e)
{
	struct jline j = JLINE_INIT;

	if (o->form != OUTPUT_JSON) {
		fprintf(o->data, "total %zu", total);
		for (int i = 0; i < NFINDINGS; i++)
			fprintf(o->data, " %s %zu", finding_names[i], n[i]);
		fputc('\n', o->data);
		return 0;
	}
	jline_open(&j, NULL, '{');
	jline_number(&j, "total", (int64_t)total);
	for (int i = 0; i < NFINDINGS; i++)
		jline_number(&j, finding_names[i], (int64_t)n[i]);
	return jline_end(&j, o, e);
}

static int
tell(struct output *o, const struct handovers *h, struct err *e)
{
	size_t n[NFINDINGS] = { 0 };

	for (size_t i = 0; i < h->n; i++)
		for (int f = 0; f < NFINDINGS; f++) {
			if (!is_found(&h->list[i], (enum finding)f))
				continue;
			n[f]++;
			if (tell_finding(o, &h->list[i], (enum finding)f, e) ==
			    -1)
				return -1;
		}
	if (n[MISSING] + n[UNKNOWN] + n[BOUNCED] > 0 && o->status == 0)
		o->status = EX_UNAVAILABLE;
	return tell_total(o, h->n, n, e);
}

static void
sort(struct handovers *h, int (*order)(const void *, const void *))
{
	if (h->n > 1)
		qsort(h->list, h->n, sizeof *h->list, order);
}

static void
mark_doubles(struct handovers *h)
{
	for (size_t i = 1; i < h->n; i++)
		h->list[i].is_doubled =
		    strcmp(h->list[i].id, h->list[i - 1].id) == 0 &&
		    strcmp(h->list[i].domain, h->list[i - 1].domain) == 0;
}

int
reconcile_ledger(const struct reconcile_order *order, const struct spool *sp,
    struct output *o, struct err *e)
{
	struct handovers h = { NULL, 0, 0 };
	char since[TIME_ROOM] = "";
	int rc = order->since == NULL ? 0 : take_since(order->since, since, e);

	if (rc == 0)
		rc = read_ledger(&h, sp, since, e);
	sort(&h, by_queue_id);
	if (rc == 0)
		rc = read_log(&h, order->log, e);
	sort(&h, by_message);
	mark_doubles(&h);
	if (rc == 0)
		rc = tell(o, &h, e);
	handovers_free(&h);
	return rc;
}
