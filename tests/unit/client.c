/* lib/smtp: client, against a server that follows a script. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/conn.h"
#include "net/tls.h"
#include "pki.h"
#include "smtp/client.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- the server ---- */

/*
 * One step of a script: a line that the client must send next (NULL: nothing
 * is read), and what is said to it (NULL: nothing, so that the client had to
 * send the next line without a reply to this one). CRLF is added to both. Of
 * what is said these are acts:
 */
#define CLOSE "!close"   /* end the connection */
#define STALL "!stall"   /* say nothing until the client has gone */
#define ALONE "!alone"   /* nothing may have been sent ahead */
#define ACCEPT "!accept" /* wait for the next connection */
#define TLS "!tls"       /* shake hands */
#define GARBLE "!garble" /* answer the first words of TLS with others */
#define GONE "!gone"     /* the client must have gone */
#define NUL "!nul"       /* a reply with a NUL in it */
#define ENDLESS "!lines" /* ten thousand lines of a reply */

struct step {
	const char *line, *say;
};

#define GREETING                                                               \
	{                                                                      \
		NULL, "220 mx.test ESMTP"                                      \
	}
#define EHLO(offer)                                                            \
	{                                                                      \
		"EHLO backup.test", "250-mx.test\r\n" offer "250 HELP"         \
	}
#define QUIT                                                                   \
	{                                                                      \
		"QUIT", "221 2.0.0 bye"                                        \
	}
#define PIPELINING "250-PIPELINING\r\n"
#define STARTTLS "250-STARTTLS\r\n"

struct server {
	int listener;
	struct tls *tls;
	struct conn *conn;
};

static int64_t
soon(void)
{
	return clock_monotonic_ms() + 20000;
}

static int
accept_client(struct server *s)
{
	struct err e = ERR_INIT;
	int fd;

	conn_close(s->conn);
	fd = accept(s->listener, NULL, NULL);
	s->conn = conn_new(fd, fd, &e);
	return s->conn != NULL ? 0 : -1;
}

static int
wait_until_gone(struct server *s)
{
	struct err e = ERR_INIT;
	ssize_t n;

	do {
		size_t len;

		conn_buffered(s->conn, &len);
		conn_consume(s->conn, len);
		n = conn_fill(s->conn, soon(), &e);
	} while (n > 0);
	return e.sys == ETIMEDOUT ? -1 : 0;
}

static bool
is_client_silent(struct server *s)
{
	struct err e = ERR_INIT;
	size_t len;

	conn_buffered(s->conn, &len);
	return len == 0 &&
	       conn_fill(s->conn, clock_monotonic_ms() + 5, &e) == -1 &&
	       e.sys == ETIMEDOUT;
}

static int
say(struct server *s, const char *text)
{
	struct err e = ERR_INIT;

	conn_write(s->conn, text, strlen(text), soon(), &e);
	conn_write(s->conn, "\r\n", 2, soon(), &e);
	return conn_flush(s->conn, soon(), &e);
}

static int
act(struct server *s, const char *what)
{
	struct err e = ERR_INIT;

	if (strcmp(what, CLOSE) == 0) {
		conn_close(s->conn);
		s->conn = NULL;
		return 0;
	}
	if (strcmp(what, STALL) == 0)
		return wait_until_gone(s);
	if (strcmp(what, GONE) == 0)
		return conn_fill(s->conn, soon(), &e) <= 0 ? 0 : -1;
	if (strcmp(what, ALONE) == 0)
		return is_client_silent(s) ? 0 : -1;
	if (strcmp(what, ACCEPT) == 0)
		return accept_client(s);
	if (strcmp(what, TLS) == 0)
		return conn_start_tls(s->conn, s->tls, NULL, NULL, soon(), &e);
	if (strcmp(what, NUL) == 0) {
		conn_write(s->conn, "550 5.7.1 a\0b\r\n", 15, soon(), &e);
		return conn_flush(s->conn, soon(), &e);
	}
	if (strcmp(what, GARBLE) == 0)
		return conn_fill(s->conn, soon(), &e) > 0
			   ? say(s, "this is no TLS")
			   : -1;
	if (strcmp(what, ENDLESS) == 0) {
		for (int i = 0; i < 10000; i++)
			if (conn_write(s->conn, "250-x\r\n", 7, soon(), &e) ==
			    -1)
				return 0;
		conn_flush(s->conn, soon(), &e);
		return 0;
	}
	say(s, what); /* it may have gone: then the next step fails */
	return 0;
}

static int
follow(struct server *s, const struct step *script)
{
	char line[SMTP_COMMAND_MAX];
	struct err e = ERR_INIT;

	for (const struct step *p = script; p->line != NULL || p->say != NULL;
	     p++) {
		if (p->line != NULL && conn_read_line(s->conn, line,
					   sizeof line, soon(), &e) == -1)
			strcpy(line, e.text);
		if (p->line != NULL && strcmp(line, p->line) != 0) {
			fprintf(stderr,
			    "# step %td: expected \"%s\", got \"%s\"\n",
			    p - script, p->line, line);
			return 1;
		}
		if (p->say != NULL && act(s, p->say) == -1) {
			fprintf(stderr, "# step %td: %s failed\n", p - script,
			    p->say);
			return 1;
		}
	}
	return 0;
}

/* Where the server listens: chosen by the kernel. */
static int
listen_on_loopback(struct endpoint *ep)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*ep = (struct endpoint){ .len = sizeof in };
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ep->addr,
			     &ep->len),
	    0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

typedef int serve(struct server *s, const void *arg);

/* The server is a process of its own; its exit status says whether the client
 * did as the script says. */
static pid_t
start(struct endpoint *ep, struct tls *tls, serve *run, const void *arg)
{
	int listener = listen_on_loopback(ep);
	struct server s = { listener, tls, NULL };
	pid_t pid = fork();

	assert_int_not_equal(pid, -1);
	if (pid == 0) {
		alarm(60);
		_exit(accept_client(&s) == 0 ? run(&s, arg) : 1);
	}
	close(listener);
	return pid;
}

static int
serve_script(struct server *s, const void *arg)
{
	int rc = follow(s, arg);

	if (s->conn != NULL)
		conn_finish(s->conn, soon());
	conn_close(s->conn);
	return rc;
}

static void
server_is_content(pid_t pid, const char *name)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("%s: the client did not follow the script", name);
}

static const struct client_tls tls_may = { .level = CONFIG_TLS_MAY,
	.name = "mx.test" };

static struct client_params
short_waits(void)
{
	return (struct client_params){ .helo = "backup.test",
		.connect_timeout_s = 5,
		.reply_timeout_s = 5 };
}

/* ---- sessions ---- */

/* clang-format off */
struct session_row {
	const char *name;
	enum config_tls tls;
	const struct step *script;
	int result;
	enum err_class class;
	int code;	   /* of the last reply */
	const char *words; /* in the error */
	const char *in_tls;
};

static const struct session_row plain_sessions[] = {
	{ "a greeting and EHLO make a session", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(""), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "" },
	{ "a greeting of several lines is read to its end", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "220-wait" }, { NULL, ALONE },
		{ NULL, "220-for\r\n220 it" }, EHLO(""), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "" },
	{ "D9: a 554 greeting is a refusal", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "554 5.7.1 not you" }, QUIT, { 0 } },
	  -1, ERR_PERM, 554, "greeting: 554 5.7.1 not you", "" },
	{ "D9: a 521 greeting is a refusal", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "521 no mail here" }, QUIT, { 0 } },
	  -1, ERR_PERM, 521, "greeting: 521 no mail here", "" },
	{ "a 450 greeting is for later", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "450 4.3.2 later" }, QUIT, { 0 } },
	  -1, ERR_TEMP, 450, "greeting: 450 4.3.2 later", "" },
	{ "D32: a 421 greeting ends it", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "421 4.3.2 busy" }, { NULL, GONE }, { 0 } },
	  -1, ERR_TEMP, 421, "greeting: 421 4.3.2 busy", "" },
	{ "D32: 3yz is no greeting", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "354 go" }, { NULL, GONE }, { 0 } },
	  -1, ERR_TEMP, 354, "protocol error", "" },
	{ "D9: closed without a greeting", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, CLOSE }, { 0 } },
	  -1, ERR_TEMP, 0, "greeting: connection closed", "" },
	{ "closed within a reply", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "220-a" }, { NULL, CLOSE }, { 0 } },
	  -1, ERR_TEMP, 0, "greeting: connection closed", "" },
	{ "a greeting of binary garbage", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "\x16\x03\x01\xff\xfe\x1b[2J" },
		{ NULL, GONE }, { 0 } },
	  -1, ERR_TEMP, 0, "\\x16\\x03\\x01\\xff\\xfe\\x1b[2J", "" },
	{ "lines of a reply with different codes", CONFIG_TLS_MAY,
	  (const struct step[]){ { NULL, "220-a\r\n250 b" }, { NULL, GONE }, { 0 } },
	  -1, ERR_TEMP, 0, "protocol error", "" },
	{ "a reply of ten thousand lines", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", ENDLESS }, { 0 } },
	  -1, ERR_TEMP, 0, "protocol error", "" },
	{ "D35: HELO after 5yz to EHLO", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", "502 5.5.1 what?" },
		{ "HELO backup.test", "250 mx.test" }, QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "" },
	{ "D35: no HELO after 4yz to EHLO", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", "451 4.3.0 not now" },
		QUIT, { 0 } },
	  -1, ERR_TEMP, 451, "EHLO: 451 4.3.0 not now", "" },
	{ "both refused", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", "550 no" },
		{ "HELO backup.test", "550 5.7.1 no" }, QUIT, { 0 } },
	  -1, ERR_PERM, 550, "EHLO: 550 5.7.1 no", "" },
	{ "421 to EHLO", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", "421 4.3.2 bye" },
		{ NULL, GONE }, { 0 } },
	  -1, ERR_TEMP, 421, "EHLO: 421", "" },
	{ "lost at EHLO", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", CLOSE }, { 0 } },
	  -1, ERR_TEMP, 0, "EHLO: connection closed", "" },
	{ "D9: our own name in EHLO is a loop", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test",
		"250-BACKUP.test. hello\r\n250 SIZE" }, { NULL, GONE }, { 0 } },
	  -1, ERR_PERM, 250, "4.4.6", "" },
	{ "D9: and in HELO too", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, { "EHLO backup.test", "500 what?" },
		{ "HELO backup.test", "250 backup.test" }, { NULL, GONE }, { 0 } },
	  -1, ERR_PERM, 250, "4.4.6", "" },
	{ "TLS is required and not offered", CONFIG_TLS_ENCRYPT,
	  (const struct step[]){ GREETING, EHLO(""), QUIT, { 0 } },
	  -1, ERR_TEMP, 250, "TLS is required", "" },
	{ "TLS is not wanted", CONFIG_TLS_NONE,
	  (const struct step[]){ GREETING, EHLO(STARTTLS), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "" },
};

