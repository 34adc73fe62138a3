#include "bmx-flush/deliver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-flush/retry.h"
#include "bmx-flush/unknown.h"
#include "spool/bounce.h"
#include "spool/lifetime.h"
#include "spool/memory.h"

#define PIECE_MAX (64 * 1024) /* bytes of content read at once */

/* Recipients in one transaction where LIMITS does not say: what every server
 * must take, RFC 5321 4.5.3.1.8. */
#define RCPT_MAX 100

#define MOVES_MAX 100 /* times that we run after a message that is moved */

#define REPLY_MAX (SMTP_REPLY_TEXT_MAX + 32)
#define ADDR_TEXT_MAX (4 * ADDR_MAX + 1) /* every byte as \xNN */

/* What this run makes of a recipient. */
enum fate {
	FATE_SETTLED, /* in an earlier run */
	FATE_OPEN,    /* to be asked */
	FATE_TAKEN,   /* 2yz */
	FATE_LATER,   /* 4yz */
	FATE_REFUSED, /* 5yz */
};

struct delivery_room {
	struct digest digest; /* of the content that was sent */
	enum fate fate[ENVELOPE_RCPT_MAX];
	bool send[ENVELOPE_RCPT_MAX]; /* in this transaction */
	struct client_outcome outcome[ENVELOPE_RCPT_MAX];
	char piece[PIECE_MAX];
};

/* One message under way. */
struct handover {
	struct delivery *d;
	struct delivery_room *room;
	struct spool_entry *entry;
	struct spool_file file;
	bool is_again;         /* see deliver.h */
	unsigned transactions; /* begun with it */
	int64_t last_wait_s;   /* see retry.h */
	bool is_unknown;       /* the reply to a final dot was lost */
	unsigned times;        /* that it was, see unknown.h */
	struct deliver_result *r;
};

struct delivery_room *
deliver_room(struct err *e)
{
	struct delivery_room *room = calloc(1, sizeof *room);

	if (room == NULL)
		err_temp(e, "out of memory");
	return room;
}

void
deliver_room_free(struct delivery_room *room)
{
	free(room);
}

/* ---- words for log and notes ---- */

static char *
reply_line(char out[REPLY_MAX], const struct smtp_reply *reply)
{
	snprintf(out, REPLY_MAX, "%d%s%s%s%s", reply->code,
	    *reply->enhanced == '\0' ? "" : " ", reply->enhanced,
	    *reply->text == '\0' ? "" : " ", reply->text);
	return text_quotable(out);
}

static const char *
fate_name(enum fate fate)
{
	switch (fate) {
	case FATE_TAKEN:
		return "delivered";
	case FATE_REFUSED:
		return "refused";
	case FATE_SETTLED:
	case FATE_OPEN:
	case FATE_LATER:
		break;
	}
	return "deferred";
}

static bool
is_there(const struct spool_file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && st.st_nlink > 0;
}

/* One recipient's outcome, to the log, and where the message stays to its
 * own file. more is "" or ends in a blank. */
static void
tell(struct handover *h, size_t i, bool stays, const char *more,
    const char *reply)
{
	char to[ADDR_TEXT_MAX];
	const char *what = fate_name(h->room->fate[i]);

	text_word(to, sizeof to, h->file.env.rcpts[i].addr.text);
	log_info("id=%s to=<%s> %s %speer=%s reply=\"%s\"", h->entry->id, to,
	    what, more, h->d->client->peer, reply);
	if (stays && is_there(&h->file)) /* its log went with it */
		spool_note(h->d->maildir, h->entry->id,
		    "to=<%s> %s %speer=%s reply=\"%s\"", to, what, more,
		    h->d->client->peer, reply);
}

/* ---- recipients ---- */

static size_t
count_fate(const struct handover *h, enum fate fate)
{
	size_t n = 0;

	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		n += h->room->fate[i] == fate;
	return n;
}

/*
 * Who is to be asked: those that are pending. When nobody is and the message
 * is not held, the operator released it: then those that failed.
 */
static void
find_open(struct handover *h)
{
	const struct envelope *env = &h->file.env;
	bool some_wait = envelope_pending(env) > 0;

	for (size_t i = 0; i < env->nrcpt; i++) {
		enum rcpt_state state = env->rcpts[i].state;
		bool is_wanted =
		    some_wait ? rcpt_waits(state)
			      : state == RCPT_FAILED || state == RCPT_UNWANTED;

		h->room->fate[i] = is_wanted ? FATE_OPEN : FATE_SETTLED;
		h->room->outcome[i] = (struct client_outcome){ false };
	}
}

