#include "bmx-receive/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/network.h"
#include "base/text.h"
#include "bmx-receive/etrn.h"
#include "bmx-receive/intake.h"
#include "bmx-receive/offers.h"
#include "bmx-receive/patience.h"
#include "bmx-receive/peer.h"
#include "bmx-receive/proxy.h"
#include "net/sandbox.h"
#include "bmx-receive/session.h"
#include "bmx-receive/ticket.h"
#include "net/conn.h"
#include "net/tls.h"

#define JUNK_MAX 100       /* commands without mail; as in Postfix */
#define BUSY_TIMEOUT_S 10  /* for a command when many are connected (D16) */
#define PROXY_TIMEOUT_S 10 /* for the header of a front end */
#define GOODBYE_MAX_S 10   /* for the last words to a client that is leaving */

static const char ready_for_tls[] = "220 2.0.0 Ready to start TLS";
static const char no_tls[] = "454 4.7.0 TLS is not available now";
static const char no_spool[] = "421 4.3.0 Cannot store mail now, try later";
static const char timed_out[] = "421 4.4.2 Timeout, closing";
static const char no_header[] =
    "421 4.3.5 A front end has to begin with a PROXY header, closing";
static const char go_on[] = "220 2.0.0 Go on";
static const char too_slow[] = "421 4.4.2 Too slow, closing";
static const char early_talker[] =
    "554 5.5.1 You talk before the greeting, this is no SMTP";
static const char shutting_down[] = "421 4.3.2 Shutting down, try later";

struct serve {
	const struct serve_params *params;
	const struct config_host *host;
	struct session_params rules;
	struct session session;
	struct spool spool;
	struct intake intake;
	struct etrn etrn;
	struct conn *conn;
	struct tls *tls, *own_tls; /* own_tls: to be freed */
	unsigned command_timeout_s;
	int64_t command_deadline_ms;
	int64_t idle_deadline_ms; /* by when a message has to come */
	struct patience patience;
	bool is_paced; /* a message is under way */
	bool is_welcome;
	char peer[ENDPOINT_TEXT_MAX];
	const char *ending; /* how the session ended; NULL: it goes on */
};

static int64_t
deadline_in(unsigned seconds)
{
	return clock_monotonic_ms() + (int64_t)seconds * 1000;
}

static void
expect_message(struct serve *v)
{
	unsigned s = v->host->transaction_timeout_s;

	v->idle_deadline_ms = s == 0 ? INT64_MAX : deadline_in(s);
}

/* ---- the log: one event, one line ---- */

static void
log_connected(const struct serve *v)
{
	const char *name = v->session.env.client.name;

	log_info("peer=%s name=%s connected", v->peer,
	    name[0] != '\0' ? name : "unknown");
}

static void
log_refused(const struct serve *v)
{
	const struct session *s = &v->session;
	const char *command = s->is_rcpt_refused ? s->refused_rcpt : s->line;
	char line[512], reply[SESSION_REPLY_MAX];

	log_info("peer=%s helo=%s command=\"%s\" reply=\"%s\" refused", v->peer,
	    s->env.client.helo, text_quoted(line, sizeof line, command),
	    text_quoted(reply, sizeof reply, s->reply));
}

static void
log_queued(const struct serve *v, const struct intake_copy *c)
{
	const struct session *s = &v->session;
	const struct envelope_client *client = &s->env.client;
	char from[ADDR_MAX * 4 + 1];

	log_info("id=%s domain=%s from=<%s> nrcpt=%u size=%llu peer=%s helo=%s "
		 "proto=%s tls=%s queued",
	    v->intake.id, c->domain->name,
	    text_word(from, sizeof from, s->env.mail.reverse_path.text),
	    c->nrcpt, (unsigned long long)s->content_len, v->peer, client->helo,
	    client->proto, client->tls[0] != '\0' ? client->tls : "no");
}

static void
log_disconnected(const struct serve *v)
{
	const struct session *s = &v->session;

	log_info("peer=%s messages=%u refused=%u overruns=%u tls=%s end=\"%s\" "
		 "disconnected",
	    v->peer, s->messages, s->refused, s->overruns,
	    s->is_secured ? s->env.client.tls : "no", v->ending);
}

/* ---- output and input ---- */

/* What the engine wrote goes out at once: one write for a group of commands
 * (RFC 2920 3.2). A client that does not take it is gone. */
static void
send_replies(struct serve *v, unsigned timeout_s)
{
	struct buf *out = &v->session.out;
	int64_t deadline_ms = deadline_in(timeout_s);
	struct err e = ERR_INIT;

	if (out->len > 0 &&
	    (conn_write(v->conn, out->data, out->len, deadline_ms, &e) == -1 ||
		conn_flush(v->conn, deadline_ms, &e) == -1))
		v->ending = "client does not read";
	buf_reset(out);
}

