#include "bmx-probe/rehearse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "bmx-probe/family.h"
#include "smtp/client.h"
#include "smtp/client_ask.h"
#include "smtp/policy.h"
#include "smtp/route.h"

/* One domain's rehearsal, in its session. */
struct scene {
	const struct rehearse_how *how;
	const struct config_domain *domain;
	struct client_params params;
	struct client client;
	struct rehearsal *r;
	bool has_broken; /* the session */
};

__attribute__((format(printf, 5, 6))) static void
find(struct rehearsal *r, const char *id, enum rehearse_outcome outcome,
    enum rehearse_cause cause, const char *fmt, ...)
{
	struct rehearse_finding *f;
	va_list ap;

	if (r->n == REHEARSE_FINDINGS_MAX)
		return;
	f = &r->findings[r->n++];
	*f = (struct rehearse_finding){
		.id = id, .outcome = outcome, .cause = cause
	};
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof f->text, fmt, ap);
	va_end(ap);
}

/* ---- commands ---- */

/* The session is over: without a word it is as if that had been 421. */
static void
end_broken(struct scene *s, const struct err *e)
{
	s->has_broken = true;
	if (s->client.reply.code == 421)
		return;
	s->client.reply = (struct smtp_reply)SMTP_REPLY_INIT;
	s->client.reply.code = 421;
	snprintf(s->client.reply.text, sizeof s->client.reply.text, "%.200s",
	    e->text);
}

/* One command; false: the session broke (421 is an answer, and the last). */
static bool
say(struct scene *s, const char *line)
{
	struct err e = ERR_INIT;

	if (client_ask(&s->client, line, &e) == 0)
		return true;
	end_broken(s, &e);
	return false;
}

/* MAIL, RCPT and RSET: true when all were taken, so that the next can come;
 * *said is the reply that decided. */
static bool
try_transaction(struct scene *s, const char *sender, const char *rcpt,
    struct smtp_reply *said)
{
	struct err e = ERR_INIT;
	char line[SMTP_COMMAND_MAX];
	bool is_taken;

	snprintf(line, sizeof line, "MAIL FROM:<%s>", sender);
	is_taken = say(s, line) && smtp_reply_ok(&s->client.reply);
	if (is_taken) {
		snprintf(line, sizeof line, "RCPT TO:<%s@%s>", rcpt,
		    s->domain->name);
		is_taken = say(s, line) && smtp_reply_ok(&s->client.reply);
	}
	*said = s->client.reply;
	if (s->has_broken || client_reset(&s->client, &e) == 0)
		return is_taken;
	end_broken(s, &e);
	*said = s->client.reply;
	return false;
}

static void
find_refusal(struct scene *s, const char *id, const char *what,
    const struct smtp_reply *said)
{
	const char *blank = said->enhanced[0] != '\0' ? " " : "";

	find(s->r, id,
	    smtp_reply_permanent(said) ? REHEARSE_REFUSE : REHEARSE_SLOW,
	    rehearse_cause(said), "%s: %d%s%s %.180s", what, said->code, blank,
	    said->enhanced, said->text);
}

/* ---- the questions ---- */

static void
ask_postmaster(struct scene *s)
{
	struct smtp_reply said;

	if (try_transaction(s, "", "postmaster", &said))
		find(s->r, "postmaster", REHEARSE_PASS, REHEARSE_NO_CAUSE,
		    "takes mail for postmaster from the null sender");
	else
		find_refusal(s, "postmaster",
		    "refuses the null sender or postmaster", &said);
}

/* A primary that checks SPF against our address refuses what we relay for
 * every domain that forbids strangers. */
static void
ask_foreign(struct scene *s)
{
	struct smtp_reply said;

	if (try_transaction(s, s->how->foreign, "postmaster", &said))
		find(s->r, "foreign-sender", REHEARSE_PASS, REHEARSE_NO_CAUSE,
		    "takes mail from %.100s through this host",
		    s->how->foreign);
	else
		find_refusal(s, "foreign-sender",
		    "refuses a foreign sender from this host", &said);
}

static void
ask_unknown(struct scene *s)
{
	char local[sizeof "bmx-rehearsal-" + 16];
	struct smtp_reply said;
	uint64_t chance = 0;

	if (getrandom(&chance, sizeof chance, 0) == -1)
		return;
	snprintf(local, sizeof local, "bmx-rehearsal-%016" PRIx64, chance);
	if (try_transaction(s, "", local, &said)) {
		s->r->is_catchall_known = s->r->is_catchall = true;
		find(s->r, "unknown-recipient", REHEARSE_NOTE,
		    REHEARSE_NO_CAUSE,
		    "takes mail for any recipient (a catch-all)");
	} else if (smtp_reply_permanent(&said)) {
		s->r->is_catchall_known = true;
		find(s->r, "unknown-recipient", REHEARSE_PASS,
		    REHEARSE_NO_CAUSE, "refuses an unknown recipient: %d",
		    said.code);
	} else {
		find_refusal(s, "unknown-recipient",
		    "does not know what to say of an unknown recipient", &said);
	}
}

/* What a drain does: one transaction after the other, in one session. */
static void
ask_often(struct scene *s)
{
	struct smtp_reply said;
	unsigned n;

	for (n = 0; n < s->how->burst; n++)
		if (!try_transaction(s, "", "postmaster", &said))
			break;
	if (n == s->how->burst) {
		find(s->r, "many-transactions", REHEARSE_PASS,
		    REHEARSE_NO_CAUSE, "takes %u transactions in one session",
		    n);
		return;
	}
	find(s->r, "many-transactions",
	    smtp_reply_permanent(&said) ? REHEARSE_REFUSE : REHEARSE_SLOW,
	    rehearse_cause(&said),
	    "stops after %u transactions in one session: %d %.200s", n,
	    said.code, said.text);
}

