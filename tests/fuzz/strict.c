#include "strict.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 2048
#define CONTENT_MAX (4 << 20)

void
strict_init(struct strict *s)
{
	s->state = STRICT_HELLO;
	s->content = (struct buf)BUF_INIT(CONTENT_MAX);
	s->line = (struct buf)BUF_INIT(CONTENT_MAX);
}

void
strict_free(struct strict *s)
{
	buf_free(&s->content);
	buf_free(&s->line);
}

/* ---- paths and their parameters ---- */

/* Past the '>' that ends a path; in quotes it ends nothing. */
static const char *
path_end(const char *p)
{
	bool in_quotes = false;

	for (; *p != '\0'; p++) {
		if (*p == '>' && !in_quotes)
			return p + 1;
		if (*p == '\\' && in_quotes)
			p++;
		else if (*p == '"')
			in_quotes = !in_quotes;
	}
	abort();
}

const char *
strict_param(const struct strict_path *p, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < p->nparam; i++)
		if (strncmp(p->param[i], name, len) == 0 &&
		    (p->param[i][len] == '=' || p->param[i][len] == '\0'))
			return p->param[i] + len + (p->param[i][len] == '=');
	return NULL;
}

static bool
may_have(const struct strict *s, bool is_mail, const char *name)
{
	const struct {
		const char *name;
		bool is_of_mail, is_offered;
	} rows[] = {
		{ "SIZE", true, s->has_size },
		{ "BODY", true, s->has_8bitmime },
		{ "SMTPUTF8", true, s->has_smtputf8 },
		{ "REQUIRETLS", true, s->has_requiretls },
		{ "RET", true, s->has_dsn },
		{ "ENVID", true, s->has_dsn },
		{ "NOTIFY", false, s->has_dsn },
		{ "ORCPT", false, s->has_dsn },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].is_of_mail == is_mail &&
			       rows[i].is_offered;
	return false;
}

/* " NAME" or " NAME=VALUE", one blank in front. Returns what is behind it. */
static const char *
take_param(const struct strict *s, struct strict_path *p, bool is_mail,
    const char *at)
{
	char name[32];
	size_t len, name_len;

	assert(*at++ == ' ');
	len = strcspn(at, " ");
	name_len = strcspn(at, " =");
	assert(name_len > 0 && name_len < sizeof name);
	snprintf(name, sizeof name, "%.*s", (int)name_len, at);
	assert(may_have(s, is_mail, name) && strict_param(p, name) == NULL);
	assert(p->nparam < STRICT_PARAMS_MAX && len < sizeof p->param[0]);
	snprintf(p->param[p->nparam++], sizeof p->param[0], "%.*s", (int)len,
	    at);
	return at + len;
}

static void
take_path(const struct strict *s, struct strict_path *p, bool is_mail,
    const char *at)
{
	const char *end = path_end(at);
	size_t len = (size_t)(end - 1 - at);

	*p = (struct strict_path){ .nparam = 0 };
	assert(len < sizeof p->text);
	memcpy(p->text, at, len);
	for (size_t i = 0; i < len; i++)
		assert(s->has_smtputf8 || (unsigned char)p->text[i] < 0x80);
	while (*end != '\0')
		end = take_param(s, p, is_mail, end);
}

/* ---- commands ---- */

static void
answer(struct strict *s, const char *reply)
{
	s->reply(s->arg, reply);
}

static void
say_offers(struct strict *s)
{
	char text[256];

	snprintf(text, sizeof text,
	    "250-primary.example\r\n%s%s%s%s%s%s%s250 HELP\r\n",
	    s->has_size ? "250-SIZE 0\r\n" : "",
	    s->has_8bitmime ? "250-8BITMIME\r\n" : "",
	    s->has_dsn ? "250-DSN\r\n" : "",
	    s->has_smtputf8 ? "250-SMTPUTF8\r\n" : "",
	    s->has_requiretls ? "250-REQUIRETLS\r\n" : "",
	    s->has_chunking ? "250-CHUNKING\r\n" : "",
	    s->has_pipelining ? "250-PIPELINING\r\n" : "");
	answer(s, text);
}

/* What follows the word, when the line begins with it. */
static const char *
after(const char *line, const char *word)
{
	size_t len = strlen(word);

	return strncmp(line, word, len) == 0 ? line + len : NULL;
}

