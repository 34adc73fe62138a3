#include "bmx-receive/relay.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-receive/standing.h"
#include "smtp/policy.h"

/*
 * Seconds that one step may take, whatever it consists of; a client waits for
 * us all that time.
 */
#define CONNECT_MAX_S 10 /* to one address */
#define RCPT_MAX_S 90    /* with the connection, EHLO, TLS and MAIL */
#define DATA_MAX_S 60
#define BLOCK_MAX_S 60
#define END_MAX_S 300
#define RESET_MAX_S 10
#define DNS_MAX_MS 5000 /* for one question */

static const char ended[] =
    "421 4.4.2 The primary mail server ended the session, connect again";

static const struct smtp_reply no_reply = SMTP_REPLY_INIT;

void
relay_init(struct relay *r, const struct config *config,
    const struct spool *spool)
{
	*r = (struct relay){
		.config = config, .spool = spool, .client = CLIENT_INIT
	};
}

static void
set_deadline(struct relay *r, unsigned s)
{
	r->params.deadline_ms = clock_monotonic_ms() + (int64_t)s * 1000;
}

/* Cut it off: what was said and not answered is over. */
static void
end_session(struct relay *r)
{
	client_abort(&r->client);
	r->is_open = false;
	r->ahead = r->unheard = 0;
	r->is_data_due = false;
	r->ahead_rc = 0;
}

static void
close_session(struct relay *r)
{
	if (r->is_open) {
		set_deadline(r, RESET_MAX_S);
		client_quit(&r->client);
	}
	r->is_open = false;
	r->domain = NULL;
}

void
relay_free(struct relay *r)
{
	relay_cancel(r); /* in content QUIT would be more of it */
	close_session(r);
	dns_close(r->dns);
	r->dns = NULL;
}

/* ---- verdicts ---- */

/* What the primary said, for the client or not. */
static enum relay_result
take_verdict(struct relay *r)
{
	enum relay_result result;

	r->said = r->client.reply;
	verdict_format(r->reply, &r->said);
	result = verdict_judge(&r->said);
	r->refusals += result == RELAY_REFUSED;
	return result;
}

enum admit_primary
relay_primary(const struct relay *r, const struct config_domain *domain)
{
	bool is_ours = r->is_open && r->domain == domain;
	struct primary state;

	/* what was begun before goes on */
	if (!(is_ours && r->step == RELAY_IN_MAIL) &&
	    standing_is_paused(r->spool, domain))
		return ADMIT_PRIMARY_DOWN;
	if (is_ours)
		return ADMIT_PRIMARY_UP; /* who would know better */
	standing_read(r->spool, domain, &state);
	return admit_primary(&state, clock_wall_us() / 1000000);
}

/* ---- the session ---- */

static int
open_dns(struct relay *r, const struct config_domain *domain, struct err *e)
{
	const struct config_list *resolver = &r->config->host.resolver;
	const struct dns_options options = {
		.servers = (const char *const *)resolver->word,
		.nservers = resolver->n,
		.deadline_ms = DNS_MAX_MS,
	};

	if (r->dns != NULL || !route_asks_dns(domain))
		return 0;
	r->dns = dns_open(&options, e);
	return r->dns == NULL ? -1 : 0;
}

static void
set_params(struct relay *r, const struct config_domain *domain)
{
	struct client_params *p = &r->params;

	p->helo = r->config->host.hostname;
	p->connect_timeout_s = domain->connect_timeout_s;
	if (p->connect_timeout_s > CONNECT_MAX_S)
		p->connect_timeout_s = CONNECT_MAX_S;
	p->reply_timeout_s = domain->reply_timeout_s;
	p->xclient = domain->xclient;
}

/* A session with one address, in the TLS that it owes us. */
static int
open_address(struct relay *r, struct policy *policy, const struct route_addr *a,
    struct err *e)
{
	struct policy_hop hop = POLICY_HOP_INIT;
	int rc = -1;

