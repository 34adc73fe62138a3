/* bmx-mxcheck: facts in, findings out. */
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
#include "bmx-mxcheck/judge.h"
#include "bmx-mxcheck/special.h"

/*
 * ---- facts from a few words ----
 *
 * Statements about example.com with ';' between them:
 *
 *	mx 10 mx1			an MX record ("." is the root)
 *	mx =SERVFAIL			the MX look-up's status
 *	a mx1 20.0.0.1 20.0.0.2		addresses of a host (also aaaa)
 *	a mx1 =NXDOMAIN			its look-up's status
 *	alias mx real.example.net	aliases were followed (also: alias mx1)
 *	endless				the chain of aliases loops
 *	ttl mx 60 3600			smallest and largest TTL (also: ttl mx1)
 *	cached				nothing came from an authoritative server
 *	left 5				MX hosts that were not looked at
 *	addrs-left mx1			addresses of it were not looked at
 *	local mx1			it has an address of this host
 *
 * Words with '_' for a blank and '+' for a semicolon, about what only some checks ask for (mx is the
 * domain, FAMILY 0 or 1 is MX and SOA, of a host A and AAAA):
 *
 *	zone mx example.com		the zone was found (also: =SERVFAIL)
 *	said mx ns1 127.0.0.1 0 10_mx1,_20_mx2	what a server says
 *	said mx ns1 127.0.0.1 0 =REFUSED	(also: =NOTAA, =ROUTE)
 *	said mx ns1 - 0 =NXDOMAIN	it has no address
 *	sign mx				AD (also: sign mx1 a, sign mx1 tlsa)
 *	trust				AD would count, from a resolver
 *	bogus mx			(also: bogus mx1 aaaa)
 *	tlsa mx1 3 1 1 32		a record, with so many bytes
 *	tlsa mx1 =SERVFAIL
 *	text spf v=spf1_-all		(also: sts, tlsrpt; =SERVFAIL; =NONE)
 *	back mx1 0 good			of address 0 (none, wrong, =TIMEOUT)
 *	list bl.test alive		(or dead)
 *	listed mx1 0 yes		(no, =TIMEOUT)
 *
 * A host without a statement has neither A nor AAAA; a domain without mx is
 * its own host.
 */

#define WORDS_MAX 9

struct words {
	char *v[WORDS_MAX];
	int n;
};

static void
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

static enum dns_status
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

static void
set_lookup(struct lookup *l, enum dns_status status)
{
	l->was_asked = true;
	l->status = status;
	l->is_authoritative = true;
	l->ttl_min = l->ttl_max = 3600;
	strcpy(l->server, "127.0.0.1:53");
}

static void
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

static struct fact_host *
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

static char *
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
	if (h->tlsas == NULL)
		h->tlsas = calloc(FACTS_TLSAS_MAX, sizeof *h->tlsas);
	t = &h->tlsas[h->ntlsas++];
	t->usage = (unsigned char)atoi(w->v[2]);
	t->selector = (unsigned char)atoi(w->v[3]);
	t->match = (unsigned char)atoi(w->v[4]);
	t->len = (size_t)atoi(w->v[5]);
	if (w->n > 6)
		t->data[0] = (unsigned char)atoi(w->v[6]);
}