/* Choose the recipients of the next transaction; their number. */
static unsigned
pick(struct handover *h)
{
	unsigned max = h->d->client->offer.rcpt_max, n = 0;

	if (max == 0)
		max = RCPT_MAX;
	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		h->room->send[i] = n < max && h->room->fate[i] == FATE_OPEN;
		if (!h->room->send[i])
			continue;
		h->room->outcome[i] = (struct client_outcome){ false };
		n++;
	}
	return n;
}

/* Nobody is left who does not have it. */
static bool
is_complete(const struct handover *h)
{
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->fate[i] != FATE_TAKEN &&
		    h->file.env.rcpts[i].state != RCPT_DELIVERED &&
		    h->file.env.rcpts[i].state != RCPT_BOUNCED)
			return false;
	return true;
}

/* ---- one transaction ---- */

/* Not all of the content could be sent. A primary that refused it for good by
 * then, and left, has judged those whom it had accepted. */
static void
heed_refusal(struct handover *h)
{
	const struct smtp_reply *reply = &h->d->client->reply;
	struct client_outcome *o = h->room->outcome;

	if (!smtp_reply_permanent(reply))
		return;
	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		if (!h->room->send[i] || !o[i].accepted)
			continue;
		o[i].reply = *reply;
		o[i].is_final = true;
		o[i].is_of_rcpt = false;
	}
}

static int
send_content(struct handover *h, struct err *e)
{
	struct spool_file *f = &h->file;
	uint64_t at = f->content;

	digest_begin(&h->room->digest);
	while (at < f->size) {
		ssize_t got;

		/* not behind the last piece: the server may have it all */
		if (*h->d->stop)
			return err_temp(e, "stopped by a signal");
		got = spool_file_read(f, at, h->room->piece, PIECE_MAX, e);
		if (got == -1)
			return err_prefix(e, "%s", h->entry->name);
		if (client_send(h->d->client, h->room->piece, (size_t)got, e) ==
		    -1) {
			h->r->was_session_lost = e->class != ERR_DATA;
			if (h->r->was_session_lost)
				heed_refusal(h);
			return -1;
		}
		digest_add(&h->room->digest, h->room->piece, (size_t)got);
		at += (uint64_t)got;
	}
	return 0;
}

/* The primary has it: this line is what proves it later. */
static void
enter_in_ledger(struct handover *h, unsigned nrcpt, const char *reply)
{
	char digest[DIGEST_HEX_MAX];
	const struct ledger_line line = {
		.id = h->entry->id,
		.domain = h->d->domain->name,
		.what = "delivered",
		.size = h->file.size - h->file.content,
		.sender = h->file.env.mail.reverse_path.text,
		.nrcpt = nrcpt,
		.peer = h->d->client->peer,
		.digest = digest_hex(&h->room->digest, digest),
		.reply = reply,
		.arrival_us = h->file.env.arrival_us,
	};
	struct err e = ERR_INIT;

	if (ledger_append(&h->d->ledger, h->d->spool, &line, clock_wall_us(),
		&e) == -1)
		log_alarm("id=%s ledger: %s", h->entry->id, e.text);
}

/* RFC 5321 4.5.3.1.10: "too many recipients" is about this transaction, not
 * about the recipient: the next one may take it. */
static bool
is_too_many(const struct client_outcome *o)
{
	return !o->is_final && o->reply.code == 452 &&
	       (*o->reply.enhanced == '\0' ||
		   strcmp(o->reply.enhanced + 1, ".5.3") == 0);
}

static enum fate
judge(const struct handover *h, size_t i, bool some_accepted)
{
	const struct smtp_reply *reply = &h->room->outcome[i].reply;

	if (smtp_reply_ok(reply))
		return FATE_TAKEN;
	if (smtp_reply_permanent(reply))
		return FATE_REFUSED;
	if (some_accepted && is_too_many(&h->room->outcome[i]))
		return FATE_OPEN;
	return FATE_LATER;
}

/* What was said about a recipient is its end: the reply to the content, or,
 * also when the session breaks after it, a refusal for good (see client.h). */