static const struct session_row tls_sessions[] = {
	{ "STARTTLS and EHLO again", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(STARTTLS "250-SIZE 7\r\n"),
		{ "STARTTLS", "220 go" }, { NULL, TLS },
		EHLO(STARTTLS "250-DSN\r\n"), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "TLS1.3/AES-256-GCM" },
	{ "the same when it is required", CONFIG_TLS_ENCRYPT,
	  (const struct step[]){ GREETING, EHLO(STARTTLS "250-SIZE 7\r\n"),
		{ "STARTTLS", "220 go" }, { NULL, TLS },
		EHLO("250-DSN\r\n"), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "TLS1.3/AES-256-GCM" },
	{ "TLS not now: the session goes on", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "454 4.7.0 not now" }, QUIT, { 0 } },
	  0, ERR_NONE, 454, "", "" },
	{ "TLS not now, but required", CONFIG_TLS_ENCRYPT,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "454 4.7.0 not now" }, QUIT, { 0 } },
	  -1, ERR_TEMP, 454, "STARTTLS: 454 4.7.0 not now", "" },
	{ "TLS refused, but required", CONFIG_TLS_ENCRYPT,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "554 5.7.0 never" }, QUIT, { 0 } },
	  -1, ERR_PERM, 554, "STARTTLS: 554 5.7.0 never", "" },
	{ "421 to STARTTLS is no reason to come back", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "421 4.3.2 bye" }, { NULL, GONE }, { 0 } },
	  -1, ERR_TEMP, 421, "STARTTLS: 421", "" },
	{ "a broken handshake: once more in the clear", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "220 go" }, { NULL, GARBLE },
		{ NULL, ACCEPT }, GREETING, EHLO(STARTTLS), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "" },
	{ "a broken handshake where TLS is required", CONFIG_TLS_ENCRYPT,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "220 go" }, { NULL, GARBLE }, { 0 } },
	  -1, ERR_TEMP, 0, "TLS handshake", "" },
	{ "replies injected behind the 220 are not heard", CONFIG_TLS_ENCRYPT,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "220 go\r\n250-mx.test\r\n250 SIZE 1" },
		{ NULL, STALL }, { 0 } },
	  -1, ERR_TEMP, 0, "behind STARTTLS", "" },
	{ "lost in the handshake: once more in the clear", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "220 go" }, { NULL, CLOSE },
		{ NULL, ACCEPT }, GREETING, EHLO(""), QUIT, { 0 } },
	  0, ERR_NONE, 250, "", "" },
	{ "refused within TLS", CONFIG_TLS_MAY,
	  (const struct step[]){ GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "220 go" }, { NULL, TLS },
		{ "EHLO backup.test", "550 5.7.1 no" },
		{ "HELO backup.test", "550 5.7.1 no" }, QUIT, { 0 } },
	  -1, ERR_PERM, 550, "EHLO in TLS: 550 5.7.1 no", "" },
};
/* clang-format on */

static void
expect_session(const struct session_row *row, struct tls *tls)
{
	const struct client_tls owed = { .level = row->tls, .name = "mx.test" };
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid = start(&ep, tls, serve_script, row->script);
	int rc = client_open(&c, &params, &ep, &owed, &e);

	if (rc != row->result || c.reply.code != row->code ||
	    (rc == -1 && e.class != row->class) ||
	    (rc == -1 && strstr(e.text, row->words) == NULL))
		fail_msg("%s: %d, class %d, reply %d, \"%s\"", row->name, rc,
		    e.class, c.reply.code, e.text);
	if (rc == 0) {
		assert_string_equal(conn_tls_text(c.conn), row->in_tls);
		assert_string_equal(c.name,
		    row->code == 454 || row->code == 250 ? "mx.test" : "");
	}
	client_quit(&c);
	client_quit(&c); /* harmless */
	assert_null(c.conn);
	server_is_content(pid, row->name);
}

/* D9, D32, D35 */
static void
sessions_begin_or_end_as_the_server_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(plain_sessions); i++)
		expect_session(&plain_sessions[i], NULL);
}

static struct tls *
server_tls(void **state)
{
	const struct pki *p = *state;
	struct err e = ERR_INIT;
	struct tls *tls = tls_server(p->certificate, p->key, &e);

	if (tls == NULL)
		fail_msg("%s", e.text);
	return tls;
}

static void
tls_begins_or_fails_as_configured(void **state)
{
	struct tls *tls = server_tls(state);

	for (size_t i = 0; i < COUNT(tls_sessions); i++)
		expect_session(&tls_sessions[i], tls);
	tls_free(tls);
}

static void
offers_before_and_in_tls_are_kept_apart(void **state)
{
	struct tls *tls = server_tls(state);
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid = start(&ep, tls, serve_script, tls_sessions[0].script);

	assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e), 0);
	assert_int_equal(c.plain.exts, SMTP_EXT_STARTTLS | SMTP_EXT_SIZE);
	assert_int_equal(c.plain.size_max, 7);
	assert_int_equal(c.offer.exts, SMTP_EXT_DSN); /* no TLS within TLS */
	assert_int_equal(c.offer.size_max, 0);
	client_quit(&c);
	server_is_content(pid, "offers");
	tls_free(tls);
}

/* It may be asked for again: what is needed for that is there already. */
static void
a_refused_starttls_can_be_asked_for_again(void **state)
{
	static const struct step script[] = { GREETING, EHLO(STARTTLS),
		{ "STARTTLS", "454 4.7.0 not now" },
		{ "STARTTLS", "220 2.0.0 go on" }, { NULL, GARBLE }, { 0 } };
	static const struct client_tls none = { .level = CONFIG_TLS_NONE };
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);

	(void)state;
	assert_int_equal(client_open(&c, &params, &ep, &none, &e), 0);
	assert_int_equal(client_ask_tls(&c, &tls_may, &e), 0);
	assert_int_equal(c.reply.code, 454);
	assert_int_equal(client_ask_tls(&c, &tls_may, &e), 0);
	assert_int_equal(c.reply.code, 220);
	assert_int_equal(client_shake_hands(&c, &tls_may, &e), -1);
	client_abort(&c);
	server_is_content(pid, "asked again");
}

static void
helo_offers_nothing(void **state)
{
	static const struct step script[] = { GREETING,
		{ "EHLO backup.test", "500 what?" },
		{ "HELO backup.test", "250-mx.test\r\n250 PIPELINING" }, QUIT,
		{ 0 } };
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);

	(void)state;
	assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e), 0);
	assert_int_equal(c.offer.exts, 0);
	assert_int_equal(c.plain.exts, 0);
	client_quit(&c);
	server_is_content(pid, "HELO");
}

static void
nobody_there_is_temporary_and_keeps_its_errno(void **state)
{
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	int listener = listen_on_loopback(&ep);

	(void)state;
	close(listener);
	assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, ECONNREFUSED);
	assert_int_equal(c.reply.code, 0);
	client_quit(&c);
	assert_int_equal(client_reset(&c, &e), -1);
}