	r->client = (struct client)CLIENT_INIT;
	if (policy_find(policy, a, &hop, e) == 0)
		rc = policy_session(&hop, &r->client, &r->params, e);
	policy_hop_free(&hop);
	return rc;
}

static int
open_first(struct relay *r, const struct config_domain *domain,
    const struct route *route, struct err *e)
{
	struct policy policy = { .is_hurried = true };
	bool is_deferring = false;

	if (policy_open(&policy, &r->config->host, domain, route, r->dns, e) ==
	    -1)
		return -1;
	for (size_t i = 0; i < route->naddrs && e->sys != EINTR; i++) {
		if (open_address(r, &policy, &route->addrs[i], e) == 0) {
			policy_close(&policy);
			return 0;
		}
		is_deferring = r->client.reply.code / 100 == 4;
		client_abort(&r->client);
	}
	policy_close(&policy);
	standing_learn_away(r->spool, domain, &r->client, is_deferring, e);
	return -1;
}

static int
open_session(struct relay *r, const struct config_domain *domain, struct err *e)
{
	const struct config_host *host = &r->config->host;
	const struct route_self self = { host->hostname, &host->self };
	struct route route = ROUTE_INIT;
	int rc = -1;

	set_params(r, domain);
	if (open_dns(r, domain, e) == 0 &&
	    route_find(&route, r->dns, domain, &self, e) == 0) {
		if (route.status == ROUTE_OK)
			rc = open_first(r, domain, &route, e);
		else
			err_temp(e, "%s %s", route_status_code(route.status),
			    route.why);
	}
	route_free(&route);
	if (rc == -1)
		return -1;
	r->is_open = true;
	r->refusals = 0;
	r->is_out_of_turn = false;
	r->domain = domain;
	standing_learn_up(r->spool, domain, &r->client);
	return 0;
}

/* The session that is there, if it is this primary's and it takes this
 * client's transaction, or a new one. */
static int
need_session(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, struct err *e)
{
	if (r->is_open &&
	    (r->domain != domain || client_is_spent(&r->client, &env->client)))
		close_session(r);
	if (r->is_open && client_is_stale(&r->client))
		end_session(r);
	r->is_reused = r->is_open;
	return r->is_open ? 0 : open_session(r, domain, e);
}

/* ---- the transaction ---- */

/* Replies are still to come, one of them perhaps the call for content: what
 * we would say now would be taken for that. */
static bool
is_behind(const struct relay *r)
{
	return r->unheard > 0 || r->is_data_due;
}

/* The client goes on; is the primary still there? */
static void
begin_step(struct relay *r, unsigned max_s)
{
	set_deadline(r, max_s);
	if (r->is_open && r->step != RELAY_NOTHING && !is_behind(r) &&
	    client_is_stale(&r->client))
		r->is_out_of_turn = true;
}

/* Did the primary end the session because of this client? */
static bool
is_clients_doing(const struct relay *r, const struct err *e)
{
	int code = r->client.reply.code;
	bool is_judged = r->client.identity[0] != '\0' &&
			 verdict_is_policy(&r->client.reply);
	bool is_lost = code == 0 && e->sys != ETIMEDOUT && e->sys != EINTR &&
		       e->sys != EPROTO;

	return r->is_open && (code == 421 || is_lost) &&
	       (r->is_out_of_turn || r->refusals > 0 || is_judged);
}

/* The session is of no more use. Where we had to wait for nothing, or were
 * sent away, others need not try for a while. */
static enum relay_result
fail(struct relay *r, const struct config_domain *domain, const struct err *e)
{
	char why[sizeof e->text];

	if (r->is_open && !is_clients_doing(r, e) &&
	    (e->sys == ETIMEDOUT || r->client.reply.code == 421))
		standing_learn_away(r->spool, domain, &r->client,
		    r->client.reply.code == 421, e);
	log_warn("domain=%s peer=%s relay failed: %s", domain->name,
	    r->client.peer[0] != '\0' ? r->client.peer : "-",
	    text_safe(why, sizeof why, e->text));
	end_session(r);
	r->domain = NULL;
	r->step = RELAY_OVER;
	return RELAY_FAILED;
}

