/*
 * Put messages into a spool as bmx-receive would, for tests that need mail to
 * be there and not how it came.
 *
 *	mkmsg SPOOL DOMAIN [KEY=VALUE]...
 *
 *	from=ADDRESS  sender, empty: the null reverse-path; default
 *	              alice@example.org
 *	to=ADDRESS    a recipient, may be repeated; default bob@DOMAIN
 *	mail=WORDS    sender with parameters: "FROM:<a@b> BODY=8BITMIME"
 *	rcpt=WORDS    a recipient with parameters: "TO:<a@b> NOTIFY=NEVER"
 *	helo=NAME     what the client said
 *	file=PATH     the content; default a made one, with the ID in its first line
 *	size=BYTES    of the content, at least; default a short one
 *	age=SECONDS   how long ago it arrived
 *	up=SECONDS    what the primary's clocks stood at then: while it was up,
 *	all=SECONDS   and in all; default: nobody looked
 *	state=LETTER  of the recipients before it; default P
 *	id=ID         instead of a new one
 *	n=COUNT       so many messages
 *
 * Prints the IDs. Exit: 0, 64 usage, 75 anything else.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/text.h"
#include "mail/envelope.h"
#include "spool/spool.h"

struct order {
	struct envelope env;
	unsigned long long size, age_s, count;
	const char *id, *path;
};

static int
set_number(unsigned long long *number, const char *value, struct err *e)
{
	if (text_number(value, strlen(value), 1ULL << 40, number) == -1)
		return err_usage(e, "%s is not a number", value);
	return 0;
}

static int
set_clock(struct envelope *env, bool is_up, const char *value, struct err *e)
{
	unsigned long long seconds;

	if (set_number(&seconds, value, e) == -1)
		return -1;
	env->has_clock = true;
	*(is_up ? &env->up_s : &env->all_s) = (int64_t)seconds;
	return 0;
}

static int
add_rcpt(struct order *o, const char *address, struct err *e)
{
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NONE };

	if (addr_parse(address, strlen(address), &r.forward_path, e) == -1)
		return -1;
	return envelope_add(&o->env, &r, e);
}

/* mail= and rcpt=: as a client says it, to a server that offers all. */
static int
say_mail(struct order *o, const char *value, struct err *e)
{
	const char *reply =
	    smtp_parse_mail(value, strlen(value), ~0U, &o->env.mail);

	return reply == NULL ? 0 : err_usage(e, "mail=: %s", reply);
}

static int
say_rcpt(struct order *o, const char *value, struct err *e)
{
	struct smtp_rcpt r;
	const char *reply =
	    smtp_parse_rcpt(value, strlen(value), ~0U, true, &r);

	return reply == NULL ? envelope_add(&o->env, &r, e)
			     : err_usage(e, "rcpt=: %s", reply);
}

static int
set(struct order *o, const char *word, struct err *e)
{
	const char *value = strchr(word, '=');
	struct addr *from = &o->env.mail.reverse_path;

	if (value == NULL)
		return err_usage(e, "%s is not KEY=VALUE", word);
	value++;
	if (strncmp(word, "to=", 3) == 0)
		return add_rcpt(o, value, e);
	if (strncmp(word, "mail=", 5) == 0)
		return say_mail(o, value, e);
	if (strncmp(word, "rcpt=", 5) == 0)
		return say_rcpt(o, value, e);
	if (strncmp(word, "file=", 5) == 0) {
		o->path = value;
		return 0;
	}
	if (strncmp(word, "size=", 5) == 0)
		return set_number(&o->size, value, e);
	if (strncmp(word, "age=", 4) == 0)
		return set_number(&o->age_s, value, e);
	if (strncmp(word, "up=", 3) == 0 || strncmp(word, "all=", 4) == 0)
		return set_clock(&o->env, word[0] == 'u', value, e);
	if (strncmp(word, "state=", 6) == 0) {
		for (size_t i = 0; i < o->env.nrcpt; i++)
			o->env.rcpts[i].state = (enum rcpt_state)value[0];
		return 0;
	}
	if (strncmp(word, "n=", 2) == 0)
		return set_number(&o->count, value, e);
	if (strncmp(word, "id=", 3) == 0) {
		o->id = value;
		return 0;
	}
	if (strncmp(word, "helo=", 5) == 0) {
		snprintf(o->env.client.helo, sizeof o->env.client.helo, "%s",
		    value);
		return 0;
	}
	if (strncmp(word, "from=", 5) != 0)
		return err_usage(e, "%s: no such key", word);
	if (value[0] == '\0') {
		memset(from, 0, sizeof *from);
		return 0;
	}
	if (addr_parse(value, strlen(value), from, e) == -1)
		return -1;
	o->env.mail.smtputf8 |= from->is_utf8;
	return 0;
}

