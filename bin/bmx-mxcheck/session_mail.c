#include <stdio.h>
#include <string.h>

#include <sys/random.h>

#include "session_parts.h"
#include "smtp/client_ask.h"

/*
 * What a server takes, up to RCPT. Three transactions: the null sender; our
 * own name as sender, to the recipients and to a stranger's; RSET ends each.
 */

/* One command, its reply into *to. */
static bool
ask(struct session *s, struct fact_reply *to, const char *line)
{
	int rc = client_ask(&s->client, line, &s->err);

	session_note(to, &s->client.reply);
	return rc == 0;
}

static bool
is_taken(const struct fact_reply *r)
{
	return r->code / 100 == 2;
}

static bool
reset(struct session *s)
{
	struct fact_reply unused;

	return ask(s, &unused, "RSET");
}

static bool
ask_null_sender(struct session *s)
{
	return ask(s, &s->facts->null_sender, "MAIL FROM:<>") &&
	       (!is_taken(&s->facts->null_sender) || reset(s));
}

static bool
ask_rcpt(struct session *s, struct fact_reply *to, const char *local,
    const char *domain)
{
	char line[SMTP_COMMAND_MAX];

	snprintf(line, sizeof line, "RCPT TO:<%s@%s>", local, domain);
	return ask(s, to, line);
}

/* The same for all domains; nobody has it. */
static void
random_local(char *out, size_t size)
{
	unsigned char bytes[8] = { 0 };

	if (getrandom(bytes, sizeof bytes, 0) == -1)
		memset(bytes, 'x', sizeof bytes);
	snprintf(out, size, "no-such-user-%02x%02x%02x%02x%02x%02x", bytes[0],
	    bytes[1], bytes[2], bytes[3], bytes[4], bytes[5]);
}

static bool
ask_rcpts(struct session *s, const char *domain, const char *nobody,
    struct fact_rcpts *r)
{
	return ask_rcpt(s, &r->postmaster, "postmaster", domain) &&
	       ask_rcpt(s, &r->abuse, "abuse", domain) &&
	       ask_rcpt(s, &r->unknown, nobody, domain);
}

/* Reserved names (RFC 2606 section 3), and none of those we ask about: a
 * server that takes it hands anybody's mail to anybody. */
static const char *
strange_domain(const struct session_job *job)
{
	static const char *const reserved[] = { "example.net", "example.org",
		"example.com" };
	size_t i = 0;

	for (size_t k = 0; k < job->ndomains && i < 2; k++)
		if (strcmp(job->domains[k], reserved[i]) == 0) {
			i++;
			k = (size_t)-1;
		}
	return reserved[i];
}

static bool
ask_transaction(struct session *s, struct fact_rcpts *rcpts)
{
	const struct session_job *job = s->job;
	struct fact_session *f = s->facts;
	char line[SMTP_COMMAND_MAX], nobody[64];

	random_local(nobody, sizeof nobody);
	snprintf(line, sizeof line, "MAIL FROM:<postmaster@%s>", job->helo);
	if (!ask(s, &f->sender, line))
		return false;
	if (!is_taken(&f->sender))
		return true;
	if (!ask(s, &f->bare_postmaster, "RCPT TO:<Postmaster>"))
		return false;
	for (size_t i = 0; i < job->ndomains && job->wants_rcpts; i++)
		if (!ask_rcpts(s, job->domains[i], nobody, &rcpts[i]))
			return false;
	return ask_rcpt(s, &f->relay, "bmx-mxcheck", strange_domain(job)) &&
	       reset(s);
}

bool
session_mail(struct session *s, struct fact_rcpts *rcpts)
{
	return ask_null_sender(s) && ask_transaction(s, rcpts) &&
	       ask(s, &s->facts->vrfy, "VRFY postmaster") &&
	       ask(s, &s->facts->expn, "EXPN postmaster");
}
