#include "facts_json.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <jansson.h>

#include "base/text.h"
#include "facts_json_smtp.h"
#include "mail/addr.h"

#define TTL_MAX INT32_MAX
#define ALIASES_MAX 255

/* ---- facts ---- */

static void
visit_status(struct visitor *v, enum dns_status *status)
{
	char *text = NULL;
	int i = DNS_OK;

	if (!v->is_reading)
		text = (char *)dns_status_text(*status);
	visit_text(v, "status", &text, 64, false);
	if (!v->is_reading)
		return;
	while (text != NULL && i <= DNS_TIMEOUT &&
	       strcmp(text, dns_status_text((enum dns_status)i)) != 0)
		i++;
	if (i > DNS_TIMEOUT)
		visitor_refuse(v, "status");
	else
		*status = (enum dns_status)i;
	free(text);
}

static void
visit_lookup(struct visitor *v, const char *key, size_t i, struct lookup *l)
{
	struct visitor in;

	if (visit_nothing(v, key, i, !l->was_asked && l->status == DNS_OK))
		return;
	in = visitor_enter(v, key, i);
	visit_bool(&in, "asked", &l->was_asked);
	visit_status(&in, &l->status);
	l->aliases =
	    (unsigned)visit_number(&in, "aliases", l->aliases, ALIASES_MAX);
	visit_bool(&in, "endless", &l->is_endless);
	visit_text(&in, "owner", &l->owner, DNS_NAME_MAX, true);
	visit_bool(&in, "authoritative", &l->is_authoritative);
	visit_bool(&in, "authentic", &l->is_authentic);
	visit_bool(&in, "trusted", &l->is_trusted);
	visit_bool(&in, "bogus", &l->is_bogus);
	visit_bool(&in, "no_route", &l->has_no_route);
	l->ttl_min =
	    (uint32_t)visit_number(&in, "ttl_min", l->ttl_min, TTL_MAX);
	l->ttl_max =
	    (uint32_t)visit_number(&in, "ttl_max", l->ttl_max, TTL_MAX);
	visit_chars(&in, "server", l->server, sizeof l->server);
	visitor_leave(v, key, &in);
}

static void
visit_addr(struct visitor *v, const char *key, struct fact_addr *a)
{
	char text[ENDPOINT_TEXT_MAX] = "", *given = text;

	if (!v->is_reading) {
		if (a->len > 0)
			fact_addr_text(a, text);
		visit_text(v, key, &given, sizeof text, false);
		return;
	}
	given = NULL;
	visit_text(v, key, &given, sizeof text, false);
	if (given == NULL || given[0] == '\0')
		a->len = 0;
	else if (inet_pton(AF_INET, given, a->bytes) == 1)
		a->len = 4;
	else if (inet_pton(AF_INET6, given, a->bytes) == 1)
		a->len = 16;
	else
		visitor_refuse(v, key);
	free(given);
}

static void
visit_server(struct visitor *v, size_t i, struct fact_server *s)
{
	struct visitor in = visitor_enter(v, NULL, i);

	visit_text(&in, "name", &s->name, DNS_NAME_MAX, false);
	visit_addr(&in, "address", &s->addr);
	visit_lookup(&in, "first", 0, &s->said[0]);
	visit_text(&in, "first_set", &s->set[0], FACTS_SET_MAX, true);
	visit_lookup(&in, "second", 0, &s->said[1]);
	visit_text(&in, "second_set", &s->set[1], FACTS_SET_MAX, true);
	visitor_leave(v, NULL, &in);
}

