#include "bmx-queue/detail.h"

#include <stdlib.h>
#include <string.h>

#include "spool/lifetime.h"

/* ---- reading ---- */

int
detail_read(struct detail *m, struct output *o)
{
	struct err e = ERR_INIT, ignored;
	int rc;

	do
		rc = spool_file_open(&m->f, m->d, &m->entry, false, &e);
	while (rc == 0 && select_follow(m->d, &m->entry));
	if (rc == 0)
		return 0;
	if (rc == 1) {
		m->next_s = m->entry.is_new ? 0 : m->f.mtime_s;
		return 1;
	}
	output_complain(o, &e); /* and it is shown by its name */
	return spool_next_try(m->d, &m->entry, &m->next_s, &ignored) == 0 ? 0
									  : 1;
}

static void
complain_of(const struct spool_domain *d, struct output *o, struct err *e)
{
	if (o == NULL)
		return;
	err_prefix(e, "%s", d->name);
	output_complain(o, e);
}

/* A pause that cannot be read is one: so says paused.h. o: NULL, when the
 * trouble was told before. */
static void
read_domain(struct detail_domain *known, const struct spool_domain *d,
    int64_t now_s, struct output *o)
{
	struct err e = ERR_INIT;
	int rc = paused_read(d->fd, now_s, &known->paused, &e);

	known->is_paused = rc != 0;
	if (rc == -1) {
		complain_of(d, o, &e);
		known->paused = (struct paused){ .since_s = 0 };
	}
	rc = primary_read(d->fd, now_s, 0, &known->primary, &e);
	known->has_primary = rc != -1;
	if (rc == -1)
		complain_of(d, o, &e);
	snprintf(known->name, sizeof known->name, "%s", d->name);
}

const struct detail_domain *
detail_domain(struct detail *m, struct output *o)
{
	struct detail_domain *known;
	unsigned hash = 0;

	for (const char *c = m->d->name; *c != '\0'; c++)
		hash = hash * 31 + (unsigned char)*c;
	known = &m->domains[hash % DETAIL_DOMAINS];
	if (strcmp(known->name, m->d->name) != 0)
		read_domain(known, m->d, o->now_us / 1000000,
		    m->are_domains_told ? NULL : o);
	return known;
}

static void
tell_domain(const char *name, const struct spool *sp, struct output *o)
{
	struct detail_domain known;
	struct spool_domain d;
	struct err ignored; /* it is told where its messages are looked for */

	if (spool_domain_open(&d, sp, name, false, &ignored) == 1)
		read_domain(&known, &d, o->now_us / 1000000, o);
	spool_domain_close(&d);
}

int
detail_tell_domains(const struct select *s, const struct spool *sp,
    struct output *o, struct err *e)
{
	bool *is_told = calloc(s->ndomains + 1, sizeof *is_told);

	if (is_told == NULL)
		return err_temp(e, "out of memory");
	for (size_t i = 0; i < s->nitems; i++) {
		size_t domain = s->items[i].domain;

		if (!is_told[domain])
			tell_domain(s->domains[domain], sp, o);
		is_told[domain] = true;
	}
	free(is_told);
	return 0;
}

bool
detail_is_apart(const struct detail *m)
{
	return m->entry.is_held && m->entry.is_unwanted;
}

/* Where the envelope has no clock, the history has to be asked. */
static void
read_lifetime(struct detail *m, struct output *o)
{
	const struct config_domain *domain = config_find(m->conf, m->d->name);
	const struct envelope *env = &m->f.env;
	struct lifetime l;
	struct err ignored;

	m->left_s = -2;
	if (domain == NULL || m->f.fd == -1 || !m->domain->has_primary)
		return;
	if (env->has_clock)
		l = lifetime_by_clock(env, &m->domain->primary,
		    m->entry.held_s);
	else if (lifetime_of(&l, m->d->fd, env, &m->entry, o->now_us / 1000000,
		     &ignored) == -1)
		return;
	m->left_s = detail_is_apart(m) ? lifetime_unwanted_left_s(&l, domain)
				       : lifetime_left_s(&l, domain);
}

void
detail_read_more(struct detail *m, struct output *o)
{
	struct err e = ERR_INIT;

	journal_parse(&m->journal, "", 0);
	/* what was never touched has no log worth an open */
	if (!m->entry.is_new &&
	    journal_read(&m->journal, m->d, m->entry.id, &e) == -1)
		output_complain(o, &e);
	m->domain = detail_domain(m, o);
	read_lifetime(m, o);
}

void
detail_close(struct detail *m)
{
	spool_file_close(&m->f);
}

/* ---- JSON ---- */

static void
add_word_or_null(struct jline *j, const char *key, const char *text)
{
	if (text == NULL || text[0] == '\0')
		jline_null(j, key);
	else
		jline_word(j, key, text);
}

