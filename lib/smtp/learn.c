#include "smtp/learn.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

static bool
is_in_tls(const struct client *c)
{
	return conn_tls_text(c->conn)[0] != '\0';
}

void
learn_tls(struct primary *state, const struct config_domain *domain,
    bool in_tls, bool is_authenticated, int64_t now_s)
{
	state->is_authenticated = is_authenticated;
	if (domain->tls == CONFIG_TLS_NONE ||
	    !primary_saw_tls(state, in_tls, now_s))
		return;
	log_alarm("domain=%s peer=%s tls=- downgrade: this address had TLS "
		  "before and now has none",
	    domain->name, state->address);
}

static void
take_session(struct primary *state, const struct client *c)
{
	snprintf(state->address, sizeof state->address, "%s", c->peer);
	snprintf(state->host, sizeof state->host, "%s", c->host);
	state->plain = c->plain;
	state->secured = (struct smtp_offer){ 0 };
	if (is_in_tls(c))
		state->secured = c->offer;
}

static int
learn_result(int domain_fd, const struct config_domain *domain,
    enum primary_verdict result, const char *reason, const struct client *c,
    struct err *e)
{
	struct primary state = PRIMARY_INIT;
	char said[sizeof state.reason];
	int64_t now_s = clock_wall_us() / 1000000;
	struct err damage = ERR_INIT;

	if (primary_read(domain_fd, now_s, 0, &state, &damage) == -1)
		log_warn("domain=%s primary: %s: begun anew", domain->name,
		    damage.text);
	if (primary_learn(&state, result, reason, domain->rise, domain->fall,
		now_s)) {
		memcpy(said, state.reason, sizeof said);
		log_info("domain=%s primary=%s reason=\"%s\"", domain->name,
		    primary_verdict_name(state.verdict), text_quotable(said));
	}
	if (result == PRIMARY_UP) {
		take_session(&state, c);
		learn_tls(&state, domain, is_in_tls(c), c->is_authenticated,
		    now_s);
	}
	return primary_write(domain_fd, &state, e);
}

int
learn_primary(int domain_fd, const struct config_domain *domain,
    enum primary_verdict result, const char *reason, const struct client *c,
    struct err *e)
{
	bool is_locked = primary_lock(domain_fd);
	int rc = learn_result(domain_fd, domain, result, reason, c, e);

	if (is_locked)
		primary_unlock(domain_fd);
	return rc;
}

/* In what others go by: keywords and size. */
static bool
is_same_offer(const struct smtp_offer *a, const struct smtp_offer *b)
{
	return a->exts == b->exts && a->size_max == b->size_max;
}

bool
learn_is_known_up(const struct primary *p, const struct config_domain *domain,
    const struct client *c, int64_t now_s)
{
	struct primary seen = PRIMARY_INIT;
	int64_t age_s = now_s - p->probed_s;

	take_session(&seen, c);
	return p->verdict == PRIMARY_UP && p->last == PRIMARY_UP &&
	       age_s >= 0 && age_s <= domain->state_age_s / 2 &&
	       is_same_offer(&p->plain, &seen.plain) &&
	       is_same_offer(&p->secured, &seen.secured) &&
	       p->is_authenticated == c->is_authenticated;
}

/* ---- recipients ---- */

/* No two hosts, and no two days, ask for the same one. */
static int
make_up(struct smtp_rcpt *rcpt, const char *domain, struct err *e)
{
	unsigned char chance[8];
	char text[ADDR_MAX + 32];
	int len;

	if (getrandom(chance, sizeof chance, 0) != sizeof chance)
		return err_sys(e, "getrandom");
	*rcpt = (struct smtp_rcpt){ .notify = SMTP_NOTIFY_NONE };
	len = snprintf(text, sizeof text,
	    "nobody-%02x%02x%02x%02x%02x%02x%02x%02x@%s", chance[0], chance[1],
	    chance[2], chance[3], chance[4], chance[5], chance[6], chance[7],
	    domain);
	return addr_parse(text, (size_t)len, &rcpt->forward_path, e);
}

/* The answer to RCPT. MEMORY_UNKNOWN: it says nothing. -1: the session
 * broke. */
static int
ask_for(struct client *c, const struct smtp_rcpt *rcpt,
    enum memory_answer *answer, struct err *e)
{
	const struct smtp_mail mail = { .has_size = false }; /* from <> */

	*answer = MEMORY_UNKNOWN;
	if (client_mail(c, &mail, 0, e) == -1 || client_rcpt(c, rcpt, e) == -1)
		return -1;
	if (c->is_mail_taken)
		*answer = memory_judge(&c->reply);
	return client_reset(c, e);
}

static void
tell_catchall(struct memory *m, const char *domain, bool is_catchall,
    int64_t now_s)
{
	struct err e = ERR_INIT;

	if (is_catchall && memory_is_catchall(m, domain, now_s, &e) == 0)
		log_warn("domain=%s the primary accepts everybody: nothing is "
			 "learned of recipients",
		    domain);
	if (memory_set_catchall(m, domain, is_catchall, now_s, &e) == -1)
		log_alarm("domain=%s %s", domain, e.text);
}

/* Of a domain with a list the list alone decides. */
static bool
is_asking_due(const struct config_domain *domain, const struct client *c,
    struct memory *m, int64_t now_s)
{
	struct err e = ERR_INIT;

	return c != NULL && c->conn != NULL && domain->recipients == NULL &&
	       (c->offer.mail_max == 0 ||
		   c->transactions < c->offer.mail_max) &&
	       memory_asks_catchall(m, domain->name, now_s, &e) == 1;
}

static void
ask_for_nobody(const struct config_domain *domain, struct client *c,
    struct memory *m)
{
	int64_t now_s = clock_wall_us() / 1000000;
	enum memory_answer answer;
	struct smtp_rcpt rcpt;
	struct err e = ERR_INIT;

	if (!is_asking_due(domain, c, m, now_s) ||
	    make_up(&rcpt, domain->name, &e) == -1)
		return;
	if (ask_for(c, &rcpt, &answer, &e) == -1)
		client_abort(c);
	if (answer != MEMORY_UNKNOWN)
		tell_catchall(m, domain->name, answer == MEMORY_GOOD, now_s);
}

void
learn_recipients(const char *state, const struct config_domain *domain,
    struct client *c, struct memory_notes *notes, enum memory_source source)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	if (access(state, F_OK) == 0 && memory_open(&m, state, &e) != 0)
		log_alarm("%s", e.text);
	ask_for_nobody(domain, c, &m);
	if (memory_learn_notes(notes, &m, source, &e) == -1)
		log_alarm("domain=%s %s", domain->name, e.text);
	memory_close(&m);
}
