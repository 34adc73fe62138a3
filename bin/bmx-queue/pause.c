#include "bmx-queue/pause.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-queue/jline.h"
#include "spool/paused.h"

static int
print_result(struct output *o, const char *domain, const char *result,
    struct err *e)
{
	const struct jline_pair row[] = {
		{ "domain", domain },
		{ "result", result },
	};

	return jline_row(o, row, sizeof row / sizeof *row, e);
}

static bool
is_same(const struct paused *a, const struct paused *b)
{
	return a->until_s == b->until_s && strcmp(a->reason, b->reason) == 0;
}

/* 1, 0 when it was so, -1. A pause that cannot be read is written anew. */
static int
pause_one(const struct pause_order *order, const struct spool_domain *d,
    int64_t now_s, struct err *e)
{
	struct paused was, p = {
		.since_s = now_s, .until_s = order->until_s, .uid = order->uid
	};
	struct err ignored;
	int rc = paused_read(d->fd, now_s, &was, &ignored);

	text_safe(p.reason, sizeof p.reason, order->reason);
	if (rc == 1 && is_same(&was, &p))
		return 0;
	if (rc == 1)
		p.since_s = was.since_s;
	return paused_write(d->fd, &p, e) == -1 ? -1 : 1;
}

static void
record(const struct pause_order *order, const char *domain)
{
	char reason[PAUSED_REASON_MAX], until[CLOCK_RFC3339_MAX] = "";

	if (order->until_s != 0)
		clock_rfc3339(until, order->until_s * 1000000);
	log_info("domain=%s action=%s until=%s uid=%lu reason=%s", domain,
	    order->is_resume ? "resumed" : "paused", until,
	    (unsigned long)order->uid,
	    text_safe(reason, sizeof reason, order->reason));
}

/* One of bmx.conf may have no directory yet. 1, 0 when there is none, -1. */
static int
open_domain(struct spool_domain *d, const struct pause_order *order,
    const struct spool *sp, const char *name, struct err *e)
{
	bool may_create =
	    !order->is_resume && config_find(order->conf, name) != NULL;

	return spool_domain_open(d, sp, name, may_create, e);
}

static int
act_on_domain(const struct pause_order *order, const struct spool *sp,
    const char *name, struct output *o, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc = open_domain(&d, order, sp, name, e);

	if (rc == 0) {
		if (config_find(order->conf, name) != NULL)
			return print_result(o, name, "unchanged", e);
		return 0;
	}
	if (rc == 1)
		rc = order->is_resume
			 ? paused_clear(d.fd, e)
			 : pause_one(order, &d, o->now_us / 1000000, e);
	spool_domain_close(&d);
	if (rc == -1) {
		err_prefix(e, "%s", name);
		output_complain(o, e);
		return 0;
	}
	if (rc == 0)
		return print_result(o, name, "unchanged", e);
	record(order, name);
	return print_result(o, name, order->is_resume ? "resumed" : "paused",
	    e);
}

int
pause_domains(const struct pause_order *order, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e)
{
	for (size_t i = 0; i < s->ndomains; i++)
		if (act_on_domain(order, sp, s->domains[i], o, e) == -1)
			return -1;
	return 0;
}
