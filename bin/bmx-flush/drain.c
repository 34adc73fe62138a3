#include "bmx-flush/drain.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-flush/breaker.h"
#include "bmx-flush/deliver.h"
#include "bmx-flush/progress.h"
#include "bmx-flush/work.h"
#include "smtp/client.h"
#include "smtp/route.h"
#include "spool/primary.h"

/* Sessions in a row that broke with nothing done: the rest waits for the next
 * run. */
#define LOST_MAX 3

/* One domain's drain under way. */
struct drain {
	const struct drain_params *p;
	const struct config_domain *domain;
	struct drain_report *r;
	struct spool_domain maildir;
	struct work work;
	struct route route;
	struct client_params client_params;
	struct client client;
	bool is_open;    /* the session */
	bool was_learnt; /* this run has told the state file "up" */
	unsigned lost;   /* see LOST_MAX */
	struct breaker breaker;
	struct delivery delivery;
	struct progress progress;
};

static void
drain_init(struct drain *d, const struct drain_params *p,
    const struct config_domain *domain, struct drain_report *r)
{
	*d = (struct drain){ .p = p,
		.domain = domain,
		.r = r,
		.maildir = SPOOL_DOMAIN_INIT,
		.work = WORK_INIT,
		.route = ROUTE_INIT,
		.client_params = { .helo = p->config->host.hostname,
		    .tls = domain->tls,
		    .connect_timeout_s = domain->connect_timeout_s,
		    .reply_timeout_s = domain->reply_timeout_s },
		.client = CLIENT_INIT,
		.breaker = BREAKER_INIT,
		.progress = PROGRESS_INIT };
	d->delivery = (struct delivery){ .spool = p->spool,
		.maildir = &d->maildir,
		.domain = domain,
		.client = &d->client,
		.stop = p->stop };
	*r = (struct drain_report){ .end = DRAIN_NOTHING };
}

static void
drain_free(struct drain *d)
{
	progress_end(&d->progress);
	client_quit(&d->client);
	deliver_room_free(d->delivery.room);
	route_free(&d->route);
	work_free(&d->work);
	spool_domain_close(&d->maildir);
}

/* ---- what there is to do, and where to ---- */

/* 1: something is due. 0: nothing. -1. */
static int
collect(struct drain *d, struct err *e)
{
	struct work_rest rest = { 0, 0, 0 };
	int64_t now_s = d->p->is_forced ? INT64_MAX : clock_wall_us() / 1000000;

	if (work_collect(&d->work, &d->maildir, now_s, &rest, e) == -1)
		return -1;
	d->r->held = rest.held;
	d->r->later = rest.later;
	d->r->left = work_left(&d->work);
	if (rest.foreign > 0)
		log_warn("domain=%s foreign=%lu files in the spool that are "
			 "not messages",
		    d->domain->name, rest.foreign);
	return d->r->left > 0;
}

/* 1: there is one. 0: there is none, which is in the log. -1. */
static int
find_route(struct drain *d, struct err *e)
{
	const struct config_host *host = &d->p->config->host;
	const struct route_self self = { host->hostname, &host->self };
	struct route *route = &d->route;

	if (route_find(route, d->p->dns, d->domain, &self, e) == -1)
		return -1;
	if (route->status == ROUTE_OK)
		return 1;
	d->r->end = DRAIN_NO_ROUTE;
	if (route->status == ROUTE_DNS_TROUBLE)
		log_warn("domain=%s waiting=%lu status=%s route: %s",
		    d->domain->name, d->r->left,
		    route_status_code(route->status), route->why);
	else
		log_alarm("domain=%s waiting=%lu status=%s route: %s",
		    d->domain->name, d->r->left,
		    route_status_code(route->status), route->why);
	return 0;
}

/* ---- the primary ---- */

/* Tell the state file what we learnt; it is no reason to stop when it cannot
 * be written. */
