#ifndef BMX_SESSION_H
#define BMX_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "mail/dot.h"
#include "mail/envelope.h"
#include "mail/smtp.h"
#include "mail/trace.h"

/*
 * The server side of SMTP (RFC 5321) as a pure machine: bytes in, replies and
 * events out. No socket, file or clock in it: serve.c drives it over a
 * connection, tests and fuzzers drive it from memory.
 *
 *	while (more) {
 *		event = session_step(&s, in, len, &used);
 *		in += used, len -= used;
 *		...
 *	}
 *
 * The machine parses, keeps the order of commands and the limits, and writes
 * its replies to s->out. Where somebody else has to decide (is this recipient
 * ours? is the message on disk?) it stops with an event, and goes on after
 * the caller answered it with session_answer().
 *
 * What it does depends on the bytes alone, not on how they are cut into
 * calls, with one exception: bytes that are already there behind STARTTLS
 * (RFC 3207 section 4.2, and the injection of CVE-2011-0411).
 */

/* bytes of one reply line with CRLF, RFC 5321 4.5.3.1.5 */
#define SESSION_REPLY_MAX 512
#define SESSION_OUT_MAX (32 * 1024) /* most that s->out ever holds */
#define SESSION_DUE_MAX 100         /* recipients whose answer is put off */

/* What may come next. A command row names the states it may come in. */
enum session_state {
	SESSION_START = 1 << 0,       /* before EHLO or HELO */
	SESSION_READY = 1 << 1,       /* greeted, no transaction */
	SESSION_MAIL = 1 << 2,        /* MAIL was accepted */
	SESSION_RCPT = 1 << 3,        /* at least one recipient too */
	SESSION_BDAT = 1 << 4,        /* between two chunks of a message */
	SESSION_TURNED_AWAY = 1 << 5, /* the greeting was 554: only QUIT */
};

enum session_event {
	SESSION_GO_ON,      /* never returned: for session.c itself */
	SESSION_NEED_INPUT, /* all bytes are taken: flush s->out, read more */
	/* asks: go on with session_answer() */
	SESSION_ASK_MAIL, /* s->env.mail is the sender: room for it? */
	SESSION_ASK_RCPT, /* s->rcpt: ours? The caller may complete it (a bare
			     postmaster); after a 250 it is in s->env. The
			     answer may be put off: session_later() */
	SESSION_ASK_DUE,  /* s->rcpt, of those put off the first: what is the
			     answer? s->is_content_next says that the client
			     has asked for content behind them */
	SESSION_ASK_DATA, /* every recipient is known: open the message. After a
			     2yz answer content follows */
	SESSION_ASK_END,  /* the content is complete and clean: commit it, or
			     give it up and say why */
	SESSION_ASK_ETRN, /* s->etrn: start a flush of that domain? (RFC 1985) */
	SESSION_ASK_TLS,  /* is there a key pair? After a 220 SESSION_STARTTLS
			     follows */
	SESSION_ASK_XCLIENT, /* s->xclient is who the client really is: noted?
				After a 220 it is in s->env.client */
	/* tells: just go on */
	SESSION_CONTENT,  /* s->content is the next piece; valid until the next
			     step */
	SESSION_DISCARD,  /* the message that ASK_DATA opened will not be
			     finished (refused content, RSET, a closed
			     session): abort it */
	SESSION_REFUSED,  /* for the log: s->line was answered with s->reply;
			     both end in a NUL, nothing in s->line is
			     printable yet */
	SESSION_FLUSH,    /* s->out has grown long: flush it */
	SESSION_STARTTLS, /* flush s->out, shake hands, then
			     session_secured() */
	SESSION_CLOSE,    /* flush s->out and close */
};

/* A limit of 0 is no limit. */
struct session_params {
	const char *hostname;
	uint64_t max_size;       /* bytes of content (RFC 1870) */
	unsigned max_recipients; /* of a message: 452 4.5.3 beyond (D11); never
				    more than ENVELOPE_RCPT_MAX */
	unsigned max_errors;     /* 4yz and 5yz since the last message, then 421
				    (D16) */
	unsigned max_junk;       /* NOOP, RSET, VRFY, HELP ... since the last
				    message, then 421 */
	unsigned max_messages;   /* of a session, then 421 */
	unsigned exts;           /* of enum smtp_ext: what is offered; STARTTLS
				    only in the clear, REQUIRETLS only inside */
};