static void
visit_zone(struct visitor *v, struct fact_zone *z)
{
	struct visitor in, all;

	if (visit_nothing(v, "zone", 0, !z->ns.was_asked))
		return;
	in = visitor_enter(v, "zone", 0);
	visit_text(&in, "apex", &z->apex, DNS_NAME_MAX, true);
	visit_lookup(&in, "ns", 0, &z->ns);
	visit_size(&in, "servers_left", &z->servers_left);
	all = visitor_enter_array(&in, "servers", &z->nservers,
	    FACTS_SERVERS_MAX);
	if (in.is_reading)
		z->servers =
		    visitor_allocate(&in, z->nservers, sizeof *z->servers);
	for (size_t i = 0; z->servers != NULL && i < z->nservers; i++)
		visit_server(&all, i, &z->servers[i]);
	if (z->servers == NULL)
		z->nservers = 0;
	visitor_leave_array(&in, "servers", &all);
	visitor_leave(v, "zone", &in);
}

static void
visit_texts(struct visitor *v, const char *key, struct fact_texts *t)
{
	struct visitor in = visitor_enter(v, key, 0), all;

	visit_lookup(&in, "lookup", 0, &t->said);
	visit_size(&in, "left", &t->left);
	all = visitor_enter_array(&in, "texts", &t->n, FACTS_TEXTS_MAX);
	for (size_t i = 0; i < t->n; i++) {
		struct visitor one = visitor_enter(&all, NULL, i);

		visit_text(&one, "text", &t->text[i], FACTS_SET_MAX, false);
		visitor_leave(&all, NULL, &one);
	}
	visitor_leave_array(&in, "texts", &all);
	visitor_leave(v, key, &in);
}

static void
visit_tlsa(struct visitor *v, size_t i, struct fact_tlsa *t)
{
	struct visitor in = visitor_enter(v, NULL, i);
	size_t shown = t->len < sizeof t->data ? t->len : sizeof t->data;

	t->usage = (unsigned char)visit_number(&in, "usage", t->usage, 255);
	t->selector =
	    (unsigned char)visit_number(&in, "selector", t->selector, 255);
	t->match = (unsigned char)visit_number(&in, "match", t->match, 255);
	visit_size(&in, "length", &t->len);
	visit_hex(&in, "data", t->data, &shown, sizeof t->data);
	if (shown != (t->len < sizeof t->data ? t->len : sizeof t->data))
		visitor_refuse(&in, "data");
	facts_visit_bytes(&in, "sha256", t->sha256, sizeof t->sha256);
	visitor_leave(v, NULL, &in);
}

static void
visit_tlsas(struct visitor *v, struct fact_host *h)
{
	struct visitor all;

	visit_lookup(v, "tlsa", 0, &h->tlsa);
	visit_size(v, "tlsas_left", &h->tlsas_left);
	all = visitor_enter_array(v, "tlsas", &h->ntlsas, FACTS_TLSAS_MAX);
	if (v->is_reading)
		h->tlsas = visitor_allocate(v, h->ntlsas, sizeof *h->tlsas);
	if (h->tlsas == NULL)
		h->ntlsas = 0;
	for (size_t i = 0; i < h->ntlsas; i++)
		visit_tlsa(&all, i, &h->tlsas[i]);
	visitor_leave_array(v, "tlsas", &all);
}

/* One for each address, or none. */
static void
visit_reverse(struct visitor *v, struct fact_host *h)
{
	size_t n = h->reverse == NULL ? 0 : h->naddrs;
	struct visitor all = visitor_enter_array(v, "reverse", &n, h->naddrs);

	if (n != 0 && n != h->naddrs) {
		visitor_refuse(v, "reverse");
		n = 0;
	}
	if (v->is_reading && n > 0)
		h->reverse = visitor_allocate(v, n, sizeof *h->reverse);
	for (size_t i = 0; h->reverse != NULL && i < n; i++) {
		struct visitor in = visitor_enter(&all, NULL, i);
		struct fact_reverse *r = &h->reverse[i];

		visit_lookup(&in, "ptr", 0, &r->ptr);
		visit_text(&in, "name", &r->name, DNS_NAME_MAX, true);
		visit_lookup(&in, "forward", 0, &r->forward);
		visit_bool(&in, "leads_back", &r->leads_back);
		visitor_leave(&all, NULL, &in);
	}
	visitor_leave_array(v, "reverse", &all);
}

