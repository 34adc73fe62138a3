#include "mail/smtp.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

/* ---- every reply that can come from here ---- */

static const char mail_syntax[] = "501 5.5.4 Syntax: MAIL FROM:<address>";
static const char mail_address[] = "501 5.1.7 Bad sender address syntax";
static const char rcpt_syntax[] = "501 5.5.4 Syntax: RCPT TO:<address>";
static const char rcpt_address[] = "501 5.1.3 Bad recipient address syntax";
static const char needs_smtputf8[] =
    "553 5.6.7 Non-ASCII address without SMTPUTF8";
static const char param_syntax[] = "501 5.5.4 Bad parameter syntax";
static const char param_unknown[] =
    "555 5.5.4 Parameter not known or not offered";
static const char param_twice[] = "501 5.5.4 Parameter given twice";
static const char bad_size[] = "501 5.5.4 Bad SIZE value";
static const char size_too_big[] = "552 5.3.4 Message size exceeds the limit";
static const char bad_body[] = "501 5.5.4 Bad BODY value";
static const char no_binarymime[] = "555 5.5.4 BODY=BINARYMIME not offered";
static const char no_value_wanted[] = "501 5.5.4 Parameter takes no value";
static const char bad_ret[] = "501 5.5.4 Bad RET value";
static const char bad_envid[] = "501 5.5.4 Bad ENVID value";
static const char bad_notify[] = "501 5.5.4 Bad NOTIFY value";
static const char bad_orcpt[] = "501 5.5.4 Bad ORCPT value";

/* ---- words ---- */

struct word {
	const char *s;
	size_t len;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Any case, as the RFCs compare keywords. */
static bool
is(struct word w, const char *name)
{
	return w.len == strlen(name) && strncasecmp(w.s, name, w.len) == 0;
}

static void
skip_blanks(struct word *w)
{
	while (w->len > 0 && is_blank(*w->s)) {
		w->s++;
		w->len--;
	}
}

/* The text before the first end, which is taken too; the rest stays in w.
 * False when w has no end: then it is all in *head. */
static bool
split_at(struct word *w, char end, struct word *head)
{
	const char *p = w->len == 0 ? NULL : memchr(w->s, end, w->len);

	*head = *w;
	if (p == NULL) {
		w->s += w->len;
		w->len = 0;
		return false;
	}
	head->len = (size_t)(p - w->s);
	w->s += head->len + 1;
	w->len -= head->len + 1;
	return true;
}

/* The next blank-separated word, or false at the end. */
static bool
next_word(struct word *rest, struct word *w)
{
	skip_blanks(rest);
	w->s = rest->s;
	w->len = 0;
	while (w->len < rest->len && !is_blank(w->s[w->len]))
		w->len++;
	rest->s += w->len;
	rest->len -= w->len;
	return w->len > 0;
}

/* ---- commands ---- */

void
smtp_split(const char *line, size_t len, struct smtp_command *c)
{
	struct word rest = { line, len }, verb;
	bool is_word = true;

	while (rest.len > 0 && is_blank(rest.s[rest.len - 1]))
		rest.len--;
	next_word(&rest, &verb);
	skip_blanks(&rest);
	c->arg = rest.s;
	c->arg_len = rest.len;
	for (size_t i = 0; i < verb.len; i++)
		is_word = is_word && is_letter(verb.s[i]);
	if (!is_word || verb.len >= sizeof c->verb)
		verb.len = 0;
	for (size_t i = 0; i < verb.len; i++)
		c->verb[i] = (char)(verb.s[i] & ~0x20);
	c->verb[verb.len] = '\0';
}

/* ---- xtext ---- */

static int
hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f') /* not RFC 3461's, but seen */
		return c - 'a' + 10;
	return -1;
}

static bool
is_xchar(char c)
{
	return c > 0x20 && c < 0x7f && c != '+' && c != '=';
}

/* The octet that the 1 or 3 characters at *s stand for; *s moves past them.
 * -1: no xtext. */