/* The primary is there, but in trouble of its own; it has nothing. */
static enum relay_result
give_way(struct relay *r)
{
	struct err e = ERR_INIT;

	err_temp(&e, "the primary said: %d %s %s", r->said.code,
	    r->said.enhanced, r->said.text);
	standing_learn_away(r->spool, r->domain, &r->client, true, &e);
	set_deadline(r, RESET_MAX_S);
	if (!is_behind(r))
		client_quit(&r->client);
	return fail(r, r->domain, &e);
}

/* One answer for the whole transaction. */
static enum relay_result
refuse_all(struct relay *r)
{
	r->is_refused = true;
	r->step = RELAY_OVER;
	return RELAY_REFUSED;
}

/* The client is sent away as it was. */
static enum relay_result
send_away(struct relay *r, const struct err *e)
{
	char why[sizeof e->text];

	log_info("domain=%s peer=%s the primary ended the client's session: %s",
	    r->domain->name, r->client.peer,
	    text_safe(why, sizeof why, e->text));
	if (r->client.reply.code == 0)
		snprintf(r->reply, sizeof r->reply, "%s", ended);
	end_session(r);
	return refuse_all(r);
}

/* MAIL, in a session that may have to be opened. */
static int
say_mail(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, struct err *e)
{
	uint64_t size = env->mail.has_size ? env->mail.size : 0;

	r->client.reply = no_reply;
	if (need_session(r, domain, env, e) == -1)
		return -1;
	r->client.reply = no_reply;
	if (client_identity(&r->client, &env->client, e) == -1 ||
	    client_mail(&r->client, &env->mail, size, e) == -1)
		return -1;
	r->step = RELAY_IN_MAIL;
	return 0;
}

/* True when MAIL was answered, and not with 2yz. */
static bool
is_mail_refused(const struct relay *r)
{
	return !r->client.is_mail_due && !r->client.is_mail_taken;
}

/*
 * DATA was said, but what comes is one more recipient: the client asked for
 * content and did not get it, since nobody was accepted. A server that wants
 * content nonetheless gets another session. -1: somebody was accepted.
 */
static int
settle_data(struct relay *r, struct err *e)
{
	if (!r->is_data_due)
		return 0;
	if (r->taken + r->unheard > 0)
		return err_temp(e, "a recipient behind DATA");
	r->is_data_due = false;
	if (client_hear_data(&r->client, e) == -1 ||
	    r->client.reply.code / 100 == 3) {
		end_session(r);
		r->step = RELAY_NOTHING;
	}
	return 0;
}

/* RCPT, and MAIL before the first; nothing is heard yet where that may be. */
static int
say(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *rcpt, struct err *e)
{
	if (settle_data(r, e) == -1)
		return -1;
	if (r->step == RELAY_NOTHING && say_mail(r, domain, env, e) == -1)
		return -1;
	if (is_mail_refused(r))
		return 0;
	if (client_say_rcpt(&r->client, rcpt, e) == -1)
		return -1;
	r->unheard++;
	return 0;
}

static int
hear(struct relay *r, struct err *e)
{
	if (r->unheard == 0)
		return 0; /* MAIL was refused, so RCPT was not said */
	r->unheard--;
	return client_hear_rcpt(&r->client, e);
}

/* What was said ahead is only heard. */
static int
say_and_hear(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *rcpt, struct err *e)
{
	int rc;

	if (r->ahead == 0) {
		rc = say(r, domain, env, rcpt, e);
	} else {
		r->ahead--;
		rc = r->ahead_rc;
		*e = r->ahead_why;
	}
	return rc == -1 ? -1 : hear(r, e);
}