static bool
stands(const struct handover *h, size_t i)
{
	const struct client_outcome *o = &h->room->outcome[i];

	return o->is_final || (!o->accepted && smtp_reply_permanent(&o->reply));
}

/* What a reply says of the recipient: that to RCPT, a 2yz to the content, and
 * of servers that look the recipient up only then, a refusal with an enhanced
 * code of that (see memory_judge()) when there was one recipient. */
static void
note_recipient(const struct handover *h, size_t i, size_t accepted)
{
	const struct client_outcome *o = &h->room->outcome[i];

	if (o->is_of_rcpt || smtp_reply_ok(&o->reply) ||
	    (o->is_final && accepted == 1 && o->reply.enhanced[0] != '\0'))
		memory_note(h->d->notes, h->d->domain->name,
		    &h->file.env.rcpts[i].addr, &o->reply);
}

static void
note_recipients(const struct handover *h)
{
	size_t accepted = 0;

	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		accepted += h->room->send[i] && h->room->outcome[i].accepted;
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->send[i])
			note_recipient(h, i, accepted);
}

/* Sort the recipients by their replies: those that stand when the session was
 * lost, else all. some_accepted: content was sent. */
static void
conclude(struct handover *h, bool was_lost, bool some_accepted)
{
	const struct client_outcome *o = h->room->outcome;
	const struct smtp_reply *proof = NULL;
	char reply[REPLY_MAX];
	unsigned taken = 0;
	bool stays;

	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		if (!h->room->send[i] || (was_lost && !stands(h, i)))
			continue;
		h->room->fate[i] = judge(h, i, some_accepted);
		if (h->room->fate[i] == FATE_TAKEN) {
			proof = &o[i].reply;
			taken++;
		}
		if (h->room->fate[i] == FATE_REFUSED)
			h->r->refusal = o[i].reply;
	}
	if (taken > 0)
		enter_in_ledger(h, taken, reply_line(reply, proof));
	note_recipients(h);
	h->r->was_taken = h->r->was_taken || taken > 0;
	h->r->was_deferred = count_fate(h, FATE_LATER) > 0;
	stays = !is_complete(h);
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->send[i] && h->room->fate[i] != FATE_OPEN)
			tell(h, i, stays, "", reply_line(reply, &o[i].reply));
}

/* It was accepted, and whether the message came through only the server
 * knows. */
static bool
is_unknown(const struct handover *h, size_t i)
{
	return h->is_unknown && h->room->outcome[i].accepted;
}

/* LMTP: some of the replies to the content came. */
static bool
is_partly_final(const struct handover *h)
{
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->send[i] && h->room->outcome[i].is_final)
			return true;
	return false;
}

/* Those of whom nothing stands. The count is read before their lines are
 * written: of many recipients they may drive its last line out of the log. */
static void
tell_lost(struct handover *h, const char *why)
{
	const struct spool_domain *maildir = h->d->maildir;

	if (h->is_unknown)
		h->times = unknown_before(maildir, h->entry->id) + 1;
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->send[i] && !stands(h, i))
			tell(h, i, true,
			    is_unknown(h, i) ? "state=unknown " : "", why);
	if (h->is_unknown && is_there(&h->file))
		spool_note(maildir, h->entry->id, "unknown=%u", h->times);
}

/* The session ended in the transaction, e says why. */
static void
session_lost(struct handover *h, const struct err *e)
{
	char why[REPLY_MAX];
	bool is_open = h->is_unknown || is_partly_final(h);
	bool is_innocent =
	    h->r->was_session_lost && h->transactions <= 1 && !h->is_again &&
	    (h->transactions == 0 || h->d->client->transactions > 1);

	h->r->is_session_over = true;
	text_safe(why, sizeof why, e->text);
	text_quotable(why);
	if (!is_open && (*h->d->stop || is_innocent)) {
		h->r->what = DELIVER_UNTOUCHED;
		log_info("id=%s untouched reply=\"%s\"", h->entry->id, why);
		return;
	}
	h->r->what = DELIVER_DEFERRED;
	if (!h->r->was_session_lost)
		log_alarm("id=%s %s", h->entry->id, why);
	conclude(h, true, true);
	tell_lost(h, why);
}

/*
 * The end of the content and its reply. A signal waits so long: to leave now would be
 * to send the message again.
 */
