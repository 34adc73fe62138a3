#include "bmx-queue/show.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define LOG_BYTES_MAX (4 * 1024 * 1024) /* of a message's log, to show */
#define PIECE 65536                     /* bytes of content read at once */

/* ---- lines of small texts ---- */

/* The next line of text without its line end; false at the end. */
static bool
next_line(const char **text, size_t *left, const char **line, size_t *len)
{
	const char *lf = memchr(*text, '\n', *left);
	size_t taken = lf == NULL ? *left : (size_t)(lf - *text) + 1;

	if (*left == 0)
		return false;
	*line = *text;
	*len = lf == NULL ? taken : taken - 1;
	if (*len > 0 && (*line)[*len - 1] == '\r')
		(*len)--;
	*text += taken;
	*left -= taken;
	return true;
}

static json_t *
json_lines(const struct buf *b)
{
	const char *text = b->data, *line;
	size_t left = b->len, len;
	json_t *lines = json_array();

	while (next_line(&text, &left, &line, &len))
		json_array_append_new(lines, output_json_text(line, len));
	return lines;
}

/* ---- show ---- */

/* One message, and its two texts. */
struct subject {
	const struct spool *sp;
	const struct spool_domain *d;
	struct spool_entry entry;
	int64_t next_s;
	struct spool_file f; /* closed: the envelope is not readable */
	struct buf envelope, log;
};

static void
print_state(struct output *o, const struct subject *m)
{
	char room[OUTPUT_WORD], at[CLOCK_RFC3339_MAX];

	fprintf(o->data, "State:     %s", output_state(&m->entry));
	if (m->entry.is_held)
		fputs(", not tried until released\n", o->data);
	else if (m->next_s <= o->now_us / 1000000)
		fputs(", next try now\n", o->data);
	else
		fprintf(o->data, ", next try in %s, at %.19sZ\n",
		    clock_span(room, m->next_s - o->now_us / 1000000),
		    clock_rfc3339(at, m->next_s * 1000000));
}

/* "Bmx-To: P <bob@example.com>" as "To:        <bob@example.com> pending". */
static void
print_field(struct output *o, const char *line, size_t len)
{
	static const char prefix[] = "Bmx-", to[] = "To: ";
	const char *colon = memchr(line, ':', len);
	int name_len;

	if (colon == NULL || len < sizeof prefix)
		return;
	line += sizeof prefix - 1;
	len -= sizeof prefix - 1;
	name_len = (int)(colon - line) + 1;
	if (strncmp(line, to, sizeof to - 1) == 0 && len > sizeof to + 1) {
		fprintf(o->data, "%-11s", "To:");
		output_safe(o, line + sizeof to + 1, len - sizeof to - 1);
		fprintf(o->data, " %s\n",
		    output_rcpt_state((enum rcpt_state)(unsigned char)
			    line[sizeof to - 1]));
		return;
	}
	output_safe(o, line, (size_t)name_len);
	fprintf(o->data, "%*s", name_len < 10 ? 10 - name_len : 0, "");
	output_safe(o, line + name_len, len - (size_t)name_len);
	putc('\n', o->data);
}

static void
print_envelope(struct output *o, const struct buf *envelope)
{
	const char *text = envelope->data, *line;
	size_t left = envelope->len, len;

	while (next_line(&text, &left, &line, &len))
		print_field(o, line, len);
}

static void
print_log(struct output *o, const struct buf *log)
{
	const char *text = log->data, *line;
	size_t left = log->len, len;

	if (log->len > 0)
		fputs("Log:\n", o->data);
	while (next_line(&text, &left, &line, &len)) {
		fputs("    ", o->data);
		output_safe_again(o, line, len);
		putc('\n', o->data);
	}
}

static void
print_path(struct output *o, const struct subject *m)
{
	output_safe(o, m->sp->path, strlen(m->sp->path));
	fprintf(o->data, "/%s/%s/%s", m->d->name,
	    m->entry.is_new ? "new" : "cur", m->entry.name);
}

static void
print_subject(struct output *o, const struct subject *m)
{
	char span[OUTPUT_WORD];
	int64_t age_s = (o->now_us - m->entry.arrival_us) / 1000000;

	fprintf(o->data, "ID:        %s\nDomain:    %s\n", m->entry.id,
	    m->d->name);
	print_state(o, m);
	fprintf(o->data, "Age:       %s\n", clock_span(span, age_s));
	fprintf(o->data, "Size:      %llu bytes\nFile:      ",
	    (unsigned long long)m->entry.size);
	print_path(o, m);
	putc('\n', o->data);
	print_envelope(o, &m->envelope);
	print_log(o, &m->log);
}

