#include "bmx-probe/session.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "smtp/client.h"
#include "smtp/client_ask.h"

static const char *const code_names[PROBE_CODES] = {
	[PROBE_OK] = "ok",
	[PROBE_TLS_FAILED] = "tls-failed",
	[PROBE_DEFERRED] = "deferred",
	[PROBE_POLICY] = "refused-by-policy",
	[PROBE_NO_TLS] = "tls-not-offered",
	[PROBE_LOOP] = "loop",
	[PROBE_REFUSED] = "connection-refused",
	[PROBE_UNREACHABLE] = "unreachable",
	[PROBE_TIMEOUT] = "timeout",
	[PROBE_CLOSED] = "closed",
	[PROBE_PROTOCOL] = "protocol-error",
	[PROBE_NO_ROUTE] = "no-route",
	[PROBE_NOT_CONFIGURED] = "not-configured",
	[PROBE_UNTRIED] = "not-tried",
	[PROBE_TROUBLE] = "own-trouble",
};

const char *
probe_code_name(enum probe_code code)
{
	return code_names[code];
}

struct attempt {
	const struct probe_session *how;
	const struct policy_hop *hop;
	struct client_tls tls; /* the hop's, perhaps with advice */
	struct client_params params;
	struct client client;
	struct probe_address *a; /* what became of it */
};

void
session_decide(struct probe_address *a, enum primary_verdict result,
    enum probe_code code, const char *fmt, ...)
{
	va_list ap;

	a->result = result;
	a->code = code;
	va_start(ap, fmt);
	vsnprintf(a->reason, sizeof a->reason, fmt, ap);
	va_end(ap);
}

/* A reply that is not the one wanted: 4yz defers, 5yz is policy. */
static void
decide_refusal(struct attempt *t, const char *step)
{
	const struct smtp_reply *r = &t->client.reply;
	bool is_permanent = smtp_reply_permanent(r);
	const char *blank = r->enhanced[0] != '\0' ? " " : "";

	t->a->reply = *r;
	session_decide(t->a, is_permanent ? PRIMARY_DOWN : PRIMARY_DEFERRING,
	    is_permanent ? PROBE_POLICY : PROBE_DEFERRED,
	    "%s by %s: %d%s%s %.180s",
	    is_permanent ? "refused by policy" : "deferred", step, r->code,
	    blank, r->enhanced, r->text);
}

static bool
is_own_trouble(const struct err *e)
{
	return e->class == ERR_CONFIG || e->sys == EMFILE || e->sys == ENFILE ||
	       e->sys == ENOMEM || e->sys == ENOBUFS || e->sys == EADDRNOTAVAIL;
}

/* The session broke: a reply of 421, or one of the many ways to have none. */
static void
decide_failure(struct attempt *t, const struct err *e)
{
	enum probe_code code = PROBE_CLOSED;

	if (t->client.reply.code == 421) {
		decide_refusal(t, primary_phase_name(t->a->phase));
		return;
	}
	if (is_own_trouble(e)) {
		session_decide(t->a, PRIMARY_UNKNOWN, PROBE_TROUBLE, "%s",
		    e->text);
		return;
	}
	t->a->is_late = e->sys == ETIMEDOUT;
	if (e->class == ERR_PERM)
		code = PROBE_LOOP;
	else if (e->sys == ETIMEDOUT)
		code = PROBE_TIMEOUT;
	else if (e->sys == ECONNREFUSED)
		code = PROBE_REFUSED;
	else if (e->sys == EPROTO)
		code = PROBE_PROTOCOL;
	else if (t->a->phase == PRIMARY_CONNECT)
		code = PROBE_UNREACHABLE;
	session_decide(t->a, PRIMARY_DOWN, code, "%s%.220s",
	    t->a->phase == PRIMARY_CONNECT ? "no connection: " : "", e->text);
}

/* ---- the steps: each true to go on ---- */

static bool
is_good(struct attempt *t, const char *step)
{
	if (smtp_reply_ok(&t->client.reply))
		return true;
	decide_refusal(t, step);
	return false;
}

static bool
connect_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (client_connect(&t->client, &t->params, &t->hop->to->ep, &e) == 0)
		return true;
	decide_failure(t, &e);
	return false;
}

/* A greeting may be made to wait on purpose: it has a timeout of its own. */
static bool
banner_step(struct attempt *t)
{
	unsigned reply_timeout_s = t->params.reply_timeout_s;
	struct err e = ERR_INIT;
	int rc;

	if (t->how->banner_timeout_s > 0)
		t->params.reply_timeout_s = t->how->banner_timeout_s;
	rc = client_greet(&t->client, &e);
	t->params.reply_timeout_s = reply_timeout_s;
	if (rc == 0)
		return is_good(t, "its greeting");
	decide_failure(t, &e);
	return false;
}

static bool
ehlo_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (client_hello(&t->client, &e) == 0)
		return is_good(t, "its reply to EHLO");
	decide_failure(t, &e);
	return false;
}