static void
state_text(struct facts *f, const struct words *w)
{
	struct fact_texts *t = strcmp(w->v[1], "spf") == 0   ? &f->spf
			       : strcmp(w->v[1], "sts") == 0 ? &f->sts
							     : &f->tlsrpt;

	set_lookup(&t->said, DNS_OK);
	if (strcmp(w->v[2], "=NONE") == 0)
		return;
	if (w->v[2][0] == '=')
		t->said.status = status_of(w->v[2]);
	else
		t->text[t->n++] = unquote(w->v[2]);
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
		state_text(f, w);
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
	if (state_more(f, w))
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

struct fixture {
	struct facts facts;
	struct roles roles;
	char role_words[128]; /* roles point into it */
	struct judge_policy policy;
	struct judgement out;
};

/* "p:mx1 b:mx2": named; "us:mx2": this host; "r:mx1": bmx.conf's route. */
static void
make_roles(struct fixture *x, const char *text)
{
	struct err e = ERR_INIT;
	struct words w;

	memset(&x->roles, 0, sizeof x->roles);
	snprintf(x->role_words, sizeof x->role_words, "%s", text);
	split(&w, x->role_words);
	for (int i = 0; i < w.n; i++) {
		const char *name = strchr(w.v[i], ':') + 1;
		bool is_backup = w.v[i][0] == 'b' || w.v[i][0] == 'u';

		if (w.v[i][0] == 'u')
			x->roles.backup_is_us = true;
		if (w.v[i][0] == 'r')
			x->roles.primary_is_route = true;
		assert_int_equal(roles_add(is_backup ? &x->roles.backup
						     : &x->roles.primary,
				     name, &e),
		    0);
	}
}

static struct fixture *
judge_words(const char *facts, const char *roles)
{
	struct fixture *x = calloc(1, sizeof *x);

	x->policy = (struct judge_policy)JUDGE_POLICY_INIT;
	make_facts(&x->facts, facts);
	make_roles(x, roles);
	judge(&x->facts, &x->roles, &x->policy, &x->out);
	return x;
}

static void
free_fixture(struct fixture *x)
{
	facts_free(&x->facts);
	free(x);
}

static const struct finding *
finding_of(const struct judgement *j, enum check_id check, enum outcome outcome)
{
	for (size_t i = 0; i < j->n; i++) {
		if (j->findings[i].check == check &&
		    j->findings[i].outcome == outcome)
			return &j->findings[i];
	}
	return NULL;
}

/* ---- each check: every outcome it can have ---- */

#define NA OUTCOME_NOT_APPLICABLE
#define PASS OUTCOME_PASS
#define UNTESTED OUTCOME_UNTESTED
#define FAIL OUTCOME_FAIL

#define INFO SEVERITY_INFO
#define NOTICE SEVERITY_NOTICE
#define WARNING SEVERITY_WARNING
#define ERROR SEVERITY_ERROR

/* A domain without fault. */
#define GOOD                                                                   \
	"mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;aaaa mx1 2600::1;a mx2 21.0.0.2"
#define NULL_MX "mx 0 ."
/* The same, asked for in full. */
#define TWO_NS                                                                 \
	";zone mx example.com;said mx ns1 40.0.0.1 0 10_mx1,_20_mx2;"          \
	"said mx ns1 40.0.0.1 1 7;said mx ns2 50.0.0.1 0 10_mx1,_20_mx2;"      \
	"said mx ns2 50.0.0.1 1 7"
#define HOST_NS                                                                \
	";zone mx1 example.com;said mx1 ns1 40.0.0.1 0 20.0.0.1;"              \
	"said mx1 ns1 40.0.0.1 1 2600::1;zone mx2 example.com;"                \
	"said mx2 ns1 40.0.0.1 0 21.0.0.2;said mx2 ns1 40.0.0.1 1 =NODATA"
#define SIGNED                                                                 \
	";trust;sign mx;sign mx1 a;sign mx1 aaaa;sign mx2 a;sign mx2 aaaa"
#define DANE                                                                   \
	";tlsa mx1 3 1 1 32 1;tlsa mx1 3 1 1 32 2;sign mx1 tlsa;"              \
	"tlsa mx2 3 1 1 32 1;tlsa mx2 2 1 1 32 2;sign mx2 tlsa"
#define TEXTS                                                                  \
	";text sts v=STSv1+id=1;text tlsrpt v=TLSRPTv1+rua=mailto:a@b.test"
#define SPF ";text spf v=spf1_mx_-all"
#define BACK ";back mx1 0 good;back mx1 1 good;back mx2 0 good"
#define LIST ";list bl.test alive;listed mx1 0 no;listed mx2 0 no"
#define PAIR "p:mx1 b:mx2"

struct row {
	const char *name;
	enum check_id check;
	enum outcome outcome;
	enum severity severity; /* of the finding */
	const char *facts, *roles;
	const char *subject; /* of the finding; NULL: any */
};

/* clang-format off */
static const struct row rows[] = {
	{ "records", CHECK_MX_EXISTS, PASS, 0, GOOD, "", NULL },
	{ "a null MX is a record", CHECK_MX_EXISTS, PASS, 0, NULL_MX, "", NULL },
	{ "no domain", CHECK_MX_EXISTS, FAIL, ERROR, "mx =NXDOMAIN", "", "example.com" },
	{ "dangling alias", CHECK_MX_EXISTS, FAIL, ERROR, "mx =NXDOMAIN;alias mx gone.test", "", NULL },
	{ "neither MX nor address", CHECK_MX_EXISTS, FAIL, ERROR, "", "", NULL },
	{ "no MX but an address", CHECK_MX_EXISTS, FAIL, WARNING, "a example.com 20.0.0.1", "", NULL },
	{ "no MX, address unknown", CHECK_MX_EXISTS, FAIL, WARNING, "a example.com =TIMEOUT", "", NULL },
	{ "SERVFAIL is no denial", CHECK_MX_EXISTS, UNTESTED, ERROR, "mx =SERVFAIL", "", NULL },
	{ "nor is a timeout", CHECK_MX_EXISTS, UNTESTED, ERROR, "mx =TIMEOUT", "", NULL },
	{ "nor is junk", CHECK_MX_EXISTS, UNTESTED, ERROR, "mx =MALFORMED", "", NULL },
	{ "nor is a refusal", CHECK_MX_EXISTS, UNTESTED, ERROR, "mx =REFUSED", "", NULL },

	{ "hosts", CHECK_MX_NULL, PASS, 0, GOOD, "", NULL },
	{ "no mail wanted", CHECK_MX_NULL, FAIL, INFO, NULL_MX, "", NULL },
	{ "no mail wanted, yet backed up", CHECK_MX_NULL, FAIL, ERROR, NULL_MX, "us:mx2", NULL },
	{ "no MX", CHECK_MX_NULL, NA, 0, "", "", NULL },
	{ "unknown", CHECK_MX_NULL, UNTESTED, INFO, "mx =SERVFAIL", "", NULL },

	{ "pure null MX", CHECK_MX_NULL_MIXED, PASS, 0, NULL_MX, "", NULL },
	{ "hosts alone", CHECK_MX_NULL_MIXED, PASS, 0, GOOD, "", NULL },
	{ "root beside a host", CHECK_MX_NULL_MIXED, FAIL, ERROR, "mx 0 .;mx 10 mx1;a mx1 20.0.0.1", "", NULL },
	{ "root behind a host", CHECK_MX_NULL_MIXED, FAIL, ERROR, "mx 10 mx1;mx 20 .;a mx1 20.0.0.1", "", NULL },
	{ "root with a preference", CHECK_MX_NULL_MIXED, FAIL, ERROR, "mx 10 .", "", NULL },
	{ "no MX", CHECK_MX_NULL_MIXED, NA, 0, "mx =NXDOMAIN", "", NULL },
	{ "unknown", CHECK_MX_NULL_MIXED, UNTESTED, ERROR, "mx =TIMEOUT", "", NULL },

	{ "explicit", CHECK_MX_IMPLICIT, PASS, 0, GOOD, "", NULL },
	{ "A alone", CHECK_MX_IMPLICIT, FAIL, WARNING, "a example.com 20.0.0.1", "", "example.com" },
	{ "AAAA alone", CHECK_MX_IMPLICIT, FAIL, WARNING, "aaaa example.com 2600::1", "", NULL },
	{ "nothing at all", CHECK_MX_IMPLICIT, NA, 0, "", "", NULL },
	{ "no domain", CHECK_MX_IMPLICIT, NA, 0, "mx =NXDOMAIN", "", NULL },
	{ "address unknown", CHECK_MX_IMPLICIT, UNTESTED, WARNING, "a example.com =SERVFAIL", "", NULL },
	{ "MX unknown", CHECK_MX_IMPLICIT, UNTESTED, WARNING, "mx =SERVFAIL", "", NULL },

	{ "two hosts", CHECK_MX_ONE, PASS, 0, GOOD, "", NULL },
	{ "one host", CHECK_MX_ONE, FAIL, WARNING, "mx 10 mx1;a mx1 20.0.0.1", "", NULL },
	{ "one host twice", CHECK_MX_ONE, FAIL, WARNING, "mx 10 mx1;mx 20 mx1;a mx1 20.0.0.1", "", NULL },
	{ "one host and the root", CHECK_MX_ONE, FAIL, WARNING, "mx 0 .;mx 10 mx1;a mx1 20.0.0.1", "", NULL },
	{ "two names, one address", CHECK_MX_ONE, FAIL, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.0.1", "", NULL },
	{ "two names, one set", CHECK_MX_ONE, FAIL, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1 20.0.0.2;a mx2 20.0.0.2 20.0.0.1", "", NULL },
	{ "one address more", CHECK_MX_ONE, PASS, 0, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.0.1 20.0.0.2", "", NULL },
	{ "two hosts, one of them dead", CHECK_MX_ONE, FAIL, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 =NXDOMAIN", "", NULL },
	{ "the other's address unknown", CHECK_MX_ONE, UNTESTED, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 =TIMEOUT", "", NULL },
	{ "different in spite of an unknown", CHECK_MX_ONE, PASS, 0, "mx 10 mx1;mx 20 mx2;mx 30 mx3;a mx1 20.0.0.1;a mx2 20.0.0.2;a mx3 =TIMEOUT", "", NULL },
	{ "two hosts, one an address", CHECK_MX_ONE, FAIL, WARNING, "mx 10 mx1;mx 20 192.0.2.1;a mx1 20.0.0.1", "", NULL },
	{ "null MX", CHECK_MX_ONE, NA, 0, NULL_MX, "", NULL },
	{ "implicit MX", CHECK_MX_ONE, NA, 0, "a example.com 20.0.0.1", "", NULL },

	{ "no alias", CHECK_MX_OWNER_ALIAS, PASS, 0, GOOD, "", NULL },
	{ "an alias is legal", CHECK_MX_OWNER_ALIAS, FAIL, INFO, GOOD ";alias mx other.test", "", "example.com" },
	{ "an alias without MX", CHECK_MX_OWNER_ALIAS, FAIL, INFO, "a example.com 20.0.0.1;alias mx other.test", "", NULL },
	{ "a loop", CHECK_MX_OWNER_ALIAS, FAIL, ERROR, "mx =SERVFAIL;alias mx b.test;endless", "", NULL },
	{ "an alias to a broken zone", CHECK_MX_OWNER_ALIAS, UNTESTED, INFO, "mx =SERVFAIL;alias mx b.test", "", NULL },
	{ "unknown", CHECK_MX_OWNER_ALIAS, UNTESTED, INFO, "mx =MALFORMED", "", NULL },

	{ "no alias", CHECK_MX_TARGET_ALIAS, PASS, 0, GOOD, "", NULL },
	{ "the first is one", CHECK_MX_TARGET_ALIAS, FAIL, ERROR, GOOD ";alias mx1 real.test", "", "mx1" },
	{ "the last is one", CHECK_MX_TARGET_ALIAS, FAIL, ERROR, GOOD ";alias mx2 real.test", "", "mx2" },
	{ "an alias to nothing", CHECK_MX_TARGET_ALIAS, FAIL, ERROR, "mx 10 mx1;a mx1 =NXDOMAIN;alias mx1 gone.test", "", NULL },
	{ "an alias to a broken zone", CHECK_MX_TARGET_ALIAS, FAIL, ERROR, "mx 10 mx1;a mx1 =SERVFAIL;aaaa mx1 =SERVFAIL;alias mx1 b.test", "", NULL },
	{ "AAAA alone known", CHECK_MX_TARGET_ALIAS, PASS, 0, "mx 10 mx1;a mx1 =SERVFAIL;aaaa mx1 2600::1", "", NULL },
	{ "unknown", CHECK_MX_TARGET_ALIAS, UNTESTED, ERROR, "mx 10 mx1;a mx1 =SERVFAIL;aaaa mx1 =TIMEOUT", "", "mx1" },
	{ "not all looked at", CHECK_MX_TARGET_ALIAS, UNTESTED, ERROR, GOOD ";left 7", "", NULL },
	{ "null MX", CHECK_MX_TARGET_ALIAS, NA, 0, NULL_MX, "", NULL },
	{ "an address", CHECK_MX_TARGET_ALIAS, NA, 0, "mx 10 192.0.2.1", "", NULL },

	{ "names", CHECK_MX_TARGET_IP, PASS, 0, GOOD, "", NULL },
	{ "dotted quad", CHECK_MX_TARGET_IP, FAIL, ERROR, "mx 10 mx1;mx 20 192.0.2.1", "", "192.0.2.1" },
	{ "last label all digits", CHECK_MX_TARGET_IP, FAIL, ERROR, "mx 10 mx1.25", "", NULL },
	{ "address literal", CHECK_MX_TARGET_IP, FAIL, ERROR, "mx 10 [192.0.2.1]", "", NULL },
	{ "IPv6", CHECK_MX_TARGET_IP, FAIL, ERROR, "mx 10 2001:db8::1", "", NULL },
	{ "implicit", CHECK_MX_TARGET_IP, NA, 0, "a example.com 20.0.0.1", "", NULL },
	{ "unknown", CHECK_MX_TARGET_IP, UNTESTED, ERROR, "mx =TIMEOUT", "", NULL },

	{ "letters, digits, hyphens", CHECK_MX_TARGET_NAME, PASS, 0, "mx 10 mx-1.4u.example.com", "", NULL },
	{ "underscore", CHECK_MX_TARGET_NAME, FAIL, ERROR, "mx 10 mx_1.example.com", "", "mx_1.example.com" },
	{ "localhost", CHECK_MX_TARGET_NAME, FAIL, ERROR, "mx 10 localhost", "", NULL },
	{ "an address is the other check's", CHECK_MX_TARGET_NAME, NA, 0, "mx 10 192.0.2.1", "", NULL },
	{ "unknown", CHECK_MX_TARGET_NAME, UNTESTED, ERROR, "mx =REFUSED", "", NULL },

	{ "A and AAAA", CHECK_MX_TARGET_NOADDR, PASS, 0, GOOD, "", NULL },
	{ "AAAA alone", CHECK_MX_TARGET_NOADDR, PASS, 0, "mx 10 mx1;aaaa mx1 2600::1", "", NULL },
	{ "A alone, AAAA unknown", CHECK_MX_TARGET_NOADDR, PASS, 0, "mx 10 mx1;a mx1 20.0.0.1;aaaa mx1 =SERVFAIL", "", NULL },
	{ "no such host", CHECK_MX_TARGET_NOADDR, FAIL, ERROR, GOOD ";mx 30 mx3;a mx3 =NXDOMAIN;aaaa mx3 =NXDOMAIN", "", "mx3" },
	{ "a host without address", CHECK_MX_TARGET_NOADDR, FAIL, ERROR, "mx 10 mx1", "", "mx1" },
	{ "no A, AAAA unknown", CHECK_MX_TARGET_NOADDR, UNTESTED, ERROR, "mx 10 mx1;aaaa mx1 =SERVFAIL", "", NULL },
	{ "no AAAA, A unknown", CHECK_MX_TARGET_NOADDR, UNTESTED, ERROR, "mx 10 mx1;a mx1 =TIMEOUT", "", NULL },
	{ "null MX", CHECK_MX_TARGET_NOADDR, NA, 0, NULL_MX, "", NULL },

	{ "ordinary addresses", CHECK_MX_ADDR_SPECIAL, PASS, 0, GOOD, "", NULL },
	{ "private", CHECK_MX_ADDR_SPECIAL, FAIL, ERROR, "mx 10 mx1;a mx1 20.0.0.1 10.0.0.1", "", "mx1" },
	{ "unique local", CHECK_MX_ADDR_SPECIAL, FAIL, ERROR, "mx 10 mx1;aaaa mx1 fd00::1", "", NULL },
	{ "the domain's own", CHECK_MX_ADDR_SPECIAL, FAIL, ERROR, "a example.com 127.0.0.1", "", NULL },
	{ "no address", CHECK_MX_ADDR_SPECIAL, NA, 0, "mx 10 mx1", "", NULL },
	{ "one family unknown", CHECK_MX_ADDR_SPECIAL, UNTESTED, ERROR, "mx 10 mx1;a mx1 20.0.0.1;aaaa mx1 =SERVFAIL", "", NULL },
	{ "found in spite of an unknown", CHECK_MX_ADDR_SPECIAL, FAIL, ERROR, "mx 10 mx1;a mx1 10.0.0.1;aaaa mx1 =SERVFAIL", "", NULL },
	{ "not all looked at", CHECK_MX_ADDR_SPECIAL, UNTESTED, ERROR, "mx 10 mx1;a mx1 20.0.0.1;addrs-left mx1", "", NULL },

	{ "each its own", CHECK_MX_ADDR_DUP, PASS, 0, GOOD, "", NULL },
	{ "one shared", CHECK_MX_ADDR_DUP, FAIL, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.0.9 20.0.0.1", "", "mx2" },
	{ "one name twice is the other check's", CHECK_MX_ADDR_DUP, NA, 0, "mx 10 mx1;mx 20 mx1;a mx1 20.0.0.1", "", NULL },
	{ "one host", CHECK_MX_ADDR_DUP, NA, 0, "mx 10 mx1;a mx1 20.0.0.1", "", NULL },
	{ "unknown", CHECK_MX_ADDR_DUP, UNTESTED, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 =TIMEOUT", "", "mx2" },

	{ "each once", CHECK_MX_NAME_DUP, PASS, 0, GOOD, "", NULL },
	{ "one twice", CHECK_MX_NAME_DUP, FAIL, WARNING, GOOD ";mx 30 mx1", "", "mx1" },
	{ "null MX", CHECK_MX_NAME_DUP, NA, 0, NULL_MX, "", NULL },
	{ "unknown", CHECK_MX_NAME_DUP, UNTESTED, WARNING, "mx =SERVFAIL", "", NULL },

	{ "no roles", CHECK_PREF_TIE, NA, 0, GOOD, "", NULL },
	{ "no roles, unknown", CHECK_PREF_TIE, NA, 0, "mx =SERVFAIL", "", NULL },
	{ "apart", CHECK_PREF_TIE, PASS, 0, GOOD, "b:mx2", NULL },
	{ "tie", CHECK_PREF_TIE, FAIL, ERROR, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 20.0.0.2", "b:mx2", "mx2" },
	{ "tie, primary named", CHECK_PREF_TIE, FAIL, ERROR, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 20.0.0.2", "p:mx1", "mx2" },
	{ "two backups may tie", CHECK_PREF_TIE, PASS, 0, GOOD ";mx 20 mx3;a mx3 20.0.0.3", "b:mx2", NULL },
	{ "two primaries may tie", CHECK_PREF_TIE, PASS, 0, "mx 10 mx0;" GOOD ";a mx0 20.0.0.3", "b:mx2", NULL },
	{ "backup by address", CHECK_PREF_TIE, FAIL, ERROR, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 21.0.0.2", "b:21.0.0.2", "mx2" },
	{ "backup by interface", CHECK_PREF_TIE, FAIL, ERROR, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 20.0.0.2;local mx2", "us:other.test", "mx2" },
	{ "backup's address unknown", CHECK_PREF_TIE, UNTESTED, ERROR, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 =TIMEOUT", "b:21.0.0.2", NULL },
	{ "unknown", CHECK_PREF_TIE, UNTESTED, ERROR, "mx =SERVFAIL", "b:mx2", NULL },

	{ "no roles", CHECK_PREF_ORDER, NA, 0, GOOD, "", NULL },
	{ "in order", CHECK_PREF_ORDER, PASS, 0, GOOD, "p:mx1 b:mx2", NULL },
	{ "in order, primary found", CHECK_PREF_ORDER, PASS, 0, GOOD, "us:mx2", NULL },
	{ "backup first", CHECK_PREF_ORDER, FAIL, ERROR, GOOD, "b:mx1", "mx1" },
	{ "between two primaries", CHECK_PREF_ORDER, FAIL, ERROR, GOOD ";mx 30 mx3;a mx3 20.0.0.3", "p:mx1 p:mx3 b:mx2", "mx2" },
	{ "a third host", CHECK_PREF_ORDER, FAIL, INFO, GOOD ";mx 30 mx3;a mx3 20.0.0.3", "p:mx1 b:mx2", "mx3" },
	{ "named primary not listed", CHECK_PREF_ORDER, FAIL, ERROR, GOOD, "p:mx9 b:mx2", "mx9" },
	{ "bmx.conf's primary may be hidden", CHECK_PREF_ORDER, PASS, 0, GOOD, "r:10.0.0.1 us:mx2", NULL },
	{ "bmx.conf's primary behind us", CHECK_PREF_ORDER, FAIL, ERROR, GOOD, "r:mx2 us:mx1", "mx1" },
	{ "a tie is the other check's", CHECK_PREF_ORDER, NA, 0, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 20.0.0.2", "p:mx1 b:mx2", NULL },
	{ "named by others, our addresses mean nothing", CHECK_PREF_ORDER, PASS, 0, GOOD ";local mx1", "b:mx2", NULL },
	{ "primary's address unknown", CHECK_PREF_ORDER, UNTESTED, ERROR, "mx 10 mx1;mx 20 mx2;a mx1 =TIMEOUT;a mx2 20.0.0.2", "p:20.0.0.9 b:mx2", "mx1" },
	{ "a missing name is missing for sure", CHECK_PREF_ORDER, FAIL, ERROR, "mx 10 mx1;mx 20 mx2;a mx1 =TIMEOUT;a mx2 20.0.0.2", "p:mx9 b:mx2", "mx9" },
	{ "null MX", CHECK_PREF_ORDER, NA, 0, NULL_MX, "us:mx2", NULL },
	{ "unknown", CHECK_PREF_ORDER, UNTESTED, ERROR, "mx =SERVFAIL", "us:mx2", NULL },

	{ "not ours", CHECK_SELF_LISTED, NA, 0, GOOD, "", NULL },
	{ "listed by name", CHECK_SELF_LISTED, PASS, 0, GOOD, "us:mx2", NULL },
	{ "listed by address", CHECK_SELF_LISTED, PASS, 0, GOOD, "us:other.test us:21.0.0.2", NULL },
	{ "listed by interface", CHECK_SELF_LISTED, PASS, 0, GOOD ";local mx2", "us:other.test", NULL },
	{ "not listed", CHECK_SELF_LISTED, FAIL, ERROR, GOOD, "us:other.test", "example.com" },
	{ "no MX", CHECK_SELF_LISTED, FAIL, ERROR, "a example.com 20.0.0.1", "us:mx2", NULL },
	{ "listed, but the best", CHECK_SELF_LISTED, FAIL, ERROR, GOOD, "us:mx1", "mx1" },
	{ "listed, with none but equals", CHECK_SELF_LISTED, FAIL, ERROR, "mx 10 mx1;mx 10 mx2;a mx1 20.0.0.1;a mx2 20.0.0.2", "us:mx2", "mx2" },
	{ "listed, but alone", CHECK_SELF_LISTED, FAIL, ERROR, "mx 10 mx2;a mx2 20.0.0.2", "us:mx2", "mx2" },
	{ "the best, but bmx.conf has a route", CHECK_SELF_LISTED, PASS, 0, "mx 10 mx2;a mx2 20.0.0.2", "r:10.0.0.1 us:mx2", NULL },
	{ "named backup not listed", CHECK_SELF_LISTED, FAIL, ERROR, GOOD, "b:mx9", "mx9" },
	{ "one of two backups not listed", CHECK_SELF_LISTED, FAIL, ERROR, GOOD, "b:mx2 b:mx9", "mx9" },
	{ "an address unknown", CHECK_SELF_LISTED, UNTESTED, ERROR, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 =TIMEOUT", "us:other.test", NULL },
	{ "unknown", CHECK_SELF_LISTED, UNTESTED, ERROR, "mx =TIMEOUT", "us:mx2", NULL },
	{ "null MX", CHECK_SELF_LISTED, NA, 0, NULL_MX, "us:mx2", NULL },

	{ "an hour", CHECK_TTL_RANGE, PASS, 0, GOOD, "", NULL },
	{ "the limits", CHECK_TTL_RANGE, PASS, 0, GOOD ";ttl mx 300 86400", "", NULL },
	{ "what was not asked has none", CHECK_TTL_RANGE, PASS, 0, "mx 10 192.0.2.1", "", NULL },
	{ "short", CHECK_TTL_RANGE, FAIL, NOTICE, GOOD ";ttl mx 299", "", "example.com MX" },
	{ "a short address", CHECK_TTL_RANGE, FAIL, NOTICE, GOOD ";ttl mx1 60", "", "mx1 A" },
	{ "long", CHECK_TTL_RANGE, FAIL, NOTICE, GOOD ";ttl mx 86401", "", NULL },
	{ "none", CHECK_TTL_RANGE, FAIL, WARNING, GOOD ";ttl mx 0", "", NULL },
	{ "short, from a cache", CHECK_TTL_RANGE, UNTESTED, NOTICE, GOOD ";ttl mx 60;cached", "", NULL },
	{ "long, from a cache", CHECK_TTL_RANGE, FAIL, NOTICE, GOOD ";ttl mx 86401;cached", "", NULL },
	{ "nothing there", CHECK_TTL_RANGE, NA, 0, "mx =NXDOMAIN", "", NULL },
	{ "unknown", CHECK_TTL_RANGE, UNTESTED, NOTICE, "mx =SERVFAIL", "", NULL },

	{ "the same", CHECK_TTL_RRSET, PASS, 0, GOOD, "", NULL },
	{ "different", CHECK_TTL_RRSET, FAIL, NOTICE, GOOD ";ttl mx 600 3600", "", "example.com MX" },
	{ "of an address", CHECK_TTL_RRSET, FAIL, NOTICE, GOOD ";ttl mx2 600 3600", "", "mx2 A" },
	{ "nothing there", CHECK_TTL_RRSET, NA, 0, "mx =NXDOMAIN", "", NULL },
	{ "unknown", CHECK_TTL_RRSET, UNTESTED, NOTICE, "mx =SERVFAIL", "", NULL },

	{ "apart", CHECK_LOOP, PASS, 0, GOOD, PAIR, NULL },
	{ "the same address", CHECK_LOOP, FAIL, ERROR, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.0.1 21.0.0.1", PAIR, "mx2" },
	{ "the primary is us", CHECK_LOOP, FAIL, ERROR, GOOD, "r:21.0.0.2 us:mx2", "mx2" },
	{ "no roles", CHECK_LOOP, NA, 0, GOOD, "", NULL },
	{ "primary unknown", CHECK_LOOP, UNTESTED, ERROR, "mx 10 mx1;mx 20 mx2;a mx1 =TIMEOUT;a mx2 21.0.0.1", PAIR, "mx1" },
	{ "unknown", CHECK_LOOP, UNTESTED, ERROR, "mx =TIMEOUT", PAIR, NULL },

	{ "apart", CHECK_NET_FATE, PASS, 0, GOOD, PAIR, NULL },
	{ "one address apart", CHECK_NET_FATE, PASS, 0, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.0.2 21.0.0.2", PAIR, NULL },
	{ "next door", CHECK_NET_FATE, FAIL, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.0.254", PAIR, "mx2" },
	{ "another /24", CHECK_NET_FATE, PASS, 0, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;a mx2 20.0.1.1", PAIR, NULL },
	{ "the same /48", CHECK_NET_FATE, FAIL, WARNING, "mx 10 mx1;mx 20 mx2;aaaa mx1 2600:0:1::1;aaaa mx2 2600:0:1:ffff::1", PAIR, "mx2" },
	{ "another /48", CHECK_NET_FATE, PASS, 0, "mx 10 mx1;mx 20 mx2;aaaa mx1 2600:0:1::1;aaaa mx2 2600:0:2::1", PAIR, NULL },
	{ "no roles", CHECK_NET_FATE, NA, 0, GOOD, "", NULL },
	{ "half unknown", CHECK_NET_FATE, UNTESTED, WARNING, "mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;aaaa mx1 =SERVFAIL;a mx2 20.0.0.2", PAIR, NULL },

	{ "elsewhere", CHECK_DNS_FATE_ZONE, PASS, 0, GOOD ";zone mx2 b.test;said mx2 ns 50.0.0.1 0 21.0.0.2", PAIR, NULL },
	{ "at the primary's", CHECK_DNS_FATE_ZONE, FAIL, WARNING, GOOD ";zone mx2 b.test;said mx2 ns 20.0.0.53 0 21.0.0.2", PAIR, "mx2" },
	{ "at both", CHECK_DNS_FATE_ZONE, PASS, 0, GOOD ";zone mx2 b.test;said mx2 ns 20.0.0.53 0 21.0.0.2;said mx2 ns2 60.0.0.1 0 =TIMEOUT", PAIR, NULL },
	{ "one is not known", CHECK_DNS_FATE_ZONE, UNTESTED, WARNING, GOOD ";zone mx2 b.test;said mx2 ns 20.0.0.53 0 21.0.0.2;said mx2 ns2 - 0 =TIMEOUT", PAIR, NULL },
	{ "no zone", CHECK_DNS_FATE_ZONE, UNTESTED, WARNING, GOOD ";zone mx2 =SERVFAIL", PAIR, NULL },
	{ "not asked", CHECK_DNS_FATE_ZONE, NA, 0, GOOD, PAIR, NULL },

	{ "equal", CHECK_NS_SAME_MX, PASS, 0, GOOD TWO_NS, "", NULL },
	{ "not asked", CHECK_NS_SAME_MX, NA, 0, GOOD, "", NULL },
	{ "an odd one", CHECK_NS_SAME_MX, FAIL, ERROR, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 10_mx1", "", "ns3" },
	{ "one without records", CHECK_NS_SAME_MX, FAIL, ERROR, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 =NODATA", "", "ns3" },
	{ "lame", CHECK_NS_SAME_MX, FAIL, WARNING, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 =REFUSED", "", "ns3" },
	{ "no authority", CHECK_NS_SAME_MX, FAIL, WARNING, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 =NOTAA", "", "ns3" },
	{ "no address", CHECK_NS_SAME_MX, FAIL, WARNING, GOOD TWO_NS ";said mx ns3 - 0 =NXDOMAIN", "", "ns3" },
	{ "address unknown", CHECK_NS_SAME_MX, UNTESTED, ERROR, GOOD TWO_NS ";said mx ns3 - 0 =SERVFAIL", "", "ns3" },
	{ "silent", CHECK_NS_SAME_MX, UNTESTED, ERROR, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 =TIMEOUT", "", "ns3" },
	{ "no route to one", CHECK_NS_SAME_MX, PASS, 0, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 =ROUTE", "", NULL },
	{ "no route to any", CHECK_NS_SAME_MX, UNTESTED, ERROR, GOOD ";zone mx example.com;said mx ns3 60.0.0.1 0 =ROUTE", "", NULL },
	{ "no zone", CHECK_NS_SAME_MX, UNTESTED, ERROR, GOOD ";zone mx =SERVFAIL", "", NULL },

	{ "equal", CHECK_NS_SAME_ADDR, PASS, 0, GOOD HOST_NS, "", NULL },
	{ "different", CHECK_NS_SAME_ADDR, FAIL, WARNING, GOOD HOST_NS ";said mx1 ns2 60.0.0.1 0 20.0.0.9", "", "ns2" },
	{ "silent", CHECK_NS_SAME_ADDR, UNTESTED, WARNING, GOOD HOST_NS ";said mx1 ns2 60.0.0.1 0 =TIMEOUT", "", "ns2" },
	{ "not asked", CHECK_NS_SAME_ADDR, NA, 0, GOOD, "", NULL },

	{ "everywhere", CHECK_NS_BACKUP_PRESENT, PASS, 0, GOOD TWO_NS, PAIR, NULL },
	{ "not everywhere", CHECK_NS_BACKUP_PRESENT, FAIL, ERROR, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 10_mx1,_20_mx22", PAIR, "ns3" },
	{ "not where we looked first", CHECK_NS_BACKUP_PRESENT, FAIL, ERROR, "mx 10 mx1;a mx1 20.0.0.1" TWO_NS ";said mx ns3 60.0.0.1 0 10_mx1", PAIR, "ns3" },
	{ "by its address", CHECK_NS_BACKUP_PRESENT, PASS, 0, GOOD TWO_NS, "b:21.0.0.2", NULL },
	{ "silent", CHECK_NS_BACKUP_PRESENT, UNTESTED, ERROR, GOOD TWO_NS ";said mx ns3 60.0.0.1 0 =TIMEOUT", PAIR, "ns3" },
	{ "no backup named", CHECK_NS_BACKUP_PRESENT, NA, 0, GOOD TWO_NS, "", NULL },

	{ "equal", CHECK_NS_LAG, PASS, 0, GOOD TWO_NS, "", NULL },
	{ "behind", CHECK_NS_LAG, FAIL, NOTICE, GOOD TWO_NS ";said mx ns3 60.0.0.1 1 6", "", "ns3" },
	{ "behind around the end of numbers", CHECK_NS_LAG, FAIL, NOTICE, GOOD TWO_NS ";said mx ns3 60.0.0.1 1 4294967295", "", "ns3" },
	{ "silent", CHECK_NS_LAG, UNTESTED, NOTICE, GOOD TWO_NS ";said mx ns3 60.0.0.1 1 =TIMEOUT", "", "ns3" },

	{ "signed", CHECK_DNSSEC_DOMAIN, PASS, 0, GOOD SIGNED, "", NULL },
	{ "a signed denial", CHECK_DNSSEC_DOMAIN, PASS, 0, "mx =NXDOMAIN;trust;sign mx", "", NULL },
	{ "not signed", CHECK_DNSSEC_DOMAIN, FAIL, WARNING, GOOD ";trust", "", NULL },
	{ "bogus", CHECK_DNSSEC_DOMAIN, FAIL, ERROR, "mx =SERVFAIL;trust;bogus mx", "", NULL },
	{ "broken, not bogus", CHECK_DNSSEC_DOMAIN, UNTESTED, WARNING, "mx =SERVFAIL;trust", "", NULL },
	{ "an authoritative server", CHECK_DNSSEC_DOMAIN, UNTESTED, WARNING, GOOD, "", NULL },
	{ "an untrusted resolver", CHECK_DNSSEC_DOMAIN, UNTESTED, WARNING, GOOD ";cached", "", NULL },

	{ "signed", CHECK_DNSSEC_HOST, PASS, 0, GOOD SIGNED, "", NULL },
	{ "one host is not", CHECK_DNSSEC_HOST, FAIL, WARNING, GOOD ";trust;sign mx1 a;sign mx1 aaaa", "", "mx2 A" },
	{ "bogus", CHECK_DNSSEC_HOST, FAIL, ERROR, GOOD SIGNED ";a mx1 =SERVFAIL;bogus mx1 a", "", "mx1 A" },
	{ "a broken denial", CHECK_DNSSEC_HOST, FAIL, WARNING, GOOD SIGNED ";aaaa mx2 =SERVFAIL;bogus mx2 aaaa", "", "mx2 AAAA" },
	{ "unknown", CHECK_DNSSEC_HOST, UNTESTED, WARNING, GOOD SIGNED ";aaaa mx2 =TIMEOUT", "", "mx2" },

	{ "all", CHECK_TLSA_PRESENT, PASS, 0, GOOD SIGNED DANE, "", NULL },
	{ "none", CHECK_TLSA_PRESENT, NA, 0, GOOD SIGNED ";tlsa mx1 =NODATA;tlsa mx2 =NODATA", "", NULL },
	{ "one without", CHECK_TLSA_PRESENT, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 3 1 1 32;sign mx1 tlsa;tlsa mx2 =NXDOMAIN", "", "mx2 TLSA" },
	{ "one with an unusable one", CHECK_TLSA_PRESENT, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 3 1 1 32;sign mx1 tlsa;tlsa mx2 0 1 1 32;sign mx2 tlsa", "", "mx2 TLSA" },
	{ "one unknown", CHECK_TLSA_PRESENT, UNTESTED, WARNING, GOOD SIGNED ";tlsa mx1 3 1 1 32;sign mx1 tlsa;tlsa mx2 =SERVFAIL", "", "mx2 TLSA" },

	{ "answered", CHECK_TLSA_LOOKUP, PASS, 0, GOOD SIGNED DANE, "", NULL },
	{ "denied", CHECK_TLSA_LOOKUP, PASS, 0, GOOD SIGNED ";tlsa mx1 =NXDOMAIN;tlsa mx2 =NODATA", "", NULL },
	{ "SERVFAIL", CHECK_TLSA_LOOKUP, FAIL, ERROR, GOOD SIGNED ";tlsa mx1 =SERVFAIL", "", "mx1 TLSA" },
	{ "silence", CHECK_TLSA_LOOKUP, FAIL, ERROR, GOOD SIGNED ";tlsa mx1 =TIMEOUT", "", "mx1 TLSA" },
	{ "nobody can tell whether it matters", CHECK_TLSA_LOOKUP, FAIL, WARNING, GOOD ";tlsa mx1 =SERVFAIL", "", "mx1 TLSA" },
	{ "insecure addresses: nobody asks", CHECK_TLSA_LOOKUP, NA, 0, GOOD ";tlsa mx1 =SERVFAIL;trust", "", NULL },
	{ "nothing answers", CHECK_TLSA_LOOKUP, UNTESTED, ERROR, "mx 10 mx1;a mx1 =TIMEOUT;aaaa mx1 =TIMEOUT;tlsa mx1 =TIMEOUT", "", "mx1" },

	{ "usable", CHECK_TLSA_USABLE, PASS, 0, GOOD SIGNED DANE, "", NULL },
	{ "a whole key", CHECK_TLSA_USABLE, PASS, 0, GOOD SIGNED ";tlsa mx1 3 1 0 300;sign mx1 tlsa", "", NULL },
	{ "SHA-512", CHECK_TLSA_USABLE, PASS, 0, GOOD SIGNED ";tlsa mx1 3 0 2 64;sign mx1 tlsa", "", NULL },
	{ "usage 1", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 1 1 1 32;sign mx1 tlsa", "", "mx1 TLSA" },
	{ "usage 4", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 4 1 1 32;sign mx1 tlsa", "", NULL },
	{ "selector 2", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 3 2 1 32;sign mx1 tlsa", "", NULL },
	{ "type 3", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 3 1 3 32;sign mx1 tlsa", "", NULL },
	{ "a short digest", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 3 1 1 31;sign mx1 tlsa", "", NULL },
	{ "no data", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD SIGNED ";tlsa mx1 3 1 0 0;sign mx1 tlsa", "", NULL },
	{ "not signed", CHECK_TLSA_USABLE, FAIL, WARNING, GOOD ";tlsa mx1 3 1 1 32;trust", "", NULL },
	{ "unknown", CHECK_TLSA_USABLE, UNTESTED, WARNING, GOOD SIGNED ";tlsa mx1 =SERVFAIL", "", NULL },

	{ "two", CHECK_TLSA_ROLL, PASS, 0, GOOD SIGNED DANE, "", NULL },
	{ "one", CHECK_TLSA_ROLL, FAIL, NOTICE, GOOD SIGNED ";tlsa mx1 3 1 1 32", "", "mx1 TLSA" },
	{ "one, twice", CHECK_TLSA_ROLL, FAIL, NOTICE, GOOD SIGNED ";tlsa mx1 3 1 1 32 5;tlsa mx1 3 1 1 32 5", "", NULL },
	{ "none", CHECK_TLSA_ROLL, NA, 0, GOOD ";tlsa mx1 =NODATA", "", NULL },
	{ "unknown", CHECK_TLSA_ROLL, UNTESTED, NOTICE, GOOD ";tlsa mx1 =SERVFAIL", "", NULL },

	{ "none", CHECK_STS_TXT, NA, 0, GOOD ";text sts =NONE", "", NULL },
	{ "one", CHECK_STS_TXT, PASS, 0, GOOD ";text sts v=STSv1+_id=1a", "", NULL },
	{ "two", CHECK_STS_TXT, FAIL, WARNING, GOOD ";text sts v=STSv1;text sts v=STSv1", "", "example.com MTA-STS" },
	{ "the longest id", CHECK_STS_TXT, PASS, 0, GOOD ";text sts v=STSv1+id=12345678901234567890123456789012", "", NULL },
	{ "a longer one", CHECK_STS_TXT, FAIL, WARNING, GOOD ";text sts v=STSv1+id=123456789012345678901234567890123", "", NULL },
	{ "an id with a hyphen", CHECK_STS_TXT, FAIL, WARNING, GOOD ";text sts v=STSv1+id=2026-01", "", NULL },
	{ "without id", CHECK_STS_TXT, FAIL, WARNING, GOOD ";text sts v=STSv1_", "", NULL },
	{ "unknown", CHECK_STS_TXT, UNTESTED, WARNING, GOOD ";text sts =SERVFAIL", "", NULL },

	{ "one", CHECK_TLSRPT, PASS, 0, GOOD TEXTS, "", NULL },
	{ "nothing to report about", CHECK_TLSRPT, NA, 0, GOOD ";text sts =NONE;text tlsrpt =NONE", "", NULL },
	{ "DANE without", CHECK_TLSRPT, FAIL, NOTICE, GOOD DANE ";text tlsrpt =NONE", "", NULL },
	{ "without rua", CHECK_TLSRPT, FAIL, NOTICE, GOOD ";text tlsrpt v=TLSRPTv1", "", "example.com TLSRPT" },
	{ "unknown", CHECK_TLSRPT, UNTESTED, NOTICE, GOOD ";text tlsrpt =TIMEOUT", "", NULL },

	{ "two", CHECK_SPF_MX_COUNT, PASS, 0, GOOD SPF, "", NULL },
	{ "eleven", CHECK_SPF_MX_COUNT, FAIL, WARNING, GOOD SPF ";left 9", "", "example.com SPF" },
	{ "eleven, but no mx in SPF", CHECK_SPF_MX_COUNT, PASS, 0, GOOD ";left 9;text spf v=spf1_mx:other.test_-all", "", NULL },
	{ "no SPF", CHECK_SPF_MX_COUNT, NA, 0, GOOD ";left 9;text spf =NONE", "", NULL },
	{ "unknown", CHECK_SPF_MX_COUNT, UNTESTED, WARNING, GOOD ";text spf =SERVFAIL", "", NULL },

	{ "by mx", CHECK_SPF_BACKUP, PASS, 0, GOOD SPF, PAIR, NULL },
	{ "by address", CHECK_SPF_BACKUP, PASS, 0, GOOD ";text spf v=spf1_ip4:21.0.0.2_-all", PAIR, NULL },
	{ "by network", CHECK_SPF_BACKUP, PASS, 0, GOOD ";text spf v=spf1_ip4:21.0.0.0/30_-all", PAIR, NULL },
	{ "by name", CHECK_SPF_BACKUP, PASS, 0, GOOD ";text spf v=spf1_A:MX2_-all", PAIR, NULL },
	{ "not", CHECK_SPF_BACKUP, FAIL, INFO, GOOD ";text spf v=spf1_ip4:21.0.0.4/30_-all", PAIR, NULL },
	{ "refused first", CHECK_SPF_BACKUP, FAIL, INFO, GOOD ";text spf v=spf1_-ip4:21.0.0.2_mx", PAIR, NULL },
	{ "by others", CHECK_SPF_BACKUP, UNTESTED, INFO, GOOD ";text spf v=spf1_include:other.test_-all", PAIR, NULL },
	{ "no roles", CHECK_SPF_BACKUP, NA, 0, GOOD SPF, "", NULL },

	{ "nobody sends", CHECK_MX_NULL_SENDER, PASS, 0, NULL_MX ";text spf v=spf1_-all", "", NULL },
	{ "nor with a modifier", CHECK_MX_NULL_SENDER, PASS, 0, NULL_MX ";text spf v=spf1_exp=why.test_-all", "", NULL },
	{ "somebody sends", CHECK_MX_NULL_SENDER, FAIL, WARNING, NULL_MX ";text spf v=spf1_a_-all", "", NULL },
	{ "elsewhere it says", CHECK_MX_NULL_SENDER, FAIL, WARNING, NULL_MX ";text spf v=spf1_redirect=other.test", "", NULL },
	{ "it takes mail", CHECK_MX_NULL_SENDER, NA, 0, GOOD SPF, "", NULL },
	{ "unknown", CHECK_MX_NULL_SENDER, UNTESTED, WARNING, NULL_MX ";text spf =SERVFAIL", "", NULL },

	{ "all lead back", CHECK_FCRDNS, PASS, 0, GOOD BACK, "", NULL },
	{ "no name", CHECK_FCRDNS, FAIL, WARNING, GOOD ";back mx1 0 none", "", "mx1" },
	{ "another's name", CHECK_FCRDNS, FAIL, WARNING, GOOD ";back mx1 1 wrong", "", "mx1" },
	{ "unknown", CHECK_FCRDNS, UNTESTED, WARNING, GOOD ";back mx1 0 =TIMEOUT", "", "mx1" },
	{ "not asked", CHECK_FCRDNS, NA, 0, GOOD, "", NULL },

	{ "in none", CHECK_DNSBL, PASS, 0, GOOD LIST, "", NULL },
	{ "listed", CHECK_DNSBL, FAIL, NOTICE, GOOD ";list bl.test alive;listed mx1 0 yes", "", "mx1" },
	{ "a dead list", CHECK_DNSBL, UNTESTED, NOTICE, GOOD ";list bl.test dead;listed mx1 0 yes", "", "bl.test" },
	{ "unknown", CHECK_DNSBL, UNTESTED, NOTICE, GOOD ";list bl.test alive;listed mx1 0 =TIMEOUT", "", "mx1" },
	{ "no list", CHECK_DNSBL, NA, 0, GOOD, "", NULL },
};
/* clang-format on */

static void
test_row(const struct row *r)
{
	struct fixture *x = judge_words(r->facts, r->roles);
	const struct finding *f = finding_of(&x->out, r->check, r->outcome);
	const char *id = checks[r->check].id;

	if (x->out.outcome[r->check] != r->outcome)
		fail_msg("%s, %s: outcome %d, not %d", id, r->name,
		    x->out.outcome[r->check], r->outcome);
	if (r->outcome == FAIL || r->outcome == UNTESTED) {
		assert_non_null(f);
		if (f->severity != r->severity)
			fail_msg("%s, %s: severity %d, not %d", id, r->name,
			    f->severity, r->severity);
		if (r->subject != NULL && strcmp(f->subject, r->subject) != 0)
			fail_msg("%s, %s: about %s, not %s", id, r->name,
			    f->subject, r->subject);
		assert_true(f->evidence[0] != '\0');
		assert_true(f->server[0] != '\0');
	}
	free_fixture(x);
}

static void
each_check_has_the_outcome_its_facts_call_for(void **unused)
{
	(void)unused;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		test_row(&rows[i]);
}

/* A check without a row that fails and one that passes is not tested. */
static void
each_check_has_rows_that_fail_pass_and_cannot_be_tested(void **unused)
{
	(void)unused;
	for (int id = 0; id < CHECK_COUNT; id++) {
		unsigned seen = 0;

		for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
			if (rows[i].check == (enum check_id)id)
				seen |= 1u << rows[i].outcome;
		}
		if ((seen >> UNTESTED & seen >> PASS & seen >> FAIL & 1u) == 0)
			fail_msg("%s: outcomes seen %x", checks[id].id, seen);
	}
}

/* ---- the whole ---- */

static void
a_good_pair_has_no_finding(void **unused)
{
	struct fixture *x =
	    judge_words(GOOD TWO_NS HOST_NS SPF TEXTS BACK LIST DANE SIGNED,
		PAIR);

	(void)unused;
	if (x->out.n > 0)
		fail_msg("%s: %s", checks[x->out.findings[0].check].id,
		    x->out.findings[0].evidence);
	assert_false(judgement_has(&x->out, FAIL, INFO));
	for (int id = 0; id < CHECK_COUNT; id++) {
		if (id != CHECK_MX_NULL_SENDER && x->out.outcome[id] != PASS)
			fail_msg("%s: outcome %d", checks[id].id,
			    x->out.outcome[id]);
	}
	free_fixture(x);
}

static void
trouble_with_dns_is_never_a_fault(void **unused)
{
	static const char *const troubles[] = { "mx =SERVFAIL", "mx =REFUSED",
		"mx =MALFORMED", "mx =TIMEOUT",
		"mx 10 mx1;mx 20 mx2;a mx1 =SERVFAIL;aaaa mx1 =SERVFAIL;"
		"a mx2 =TIMEOUT;aaaa mx2 =TIMEOUT" };

	(void)unused;
	for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
		struct fixture *x = judge_words(troubles[i], "us:other.test");

		assert_false(judgement_has(&x->out, FAIL, INFO));
		assert_true(judgement_has(&x->out, UNTESTED, ERROR));
		free_fixture(x);
	}
}

static void
an_ignored_check_is_not_made(void **unused)
{
	struct fixture *x = judge_words("mx 10 mx1;a mx1 20.0.0.1", "");

	(void)unused;
	assert_non_null(finding_of(&x->out, CHECK_MX_ONE, FAIL));
	x->policy.ignored[CHECK_MX_ONE] = true;
	judge(&x->facts, &x->roles, &x->policy, &x->out);
	assert_null(finding_of(&x->out, CHECK_MX_ONE, FAIL));
	assert_int_equal(x->out.outcome[CHECK_MX_ONE], NA);
	free_fixture(x);
}

static void
hostile_names_come_out_printable(void **unused)
{
	struct fixture *x = judge_words("mx 10 \x1b[2J\\010\x9b"
					"evil;mx 20 mx2",
	    "");

	(void)unused;
	assert_true(x->out.n > 0);
	for (size_t i = 0; i < x->out.n; i++) {
		const struct finding *f = &x->out.findings[i];

		for (const char *p = f->subject; *p != '\0'; p++)
			assert_in_range(*p, 0x20, 0x7e);
		for (const char *p = f->evidence; *p != '\0'; p++)
			assert_in_range(*p, 0x20, 0x7e);
	}
	free_fixture(x);
}

/* As many hosts and addresses as facts may hold, everything wrong with them. */
static void
findings_stay_within_their_array(void **unused)
{
	struct fixture *x = judge_words("mx 10 mx1", "p:a.test b:b.test");
	struct facts *f = &x->facts;

	(void)unused;
	while (f->nhosts < FACTS_HOSTS_MAX)
		add_host(f, 10, "_x");
	for (size_t i = 0; i < f->nhosts; i++) {
		struct fact_host *h = &f->hosts[i];

		free(h->name);
		assert_true(asprintf(&h->name, "_%zu.%0240d.test", i, 0) > 0);
		h->naddrs = 2 * FACTS_ADDRS_MAX;
		for (size_t k = 0; k < h->naddrs; k++)
			h->addrs[k].len = k % 2 == 0 ? 4 : 16;
		h->a.status = h->aaaa.status = DNS_OK;
		h->a.aliases = 3;
		h->a.ttl_min = h->aaaa.ttl_min = 0;
	}
	f->hosts_left = 1000;
	judge(f, &x->roles, &x->policy, &x->out);
	assert_in_range(x->out.n, 6 * FACTS_HOSTS_MAX, FINDINGS_MAX);
	free_fixture(x);
}

/* ---- host names ---- */

static void
host_names_are_letters_digits_and_hyphens(void **unused)
{
	char label[65], name[260];
	static const struct {
		const char *name;
		bool is_good;
	} names[] = {
		{ "mx.example.com", true },
		{ "MX1.example.com", true },
		{ "1mx.3com.test", true },
		{ "a.b.c.d.e", true },
		{ "xn--bcher-kva.example", true },
		{ "a--b.example.com", true },
		{ "localhosts.test", true },
		{ "mail", true },
		{ "", false },
		{ "a..b", false },
		{ ".a", false },
		{ "a.", false },
		{ "_smtp.example.com", false },
		{ "mx_1.example.com", false },
		{ "-mx.example.com", false },
		{ "mx-.example.com", false },
		{ "mx.-example.com", false },
		{ "mx.example.com-", false },
		{ "m x.example.com", false },
		{ "m\\.x.example.com", false },
		{ "m\\195\\188.example.com", false },
		{ "*.example.com", false },
		{ "mx/1.example.com", false },
		{ "localhost", false },
		{ "mx.localhost", false },
		{ "localhost.localdomain", false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if ((hostname_fault(names[i].name) == NULL) != names[i].is_good)
			fail_msg("%s", names[i].name);
	}
	memset(label, 'a', sizeof label);
	label[64] = '\0';
	assert_non_null(hostname_fault(label));
	label[63] = '\0';
	assert_null(hostname_fault(label));
	snprintf(name, sizeof name, "%s.%s.%s.%.61s", label, label, label,
	    label);
	assert_int_equal(strlen(name), 253);
	assert_null(hostname_fault(name));
	strcat(name, "a");
	assert_non_null(hostname_fault(name));
}

static void
addresses_are_told_from_names(void **unused)
{
	static const char *const addresses[] = { "192.0.2.1", "1.2.3.4.5", "25",
		"mx.25", "[192.0.2.1]", "2001:db8::1", "[ipv6:2001:db8::1]" };
	static const char *const names[] = { "mx1", "192.0.2.1.example.com",
		"1a", "mx.2a", "a:b", "" };

	(void)unused;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		if (!hostname_is_address(addresses[i]))
			fail_msg("%s", addresses[i]);
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (hostname_is_address(names[i]))
			fail_msg("%s", names[i]);
	}
}

static void
a_forgotten_final_dot_is_suspected(void **unused)
{
	(void)unused;
	assert_true(hostname_lacks_dot("mx1.example.com.example.com",
	    "example.com"));
	assert_true(hostname_lacks_dot("192.0.2.1.example.com", "example.com"));
	assert_true(hostname_lacks_dot("example.com.example.com",
	    "example.com"));
	assert_true(hostname_lacks_dot("mx1.sub.example.com.example.com",
	    "sub.example.com"));
	assert_false(hostname_lacks_dot("mx1.example.com", "example.com"));
	assert_false(hostname_lacks_dot("example.com", "example.com"));
	assert_false(hostname_lacks_dot("mx1.myexample.com.example.com",
	    "example.com"));
	assert_false(hostname_lacks_dot("mx1.example.net", "example.com"));
}

/* ---- special-purpose addresses ---- */

static void
special_purpose_addresses_are_known(void **unused)
{
	static const struct {
		const char *address;
		const char *prefix; /* NULL: an ordinary address */
	} cases[] = {
		{ "0.0.0.0", "0.0.0.0/32" },
		{ "0.0.0.1", "0.0.0.0/8" },
		{ "0.255.255.255", "0.0.0.0/8" },
		{ "1.0.0.0", NULL },
		{ "9.255.255.255", NULL },
		{ "10.0.0.0", "10.0.0.0/8" },
		{ "10.255.255.255", "10.0.0.0/8" },
		{ "11.0.0.0", NULL },
		{ "100.63.255.255", NULL },
		{ "100.64.0.0", "100.64.0.0/10" },
		{ "100.127.255.255", "100.64.0.0/10" },
		{ "100.128.0.0", NULL },
		{ "126.255.255.255", NULL },
		{ "127.0.0.1", "127.0.0.0/8" },
		{ "127.255.255.255", "127.0.0.0/8" },
		{ "128.0.0.0", NULL },
		{ "169.253.255.255", NULL },
		{ "169.254.0.0", "169.254.0.0/16" },
		{ "169.254.255.255", "169.254.0.0/16" },
		{ "169.255.0.0", NULL },
		{ "172.15.255.255", NULL },
		{ "172.16.0.0", "172.16.0.0/12" },
		{ "172.31.255.255", "172.16.0.0/12" },
		{ "172.32.0.0", NULL },
		{ "192.0.0.0", "192.0.0.0/24" },
		{ "192.0.0.255", "192.0.0.0/24" },
		{ "192.0.1.0", NULL },
		{ "192.0.2.255", "192.0.2.0/24" },
		{ "192.0.3.0", NULL },
		{ "192.31.196.1", "192.31.196.0/24" },
		{ "192.52.193.1", "192.52.193.0/24" },
		{ "192.88.99.1", "192.88.99.0/24" },
		{ "192.167.255.255", NULL },
		{ "192.168.0.0", "192.168.0.0/16" },
		{ "192.168.255.255", "192.168.0.0/16" },
		{ "192.169.0.0", NULL },
		{ "192.175.48.1", "192.175.48.0/24" },
		{ "198.17.255.255", NULL },
		{ "198.18.0.0", "198.18.0.0/15" },
		{ "198.19.255.255", "198.18.0.0/15" },
		{ "198.20.0.0", NULL },
		{ "198.51.100.1", "198.51.100.0/24" },
		{ "203.0.113.1", "203.0.113.0/24" },
		{ "223.255.255.255", NULL },
		{ "224.0.0.1", "224.0.0.0/4" },
		{ "239.255.255.255", "224.0.0.0/4" },
		{ "240.0.0.0", "240.0.0.0/4" },
		{ "255.255.255.254", "240.0.0.0/4" },
		{ "255.255.255.255", "255.255.255.255/32" },
		{ "::", "::/128" },
		{ "::1", "::1/128" },
		{ "::2", "::/96" },
		{ "::20.0.0.1", "::/96" },
		{ "::1:0:0", NULL },
		{ "::ffff:20.0.0.1", "::ffff:0:0/96" },
		{ "64:ff9b::20.0.0.1", NULL },
		{ "64:ff9b:1::1", "64:ff9b:1::/48" },
		{ "64:ff9b:2::1", NULL },
		{ "100::1", "100::/64" },
		{ "100:0:0:1::1", "100:0:0:1::/64" },
		{ "100:0:0:2::1", NULL },
		{ "2001::1", "2001::/32" },
		{ "2001:1::1", "2001::/23" },
		{ "2001:2::1", "2001:2::/48" },
		{ "2001:2:1::1", "2001::/23" },
		{ "2001:1ff:ffff::1", "2001::/23" },
		{ "2001:200::1", NULL },
		{ "2001:db7:ffff::1", NULL },
		{ "2001:db8::1", "2001:db8::/32" },
		{ "2001:db9::1", NULL },
		{ "2002:1400:1::1", "2002::/16" },
		{ "2003::1", NULL },
		{ "2600::1", NULL },
		{ "2620:4f:8000::1", "2620:4f:8000::/48" },
		{ "2a00::1", NULL },
		{ "3fff::1", "3fff::/20" },
		{ "3fff:fff::1", "3fff::/20" },
		{ "3fff:1000::1", NULL },
		{ "5f00::1", "5f00::/16" },
		{ "fbff::1", NULL },
		{ "fc00::1", "fc00::/7" },
		{ "fdff::1", "fc00::/7" },
		{ "fe00::1", NULL },
		{ "fe80::1", "fe80::/10" },
		{ "febf::1", "fe80::/10" },
		{ "fec0::1", "fec0::/10" },
		{ "ff02::1", "ff00::/8" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool is_v6 = strchr(cases[i].address, ':') != NULL;
		unsigned char bytes[16];
		const struct special *s;

		assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET,
				     cases[i].address, bytes),
		    1);
		s = special_find(bytes, is_v6 ? 16 : 4);
		if ((s == NULL) != (cases[i].prefix == NULL) ||
		    (s != NULL && strcmp(s->prefix, cases[i].prefix) != 0))
			fail_msg("%s: %s", cases[i].address,
			    s == NULL ? "ordinary" : s->prefix);
	}
}

/* ---- the table of checks ---- */

static void
each_check_can_be_explained_and_found(void **unused)
{
	(void)unused;
	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		const struct check *c = &checks[id];

		assert_non_null(c->id);
		assert_int_equal(check_find(c->id), id);
		assert_true(strlen(c->test) > 20);
		assert_true(strlen(c->why) > 20);
		assert_true(strlen(c->cure) > 20);
		assert_true(strlen(c->basis) > 0);
	}
	assert_int_equal(check_find("mx-one"), CHECK_MX_ONE);
	assert_int_equal(check_find("MX-NOPE"), CHECK_COUNT);
	assert_int_equal(check_find(""), CHECK_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_check_has_the_outcome_its_facts_call_for),
		cmocka_unit_test(
		    each_check_has_rows_that_fail_pass_and_cannot_be_tested),
		cmocka_unit_test(a_good_pair_has_no_finding),
		cmocka_unit_test(trouble_with_dns_is_never_a_fault),
		cmocka_unit_test(an_ignored_check_is_not_made),
		cmocka_unit_test(hostile_names_come_out_printable),
		cmocka_unit_test(findings_stay_within_their_array),
		cmocka_unit_test(host_names_are_letters_digits_and_hyphens),
		cmocka_unit_test(addresses_are_told_from_names),
		cmocka_unit_test(a_forgotten_final_dot_is_suspected),
		cmocka_unit_test(special_purpose_addresses_are_known),
		cmocka_unit_test(each_check_can_be_explained_and_found),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
