#include "bmx-probe/probe.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "smtp/client.h"

#define MEMORY_MAX 1024 /* sessions remembered */

static const char *const code_names[PROBE_CODES] = {
	[PROBE_OK] = "ok",
	[PROBE_TLS_FAILED] = "tls-failed",
	[PROBE_DEFERRED] = "deferred",
	[PROBE_POLICY] = "refused-by-policy",
	[PROBE_NO_TLS] = "tls-not-offered",
	[PROBE_LOOP] = "loop",
	[PROBE_REFUSED] = "connection-refused",
	[PROBE_UNREACHABLE] = "unreachable",
	[PROBE_TIMEOUT] = "timeout",
	[PROBE_CLOSED] = "closed",
	[PROBE_PROTOCOL] = "protocol-error",
	[PROBE_NO_ROUTE] = "no-route",
	[PROBE_NOT_CONFIGURED] = "not-configured",
	[PROBE_UNTRIED] = "not-tried",
	[PROBE_TROUBLE] = "own-trouble",
};

const char *
probe_code_name(enum probe_code code)
{
	return code_names[code];
}

const char *
probe_phase_name(enum probe_phase phase)
{
	static const char *const names[PROBE_PHASES] = { "dns", "connect",
		"banner", "ehlo", "tls" };

	return names[phase];
}

/* ---- one address ---- */

struct attempt {
	const struct config_domain *domain;
	const struct route_addr *to;
	struct client_params params;
	struct client client;
	struct probe_address *a; /* what became of it */
};

__attribute__((format(printf, 4, 5))) static void
decide(struct probe_address *a, enum primary_verdict result,
    enum probe_code code, const char *fmt, ...)
{
	va_list ap;

	a->result = result;
	a->code = code;
	va_start(ap, fmt);
	vsnprintf(a->reason, sizeof a->reason, fmt, ap);
	va_end(ap);
}

/* A reply that is not the one wanted: 4yz defers, 5yz is policy. */
static void
decide_refusal(struct attempt *t, const char *step)
{
	const struct smtp_reply *r = &t->client.reply;
	bool is_permanent = smtp_reply_permanent(r);
	const char *blank = r->enhanced[0] != '\0' ? " " : "";

	t->a->reply = *r;
	decide(t->a, is_permanent ? PRIMARY_DOWN : PRIMARY_DEFERRING,
	    is_permanent ? PROBE_POLICY : PROBE_DEFERRED,
	    "%s by %s: %d%s%s %.200s",
	    is_permanent ? "refused by policy" : "deferred", step, r->code,
	    blank, r->enhanced, r->text);
}

static bool
is_own_trouble(const struct err *e)
{
	return e->class == ERR_CONFIG || e->sys == EMFILE || e->sys == ENFILE ||
	       e->sys == ENOMEM || e->sys == ENOBUFS;
}

/* The session broke: a reply of 421, or one of the many ways to have none. */
static void
decide_failure(struct attempt *t, const struct err *e)
{
	enum probe_code code = PROBE_CLOSED;

	if (t->client.reply.code == 421) {
		decide_refusal(t, probe_phase_name(t->a->phase));
		return;
	}
	if (is_own_trouble(e)) {
		decide(t->a, PRIMARY_UNKNOWN, PROBE_TROUBLE, "%s", e->text);
		return;
	}
	if (e->class == ERR_PERM)
		code = PROBE_LOOP;
	else if (e->sys == ETIMEDOUT)
		code = PROBE_TIMEOUT;
	else if (e->sys == ECONNREFUSED)
		code = PROBE_REFUSED;
	else if (e->sys == EPROTO)
		code = PROBE_PROTOCOL;
	else if (t->a->phase == PROBE_CONNECT)
		code = PROBE_UNREACHABLE;
	decide(t->a, PRIMARY_DOWN, code, "%s%.240s",
	    t->a->phase == PROBE_CONNECT ? "no connection: " : "", e->text);
}

/* Each step: true to go on. */

static bool
connect_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (client_connect(&t->client, &t->params, &t->to->ep, &e) == 0)
		return true;
	decide_failure(t, &e);
	return false;
}

static bool
banner_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (client_greet(&t->client, &e) == -1)
		decide_failure(t, &e);
	else if (!smtp_reply_ok(&t->client.reply))
		decide_refusal(t, "its greeting");
	else
		return true;
	return false;
}

