#include "bmx-receive/xclient.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "mail/addr.h"
#include "mail/smtp.h"

#define VALUE_MAX 255

static const char bad_syntax[] = "501 5.5.4 Syntax: XCLIENT NAME=value ...";
static const char bad_value[] = "501 5.5.4 Bad value of an XCLIENT attribute";
static const char bad_name[] = "501 5.5.4 No such XCLIENT attribute";

/* ---- one value, decoded; "" when it is not known ---- */

static bool
set_addr(struct envelope_client *c, const char *value)
{
	unsigned char bytes[16];
	int family = AF_INET;

	if (strncasecmp(value, "IPV6:", 5) == 0) {
		family = AF_INET6;
		value += 5;
	}
	c->addr[0] = '\0';
	if (value[0] == '\0')
		return family == AF_INET;
	return inet_pton(family, value, bytes) == 1 &&
	       inet_ntop(family, bytes, c->addr, sizeof c->addr) != NULL;
}

/* From DNS may come what is no host name, "a_b.example.org": that is not
 * known, and no reason to have nothing of that client. */
static bool
set_name(struct envelope_client *c, const char *value)
{
	static const char usual[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "-._";
	char folded[ADDR_DOMAIN_MAX + 1] = "";
	struct err e = ERR_INIT;

	if (value[0] != '\0' &&
	    addr_fold_domain(value, strlen(value), folded, &e) == -1) {
		if (value[strspn(value, usual)] != '\0')
			return false;
		folded[0] = '\0';
	}
	snprintf(c->name, sizeof c->name, "%s", folded);
	return true;
}

static bool
set_port(struct envelope_client *c, const char *value)
{
	unsigned long long n = 0;

	if (value[0] != '\0' &&
	    text_number(value, strlen(value), 65535, &n) == -1)
		return false;
	c->port = (unsigned)n;
	return true;
}

static bool
set_proto(struct envelope_client *c, const char *value)
{
	if (value[0] != '\0' && strcmp(value, "SMTP") != 0 &&
	    strcmp(value, "ESMTP") != 0)
		return false;
	snprintf(c->proto, sizeof c->proto, "%s", value);
	return true;
}

static bool
set_helo(struct envelope_client *c, const char *value)
{
	text_word(c->helo, sizeof c->helo, value);
	return true;
}

static bool
ignore(struct envelope_client *c, const char *value)
{
	(void)c;
	(void)value;
	return true;
}

static const struct attribute {
	const char *name;
	bool (*set)(struct envelope_client *c, const char *value);
} attributes[] = {
	{ "ADDR", set_addr },
	{ "NAME", set_name },
	{ "PORT", set_port },
	{ "PROTO", set_proto },
	{ "HELO", set_helo },
	{ "LOGIN", ignore },
	{ NULL, NULL },
};

/* ---- the list ---- */

/* xtext to text; what is not known becomes "". */
static bool
decode(const char *in, size_t len, char out[VALUE_MAX + 1])
{
	int n;

	if (len == 0 || len > VALUE_MAX || !smtp_is_xtext(in, len))
		return false;
	n = smtp_xtext_decode(in, len, out);
	if (n == -1 || memchr(out, '\0', (size_t)n) != NULL)
		return false;
	out[n] = '\0';
	if (strcasecmp(out, "[UNAVAILABLE]") == 0 ||
	    strcasecmp(out, "[TEMPUNAVAIL]") == 0)
		out[0] = '\0';
	return true;
}

static const char *
take(const char *word, size_t len, struct envelope_client *c)
{
	const char *equals = memchr(word, '=', len);
	const struct attribute *a = attributes;
	char value[VALUE_MAX + 1];
	size_t name_len;

	if (equals == NULL)
		return bad_syntax;
	name_len = (size_t)(equals - word);
	while (a->name != NULL &&
	       (strlen(a->name) != name_len ||
		   strncasecmp(a->name, word, name_len) != 0))
		a++;
	if (a->name == NULL)
		return bad_name;
	if (!decode(equals + 1, len - name_len - 1, value) || !a->set(c, value))
		return bad_value;
	return NULL;
}

const char *
xclient_parse(const char *arg, size_t len, struct envelope_client *c)
{
	struct envelope_client changed = *c;
	const char *wrong = NULL;
	size_t at = 0;

	if (len == 0)
		return bad_syntax;
	while (wrong == NULL && at < len) {
		size_t end = at;

		while (end < len && arg[end] != ' ')
			end++;
		if (end > at)
			wrong = take(arg + at, end - at, &changed);
		at = end + 1;
	}
	if (wrong == NULL)
		*c = changed;
	return wrong;
}
