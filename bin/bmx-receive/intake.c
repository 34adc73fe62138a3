#include "bmx-receive/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-receive/quota.h"
#include "mail/trace.h"
#include "spool/lifetime.h"

#define INODES_MIN 100 /* the spool's disk keeps; a message needs one or two */
#define HELD_MAX (64 * 1024) /* bytes of a message without a file */

static const char sender_ok[] = "250 2.1.0 Sender OK";
static const char begun[] = "250 2.0.0 Send the message";
static const char not_ours[] = "550 5.7.1 We do not relay for that domain";
static const char domain_full[] =
    "452 4.3.1 Too much mail waits for that domain, try later";
static const char too_many_domains[] =
    "452 4.5.3 Too many domains, send the others apart";
static const char disk_full[] = "452 4.3.1 No room for the message, try later";
static const char spool_broken[] = "451 4.3.0 Cannot store mail now, try later";

void
intake_init(struct intake *in, const struct config *config,
    const struct spool *spool, struct memory *memory)
{
	*in = (struct intake){ .config = config,
		.spool = spool,
		.kept = SPOOL_DOMAIN_INIT,
		.held = BUF_INIT(HELD_MAX) };
	admission_init(&in->admission, config, spool, memory);
}

void
intake_free(struct intake *in)
{
	intake_release(in);
	spool_domain_close(&in->kept);
	admission_free(&in->admission);
}

/* ---- is there room? ---- */

static bool
is_short(const struct statvfs *fs, uint64_t bytes)
{
	uint64_t block = fs->f_frsize != 0 ? fs->f_frsize : fs->f_bsize;

	if (block != 0 && fs->f_bavail < bytes / block + 1)
		return true;
	return fs->f_files != 0 && fs->f_favail < INODES_MIN;
}

const char *
intake_mail(struct intake *in, const struct smtp_mail *mail)
{
	uint64_t needed = in->config->host.min_free;
	struct statvfs fs;

	in->ndue = 0;
	admission_begin(&in->admission);
	if (fstatvfs(in->spool->fd, &fs) == -1) {
		log_alarm("statvfs %s: %s", in->spool->path, strerror(errno));
		return spool_broken;
	}
	if (fs.f_flag & ST_RDONLY) {
		log_alarm("the spool %s is on a file system that is mounted "
			  "read-only: remount it, then look why",
		    in->spool->path);
		return spool_broken;
	}
	needed =
	    mail->size < UINT64_MAX - needed ? needed + mail->size : UINT64_MAX;
	if (is_short(&fs, needed)) {
		log_alarm("the disk of the spool %s is full: %llu blocks of "
			  "%lu bytes and %llu inodes are free, min-free is "
			  "%llu bytes",
		    in->spool->path, (unsigned long long)fs.f_bavail,
		    (unsigned long)fs.f_frsize, (unsigned long long)fs.f_favail,
		    (unsigned long long)in->config->host.min_free);
		return disk_full;
	}
	return sender_ok;
}

/* ---- is it ours? ---- */

