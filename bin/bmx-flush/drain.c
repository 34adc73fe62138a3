#include "bmx-flush/drain.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-flush/ageing.h"
#include "bmx-flush/breaker.h"
#include "bmx-flush/deliver.h"
#include "bmx-flush/giveup.h"
#include "bmx-flush/pace.h"
#include "bmx-flush/progress.h"
#include "bmx-flush/relaxed.h"
#include "bmx-flush/work.h"
#include "bmx-flush/worker.h"
#include "smtp/client.h"
#include "smtp/learn.h"
#include "smtp/policy.h"
#include "smtp/route.h"
#include "spool/ledger.h"
#include "spool/paused.h"
#include "spool/primary.h"

/* Sessions in a row that brought nothing, each after a longer wait: the rest
 * waits for the next run. */
#define LOST_MAX 6

/* A further session was refused while others go on: ask again after this. */
#define REFUSED_WAIT_MS 2000

/* So often it is looked whether an operator has paused the domain. */
#define PAUSED_LOOK_MS 1000

/* After a signal workers are told so often to end. */
#define STOP_AGAIN_MS 200

#define WORKERS_MAX CONFIG_CONNECTIONS_MAX

/* Behind a larger message nothing is to wait for one worker while others have
 * nothing to do. */
#define AHEAD_MAX (64 * 1024)

/* Messages removed before their directory is synced: so many may come back, and
 * arrive twice, when the power fails. A primary that takes them faster than that
 * is not made to wait for the disk more than once in SYNC_MS, up to SYNC_MAX. */
#define SYNC_EVERY 64
#define SYNC_MS 50
#define SYNC_MAX 512

/* One domain's drain under way. */
struct drain {
	const struct drain_params *p;
	const struct config_domain *domain;
	struct drain_report *r;
	struct spool_domain maildir;
	struct work work;
	struct route route;
	struct policy policy;
	struct policy_hop *hops; /* one for each address of the route */
	size_t address;          /* of the route: the one that answered last */
	struct client_params client_params;
	struct delivery delivery; /* what all workers have in common */
	struct worker workers[WORKERS_MAX];
	/* messages whose session ended before their turn was over, or came */
	struct worker_task again[WORKERS_MAX * WORKER_TASKS];
	size_t nagain;
	unsigned long unsynced; /* see SYNC_EVERY */
	int64_t synced_ms;
	bool has_sync_failed;
	bool is_ending; /* r->end is decided: what is under way is awaited */
	bool was_open;  /* there was a session in this run */
	bool is_policy_unmet; /* see worker.h, of the last that had none */
	unsigned lost;        /* see LOST_MAX */
	unsigned losses;      /* all that counted */
	int64_t reopen_ms;    /* no new session before that */
	int64_t paused_ms;    /* when to look again whether it is paused */
	struct err trouble;   /* of our own; ERR_NONE: none */
	struct pace pace;
	struct breaker breaker;
	struct giveup giveup;   /* on-5xx and on-expiry = bounce, drop */
	unsigned long unwanted; /* messages held apart */
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
		.work = WORK_INIT(p->order),
		.route = ROUTE_INIT,
		.policy = POLICY_INIT,
		.client_params = { .helo = p->config->host.hostname,
		    .xclient = domain->xclient,
		    .connect_timeout_s = domain->connect_timeout_s,
		    .reply_timeout_s = domain->reply_timeout_s },
		.trouble = ERR_INIT,
		.breaker = BREAKER_INIT,
		.progress = PROGRESS_INIT };
	d->delivery = (struct delivery){ .spool = p->spool,
		.ledger = LEDGER_INIT,
		.config = p->config,
		.maildir = &d->maildir,
		.domain = domain,
		.stop = p->stop };
	for (size_t i = 0; i < WORKERS_MAX; i++)
		d->workers[i] = (struct worker)WORKER_INIT;
	d->giveup.spool = p->spool;
	d->giveup.config = p->config;
	d->giveup.domain = domain;
	d->giveup.maildir = &d->maildir;
	pace_begin(&d->pace,
	    &(struct pace_limits){ .connections = domain->max_connections,
		.rate = domain->max_rate,
		.bytes_per_second = domain->max_bytes_rate });
	*r = (struct drain_report){ .end = DRAIN_NOTHING };
}

