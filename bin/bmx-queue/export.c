#include "bmx-queue/export.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/text.h"
#include "bmx-queue/jline.h"
#include "bmx-queue/tar.h"
#include "bmx-queue/target.h"
#include "bmx-queue/unwire.h"

#define PIECE 65536

int
export_parse_form(const char *word, enum export_form *form, struct err *e)
{
	static const char *const words[] = {
		[EXPORT_MBOX] = "mbox",
		[EXPORT_MAILDIR] = "maildir",
		[EXPORT_WIRE] = "wire",
		[EXPORT_TAR] = "tar",
	};
	char safe[64];

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(word, words[i]) == 0) {
			*form = (enum export_form)i;
			return 0;
		}
	}
	return err_usage(e, "--format %s: mbox, maildir, wire or tar",
	    text_safe(safe, sizeof safe, word));
}

struct exporter {
	enum export_form form;
	struct target t;
	struct output *o;
};

/* ---- the bytes ---- */

/* From offset on; u NULL: as they are. */
static int
copy(const struct spool_file *f, uint64_t at, FILE *out, struct unwire *u,
    struct err *e)
{
	char piece[PIECE];
	ssize_t n;

	while ((n = spool_file_read(f, at, piece, sizeof piece, e)) > 0) {
		if (u == NULL)
			fwrite(piece, 1, (size_t)n, out);
		else
			unwire(u, piece, (size_t)n);
		at += (uint64_t)n;
	}
	return (int)n;
}

/* What a mail reader finds of the envelope. Addresses have no control
 * characters: envelope_parse() saw to that. */
static void
put_envelope(FILE *out, const struct envelope *env)
{
	fprintf(out, "Return-Path: <%s>\n", env->mail.reverse_path.text);
	for (size_t i = 0; i < env->nrcpt; i++)
		fprintf(out, "X-Envelope-To: <%s>\n", env->rcpts[i].addr.text);
}

static int
put_for_reader(FILE *out, const struct spool_file *f, bool is_mbox,
    struct err *e)
{
	struct unwire u = UNWIRE_INIT(out, is_mbox);

	put_envelope(out, &f->env);
	if (copy(f, f->content, out, &u, e) == -1)
		return -1;
	unwire_end(&u);
	return 0;
}

/* "From SENDER Tue Nov 24 03:11:14 2026", UTC; blanks end the address. */
static void
put_from_line(FILE *out, const struct envelope *env)
{
	time_t when = (time_t)(env->arrival_us / 1000000);
	char date[32], sender[4 * ADDR_MAX + 1];
	struct tm tm;

	strftime(date, sizeof date, "%a %b %e %H:%M:%S %Y",
	    gmtime_r(&when, &tm));
	text_word(sender, sizeof sender, env->mail.reverse_path.text);
	fprintf(out, "From %s %s\n",
	    sender[0] == '\0' ? "MAILER-DAEMON" : sender, date);
}

static int
put_mbox(struct exporter *x, const struct spool_file *f, struct err *e)
{
	put_from_line(x->t.out, &f->env);
	if (put_for_reader(x->t.out, f, true, e) == -1)
		return -1;
	putc('\n', x->t.out);
	return 0;
}

static int
put_tar(struct exporter *x, const struct spool_domain *d,
    const struct spool_entry *entry, const struct spool_file *f, struct err *e)
{
	char path[sizeof d->name + SPOOL_NAME_MAX + 8];

	snprintf(path, sizeof path, "%s/%s/%s", d->name,
	    entry->is_new ? "new" : "cur", entry->name);
	if (tar_file(x->t.out, path, f->size, f->mtime_s, e) == -1 ||
	    copy(f, 0, x->t.out, NULL, e) == -1)
		return -1;
	tar_pad(x->t.out, f->size);
	return 0;
}

/* A file of the spool keeps its time: since then it is held. What cannot be
 * written target_close() tells. */
