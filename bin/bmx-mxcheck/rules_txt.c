#include "rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "base/text.h"

#define STS_ID_MAX 32 /* RFC 8461 3.1 */

/* ---- KEY=VALUE; KEY=VALUE ---- */

static const char blanks[] = " \t";

/* The value of the key among the fields; its length, 0: there is none. */
static size_t
find_field(const char *text, const char *key, const char **value)
{
	size_t keylen = strlen(key);

	for (;;) {
		size_t len;

		text += strspn(text, " \t;");
		if (*text == '\0')
			return 0;
		len = strcspn(text, ";");
		if (strncasecmp(text, key, keylen) == 0) {
			const char *p = text + keylen;

			p += strspn(p, blanks);
			if (*p == '=') {
				p++;
				p += strspn(p, blanks);
				*value = p;
				return strcspn(p, " \t;");
			}
		}
		text += len;
	}
}

/* False, and said, if the record is not one that can be looked at. */
static bool
has_one(struct judging *j, const struct fact_texts *t, const char *type)
{
	struct about about = { j->facts->domain, type, &t->said };

	if (!lookup_is_definite(&t->said))
		untested(j, about, "TXT: %s", dns_status_text(t->said.status));
	else if (t->n + t->left > 1)
		fail(j, usual(j), about, "there are %zu records, not one",
		    t->n + t->left);
	else if (t->left > 0)
		untested(j, about, "longer than we look at");
	return lookup_is_definite(&t->said) && t->n == 1 && t->left == 0;
}

static bool
is_sts_id(const char *id, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)id[i]))
			return false;
	}
	return len > 0 && len <= STS_ID_MAX;
}

void
sts_txt(struct judging *j)
{
	const struct fact_texts *t = &j->facts->sts;
	struct about about = { j->facts->domain, " MTA-STS", &t->said };
	const char *id = "";
	size_t len;

	if (!t->said.was_asked || !has_one(j, t, " MTA-STS"))
		return;
	len = find_field(t->text[0], "id", &id);
	if (is_sts_id(id, len))
		pass(j);
	else
		fail(j, usual(j), about,
		    len == 0 ? "has no id"
			     : "its id is not 1 to 32 letters "
			       "and digits");
}

/* Is there anything to report about? */
static bool
is_secured(const struct facts *f)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		if (f->hosts[i].ntlsas > 0)
			return true;
	}
	return f->sts.n > 0;
}

void
tlsrpt(struct judging *j)
{
	const struct fact_texts *t = &j->facts->tlsrpt;
	struct about about = { j->facts->domain, " TLSRPT", &t->said };
	const char *rua = "";
	size_t len;

	if (!t->said.was_asked)
		return;
	if (has_one(j, t, " TLSRPT")) {
		len = find_field(t->text[0], "rua", &rua);
		if (len > 7 && (strncasecmp(rua, "mailto:", 7) == 0 ||
				   strncasecmp(rua, "https:", 6) == 0))
			pass(j);
		else
			fail(j, usual(j), about,
			    "has no rua with mailto: or https:");
	} else if (lookup_is_definite(&t->said) && t->n + t->left == 0 &&
		   is_secured(j->facts)) {
		fail(j, usual(j), about,
		    "there is none, though the domain has MTA-STS or DANE");
	}
}

/* ---- SPF ---- */

#define TERM_MAX 256 /* bytes; longer ones are of no interest here */

struct spf_term {
	bool is_plus;
	char text[TERM_MAX]; /* without the qualifier, lower case */
};

