#include "sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy_fetch.h"
#include "rules.h"
#include "session.h"

#define TARGETS_MAX 1024  /* that are remembered */
#define CONNECTIONS_MAX 5 /* of a session, each in its time */
#define DOMAIN_TIMEOUTS 3 /* after so many nothing new is begun */
#define LOOPBACK_PORT 25

/* A domain with sessions to come. */
struct work {
	TAILQ_ENTRY(work) by_policy;
	struct sessions *with;
	struct facts facts;
	size_t waiting; /* for sessions, and the policy */
	int64_t deadline_ms;
	void *arg;
};

/* A domain that waits for one session. */
struct waiter {
	TAILQ_ENTRY(waiter) next;
	struct work *work;
	struct fact_session *slot; /* to be filled */
};

TAILQ_HEAD(waiters, waiter);

/* An address under one name of its host. */
struct target {
	TAILQ_ENTRY(target) next;
	struct sessions *with;
	struct fact_addr addr;
	char host[ADDR_DOMAIN_MAX + 1];
	struct waiters waiting;
	struct waiters joined; /* that the session now running is for */
	bool has_tlsa;         /* the host has such records */
	bool is_running;
	bool is_known;
	struct fact_session known;
};

/* ---- what is wanted ---- */

static bool
wants(const struct sessions *s, enum check_id id)
{
	return !s->ignored[id];
}

static bool
wants_rcpts(const struct sessions *s)
{
	return wants(s, CHECK_POSTMASTER) || wants(s, CHECK_ABUSE) ||
	       wants(s, CHECK_RCPT_PARITY);
}

/* The policy is all that these need. */
static bool
wants_policy(const struct sessions *s)
{
	return wants(s, CHECK_STS_POLICY) || wants(s, CHECK_STS_COVERS) ||
	       wants(s, CHECK_STS_STALE) || wants(s, CHECK_STS_CERT) ||
	       wants(s, CHECK_TLS_PARITY);
}

bool
sessions_meet_hosts(const struct sessions *s)
{
	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		if (wants(s, id) && checks[id].depth >= DEPTH_SMTP &&
		    id != CHECK_STS_POLICY && id != CHECK_STS_COVERS &&
		    id != CHECK_STS_STALE)
			return true;
	}
	return false;
}

bool
sessions_are_wanted(const struct sessions *s)
{
	return sessions_meet_hosts(s) || wants_policy(s);
}

/* ---- one domain ---- */

static void
settle(struct work *w)
{
	struct sessions *s = w->with;

	if (--w->waiting > 0)
		return;
	s->under_way--;
	s->done(w->arg, &w->facts);
	free(w);
}

static void
give_up(struct fact_session *slot, const char *why)
{
	strcpy(slot->why, why);
}

static void
settle_waiter(struct waiter *k)
{
	struct work *w = k->work;

	free(k);
	settle(w);
}

/* ---- targets ---- */

static bool
is_idle(const struct target *t)
{
	return !t->is_running && TAILQ_EMPTY(&t->waiting);
}

static void
drop(struct sessions *s, struct target *t)
{
	TAILQ_REMOVE(&s->targets, t, next);
	s->ntargets--;
	free(t);
}

/* The one that was not used for longest makes room. */
static void
make_room(struct sessions *s)
{
	struct target *t;

	if (s->ntargets < TARGETS_MAX)
		return;
	TAILQ_FOREACH(t, &s->targets, next)
	{
		if (is_idle(t)) {
			drop(s, t);
			return;
		}
	}
}

static struct target *
find_target(struct sessions *s, const struct fact_addr *addr, const char *host)
{
	struct target *t;

	TAILQ_FOREACH(t, &s->targets, next)
	{
		if (fact_addr_same(&t->addr, addr) &&
		    strcmp(t->host, host) == 0)
			break;
	}
	if (t != NULL) {
		TAILQ_REMOVE(&s->targets, t, next);
	} else {
		make_room(s);
		t = calloc(1, sizeof *t);
		if (t == NULL)
			return NULL;
		t->with = s;
		t->addr = *addr;
		snprintf(t->host, sizeof t->host, "%s", host);
		TAILQ_INIT(&t->waiting);
		TAILQ_INIT(&t->joined);
		s->ntargets++;
	}
	TAILQ_INSERT_TAIL(&s->targets, t, next);
	return t;
}

static int
wait_for_session(struct sessions *s, struct work *w, struct target *t,
    struct fact_session *slot)
{
	struct waiter *k;

	if (t->is_known && !wants_rcpts(s)) {
		*slot = t->known;
		return 0;
	}
	k = calloc(1, sizeof *k);
	if (k == NULL)
		return -1;
	k->work = w;
	k->slot = slot;
	w->waiting++;
	TAILQ_INSERT_TAIL(&t->waiting, k, next);
	return 0;
}

