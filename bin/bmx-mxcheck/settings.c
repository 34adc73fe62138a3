#include "settings.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mail/addr.h"

#define JOBS_MAX 10000
#define DEADLINE_MAX_S 600
#define TIMEOUT_MAX_S 600
#define CERT_DAYS_MAX 3650

static void
free_words(char **words)
{
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		free(words[i]);
	free(words);
}

void
settings_free(struct settings *s)
{
	options_free(&s->common);
	free(s->list_path);
	free_words(s->resolvers);
	free_words(s->primaries);
	free_words(s->backups);
	free_words(s->assumed);
	free_words(s->lists);
	free_words(s->only);
	free_words(s->ignored);
	free_words(s->down);
	free_words(s->without);
	free(s->helo);
	free(s->ca_path);
	free(s->sts_path);
	free(s->record_path);
	free(s->replay_path);
	free(s->baseline_path);
	free(s->fail_on);
	free(s->explain);
}

size_t
settings_count(char **words)
{
	size_t n = 0;

	while (words != NULL && words[n] != NULL)
		n++;
	return n;
}

/* ---- from options to an audit ---- */

static int
check_range(const char *option, long value, long least, long most,
    struct err *e)
{
	if (value < least || value > most)
		return err_usage(e, "--%s: %ld is not between %ld and %ld",
		    option, value, least, most);
	return 0;
}

/* The checks of an option: ids with commas between, the option repeated. */
static int
set_checks(bool checks_set[CHECK_COUNT], bool value, const char *option,
    char **words, struct err *e)
{
	for (size_t i = 0; i < settings_count(words); i++) {
		const char *p = words[i];
		char id[32];

		do {
			size_t len = strcspn(p, ",");
			enum check_id check;

			snprintf(id, sizeof id, "%.*s", (int)len, p);
			check = check_find(id);
			if (check == CHECK_COUNT)
				return err_usage(e,
				    "--%s: there is no check %.*s; --explain "
				    "all lists them",
				    option, (int)len, p);
			checks_set[check] = value;
			p += len;
		} while (*p++ == ',');
	}
	return 0;
}

/* Without --only. */
static bool
is_made(enum depth depth, const struct settings *s)
{
	switch (depth) {
	case DEPTH_PLAIN:
		return true;
	case DEPTH_FULL:
		return s->all;
	case DEPTH_SMTP:
		return s->smtp;
	case DEPTH_EXTRA:
		break;
	}
	return s->smtp && s->all;
}

/* Which checks are made: --only, or --all and --smtp, or those that ask
 * nothing more; and lists to ask are given to be asked. */
static int
choose_checks(struct judge_policy *p, const struct settings *s, struct err *e)
{
	bool has_only = settings_count(s->only) > 0;

	if (has_only && (s->all || s->smtp))
		return err_usage(e, "--%s and --only: choose one",
		    s->all ? "all" : "smtp");
	for (enum check_id id = 0; id < CHECK_COUNT; id++)
		p->ignored[id] = has_only || !is_made(checks[id].depth, s);
	if (settings_count(s->lists) > 0)
		p->ignored[CHECK_DNSBL] = false;
	if (set_checks(p->ignored, false, "only", s->only, e) == -1)
		return -1;
	return set_checks(p->ignored, true, "ignore", s->ignored, e);
}

static int
set_policy(struct judge_policy *p, const struct settings *s, struct err *e)
{
	if (check_range("ttl-min", s->ttl_min, 0, INT32_MAX, e) == -1 ||
	    check_range("ttl-max", s->ttl_max, s->ttl_min, INT32_MAX, e) == -1)
		return -1;
	p->ttl_min = (uint32_t)s->ttl_min;
	p->ttl_max = (uint32_t)s->ttl_max;
	if (check_range("cert-days", s->cert_days, 0, CERT_DAYS_MAX, e) == -1)
		return -1;
	p->cert_days = (unsigned)s->cert_days;
	return choose_checks(p, s, e);
}

static int
set_style(struct report_style *style, const struct settings *s, struct err *e)
{
	const char *no_color = getenv("NO_COLOR");

	if (s->brief && s->json)
		return err_usage(e, "--brief and --json: choose one");
	if (s->json)
		style->format = REPORT_JSON;
	else if (s->brief)
		style->format = REPORT_BRIEF;
	style->colour =
	    isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0');
	return 0;
}