/* The next term of the record; false at its end. */
static bool
next_term(const char **text, struct spf_term *term)
{
	size_t len;

	*text += strspn(*text, " ");
	len = strcspn(*text, " ");
	if (len == 0)
		return false;
	term->is_plus = strchr("-~?", **text) == NULL;
	if (strchr("+-~?", **text) != NULL) {
		++*text;
		len--;
	}
	snprintf(term->text, sizeof term->text, "%.*s",
	    (int)(len < TERM_MAX ? len : TERM_MAX - 1), *text);
	for (char *p = term->text; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	*text += len;
	return true;
}

/* "mx", "mx:...", "mx/24" */
static bool
is_mechanism(const char *text, const char *name)
{
	size_t len = strlen(name);

	return strncmp(text, name, len) == 0 &&
	       (text[len] == '\0' || text[len] == ':' || text[len] == '/');
}

static const char *
spf_of(struct judging *j)
{
	const struct fact_texts *t = &j->facts->spf;
	struct about about = { j->facts->domain, " SPF", &t->said };

	if (!t->said.was_asked)
		return NULL;
	if (!lookup_is_definite(&t->said))
		untested(j, about, "TXT: %s", dns_status_text(t->said.status));
	else if (t->n == 0 && t->left == 1)
		untested(j, about, "longer than we look at");
	return t->n == 1 && t->left == 0 ? t->text[0] + strlen("v=spf1") : NULL;
}

static struct about
about_spf(const struct judging *j)
{
	return (struct about){ j->facts->domain, " SPF", &j->facts->spf.said };
}

void
spf_mx_count(struct judging *j)
{
	const struct facts *f = j->facts;
	size_t n = f->nhosts + f->hosts_left;
	const char *text = spf_of(j);
	struct spf_term term;
	bool has_mx = false;

	if (text == NULL)
		return;
	while (next_term(&text, &term))
		has_mx = has_mx || strcmp(term.text, "mx") == 0 ||
			 strncmp(term.text, "mx/", 3) == 0;
	if (has_mx && n > 10)
		fail(j, usual(j), about_spf(j),
		    "has the mechanism mx, and there are %zu MX records", n);
	else
		pass(j);
}

void
mx_null_sender(struct judging *j)
{
	const char *text;
	struct spf_term term;

	if (!facts_is_null_mx(j->facts))
		return;
	text = spf_of(j);
	while (text != NULL && next_term(&text, &term)) {
		bool is_modifier =
		    strcspn(term.text, "=") < strcspn(term.text, ":/");

		if (is_modifier && term.text[strcspn(term.text, "=")] == '=' &&
		    strncmp(term.text, "redirect=", 9) != 0)
			continue;
		if (!term.is_plus)
			continue;
		fail(j, usual(j), about_spf(j),
		    "lets somebody send (%s), but the domain accepts no mail",
		    term.text);
		return;
	}
	if (lookup_is_definite(&j->facts->spf.said))
		pass(j); /* unless it is untested */
}

/* ---- is the backup among the senders? ---- */

static bool
is_in_net(const struct fact_addr *a, const char *net)
{
	char text[ENDPOINT_TEXT_MAX];
	unsigned char bytes[16];
	size_t len = strcspn(net, "/");
	unsigned long long bits = a->len * 8;
	unsigned rest;

	if (len >= sizeof text)
		return false;
	memcpy(text, net, len);
	text[len] = '\0';
	if (inet_pton(a->len == 4 ? AF_INET : AF_INET6, text, bytes) != 1)
		return false;
	if (net[len] == '/' && text_number(net + len + 1, strlen(net + len + 1),
				   bits, &bits) == -1)
		return false;
	rest = (unsigned)bits % 8;
	return memcmp(bytes, a->bytes, bits / 8) == 0 &&
	       (rest == 0 ||
		   ((bytes[bits / 8] ^ a->bytes[bits / 8]) >> (8 - rest)) == 0);
}

enum spf_says { SPF_NO, SPF_YES, SPF_UNKNOWN };

/* owner: of the record; has_host_as_mx: the host is one of its MX hosts. */
static enum spf_says
term_says(const struct spf_term *term, const char *owner, bool has_host_as_mx,
    const struct fact_host *h)
{
	const char *text = term->text;

	if (strcmp(text, "all") == 0 ||
	    (has_host_as_mx && strcmp(text, "mx") == 0))
		return SPF_YES;
	if (strncmp(text, "a:", 2) == 0 && strcmp(text + 2, h->name) == 0)
		return SPF_YES;
	if (strcmp(text, "a") == 0 && strcmp(owner, h->name) == 0)
		return SPF_YES;
	for (size_t i = 0; i < h->naddrs; i++) {
		if ((strncmp(text, "ip4:", 4) == 0 ||
			strncmp(text, "ip6:", 4) == 0) &&
		    is_in_net(&h->addrs[i], text + 4))
			return SPF_YES;
	}
	if (is_mechanism(text, "include") || is_mechanism(text, "exists") ||
	    is_mechanism(text, "ptr") || is_mechanism(text, "a") ||
	    is_mechanism(text, "mx") || strncmp(text, "redirect=", 9) == 0)
		return SPF_UNKNOWN; /* would need questions of its own */
	return SPF_NO;
}

static enum spf_says
record_says(const char *text, const char *owner, bool has_host_as_mx,
    const struct fact_host *h)
{
	enum spf_says says = SPF_NO;
	struct spf_term term;

	while (says != SPF_YES && next_term(&text, &term)) {
		enum spf_says one = term_says(&term, owner, has_host_as_mx, h);

		if (one == SPF_YES && !term.is_plus)
			break;
		if (one != SPF_NO)
			says = one;
	}
	return says == SPF_NO && !is_complete(h) ? SPF_UNKNOWN : says;
}

static void
spf_of_host(struct judging *j, const char *text, const struct fact_host *h)
{
	enum spf_says says = record_says(text, j->facts->domain, true, h);

	if (says == SPF_YES)
		pass(j);
	else if (says == SPF_UNKNOWN)
		untested(j, about_spf(j),
		    "whether it names the backup %s depends on other records",
		    h->name);
	else
		fail(j, usual(j), about_spf(j),
		    "does not let the backup %s send; needed only if it does "
		    "more than relay",
		    h->name);
}

void
spf_backup(struct judging *j)
{
	const char *text = spf_of(j);

	for (size_t i = 0; text != NULL && i < j->facts->nhosts; i++) {
		if (j->role[i] == ROLE_BACKUP && is_target(j->facts, i))
			spf_of_host(j, text, &j->facts->hosts[i]);
	}
}

/* RFC 7208 2.3: delivery reports have no sender but the name in EHLO. */
static void
helo_of_backup(struct judging *j, const struct fact_host *h)
{
	const struct fact_texts *t = &h->spf;
	struct about about = { h->name, " SPF", &t->said };
	enum spf_says says;

	if (!lookup_is_definite(&t->said)) {
		untested(j, about, "TXT: %s", dns_status_text(t->said.status));
		return;
	}
	if (t->n == 0 && t->left == 1) {
		untested(j, about, "longer than we look at");
		return;
	}
	if (t->n != 1 || t->left > 0) {
		fail(j, usual(j), about, "has %zu SPF records, not one",
		    t->n + t->left);
		return;
	}
	says = record_says(t->text[0] + strlen("v=spf1"), h->name, false, h);
	if (says == SPF_YES)
		pass(j);
	else if (says == SPF_UNKNOWN)
		untested(j, about, "depends on other records");
	else
		fail(j, usual(j), about,
		    "does not let the backup send by its own name");
}

void
spf_helo(struct judging *j)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		const struct fact_host *h = &j->facts->hosts[i];

		if (j->role[i] == ROLE_BACKUP && is_target(j->facts, i) &&
		    h->spf.said.was_asked)
			helo_of_backup(j, h);
	}
}