static int
end_content(struct handover *h, struct err *e)
{
	int64_t begun_ms = clock_monotonic_ms();
	sigset_t signals, before;
	int rc;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, &before);
	rc = client_finish(h->d->client, e);
	if (rc == -1 && e->class != ERR_DATA)
		heed_refusal(h);
	if (rc == 0 && h->d->on_wait != NULL)
		h->d->on_wait(h->d->arg);
	if (rc == 0)
		rc = client_end(h->d->client, &h->is_unknown, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	h->r->wait_ms = clock_monotonic_ms() - begun_ms;
	return rc;
}

/* Another session, where this one is of no use for the message. */
static int
renew_session(struct handover *h, struct err *e)
{
	struct client *c = h->d->client;

	if (!client_is_spent(c, &h->file.env.client))
		return 0;
	client_quit(c);
	if (policy_session(h->d->hop, c, c->params, e) == -1)
		return -1;
	pick(h); /* it may take more or fewer recipients at once */
	return 0;
}

/*
 * One transaction with the chosen recipients. 0: it came to its end; -1: the
 * session is over, and *e says why (ERR_DATA: the message is damaged).
 */
static int
transact(struct handover *h, struct err *e)
{
	struct client *c = h->d->client;
	struct spool_file *f = &h->file;
	long accepted;

	h->r->was_session_lost = true;
	if (renew_session(h, e) == -1 || client_expect_silence(c, e) == -1)
		return -1;
	h->transactions++;
	if (client_identity(c, &f->env.client, e) == -1)
		return -1;
	accepted = client_begin(c, &f->env, h->room->send, f->size - f->content,
	    h->room->outcome, e);
	if (accepted == -1)
		return -1;
	if (accepted > 0) {
		h->r->was_session_lost = false;
		if (send_content(h, e) == -1) {
			/* its end was not sent: the server has nothing */
			client_abort(c);
			return -1;
		}
		h->r->was_session_lost = true;
		if (end_content(h, e) == -1)
			return -1;
	}
	h->r->was_session_lost = false;
	conclude(h, false, accepted > 0);
	return 0;
}

/* ---- what the spool is told ---- */

/* What a recipient's fate makes of its state. */
static enum rcpt_state
state_after(const struct handover *h, size_t i)
{
	enum rcpt_state state = h->file.env.rcpts[i].state;
	const struct smtp_reply *reply = &h->room->outcome[i].reply;

	if (h->room->fate[i] == FATE_TAKEN)
		return RCPT_DELIVERED;
	if (h->room->fate[i] != FATE_REFUSED || state == RCPT_UNWANTED)
		return state;
	/* nobody knew of it, and now nobody will */
	if (state == RCPT_UNVERIFIED &&
	    (h->r->is_expired || memory_judge(reply) == MEMORY_BAD))
		return RCPT_UNWANTED;
	return RCPT_FAILED;
}

/* The sender wants to know of success, and the server does not tell: that is
 * recorded with the notice, or not at all. */
static void
tell_of_relay(struct handover *h)
{
	const struct bounce b = { h->d->spool, h->d->config, h->d->maildir };
	const struct client *c = h->d->client;
	bool is_taken[ENVELOPE_RCPT_MAX];
	struct bounce_order order = { .action = DSN_RELAYED,
		.is_taken = is_taken,
		.peer = c->peer,
		.next_exts = c->offer.exts };
	struct bounce_result r;
	struct err e = ERR_INIT;

	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		is_taken[i] = h->room->fate[i] == FATE_TAKEN &&
			      h->file.env.rcpts[i].state != RCPT_DELIVERED;
		if (is_taken[i])
			order.reply = &h->room->outcome[i].reply;
	}
	if (order.reply == NULL || bounce_why_not(&h->file.env, &order) != NULL)
		return;
	if (bounce_message(&b, &order, h->entry, &h->file, &r, &e) == -1)
		log_alarm("id=%s no notice of success: %s", h->entry->id,
		    e.text);
	else
		log_info("id=%s relayed notice=%s", h->entry->id, r.id);
}

/* Make the states of a message that stays durable. */
static int
record(struct handover *h, struct err *e)
{
	bool is_marked;

	tell_of_relay(h);
	if (is_complete(h))
		return 0;                    /* its removal says it all */
	is_marked = h->file.has_sync_failed; /* by the notice's marks */
	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		enum rcpt_state now = state_after(h, i);