/* D35 */
static void
no_reply_to_quit_is_no_error(void **state)
{
	static const struct step script[] = { GREETING, EHLO(""),
		{ "QUIT", CLOSE }, { 0 } };
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);

	(void)state;
	assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e), 0);
	client_quit(&c);
	assert_int_equal(c.reply.code, 250); /* QUIT's reply is nobody's */
	server_is_content(pid, "QUIT");
}

static void
the_callers_deadline_is_never_passed(void **state)
{
	static const struct step script[] = { GREETING,
		{ "EHLO backup.test", STALL }, { 0 } };
	struct client_params params = short_waits();
	int64_t start_ms = clock_monotonic_ms();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);

	(void)state;
	params.deadline_ms = start_ms + 100;
	assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e), -1);
	assert_int_equal(e.sys, ETIMEDOUT);
	client_quit(&c);
	assert_in_range(clock_monotonic_ms() - start_ms, 100, 4000);
	server_is_content(pid, "deadline");
}

static void
what_is_no_smtp_has_its_errno(void **state)
{
	static const char *const greetings[] = { "\x16\x03\x01",
		"220-a\r\n250 b", "354 go", "SSH-2.0-x" };

	(void)state;
	for (size_t i = 0; i < COUNT(greetings); i++) {
		const struct step script[] = { { NULL, greetings[i] },
			{ NULL, GONE }, { 0 } };
		struct client_params params = short_waits();
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_script, script);

		assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e),
		    -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(e.sys, EPROTO);
		server_is_content(pid, greetings[i]);
	}
}

/* ---- transactions ---- */

/* An envelope to a@d.test, b@d.test, ... */
static void
make_envelope(struct envelope *env, size_t nrcpt)
{
	struct err e = ERR_INIT;

	*env = (struct envelope)ENVELOPE_INIT;
	assert_int_equal(addr_parse("me@s.test", 9, &env->mail.reverse_path,
			     &e),
	    0);
	for (size_t i = 0; i < nrcpt; i++) {
		struct smtp_rcpt r = { .notify = 0 };
		char text[] = "a@d.test";

		text[0] = (char)('a' + i % 26);
		assert_int_equal(addr_parse(text, 8, &r.forward_path, &e), 0);
		assert_int_equal(envelope_add(env, &r, &e), 0);
	}
}

#define MAIL "MAIL FROM:<me@s.test>"
#define RCPT(x) "RCPT TO:<" x "@d.test>"
#define OK "250 2.0.0 OK"

/* clang-format off */
#define CHUNKING "250-CHUNKING\r\n"

struct transaction_row {
	const char *name;
	const char *offer;
	const struct step *script; /* from MAIL on, without QUIT */
	long result;		   /* of client_begin() */
	int codes[3];		   /* of a, b, c; negative: refused */
	int end;		   /* code of the final reply; 0: no content */
};

static const struct transaction_row transactions[] = {
	{ "a group at once, mixed results (D33)", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL }, { RCPT("c"), NULL },
		{ "DATA", OK "\r\n" OK "\r\n450 4.2.0 later\r\n"
			"550 5.1.1 nobody\r\n354 go" },
		{ "Subject: x", NULL }, { "", NULL }, { "..dot", NULL },
		{ ".", "250 2.0.0 queued" }, { 0 } },
	  1, { 250, -450, -550 }, 250 },
	{ "one by one, mixed results (D33)", "",
	  (const struct step[]){ { MAIL, ALONE }, { NULL, OK },
		{ RCPT("a"), ALONE }, { NULL, "450 4.2.0 later" },
		{ RCPT("b"), ALONE }, { NULL, "251 2.1.5 forwarded" },
		{ RCPT("c"), ALONE }, { NULL, "550 5.1.1 nobody" },
		{ "DATA", ALONE }, { NULL, "354 go" },
		{ "Subject: x", NULL }, { "", NULL }, { "..dot", NULL },
		{ ".", "451 4.3.0 disk full" }, { 0 } },
	  1, { -450, 251, -550 }, 451 },
	{ "552 to RCPT is 452 (D11)", "",
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), OK },
		{ RCPT("b"), "552 5.5.3 too many" }, { RCPT("c"), "552 too many" },
		{ "DATA", "354 go" },
		{ "Subject: x", NULL }, { "", NULL }, { "..dot", NULL },
		{ ".", "554 5.6.0 no" }, { 0 } },
	  1, { 250, -452, -452 }, 554 },
	{ "MAIL refused, one by one", "",
	  (const struct step[]){ { MAIL, ALONE }, { NULL, "550 5.7.1 not you" },
		{ 0 } },
	  0, { -550, -550, -550 }, 0 },
	{ "MAIL refused, in a group", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL }, { RCPT("c"), NULL },
		{ "DATA", "451 4.7.1 not you\r\n503 5.5.1 MAIL first\r\n"
			"503 5.5.1 MAIL first\r\n503 5.5.1 MAIL first\r\n"
			"503 5.5.1 MAIL first" }, { 0 } },
	  0, { -451, -451, -451 }, 0 },
	{ "MAIL refused, and 354 all the same: a lone dot", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL }, { RCPT("c"), NULL },
		{ "DATA", "550 5.7.1 not you\r\n503 no\r\n503 no\r\n503 no\r\n"
			"354 go" },
		{ ".", "250 2.0.0 queued nothing" }, { 0 } },
	  0, { -550, -550, -550 }, 0 },
	{ "every RCPT refused, one by one: no DATA", "",
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), "550 5.1.1 no" },
		{ RCPT("b"), "450 4.2.0 no" }, { RCPT("c"), "550 5.1.1 no" },
		{ "RSET", OK }, { 0 } },
	  0, { -550, -450, -550 }, 0 },
	{ "every RCPT refused, in a group, and DATA", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL }, { RCPT("c"), NULL },
		{ "DATA", OK "\r\n550 5.1.1 no\r\n450 4.2.0 no\r\n"
			"550 5.1.1 no\r\n554 5.5.1 no valid recipients" },
		{ "RSET", OK }, { 0 } },
	  0, { -550, -450, -550 }, 0 },
	{ "every RCPT refused, but 354: a lone dot", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL }, { RCPT("c"), NULL },
		{ "DATA", OK "\r\n550 5.1.1 no\r\n450 4.2.0 no\r\n"
			"550 5.1.1 no\r\n354 go" },
		{ ".", "554 5.5.1 no valid recipients" }, { 0 } },
	  0, { -550, -450, -550 }, 0 },
	{ "DATA refused, one by one", "",
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), OK },
		{ RCPT("b"), "550 5.1.1 no" }, { RCPT("c"), OK },
		{ "DATA", "451 4.3.0 no disk" }, { "RSET", OK }, { 0 } },
	  0, { -451, -550, -451 }, 0 },
	{ "DATA refused, in a group", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL }, { RCPT("c"), NULL },
		{ "DATA", OK "\r\n" OK "\r\n550 5.1.1 no\r\n" OK
			"\r\n552 5.3.4 too big" },
		{ "RSET", OK }, { 0 } },
	  0, { -552, -550, -552 }, 0 },
	{ "LIMITS RCPTMAX: the third is for another transaction (D29)",
	  PIPELINING "250-LIMITS RCPTMAX=2\r\n",
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL },
		{ "DATA", OK "\r\n" OK "\r\n" OK "\r\n354 go" },
		{ "Subject: x", NULL }, { "", NULL }, { "..dot", NULL },
		{ ".", "250 2.0.0 queued" }, { 0 } },
	  2, { 250, 250, 0 }, 250 },
	{ "a chunk, as it is, in a group (RFC 3030)", PIPELINING CHUNKING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL },
		{ RCPT("c"), OK "\r\n" OK "\r\n450 4.2.0 later\r\n"
			"550 5.1.1 nobody" },
		{ "BDAT 20 LAST", NULL }, { "Subject: x", NULL }, { "", NULL },
		{ ".dot", "250 2.0.0 queued" }, { 0 } },
	  1, { 250, -450, -550 }, 250 },
	{ "a chunk, one by one", CHUNKING,
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), OK },
		{ RCPT("b"), OK }, { RCPT("c"), OK },
		{ "BDAT 20 LAST", NULL }, { "Subject: x", NULL }, { "", NULL },
		{ ".dot", "451 4.3.0 disk full" }, { 0 } },
	  3, { 250, 250, 250 }, 451 },
	{ "every RCPT refused: no chunk", PIPELINING CHUNKING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), NULL },
		{ RCPT("b"), NULL },
		{ RCPT("c"), OK "\r\n550 5.1.1 no\r\n550 5.1.1 no\r\n"
			"550 5.1.1 no" },
		{ "RSET", OK }, { 0 } },
	  0, { -550, -550, -550 }, 0 },
	{ "a NUL in a reply is shown, not obeyed", "",
	  (const struct step[]){ { MAIL, NUL }, { 0 } },
	  0, { -550, -550, -550 }, 0 },
};
/* clang-format on */

