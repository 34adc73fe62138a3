/* The session machine, driven from memory: D10-D14, D16, D20-D26, D28-D30,
 * D40. What is sent and what comes back stand together in tables; each
 * dialogue also comes byte by byte and cut at every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-receive/session.h"

/* ---- the other side: answers what the machine asks, keeps what it tells ---- */

struct driver {
	struct session s;
	struct buf replies; /* everything that was sent */
	struct buf content; /* of the message under way */
	struct buf taken;   /* contents of all messages that were committed */
	char events[256];   /* a letter for each event but CONTENT and FLUSH */
	size_t nevents;
	bool is_open; /* between a yes to ASK_DATA and ASK_END or DISCARD */
	bool is_closed;
	bool puts_off;  /* the answers to RCPT */
	unsigned asked; /* of those put off, since the last answer */
};

static const struct session_params usual = {
	.hostname = "mx2.example.net",
	.max_size = 1000000,
	.max_recipients = 100,
	.max_errors = 20,
	.max_junk = 30,
	.exts = SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_PIPELINING |
		SMTP_EXT_ENHANCEDSTATUSCODES | SMTP_EXT_STARTTLS |
		SMTP_EXT_DSN | SMTP_EXT_SMTPUTF8 | SMTP_EXT_CHUNKING |
		SMTP_EXT_ETRN | SMTP_EXT_REQUIRETLS | SMTP_EXT_LIMITS,
};

static void
driver_init(struct driver *d, const struct session_params *params)
{
	*d = (struct driver){
		.replies = BUF_INIT(4 * 1024 * 1024),
		.content = BUF_INIT(4 * 1024 * 1024),
		.taken = BUF_INIT(4 * 1024 * 1024),
	};
	session_init(&d->s, params);
	session_greet(&d->s, NULL);
}

static void
driver_free(struct driver *d)
{
	session_free(&d->s);
	buf_free(&d->replies);
	buf_free(&d->content);
	buf_free(&d->taken);
}

static void
note(struct driver *d, char letter)
{
	if (d->nevents < sizeof d->events - 1)
		d->events[d->nevents++] = letter;
}

/* The words in an address choose what is answered. */
static const char *
answer_to(const char *address, const char *yes)
{
	if (strstr(address, "elsewhere") != NULL)
		return "550 5.7.1 We do not relay for that domain";
	if (strstr(address, "later") != NULL)
		return "451 4.3.0 Try again later";
	if (strstr(address, "full") != NULL)
		return "452 4.3.1 Disk full";
	if (strstr(address, "goodbye") != NULL)
		return "421 4.3.2 Shutting down";
	return yes;
}

/* A sender "nodata-later@..." is welcome at MAIL and refused at DATA. */
static const char *
answer_step(const struct session *s, const char *step, const char *yes)
{
	const char *sender = s->env.mail.reverse_path.text;

	if (strncmp(sender, step, strlen(step)) == 0)
		return answer_to(sender, yes);
	if (strcmp(step, "mail") == 0 && strncmp(sender, "no", 2) != 0)
		return answer_to(sender, yes);
	return yes;
}

static void
send_replies(struct driver *d)
{
	assert_true(d->s.out.len <= SESSION_OUT_MAX);
	buf_add(&d->replies, d->s.out.data, d->s.out.len);
	buf_reset(&d->s.out);
}

static void
answer_data(struct driver *d)
{
	const char *reply = answer_step(&d->s, "nodata", "250 2.0.0 OK");

	assert_false(d->is_open);
	note(d, 'D');
	d->is_open = reply[0] == '2';
	buf_reset(&d->content);
	session_answer(&d->s, reply);
}

static void
answer_end(struct driver *d)
{
	const char *reply = answer_step(&d->s, "noend", "250 2.0.0 Queued");

	assert_true(d->is_open);
	note(d, 'E');
	d->is_open = false;
	if (reply[0] == '2')
		buf_add(&d->taken, d->content.data, d->content.len);
	session_answer(&d->s, reply);
}

static void
react(struct driver *d, enum session_event event)
{
	struct session *s = &d->s;

	switch (event) {
	case SESSION_ASK_MAIL:
		note(d, 'M');
		session_answer(s, answer_step(s, "mail", "250 2.1.0 OK"));
		break;
	case SESSION_ASK_RCPT:
		if (d->puts_off) {
			assert_true(session_later(s));
			d->asked++;
			break;
		}
		/* fallthrough */
	case SESSION_ASK_DUE:
		note(d, 'R');
		session_answer(s,
		    answer_to(s->rcpt.forward_path.text, "250 2.1.5 OK"));
		break;
	case SESSION_ASK_DATA:
		answer_data(d);
		break;
	case SESSION_ASK_END:
		answer_end(d);
		break;
	case SESSION_ASK_ETRN:
		note(d, 'Q');
		session_answer(s,
		    answer_to(s->etrn, "250 2.0.0 Queuing started"));
		break;
	case SESSION_ASK_XCLIENT:
		note(d, 'X');
		session_answer(s, "220 ");
		break;
	case SESSION_ASK_TLS:
		note(d, 'T');
		session_answer(s, "220 2.0.0 Ready to start TLS");
		break;
	case SESSION_CONTENT:
		assert_true(d->is_open);
		assert_true(s->content.len > 0);
		buf_add(&d->content, s->content.data, s->content.len);
		break;
	case SESSION_DISCARD:
		assert_true(d->is_open);
		d->is_open = false;
		note(d, 'x');
		break;
	case SESSION_REFUSED:
		assert_true(s->reply[0] == '4' || s->reply[0] == '5');
		note(d, '!');
		break;
	case SESSION_FLUSH:
		assert_true(s->out.len > 0);
		send_replies(d);
		break;
	case SESSION_STARTTLS:
		note(d, 'S');
		send_replies(d);
		session_secured(s);
		break;
	case SESSION_CLOSE:
		note(d, '.');
		send_replies(d);
		assert_false(d->is_open);
		d->is_closed = true;
		break;
	case SESSION_NEED_INPUT:
		send_replies(d);
		break;
	case SESSION_GO_ON:
		fail_msg("SESSION_GO_ON came out");
	}
}

/* One delivery of bytes, as from one read(2); in a block of its own size, so
 * that a sanitizer sees a read past it. */
static void
feed(struct driver *d, const char *bytes, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);
	enum session_event event;
	size_t taken = 0, used;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	while (!d->is_closed) {
		event = session_step(&d->s, copy + taken, len - taken, &used);
		taken += used;
		assert_true(taken <= len);
		react(d, event);
		if (event == SESSION_NEED_INPUT) {
			assert_int_equal(taken, len);
			break;
		}
	}
	free(copy);
}

/* ---- reading replies ---- */

/* "5.1.1" at the start of text: its length, or 0. */
static size_t
enhanced_len(const char *text)
{
	int len = 0;

	sscanf(text, "%*1[245].%*3[0-9].%*3[0-9]%n", &len);
	return (size_t)len;
}

/* D24: exempt are the greeting and what is said to EHLO and HELO. */
static void
check_enhanced(const char *line, bool is_greeting)
{
	if (is_greeting || line[0] == '3' || line[3] == '-' ||
	    strncmp(line, "250 mx2.", 8) == 0 ||
	    strncmp(line, "501 Say EHLO", 12) == 0)
		return;
	if (strncmp(line, "250 ", 4) == 0 && enhanced_len(line + 4) == 0) {
		assert_true(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZ8", line[4]) !=
			    NULL); /* last keyword of EHLO */
		return;
	}
	if (enhanced_len(line + 4) == 0 || line[4] != line[0])
		fail_msg("no enhanced code of its class: %s", line);
}

/* "220, 250, 550 5.7.1": each reply's code with its enhanced code. */
static void
summarise(const struct driver *d, char *out, size_t size)
{
	const char *p = d->replies.data;
	size_t used = 0;

	out[0] = '\0';
	while (*p != '\0') {
		const char *end = strstr(p, "\r\n");
		char line[SESSION_REPLY_MAX];
		size_t len;

		assert_non_null(end);
		len = (size_t)(end - p);
		assert_in_range(len, 4, SESSION_REPLY_MAX - 3);
		memcpy(line, p, len);
		line[len] = '\0';
		assert_null(strpbrk(line, "\r\n"));
		check_enhanced(line, p == d->replies.data);
		if (line[3] == ' ') {
			len = enhanced_len(line + 4);
			used += (size_t)snprintf(out + used, size - used,
			    "%s%.3s%s%.*s", used > 0 ? ", " : "", line,
			    len > 0 ? " " : "", (int)len, line + 4);
			assert_true(used < size);
		}
		p = end + 2;
	}
}

/* ---- dialogues ---- */

struct dialogue {
	const char *name;
	const char *bytes; /* of the client */
	size_t len;
	const char *replies;
	const char *events;  /* M R D E: asked; x: discard; !: refused; S: TLS;
			       Q: ETRN; T: key pair; '.': closed */
	const char *content; /* of all accepted messages, NULL: none */
};