static int
xtext_octet(const char **s, const char *end)
{
	int high, low;

	if (**s != '+')
		return is_xchar(**s) ? (unsigned char)*(*s)++ : -1;
	if (end - *s < 3)
		return -1;
	high = hex_digit((*s)[1]);
	low = hex_digit((*s)[2]);
	if (high == -1 || low == -1)
		return -1;
	*s += 3;
	return high * 16 + low;
}

bool
smtp_is_xtext(const char *s, size_t len)
{
	for (const char *end = s + len; s < end;)
		if (xtext_octet(&s, end) == -1)
			return false;
	return true;
}

int
smtp_xtext_decode(const char *s, size_t len, char *out)
{
	int n = 0;

	for (const char *end = s + len; s < end;) {
		int octet = xtext_octet(&s, end);

		if (octet == -1)
			return -1;
		out[n++] = (char)octet;
	}
	return n;
}

size_t
smtp_xtext_encode(const char *s, size_t len, char *out)
{
	static const char hex[] = "0123456789ABCDEF";
	char *p = out;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (is_xchar(s[i])) {
			*p++ = s[i];
			continue;
		}
		*p++ = '+';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p = '\0';
	return (size_t)(p - out);
}

/* Not empty, and no control character comes out of it: what is decoded for a
 * report later cannot make a line of its own. */
static bool
is_safe_xtext(const char *s, size_t len)
{
	if (len == 0)
		return false;
	for (const char *end = s + len; s < end;) {
		int octet = xtext_octet(&s, end);

		if (octet < 0x20 || octet == 0x7f)
			return false;
	}
	return true;
}

/* ---- parameters of MAIL and RCPT ---- */

/* A value that is one of a few words, for reading and writing. */
struct param_word {
	unsigned value; /* a bit of its own, since NOTIFY is a set */
	const char *text;
};

static const struct param_word body_words[] = {
	{ SMTP_BODY_7BIT, "7BIT" },
	{ SMTP_BODY_8BITMIME, "8BITMIME" },
	{ 0, NULL },
};

static const struct param_word ret_words[] = {
	{ SMTP_RET_FULL, "FULL" },
	{ SMTP_RET_HDRS, "HDRS" },
	{ 0, NULL },
};

static const struct param_word notify_words[] = {
	{ SMTP_NOTIFY_NEVER, "NEVER" },
	{ SMTP_NOTIFY_SUCCESS, "SUCCESS" },
	{ SMTP_NOTIFY_FAILURE, "FAILURE" },
	{ SMTP_NOTIFY_DELAY, "DELAY" },
	{ 0, NULL },
};

/* The value of a word, 0 when it is none of words. */
static unsigned
find_word(const struct param_word *words, struct word w)
{
	while (words->text != NULL && !is(w, words->text))
		words++;
	return words->value;
}

/* value is empty when there was no '='. in is the smtp_mail or smtp_rcpt. */
struct param {
	const char *name;
	unsigned ext; /* that must be offered */
	const char *(*set)(void *in, struct word value);
};

static const char *
set_size(void *in, struct word value)
{
	struct smtp_mail *m = in;
	unsigned long long size;

	if (value.len == 0 || value.len > 20) /* 1*20DIGIT, RFC 1870 3 */
		return bad_size;
	for (size_t i = 0; i < value.len; i++)
		if (!is_digit(value.s[i]))
			return bad_size;
	if (text_number(value.s, value.len, UINT64_MAX, &size) == -1)
		return size_too_big;
	m->has_size = true;
	m->size = size;
	return NULL;
}

static const char *
set_body(void *in, struct word value)
{
	struct smtp_mail *m = in;

	m->body = (enum smtp_body)find_word(body_words, value);
	if (m->body != SMTP_BODY_NONE)
		return NULL;
	return is(value, "BINARYMIME") ? no_binarymime : bad_body;
}

static const char *
set_smtputf8(void *in, struct word value)
{
	struct smtp_mail *m = in;

	m->smtputf8 = true;
	return value.len == 0 ? NULL : no_value_wanted;
}

