#include "mail/tlsrequired.h"

static const char our_name[] = "tls-required";

#define OUR_LEN (sizeof our_name - 1)

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The colon: what follows is a value. */
static void
begin_value(struct tlsrequired *t)
{
	t->in_field = t->name_len == OUR_LEN;
	t->state = TLSREQUIRED_VALUE;
	if (!t->in_field)
		return;
	t->fields += t->fields < 2;
	t->value = TLSREQUIRED_NOTHING;
}

static void
read_name(struct tlsrequired *t, char c)
{
	if (c == ':')
		begin_value(t);
	else if (is_blank(c)) /* RFC 5322 4.5.8 */
		t->state = TLSREQUIRED_NAME_END;
	else if (c == '\n' || t->state == TLSREQUIRED_NAME_END)
		t->state = TLSREQUIRED_BODY;
	else if (t->name_len < OUR_LEN && lower(c) == our_name[t->name_len])
		t->name_len++;
	else
		t->name_len = OUR_LEN + 1;
}

static void
read_line_start(struct tlsrequired *t, char c)
{
	if (c == '\n') {
		t->state = TLSREQUIRED_BODY;
	} else if (is_blank(c)) {
		t->state = TLSREQUIRED_VALUE;
	} else if (c != '\r') {
		t->state = TLSREQUIRED_NAME;
		t->name_len = 0;
		read_name(t, c);
	}
}

static void
read_value(struct tlsrequired *t, char c)
{
	bool is_space = is_blank(c) || c == '\r' || c == '\n';

	if (c == '\n')
		t->state = TLSREQUIRED_LINE_START;
	if (!t->in_field)
		return;
	if (t->value == TLSREQUIRED_NOTHING && lower(c) == 'n')
		t->value = TLSREQUIRED_N;
	else if (t->value == TLSREQUIRED_N && lower(c) == 'o')
		t->value = TLSREQUIRED_NO;
	else if (!is_space || t->value == TLSREQUIRED_N)
		t->value = TLSREQUIRED_ELSE;
}

bool
tlsrequired_read(struct tlsrequired *t, const char *data, size_t len)
{
	for (size_t i = 0; i < len && t->state != TLSREQUIRED_BODY; i++) {
		if (t->state == TLSREQUIRED_LINE_START)
			read_line_start(t, data[i]);
		else if (t->state == TLSREQUIRED_VALUE)
			read_value(t, data[i]);
		else
			read_name(t, data[i]);
	}
	return t->state == TLSREQUIRED_BODY;
}

bool
tlsrequired_is_no(const struct tlsrequired *t)
{
	return t->fields == 1 && t->value == TLSREQUIRED_NO;
}