/* The session ends from our side, or the client is gone (reply NULL). */
static void
end_session(struct serve *v, const char *reply, const char *ending)
{
	if (session_end(&v->session, reply) == SESSION_DISCARD)
		intake_release(&v->intake);
	v->ending = ending;
	if (reply != NULL)
		send_replies(v, GOODBYE_MAX_S);
	v->ending = ending;
}

/*
 * When the patience with this client ends. A command line has its time as a
 * whole, however few bytes come at once; so has a message, see patience.h, and
 * all that is said without one.
 */
static int64_t
read_deadline(struct serve *v)
{
	const struct session *s = &v->session;
	int64_t deadline_ms = deadline_in(v->host->data_timeout_s);

	if (!session_in_content(s)) {
		if (!session_in_line(s))
			v->command_deadline_ms =
			    deadline_in(v->command_timeout_s);
		deadline_ms = v->command_deadline_ms;
	}
	if (!session_in_message(s) && deadline_ms > v->idle_deadline_ms)
		deadline_ms = v->idle_deadline_ms;
	if (session_in_message(s) && !v->is_paced)
		patience_begin(&v->patience, clock_monotonic_ms());
	v->is_paced = session_in_message(s);
	return deadline_ms;
}

static void
read_more(struct serve *v)
{
	int64_t deadline_ms = read_deadline(v);
	int64_t pace_ms =
	    v->is_paced ? patience_deadline_ms(&v->patience) : INT64_MAX;
	bool is_pacing = pace_ms < deadline_ms;
	struct err e = ERR_INIT;
	ssize_t n;

	do {
		if (*v->params->told_to_end) {
			end_session(v, shutting_down, "told to end");
			return;
		}
		n = conn_fill(v->conn, is_pacing ? pace_ms : deadline_ms, &e);
	} while (n == -1 && e.sys == EINTR);
	v->patience.bytes += n > 0 ? (uint64_t)n : 0;
	if (n == 0)
		end_session(v, NULL, "client closed without QUIT");
	else if (n == -1 && e.sys == ETIMEDOUT && is_pacing)
		end_session(v, too_slow, "too slow");
	else if (n == -1 && e.sys == ETIMEDOUT)
		end_session(v, timed_out,
		    deadline_ms == v->idle_deadline_ms ? "no message for long"
						       : "timeout");
	else if (n == -1)
		end_session(v, NULL, "connection lost");
}

/* ---- TLS ---- */

/* The pair is loaded at STARTTLS: a session in the clear costs no GnuTLS. */
static const char *
load_tls(struct serve *v)
{
	struct err e = ERR_INIT;

	if (v->tls == NULL)
		v->tls = v->own_tls = serve_tls(v->params->config, false, &e);
	if (v->tls != NULL)
		return ready_for_tls;
	log_alarm("STARTTLS is not offered: %s", e.text);
	v->rules.exts &= ~(unsigned)SMTP_EXT_STARTTLS;
	return no_tls;
}

/*
 * "TLS1.3/AES-256-GCM", and of a certificate that one of our roots vouches for
 * whose it is, each as a pair of its own in the log. Nobody needs one.
 */
static void
note_tls(struct serve *v, char *out, size_t size)
{
	const struct tls_peer *peer = conn_tls_peer(v->conn);
	char word[TLS_TEXT_MAX], digest[2 * TLS_SHA256_LEN + 1];

	snprintf(out, size, "%s", conn_tls_text(v->conn));
	if (!peer->has_certificate)
		return;
	for (size_t i = 0; i < TLS_SHA256_LEN; i++)
		snprintf(digest + 2 * i, 3, "%02x", peer->fingerprint[i]);
	text_word(word, sizeof word, peer->subject);
	if (peer->result == TLS_OK)
		snprintf(out, size, "%s client=%.100s sha256=%s",
		    conn_tls_text(v->conn), word, digest);
	else
		log_info("peer=%s client=%s sha256=%s result=%s", v->peer, word,
		    digest, tls_result_name(peer->result));
}

static void
start_tls(struct serve *v)
{
	int64_t deadline_ms = deadline_in(v->command_timeout_s);
	struct envelope_client *client = &v->session.env.client;
	char said[sizeof(struct err)];
	struct err e = ERR_INIT;

	send_replies(v, v->command_timeout_s);
	if (v->ending != NULL)
		return;
	if (conn_start_tls(v->conn, v->tls, NULL, NULL, deadline_ms, &e) ==
	    -1) {
		log_info("peer=%s error=\"%s\" no TLS", v->peer,
		    text_safe(said, sizeof said, e.text));
		end_session(v, NULL, "TLS handshake failed");
		return;
	}
	session_secured(&v->session);
	peer_text(client, v->peer);
	note_tls(v, client->tls, sizeof client->tls);
}

