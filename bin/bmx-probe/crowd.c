#include "bmx-probe/crowd.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-probe/state.h"
#include "mail/addr.h"
#include "net/dns.h"
#include "smtp/policy.h"
#include "smtp/route.h"

#define POLICY_TIMEOUT_MS 5000 /* for DNS and web server of MTA-STS */

/* One name on its way. */
struct job {
	bool is_done;
	char name[ADDR_DOMAIN_MAX + 1]; /* printable */
	struct probe_result result;
	struct primary state;
	struct report_row row;
};

struct run {
	const struct crowd *c;
	struct seen seen;
	pthread_mutex_t input; /* reading names, which may wait */
	pthread_mutex_t lock;  /* of all below; taken within input */
	pthread_cond_t out;    /* a row went out */
	struct job *jobs;      /* a ring: number modulo njobs */
	size_t njobs;
	size_t next_in, next_out; /* numbers */
	bool has_ended;           /* no more names, or a failure */
	bool has_failed;
	struct err e;
};

/* ---- names ---- */

/* Under the lock. */
static void
fail(struct run *r, const struct err *e)
{
	if (!r->has_failed)
		r->e = *e;
	r->has_failed = r->has_ended = true;
}

/* For a name that is none of ours the row tells why. */
static void
refuse(struct job *j, const char *name, const char *why)
{
	text_safe(j->name, sizeof j->name, name);
	j->result.code = PROBE_NOT_CONFIGURED;
	snprintf(j->result.reason, sizeof j->result.reason, "%.250s", why);
}

static void
take_name(const struct crowd *c, struct job *j, const char *name)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err why = ERR_INIT;

	if (addr_fold_domain(name, strlen(name), folded, &why) == -1) {
		refuse(j, name, why.text);
		return;
	}
	j->row.domain = config_find(c->config, folded);
	if (j->row.domain == NULL)
		refuse(j, folded, "not in bmx.conf");
	else
		snprintf(j->name, sizeof j->name, "%s", folded);
}

/* 1: j has the next name; 0: there is none; -1. Under the lock for input. */
static int
next_name(struct run *r, struct job *j, struct err *e)
{
	const struct config *config = r->c->config;
	const char *name;
	int rc;

	*j = (struct job){ .result = PROBE_RESULT_INIT, .state = PRIMARY_INIT };
	if (r->c->names != NULL) {
		rc = names_next(r->c->names, &name, e);
		if (rc == 1)
			take_name(r->c, j, name);
		return rc;
	}
	if (r->next_in == config->ndomains)
		return 0;
	j->row.domain = &config->domains[r->next_in];
	snprintf(j->name, sizeof j->name, "%s", j->row.domain->name);
	return 1;
}

/* Room for one more row; NULL: it is over. Under the lock for input. */
static struct job *
wait_for_room(struct run *r)
{
	struct job *j = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->has_ended && r->next_in - r->next_out == r->njobs)
		pthread_cond_wait(&r->out, &r->lock);
	if (!r->has_ended)
		j = &r->jobs[r->next_in % r->njobs];
	pthread_mutex_unlock(&r->lock);
	return j;
}

/* The next job; NULL at the end. */
static struct job *
take_job(struct run *r)
{
	struct err e = ERR_INIT;
	struct job *j;
	int rc = 0;

	pthread_mutex_lock(&r->input);
	j = wait_for_room(r);
	if (j != NULL)
		rc = next_name(r, j, &e);
	pthread_mutex_lock(&r->lock);
	if (rc == 1)
		r->next_in++;
	else
		r->has_ended = true;
	if (rc == -1)
		fail(r, &e);
	pthread_mutex_unlock(&r->lock);
	pthread_mutex_unlock(&r->input);
	return rc == 1 ? j : NULL;
}

/* ---- one name ---- */

static int
learn(struct run *r, struct job *j, struct err *e)
{
	const struct spool *sp = r->c->spool;
	struct report_row *row = &j->row;

	row->now_s = clock_wall_us() / 1000000;
	row->was = PRIMARY_UNKNOWN;
	if (sp == NULL) {
		state_of_result(&j->result, row->now_s, &j->state);
		return 0;
	}
	if (j->result.result != PRIMARY_UNKNOWN) {
		row->is_kept = true;
		return state_learn(sp, row->domain, &j->result, row->now_s,
		    &j->state, &row->was, e);
	}
	if (state_look(sp, row->domain, row->now_s, &j->state, e) == -1)
		return -1;
	row->was = j->state.verdict;
	return 0;
}

/* Where its state cannot be kept, nobody who reads it may rely on what was
 * seen; the other domains are no worse for it. */
static void
disbelieve(struct job *j, const struct err *why)
{
	log_alarm("domain=%s primary: %s", j->row.domain->name, why->text);
	j->row.is_kept = false;
	j->row.was = PRIMARY_UNKNOWN;
	j->state = (struct primary)PRIMARY_INIT;
	j->result.result = PRIMARY_UNKNOWN;
	j->result.code = PROBE_TROUBLE;
	snprintf(j->result.reason, sizeof j->result.reason, "%.250s",
	    why->text);
}