static bool
must_have_tls(const struct attempt *t)
{
	return t->tls.level != CONFIG_TLS_MAY;
}

/* Where TLS may be, mail would go in the clear: the EHLO before it was good,
 * so the primary is up, with a blemish. */
static void
decide_tls_failure(struct attempt *t, const struct err *e)
{
	struct probe_address *a = t->a;

	decide_failure(t, e);
	if (a->code == PROBE_TROUBLE || a->code == PROBE_DEFERRED ||
	    a->code == PROBE_LOOP)
		return;
	a->code = PROBE_TLS_FAILED;
	a->tls_result = t->client.tls_result;
	a->tls[0] = '\0';
	if (!must_have_tls(t))
		a->result = PRIMARY_UP;
}

static bool
starttls_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (t->hop->result != TLS_OK) {
		t->a->tls_result = t->hop->result;
		session_decide(t->a, PRIMARY_DOWN, PROBE_TLS_FAILED,
		    "%s: %.200s", tls_result_name(t->hop->result), t->hop->why);
		return false;
	}
	if ((t->client.plain.exts & SMTP_EXT_STARTTLS) == 0) {
		t->a->tls_result = TLS_STARTTLS_NOT_SUPPORTED;
		session_decide(t->a, PRIMARY_DOWN, PROBE_NO_TLS,
		    "TLS is required, and STARTTLS not offered");
		return false;
	}
	if (client_ask_tls(&t->client, &t->tls, &e) == -1) {
		decide_tls_failure(t, &e);
		return false;
	}
	if (smtp_reply_ok(&t->client.reply))
		return true;
	decide_refusal(t, "STARTTLS");
	t->a->tls_result = TLS_STARTTLS_NOT_SUPPORTED;
	if (!must_have_tls(t)) {
		t->a->result = PRIMARY_UP;
		t->a->code = PROBE_TLS_FAILED;
	}
	return false;
}

static void
keep_certificate(struct attempt *t)
{
	const struct tls_peer *peer = conn_tls_peer(t->client.conn);
	struct probe_certificate *c = &t->a->certificate;

	if (peer == NULL || !peer->has_certificate)
		return;
	c->is_there = true;
	c->is_judged = t->tls.demand.proof != TLS_ANY;
	c->is_trusted = peer->is_trusted;
	c->is_name_matched = peer->is_name_matched;
	c->not_before_s = peer->not_before_s;
	c->not_after_s = peer->not_after_s;
	snprintf(c->subject, sizeof c->subject, "%.127s", peer->subject);
	snprintf(c->issuer, sizeof c->issuer, "%.127s", peer->issuer);
	snprintf(c->names, sizeof c->names, "%.255s", peer->names);
	memcpy(c->spki, peer->spki, sizeof c->spki);
}

static bool
handshake_step(struct attempt *t)
{
	struct err e = ERR_INIT;
	int rc = client_shake_hands(&t->client, &t->tls, &e);

	keep_certificate(t);
	if (rc == -1) {
		decide_tls_failure(t, &e);
		return false;
	}
	snprintf(t->a->tls, sizeof t->a->tls, "%s",
	    conn_tls_text(t->client.conn));
	return true;
}

static bool
ehlo2_step(struct attempt *t)
{
	struct err e = ERR_INIT;

	if (client_hello(&t->client, &e) == -1) {
		if (must_have_tls(t)) {
			decide_failure(t, &e);
		} else {
			t->client.tls_result = TLS_VALIDATION_FAILURE;
			decide_tls_failure(t, &e);
		}
		return false;
	}
	t->a->secured = t->client.offer;
	t->a->is_authenticated = t->client.is_authenticated;
	return is_good(t, "its EHLO in TLS");
}

/* MAIL or RCPT by itself, not as a group: each has its time and its reply. */
static bool
ask(struct attempt *t, const char *verb, const char *path)
{
	char line[SMTP_COMMAND_MAX];
	struct err e = ERR_INIT;

	snprintf(line, sizeof line, "%s:<%s>", verb, path);
	if (client_ask(&t->client, line, &e) == 0)
		return is_good(t, verb);
	decide_failure(t, &e);
	return false;
}

static bool
mail_step(struct attempt *t)
{
	return ask(t, "MAIL FROM", t->how->sender);
}

static bool
rcpt_step(struct attempt *t)
{
	return ask(t, "RCPT TO", t->how->rcpt);
}

/* Nothing of a transaction is left behind; RSET and QUIT decide nothing. */
static bool
quit_step(struct attempt *t)
{
	struct smtp_reply reply = t->client.reply;
	struct err ignored = ERR_INIT;

	if (t->how->until == PRIMARY_CONNECT) /* QUIT before the greeting
						 would be talking early */
		client_abort(&t->client);
	else if (t->a->ms[PRIMARY_MAIL] != -1 &&
		 client_reset(&t->client, &ignored) == -1)
		t->client.reply = reply;
	client_quit(&t->client);
	return true;
}