static const struct {
	unsigned bit;
	const char *word;
} notify_words[] = {
	{ SMTP_NOTIFY_NEVER, "never" },
	{ SMTP_NOTIFY_SUCCESS, "success" },
	{ SMTP_NOTIFY_FAILURE, "failure" },
	{ SMTP_NOTIFY_DELAY, "delay" },
};

static void
add_rcpt(struct jline *j, const struct envelope_rcpt *r)
{
	jline_open(j, NULL, '{');
	jline_text(j, "address", r->addr.text, r->addr.len);
	jline_word(j, "state", output_rcpt_state(r->state));
	if (r->notify != SMTP_NOTIFY_NONE) {
		jline_open(j, "notify", '[');
		for (size_t i = 0;
		     i < sizeof notify_words / sizeof *notify_words; i++)
			if (r->notify & notify_words[i].bit)
				jline_word(j, NULL, notify_words[i].word);
		jline_close(j, ']');
	}
	if (r->orcpt != NULL)
		jline_word(j, "orcpt", r->orcpt);
	jline_close(j, '}');
}

static void
add_addresses(struct jline *j, const struct envelope *env)
{
	const struct addr *from = &env->mail.reverse_path;

	jline_text(j, "from", from->text, from->len);
	jline_open(j, "to", '[');
	for (size_t i = 0; i < env->nrcpt; i++)
		add_rcpt(j, &env->rcpts[i]);
	jline_close(j, ']');
}

static void
add_parameters(struct jline *j, const struct smtp_mail *mail)
{
	static const char *const bodies[] = {
		[SMTP_BODY_7BIT] = "7bit", [SMTP_BODY_8BITMIME] = "8bitmime"
	};
	static const char *const rets[] = {
		[SMTP_RET_FULL] = "full", [SMTP_RET_HDRS] = "hdrs"
	};

	add_word_or_null(j, "body", bodies[mail->body]);
	jline_bool(j, "smtputf8", mail->smtputf8);
	jline_bool(j, "requiretls", mail->requiretls);
	add_word_or_null(j, "ret", rets[mail->ret]);
	add_word_or_null(j, "envid", mail->envid);
}

static void
add_client(struct jline *j, const struct envelope_client *c)
{
	jline_open(j, "client", '{');
	add_word_or_null(j, "address", c->addr);
	if (c->port == 0)
		jline_null(j, "port");
	else
		jline_number(j, "port", c->port);
	add_word_or_null(j, "name", c->name);
	add_word_or_null(j, "helo", c->helo);
	add_word_or_null(j, "protocol", c->proto);
	add_word_or_null(j, "tls", c->tls);
	jline_close(j, '}');
}

static void
add_envelope(struct jline *j, const struct detail *m)
{
	static const char *const keys[] = { "from", "to", "body", "smtputf8",
		"requiretls", "ret", "envid", "client" };

	if (m->f.fd == -1) {
		for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
			jline_null(j, keys[i]);
		return;
	}
	add_addresses(j, &m->f.env);
	add_parameters(j, &m->f.env.mail);
	add_client(j, &m->f.env.client);
}

static void
add_time_or_null(struct jline *j, const char *key, int64_t wall_us)
{
	if (wall_us <= 0)
		jline_null(j, key);
	else
		jline_time(j, key, wall_us);
}

static void
add_history(struct jline *j, const struct output *o, const struct detail *m)
{
	const struct journal *journal = &m->journal;
	bool is_held = output_is_held(o, &m->entry);

	jline_number(j, "attempts", (int64_t)journal->attempts);
	add_time_or_null(j, "last_try", journal->tried_us);
	add_word_or_null(j, "last_reply", journal->reply);
	add_word_or_null(j, "peer", journal->peer);
	if (m->left_s < 0)
		jline_null(j, "lifetime_left");
	else
		jline_number(j, "lifetime_left", m->left_s);
	add_word_or_null(j, "hold", is_held ? journal->hold : NULL);
	add_time_or_null(j, "hold_until",
	    is_held ? m->entry.until_s * 1000000 : 0);
	jline_bool(j, "paused", m->domain->is_paused);
}

/* A new message is due since it came. */
static void
add_next(struct jline *j, const struct output *o, const struct detail *m)
{
	if (output_is_held(o, &m->entry))
		jline_null(j, "next");
	else
		jline_time(j, "next",
		    m->next_s == 0 ? m->entry.arrival_us : m->next_s * 1000000);
}

void
detail_json(struct jline *j, const struct output *o, const struct detail *m)
{
	const struct spool_entry *entry = &m->entry;

	jline_word(j, "id", entry->id);
	jline_word(j, "domain", m->d->name);
	jline_word(j, "state", output_state(o, entry));
	jline_time(j, "arrival", entry->arrival_us);
	jline_number(j, "age", (o->now_us - entry->arrival_us) / 1000000);
	add_next(j, o, m);
	jline_number(j, "size", (int64_t)entry->size);
	jline_number(j, "recipients", entry->nrcpt);
	add_envelope(j, m);
	add_history(j, o, m);
}