/* ---- the session ---- */

static void
find_tls(struct scene *s, const struct policy_hop *hop)
{
	static const char *const wanted[] = {
		[POLICY_NONE] = "",
		[POLICY_TLSA] = ", as DANE wants",
		[POLICY_STS] = ", as MTA-STS wants",
	};
	const char *text = conn_tls_text(s->client.conn);

	if (text[0] != '\0')
		find(s->r, "tls", REHEARSE_PASS, REHEARSE_NO_CAUSE,
		    "in TLS (%s)%s", text, wanted[hop->source]);
	else
		find(s->r, "tls", REHEARSE_NOTE, REHEARSE_NO_CAUSE,
		    "mail would go in the clear%s%.200s",
		    s->client.tls_why[0] != '\0' ? ": " : "",
		    s->client.tls_why);
}

static void
play(struct scene *s, const struct policy_hop *hop)
{
	void (*const questions[])(struct scene *) = { ask_postmaster,
		ask_foreign, ask_unknown, ask_often };

	find_tls(s, hop);
	for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
		if (!s->has_broken)
			questions[i](s);
}

/* False: no session with this address. */
static bool
enter(struct scene *s, const struct policy_hop *hop, struct err *e)
{
	bool is_v6 = hop->to->ep.addr.ss_family == AF_INET6;

	s->params.from = is_v6 ? s->how->from6 : s->how->from4;
	endpoint_text(&hop->to->ep, s->r->address);
	text_safe(s->r->host, sizeof s->r->host, hop->to->host);
	return policy_session(hop, &s->client, &s->params, e) == 0;
}

/* The last reply tells why, unless it was a good one: then it did not satisfy
 * us. */
static void
find_no_session(struct scene *s, const struct err *e)
{
	const struct smtp_reply *said = &s->client.reply;

	if (said->code >= 400)
		find_refusal(s, "session", "no session", said);
	else
		find(s->r, "session", REHEARSE_SLOW,
		    s->client.tls_result == TLS_OK ? REHEARSE_BUSY
						   : REHEARSE_NEEDS_TLS,
		    "no session: %.200s", e->text);
}

/* With the first address that answers, as a drain would. Until then each has
 * its share of the time that is left. */
static int
find_stage(struct scene *s, struct policy *policy, struct err *e)
{
	const struct route *route = policy->route;
	int64_t deadline_ms = s->params.deadline_ms;
	struct err why = ERR_INIT;

	for (size_t i = 0; i < route->naddrs; i++) {
		struct policy_hop hop = POLICY_HOP_INIT;
		bool is_in;

		s->params.deadline_ms =
		    clock_monotonic_ms() +
		    clock_left_ms(deadline_ms) / (int64_t)(route->naddrs - i);
		dns_limit(policy->dns, s->params.deadline_ms);
		if (policy_find(policy, &route->addrs[i], &hop, e) == -1)
			return -1;
		is_in = enter(s, &hop, &why);
		if (is_in) {
			s->params.deadline_ms = deadline_ms;
			play(s, &hop);
			if (s->has_broken)
				client_abort(&s->client);
			client_quit(&s->client);
		}
		policy_hop_free(&hop);
		if (is_in)
			return 0;
	}
	find_no_session(s, &why);
	return 0;
}

int
rehearse_domain(const struct rehearse_how *how, struct dns *dns,
    const struct config_domain *domain, struct rehearsal *r, struct err *e)
{
	const struct route_self self = { how->host->hostname,
		&how->host->self };
	struct config_domain at_level = *domain;
	struct scene s = { .how = how,
		.domain = &at_level,
		.params = { .helo = how->host->hostname,
		    .connect_timeout_s = domain->connect_timeout_s,
		    .reply_timeout_s = domain->reply_timeout_s,
		    .deadline_ms =
			clock_monotonic_ms() + (int64_t)how->timeout_s * 1000 },
		.client = CLIENT_INIT,
		.r = r };
	struct policy policy = { .is_hurried = true };
	struct route route = ROUTE_INIT;
	int rc;

	*r = (struct rehearsal){ .n = 0 };
	if (how->level != NULL)
		at_level.tls = *how->level;
	if (how->deadline_ms > 0 && how->deadline_ms < s.params.deadline_ms)
		s.params.deadline_ms = how->deadline_ms;
	if (clock_left_ms(s.params.deadline_ms) == 0) {
		find(r, "session", REHEARSE_SLOW, REHEARSE_BUSY,
		    "the time of this run is over");
		return 0;
	}
	dns_limit(dns, s.params.deadline_ms);
	rc = route_find(&route, dns, &at_level, &self, e);
	family_keep(&route, how->family);
	if (rc == 0 && route.status != ROUTE_OK) {
		find(r, "session", REHEARSE_SLOW, REHEARSE_BUSY,
		    "no route: %s %.200s", route_status_code(route.status),
		    route.why);
	} else if (rc == 0 && route.naddrs == 0) {
		find(r, "session", REHEARSE_SLOW, REHEARSE_NO_CAUSE,
		    "no address of this family");
	} else if (rc == 0) {
		rc = policy_open(&policy, how->host, &at_level, &route, dns, e);
		if (rc == 0)
			rc = find_stage(&s, &policy, e);
		policy_close(&policy);
	}
	client_abort(&s.client);
	route_free(&route);
	return rc;
}
