#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "bmx-mxcheck/hostname.h"
#include "judge_words.h"

void
split(struct words *w, char *statement)
{
	char *save = NULL;

	w->n = 0;
	for (char *p = strtok_r(statement, " ", &save); p != NULL;
	     p = strtok_r(NULL, " ", &save)) {
		assert_true(w->n < WORDS_MAX - 1);
		w->v[w->n++] = p;
	}
	w->v[w->n] = NULL;
}

enum dns_status
status_of(const char *word)
{
	static const struct {
		const char *name;
		enum dns_status status;
	} known[] = {
		{ "=NODATA", DNS_NODATA },
		{ "=NXDOMAIN", DNS_NXDOMAIN },
		{ "=SERVFAIL", DNS_SERVFAIL },
		{ "=REFUSED", DNS_REFUSED },
		{ "=MALFORMED", DNS_MALFORMED },
		{ "=TIMEOUT", DNS_TIMEOUT },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (strcmp(known[i].name, word) == 0)
			return known[i].status;
	}
	fail_msg("no such status: %s", word);
	return DNS_OK;
}

void
set_lookup(struct lookup *l, enum dns_status status)
{
	l->was_asked = true;
	l->status = status;
	l->is_authoritative = true;
	l->ttl_min = l->ttl_max = 3600;
	strcpy(l->server, "127.0.0.1:53");
}

void
add_host(struct facts *f, unsigned preference, const char *name)
{
	struct fact_host *h = &f->hosts[f->nhosts++];

	h->preference = (uint16_t)preference;
	h->name = strdup(strcmp(name, ".") == 0 ? "" : name);
	if (h->name[0] == '\0' || hostname_is_address(h->name))
		return; /* nobody asks for these */
	set_lookup(&h->a, DNS_NODATA);
	set_lookup(&h->aaaa, DNS_NODATA);
}

static void
state_mx(struct facts *f, const struct words *w)
{
	if (w->v[1][0] == '=')
		f->mx.status = status_of(w->v[1]);
	else
		add_host(f, (unsigned)atoi(w->v[1]), w->v[2]);
	if (w->v[1][0] != '=')
		f->mx.status = DNS_OK;
}

static void
state_addresses(struct fact_host *h, const struct words *w)
{
	bool is_v4 = strcmp(w->v[0], "a") == 0;
	struct lookup *l = is_v4 ? &h->a : &h->aaaa;

	if (w->v[2][0] == '=') {
		l->status = status_of(w->v[2]);
		return;
	}
	l->status = DNS_OK;
	for (int i = 2; i < w->n; i++) {
		struct fact_addr *a = &h->addrs[h->naddrs++];

		a->len = is_v4 ? 4 : 16;
		assert_int_equal(inet_pton(is_v4 ? AF_INET : AF_INET6, w->v[i],
				     a->bytes),
		    1);
	}
}

static void
state_of_lookup(struct lookup *l, const struct words *w)
{
	if (strcmp(w->v[0], "alias") == 0) {
		l->aliases++;
		l->owner = strdup(w->v[2]);
	} else {
		l->ttl_min = (uint32_t)atoi(w->v[2]);
		l->ttl_max = (uint32_t)atoi(w->v[w->n - 1]);
	}
}

/* Statements that name a host; a name may stand for several records. */
static void
state_host(struct facts *f, const struct words *w)
{
	bool found = false;

	for (size_t i = 0; i < f->nhosts; i++) {
		struct fact_host *h = &f->hosts[i];

		if (strcmp(h->name, w->v[1]) != 0)
			continue;
		found = true;
		if (strcmp(w->v[0], "local") == 0)
			h->is_local = true;
		else if (strcmp(w->v[0], "addrs-left") == 0)
			h->addrs_left = 3;
		else if (strcmp(w->v[0], "a") == 0 ||
			 strcmp(w->v[0], "aaaa") == 0)
			state_addresses(h, w);
		else
			state_of_lookup(&h->a, w);
	}
	if (!found)
		fail_msg("no such host: %s", w->v[1]);
}

