#include "bmx-queue/giveup.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "spool/bounce.h"
#include "spool/ledger.h"
#include "spool/lifetime.h"

/* What the notice says; the reason is the operator's own affair. */
static const char *
reply_for(const struct giveup_order *order)
{
	return order->only_expired ? "554 5.4.7 Delivery time expired"
				   : "554 5.0.0 Given up by the postmaster";
}

static bool
is_open(enum rcpt_state state)
{
	return rcpt_waits(state) || state == RCPT_FAILED ||
	       state == RCPT_UNWANTED;
}

/* 1: it has lived for too long. */
static int
is_over(const struct giveup_order *order, const struct spool_domain *d,
    const struct spool_entry *entry, const struct spool_file *f, struct err *e)
{
	const struct config_domain *domain =
	    config_find(order->config, d->name);
	struct lifetime l;

	if (domain == NULL)
		return 0;
	if (lifetime_of(&l, d->fd, &f->env, entry, order->now_s, e) == -1)
		return -1;
	return lifetime_is_over(&l, domain);
}

int
giveup_is_meant(const struct giveup_order *order, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct spool_file f = SPOOL_FILE_INIT;
	int rc;

	if (!order->only_expired)
		return 1;
	do
		rc = spool_file_open(&f, d, entry, false, e);
	while (rc == 0 && select_follow(d, entry));
	if (rc == 1)
		rc = is_over(order, d, entry, &f, e);
	spool_file_close(&f);
	return rc;
}

/* Whoever still waits has failed, and the log has the last word on it. */
static int
fail_recipients(const struct giveup_order *order, const struct spool_domain *d,
    const struct spool_entry *entry, struct spool_file *f, struct err *e)
{
	char to[4 * ADDR_MAX + 1];

	for (size_t i = 0; i < f->env.nrcpt; i++) {
		const struct envelope_rcpt *r = &f->env.rcpts[i];

		if (!rcpt_waits(r->state))
			continue;
		spool_note(d, entry->id, "to=<%s> refused peer= reply=\"%s\"",
		    text_word(to, sizeof to, r->addr.text), reply_for(order));
		if (spool_file_mark(f, i,
			r->state == RCPT_UNVERIFIED ? RCPT_UNWANTED
						    : RCPT_FAILED,
			e) == -1)
			return -1;
	}
	return spool_file_sync(f, e);
}

/* On disk, before it is done: a line about a message that is still there is
 * harmless. */
static int
enter_in_ledger(const struct giveup_order *order, const struct spool_domain *d,
    const struct spool_entry *entry, const struct spool_file *f,
    const char *what, struct err *e)
{
	struct ledger_line line = {
		.id = entry->id,
		.domain = d->name,
		.what = what,
		.size = f->size - f->content,
		.sender = f->env.mail.reverse_path.text,
		.peer = "",
		.reply = order->reason,
		.arrival_us = f->env.arrival_us,
	};

	for (size_t i = 0; i < f->env.nrcpt; i++)
		line.nrcpt += is_open(f->env.rcpts[i].state);
	return ledger_add(order->spool, &line, clock_wall_us(), e);
}

static int
give_up(const struct giveup_order *order, const struct spool_domain *d,
    struct spool_entry *entry, struct spool_file *f, struct giveup_result *r,
    struct err *e)
{
	const struct bounce b = { order->spool, order->config, d };
	const struct bounce_order failed = { .action = DSN_FAILED };
	struct bounce_result done;
	const char *what;

	if (fail_recipients(order, d, entry, f, e) == -1)
		return -1;
	what = bounce_why_not(&f->env, &failed) == NULL ? "bounced"
	       : order->only_expired                    ? "expired"
							: "removed";
	if (enter_in_ledger(order, d, entry, f, what, e) == -1)
		return err_prefix(e, "ledger");
	if (bounce_message(&b, &failed, entry, f, &done, e) == -1)
		return -1;
	if (!done.is_removed && spool_remove(d, entry, e) == -1)
		return -1;
	r->end = done.why == NULL ? GIVEUP_BOUNCED : GIVEUP_DROPPED;
	r->why = done.why;
	snprintf(r->notice, sizeof r->notice, "%s", done.id);
	return spool_sync(d, e);
}

/* The domain is locked, and the file open. */
static int
decide(const struct giveup_order *order, const struct spool_domain *d,
    struct spool_entry *entry, struct spool_file *f, struct giveup_result *r,
    struct err *e)
{
	if (order->only_expired) {
		int rc = is_over(order, d, entry, f, e);

		r->end = GIVEUP_NOT_MEANT;
		if (rc != 1)
			return rc;
	}
	return give_up(order, d, entry, f, r, e);
}

int
giveup_message(const struct giveup_order *order, const char *domain,
    struct spool_entry *entry, struct giveup_result *r, struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct spool_file f = SPOOL_FILE_INIT;
	int rc = spool_domain_open(&d, order->spool, domain, false, e);

	*r = (struct giveup_result){ .end = GIVEUP_GONE };
	if (rc == 1 && (rc = spool_domain_lock(&d, e)) == 0)
		r->end = GIVEUP_BUSY;
	if (rc == 1) {
		do
			rc = spool_file_open(&f, &d, entry, true, e);
		while (rc == 0 && select_follow(&d, entry));
	}
	if (rc == 1 && !select_wants(order->s, entry))
		r->end = GIVEUP_NOT_MEANT;
	else if (rc == 1)
		rc = decide(order, &d, entry, &f, r, e);
	spool_file_close(&f);
	spool_domain_close(&d);
	return rc == -1 ? -1 : 0;
}
