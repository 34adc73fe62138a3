#include "smtp/sts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

#define STS_VERSION "STSv1"
#define SHOWN_MAX 80 /* of what is wrong */

/* A piece of the text. */
struct piece {
	const char *at;
	size_t len;
};

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is(struct piece p, const char *word)
{
	return p.len == strlen(word) && memcmp(p.at, word, p.len) == 0;
}

static struct piece
trim(struct piece p)
{
	while (p.len > 0 && is_blank(p.at[0])) {
		p.at++;
		p.len--;
	}
	while (p.len > 0 && is_blank(p.at[p.len - 1]))
		p.len--;
	return p;
}

/* Cut the part up to the next end (or all) off *rest; the end goes too. */
static struct piece
cut(struct piece *rest, char end)
{
	const char *stop = memchr(rest->at, end, rest->len);
	struct piece first = { rest->at,
		stop == NULL ? rest->len : (size_t)(stop - rest->at) };
	size_t gone = first.len + (stop != NULL);

	rest->at += gone;
	rest->len -= gone;
	return first;
}

/* The names of fields, in records and in policies: a letter or digit, then up
 * to 31 more of them, '_', '-' or '.'. */
static bool
is_field_name(struct piece p)
{
	if (p.len == 0 || p.len > 32 || !is_alnum(p.at[0]))
		return false;
	for (size_t i = 1; i < p.len; i++)
		if (!is_alnum(p.at[i]) && p.at[i] != '_' && p.at[i] != '-' &&
		    p.at[i] != '.')
			return false;
	return true;
}

static char *
show(char out[SHOWN_MAX], struct piece p)
{
	return text_printable(out, SHOWN_MAX, p.at, p.len);
}

/* ---- the record ---- */

static bool
is_id(struct piece p)
{
	if (p.len == 0 || p.len > STS_ID_MAX)
		return false;
	for (size_t i = 0; i < p.len; i++)
		if (!is_alnum(p.at[i]))
			return false;
	return true;
}

static bool
is_record_value(struct piece p)
{
	for (size_t i = 0; i < p.len; i++)
		if (p.at[i] <= ' ' || p.at[i] > '~' || p.at[i] == '=')
			return false;
	return p.len > 0;
}

/* One field behind the version. */
static int
take_record_field(struct piece field, char id[STS_ID_MAX + 1], struct err *e)
{
	char shown[SHOWN_MAX];
	struct piece value = field, name = cut(&value, '=');

	if (!is_field_name(name) || !is_record_value(value))
		return err_data(e, "\"%s\" is not NAME=VALUE",
		    show(shown, field));
	if (!is(name, "id") || id[0] != '\0')
		return 0;
	if (!is_id(value))
		return err_data(e, "its id is not 1 to 32 letters and digits");
	memcpy(id, value.at, value.len);
	id[value.len] = '\0';
	return 0;
}

int
sts_parse_txt(const char *text, size_t len, char id[STS_ID_MAX + 1],
    struct err *e)
{
	struct piece rest = { text, len }, field;
	bool has_more = memchr(text, ';', len) != NULL;

	id[0] = '\0';
	field = cut(&rest, ';');
	if (len == 0 || is_blank(text[0]) || !is(trim(field), "v=" STS_VERSION))
		return 0;
	if (!has_more)
		return err_data(e, "has no id");
	while (rest.len > 0) {
		field = trim(cut(&rest, ';'));
		if (field.len == 0 && rest.len == 0)
			break; /* a final delimiter */
		if (take_record_field(field, id, e) == -1)
			return -1;
	}
	if (id[0] == '\0')
		return err_data(e, "has no id");
	return 1;
}

/* ---- the policy ---- */

/* What was seen so far. */
struct reading {
	struct sts_policy *policy;
	bool has_version, has_mode, has_max_age;
	unsigned line;
};

static int
take_version(struct reading *r, struct piece value, struct err *e)
{
	char shown[SHOWN_MAX];

	if (r->has_version)
		return 0;
	r->has_version = true;
	if (!is(value, STS_VERSION))
		return err_data(e,
		    "line %u: version \"%s\" is not " STS_VERSION, r->line,
		    show(shown, value));
	return 0;
}

static int
take_mode(struct reading *r, struct piece value, struct err *e)
{
	char shown[SHOWN_MAX];

	if (r->has_mode)
		return 0;
	r->has_mode = true;
	for (int mode = STS_NONE; mode <= STS_ENFORCE; mode++) {
		if (is(value, sts_mode_name(mode))) {
			r->policy->mode = mode;
			return 0;
		}
	}
	return err_data(e,
	    "line %u: mode \"%s\" is not \"enforce\", \"testing\" or \"none\"",
	    r->line, show(shown, value));
}

