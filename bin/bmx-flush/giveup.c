#include "bmx-flush/giveup.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "spool/bounce.h"
#include "spool/ledger.h"

static enum config_on_5xx
policy_for(const struct giveup *g, const struct deliver_result *result)
{
	if (result->is_notice)
		return CONFIG_ON_5XX_DROP;
	return result->is_expired ? g->domain->on_expiry : g->domain->on_5xx;
}

static bool
lacks_extension(const struct smtp_reply *reply)
{
	static const char *const lacking[] = { "5.6.3", "5.6.7", "5.7.10",
		"5.7.30" };

	for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
		if (strcmp(reply->enhanced, lacking[i]) == 0)
			return true;
	return false;
}

void
giveup_add(struct giveup *g, const char *id,
    const struct deliver_result *result)
{
	enum config_on_5xx policy = policy_for(g, result);
	bool is_held = result->what == DELIVER_REFUSED;

	if (policy == CONFIG_ON_5XX_HOLD || result->refusal.code == 0 ||
	    (!is_held && (result->what != DELIVER_DEFERRED ||
			     policy != CONFIG_ON_5XX_BOUNCE)) ||
	    (policy == CONFIG_ON_5XX_DROP && !result->is_notice &&
		lacks_extension(&result->refusal)) ||
	    g->n == GIVEUP_MAX)
		return;
	snprintf(g->list[g->n].id, sizeof g->list[g->n].id, "%s", id);
	g->list[g->n].is_held = is_held;
	g->list[g->n].is_expired = result->is_expired;
	g->list[g->n].is_bounced = policy == CONFIG_ON_5XX_BOUNCE;
	g->list[g->n].reply = result->refusal;
	g->n++;
}

/* First, and on disk: a line about a message that is still there is harmless,
 * and nothing else tells of one that is not. */
static int
enter_in_ledger(const struct giveup *g, const struct spool_entry *entry,
    const struct spool_file *f, const char *what, const char *reply,
    struct err *e)
{
	struct ledger_line line = { .id = entry->id,
		.domain = g->maildir->name,
		.what = what,
		.size = f->size - f->content,
		.sender = f->env.mail.reverse_path.text,
		.peer = "",
		.reply = reply,
		.arrival_us = f->env.arrival_us };

	for (size_t i = 0; i < f->env.nrcpt; i++)
		line.nrcpt += f->env.rcpts[i].state == RCPT_FAILED;
	return ledger_add(g->spool, &line, clock_wall_us(), e);
}

static bool
has_state(const struct envelope *env, enum rcpt_state state)
{
	for (size_t i = 0; i < env->nrcpt; i++)
		if (env->rcpts[i].state == state)
			return true;
	return false;
}

static int
drop(const struct giveup *g, struct spool_entry *entry,
    const struct spool_file *f, const char *what, const char *text,
    struct err *e)
{
	char safe[SMTP_REPLY_TEXT_MAX];
	int rc = enter_in_ledger(g, entry, f, what, text, e);

	if (rc == 0)
		rc = spool_remove(g->maildir, entry, e);
	if (rc == 1)
		log_warn("id=%s dropped reply=\"%s\"", entry->id,
		    text_quoted(safe, sizeof safe, text));
	return rc;
}

/* Recipients that nobody knew of stay, apart: their sender is not told. */
static int
bounce(const struct giveup *g, struct spool_entry *entry, struct spool_file *f,
    const char *what, const char *text, struct err *e)
{
	const struct bounce b = { g->spool, g->config, g->maildir };
	const struct bounce_order order = { .action = DSN_FAILED };
	char safe[SMTP_REPLY_TEXT_MAX];
	struct bounce_result r;

	if (!has_state(&f->env, RCPT_FAILED))
		return 0;
	if (bounce_why_not(&f->env, &order) == NULL)
		what = "bounced";
	if (enter_in_ledger(g, entry, f, what, text, e) == -1 ||
	    bounce_message(&b, &order, entry, f, &r, e) == -1)
		return -1;
	text_quoted(safe, sizeof safe, text);
	if (r.why == NULL)
		log_warn("id=%s bounced notice=%s reply=\"%s\"", entry->id,
		    r.id, safe);
	else
		log_warn("id=%s dropped no-notice=\"%s\" reply=\"%s\"",
		    entry->id, r.why, safe);
	if (!r.is_removed && entry->is_held &&
	    has_state(&f->env, RCPT_UNWANTED))
		return spool_hold_apart(g->maildir, entry, e) == -1 ? -1 : 0;
	return r.is_removed;
}

/* 1: it is gone. 0: it was gone, or somebody else has decided, or some of it
 * stays. -1. */
static int
give_up(const struct giveup *g, size_t i, struct err *e)
{
	const struct smtp_reply *reply = &g->list[i].reply;
	const char *what = g->list[i].is_expired ? "expired" : "failed";
	char text[SMTP_REPLY_TEXT_MAX + 32];
	struct spool_file f = SPOOL_FILE_INIT;
	struct spool_entry entry;
	int rc = spool_find(g->maildir, g->list[i].id, &entry, e);

	if (rc == 1 && entry.is_held != g->list[i].is_held)
		return 0;
	if (rc == 1)
		rc = spool_file_open(&f, g->maildir, &entry, true, e);
	if (rc != 1)
		return rc;
	snprintf(text, sizeof text, "%d %s%s%s", reply->code, reply->enhanced,
	    reply->enhanced[0] == '\0' ? "" : " ", reply->text);
	rc = g->list[i].is_bounced ? bounce(g, &entry, &f, what, text, e)
				   : drop(g, &entry, &f, what, text, e);
	spool_file_close(&f);
	return rc;
}

unsigned long
giveup_all(struct giveup *g)
{
	unsigned long gone = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct err e = ERR_INIT;
		int rc = give_up(g, i, &e);

		if (rc == -1)
			log_alarm("id=%s not given up: %s", g->list[i].id,
			    e.text);
		gone += rc == 1;
	}
	g->n = 0;
	return gone;
}
