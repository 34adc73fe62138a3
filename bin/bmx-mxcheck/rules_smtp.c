#include "rules.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool
is_taken(const struct fact_reply *r)
{
	return r->code / 100 == 2;
}

/* ---- does it answer? ---- */

static bool
is_expected_down(const struct judging *j, const struct fact_host *h)
{
	const struct role_words *down = j->policy->down;

	for (size_t i = 0; down != NULL && i < down->n; i++) {
		if (role_word_is(&down->word[i], h))
			return true;
	}
	return false;
}

enum reach { REACH_UNKNOWN, REACH_DEAD, REACH_ALIVE };

static enum reach
reach_of(const struct fact_session *s)
{
	if (s == NULL || s->step == STEP_NONE || s->has_no_route)
		return REACH_UNKNOWN;
	return s->step > STEP_CONNECT ? REACH_ALIVE : REACH_DEAD;
}

/* Alive if an address is, dead if all are. */
static enum reach
reach_of_host(const struct fact_host *h)
{
	enum reach all =
	    h->naddrs == 0 || lacks_addresses(h) ? REACH_UNKNOWN : REACH_DEAD;

	for (size_t i = 0; i < h->naddrs; i++) {
		enum reach one = reach_of(facts_session(h, i));

		if (one == REACH_ALIVE)
			return one;
		if (one == REACH_UNKNOWN)
			all = one;
	}
	return all;
}

static bool
is_anybody_alive(const struct facts *f)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		if (reach_of_host(&f->hosts[i]) == REACH_ALIVE)
			return true;
	}
	return false;
}

/* Not so if there is one of whom that is not known. */
static bool
is_everybody_dead(const struct facts *f)
{
	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		if ((h->naddrs > 0 || lacks_addresses(h)) &&
		    reach_of_host(h) != REACH_DEAD)
			return false;
	}
	return f->hosts_left == 0;
}

void
tcp_25(struct judging *j, const struct seen *s)
{
	if (is_expected_down(j, s->host))
		return;
	if (s->session->has_no_route)
		untested(j, s->about, "there is no way to it from here: %s",
		    s->session->why);
	else if (s->session->step > STEP_CONNECT)
		pass(j);
	else
		fail(j, is_everybody_dead(j->facts) ? SEVERITY_ERROR : usual(j),
		    s->about, "%s (after %u ms)", s->session->why,
		    s->session->connect_ms);
}

/* By the first of its addresses. */
static struct about
about_first(const struct fact_host *h, struct lookup *who)
{
	return h->naddrs > 0 ? about_address(h, 0, who) : about_host(h);
}

static void
nolist_host(struct judging *j, const struct fact_host *h, bool is_best)
{
	enum reach reach = reach_of_host(h);
	struct lookup who;
	struct about about = about_first(h, &who);

	if (reach == REACH_UNKNOWN)
		untested(j, about, "whether it answers is not known");
	else if (is_expected_down(j, h) && reach == REACH_ALIVE)
		fail(j, usual(j), about,
		    "is to be dead on purpose, but answers");
	else if (is_best && !is_expected_down(j, h) && reach == REACH_DEAD)
		fail(j, usual(j), about,
		    "is the best host and does not answer, others do: an "
		    "outage, or meant so");
	else
		pass(j);
}

void
nolist(struct judging *j)
{
	const struct facts *f = j->facts;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];
		bool is_best = h->preference == f->hosts[0].preference;

		if (!is_target(f, i) || h->sessions == NULL ||
		    (is_best && !is_expected_down(j, h) &&
			!is_anybody_alive(f)))
			continue;
		if (is_best || is_expected_down(j, h))
			nolist_host(j, h, is_best);
	}
}