static void
forget_policies(struct drain *d)
{
	for (size_t i = 0; d->hops != NULL && i < d->route.naddrs; i++)
		policy_hop_free(&d->hops[i]);
	free(d->hops);
	d->hops = NULL;
	policy_close(&d->policy);
}

static void
drain_free(struct drain *d)
{
	progress_end(&d->progress);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_dismiss(&d->workers[i]);
	worker_reap(true);
	deliver_room_free(d->delivery.room);
	forget_policies(d);
	route_free(&d->route);
	work_free(&d->work);
	spool_domain_close(&d->maildir);
}

/* ---- what there is to do, and where to ---- */

static int
list_work(struct drain *d, struct work_rest *rest, struct err *e)
{
	int64_t now_s = d->p->is_forced ? INT64_MAX : clock_wall_us() / 1000000;

	memset(rest, 0, sizeof *rest);
	d->work.wait_max_s = d->domain->retry_max_s;
	return work_collect(&d->work, &d->maildir, now_s, rest, e);
}

/* 1: something is due. 0: nothing. -1. releases: under the lock. */
static int
collect(struct drain *d, bool releases, struct err *e)
{
	struct work_rest rest;

	if (list_work(d, &rest, e) == -1)
		return -1;
	if (releases && rest.ended > 0) {
		work_free(&d->work);
		if (work_release(&d->maildir, e) == -1 ||
		    list_work(d, &rest, e) == -1)
			return -1;
	}
	d->r->held = rest.held;
	d->unwanted = rest.unwanted;
	d->r->later = rest.later;
	d->r->due_s = rest.due_s;
	d->r->left = work_left(&d->work);
	if (rest.foreign > 0)
		log_warn("domain=%s foreign=%lu files in the spool that are "
			 "not messages",
		    d->domain->name, rest.foreign);
	return d->r->left > 0;
}

/* What cannot be read is a pause: see paused.h. */
static bool
is_paused(const struct drain *d)
{
	struct paused paused;
	struct err e = ERR_INIT;
	int rc =
	    paused_read(d->maildir.fd, clock_wall_us() / 1000000, &paused, &e);

	if (rc == -1)
		log_alarm("domain=%s paused, since that cannot be read: %s",
		    d->domain->name, e.text);
	return rc != 0;
}

/* A server that has to prove who it is, or that bmx.conf names. */
static bool
is_proved(const struct drain *d)
{
	return d->domain->tls == CONFIG_TLS_VERIFY ||
	       d->domain->tls == CONFIG_TLS_PIN || !d->route.is_by_mx;
}

/* DNS does not tell where to send: to the address that worked last, if that
 * is not long ago. */
