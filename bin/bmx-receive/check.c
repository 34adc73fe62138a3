#include "bmx-receive/check.h"

#include <stdio.h>
#include <string.h>

#include "base/network.h"
#include "base/text.h"
#include "bmx-receive/intake.h"
#include "bmx-receive/serve.h"
#include "bmx-receive/session.h"
#include "spool/spool.h"

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

/* Of a recipient that is in a domain of ours. */
static void
explain_list(char out[WHY_MAX], const struct config_domain *d,
    const struct addr *rcpt, const char *reply)
{
	if (d->recipients == NULL)
		snprintf(out, WHY_MAX,
		    "[%s] has no list of recipients: everybody is one",
		    d->name);
	else if (addr_is_postmaster(rcpt))
		snprintf(out, WHY_MAX, "[%s]: postmaster always is one",
		    d->name);
	else
		snprintf(out, WHY_MAX, "[%s]: the list %s %s", d->name,
		    d->recipients,
		    reply[0] == '2' ? "has it" : "does not have it");
}

/* Where the primary has a say, it was asked just now. */
static void
explain_decision(char out[WHY_MAX], const struct config_domain *d,
    const struct admit_decision *decision)
{
	snprintf(out, WHY_MAX, "[%s]: %s, %s%s", d->name,
	    admit_name(decision->what), decision->reason,
	    decision->what == ADMIT_THROUGH ? ": the primary's own answer"
					    : "");
}

static void
explain_rcpt(char out[WHY_MAX], const struct check *k, const char *reply)
{
	const struct config_domain *d = k->intake.domain_of[0];

	if (d != NULL && d->admit != CONFIG_ADMIT_SPOOL &&
	    k->intake.decision.reply == reply)
		explain_decision(out, d, &k->intake.decision);
	else if (strncmp(reply, "452 4.3.1", 9) == 0)
		snprintf(out, WHY_MAX, "max-messages or max-bytes wait");
	else if (strncmp(reply, "451 ", 4) == 0)
		snprintf(out, WHY_MAX, "trouble of our own, see the log");
	else if (strncmp(reply, "550 5.7.1", 9) == 0)
		snprintf(out, WHY_MAX, "the domain has no section in %s",
		    k->config->path);
	else if (reply[0] == '2' || strncmp(reply, "550 5.1.1", 9) == 0)
		explain_list(out, d, &k->session.rcpt.forward_path, reply);
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
	if (digit == 2)
		digit = say(k, "MAIL FROM:<", c->from, ">");
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
	session_init(&k.session, &k.rules);
	intake_init(&k.intake, config, &spool);
	explain_client(config, c->client);
	digit = talk(&k, &plain);
	session_free(&k.session);
	intake_free(&k.intake);
	spool_close(&spool);
	return digit == 2 || digit == 4 ? digit : 5;
}
