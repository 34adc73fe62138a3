#include "mail/addr.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mail/idn.h"

#define LABEL_MAX 63 /* octets, RFC 1035 2.3.4 */
#define NAME_MAX_DNS                                                           \
	253 /* characters: 255 octets on the wire, RFC 1035 2.3.4 */

/* What is left to read. Every reader below moves p over what it took, and
 * leaves it where the trouble is when it fails. */
struct reader {
	const char *p, *end;
};

/* ---- characters ---- */

/* The octets that follow the first one of a UTF-8 character are 10xxxxxx. */
static bool
are_tail(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t
addr_utf8_char(const char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char c;
	uint32_t code;
	size_t n;

	if (len == 0)
		return 0;
	c = (unsigned char)s[0];
	if (c < 0x80)
		return 1;
	n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
	if (c < 0xc2 || c > 0xf4 || n > len || !are_tail(s + 1, n - 1))
		return 0;
	code = c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++)
		code = code << 6 | ((unsigned char)s[i] & 0x3f);
	if (code < least[n] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff) || code <= 0x9f)
		return 0;
	return n;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_let_dig(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

static bool
is_atext(char c) /* RFC 5322 3.2.3 */
{
	return is_let_dig(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* qtextSMTP: printable ASCII and the blank, but not '"' and '\'. */
static bool
is_qtext(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static bool
take(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

/* One ASCII character of the set, or one non-ASCII one (UTF8-non-ascii). */
static bool
take_char(struct reader *r, bool (*is_in_set)(char))
{
	size_t n = addr_utf8_char(r->p, (size_t)(r->end - r->p));

	if (n == 0 || (n == 1 && !is_in_set(*r->p)))
		return false;
	r->p += n;
	return true;
}

/* ---- the grammar of RFC 5321 4.1.2 ---- */

static bool
is_atext_or_dot(char c)
{
	return c == '.' || is_atext(c);
}

/* Dot-string = Atom *("." Atom); dots elsewhere are let pass, since there are
 * mailboxes that have them and primaries that take them. */
static bool
read_dot_string(struct reader *r)
{
	if (!take_char(r, is_atext_or_dot))
		return false;
	while (take_char(r, is_atext_or_dot))
		;
	return true;
}

/* Quoted-string; the opening quote is the next character. */
static bool
read_quoted(struct reader *r)
{
	r->p++;
	for (;;) {
		if (take(r, '"'))
			return true;
		if (take(r, '\\')) { /* quoted-pairSMTP */
			if (r->p == r->end || *r->p < 0x20 || *r->p > 0x7e)
				return false;
			r->p++;
		} else if (!take_char(r, is_qtext)) {
			return false;
		}
	}
}

static bool
read_local(struct reader *r)
{
	if (r->p < r->end && *r->p == '"')
		return read_quoted(r);
	return read_dot_string(r);
}

static bool
is_label_char(char c)
{
	return c == '_' || is_let_dig(c);
}

/* sub-domain = Let-dig [Ldh-str], or a U-label. An underscore is let pass:
 * there are senders with one, and no domain of ours has it. */
static bool
read_label(struct reader *r)
{
	if (!take_char(r, is_label_char))
		return false;
	for (;;) {
		while (take_char(r, is_label_char))
			;
		if (!take(r, '-'))
			return r->p[-1] != '-';
	}
}

/* An IPv4 address, or "IPv6:" and an IPv6 address: the only tag that is
 * registered (4.1.3). */
static bool
is_address(const char *s, size_t len)
{
	static const char tag[] = "IPv6:";
	const size_t tag_len = sizeof tag - 1;
	char text[INET6_ADDRSTRLEN];
	struct in6_addr addr;
	int family = AF_INET;

	if (len > tag_len && strncasecmp(s, tag, tag_len) == 0) {
		family = AF_INET6;
		s += tag_len;
		len -= tag_len;
	}
	if (len >= sizeof text || memchr(s, '\0', len) != NULL)
		return false;
	memcpy(text, s, len);
	text[len] = '\0';
	return inet_pton(family, text, &addr) == 1;
}

static bool
read_literal(struct reader *r)
{
	const char *start = r->p + 1;
	const char *close = memchr(start, ']', (size_t)(r->end - start));

	if (close == NULL || !is_address(start, (size_t)(close - start)))
		return false;
	r->p = close + 1;
	return true;
}

static bool
read_domain(struct reader *r)
{
	const char *start = r->p;

	if (r->p < r->end && *r->p == '[') {
		if (!read_literal(r))
			return false;
	} else {
		do {
			if (!read_label(r))
				return false;
		} while (take(r, '.'));
	}
	return (size_t)(r->p - start) <= ADDR_DOMAIN_MAX;
}

/* A-d-l ":", whose meaning is nothing (RFC 5321 appendix C). */
static bool
read_route(struct reader *r)
{
	do {
		if (!take(r, '@') || !read_domain(r))
			return false;
	} while (take(r, ','));
	return take(r, ':');
}

static void
set_text(struct addr *a, const char *s, size_t len, size_t local_len)
{
	memcpy(a->text, s, len);
	a->text[len] = '\0';
	a->len = len;
	a->local_len = local_len;
	a->is_utf8 = !text_is_ascii(s, len);
}

static int
read_mailbox(struct reader *r, struct addr *a, struct err *e)
{
	const char *start = r->p;
	size_t local_len;

	if (!read_local(r))
		return err_perm(e, "bad local part");
	local_len = (size_t)(r->p - start);
	if (local_len > ADDR_LOCAL_MAX)
		return err_perm(e, "local part longer than %d octets",
		    ADDR_LOCAL_MAX);
	if (!take(r, '@'))
		return err_perm(e, "bad local part, or no domain");
	if (!read_domain(r))
		return err_perm(e, "bad domain");
	set_text(a, start, (size_t)(r->p - start), local_len);
	return 0;
}

static bool
take_postmaster(struct reader *r, struct addr *a)
{
	static const char word[] = "postmaster>";
	const size_t len = sizeof word - 1;

	if ((size_t)(r->end - r->p) < len || strncasecmp(r->p, word, len) != 0)
		return false;
	set_text(a, r->p, len - 1, len - 1);
	r->p += len;
	return true;
}

int
addr_parse_path(const char *s, size_t len, bool null_ok, bool postmaster_ok,
    struct addr *a, size_t *used, struct err *e)
{
	struct reader r = { s, s + len };
	struct addr parsed;

	if (!take(&r, '<'))
		return err_perm(e, "no '<' before the address");
	if (take(&r, '>')) {
		if (!null_ok)
			return err_perm(e, "empty address");
		set_text(&parsed, "", 0, 0);
	} else if (!postmaster_ok || !take_postmaster(&r, &parsed)) {
		if (r.p < r.end && *r.p == '@' && !read_route(&r))
			return err_perm(e, "bad source route");
		if (read_mailbox(&r, &parsed, e) == -1)
			return -1;
		if (!take(&r, '>'))
			return err_perm(e, "no '>' after the address");
	}
	*a = parsed;
	*used = (size_t)(r.p - s);
	return 0;
}

int
addr_parse(const char *s, size_t len, struct addr *a, struct err *e)
{
	struct reader r = { s, s + len };
	struct addr parsed;

	if (read_mailbox(&r, &parsed, e) == -1)
		return -1;
	if (r.p != r.end)
		return err_perm(e, "more after the address");
	*a = parsed;
	return 0;
}

const char *
addr_domain(const struct addr *a)
{
	return a->text + a->local_len + (a->local_len < a->len ? 1 : 0);
}

bool
addr_is_postmaster(const struct addr *a)
{
	char plain[ADDR_LOCAL_MAX + 1];
	size_t n = 0;

	/* "postmaster"@d and postmaster@d are one mailbox (4.1.2). */
	for (size_t i = 0; i < a->local_len; i++) {
		if (a->text[i] == '"')
			continue;
		if (a->text[i] == '\\' && i + 1 < a->local_len)
			i++;
		plain[n++] = a->text[i];
	}
	plain[n] = '\0';
	return strcasecmp(plain, "postmaster") == 0;
}

/* ---- domain names ---- */

/*
 * Copy a name of letters, digits and hyphens in lower case. A hyphen may
 * neither begin nor end a label (RFC 1123 2.1): so no name looks like an
 * option to the next program in a pipe.
 */
static int
fold_ascii(const char *s, size_t len, char *out, struct err *e)
{
	size_t label = 0;

	if (len > 0 && s[len - 1] == '.')
		len--;
	if (len == 0 || len > NAME_MAX_DNS)
		return err_data(e, "not a host name: %s",
		    len == 0 ? "it is empty" : "it is longer than 253 octets");
	for (size_t i = 0; i <= len; i++) {
		if (i == len || s[i] == '.') {
			if (label == 0 || label > LABEL_MAX || s[i - 1] == '-')
				return err_data(e,
				    "not a host name: bad label");
			label = 0;
		} else if (is_let_dig(s[i]) || (s[i] == '-' && label > 0)) {
			label++;
		} else {
			return err_data(e, "not a host name: bad character");
		}
		if (i < len)
			out[i] = is_letter(s[i]) ? (char)(s[i] | 0x20) : s[i];
	}
	out[len] = '\0';
	return 0;
}

/* A name with non-ASCII characters: to A-labels, then as any other. */
static int
fold_idn(const char *s, size_t len, char *out, struct err *e)
{
	char text[4 * ADDR_DOMAIN_MAX + 1], ascii[ADDR_DOMAIN_MAX + 2];

	if (len >= sizeof text || memchr(s, '\0', len) != NULL)
		return err_data(e, "not a host name");
	memcpy(text, s, len);
	text[len] = '\0';
	if (idn_to_ascii(text, ascii, sizeof ascii, e) == -1)
		return -1;
	/* What libidn2 mapped may hold '/', '_' and more: checked here. */
	return fold_ascii(ascii, strlen(ascii), out, e);
}

int
addr_fold_domain(const char *s, size_t len, char *out, struct err *e)
{
	if (text_is_ascii(s, len))
		return fold_ascii(s, len, out, e);
	return fold_idn(s, len, out, e);
}
