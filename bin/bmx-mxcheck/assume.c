#include "assume.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The next word of text; its length, 0 at the end. */
static size_t
next_word(const char **text)
{
	*text += strspn(*text, " \t");
	return strcspn(*text, " \t");
}

static bool
take_word(const char **text, const char *word)
{
	size_t len = next_word(text);

	if (len != strlen(word) || strncasecmp(*text, word, len) != 0)
		return false;
	*text += len;
	return true;
}

static bool
take_preference(const char **text, unsigned *preference)
{
	size_t len = next_word(text);
	unsigned long long n;

	if (text_number(*text, len, UINT16_MAX, &n) == -1)
		return false;
	*preference = (unsigned)n;
	*text += len;
	return true;
}

static bool
take_host(const char **text, char host[ADDR_DOMAIN_MAX + 1])
{
	size_t len = next_word(text);
	struct err unused = ERR_INIT;

	if (addr_fold_domain(*text, len, host, &unused) == -1)
		return false;
	*text += len;
	return true;
}

int
assume_add(struct assume *a, const char *text, struct err *e)
{
	struct assume_step step = { .host = "" };
	const char *p = text;
	bool is_good;

	if (a->n == ASSUME_MAX)
		return err_usage(e, "more than %d assumptions", ASSUME_MAX);
	step.is_removal = take_word(&p, "no");
	is_good = take_word(&p, "MX");
	if (is_good && !step.is_removal)
		is_good = take_preference(&p, &step.preference) &&
			  take_host(&p, step.host);
	else if (is_good && next_word(&p) > 0)
		is_good = take_host(&p, step.host);
	if (!is_good || next_word(&p) > 0)
		return err_usage(e,
		    "--assume: \"%s\" is not \"MX PREFERENCE HOST\" or "
		    "\"no MX [HOST]\"",
		    text);
	a->step[a->n++] = step;
	return 0;
}

static void
take_away(struct facts *f, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->nhosts; i++) {
		if (name[0] == '\0' || strcmp(f->hosts[i].name, name) == 0)
			facts_free_host(f, &f->hosts[i]);
		else
			f->hosts[kept++] = f->hosts[i];
	}
	f->nhosts = kept;
	if (name[0] == '\0')
		f->hosts_left = 0;
}

/* There is room. */
static int
put(struct facts *f, const struct assume_step *step, struct err *e)
{
	struct fact_host *h;
	bool is_known = false;

	for (size_t i = 0; i < f->nhosts; i++) {
		if (strcmp(f->hosts[i].name, step->host) != 0)
			continue;
		f->hosts[i].preference = (uint16_t)step->preference;
		is_known = true;
	}
	if (is_known)
		return 0;
	h = &f->hosts[f->nhosts];
	*h = (struct fact_host){ .preference = (uint16_t)step->preference };
	h->a.status = h->aaaa.status = DNS_TIMEOUT; /* until it is asked */
	h->name = strdup(step->host);
	if (h->name == NULL)
		return err_temp(e, "out of memory");
	f->nhosts++;
	return 0;
}

/* RFC 5321 5.1: without MX records the domain is its own mail host. */
static int
put_implicit(struct facts *f, struct err *e)
{
	struct assume_step self = { .preference = 0 };

	f->mx.status = DNS_NODATA;
	memcpy(self.host, f->domain, strlen(f->domain) + 1);
	return put(f, &self, e);
}

static int
compare_hosts(const void *one, const void *other)
{
	const struct fact_host *a = one, *b = other;

	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return strcmp(a->name, b->name);
}

int
assume_apply(const struct assume *a, struct facts *f, struct err *e)
{
	struct fact_host *more;

	more = realloc(f->hosts, (f->nhosts + a->n + 1) * sizeof *more);
	if (more == NULL)
		return err_temp(e, "out of memory");
	f->hosts = more;
	if (f->mx.status != DNS_OK)
		take_away(f, ""); /* the domain as its own host */
	for (size_t i = 0; i < a->n; i++) {
		if (a->step[i].is_removal)
			take_away(f, a->step[i].host);
		else if (put(f, &a->step[i], e) == -1)
			return -1;
	}
	qsort(f->hosts, f->nhosts, sizeof *f->hosts, compare_hosts);
	while (f->nhosts > FACTS_HOSTS_MAX) {
		f->nhosts--;
		facts_free_host(f, &f->hosts[f->nhosts]);
		f->hosts_left++;
	}
	if (f->nhosts == 0)
		return f->mx.status == DNS_NXDOMAIN ? 0 : put_implicit(f, e);
	if (f->mx.status != DNS_OK)
		f->mx.is_authoritative = false; /* its TTLs are nobody's */
	f->mx.status = DNS_OK;
	return 0;
}
