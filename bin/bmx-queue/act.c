#include "bmx-queue/act.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-queue/giveup.h"
#include "bmx-queue/jline.h"
#include "spool/ledger.h"

#define REASON_MAX 512

/* What each act is called before and after. */
static const struct {
	const char *order, *done;
} words[] = {
	[ACT_REMOVE] = { "remove", "removed" },
	[ACT_HOLD] = { "hold", "held" },
	[ACT_RELEASE] = { "release", "released" },
	[ACT_RETRY] = { "retry", "due" },
	[ACT_BOUNCE] = { "bounce", "bounced" },
	[ACT_EXPIRE] = { "expire", "expired" },
};

bool
act_is_final(enum act act)
{
	return act == ACT_REMOVE || act == ACT_BOUNCE || act == ACT_EXPIRE;
}

static int
print_result(struct output *o, const struct spool_domain *d, const char *id,
    const char *result, struct err *e)
{
	const struct jline_pair row[] = {
		{ "id", id },
		{ "domain", d->name },
		{ "result", result },
	};

	return jline_row(o, row, sizeof row / sizeof *row, e);
}

/* It was so before, or the order is not for such a message. */
static bool
is_done(const struct act_order *order, const struct spool_entry *entry)
{
	switch (order->act) {
	case ACT_HOLD:
		return entry->is_held && entry->until_s == order->until_s;
	case ACT_RELEASE:
		return !entry->is_held;
	case ACT_RETRY:
		return entry->is_held || entry->is_new;
	case ACT_REMOVE:
	case ACT_BOUNCE:
	case ACT_EXPIRE:
		break;
	}
	return false;
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
	struct err ignored = ERR_INIT;

	*in = (struct inside){ .sender = "?", .size = entry->size };
	if (spool_file_open(&f, d, entry, false, &ignored) == 1) {
		snprintf(in->sender, sizeof in->sender, "%s",
		    f.env.mail.reverse_path.text);
		in->size = f.size - f.content;
	}
	spool_file_close(&f);
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
	if (!act_is_final(order->act))
		spool_note(d, entry->id, "action=%s uid=%lu reason=%s", done,
		    (unsigned long)order->uid, reason);
}

/* What acts on one message after the other. */
struct hand {
	const struct act_order *order;
	const struct select *s;
	const struct spool *sp;
	struct output *o;
	size_t n, busy; /* messages so far, and of them */
	struct ledger ledger;
	/* in which, on disk, are lines of the messages to remove: of those in
	 * the batch, and of the one at hand */
	bool have_lines[SELECT_BATCH], has_line;
};

/* ---- removing ----
 *
 * The ledger first: a line about a message that is still there is harmless, and
 * one that is not there is looked for in vain. One sync is for many lines.
 */

static struct ledger_line
line_of(const struct hand *h, const struct spool_domain *d,
    const struct spool_entry *entry, const struct inside *in)
{
	return (struct ledger_line){
		.id = entry->id,
		.domain = d->name,
		.what = "removed",
		.size = in->size,
		.sender = in->sender,
		.nrcpt = entry->nrcpt,
		.peer = "",
		.reply = h->order->reason,
		.arrival_us = entry->arrival_us,
	};
}

/* Where that fails, it is remove_alone()'s. */
static int
add_line(void *context, size_t at, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct hand *h = context;
	struct ledger_line line;
	struct inside in;

	look_inside(&in, d, entry);
	line = line_of(h, d, entry, &in);
	h->have_lines[at] =
	    ledger_append(&h->ledger, h->sp, &line, clock_wall_us(), e) == 0;
	return 0;
}

static int
sync_lines(void *context, struct err *e)
{
	struct hand *h = context;

	if (ledger_sync(h->sp, clock_wall_us(), e) == -1)
		memset(h->have_lines, 0, sizeof h->have_lines);
	return 0;
}

/* With a line of its own. Where there is no room for one, the message makes
 * some. */
static int
remove_alone(struct hand *h, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	struct ledger_line line;
	struct inside in;
	int rc;

	look_inside(&in, d, entry);
	line = line_of(h, d, entry, &in);
	h->has_line = ledger_add(h->sp, &line, clock_wall_us(), e) == 0;
	if (!h->has_line && e->sys != ENOSPC && e->sys != EDQUOT)
		return err_prefix(e, "ledger");
	rc = spool_remove(d, entry, e);
	if (rc == 1 && !h->has_line &&
	    ledger_add(h->sp, &line, clock_wall_us(), e) == -1)
		output_complain(h->o, e);
	return rc;
}

static int
remove_one(struct hand *h, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	return h->has_line ? spool_remove(d, entry, e)
			   : remove_alone(h, d, entry, e);
}

/* ---- all of them ---- */