static bool
find_last_good(struct drain *d, const struct route_self *self)
{
	struct primary state = PRIMARY_INIT;
	int64_t now_s = clock_wall_us() / 1000000;
	struct err ignored = ERR_INIT;
	int64_t age_s;

	if (!is_proved(d) ||
	    primary_read(d->maildir.fd, now_s, 0, &state, &ignored) != 1)
		return false;
	age_s = now_s - state.good_s;
	if (age_s < 0 || age_s >= d->domain->last_good_age_s ||
	    !route_last_good(&d->route, self, state.address, state.host))
		return false;
	log_alarm("domain=%s waiting=%lu route: %s; peer=%s worked %llds ago, "
		  "used instead",
	    d->domain->name, d->r->left, d->route.why, state.address,
	    (long long)age_s);
	return true;
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
	if (route->status == ROUTE_OK || find_last_good(d, &self))
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

/* The TLS that each of its addresses owes us. */
static int
find_policies(struct drain *d, struct err *e)
{
	d->hops = calloc(d->route.naddrs, sizeof *d->hops);
	if (d->hops == NULL)
		return err_sys(e, "policy");
	if (policy_open(&d->policy, &d->p->config->host, d->domain, &d->route,
		d->p->dns, e) == -1)
		return -1;
	for (size_t i = 0; i < d->route.naddrs; i++)
		if (policy_find(&d->policy, &d->route.addrs[i], &d->hops[i],
			e) == -1)
			return -1;
	return 0;
}

/* ---- the primary ---- */

/* Tell the state file what a worker learnt; it is no reason to stop when it
 * cannot be written. */
static void
learn(struct drain *d, enum primary_verdict result,
    const struct worker_report *report)
{
	const struct config_domain *domain = d->domain;
	const char *why = result == PRIMARY_UP ? "" : report->why.text;
	char said[sizeof((struct primary *)0)->reason];
	struct primary state = PRIMARY_INIT;
	struct err e = ERR_INIT;
	int64_t now_s = clock_wall_us() / 1000000;
	bool is_locked;

	if (domain->is_unlisted || /* it is nobody's primary */
	    d->delivery.is_relaxed)
		return;
	is_locked = primary_lock(d->maildir.fd);
	if (primary_read(d->maildir.fd, now_s, 0, &state, &e) == -1)
		log_warn("domain=%s primary: %s", domain->name, e.text);
	if (primary_learn(&state, result, why, domain->rise, domain->fall,
		now_s)) {
		memcpy(said, state.reason, sizeof said);
		log_info("domain=%s primary=%s reason=\"%s\"", domain->name,
		    primary_verdict_name(state.verdict), text_quotable(said));
	}
	if (result == PRIMARY_UP) {
		snprintf(state.address, sizeof state.address, "%s",
		    report->peer);
		snprintf(state.host, sizeof state.host, "%s",
		    d->route.addrs[report->address].host);
		state.plain = report->plain;
		state.secured = report->secured;
		learn_tls(&state, domain, report->in_tls,
		    report->is_authenticated, now_s);
	}
	if (primary_write(d->maildir.fd, &state, &e) == -1)
		log_warn("domain=%s primary: %s", domain->name, e.text);
	if (is_locked)
		primary_unlock(d->maildir.fd);
}

/* No more orders, for this reason; the first one counts. */
static void
come_to_an_end(struct drain *d, enum drain_end end)
{
	if (!d->is_ending)
		d->r->end = end;
	d->is_ending = true;
}

static size_t
count_workers(const struct drain *d)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += d->workers[i].fd != -1;
	return n;
}

static size_t
count_busy(const struct drain *d)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += d->workers[i].ntasks > 0;
	return n;
}

static unsigned
count_tasks(const struct drain *d)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += d->workers[i].ntasks;
	return (unsigned)n;
}

static size_t
count_opening(const struct drain *d)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += d->workers[i].fd != -1 && !d->workers[i].is_open;
	return n;
}

static bool
is_idle(const struct worker *w)
{
	return w->fd != -1 && w->is_open && w->ntasks == 0;
}

static void
session_opened(struct drain *d, const struct worker_report *report)
{
	if (!d->was_open)
		learn(d, PRIMARY_UP, report);
	d->was_open = true;
	d->address = report->address;
}

/*
 * One session more that brought nothing. True: that is enough of them. Those
 * that were begun before the last loss tell of the same bad moment, and are
 * not counted again.
 */
static bool
is_lost_once_more(struct drain *d, const struct worker *w)
{
	if (w->losses == d->losses) {
		d->losses++;
		d->lost++;
	}
	d->reopen_ms = clock_monotonic_ms() + pace_reopen_ms(d->lost);
	return d->lost >= LOST_MAX;
}

/*
 * No address gave a session. In the beginning that is the end: the primary is
 * down. Later it was up a moment ago, so it is asked again for a while.
 */
