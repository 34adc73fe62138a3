#include "bmx-receive/check.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/network.h"
#include "base/text.h"
#include "bmx-receive/intake.h"
#include "bmx-receive/offers.h"
#include "bmx-receive/serve.h"
#include "bmx-receive/session.h"
#include "spool/memory.h"
#include "spool/paused.h"
#include "spool/primary.h"
#include "spool/spool.h"

#define COMMENT_MAX 150 /* bytes of a line */

#define WHY_MAX 400

struct check {
	struct session session;
	struct session_params rules;
	struct intake intake;
	const struct config *config;
};

/* ---- why ---- */

static bool
is_listed(const struct config_list *list, const char *client)
{
	return network_any_has(list->word, list->n, client);
}

static void
explain_client(const struct config *config, const char *client)
{
	const struct config_host *host = &config->host;

	if (is_listed(&host->proxy, client))
		printf("client %s: proxy lists it, so a PROXY header has to "
		       "come first and say who the client is\n",
		    client);
	else if (is_listed(&host->xclient, client))
		printf("client %s: xclient lists it, so it may say who the "
		       "client is\n",
		    client);
	else
		printf("client %s: no front end\n", client);
}

/* What is known of the primary, before it is asked. */
static void
explain_primary(const struct config *config, const struct spool *spool,
    const char *rcpt)
{
	const char *at = strrchr(rcpt, '@');
	const struct config_domain *d = NULL;
	struct spool_domain dir = SPOOL_DOMAIN_INIT;
	struct primary state = PRIMARY_INIT;
	struct err e = ERR_INIT;
	char folded[ADDR_DOMAIN_MAX + 1], seen[CLOCK_RFC3339_MAX] = "never";
	int64_t now_s = clock_wall_us() / 1000000;
	struct paused paused;
	bool is_paused = false;

	if (at != NULL &&
	    addr_fold_domain(at + 1, strlen(at + 1), folded, &e) == 0)
		d = config_find(config, folded);
	if (d == NULL)
		return;
	if (spool_domain_open(&dir, spool, d->name, false, &e) == 1) {
		primary_read(dir.fd, now_s, d->state_age_s, &state, &e);
		is_paused = paused_read(dir.fd, now_s, &paused, &e) != 0;
	}
	spool_domain_close(&dir);
	if (state.good_s > 0)
		clock_rfc3339(seen, state.good_s * 1000000);
	printf("primary of %s: %s, last seen up: %.19s%s%s%s\n", d->name,
	    primary_verdict_name(state.verdict), seen,
	    state.reason[0] != '\0' ? ": " : "", state.reason,
	    is_paused ? ", paused" : "");
}

/* A sentence for each reason of admit.c. */
static const struct {
	const char *reason, *sentence;
} sentences[] = {
	{ "primary-up", "the primary was asked, and this is its answer" },
	{ "primary-unknown", "the primary was asked, and this is its answer" },
	{ "insists",
	    "it came back so often that it cannot reach the primary, which was "
	    "asked: this is its answer" },
	{ "postmaster", "postmaster always is a recipient" },
	{ "listed", "it is in the list" },
	{ "not-listed", "it is not in the list" },
	{ "known", "the primary took mail for it before" },
	{ "known-bad", "the primary said that there is no such recipient" },
	{ "unknown", "there is no list, and the primary was never asked" },
	{ "unknown-limit", "too much waits for this unknown recipient" },
	{ "unknown-limit-all", "too much waits for unknown recipients" },
	{ "quota", "max-messages or max-bytes wait" },
	{ "spool-broken", "trouble of our own, see the log" },
	{ "list-broken", "nobody can read the list" },
};

static const char *
sentence_of(const struct admit_decision *decision)
{
	if (decision->what == ADMIT_DEFER &&
	    strcmp(decision->reason, "primary-up") == 0)
		return "admit = defer sends it to the primary, which is up";
	for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++)
		if (strcmp(sentences[i].reason, decision->reason) == 0)
			return sentences[i].sentence;
	return "";
}