static int
keep_time(FILE *out, const struct spool_file *f, struct err *e)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		{ .tv_sec = (time_t)f->mtime_s } };

	if (fflush(out) == 0 && futimens(fileno(out), times) == -1)
		return err_sys(e, "cannot set the time of a file");
	return 0;
}

static int
put_file(struct exporter *x, const struct spool_domain *d,
    const struct spool_entry *entry, const struct spool_file *f, struct err *e)
{
	bool is_wire = x->form == EXPORT_WIRE;
	char name[256];
	int rc;

	/* a domain's name can be long, and a file's cannot */
	if (is_wire)
		snprintf(name, sizeof name, "%.150s,%s", d->name, entry->name);
	else
		snprintf(name, sizeof name, "new/%s.%.150s", entry->id,
		    d->name);
	if (target_open(&x->t, name, e) == -1)
		return -1;
	rc = is_wire ? copy(f, 0, x->t.out, NULL, e)
		     : put_for_reader(x->t.out, f, false, e);
	if (rc == 0 && is_wire)
		rc = keep_time(x->t.out, f, e);
	return rc == 0 ? target_close(&x->t, e) : -1;
}

static int
put(struct exporter *x, const struct spool_domain *d,
    const struct spool_entry *entry, const struct spool_file *f, struct err *e)
{
	switch (x->form) {
	case EXPORT_MBOX:
		return put_mbox(x, f, e);
	case EXPORT_TAR:
		return put_tar(x, d, entry, f, e);
	case EXPORT_MAILDIR:
	case EXPORT_WIRE:
		break;
	}
	return put_file(x, d, entry, f, e);
}

/* ---- one after the other ---- */

/* What cannot be opened is told and left out; what fails in the middle ends
 * it all, for there is half of it in the file. */
static int
export_one(void *context, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct exporter *x = context;
	const struct jline_pair row[] = {
		{ "id", entry->id },
		{ "domain", d->name },
		{ "result", "exported" },
	};
	struct spool_file f = SPOOL_FILE_INIT;
	int rc;

	do
		rc = spool_file_open(&f, d, entry, false, e);
	while (rc == 0 && select_follow(d, entry));
	if (rc == -1)
		output_complain(x->o, e);
	if (rc != 1)
		return 0;
	rc = put(x, d, entry, &f, e);
	spool_file_close(&f);
	if (rc == 0 && x->t.out != NULL && ferror(x->t.out))
		rc = err_sys(e, "cannot write %s",
		    x->t.path == NULL ? "the output" : x->t.path);
	if (rc == -1 || x->t.path == NULL)
		return rc;
	return jline_row(x->o, row, sizeof row / sizeof *row, e);
}

static int
make_maildir(struct target *t, struct err *e)
{
	static const char *const parts[] = { "tmp", "new", "cur" };

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (target_subdir(t, parts[i], e) == -1)
			return -1;
	return 0;
}

int
export_messages(enum export_form form, const char *path, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e)
{
	bool is_dir = form == EXPORT_MAILDIR || form == EXPORT_WIRE;
	struct exporter x = { .form = form, .t = TARGET_INIT, .o = o };
	int rc;

	if (is_dir && path == NULL)
		return err_usage(e, "--output: maildir and wire need a name");
	if (path == NULL && o->form == OUTPUT_JSON)
		return err_usage(e,
		    "--json goes with --output: without, the mail itself is "
		    "the output");
	if (path == NULL && o->form == OUTPUT_TABLE)
		return err_usage(e,
		    "mail is not for a terminal: --output FILE, "
		    "or > FILE");
	rc = target_begin(&x.t, path, is_dir, e);
	if (rc == 0 && form == EXPORT_MAILDIR)
		rc = make_maildir(&x.t, e);
	if (rc == 0)
		rc = select_in_order(s, sp, export_one, &x, o, e);
	if (rc == 0 && form == EXPORT_TAR)
		tar_end(x.t.out);
	if (rc == 0)
		rc = target_commit(&x.t, e);
	target_abort(&x.t);
	return rc;
}