/* ---- a session ---- */

/* Of what is asked for, what makes sense here. */
static bool
is_due(const struct attempt *t, enum primary_phase phase)
{
	bool offers = (t->client.plain.exts & SMTP_EXT_STARTTLS) != 0;

	switch (phase) {
	case PRIMARY_STARTTLS:
		return t->tls.level != CONFIG_TLS_NONE &&
		       (offers || must_have_tls(t));
	case PRIMARY_TLS:
		return t->a->ms[PRIMARY_STARTTLS] != -1;
	case PRIMARY_EHLO2:
		return t->a->ms[PRIMARY_TLS] != -1;
	default:
		return true;
	}
}

static void
run_step(struct attempt *t, enum primary_phase phase,
    bool (*step)(struct attempt *), bool *goes_on)
{
	int64_t begun_ms = clock_monotonic_ms();

	if (phase != PRIMARY_QUIT)
		t->a->phase = phase;
	*goes_on = step(t);
	t->a->ms[phase] = clock_monotonic_ms() - begun_ms;
}

static void
run_steps(struct attempt *t)
{
	static bool (*const steps[PRIMARY_PHASES])(struct attempt *) = {
		[PRIMARY_CONNECT] = connect_step,
		[PRIMARY_BANNER] = banner_step,
		[PRIMARY_EHLO] = ehlo_step,
		[PRIMARY_STARTTLS] = starttls_step,
		[PRIMARY_TLS] = handshake_step,
		[PRIMARY_EHLO2] = ehlo2_step,
		[PRIMARY_MAIL] = mail_step,
		[PRIMARY_RCPT] = rcpt_step,
	};
	bool goes_on = true;

	for (int i = PRIMARY_CONNECT; i <= (int)t->how->until && goes_on; i++)
		if (is_due(t, (enum primary_phase)i))
			run_step(t, (enum primary_phase)i, steps[i], &goes_on);
	t->a->plain = t->client.plain;
	snprintf(t->a->name, sizeof t->a->name, "%s", t->client.name);
	if (t->client.conn != NULL)
		run_step(t, PRIMARY_QUIT, quit_step, &goes_on);
}

void
session_name(struct probe_address *a, const struct route_addr *to)
{
	*a = (struct probe_address){ .preference = to->preference,
		.family = to->ep.addr.ss_family,
		.result = PRIMARY_UP,
		.code = PROBE_OK };
	endpoint_text(&to->ep, a->address);
	text_safe(a->host, sizeof a->host, to->host);
	for (int i = 0; i < PRIMARY_PHASES; i++)
		a->ms[i] = -1;
}

/* Where any certificate would do, what it is like can still be told. */
static void
ask_for_advice(struct client_tls *tls)
{
	if (tls->demand.proof != TLS_ANY)
		return;
	tls->demand.proof = TLS_PKIX;
	tls->demand.is_advice = true;
}

static void
probe_once(const struct probe_session *s, const struct config_domain *domain,
    const struct policy_hop *hop, int64_t deadline_ms, struct probe_address *a)
{
	struct attempt t = {
		.how = s,
		.hop = hop,
		.tls = hop->tls,
		.params = { .helo = s->helo,
		    .connect_timeout_s = domain->connect_timeout_s,
		    .reply_timeout_s = domain->reply_timeout_s,
		    .deadline_ms = deadline_ms,
		    .from = a->family == AF_INET6 ? s->from6 : s->from4 },
		.client = CLIENT_INIT,
		.a = a,
	};

	if (s->judges_certificates)
		ask_for_advice(&t.tls);
	a->level = hop->tls.level;
	a->source = hop->source;
	run_steps(&t);
	client_abort(&t.client);
}

/* A refusal for good, a loop or our own trouble will be the same again. */
static bool
may_pass(const struct probe_address *a)
{
	switch (a->code) {
	case PROBE_DEFERRED:
	case PROBE_REFUSED:
	case PROBE_UNREACHABLE:
	case PROBE_TIMEOUT:
	case PROBE_CLOSED:
	case PROBE_PROTOCOL:
		return true;
	case PROBE_TLS_FAILED:
		return a->result != PRIMARY_UP;
	default:
		return false;
	}
}

static void
pause_ms(unsigned ms)
{
	struct timespec left = { ms / 1000, (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) == -1 && errno == EINTR)
		;
}

void
session_probe(const struct probe_session *s, const struct config_domain *domain,
    const struct policy_hop *hop, int64_t deadline_ms, struct probe_address *a)
{
	unsigned tries = 0;

	for (;;) {
		session_name(a, hop->to);
		a->tries = ++tries;
		probe_once(s, domain, hop, deadline_ms, a);
		if (tries >= s->tries || !may_pass(a) ||
		    clock_left_ms(deadline_ms) <= (int)s->gap_ms)
			return;
		pause_ms(s->gap_ms);
	}
}