struct fact_host *
host_called(struct facts *f, const char *name)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		if (strcmp(f->hosts[i].name, name) == 0)
			return &f->hosts[i];
	}
	fail_msg("no such host: %s", name);
	return NULL;
}

static struct fact_zone *
zone_of(struct facts *f, const char *name)
{
	return strcmp(name, "mx") == 0 ? &f->zone : &host_called(f, name)->zone;
}

char *
unquote(const char *word)
{
	char *text = strdup(word);

	for (char *p = text; *p != '\0'; p++) {
		if (*p == '_' || *p == '+')
			*p = *p == '_' ? ' ' : ';';
	}
	return text;
}

static void
state_zone(struct facts *f, const struct words *w)
{
	struct fact_zone *z = zone_of(f, w->v[1]);

	set_lookup(&z->ns, DNS_OK);
	if (w->v[2][0] == '=')
		z->ns.status = status_of(w->v[2]);
	else
		z->apex = strdup(w->v[2]);
	z->servers = calloc(FACTS_SERVERS_MAX, sizeof *z->servers);
}

static struct fact_server *
server_called(struct fact_zone *z, const char *name, const char *addr)
{
	struct fact_server *s;

	for (size_t i = 0; i < z->nservers; i++) {
		if (strcmp(z->servers[i].name, name) == 0)
			return &z->servers[i];
	}
	s = &z->servers[z->nservers++];
	s->name = strdup(name);
	if (strcmp(addr, "-") != 0)
		s->addr.len = 4;
	if (s->addr.len == 4)
		assert_int_equal(inet_pton(AF_INET, addr, s->addr.bytes), 1);
	return s;
}

static void
state_said(struct facts *f, const struct words *w)
{
	struct fact_server *s =
	    server_called(zone_of(f, w->v[1]), w->v[2], w->v[3]);
	int poll = atoi(w->v[4]);
	struct lookup *l = &s->said[poll];

	set_lookup(l, DNS_OK);
	if (strcmp(w->v[5], "=ROUTE") == 0) {
		l->has_no_route = true;
		l->status = DNS_TIMEOUT;
	} else if (strcmp(w->v[5], "=MANY") == 0) {
		s->set[poll] = NULL;
	} else if (strcmp(w->v[5], "=NOTAA") == 0) {
		l->is_authoritative = false;
		s->set[poll] = strdup("");
	} else if (w->v[5][0] == '=') {
		l->status = status_of(w->v[5]);
		if (l->status == DNS_NODATA)
			s->set[poll] = strdup("");
	} else {
		s->set[poll] = unquote(w->v[5]);
	}
}

static struct lookup *
lookup_called(struct facts *f, const struct words *w)
{
	struct fact_host *h;

	if (strcmp(w->v[1], "mx") == 0)
		return &f->mx;
	h = host_called(f, w->v[1]);
	if (strcmp(w->v[2], "tlsa") == 0)
		return &h->tlsa;
	return strcmp(w->v[2], "a") == 0 ? &h->a : &h->aaaa;
}

static void
state_trust(struct facts *f)
{
	f->mx.is_trusted = true;
	f->mx.is_authoritative = false;
	for (size_t i = 0; i < f->nhosts; i++) {
		struct fact_host *h = &f->hosts[i];

		h->a.is_trusted = h->aaaa.is_trusted = true;
		h->tlsa.is_trusted = true;
		h->a.is_authoritative = h->aaaa.is_authoritative = false;
		h->tlsa.is_authoritative = false;
	}
}