static void
explain_decision(char out[WHY_MAX], const struct check *k,
    const struct config_domain *d)
{
	const struct admit_decision *decision = &k->intake.decision;
	bool is_of_list = strstr(decision->reason, "list") != NULL;
	bool is_ours = decision->what == ADMIT_THROUGH &&
		       relay_judges_us(&k->intake.admission.relay);

	snprintf(out, WHY_MAX, "[%s]: %s, %s: %s%s%s%s", d->name,
	    admit_name(decision->what), decision->reason, sentence_of(decision),
	    is_of_list ? " " : "", is_of_list ? d->recipients : "",
	    is_ours ? ", perhaps about our address and not the client's" : "");
}

static void
explain_rcpt(char out[WHY_MAX], const struct check *k, const char *reply)
{
	const struct config_domain *d = k->intake.domain_of[0];

	if (d != NULL && k->intake.decision.reply == reply)
		explain_decision(out, k, d);
	else if (strncmp(reply, "550 5.7.1", 9) == 0)
		snprintf(out, WHY_MAX, "the domain has no section in %s",
		    k->config->path);
}

/* The lines of the reply to EHLO behind the first. */
static void
print_offers(const struct session *s)
{
	const char *line = memchr(s->out.data, '\n', s->out.len);
	const char *end = s->out.data + s->out.len, *lf;
	const char *comma = "offered: ";

	for (; line != NULL && ++line < end; line = lf, comma = ", ") {
		lf = memchr(line, '\n', (size_t)(end - line));
		if (lf != NULL)
			printf("%s%.*s", comma, (int)(lf - line) - 5, line + 4);
	}
	putchar('\n');
}

static void
explain_mail(char out[WHY_MAX], const char *reply)
{
	if (reply[0] == '2')
		snprintf(out, WHY_MAX, "there is room in the spool");
	else if (strncmp(reply, "452 4.3.1", 9) == 0)
		snprintf(out, WHY_MAX, "the disk has less than min-free left");
	else if (strncmp(reply, "451 ", 4) == 0)
		snprintf(out, WHY_MAX, "trouble of our own, see the log");
}

/* ---- the dialogue ---- */

/* What is asked, answered as in a session; *why says why. */
static void
react(struct check *k, enum session_event event, char why[WHY_MAX])
{
	struct session *s = &k->session;
	const char *reply = NULL;

	if (event == SESSION_ASK_MAIL) {
		reply = intake_mail(&k->intake, &s->env.mail);
		explain_mail(why, reply);
	} else if (event == SESSION_ASK_RCPT) {
		reply = intake_rcpt(&k->intake, &s->env, &s->rcpt);
		if (reply == NULL)
			reply =
			    intake_due(&k->intake, &s->env, &s->rcpt, false);
		explain_rcpt(why, k, reply);
	}
	if (reply != NULL)
		session_answer(s, reply);
}

/* One command. Returns the first digit of its reply. */
static int
say(struct check *k, const char *verb, const char *arg, const char *end)
{
	struct session *s = &k->session;
	enum session_event event = SESSION_FLUSH;
	char line[SMTP_COMMAND_MAX], shown[SMTP_COMMAND_MAX];
	char why[WHY_MAX] = "syntax";
	size_t used, done = 0;
	int len, digit;

	len = snprintf(line, sizeof line, "%s%s%s\r\n", verb, arg, end);
	if (len < 0 || (size_t)len >= sizeof line)
		return 5;
	buf_reset(&s->out);
	while (event != SESSION_NEED_INPUT && event != SESSION_CLOSE) {
		event = session_step(s, line + done, (size_t)len - done, &used);
		done += used;
		react(k, event, why);
	}
	digit = s->out.len > 0 ? s->out.data[0] - '0' : 5;
	if (digit == 2 && strcmp(why, "syntax") == 0)
		snprintf(why, sizeof why, "any name will do");
	printf("%.*s: %.*s (%s)\n", len - 2,
	    text_printable(shown, sizeof shown, line, (size_t)len - 2),
	    (int)strcspn(s->out.data, "\r"), s->out.data, why);
	return digit;
}