		if (now == h->file.env.rcpts[i].state)
			continue;
		if (spool_file_mark(&h->file, i, now, e) == -1)
			return -1;
		is_marked = true;
	}
	return is_marked ? spool_file_sync(&h->file, e) : 0;
}

/* Remove it, also where the operator held or released it while it was on its
 * way: it has arrived. */
static int
remove_message(struct handover *h, struct err *e)
{
	const struct spool_domain *maildir = h->d->maildir;
	struct spool_entry moved;
	int rc = spool_remove(maildir, h->entry, e);

	h->r->what = DELIVER_DELIVERED;
	for (int i = 0; i < MOVES_MAX && rc == 0 && is_there(&h->file); i++) {
		rc = spool_find(maildir, h->entry->id, &moved, e);
		if (rc == 1)
			rc = spool_remove(maildir, &moved, e);
	}
	return rc == -1 ? -1 : 0;
}

/* rc of a rename. A copy that somebody put beside the message keeps it where
 * it is: that is an operator's to mend, and nothing to stop the others for. */
static int
moved(const struct spool_entry *entry, int rc, const struct err *e)
{
	if (rc == -1 && e->sys == EEXIST) {
		log_alarm("id=%s is there twice, remove one: %s", entry->id,
		    e->text);
		return 0;
	}
	return rc == -1 ? -1 : 0;
}

static int
defer_message(struct handover *h, struct err *e)
{
	const struct config_domain *domain = h->d->domain;
	uint32_t chance;
	int64_t wait_s;
	int rc;

	if (getrandom(&chance, sizeof chance, 0) != sizeof chance)
		chance = 0;
	wait_s =
	    retry_wait_s(h->is_unknown ? domain->retry_max_s : h->last_wait_s,
		domain->retry_min_s, domain->retry_max_s, chance);
	h->r->what = DELIVER_DEFERRED;
	log_info("id=%s next-try=%llds", h->entry->id, (long long)wait_s);
	rc = spool_defer(h->d->maildir, h->entry,
	    clock_wall_us() / 1000000 + wait_s, e);
	return moved(h->entry, rc, e);
}

static size_t
count_state(const struct handover *h, enum rcpt_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		n += h->file.env.rcpts[i].state == state;
	return n;
}

static int
hold_message(struct handover *h, struct err *e)
{
	const struct spool_domain *maildir = h->d->maildir;
	size_t n = count_state(h, RCPT_FAILED);

	h->r->what = DELIVER_REFUSED;
	if (n == 0) {
		log_info("id=%s held apart recipients=%zu: there is no such "
			 "recipient, which was not known",
		    h->entry->id, count_state(h, RCPT_UNWANTED));
		return moved(h->entry, spool_hold_apart(maildir, h->entry, e),
		    e);
	}
	log_warn("id=%s held recipients=%zu: %s; bmx-queue shows and releases "
		 "it",
	    h->entry->id, n,
	    h->r->is_expired ? "lived for too long" : "refused for good");
	return moved(h->entry, spool_hold(maildir, h->entry, e), e);
}

/* A primary that is there and says "later" for ever. What may have arrived
 * (is_unknown) is not said to be lost. */
static bool
is_expired(const struct handover *h)
{
	int64_t now_s = clock_wall_us() / 1000000;
	struct err e = ERR_INIT;
	struct lifetime life;

	if (h->is_unknown ||
	    !lifetime_may_be_over(h->entry, h->d->domain, now_s))
		return false;
	if (lifetime_of(&life, h->d->maildir->fd, &h->file.env, h->entry, now_s,
		&e) == -1) {
		log_warn("id=%s lifetime: %s", h->entry->id, e.text);
		return false;
	}
	return lifetime_is_over(&life, h->d->domain);
}

/* Who still waited has failed, by the last reply that was no success: where the
 * session broke that of RCPT may have been one. */
static int
expire_message(struct handover *h, struct err *e)
{
	static const struct smtp_reply over = { 554, "5.4.7",
		"Delivery time expired", 1 };

	h->r->is_expired = true;
	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		const struct smtp_reply *reply = &h->room->outcome[i].reply;

		if (h->room->fate[i] != FATE_LATER &&
		    h->room->fate[i] != FATE_OPEN)
			continue;
		h->room->fate[i] = FATE_REFUSED;
		if (reply->code != 0 && !smtp_reply_ok(reply))
			h->r->refusal = *reply;
	}
	if (h->r->refusal.code == 0)
		h->r->refusal = over;
	spool_note(h->d->maildir, h->entry->id, "expired");
	if (record(h, e) == -1)
		return -1;
	return hold_message(h, e);
}

