#include "session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "session_parts.h"

#define CONNECT_TIMEOUT_S 30 /* what senders wait, too */

void
session_say(char out[FACT_SAID_MAX], const char *text)
{
	text_safe(out, FACT_SAID_MAX, text);
}

void
session_note(struct fact_reply *to, const struct smtp_reply *reply)
{
	char text[SMTP_REPLY_TEXT_MAX + 16];

	to->code = reply->code;
	snprintf(text, sizeof text, "%s%s%s", reply->enhanced,
	    reply->enhanced[0] != '\0' ? " " : "", reply->text);
	text_printable(to->text, sizeof to->text, text, strlen(text));
}

/* The session ends here, early. */
static void
stop(struct session *s)
{
	session_say(s->facts->why, s->err.text);
}

static unsigned
since_ms(int64_t began_ms)
{
	return (unsigned)(clock_monotonic_ms() - began_ms);
}

/* Each connection has as long as the first. */
static int
connect_again(struct session *s)
{
	unsigned most = s->job->timeout_s;

	s->params = (struct client_params){
		.helo = s->job->helo,
		.connect_timeout_s =
		    most < CONNECT_TIMEOUT_S ? most : CONNECT_TIMEOUT_S,
		.deadline_ms = clock_monotonic_ms() + (int64_t)most * 1000,
	};
	s->facts->connections++;
	return client_connect(&s->client, &s->params, &s->job->ep, &s->err);
}

int
session_hello(struct session *s)
{
	int rc = client_hello(&s->client, &s->err);

	if (rc == -1 && s->err.class == ERR_PERM && s->client.reply.code == 250)
		return 0;
	return rc;
}

int
session_reopen(struct session *s)
{
	if (connect_again(s) == -1 || client_greet(&s->client, &s->err) == -1)
		return -1;
	if (!smtp_reply_ok(&s->client.reply))
		return err_temp(&s->err, "greeting: %d", s->client.reply.code);
	if (session_hello(s) == -1)
		return -1;
	return smtp_reply_ok(&s->client.reply)
		   ? 0
		   : err_temp(&s->err, "EHLO: %d", s->client.reply.code);
}

/* ---- the steps of the first connection; false: it is over ---- */

static bool
is_no_route(int sys, const struct endpoint *ep)
{
	return sys == EAFNOSUPPORT || sys == EADDRNOTAVAIL ||
	       (sys == ENETUNREACH && ep->addr.ss_family == AF_INET6);
}

static bool
take_connection(struct session *s)
{
	int64_t began_ms = clock_monotonic_ms();
	int rc;

	s->facts->step = STEP_CONNECT;
	rc = connect_again(s);
	s->facts->connect_ms = since_ms(began_ms);
	if (rc == 0)
		return true;
	s->facts->is_refused = s->err.sys == ECONNREFUSED;
	s->facts->has_no_route = is_no_route(s->err.sys, &s->job->ep);
	stop(s);
	return false;
}

static bool
take_banner(struct session *s)
{
	int64_t began_ms = clock_monotonic_ms();
	int rc;

	s->facts->step = STEP_BANNER;
	rc = client_greet(&s->client, &s->err);
	s->facts->banner_ms = since_ms(began_ms);
	session_note(&s->facts->banner, &s->client.reply);
	if (rc == 0 && !smtp_reply_ok(&s->client.reply))
		err_temp(&s->err, "greeting: %d %s", s->client.reply.code,
		    s->client.reply.text);
	if (rc == 0 && smtp_reply_ok(&s->client.reply))
		return true;
	stop(s);
	return false;
}

static void
take_offer(struct fact_offer *to, const struct smtp_offer *offer)
{
	to->exts = offer->exts;
	to->size_max = offer->size_max;
}

static bool
take_hello(struct session *s)
{
	int rc;

	s->facts->step = STEP_EHLO;
	rc = session_hello(s);
	session_note(&s->facts->ehlo, &s->client.reply);
	if (rc == 0 && !smtp_reply_ok(&s->client.reply))
		rc = err_temp(&s->err, "EHLO: %d %s", s->client.reply.code,
		    s->client.reply.text);
	if (rc == -1) {
		stop(s);
		return false;
	}
	snprintf(s->facts->name, sizeof s->facts->name, "%s", s->client.name);
	take_offer(&s->facts->plain, &s->client.offer);
	return true;
}

/* What comes after a handshake that failed is heard in the clear, as senders
 * would go on. */
static bool
take_tls(struct session *s)
{
	s->facts->step = STEP_TLS;
	if ((s->facts->plain.exts & SMTP_EXT_STARTTLS) == 0)
		return true;
	if (session_tls(s)) {
		if (s->facts->tls.is_up)
			take_offer(&s->facts->secured, &s->client.offer);
		return true;
	}
	client_abort(&s->client);
	if (session_reopen(s) == 0)
		return true;
	stop(s);
	return false;
}

static bool
take_mail(struct session *s, struct fact_rcpts *rcpts)
{
	s->facts->step = STEP_MAIL;
	if (session_mail(s, rcpts))
		return true;
	stop(s);
	return false;
}

void
session_run(const struct session_job *job, struct session_result *r)
{
	struct session s = {
		.job = job,
		.client = CLIENT_INIT,
		.facts = &r->session,
		.err = ERR_INIT,
	};

	memset(r, 0, sizeof *r);
	if (take_connection(&s) && take_banner(&s) && take_hello(&s) &&
	    take_tls(&s) && take_mail(&s, r->rcpts))
		r->session.step = STEP_END;
	client_quit(&s.client);
	if (job->wants_old_tls && r->session.starttls.code != 0)
		session_old_tls(&s);
	if (job->wants_inject && r->session.tls.is_up)
		session_inject(&s);
	if (job->wants_second && r->session.tls.is_up)
		session_second(&s);
}