void
v6(struct judging *j, const struct fact_host *h)
{
	struct about aaaa = { h->name, "", &h->aaaa };
	size_t alive = 0, unknown = 0, seen = 0, dead = h->naddrs;
	struct lookup who;

	if (h->sessions == NULL || is_expected_down(j, h))
		return;
	for (size_t i = 0; i < h->naddrs; i++) {
		const struct fact_session *s = facts_session(h, i);
		enum reach reach = reach_of(s);

		if (h->addrs[i].len != 16 || s == NULL)
			continue;
		seen++;
		alive += reach == REACH_ALIVE;
		unknown += reach == REACH_UNKNOWN;
		if (reach == REACH_DEAD)
			dead = i;
	}
	if (seen == 0 && is_complete(h))
		fail(j, SEVERITY_NOTICE, aaaa, "has no IPv6 address");
	else if (seen == 0)
		untested_host(j, h);
	else if (dead < h->naddrs)
		fail(j, usual(j), about_address(h, dead, &who),
		    "is published and does not answer: %s",
		    h->sessions[dead]->why);
	else if (unknown > 0)
		untested(j, aaaa,
		    "there is no way to its IPv6 address from here");
	else if (alive > 0)
		pass(j);
}

/* ---- its words ---- */

void
banner(struct judging *j, const struct seen *s)
{
	const struct fact_reply *r = &s->session->banner;

	if (r->code == 220)
		pass(j);
	else if (r->code == 0)
		fail(j, usual(j), s->about, "%s", s->session->why);
	else
		fail(j, r->code / 100 == 4 ? SEVERITY_WARNING : usual(j),
		    s->about, "%s: %d %s",
		    r->code / 100 == 4 ? "wants senders to come again"
				       : "turns senders away",
		    r->code, r->text);
}

void
ehlo(struct judging *j, const struct seen *s)
{
	const struct fact_session *f = s->session;

	if (f->ehlo.code == 0)
		fail(j, usual(j), s->about, "%s", f->why);
	else if (!is_taken(&f->ehlo))
		fail(j, usual(j), s->about, "is refused: %d %s", f->ehlo.code,
		    f->ehlo.text);
	else if (f->plain.exts == 0)
		fail(j, SEVERITY_WARNING, s->about,
		    "no extension is offered (only HELO?): %s", f->ehlo.text);
	else if (f->tls.is_up && f->secured.exts == 0)
		fail(j, usual(j), s->about,
		    "in TLS no extension is offered, or the session ends");
	else
		pass(j);
}

void
ptr_ehlo(struct judging *j, const struct seen *s)
{
	const struct fact_host *h = s->host;
	const struct fact_reverse *r =
	    h->reverse == NULL ? NULL : &h->reverse[s->at];
	const char *name = s->session->name;
	size_t len = strlen(name);

	len -= len > 0 && name[len - 1] == '.';
	if (strlen(h->name) == len && strncasecmp(h->name, name, len) == 0)
		pass(j);
	else if (r == NULL || !lookup_is_definite(&r->ptr))
		untested(j, s->about,
		    "calls itself %s; the name of the address is not known",
		    name);
	else if (r->name != NULL && strlen(r->name) == len &&
		 strncasecmp(r->name, name, len) == 0)
		pass(j);
	else
		fail(j, usual(j), s->about,
		    "calls itself %s; the address is called %s",
		    name[0] == '\0' ? "nothing" : name,
		    r->name == NULL ? "nothing" : r->name);
}

/* "20.0.0.1" and "10.03.2026" are none, "3.7.11" and "15.20.7472.24" are. */
static bool
is_version(const char *word, size_t len)
{
	unsigned part[4], n = 0, most = 0;
	int used = 0;
	size_t at = 0;

	while (n < 4 && sscanf(word + at, "%4u%n", &part[n], &used) == 1) {
		most = part[n] > most ? part[n] : most;
		at += (size_t)used;
		n++;
		if (at >= len || word[at] != '.')
			break;
		at++;
	}
	if (n == 4)
		return most > 255;
	return n == 2 || (n == 3 && (most < 1990 || most > 2099));
}

/* The first behind the first word, which is the host's name. */
static const char *
find_version(const char *text, size_t *len)
{
	char before = ' ';

	text += strcspn(text, " ");
	for (; *text != '\0'; before = text[-1]) {
		size_t word = strspn(text, "0123456789.");
		bool is_start = !isalnum((unsigned char)before) &&
				before != '.' && before != ':';

		while (word > 0 && text[word - 1] == '.')
			word--;
		if (is_start && isdigit((unsigned char)*text) &&
		    text[word] != ':' && is_version(text, word)) {
			*len = word;
			return text;
		}
		text += word > 0 ? word : 1;
	}
	return NULL;
}