/* Port 25 there would be our own; another port is another service. */
static bool
leads_home(const struct sessions *s, const struct fact_addr *a)
{
	struct endpoint ep;

	endpoint_from_bytes(&ep, a->bytes, a->len, s->port);
	return s->port == LOOPBACK_PORT &&
	       (endpoint_is_loopback(&ep) || endpoint_is_unspecified(&ep));
}

static int
want_address(struct sessions *s, struct work *w, struct fact_host *h, size_t i)
{
	struct fact_session *slot = calloc(1, sizeof *slot);
	struct target *t;

	h->sessions[i] = slot;
	if (slot == NULL)
		return -1;
	if (leads_home(s, &h->addrs[i])) {
		give_up(slot, "not tried: a loopback address");
		return 0;
	}
	t = find_target(s, &h->addrs[i], h->name);
	if (t == NULL)
		return -1;
	t->has_tlsa |= count_usable(h) > 0;
	return wait_for_session(s, w, t, slot);
}

static int
want_host(struct sessions *s, struct work *w, struct fact_host *h, size_t *left)
{
	size_t of_family[2] = { 0 };

	h->sessions = calloc(h->naddrs + 1, sizeof(struct fact_session *));
	if (h->sessions == NULL)
		return -1;
	for (size_t i = 0; i<h->naddrs && * left> 0; i++) {
		if (++of_family[h->addrs[i].len == 4] > SESSIONS_OF_HOST_MAX)
			continue;
		--*left;
		if (want_address(s, w, h, i) == -1)
			return -1;
	}
	return 0;
}

static int
want_hosts(struct sessions *s, struct work *w)
{
	size_t left = SESSIONS_OF_DOMAIN_MAX;
	struct facts *f = &w->facts;

	for (size_t i = 0; i < f->nhosts && sessions_meet_hosts(s); i++) {
		if (is_target(f, i) &&
		    want_host(s, w, &f->hosts[i], &left) == -1)
			return -1;
	}
	return 0;
}

/* ---- running ---- */

static void
on_session(void *arg, const void *result)
{
	const struct session_result *r = result;
	struct target *t = arg;
	struct waiters joined = TAILQ_HEAD_INITIALIZER(joined);
	struct waiter *k;
	size_t i = 0;

	t->is_running = false;
	t->is_known = r != NULL;
	if (r != NULL)
		t->known = r->session;
	TAILQ_CONCAT(&joined, &t->joined, next);
	while ((k = TAILQ_FIRST(&joined)) != NULL) {
		TAILQ_REMOVE(&joined, k, next);
		if (r == NULL) {
			give_up(k->slot, "the session was not over in time");
			k->slot->step = STEP_NONE;
		} else {
			*k->slot = r->session;
			if (i < SESSION_DOMAINS_MAX)
				k->slot->rcpts = r->rcpts[i++];
		}
		settle_waiter(k);
	}
}

static void
run_session(const void *job, void *result)
{
	session_run(job, result);
}

/* Where no recipients are asked for, one session does for any number. */
static void
join(struct target *t, struct session_job *job)
{
	struct waiter *k;

	while ((job->ndomains < SESSION_DOMAINS_MAX || !job->wants_rcpts) &&
	       (k = TAILQ_FIRST(&t->waiting)) != NULL) {
		TAILQ_REMOVE(&t->waiting, k, next);
		TAILQ_INSERT_TAIL(&t->joined, k, next);
		if (job->ndomains < SESSION_DOMAINS_MAX)
			snprintf(job->domains[job->ndomains++],
			    sizeof job->domains[0], "%s",
			    k->work->facts.domain);
	}
}

static int
start_session(struct sessions *s, struct target *t, struct err *e)
{
	struct session_job job = {
		.helo = s->helo,
		.ca_file = s->ca_file,
		.timeout_s = s->timeout_s,
		.wants_rcpts = wants_rcpts(s),
		.wants_old_tls = wants(s, CHECK_TLS_VERSION),
		.wants_inject = wants(s, CHECK_STARTTLS_INJECT),
		.wants_second = wants(s, CHECK_TLSA_MATCH) && t->has_tlsa,
	};

	endpoint_from_bytes(&job.ep, t->addr.bytes, t->addr.len, s->port);
	snprintf(job.host, sizeof job.host, "%s", t->host);
	join(t, &job);
	t->is_running = true;
	if (workers_start(&s->workers, run_session, &job,
		sizeof(struct session_result),
		CONNECTIONS_MAX * s->timeout_s + 1, on_session, t, e) == 0)
		return 0;
	on_session(t, NULL);
	return -1;
}

/* Two names of one host must not have two sessions at once either. */
static bool
is_busy(const struct sessions *s, const struct fact_addr *addr)
{
	const struct target *t;

	TAILQ_FOREACH(t, &s->targets, next)
	{
		if (t->is_running && fact_addr_same(&t->addr, addr))
			return true;
	}
	return false;
}