static void
state_tlsa(struct facts *f, const struct words *w)
{
	struct fact_host *h = host_called(f, w->v[1]);
	struct fact_tlsa *t;

	if (!h->tlsa.was_asked)
		set_lookup(&h->tlsa, DNS_OK);
	if (w->v[2][0] == '=') {
		h->tlsa.status = status_of(w->v[2]);
		return;
	}
	if (strcmp(w->v[2], "cut") == 0) {
		h->tlsas_left++;
		return;
	}
	if (h->tlsas == NULL)
		h->tlsas = calloc(FACTS_TLSAS_MAX, sizeof *h->tlsas);
	t = &h->tlsas[h->ntlsas++];
	t->usage = (unsigned char)atoi(w->v[2]);
	t->selector = (unsigned char)atoi(w->v[3]);
	t->match = (unsigned char)atoi(w->v[4]);
	t->len = (size_t)atoi(w->v[5]);
	if (w->n > 6)
		t->data[0] = t->sha256[0] = (unsigned char)atoi(w->v[6]);
}

static struct fact_texts *
text_called(struct facts *f, const char *name)
{
	if (strcmp(name, "spf") == 0)
		return &f->spf;
	return strcmp(name, "sts") == 0 ? &f->sts : &f->tlsrpt;
}

static void
state_text(struct fact_texts *t, const char *text)
{
	set_lookup(&t->said, DNS_OK);
	if (strcmp(text, "=NONE") == 0)
		return;
	if (strcmp(text, "=LONG") == 0)
		t->left = 1;
	else if (text[0] == '=')
		t->said.status = status_of(text);
	else
		t->text[t->n++] = unquote(text);
}

static void
state_back(struct facts *f, const struct words *w)
{
	struct fact_host *h = host_called(f, w->v[1]);
	struct fact_reverse *r;

	if (h->reverse == NULL) {
		h->reverse = calloc(h->naddrs, sizeof *h->reverse);
		for (size_t i = 0; i < h->naddrs; i++) {
			set_lookup(&h->reverse[i].ptr, DNS_OK);
			h->reverse[i].leads_back = true;
		}
	}
	r = &h->reverse[atoi(w->v[2])];
	r->leads_back = strcmp(w->v[3], "good") == 0;
	if (strcmp(w->v[3], "none") == 0)
		r->ptr.status = DNS_NXDOMAIN;
	else if (w->v[3][0] == '=')
		r->ptr.status = status_of(w->v[3]);
	else
		r->name = strdup("a.name");
	if (strcmp(w->v[3], "wrong") == 0)
		set_lookup(&r->forward, DNS_OK);
}

static void
state_list(struct facts *f, const struct words *w)
{
	bool is_alive = strcmp(w->v[2], "alive") == 0;

	f->lists = calloc(1, sizeof *f->lists);
	f->nlists = 1;
	f->lists[0].zone = strdup(w->v[1]);
	for (int i = 0; i < 2; i++) {
		set_lookup(&f->lists[0].listed[i],
		    is_alive ? DNS_OK : DNS_NXDOMAIN);
		set_lookup(&f->lists[0].unlisted[i], DNS_NXDOMAIN);
	}
}

static void
state_listed(struct facts *f, const struct words *w)
{
	struct fact_host *h = host_called(f, w->v[1]);
	struct lookup *l;

	if (h->listings == NULL) {
		h->listings = calloc(h->naddrs, sizeof *h->listings);
		for (size_t i = 0; i < h->naddrs; i++)
			set_lookup(&h->listings[i], DNS_NXDOMAIN);
	}
	l = &h->listings[atoi(w->v[2])];
	if (strcmp(w->v[3], "yes") == 0)
		l->status = DNS_OK;
	else if (w->v[3][0] == '=')
		l->status = status_of(w->v[3]);
}