static void
learn(struct drain *d, enum primary_verdict result, const char *why)
{
	const struct config_domain *domain = d->domain;
	struct primary state = PRIMARY_INIT;
	struct err e = ERR_INIT;
	int64_t now_s = clock_wall_us() / 1000000;

	if (primary_read(d->maildir.fd, now_s, 0, &state, &e) == -1)
		log_warn("domain=%s primary: %s", domain->name, e.text);
	if (primary_learn(&state, result, why, domain->rise, domain->fall,
		now_s))
		log_info("domain=%s primary=%s reason=\"%s\"", domain->name,
		    primary_verdict_name(state.verdict), why);
	if (result == PRIMARY_UP) {
		snprintf(state.address, sizeof state.address, "%s",
		    d->client.peer);
		state.plain = d->client.plain;
		state.secured = (struct smtp_offer){ 0 };
		if (*conn_tls_text(d->client.conn) != '\0')
			state.secured = d->client.offer;
	}
	if (primary_write(d->maildir.fd, &state, &e) == -1)
		log_warn("domain=%s primary: %s", domain->name, e.text);
}

/* RFC 5321 4.2.1: it answered, and said "later". */
static bool
is_deferring(const struct client *c)
{
	return c->reply.code / 100 == 4;
}

/* It greets us by our own name: we would talk to ourselves (D9). */
static bool
is_loop(const struct client *c, const struct err *e)
{
	return e->class == ERR_PERM && smtp_reply_ok(&c->reply);
}

/*
 * A session with the first address that gives one. 0, or -1 (*e of the last
 * one tried): r->end says what it is.
 */
static int
open_session(struct drain *d, struct err *e)
{
	enum primary_verdict result = PRIMARY_DOWN;
	char peer[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < d->route.naddrs && !*d->p->stop; i++) {
		const struct route_addr *a = &d->route.addrs[i];

		d->client = (struct client)CLIENT_INIT;
		if (client_open(&d->client, &d->client_params, &a->ep, a->host,
			e) == 0) {
			d->is_open = true;
			if (!d->was_learnt)
				learn(d, PRIMARY_UP, "");
			d->was_learnt = true;
			return 0;
		}
		endpoint_text(&a->ep, peer);
		if (is_deferring(&d->client))
			result = PRIMARY_DEFERRING;
		client_abort(&d->client);
		if (is_loop(&d->client, e)) {
			log_alarm("domain=%s peer=%s status=4.4.6 %s",
			    d->domain->name, peer, e->text);
			d->r->end = DRAIN_NO_ROUTE;
			return -1;
		}
		log_warn("domain=%s peer=%s no session: %s", d->domain->name,
		    peer, e->text);
	}
	if (*d->p->stop) {
		d->r->end = DRAIN_STOPPED;
		return -1;
	}
	learn(d, result, e->text);
	d->r->end = DRAIN_PRIMARY_DOWN;
	return -1;
}

static void
end_session(struct drain *d)
{
	if (d->is_open)
		client_abort(&d->client);
	d->is_open = false;
}

/* ---- the messages ---- */

static void
count(struct drain *d, const struct spool_entry *entry,
    const struct deliver_result *result)
{
	switch (result->what) {
	case DELIVER_DELIVERED:
		d->r->delivered++;
		d->r->bytes += entry->size;
		break;
	case DELIVER_DEFERRED:
		d->r->deferred++;
		break;
	case DELIVER_REFUSED:
		d->r->refused++;
		break;
	case DELIVER_SET_ASIDE:
		d->r->set_aside++;
		break;
	case DELIVER_GONE:
	case DELIVER_UNTOUCHED:
		break;
	}
}

/* Is there reason to stop? Sets r->end. */
static bool
is_enough(struct drain *d, const struct deliver_result *result)
{
	char said[SMTP_REPLY_TEXT_MAX];

	d->lost =
	    result->was_session_lost && !result->was_taken ? d->lost + 1 : 0;
	if (result->was_taken)
		breaker_taken(&d->breaker);
	else if (result->refusal.code != 0 &&
		 breaker_refused(&d->breaker, &result->refusal)) {
		log_alarm("domain=%s stopped: the primary refused %d messages "
			  "in a row: %d %s %s",
		    d->domain->name, BREAKER_LIMIT, result->refusal.code,
		    result->refusal.enhanced,
		    text_safe(said, sizeof said, result->refusal.text));
		d->r->end = DRAIN_BREAKER;
		return true;
	}
	if (d->lost < LOST_MAX)
		return false;
	log_warn("domain=%s stopped: %u sessions broke one after the other",
	    d->domain->name, d->lost);
	d->r->end = DRAIN_LOST;
	return true;
}

/* LIMITS MAILMAX (RFC 9422): the server wants no more in this session. */
static bool
is_used_up(const struct client *c)
{
	return c->offer.mail_max > 0 && c->transactions >= c->offer.mail_max;
}

