#include "bmx-queue/show.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bmx-queue/detail.h"
#include "bmx-queue/jline.h"

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

static void
add_lines(struct jline *j, const char *key, const struct buf *b)
{
	const char *text = b->data, *line;
	size_t left = b->len, len;

	jline_open(j, key, '[');
	while (next_line(&text, &left, &line, &len))
		jline_text(j, NULL, line, len);
	jline_close(j, ']');
}

/* ---- show ---- */

/* One message, and its two texts. */
struct subject {
	struct output *o;
	bool is_first;
	struct detail m;
	struct buf envelope, log;
};

static void
print_state(struct output *o, const struct detail *m)
{
	char room[OUTPUT_WORD], at[CLOCK_RFC3339_MAX];

	fprintf(o->data, "State:     %s", output_state(o, &m->entry));
	if (output_is_held(o, &m->entry) && m->entry.until_s > 0)
		fprintf(o->data, ", not tried until %.19sZ\n",
		    clock_rfc3339(at, m->entry.until_s * 1000000));
	else if (output_is_held(o, &m->entry))
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
print_path(struct output *o, const struct detail *m)
{
	output_safe(o, m->spool->path, strlen(m->spool->path));
	fprintf(o->data, "/%s/%s/%s", m->d->name,
	    m->entry.is_new ? "new" : "cur", m->entry.name);
}

static void
print_subject(struct output *o, const struct subject *s)
{
	const struct detail *m = &s->m;
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
	print_envelope(o, &s->envelope);
	print_log(o, &s->log);
}

static int
json_subject(struct output *o, struct subject *s, struct err *e)
{
	struct detail *m = &s->m;
	struct jline j = JLINE_INIT;
	char path[sizeof m->spool->path + sizeof m->d->name + SPOOL_NAME_MAX +
		  8];
	int rc;

	detail_read_more(m, o);
	snprintf(path, sizeof path, "%s/%s/%s/%s", m->spool->path, m->d->name,
	    m->entry.is_new ? "new" : "cur", m->entry.name);
	jline_open(&j, NULL, '{');
	detail_json(&j, o, m);
	jline_word(&j, "file", path);
	add_lines(&j, "envelope", &s->envelope);
	add_lines(&j, "log", &s->log);
	jline_close(&j, '}');
	rc = jline_print(&j, o, e);
	jline_free(&j);
	return rc;
}

/* The fields as they are in the file, those of a later version too. */
static int
read_fields(struct subject *s, struct err *e)
{
	size_t len = (size_t)s->m.f.content;
	char *room;

	if (s->m.f.fd == -1)
		return 0;
	room = buf_room(&s->envelope, len);
	if (room == NULL)
		return buf_check(&s->envelope, e);
	if (pread(s->m.f.fd, room, len, 0) != (ssize_t)len)
		return err_temp(e, "cannot read the envelope of %s",
		    s->m.entry.id);
	s->envelope.len = len;
	return 0;
}

/* Read all there is to show. 1, 0 when the message is gone. */
static int
examine(struct subject *s, struct output *o, struct err *e)
{
	if (detail_read(&s->m, o) == 0)
		return 0;
	if (read_fields(s, e) == -1)
		output_complain(o, e);
	if (spool_log_read(s->m.d, s->m.entry.id, &s->log, e) == -1)
		output_complain(o, e);
	return 1;
}

static int
show_one(void *context, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	struct subject *s = context;
	int rc = 0;

	s->m.d = d;
	s->m.entry = *entry;
	buf_reset(&s->envelope);
	buf_reset(&s->log);
	if (examine(s, s->o, e) == 0)
		return 0;
	if (s->o->form == OUTPUT_JSON) {
		rc = json_subject(s->o, s, e);
	} else {
		fputs(s->is_first ? "" : "\n", s->o->data);
		print_subject(s->o, s);
	}
	s->is_first = false;
	detail_close(&s->m);
	return rc;
}

int
show_messages(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e)
{
	struct subject subject = {
		.o = o,
		.is_first = true,
		.m = DETAIL_INIT(conf, sp),
		.envelope = BUF_INIT(ENVELOPE_MAX),
		.log = BUF_INIT(LOG_BYTES_MAX),
	};
	int rc = select_in_order(s, sp, show_one, &subject, o, e);

	buf_free(&subject.envelope);
	buf_free(&subject.log);
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
	char piece[PIECE];
	ssize_t n;

	while ((n = spool_file_read(f, at, piece, sizeof piece, e)) > 0) {
		if (o->form == OUTPUT_TABLE)
			print_content(o, piece, (size_t)n);
		else
			fwrite(piece, 1, (size_t)n, o->data);
		at += (uint64_t)n;
	}
	return (int)n;
}

/* Trouble with one is told, and the others are written. */
static int
cat_one(void *context, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct output *o = context;
	int rc;

	do
		rc = spool_file_open(&f, d, entry, false, e);
	while (rc == 0 && select_follow(d, entry));
	if (rc == 1 && copy_content(&f, o, e) == -1)
		rc = err_prefix(e, "%s", entry->id);
	spool_file_close(&f);
	if (rc == -1)
		output_complain(o, e);
	return 0;
}

int
show_content(const struct select *s, const struct spool *sp, struct output *o,
    struct err *e)
{
	return select_in_order(s, sp, cat_one, o, o, e);
}
