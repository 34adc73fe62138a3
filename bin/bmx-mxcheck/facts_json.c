#include "facts_json.h"

#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <jansson.h>

#include "mail/addr.h"

/*
 * Each fact is described once: a visitor writes it to an object, or reads it
 * from there. Jansson passes a NULL on, so that out of memory shows at the end.
 */
struct visitor {
	bool is_reading;
	json_t *o;          /* object or array */
	size_t taken;       /* keys read */
	const char **fault; /* the first: shared by all; NULL: none */
};

#define TTL_MAX INT32_MAX
#define ALIASES_MAX 255
#define COUNT_MAX 65535 /* of what was not looked at */

static void
refuse(struct visitor *v, const char *fault)
{
	if (*v->fault == NULL)
		*v->fault = fault;
}

static const char no_memory[] = "out of memory";

/* The value to read; NULL (refused): there is none. */
static json_t *
take(struct visitor *v, const char *key)
{
	json_t *value = json_object_get(v->o, key);

	if (value == NULL)
		refuse(v, key);
	else
		v->taken++;
	return value;
}

static void
put(struct visitor *v, const char *key, json_t *value)
{
	if (json_object_set_new_nocheck(v->o, key, value) == -1)
		refuse(v, no_memory);
}

/* ---- values ---- */

static void
visit_bool(struct visitor *v, const char *key, bool *b)
{
	json_t *value;

	if (!v->is_reading) {
		put(v, key, json_boolean(*b));
		return;
	}
	value = take(v, key);
	if (!json_is_boolean(value))
		refuse(v, key);
	*b = json_is_true(value);
}

static json_int_t
visit_number(struct visitor *v, const char *key, json_int_t number,
    json_int_t max)
{
	json_t *value;

	if (!v->is_reading) {
		put(v, key, json_integer(number));
		return number;
	}
	value = take(v, key);
	number = json_integer_value(value);
	if (!json_is_integer(value) || number < 0 || number > max) {
		refuse(v, key);
		number = 0;
	}
	return number;
}

static void
visit_size(struct visitor *v, const char *key, size_t *n)
{
	*n = (size_t)visit_number(v, key,
	    (json_int_t)(*n < COUNT_MAX ? *n : COUNT_MAX), COUNT_MAX);
}

/* Bytes as the characters U+0001 to U+00FF: what a TXT record has need not be
 * UTF-8. */
static json_t *
text_to_json(const char *text)
{
	char *utf8 = malloc(2 * strlen(text) + 1), *p = utf8;
	json_t *value;

	for (; utf8 != NULL && *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x80)
			*p++ = (char)(0xc0 | c >> 6);
		*p++ = (char)(c < 0x80 ? c : 0x80 | (c & 0x3f));
	}
	if (utf8 == NULL)
		return NULL;
	*p = '\0';
	value = json_string(utf8);
	free(utf8);
	return value;
}

/* In place; false: a character above U+00FF. */
static bool
text_from_utf8(char *text)
{
	const unsigned char *in = (const unsigned char *)text;
	char *out = text;

	for (; *in != '\0'; in++) {
		if (*in < 0x80) {
			*out++ = (char)*in;
		} else if (*in <= 0xc3) {
			*out++ = (char)((*in & 3) << 6 | (in[1] & 0x3f));
			in++;
		} else {
			return false;
		}
	}
	*out = '\0';
	return true;
}

/* NULL is null, where that may be. */
static void
visit_text(struct visitor *v, const char *key, char **text, size_t max,
    bool may_be_null)
{
	json_t *value;

	if (!v->is_reading) {
		put(v, key, *text == NULL ? json_null() : text_to_json(*text));
		return;
	}
	value = take(v, key);
	if (json_is_null(value) && may_be_null)
		return;
	if (!json_is_string(value) || json_string_length(value) > 2 * max) {
		refuse(v, key);
		return;
	}
	*text = strdup(json_string_value(value));
	if (*text == NULL)
		refuse(v, no_memory);
	else if (!text_from_utf8(*text) || strlen(*text) > max)
		refuse(v, key);
}

