#include "spool/bounce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "spool/lastword.h"
#include "spool/lifetime.h"

#define BOUNDARY_TRIES 8
#define OPEN_TRIES 100 /* of a Maildir that others remove meanwhile */

static const char *const words[] = {
	[DSN_FAILED] = "failed",
	[DSN_DELAYED] = "delayed",
	[DSN_RELAYED] = "relayed",
};
#define WORDS (sizeof words / sizeof *words)

/* ---- who is told, and what becomes of the message ---- */

static bool
is_about(const struct bounce_order *order, const struct envelope *env, size_t i)
{
	enum rcpt_state state = env->rcpts[i].state;

	if (order->action == DSN_RELAYED)
		return order->is_taken[i];
	return state ==
	       (order->action == DSN_FAILED ? RCPT_FAILED : RCPT_PENDING);
}

static bool
is_told(const struct bounce_order *order, const struct envelope *env, size_t i)
{
	return is_about(order, env, i) && dsn_is_wanted(env, &env->rcpts[i],
					      order->action, order->next_exts);
}

/* Where mail to this address is spooled. False: nowhere. */
static bool
find_home(const struct addr *address, char domain[ADDR_DOMAIN_MAX + 1])
{
	const char *name = addr_domain(address);
	struct err ignored;

	return addr_fold_domain(name, strlen(name), domain, &ignored) == 0 &&
	       spool_is_domain(domain);
}

const char *
bounce_why_not(const struct envelope *env, const struct bounce_order *order)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	size_t n = 0;

	if (env->mail.reverse_path.len == 0)
		return "the null reverse-path";
	for (size_t i = 0; i < env->nrcpt; i++)
		n += is_told(order, env, i);
	if (n == 0)
		return "NOTIFY does not want one";
	return find_home(&env->mail.reverse_path, domain)
		   ? NULL
		   : "the sender has no domain";
}

/* A letter for each recipient: what it is to become. */
static void
states_after(const struct bounce_order *order, const struct envelope *env,
    char states[ENVELOPE_RCPT_MAX + 1])
{
	for (size_t i = 0; i < env->nrcpt; i++) {
		states[i] = (char)env->rcpts[i].state;
		if (!is_about(order, env, i))
			continue;
		if (order->action == DSN_FAILED)
			states[i] = RCPT_BOUNCED;
		if (order->action == DSN_RELAYED)
			states[i] = RCPT_DELIVERED;
	}
	states[env->nrcpt] = '\0';
}

static bool
are_final(const char *states)
{
	static const char final[] = { RCPT_DELIVERED, RCPT_BOUNCED, '\0' };

	return states[strspn(states, final)] == '\0';
}

static int
mark(struct spool_file *f, const char *states, struct err *e)
{
	bool is_changed = false;

	for (size_t i = 0; i < f->env.nrcpt; i++) {
		if ((char)f->env.rcpts[i].state == states[i])
			continue;
		if (spool_file_mark(f, i, (enum rcpt_state)states[i], e) == -1)
			return -1;
		is_changed = true;
	}
	return is_changed ? spool_file_sync(f, e) : 0;
}

/* Safe to repeat: it says what is to be, not what is to change. The marks go
 * with the file, whatever its name is meanwhile. */
static int
apply(const struct bounce *b, enum dsn_action action, const char *states,
    struct spool_entry *entry, struct spool_file *f, struct bounce_result *r,
    struct err *e)
{
	int rc;

	if (action == DSN_DELAYED)
		return spool_tell(b->maildir, entry, e) == -1 ? -1 : 0;
	if (mark(f, states, e) == -1)
		return -1;
	if (!are_final(states))
		return 0;
	rc = spool_remove(b->maildir, entry, e);
	r->is_removed = rc == 1;
	return rc == -1 ? -1 : 0;
}

/* ---- the notice ---- */

/* It cannot be known beforehand, so that it is not in the message. */
static int
draw_boundary(char boundary[DSN_BOUNDARY_MAX + 1], struct err *e)
{
	unsigned long long chance[2];

	if (getrandom(chance, sizeof chance, 0) != (ssize_t)sizeof chance)
		return err_sys(e, "getrandom");
	snprintf(boundary, DSN_BOUNDARY_MAX + 1, "=_%016llx%016llx", chance[0],
	    chance[1]);
	return 0;
}

/* What a notice is made of, while it is made. */
struct draft {
	struct dsn dsn;
	struct dsn_rcpt rcpts[ENVELOPE_RCPT_MAX];
	struct lastword words[ENVELOPE_RCPT_MAX];
	char peer[sizeof((struct lastword *)0)->peer];
	char name[SPOOL_PREPARED_MAX]; /* in tmp/ */
	char id[2 * SPOOL_ID_LEN + 2]; /* in Message-ID */
	char boundary[DSN_BOUNDARY_MAX + 1];
	char message[DSN_HEADER_MAX + 1];
};