/* Who looks at the domain next finds its policy. The verdict is not to wait
 * for a web server, so this comes last, in what time is left. */
static void
refresh_policy(const struct run *r, const struct job *j, struct dns *dns)
{
	const struct probe_how *how = r->c->how;
	int64_t left_ms = how->timeout_s * (int64_t)1000 - j->result.total_ms;
	struct err e = ERR_INIT;

	if (how->deadline_ms > 0 && clock_left_ms(how->deadline_ms) < left_ms)
		left_ms = clock_left_ms(how->deadline_ms);
	if (!j->row.is_kept || left_ms <= 0)
		return;
	if (left_ms > POLICY_TIMEOUT_MS)
		left_ms = POLICY_TIMEOUT_MS;
	if (policy_refresh(how->host, j->row.domain, dns,
		clock_monotonic_ms() + left_ms, &e) == -1)
		log_warn("domain=%s mta-sts: %s", j->row.domain->name, e.text);
}

/* Unless it is open, or the domain needs none. MX, then addresses, one after the
 * other: half of the time for each. */
static int
need_dns(const struct crowd *c, const struct config_domain *domain,
    struct dns **dns, struct err *e)
{
	const struct config_host *host = &c->config->host;
	const struct dns_options options = {
		.servers = (const char *const *)host->resolver.word,
		.nservers = host->resolver.n,
		.deadline_ms = c->how->timeout_s * 1000 / 2,
	};

	if (*dns != NULL || !route_asks_dns(domain))
		return 0;
	*dns = dns_open(&options, e);
	return *dns == NULL ? -1 : 0;
}

static int
do_job(struct run *r, struct job *j, struct dns **dns, struct err *e)
{
	struct report_row *row = &j->row;
	struct err why = ERR_INIT;

	row->name = j->name;
	row->result = &j->result;
	row->state = &j->state;
	row->now_s = clock_wall_us() / 1000000;
	if (row->domain == NULL)
		return 0;
	if (need_dns(r->c, row->domain, dns, e) == -1)
		return -1;
	probe_domain(r->c->how, *dns, &r->seen, row->domain, &j->result);
	if (learn(r, j, &why) == -1)
		disbelieve(j, &why);
	refresh_policy(r, j, *dns);
	return 0;
}

/* Rows that are done go out as far as their turn has come. */
static void
end_job(struct run *r, struct job *j, int rc, const struct err *e)
{
	pthread_mutex_lock(&r->lock);
	if (rc == -1)
		fail(r, e);
	j->is_done = true;
	while (r->next_out < r->next_in) {
		struct job *first = &r->jobs[r->next_out % r->njobs];

		if (!first->is_done)
			break;
		if (!r->has_failed)
			r->c->emit(r->c->arg, &first->row);
		probe_result_free(&first->result);
		first->is_done = false;
		r->next_out++;
	}
	pthread_cond_broadcast(&r->out);
	pthread_mutex_unlock(&r->lock);
}

/* ---- threads ---- */

static void *
work(void *arg)
{
	struct run *r = arg;
	struct err e = ERR_INIT;
	struct dns *dns = NULL;
	struct job *j;

	while ((j = take_job(r)) != NULL)
		end_job(r, j, do_job(r, j, &dns, &e), &e);
	dns_close(dns);
	return NULL;
}

/* A worker costs as much as a probe: no more than there can be names. How many a
 * stream has is not known. */
static size_t
count_workers(const struct crowd *c)
{
	size_t n = 0;

	if (c->names == NULL)
		n = c->config->ndomains;
	else
		while (n < c->jobs && c->names->args[n] != NULL &&
		       strcmp(c->names->args[n], "-") != 0)
			n++;
	if (n >= c->jobs || (c->names != NULL && c->names->args[n] != NULL))
		return c->jobs;
	return n;
}

/* The first worker is this thread; without others it does all of it. */
static void
work_together(struct run *r)
{
	pthread_t others[CROWD_JOBS_MAX];
	size_t n = 0, wanted = count_workers(r->c);

	while (n + 1 < wanted && pthread_create(&others[n], NULL, work, r) == 0)
		n++;
	work(r);
	while (n > 0)
		pthread_join(others[--n], NULL);
}

int
crowd_run(const struct crowd *c, struct err *e)
{
	struct run r = { .c = c,
		.input = PTHREAD_MUTEX_INITIALIZER,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.out = PTHREAD_COND_INITIALIZER,
		.njobs = (size_t)c->jobs * 4,
		.e = ERR_INIT };

	r.jobs = calloc(r.njobs, sizeof *r.jobs);
	if (r.jobs == NULL)
		return err_sys(e, "probe");
	if (seen_open(&r.seen, e) == -1) {
		free(r.jobs);
		return -1;
	}
	work_together(&r);
	seen_close(&r.seen);
	free(r.jobs);
	if (r.has_failed)
		*e = r.e;
	return r.has_failed ? -1 : 0;
}