static void
visit_hex(struct visitor *v, const char *key, unsigned char *bytes, size_t *len,
    size_t max)
{
	char text[2 * FACTS_TLSA_BYTES + 1] = "", *p = text;
	const char *given;

	for (size_t i = 0; i < *len && i < max; i++)
		p += sprintf(p, "%02x", bytes[i]);
	if (!v->is_reading) {
		put(v, key, json_string(text));
		return;
	}
	given = json_string_value(take(v, key));
	*len = 0;
	if (given == NULL || strlen(given) > 2 * max ||
	    strlen(given) % 2 != 0 ||
	    strspn(given, "0123456789abcdef") != strlen(given)) {
		refuse(v, key);
		return;
	}
	for (; *given != '\0'; given += 2)
		bytes[(*len)++] =
		    (unsigned char)strtoul((char[]){ given[0], given[1], '\0' },
			NULL, 16);
}

/* ---- objects and arrays ---- */

/* Nothing was asked: null. False: it is an object. */
static bool
visit_nothing(struct visitor *v, const char *key, size_t i, bool is_nothing)
{
	if (v->is_reading) {
		is_nothing =
		    json_is_null(key == NULL ? json_array_get(v->o, i)
					     : json_object_get(v->o, key));
		v->taken += is_nothing && key != NULL;
	} else if (is_nothing && key != NULL) {
		put(v, key, json_null());
	} else if (is_nothing &&
		   json_array_append_new(v->o, json_null()) == -1) {
		refuse(v, no_memory);
	}
	return is_nothing;
}

/* An object in v, below key; with key NULL item i of the array v. */
static struct visitor
enter(struct visitor *v, const char *key, size_t i)
{
	struct visitor in = *v;

	in.taken = 0;
	if (!v->is_reading) {
		in.o = json_object();
	} else {
		in.o = key == NULL ? json_array_get(v->o, i) : take(v, key);
		if (!json_is_object(in.o))
			refuse(v, key == NULL ? "an array" : key);
	}
	return in;
}

static void
leave(struct visitor *v, const char *key, struct visitor *in)
{
	if (v->is_reading) {
		if (in->taken != json_object_size(in->o))
			refuse(v, "an unknown key");
	} else if (key != NULL) {
		put(v, key, in->o);
	} else if (json_array_append_new(v->o, in->o) == -1) {
		refuse(v, no_memory);
	}
}

/* The array below key; when reading *n becomes its length. */
static struct visitor
enter_array(struct visitor *v, const char *key, size_t *n, size_t max)
{
	struct visitor in = *v;

	if (!v->is_reading) {
		in.o = json_array();
		return in;
	}
	in.o = take(v, key);
	*n = json_array_size(in.o);
	if (!json_is_array(in.o) || *n > max) {
		refuse(v, key);
		*n = 0;
	}
	return in;
}

static void
leave_array(struct visitor *v, const char *key, struct visitor *in)
{
	if (!v->is_reading)
		put(v, key, in->o);
}

/* Room for n of them; 0 is room for one, so that the array is there. */
static void *
allocate(struct visitor *v, size_t n, size_t size)
{
	void *all = calloc(n + 1, size);

	if (all == NULL)
		refuse(v, no_memory);
	return all;
}

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
		refuse(v, "status");
	else
		*status = (enum dns_status)i;
	free(text);
}

static void
visit_lookup(struct visitor *v, const char *key, size_t i, struct lookup *l)
{
	struct visitor in;
	char *server = v->is_reading ? NULL : l->server;

	if (visit_nothing(v, key, i, !l->was_asked && l->status == DNS_OK))
		return;
	in = enter(v, key, i);
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
	visit_text(&in, "server", &server, sizeof l->server - 1, false);
	if (in.is_reading && server != NULL) {
		memccpy(l->server, server, '\0', sizeof l->server);
		l->server[sizeof l->server - 1] = '\0';
	}
	if (in.is_reading)
		free(server);
	leave(v, key, &in);
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
		refuse(v, key);
	free(given);
}

static void
visit_server(struct visitor *v, size_t i, struct fact_server *s)
{
	struct visitor in = enter(v, NULL, i);

	visit_text(&in, "name", &s->name, DNS_NAME_MAX, false);
	visit_addr(&in, "address", &s->addr);
	visit_lookup(&in, "first", 0, &s->said[0]);
	visit_text(&in, "first_set", &s->set[0], FACTS_SET_MAX, true);
	visit_lookup(&in, "second", 0, &s->said[1]);
	visit_text(&in, "second_set", &s->set[1], FACTS_SET_MAX, true);
	leave(v, NULL, &in);
}