/* Greeting, EHLO, the row's steps, QUIT. */
static int
serve_transaction(struct server *s, const void *arg)
{
	const struct transaction_row *row = arg;
	char ehlo[512];
	const struct step first[] = { GREETING, { "EHLO backup.test", ehlo },
		{ 0 } };
	static const struct step last[] = { QUIT, { 0 } };

	snprintf(ehlo, sizeof ehlo, "250-mx.test\r\n%s250 HELP", row->offer);
	return follow(s, first) != 0 || follow(s, row->script) != 0 ||
	       follow(s, last) != 0;
}

static void
open_session(struct client *c, const struct client_params *params,
    const struct endpoint *ep)
{
	struct err e = ERR_INIT;

	if (client_open(c, params, ep, &tls_may, &e) == -1)
		fail_msg("%s", e.text);
}

static void
expect_outcomes(const struct transaction_row *row,
    const struct client_outcome *outcomes)
{
	for (size_t i = 0; i < 3; i++) {
		int code = outcomes[i].reply.code;

		if (!outcomes[i].accepted)
			code = -code;
		if (code != row->codes[i])
			fail_msg("%s: recipient %zu: %d", row->name, i, code);
	}
}

static void
expect_transaction(const struct transaction_row *row)
{
	static const bool all[3] = { true, true, true };
	static const char content[] = "Subject: x\r\n\r\n.dot\r\n";
	struct client_params params = short_waits();
	struct client_outcome outcomes[3];
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_transaction, row);
	bool lost = true;
	long n;

	make_envelope(&env, 3);
	open_session(&c, &params, &ep);
	n = client_begin(&c, &env, all, sizeof content - 1, outcomes, &e);
	if (n != row->result)
		fail_msg("%s: %ld %s", row->name, n, e.text);
	expect_outcomes(row, outcomes);
	if (row->end != 0) {
		/* piece by piece: the encoder keeps the place */
		for (size_t i = 0; i < sizeof content - 1; i++)
			assert_int_equal(client_send(&c, content + i, 1, &e),
			    0);
		assert_int_equal(client_end(&c, &lost, &e), 0);
		assert_false(lost);
		assert_int_equal(c.reply.code, row->end);
		for (size_t i = 0; i < 3; i++)
			if (row->codes[i] > 0)
				assert_int_equal(outcomes[i].reply.code,
				    row->end);
	}
	assert_int_equal(c.transactions, 1);
	client_quit(&c);
	envelope_reset(&env);
	server_is_content(pid, row->name);
	if (strstr(row->name, "NUL") != NULL)
		assert_string_equal(outcomes[0].reply.text, "a\\x00b");
}

/* D11, D29, D33 */
static void
transactions_end_as_the_server_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(transactions); i++)
		expect_transaction(&transactions[i]);
}

static void
what_was_refused_stays_readable_and_temporary(void **state)
{
	static const struct step script[] = { { MAIL, OK },
		{ RCPT("a"), "552 5.5.3 too many\x1b" }, { "RSET", OK },
		{ 0 } };
	static const struct transaction_row row = { "552", "", script, 0, { 0 },
		0 };
	static const bool first[3] = { true, false, false };
	struct client_params params = short_waits();
	struct client_outcome outcomes[3] = { { .accepted = true } };
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_transaction, &row);

	(void)state;
	make_envelope(&env, 3);
	open_session(&c, &params, &ep);
	outcomes[1].reply.code = 77;
	assert_int_equal(client_begin(&c, &env, first, 1, outcomes, &e), 0);
	assert_int_equal(outcomes[0].reply.code, 452);
	assert_string_equal(outcomes[0].reply.enhanced, "4.5.3");
	assert_string_equal(outcomes[0].reply.text, "too many\\x1b");
	assert_int_equal(outcomes[1].reply.code, 77); /* was not asked for */
	client_quit(&c);
	envelope_reset(&env);
	server_is_content(pid, row.name);
}

/* ---- parameters ---- */

static void
make_rich_envelope(struct envelope *env)
{
	struct smtp_rcpt r = { .notify =
				   SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY,
		.orcpt = "rfc822;a+2Bb@d.test" };
	struct err e = ERR_INIT;

	make_envelope(env, 0);
	assert_int_equal(addr_parse("a@d.test", 8, &r.forward_path, &e), 0);
	assert_int_equal(envelope_add(env, &r, &e), 0);
	env->mail.ret = SMTP_RET_HDRS;
	strcpy(env->mail.envid, "id+3D7");
	env->mail.body = SMTP_BODY_7BIT;
}

/* D30, D39: each parameter goes out when its extension is offered, and only
 * then. */
static void
parameters_are_sent_only_when_they_are_offered(void **state)
{
	static const struct {
		const char *name, *offer, *mail, *rcpt;
		bool is_8bit, is_utf8, requires_tls;
	} rows[] = {
		{ "nothing is offered", "", MAIL, RCPT("a"), false, false,
		    false },
		{ "SIZE", "250-SIZE 1000\r\n", MAIL " SIZE=42", RCPT("a"),
		    false, false, false },
		{ "8BITMIME, a message of 7 bits", "250-8BITMIME\r\n",
		    MAIL " BODY=7BIT", RCPT("a"), false, false, false },
		{ "8BITMIME", "250-8BITMIME\r\n", MAIL " BODY=8BITMIME",
		    RCPT("a"), true, false, false },
		{ "SMTPUTF8, not needed", "250-SMTPUTF8\r\n", MAIL, RCPT("a"),
		    false, false, false },
		{ "SMTPUTF8", "250-SMTPUTF8\r\n", MAIL " SMTPUTF8", RCPT("a"),
		    false, true, false },
		{ "REQUIRETLS", "250-REQUIRETLS\r\n", MAIL " REQUIRETLS",
		    RCPT("a"), false, false, true },
		{ "DSN", "250-DSN\r\n", MAIL " RET=HDRS ENVID=id+3D7",
		    RCPT("a") " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@d.test",
		    false, false, false },
		{ "all of them",
		    "250-DSN\r\n250-SIZE\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
		    "250-REQUIRETLS\r\n",
		    MAIL " SIZE=42 BODY=8BITMIME SMTPUTF8 REQUIRETLS RET=HDRS "
			 "ENVID=id+3D7",
		    RCPT("a") " NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@d.test",
		    true, true, true },
	};
	static const bool all[1] = { true };
	struct client_params params = short_waits();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct step script[] = { { rows[i].mail, OK },
			{ rows[i].rcpt, "550 5.1.1 no" }, { "RSET", OK },
			{ 0 } };
		struct transaction_row row = { rows[i].name, rows[i].offer,
			script, 0, { 0 }, 0 };
		struct client_outcome outcome;
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_transaction, &row);

		make_rich_envelope(&env);
		if (rows[i].is_8bit)
			env.mail.body = SMTP_BODY_8BITMIME;
		env.mail.smtputf8 = rows[i].is_utf8;
		env.mail.requiretls = rows[i].requires_tls;
		open_session(&c, &params, &ep);
		c.is_authenticated = true;
		client_begin(&c, &env, all, 42, &outcome, &e);
		client_quit(&c);
		envelope_reset(&env);
		server_is_content(pid, rows[i].name);
	}
}

/* D30, D46: never a silent downgrade. */
static void
what_the_server_lacks_refuses_the_message_here(void **state)
{
	static const struct {
		const char *name, *enhanced;
		bool is_8bit, is_utf8, requires_tls, utf8_rcpt, is_proved;
	} rows[] = {
		{ "8BITMIME", "5.6.3", true, false, false, false, true },
		{ "SMTPUTF8", "5.6.7", false, true, false, false, true },
		{ "a recipient that needs SMTPUTF8", "5.6.7", false, false,
		    false, true, true },
		{ "REQUIRETLS", "5.7.30", false, false, true, false, true },
		{ "REQUIRETLS and a server that proves nothing", "5.7.10",
		    false, false, true, false, false },
	};
	static const bool all[1] = { true };
	static const struct step nothing[] = { { 0 } };
	struct client_params params = short_waits();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct transaction_row row = { rows[i].name, PIPELINING,
			nothing, 0, { 0 }, 0 };
		struct client_outcome outcome = { .accepted = true };
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_transaction, &row);

		make_rich_envelope(&env);
		if (rows[i].is_8bit)
			env.mail.body = SMTP_BODY_8BITMIME;
		env.mail.smtputf8 = rows[i].is_utf8;
		env.mail.requiretls = rows[i].requires_tls;
		env.rcpts[0].addr.is_utf8 = rows[i].utf8_rcpt;
		open_session(&c, &params, &ep);
		c.is_authenticated = rows[i].is_proved;
		assert_int_equal(client_begin(&c, &env, all, 9, &outcome, &e),
		    0);
		assert_false(outcome.accepted);
		assert_int_equal(outcome.reply.code, 554);
		assert_string_equal(outcome.reply.enhanced, rows[i].enhanced);
		client_quit(&c);
		envelope_reset(&env);
		server_is_content(pid, rows[i].name);
	}
}

