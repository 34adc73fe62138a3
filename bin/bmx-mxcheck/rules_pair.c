#include "rules.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "mail/smtp.h"

size_t
sessions_of_role(const struct judging *j, enum role role,
    struct seen seen[SEEN_MAX])
{
	const struct facts *f = j->facts;
	size_t n = 0;

	for (size_t i = 0; i < f->nhosts; i++) {
		const struct fact_host *h = &f->hosts[i];

		for (size_t k = 0; k < h->naddrs; k++) {
			const struct fact_session *s = facts_session(h, k);

			if (s != NULL && n < SEEN_MAX && j->role[i] == role &&
			    is_target(f, i))
				seen[n++] = (struct seen){
					.session = s, .host = h, .at = k
				};
		}
	}
	return n;
}

/* One session of a backup against one of a primary. */
typedef void compare_pair(struct judging *j, const struct seen *backup,
    const struct seen *primary);

static void
say_unknown_addresses(struct judging *j)
{
	for (size_t i = 0; i < j->facts->nhosts; i++) {
		const struct fact_host *h = &j->facts->hosts[i];

		if (j->role[i] != ROLE_NONE && is_target(j->facts, i) &&
		    lacks_addresses(h))
			untested_host(j, h);
	}
}

/* Each backup is compared with each primary, as far as both sessions came to
 * that step; a pair of which one did not cannot be tested. */
static void
compare_all(struct judging *j, enum session_step step, compare_pair *compare)
{
	struct seen primaries[SEEN_MAX], backups[SEEN_MAX];
	size_t nprimaries = sessions_of_role(j, ROLE_PRIMARY, primaries);
	size_t nbackups = sessions_of_role(j, ROLE_BACKUP, backups);

	for (size_t i = 0; i < nbackups; i++) {
		struct seen *b = &backups[i], *unseen = NULL;
		size_t compared = 0;

		b->about = about_address(b->host, b->at, &b->who);
		for (size_t k = 0; k < nprimaries; k++) {
			struct seen *p = &primaries[k];

			if (b->session->step < step) {
				unseen = b;
			} else if (p->session->step < step) {
				unseen = p;
			} else {
				compare(j, b, p);
				compared++;
			}
		}
		if (compared == 0 && unseen != NULL)
			untested(j, b->about, "%s: %s", unseen->host->name,
			    unseen->session->why);
	}
	say_unknown_addresses(j);
}

/* ---- unknown recipients ---- */

static int
class_of(const struct seen *s)
{
	const struct fact_session *f = s->session;

	return f->sender.code / 100 == 2 ? f->rcpts.unknown.code / 100 : 0;
}

static void
compare_rcpt(struct judging *j, const struct seen *backup,
    const struct seen *primary)
{
	int at_backup = class_of(backup), at_primary = class_of(primary);

	if (at_backup == 2 && at_primary == 5)
		fail(j, usual(j), backup->about,
		    "takes an unknown recipient that the primary %s refuses "
		    "(%d %s)",
		    primary->host->name, primary->session->rcpts.unknown.code,
		    primary->session->rcpts.unknown.text);
	else if (at_backup == 2 && at_primary == 2)
		fail(j, SEVERITY_NOTICE, backup->about,
		    "takes an unknown recipient, and so does the primary %s",
		    primary->host->name);
	else if (at_backup == 5 || (at_backup == 4 && at_primary != 0))
		pass(j);
	else
		untested(j, backup->about,
		    "an unknown recipient: %d here, %d at the primary %s",
		    backup->session->rcpts.unknown.code,
		    primary->session->rcpts.unknown.code, primary->host->name);
}

void
rcpt_parity(struct judging *j)
{
	compare_all(j, STEP_MAIL, compare_rcpt);
}

/* ---- extensions ---- */

static void
add_word(struct buf *out, const char *word)
{
	buf_addf(out, "%s%s", out->len > 0 ? ", " : "", word);
}

/* What mail may need of the next host once it was taken with it. CHUNKING
 * alone is none: what has lines goes by DATA as well (RFC 3030 section 2). */
static void
list_promises(struct buf *out, const struct fact_offer *backup,
    const struct fact_offer *primary)
{
	static const unsigned promises[] = { SMTP_EXT_8BITMIME,
		SMTP_EXT_SMTPUTF8, SMTP_EXT_BINARYMIME, SMTP_EXT_DSN,
		SMTP_EXT_REQUIRETLS };

	for (size_t i = 0; i < sizeof promises / sizeof promises[0]; i++) {
		if ((backup->exts & ~primary->exts & promises[i]) != 0)
			add_word(out, smtp_ext_name(promises[i]));
	}
	if (primary->size_max == 0 ||
	    (backup->size_max != 0 && backup->size_max <= primary->size_max))
		return;
	if (backup->size_max == 0)
		add_word(out, "SIZE without limit");
	else
		buf_addf(out, "%sSIZE %llu", out->len > 0 ? ", " : "",
		    (unsigned long long)backup->size_max);
	buf_addf(out, " (there %llu)", (unsigned long long)primary->size_max);
}

static void
compare_offers(struct judging *j, const struct seen *backup,
    const struct seen *primary)
{
	struct buf more = BUF_INIT(FACT_SAID_MAX);

	list_promises(&more, session_offer(backup->session),
	    session_offer(primary->session));
	if (more.len == 0)
		pass(j);
	else
		fail(j, usual(j), backup->about,
		    "offers what the primary %s does not take: %.*s",
		    primary->host->name, (int)more.len, more.data);
	buf_free(&more);
}

void
ext_subset(struct judging *j)
{
	compare_all(j, STEP_TLS, compare_offers);
}

/* ---- TLS ---- */

static bool
is_named_by_policy(const struct judging *j, const struct fact_host *h)
{
	const struct fact_policy *p = j->facts->policy;

	return p != NULL && p->is_valid && is_covered(p, h->name);
}

static void
compare_tls(struct judging *j, const struct seen *backup,
    const struct seen *primary)
{
	const struct fact_tls *b = &backup->session->tls;
	const struct fact_tls *p = &primary->session->tls;
	bool has_dane =
	    dane_of_session(j, primary->host, primary->session) == DANE_GOOD;
	enum dane_says dane = dane_of_session(j, backup->host, backup->session);
	struct buf less = BUF_INIT(FACT_SAID_MAX);

	if (p->is_up && !b->is_up)
		add_word(&less, "TLS");
	else if (is_certificate_valid(j, p) && !is_certificate_valid(j, b))
		add_word(&less, "a valid certificate");
	if (has_dane && (dane == DANE_NONE || dane == DANE_BAD))
		add_word(&less, "TLSA records that match");
	if (is_named_by_policy(j, primary->host) &&
	    !is_named_by_policy(j, backup->host))
		add_word(&less, "a line in the MTA-STS policy");
	if (less.len > 0)
		fail(j, usual(j), backup->about,
		    "lacks what the primary %s has: %.*s", primary->host->name,
		    (int)less.len, less.data);
	else if (has_dane && dane == DANE_UNKNOWN)
		untested(j, backup->about,
		    "whether its TLSA records match is not known: %s",
		    dns_status_text(backup->host->tlsa.status));
	else
		pass(j);
	buf_free(&less);
}

void
tls_parity(struct judging *j)
{
	compare_all(j, STEP_TLS, compare_tls);
}