static void
visit_zone(struct visitor *v, struct fact_zone *z)
{
	struct visitor in, all;

	if (visit_nothing(v, "zone", 0, !z->ns.was_asked))
		return;
	in = enter(v, "zone", 0);
	visit_text(&in, "apex", &z->apex, DNS_NAME_MAX, true);
	visit_lookup(&in, "ns", 0, &z->ns);
	visit_size(&in, "servers_left", &z->servers_left);
	all = enter_array(&in, "servers", &z->nservers, FACTS_SERVERS_MAX);
	if (in.is_reading)
		z->servers = allocate(&in, z->nservers, sizeof *z->servers);
	for (size_t i = 0; z->servers != NULL && i < z->nservers; i++)
		visit_server(&all, i, &z->servers[i]);
	if (z->servers == NULL)
		z->nservers = 0;
	leave_array(&in, "servers", &all);
	leave(v, "zone", &in);
}

static void
visit_texts(struct visitor *v, const char *key, struct fact_texts *t)
{
	struct visitor in = enter(v, key, 0), all;

	visit_lookup(&in, "lookup", 0, &t->said);
	visit_size(&in, "left", &t->left);
	all = enter_array(&in, "texts", &t->n, FACTS_TEXTS_MAX);
	for (size_t i = 0; i < t->n; i++) {
		struct visitor one = enter(&all, NULL, i);

		visit_text(&one, "text", &t->text[i], FACTS_SET_MAX, false);
		leave(&all, NULL, &one);
	}
	leave_array(&in, "texts", &all);
	leave(v, key, &in);
}

static void
visit_tlsa(struct visitor *v, size_t i, struct fact_tlsa *t)
{
	struct visitor in = enter(v, NULL, i);
	size_t shown = t->len < sizeof t->data ? t->len : sizeof t->data;

	t->usage = (unsigned char)visit_number(&in, "usage", t->usage, 255);
	t->selector =
	    (unsigned char)visit_number(&in, "selector", t->selector, 255);
	t->match = (unsigned char)visit_number(&in, "match", t->match, 255);
	visit_size(&in, "length", &t->len);
	visit_hex(&in, "data", t->data, &shown, sizeof t->data);
	if (shown != (t->len < sizeof t->data ? t->len : sizeof t->data))
		refuse(&in, "data");
	leave(v, NULL, &in);
}

static void
visit_tlsas(struct visitor *v, struct fact_host *h)
{
	struct visitor all;

	visit_lookup(v, "tlsa", 0, &h->tlsa);
	visit_size(v, "tlsas_left", &h->tlsas_left);
	all = enter_array(v, "tlsas", &h->ntlsas, FACTS_TLSAS_MAX);
	if (v->is_reading)
		h->tlsas = allocate(v, h->ntlsas, sizeof *h->tlsas);
	if (h->tlsas == NULL)
		h->ntlsas = 0;
	for (size_t i = 0; i < h->ntlsas; i++)
		visit_tlsa(&all, i, &h->tlsas[i]);
	leave_array(v, "tlsas", &all);
}

/* One for each address, or none. */
static void
visit_reverse(struct visitor *v, struct fact_host *h)
{
	size_t n = h->reverse == NULL ? 0 : h->naddrs;
	struct visitor all = enter_array(v, "reverse", &n, h->naddrs);

	if (n != 0 && n != h->naddrs) {
		refuse(v, "reverse");
		n = 0;
	}
	if (v->is_reading && n > 0)
		h->reverse = allocate(v, n, sizeof *h->reverse);
	for (size_t i = 0; h->reverse != NULL && i < n; i++) {
		struct visitor in = enter(&all, NULL, i);
		struct fact_reverse *r = &h->reverse[i];

		visit_lookup(&in, "ptr", 0, &r->ptr);
		visit_text(&in, "name", &r->name, DNS_NAME_MAX, true);
		visit_lookup(&in, "forward", 0, &r->forward);
		visit_bool(&in, "leads_back", &r->leads_back);
		leave(&all, NULL, &in);
	}
	leave_array(v, "reverse", &all);
}