static void
a_parameter_that_could_end_the_line_is_never_sent(void **state)
{
	static const struct step nothing[] = { { 0 } };
	struct transaction_row row = { "injection", "250-DSN\r\n", nothing, 0,
		{ 0 }, 0 };
	static const bool all[1] = { true };
	struct client_params params = short_waits();
	struct client_outcome outcome;
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_transaction, &row);

	(void)state;
	make_rich_envelope(&env);
	strcpy(env.mail.reverse_path.text, "x>\r\nRSET");
	open_session(&c, &params, &ep);
	assert_int_equal(client_begin(&c, &env, all, 9, &outcome, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	client_quit(&c);
	envelope_reset(&env);
	server_is_content(pid, row.name);
}

/* ---- the session breaks ---- */

#define UP_TO_DATA                                                             \
	{ MAIL, OK }, { RCPT("a"), OK }, { RCPT("b"), "550 5.1.1 no" },        \
	{                                                                      \
		RCPT("c"), OK                                                  \
	}

/* clang-format off */
static const struct {
	const char *name;
	const struct step *script; /* from MAIL on; %s: how it breaks */
	int stage;		   /* 0: in client_begin(), 1: in client_end() */
	int codes[3];
} breaks[] = {
	{ "at MAIL",
	  (const struct step[]){ { MAIL, "%s" }, { 0 } }, 0, { 0, 0, 0 } },
	{ "at the first RCPT",
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), "%s" }, { 0 } },
	  0, { 0, 0, 0 } },
	{ "at the last RCPT",
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), OK },
		{ RCPT("b"), "550 5.1.1 no" }, { RCPT("c"), "%s" }, { 0 } },
	  0, { 250, -550, 0 } },
	{ "at DATA",
	  (const struct step[]){ UP_TO_DATA, { "DATA", "%s" }, { 0 } },
	  0, { 250, -550, 250 } },
	{ "after the dot",
	  (const struct step[]){ UP_TO_DATA, { "DATA", "354 go" },
		{ "x", NULL }, { ".", "%s" }, { 0 } },
	  1, { 250, -550, 250 } },
};
/* clang-format on */

struct broken {
	const struct step *script;
	const char *how;
};

static int
serve_broken(struct server *s, const void *arg)
{
	static const struct step first[] = { GREETING, EHLO(""), { 0 } };
	static const struct step last[] = { { NULL, GONE }, { 0 } };
	const struct broken *b = arg;
	struct step script[16] = { { 0 } };

	for (size_t i = 0; b->script[i].line != NULL; i++) {
		script[i] = b->script[i];
		if (script[i].say != NULL && strcmp(script[i].say, "%s") == 0)
			script[i].say = b->how;
	}
	if (follow(s, first) != 0 || follow(s, script) != 0)
		return 1;
	return s->conn != NULL && b->how[0] != '!' ? follow(s, last) : 0;
}

static void
expect_break(size_t i, const char *how, int code, bool is_lost,
    int reply_timeout_s)
{
	static const bool all[3] = { true, true, true };
	struct client_params params = short_waits();
	const struct broken broken = { breaks[i].script, how };
	struct transaction_row row = { breaks[i].name, "", NULL, 0, { 0 }, 0 };
	struct client_outcome outcomes[3];
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_broken, &broken);
	bool lost = false;
	long n;

	params.reply_timeout_s = (unsigned)reply_timeout_s;
	memcpy(row.codes, breaks[i].codes, sizeof row.codes);
	make_envelope(&env, 3);
	open_session(&c, &params, &ep);
	n = client_begin(&c, &env, all, 3, outcomes, &e);
	assert_int_equal(n, breaks[i].stage == 0 ? -1 : 2);
	expect_outcomes(&row, outcomes);
	if (n > 0) {
		assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
		assert_int_equal(client_end(&c, &lost, &e), -1);
	}
	assert_int_equal(lost, n > 0 && is_lost);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(c.reply.code, code);
	if (strcmp(how, STALL) == 0)
		assert_int_equal(e.sys, ETIMEDOUT);
	client_abort(&c);
	envelope_reset(&env);
	server_is_content(pid, breaks[i].name);
}

/* D32 */
static void
a_421_anywhere_is_the_end_of_the_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(breaks); i++)
		expect_break(i, "421 4.3.2 shutting down", 421, false, 5);
}

/* D35: only after the dot the server may have the message. */
static void
a_lost_connection_is_told_apart_after_the_dot(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(breaks); i++)
		expect_break(i, CLOSE, 0, true, 5);
}

static void
nonsense_for_a_reply_ends_the_session(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(breaks); i++) {
		expect_break(i, "whatever", 0, true, 5);
		expect_break(i, "199 what?", 0, true, 5);
	}
}

/* D31: each step has a wait of its own. */
static void
a_stall_anywhere_ends_at_the_deadline(void **state)
{
	int64_t start_ms, took;

	(void)state;
	for (size_t i = 0; i < COUNT(breaks); i++) {
		start_ms = clock_monotonic_ms();
		expect_break(i, STALL, 0, true, 1);
		took = clock_monotonic_ms() - start_ms;
		assert_in_range(took, 1000, 4000);
	}
}

/* A server that goes away in the middle of the content, with a word. */
static int
serve_half(struct server *s, const void *arg)
{
	static const struct step by_data[] = { GREETING, EHLO(PIPELINING),
		{ MAIL, NULL }, { RCPT("a"), NULL },
		{ "DATA", OK "\r\n" OK "\r\n354 go" }, { 0 } };
	static const struct step by_chunk[] = { GREETING,
		EHLO(PIPELINING CHUNKING), { MAIL, NULL },
		{ RCPT("a"), OK "\r\n" OK }, { "BDAT 90000000 LAST", NULL },
		{ 0 } };
	static const struct step end[] = { { "x", NULL },
		{ NULL, "421 4.3.2 shutting down" }, { NULL, CLOSE }, { 0 } };
	bool is_chunk = *(const bool *)arg;

	return follow(s, is_chunk ? by_chunk : by_data) != 0 ||
	       follow(s, end) != 0;
}

static void
the_last_words_within_content_are_heard(void **state)
{
	static const bool all[1] = { true }, ways[] = { false, true };
	struct client_params params = short_waits();

	(void)state;
	for (size_t way = 0; way < COUNT(ways); way++) {
		struct client_outcome outcome;
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_half, &ways[way]);
		bool lost = true;
		int rc = 0;

		make_envelope(&env, 1);
		open_session(&c, &params, &ep);
		assert_int_equal(client_begin(&c, &env, all, 90000000, &outcome,
				     &e),
		    1);
		for (int i = 0; i < 10000000 && rc == 0; i++)
			rc = client_send(&c, "x\r\n", 3, &e);
		assert_int_equal(rc, -1);
		assert_int_equal(e.class, ERR_TEMP);
		assert_int_equal(c.reply.code, 421);
		/* nor does it get an end after that */
		assert_int_equal(client_end(&c, &lost, &e), -1);
		assert_false(lost);
		client_quit(&c);
		client_abort(&c);
		envelope_reset(&env);
		server_is_content(pid, "last words");
	}
}

/* D27 */
static void
content_with_a_bare_line_end_is_cut_off_without_a_dot(void **state)
{
	static const struct step script[] = { { MAIL, OK }, { RCPT("a"), OK },
		{ "DATA", "354 go" }, { NULL, GONE }, { 0 } };
	static const bool all[1] = { true };
	static const char *const rows[] = { "x\n.\nMAIL FROM:<>\r\n",
		"x\r.\r\n" };
	struct client_params params = short_waits();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct broken broken = { script, "" };
		struct client_outcome outcome;
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_broken, &broken);

		make_envelope(&env, 1);
		open_session(&c, &params, &ep);
		assert_int_equal(client_begin(&c, &env, all, 3, &outcome, &e),
		    1);
		assert_int_equal(client_send(&c, rows[i], strlen(rows[i]), &e),
		    -1);
		assert_int_equal(e.class, ERR_DATA);
		assert_null(c.conn);
		envelope_reset(&env);
		server_is_content(pid, rows[i]);
	}
}

/* D26, D27: what ends a chunk is its size, and a line end stays one. */
static void
a_chunk_is_cut_off_before_its_last_byte_when_it_is_not_clean(void **state)
{
	static const struct step script[] = { GREETING, EHLO(CHUNKING),
		{ MAIL, OK }, { RCPT("a"), OK }, { "BDAT 9 LAST", NULL },
		{ "x", NULL }, { NULL, GONE }, { 0 } };
	static const char *const rows[] = { "\n.\r\n\r\n", "y\r.\r\n",
		"yyyyy\r", "longer\r\n", "short" };
	static const bool all[1] = { true };
	struct client_params params = short_waits();

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct client_outcome outcome;
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_script, script);
		bool lost = true;
		int rc;

		make_envelope(&env, 1);
		open_session(&c, &params, &ep);
		assert_int_equal(client_begin(&c, &env, all, 9, &outcome, &e),
		    1);
		assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
		/* what is buffered goes out, so that the server sees it */
		assert_int_equal(conn_flush(c.conn, soon(), &e), 0);
		rc = client_send(&c, rows[i], strlen(rows[i]), &e);
		if (rc == 0)
			rc = client_end(&c, &lost, &e);
		else
			lost = false;
		assert_int_equal(rc, -1);
		assert_false(lost);
		assert_int_equal(e.class, ERR_DATA);
		assert_null(c.conn);
		envelope_reset(&env);
		server_is_content(pid, rows[i]);
	}
}