static void
session_failed(struct drain *d, const struct worker *w,
    const struct worker_report *report)
{
	d->is_policy_unmet = report->is_policy_unmet;
	if (d->was_open && count_workers(d) > 0) {
		pace_result(&d->pace, PACE_BAD, 0, count_tasks(d));
		d->reopen_ms = clock_monotonic_ms() + REFUSED_WAIT_MS;
		return;
	}
	if (d->was_open && !is_lost_once_more(d, w))
		return;
	learn(d, report->verdict, report);
	come_to_an_end(d, DRAIN_PRIMARY_DOWN);
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
		d->unsynced++;
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

/*
 * Proof first: what is removed is in the ledger, also after a power cut. A sync
 * that failed is not tried again, by what was under way then: a second one would
 * say yes to what the first has lost. What is open then is whether a power
 * cut brings mail back that has arrived: that comes twice, not never.
 */
static void
sync_removals(struct drain *d)
{
	if (d->unsynced == 0 || d->has_sync_failed)
		return;
	d->unsynced = 0;
	d->synced_ms = clock_monotonic_ms();
	if (ledger_sync(d->p->spool, clock_wall_us(), &d->trouble) == -1 ||
	    spool_sync(&d->maildir, &d->trouble) == -1)
		d->has_sync_failed = d->is_ending = true;
}

/* Until the next sync is due; -1: it is not. */
static int
sync_wait_ms(const struct drain *d)
{
	if (d->unsynced < SYNC_EVERY || d->has_sync_failed)
		return -1;
	return d->unsynced >= SYNC_MAX ? 0
				       : clock_left_ms(d->synced_ms + SYNC_MS);
}

static void
count_gone(struct drain *d, unsigned long gone)
{
	d->r->refused -= gone;
	d->r->dropped += gone;
	d->unsynced += gone;
}

/* on-5xx = drop: see giveup.h. */
static void
drop(struct drain *d)
{
	count_gone(d, giveup_all(&d->giveup));
}

/* What a result says of the primary. */
static enum pace_event
pace_event(const struct deliver_result *result)
{
	if (result->was_session_lost || result->was_deferred)
		return PACE_BAD;
	return result->was_taken ? PACE_GOOD : PACE_ELSE;
}

/* Is there reason to stop? */
static void
judge(struct drain *d, const struct worker *w,
    const struct deliver_result *result)
{
	char said[SMTP_REPLY_TEXT_MAX];

	if (result->was_taken) {
		breaker_taken(&d->breaker);
		drop(d);
	} else if (result->refusal.code != 0 && !result->is_expired &&
		   breaker_refused(&d->breaker, &result->refusal)) {
		if (!d->is_ending)
			log_alarm("domain=%s stopped: the primary refused %d "
				  "messages in a row: %d %s %s",
			    d->domain->name, BREAKER_LIMIT,
			    result->refusal.code, result->refusal.enhanced,
			    text_safe(said, sizeof said, result->refusal.text));
		come_to_an_end(d, DRAIN_BREAKER);
	}
	if (!result->was_session_lost || result->was_taken) {
		d->lost = 0;
	} else if (is_lost_once_more(d, w)) {
		log_warn("domain=%s stopped: %u sessions broke one after the "
			 "other",
		    d->domain->name, d->lost);
		come_to_an_end(d, DRAIN_LOST);
	}
}

/* A message that was not its session's fault goes first in another one. */
static void
message_done(struct drain *d, const struct worker *w,
    const struct deliver_result *result)
{
	const struct spool_entry *entry = &w->tasks[0].entry;

	pace_result(&d->pace, pace_event(result), result->wait_ms,
	    count_tasks(d));
	if (result->what == DELIVER_UNTOUCHED) {
		d->again[d->nagain++] = (struct worker_task){ *entry, true };
	} else {
		d->r->left--;
		count(d, entry, result);
		progress_step(&d->progress);
	}
	giveup_add(&d->giveup, entry->id, result);
	judge(d, w, result);
}

/* A worker was killed, or crashed. Whether its message went through nobody
 * knows; it is as it was, for the next run. */
static void
worker_died(struct drain *d, const struct worker *w)
{
	bool was_busy = w->ntasks > 0;

	if (*d->p->stop)
		return;
	log_alarm("domain=%s%s%s worker %ld died", d->domain->name,
	    was_busy ? " id=" : "", was_busy ? w->tasks[0].entry.id : "",
	    (long)w->pid);
	if (is_lost_once_more(d, w))
		come_to_an_end(d, DRAIN_LOST);
}

/* A worker has ended. What it had ahead goes first in another session. */
static void
let_go(struct drain *d, struct worker *w)
{
	for (size_t i = 1; i < w->ntasks; i++)
		d->again[d->nagain++] = w->tasks[i];
	worker_dismiss(w);
}

static void
take_report(struct drain *d, struct worker *w)
{
	struct worker_report report;
	struct worker was;

	worker_take(w, &report);
	was = *w;
	if (report.event == WORKER_RESULT && !report.result.is_session_over)
		worker_next(w);
	else if (report.event != WORKER_OPEN)
		let_go(d, w);
	switch (report.event) {
	case WORKER_OPEN:
		session_opened(d, &report);
		break;
	case WORKER_NO_SESSION:
		session_failed(d, &was, &report);
		break;
	case WORKER_LOOP:
		log_alarm("domain=%s peer=%s status=4.4.6 %s", d->domain->name,
		    report.peer, report.why.text);
		come_to_an_end(d, DRAIN_NO_ROUTE);
		break;
	case WORKER_STOPPED:
		break;
	case WORKER_RESULT:
		message_done(d, &was, &report.result);
		break;
	case WORKER_TROUBLE:
		d->trouble = report.why;
		d->is_ending = true;
		break;
	case WORKER_DIED:
		worker_died(d, &was);
		break;
	}
}

/* ---- the workers ---- */

static bool
is_max_reached(const struct drain *d)
{
	return d->p->max > 0 && d->r->tried >= d->p->max;
}

static bool
has_orders(const struct drain *d)
{
	return !d->is_ending && (d->nagain > 0 || (work_left(&d->work) > 0 &&
						      !is_max_reached(d)));
}

static bool
next_order(struct drain *d, struct worker_task *task)
{
	if (d->nagain > 0) {
		*task = d->again[--d->nagain];
		return true;
	}
	if (is_max_reached(d) || !work_next(&d->work, &task->entry))
		return false;
	task->is_again = false;
	d->r->tried++;
	return true;
}

/* The next message for w, when it is time for one. */
static void
give_order(struct drain *d, struct worker *w)
{
	int64_t now_ms = clock_monotonic_ms();
	struct err e = ERR_INIT;
	struct worker_task task;

	if (!has_orders(d) || pace_wait_ms(&d->pace, now_ms) > 0 ||
	    !next_order(d, &task))
		return;
	pace_sent(&d->pace, task.entry.size, now_ms);
	/* if it has died its report will say so */
	worker_give(w, &task, &e);
}

/* Only while all goes well, so that a run that is to stop has nothing more
 * under way than its sessions. */
static bool
may_have_ahead(const struct worker *w)
{
	return w->fd != -1 && w->is_well && w->ntasks == 1 &&
	       w->tasks[0].entry.size <= AHEAD_MAX;
}

/* Nobody waits for a session that there is nothing left to do for. */
static void
stop_opening(struct drain *d)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (!d->workers[i].is_open)
			worker_stop(&d->workers[i]);
}