static int
read_header(struct draft *d, const struct spool_file *f, struct err *e)
{
	size_t at = 0;
	ssize_t n;

	while ((n = spool_file_read(f, f->content + at, d->message + at,
		    sizeof d->message - at, e)) > 0)
		at += (size_t)n;
	d->dsn.message = d->message;
	d->dsn.message_len = at;
	return (int)n;
}

static void
list_recipients(struct draft *d, const struct bounce_order *order,
    const struct envelope *env)
{
	struct dsn_rcpt *r = d->rcpts;

	for (size_t i = 0; i < env->nrcpt; i++) {
		const struct lastword *word = &d->words[i];

		if (!is_told(order, env, i))
			continue;
		*r = (struct dsn_rcpt){ .rcpt = &env->rcpts[i],
			.action = order->action };
		if (order->action == DSN_RELAYED) {
			r->reply = order->reply;
			r->remote_mta = d->peer;
			r->last_attempt_us = d->dsn.date_us;
		} else if (word->when_us != 0) {
			r->reply = &word->reply;
			r->remote_mta =
			    word->peer[0] == '\0' ? NULL : word->peer;
			r->last_attempt_us = word->when_us;
		}
		r++;
	}
	d->dsn.rcpts = d->rcpts;
	d->dsn.nrcpt = (size_t)(r - d->rcpts);
}

/* The id is a new one, so that no two notices are taken for one, and the
 * message's own, so that a reader sees when they are about one thing. */
static int
draft(struct draft *d, const struct bounce *b, const struct bounce_order *order,
    const char *id, const struct spool_file *f, struct err *e)
{
	d->dsn = (struct dsn){ .env = &f->env,
		.hostname = b->config->host.hostname,
		.id = d->id,
		.boundary = d->boundary,
		.date_us = clock_wall_us() };
	if (spool_new_id(d->id, d->dsn.date_us, e) == -1)
		return -1;
	snprintf(d->id + SPOOL_ID_LEN, sizeof d->id - SPOOL_ID_LEN, ".%s", id);
	snprintf(d->name, sizeof d->name, "%s.%s", id, words[order->action]);
	if (order->action == DSN_RELAYED)
		lastword_peer(d->peer, sizeof d->peer, order->peer);
	else
		lastword_read(d->words, &f->env, b->maildir, id);
	list_recipients(d, order, &f->env);
	return read_header(d, f, e);
}

/* All bytes of the file in tmp/. */
static int
format(struct draft *d, const struct bounce *b, const char *about,
    const char *home, struct buf *head, struct buf *body, struct err *e)
{
	struct envelope env = ENVELOPE_INIT;
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	int rc = -1;

	for (int i = 0; rc == -1 && i < BOUNDARY_TRIES; i++) {
		buf_reset(body);
		if (draw_boundary(d->boundary, e) == -1)
			break;
		rc = dsn_format(&d->dsn, body, e);
	}
	if (rc == 0)
		rc = dsn_envelope(&d->dsn, &env, e);
	if (rc == 0 && spool_domain_open(&dir, b->spool, home, false, e) == 1)
		lifetime_stamp(&env, dir.fd);
	spool_domain_close(&dir);
	env.notice = strdup(about);
	if (rc == 0 && env.notice == NULL)
		rc = err_temp(e, "out of memory");
	if (rc == 0)
		rc = envelope_format(&env, NULL, head, e);
	envelope_reset(&env);
	return rc;
}

/* ---- its way ---- */

/* Into tmp/, under its name there. */
static int
prepare(struct draft *d, const struct bounce *b, const char *about,
    const char *home, struct err *e)
{
	struct buf head = BUF_INIT(ENVELOPE_MAX), body = BUF_INIT(DSN_MAX);
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	struct spool_msg m = SPOOL_MSG_INIT;
	char id[SPOOL_ID_LEN + 1];
	int rc = -1;

	if (format(d, b, about, home, &head, &body, e) == 0 &&
	    spool_new_id(id, d->dsn.date_us, e) == 0 &&
	    spool_domain_open(&dir, b->spool, b->maildir->name, true, e) == 1 &&
	    spool_begin(&m, &dir, id, 1, e) == 0 &&
	    spool_write(&m, head.data, head.len, e) == 0 &&
	    spool_write(&m, body.data, body.len, e) == 0)
		rc = spool_prepare(&m, d->name, e);
	spool_abort(&m);
	spool_domain_close(&dir);
	buf_free(&head);
	buf_free(&body);
	return rc;
}

/* Into new/ of its own domain, which somebody may be removing because it is
 * empty. */
static int
publish(const struct bounce *b, const char *name, const char *home,
    struct bounce_result *r, struct err *e)
{
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	int rc = -1;

