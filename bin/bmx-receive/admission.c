#include "bmx-receive/admission.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-receive/insist.h"
#include "spool/primary.h"
#include "spool/recipients.h"
#include "spool/unverified.h"

static const char list_broken[] =
    "451 4.3.0 Cannot look up the recipient now, try later";

void
admission_init(struct admission *a, const struct config *config,
    const struct spool *spool, struct memory *memory)
{
	*a = (struct admission){
		.config = config, .memory = memory, .notes = MEMORY_NOTES_INIT
	};
	relay_init(&a->relay, config, spool);
}

void
admission_begin(struct admission *a)
{
	relay_cancel(&a->relay);
}

/* ---- memory ---- */

static void
fail_memory(struct admission *a, const struct err *why)
{
	log_alarm("%s", why->text);
	a->has_memory_failed = true;
}

static void
open_memory(struct admission *a)
{
	struct err e = ERR_INIT;

	if (a->is_memory_tried)
		return;
	a->is_memory_tried = true;
	if (memory_need(a->memory, a->config->host.state, &e) != 0)
		log_alarm("%s", e.text);
}

static enum admit_knowledge
remember(struct admission *a, const struct config_domain *domain,
    const struct addr *rcpt)
{
	const struct memory_ages ages = { domain->good_age_s,
		domain->bad_age_s };
	struct memory_fact fact;
	enum memory_answer answer = MEMORY_UNKNOWN;
	struct err e = ERR_INIT;
	int rc;

	open_memory(a);
	rc = memory_find(a->memory, domain->name, rcpt, &fact, &e);
	if (rc == -1)
		fail_memory(a, &e);
	if (rc == 1)
		answer =
		    memory_believe(&fact, &ages, clock_wall_us() / 1000000);
	return answer == MEMORY_GOOD  ? ADMIT_GOOD
	       : answer == MEMORY_BAD ? ADMIT_BAD
				      : ADMIT_UNKNOWN;
}

void
admission_free(struct admission *a)
{
	struct err e = ERR_INIT;

	relay_free(&a->relay);
	if (a->notes.n > 0)
		open_memory(a);
	if (memory_learn_notes(&a->notes, a->memory, MEMORY_SESSION, &e) == -1)
		fail_memory(a, &e);
	if (a->has_memory_failed) /* the next session looks at it anew */
		memory_close(a->memory);
}

/* ---- what there is to know ---- */

/* -1: there is a list, and it cannot be read. */
static int
look_up(const struct config_domain *domain, const struct addr *rcpt,
    enum admit_list *answer)
{
	const char *delimiter = domain->recipient_delimiter;
	struct err e = ERR_INIT;
	int rc;

	*answer = ADMIT_NO_LIST;
	if (domain->recipients == NULL)
		return 0;
	rc = recipients_find(domain->recipients, rcpt, domain->name,
	    delimiter[1] == '\0' ? delimiter[0] : '\0', &e);
	if (rc == -1) {
		log_alarm("domain=%s error=\"%s\" mail deferred", domain->name,
		    e.text);
		return -1;
	}
	*answer = rc == 1 ? ADMIT_LISTED : ADMIT_NOT_LISTED;
	return 0;
}

/* When the primary was last up, microseconds since 1970: since then it counts
 * what was taken. */
static int64_t
last_up_us(int domain_fd)
{
	struct primary state;
	struct err e = ERR_INIT;

	primary_read(domain_fd, clock_wall_us() / 1000000, 0, &state, &e);
	return state.good_s * 1000000 + 999999; /* it is known in seconds */
}

static struct admit_count
both(struct unverified_count c)
{
	return (struct admit_count){ c.messages, c.bytes };
}

/* What cannot be counted counts as too much: it has to be bounded. The message
 * under way is not written down yet. */
static void
count(const struct admission *a, const struct config_domain *domain,
    const struct addr *rcpt, const struct admission_taken *taken,
    struct admit_question *q)
{
	static const struct admit_count too_much = { UINT64_MAX, UINT64_MAX };
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	struct unverified_count each, all;
	struct err e = ERR_INIT;
	int rc;

	q->each_max = (struct admit_count){ domain->unknown_messages,
		domain->unknown_bytes };
	q->all_max = (struct admit_count){ domain->unknown_messages_all,
		domain->unknown_bytes_all };
	rc = spool_domain_open(&dir, a->relay.spool, domain->name, false, &e);
	if (rc == 1)
		rc = unverified_count(dir.fd, last_up_us(dir.fd), rcpt, &each,
			 &all, &e) == -1
			 ? -1
			 : 1;
	spool_domain_close(&dir);
	if (rc == 1) {
		q->each = both(each);
		q->all = both(all);
	} else if (rc == -1) {
		log_alarm("domain=%s %s", domain->name, e.text);
		q->each = q->all = too_much;
		return;
	}
	q->each.messages += taken->same;
	q->all.messages += taken->unverified;
}

static bool
is_limited(const struct config_domain *domain)
{
	return domain->admit != CONFIG_ADMIT_SPOOL &&
	       domain->unknown == CONFIG_UNKNOWN_LIMITED;
}