/* Idle workers get a message each, as fast as may be; those that are too many
 * go home. Then the others get one ahead. */
static void
hand_out(struct drain *d)
{
	if (!has_orders(d))
		stop_opening(d);
	for (size_t i = 0; i < WORKERS_MAX; i++) {
		if (!is_idle(&d->workers[i]))
			continue;
		if (!has_orders(d) || count_workers(d) > d->pace.window)
			worker_dismiss(&d->workers[i]);
		else
			give_order(d, &d->workers[i]);
	}
	if (count_workers(d) > d->pace.window)
		return;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (may_have_ahead(&d->workers[i]))
			give_order(d, &d->workers[i]);
}

/* A free place, when one more session is wanted; they are opened one after the
 * other. */
static struct worker *
vacancy(struct drain *d)
{
	if (!has_orders(d) || count_opening(d) > 0 ||
	    count_busy(d) < count_workers(d) ||
	    count_workers(d) >= d->pace.window)
		return NULL;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (d->workers[i].fd == -1)
			return &d->workers[i];
	return NULL;
}

static void
hire(struct drain *d)
{
	struct worker *w = vacancy(d);

	if (w == NULL || clock_monotonic_ms() < d->reopen_ms)
		return;
	worker_reap(false);
	if (worker_start(w, d->workers, WORKERS_MAX, &d->delivery,
		&d->client_params, d->hops, d->route.naddrs, d->address,
		&d->trouble) == -1)
		d->is_ending = true;
	w->losses = d->losses;
}

/* A signal: what is under way is broken off. A worker that did not wait in that
 * moment, but was about to, missed it: they are told until they have ended. */
static void
heed_stop(struct drain *d)
{
	if (!*d->p->stop)
		return;
	come_to_an_end(d, DRAIN_STOPPED);
	for (size_t i = 0; i < WORKERS_MAX; i++)
		worker_stop(&d->workers[i]);
}

/* A pause: what is under way comes to its end. */
static void
heed_pause(struct drain *d)
{
	if (d->is_ending || clock_left_ms(d->paused_ms) > 0)
		return;
	d->paused_ms = clock_monotonic_ms() + PAUSED_LOOK_MS;
	if (is_paused(d))
		come_to_an_end(d, DRAIN_PAUSED);
}