static void
visit_listings(struct visitor *v, struct fact_host *h, size_t nlists)
{
	size_t most = h->naddrs * nlists;
	size_t n = h->listings == NULL ? 0 : most;
	struct visitor all = visitor_enter_array(v, "listings", &n, most);

	if (n != 0 && n != most) {
		visitor_refuse(v, "listings");
		n = 0;
	}
	if (v->is_reading && n > 0)
		h->listings = visitor_allocate(v, n, sizeof *h->listings);
	for (size_t i = 0; h->listings != NULL && i < n; i++)
		visit_lookup(&all, NULL, i, &h->listings[i]);
	visitor_leave_array(v, "listings", &all);
}

static void
visit_addrs(struct visitor *v, struct fact_host *h)
{
	struct visitor all;

	all = visitor_enter_array(v, "addresses", &h->naddrs,
	    2 * FACTS_ADDRS_MAX);
	for (size_t i = 0; i < h->naddrs; i++) {
		struct visitor one = visitor_enter(&all, NULL, i);

		visit_addr(&one, "address", &h->addrs[i]);
		if (h->addrs[i].len == 0)
			visitor_refuse(&one, "address");
		visitor_leave(&all, NULL, &one);
	}
	visitor_leave_array(v, "addresses", &all);
	visit_size(v, "addresses_left", &h->addrs_left);
}

/* One for each address, null among them, or none. */
static void
visit_sessions(struct visitor *v, struct fact_host *h)
{
	size_t n = h->sessions == NULL ? 0 : h->naddrs;
	struct visitor all = visitor_enter_array(v, "sessions", &n, h->naddrs);

	if (n != 0 && n != h->naddrs) {
		visitor_refuse(v, "sessions");
		n = 0;
	}
	if (v->is_reading && n > 0)
		h->sessions = visitor_allocate(v, n, sizeof *h->sessions);
	for (size_t i = 0; h->sessions != NULL && i < n; i++) {
		if (visit_nothing(&all, NULL, i, h->sessions[i] == NULL))
			continue;
		if (v->is_reading)
			h->sessions[i] =
			    visitor_allocate(v, 0, sizeof *h->sessions[i]);
		if (h->sessions[i] != NULL)
			facts_visit_session(&all, i, h->sessions[i]);
	}
	visitor_leave_array(v, "sessions", &all);
}

static void
visit_host(struct visitor *v, size_t i, struct fact_host *h, size_t nlists)
{
	struct visitor in = visitor_enter(v, NULL, i);

	h->preference = (uint16_t)visit_number(&in, "preference", h->preference,
	    UINT16_MAX);
	visit_text(&in, "host", &h->name, DNS_NAME_MAX, false);
	visit_lookup(&in, "a", 0, &h->a);
	visit_lookup(&in, "aaaa", 0, &h->aaaa);
	visit_addrs(&in, h);
	visit_zone(&in, &h->zone);
	visit_tlsas(&in, h);
	visit_reverse(&in, h);
	visit_listings(&in, h, nlists);
	visit_texts(&in, "spf", &h->spf);
	visit_sessions(&in, h);
	visitor_leave(v, NULL, &in);
}

static void
visit_hosts(struct visitor *v, struct facts *f)
{
	struct visitor all;

	all = visitor_enter_array(v, "hosts", &f->nhosts, FACTS_HOSTS_MAX);
	if (v->is_reading)
		f->hosts = visitor_allocate(v, f->nhosts, sizeof *f->hosts);
	if (f->hosts == NULL)
		f->nhosts = 0;
	for (size_t i = 0; i < f->nhosts; i++)
		visit_host(&all, i, &f->hosts[i], f->nlists);
	visitor_leave_array(v, "hosts", &all);
	visit_size(v, "hosts_left", &f->hosts_left);
}