#define BYTES(s) s, sizeof(s) - 1
#define EHLO "EHLO client.example\r\n"
#define MAIL "MAIL FROM:<a@client.example>\r\n"
#define RCPT "RCPT TO:<b@example.com>\r\n"
#define MESSAGE "Subject: x\r\n\r\ntext\r\n"
#define BEGUN EHLO MAIL RCPT "DATA\r\n"
#define HELLO "220, 250" /* replies to EHLO */
#define SAID_RCPT HELLO ", 250 2.1.0, 250 2.1.5"
#define SAID_DATA SAID_RCPT ", 354"

static void
expect(const struct dialogue *row, const struct driver *d, const char *how)
{
	char replies[8192];
	const char *content = row->content != NULL ? row->content : "";

	summarise(d, replies, sizeof replies);
	if (strcmp(replies, row->replies) != 0)
		fail_msg("%s (%s): replies are %s, not %s", row->name, how,
		    replies, row->replies);
	if (strcmp(d->events, row->events) != 0)
		fail_msg("%s (%s): events are %s, not %s", row->name, how,
		    d->events, row->events);
	if (strcmp(d->taken.data, content) != 0)
		fail_msg("%s (%s): content is <%s>, not <%s>", row->name, how,
		    d->taken.data, content);
}

/* One run, cut into a first part and pieces of a size after it. */
static void
play_once(const struct dialogue *row, const struct session_params *params,
    size_t first, size_t piece, bool puts_off, const char *how)
{
	struct driver d;

	driver_init(&d, params);
	d.puts_off = puts_off;
	feed(&d, row->bytes, first);
	for (size_t at = first; at < row->len; at += piece)
		feed(&d, row->bytes + at,
		    row->len - at < piece ? row->len - at : piece);
	expect(row, &d, how);
	driver_free(&d);
}

/* An answer that is put off is the same answer. */
static void
play(const struct dialogue *row, const struct session_params *params,
    size_t first, size_t piece, const char *how)
{
	play_once(row, params, first, piece, false, how);
	play_once(row, params, first, piece, true, how);
}

static void
play_all_ways(const struct dialogue *row, const struct session_params *params)
{
	play(row, params, row->len, 1, "at once");
	play(row, params, 0, 1, "byte by byte");
	for (size_t at = 1; at < row->len; at++)
		play(row, params, at, row->len, "in two parts");
}

static void
play_table(const struct dialogue *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		play_all_ways(&rows[i], &usual);
}

#define PLAY(rows) play_table(rows, sizeof rows / sizeof rows[0])

/* ---- order ---- */

static void
commands_are_taken_in_order_and_others_get_503(void **state)
{
	static const struct dialogue rows[] = {
		{ "nothing but QUIT", BYTES("QUIT\r\n"), "220, 221 2.0.0", ".",
		    NULL },
		{ "D14 NOOP, RSET, HELP, VRFY before EHLO",
		    BYTES("NOOP\r\nRSET\r\nHELP\r\nVRFY x\r\nNOOP arg\r\n"),
		    "220, 250 2.0.0, 250 2.0.0, 214 2.0.0, 252 2.0.0, "
		    "250 2.0.0",
		    "", NULL },
		{ "D14 MAIL before EHLO", BYTES(MAIL), "220, 503 5.5.1", "!",
		    NULL },
		{ "D14 RCPT before MAIL", BYTES(EHLO RCPT), HELLO ", 503 5.5.1",
		    "!", NULL },
		{ "D14 DATA before MAIL", BYTES(EHLO "DATA\r\n"),
		    HELLO ", 503 5.5.1", "!", NULL },
		{ "D14 DATA before RCPT", BYTES(EHLO MAIL "DATA\r\n"),
		    HELLO ", 250 2.1.0, 503 5.5.1", "M!", NULL },
		{ "D14 DATA when every RCPT was refused",
		    BYTES(EHLO MAIL "RCPT TO:<x@elsewhere.example>\r\n"
				    "DATA\r\n"),
		    HELLO ", 250 2.1.0, 550 5.7.1, 503 5.5.1", "MR!!", NULL },
		{ "D14 MAIL inside a transaction", BYTES(EHLO MAIL MAIL),
		    HELLO ", 250 2.1.0, 503 5.5.1", "M!", NULL },
		{ "D14 MAIL after RCPT", BYTES(EHLO MAIL RCPT MAIL),
		    SAID_RCPT ", 503 5.5.1", "MR!", NULL },
		{ "D14 EHLO is RSET too",
		    BYTES(EHLO MAIL RCPT EHLO "DATA\r\n" MAIL),
		    SAID_RCPT ", 250, 503 5.5.1, 250 2.1.0", "MR!M", NULL },
		{ "RSET ends the transaction",
		    BYTES(EHLO MAIL RCPT "RSET\r\n" RCPT MAIL RCPT),
		    SAID_RCPT ", 250 2.0.0, 503 5.5.1, 250 2.1.0, 250 2.1.5",
		    "MR!MR", NULL },
		{ "an EHLO without a name changes nothing",
		    BYTES(EHLO MAIL "EHLO\r\n" RCPT),
		    HELLO ", 250 2.1.0, 501, 250 2.1.5", "M!R", NULL },
		{ "nor does a HELO", BYTES(EHLO MAIL "HELO\r\n" RCPT),
		    HELLO ", 250 2.1.0, 501, 250 2.1.5", "M!R", NULL },
		{ "D14 a name that cannot be true is no reason",
		    BYTES("EHLO !!not a name!!\r\n" MAIL
			  "HELO [1.2.3\r\n" MAIL),
		    HELLO ", 250 2.1.0, 250, 250 2.1.0", "MM", NULL },
		{ "verbs in any case", BYTES("ehlo x\r\nMail From:<>\r\n"),
		    HELLO ", 250 2.1.0", "M", NULL },
		{ "trailing blanks", BYTES("EHLO x  \r\nRSET \r\nDATA  \r\n"),
		    HELLO ", 250 2.0.0, 503 5.5.1", "!", NULL },
		{ "arguments where none belong",
		    BYTES(EHLO "RSET now\r\nSTARTTLS x\r\nDATA x\r\n"),
		    HELLO ", 501 5.5.4, 501 5.5.4, 501 5.5.4", "!!!", NULL },
		{ "D14 EXPN, and VRFY without an address",
		    BYTES("EXPN list\r\nVRFY\r\n"), "220, 502 5.5.1, 501 5.5.4",
		    "!!", NULL },
		{ "unknown, empty and odd verbs",
		    BYTES("FOO\r\n\r\n  \r\nEHLO2 x\r\nTURN\r\nMAILFROM\r\n"),
		    "220, 500 5.5.1, 500 5.5.1, 500 5.5.1, 500 5.5.1, "
		    "500 5.5.1, 500 5.5.1",
		    "!!!!!!", NULL },
	};

	(void)state;
	PLAY(rows);
}

static void
a_message_is_asked_about_step_by_step(void **state)
{
	static const struct dialogue rows[] = {
		{ "one message", BYTES(BEGUN MESSAGE ".\r\nQUIT\r\n"),
		    SAID_DATA ", 250 2.0.0, 221 2.0.0", "MRDE.", MESSAGE },
		{ "two messages, dots unstuffed",
		    BYTES(BEGUN "..\r\n.x\r\n.\r\n" MAIL RCPT
				"DATA\r\nsecond\r\n.\r\n"),
		    SAID_DATA
		    ", 250 2.0.0, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0",
		    "MRDEMRDE", ".\r\nx\r\nsecond\r\n" },
		{ "an empty message", BYTES(BEGUN ".\r\n"),
		    SAID_DATA ", 250 2.0.0", "MRDE", "" },
		{ "D33 one recipient of three is refused",
		    BYTES(EHLO MAIL RCPT
			"RCPT TO:<x@elsewhere.example>\r\n"
			"RCPT TO:<x@later.example>\r\nDATA\r\n.\r\n"),
		    SAID_RCPT ", 550 5.7.1, 451 4.3.0, 354, 250 2.0.0",
		    "MRR!R!DE", "" },
		{ "refused at MAIL",
		    BYTES(EHLO "MAIL FROM:<full@x.example>\r\n" RCPT MAIL RCPT),
		    HELLO ", 452 4.3.1, 503 5.5.1, 250 2.1.0, 250 2.1.5",
		    "M!!MR", NULL },
		{ "refused at DATA ends the transaction",
		    BYTES(EHLO "MAIL FROM:<nodata@later.example>\r\n" RCPT
			       "DATA\r\nDATA\r\n" MAIL),
		    SAID_RCPT ", 451 4.3.0, 503 5.5.1, 250 2.1.0", "MRD!!M",
		    NULL },
		{ "D17 refused at its end",
		    BYTES(EHLO "MAIL FROM:<noend@full.example>\r\n" RCPT
			       "DATA\r\n" MESSAGE ".\r\n" MAIL),
		    SAID_DATA ", 452 4.3.1, 250 2.1.0", "MRDE!M", NULL },
		{ "D16 a 421 closes, at MAIL",
		    BYTES(EHLO "MAIL FROM:<mail@goodbye.example>\r\n" RCPT),
		    HELLO ", 421 4.3.2", "M!.", NULL },
		{ "D16 a 421 closes, at the end",
		    BYTES(EHLO "MAIL FROM:<noend@goodbye.example>\r\n" RCPT
			       "DATA\r\n.\r\n" MAIL),
		    SAID_DATA ", 421 4.3.2", "MRDE!.", NULL },
		{ "D13 postmaster in any case",
		    BYTES(EHLO MAIL "RCPT TO:<PostMaster>\r\n"
				    "RCPT TO:<POSTMASTER@example.com>\r\n"),
		    HELLO ", 250 2.1.0, 250 2.1.5, 250 2.1.5", "MRR", NULL },
		{ "the null sender", BYTES(EHLO "MAIL FROM:<>\r\n" RCPT),
		    SAID_RCPT, "MR", NULL },
		{ "bad paths are not asked about",
		    BYTES(EHLO "MAIL FROM:a@b\r\nMAIL TO:<a@b>\r\nMAIL\r\n" MAIL
			       "RCPT TO:<>\r\nRCPT TO:<a b@c>\r\nRCPT\r\n"),
		    HELLO ", 501 5.1.7, 501 5.5.4, 501 5.5.4, 250 2.1.0, "
			  "501 5.1.3, 501 5.1.3, 501 5.5.4",
		    "!!!M!!!", NULL },
	};

	(void)state;
	PLAY(rows);
}