static void
begin_chunk(struct strict *s, const char *size)
{
	char *end;

	assert(s->has_chunking && *size >= '0' && *size <= '9');
	s->chunk_left = strtoull(size, &end, 10);
	assert(strcmp(end, " LAST") == 0);
	s->state = STRICT_CHUNK;
}

static void
take_transaction(struct strict *s, const char *line)
{
	const char *rest;

	if ((rest = after(line, "MAIL FROM:<")) != NULL) {
		assert(s->state == STRICT_READY);
		take_path(s, &s->from, true, rest);
		s->nto = 0;
		s->state = STRICT_MAIL;
	} else if ((rest = after(line, "RCPT TO:<")) != NULL) {
		assert(s->state == STRICT_MAIL && s->nto < STRICT_RCPT_MAX);
		take_path(s, &s->to[s->nto++], false, rest);
	} else if ((rest = after(line, "BDAT ")) != NULL) {
		assert(s->state == STRICT_MAIL && s->nto > 0);
		begin_chunk(s, rest);
		return;
	} else {
		assert(strcmp(line, "DATA") == 0 && s->state == STRICT_MAIL);
		assert(s->nto > 0);
		s->state = STRICT_DATA;
		answer(s, "354 go on\r\n");
		return;
	}
	answer(s, "250 2.1.0 yes\r\n");
}

static void
take_command(struct strict *s, const char *line)
{
	if (after(line, s->is_lmtp ? "LHLO " : "EHLO ") != NULL) {
		assert(s->state == STRICT_HELLO);
		s->state = STRICT_READY;
		say_offers(s);
	} else if (strcmp(line, "QUIT") == 0) {
		assert(s->state == STRICT_READY);
		s->state = STRICT_QUIT;
		answer(s, "221 bye\r\n");
	} else {
		take_transaction(s, line);
	}
}

/* ---- content ---- */

static void
end_content(struct strict *s)
{
	s->state = STRICT_READY;
	s->messages++;
	for (size_t i = 0; i < (s->is_lmtp ? s->nto : 1); i++)
		answer(s, "250 2.0.0 taken\r\n");
}

/* A line with its CRLF. */
static void
take_content_line(struct strict *s, const char *line, size_t len)
{
	if (len == 3 && line[0] == '.') {
		end_content(s);
		return;
	}
	if (line[0] == '.') {
		assert(line[1] == '.');
		line++;
		len--;
	}
	buf_add(&s->content, line, len);
}

/* ---- bytes ---- */

static void
take_line(struct strict *s)
{
	struct buf *b = &s->line;

	if (s->state == STRICT_DATA) {
		take_content_line(s, b->data, b->len);
	} else {
		assert(b->len <= LINE_MAX_BYTES);
		b->data[b->len - 2] = '\0';
		assert(strlen(b->data) == b->len - 2);
		for (size_t i = 0; i < b->len - 2; i++)
			assert((unsigned char)b->data[i] >= ' ' &&
			       b->data[i] != 0x7f);
		take_command(s, b->data);
	}
	buf_reset(b);
}

/* A CR without its LF, or a LF without its CR, is a line end to nobody who can
 * be trusted. */
static void
take_byte(struct strict *s, char byte)
{
	bool after_cr =
	    s->line.len > 0 && s->line.data[s->line.len - 1] == '\r';

	assert(s->state != STRICT_QUIT && after_cr == (byte == '\n'));
	buf_add(&s->line, &byte, 1);
	if (byte == '\n')
		take_line(s);
}

static size_t
take_chunk(struct strict *s, const char *data, size_t len)
{
	if (len > s->chunk_left)
		len = (size_t)s->chunk_left;
	buf_add(&s->content, data, len);
	s->chunk_left -= len;
	return len;
}

static bool
is_content(const struct strict *s)
{
	return s->state == STRICT_DATA || s->state == STRICT_CHUNK;
}

void
strict_take(struct strict *s, const char *data, size_t len)
{
	while (len > 0) {
		bool was_content = is_content(s);
		size_t used = 1;

		if (s->state == STRICT_CHUNK)
			used = take_chunk(s, data, len);
		else
			take_byte(s, *data);
		data += used;
		len -= used;
		if (s->state == STRICT_CHUNK && s->chunk_left == 0)
			end_content(s);
		/* a command waits for the reply to the one before it */
		if (!s->has_pipelining && !was_content && s->line.len == 0)
			assert(len == 0 || s->state == STRICT_CHUNK);
	}
}