/* One message; a second try when the first session broke before it. 1: go on.
 * 0: enough, see r->end. -1. */
static int
hand_over(struct drain *d, struct spool_entry *entry, struct err *e)
{
	struct deliver_result result;

	do {
		if (d->is_open && is_used_up(&d->client)) {
			client_quit(&d->client);
			d->is_open = false;
		}
		if (!d->is_open && open_session(d, e) == -1)
			return 0;
		if (deliver_message(&d->delivery, entry, &result, e) == -1)
			return -1;
		if (result.is_session_over)
			end_session(d);
	} while (result.what == DELIVER_UNTOUCHED && !*d->p->stop);
	if (result.what == DELIVER_UNTOUCHED)
		return 1;
	d->r->left--;
	count(d, entry, &result);
	progress_step(&d->progress);
	return is_enough(d, &result) ? 0 : 1;
}

static int
hand_over_all(struct drain *d, struct err *e)
{
	struct spool_entry entry;
	int rc = 1;

	while (rc == 1) {
		if (*d->p->stop) {
			d->r->end = DRAIN_STOPPED;
			return 0;
		}
		if (d->p->max > 0 && d->r->tried == d->p->max) {
			d->r->end = DRAIN_MAX;
			return 0;
		}
		if (!work_next(&d->work, &entry)) {
			d->r->end = DRAIN_DONE;
			return 0;
		}
		d->r->tried++;
		rc = hand_over(d, &entry, e);
	}
	return rc;
}

static int
drain_locked(struct drain *d, struct err *e)
{
	int rc = collect(d, e);

	if (rc == 1)
		rc = find_route(d, e);
	if (rc <= 0)
		return rc;
	d->delivery.room = deliver_room(e);
	if (d->delivery.room == NULL)
		return -1;
	if (d->p->watch != NULL)
		progress_begin(&d->progress, d->p->watch, d->domain->name,
		    d->r->left);
	return hand_over_all(d, e);
}

int
drain_domain(const struct drain_params *p, const struct config_domain *domain,
    struct drain_report *r, struct err *e)
{
	int64_t begun_ms = clock_monotonic_ms();
	struct drain d;
	int rc;

	drain_init(&d, p, domain, r);
	rc = spool_domain_open(&d.maildir, p->spool, domain->name, false, e);
	if (rc == 1) {
		rc = spool_domain_lock(&d.maildir, e);
		if (rc == 0)
			r->end = DRAIN_BUSY;
	}
	if (rc == 1)
		rc = drain_locked(&d, e);
	drain_free(&d);
	r->elapsed_ms = clock_monotonic_ms() - begun_ms;
	return rc == -1 ? -1 : 0;
}

const char *
drain_end_name(enum drain_end end)
{
	static const char *const names[] = { "done", "nothing", "busy",
		"no-route", "primary-down", "sessions-lost", "breaker",
		"stopped", "max" };

	return names[end];
}

/* ---- a plan ---- */

static int
plan_domain(struct drain *d, FILE *out, struct err *e)
{
	char peer[ENDPOINT_TEXT_MAX];
	struct spool_entry entry;
	int rc = collect(d, e);

	if (rc == 1)
		rc = find_route(d, e);
	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < d->route.naddrs; i++)
		fprintf(out, "route %s %s %s\n", d->domain->name,
		    endpoint_text(&d->route.addrs[i].ep, peer),
		    d->route.addrs[i].host);
	while (work_next(&d->work, &entry) &&
	       (d->p->max == 0 || d->r->tried < d->p->max)) {
		fprintf(out, "send %s %s %llu %u\n", d->domain->name, entry.id,
		    (unsigned long long)entry.size, entry.nrcpt);
		d->r->tried++;
	}
	d->r->end = DRAIN_DONE;
	return 0;
}

int
drain_plan(const struct drain_params *p, const struct config_domain *domain,
    FILE *out, struct drain_report *r, struct err *e)
{
	struct drain d;
	int rc;

	drain_init(&d, p, domain, r);
	rc = spool_domain_open(&d.maildir, p->spool, domain->name, false, e);
	if (rc == 1)
		rc = plan_domain(&d, out, e);
	drain_free(&d);
	return rc == -1 ? -1 : 0;
}