static int
write_file(struct spool_msg *m, const char *path, struct err *e)
{
	FILE *file = fopen(path, "r");
	char data[65536];
	size_t n;
	int rc = 0;

	if (file == NULL)
		return err_sys(e, "%s", path);
	while (rc == 0 && (n = fread(data, 1, sizeof data, file)) > 0)
		rc = spool_write(m, data, n, e);
	fclose(file);
	return rc;
}

static int
write_content(struct spool_msg *m, const struct order *o, struct err *e)
{
	static const char line[] =
	    "The quick brown fox jumps over the lazy dog, again.\r\n";
	char head[128];
	unsigned long long size;

	if (o->path != NULL)
		return write_file(m, o->path, e);
	size = (unsigned long long)snprintf(head, sizeof head,
	    "Received: by backup.example.net id %s\r\nSubject: test\r\n\r\n",
	    m->id);
	if (spool_write(m, head, size, e) == -1)
		return -1;
	do {
		if (spool_write(m, line, sizeof line - 1, e) == -1)
			return -1;
		size += sizeof line - 1;
	} while (size < o->size);
	return 0;
}

static int
put(struct order *o, const struct spool_domain *d, struct err *e)
{
	struct spool_msg m = SPOOL_MSG_INIT, *msgs[] = { &m };
	struct buf head = BUF_INIT(ENVELOPE_MAX);
	char id[SPOOL_ID_LEN + 1];
	int rc = -1;

	o->env.arrival_us = clock_wall_us() - (int64_t)o->age_s * 1000000;
	if (o->id != NULL)
		snprintf(id, sizeof id, "%s", o->id);
	else if (spool_new_id(id, o->env.arrival_us, e) == -1)
		goto out;
	if (spool_begin(&m, d, id, (unsigned)o->env.nrcpt, e) == -1 ||
	    envelope_format(&o->env, NULL, &head, e) == -1 ||
	    spool_write(&m, head.data, head.len, e) == -1 ||
	    write_content(&m, o, e) == -1 || spool_commit(msgs, 1, e) == -1)
		goto out;
	puts(id);
	rc = 0;
out:
	spool_abort(&m);
	buf_free(&head);
	return rc;
}

static int
fill(struct order *o, char **argv, struct err *e)
{
	struct spool sp = SPOOL_INIT;
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	char default_rcpt[ADDR_MAX + 1];
	int rc = 0;

	snprintf(default_rcpt, sizeof default_rcpt, "bob@%s", argv[2]);
	for (char **word = argv + 3; *word != NULL && rc == 0; word++)
		rc = set(o, *word, e);
	if (rc == 0 && o->env.nrcpt == 0)
		rc = add_rcpt(o, default_rcpt, e);
	if (rc == 0)
		rc = spool_open(&sp, argv[1], e);
	if (rc == 0 && spool_domain_open(&d, &sp, argv[2], true, e) == -1)
		rc = -1;
	for (unsigned long long i = 0; i < o->count && rc == 0; i++)
		rc = put(o, &d, e);
	spool_domain_close(&d);
	spool_close(&sp);
	return rc;
}

int
main(int argc, char **argv)
{
	struct order o = { .env = ENVELOPE_INIT, .count = 1 };
	struct err e = ERR_INIT;
	int rc;

	if (argc < 3) {
		fputs("usage: mkmsg SPOOL DOMAIN [KEY=VALUE]...\n", stderr);
		return EX_USAGE;
	}
	snprintf(o.env.client.addr, sizeof o.env.client.addr, "192.0.2.1");
	snprintf(o.env.client.helo, sizeof o.env.client.helo, "mx.example.org");
	snprintf(o.env.client.proto, sizeof o.env.client.proto, "ESMTP");
	set(&o, "from=alice@example.org", &e);
	rc = fill(&o, argv, &e);
	envelope_reset(&o.env);
	if (rc == 0)
		return EX_OK;
	fprintf(stderr, "mkmsg: %s\n", e.text);
	return e.class == ERR_USAGE ? EX_USAGE : EX_TEMPFAIL;
}