static const struct config_domain *
find_domain(const struct intake *in, const struct addr *a)
{
	const char *domain = addr_domain(a);
	char folded[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;

	if (domain[0] == '\0')
		return in->config->ndomains > 0 ? in->config->domains : NULL;
	if (addr_fold_domain(domain, strlen(domain), folded, &e) == -1)
		return NULL;
	return config_find(in->config, folded);
}

static int
complete(struct addr *a, const struct config_domain *domain)
{
	char text[2 * ADDR_MAX];
	struct err e = ERR_INIT;

	snprintf(text, sizeof text, "%s@%s", a->text, domain->name);
	return addr_parse(text, strlen(text), a, &e);
}

/* No recipient before the nth is in its domain. */
static bool
is_new_domain(const struct intake *in, size_t n)
{
	for (size_t i = n; i-- > 0;)
		if (in->domain_of[i] == in->domain_of[n])
			return false;
	return true;
}

/* Of the n recipients before one of the domain is the spool's. Of a message
 * that the primary takes no copy for its domain is kept. */
static bool
keeps(const struct intake *in, size_t n, const struct config_domain *domain)
{
	for (size_t i = n; i-- > 0;)
		if (in->is_kept[i] && in->domain_of[i] == domain)
			return true;
	return false;
}

/* What keeps() says, and of whom nobody knows. Letters are the same in either
 * case, as in unverified.h. */
static struct admission_taken
taken_for(const struct intake *in, const struct envelope *env,
    const struct config_domain *domain, const struct addr *rcpt)
{
	struct admission_taken taken = { .unverified = 0 };

	taken.is_any = keeps(in, env->nrcpt, domain);
	for (size_t i = 0; i < env->nrcpt; i++) {
		if (!in->is_unverified[i] || in->domain_of[i] != domain)
			continue;
		taken.unverified++;
		taken.same +=
		    strcasecmp(env->rcpts[i].addr.text, rcpt->text) == 0;
	}
	return taken;
}

/* May more wait for the domain? If not, *d is why. */
static void
measure(const struct intake *in, const struct config_domain *domain,
    uint64_t size, struct admit_decision *d)
{
	struct err e = ERR_INIT;
	int rc = quota_allows(domain, in->spool, size, &e);

	if (rc == 1)
		return;
	if (rc == 0)
		log_alarm("domain=%s max-messages or max-bytes wait: mail "
			  "deferred",
		    domain->name);
	else
		log_alarm("domain=%s error=\"%s\" mail deferred", domain->name,
		    e.text);
	*d = (struct admit_decision){ ADMIT_DEFER, false,
		rc == 0 ? "quota" : "spool-broken",
		rc == 0 ? domain_full : spool_broken };
}

/* The domain of a recipient, which is completed. NULL: it is not ours. */
static const struct config_domain *
domain_for(const struct intake *in, struct addr *rcpt)
{
	const struct config_domain *domain = find_domain(in, rcpt);

	if (domain == NULL ||
	    (addr_domain(rcpt)[0] == '\0' && complete(rcpt, domain) == -1))
		return NULL;
	return domain;
}

static const char *
decide(struct intake *in, const struct envelope *env, struct smtp_rcpt *r,
    const struct admission_look *look)
{
	size_t n = env->nrcpt;
	struct admission_taken taken;
	struct admit_decision d;
	bool is_new;

	in->domain_of[n] = domain_for(in, &r->forward_path);
	if (in->domain_of[n] == NULL)
		return not_ours;
	if (n == 0)
		in->ndomains = 0;
	is_new = is_new_domain(in, n);
	if (is_new && in->ndomains == INTAKE_DOMAINS_MAX)
		return too_many_domains;
	taken = taken_for(in, env, in->domain_of[n], &r->forward_path);
	d = admission_rcpt(&in->admission, in->domain_of[n], env, r, look,
	    &taken);
	if (is_new && d.what == ADMIT_SPOOL)
		measure(in, in->domain_of[n], env->mail.size, &d);
	admission_log(&in->admission, in->domain_of[n], env, r, &d);
	in->decision = d;
	in->is_unverified[n] = d.is_unverified;
	in->is_kept[n] = d.what == ADMIT_SPOOL;
	in->ndomains += is_new && d.reply[0] == '2';
	return d.reply;
}

/* Whom the primary took we must not refuse for having too many domains. All
 * of those that it is asked for are of one domain. */
static bool
has_room_for_domains(const struct intake *in, const struct envelope *env)
{
	size_t n = env->nrcpt == 0 ? 1 : in->ndomains + 1;

	for (size_t i = 0; i < in->ndue; i++)
		n += in->due[i].asked == NULL;
	return n <= INTAKE_DOMAINS_MAX;
}

const char *
intake_rcpt(struct intake *in, const struct envelope *env, struct smtp_rcpt *r)
{
	const struct config_domain *domain = domain_for(in, &r->forward_path);
	struct admission_look look = { .asked = NULL };

	if (domain != NULL && has_room_for_domains(in, env) &&
	    !keeps(in, env->nrcpt, domain))
		admission_ask(&in->admission, domain, env, r, &look);
	if (look.asked == NULL && in->ndue == 0)
		return decide(in, env, r, &look);
	in->due[in->ndue++] = (struct intake_due){ domain, look.asked };
	return NULL;
}

/* Of those that are due none may still have to be said. */
static bool
is_all_said(const struct intake *in)
{
	for (size_t i = 0; i < in->ndue; i++)
		if (in->due[i].asked == NULL &&
		    in->due[i].domain == in->admission.relay.domain)
			return false;
	return true;
}

const char *
intake_due(struct intake *in, const struct envelope *env, struct smtp_rcpt *r,
    bool is_content_next)
{
	const struct admission_look look = { .asked = in->due[0].asked };

	if (is_content_next && is_all_said(in))
		relay_say_data(&in->admission.relay);
	in->ndue--;
	memmove(in->due, in->due + 1, in->ndue * sizeof *in->due);
	return decide(in, env, r, &look);
}

/* ---- the copies ---- */

/* The directories stay open for the next message: often it is for the same
 * domain. */
static void
drop_copy(struct intake *in, struct intake_copy *c)
{
	spool_abort(&c->msg);
	if (c->dir.fd == -1)
		return;
	spool_domain_close(&in->kept);
	in->kept = c->dir;
}

static void
drop_copies(struct intake *in)
{
	for (size_t i = 0; i < in->ncopies; i++)
		drop_copy(in, &in->copies[i]);
	free(in->copies);
	in->copies = NULL;
	in->ncopies = 0;
	buf_free(&in->held);
}

void
intake_release(struct intake *in)
{
	drop_copies(in);
	relay_cancel(&in->admission.relay);
}

/* Our own trouble, and what the client is told about it. */
static const char *
give_up(struct intake *in, const struct err *why)
{
	bool is_full =
	    why->sys == ENOSPC || why->sys == EDQUOT || why->sys == EFBIG;

	log_alarm("id=%s spool=%s error=\"%s\" not stored", in->id,
	    in->spool->path, why->text);
	drop_copies(in);
	spool_domain_close(&in->kept); /* it may be to blame */
	return is_full ? disk_full : spool_broken;
}

static struct intake_copy *
copy_for(struct intake *in, const struct config_domain *domain)
{
	static const struct spool_domain no_dir = SPOOL_DOMAIN_INIT;
	static const struct spool_msg no_msg = SPOOL_MSG_INIT;
	struct intake_copy *c = in->copies;

	while (c < in->copies + in->ncopies && c->domain != domain)
		c++;
	if (c == in->copies + in->ncopies) {
		*c = (struct intake_copy){ domain, no_dir, no_msg, 0 };
		in->ncopies++;
	}
	return c;
}

static int
make_copies(struct intake *in, size_t nrcpt, struct err *e)
{
	in->ncopies = 0;
	in->copies = calloc(in->ndomains, sizeof *in->copies);
	if (in->copies == NULL)
		return err_sys(e, "memory");
	for (size_t i = 0; i < nrcpt; i++)
		copy_for(in, in->domain_of[i])->nrcpt++;
	return 0;
}

/* Our Received field (RFC 5321 4.4), which names a recipient only when it is
 * the only one of the domain. */
static void
add_received(const struct intake *in, const struct config_domain *domain,
    struct buf *b)
{
	const struct envelope *env = in->env;
	const char *only = NULL;
	size_t n = 0;

	for (size_t i = 0; i < env->nrcpt; i++) {
		if (in->domain_of[i] == domain) {
			only = env->rcpts[i].addr.text;
			n++;
		}
	}
	trace_received(b, env, in->config->host.hostname, in->id,
	    n == 1 ? only : NULL);
}

/* What stands in front of the message: the envelope of this copy's
 * recipients, with the clocks of its domain, and our Received field. */
static int
write_head(const struct intake *in, struct intake_copy *c, struct err *e)
{
	struct buf head = BUF_INIT(ENVELOPE_MAX);
	bool keep[ENVELOPE_RCPT_MAX];
	int rc = -1;

	for (size_t i = 0; i < in->env->nrcpt; i++)
		keep[i] = in->domain_of[i] == c->domain;
	lifetime_stamp(in->env, c->dir.fd);
	if (envelope_format(in->env, keep, &head, e) == -1)
		goto out;
	add_received(in, c->domain, &head);
	if (buf_check(&head, e) == -1)
		goto out;
	rc = spool_write(&c->msg, head.data, head.len, e);
out:
	buf_free(&head);
	return rc;
}

static int
begin_copy(struct intake *in, struct intake_copy *c, struct err *e)
{
	static const struct spool_domain closed = SPOOL_DOMAIN_INIT;

	if (strcmp(in->kept.name, c->domain->name) == 0) {
		c->dir = in->kept;
		in->kept = closed;
	}
	if (spool_domain_need(&c->dir, in->spool, c->domain->name, e) == -1)
		return -1;
	if (spool_begin(&c->msg, &c->dir, in->id, c->nrcpt, e) == -1)
		return -1;
	return write_head(in, c, e);
}

static bool
is_begun(const struct intake_copy *c)
{
	return c->msg.domain != NULL;
}

/*
 * What goes to the primary needs no file while that goes well, which is the
 * rule. Its copy is begun when the relay fails, at the latest before the
 * client is answered, or when len more bytes are too many to be held.
 */
static bool
is_put_off(const struct intake *in, const struct intake_copy *c, size_t len)
{
	return relay_is_live(&in->admission.relay) &&
	       in->admission.relay.domain == c->domain &&
	       len <= in->held.max - in->held.len;
}

/* All that are not put off; len: of the content that comes next. */
static int
begin_copies(struct intake *in, size_t len, struct err *e)
{
	for (size_t i = 0; i < in->ncopies; i++) {
		struct intake_copy *c = &in->copies[i];

		if (is_begun(c) || is_put_off(in, c, len))
			continue;
		if (begin_copy(in, c, e) == -1 ||
		    spool_write(&c->msg, in->held.data, in->held.len, e) == -1)
			return -1;
		buf_free(&in->held); /* no more than one is put off */
	}
	return 0;
}

/* The primary wants content now: it begins with our Received field too.
 * Returns its refusal, or NULL. */
static const char *
begin_live(struct intake *in)
{
	struct relay *relay = &in->admission.relay;
	struct buf field = BUF_INIT(ENVELOPE_MAX);
	enum relay_result result;

	if (!relay_is_live(relay))
		return NULL;
	result = relay_begin(relay);
	if (result == RELAY_TAKEN) {
		add_received(in, relay->domain, &field);
		relay_content(relay, field.data, field.len);
		buf_free(&field);
	}
	return result == RELAY_REFUSED ? relay->reply : NULL;
}

const char *
intake_begin(struct intake *in, struct envelope *env)
{
	const char *refusal;
	struct err e = ERR_INIT;

	in->failed = false;
	in->env = env;
	env->arrival_us = clock_wall_us();
	for (size_t i = 0; i < env->nrcpt; i++)
		env->rcpts[i].state =
		    in->is_unverified[i] ? RCPT_UNVERIFIED : RCPT_PENDING;
	if (spool_new_id(in->id, env->arrival_us, &e) == -1 ||
	    make_copies(in, env->nrcpt, &e) == -1 ||
	    begin_copies(in, 0, &e) == -1)
		return give_up(in, &e);
	refusal = begin_live(in);
	if (refusal == NULL)
		return begin_copies(in, 0, &e) == -1 ? give_up(in, &e) : begun;
	drop_copies(in);
	return refusal;
}

static int
add_content(struct intake *in, const char *data, size_t len, struct err *e)
{
	bool is_held = false;

	if (begin_copies(in, len, e) == -1)
		return -1;
	for (size_t i = 0; i < in->ncopies; i++) {
		struct intake_copy *c = &in->copies[i];

		if (is_begun(c) && spool_write(&c->msg, data, len, e) == -1)
			return -1;
		is_held = is_held || !is_begun(c);
	}
	if (is_held)
		buf_add(&in->held, data, len);
	return buf_check(&in->held, e);
}

void
intake_content(struct intake *in, const char *data, size_t len)
{
	relay_content(&in->admission.relay, data, len);
	if (in->failed)
		return;
	in->failed = add_content(in, data, len, &in->why) == -1;
	if (!in->failed)
		return;
	drop_copies(in); /* give the disk back at once */
	/* the client comes again with all of it: what the primary took would be
	 * there once for each time */
	if (in->ndomains > 1)
		relay_cancel(&in->admission.relay);
}

/* ---- the end ---- */

static void
log_live(const struct intake *in, const struct config_domain *domain,
    const char *what)
{
	const struct relay *relay = &in->admission.relay;
	char from[ADDR_MAX * 4 + 1], reply[sizeof relay->reply];

	memcpy(reply, relay->reply, sizeof reply);
	log_info("id=%s domain=%s from=<%s> nrcpt=%u peer=%s reply=\"%s\"%s %s",
	    in->id, domain->name,
	    text_word(from, sizeof from, in->env->mail.reverse_path.text),
	    relay->taken, relay->client.peer, text_quotable(reply),
	    relay_judges_us(relay) ? " judges=backup" : "", what);
}

/* There are servers that look a recipient up only behind the content; of one
 * alone that says something, if it has the code for it. */
static void
note_refusal(struct intake *in, const struct config_domain *domain)
{
	const struct relay *relay = &in->admission.relay;
	const struct addr *only = NULL;

	for (size_t i = 0; i < in->env->nrcpt; i++)
		if (in->domain_of[i] == domain)
			only = &in->env->rcpts[i].addr;
	if (relay->taken == 1 && only != NULL &&
	    relay->said.enhanced[0] != '\0')
		memory_note(&in->admission.notes, domain->name, only,
		    &relay->said);
}

/* The primary has the message: the copy of its domain is not wanted. */
static void
drop_copy_of(struct intake *in, const struct config_domain *domain)
{
	for (size_t i = 0; i < in->ncopies; i++) {
		if (in->copies[i].domain != domain)
			continue;
		drop_copy(in, &in->copies[i]);
		in->copies[i] = in->copies[--in->ncopies];
		return;
	}
}

/*
 * The end of what went live. Returns the reply when that is all; NULL: there
 * are copies to commit, for other domains, or because the primary failed. A
 * refusal is for all domains: nobody has the message then.
 */
static const char *
end_live(struct intake *in)
{
	struct relay *relay = &in->admission.relay;
	const struct config_domain *domain = relay->domain;
	enum relay_result result;

	if (!relay_is_live(relay))
		return NULL;
	result = relay_end(relay);
	if (result == RELAY_FAILED) {
		if (relay->is_unknown)
			log_warn("id=%s domain=%s peer=%s state=unknown: the "
				 "primary's last reply was lost, so it may "
				 "have the message that is spooled now",
			    in->id, domain->name, relay->client.peer);
		return NULL;
	}
	log_live(in, domain, result == RELAY_TAKEN ? "relayed" : "refused");
	if (result == RELAY_REFUSED)
		note_refusal(in, domain);
	if (result == RELAY_TAKEN && in->ndomains > 1) {
		drop_copy_of(in, domain);
		return NULL;
	}
	drop_copies(in);
	return relay->reply;
}

static void
count_unverified(const struct intake *in, const struct intake_copy *c)
{
	const struct addr *rcpts[ENVELOPE_RCPT_MAX];
	size_t n = 0;

	for (size_t i = 0; i < in->env->nrcpt; i++)
		if (in->is_unverified[i] && in->domain_of[i] == c->domain)
			rcpts[n++] = &in->env->rcpts[i].addr;
	admission_spooled(&c->dir, c->domain, &c->msg, rcpts, n);
}

/* Before the primary of one domain takes the message: what can fail here of
 * the copies for the others, a full disk above all, has gone well. */
static int
settle_others(struct intake *in, struct err *e)
{
	for (size_t i = 0; i < in->ncopies; i++)
		if (in->copies[i].domain != in->admission.relay.domain &&
		    spool_settle(&in->copies[i].msg, e) == -1)
			return -1;
	return 0;
}

const char *
intake_commit(struct intake *in)
{
	struct spool_msg *msgs[INTAKE_DOMAINS_MAX];
	const char *reply;

	if (relay_is_live(&in->admission.relay) &&
	    settle_others(in, &in->why) == -1) {
		relay_cancel(&in->admission.relay);
		return give_up(in, &in->why);
	}
	reply = end_live(in);
	if (reply != NULL)
		return reply;
	if (in->failed || begin_copies(in, 0, &in->why) == -1)
		return give_up(in, &in->why);
	for (size_t i = 0; i < in->ncopies; i++)
		msgs[i] = &in->copies[i].msg;
	if (spool_commit(msgs, in->ncopies, &in->why) == -1)
		return give_up(in, &in->why);
	for (size_t i = 0; i < in->ncopies; i++)
		count_unverified(in, &in->copies[i]);
	snprintf(in->reply, sizeof in->reply, "250 2.0.0 Queued as %s", in->id);
	return in->reply;
}
