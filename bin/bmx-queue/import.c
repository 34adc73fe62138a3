#include "bmx-queue/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-queue/jline.h"
#include "mail/trace.h"
#include "spool/lifetime.h"

#define PIECE 65536
#define REASON_MAX 512

/* A message on its way in. */
struct incoming {
	const struct import_order *order;
	const struct spool *sp;
	struct output *o;
	const char *path;
	FILE *content; /* in wire form, without an envelope of ours */
	bool is_8bit;
	int64_t mtime_s; /* of the file; 0: standard input */
	struct envelope env;
	char id[SPOOL_ID_LEN + 1];
	int64_t held_s; /* for so long it was held where it was */
	bool is_told;   /* its sender was told there that it waits */
	bool is_ours;   /* it had an envelope: its Received field is there */
	/* the domain of each recipient, NULL: done with */
	const struct config_domain *domain[ENVELOPE_RCPT_MAX];
};

/* ---- reading ---- */

/* Everything of the file, LF as CRLF, into a file without a name. */
static int
take_content(struct incoming *in, FILE *from, struct err *e)
{
	int c, last = EOF;

	while ((c = getc(from)) != EOF) {
		if (last == '\r' && c != '\n')
			return err_data(e, "a CR that is no line end");
		if (c == '\n' && last != '\r')
			putc('\r', in->content);
		putc(c, in->content);
		in->is_8bit = in->is_8bit || c >= 0x80;
		last = c;
	}
	if (ferror(from))
		return err_sys(e, "read");
	if (last == '\r')
		return err_data(e, "a CR that is no line end");
	if (last == EOF)
		return err_data(e, "it is empty");
	if (last != '\n')
		fputs("\r\n", in->content);
	if (fflush(in->content) != 0)
		return err_sys(e, "a temporary file");
	return 0;
}

static FILE *
open_file(const char *path, int64_t *mtime_s, struct err *e)
{
	FILE *from = NULL;
	struct stat st;
	int fd;

	if (strcmp(path, "-") == 0)
		return stdin;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		err_sys(e, "open");
	else if (!S_ISREG(st.st_mode))
		err_data(e, "not a regular file; - is standard input");
	else if ((from = fdopen(fd, "r")) == NULL)
		err_sys(e, "open");
	else
		*mtime_s = (int64_t)st.st_mtime;
	if (from == NULL && fd != -1)
		close(fd);
	return from;
}

/* ---- the envelope ---- */

/* The envelope that stands in front, when it is ours. 1; 0: there is none. */
static int
read_envelope(struct incoming *in, off_t *content, struct err *e)
{
	static const char first[] = "Bmx-Envelope:";
	struct buf b = BUF_INIT(ENVELOPE_MAX);
	int fd = fileno(in->content), rc = -1;
	struct stat st;
	char *room;
	size_t want;
	long len;

	*content = 0;
	if (fstat(fd, &st) == -1)
		return err_sys(e, "stat");
	want = st.st_size > ENVELOPE_MAX ? ENVELOPE_MAX : (size_t)st.st_size;
	room = buf_room(&b, want);
	if (room == NULL)
		rc = buf_check(&b, e);
	else if (pread(fd, room, want, 0) != (ssize_t)want)
		err_sys(e, "read");
	else if (want < sizeof first || memcmp(room, first, sizeof first - 1))
		rc = 0;
	else if ((len = envelope_parse(&in->env, room, want, e)) > 0) {
		*content = len;
		in->env.has_clock = false; /* of another host's primary */
		rc = 1;
	} else if (len == 0)
		err_data(e, "the envelope does not end");
	buf_free(&b);
	return rc;
}

static int
take_address(const char *option, const char *text, struct addr *a,
    struct err *e)
{
	char safe[128];
	struct err why;

	if (addr_parse(text, strlen(text), a, &why) == 0)
		return 0;
	return err_usage(e, "%s %s: %s", option,
	    text_safe(safe, sizeof safe, text), why.text);
}