/* Domains that waited too long for their turn. */
static void
give_up_late(struct target *t)
{
	struct waiter *k, *next;

	for (k = TAILQ_FIRST(&t->waiting); k != NULL; k = next) {
		next = TAILQ_NEXT(k, next);
		if (clock_left_ms(k->work->deadline_ms) > 0)
			continue;
		TAILQ_REMOVE(&t->waiting, k, next);
		give_up(k->slot, "no time left for a session");
		settle_waiter(k);
	}
}

static void
on_policy(void *arg, const void *result)
{
	struct work *w = arg;

	if (result != NULL)
		memcpy(w->facts.policy, result, sizeof *w->facts.policy);
	else
		policy_fail(w->facts.policy, "the policy did not come in time");
	settle(w);
}

static int
start_policies(struct sessions *s, struct err *e)
{
	struct work *w;

	while (workers_have_room(&s->workers) &&
	       (w = TAILQ_FIRST(&s->policies)) != NULL) {
		struct policy_job job = { .timeout_s = s->timeout_s,
			.ca_file = s->ca_file,
			.dns = &s->dns };

		TAILQ_REMOVE(&s->policies, w, by_policy);
		snprintf(job.domain, sizeof job.domain, "%s", w->facts.domain);
		if (workers_start(&s->workers, policy_fetch, &job,
			sizeof(struct fact_policy), s->timeout_s + 1, on_policy,
			w, e) == -1) {
			on_policy(w, NULL);
			return -1;
		}
	}
	return 0;
}

static int
start_sessions(struct sessions *s, struct err *e)
{
	struct target *t, *next;

	for (t = TAILQ_FIRST(&s->targets); t != NULL; t = next) {
		next = TAILQ_NEXT(t, next);
		give_up_late(t);
		if (TAILQ_EMPTY(&t->waiting) || is_busy(s, &t->addr))
			continue;
		if (!workers_have_room(&s->workers))
			break;
		if (start_session(s, t, e) == -1)
			return -1;
	}
	return start_policies(s, e);
}

int
sessions_poll(struct sessions *s, int timeout_ms, struct err *e)
{
	if (start_sessions(s, e) == -1 ||
	    workers_poll(&s->workers, timeout_ms, e) == -1)
		return -1;
	return start_sessions(s, e);
}

/* ---- a domain comes in ---- */

/* The policy is looked for where TXT says that there is one. */
static int
want_policy(struct sessions *s, struct work *w)
{
	struct facts *f = &w->facts;

	if (!wants_policy(s) || (s->sts_file == NULL && f->sts.n == 0))
		return 0;
	f->policy = calloc(1, sizeof *f->policy);
	if (f->policy == NULL)
		return -1;
	if (s->sts_file != NULL) {
		policy_read(f->policy, s->sts_file);
		return 0;
	}
	w->waiting++;
	TAILQ_INSERT_TAIL(&s->policies, w, by_policy);
	return 0;
}

/* Nobody waits yet for what has failed half way. */
static void
forget(struct sessions *s, struct work *w)
{
	struct target *t;
	struct waiter *k, *next;

	TAILQ_FOREACH(t, &s->targets, next)
	{
		for (k = TAILQ_FIRST(&t->waiting); k != NULL; k = next) {
			next = TAILQ_NEXT(k, next);
			if (k->work != w)
				continue;
			TAILQ_REMOVE(&t->waiting, k, next);
			free(k);
		}
	}
	facts_free(&w->facts);
	free(w);
	s->under_way--;
}

int
sessions_start(struct sessions *s, struct facts *f, void *arg, struct err *e)
{
	struct work *w = calloc(1, sizeof *w);

	if (w == NULL) {
		facts_free(f);
		return err_temp(e, "out of memory");
	}
	w->with = s;
	w->facts = *f;
	w->arg = arg;
	w->deadline_ms = clock_monotonic_ms() +
			 (int64_t)s->timeout_s * 1000 * DOMAIN_TIMEOUTS;
	w->waiting = 1; /* ourselves */
	s->under_way++;
	if (want_hosts(s, w) == -1 || want_policy(s, w) == -1) {
		forget(s, w);
		return err_temp(e, "out of memory");
	}
	settle(w);
	return 0;
}

void
sessions_open(struct sessions *s)
{
	TAILQ_INIT(&s->targets);
	TAILQ_INIT(&s->policies);
}

/* What is under way stays with its owner: this is the end of the run. */
void
sessions_close(struct sessions *s)
{
	struct target *t;
	struct waiter *k;

	workers_close(&s->workers);
	while ((t = TAILQ_FIRST(&s->targets)) != NULL) {
		TAILQ_CONCAT(&t->waiting, &t->joined, next);
		while ((k = TAILQ_FIRST(&t->waiting)) != NULL) {
			TAILQ_REMOVE(&t->waiting, k, next);
			free(k);
		}
		drop(s, t);
	}
}