void
leak(struct judging *j, const struct seen *s)
{
	const struct fact_reply *r = &s->session->banner;
	size_t len = 0;
	const char *version = find_version(r->text, &len);

	if (version != NULL)
		fail(j, usual(j), s->about, "tells a version, %.*s: %s",
		    (int)len, version, r->text);
	else
		pass(j);
}

/* ---- what it takes ---- */

/* A reply that says nothing: it never came, or it says "later", or it is about
 * us and not about what was asked (5.7). */
static bool
says_nothing(const struct fact_reply *r)
{
	return r->code == 0 || r->code / 100 == 4 ||
	       strncmp(r->text, "5.7.", 4) == 0;
}

static void
untested_reply(struct judging *j, const struct seen *s, const char *what,
    const struct fact_reply *r)
{
	if (r->code == 0)
		untested(j, s->about, "%s: no answer%s%s", what,
		    s->session->why[0] == '\0' ? "" : ", ", s->session->why);
	else
		untested(j, s->about, "%s: %d %s", what, r->code, r->text);
}

void
vrfy_expn(struct judging *j, const struct seen *s)
{
	const struct fact_reply *v = &s->session->vrfy, *e = &s->session->expn;
	bool is_verified = v->code == 250 || v->code == 251;

	if (is_verified || e->code == 250)
		fail(j, usual(j), s->about, "%s postmaster: %d %s",
		    is_verified ? "VRFY" : "EXPN",
		    is_verified ? v->code : e->code,
		    is_verified ? v->text : e->text);
	else if (v->code == 0 || e->code == 0)
		untested_reply(j, s, v->code == 0 ? "VRFY" : "EXPN", v);
	else
		pass(j);
}

/* A refusal of 5.7 is about us, unless we may send under a name. */
void
null_sender(struct judging *j, const struct seen *s)
{
	const struct fact_reply *r = &s->session->null_sender;
	bool is_of_it = r->code / 100 == 5 && is_taken(&s->session->sender);

	if (is_taken(r))
		pass(j);
	else if (!is_of_it && says_nothing(r))
		untested_reply(j, s, "MAIL FROM:<>", r);
	else
		fail(j, usual(j), s->about, "MAIL FROM:<>: %d %s", r->code,
		    r->text);
}

/* What a recipient was answered; without a sender nothing. */
static const struct fact_reply *
rcpt_reply(const struct seen *s, const struct fact_reply *r)
{
	return is_taken(&s->session->sender) ? r : &s->session->sender;
}

void
relay(struct judging *j, const struct seen *s)
{
	const struct fact_reply *r = rcpt_reply(s, &s->session->relay);

	if (r == &s->session->sender)
		untested_reply(j, s, "our sender", r);
	else if (is_taken(r))
		fail(j, usual(j), s->about,
		    "takes mail for a stranger's domain: %d %s", r->code,
		    r->text);
	else if (r->code / 100 == 5)
		pass(j);
	else
		untested_reply(j, s, "RCPT of a stranger", r);
}

static void
wanted_rcpt(struct judging *j, const struct seen *s, const char *local,
    const struct fact_reply *given)
{
	const struct fact_reply *r = rcpt_reply(s, given);

	if (r == given && is_taken(r))
		pass(j);
	else if (r != given || says_nothing(r))
		untested_reply(j, s, r == given ? local : "our sender", r);
	else
		fail(j, usual(j), s->about, "%s is refused: %d %s", local,
		    r->code, r->text);
}

void
postmaster(struct judging *j, const struct seen *s)
{
	wanted_rcpt(j, s, "postmaster", &s->session->rcpts.postmaster);
	if (is_taken(&s->session->sender))
		wanted_rcpt(j, s, "<Postmaster> without domain",
		    &s->session->bare_postmaster);
}

void
abuse(struct judging *j, const struct seen *s)
{
	wanted_rcpt(j, s, "abuse", &s->session->rcpts.abuse);
}