static const char *
set_requiretls(void *in, struct word value)
{
	struct smtp_mail *m = in;

	m->requiretls = true;
	return value.len == 0 ? NULL : no_value_wanted;
}

static const char *
set_ret(void *in, struct word value)
{
	struct smtp_mail *m = in;

	m->ret = (enum smtp_ret)find_word(ret_words, value);
	return m->ret != SMTP_RET_NONE ? NULL : bad_ret;
}

static const char *
set_envid(void *in, struct word value)
{
	struct smtp_mail *m = in;

	if (value.len > SMTP_ENVID_MAX || !is_safe_xtext(value.s, value.len))
		return bad_envid;
	memcpy(m->envid, value.s, value.len);
	m->envid[value.len] = '\0';
	return NULL;
}

static const char *
set_notify(void *in, struct word value)
{
	struct smtp_rcpt *r = in;
	struct word item;
	unsigned bit;
	bool more;

	do {
		more = split_at(&value, ',', &item);
		bit = find_word(notify_words, item);
		if (bit == 0)
			return bad_notify;
		r->notify |= bit;
	} while (more);
	/* NEVER stands alone, RFC 3461 4.1 */
	if ((r->notify & SMTP_NOTIFY_NEVER) && r->notify != SMTP_NOTIFY_NEVER)
		return bad_notify;
	return NULL;
}

/* utf-8-addr-unitext of RFC 6533 3 is the only ORCPT with characters that
 * are not ASCII (its utf-8-addr-xtext is also an xtext). */
static bool
is_unitext(struct word w)
{
	while (w.len > 0) {
		size_t n = addr_utf8_char(w.s, w.len);

		if (n == 0 || (n == 1 && !is_xchar(*w.s)))
			return false;
		w.s += n;
		w.len -= n;
	}
	return true;
}

static bool
is_atom(struct word w)
{
	for (size_t i = 0; i < w.len; i++)
		if (!is_letter(w.s[i]) && !is_digit(w.s[i]) && w.s[i] != '-')
			return false;
	return w.len > 0;
}

static const char *
set_orcpt(void *in, struct word value)
{
	struct smtp_rcpt *r = in;
	struct word type, text = value;

	if (value.len > SMTP_ORCPT_MAX || !split_at(&text, ';', &type) ||
	    !is_atom(type) || text.len == 0)
		return bad_orcpt;
	if (!is_safe_xtext(text.s, text.len) &&
	    !(is(type, "utf-8") && is_unitext(text)))
		return bad_orcpt;
	memcpy(r->orcpt, value.s, value.len);
	r->orcpt[value.len] = '\0';
	return NULL;
}

/* clang-format off */
static const struct param mail_params[] = {
	{ "SIZE",	SMTP_EXT_SIZE,		set_size },	  /* RFC 1870 */
	{ "BODY",	SMTP_EXT_8BITMIME,	set_body },	  /* RFC 6152 */
	{ "SMTPUTF8",	SMTP_EXT_SMTPUTF8,	set_smtputf8 },	  /* RFC 6531 */
	{ "REQUIRETLS",	SMTP_EXT_REQUIRETLS,	set_requiretls }, /* RFC 8689 */
	{ "RET",	SMTP_EXT_DSN,		set_ret },   /* RFC 3461 4.3 */
	{ "ENVID",	SMTP_EXT_DSN,		set_envid }, /* RFC 3461 4.4 */
	{ NULL,		0,			NULL },
};

static const struct param rcpt_params[] = {
	{ "NOTIFY",	SMTP_EXT_DSN,	set_notify }, /* RFC 3461 4.1 */
	{ "ORCPT",	SMTP_EXT_DSN,	set_orcpt },  /* RFC 3461 4.2 */
	{ NULL,		0,		NULL },
};
/* clang-format on */

/* esmtp-param = keyword ["=" value], RFC 5321 4.1.2. seen: a bit for each row
 * of params that was there before. */
