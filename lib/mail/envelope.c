#include "mail/envelope.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static const char first_line[] = "Bmx-Envelope: 1\r\n";
static const char crlf[] = "\r\n";

#define TO_LEN (sizeof "Bmx-To: " - 1) /* then the state's byte */

/* Everything the envelope can hold. */
static const unsigned all_exts = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME |
				 SMTP_EXT_SMTPUTF8 | SMTP_EXT_REQUIRETLS |
				 SMTP_EXT_DSN;

/* ---- recipients ---- */

static int
grow(struct envelope *env, struct err *e)
{
	size_t room = env->rcpt_room == 0 ? 4 : 2 * env->rcpt_room;
	struct envelope_rcpt *grown;

	if (env->nrcpt < env->rcpt_room)
		return 0;
	grown = realloc(env->rcpts, room * sizeof *grown);
	if (grown == NULL)
		return err_temp(e, "no memory for recipients");
	env->rcpts = grown;
	env->rcpt_room = room;
	return 0;
}

int
envelope_add(struct envelope *env, const struct smtp_rcpt *r, struct err *e)
{
	struct envelope_rcpt *to;
	char *orcpt = NULL;

	if (env->nrcpt == ENVELOPE_RCPT_MAX)
		return err_perm(e, "more than %d recipients",
		    ENVELOPE_RCPT_MAX);
	if (grow(env, e) == -1)
		return -1;
	if (r->orcpt[0] != '\0' && (orcpt = strdup(r->orcpt)) == NULL)
		return err_temp(e, "no memory for recipients");
	to = &env->rcpts[env->nrcpt++];
	to->addr = r->forward_path;
	to->notify = r->notify;
	to->orcpt = orcpt;
	to->state = RCPT_PENDING;
	to->state_offset = 0;
	return 0;
}

size_t
envelope_pending(const struct envelope *env)
{
	size_t n = 0;

	for (size_t i = 0; i < env->nrcpt; i++)
		n += rcpt_waits(env->rcpts[i].state);
	return n;
}

void
envelope_reset(struct envelope *env)
{
	for (size_t i = 0; i < env->nrcpt; i++)
		free(env->rcpts[i].orcpt);
	free(env->rcpts);
	free(env->notice);
	*env = (struct envelope)ENVELOPE_INIT;
}

/* ---- writing ---- */

static bool
is_control(char c)
{
	return (c >= 0 && c < 0x20) || c == 0x7f;
}

static bool
has_control(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (is_control(text[i]))
			return true;
	return false;
}

/* The parsers let no control character in; if one comes all the same, no
 * value may make a line of its own (CVE-2020-28021 was that). */
static bool
is_one_line(const struct envelope *env)
{
	const struct smtp_mail *m = &env->mail;

	if (has_control(m->reverse_path.text, strlen(m->reverse_path.text)) ||
	    has_control(m->envid, strlen(m->envid)) ||
	    (env->notice != NULL &&
		has_control(env->notice, strlen(env->notice))))
		return false;
	for (size_t i = 0; i < env->nrcpt; i++) {
		const struct envelope_rcpt *r = &env->rcpts[i];

		if (has_control(r->addr.text, strlen(r->addr.text)) ||
		    (r->orcpt != NULL &&
			has_control(r->orcpt, strlen(r->orcpt))))
			return false;
	}
	return true;
}

/* " key=value", the value as xtext; nothing when it is not known. */
static void
add_text(struct buf *b, const char *key, const char *value)
{
	char plain[ENVELOPE_TEXT_MAX], xtext[3 * ENVELOPE_TEXT_MAX];
	size_t len = strlen(value);

	if (len == 0)
		return;
	for (size_t i = 0; i < len; i++)
		plain[i] = value[i] < 0x20 || value[i] > 0x7e ? '?' : value[i];
	smtp_xtext_encode(plain, len, xtext);
	buf_addf(b, " %s=%s", key, xtext);
}