static int
json_subject(struct output *o, const struct subject *m, struct err *e)
{
	json_t *object = output_json_message(o, m->d->name, &m->entry,
	    m->next_s, m->f.fd == -1 ? NULL : &m->f.env);

	if (object == NULL)
		return output_json(o, NULL, e);
	json_object_set_new(object, "file",
	    json_sprintf("%s/%s/%s/%s", m->sp->path, m->d->name,
		m->entry.is_new ? "new" : "cur", m->entry.name));
	json_object_set_new(object, "envelope", json_lines(&m->envelope));
	json_object_set_new(object, "log", json_lines(&m->log));
	return output_json(o, object, e);
}

/* The fields as they are in the file, those of a later version too. */
static int
read_fields(struct subject *m, struct err *e)
{
	size_t len = (size_t)m->f.content;
	char *room = buf_room(&m->envelope, len);

	if (room == NULL)
		return buf_check(&m->envelope, e);
	if (pread(m->f.fd, room, len, 0) != (ssize_t)len)
		return err_temp(e, "cannot read the envelope of %s",
		    m->entry.id);
	m->envelope.len = len;
	return 0;
}

/* Read all there is to show. 1, 0 when the message is gone. */
static int
examine(struct subject *m, struct output *o, struct err *e)
{
	int rc;

	do {
		rc = spool_next_try(m->d, &m->entry, &m->next_s, e);
		if (rc == 1)
			rc = spool_file_open(&m->f, m->d, &m->entry, false, e);
	} while (rc == 0 && select_follow(m->d, &m->entry));
	if (rc == 0)
		return 0;
	if (rc == -1 || read_fields(m, e) == -1)
		output_complain(o, e);
	if (m->d->log_fd != -1 &&
	    file_read(m->d->log_fd, m->entry.id, &m->log, e) == -1)
		output_complain(o, e);
	return 1;
}

static int
show_one(struct subject *m, bool is_first, struct output *o, struct err *e)
{
	int rc = 0;

	buf_reset(&m->envelope);
	buf_reset(&m->log);
	if (examine(m, o, e) == 0)
		return 0;
	if (o->form == OUTPUT_JSON) {
		rc = json_subject(o, m, e);
	} else {
		fputs(is_first ? "" : "\n", o->data);
		print_subject(o, m);
	}
	spool_file_close(&m->f);
	return rc;
}

int
show_messages(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	struct subject m = {
		.sp = sp,
		.f = SPOOL_FILE_INIT,
		.envelope = BUF_INIT(ENVELOPE_MAX),
		.log = BUF_INIT(LOG_BYTES_MAX),
	};
	struct select_walk walk;
	bool is_first = true;
	int rc;

	select_begin(&walk, s, sp);
	while ((rc = select_next(&walk, &m.d, &m.entry, e)) != 0) {
		if (rc == -1) {
			output_complain(o, e);
			continue;
		}
		rc = show_one(&m, is_first, o, e);
		is_first = false;
		if (rc == -1)
			break;
	}
	select_end(&walk);
	buf_free(&m.envelope);
	buf_free(&m.log);
	return rc;
}

/* ---- cat ---- */

/* For a terminal: LF alone ends a line, tabs stay, the rest is \xNN. */
static void
print_content(struct output *o, const char *data, size_t len)
{
	while (len > 0) {
		size_t plain = 0;

		while (plain < len && data[plain] != '\r' &&
		       data[plain] != '\n' && data[plain] != '\t')
			plain++;
		output_safe(o, data, plain);
		if (plain < len && data[plain] != '\r')
			putc(data[plain], o->data);
		plain += plain < len;
		data += plain;
		len -= plain;
	}
}

static int
copy_content(const struct spool_file *f, struct output *o, struct err *e)
{
	uint64_t at = f->content;

	while (at < f->size) {
		char piece[PIECE];
		ssize_t n = pread(f->fd, piece, sizeof piece, (off_t)at);

		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return err_sys(e, "read");
		if (n == 0)
			return err_data(e, "the file has become shorter");
		if (o->form == OUTPUT_TABLE)
			print_content(o, piece, (size_t)n);
		else
			fwrite(piece, 1, (size_t)n, o->data);
		at += (uint64_t)n;
	}
	return 0;
}

/* 0 when the message is gone. */
static int
cat_one(const struct spool_domain *d, struct spool_entry *entry,
    struct output *o, struct err *e)
{
	struct spool_file f = SPOOL_FILE_INIT;
	int rc;

	do
		rc = spool_file_open(&f, d, entry, false, e);
	while (rc == 0 && select_follow(d, entry));
	if (rc == 1 && copy_content(&f, o, e) == -1)
		rc = err_prefix(e, "%s", entry->id);
	spool_file_close(&f);
	return rc;
}

int
show_content(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	const struct spool_domain *d;
	struct spool_entry entry;
	struct select_walk walk;
	int rc;

	select_begin(&walk, s, sp);
	while ((rc = select_next(&walk, &d, &entry, e)) != 0) {
		if (rc == 1)
			rc = cat_one(d, &entry, o, e);
		if (rc == -1)
			output_complain(o, e);
	}
	select_end(&walk);
	return 0;
}