static void
visit_listings(struct visitor *v, struct fact_host *h, size_t nlists)
{
	size_t most = h->naddrs * nlists;
	size_t n = h->listings == NULL ? 0 : most;
	struct visitor all = enter_array(v, "listings", &n, most);

	if (n != 0 && n != most) {
		refuse(v, "listings");
		n = 0;
	}
	if (v->is_reading && n > 0)
		h->listings = allocate(v, n, sizeof *h->listings);
	for (size_t i = 0; h->listings != NULL && i < n; i++)
		visit_lookup(&all, NULL, i, &h->listings[i]);
	leave_array(v, "listings", &all);
}

static void
visit_addrs(struct visitor *v, struct fact_host *h)
{
	struct visitor all;

	all = enter_array(v, "addresses", &h->naddrs, 2 * FACTS_ADDRS_MAX);
	for (size_t i = 0; i < h->naddrs; i++) {
		struct visitor one = enter(&all, NULL, i);

		visit_addr(&one, "address", &h->addrs[i]);
		if (h->addrs[i].len == 0)
			refuse(&one, "address");
		leave(&all, NULL, &one);
	}
	leave_array(v, "addresses", &all);
	visit_size(v, "addresses_left", &h->addrs_left);
}

static void
visit_host(struct visitor *v, size_t i, struct fact_host *h, size_t nlists)
{
	struct visitor in = enter(v, NULL, i);

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
	leave(v, NULL, &in);
}

static void
visit_hosts(struct visitor *v, struct facts *f)
{
	struct visitor all;

	all = enter_array(v, "hosts", &f->nhosts, FACTS_HOSTS_MAX);
	if (v->is_reading)
		f->hosts = allocate(v, f->nhosts, sizeof *f->hosts);
	if (f->hosts == NULL)
		f->nhosts = 0;
	for (size_t i = 0; i < f->nhosts; i++)
		visit_host(&all, i, &f->hosts[i], f->nlists);
	leave_array(v, "hosts", &all);
	visit_size(v, "hosts_left", &f->hosts_left);
}

static void
visit_lists(struct visitor *v, struct facts *f)
{
	struct visitor all;

	all = enter_array(v, "lists", &f->nlists, FACTS_LISTS_MAX);
	if (v->is_reading)
		f->lists = allocate(v, f->nlists, sizeof *f->lists);
	if (f->lists == NULL)
		f->nlists = 0;
	for (size_t i = 0; i < f->nlists; i++) {
		struct visitor in = enter(&all, NULL, i);
		struct fact_list *list = &f->lists[i];

		visit_text(&in, "zone", &list->zone, DNS_NAME_MAX, false);
		visit_lookup(&in, "listed4", 0, &list->listed[0]);
		visit_lookup(&in, "unlisted4", 0, &list->unlisted[0]);
		visit_lookup(&in, "listed6", 0, &list->listed[1]);
		visit_lookup(&in, "unlisted6", 0, &list->unlisted[1]);
		leave(&all, NULL, &in);
	}
	leave_array(v, "lists", &all);
}

static void
visit_facts(struct visitor *v, struct facts *f)
{
	if (visit_number(v, "facts", FACTS_JSON_VERSION, INT32_MAX) !=
	    FACTS_JSON_VERSION)
		refuse(v, "facts (another version)");
	visit_text(v, "domain", &f->domain, DNS_NAME_MAX, false);
	visit_lookup(v, "mx", 0, &f->mx);
	visit_zone(v, &f->zone);
	visit_texts(v, "spf", &f->spf);
	visit_texts(v, "sts", &f->sts);
	visit_texts(v, "tlsrpt", &f->tlsrpt);
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

	*f = (struct facts)FACTS_INIT;
	v.o = json_loadb(line, len, JSON_REJECT_DUPLICATES, &why);
	if (v.o == NULL)
		return err_data(e, "not JSON: %s", why.text);
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
	if (fault == no_memory)
		return err_temp(e, "%s", fault);
	return err_data(e, "not facts of bmx-mxcheck: %s", fault);
}
