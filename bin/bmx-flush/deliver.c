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
#include "spool/ledger.h"

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
	unsigned transactions; /* begun with it */
	int64_t last_wait_s;   /* see retry.h */
	bool is_unknown;       /* the reply to a final dot was lost */
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

/* A peer's words between quotes. */
static char *
quotable(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	return text;
}

static char *
reply_line(char out[REPLY_MAX], const struct smtp_reply *reply)
{
	snprintf(out, REPLY_MAX, "%d%s%s%s%s", reply->code,
	    *reply->enhanced == '\0' ? "" : " ", reply->enhanced,
	    *reply->text == '\0' ? "" : " ", reply->text);
	return quotable(out);
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
	enum rcpt_state wanted =
	    envelope_pending(env) > 0 ? RCPT_PENDING : RCPT_FAILED;

	for (size_t i = 0; i < env->nrcpt; i++)
		h->room->fate[i] =
		    env->rcpts[i].state == wanted ? FATE_OPEN : FATE_SETTLED;
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
		    h->file.env.rcpts[i].state != RCPT_DELIVERED)
			return false;
	return true;
}

/* ---- one transaction ---- */

static int
send_content(struct handover *h, struct err *e)
{
	struct spool_file *f = &h->file;
	uint64_t at = f->content;

	digest_begin(&h->room->digest);
	while (at < f->size) {
		uint64_t left = f->size - at;
		ssize_t got = pread(f->fd, h->room->piece,
		    left < PIECE_MAX ? left : PIECE_MAX, (off_t)at);

		if (got == -1 && errno == EINTR)
			continue;
		if (got == -1)
			return err_sys(e, "read %s", h->entry->name);
		if (got == 0)
			return err_data(e, "%s: shorter than its name says",
			    h->entry->name);
		if (client_send(h->d->client, h->room->piece, (size_t)got, e) ==
		    -1) {
			h->r->was_session_lost = e->class != ERR_DATA;
			return -1;
		}
		digest_add(&h->room->digest, h->room->piece, (size_t)got);
		if (*h->d->stop)
			return err_temp(e, "stopped by a signal");
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

	if (ledger_add(h->d->spool, &line, clock_wall_us(), &e) == -1)
		log_alarm("id=%s ledger: %s", h->entry->id, e.text);
}

static const struct smtp_reply *
reply_to(const struct handover *h, size_t i)
{
	const struct client_outcome *o = &h->room->outcome[i];

	return o->accepted ? &h->d->client->reply : &o->reply;
}

/* RFC 5321 4.5.3.1.10: "too many recipients" is about this transaction, not
 * about the recipient: the next one may take it. */
static bool
is_too_many(const struct client_outcome *o)
{
	return !o->accepted && o->reply.code == 452 &&
	       (*o->reply.enhanced == '\0' ||
		   strcmp(o->reply.enhanced + 1, ".5.3") == 0);
}

static enum fate
judge(const struct handover *h, size_t i, bool some_accepted)
{
	const struct smtp_reply *reply = reply_to(h, i);

	if (smtp_reply_ok(reply))
		return FATE_TAKEN;
	if (smtp_reply_permanent(reply))
		return FATE_REFUSED;
	if (some_accepted && is_too_many(&h->room->outcome[i]))
		return FATE_OPEN;
	return FATE_LATER;
}

/* The transaction came to its end: sort the recipients by their replies. */
static void
conclude(struct handover *h, bool some_accepted)
{
	char reply[REPLY_MAX];
	unsigned taken = 0;
	bool stays;

	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		if (!h->room->send[i])
			continue;
		h->room->fate[i] = judge(h, i, some_accepted);
		taken += h->room->fate[i] == FATE_TAKEN;
		if (h->room->fate[i] == FATE_REFUSED)
			h->r->refusal = *reply_to(h, i);
	}
	if (taken > 0)
		enter_in_ledger(h, taken,
		    reply_line(reply, &h->d->client->reply));
	h->r->was_taken = h->r->was_taken || taken > 0;
	h->r->was_deferred = count_fate(h, FATE_LATER) > 0;
	stays = !is_complete(h);
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->send[i] && h->room->fate[i] != FATE_OPEN)
			tell(h, i, stays, "",
			    reply_line(reply, reply_to(h, i)));
}

/* It was accepted, and whether the message came through only the server
 * knows. */
static bool
is_unknown(const struct handover *h, size_t i)
{
	return h->is_unknown && h->room->outcome[i].accepted;
}

/* A recipient's 5yz stands, also when the session breaks after it: see
 * client.h. True if that is what became of it. */
static bool
stands(struct handover *h, size_t i)
{
	const struct client_outcome *o = &h->room->outcome[i];
	char reply[REPLY_MAX];

	if (o->accepted || !smtp_reply_permanent(&o->reply))
		return false;
	h->room->fate[i] = FATE_REFUSED;
	h->r->refusal = o->reply;
	tell(h, i, true, "", reply_line(reply, &o->reply));
	return true;
}