struct session {
	const struct session_params *params; /* borrowed */
	enum session_state state;
	struct buf out;           /* replies, to be sent by the caller */
	struct envelope env;      /* addr, port, name and tls of the client, and
				    the arrival, are set by the caller, the rest
				    by the machine */
	struct smtp_rcpt rcpt;    /* of SESSION_ASK_RCPT */
	struct dot_slice content; /* of SESSION_CONTENT */
	char etrn[ADDR_DOMAIN_MAX + 2]; /* of SESSION_ASK_ETRN: "example.com",
					   "@example.com", "#queue" */
	struct envelope_client xclient; /* of SESSION_ASK_XCLIENT */
	char line[SMTP_COMMAND_MAX];    /* the last command, or its beginning */
	char reply[SESSION_REPLY_MAX];  /* of SESSION_REFUSED */
	char refused_rcpt[ADDR_MAX + 12]; /* "RCPT TO:<...>" */
	bool is_rcpt_refused; /* of SESSION_REFUSED: an answer that was put off;
				 refused_rcpt is the command, not line */
	bool is_content_next; /* of SESSION_ASK_DUE */
	uint64_t content_len; /* bytes of content so far */
	bool is_esmtp;        /* EHLO, not HELO */
	bool is_secured;      /* inside TLS */
	bool has_quit;
	unsigned errors, junk; /* since the last message */
	unsigned deferrals;    /* 452s, since then */
	unsigned refused;      /* 4yz and 5yz, all of them */
	unsigned messages;     /* accepted */
	unsigned overruns;     /* commands that must end a group but had bytes
			      behind them (RFC 2920 3.1) */
	/* private to session.c from here */
	struct envelope_client front; /* who said XCLIENT */
	bool has_front;
	int mode;
	enum session_event asked;
	size_t line_len;
	bool line_cr;       /* the last byte was CR */
	bool line_skipping; /* over-long: drop until CRLF, answer once */
	bool line_bare;     /* a bare CR, a bare LF or a NUL in it */
	bool is_held;       /* it waits for the recipients that are due: */
	struct smtp_rcpt *due;
	size_t ndue;
	size_t behind; /* bytes that are there behind the command */
	struct dot_decoder dot;
	struct trace_counter hops;
	uint64_t chunk_left; /* bytes of a BDAT chunk still to come */
	uint64_t chunk_size;
	bool chunk_last;
	bool chunk_misplaced; /* out of order: count its bytes, no more */
	char refusal[SESSION_REPLY_MAX]; /* of every chunk until RSET, or "" */
	bool has_refused;                /* SESSION_REFUSED is due */
	bool is_open;   /* ASK_DATA said yes, nothing ended it yet */
	bool is_doomed; /* SESSION_DISCARD is due, if it is open */
};

/* Fill *s; the greeting is not written yet. */
void session_init(struct session *s, const struct session_params *params);
void session_free(struct session *s);

/* Write the greeting: 220, or the given line ("421 4.3.2 ...", then the
 * session closes, or "554 5.3.2 ...", after which only QUIT is served). */
void session_greet(struct session *s, const char *refusal);

/* Take bytes of in (*used of them) up to the next event. len 0 is fine: it
 * resumes what is pending. */
enum session_event session_step(struct session *s, const char *in, size_t len,
    size_t *used);

/*
 * Answer the last ASK: reply is a whole reply line without CRLF, "250 2.1.5
 * OK". 2yz (and 354) mean yes. The enhanced code must have the class of the
 * code (RFC 2034). A 421 closes the session. A yes to ASK_DATA is not sent as
 * it is: DATA gets a 354, a chunk its own reply.
 */
void session_answer(struct session *s, const char *reply);

/*
 * In place of an answer to SESSION_ASK_RCPT: it comes later, so that the caller
 * can see all recipients of a group of commands before it asks somebody. The
 * machine goes on with the next command if that is another recipient, and asks
 * for the answers, in order, before anything else happens. False: there is no
 * memory, answer it now.
 */
bool session_later(struct session *s);

/* TLS is up: forget everything the client said, XCLIENT included, wait for EHLO (RFC 3207 4.2). */
void session_secured(struct session *s);

/* True from the first byte of a message to its last, between two chunks
 * too. */
bool session_in_message(const struct session *s);

/* True in the middle of a command line. */
bool session_in_line(const struct session *s);

/* True inside the content of a message: what comes next is awaited for
 * data-timeout, not for command-timeout. */
bool session_in_content(const struct session *s);

/* No more input will come. reply, when not NULL, is a last line ("421 4.4.2
 * Timeout"). Returns SESSION_DISCARD when a message was open, else
 * SESSION_CLOSE; the session is over in both cases. */
enum session_event session_end(struct session *s, const char *reply);

#endif