static void
add_client(struct buf *b, const struct envelope_client *c)
{
	buf_puts(b, "Bmx-Client:");
	add_text(b, "addr", c->addr);
	if (c->port != 0)
		buf_addf(b, " port=%u", c->port);
	add_text(b, "name", c->name);
	add_text(b, "helo", c->helo);
	add_text(b, "proto", c->proto);
	add_text(b, "tls", c->tls);
	buf_puts(b, crlf);
}

static void
add_from(struct buf *b, const struct smtp_mail *m)
{
	buf_addf(b, "Bmx-From: <%s>", m->reverse_path.text);
	smtp_format_mail_params(b, m, all_exts);
	buf_puts(b, crlf);
}

static void
add_to(struct buf *b, const struct envelope_rcpt *r)
{
	buf_addf(b, "Bmx-To: %c <%s>", (char)r->state, r->addr.text);
	smtp_format_rcpt_params(b, r->notify, r->orcpt, all_exts);
	buf_puts(b, crlf);
}

int
envelope_format(const struct envelope *env, const bool *keep, struct buf *b,
    struct err *e)
{
	char time[CLOCK_RFC3339_MAX];

	if (!is_one_line(env))
		return err_temp(e, "envelope: control character in a value");
	buf_puts(b, first_line);
	buf_addf(b, "Bmx-Arrival: %s\r\n",
	    clock_rfc3339(time, env->arrival_us));
	add_client(b, &env->client);
	if (env->has_clock)
		buf_addf(b, "Bmx-Clock: up=%" PRId64 " all=%" PRId64 "\r\n",
		    env->up_s, env->all_s);
	if (env->notice != NULL)
		buf_addf(b, "Bmx-Notice: %s\r\n", env->notice);
	add_from(b, &env->mail);
	for (size_t i = 0; i < env->nrcpt; i++)
		if (keep == NULL || keep[i])
			add_to(b, &env->rcpts[i]);
	return buf_check(b, e);
}

/* ---- reading ---- */

struct field {
	const char *value; /* after "Name: " */
	size_t len;
	size_t offset; /* of the line, in the file */
};

static int
copy_text(char *out, size_t size, const char *xtext, size_t len, struct err *e)
{
	char plain[3 * ENVELOPE_TEXT_MAX];
	int n = len < sizeof plain ? smtp_xtext_decode(xtext, len, plain) : -1;

	if (n < 0 || (size_t)n >= size)
		return err_data(e, "envelope: bad text in Bmx-Client");
	for (int i = 0; i < n; i++)
		if (plain[i] < 0x20 || plain[i] > 0x7e)
			return err_data(e,
			    "envelope: unprintable text in Bmx-Client");
	memcpy(out, plain, (size_t)n);
	out[n] = '\0';
	return 0;
}

static bool
is_key(const char *word, size_t len, const char *key)
{
	return len == strlen(key) && memcmp(word, key, len) == 0;
}

/* One "key=value"; a key that is not known is passed over. */
static int
parse_client_item(struct envelope_client *c, const char *item, size_t len,
    struct err *e)
{
	const struct {
		const char *key;
		char *out;
		size_t size;
	} texts[] = {
		{ "addr", c->addr, sizeof c->addr },
		{ "name", c->name, sizeof c->name },
		{ "helo", c->helo, sizeof c->helo },
		{ "proto", c->proto, sizeof c->proto },
		{ "tls", c->tls, sizeof c->tls },
	};
	const char *equals = memchr(item, '=', len), *value;
	size_t key_len, value_len;
	unsigned long long port;