/* The session ended in the transaction, e says why. */
static void
session_lost(struct handover *h, const struct err *e)
{
	char why[REPLY_MAX];
	bool is_innocent = h->r->was_session_lost && h->transactions == 1 &&
			   h->d->client->transactions > 1 && !h->d->is_again;

	h->r->is_session_over = true;
	text_safe(why, sizeof why, e->text);
	quotable(why);
	if (!h->is_unknown && (*h->d->stop || is_innocent)) {
		h->r->what = DELIVER_UNTOUCHED;
		log_info("id=%s untouched reply=\"%s\"", h->entry->id, why);
		return;
	}
	h->r->what = DELIVER_DEFERRED;
	if (!h->r->was_session_lost)
		log_alarm("id=%s %s", h->entry->id, why);
	for (size_t i = 0; i < h->file.env.nrcpt; i++)
		if (h->room->send[i] && !stands(h, i))
			tell(h, i, true,
			    is_unknown(h, i) ? "state=unknown " : "", why);
}

/*
 * The final dot and its reply. A signal waits so long: to leave now would be
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
	rc = client_end(h->d->client, &h->is_unknown, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	h->r->wait_ms = clock_monotonic_ms() - begun_ms;
	return rc;
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

	h->transactions++;
	h->r->was_session_lost = true;
	if (client_identity(c, &f->env.client, e) == -1)
		return -1;
	accepted = client_begin(c, &f->env, h->room->send, f->size - f->content,
	    h->room->outcome, e);
	if (accepted == -1)
		return -1;
	if (accepted > 0) {
		h->r->was_session_lost = false;
		if (send_content(h, e) == -1) {
			/* no final dot was sent: the server has nothing */
			client_abort(c);
			return -1;
		}
		h->r->was_session_lost = true;
		if (end_content(h, e) == -1)
			return -1;
	}
	h->r->was_session_lost = false;
	conclude(h, accepted > 0);
	return 0;
}

/* ---- what the spool is told ---- */

/* Make the states of a message that stays durable. */
static int
record(struct handover *h, struct err *e)
{
	bool is_marked = false;

	if (is_complete(h))
		return 0; /* its removal says it all */
	for (size_t i = 0; i < h->file.env.nrcpt; i++) {
		enum rcpt_state state = h->file.env.rcpts[i].state, now = state;

		if (h->room->fate[i] == FATE_TAKEN)
			now = RCPT_DELIVERED;
		if (h->room->fate[i] == FATE_REFUSED)
			now = RCPT_FAILED;
		if (now == state)
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

static int
hold_message(struct handover *h, struct err *e)
{
	log_warn("id=%s held recipients=%zu: refused for good; bmx-queue "
		 "shows and releases it",
	    h->entry->id, count_fate(h, FATE_REFUSED));
	h->r->what = DELIVER_REFUSED;
	return moved(h->entry, spool_hold(h->d->maildir, h->entry, e), e);
}

/* Damaged: out of the way, so that the rest goes on. */
static int
set_aside(struct delivery *d, struct spool_entry *entry,
    struct deliver_result *r, struct err *e)
{
	char why[REPLY_MAX];

	text_safe(why, sizeof why, e->text);
	log_alarm("id=%s set aside: %s", entry->id, why);
	spool_note(d->maildir, entry->id, "set aside: %s", why);
	r->what = DELIVER_SET_ASIDE;
	return moved(entry, spool_hold(d->maildir, entry, e), e);
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

static int
settle(struct handover *h, struct err *e)
{
	if (is_complete(h))
		return remove_message(h, e);
	if (count_fate(h, FATE_LATER) + count_fate(h, FATE_OPEN) > 0)
		return defer_message(h, e);
	return hold_message(h, e);
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

int
deliver_message(struct delivery *d, struct spool_entry *entry,
    struct deliver_result *r, struct err *e)
{
	struct handover h = { .d = d,
		.room = d->room,
		.entry = entry,
		.file = SPOOL_FILE_INIT,
		.r = r };
	struct stat st;
	int rc;

	memset(r, 0, sizeof *r);
	rc = spool_file_open(&h.file, d->maildir, entry, true, e);
	if (rc == 0)
		return 0;
	if (rc == -1 && e->class == ERR_DATA)
		return set_aside(d, entry, r, e);
	if (rc == -1)
		return pass_over(entry, r, e);
	/* before the marks: they change both times */
	if (fstat(h.file.fd, &st) == 0)
		h.last_wait_s =
		    retry_last_s(entry->is_new, st.st_mtime, st.st_ctime);
	rc = hand_over(&h, e);
	spool_file_close(&h.file);
	return rc;
}