static int
make_envelope(struct incoming *in, struct err *e)
{
	const struct import_order *order = in->order;
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NONE };
	const char *from = order->from;
	struct envelope *env = &in->env;

	if (from == NULL || order->to == NULL)
		return err_usage(e, "it has no envelope: give --from and --to");
	if (from[0] != '\0' && strcmp(from, "<>") != 0 &&
	    take_address("--from", from, &env->mail.reverse_path, e) == -1)
		return -1;
	for (size_t i = 0; order->to[i] != NULL; i++) {
		if (take_address("--to", order->to[i], &r.forward_path, e) ==
		    -1)
			return -1;
		if (envelope_add(env, &r, e) == -1)
			return -1;
		env->mail.smtputf8 =
		    env->mail.smtputf8 || r.forward_path.is_utf8;
	}
	env->mail.smtputf8 =
	    env->mail.smtputf8 || env->mail.reverse_path.is_utf8;
	env->mail.body = in->is_8bit ? SMTP_BODY_8BITMIME : SMTP_BODY_7BIT;
	env->arrival_us = clock_wall_us();
	snprintf(env->client.proto, sizeof env->client.proto, "LOCAL");
	return 0;
}

/* ID,S=..., of a file of the spool; or DOMAIN,ID,S=..., of an export. */
static bool
find_entry(const char *path, struct spool_entry *entry)
{
	const char *name = strrchr(path, '/');

	for (name = name == NULL ? path : name + 1; name != NULL;
	     name = strchr(name, ',')) {
		name += *name == ',';
		if (spool_parse_name(entry, name, false))
			return true;
	}
	return false;
}

/* Whoever waits, and where. */
static int
find_domains(struct incoming *in, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < in->env.nrcpt; i++) {
		const struct envelope_rcpt *r = &in->env.rcpts[i];
		const char *name = addr_domain(&r->addr);
		char folded[ADDR_DOMAIN_MAX + 1], safe[128];

		in->domain[i] = NULL;
		if (!rcpt_waits(r->state))
			continue;
		if (addr_fold_domain(name, strlen(name), folded, e) == 0)
			in->domain[i] = config_find(in->order->conf, folded);
		if (in->domain[i] == NULL)
			return err_perm(e, "<%s> is not of a domain of %s",
			    text_safe(safe, sizeof safe, r->addr.text),
			    in->order->conf->path);
		n++;
	}
	return n == 0 ? err_data(e, "no recipient waits") : 0;
}

/* ---- writing ---- */

static int
copy_content(const struct incoming *in, off_t at, struct spool_msg *m,
    struct err *e)
{
	char piece[PIECE];
	ssize_t n;

	while ((n = pread(fileno(in->content), piece, sizeof piece, at)) > 0) {
		if (spool_write(m, piece, (size_t)n, e) == -1)
			return -1;
		at += n;
	}
	return n == -1 ? err_sys(e, "read a temporary file") : 0;
}

static int
write_copy(struct incoming *in, const struct config_domain *domain,
    const struct spool_domain *dir, struct spool_msg *m, off_t content,
    struct err *e)
{
	struct buf head = BUF_INIT(ENVELOPE_MAX);
	bool keep[ENVELOPE_RCPT_MAX];
	unsigned n = 0;
	int rc;

	for (size_t i = 0; i < in->env.nrcpt; i++) {
		keep[i] = in->domain[i] == domain;
		n += keep[i];
	}
	if (!in->is_ours)
		lifetime_stamp(&in->env, dir->fd);
	rc = spool_begin(m, dir, in->id, n, e);
	m->held_s = in->held_s;
	m->is_told = in->is_told;
	if (rc == 0)
		rc = envelope_format(&in->env, keep, &head, e);
	if (rc == 0 && !in->is_ours)
		trace_received(&head, &in->env, in->order->conf->host.hostname,
		    in->id, NULL);
	if (rc == 0)
		rc = buf_check(&head, e);
	if (rc == 0)
		rc = spool_write(m, head.data, head.len, e);
	if (rc == 0)
		rc = copy_content(in, content, m, e);
	buf_free(&head);
	return rc;
}