/* A server that closed a session because it was idle for long, or had enough
 * of it, is not away: one more try on a fresh connection. */
static int
try_rcpt(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *rcpt, struct err *e)
{
	bool is_first = r->step == RELAY_NOTHING || r->client.is_mail_due;
	int rc = say_and_hear(r, domain, env, rcpt, e);

	if (rc == 0 || !r->is_reused || !is_first || e->sys == ETIMEDOUT ||
	    e->sys == EINTR || r->client.reply.code / 100 == 5)
		return rc;
	end_session(r);
	r->step = RELAY_NOTHING;
	*e = (struct err)ERR_INIT;
	return say_and_hear(r, domain, env, rcpt, e);
}

bool
relay_may(const struct relay *r, const struct config_domain *domain)
{
	if (r->step == RELAY_NOTHING)
		return true;
	return r->domain == domain &&
	       (r->step == RELAY_IN_MAIL || r->is_refused);
}

/* As many as it says at once, RFC 9422; of LMTP's many final replies the
 * client could be told only one. */
static bool
is_full(const struct relay *r)
{
	unsigned max = r->client.is_lmtp ? 1 : r->client.offer.rcpt_max;

	return r->step == RELAY_IN_MAIL && max > 0 &&
	       r->taken + r->unheard >= max;
}

bool
relay_say(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *rcpt)
{
	struct err e = ERR_INIT;

	if (r->step == RELAY_OVER || r->ahead_rc == -1 || is_full(r) ||
	    (r->ahead > 0 && (r->client.offer.exts & SMTP_EXT_PIPELINING) == 0))
		return false;
	begin_step(r, RCPT_MAX_S);
	r->ahead_rc = say(r, domain, env, rcpt, &e);
	r->ahead_why = e;
	r->ahead++;
	return true;
}

void
relay_say_data(struct relay *r)
{
	struct err e = ERR_INIT;

	if (r->step != RELAY_IN_MAIL || r->unheard == 0 || r->is_data_due ||
	    r->ahead_rc == -1 ||
	    (r->client.offer.exts & SMTP_EXT_PIPELINING) == 0)
		return;
	/* what goes wrong now is seen when it is heard */
	r->is_data_due = client_say_data(&r->client, &e) == 0;
}

static enum relay_result
too_many(struct relay *r)
{
	snprintf(r->reply, sizeof r->reply,
	    "452 4.5.3 Too many recipients, send the others apart");
	return RELAY_REFUSED;
}

enum relay_result
relay_rcpt(struct relay *r, const struct config_domain *domain,
    const struct envelope *env, const struct smtp_rcpt *rcpt)
{
	enum relay_result result;
	struct err e = ERR_INIT;
	int rc;

	r->is_of_rcpt = false;
	if (r->is_refused)
		return RELAY_REFUSED;
	if (r->ahead == 0 && is_full(r))
		return too_many(r);
	begin_step(r, RCPT_MAX_S);
	rc = try_rcpt(r, domain, env, rcpt, &e);
	result = take_verdict(r);
	if (rc == -1 && is_clients_doing(r, &e))
		return send_away(r, &e);
	/* the client itself may have been refused, at EHLO behind XCLIENT */
	if (rc == -1 && (!r->is_open || r->step == RELAY_IN_MAIL ||
			    result != RELAY_REFUSED))
		return fail(r, domain, &e);
	if (result == RELAY_FAILED)
		return give_way(r);
	if (rc == -1) {
		client_quit(&r->client);
		r->is_open = false;
	}
	r->is_of_rcpt = rc == 0 && !is_mail_refused(r);
	if (!r->is_of_rcpt)
		return refuse_all(r);
	r->taken += result == RELAY_TAKEN;
	return result;
}

bool
relay_is_live(const struct relay *r)
{
	return r->taken > 0 && (r->step == RELAY_IN_MAIL ||
				   r->step == RELAY_IN_DATA || r->is_cut_short);
}