static int
take_max_age(struct reading *r, struct piece value, struct err *e)
{
	char shown[SHOWN_MAX];
	unsigned long long n;

	if (r->has_max_age)
		return 0;
	r->has_max_age = true;
	if (value.len == 0 || value.len > 10 ||
	    text_number(value.at, value.len, STS_AGE_MAX_S, &n) == -1)
		return err_data(e,
		    "line %u: max_age \"%s\" is not a number from 0 to %d",
		    r->line, show(shown, value), STS_AGE_MAX_S);
	r->policy->max_age_s = (int64_t)n;
	return 0;
}

/* A name in A-labels, no address (RFC 8461 3.2, 4.1). */
static bool
is_host(struct piece p, char out[ADDR_DOMAIN_MAX + 1])
{
	struct err ignored = ERR_INIT;
	struct in_addr address;

	for (size_t i = 0; i < p.len; i++)
		if (!is_alnum(p.at[i]) && p.at[i] != '-' && p.at[i] != '.')
			return false;
	return addr_fold_domain(p.at, p.len, out, &ignored) == 0 &&
	       inet_pton(AF_INET, out, &address) != 1;
}

static int
take_mx(struct reading *r, struct piece value, struct err *e)
{
	struct sts_policy *p = r->policy;
	bool is_wild = value.len > 2 && memcmp(value.at, "*.", 2) == 0;
	struct piece host = { value.at + (is_wild ? 2 : 0),
		value.len - (is_wild ? 2 : 0) };
	char name[ADDR_DOMAIN_MAX + 1], shown[SHOWN_MAX];

	if (p->nmx == STS_MX_MAX)
		return err_data(e, "line %u: more than %d mx fields", r->line,
		    STS_MX_MAX);
	if (!is_host(host, name))
		return err_data(e,
		    "line %u: mx \"%s\" is not a host name, or \"*.\" and one",
		    r->line, show(shown, value));
	snprintf(p->mx[p->nmx++], sizeof p->mx[0], "%s%s", is_wild ? "*." : "",
	    name);
	return 0;
}

/* Of fields that are not known: no control characters. */
static bool
is_text(struct piece p)
{
	for (size_t i = 0; i < p.len; i++)
		if ((unsigned char)p.at[i] < ' ' || p.at[i] == '\x7f')
			return false;
	return p.len > 0;
}

static const struct {
	const char *name;
	int (*take)(struct reading *r, struct piece value, struct err *e);
} fields[] = {
	{ "version", take_version },
	{ "mode", take_mode },
	{ "max_age", take_max_age },
	{ "mx", take_mx },
};

static int
take_line(struct reading *r, struct piece line, struct err *e)
{
	char shown[SHOWN_MAX];
	struct piece value = line, name = cut(&value, ':');

	value = trim(value);
	if (!is_field_name(name) || value.at == name.at + name.len)
		return err_data(e, "line %u: \"%s\" is not NAME: VALUE",
		    r->line, show(shown, line));
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (is(name, fields[i].name))
			return fields[i].take(r, value, e);
	if (!is_text(value))
		return err_data(e, "line %u: \"%s\" is not NAME: VALUE",
		    r->line, show(shown, line));
	return 0;
}

static int
check_complete(const struct reading *r, struct err *e)
{
	if (!r->has_version)
		return err_data(e, "no version");
	if (!r->has_mode)
		return err_data(e, "no mode");
	if (!r->has_max_age)
		return err_data(e, "no max_age");
	if (r->policy->nmx == 0 && r->policy->mode != STS_NONE)
		return err_data(e, "no mx");
	return 0;
}

int
sts_parse(const char *text, size_t len, struct sts_policy *p, struct err *e)
{
	struct reading r = { .policy = p };
	struct piece rest = { text, len }, line;

	p->mode = STS_NONE;
	p->max_age_s = 0;
	p->nmx = 0;
	if (len > STS_POLICY_MAX)
		return err_data(e, "more than %d bytes", STS_POLICY_MAX);
	while (rest.len > 0) {
		line = cut(&rest, '\n');
		r.line++;
		if (line.len > 0 && line.at[line.len - 1] == '\r')
			line.len--;
		/* empty lines are none of the grammar, and common at the end */
		if (trim(line).len > 0 && take_line(&r, line, e) == -1)
			return -1;
	}
	return check_complete(&r, e);
}

/* ---- what it says ---- */

bool
sts_is_match(const char *pattern, const char *host)
{
	if (strncmp(pattern, "*.", 2) == 0) {
		if (host[0] == '.')
			return false;
		host += strcspn(host, ".");
		pattern++;
	}
	return host[0] != '\0' && strcasecmp(pattern, host) == 0;
}

bool
sts_is_covered(const struct sts_policy *p, const char *host)
{
	for (size_t i = 0; i < p->nmx; i++)
		if (sts_is_match(p->mx[i], host))
			return true;
	return false;
}

const char *
sts_mode_name(enum sts_mode mode)
{
	return mode == STS_ENFORCE   ? "enforce"
	       : mode == STS_TESTING ? "testing"
				     : "none";
}