static void
visit_lists(struct visitor *v, struct facts *f)
{
	struct visitor all;

	all = visitor_enter_array(v, "lists", &f->nlists, FACTS_LISTS_MAX);
	if (v->is_reading)
		f->lists = visitor_allocate(v, f->nlists, sizeof *f->lists);
	if (f->lists == NULL)
		f->nlists = 0;
	for (size_t i = 0; i < f->nlists; i++) {
		struct visitor in = visitor_enter(&all, NULL, i);
		struct fact_list *list = &f->lists[i];

		visit_text(&in, "zone", &list->zone, DNS_NAME_MAX, false);
		visit_lookup(&in, "listed4", 0, &list->listed[0]);
		visit_lookup(&in, "unlisted4", 0, &list->unlisted[0]);
		visit_lookup(&in, "listed6", 0, &list->listed[1]);
		visit_lookup(&in, "unlisted6", 0, &list->unlisted[1]);
		visitor_leave(&all, NULL, &in);
	}
	visitor_leave_array(v, "lists", &all);
}

static void
visit_policy(struct visitor *v, struct facts *f)
{
	if (visit_nothing(v, "policy", 0, f->policy == NULL))
		return;
	if (v->is_reading)
		f->policy = visitor_allocate(v, 0, sizeof *f->policy);
	if (f->policy != NULL)
		facts_visit_policy(v, f->policy);
}

static void
visit_facts(struct visitor *v, struct facts *f)
{
	if (visit_number(v, "facts", FACTS_JSON_VERSION, INT32_MAX) !=
	    FACTS_JSON_VERSION)
		visitor_refuse(v, "facts (another version)");
	visit_text(v, "domain", &f->domain, DNS_NAME_MAX, false);
	f->taken_s = visit_number(v, "time", f->taken_s, INT64_MAX / 1000000);
	visit_lookup(v, "mx", 0, &f->mx);
	visit_zone(v, &f->zone);
	visit_texts(v, "spf", &f->spf);
	visit_texts(v, "sts", &f->sts);
	visit_texts(v, "tlsrpt", &f->tlsrpt);
	visit_policy(v, f);
	visit_lists(v, f);
	visit_hosts(v, f);
}

void
facts_to_json(const struct facts *f, struct buf *out)
{
	const char *fault = NULL;
	struct visitor v = { .o = json_object(), .fault = &fault };
	char *line;

	visit_facts(&v, (struct facts *)f); /* writing changes nothing */
	line = fault != NULL
		   ? NULL
		   : json_dumps(v.o, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (line == NULL)
		out->failed = true;
	else
		buf_addf(out, "%s\n", line);
	free(line);
	json_decref(v.o);
}

/* What every rule takes for granted. NULL: it is so. */
static const char *
contradiction(const struct facts *f)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err unused = ERR_INIT;

	if (addr_fold_domain(f->domain, strlen(f->domain), folded, &unused) ==
		-1 ||
	    strcmp(folded, f->domain) != 0)
		return "domain";
	if (!f->mx.was_asked || (f->mx.status == DNS_OK && f->nhosts == 0) ||
	    (f->mx.status == DNS_NODATA && f->nhosts != 1) ||
	    (f->mx.status > DNS_NODATA && f->nhosts != 0))
		return "hosts";
	return NULL;
}

int
facts_from_json(struct facts *f, const char *line, size_t len, struct err *e)
{
	const char *fault = NULL;
	struct visitor v = { .is_reading = true, .fault = &fault };
	json_error_t why;
	char said[sizeof why.text];

	*f = (struct facts)FACTS_INIT;
	v.o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (v.o == NULL)
		return err_data(e, "not JSON: %s",
		    text_safe(said, sizeof said, why.text));
	if (json_is_object(v.o))
		visit_facts(&v, f);
	else
		fault = "not an object";
	if (fault == NULL && v.taken != json_object_size(v.o))
		fault = "an unknown key";
	if (fault == NULL)
		fault = contradiction(f);
	json_decref(v.o);
	if (fault == NULL)
		return 0;
	facts_free(f);
	if (fault == visitor_no_memory)
		return err_temp(e, "%s", fault);
	return err_data(e, "not facts of bmx-mxcheck: %s", fault);
}