/* Until when nothing but a report can bring the work on; -1: for ever. */
static int
work_wait_ms(struct drain *d)
{
	int64_t now_ms = clock_monotonic_ms();

	if (*d->p->stop)
		return STOP_AGAIN_MS;
	if (vacancy(d) != NULL)
		return clock_left_ms(d->reopen_ms);
	if (has_orders(d) &&
	    count_busy(d) + count_opening(d) < count_workers(d))
		return (int)pace_wait_ms(&d->pace, now_ms);
	return -1;
}

static int
wait_ms(struct drain *d)
{
	int work_ms = work_wait_ms(d), sync_ms = sync_wait_ms(d);

	return sync_ms == -1 || (work_ms != -1 && work_ms < sync_ms) ? work_ms
								     : sync_ms;
}

/* Signals are let in here alone, so that none is missed. */
static void
await_reports(struct drain *d, const sigset_t *let_in)
{
	struct pollfd polled[WORKERS_MAX];
	struct timespec span;
	int ms = wait_ms(d);

	for (size_t i = 0; i < WORKERS_MAX; i++)
		polled[i] =
		    (struct pollfd){ .fd = d->workers[i].fd, .events = POLLIN };
	span.tv_sec = ms / 1000;
	span.tv_nsec = ms % 1000 * 1000000L;
	if (ppoll(polled, WORKERS_MAX, ms == -1 ? NULL : &span, let_in) <= 0)
		return;
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (polled[i].revents != 0)
			take_report(d, &d->workers[i]);
}

/* So many refusals with no success behind them are a sign of their own, also
 * where the breaker saw none: nothing is given up by them. */
static bool
has_ended_in_peace(const struct drain *d)
{
	return d->domain->is_unlisted ||
	       (d->r->end != DRAIN_BREAKER && d->giveup.n < BREAKER_LIMIT);
}

static int
hand_over_all(struct drain *d, struct err *e)
{
	sigset_t signals, before;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &before);
	for (;;) {
		heed_stop(d);
		heed_pause(d);
		if (sync_wait_ms(d) == 0)
			sync_removals(d);
		hand_out(d);
		hire(d);
		if (count_workers(d) == 0 && !has_orders(d))
			break;
		await_reports(d, &before);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	come_to_an_end(d, is_max_reached(d) ? DRAIN_MAX : DRAIN_DONE);
	if (has_ended_in_peace(d))
		drop(d);
	d->giveup.n = 0; /* what is listed still stays held */
	sync_removals(d);
	if (d->trouble.class == ERR_NONE)
		return 0;
	*e = d->trouble;
	return -1;
}

/* ---- mail that does without the domain's policy ---- */

/* Of what is still to be done that alone stays. How much it is, or -1. */
static long
keep_relaxed(struct drain *d, struct err *e)
{
	struct work all = d->work;
	struct spool_entry entry;
	size_t n = 0;
	int rc = 0;

	d->work = (struct work)WORK_INIT(all.order);
	while (rc == 0 && !*d->p->stop && work_next(&all, &entry))
		if (relaxed_is_wanted(&d->maildir, &entry))
			rc = work_add(&d->work, &entry, e);
	work_free(&all);
	for (size_t i = 0; i < d->nagain; i++)
		if (relaxed_is_wanted(&d->maildir, &d->again[i].entry))
			d->again[n++] = d->again[i];
	d->nagain = n;
	return rc == -1 ? -1 : (long)(n + work_left(&d->work));
}

/* RFC 8689 4.2.2: where no address came up to TLSA records or MTA-STS, once
 * more for the mail that says "TLS-Required: No", as if there were none. For
 * the rest the primary stays down. */
static int
hand_over_relaxed(struct drain *d, struct err *e)
{
	bool was_open = d->was_open;
	long n;
	int rc;

	if (d->r->end != DRAIN_PRIMARY_DOWN || !d->is_policy_unmet ||
	    d->domain->tls == CONFIG_TLS_DANE_ONLY)
		return 0;
	n = keep_relaxed(d, e);
	if (n <= 0)
		return (int)n;
	log_warn("domain=%s relaxed=%ld messages say TLS-Required: No: for "
		 "them TLSA records and MTA-STS do not count",
	    d->domain->name, n);
	forget_policies(d);
	d->policy.is_relaxed = d->delivery.is_relaxed = true;
	if (find_policies(d, e) == -1)
		return -1;
	d->is_ending = d->was_open = false;
	rc = hand_over_all(d, e);
	d->was_open = was_open;
	if (d->r->end == DRAIN_DONE && d->r->left > 0)
		d->r->end = DRAIN_PRIMARY_DOWN;
	return rc;
}

