#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <arpa/nameser.h>

#include "base/buf.h"
#include "collect_parts.h"
#include "net/connect.h"

/* ---- records as text ---- */

static void
format_record(const struct dns_rr *rr, enum dns_type type, struct buf *out)
{
	struct fact_addr addr = { .len = type == DNS_A ? 4 : 16 };
	char text[ENDPOINT_TEXT_MAX];

	switch (type) {
	case DNS_MX:
		buf_addf(out, "%u %s", rr->mx.preference,
		    rr->mx.host[0] == '\0' ? "." : rr->mx.host);
		break;
	case DNS_SOA:
		if (rr->raw.len >= 4)
			buf_addf(out, "%lu",
			    (unsigned long)ns_get32(rr->raw.data));
		break;
	default:
		memcpy(addr.bytes, rr->addr, addr.len);
		buf_puts(out, fact_addr_text(&addr, text));
	}
}

static int
compare_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* The records, sorted, with ", " between them. NULL: too much, or no memory. */
static char *
format_set(const struct dns_answer *a, enum dns_type type)
{
	struct buf each = BUF_INIT(FACTS_SET_MAX),
		   all = BUF_INIT(FACTS_SET_MAX);
	char **texts = calloc(a->nrr + 1, sizeof *texts);
	char *set = NULL;

	for (size_t i = 0; texts != NULL && i < a->nrr; i++) {
		buf_reset(&each);
		format_record(&a->rr[i], type, &each);
		texts[i] = strdup(each.data);
		if (texts[i] == NULL)
			goto out;
	}
	if (texts == NULL)
		goto out;
	qsort(texts, a->nrr, sizeof *texts, compare_text);
	for (size_t i = 0; i < a->nrr; i++)
		buf_addf(&all, "%s%s", i == 0 ? "" : ", ", texts[i]);
	if (!all.failed)
		set = strdup(all.data);
out:
	for (size_t i = 0; texts != NULL && i < a->nrr; i++)
		free(texts[i]);
	free(texts);
	buf_free(&each);
	buf_free(&all);
	return set;
}

/* ---- asking a server itself ---- */

static void
read_poll(struct question *q, const struct dns_answer *a)
{
	struct fact_server *s = &q->zone->servers[q->at];

	collect_fill(q->c, q->lookup, a);
	if (lookup_is_definite(q->lookup) && a->nrr <= 256)
		s->set[q->poll] = format_set(a, q->type);
}

/* A datagram socket that is connected sends nothing, but knows the route. */
static bool
has_route(const struct endpoint *ep)
{
	int fd = socket(ep->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool has = fd != -1 && connect(fd, (const struct sockaddr *)&ep->addr,
				   ep->len) == 0;

	if (fd != -1)
		close(fd);
	return has || errno == EMFILE || errno == ENFILE;
}

static void
ask_server(struct question *q, size_t at, const char *name, size_t poll,
    enum dns_type type)
{
	struct fact_server *s = &q->zone->servers[at];
	struct endpoint ep;
	const struct dns_how how = { .server = &ep };

	endpoint_from_bytes(&ep, s->addr.bytes, s->addr.len,
	    q->c->with->ns_port);
	endpoint_text(&ep, s->said[poll].server);
	if (!has_route(&ep)) {
		s->said[poll].was_asked = true;
		s->said[poll].status = DNS_TIMEOUT;
		s->said[poll].has_no_route = true;
		return;
	}
	collect_ask(q->c, name, type, &how,
	    (struct question){ .read = read_poll,
		.lookup = &s->said[poll],
		.zone = q->zone,
		.at = at,
		.poll = poll });
}

static void
poll_server(struct question *q, size_t at)
{
	const struct collect *c = q->c;
	const struct fact_host *h = q->host;

	if (h != NULL) {
		ask_server(q, at, h->name, POLL_A, DNS_A);
		ask_server(q, at, h->name, POLL_AAAA, DNS_AAAA);
		return;
	}
	ask_server(q, at,
	    c->facts.mx.owner != NULL ? c->facts.mx.owner : c->facts.domain,
	    POLL_MX, DNS_MX);
	if (collect_wants(c, CHECK_NS_LAG))
		ask_server(q, at, q->zone->apex, POLL_SOA, DNS_SOA);
}

/* ---- the servers' addresses ---- */

/* A new one; its index, or SIZE_MAX. */
static size_t
add_server(struct question *q, const struct fact_addr *addr)
{
	struct fact_zone *z = q->zone;
	struct fact_server *s;

	if (z->nservers == z->servers_room) {
		z->servers_left++;
		return SIZE_MAX;
	}
	s = &z->servers[z->nservers];
	s->name = collect_copy(q->c, q->name);
	if (s->name == NULL)
		return SIZE_MAX;
	s->addr = *addr;
	return z->nservers++;
}

static void
read_server_addresses(struct question *q, const struct dns_answer *a)
{
	for (size_t i = 0; i < a->nrr && !q->c->has_failed; i++) {
		struct fact_addr addr = { .len = q->type == DNS_A ? 4 : 16 };
		size_t at;

		memcpy(addr.bytes, a->rr[i].addr, addr.len);
		at = add_server(q, &addr);
		if (at != SIZE_MAX && q->poll)
			poll_server(q, at);
	}
	/* no AAAA is no fault; no A may be none: drop_needless() */
	if (a->nrr == 0 && (q->type == DNS_A || a->status > DNS_NXDOMAIN)) {
		size_t at = add_server(q, &(struct fact_addr){ .len = 0 });

		if (at == SIZE_MAX)
			return;
		q->zone->servers[at].said[0].was_asked = true;
		collect_fill(q->c, &q->zone->servers[at].said[0], a);
	}
}

static void
ask_server_addresses(struct question *q, const char *server)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };

	for (int i = 0; i < 2; i++)
		collect_ask(q->c, server, types[i], NULL,
		    (struct question){ .read = read_server_addresses,
			.host = q->host,
			.zone = q->zone,
			.poll = q->poll,
			.name = collect_copy(q->c, server) });
}

