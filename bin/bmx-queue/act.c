#include "bmx-queue/act.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "spool/ledger.h"

#define REASON_MAX 512

/* What each act is called before and after. */
static const struct {
	const char *order, *done;
} words[] = {
	[ACT_REMOVE] = { "remove", "removed" },
	[ACT_HOLD] = { "hold", "held" },
	[ACT_RELEASE] = { "release", "released" },
};

static int
print_result(struct output *o, const struct spool_domain *d, const char *id,
    const char *result, struct err *e)
{
	if (o->form == OUTPUT_JSON)
		return output_json(o,
		    json_pack("{s:s,s:s,s:s}", "id", id, "domain", d->name,
			"result", result),
		    e);
	fprintf(o->data, "%s\t%s\t%s\n", id, d->name, result);
	return 0;
}

static int
change(enum act act, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	switch (act) {
	case ACT_REMOVE:
		return spool_remove(d, entry, e);
	case ACT_HOLD:
		return spool_hold(d, entry, e);
	case ACT_RELEASE:
		return spool_release(d, entry, e);
	}
	return 0;
}

static bool
is_done(enum act act, const struct spool_entry *entry)
{
	return (act == ACT_HOLD && entry->is_held) ||
	       (act == ACT_RELEASE && !entry->is_held);
}

/* What only the file tells, read as long as there is one. */
struct inside {
	char sender[ADDR_MAX + 1]; /* "?": it cannot be read */
	uint64_t size;             /* without the envelope, when known */
};

static void
look_inside(struct inside *in, const struct spool_domain *d,
    const struct spool_entry *entry)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct err ignored;

	snprintf(in->sender, sizeof in->sender, "?");
	in->size = entry->size;
	if (spool_file_open(&f, d, entry, false, &ignored) == 1) {
		snprintf(in->sender, sizeof in->sender, "%s",
		    f.env.mail.reverse_path.text);
		in->size = f.size - f.content;
	}
	spool_file_close(&f);
}

static void
enter_in_ledger(const struct spool *sp, const struct spool_domain *d,
    const struct spool_entry *entry, const struct inside *in,
    const char *reason, struct output *o)
{
	const struct ledger_line line = {
		.id = entry->id,
		.domain = d->name,
		.what = "removed",
		.size = in->size,
		.sender = in->sender,
		.nrcpt = entry->nrcpt,
		.peer = "",
		.reply = reason,
		.arrival_us = entry->arrival_us,
	};
	struct err e = ERR_INIT;

	if (ledger_add(sp, &line, clock_wall_us(), &e) == -1)
		output_complain(o, &e);
}

/* In syslog and, while there is a message, in its own log. */
static void
record(const struct act_order *order, const struct spool_domain *d,
    const struct spool_entry *entry)
{
	const char *done = words[order->act].done;
	char reason[REASON_MAX];

	text_safe(reason, sizeof reason, order->reason);
	log_info("id=%s domain=%s size=%" PRIu64 " nrcpt=%u action=%s "
		 "uid=%lu reason=%s",
	    entry->id, d->name, entry->size, entry->nrcpt, done,
	    (unsigned long)order->uid, reason);
	if (order->act != ACT_REMOVE)
		spool_note(d, entry->id, "action=%s uid=%lu reason=%s", done,
		    (unsigned long)order->uid, reason);
}

static int
act_on_one(const struct act_order *order, const struct spool *sp,
    const struct spool_domain *d, struct spool_entry *entry, struct output *o,
    struct err *e)
{
	struct inside in = { .sender = "" };
	int rc;

	if (is_done(order->act, entry))
		return print_result(o, d, entry->id, "unchanged", e);
	do {
		if (order->act == ACT_REMOVE)
			look_inside(&in, d, entry);
		rc = change(order->act, d, entry, e);
	} while (rc == 0 && select_follow(d, entry));
	if (rc == -1) {
		output_complain(o, e);
		return 0;
	}
	if (rc == 0) /* delivered meanwhile, or another hand was quicker */
		return print_result(o, d, entry->id, "gone", e);
	record(order, d, entry);
	if (order->act == ACT_REMOVE)
		enter_in_ledger(sp, d, entry, &in, order->reason, o);
	return print_result(o, d, entry->id, words[order->act].done, e);
}

int
act_on_messages(const struct act_order *order, const struct select *s,
    const struct spool *sp, struct output *o, struct err *e)
{
	const struct spool_domain *d;
	struct spool_entry entry;
	struct select_walk walk;
	int rc;

	select_begin(&walk, s, sp);
	while ((rc = select_next(&walk, &d, &entry, e)) != 0) {
		if (rc == -1) {
			output_complain(o, e);
			continue;
		}
		rc = order->dry ? print_result(o, d, entry.id,
				      words[order->act].order, e)
				: act_on_one(order, sp, d, &entry, o, e);
		if (rc == -1)
			break;
	}
	select_end(&walk);
	return rc;
}