static const char *
parse_param(struct word name, const struct param *params, unsigned exts,
    unsigned *seen, void *into)
{
	struct word value = name;
	bool has_value = split_at(&value, '=', &name);

	if (!is_atom(name) || (has_value && value.len == 0))
		return param_syntax;
	for (unsigned i = 0; params[i].name != NULL; i++) {
		if (!is(name, params[i].name))
			continue;
		if ((params[i].ext & exts) == 0)
			return param_unknown;
		if (*seen & 1u << i)
			return param_twice;
		*seen |= 1u << i;
		return params[i].set(into, value);
	}
	return param_unknown;
}

static const char *
parse_params(struct word rest, const struct param *params, unsigned exts,
    void *into)
{
	const char *reply = NULL;
	struct word param;
	unsigned seen = 0;

	while (reply == NULL && next_word(&rest, &param))
		reply = parse_param(param, params, exts, &seen, into);
	return reply;
}

/* Take "FROM:" and blanks. */
static bool
take_prefix(struct word *rest, const char *prefix)
{
	struct word head;

	if (!split_at(rest, ':', &head) || !is(head, prefix))
		return false;
	skip_blanks(rest);
	return true;
}

/* Take the path and see that it is a word of its own. */
static bool
take_path(struct word *rest, bool null_ok, bool postmaster_ok, struct addr *a)
{
	struct err ignored = ERR_INIT;
	size_t used;

	if (addr_parse_path(rest->s, rest->len, null_ok, postmaster_ok, a,
		&used, &ignored) == -1)
		return false;
	rest->s += used;
	rest->len -= used;
	return rest->len == 0 || is_blank(*rest->s);
}

const char *
smtp_parse_mail(const char *arg, size_t len, unsigned exts, struct smtp_mail *m)
{
	struct word rest = { arg, len };
	const char *reply;

	*m = (struct smtp_mail){ .has_size = false };
	if (!take_prefix(&rest, "FROM"))
		return mail_syntax;
	if (!take_path(&rest, true, false, &m->reverse_path))
		return mail_address;
	reply = parse_params(rest, mail_params, exts, m);
	if (reply == NULL && m->reverse_path.is_utf8 && !m->smtputf8)
		reply = needs_smtputf8; /* RFC 6531 3.5 */
	return reply;
}

const char *
smtp_parse_rcpt(const char *arg, size_t len, unsigned exts, bool smtputf8,
    struct smtp_rcpt *r)
{
	struct word rest = { arg, len };
	const char *reply;

	*r = (struct smtp_rcpt){ .notify = SMTP_NOTIFY_NONE };
	if (!take_prefix(&rest, "TO"))
		return rcpt_syntax;
	if (!take_path(&rest, false, true, &r->forward_path))
		return rcpt_address;
	reply = parse_params(rest, rcpt_params, exts, r);
	if (reply != NULL || smtputf8)
		return reply;
	if (r->forward_path.is_utf8)
		return needs_smtputf8;
	return smtp_is_xtext(r->orcpt, strlen(r->orcpt)) ? NULL : bad_orcpt;
}

/* ---- the same parameters, written ---- */

/* name and the words that are in values, with commas; nothing for 0. */
static void
add_words(struct buf *b, const char *name, const struct param_word *words,
    unsigned values)
{
	const char *before = name;

	for (; words->text != NULL; words++) {
		if ((values & words->value) == 0)
			continue;
		buf_addf(b, "%s%s", before, words->text);
		before = ",";
	}
}

void
smtp_format_mail_params(struct buf *b, const struct smtp_mail *m, unsigned exts)
{
	if (m->has_size && (exts & SMTP_EXT_SIZE))
		buf_addf(b, " SIZE=%llu", (unsigned long long)m->size);
	if (exts & SMTP_EXT_8BITMIME)
		add_words(b, " BODY=", body_words, m->body);
	if (m->smtputf8 && (exts & SMTP_EXT_SMTPUTF8))
		buf_puts(b, " SMTPUTF8");
	if (m->requiretls && (exts & SMTP_EXT_REQUIRETLS))
		buf_puts(b, " REQUIRETLS");
	if ((exts & SMTP_EXT_DSN) == 0)
		return;
	add_words(b, " RET=", ret_words, m->ret);
	if (m->envid[0] != '\0')
		buf_addf(b, " ENVID=%s", m->envid);
}