/* ---- lines that are not lines ---- */

static void
bare_line_ends_in_commands_close_the_session(void **state)
{
	static const struct dialogue rows[] = {
		{ "D26 LF", BYTES(EHLO "NOOP\n" MAIL), HELLO ", 500 5.5.2",
		    "!.", NULL },
		{ "D26 CR", BYTES(EHLO "NOOP\rX\r\n" MAIL), HELLO ", 500 5.5.2",
		    "!.", NULL },
		{ "D26 CR CR LF", BYTES(EHLO "NOOP\r\r\n" MAIL),
		    HELLO ", 500 5.5.2", "!.", NULL },
		{ "D26 LF CR", BYTES(EHLO "NOOP\n\r\n" MAIL),
		    HELLO ", 500 5.5.2", "!.", NULL },
		{ "D26 NUL", BYTES(EHLO "NO\0OP\r\n" MAIL), HELLO ", 500 5.5.2",
		    "!.", NULL },
		{ "D26 inside a transaction",
		    BYTES(EHLO MAIL RCPT "DATA\n" MAIL),
		    SAID_RCPT ", 500 5.5.2", "MR!.", NULL },
		{ "D26 between chunks",
		    BYTES(EHLO MAIL RCPT "BDAT 1\r\nxNOOP\n" MAIL),
		    SAID_RCPT ", 250 2.0.0, 500 5.5.2", "MRDx!.", NULL },
		{ "binary noise", BYTES("\x16\x03\x01\x00\xa5\x01\xff\xfe"),
		    "220, 500 5.5.2", "!.", NULL },
		{ "eight bits and controls make no verb",
		    BYTES("\xff\xfe\x01\x7f\r\nNOOP\x80\r\nNOOP\r\n"),
		    "220, 500 5.5.1, 500 5.5.1, 250 2.0.0", "!!", NULL },
	};

	(void)state;
	PLAY(rows);
}

/* D25: none of these ends the content, and what follows them is no command. */
static void
only_crlf_dot_crlf_ends_the_content(void **state)
{
	static const struct dialogue rows[] = {
#define SMUGGLED MAIL "RCPT TO:<c@example.com>\r\nDATA\r\nspam\r\n.\r\nQUIT\r\n"
#define REFUSED SAID_DATA ", 550 5.5.2", "MRDx!.", NULL
		{ "D25 LF . LF", BYTES(BEGUN "x\n.\n" SMUGGLED), REFUSED },
		{ "D25 LF . CRLF", BYTES(BEGUN "x\n.\r\n" SMUGGLED), REFUSED },
		{ "D25 CRLF . LF", BYTES(BEGUN "x\r\n.\n" SMUGGLED), REFUSED },
		{ "D25 CR . CR", BYTES(BEGUN "x\r.\r" SMUGGLED), REFUSED },
		{ "D25 CR . CRLF", BYTES(BEGUN "x\r.\r\n" SMUGGLED), REFUSED },
		{ "D25 CRLF . CR", BYTES(BEGUN "x\r\n.\r" SMUGGLED), REFUSED },
		{ "D25 LF . CR LF", BYTES(BEGUN "x\n.\r\n" SMUGGLED), REFUSED },
		{ "D25 LF CR . LF", BYTES(BEGUN "x\n\r.\n" SMUGGLED), REFUSED },
		{ "D25 CRLF NUL . CRLF", BYTES(BEGUN "x\r\n\0.\r\n" SMUGGLED),
		    REFUSED },
		{ "D25 CRLF . NUL CRLF", BYTES(BEGUN "x\r\n.\0\r\n" SMUGGLED),
		    REFUSED },
		{ "D25 a lone CR right before the end",
		    BYTES(BEGUN "x\r\r\n.\r\n" SMUGGLED), REFUSED },
		{ "D25 a lone LF as the first byte",
		    BYTES(BEGUN "\n.\r\n" SMUGGLED), REFUSED },
		{ "D25 CRLF . CR . CRLF", BYTES(BEGUN "x\r\n.\r.\r\n" SMUGGLED),
		    REFUSED },
#undef REFUSED
		{ "a line of dots is content",
		    BYTES(BEGUN "..\r\n...\r\n. \r\n.\r\n"),
		    SAID_DATA ", 250 2.0.0", "MRDE", ".\r\n..\r\n \r\n" },
	};

	(void)state;
	PLAY(rows);
}