/* C12 */
static void
a_lost_reply_to_a_chunk_is_told_apart(void **state)
{
	static const struct {
		const char *how;
		int code;
		bool lost;
	} rows[] = { { CLOSE, 0, true }, { STALL, 0, true },
		{ "199 what?", 0, true }, { "421 4.3.2 bye", 421, false } };
	static const bool all[1] = { true };
	struct client_params params = short_waits();

	(void)state;
	params.reply_timeout_s = 1;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct step script[] = { GREETING, EHLO(CHUNKING),
			{ MAIL, OK }, { RCPT("a"), OK },
			{ "BDAT 3 LAST", NULL }, { "x", rows[i].how }, { 0 } };
		struct client_outcome outcome;
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_script, script);
		bool lost;

		make_envelope(&env, 1);
		open_session(&c, &params, &ep);
		assert_int_equal(client_begin(&c, &env, all, 3, &outcome, &e),
		    1);
		assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
		assert_int_equal(client_end(&c, &lost, &e), -1);
		assert_int_equal(lost, rows[i].lost);
		assert_int_equal(c.reply.code, rows[i].code);
		assert_false(outcome.is_final);
		client_abort(&c);
		envelope_reset(&env);
		server_is_content(pid, rows[i].how);
	}
}

/* RFC 3030 section 2: after a failed chunk the state is not known. */
static void
a_refused_chunk_is_followed_by_a_reset(void **state)
{
	static const struct step script[] = { GREETING, EHLO(CHUNKING),
		{ MAIL, OK }, { RCPT("a"), OK }, { "BDAT 3 LAST", NULL },
		{ "x", "554 5.6.0 no" }, { "RSET", OK }, { MAIL, OK },
		{ RCPT("a"), OK }, { "BDAT 3 LAST", NULL }, { "x", OK }, QUIT,
		{ 0 } };
	static const bool all[1] = { true };
	struct client_params params = short_waits();
	struct client_outcome outcome;
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);
	bool lost;

	(void)state;
	make_envelope(&env, 1);
	open_session(&c, &params, &ep);
	for (int code = 554; code != 0; code = code == 554 ? 250 : 0) {
		assert_int_equal(client_begin(&c, &env, all, 3, &outcome, &e),
		    1);
		assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
		assert_int_equal(client_end(&c, &lost, &e), 0);
		assert_int_equal(outcome.reply.code, code);
		assert_true(outcome.is_final);
	}
	client_quit(&c);
	envelope_reset(&env);
	server_is_content(pid, "reset");
}

/* ---- LMTP, RFC 2033 ---- */

/* clang-format off */
static const struct {
	const char *name;
	const char *offer;
	const char *data;    /* the command before the content */
	const char *replies; /* to the content, of a and c */
	int rc;              /* of client_end() */
	bool lost;
	int codes[2];        /* final ones of a and c; 0: none came */
} lmtp_rows[] = {
	{ "one is taken, one is not", "", "DATA",
	  "250 2.0.0 a\r\n552 5.2.2 c is full", 0, false, { 250, 552 } },
	{ "the same by a chunk", CHUNKING, "BDAT 3 LAST",
	  "450 4.2.0 a\r\n250 2.0.0 c", 0, false, { 450, 250 } },
	{ "a reply is missing: the first one stands", "", "DATA",
	  "250 2.0.0 a\r\nwhat?", -1, true, { 250, 0 } },
	{ "421 for the second: it has not got it", "", "DATA",
	  "250 2.0.0 a\r\n421 4.3.2 bye", -1, false, { 250, 0 } },
};
/* clang-format on */

static int
serve_lmtp(struct server *s, const void *arg)
{
	const size_t i = *(const size_t *)arg;
	char lhlo[512];
	const bool is_chunk = *lmtp_rows[i].offer != '\0';
	const struct step begin[] = { GREETING, { "LHLO backup.test", lhlo },
		{ MAIL, OK }, { RCPT("a"), OK }, { RCPT("b"), "550 5.1.1 no" },
		{ RCPT("c"), OK },
		{ lmtp_rows[i].data, is_chunk ? NULL : "354 go" },
		{ "x", is_chunk ? lmtp_rows[i].replies : NULL }, { 0 } };
	const struct step end[] = { { ".", lmtp_rows[i].replies }, { 0 } };
	static const struct step last[] = { QUIT, { 0 } };

	snprintf(lhlo, sizeof lhlo, "250-mx.test\r\n%s250 HELP",
	    lmtp_rows[i].offer);
	return follow(s, begin) != 0 || (!is_chunk && follow(s, end) != 0) ||
	       (lmtp_rows[i].rc == 0 && follow(s, last) != 0);
}

static void
lmtp_answers_for_each_recipient(void **state)
{
	static const bool all[3] = { true, true, true };
	struct client_params params = short_waits();

	(void)state;
	for (size_t i = 0; i < COUNT(lmtp_rows); i++) {
		struct client_outcome o[3];
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_lmtp, &i);
		bool lost;

		make_envelope(&env, 3);
		ep.is_lmtp = true;
		open_session(&c, &params, &ep);
		assert_int_equal(client_begin(&c, &env, all, 3, o, &e), 2);
		assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
		assert_int_equal(client_end(&c, &lost, &e), lmtp_rows[i].rc);
		assert_int_equal(lost, lmtp_rows[i].lost);
		for (int k = 0; k < 2; k++) {
			assert_int_equal(o[2 * k].is_final,
			    lmtp_rows[i].codes[k] != 0);
			if (lmtp_rows[i].codes[k] != 0)
				assert_int_equal(o[2 * k].reply.code,
				    lmtp_rows[i].codes[k]);
		}
		assert_false(o[1].is_final);
		assert_int_equal(o[1].reply.code, 550);
		if (lmtp_rows[i].rc == 0)
			client_quit(&c);
		client_abort(&c);
		envelope_reset(&env);
		server_is_content(pid, lmtp_rows[i].name);
	}
}

/* An SMTP server would get an empty message then, and answer; in LMTP there
 * is no recipient to answer for. */
static void
lmtp_gets_no_content_for_nobody(void **state)
{
	static const struct step script[] = { GREETING,
		{ "LHLO backup.test", "250-mx.test\r\n250 PIPELINING" },
		{ MAIL, NULL }, { RCPT("a"), NULL },
		{ "DATA", OK "\r\n550 5.1.1 no\r\n354 go" }, { NULL, GONE },
		{ 0 } };
	static const bool all[1] = { true };
	struct client_params params = short_waits();
	struct client_outcome o;
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);

	(void)state;
	make_envelope(&env, 1);
	ep.is_lmtp = true;
	open_session(&c, &params, &ep);
	assert_int_equal(client_begin(&c, &env, all, 3, &o, &e), -1);
	assert_string_equal(e.text, "DATA: protocol error: 354 for nobody");
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(o.reply.code, 550);
	client_abort(&c);
	envelope_reset(&env);
	server_is_content(pid, "354 for nobody");
}

/* Nobody falls back to HELO, and nobody takes it for us. */
static void
lmtp_knows_no_helo_and_no_loop(void **state)
{
	static const struct step refuses[] = { GREETING,
		{ "LHLO backup.test", "500 5.5.1 what" }, QUIT, { 0 } };
	static const struct step is_here[] = { GREETING,
		{ "LHLO backup.test", "250 backup.test" }, QUIT, { 0 } };
	struct client_params params = short_waits();

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct endpoint ep;
		pid_t pid =
		    start(&ep, NULL, serve_script, i == 0 ? refuses : is_here);

		ep.is_lmtp = true;
		assert_int_equal(client_open(&c, &params, &ep, &tls_may, &e),
		    i == 0 ? -1 : 0);
		client_quit(&c);
		client_abort(&c);
		server_is_content(pid, "LHLO");
	}
}

/* ---- many ---- */

#define MANY 1000
#define GROUP 100 /* commands that the client may send ahead */

/* Takes MAIL, MANY recipients and DATA, a full group at a time, with long
 * replies; refuses every third recipient. */