/* Damaged, or sent too often: out of the way, so that the rest goes on; also
 * where it may not be moved, as another user's directory. */
static int
set_aside(struct delivery *d, struct spool_entry *entry,
    struct deliver_result *r, struct err *e)
{
	char why[REPLY_MAX];
	int rc;

	text_safe(why, sizeof why, e->text);
	log_alarm("id=%s set aside: %s", entry->id, why);
	spool_note(d->maildir, entry->id, "set aside: %s", why);
	r->what = DELIVER_SET_ASIDE;
	rc = spool_hold(d->maildir, entry, e);
	if (rc == -1 && (e->sys == EACCES || e->sys == EPERM)) {
		log_alarm("id=%s is in the way, remove it: %s", entry->id,
		    e->text);
		rc = 0;
	}
	return moved(entry, rc, e);
}

/* It cannot be opened now; who knows why. The rest goes on. */
static int
pass_over(struct spool_entry *entry, struct deliver_result *r,
    const struct err *e)
{
	log_alarm("id=%s cannot be read: %s", entry->id, e->text);
	r->what = DELIVER_DEFERRED;
	return 0;
}

/* A notice of ours has an end of its own, and no operator looks for it. */
static bool
is_sent_too_often(const struct handover *h)
{
	return h->is_unknown && !h->r->is_notice &&
	       unknown_is_enough(h->times) && is_there(&h->file);
}

static int
settle(struct handover *h, struct err *e)
{
	if (is_complete(h))
		return remove_message(h, e);
	if (count_fate(h, FATE_LATER) + count_fate(h, FATE_OPEN) == 0)
		return hold_message(h, e);
	if (is_sent_too_often(h)) {
		err_data(e,
		    "the reply to the final dot was lost %u times, and the "
		    "primary may have a copy of each: look there first",
		    h->times);
		return set_aside(h->d, h->entry, h->r, e);
	}
	if (is_expired(h))
		return expire_message(h, e);
	return defer_message(h, e);
}

/* All transactions that the message takes. */
static int
hand_over(struct handover *h, struct err *e)
{
	find_open(h);
	while (pick(h) > 0) {
		if (transact(h, e) == 0) {
			if (record(h, e) == -1)
				return -1;
			continue;
		}
		if (e->class == ERR_DATA) {
			h->r->is_session_over = true;
			return set_aside(h->d, h->entry, h->r, e);
		}
		session_lost(h, e);
		if (h->r->what == DELIVER_UNTOUCHED)
			return 0;
		if (record(h, e) == -1)
			return -1;
		break;
	}
	return settle(h, e);
}

void
deliver_open(const struct delivery *d, struct deliver_message *m)
{
	m->opened =
	    spool_file_open(&m->file, d->maildir, &m->entry, true, &m->why);
}

/* It was opened a while ago, and may have been held or removed since. */
static bool
is_in_place(const struct delivery *d, const struct deliver_message *m)
{
	struct err ignored = ERR_INIT;
	int64_t when_s;

	return spool_next_try(d->maildir, &m->entry, &when_s, &ignored) != 0;
}

int
deliver_message(struct delivery *d, struct deliver_message *m,
    struct deliver_result *r, struct err *e)
{
	struct handover h = { .d = d,
		.room = d->room,
		.entry = &m->entry,
		.file = m->file,
		.is_again = m->is_again,
		.r = r };
	struct stat st;
	int rc = 0;

	memset(r, 0, sizeof *r);
	if (m->opened == -1) {
		*e = m->why;
		return e->class == ERR_DATA ? set_aside(d, &m->entry, r, e)
					    : pass_over(&m->entry, r, e);
	}
	if (m->opened == 0)
		return 0;
	/* before the marks: they change both times */
	if (fstat(h.file.fd, &st) == 0)
		h.last_wait_s =
		    retry_last_s(m->entry.is_new, st.st_mtime, st.st_ctime);
	r->is_notice = h.file.env.notice != NULL;
	/* what else is in there waits until its domain is in bmx.conf */
	if (is_in_place(d, m) && (!d->domain->is_unlisted || r->is_notice))
		rc = hand_over(&h, e);
	spool_file_close(&h.file);
	return rc;
}