bool
relay_judges_us(const struct relay *r)
{
	return !smtp_reply_ok(&r->said) && verdict_is_policy(&r->said) &&
	       r->client.identity[0] == '\0';
}

enum relay_result
relay_begin(struct relay *r)
{
	enum relay_result result;
	struct err e = ERR_INIT;

	begin_step(r, DATA_MAX_S);
	if ((!r->is_data_due && client_say_data(&r->client, &e) == -1) ||
	    client_hear_data(&r->client, &e) == -1)
		return fail(r, r->domain, &e);
	r->is_data_due = false;
	if (r->client.reply.code / 100 == 3) {
		r->step = RELAY_IN_DATA;
		return RELAY_TAKEN;
	}
	result = take_verdict(r);
	if (result == RELAY_REFUSED)
		return refuse_all(r);
	return give_way(r);
}

/* The content cannot be sent on. A refusal that was there by then is the
 * primary's verdict, though it did not hear all of it. */
static enum relay_result
break_off(struct relay *r, const struct err *e)
{
	if (r->is_unknown || verdict_judge(&r->client.reply) != RELAY_REFUSED)
		return fail(r, r->domain, e);
	take_verdict(r);
	end_session(r);
	r->step = RELAY_OVER;
	r->is_cut_short = true;
	return RELAY_REFUSED;
}

void
relay_content(struct relay *r, const char *data, size_t len)
{
	struct err e = ERR_INIT;

	if (r->step != RELAY_IN_DATA)
		return;
	set_deadline(r, BLOCK_MAX_S);
	if (client_send(&r->client, data, len, &e) == -1)
		break_off(r, &e);
}

/* A signal waits so long: to leave now would be to send the message twice. */
static int
end_content(struct relay *r, struct err *e)
{
	sigset_t signals, before;
	int rc;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGALRM);
	sigprocmask(SIG_BLOCK, &signals, &before);
	begin_step(r, END_MAX_S);
	rc = client_end(&r->client, &r->is_unknown, e);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

enum relay_result
relay_end(struct relay *r)
{
	enum relay_result result;
	struct err e = ERR_INIT;

	if (r->is_cut_short)
		return RELAY_REFUSED;
	if (end_content(r, &e) == -1)
		return break_off(r, &e);
	result = take_verdict(r);
	if (result == RELAY_FAILED)
		return give_way(r);
	if (result == RELAY_TAKEN && r->is_out_of_turn) {
		r->is_unknown = true;
		err_temp(&e, "a reply ahead of the end of the content");
		return fail(r, r->domain, &e);
	}
	r->step = RELAY_OVER; /* and nothing is open at the primary */
	return result;
}

/* Hear what was said and not yet answered. -1: the session is of no more use,
 * or waits for content. */
static int
catch_up(struct relay *r)
{
	struct err e = ERR_INIT;
	int rc = 0;

	for (; r->unheard > 0 && rc == 0; r->unheard--)
		rc = client_hear_rcpt(&r->client, &e);
	if (r->is_data_due && rc == 0)
		rc = client_hear_data(&r->client, &e) == -1 ||
			     r->client.reply.code / 100 == 3
			 ? -1
			 : 0;
	r->is_data_due = false;
	return rc;
}

/* In its content a transaction can only be cut off. */
void
relay_cancel(struct relay *r)
{
	struct err e = ERR_INIT;
	bool is_lost = r->step == RELAY_IN_DATA;

	if (r->step == RELAY_IN_MAIL || (r->is_refused && r->is_open)) {
		set_deadline(r, RESET_MAX_S);
		is_lost =
		    catch_up(r) == -1 || client_reset(&r->client, &e) == -1;
	}
	if (is_lost)
		end_session(r);
	r->step = RELAY_NOTHING;
	r->taken = r->ahead = r->unheard = 0;
	r->ahead_rc = 0;
	r->is_refused = r->is_unknown = r->is_cut_short = false;
}