/* ---- who the client is ---- */

static bool
is_listed(const struct config_list *list, const char *client)
{
	return network_any_has(list->word, list->n, client);
}

/* A listed front end says first who it speaks for (D47). Returns what to say
 * instead of the greeting, or NULL. */
static const char *
read_proxy_header(struct serve *v)
{
	struct envelope_client *client = &v->session.env.client;
	int64_t deadline_ms = deadline_in(PROXY_TIMEOUT_S);
	struct err e = ERR_INIT;
	size_t len;
	int used;

	for (;;) {
		const char *in = conn_buffered(v->conn, &len);

		used = proxy_parse(in, len, client);
		if (used != 0 || conn_fill(v->conn, deadline_ms, &e) <= 0)
			break;
	}
	if (used <= 0 && *v->params->told_to_end)
		return shutting_down;
	if (used <= 0) {
		log_warn("peer=%s proxy= lists it, but no PROXY header came",
		    v->peer);
		return no_header;
	}
	conn_consume(v->conn, (size_t)used);
	peer_text(client, v->peer);
	return NULL;
}

static const char *
believe_xclient(struct serve *v)
{
	char front[ENDPOINT_TEXT_MAX];

	memcpy(front, v->peer, sizeof front);
	peer_text(&v->session.xclient, v->peer);
	log_info("peer=%s name=%s front=%s connected", v->peer,
	    v->session.xclient.name[0] != '\0' ? v->session.xclient.name
					       : "unknown",
	    front);
	return go_on;
}

/* ---- events ---- */

/* Its time begins with the next read, also where the message before ended in
 * the same one as this begins. */
static const char *
begin_message(struct serve *v)
{
	v->is_paced = false;
	return intake_begin(&v->intake, &v->session.env);
}

static const char *
commit(struct serve *v)
{
	const char *reply = intake_commit(&v->intake);

	for (size_t i = 0; i < v->intake.ncopies; i++)
		log_queued(v, &v->intake.copies[i]);
	intake_release(&v->intake);
	expect_message(v);
	return reply;
}

/* NULL: it comes later. */
static const char *
answer_rcpt(struct serve *v)
{
	struct session *s = &v->session;
	const char *reply = intake_rcpt(&v->intake, &s->env, &s->rcpt);

	if (reply == NULL && !session_later(s))
		reply = intake_due(&v->intake, &s->env, &s->rcpt, false);
	return reply;
}

/* The answer to an ASK; NULL for other events, and when it comes later. */
static const char *
answer(struct serve *v, enum session_event event)
{
	struct session *s = &v->session;

	if (event == SESSION_ASK_MAIL)
		return intake_mail(&v->intake, &s->env.mail);
	if (event == SESSION_ASK_RCPT)
		return answer_rcpt(v);
	if (event == SESSION_ASK_DUE)
		return intake_due(&v->intake, &s->env, &s->rcpt,
		    s->is_content_next);
	if (event == SESSION_ASK_DATA)
		return begin_message(v);
	if (event == SESSION_ASK_END)
		return commit(v);
	if (event == SESSION_ASK_TLS)
		return load_tls(v);
	if (event == SESSION_ASK_XCLIENT)
		return believe_xclient(v);
	if (event == SESSION_ASK_ETRN)
		return etrn_answer(&v->etrn, s->env.client.addr, s->etrn);
	return NULL;
}

static void
react(struct serve *v, enum session_event event)
{
	const char *reply = answer(v, event);
	struct session *s = &v->session;

	if (reply != NULL) {
		session_answer(s, reply);
	} else if (event == SESSION_CONTENT) {
		intake_content(&v->intake, s->content.data, s->content.len);
	} else if (event == SESSION_DISCARD) {
		intake_release(&v->intake);
	} else if (event == SESSION_REFUSED) {
		log_refused(v);
	} else if (event == SESSION_STARTTLS) {
		start_tls(v);
	} else if (event == SESSION_CLOSE) {
		v->ending = "closed";
		send_replies(v, GOODBYE_MAX_S);
	} else {
		send_replies(v, v->command_timeout_s);
		if (event == SESSION_NEED_INPUT && v->ending == NULL)
			read_more(v);
	}
}