static int
serve_many(struct server *s, const void *arg)
{
	static const struct step first[] = { GREETING,
		EHLO(PIPELINING "250-DSN\r\n"), { 0 } };
	static const struct step last[] = { { "x", NULL }, { ".", OK }, QUIT,
		{ 0 } };
	const int steps = MANY + 2;
	char line[SMTP_COMMAND_MAX], reply[512];
	struct err e = ERR_INIT;
	int heard = 0, answered = 0;

	(void)arg;
	if (follow(s, first) != 0)
		return 1;
	memset(reply, 'x', sizeof reply - 1);
	reply[sizeof reply - 1] = '\0';
	while (heard < steps) {
		if (conn_read_line(s->conn, line, sizeof line, soon(), &e) ==
		    -1)
			return 1;
		heard++;
		if (heard < steps && heard - answered < GROUP)
			continue;
		if (!is_client_silent(s))
			return 1;
		for (; answered < heard; answered++) {
			memcpy(reply, answered % 3 == 2 ? "550 " : "250 ", 4);
			if (answered == 0)
				memcpy(reply, "250 ", 4);
			if (answered == steps - 1)
				memcpy(reply, "354 ", 4);
			if (say(s, reply) == -1)
				return 1;
		}
	}
	return follow(s, last);
}

/* n recipients whose commands are as long as they can be. */
static void
make_long_envelope(struct envelope *env, size_t n)
{
	struct err e = ERR_INIT;

	make_envelope(env, 0);
	for (size_t i = 0; i < n; i++) {
		struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NEVER };

		memset(r.orcpt, 'y', sizeof r.orcpt - 1);
		memcpy(r.orcpt, "rfc822;", 7);
		assert_int_equal(addr_parse("z@d.test", 8, &r.forward_path, &e),
		    0);
		assert_int_equal(envelope_add(env, &r, &e), 0);
	}
}

/* It is noticed in the middle of a group that is too long to be sent at once. */
static void
a_group_to_a_server_that_left_fails(void **state)
{
	static const struct step script[] = { GREETING,
		EHLO(PIPELINING "250-DSN\r\n"), { NULL, CLOSE }, { 0 } };
	static struct client_outcome outcomes[GROUP];
	static bool all[GROUP];
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_script, script);

	(void)state;
	make_long_envelope(&env, GROUP);
	for (size_t i = 0; i < GROUP; i++)
		all[i] = true;
	open_session(&c, &params, &ep);
	server_is_content(pid, "it left");
	assert_int_equal(client_begin(&c, &env, all, 3, outcomes, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_non_null(strstr(e.text, "connection to the server"));
	for (size_t i = 0; i < GROUP; i++)
		assert_int_equal(outcomes[i].reply.code, 0);
	client_abort(&c);
	envelope_reset(&env);
}

/* RFC 2920 3.1: neither side may wait for the other to read. */
static void
a_thousand_long_recipients_do_not_jam_the_line(void **state)
{
	static struct client_outcome outcomes[MANY];
	static bool all[MANY];
	struct client_params params = short_waits();
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_many, NULL);
	bool lost;

	(void)state;
	make_long_envelope(&env, MANY);
	for (size_t i = 0; i < MANY; i++)
		all[i] = true;
	open_session(&c, &params, &ep);
	assert_int_equal(client_begin(&c, &env, all, 3, outcomes, &e),
	    MANY - MANY / 3);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(outcomes[i].accepted, i % 3 != 1);
	assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
	assert_int_equal(client_end(&c, &lost, &e), 0);
	client_quit(&c);
	envelope_reset(&env);
	server_is_content(pid, "many");
}

static void
a_session_carries_many_transactions(void **state)
{
	static const struct step script[] = { { MAIL, NULL },
		{ RCPT("a"), NULL }, { "DATA", OK "\r\n" OK "\r\n354 go" },
		{ ".", "250 2.0.0 first" }, { MAIL, NULL }, { RCPT("a"), NULL },
		{ "DATA", OK "\r\n550 5.1.1 no\r\n554 5.5.1 no" },
		{ "RSET", OK }, { MAIL, NULL }, { RCPT("a"), NULL },
		{ "DATA", OK "\r\n" OK "\r\n354 go" },
		{ ".", "250 2.0.0 third" }, { "RSET", OK }, { 0 } };
	struct transaction_row row = { "many transactions", PIPELINING, script,
		0, { 0 }, 0 };
	static const bool all[1] = { true };
	static const long results[] = { 1, 0, 1 };
	struct client_params params = short_waits();
	struct client_outcome outcome;
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct envelope env;
	struct endpoint ep;
	pid_t pid = start(&ep, NULL, serve_transaction, &row);
	bool lost;

	(void)state;
	make_envelope(&env, 1);
	open_session(&c, &params, &ep);
	for (size_t i = 0; i < COUNT(results); i++) {
		assert_int_equal(client_begin(&c, &env, all, 0, &outcome, &e),
		    results[i]);
		if (results[i] == 0)
			continue;
		assert_int_equal(client_send(&c, "", 0, &e), 0);
		assert_int_equal(client_end(&c, &lost, &e), 0);
	}
	assert_int_equal(client_reset(&c, &e), 0);
	assert_int_equal(c.transactions, 3);
	client_quit(&c);
	envelope_reset(&env);
	server_is_content(pid, row.name);
}

/* ---- step by step ---- */

/* clang-format off */
struct steps_row {
	const char *name;
	const char *offer;
	const struct step *script; /* from MAIL on, without QUIT */
	int mail;		   /* code; 0: comes with the first RCPT */
	int codes[3];		   /* of a, b, c; -1: the session broke */
	int data;		   /* 0: not said */
	bool is_mail_taken;
};

static const struct steps_row steps_rows[] = {
	{ "MAIL and the first RCPT are one group", PIPELINING,
	  (const struct step[]){ { MAIL, NULL }, { RCPT("a"), ALONE },
		{ NULL, OK "\r\n550 5.1.1 nobody" }, { RCPT("b"), ALONE },
		{ NULL, "251 2.1.5 forwarded" }, { RCPT("c"), "450 4.2.0 later" },
		{ "DATA", "354 go" }, { "x", NULL }, { ".", OK }, { 0 } },
	  0, { 550, 251, 450 }, 354, true },
	{ "each waits for its reply without PIPELINING", "",
	  (const struct step[]){ { MAIL, ALONE }, { NULL, OK },
		{ RCPT("a"), ALONE }, { NULL, OK }, { RCPT("b"), OK },
		{ RCPT("c"), "552 5.5.3 too many" }, { "DATA", "451 4.3.0 no" },
		{ 0 } },
	  250, { 250, 250, 452 }, 451, true },
	{ "MAIL refused is what the first RCPT tells", PIPELINING,
	  (const struct step[]){ { MAIL, NULL },
		{ RCPT("a"), "550 5.7.1 not you\r\n503 5.5.1 MAIL first" }, { 0 } },
	  0, { 550, 0, 0 }, 0, false },
	{ "MAIL refused at once", "",
	  (const struct step[]){ { MAIL, "451 4.7.1 greylisted" }, { 0 } },
	  451, { 0, 0, 0 }, 0, false },
	{ "421 to MAIL is heard at the first RCPT (D32)", PIPELINING,
	  (const struct step[]){ { MAIL, NULL },
		{ RCPT("a"), "421 4.3.2 bye" }, { 0 } },
	  0, { -1, 0, 0 }, 0, false },
	{ "nonsense at RCPT", "",
	  (const struct step[]){ { MAIL, OK }, { RCPT("a"), OK },
		{ RCPT("b"), "250-a\r\n550 b" }, { 0 } },
	  250, { 250, -1, 0 }, 0, true },
};
/* clang-format on */

/* 0, or -1 where the session broke. */
static int
take_steps(const struct steps_row *row, struct client *c,
    const struct envelope *env)
{
	struct err e = ERR_INIT;

	assert_int_equal(client_mail(c, &env->mail, 0, &e), 0);
	if (c->reply.code != row->mail)
		fail_msg("%s: MAIL: %d", row->name, c->reply.code);
	for (size_t i = 0; i < 3 && row->codes[i] != 0; i++) {
		struct smtp_rcpt r = { .forward_path = env->rcpts[i].addr };
		int rc = client_rcpt(c, &r, &e);

		if (rc == -1 && row->codes[i] == -1)
			return -1;
		if (rc == -1 || c->reply.code != row->codes[i])
			fail_msg("%s: RCPT %zu: %d %s", row->name, i,
			    c->reply.code, e.text);
	}
	assert_int_equal(c->is_mail_taken, row->is_mail_taken);
	if (row->data == 0)
		return 0;
	assert_int_equal(client_data(c, &e), 0);
	assert_int_equal(c->reply.code, row->data);
	return 0;
}

static void
a_transaction_goes_step_by_step(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps_rows); i++) {
		const struct steps_row *row = &steps_rows[i];
		struct transaction_row script = { row->name, row->offer,
			row->script, 0, { 0 }, 0 };
		struct client_params params = short_waits();
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct envelope env;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_transaction, &script);
		bool lost;

		make_envelope(&env, 3);
		open_session(&c, &params, &ep);
		if (take_steps(row, &c, &env) == 0 && row->data == 354) {
			assert_int_equal(client_send(&c, "x\r\n", 3, &e), 0);
			assert_int_equal(client_end(&c, &lost, &e), 0);
			assert_int_equal(c.reply.code, 250);
		}
		client_quit(&c);
		envelope_reset(&env);
		server_is_content(pid, row->name);
	}
}

