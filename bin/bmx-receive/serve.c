#include "bmx-receive/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "bmx-receive/intake.h"
#include "bmx-receive/peer.h"
#include "bmx-receive/session.h"
#include "net/conn.h"
#include "net/tls.h"

#define JUNK_MAX 100     /* commands without mail; as in Postfix */
#define GOODBYE_MAX_S 10 /* for the last words to a client that is leaving */

static const char ready_for_tls[] = "220 2.0.0 Ready to start TLS";
static const char no_tls[] = "454 4.7.0 TLS is not available now";
static const char no_etrn[] = "458 4.3.0 Not now";
static const char no_spool[] = "421 4.3.0 Cannot store mail now, try later";
static const char timed_out[] = "421 4.4.2 Timeout, closing";
static const char shutting_down[] = "421 4.3.2 Shutting down, try later";

struct serve {
	const struct serve_params *params;
	const struct config_host *host;
	struct session_params rules;
	struct session session;
	struct spool spool;
	struct intake intake;
	struct conn *conn;
	struct tls *tls;
	char peer[ENDPOINT_TEXT_MAX];
	const char *ending; /* how the session ended; NULL: it goes on */
};

static int64_t
deadline_in(unsigned seconds)
{
	return clock_monotonic_ms() + (int64_t)seconds * 1000;
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
	char line[512], reply[SESSION_REPLY_MAX];

	log_info("peer=%s helo=%s command=\"%s\" reply=\"%s\" refused", v->peer,
	    s->env.client.helo, text_safe(line, sizeof line, s->line),
	    text_safe(reply, sizeof reply, s->reply));
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
	    text_safe(from, sizeof from, s->env.mail.reverse_path.text),
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

static void
read_more(struct serve *v)
{
	unsigned timeout_s = session_in_content(&v->session)
				 ? v->host->data_timeout_s
				 : v->host->command_timeout_s;
	int64_t deadline_ms = deadline_in(timeout_s);
	struct err e = ERR_INIT;
	ssize_t n;

	do {
		if (*v->params->told_to_end) {
			end_session(v, shutting_down, "told to end");
			return;
		}
		n = conn_fill(v->conn, deadline_ms, &e);
	} while (n == -1 && e.sys == EINTR);
	if (n == 0)
		end_session(v, NULL, "client closed without QUIT");
	else if (n == -1 && e.sys == ETIMEDOUT)
		end_session(v, timed_out, "timeout");
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
		v->tls =
		    tls_server(v->host->tls_certificate, v->host->tls_key, &e);
	if (v->tls != NULL)
		return ready_for_tls;
	log_alarm("STARTTLS is not offered: %s", e.text);
	v->rules.exts &= ~(unsigned)SMTP_EXT_STARTTLS;
	return no_tls;
}

static void
start_tls(struct serve *v)
{
	int64_t deadline_ms = deadline_in(v->host->command_timeout_s);
	struct envelope_client *client = &v->session.env.client;
	char said[sizeof(struct err)];
	struct err e = ERR_INIT;

	send_replies(v, v->host->command_timeout_s);
	if (v->ending != NULL)
		return;
	if (conn_start_tls(v->conn, v->tls, NULL, deadline_ms, &e) == -1) {
		log_info("peer=%s error=\"%s\" no TLS", v->peer,
		    text_safe(said, sizeof said, e.text));
		end_session(v, NULL, "TLS handshake failed");
		return;
	}
	session_secured(&v->session);
	snprintf(client->tls, sizeof client->tls, "%s", conn_tls_text(v->conn));
}

/* ---- events ---- */

static const char *
commit(struct serve *v)
{
	const char *reply = intake_commit(&v->intake);

	for (size_t i = 0; i < v->intake.ncopies; i++)
		log_queued(v, &v->intake.copies[i]);
	intake_release(&v->intake);
	return reply;
}

/* The answer to an ASK; NULL for other events. */
static const char *
answer(struct serve *v, enum session_event event)
{
	struct session *s = &v->session;

	if (event == SESSION_ASK_MAIL)
		return intake_mail(&v->intake, &s->env.mail);
	if (event == SESSION_ASK_RCPT)
		return intake_rcpt(&v->intake, &s->env, &s->rcpt);
	if (event == SESSION_ASK_DATA)
		return intake_begin(&v->intake, &s->env);
	if (event == SESSION_ASK_END)
		return commit(v);
	if (event == SESSION_ASK_TLS)
		return load_tls(v);
	return event == SESSION_ASK_ETRN ? no_etrn : NULL;
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
		send_replies(v, v->host->command_timeout_s);
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

/* Cheap: whether the pair is any good is seen when it is used. */
static bool
has_key_pair(const struct config_host *host)
{
	const char *files[] = { host->tls_certificate, host->tls_key };

	if (files[0] == NULL || files[1] == NULL)
		return false;
	for (size_t i = 0; i < 2; i++) {
		if (faccessat(AT_FDCWD, files[i], R_OK, AT_EACCESS) == 0)
			continue;
		log_alarm("STARTTLS is not offered: %s: %s", files[i],
		    strerror(errno));
		return false;
	}
	return true;
}

static struct session_params
rules_of(const struct config_host *host)
{
	struct session_params p = {
		.hostname = host->hostname,
		.max_size = host->max_size,
		.max_recipients = host->max_recipients,
		.max_errors = host->max_errors,
		.max_junk = JUNK_MAX,
		.exts = SMTP_EXT_SIZE | SMTP_EXT_PIPELINING |
			SMTP_EXT_8BITMIME | SMTP_EXT_ENHANCEDSTATUSCODES |
			SMTP_EXT_DSN | SMTP_EXT_SMTPUTF8 | SMTP_EXT_CHUNKING,
	};

	if (has_key_pair(host))
		p.exts |= SMTP_EXT_STARTTLS;
	return p;
}

/* A spool that cannot be used is a 421: the sender keeps the mail. */
static const char *
open_spool(struct serve *v)
{
	struct err e = ERR_INIT;

	if (spool_open(&v->spool, v->host->spool, &e) == 0)
		return NULL;
	log_alarm("%s", e.text);
	return no_spool;
}

int
serve(const struct serve_params *params, struct err *e)
{
	struct serve v = {
		.params = params,
		.host = &params->config->host,
		.spool = SPOOL_INIT,
	};

	v.rules = rules_of(v.host);
	session_init(&v.session, &v.rules);
	peer_find(&v.session.env.client, params->in_fd);
	peer_text(&v.session.env.client, v.peer);
	v.conn = conn_new(params->in_fd, params->out_fd, e);
	if (v.conn == NULL)
		return -1;
	log_connected(&v);
	session_greet(&v.session, open_spool(&v));
	intake_init(&v.intake, params->config, &v.spool);
	converse(&v);
	log_disconnected(&v);
	conn_finish(v.conn, deadline_in(GOODBYE_MAX_S));
	conn_close(v.conn);
	tls_free(v.tls);
	spool_close(&v.spool);
	session_free(&v.session);
	return 0;
}

int
serve_check(const struct config *config, struct err *e)
{
	const struct config_host *host = &config->host;
	struct spool spool = SPOOL_INIT;
	struct tls *tls;

	if (spool_open(&spool, host->spool, e) == -1)
		return -1;
	spool_close(&spool);
	if (host->tls_certificate == NULL)
		return 0;
	tls = tls_server(host->tls_certificate, host->tls_key, e);
	if (tls == NULL)
		return -1;
	tls_free(tls);
	return 0;
}