void
smtp_format_rcpt_params(struct buf *b, unsigned notify, const char *orcpt,
    unsigned exts)
{
	if ((exts & SMTP_EXT_DSN) == 0)
		return;
	add_words(b, " NOTIFY=", notify_words, notify);
	if (orcpt != NULL && orcpt[0] != '\0')
		buf_addf(b, " ORCPT=%s", orcpt);
}

/* ---- replies ---- */

/* The length of the enhanced status code (RFC 2034 4) that text begins with:
 * of the class of the reply, and alone or before a blank; else 0. */
static size_t
enhanced_len(const char *text, size_t len, char class)
{
	size_t i = 1;

	if (len == 0 || *text != class || class == '3')
		return 0;
	for (int part = 0; part < 2; part++) {
		size_t first = ++i; /* after a dot */

		if (i > len || text[i - 1] != '.')
			return 0;
		while (i < len && i - first < 3 && is_digit(text[i]))
			i++;
		if (i == first)
			return 0;
	}
	return i == len || text[i] == ' ' ? i : 0;
}

static void
append_text(struct smtp_reply *r, const char *text, size_t len)
{
	const size_t least = sizeof " / " + 8; /* text_printable() wants 8 */
	size_t used = strlen(r->text);

	if (len == 0)
		return;
	if (sizeof r->text - used < least) {
		memcpy(r->text + used - 3, "...", 3);
		return;
	}
	if (used > 0) {
		memcpy(r->text + used, " / ", 3);
		used += 3;
	}
	text_printable(r->text + used, sizeof r->text - used, text, len);
}

static bool
is_reply_line(const char *line, size_t len)
{
	return len >= 3 && len + 2 <= SMTP_REPLY_LINE_MAX && line[0] >= '2' &&
	       line[0] <= '5' && is_digit(line[1]) && is_digit(line[2]) &&
	       (len == 3 || line[3] == ' ' || line[3] == '-');
}

int
smtp_reply_line(struct smtp_reply *r, const char *line, size_t len,
    struct err *e)
{
	char said[80];
	struct word text;
	size_t n;
	int code;