static int
tell(const struct incoming *in, const char *domain, const char *result,
    struct err *e)
{
	const struct jline_pair row[] = {
		{ "id", in->id },
		{ "domain", domain },
		{ "result", result },
	};

	return jline_row(in->o, row, sizeof row / sizeof *row, e);
}

/* The copy of one domain; each is whole by itself, and comes once. */
static int
import_copy(struct incoming *in, const struct config_domain *domain,
    off_t content, struct err *e)
{
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	struct spool_msg m = SPOOL_MSG_INIT, *const all[] = { &m };
	struct spool_entry entry;
	char reason[REASON_MAX];
	int rc = spool_domain_open(&dir, in->sp, domain->name, true, e);
	bool is_there = false;

	if (rc == 1 && in->is_ours) {
		rc = spool_find(&dir, in->id, &entry, e);
		is_there = rc == 1;
	}
	if (rc != -1 && !is_there) {
		rc = write_copy(in, domain, &dir, &m, content, e);
		if (rc == 0)
			rc = spool_commit(all, 1, e);
	}
	spool_abort(&m);
	spool_domain_close(&dir);
	if (rc == -1)
		return -1;
	if (is_there)
		return tell(in, domain->name, "unchanged", e);
	log_info("id=%s domain=%s action=imported uid=%lu reason=%s", in->id,
	    domain->name, (unsigned long)in->order->uid,
	    text_safe(reason, sizeof reason, in->order->reason));
	return tell(in, domain->name, "imported", e);
}

static int
import_copies(struct incoming *in, off_t content, struct err *e)
{
	for (size_t i = 0; i < in->env.nrcpt; i++) {
		const struct config_domain *domain = in->domain[i];

		if (domain == NULL)
			continue;
		if (import_copy(in, domain, content, e) == -1)
			return -1;
		for (size_t k = i; k < in->env.nrcpt; k++)
			if (in->domain[k] == domain)
				in->domain[k] = NULL;
	}
	return 0;
}

/* An export has the ID in its name, for how long it was held, and whether its
 * sender was told; elsewhere the message gets an ID, of the time when it came. */
static int
choose_name(struct incoming *in, struct err *e)
{
	struct spool_entry entry;

	if (!in->is_ours || !find_entry(in->path, &entry))
		return spool_new_id(in->id, in->env.arrival_us, e);
	memcpy(in->id, entry.id, sizeof in->id);
	in->held_s = spool_held_s(&entry, in->mtime_s);
	in->is_told = entry.is_told;
	return 0;
}

static int
import_one(struct incoming *in, struct err *e)
{
	FILE *from = open_file(in->path, &in->mtime_s, e);
	off_t content = 0;
	int rc = -1;

	if (from == NULL)
		return -1;
	in->content = tmpfile();
	if (in->content == NULL)
		err_sys(e, "a temporary file");
	else if (take_content(in, from, e) == 0)
		rc = read_envelope(in, &content, e);
	in->is_ours = rc == 1;
	if (rc == 0)
		rc = make_envelope(in, e);
	if (rc != -1)
		rc = find_domains(in, e);
	if (rc == 0)
		rc = choose_name(in, e);
	if (rc == 0)
		rc = import_copies(in, content, e);
	if (in->content != NULL)
		fclose(in->content);
	if (from != stdin)
		fclose(from);
	envelope_reset(&in->env);
	return rc;
}

int
import_files(const struct import_order *order, const struct spool *sp,
    struct output *o, struct err *e)
{
	for (size_t i = 0; order->files[i] != NULL; i++) {
		struct incoming *in = calloc(1, sizeof *in);
		char safe[256];

		if (in == NULL)
			return err_temp(e, "out of memory");
		in->order = order;
		in->sp = sp;
		in->o = o;
		in->path = order->files[i];
		if (import_one(in, e) == -1) {
			err_prefix(e, "%s",
			    text_safe(safe, sizeof safe, in->path));
			output_complain(o, e);
		}
		free(in);
	}
	return 0;
}