	if (equals == NULL)
		return err_data(e, "envelope: no '=' in Bmx-Client");
	key_len = (size_t)(equals - item);
	value = equals + 1;
	value_len = len - key_len - 1;
	if (is_key(item, key_len, "port")) {
		if (text_number(value, value_len, 65535, &port) == -1)
			return err_data(e, "envelope: bad port in Bmx-Client");
		c->port = (unsigned)port;
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (is_key(item, key_len, texts[i].key))
			return copy_text(texts[i].out, texts[i].size, value,
			    value_len, e);
	return 0;
}

static int
parse_client(struct envelope *env, const struct field *f, struct err *e)
{
	const char *p = f->value, *end = p + f->len, *blank;

	while (p < end) {
		blank = memchr(p, ' ', (size_t)(end - p));
		if (blank == NULL)
			blank = end;
		if (parse_client_item(&env->client, p, (size_t)(blank - p),
			e) == -1)
			return -1;
		p = blank + (blank < end);
	}
	return 0;
}

static int
parse_arrival(struct envelope *env, const struct field *f, struct err *e)
{
	if (clock_parse_rfc3339(f->value, f->len, &env->arrival_us) == -1)
		return err_data(e, "envelope: bad Bmx-Arrival");
	return 0;
}

/* "up=N all=N", in this order. */
static int
parse_clock(struct envelope *env, const struct field *f, struct err *e)
{
	static const char up[] = "up=", all[] = " all=";
	const char *second = memmem(f->value, f->len, all, sizeof all - 1);
	unsigned long long up_s, all_s;
	size_t up_len, all_len;

	if (f->len < sizeof up || memcmp(f->value, up, sizeof up - 1) != 0 ||
	    second == NULL)
		return err_data(e, "envelope: bad Bmx-Clock");
	up_len = (size_t)(second - f->value) - (sizeof up - 1);
	second += sizeof all - 1;
	all_len = f->len - (size_t)(second - f->value);
	if (text_number(f->value + sizeof up - 1, up_len, INT64_MAX, &up_s) ==
		-1 ||
	    text_number(second, all_len, INT64_MAX, &all_s) == -1)
		return err_data(e, "envelope: bad Bmx-Clock");
	env->has_clock = true;
	env->up_s = (int64_t)up_s;
	env->all_s = (int64_t)all_s;
	return 0;
}

static int
parse_notice(struct envelope *env, const struct field *f, struct err *e)
{
	env->notice = strndup(f->value, f->len);
	return env->notice == NULL ? err_temp(e, "out of memory") : 0;
}

/* The value behind "FROM:" or "TO:", as the parser of commands wants it. */
static int
as_command(char command[SMTP_COMMAND_MAX], const char *verb, const char *value,
    size_t len, struct err *e)
{
	size_t verb_len = strlen(verb);

	if (verb_len + len > SMTP_COMMAND_MAX)
		return err_data(e, "envelope: Bmx-From or Bmx-To is too long");
	memcpy(command, verb, verb_len);
	memcpy(command + verb_len, value, len);
	return (int)(verb_len + len);
}

static int
parse_from(struct envelope *env, const struct field *f, struct err *e)
{
	char command[SMTP_COMMAND_MAX];
	int len = as_command(command, "FROM:", f->value, f->len, e);
	const char *why;

	if (len == -1)
		return -1;
	why = smtp_parse_mail(command, (size_t)len, all_exts, &env->mail);
	if (why != NULL)
		return err_data(e, "envelope: bad Bmx-From: %s", why);
	return 0;
}

static int
parse_to(struct envelope *env, const struct field *f, struct err *e)
{
	char command[SMTP_COMMAND_MAX];
	struct smtp_rcpt rcpt;
	const char *why;
	int len;

	if (f->len < 2 || f->value[1] != ' ' ||
	    memchr("PUDFXB", f->value[0], 6) == NULL)
		return err_data(e, "envelope: bad state in Bmx-To");
	len = as_command(command, "TO:", f->value + 2, f->len - 2, e);
	if (len == -1)
		return -1;
	why = smtp_parse_rcpt(command, (size_t)len, all_exts,
	    env->mail.smtputf8, &rcpt);
	if (why != NULL)
		return err_data(e, "envelope: bad Bmx-To: %s", why);
	if (envelope_add(env, &rcpt, e) == -1) {
		if (e->class == ERR_PERM)
			e->class = ERR_DATA;
		return -1;
	}
	env->rcpts[env->nrcpt - 1].state = (enum rcpt_state)f->value[0];
	env->rcpts[env->nrcpt - 1].state_offset = f->offset + TO_LEN;
	return 0;
}

enum field_id { ARRIVAL, CLIENT, CLOCK, NOTICE, FROM, TO, NFIELDS };

static const struct {
	const char *name;
	int (*parse)(struct envelope *, const struct field *, struct err *);
} fields[NFIELDS] = {
	[ARRIVAL] = { "Bmx-Arrival:", parse_arrival },
	[CLIENT] = { "Bmx-Client:", parse_client },
	[CLOCK] = { "Bmx-Clock:", parse_clock },
	[NOTICE] = { "Bmx-Notice:", parse_notice },
	[FROM] = { "Bmx-From:", parse_from },
	[TO] = { "Bmx-To:", parse_to },
};

/* One line without its CRLF. seen: a bit for each field that was there. */
static int
parse_field(struct envelope *env, const char *line, size_t len, size_t offset,
    unsigned *seen, struct err *e)
{
	struct field f = { .offset = offset };
	size_t name_len;

	if (has_control(line, len))
		return err_data(e, "envelope: control character in a field");
	for (unsigned i = 0; i < NFIELDS; i++) {
		name_len = strlen(fields[i].name);
		if (len < name_len ||
		    memcmp(line, fields[i].name, name_len) != 0)
			continue;
		if (i != TO && (*seen & 1u << i))
			return err_data(e, "envelope: %s twice",
			    fields[i].name);
		if (i == TO && (*seen & 1u << FROM) == 0)
			return err_data(e, "envelope: Bmx-To before Bmx-From");
		*seen |= 1u << i;
		if (len > name_len && line[name_len++] != ' ')
			return err_data(e, "envelope: no blank after %s",
			    fields[i].name);
		f.value = line + name_len;
		f.len = len - name_len;
		return fields[i].parse(env, &f, e);
	}
	return 0;
}

/* The length of the field at the start of data with its CRLF; 0: data ends
 * first; -1: it has a bare LF. */
static long
field_len(const char *data, size_t len, struct err *e)
{
	const char *lf = memchr(data, '\n', len);

	if (lf == NULL)
		return 0;
	if (lf == data || lf[-1] != '\r')
		return err_data(e, "envelope: line without CR");
	return lf + 1 - data;
}

/* True when data begins with text, as far as there is data. */
static bool
may_begin(const char *data, size_t len, const char *text)
{
	size_t text_len = strlen(text);

	return memcmp(data, text, len < text_len ? len : text_len) == 0;
}

/* What envelope_parse() returns, but env is not emptied. */
static long
parse(struct envelope *env, const char *data, size_t len, struct err *e)
{
	size_t at = strlen(first_line);
	unsigned seen = 0;

	if (!may_begin(data, len, first_line))
		return err_data(e, "no envelope of ours");
	while (at < len && may_begin(data + at, len - at, "Bmx-")) {
		long n = field_len(data + at, len - at, e);

		if (n <= 0)
			return n;
		if (parse_field(env, data + at, (size_t)n - 2, at, &seen, e) ==
		    -1)
			return -1;
		at += (size_t)n;
	}
	if (at >= len)
		return 0;
	if ((~seen & (1u << ARRIVAL | 1u << FROM | 1u << TO)) != 0)
		return err_data(e, "envelope: a field is missing");
	return (long)at;
}

long
envelope_parse(struct envelope *env, const char *data, size_t len,
    struct err *e)
{
	bool is_cut = len > ENVELOPE_MAX;
	long n;

	envelope_reset(env);
	n = parse(env, data, is_cut ? ENVELOPE_MAX : len, e);
	if (n == 0 && is_cut)
		n = err_data(e, "envelope of more than %d bytes", ENVELOPE_MAX);
	if (n <= 0)
		envelope_reset(env);
	return n;
}