static void
converse(struct serve *v)
{
	while (v->ending == NULL) {
		enum session_event event;
		const char *in;
		size_t len, used;

		in = conn_buffered(v->conn, &len);
		event = session_step(&v->session, in, len, &used);
		conn_consume(v->conn, used); /* the bytes stay until a read */
		react(v, event);
	}
	if (session_end(&v->session, NULL) == SESSION_DISCARD)
		intake_release(&v->intake);
}

/* ---- a session ---- */

static bool
can_read(const char *file)
{
	if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) == 0)
		return true;
	log_alarm("a key pair is not used: %s: %s", file, strerror(errno));
	return false;
}

/* Cheap: whether a pair is any good is seen when it is used. */
static bool
has_key_pair(const struct config_host *host)
{
	bool has_one = false;

	for (size_t i = 0; i < host->tls_key.n; i++)
		if (can_read(host->tls_certificate.word[i]) &&
		    can_read(host->tls_key.word[i]))
			has_one = true;
	return has_one;
}

struct session_params
serve_rules(const struct config *config)
{
	const struct config_host *host = &config->host;
	struct session_params p = {
		.hostname = host->hostname,
		.max_size = host->max_size,
		.max_recipients = host->max_recipients,
		.max_errors = host->max_errors,
		.max_junk = JUNK_MAX,
		.max_messages = host->max_messages_per_session,
		.exts = SMTP_EXT_SIZE | SMTP_EXT_PIPELINING |
			SMTP_EXT_8BITMIME | SMTP_EXT_ENHANCEDSTATUSCODES |
			SMTP_EXT_DSN | SMTP_EXT_SMTPUTF8 | SMTP_EXT_CHUNKING |
			SMTP_EXT_LIMITS | SMTP_EXT_REQUIRETLS,
	};

	return p;
}

/* ETRN is offered to whom some domain allows it. */
static void
offer_etrn(struct serve *v)
{
	struct err e = ERR_INIT;

	if (v->etrn.starter_fd == -1 &&
	    etrn_init(&v->etrn, v->params->config, &v->spool, v->params->in_fd,
		&e) == -1)
		log_alarm("%s", e.text);
	if (v->etrn.starter_fd != -1)
		v->rules.exts |= SMTP_EXT_ETRN;
}

static struct patience
patience_of(const struct config_host *host)
{
	struct patience pace = {
		.grace_s = host->data_timeout_s,
		.min_rate = host->min_rate,
		.max_s = host->message_timeout_s,
	};

	return pace;
}

static unsigned
command_patience(const struct serve_params *params)
{
	unsigned s = params->config->host.command_timeout_s;

	return params->is_busy && s > BUSY_TIMEOUT_S ? BUSY_TIMEOUT_S : s;
}

/* A spool that cannot be used is a 421: the sender keeps the mail. */
static const char *
open_spool(struct serve *v)
{
	struct err e = ERR_INIT;

	if (spool_open(&v->spool, v->host->spool, &e) == 0) {
		offers_mirror(&v->rules, v->params->config, &v->spool);
		return NULL;
	}
	log_alarm("%s", e.text);
	return no_spool;
}

/* Who does not wait for the greeting is told 554 in its place. */
static bool
talks_early(struct serve *v)
{
	struct err e = ERR_INIT;
	size_t len;

	if (v->host->greet_delay_s == 0)
		return false;
	conn_buffered(v->conn, &len);
	return len > 0 ||
	       conn_fill(v->conn, deadline_in(v->host->greet_delay_s), &e) > 0;
}

/* Instead of the greeting; NULL: nothing is wrong. */
static const char *
refusal(struct serve *v)
{
	const char *wrong = open_spool(v);

	return wrong == NULL && talks_early(v) ? early_talker : wrong;
}

static void
give_up_rights(const struct serve_params *params)
{
	struct sandbox_plan own = SANDBOX_PLAN_INIT;
	struct sandbox in_force;

	if (params->sandbox == NULL)
		sandbox_prepare(&own, params->config);
	sandbox_enter(params->sandbox != NULL ? params->sandbox : &own,
	    &in_force);
	sandbox_forget(&own);
}

/* Who is it, what may it do, and what may we still do then? Returns what to
 * say instead of the greeting, or NULL. */
static const char *
introduce(struct serve *v)
{
	const char *client = v->session.env.client.addr, *wrong = NULL;

	if (is_listed(&v->host->proxy, client))
		wrong = read_proxy_header(v);
	log_connected(v);
	if (is_listed(&v->host->xclient, client))
		v->rules.exts |= SMTP_EXT_XCLIENT;
	if (!v->params->is_confined) {
		if (etrn_is_allowed(v->params->config, client))
			offer_etrn(v);
		give_up_rights(v->params);
	}
	if (wrong == NULL)
		wrong = refusal(v);
	v->is_welcome = wrong == NULL;
	return wrong;
}

