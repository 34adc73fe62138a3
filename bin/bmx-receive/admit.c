#include "bmx-receive/admit.h"

#include <stddef.h>

static const char rcpt_ok[] = "250 2.1.5 Recipient OK";
static const char nobody[] = "550 5.1.1 No such recipient here";
static const char go_to_primary[] =
    "451 4.3.2 The primary mail server is up, send it there";
static const char come_later[] =
    "451 4.3.2 The primary mail server is away, and whether this recipient "
    "exists only it knows; try later";

static struct admit_decision
spool(const char *reason, bool is_unverified)
{
	return (struct admit_decision){ ADMIT_SPOOL, is_unverified, reason,
		rcpt_ok };
}

static struct admit_decision
refuse(const char *reason)
{
	return (struct admit_decision){ ADMIT_REFUSE, false, reason, nobody };
}

static struct admit_decision
defer(const char *reason, const char *reply)
{
	return (struct admit_decision){ ADMIT_DEFER, false, reason, reply };
}

/* One more message would be too much. */
static bool
is_full(const struct admit_count *now, const struct admit_count *max,
    uint64_t size)
{
	return now->messages >= max->messages || now->bytes >= max->bytes ||
	       size > max->bytes - now->bytes;
}

static struct admit_decision
decide_unknown(const struct admit_question *q)
{
	if (q->mode == CONFIG_ADMIT_SPOOL ||
	    q->unknown == CONFIG_UNKNOWN_ACCEPT)
		return spool("unknown", true);
	if (q->unknown == CONFIG_UNKNOWN_DEFER)
		return defer("unknown", come_later);
	if (is_full(&q->each, &q->each_max, q->size))
		return defer("unknown-limit", come_later);
	if (is_full(&q->all, &q->all_max, q->size))
		return defer("unknown-limit-all", come_later);
	return spool("unknown", true);
}

/* The primary is to be asked: why? NULL: it is not. */
static const char *
ask_because(const struct admit_question *q)
{
	bool is_up = q->primary == ADMIT_PRIMARY_UP;

	if (!q->may_relay || q->primary == ADMIT_PRIMARY_DOWN)
		return NULL;
	if (q->mode == CONFIG_ADMIT_DEFER)
		return is_up && q->insists ? "insists" : NULL;
	if (q->mode == CONFIG_ADMIT_THROUGH)
		return is_up ? "primary-up" : "primary-unknown";
	return NULL;
}

struct admit_decision
admit_decide(const struct admit_question *q)
{
	const char *because = ask_because(q);

	if (because != NULL)
		return (struct admit_decision){ ADMIT_THROUGH, false, because,
			NULL };
	if (q->mode == CONFIG_ADMIT_DEFER && q->primary == ADMIT_PRIMARY_UP &&
	    !q->insists)
		return defer("primary-up", go_to_primary);
	if (q->is_postmaster)
		return spool("postmaster", false);
	if (q->list == ADMIT_LISTED)
		return spool("listed", false);
	if (q->list == ADMIT_NOT_LISTED)
		return refuse("not-listed");
	if (q->memory == ADMIT_GOOD)
		return spool("known", false);
	if (q->memory == ADMIT_BAD)
		return refuse("known-bad");
	return decide_unknown(q);
}

const char *
admit_name(enum admit_what what)
{
	static const char *const names[] = { "through", "spool", "refuse",
		"defer" };

	return names[what];
}

enum admit_primary
admit_primary(const struct primary *p, int64_t now_s)
{
	int64_t age_s = now_s - p->probed_s;
	bool was_away = p->last == PRIMARY_DOWN || p->last == PRIMARY_DEFERRING;

	if (was_away && age_s >= 0 && age_s < ADMIT_AWAY_S)
		return ADMIT_PRIMARY_DOWN;
	switch (p->verdict) {
	case PRIMARY_UP:
		return ADMIT_PRIMARY_UP;
	case PRIMARY_DEFERRING:
	case PRIMARY_DOWN:
		return ADMIT_PRIMARY_DOWN;
	case PRIMARY_UNKNOWN:
		break;
	}
	return ADMIT_PRIMARY_UNKNOWN;
}
