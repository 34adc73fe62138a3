#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "judge_words.h"
#include "mail/smtp.h"

#define DAY_S 86400

/* ---- a session without fault ---- */

static void
say(struct fact_reply *r, int code, const char *text)
{
	r->code = code;
	snprintf(r->text, sizeof r->text, "%s", text);
}

static void
meet(struct facts *f, struct fact_host *h, size_t at)
{
	struct fact_session *s = calloc(1, sizeof *s);

	if (h->sessions == NULL)
		h->sessions =
		    calloc(h->naddrs + 1, sizeof(struct fact_session *));
	h->sessions[at] = s;
	s->step = STEP_END;
	s->connections = 1;
	say(&s->banner, 220, "mx ESMTP");
	say(&s->ehlo, 250, "mx");
	snprintf(s->name, sizeof s->name, "%s", h->name);
	s->plain.exts = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_STARTTLS;
	s->plain.size_max = 1000;
	s->secured = s->plain;
	s->secured.exts &= ~(unsigned)SMTP_EXT_STARTTLS;
	say(&s->starttls, 220, "go on");
	s->tls = (struct fact_tls){
		.was_tried = true,
		.is_up = true,
		.is_trusted = true,
		.is_named = true,
		.version = "TLS1.3",
		.subject = "CN=mx",
		.issuer = "CN=an issuer",
		.not_before_s = f->taken_s - 30 * (int64_t)DAY_S,
		.not_after_s = f->taken_s + 60 * (int64_t)DAY_S,
		.nchain = 2,
		.old = OLD_TLS_REFUSED,
		.inject = INJECT_DROPPED,
	};
	/* what "tlsa mx1 3 1 1 32 1" and "tlsa mx1 2 1 1 32 2" match */
	s->tls.chain[0].key.sha256[0] = s->tls.chain[0].key.sha512[0] = 1;
	s->tls.chain[1].key.sha256[0] = 2;
	say(&s->null_sender, 250, "2.1.0 Ok");
	say(&s->sender, 250, "2.1.0 Ok");
	say(&s->bare_postmaster, 250, "2.1.5 Ok");
	say(&s->relay, 554, "5.7.1 Relay access denied");
	say(&s->vrfy, 252, "2.0.0 maybe");
	say(&s->expn, 502, "5.5.1 no");
	say(&s->rcpts.postmaster, 250, "2.1.5 Ok");
	say(&s->rcpts.abuse, 250, "2.1.5 Ok");
	say(&s->rcpts.unknown, 550, "5.1.1 User unknown");
}

/* ---- one with ---- */

/* It ended in that step, and why. */
static void
end_at(struct fact_session *s, enum session_step step, const char *why)
{
	s->step = step;
	snprintf(s->why, sizeof s->why, "%s", why);
}

static void
no_tls(struct fact_session *s, const char *why)
{
	int64_t after_s = s->tls.not_after_s;

	memset(&s->tls, 0, sizeof s->tls);
	memset(&s->secured, 0, sizeof s->secured);
	s->tls.not_after_s = after_s;
	snprintf(s->tls.why, sizeof s->tls.why, "%s", why);
}

/* Words without a value. */
static bool
differ_in_state(struct fact_session *s, const char *word)
{
	if (strcmp(word, "dead") == 0) {
		end_at(s, STEP_CONNECT, "Connection timed out");
	} else if (strcmp(word, "noroute") == 0) {
		end_at(s, STEP_CONNECT, "Network is unreachable");
		s->has_no_route = true;
	} else if (strcmp(word, "mute") == 0) {
		end_at(s, STEP_BANNER, "no greeting in time");
		say(&s->banner, 0, "");
	} else if (strcmp(word, "untried") == 0) {
		end_at(s, STEP_NONE, "no time left");
	} else if (strcmp(word, "lost") == 0) {
		end_at(s, STEP_EHLO, "connection lost");
		say(&s->ehlo, 0, "");
	} else if (strcmp(word, "nothing") == 0) {
		s->plain.exts = 0;
	} else if (strcmp(word, "tls-nothing") == 0) {
		s->secured.exts = 0;
	} else if (strcmp(word, "plain") == 0) {
		no_tls(s, "");
		s->plain.exts &= ~(unsigned)SMTP_EXT_STARTTLS;
	} else if (strcmp(word, "broken") == 0) {
		no_tls(s, "no handshake");
		s->tls.was_tried = true;
		s->tls.old = OLD_TLS_UNKNOWN;
	} else if (strcmp(word, "misnamed") == 0) {
		s->tls.is_named = false;
		snprintf(s->tls.names, sizeof s->tls.names, "other.test");
	} else if (strcmp(word, "untrusted") == 0) {
		s->tls.is_trusted = false;
	} else if (strcmp(word, "obeyed") == 0) {
		s->tls.inject = INJECT_OBEYED;
	} else if (strcmp(word, "half-injected") == 0) {
		s->tls.inject = INJECT_UNKNOWN;
	} else if (strcmp(word, "second-unknown") == 0) {
		s->tls.second = SECOND_UNKNOWN;
	} else if (strcmp(word, "old") == 0) {
		s->tls.old = OLD_TLS_TAKEN;
		strcpy(s->tls.old_version, "TLS 1.0");
	} else if (strcmp(word, "old-unknown") == 0) {
		s->tls.old = OLD_TLS_UNKNOWN;
	} else {
		return false;
	}
	return true;
}

