#include "bmx-flush/ageing.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-flush/retry.h"
#include "spool/bounce.h"
#include "spool/ledger.h"
#include "spool/lifetime.h"

static int64_t
wall_s(void)
{
	return clock_wall_us() / 1000000;
}

static void
complain(const struct spool_entry *entry, const char *what, const struct err *e)
{
	log_alarm("id=%s %s: %s", entry->id, what, e->text);
}

/* ---- one message ---- */

/* It is gone, and the ledger, on disk, says why. */
static void
remove_message(const struct ageing *a, const struct spool_entry *entry,
    const struct spool_file *f, const char *why)
{
	const struct ledger_line line = { .id = entry->id,
		.domain = a->giveup->maildir->name,
		.what = "expired",
		.size = f->size - f->content,
		.sender = f->env.mail.reverse_path.text,
		.nrcpt = entry->nrcpt,
		.peer = "",
		.reply = why,
		.arrival_us = f->env.arrival_us };
	struct err e = ERR_INIT;

	if (ledger_add(a->giveup->spool, &line, clock_wall_us(), &e) == -1 ||
	    spool_remove(a->giveup->maildir, entry, &e) == -1)
		complain(entry, "not removed", &e);
	else
		log_warn("id=%s expired: %s", entry->id, why);
}

/* Whoever still waits has failed; the message is held, for giveup.h. -1: it
 * stays as it is. */
static int
fail_message(struct ageing *a, struct spool_entry *entry, struct spool_file *f,
    const struct deliver_result *result)
{
	const struct spool_domain *maildir = a->giveup->maildir;
	const struct smtp_reply *reply = &result->refusal;
	char to[4 * ADDR_MAX + 1];
	struct err e = ERR_INIT;
	bool has_failed = false; /* one that nobody doubted */
	int rc = 0;

	for (size_t i = 0; i < f->env.nrcpt && rc == 0; i++) {
		enum rcpt_state state = f->env.rcpts[i].state;

		has_failed =
		    has_failed || state == RCPT_PENDING || state == RCPT_FAILED;
		if (!rcpt_waits(state))
			continue;
		spool_note(maildir, entry->id,
		    "to=<%s> refused peer= reply=\"%d %s %s\"",
		    text_word(to, sizeof to, f->env.rcpts[i].addr.text),
		    reply->code, reply->enhanced, reply->text);
		rc = spool_file_mark(f, i,
		    state == RCPT_UNVERIFIED ? RCPT_UNWANTED : RCPT_FAILED, &e);
	}
	if (rc == 0)
		rc = spool_file_sync(f, &e);
	if (rc == 0)
		rc = has_failed ? spool_hold(maildir, entry, &e)
				: spool_hold_apart(maildir, entry, &e);
	if (rc == -1)
		complain(entry, "not held", &e);
	if (rc != 1)
		return rc;
	log_warn("id=%s held%s: %s", entry->id, has_failed ? "" : " apart",
	    reply->text);
	a->failed++;
	if (a->giveup->n == GIVEUP_MAX) /* it is no sign of a broken primary */
		a->gone += giveup_all(a->giveup);
	giveup_add(a->giveup, entry->id, result);
	return rc;
}

static void
tell_of_delay(const struct ageing *a, struct spool_entry *entry,
    struct spool_file *f)
{
	const struct bounce b = { a->giveup->spool, a->giveup->config,
		a->giveup->maildir };
	const struct bounce_order order = { .action = DSN_DELAYED };
	struct bounce_result r;
	struct err e = ERR_INIT;

	if (bounce_message(&b, &order, entry, f, &r, &e) == -1)
		complain(entry, "no notice of delay", &e);
	else if (r.why == NULL)
		log_info("id=%s delayed notice=%s", entry->id, r.id);
}

/* ---- which, and what ---- */

static bool
is_older(const struct spool_entry *entry, unsigned span_s, int64_t now_s)
{
	return span_s > 0 && now_s - entry->arrival_us / 1000000 >= span_s;
}

static bool
is_cap_over(const struct ageing *a, const struct spool_entry *entry,
    const struct spool_file *f, int64_t now_s)
{
	struct config_domain cap = { .lifetime_max_s =
					 a->giveup->domain->lifetime_max_s };
	struct lifetime life;
	struct err e = ERR_INIT;

	if (!is_older(entry, cap.lifetime_max_s, now_s))
		return false;
	if (lifetime_of(&life, a->giveup->maildir->fd, &f->env, entry, now_s,
		&e) == -1) {
		complain(entry, "lifetime", &e);
		return false;
	}
	return lifetime_is_over(&life, &cap);
}

static bool
is_unwanted_over(const struct ageing *a, const struct spool_entry *entry,
    const struct spool_file *f, int64_t now_s)
{
	struct lifetime life;
	struct err ignored = ERR_INIT;

	return lifetime_of(&life, a->giveup->maildir->fd, &f->env, entry, now_s,
		   &ignored) == 0 &&
	       lifetime_unwanted_is_over(&life, a->giveup->domain);
}

/* A message that waits. */
static void
age_waiting(struct ageing *a, struct spool_entry *entry, struct spool_file *f,
    int64_t now_s)
{
	const struct deliver_result over = { .what = DELIVER_REFUSED,
		.is_expired = true,
		.is_notice = f->env.notice != NULL,
		.refusal = { 554, "5.4.7", "older than lifetime-max", 1 } };

	if (is_cap_over(a, entry, f, now_s))
		fail_message(a, entry, f, &over);
	else if (!entry->is_told &&
		 is_older(entry, a->giveup->domain->delay_notice_s, now_s))
		tell_of_delay(a, entry, f);
}