/* D26, D28: chunks are counted, never searched. */
static void
chunks_are_counted_exactly(void **state)
{
	static const struct dialogue rows[] = {
		{ "D28 one chunk",
		    BYTES(EHLO MAIL RCPT "BDAT 6 LAST\r\nabcd\r\nNOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0", "MRDE", "abcd\r\n" },
		{ "D28 three chunks, LAST in any case",
		    BYTES(EHLO MAIL RCPT "BDAT 2\r\nabBDAT 3\r\ncd\rbdat 1 "
					 "last\r\n\nNOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0, 250 2.0.0, 250 2.0.0",
		    "MRDE", "abcd\r\n" },
		{ "D28 BDAT 0 LAST ends a message",
		    BYTES(EHLO MAIL RCPT "BDAT 3\r\na\r\nBDAT 0 LAST\r\n" MAIL),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0, 250 2.1.0", "MRDEM",
		    "a\r\n" },
		{ "D28 BDAT 0 LAST alone, and BDAT 0",
		    BYTES(EHLO MAIL RCPT "BDAT 0\r\nBDAT 0 LAST\r\n"),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0", "MRDE", "" },
		{ "D28 dots and commands in a chunk are content",
		    BYTES(EHLO MAIL RCPT "BDAT 13 LAST\r\n.\r\nQUIT\r\n..\r\n"
					 "NOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0", "MRDE",
		    ".\r\nQUIT\r\n..\r\n" },
		{ "D28 no line end at the end",
		    BYTES(EHLO MAIL RCPT "BDAT 3 LAST\r\nabcNOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0", "MRDE", "abc" },
		{ "D28 DATA after BDAT",
		    BYTES(EHLO MAIL RCPT "BDAT 1\r\nxDATA\r\nBDAT 0 LAST\r\n"),
		    SAID_RCPT ", 250 2.0.0, 503 5.5.1, 250 2.0.0", "MRD!E",
		    "x" },
		{ "D28 RCPT and MAIL after BDAT",
		    BYTES(EHLO MAIL RCPT "BDAT 1\r\nx" RCPT MAIL),
		    SAID_RCPT ", 250 2.0.0, 503 5.5.1, 503 5.5.1", "MRD!!",
		    NULL },
		{ "D28 RSET mid-way drops all",
		    BYTES(EHLO MAIL RCPT
			"BDAT 3\r\nabcRSET\r\nBDAT 1 LAST\r\nx" MAIL),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0, 503 5.5.1, 250 2.1.0",
		    "MRDx!M", NULL },
		{ "EHLO mid-way drops all",
		    BYTES(EHLO MAIL RCPT "BDAT 3\r\nabc" EHLO MAIL),
		    SAID_RCPT ", 250 2.0.0, 250, 250 2.1.0", "MRDxM", NULL },
		{ "QUIT mid-way drops all",
		    BYTES(EHLO MAIL RCPT "BDAT 3\r\nabcQUIT\r\n"),
		    SAID_RCPT ", 250 2.0.0, 221 2.0.0", "MRDx.", NULL },
		{ "D28 refused chunks are still taken, until RSET",
		    BYTES(EHLO
			"MAIL FROM:<nodata@later.example>\r\n" RCPT
			"BDAT 6\r\nQUIT\r\nBDAT 6\r\nQUIT\r\nRSET\r\n" MAIL),
		    SAID_RCPT ", 451 4.3.0, 451 4.3.0, 250 2.0.0, 250 2.1.0",
		    "MRD!!M", NULL },
		{ "D28 a refused last chunk ends the transaction",
		    BYTES(EHLO
			"MAIL FROM:<nodata@later.example>\r\n" RCPT
			"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\n" MAIL),
		    SAID_RCPT ", 451 4.3.0, 451 4.3.0, 250 2.1.0", "MRD!!M",
		    NULL },
		{ "D28 chunks without a recipient are taken",
		    BYTES(EHLO "BDAT 6\r\nQUIT\r\n" MAIL
			       "BDAT 6 LAST\r\nQUIT\r\n" RCPT),
		    HELLO ", 503 5.5.1, 250 2.1.0, 503 5.5.1, 250 2.1.5",
		    "!M!R", NULL },
		{ "chunks before EHLO", BYTES("BDAT 6\r\nQUIT\r\n" EHLO),
		    "220, 503 5.5.1, 250", "!", NULL },
		{ "a 421 for the first chunk closes",
		    BYTES(EHLO "MAIL FROM:<nodata@goodbye.example>\r\n" RCPT
			       "BDAT 6\r\nQUIT\r\n"),
		    SAID_RCPT ", 421 4.3.2", "MRD!.", NULL },
		{ "refused at the end",
		    BYTES(EHLO "MAIL FROM:<noend@later.example>\r\n" RCPT
			       "BDAT 6 LAST\r\nQUIT\r\n" MAIL),
		    SAID_RCPT ", 451 4.3.0, 250 2.1.0", "MRDE!M", NULL },
		{ "D26 a bare LF in a chunk",
		    BYTES(EHLO MAIL RCPT "BDAT 5 LAST\r\na\n.\r\nNOOP\r\n"),
		    SAID_RCPT ", 550 5.5.2", "MRDx!.", NULL },
		{ "D26 a bare CR where two chunks meet",
		    BYTES(EHLO MAIL RCPT
			"BDAT 2\r\na\rBDAT 2 LAST\r\nb\nNOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 550 5.5.2", "MRDx!.", NULL },
		{ "D26 a CR as the very last byte",
		    BYTES(EHLO MAIL RCPT "BDAT 2 LAST\r\na\rNOOP\r\n"),
		    SAID_RCPT ", 550 5.5.2", "MRDx!.", NULL },
		{ "D26 a CR, then BDAT 0 LAST",
		    BYTES(EHLO MAIL RCPT
			"BDAT 2\r\na\rBDAT 0 LAST\r\nNOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 550 5.5.2", "MRDx!.", NULL },
		{ "D26 a bare LF in a chunk that is not the last",
		    BYTES(EHLO MAIL RCPT
			"BDAT 2\r\na\nBDAT 0 LAST\r\nNOOP\r\n"),
		    SAID_RCPT ", 550 5.5.2", "MRDx!.", NULL },
		{ "D26 a NUL in a chunk",
		    BYTES(EHLO MAIL RCPT "BDAT 2 LAST\r\na\0NOOP\r\n"),
		    SAID_RCPT ", 550 5.5.2", "MRDx!.", NULL },
	};

	(void)state;
	PLAY(rows);
}

/* A size we cannot read: content could be taken for commands, so close. */
static void
a_chunk_size_that_cannot_be_read_closes_the_session(void **state)
{
#define CLOSED SAID_RCPT ", 501 5.5.4", "MR!.", NULL
#define CHUNK(args) BYTES(EHLO MAIL RCPT "BDAT" args "\r\nNOOP\r\n" MAIL)
	static const struct dialogue rows[] = {
		{ "D28 none", CHUNK(""), CLOSED },
		{ "D28 a word", CHUNK(" LAST"), CLOSED },
		{ "D28 a sign", CHUNK(" -1"), CLOSED },
		{ "D28 plus", CHUNK(" +1"), CLOSED },
		{ "D28 hexadecimal", CHUNK(" 0x10"), CLOSED },
		{ "D28 eleven digits", CHUNK(" 12345678901"), CLOSED },
		{ "D28 2^64", CHUNK(" 18446744073709551616 LAST"), CLOSED },
		{ "D28 2^64 + 6", CHUNK(" 18446744073709551622 LAST"), CLOSED },
		{ "D28 zeros in front", CHUNK(" 00000000006"), CLOSED },
		{ "D28 something else than LAST", CHUNK(" 6 FIRST"), CLOSED },
		{ "D28 more after LAST", CHUNK(" 6 LAST x"), CLOSED },
		{ "D28 glued", CHUNK(" 6LAST"), CLOSED },
		{ "D28 out of order too", BYTES("BDAT x\r\nNOOP\r\n"),
		    "220, 501 5.5.4", "!.", NULL },
		{ "in the middle of a message",
		    BYTES(EHLO MAIL RCPT "BDAT 1\r\nxBDAT -1\r\nNOOP\r\n"),
		    SAID_RCPT ", 250 2.0.0, 501 5.5.4", "MRDx!.", NULL },
	};

	(void)state;
	PLAY(rows);
}

static void
what_is_not_offered_is_refused(void **state)
{
	struct session_params bare = usual;
	static const struct dialogue rows[] = {
		{ "verbs",
		    BYTES(EHLO "BDAT 1\r\nSTARTTLS\r\nETRN a.example\r\n"),
		    HELLO ", 502 5.5.1, 502 5.5.1, 502 5.5.1", "!!!", NULL },
		{ "parameters",
		    BYTES(EHLO "MAIL FROM:<a@b.example> SIZE=1\r\n"
			       "MAIL FROM:<a@b.example> BODY=8BITMIME\r\n"
			       "MAIL FROM:<a@b.example> SMTPUTF8\r\n"
			       "MAIL FROM:<a@b.example> RET=FULL\r\n" MAIL
			       "RCPT TO:<b@example.com> NOTIFY=NEVER\r\n"),
		    HELLO ", 555 5.5.4, 555 5.5.4, 555 5.5.4, 555 5.5.4, "
			  "250 2.1.0, 555 5.5.4",
		    "!!!!M!", NULL },
	};

	(void)state;
	bare.exts = SMTP_EXT_PIPELINING | SMTP_EXT_ENHANCEDSTATUSCODES;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		play_all_ways(&rows[i], &bare);
}

static void
parameters_are_checked_and_kept(void **state)
{
	struct driver d;
	static const struct dialogue rows[] = {
		{ "D23 SIZE within, over, malformed, twice",
		    BYTES(EHLO
			"MAIL FROM:<a@b.example> SIZE=1000000\r\nRSET\r\n"
			"MAIL FROM:<a@b.example> SIZE=1000001\r\n"
			"MAIL FROM:<a@b.example> SIZE=-1\r\n"
			"MAIL FROM:<a@b.example> SIZE=1 SIZE=1\r\n"),
		    HELLO ", 250 2.1.0, 250 2.0.0, 552 5.3.4, 501 5.5.4, "
			  "501 5.5.4",
		    "M!!!", NULL },
		{ "D28 BINARYMIME is not for us",
		    BYTES(EHLO "MAIL FROM:<a@b.example> BODY=BINARYMIME\r\n"),
		    HELLO ", 555 5.5.4", "!", NULL },
		{ "D30 non-ASCII without SMTPUTF8",
		    BYTES(EHLO "MAIL FROM:<\xc3\xa4@b.example>\r\n" MAIL
			       "RCPT TO:<\xc3\xa4@example.com>\r\n"),
		    HELLO ", 553 5.6.7, 250 2.1.0, 553 5.6.7", "!M!", NULL },
		{ "D30 non-ASCII with SMTPUTF8",
		    BYTES(EHLO "MAIL FROM:<\xc3\xa4@b.example> SMTPUTF8\r\n"
			       "RCPT TO:<\xc3\xa4@example.com>\r\n"),
		    SAID_RCPT, "MR", NULL },
		{ "D46 REQUIRETLS is refused in the clear",
		    BYTES(EHLO "MAIL FROM:<a@b.example> REQUIRETLS\r\n"
			       "STARTTLS\r\n"),
		    HELLO ", 555 5.5.4, 220 2.0.0", "!TS", NULL },
	};

	(void)state;
	PLAY(rows);

	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO
		     "MAIL FROM:<A@b.example> SIZE=5 BODY=8BITMIME RET=HDRS "
		     "ENVID=x+2B1 SMTPUTF8\r\n"
		     "RCPT TO:<@r.example:B@example.com> NOTIFY=FAILURE,DELAY "
		     "ORCPT=rfc822;B@example.com\r\n"));
	assert_string_equal(d.s.env.mail.reverse_path.text, "A@b.example");
	assert_int_equal(d.s.env.mail.size, 5);
	assert_int_equal(d.s.env.mail.body, SMTP_BODY_8BITMIME);
	assert_int_equal(d.s.env.mail.ret, SMTP_RET_HDRS);
	assert_string_equal(d.s.env.mail.envid, "x+2B1");
	assert_true(d.s.env.mail.smtputf8);
	assert_int_equal(d.s.env.nrcpt, 1);
	assert_string_equal(d.s.env.rcpts[0].addr.text, "B@example.com");
	assert_int_equal(d.s.env.rcpts[0].notify,
	    SMTP_NOTIFY_FAILURE | SMTP_NOTIFY_DELAY);
	assert_string_equal(d.s.env.rcpts[0].orcpt, "rfc822;B@example.com");
	assert_string_equal(d.s.env.client.proto, "UTF8SMTP");
	assert_string_equal(d.s.env.client.helo, "client.example");
	feed(&d, BYTES("RSET\r\n"));
	assert_int_equal(d.s.env.nrcpt, 0);
	assert_string_equal(d.s.env.mail.reverse_path.text, "");
	assert_string_equal(d.s.env.client.helo, "client.example");
	driver_free(&d);
}

static void
ehlo_offers_what_the_parameters_name(void **state)
{
	struct session_params few = usual;
	struct driver d;

	(void)state;
	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO));
	assert_string_equal(d.replies.data,
	    "220 mx2.example.net ESMTP bmx\r\n"
	    "250-mx2.example.net\r\n"
	    "250-SIZE 1000000\r\n"
	    "250-8BITMIME\r\n"
	    "250-PIPELINING\r\n"
	    "250-ENHANCEDSTATUSCODES\r\n"
	    "250-STARTTLS\r\n"
	    "250-DSN\r\n"
	    "250-SMTPUTF8\r\n"
	    "250-CHUNKING\r\n"
	    "250-LIMITS RCPTMAX=100\r\n" /* D29 */
	    "250 ETRN\r\n");
	buf_reset(&d.replies);
	feed(&d, BYTES("STARTTLS\r\n"));
	buf_reset(&d.replies);
	feed(&d, BYTES(EHLO)); /* D22: not again; REQUIRETLS only now */
	assert_null(strstr(d.replies.data, "STARTTLS"));
	assert_non_null(strstr(d.replies.data, "250-REQUIRETLS\r\n"));
	driver_free(&d);

	few.exts = 0;
	driver_init(&d, &few);
	feed(&d, BYTES(EHLO));
	assert_string_equal(d.replies.data,
	    "220 mx2.example.net ESMTP bmx\r\n250 mx2.example.net\r\n");
	driver_free(&d);

	few.exts = SMTP_EXT_SIZE | SMTP_EXT_LIMITS;
	few.max_size = 0;          /* D23: no limit */
	few.max_recipients = 5000; /* more than an envelope holds */
	few.max_messages = 7;
	driver_init(&d, &few);
	feed(&d, BYTES(EHLO));
	assert_non_null(strstr(d.replies.data, "250-SIZE 0\r\n"));
	assert_non_null(strstr(d.replies.data,
	    "250 LIMITS RCPTMAX=1000 MAILMAX=7\r\n"));
	driver_free(&d);
}

/* ---- TLS ---- */

static void
starttls_forgets_everything_before_it(void **state)
{
	struct driver d;
	static const struct dialogue rows[] = {
		{ "D22 EHLO is forgotten", BYTES(EHLO "STARTTLS\r\n"),
		    HELLO ", 220 2.0.0", "TS", NULL },
		{ "D22 before EHLO too", BYTES("STARTTLS\r\n"),
		    "220, 220 2.0.0", "TS", NULL },
		{ "not inside a transaction", BYTES(EHLO MAIL "STARTTLS\r\n"),
		    HELLO ", 250 2.1.0, 503 5.5.1", "M!", NULL },
		{ "D22 with an argument", BYTES(EHLO "STARTTLS now\r\n"),
		    HELLO ", 501 5.5.4", "!", NULL },
	};

	(void)state;
	PLAY(rows);

	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO "STARTTLS\r\n"));
	assert_true(d.s.is_secured);
	assert_string_equal(d.s.env.client.helo, "");
	buf_reset(&d.replies);
	feed(&d, BYTES(MAIL "STARTTLS\r\n"));
	assert_memory_equal(d.replies.data, "503 5.5.1", 9);
	assert_non_null(strstr(d.replies.data, "\r\n502 5.5.1"));
	feed(&d, BYTES(EHLO MAIL));
	assert_string_equal(d.s.env.client.proto, "ESMTPS");
	driver_free(&d);
}

static void
bytes_behind_starttls_are_an_injection(void **state)
{
	static const struct dialogue row = { "D22",
		BYTES(EHLO "STARTTLS\r\nMAIL FROM:<evil@x.example>\r\n"),
		HELLO ", 554 5.5.0", "!.", NULL };

	(void)state;
	play(&row, &usual, row.len, 1, "at once");
	play(&row, &usual, sizeof EHLO - 1, row.len, "after EHLO");
	play(&row, &usual, sizeof EHLO "STARTTLS\r\n", row.len,
	    "one byte more");
}

static void
a_key_pair_that_fails_leaves_the_session_in_the_clear(void **state)
{
	struct session s;
	size_t used;

	(void)state;
	session_init(&s, &usual);
	assert_int_equal(session_step(&s, BYTES("STARTTLS\r\n"), &used),
	    SESSION_ASK_TLS);
	session_answer(&s, "454 4.7.0 TLS not available");
	assert_int_equal(session_step(&s, "", 0, &used), SESSION_REFUSED);
	assert_string_equal(s.reply, "454 4.7.0 TLS not available");
	assert_string_equal(s.line, "STARTTLS");
	assert_int_equal(session_step(&s, "", 0, &used), SESSION_NEED_INPUT);
	assert_false(s.is_secured);
	session_free(&s);
}

/* ---- ETRN ---- */

static void
etrn_names_a_node(void **state)
{
	struct driver d;
	static const struct dialogue rows[] = {
		{ "D40 node, @node, #queue",
		    BYTES(EHLO "ETRN example.com\r\nETRN @example.com\r\n"
			       "ETRN #fast-1\r\n"),
		    HELLO ", 250 2.0.0, 250 2.0.0, 250 2.0.0", "QQQ", NULL },
		{ "D40 syntax",
		    BYTES(EHLO "ETRN\r\nETRN @\r\nETRN #\r\nETRN ../x\r\n"
			       "ETRN a b\r\nETRN #a/b\r\nETRN @@a.example\r\n"),
		    HELLO ", 501 5.5.4, 501 5.5.4, 501 5.5.4, 501 5.5.4, "
			  "501 5.5.4, 501 5.5.4, 501 5.5.4",
		    "!!!!!!!", NULL },
		{ "D40 inside a transaction, and before EHLO",
		    BYTES("ETRN example.com\r\n" EHLO MAIL
			  "ETRN example.com\r\n"),
		    "220, 503 5.5.1, 250, 250 2.1.0, 503 5.5.1", "!M!", NULL },
		{ "D40 refused", BYTES(EHLO "ETRN elsewhere.example\r\n"),
		    HELLO ", 550 5.7.1", "Q!", NULL },
	};

	(void)state;
	PLAY(rows);

	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO "ETRN @Example.COM.\r\n"));
	assert_string_equal(d.s.etrn, "@example.com");
	feed(&d, BYTES("ETRN Example.COM\r\n"));
	assert_string_equal(d.s.etrn, "example.com");
	driver_free(&d);
}