static int
set_roles(struct role_words *to, char **words, struct err *e)
{
	for (size_t i = 0; i < settings_count(words); i++) {
		if (roles_add(to, words[i], e) == -1)
			return -1;
	}
	return 0;
}

static int
set_assumptions(struct assume *a, char **words, struct err *e)
{
	for (size_t i = 0; i < settings_count(words); i++) {
		if (assume_add(a, words[i], e) == -1)
			return -1;
	}
	return 0;
}

static int
set_lists(struct audit *a, const struct settings *s, struct err *e)
{
	a->ndnsbl = settings_count(s->lists);
	if (a->ndnsbl > FACTS_LISTS_MAX)
		return err_usage(e, "--dnsbl: more than %d lists",
		    FACTS_LISTS_MAX);
	for (size_t i = 0; i < a->ndnsbl; i++) {
		if (addr_fold_domain(s->lists[i], strlen(s->lists[i]),
			a->dnsbl[i], e) == -1)
			return err_usage(e, "--dnsbl: %s: not a domain",
			    s->lists[i]);
	}
	return 0;
}

/* What senders make of it depends on TLSA records and on the policy. */
static int
set_senders(struct audit *a, const struct settings *s, struct err *e)
{
	for (size_t i = 0; i < settings_count(s->without); i++) {
		if (outage_add(&a->outage, s->without[i], e) == -1)
			return -1;
	}
	a->with_senders = s->senders || a->outage.nwords > 0;
	memcpy(a->unasked, a->policy.ignored, sizeof a->unasked);
	if (a->with_senders)
		a->unasked[CHECK_TLSA_PRESENT] = a->unasked[CHECK_STS_TXT] =
		    false;
	return 0;
}

static int
set_sessions(struct audit *a, const struct settings *s, struct err *e)
{
	if (check_range("smtp-port", s->smtp_port, 1, UINT16_MAX, e) == -1 ||
	    check_range("smtp-timeout", s->smtp_timeout_s, 1, TIMEOUT_MAX_S,
		e) == -1 ||
	    set_roles(&a->down, s->down, e) == -1)
		return -1;
	a->policy.down = &a->down;
	a->sessions.port = (unsigned)s->smtp_port;
	a->sessions.timeout_s = (unsigned)s->smtp_timeout_s;
	a->sessions.ca_file = s->ca_path;
	a->sessions.sts_file = s->sts_path;
	a->sessions.workers.most =
	    (size_t)(s->jobs < WORKERS_MAX ? s->jobs : WORKERS_MAX);
	return 0;
}

int
settings_to_audit(const struct settings *s, struct audit *a, struct err *e)
{
	const char *no_color = getenv("NO_COLOR");

	if (s->fail_on != NULL &&
	    (severity_find(s->fail_on, &a->fail_on) == -1 ||
		a->fail_on == SEVERITY_INFO))
		return err_usage(e,
		    "--fail-on: error, warning or notice, not %s", s->fail_on);
	if (check_range("jobs", s->jobs, 1, JOBS_MAX, e) == -1 ||
	    check_range("deadline", s->deadline_s, 1, DEADLINE_MAX_S, e) == -1)
		return -1;
	if (check_range("ns-port", s->ns_port, 1, UINT16_MAX, e) == -1 ||
	    set_lists(a, s, e) == -1 ||
	    set_assumptions(&a->assume, s->assumed, e) == -1)
		return -1;
	a->ns_port = (unsigned)s->ns_port;
	a->is_unordered = s->unordered != 0;
	a->jobs = (unsigned)s->jobs;
	a->show_progress = !s->quiet && isatty(STDERR_FILENO) &&
			   (no_color == NULL || no_color[0] == '\0');
	if (set_policy(&a->policy, s, e) == -1 || set_senders(a, s, e) == -1 ||
	    set_sessions(a, s, e) == -1 || set_style(&a->style, s, e) == -1 ||
	    set_roles(&a->roles.named.primary, s->primaries, e) == -1)
		return -1;
	return set_roles(&a->roles.named.backup, s->backups, e);
}