static int
change(struct hand *h, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	const struct act_order *order = h->order;

	switch (order->act) {
	case ACT_REMOVE:
		return remove_one(h, d, entry, e);
	case ACT_HOLD:
		return spool_hold_until(d, entry, order->until_s, e);
	case ACT_RELEASE:
		return spool_release(d, entry, e);
	case ACT_RETRY:
		return spool_defer(d, entry, clock_wall_us() / 1000000, e);
	case ACT_BOUNCE:
	case ACT_EXPIRE:
		break; /* give_up() has them */
	}
	return 0;
}

/* What was found to be done with it, and done: for people. NULL: trouble, of
 * which *e tells. */
static const char *
change_one(struct hand *h, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	const struct act_order *order = h->order;
	int rc;

	do {
		/* what it has become meanwhile may be what nobody meant */
		if (is_done(order, entry) || !select_wants(h->s, entry))
			return "unchanged";
		rc = change(h, d, entry, e);
	} while (rc == 0 && select_follow(d, entry));
	if (rc == -1)
		return NULL;
	/* 0: delivered meanwhile, or another hand was quicker */
	return rc == 0 ? "gone" : words[order->act].done;
}

static struct giveup_order
giveup_order(const struct hand *h)
{
	return (struct giveup_order){
		.spool = h->sp,
		.config = h->order->conf,
		.s = h->s,
		.only_expired = h->order->act == ACT_EXPIRE,
		.reason = h->order->reason,
		.now_s = h->o->now_us / 1000000,
	};
}

/* The same for what a sender may have to be told of. */
static const char *
give_up(struct hand *h, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	const struct act_order *order = h->order;
	const struct giveup_order giveup = giveup_order(h);
	char reason[REASON_MAX];
	struct giveup_result r;

	if (giveup_message(&giveup, d->name, entry, &r, e) == -1)
		return NULL;
	text_safe(reason, sizeof reason, order->reason);
	switch (r.end) {
	case GIVEUP_BOUNCED:
		log_info("id=%s domain=%s action=%s notice=%s uid=%lu "
			 "reason=%s",
		    entry->id, d->name, words[order->act].done, r.notice,
		    (unsigned long)order->uid, reason);
		return words[order->act].done;
	case GIVEUP_DROPPED:
		log_info("id=%s domain=%s action=dropped no-notice=\"%s\" "
			 "uid=%lu reason=%s",
		    entry->id, d->name, r.why, (unsigned long)order->uid,
		    reason);
		return "dropped";
	case GIVEUP_NOT_MEANT:
		return "unchanged";
	case GIVEUP_BUSY:
		h->busy++;
		return "busy";
	case GIVEUP_GONE:
		break;
	}
	return "gone";
}

static const char *
remove_or_move(struct hand *h, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	const char *result = change_one(h, d, entry, e);

	if (result == words[h->order->act].done)
		record(h->order, d, entry);
	return result;
}

/* What would be done, if it would. */
static int
foresee(struct hand *h, const struct spool_domain *d, struct spool_entry *entry,
    struct err *e)
{
	const struct giveup_order giveup = giveup_order(h);
	int rc = giveup_is_meant(&giveup, d, entry, e);

	if (rc == -1)
		output_complain(h->o, e);
	if (rc != 1)
		return 0;
	h->n++;
	return print_result(h->o, d, entry->id, words[h->order->act].order, e);
}

static int
act_on_one(void *context, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct hand *h = context;
	const struct act_order *order = h->order;
	const char *result;

	if (order->dry)
		return foresee(h, d, entry, e);
	h->n++;
	if (order->act == ACT_BOUNCE || order->act == ACT_EXPIRE)
		result = give_up(h, d, entry, e);
	else
		result = remove_or_move(h, d, entry, e);
	if (result != NULL)
		return print_result(h->o, d, entry->id, result, e);
	err_prefix(e, "%s/%s is not %s", d->name, entry->id,
	    words[order->act].done);
	output_complain(h->o, e);
	return 0;
}

static int
remove_listed(void *context, size_t at, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct hand *h = context;

	h->has_line = h->have_lines[at];
	return act_on_one(h, d, entry, e);
}

static const struct select_batches removal = {
	.prepare = add_line,
	.settle = sync_lines,
	.visit = remove_listed,
};

int
act_on_messages(const struct act_order *order, const struct select *s,
    const struct spool *sp, size_t *n, struct output *o, struct err *e)
{
	struct hand h = {
		.order = order, .s = s, .sp = sp, .o = o, .ledger = LEDGER_INIT
	};
	int rc;

	if (order->act == ACT_REMOVE && !order->dry)
		rc = select_in_batches(s, sp, &removal, &h, o, e);
	else
		rc = select_in_order(s, sp, act_on_one, &h, o, e);
	ledger_close(&h.ledger);
	*n = h.n;
	if (rc == 0 && h.busy > 0) {
		err_temp(e, "%zu busy: bmx-flush has the domain; try again",
		    h.busy);
		output_complain(o, e);
	}
	return rc;
}