/* Nobody was there: the next attempt is later each time. */
static void
defer_notice(const struct ageing *a, struct spool_entry *entry,
    const struct spool_file *f, int64_t now_s)
{
	uint32_t chance;
	struct stat st;
	struct err e = ERR_INIT;
	int64_t wait_s;

	if (fstat(f->fd, &st) == -1 ||
	    (!entry->is_new && (int64_t)st.st_mtime > now_s))
		return;
	if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		chance = 0;
	wait_s =
	    retry_wait_s(retry_last_s(entry->is_new, st.st_mtime, st.st_ctime),
		a->giveup->domain->retry_min_s, a->giveup->domain->retry_max_s,
		chance);
	if (spool_defer(a->giveup->maildir, entry, now_s + wait_s, &e) == -1)
		complain(entry, "not deferred", &e);
	else
		log_info("id=%s next-try=%llds", entry->id, (long long)wait_s);
}

static void
age_notice(const struct ageing *a, struct spool_entry *entry,
    struct spool_file *f, int64_t now_s)
{
	unsigned lifetime_s = a->giveup->config->host.notice_lifetime_s;

	if (f->env.notice == NULL)
		return;
	if (is_older(entry, lifetime_s, now_s))
		remove_message(a, entry, f,
		    "a notice older than "
		    "notice-lifetime");
	else if (!a->was_reached)
		defer_notice(a, entry, f, now_s);
}

/* By the name alone: is it worth opening? */
static bool
is_of_interest(const struct ageing *a, const struct spool_entry *entry,
    int64_t now_s)
{
	const struct config_domain *domain = a->giveup->domain;

	if (domain->is_unlisted)
		return true;
	if (entry->is_held)
		return entry->is_unwanted &&
		       is_older(entry, domain->unverified_lifetime_s, now_s);
	return is_older(entry, domain->lifetime_max_s, now_s) ||
	       (!entry->is_told &&
		   is_older(entry, domain->delay_notice_s, now_s));
}

static void
age(struct ageing *a, struct spool_entry *entry, int64_t now_s)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct err ignored = ERR_INIT; /* who opens it to send it, complains */

	if (spool_file_open(&f, a->giveup->maildir, entry, true, &ignored) != 1)
		return;
	if (a->giveup->domain->is_unlisted)
		age_notice(a, entry, &f, now_s);
	else if (!entry->is_held)
		age_waiting(a, entry, &f, now_s);
	else if (is_unwanted_over(a, entry, &f, now_s))
		remove_message(a, entry, &f,
		    "no such recipient, which was not known when it came");
	spool_file_close(&f);
}

/* ---- all ---- */

bool
ageing_is_due(const struct config_domain *domain, unsigned long unwanted)
{
	return domain->is_unlisted || domain->lifetime_max_s > 0 ||
	       domain->delay_notice_s > 0 || unwanted > 0;
}

void
ageing_pass(struct ageing *a)
{
	int64_t now_s = wall_s();
	struct spool_entry entry;
	struct spool_list list;
	struct err e = ERR_INIT;
	int rc = spool_list_open(&list, a->giveup->maildir, &e);

	while (rc != -1 && (rc = spool_list_next(&list, &entry, &e)) == 1)
		if (is_of_interest(a, &entry, now_s))
			age(a, &entry, now_s);
	spool_list_close(&list);
	if (rc == -1)
		log_alarm("domain=%s %s", a->giveup->domain->name, e.text);
}

bool
ageing_is_undeliverable(const struct config_domain *domain,
    enum route_status status)
{
	return domain->strict_routing &&
	       (status == ROUTE_NO_DOMAIN || status == ROUTE_NULL_MX ||
		   status == ROUTE_WE_ARE_BEST);
}

bool
ageing_refuse(struct ageing *a, struct spool_entry *entry,
    const struct route *route)
{
	struct deliver_result result = { .what = DELIVER_REFUSED,
		.refusal = { .code = 554, .lines = 1 } };
	struct spool_file f = SPOOL_FILE_INIT;
	struct err e = ERR_INIT;
	int rc = spool_file_open(&f, a->giveup->maildir, entry, true, &e);

	if (rc == -1)
		complain(entry, "cannot be read", &e);
	if (rc != 1)
		return rc == 0;
	result.is_notice = f.env.notice != NULL;
	snprintf(result.refusal.enhanced, sizeof result.refusal.enhanced, "%s",
	    route->status == ROUTE_NULL_MX     ? "5.1.10"
	    : route->status == ROUTE_NO_DOMAIN ? "5.1.2"
					       : "5.4.6");
	text_quoted(result.refusal.text, sizeof result.refusal.text,
	    route->why);
	rc = fail_message(a, entry, &f, &result);
	spool_file_close(&f);
	return rc != -1;
}

void
ageing_recover(const struct ageing *a)
{
	const struct bounce b = { a->giveup->spool, a->giveup->config,
		a->giveup->maildir };
	char id[SPOOL_ID_LEN + 1], name[SPOOL_PREPARED_MAX];
	struct spool_prepared list;
	struct bounce_result r;
	struct err e = ERR_INIT;
	int rc = spool_prepared_open(&list, a->giveup->maildir, &e);

	while (rc != -1 && (rc = spool_prepared_next(&list, name, &e)) == 1) {
		rc = bounce_recover(&b, name, id, &r, &e);
		if (rc == 1)
			log_warn("id=%s notice=%s: finished after a crash", id,
			    r.id);
		else if (rc == -1)
			log_alarm("notice: %s", e.text);
		rc = 0;
	}
	spool_prepared_close(&list);
	if (rc == -1)
		log_alarm("domain=%s notice: %s", a->giveup->domain->name,
		    e.text);
}