/* ---- limits ---- */

/* A line of len bytes with its CRLF: start, as many fill as it takes, end. */
static char *
long_line(const char *start, char fill, const char *end, size_t len)
{
	size_t head = strlen(start), tail = strlen(end);
	char *line = malloc(len + 1);

	assert_non_null(line);
	assert_true(head + tail <= len);
	memcpy(line, start, head);
	memset(line + head, fill, len - head - tail);
	memcpy(line + len - tail, end, tail + 1);
	return line;
}

static void
play_text(const char *name, const char *text,
    const struct session_params *params, const char *replies,
    const char *events)
{
	const struct dialogue row = { name, text, strlen(text), replies, events,
		NULL };

	play(&row, params, row.len, 1, "at once");
	play(&row, params, 0, 1, "byte by byte");
	play(&row, params, 0, 511, "in pieces of 511");
	play(&row, params, 0, 2049, "in pieces of 2049");
}

static void
an_over_long_command_is_answered_once_and_stays_in_step(void **state)
{
	static const size_t too_long[] = { SMTP_COMMAND_MAX + 1,
		SMTP_COMMAND_MAX + 2, 2 * SMTP_COMMAND_MAX, 100000 };
	char *line;

	(void)state;
	line = long_line("NOOP ", 'x', "\r\nNOOP\r\n", SMTP_COMMAND_MAX + 6);
	play_text("D10 as long as may be", line, &usual,
	    "220, 250 2.0.0, 250 2.0.0", "");
	free(line);
	for (size_t i = 0; i < sizeof too_long / sizeof too_long[0]; i++) {
		line = long_line("NOOP ", 'x', "\r\nNOOP\r\n", too_long[i] + 6);
		play_text("D12 too long", line, &usual,
		    "220, 500 5.5.2, 250 2.0.0", "!");
		free(line);
	}
	line = long_line("NOOP ", 'x', "\nNOOP\r\n", 5000);
	play_text("D26 too long, with a bare LF", line, &usual,
	    "220, 500 5.5.2", "!.");
	free(line);
	line = long_line("NOOP ", 'x', "\rx\r\nNOOP\r\n", 5000);
	play_text("D26 too long, with a bare CR", line, &usual,
	    "220, 500 5.5.2", "!.");
	free(line);
}