static bool
ehlo_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (client_hello(&t->client, &e) == -1)
		decide_failure(t, &e);
	else if (!smtp_reply_ok(&t->client.reply))
		decide_refusal(t, "its reply to EHLO");
	else
		return true;
	return false;
}

/* Where TLS may be, mail would go in the clear: the EHLO before it was good,
 * so the primary is up, with a blemish. */
static void
decide_tls_failure(struct attempt *t, const struct err *e)
{
	struct probe_address *a = t->a;

	decide_failure(t, e);
	if (a->code == PROBE_TROUBLE || a->code == PROBE_DEFERRED ||
	    a->code == PROBE_LOOP)
		return;
	a->code = PROBE_TLS_FAILED;
	if (t->domain->tls == CONFIG_TLS_MAY)
		a->result = PRIMARY_UP;
}

static bool
tls_step(struct attempt *t)
{
	bool must = t->domain->tls == CONFIG_TLS_ENCRYPT;
	struct err e = ERR_INIT;

	if ((t->client.plain.exts & SMTP_EXT_STARTTLS) == 0) {
		t->a->ms[PROBE_TLS] = -1;
		if (must)
			decide(t->a, PRIMARY_DOWN, PROBE_NO_TLS,
			    "TLS is required, and STARTTLS not offered");
		return !must;
	}
	if (client_start_tls(&t->client, t->to->host, &e) == -1) {
		decide_tls_failure(t, &e);
		return false;
	}
	snprintf(t->a->tls, sizeof t->a->tls, "%s",
	    conn_tls_text(t->client.conn));
	if (t->a->tls[0] != '\0')
		t->a->secured = t->client.offer;
	if (smtp_reply_ok(&t->client.reply))
		return true;
	decide_refusal(t,
	    t->a->tls[0] != '\0' ? "its EHLO in TLS" : "STARTTLS");
	if (t->a->tls[0] == '\0' && !must) {
		t->a->result = PRIMARY_UP;
		t->a->code = PROBE_TLS_FAILED;
	}
	return false;
}

static void
run_steps(struct attempt *t)
{
	static bool (*const steps[PROBE_PHASES])(struct attempt *) = {
		[PROBE_CONNECT] = connect_step,
		[PROBE_BANNER] = banner_step,
		[PROBE_EHLO] = ehlo_step,
		[PROBE_TLS] = tls_step,
	};
	int64_t begun_ms, took_ms;
	bool go_on = true;

	for (int i = PROBE_CONNECT; i < PROBE_PHASES && go_on; i++) {
		if (i == PROBE_TLS && t->domain->tls == CONFIG_TLS_NONE)
			break;
		t->a->phase = (enum probe_phase)i;
		t->a->ms[i] = 0;
		begun_ms = clock_monotonic_ms();
		go_on = steps[i](t);
		took_ms = clock_monotonic_ms() - begun_ms;
		if (t->a->ms[i] != -1) /* a step that was not needed */
			t->a->ms[i] = took_ms;
	}
	t->a->plain = t->client.plain;
	snprintf(t->a->name, sizeof t->a->name, "%s", t->client.name);
}

static void
name_address(struct probe_address *a, const struct route_addr *to)
{
	*a = (struct probe_address){ .preference = to->preference,
		.result = PRIMARY_UP,
		.code = PROBE_OK };
	endpoint_text(&to->ep, a->address);
	text_safe(a->host, sizeof a->host, to->host);
	for (int i = 0; i < PROBE_PHASES; i++)
		a->ms[i] = -1;
}

static void
probe_address(const struct probe *p, const struct config_domain *domain,
    const struct route_addr *to, int64_t deadline_ms, struct probe_address *a)
{
	struct attempt t = {
		.domain = domain,
		.to = to,
		.params = { .helo = p->host->hostname,
		    .tls = domain->tls,
		    .connect_timeout_s = domain->connect_timeout_s,
		    .reply_timeout_s = domain->reply_timeout_s,
		    .deadline_ms = deadline_ms },
		.client = CLIENT_INIT,
		.a = a,
	};

	run_steps(&t);
	client_quit(&t.client);
}

/* ---- what this run has seen already ---- */

static const struct probe_address *
recall(const struct probe_memory *m, const struct probe_address *a,
    enum config_tls tls)
{
	for (size_t i = 0; i < m->n; i++)
		if (m->seen[i].tls == tls &&
		    strcmp(m->seen[i].address.address, a->address) == 0 &&
		    strcmp(m->seen[i].address.host, a->host) == 0)
			return &m->seen[i].address;
	return NULL;
}