/* What time has made fail. */
static void
settle(struct drain *d, const struct ageing *ageing)
{
	d->r->refused += ageing->failed;
	count_gone(d, ageing->gone);
	drop(d);
	sync_removals(d);
}

/* strict-routing: what cannot be delivered by this route is refused. */
static void
refuse_all(struct drain *d)
{
	struct ageing ageing = { .giveup = &d->giveup };
	struct spool_entry entry;

	while (work_next(&d->work, &entry))
		if (ageing_refuse(&ageing, &entry, &d->route))
			d->r->left--;
	settle(d, &ageing);
}

/* After the run, whatever became of it. */
static void
let_age(struct drain *d)
{
	struct ageing ageing = { .giveup = &d->giveup,
		.was_reached = d->was_open || d->r->end == DRAIN_STOPPED ||
			       d->r->end == DRAIN_PAUSED };
	struct err e = ERR_INIT;

	if (ageing_is_due(d->domain, d->unwanted))
		ageing_pass(&ageing);
	settle(d, &ageing);
	if (d->domain->is_unlisted &&
	    spool_domain_remove(&d->maildir, d->p->spool, &e) == -1)
		log_warn("domain=%s %s", d->domain->name, e.text);
}

/* Its mail is left alone, and counted. */
static int
pass_by(struct drain *d, struct err *e)
{
	int rc = collect(d, false, e);

	if (rc == 1)
		d->r->end = DRAIN_PAUSED;
	return rc == -1 ? -1 : 0;
}

static int
drain_locked(struct drain *d, struct err *e)
{
	const struct ageing ageing = { .giveup = &d->giveup };
	int rc;

	ageing_recover(&ageing);
	rc = collect(d, true, e);
	if (rc == 1)
		rc = find_route(d, e);
	if (rc == 0 && d->r->end == DRAIN_NO_ROUTE &&
	    ageing_is_undeliverable(d->domain, d->route.status))
		refuse_all(d);
	if (rc <= 0)
		return rc;
	if (find_policies(d, e) == -1)
		return -1;
	d->delivery.room = deliver_room(e);
	if (d->delivery.room == NULL)
		return -1;
	if (d->p->watch != NULL)
		progress_begin(&d->progress, d->p->watch, d->domain->name,
		    d->r->left);
	if (hand_over_all(d, e) == -1)
		return -1;
	return hand_over_relaxed(d, e);
}

int
drain_domain(const struct drain_params *p, const struct config_domain *domain,
    struct drain_report *r, struct err *e)
{
	int64_t begun_ms = clock_monotonic_ms();
	struct drain d;
	int rc;

	drain_init(&d, p, domain, r);
	rc = spool_domain_open(&d.maildir, p->spool, domain->name,
	    domain->is_unlisted, e); /* others remove it when it is empty */
	if (rc == 1) {
		rc = spool_domain_lock(&d.maildir, e);
		if (rc == 0)
			r->end = DRAIN_BUSY;
	}
	if (rc == 1 && is_paused(&d)) {
		rc = pass_by(&d, e);
	} else if (rc == 1) {
		rc = drain_locked(&d, e);
		if (rc != -1)
			let_age(&d);
	}
	drain_free(&d);
	r->elapsed_ms = clock_monotonic_ms() - begun_ms;
	return rc == -1 ? -1 : 0;
}

const char *
drain_end_name(enum drain_end end)
{
	static const char *const names[] = { "done", "nothing", "busy",
		"paused", "no-route", "primary-down", "sessions-lost",
		"breaker", "stopped", "max" };

	return names[end];
}

/* ---- a plan ---- */

static int
plan_domain(struct drain *d, FILE *out, struct err *e)
{
	char peer[ENDPOINT_TEXT_MAX];
	struct spool_entry entry;
	int rc = collect(d, false, e);

	if (rc == 1 && is_paused(d)) {
		fprintf(out, "paused %s\n", d->domain->name);
		d->r->end = DRAIN_PAUSED;
		return 0;
	}
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