static void
limits_of_rfc5321_are_accepted(void **state)
{
	char local[ADDR_LOCAL_MAX + 2], label[62], domain[300];
	char text[SMTP_COMMAND_MAX * 3];

	(void)state;
	memset(local, 'l', sizeof local);
	memset(label, 'd', sizeof label);
	snprintf(domain, sizeof domain, "%.61s.%.61s.%.61s.%.3s", label, label,
	    label, label);
	assert_int_equal(64 + 1 + strlen(domain), 254); /* path 256 */
	snprintf(text, sizeof text,
	    EHLO "MAIL FROM:<%.64s@%s>\r\nRCPT TO:<%.64s@%s>\r\n", local,
	    domain, local, domain);
	play_text("D10 local part 64, path 256", text, &usual, SAID_RCPT, "MR");
	snprintf(text, sizeof text,
	    EHLO "MAIL FROM:<%.255s@%s>\r\nRCPT TO:<%.255s@%s>\r\n", local,
	    domain, local, domain);
	play_text("D10 longer than asked for", text, &usual, SAID_RCPT, "MR");
	snprintf(text, sizeof text, EHLO "MAIL FROM:<%.256s@%s>\r\n", local,
	    domain);
	play_text("D10 local part 256", text, &usual, HELLO ", 501 5.1.7", "!");
}

static void
recipients_over_the_limit_come_later(void **state)
{
	struct session_params one_error = usual;
	struct driver d;
	size_t refused = 0;

	(void)state;
	one_error.max_errors = 1;
	driver_init(&d, &one_error);
	feed(&d, BYTES(EHLO MAIL));
	for (int i = 0; i < 300; i++)
		feed(&d, BYTES(RCPT));
	feed(&d, BYTES("DATA\r\n" MESSAGE ".\r\n"));
	for (const char *p = d.replies.data;
	     (p = strstr(p, "\r\n452 4.5.3")) != NULL; p++)
		refused++;
	assert_int_equal(refused, 200); /* D11: 100 stay accepted */
	assert_string_equal(d.taken.data, MESSAGE);
	assert_false(d.is_closed);
	driver_free(&d);
}

static void
deferrals_do_not_go_on_for_ever(void **state)
{
	struct driver d;
	int sent = 0;

	(void)state;
	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO MAIL));
	while (!d.is_closed && sent < 20000) {
		feed(&d, BYTES(RCPT));
		sent++;
	}
	assert_in_range(sent, 1100, 19999); /* longer than any one list */
	assert_non_null(strstr(d.replies.data, "\r\n421 4.7.0"));
	driver_free(&d);
}

static void
what_follows_the_name_in_ehlo_is_not_taken_for_it(void **state)
{
	struct driver d;

	(void)state;
	driver_init(&d, &usual);
	feed(&d, BYTES("EHLO x id=1 queued\r\n"));
	assert_string_equal(d.s.env.client.helo, "x");
	driver_free(&d);
}

static void
errors_and_junk_end_in_an_announced_close(void **state)
{
	struct session_params few = usual;
	static const struct dialogue errors = { "D16 errors",
		BYTES("A\r\nB\r\nC\r\nQUIT\r\n"),
		"220, 500 5.5.1, 500 5.5.1, 500 5.5.1, 421 4.7.0", "!!!.",
		NULL };
	static const struct dialogue junk = { "D16 junk",
		BYTES("NOOP\r\nRSET\r\nNOOP\r\nQUIT\r\n"),
		"220, 250 2.0.0, 250 2.0.0, 250 2.0.0, 421 4.7.0", "!.", NULL };
	static const struct dialogue mail = { "a message clears them",
		BYTES("A\r\nB\r\n" BEGUN ".\r\nA\r\nB\r\nNOOP\r\nNOOP\r\n"),
		"220, 500 5.5.1, 500 5.5.1, 250, 250 2.1.0, 250 2.1.5, 354, "
		"250 2.0.0, 500 5.5.1, 500 5.5.1, 250 2.0.0, 250 2.0.0",
		"!!MRDE!!", "" };
	static const struct dialogue messages = { "messages",
		BYTES(BEGUN ".\r\n" MAIL RCPT "DATA\r\n.\r\n" MAIL RCPT),
		SAID_DATA ", 250 2.0.0, 250 2.1.0, 250 2.1.5, 354, 250 2.0.0, "
			  "421 4.7.0",
		"MRDEMRDE!.", "" };
	static const struct dialogue refused = { "refused recipients",
		BYTES(EHLO MAIL "RCPT TO:<x@elsewhere.example>\r\n"
				"RCPT TO:<x@elsewhere.example>\r\n"
				"RCPT TO:<x@elsewhere.example>\r\n" RCPT),
		HELLO ", 250 2.1.0, 550 5.7.1, 550 5.7.1, 550 5.7.1, 421 4.7.0",
		"MR!R!R!.", NULL };

	(void)state;
	few.max_errors = 3;
	few.max_junk = 2;
	few.max_messages = 2;
	play_all_ways(&errors, &few);
	play_all_ways(&junk, &few);
	play_all_ways(&mail, &few);
	play_all_ways(&messages, &few);
	play_all_ways(&refused, &few);
}

/* D23: drained, told once, and known to be useless as soon as it is. */
static void
content_over_the_limit_is_drained_and_refused(void **state)
{
	struct session_params small = usual;
	static const struct dialogue rows[] = {
		{ "D23 just within", BYTES(BEGUN "12345678\r\n.\r\n" MAIL),
		    SAID_DATA ", 250 2.0.0, 250 2.1.0", "MRDEM",
		    "12345678\r\n" },
		{ "D23 dots do not count",
		    BYTES(BEGUN "..345678\r\n.\r\n" MAIL),
		    SAID_DATA ", 250 2.0.0, 250 2.1.0", "MRDEM",
		    ".345678\r\n" },
		{ "D23 over", BYTES(BEGUN "123456789\r\n.\r\n" MAIL),
		    SAID_DATA ", 552 5.3.4, 250 2.1.0", "MRDx!M", NULL },
		{ "D23, D25 over, and bare",
		    BYTES(BEGUN "123456789\nx\r\n.\r\n" MAIL),
		    SAID_DATA ", 550 5.5.2", "MRDx!.", NULL },
		{ "D23 chunks within",
		    BYTES(EHLO MAIL RCPT
			"BDAT 5\r\n12345BDAT 5 LAST\r\n678\r\n"),
		    SAID_RCPT ", 250 2.0.0, 250 2.0.0", "MRDE",
		    "12345678\r\n" },
		{ "D23 chunks over",
		    BYTES(EHLO MAIL RCPT "BDAT 5\r\n12345BDAT "
					 "6\r\nQUIT\r\nBDAT 0 LAST\r\n" MAIL),
		    SAID_RCPT ", 250 2.0.0, 552 5.3.4, 552 5.3.4, 250 2.1.0",
		    "MRDx!!M", NULL },
		{ "D23 a first chunk that is over is not even asked about",
		    BYTES(EHLO MAIL RCPT "BDAT 11 LAST\r\n12345678901" MAIL),
		    SAID_RCPT ", 552 5.3.4, 250 2.1.0", "MR!M", NULL },
	};

	(void)state;
	small.max_size = 10;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		play_all_ways(&rows[i], &small);
}

/* In chunks the message is judged after each of them. */
static void
loops_in_a_chunk(const char *name, const char *field, int n, const char *end)
{
	char replies[1024], want[128], head[64];
	bool is_good = end[0] == '2';
	struct driver d;

	driver_init(&d, &usual);
	snprintf(head, sizeof head, "BDAT %zu\r\n", n * strlen(field));
	feed(&d, BYTES(EHLO MAIL RCPT));
	feed(&d, head, strlen(head));
	for (int i = 0; i < n; i++)
		feed(&d, field, strlen(field));
	feed(&d, BYTES("BDAT 2 LAST\r\n\r\n"));
	summarise(&d, replies, sizeof replies);
	snprintf(want, sizeof want, SAID_RCPT ", %s, %s",
	    is_good ? "250 2.0.0" : end, end);
	if (strcmp(replies, want) != 0)
		fail_msg("%s, in chunks: %s", name, replies);
	driver_free(&d);
}