static struct fact_reply *
reply_called(struct fact_session *s, const char *word)
{
	const struct {
		const char *name;
		struct fact_reply *reply;
	} replies[] = {
		{ "banner", &s->banner },
		{ "ehlo", &s->ehlo },
		{ "starttls", &s->starttls },
		{ "null", &s->null_sender },
		{ "sender", &s->sender },
		{ "bare", &s->bare_postmaster },
		{ "relay", &s->relay },
		{ "vrfy", &s->vrfy },
		{ "expn", &s->expn },
		{ "postmaster", &s->rcpts.postmaster },
		{ "abuse", &s->rcpts.abuse },
		{ "unknown", &s->rcpts.unknown },
	};

	for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
		if (strcmp(replies[i].name, word) == 0)
			return replies[i].reply;
	}
	fail_msg("no such word of a session: %s", word);
	return NULL;
}

static void
differ_in_reply(struct fact_session *s, const char *word, const char *value)
{
	struct fact_reply *r = reply_called(s, word);
	char *text = unquote(value);
	char *rest = strchr(text, ' ');

	say(r, atoi(text), rest == NULL ? "so it is" : rest + 1);
	free(text);
	if (r == &s->banner && r->code != 220)
		end_at(s, STEP_BANNER, "greeting: turned away");
	else if (r == &s->ehlo && r->code != 250)
		end_at(s, STEP_EHLO, "EHLO: refused");
}

static unsigned
ext_called(const char *name)
{
	unsigned ext = 1;

	while (strcmp(smtp_ext_name(ext), name) != 0)
		ext <<= 1;
	return ext;
}

static void
differ(struct facts *f, struct fact_session *s, const char *word,
    const char *value)
{
	if (value == NULL) {
		if (!differ_in_state(s, word))
			fail_msg("no such word of a session: %s", word);
	} else if (strcmp(word, "name") == 0) {
		snprintf(s->name, sizeof s->name, "%s", value);
	} else if (strcmp(word, "days") == 0) {
		s->tls.not_after_s = f->taken_s + atoi(value) * (int64_t)DAY_S;
	} else if (strcmp(word, "from") == 0) {
		s->tls.not_before_s = f->taken_s + atoi(value) * (int64_t)DAY_S;
	} else if (strcmp(word, "key") == 0) {
		s->tls.chain[0].key.sha256[0] = (unsigned char)atoi(value);
	} else if (strcmp(word, "second") == 0) {
		s->tls.second = SECOND_SEEN;
		s->tls.nsecond = 1;
		s->tls.second_chain[0].key.sha256[0] =
		    (unsigned char)atoi(value);
	} else if (strcmp(word, "size") == 0) {
		s->secured.size_max = (uint64_t)atoi(value);
	} else if (strcmp(word, "offers") == 0) {
		s->secured.exts |= ext_called(value);
	} else {
		differ_in_reply(s, word, value);
	}
}

/* "*" is every host, and every address. */
static bool
is_meant(const char *word, const char *name)
{
	return strcmp(word, "*") == 0 || strcmp(word, name) == 0;
}

static void
state_session(struct facts *f, const struct words *w, bool is_new)
{
	size_t n = 0;

	for (size_t i = 0; i < f->nhosts; i++) {
		struct fact_host *h = &f->hosts[i];

		for (size_t k = 0; k < h->naddrs; k++) {
			char at[24];

			snprintf(at, sizeof at, "%zu", k);
			if (!is_meant(w->v[1], h->name) ||
			    !is_meant(w->n > 2 ? w->v[2] : "*", at))
				continue;
			n++;
			if (is_new)
				meet(f, h, k);
			else
				differ(f, h->sessions[k], w->v[3], w->v[4]);
		}
	}
	if (n == 0)
		fail_msg("no such host and address: %s", w->v[1]);
}

/* ---- MTA-STS ---- */

static void
state_policy(struct facts *f, const struct words *w)
{
	struct fact_policy *p = calloc(1, sizeof *p);
	char *names = w->n > 2 ? strdup(w->v[2]) : NULL, *save = NULL;

	f->policy = p;
	set_lookup(&f->sts.said, DNS_OK);
	p->is_valid = w->v[1][0] != '=';
	p->is_unreachable = strcmp(w->v[1], "=GONE") == 0;
	snprintf(p->why, sizeof p->why, "%s", p->is_valid ? "" : "no good");
	p->mode = strcmp(w->v[1], "enforce") == 0   ? STS_MODE_ENFORCE
		  : strcmp(w->v[1], "testing") == 0 ? STS_MODE_TESTING
						    : STS_MODE_NONE;
	for (char *q = names == NULL ? NULL : strtok_r(names, ",", &save);
	     q != NULL; q = strtok_r(NULL, ",", &save))
		snprintf(p->patterns[p->npatterns++], FACT_NAME_MAX, "%s", q);
	free(names);
}

bool
state_smtp(struct facts *f, const struct words *w)
{
	if (strcmp(w->v[0], "met") == 0 || strcmp(w->v[0], "but") == 0)
		state_session(f, w, w->v[0][0] == 'm');
	else if (strcmp(w->v[0], "policy") == 0)
		state_policy(f, w);
	else
		return false;
	return true;
}