static int
talk(struct check *k, const struct check_case *c)
{
	int digit;

	session_greet(&k->session, NULL);
	digit = say(k, "EHLO ", c->helo, "");
	if (digit == 2) {
		print_offers(&k->session);
		digit = say(k, "MAIL FROM:<", c->from, ">");
	}
	if (digit == 2)
		digit = say(k, "RCPT TO:<", c->rcpt, ">");
	return digit;
}

/* Angle brackets around an address are fine too. */
static const char *
bare(const char *address, char out[SMTP_COMMAND_MAX])
{
	size_t len = strlen(address);

	if (len < 2 || len >= SMTP_COMMAND_MAX || address[0] != '<' ||
	    address[len - 1] != '>')
		return address;
	memcpy(out, address + 1, len - 2);
	out[len - 2] = '\0';
	return out;
}

int
check_case(const struct config *config, const struct check_case *c,
    struct err *e)
{
	struct spool spool = SPOOL_INIT;
	struct memory memory = MEMORY_INIT;
	struct check k = { .config = config };
	struct check_case plain = *c;
	char from[SMTP_COMMAND_MAX], rcpt[SMTP_COMMAND_MAX];
	struct network network;
	int digit;

	if (!network_parse(&network, c->client) || network.bits != 128)
		return err_usage(e, "the client is not an address");
	if (spool_open(&spool, config->host.spool, e) == -1)
		return -1;
	plain.from = bare(c->from, from);
	plain.rcpt = bare(c->rcpt, rcpt);
	k.rules = serve_rules(config);
	offers_mirror(&k.rules, config, &spool);
	session_init(&k.session, &k.rules);
	snprintf(k.session.env.client.addr, sizeof k.session.env.client.addr,
	    "%s", c->client);
	intake_init(&k.intake, config, &spool, &memory);
	k.intake.admission.is_trial = true;
	explain_client(config, c->client);
	explain_primary(config, &spool, plain.rcpt);
	digit = talk(&k, &plain);
	session_free(&k.session);
	intake_free(&k.intake);
	memory_close(&memory);
	spool_close(&spool);
	return digit == 2 || digit == 4 ? digit : 5;
}

/* ---- who is known ---- */

static int
found_one(void *arg, const struct memory_entry *entry)
{
	(void)arg;
	return entry->local[0] != '\0';
}

/* A comment, in lines no longer than bmx.conf may have, so that what
 * --check-config prints remains a configuration. */
static void
print_comment(const char *text)
{
	while (*text != '\0') {
		size_t n = strlen(text);

		if (n > COMMENT_MAX)
			for (n = COMMENT_MAX; n > 0 && text[n] != ' '; n--)
				;
		if (n == 0)
			n = COMMENT_MAX; /* a word that has no end */
		printf("# %.*s\n", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
}

static void
print_knowledge(const struct config_domain *d, struct memory *m, int64_t now_s)
{
	char text[ADDR_DOMAIN_MAX + 128] = "";
	struct err e = ERR_INIT;

	if (d->recipients != NULL)
		return;
	if (memory_is_catchall(m, d->name, now_s, &e) == 1)
		snprintf(text, sizeof text,
		    "[%s]: the primary accepts everybody, so nothing is "
		    "learned of its recipients",
		    d->name);
	else if (memory_each(m, d->name, found_one, NULL, &e) != 1)
		snprintf(text, sizeof text,
		    "[%s] has neither a list of recipients nor a memory of "
		    "them yet: all are unknown",
		    d->name);
	print_comment(text);
}

void
check_knowledge(const struct config *config)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	if (memory_open(&m, config->host.state, &e) != 0)
		print_comment(e.text);
	for (size_t i = 0; i < config->ndomains; i++)
		print_knowledge(&config->domains[i], &m,
		    clock_wall_us() / 1000000);
	memory_close(&m);
}
