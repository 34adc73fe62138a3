#include "facts.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

void
lookup_free(struct lookup *l)
{
	free(l->owner);
	l->owner = NULL;
}

static void
free_zone(struct fact_zone *z)
{
	for (size_t i = 0; i < z->nservers; i++) {
		struct fact_server *s = &z->servers[i];

		free(s->name);
		for (int k = 0; k < 2; k++) {
			lookup_free(&s->said[k]);
			free(s->set[k]);
		}
	}
	free(z->servers);
	lookup_free(&z->ns);
	free(z->apex);
}

static void
free_texts(struct fact_texts *t)
{
	lookup_free(&t->said);
	for (size_t i = 0; i < t->n; i++)
		free(t->text[i]);
}

static void
free_reverse(struct fact_reverse *r, size_t n)
{
	for (size_t i = 0; r != NULL && i < n; i++) {
		lookup_free(&r[i].ptr);
		lookup_free(&r[i].forward);
		free(r[i].name);
	}
	free(r);
}

void
facts_free_host(const struct facts *f, struct fact_host *h)
{
	size_t nlists = f->nlists;

	free(h->name);
	lookup_free(&h->a);
	lookup_free(&h->aaaa);
	free_zone(&h->zone);
	lookup_free(&h->tlsa);
	free(h->tlsas);
	free_reverse(h->reverse, h->naddrs);
	free_texts(&h->spf);
	for (size_t i = 0; h->sessions != NULL && i < h->naddrs; i++)
		free(h->sessions[i]);
	free(h->sessions);
	for (size_t i = 0; h->listings != NULL && i < h->naddrs * nlists; i++)
		lookup_free(&h->listings[i]);
	free(h->listings);
}

static void
free_lists(struct facts *f)
{
	for (size_t i = 0; i < f->nlists; i++) {
		for (int k = 0; k < 2; k++) {
			lookup_free(&f->lists[i].listed[k]);
			lookup_free(&f->lists[i].unlisted[k]);
		}
		free(f->lists[i].zone);
	}
	free(f->lists);
}

void
facts_free(struct facts *f)
{
	for (size_t i = 0; i < f->nhosts; i++)
		facts_free_host(f, &f->hosts[i]);
	free(f->hosts);
	free_lists(f);
	free_zone(&f->zone);
	free_texts(&f->spf);
	free_texts(&f->sts);
	free_texts(&f->tlsrpt);
	lookup_free(&f->mx);
	free(f->policy);
	free(f->domain);
	*f = (struct facts)FACTS_INIT;
}

bool
lookup_is_definite(const struct lookup *l)
{
	return l->was_asked &&
	       (l->status == DNS_OK || l->status == DNS_NODATA ||
		   l->status == DNS_NXDOMAIN);
}

bool
facts_is_null_mx(const struct facts *f)
{
	return f->mx.status == DNS_OK && f->nhosts == 1 &&
	       f->hosts[0].preference == 0 && f->hosts[0].name[0] == '\0';
}

char *
fact_addr_text(const struct fact_addr *a, char out[ENDPOINT_TEXT_MAX])
{
	if (inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->bytes, out,
		ENDPOINT_TEXT_MAX) == NULL)
		out[0] = '\0';
	return out;
}

bool
fact_addr_same(const struct fact_addr *a, const struct fact_addr *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

const struct fact_session *
facts_session(const struct fact_host *h, size_t i)
{
	return h->sessions == NULL ? NULL : h->sessions[i];
}