static bool
is_clean(const struct serve *v)
{
	const struct session *s = &v->session;

	return v->is_welcome && s->has_quit && s->refused == 0 &&
	       s->overruns == 0 && !*v->params->told_to_end;
}

/* Session tickets and the reply behind them are two writes: Nagle's algorithm
 * would hold the second for the client's delayed acknowledgement, 40 ms. */
static void
send_at_once(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int
serve(const struct serve_params *params, struct err *e)
{
	struct serve v = {
		.params = params,
		.host = &params->config->host,
		.tls = params->tls,
		.spool = SPOOL_INIT,
		.etrn = { .starter_fd = -1 },
	};
	int rc;

	v.rules = serve_rules(params->config);
	if (params->is_preloaded ? params->tls != NULL : has_key_pair(v.host))
		v.rules.exts |= SMTP_EXT_STARTTLS;
	v.command_timeout_s = command_patience(params);
	v.patience = patience_of(v.host);
	session_init(&v.session, &v.rules);
	peer_find(&v.session.env.client, params->in_fd);
	peer_text(&v.session.env.client, v.peer);
	send_at_once(params->out_fd);
	v.conn = conn_new(params->in_fd, params->out_fd, e);
	if (v.conn == NULL)
		return -1;
	session_greet(&v.session, introduce(&v));
	intake_init(&v.intake, params->config, &v.spool, params->memory);
	expect_message(&v);
	converse(&v);
	log_disconnected(&v);
	conn_finish(v.conn, deadline_in(GOODBYE_MAX_S));
	conn_close(v.conn);
	if (v.session.messages > 0)
		etrn_hint(&v.etrn, v.session.env.client.addr);
	intake_free(&v.intake);
	tls_free(v.own_tls);
	etrn_free(&v.etrn);
	spool_close(&v.spool);
	rc = is_clean(&v);
	session_free(&v.session);
	return rc;
}

/* Tickets are a convenience: without a key there are none, and an alarm. */
static void
set_tickets(struct tls *t, const struct config_host *host, bool has_sessions)
{
	unsigned char key[TLS_TICKET_KEY_LEN];
	struct err e = ERR_INIT;
	int rc;

	if (host->tls_ticket_key != NULL)
		rc = ticket_key(host->tls_ticket_key, clock_wall_us() / 1000000,
		    key, &e);
	else if (has_sessions)
		rc = ticket_key_new(key, &e);
	else
		return;
	if (rc == 0)
		rc = tls_set_ticket_key(t, key, &e);
	explicit_bzero(key, sizeof key);
	if (rc == -1)
		log_alarm("no TLS session tickets: %s", e.text);
}

struct tls *
serve_tls(const struct config *config, bool has_sessions, struct err *e)
{
	const struct config_host *host = &config->host;
	struct tls *t = NULL;

	for (size_t i = 0; i < host->tls_key.n; i++) {
		const char *certificate = host->tls_certificate.word[i];
		const char *key = host->tls_key.word[i];

		if (t == NULL)
			t = tls_server(certificate, key, e);
		else if (tls_add_pair(t, certificate, key, e) == -1)
			log_alarm("a key pair is not used: %s", e->text);
		if (t == NULL && i + 1 < host->tls_key.n)
			log_alarm("a key pair is not used: %s", e->text);
	}
	if (t == NULL)
		return NULL;
	set_tickets(t, host, has_sessions);
	if (host->tls_client_ca != NULL &&
	    tls_ask_client(t, host->tls_client_ca, e) == -1)
		log_alarm("clients are not asked for certificates: %s",
		    e->text);
	return t;
}

/* Every pair has to be good here. */
static int
check_pairs(const struct config_host *host, struct err *e)
{
	for (size_t i = 0; i < host->tls_key.n; i++) {
		struct tls *t = tls_server(host->tls_certificate.word[i],
		    host->tls_key.word[i], e);

		int rc = t == NULL ? -1 : 0;

		if (rc == 0 && host->tls_client_ca != NULL)
			rc = tls_ask_client(t, host->tls_client_ca, e);
		tls_free(t);
		if (rc == -1)
			return -1;
	}
	return 0;
}

int
serve_check(const struct config *config, struct err *e)
{
	const struct config_host *host = &config->host;
	struct spool spool = SPOOL_INIT;

	if (spool_open(&spool, host->spool, e) == -1)
		return -1;
	spool_close(&spool);
	return check_pairs(host, e);
}