static void
too_many_received_fields_are_a_loop(void **state)
{
	static const struct {
		const char *name, *field, *end;
		int n;
	} rows[] = {
		{ "D20 99 hops", "Received: from a by b; now\r\n", "250 2.0.0",
		    99 },
		{ "D20 100 hops", "Received: from a by b; now\r\n", "554 5.4.6",
		    100 },
		{ "D20 four times here",
		    "Received: from a by mx2.example.net; now\r\n", "451 4.4.6",
		    4 },
		{ "D20 three times here",
		    "Received: from a by mx2.example.net; now\r\n", "250 2.0.0",
		    3 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct driver d;
		char replies[1024], want[64];

		driver_init(&d, &usual);
		feed(&d, BYTES(BEGUN));
		for (int n = 0; n < rows[i].n; n++)
			feed(&d, rows[i].field, strlen(rows[i].field));
		feed(&d, BYTES("\r\nReceived: in the body\r\n.\r\n"));
		summarise(&d, replies, sizeof replies);
		snprintf(want, sizeof want, SAID_DATA ", %s", rows[i].end);
		if (strcmp(replies, want) != 0)
			fail_msg("%s: %s", rows[i].name, replies);
		driver_free(&d);
		loops_in_a_chunk(rows[i].name, rows[i].field, rows[i].n,
		    rows[i].end);
	}
}

/* ---- other ---- */

static void
http_is_closed_out(void **state)
{
	static const struct dialogue rows[] = {
		{ "GET", BYTES("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
		    "220, 554 5.5.1", "!.", NULL },
		{ "POST", BYTES("POST / HTTP/1.1\r\n\r\n" EHLO MAIL),
		    "220, 554 5.5.1", "!.", NULL },
		{ "CONNECT, after EHLO", BYTES(EHLO "CONNECT a:25\r\n" MAIL),
		    HELLO ", 554 5.5.1", "!.", NULL },
	};

	(void)state;
	PLAY(rows);
}

static void
a_refusing_greeting_leaves_only_quit(void **state)
{
	struct driver d;

	(void)state;
	driver_init(&d, &usual);
	buf_reset(&d.s.out);
	session_greet(&d.s, "554 5.3.2 No service for you");
	feed(&d, BYTES(EHLO MAIL "NOOP\r\nSTARTTLS\r\nQUIT\r\n"));
	assert_string_equal(d.events, "!!!!.");
	assert_memory_equal(d.replies.data, "554 5.3.2", 9);
	assert_non_null(strstr(d.replies.data, "\r\n503 5.5.1"));
	driver_free(&d);

	driver_init(&d, &usual);
	buf_reset(&d.s.out);
	session_greet(&d.s, "421 4.3.2 Later");
	feed(&d, BYTES(EHLO));
	assert_string_equal(d.replies.data, "421 4.3.2 Later\r\n");
	assert_string_equal(d.events, ".");
	driver_free(&d);
}

static void
an_ended_session_drops_its_open_message(void **state)
{
	struct driver d;
	size_t used;

	(void)state;
	driver_init(&d, &usual);
	feed(&d, BYTES(BEGUN "half a mess"));
	assert_true(session_in_content(&d.s));
	assert_int_equal(session_end(&d.s, "421 4.4.2 Timeout"),
	    SESSION_DISCARD);
	assert_string_equal(d.s.out.data, "421 4.4.2 Timeout\r\n");
	assert_int_equal(session_step(&d.s, BYTES("age\r\n.\r\n"), &used),
	    SESSION_CLOSE);
	assert_int_equal(used, 0);
	driver_free(&d);

	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO MAIL));
	assert_false(session_in_content(&d.s));
	assert_int_equal(session_end(&d.s, NULL), SESSION_CLOSE);
	driver_free(&d);
}

static void
group_ending_commands_with_bytes_behind_are_counted(void **state)
{
	struct driver d;

	(void)state;
	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO));
	feed(&d, BYTES(MAIL RCPT "DATA\r\n"));
	feed(&d, BYTES(".\r\nQUIT\r\n"));
	assert_int_equal(d.s.overruns, 0); /* D21: as RFC 2920 has it */
	driver_free(&d);

	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO MAIL RCPT "DATA\r\nx\r\n.\r\n"));
	assert_int_equal(d.s.overruns, 2); /* EHLO, DATA */
	driver_free(&d);
}

/* A reply from elsewhere cannot make a second line, nor a longer one than a
 * client must take. */
static void
an_answer_stays_one_reply_line(void **state)
{
	struct session s;
	char reply[2000];
	size_t used;

	(void)state;
	memset(reply, 'x', sizeof reply);
	memcpy(reply, "451 4.3.0 ", 10);
	reply[sizeof reply - 1] = '\0';
	session_init(&s, &usual);
	session_step(&s, BYTES(EHLO MAIL), &used);
	buf_reset(&s.out);
	session_answer(&s, reply);
	assert_int_equal(s.out.len, SESSION_REPLY_MAX - 1);
	session_step(&s, "", 0, &used);
	session_step(&s, BYTES(MAIL), &used);
	buf_reset(&s.out);
	session_answer(&s, "250 2.1.0 OK\r\n250 2.1.5 and more");
	assert_string_equal(s.out.data, "250 2.1.0 OK\r\n");
	session_free(&s);
}

/* ---- properties over random input ---- */

static unsigned
chance(unsigned *seed, unsigned n)
{
	*seed = *seed * 1103515245u + 12345u;
	return (*seed >> 16) % n;
}

/* D28: however a message is cut into chunks, and those into reads, it is the
 * same message. */
static void
any_cut_into_chunks_gives_the_same_message(void **state)
{
	static const char message[] =
	    "Subject: chunks\r\n\r\n.\r\n..\r\nQUIT\r\nBDAT 5\r\n\r\nend\r\n";
	unsigned seed = 28;

	(void)state;
	for (int run = 0; run < 2000; run++) {
		size_t at = 0, len = sizeof message - 1;
		struct driver d;

		driver_init(&d, &usual);
		feed(&d, BYTES(EHLO MAIL RCPT));
		while (at < len) {
			size_t n = chance(&seed, (unsigned)(len - at) + 1),
			       half;
			char command[32];

			snprintf(command, sizeof command, "BDAT %zu%s\r\n", n,
			    at + n == len ? " LAST" : "");
			feed(&d, command, strlen(command));
			half = n > 0 ? chance(&seed, (unsigned)n) : 0;
			feed(&d, message + at, half);
			feed(&d, message + at + half, n - half);
			at += n;
		}
		assert_string_equal(d.taken.data, message);
		assert_false(d.is_closed);
		driver_free(&d);
	}
}

/* D24 and bounds, whatever comes: words of the protocol in any order. */
static void
replies_to_anything_are_well_formed_and_bounded(void **state)
{
	static const char *const words[] = { EHLO, "HELO x\r\n", MAIL, RCPT,
		"DATA\r\n", ".\r\n", "BDAT 4\r\n", "BDAT 0 LAST\r\n", "BDAT ",
		"12", " LAST\r\n", "RSET\r\n", "NOOP\r\n", "VRFY x\r\n",
		"HELP\r\n", "EXPN x\r\n", "ETRN a.example\r\n", "ETRN\r\n",
		"RCPT TO:<x@elsewhere.example>\r\n",
		"MAIL FROM:<noend-later@x.y>\r\n", "RCPT TO:<postmaster>\r\n",
		"\r\n", "x", "\r\n.\r\n", "..\r\n", "\n", "\r", "STARTTLS\r\n",
		"QUIT\r\n", "GET /\r\n", "\xff\r\n" };
	const unsigned nwords = sizeof words / sizeof words[0];
	struct session_params loose = usual;
	unsigned seed = 24;

	(void)state;
	loose.max_errors = loose.max_junk = 0;
	for (int run = 0; run < 20000; run++) {
		struct driver d;
		char replies[16384];

		driver_init(&d, &loose);
		for (int n = 0; n < 40 && !d.is_closed; n++) {
			/* the closing ones rarely, or nothing gets far */
			unsigned w = chance(&seed,
			    chance(&seed, 8) == 0 ? nwords : nwords - 6);

			feed(&d, words[w], strlen(words[w]));
		}
		summarise(&d, replies, sizeof replies);
		driver_free(&d);
	}
}

/* A whole buffer of short commands: out is flushed on the way. */
static void
a_flood_of_commands_never_fills_the_output(void **state)
{
	static const char pair[] = "X\r\nEXPN\r\n";
	struct session_params loose = usual;
	struct buf flood = BUF_INIT(65536);
	struct driver d;

	(void)state;
	while (flood.len < 60000)
		buf_puts(&flood, pair);
	loose.max_errors = 0;
	driver_init(&d, &loose);
	feed(&d, flood.data, flood.len);
	assert_false(d.is_closed);
	assert_int_equal(d.s.refused, flood.len / (sizeof pair - 1) * 2);
	assert_true(d.replies.len > SESSION_OUT_MAX);
	driver_free(&d);
	buf_free(&flood);
}

