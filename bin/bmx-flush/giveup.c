#include "bmx-flush/giveup.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "spool/ledger.h"

void
giveup_add(struct giveup *g, const char *id, const struct smtp_reply *reply)
{
	static const char *const lacking[] = { "5.6.3", "5.6.7", "5.7.30" };

	for (size_t i = 0; i < sizeof lacking / sizeof *lacking; i++)
		if (strcmp(reply->enhanced, lacking[i]) == 0)
			return;
	if (g->n == GIVEUP_MAX)
		return;
	snprintf(g->list[g->n].id, sizeof g->list[g->n].id, "%s", id);
	g->list[g->n].reply = *reply;
	g->n++;
}

/* The ledger first: a line about a message that is still there is harmless. */
static int
enter_in_ledger(const struct giveup *g, const struct spool_entry *entry,
    const char *reply, struct err *e)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct ledger_line line = { .id = entry->id,
		.domain = g->maildir->name,
		.what = "failed",
		.peer = "",
		.reply = reply };
	int rc = spool_file_open(&f, g->maildir, entry, false, e);

	if (rc != 1)
		return rc;
	line.size = f.size - f.content;
	line.sender = f.env.mail.reverse_path.text;
	line.arrival_us = f.env.arrival_us;
	for (size_t i = 0; i < f.env.nrcpt; i++)
		line.nrcpt += f.env.rcpts[i].state == RCPT_FAILED;
	rc = ledger_add(g->spool, &line, clock_wall_us(), e);
	spool_file_close(&f);
	return rc == -1 ? -1 : 1;
}

/* 1: it is gone. 0: it was gone, or is held no longer. -1. */
static int
give_up(const struct giveup *g, const char *id, const struct smtp_reply *reply,
    struct err *e)
{
	char safe[SMTP_REPLY_TEXT_MAX], text[SMTP_REPLY_TEXT_MAX + 32];
	struct spool_entry entry;
	int rc = spool_find(g->maildir, id, &entry, e);

	if (rc != 1 || !entry.is_held)
		return rc == -1 ? -1 : 0;
	snprintf(text, sizeof text, "%d %s %s", reply->code, reply->enhanced,
	    text_safe(safe, sizeof safe, reply->text));
	rc = enter_in_ledger(g, &entry, text, e);
	if (rc == 1)
		rc = spool_remove(g->maildir, &entry, e);
	if (rc == 1)
		log_warn("id=%s dropped reply=\"%s\"", id, text);
	return rc;
}

unsigned long
giveup_all(struct giveup *g)
{
	unsigned long gone = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct err e = ERR_INIT;
		int rc = give_up(g, g->list[i].id, &g->list[i].reply, &e);

		if (rc == -1)
			log_alarm("id=%s not dropped: %s", g->list[i].id,
			    e.text);
		gone += rc == 1;
	}
	g->n = 0;
	return gone;
}
