/*
 * The notification about a message, for tests that read it with other eyes:
 *
 *	mkdsn FILE ACTION REPLY [REMOTE]
 *
 *	FILE    a message as in the spool, with its envelope
 *	ACTION  failed, delayed, relayed or delivered, for every recipient
 *	REPLY   "550 5.1.1 No such user"
 *	REMOTE  who said so; without it, it was us
 *
 * Exit: 0, 64 usage, 65 anything else.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/file.h"
#include "mail/dsn.h"

#define FILE_MAX (8 * 1024 * 1024)

static int
parse_action(const char *word, enum dsn_action *action)
{
	static const char *const words[] = { "failed", "delayed", "relayed",
		"delivered" };

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(word, words[i]) == 0) {
			*action = (enum dsn_action)i;
			return 0;
		}
	}
	return -1;
}

static int
write_dsn(struct dsn *d, const struct dsn_rcpt *like, struct err *e)
{
	struct dsn_rcpt *rcpts = calloc(d->env->nrcpt, sizeof *rcpts);
	struct buf b = BUF_INIT(DSN_MAX);
	int rc = -1;

	if (rcpts == NULL)
		return err_temp(e, "no memory");
	for (size_t i = 0; i < d->env->nrcpt; i++) {
		rcpts[i] = *like;
		rcpts[i].rcpt = &d->env->rcpts[i];
	}
	d->rcpts = rcpts;
	d->nrcpt = d->env->nrcpt;
	if (dsn_format(d, &b, e) == 0) {
		fwrite(b.data, 1, b.len, stdout);
		rc = fflush(stdout);
	}
	buf_free(&b);
	free(rcpts);
	return rc;
}

static int
report(const char *path, const struct dsn_rcpt *like, struct err *e)
{
	struct buf file = BUF_INIT(FILE_MAX);
	struct envelope env = ENVELOPE_INIT;
	struct dsn d = { .env = &env,
		.hostname = "mx2.example.net",
		.id = "0123",
		.boundary = "=_0123" };
	long len = -1;
	int rc = -1;

	if (file_read(AT_FDCWD, path, &file, e) == 1)
		len = envelope_parse(&env, file.data, file.len, e);
	if (len > 0) {
		d.date_us = env.arrival_us;
		d.message = file.data + len;
		d.message_len = file.len - (size_t)len;
		rc = write_dsn(&d, like, e);
	}
	envelope_reset(&env);
	buf_free(&file);
	return rc;
}

int
main(int argc, char **argv)
{
	struct smtp_reply reply = SMTP_REPLY_INIT;
	struct dsn_rcpt like = { .reply = &reply };
	struct err e = ERR_INIT;

	if (argc < 4 || argc > 5 || parse_action(argv[2], &like.action) == -1 ||
	    smtp_reply_line(&reply, argv[3], strlen(argv[3]), &e) != 1) {
		fprintf(stderr, "usage: mkdsn FILE ACTION REPLY [REMOTE]\n");
		return EX_USAGE;
	}
	like.remote_mta = argv[4];
	if (report(argv[1], &like, &e) == -1) {
		fprintf(stderr, "mkdsn: %s\n", e.text);
		return EX_DATAERR;
	}
	return EX_OK;
}