/* Without the primary. -1: the list is broken. */
static int
find_out(struct admission *a, const struct config_domain *domain,
    const struct addr *rcpt, const struct admission_taken *taken,
    struct admit_question *q)
{
	q->is_postmaster = addr_is_postmaster(rcpt);
	if (q->is_postmaster)
		return 0;
	if (look_up(domain, rcpt, &q->list) == -1)
		return -1;
	if (q->list != ADMIT_NO_LIST)
		return 0;
	q->memory = remember(a, domain, rcpt);
	if (q->memory == ADMIT_UNKNOWN && is_limited(domain))
		count(a, domain, rcpt, taken, q);
	return 0;
}

/* admit = defer: has the client been sent there often enough? */
static bool
insists(const struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct addr *rcpt)
{
	const struct insist_key key = { env->client.addr,
		env->mail.reverse_path.text, rcpt->text };
	struct insist tries;
	struct err e = ERR_INIT;

	if (insist_note(a->config->host.state, &key, clock_wall_us() / 1000000,
		a->is_trial, &tries, &e) == -1)
		log_alarm("%s", e.text);
	return insist_is_enough(&tries, domain->defer_tries,
	    domain->defer_time_s);
}

/* ---- the decision ---- */

void
admission_log(const struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *r,
    const struct admit_decision *d)
{
	char from[ADDR_MAX * 4 + 1], to[ADDR_MAX * 4 + 1];
	char reply[SESSION_REPLY_MAX];
	bool is_theirs = d->what == ADMIT_THROUGH;

	snprintf(reply, sizeof reply, "%s", d->reply);
	log_info("domain=%s from=<%s> to=<%s> peer=%s admit=%s reason=%s "
		 "reply=\"%s\"%s",
	    domain->name,
	    text_word(from, sizeof from, env->mail.reverse_path.text),
	    text_word(to, sizeof to, r->forward_path.text),
	    env->client.addr[0] != '\0' ? env->client.addr : "pipe",
	    admit_name(d->what), d->reason, text_quotable(reply),
	    is_theirs && relay_judges_us(&a->relay) ? " judges=backup" : "");
}

static struct admit_question
ask(const struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct addr *rcpt)
{
	struct admit_question q = { .mode = domain->admit,
		.unknown = domain->unknown,
		.may_relay = relay_may(&a->relay, domain),
		.size = env->mail.size };

	if (domain->admit != CONFIG_ADMIT_SPOOL)
		q.primary = relay_primary(&a->relay, domain);
	if (domain->admit == CONFIG_ADMIT_DEFER &&
	    q.primary == ADMIT_PRIMARY_UP)
		q.insists = insists(a, domain, env, rcpt);
	return q;
}

/* False: the primary failed; *d is untouched. */
static bool
go_through(struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *r,
    struct admit_decision *d)
{
	struct admit_decision through = *d;

	if (relay_rcpt(&a->relay, domain, env, r) == RELAY_FAILED)
		return false;
	if (a->relay.is_of_rcpt)
		memory_note(&a->notes, domain->name, &r->forward_path,
		    &a->relay.said);
	through.reply = a->relay.reply;
	*d = through;
	return true;
}

void
admission_ask(struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *r,
    struct admission_look *look)
{
	struct admit_decision d;

	look->question = ask(a, domain, env, &r->forward_path);
	d = admit_decide(&look->question);
	look->is_fresh = d.what != ADMIT_THROUGH;
	if (!look->is_fresh && relay_say(&a->relay, domain, env, r))
		look->asked = d.reason;
}

struct admit_decision
admission_rcpt(struct admission *a, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *r,
    const struct admission_look *look, const struct admission_taken *taken)
{
	bool is_asked = look->asked != NULL && relay_may(&a->relay, domain);
	struct admit_question q = look->is_fresh
				      ? look->question
				      : ask(a, domain, env, &r->forward_path);
	struct admit_decision d = { ADMIT_THROUGH, false, look->asked, NULL };

	q.may_relay = q.may_relay && !taken->is_any;
	if (!is_asked)
		d = admit_decide(&q);
	if (d.what == ADMIT_THROUGH) {
		if (go_through(a, domain, env, r, &d))
			return d;
		q.may_relay = false;
		q.primary = ADMIT_PRIMARY_DOWN;
	}
	if (find_out(a, domain, &r->forward_path, taken, &q) == -1)
		return (struct admit_decision){ ADMIT_DEFER, false,
			"list-broken", list_broken };
	return admit_decide(&q);
}

void
admission_spooled(const struct spool_domain *dir,
    const struct config_domain *domain, const struct spool_msg *msg,
    const struct addr *const *unverified, size_t n)
{
	struct err e = ERR_INIT;

	if (!is_limited(domain))
		return;
	if (unverified_add(dir->fd, last_up_us(dir->fd), msg->id, msg->size,
		unverified, n, &e) == -1)
		log_alarm("id=%s domain=%s %s", msg->id, domain->name, e.text);
}