/* ---- the way up to the zone ---- */

static collect_reader read_servers;

static void
ask_servers(struct question *q, const char *name)
{
	lookup_free(&q->zone->ns);
	collect_ask(q->c, name, DNS_NS, NULL,
	    (struct question){ .read = read_servers,
		.lookup = &q->zone->ns,
		.host = q->host,
		.zone = q->zone,
		.poll = q->poll,
		.name = collect_copy(q->c, name) });
}

/* Behind the first label; NULL: nothing is left. A dot may be escaped. */
static const char *
parent_of(const char *name)
{
	for (; *name != '\0'; name++) {
		if (*name == '.')
			return name + 1;
		if (*name == '\\' && name[1] != '\0')
			name++;
	}
	return NULL;
}

static void
set_servers(struct question *q, const struct dns_answer *a)
{
	struct fact_zone *z = q->zone;
	const struct dns_rr **rr = collect_sort(q->c, a, collect_compare_name);

	z->apex = collect_copy(q->c, q->name);
	z->servers_room = 4 * a->nrr + 4;
	if (z->servers_room > FACTS_SERVERS_MAX)
		z->servers_room = FACTS_SERVERS_MAX;
	z->servers = calloc(z->servers_room, sizeof *z->servers);
	if (z->servers == NULL)
		collect_no_memory(q->c);
	for (size_t i = 0; !q->c->has_failed && i < a->nrr; i++) {
		if (i < FACTS_NAMES_MAX)
			ask_server_addresses(q, rr[i]->name);
		else
			z->servers_left++;
	}
	free(rr);
}

static void
read_servers(struct question *q, const struct dns_answer *a)
{
	const char *parent = parent_of(q->name);

	collect_fill(q->c, q->lookup, a);
	if (a->status == DNS_OK && a->aliases == 0)
		set_servers(q, a);
	else if (a->status <= DNS_NXDOMAIN && parent != NULL)
		ask_servers(q, parent);
}

void
collect_zone(struct collect *c, struct fact_zone *z, const char *name,
    struct fact_host *host, bool with_polls)
{
	struct question q = {
		.c = c,
		.zone = z,
		.host = host,
		.poll = with_polls,
	};

	ask_servers(&q, name);
}

static int
compare_servers(const void *one, const void *other)
{
	const struct fact_server *a = one, *b = other;
	int order = strcmp(a->name, b->name);

	if (order == 0)
		order =
		    (a->addr.len > b->addr.len) - (a->addr.len < b->addr.len);
	return order != 0 ? order
			  : memcmp(a->addr.bytes, b->addr.bytes, a->addr.len);
}

/* That a name has no A says nothing when it has AAAA, or may have. */
static bool
is_needless(const struct fact_zone *z, const struct fact_server *s)
{
	if (s->addr.len > 0 || !lookup_is_definite(&s->said[0]))
		return false;
	for (size_t i = 0; i < z->nservers; i++) {
		if (&z->servers[i] != s &&
		    strcmp(z->servers[i].name, s->name) == 0)
			return true;
	}
	return false;
}

static void
drop_needless(struct fact_zone *z)
{
	for (size_t i = z->nservers; i-- > 0;) {
		struct fact_server *s = &z->servers[i];

		if (!is_needless(z, s))
			continue;
		free(s->name);
		lookup_free(&s->said[0]);
		z->nservers--;
		memmove(s, s + 1, (z->nservers - i) * sizeof *s);
	}
}

void
collect_zone_sort(struct fact_zone *z)
{
	drop_needless(z);
	if (z->nservers > 1)
		qsort(z->servers, z->nservers, sizeof *z->servers,
		    compare_servers);
}