/* ---- answers ---- */

static void
an_answer_is_awaited_once_and_to_a_question(void **state)
{
	struct driver d;
	char replies[1024];
	size_t used;

	(void)state;
	driver_init(&d, &usual);
	feed(&d, BYTES(EHLO));
	session_answer(&d.s, "250 2.0.0 to nothing");
	assert_false(session_later(&d.s));
	assert_int_equal(session_step(&d.s, BYTES(MAIL), &used),
	    SESSION_ASK_MAIL);
	assert_int_equal(session_step(&d.s, BYTES(RCPT), &used),
	    SESSION_ASK_MAIL);
	assert_int_equal(used, 0);
	assert_false(session_later(&d.s)); /* RCPT's answer alone */
	session_answer(&d.s, "250 2.1.0 OK");
	session_answer(&d.s, "550 5.7.1 no");
	feed(&d, BYTES(RCPT));
	summarise(&d, replies, sizeof replies);
	assert_string_equal(replies, SAID_RCPT);
	driver_free(&d);
}

static void
what_is_refused_changes_nothing(void **state)
{
	static const struct {
		const char *line;
		enum session_event asks;
		const char *reply;
	} rows[] = {
		{ "XCLIENT ADDR=192.0.2.9 HELO=x\r\n", SESSION_ASK_XCLIENT,
		    "550 5.7.0" },
		{ "STARTTLS\r\n", SESSION_ASK_TLS, "454 4.7.0" },
		{ "ETRN example.com\r\n", SESSION_ASK_ETRN, "459 4.3.0" },
	};
	struct session_params params = usual;

	(void)state;
	params.exts |= SMTP_EXT_XCLIENT;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char replies[1024], want[128];
		struct driver d;
		size_t used;

		driver_init(&d, &params);
		feed(&d, BYTES(EHLO));
		assert_int_equal(session_step(&d.s, rows[i].line,
				     strlen(rows[i].line), &used),
		    rows[i].asks);
		session_answer(&d.s, rows[i].reply);
		feed(&d, BYTES(MAIL RCPT));
		summarise(&d, replies, sizeof replies);
		snprintf(want, sizeof want, HELLO ", %s, 250 2.1.0, 250 2.1.5",
		    rows[i].reply);
		assert_string_equal(replies, want);
		assert_string_equal(d.s.env.client.helo, "client.example");
		assert_false(d.s.has_front || d.s.is_secured);
		driver_free(&d);
	}
}

/* ---- answers that are put off ---- */

/* How many recipients are asked for before the first has to be answered, and
 * whether content is known to follow. */
static void
a_group_of_recipients_is_seen_before_the_first_is_answered(void **state)
{
	static const struct {
		const char *name, *bytes;
		unsigned asked;
		bool is_content_next;
	} rows[] = {
		{ "one", RCPT, 1, false },
		{ "two", RCPT RCPT, 2, false },
		{ "and part of a line", RCPT RCPT "RCPT TO:<", 2, false },
		{ "a whole group", RCPT RCPT RCPT "DATA\r\n", 3, true },
		{ "with a chunk", RCPT RCPT "BDAT 2 LAST\r\nab", 2, true },
		{ "DATA that is none", RCPT "DATA x\r\n", 1, false },
		{ "up to what has to be answered before", RCPT "NOOP\r\n" RCPT,
		    1, false },
		{ "up to a mistake", RCPT RCPT "RCPT TO:<>\r\n" RCPT, 2,
		    false },
		{ "up to a line too much", RCPT "x\ny\r\n", 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i].bytes), at = 0, used;
		enum session_event event;
		struct driver d;

		driver_init(&d, &usual);
		d.puts_off = true;
		feed(&d, BYTES(EHLO MAIL));
		for (;;) {
			event = session_step(&d.s, rows[i].bytes + at, len - at,
			    &used);
			at += used;
			if (event == SESSION_ASK_DUE)
				break;
			assert_int_equal(event, SESSION_ASK_RCPT);
			react(&d, event);
		}
		if (d.asked != rows[i].asked ||
		    d.s.is_content_next != rows[i].is_content_next)
			fail_msg("%s: %u, %d", rows[i].name, d.asked,
			    d.s.is_content_next);
		driver_free(&d);
	}
}

/* D11: no more are put off than there is room for, and the limit holds. */
static void
many_recipients_are_put_off_in_turns(void **state)
{
	struct session_params params = usual;
	struct driver d;
	struct buf group = BUF_INIT(1024 * 1024);
	char replies[65536];

	(void)state;
	params.max_recipients = 250;
	buf_puts(&group, EHLO MAIL);
	for (int i = 0; i < 255; i++)
		buf_puts(&group, RCPT);
	buf_puts(&group, "DATA\r\nx\r\n.\r\n");
	driver_init(&d, &params);
	d.puts_off = true;
	feed(&d, group.data, group.len);
	assert_int_equal(d.asked, 250);
	summarise(&d, replies, sizeof replies);
	assert_non_null(strstr(replies,
	    "250 2.1.5, 452 4.5.3, 452 4.5.3, 452 4.5.3, 452 4.5.3, "
	    "452 4.5.3, 354, 250 2.0.0"));
	assert_string_equal(d.taken.data, "x\r\n");
	driver_free(&d);
	buf_free(&group);
}

static void
what_was_refused_later_is_told_with_its_command(void **state)
{
	struct driver d;
	size_t at = 0, used;
	const char group[] = "RCPT TO:<no@elsewhere.example>\r\nDATA\r\n";
	enum session_event event = SESSION_GO_ON;

	(void)state;
	driver_init(&d, &usual);
	d.puts_off = true;
	feed(&d, BYTES(EHLO MAIL));
	while (event != SESSION_REFUSED) {
		event = session_step(&d.s, group + at, sizeof group - 1 - at,
		    &used);
		at += used;
		react(&d, event);
	}
	assert_true(d.s.is_rcpt_refused);
	assert_string_equal(d.s.refused_rcpt, "RCPT TO:<no@elsewhere.example>");
	assert_string_equal(d.s.reply,
	    "550 5.7.1 We do not relay for that domain");
	event = session_step(&d.s, group + at, sizeof group - 1 - at, &used);
	assert_int_equal(event, SESSION_REFUSED);
	assert_false(d.s.is_rcpt_refused);
	assert_string_equal(d.s.line, "DATA");
	driver_free(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_awaited_once_and_to_a_question),
		cmocka_unit_test(what_is_refused_changes_nothing),
		cmocka_unit_test(
		    a_group_of_recipients_is_seen_before_the_first_is_answered),
		cmocka_unit_test(many_recipients_are_put_off_in_turns),
		cmocka_unit_test(
		    what_was_refused_later_is_told_with_its_command),
		cmocka_unit_test(
		    commands_are_taken_in_order_and_others_get_503),
		cmocka_unit_test(a_message_is_asked_about_step_by_step),
		cmocka_unit_test(bare_line_ends_in_commands_close_the_session),
		cmocka_unit_test(only_crlf_dot_crlf_ends_the_content),
		cmocka_unit_test(chunks_are_counted_exactly),
		cmocka_unit_test(
		    a_chunk_size_that_cannot_be_read_closes_the_session),
		cmocka_unit_test(what_is_not_offered_is_refused),
		cmocka_unit_test(parameters_are_checked_and_kept),
		cmocka_unit_test(ehlo_offers_what_the_parameters_name),
		cmocka_unit_test(starttls_forgets_everything_before_it),
		cmocka_unit_test(bytes_behind_starttls_are_an_injection),
		cmocka_unit_test(
		    a_key_pair_that_fails_leaves_the_session_in_the_clear),
		cmocka_unit_test(etrn_names_a_node),
		cmocka_unit_test(
		    an_over_long_command_is_answered_once_and_stays_in_step),
		cmocka_unit_test(limits_of_rfc5321_are_accepted),
		cmocka_unit_test(recipients_over_the_limit_come_later),
		cmocka_unit_test(deferrals_do_not_go_on_for_ever),
		cmocka_unit_test(
		    what_follows_the_name_in_ehlo_is_not_taken_for_it),
		cmocka_unit_test(errors_and_junk_end_in_an_announced_close),
		cmocka_unit_test(content_over_the_limit_is_drained_and_refused),
		cmocka_unit_test(too_many_received_fields_are_a_loop),
		cmocka_unit_test(http_is_closed_out),
		cmocka_unit_test(a_refusing_greeting_leaves_only_quit),
		cmocka_unit_test(an_ended_session_drops_its_open_message),
		cmocka_unit_test(
		    group_ending_commands_with_bytes_behind_are_counted),
		cmocka_unit_test(an_answer_stays_one_reply_line),
		cmocka_unit_test(any_cut_into_chunks_gives_the_same_message),
		cmocka_unit_test(
		    replies_to_anything_are_well_formed_and_bounded),
		cmocka_unit_test(a_flood_of_commands_never_fills_the_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
