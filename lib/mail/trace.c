#include "mail/trace.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"

/* ---- ours ---- */

/* What a Domain or an address literal is made of. */
static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c != '\0' && strchr(".-_:[]", c));
}

/* Printable ASCII but not what ends or nests a comment. */
static bool
is_comment_char(char c)
{
	return c >= 0x20 && c < 0x7f && c != '(' && c != ')' && c != '\\';
}

static void
add_clean(struct buf *b, const char *text, bool (*is_allowed)(char))
{
	size_t len = strlen(text);
	char *out = buf_room(b, len);

	if (out == NULL)
		return;
	for (size_t i = 0; i < len; i++)
		out[i] = is_allowed(text[i]) ? text[i] : '?';
	out[len] = '\0';
	b->len += len;
}

static void
add_host(struct buf *b, const char *text)
{
	add_clean(b, text, is_host_char);
}

/* From-domain with its TCP-info: "mx.example.org (unknown [192.0.2.1])". */
static void
add_from(struct buf *b, const struct envelope_client *c)
{
	bool is_v6 = strchr(c->addr, ':') != NULL;

	buf_puts(b, "Received: from ");
	add_host(b, c->helo[0] == '\0' ? "unknown" : c->helo);
	if (c->addr[0] == '\0')
		return;
	buf_puts(b, " (");
	add_host(b, c->name[0] == '\0' ? "unknown" : c->name);
	buf_puts(b, is_v6 ? " [IPv6:" : " ["); /* RFC 5321 4.1.3 */
	add_host(b, c->addr);
	buf_puts(b, "])");
}

/* "ESMTPS" is "UTF8SMTPS" for a message that needs SMTPUTF8 (RFC 6531 4.3). */
static void
add_proto(struct buf *b, const struct envelope *env)
{
	const char *proto = env->client.proto;

	if (proto[0] == '\0')
		return;
	buf_puts(b, " with ");
	if (env->mail.smtputf8 && strncmp(proto, "ESMTP", 5) == 0) {
		buf_puts(b, "UTF8");
		proto++;
	}
	add_host(b, proto);
}

void
trace_received(struct buf *b, const struct envelope *env, const char *hostname,
    const char *id, const char *only_rcpt)
{
	char date[CLOCK_RFC5322_MAX];

	add_from(b, &env->client);
	buf_addf(b, "\r\n\tby %s", hostname);
	add_proto(b, env);
	buf_addf(b, " id %s", id);
	if (env->client.tls[0] != '\0') {
		buf_puts(b, "\r\n\t(");
		add_clean(b, env->client.tls, is_comment_char);
		buf_puts(b, ")");
	}
	if (only_rcpt != NULL)
		buf_addf(b, "\r\n\tfor <%s>", only_rcpt);
	buf_addf(b, "; %s\r\n", clock_rfc5322(date, env->arrival_us));
}

/* ---- counting ---- */

static const char received[] = "received";

void
trace_counter_init(struct trace_counter *t, const char *hostname)
{
	*t = (struct trace_counter){ .hostname = hostname };
}

/* A word of a Received field ended. */
static void
end_word(struct trace_counter *t)
{
	if (t->word_len == 0)
		return;
	t->word[t->word_len] = '\0';
	if (t->after_by && !t->is_own &&
	    strcasecmp(t->word, t->hostname) == 0) {
		t->is_own = true;
		t->own_hops++;
	}
	t->after_by = strcasecmp(t->word, "by") == 0;
	t->word_len = 0;
}

static void
begin_field(struct trace_counter *t)
{
	t->state = TRACE_NAME;
	t->name_len = 0;
	t->in_received = false;
	t->after_by = false;
	t->is_own = false;
	t->word_len = 0;
}

/* The next byte of a field's name; after it blanks may stand (RFC 5322
 * 4.5.8). */
static void
read_name(struct trace_counter *t, char c)
{
	const size_t len = sizeof received - 1;

	if (t->name_len < len && (c | 0x20) == received[t->name_len]) {
		t->name_len++;
	} else if (t->name_len == len && c == ':') {
		t->in_received = true;
		t->hops++;
		t->state = TRACE_VALUE;
	} else if (t->name_len < len || (c != ' ' && c != '\t')) {
		t->state = TRACE_VALUE;
	}
}

static void
read_value(struct trace_counter *t, char c)
{
	if (strchr(" \t\r\n();", c) != NULL) /* and NUL */
		end_word(t);
	else if (t->word_len + 1 < sizeof t->word)
		t->word[t->word_len++] = c;
}

static void
read_line_start(struct trace_counter *t, char c)
{
	if (c == '\n') {
		t->state = TRACE_BODY;
	} else if (c == '\r' && t->state == TRACE_LINE_START) {
		t->state = TRACE_LINE_CR;
	} else if (c == ' ' || c == '\t') {
		t->state = TRACE_VALUE; /* of the field before, folded */
	} else {
		begin_field(t);
		read_name(t, c);
	}
}

void
trace_count(struct trace_counter *t, const char *data, size_t len)
{
	const char *end = data + len;

	for (const char *p = data; p < end && t->state != TRACE_BODY; p++) {
		if (t->state == TRACE_LINE_START || t->state == TRACE_LINE_CR) {
			read_line_start(t, *p);
		} else if (*p == '\n') {
			t->state = TRACE_LINE_START;
			end_word(t);
		} else if (t->state == TRACE_NAME) {
			read_name(t, *p);
		} else if (t->in_received) {
			read_value(t, *p);
		} else {
			p = memchr(p, '\n', (size_t)(end - p));
			if (p == NULL)
				return;
			t->state = TRACE_LINE_START;
		}
	}
}