/* ---- who the client is ---- */

#define XCLIENT_ALL "250-XCLIENT NAME ADDR PROTO HELO PORT LOGIN\r\n"
#define XFORWARD_ALL "250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT\r\n"
#define AS_BOB                                                                 \
	"XCLIENT ADDR=192.0.2.1 NAME=b.test PORT=4025 PROTO=ESMTP HELO=b.test"
#define FOR_BOB                                                                \
	"XFORWARD ADDR=192.0.2.1 NAME=b.test PORT=4025 PROTO=ESMTP "           \
	"HELO=b.test"
#define NONE "[UNAVAILABLE]"

/* clang-format off */
static const struct envelope_client bob = { .addr = "192.0.2.1", .port = 4025,
	.name = "b.test", .helo = "b.test", .proto = "ESMTPS" };
static const struct envelope_client six = { .addr = "2001:db8::1",
	.helo = "a b=c+", .proto = "SMTP" };

static const struct identity_row {
	const char *name, *offer;
	bool xclient;
	const struct envelope_client *who[2];
	const struct step *script; /* after EHLO, without QUIT */
	int rc;
} identities[] = {
	{ "D47: nothing is said to a server that offers nothing", "", true,
	  { &bob, &bob }, (const struct step[]){ { 0 } }, 0 },
	{ "D47: no XCLIENT where the domain does not say so", XCLIENT_ALL, false,
	  { &bob, &bob }, (const struct step[]){ { 0 } }, 0 },
	{ "D47: no XCLIENT without its attributes", "250-XCLIENT\r\n250-XFORWARD FOO\r\n",
	  true, { &bob, &bob }, (const struct step[]){ { 0 } }, 0 },
	{ "XCLIENT once for one client, and EHLO by its name", XCLIENT_ALL, true,
	  { &bob, &bob },
	  (const struct step[]){ { AS_BOB, "220 mx.test ESMTP" },
		{ "EHLO b.test", "250-mx.test\r\n" XCLIENT_ALL "250 HELP" }, { 0 } }, 0 },
	{ "XCLIENT again for another client, in xtext", XCLIENT_ALL, true,
	  { &bob, &six },
	  (const struct step[]){ { AS_BOB, "220 mx.test ESMTP" },
		{ "EHLO b.test", "250-mx.test\r\n" XCLIENT_ALL "250 HELP" },
		{ "XCLIENT ADDR=IPV6:2001:db8::1 NAME=" NONE " PORT=" NONE
		  " PROTO=SMTP HELO=a+20b+3Dc+2B", "220 mx.test ESMTP" },
		{ "EHLO backup.test", "250-mx.test\r\n" XCLIENT_ALL "250 HELP" },
		{ 0 } }, 0 },
	{ "only what is offered is named", "250-XCLIENT ADDR\r\n", true, { &bob, &bob },
	  (const struct step[]){ { "XCLIENT ADDR=192.0.2.1", "220 mx.test ESMTP" },
		{ "EHLO b.test", "250-mx.test\r\n250-XCLIENT ADDR\r\n250 HELP" },
		{ 0 } }, 0 },
	{ "XCLIENT refused: once, then XFORWARD", XCLIENT_ALL XFORWARD_ALL, true,
	  { &bob, &bob },
	  (const struct step[]){ { AS_BOB, "550 5.7.0 not you" },
		{ FOR_BOB, OK }, { FOR_BOB, "501 5.5.4 what?" }, { 0 } }, 0 },
	{ "the client is refused at EHLO", XCLIENT_ALL, true, { &bob, NULL },
	  (const struct step[]){ { AS_BOB, "220 mx.test ESMTP" },
		{ "EHLO b.test", "550 5.7.1 b.test?" },
		{ "HELO b.test", "550 5.7.1 b.test?" }, { 0 } }, -1 },
	{ "XFORWARD for each transaction", XFORWARD_ALL, false, { &bob, &bob },
	  (const struct step[]){ { FOR_BOB, OK }, { FOR_BOB, OK }, { 0 } }, 0 },
};
/* clang-format on */

static void
the_client_is_named_only_where_it_is_asked_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(identities); i++) {
		const struct identity_row *row = &identities[i];
		struct transaction_row script = { row->name, row->offer,
			row->script, 0, { 0 }, 0 };
		struct client_params params = short_waits();
		struct client c = CLIENT_INIT;
		struct err e = ERR_INIT;
		struct endpoint ep;
		pid_t pid = start(&ep, NULL, serve_transaction, &script);

		params.xclient = row->xclient;
		open_session(&c, &params, &ep);
		for (size_t k = 0; k < 2 && row->who[k] != NULL; k++)
			if (client_identity(&c, row->who[k], &e) != row->rc)
				fail_msg("%s: %s", row->name, e.text);
		assert_true(row->rc == 0 || e.class == ERR_PERM);
		client_quit(&c);
		server_is_content(pid, row->name);
	}
}

static void
an_identity_that_is_too_long_keeps_the_line_short(void **state)
{
	static char line[CLIENT_IDENTITY_MAX];
	const struct step script[] = { { line, OK }, { 0 } };
	struct transaction_row row = { "long identity", XFORWARD_ALL, script, 0,
		{ 0 }, 0 };
	struct client_params params = short_waits();
	struct envelope_client who = bob;
	struct client c = CLIENT_INIT;
	struct err e = ERR_INIT;
	struct endpoint ep;
	pid_t pid;

	(void)state;
	memset(who.name, 'n', 250);
	memset(who.helo, '=', 250); /* three octets each in xtext */
	snprintf(line, sizeof line,
	    "XFORWARD ADDR=192.0.2.1 NAME=%s PORT=4025 PROTO=ESMTP HELO=" NONE,
	    who.name);
	pid = start(&ep, NULL, serve_transaction, &row);
	open_session(&c, &params, &ep);
	assert_int_equal(client_identity(&c, &who, &e), 0);
	client_quit(&c);
	server_is_content(pid, row.name);
}

static struct pki pki;

static int
make_pki(void **state)
{
	*state = &pki;
	return pki_make(&pki);
}

static int
remove_pki(void **state)
{
	(void)state;
	pki_remove(&pki);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_begin_or_end_as_the_server_says),
		cmocka_unit_test(tls_begins_or_fails_as_configured),
		cmocka_unit_test(offers_before_and_in_tls_are_kept_apart),
		cmocka_unit_test(a_refused_starttls_can_be_asked_for_again),
		cmocka_unit_test(helo_offers_nothing),
		cmocka_unit_test(nobody_there_is_temporary_and_keeps_its_errno),
		cmocka_unit_test(no_reply_to_quit_is_no_error),
		cmocka_unit_test(the_callers_deadline_is_never_passed),
		cmocka_unit_test(what_is_no_smtp_has_its_errno),
		cmocka_unit_test(transactions_end_as_the_server_says),
		cmocka_unit_test(what_was_refused_stays_readable_and_temporary),
		cmocka_unit_test(
		    parameters_are_sent_only_when_they_are_offered),
		cmocka_unit_test(
		    what_the_server_lacks_refuses_the_message_here),
		cmocka_unit_test(
		    a_parameter_that_could_end_the_line_is_never_sent),
		cmocka_unit_test(a_421_anywhere_is_the_end_of_the_session),
		cmocka_unit_test(a_lost_connection_is_told_apart_after_the_dot),
		cmocka_unit_test(nonsense_for_a_reply_ends_the_session),
		cmocka_unit_test(a_stall_anywhere_ends_at_the_deadline),
		cmocka_unit_test(the_last_words_within_content_are_heard),
		cmocka_unit_test(
		    content_with_a_bare_line_end_is_cut_off_without_a_dot),
		cmocka_unit_test(
		    a_chunk_is_cut_off_before_its_last_byte_when_it_is_not_clean),
		cmocka_unit_test(a_lost_reply_to_a_chunk_is_told_apart),
		cmocka_unit_test(a_refused_chunk_is_followed_by_a_reset),
		cmocka_unit_test(lmtp_answers_for_each_recipient),
		cmocka_unit_test(lmtp_gets_no_content_for_nobody),
		cmocka_unit_test(lmtp_knows_no_helo_and_no_loop),
		cmocka_unit_test(a_group_to_a_server_that_left_fails),
		cmocka_unit_test(
		    a_thousand_long_recipients_do_not_jam_the_line),
		cmocka_unit_test(a_session_carries_many_transactions),
		cmocka_unit_test(a_transaction_goes_step_by_step),
		cmocka_unit_test(
		    the_client_is_named_only_where_it_is_asked_for),
		cmocka_unit_test(
		    an_identity_that_is_too_long_keeps_the_line_short),
	};

	return cmocka_run_group_tests(tests, make_pki, remove_pki);
}