/* True if it is a statement about what only some checks ask for. */
static bool
state_more(struct facts *f, const struct words *w)
{
	const char *what = w->v[0];

	if (strcmp(what, "zone") == 0)
		state_zone(f, w);
	else if (strcmp(what, "said") == 0)
		state_said(f, w);
	else if (strcmp(what, "sign") == 0)
		lookup_called(f, w)->is_authentic = true;
	else if (strcmp(what, "bogus") == 0)
		lookup_called(f, w)->is_bogus = true;
	else if (strcmp(what, "trust") == 0)
		state_trust(f);
	else if (strcmp(what, "tlsa") == 0)
		state_tlsa(f, w);
	else if (strcmp(what, "text") == 0)
		state_text(text_called(f, w->v[1]), w->v[2]);
	else if (strcmp(what, "hello") == 0)
		state_text(&host_called(f, w->v[1])->spf, w->v[2]);
	else if (strcmp(what, "back") == 0)
		state_back(f, w);
	else if (strcmp(what, "list") == 0)
		state_list(f, w);
	else if (strcmp(what, "listed") == 0)
		state_listed(f, w);
	else
		return false;
	return true;
}

static void
state(struct facts *f, const struct words *w)
{
	if (state_more(f, w) || state_smtp(f, w))
		return;
	if (strcmp(w->v[0], "mx") == 0)
		state_mx(f, w);
	else if (strcmp(w->v[0], "endless") == 0)
		f->mx.is_endless = true;
	else if (strcmp(w->v[0], "left") == 0)
		f->hosts_left = (size_t)atoi(w->v[1]);
	else if (strcmp(w->v[0], "cached") == 0)
		f->mx.is_authoritative = false;
	else if (strcmp(w->v[1], "mx") == 0)
		state_of_lookup(&f->mx, w);
	else
		state_host(f, w);
}

static void
make_facts(struct facts *f, const char *text)
{
	char *copy = strdup(text), *save = NULL;
	struct words w;

	*f = (struct facts)FACTS_INIT;
	f->domain = strdup("example.com");
	f->taken_s = 1800000000;
	f->hosts = calloc(FACTS_HOSTS_MAX, sizeof *f->hosts);
	set_lookup(&f->mx, DNS_NODATA);
	if (strncmp(text, "mx ", 3) != 0 && strstr(text, ";mx ") == NULL)
		add_host(f, 0, "example.com");
	for (char *p = strtok_r(copy, ";", &save); p != NULL;
	     p = strtok_r(NULL, ";", &save)) {
		split(&w, p);
		if (w.n > 0)
			state(f, &w);
	}
	free(copy);
}

/* "p:mx1 b:mx2": named; "us:mx2": this host; "r:mx1": bmx.conf's route;
 * "d:mx1": dead on purpose. */
static struct role_words *
words_called(struct fixture *x, char kind)
{
	if (kind == 'd')
		return &x->down;
	return kind == 'b' || kind == 'u' ? &x->roles.backup
					  : &x->roles.primary;
}

static void
make_roles(struct fixture *x, const char *text)
{
	struct err e = ERR_INIT;
	struct words w;

	memset(&x->roles, 0, sizeof x->roles);
	x->policy.down = &x->down;
	snprintf(x->role_words, sizeof x->role_words, "%s", text);
	split(&w, x->role_words);
	for (int i = 0; i < w.n; i++) {
		char kind = w.v[i][0];
		const char *name = strchr(w.v[i], ':') + 1;

		x->roles.backup_is_us |= kind == 'u';
		x->roles.primary_is_route |= kind == 'r';
		assert_int_equal(roles_add(words_called(x, kind), name, &e), 0);
	}
}

struct fixture *
judge_words(const char *facts, const char *roles)
{
	struct fixture *x = calloc(1, sizeof *x);

	x->policy = (struct judge_policy)JUDGE_POLICY_INIT;
	make_facts(&x->facts, facts);
	make_roles(x, roles);
	judge(&x->facts, &x->roles, &x->policy, &x->out);
	return x;
}

void
free_fixture(struct fixture *x)
{
	facts_free(&x->facts);
	free(x);
}

const struct finding *
finding_of(const struct judgement *j, enum check_id check, enum outcome outcome)
{
	for (size_t i = 0; i < j->n; i++) {
		if (j->findings[i].check == check &&
		    j->findings[i].outcome == outcome)
			return &j->findings[i];
	}
	return NULL;
}