	if (!is_reply_line(line, len))
		return err_temp(e, "protocol error: no reply line: %s",
		    text_printable(said, sizeof said, line, len));
	code = (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
	if (r->code != 0 && r->code != code)
		return err_temp(e,
		    "protocol error: code %d in a reply that began with %d",
		    code, r->code);
	if (r->lines == SMTP_REPLY_LINES_MAX)
		return err_temp(e,
		    "protocol error: reply of more than %d lines",
		    SMTP_REPLY_LINES_MAX);
	text = (struct word){ line + 4, len > 4 ? len - 4 : 0 };
	n = enhanced_len(text.s, text.len, line[0]);
	if (n > 0 && r->lines == 0)
		snprintf(r->enhanced, sizeof r->enhanced, "%.*s", (int)n,
		    text.s);
	text.s += n;
	text.len -= n;
	skip_blanks(&text);
	append_text(r, text.s, text.len);
	r->code = code;
	r->lines++;
	return len == 3 || line[3] == ' ';
}

/* ---- what EHLO offers ---- */

/* clang-format off */
static const struct ext {
	unsigned bit;
	const char *keyword;
} ext_table[] = {
	{ SMTP_EXT_SIZE,		"SIZE" },		 /* RFC 1870 */
	{ SMTP_EXT_8BITMIME,		"8BITMIME" },		 /* RFC 6152 */
	{ SMTP_EXT_PIPELINING,		"PIPELINING" },		 /* RFC 2920 */
	{ SMTP_EXT_ENHANCEDSTATUSCODES,	"ENHANCEDSTATUSCODES" }, /* RFC 2034 */
	{ SMTP_EXT_STARTTLS,		"STARTTLS" },		 /* RFC 3207 */
	{ SMTP_EXT_DSN,			"DSN" },		 /* RFC 3461 */
	{ SMTP_EXT_SMTPUTF8,		"SMTPUTF8" },		 /* RFC 6531 */
	{ SMTP_EXT_CHUNKING,		"CHUNKING" },		 /* RFC 3030 */
	{ SMTP_EXT_REQUIRETLS,		"REQUIRETLS" },		 /* RFC 8689 */
	{ SMTP_EXT_LIMITS,		"LIMITS" },		 /* RFC 9422 */
	{ SMTP_EXT_ETRN,		"ETRN" },		 /* RFC 1985 */
	{ SMTP_EXT_XCLIENT,		"XCLIENT" },
	{ SMTP_EXT_XFORWARD,		"XFORWARD" },
	{ SMTP_EXT_BINARYMIME,		"BINARYMIME" },		 /* RFC 3030 */
};
/* clang-format on */

static const struct xattr {
	unsigned bit;
	const char *word;
} xattr_table[] = {
	{ SMTP_XATTR_ADDR, "ADDR" },
	{ SMTP_XATTR_NAME, "NAME" },
	{ SMTP_XATTR_PORT, "PORT" },
	{ SMTP_XATTR_PROTO, "PROTO" },
	{ SMTP_XATTR_HELO, "HELO" },
};

static unsigned
xattr_of(struct word item)
{
	for (size_t i = 0; i < sizeof xattr_table / sizeof *xattr_table; i++)
		if (is(item, xattr_table[i].word))
			return xattr_table[i].bit;
	return 0;
}

static void
read_size(struct smtp_offer *o, struct word rest)
{
	unsigned long long size;
	struct word w;

	if (next_word(&rest, &w) && w.len <= 20 &&
	    text_number(w.s, w.len, UINT64_MAX, &size) == 0)
		o->size_max = size;
}

/* One item of LIMITS, "RCPTMAX=100": 1 to 6 digits, no leading zero (RFC
 * 9422). */
static void
read_limit(struct smtp_offer *o, struct word item)
{
	unsigned long long n;
	struct word name;

	if (!split_at(&item, '=', &name) ||
	    text_number(item.s, item.len, 999999, &n) == -1 || *item.s == '0')
		return;
	if (is(name, "RCPTMAX"))
		o->rcpt_max = (unsigned)n;
	else if (is(name, "MAILMAX"))
		o->mail_max = (unsigned)n;
}

void
smtp_offer_line(struct smtp_offer *o, const char *line, size_t len)
{
	struct word rest = { line, len }, keyword, item;
	unsigned ext = 0;

	next_word(&rest, &keyword);
	for (size_t i = 0; i < sizeof ext_table / sizeof *ext_table; i++)
		if (is(keyword, ext_table[i].keyword))
			ext = ext_table[i].bit;
	o->exts |= ext;
	if (ext == SMTP_EXT_SIZE)
		read_size(o, rest);
	while (ext == SMTP_EXT_LIMITS && next_word(&rest, &item))
		read_limit(o, item);
	while (ext == SMTP_EXT_XCLIENT && next_word(&rest, &item))
		o->xclient |= xattr_of(item);
	while (ext == SMTP_EXT_XFORWARD && next_word(&rest, &item))
		o->xforward |= xattr_of(item);
}

const char *
smtp_xattr_name(unsigned attr)
{
	for (size_t i = 0; i < sizeof xattr_table / sizeof *xattr_table; i++)
		if (attr == xattr_table[i].bit)
			return xattr_table[i].word;
	return "";
}

const char *
smtp_ext_name(unsigned ext)
{
	for (size_t i = 0; i < sizeof ext_table / sizeof *ext_table; i++)
		if (ext == ext_table[i].bit)
			return ext_table[i].keyword;
	return "";
}