/* Forgetting costs a connection, nothing else: no memory is no error. */
static void
remember(struct probe_memory *m, const struct probe_address *a,
    enum config_tls tls)
{
	if (m->seen == NULL)
		m->seen = calloc(MEMORY_MAX, sizeof *m->seen);
	if (m->seen != NULL && m->n < MEMORY_MAX)
		m->seen[m->n++] = (struct probe_seen){ *a, tls };
}

void
probe_forget(struct probe *p)
{
	free(p->memory.seen);
	p->memory = (struct probe_memory){ NULL, 0 };
}

/* ---- a domain ---- */

/* The one that tells most: a good one, then one that defers, then the one
 * that came furthest; the first of equals. */
static bool
tells_more(const struct probe_address *a, const struct probe_address *than)
{
	static const int rank[] = {
		[PRIMARY_UP] = 3,
		[PRIMARY_DEFERRING] = 2,
		[PRIMARY_DOWN] = 1,
		[PRIMARY_UNKNOWN] = 0,
	};

	if (than == NULL || rank[a->result] != rank[than->result])
		return than == NULL || rank[a->result] > rank[than->result];
	return a->phase > than->phase;
}

static void
take_address(struct probe_result *r, const struct probe_address *a)
{
	if (!tells_more(a, r->decided))
		return;
	r->decided = a;
	r->result = a->result;
	r->code = a->code;
	memcpy(r->reason, a->reason, sizeof r->reason);
}

/*
 * Every address gets its share of the time that is left, so that one which
 * swallows everything does not hide the next; what it does not use goes to
 * the others.
 */
static void
probe_route(struct probe *p, const struct config_domain *domain,
    const struct route *route, int64_t deadline_ms, struct probe_result *r)
{
	for (size_t i = 0; i < route->naddrs; i++) {
		struct probe_address *a = &r->addresses[r->n++];
		int left_ms = clock_left_ms(deadline_ms);
		const struct probe_address *seen;

		name_address(a, &route->addrs[i]);
		seen = recall(&p->memory, a, domain->tls);
		if (seen != NULL) {
			*a = *seen;
		} else if (left_ms == 0) {
			decide(a, PRIMARY_DOWN, PROBE_UNTRIED,
			    "no time was left for it");
		} else {
			probe_address(p, domain, &route->addrs[i],
			    clock_monotonic_ms() +
				left_ms / (int64_t)(route->naddrs - i),
			    a);
			remember(&p->memory, a, domain->tls);
		}
		take_address(r, a);
		if (r->result == PRIMARY_UP && !p->all)
			break;
	}
}

static int
follow_route(struct probe *p, const struct config_domain *domain,
    const struct route *route, int64_t deadline_ms, struct probe_result *r,
    struct err *e)
{
	if (route->status != ROUTE_OK) {
		r->result = PRIMARY_DOWN;
		r->code = PROBE_NO_ROUTE;
		snprintf(r->reason, sizeof r->reason, "no route: %s %.220s",
		    route_status_code(route->status), route->why);
		return 0;
	}
	r->addresses = calloc(route->naddrs, sizeof *r->addresses);
	if (r->addresses == NULL)
		return err_sys(e, "probe");
	probe_route(p, domain, route, deadline_ms, r);
	return 0;
}

int
probe_domain(struct probe *p, const struct config_domain *domain,
    struct probe_result *r, struct err *e)
{
	const struct route_self self = { p->host->hostname, &p->host->self };
	int64_t begun_ms = clock_monotonic_ms();
	struct route route = ROUTE_INIT;
	struct err trouble = ERR_INIT;
	int rc = 0;

	*r = (struct probe_result)PROBE_RESULT_INIT;
	if (route_find(&route, p->dns, domain, &self, &trouble) == -1) {
		r->result = PRIMARY_UNKNOWN;
		r->code = PROBE_TROUBLE;
		snprintf(r->reason, sizeof r->reason, "%.250s", trouble.text);
	}
	r->dns_ms = clock_monotonic_ms() - begun_ms;
	if (trouble.class == ERR_NONE)
		rc = follow_route(p, domain, &route,
		    begun_ms + (int64_t)p->timeout_s * 1000, r, e);
	r->total_ms = clock_monotonic_ms() - begun_ms;
	route_free(&route);
	return rc;
}

void
probe_result_free(struct probe_result *r)
{
	free(r->addresses);
	*r = (struct probe_result)PROBE_RESULT_INIT;
}