	if (spool_new_id(r->id, clock_wall_us(), e) == -1)
		return -1;
	for (int i = 0; i < OPEN_TRIES; i++) {
		rc = spool_domain_open(&dir, b->spool, home, true, e);
		if (rc == 1)
			rc = spool_publish(b->maildir, name, &dir, r->id, 1, e);
		spool_domain_close(&dir);
		if (rc != -1 || e->sys != ENOENT)
			break;
	}
	return rc == -1 ? -1 : 0;
}

static int
notify(const struct bounce *b, const struct bounce_order *order,
    const char *states, struct spool_entry *entry, struct spool_file *f,
    struct bounce_result *r, struct err *e)
{
	char about[ENVELOPE_RCPT_MAX + SPOOL_ID_LEN + 16];
	char home[ADDR_DOMAIN_MAX + 1];
	struct draft *d = calloc(1, sizeof *d);
	int rc = -1;

	if (d == NULL)
		return err_temp(e, "out of memory");
	snprintf(about, sizeof about, "%s %s %s", words[order->action],
	    entry->id, states);
	find_home(&f->env.mail.reverse_path, home);
	if (draft(d, b, order, entry->id, f, e) == 0 &&
	    prepare(d, b, about, home, e) == 0 &&
	    apply(b, order->action, states, entry, f, r, e) == 0)
		rc = publish(b, d->name, home, r, e);
	free(d);
	return rc;
}

int
bounce_message(const struct bounce *b, const struct bounce_order *order,
    struct spool_entry *entry, struct spool_file *f, struct bounce_result *r,
    struct err *e)
{
	char states[ENVELOPE_RCPT_MAX + 1];

	*r = (struct bounce_result){ .why = bounce_why_not(&f->env, order) };
	states_after(order, &f->env, states);
	if (r->why == NULL)
		return notify(b, order, states, entry, f, r, e);
	return apply(b, order->action, states, entry, f, r, e);
}

/* ---- after a crash ---- */

/* What Bmx-Notice says: "failed ID STATES". */
static int
parse_about(const char *text, enum dsn_action *action,
    char about[SPOOL_ID_LEN + 1], const char **states, struct err *e)
{
	for (size_t i = 0; i < WORDS; i++) {
		size_t len = strlen(words[i]);

		if (strncmp(text, words[i], len) != 0 || text[len] != ' ' ||
		    strlen(text) < len + 1 + SPOOL_ID_LEN + 1 ||
		    text[len + 1 + SPOOL_ID_LEN] != ' ')
			continue;
		*action = (enum dsn_action)i;
		memcpy(about, text + len + 1, SPOOL_ID_LEN);
		about[SPOOL_ID_LEN] = '\0';
		*states = text + len + 1 + SPOOL_ID_LEN + 1;
		if ((*states)[strspn(*states, "PUDFXB")] == '\0')
			return 0;
	}
	return err_data(e, "bad Bmx-Notice");
}

/* The message, if it is there still: whoever removed it did not make what was
 * settled undone. */
static int
catch_up(const struct bounce *b, const struct envelope *notice,
    char about[SPOOL_ID_LEN + 1], struct bounce_result *r, struct err *e)
{
	struct spool_file f = SPOOL_FILE_INIT;
	struct spool_entry entry;
	enum dsn_action action = DSN_FAILED;
	const char *states = "";
	int rc;

	if (parse_about(notice->notice == NULL ? "" : notice->notice, &action,
		about, &states, e) == -1)
		return -1;
	rc = spool_find(b->maildir, about, &entry, e);
	if (rc == 1)
		rc = spool_file_open(&f, b->maildir, &entry, true, e);
	if (rc == 1 && strlen(states) != f.env.nrcpt)
		rc = err_data(e, "Bmx-Notice is about another message");
	if (rc == 1)
		rc = apply(b, action, states, &entry, &f, r, e);
	spool_file_close(&f);
	return rc;
}

int
bounce_recover(const struct bounce *b, const char *name,
    char about[SPOOL_ID_LEN + 1], struct bounce_result *r, struct err *e)
{
	char home[ADDR_DOMAIN_MAX + 1];
	struct spool_file f = SPOOL_FILE_INIT;
	int rc = spool_file_open_prepared(&f, b->maildir, name, e);

	*r = (struct bounce_result){ .why = NULL };
	if (rc != 1)
		return rc;
	rc = -1;
	if (!find_home(&f.env.rcpts[0].addr, home))
		err_data(e, "there is no such domain");
	else if (catch_up(b, &f.env, about, r, e) != -1)
		rc = publish(b, name, home, r, e);
	spool_file_close(&f);
	if (rc == -1)
		return err_prefix(e, "%s/tmp/%s", b->maildir->name, name);
	return 1;
}
