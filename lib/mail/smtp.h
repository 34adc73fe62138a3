#ifndef BMX_SMTP_H
#define BMX_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "mail/addr.h"

/*
 * SMTP's words: command lines and reply lines <-> structs, and every size and
 * time of RFC 5321 that bmx keeps. Pure: pointer and length in, struct out.
 */

#define SMTP_COMMAND_MAX                                                       \
	2048 /* bytes with CRLF: 512 (RFC 5321 4.5.3.1.4) and
				 room for every extension we offer (SIZE 26,
				 BODY 17, SMTPUTF8 10, ENVID 100, ORCPT 500) */
#define SMTP_REPLY_LINE_MAX 2048 /* bytes with CRLF we read; RFC says 512 */
#define SMTP_REPLY_LINES_MAX 100 /* of one reply; more is a protocol error */
#define SMTP_TEXT_LINE_MAX 1000  /* bytes with CRLF, 4.5.3.1.6 */
#define SMTP_ENVID_MAX 100       /* RFC 3461 4.4 */
#define SMTP_ORCPT_MAX 500       /* RFC 3461 4.2 */

/* A server waits for a command; a client for each reply. RFC 5321 4.5.3.2 */
#define SMTP_COMMAND_TIMEOUT_S 300
#define SMTP_GREETING_TIMEOUT_S 300
#define SMTP_MAIL_TIMEOUT_S 300
#define SMTP_RCPT_TIMEOUT_S 300
#define SMTP_DATA_TIMEOUT_S 120
#define SMTP_BLOCK_TIMEOUT_S 180
#define SMTP_END_TIMEOUT_S 600

/* ---- commands, as a server reads them ---- */

/* One command line split at its verb; arg points into the line. */
struct smtp_command {
	char verb[16];   /* upper case; "" when it is no word of letters */
	const char *arg; /* after the blanks, trailing blanks dropped */
	size_t arg_len;
};

/* line has no CRLF. Never fails: nonsense is a command with an unknown verb. */
void smtp_split(const char *line, size_t len, struct smtp_command *c);

enum smtp_body { SMTP_BODY_NONE, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };
enum smtp_ret { SMTP_RET_NONE, SMTP_RET_FULL, SMTP_RET_HDRS };

/* NOTIFY, RFC 3461 4.1: a set; SMTP_NOTIFY_NONE when the parameter is absent. */
enum smtp_notify {
	SMTP_NOTIFY_NONE = 0,
	SMTP_NOTIFY_NEVER = 1,
	SMTP_NOTIFY_SUCCESS = 2,
	SMTP_NOTIFY_FAILURE = 4,
	SMTP_NOTIFY_DELAY = 8,
};

/* What follows "MAIL FROM:". */
struct smtp_mail {
	struct addr reverse_path; /* empty text: the null reverse-path */
	bool has_size;
	uint64_t size; /* SIZE=, RFC 1870; octets */
	enum smtp_body body;
	bool smtputf8;   /* RFC 6531 */
	bool requiretls; /* RFC 8689 */
	enum smtp_ret ret;
	char envid[SMTP_ENVID_MAX + 1]; /* xtext as given, "" when absent */
};

/* What follows "RCPT TO:". */
struct smtp_rcpt {
	struct addr forward_path;
	unsigned notify;                /* of enum smtp_notify */
	char orcpt[SMTP_ORCPT_MAX + 1]; /* "rfc822;xtext" as given, or "" */
};

/*
 * The extensions a server offers in this session, or a client was offered.
 * A parameter whose extension is not offered is refused with 555 5.5.4.
 */
enum smtp_ext {
	SMTP_EXT_SIZE = 1 << 0,
	SMTP_EXT_8BITMIME = 1 << 1,
	SMTP_EXT_PIPELINING = 1 << 2,
	SMTP_EXT_ENHANCEDSTATUSCODES = 1 << 3,
	SMTP_EXT_STARTTLS = 1 << 4,
	SMTP_EXT_DSN = 1 << 5,
	SMTP_EXT_SMTPUTF8 = 1 << 6,
	SMTP_EXT_CHUNKING = 1 << 7,
	SMTP_EXT_REQUIRETLS = 1 << 8,
	SMTP_EXT_LIMITS = 1 << 9,
	SMTP_EXT_ETRN = 1 << 10,
	SMTP_EXT_XCLIENT = 1 << 11,
	SMTP_EXT_XFORWARD = 1 << 12,
	SMTP_EXT_BINARYMIME = 1 << 13,
};

/*
 * Parse the argument of MAIL ("FROM:<...> SIZE=...") or RCPT ("TO:<...> ...").
 * exts: the offered extensions. Blanks after the colon are tolerated.
 * Returns NULL, or the reply to send (static, without CRLF): 501 5.5.4 bad
 * syntax or a parameter twice, 501 5.1.7 / 5.1.3 bad address, 552 5.3.4 SIZE
 * beyond 64 bits, 553 5.6.7 non-ASCII address without SMTPUTF8, 555 5.5.4
 * parameter not known. After a reply *m or *r means nothing.
 * ENVID and ORCPT are kept as given; decoded they hold no control character.
 * ORCPT may be "utf-8;..." (RFC 6533), non-ASCII only where smtputf8.
 */
const char *smtp_parse_mail(const char *arg, size_t len, unsigned exts,
    struct smtp_mail *m);
const char *smtp_parse_rcpt(const char *arg, size_t len, unsigned exts,
    bool smtputf8, struct smtp_rcpt *r);

/*
 * Append the parameters, each after a blank, in the words that the two
 * functions above read: " SIZE=1000 BODY=8BITMIME", " NOTIFY=NEVER". Only those
 * that are given and whose extension is in exts. orcpt may be NULL.
 */
void smtp_format_mail_params(struct buf *b, const struct smtp_mail *m,
    unsigned exts);
void smtp_format_rcpt_params(struct buf *b, unsigned notify, const char *orcpt,
    unsigned exts);

/* xtext of RFC 3461 section 4: is it one, and its bytes. out holds at most
 * len bytes; returns their number, or -1. */
bool smtp_is_xtext(const char *s, size_t len);
int smtp_xtext_decode(const char *s, size_t len, char *out);

/* Bytes to xtext. out has 3 * len + 1 bytes, ends in a NUL; returns the
 * length. */
size_t smtp_xtext_encode(const char *s, size_t len, char *out);

/* ---- replies, as a client reads them ---- */

#define SMTP_REPLY_TEXT_MAX 512

/* One reply, all lines of it. Empty it with SMTP_REPLY_INIT. */
struct smtp_reply {
	int code;          /* 200 to 599, 0 before the first line */
	char enhanced[12]; /* "5.1.1", or "" (RFC 2034), of the first line */
	/* the lines' texts without code and enhanced code, printable, joined
	 * with " / " and cut when too long */
	char text[SMTP_REPLY_TEXT_MAX];
	int lines;
};

/* clang-format off */
#define SMTP_REPLY_INIT { 0, "", "", 0 }
/* clang-format on */

/*
 * Take one line (no CRLF) of a reply. Returns 1 when it was the last, 0 when
 * more follow, -1 (ERR_TEMP, "protocol error: ...") when it is no reply line,
 * its code differs from the first line's, or there are too many.
 */
int smtp_reply_line(struct smtp_reply *r, const char *line, size_t len,
    struct err *e);

/* Reply classes, by the first digit only (RFC 5321 4.2.1). */
static inline bool
smtp_reply_ok(const struct smtp_reply *r)
{
	return r->code / 100 == 2;
}

static inline bool
smtp_reply_permanent(const struct smtp_reply *r)
{
	return r->code / 100 == 5;
}

/* What XCLIENT and XFORWARD may name (Postfix's XCLIENT_README). */
enum smtp_xattr {
	SMTP_XATTR_ADDR = 1 << 0,
	SMTP_XATTR_NAME = 1 << 1,
	SMTP_XATTR_PORT = 1 << 2,
	SMTP_XATTR_PROTO = 1 << 3,
	SMTP_XATTR_HELO = 1 << 4,
};

/* What an EHLO reply offers. */
struct smtp_offer {
	unsigned exts;     /* of enum smtp_ext */
	uint64_t size_max; /* SIZE's argument; 0: no limit named */
	unsigned rcpt_max; /* LIMITS RCPTMAX (RFC 9422); 0: not named */
	unsigned mail_max; /* LIMITS MAILMAX */
	unsigned xclient;  /* XCLIENT's attributes, of enum smtp_xattr */
	unsigned xforward; /* and XFORWARD's */
};

/* One line of the EHLO reply, without its code ("SIZE 1000"). Unknown
 * keywords and malformed arguments are ignored, as the RFCs ask. */
void smtp_offer_line(struct smtp_offer *o, const char *line, size_t len);

/* The word of one enum smtp_xattr bit ("ADDR"). */
const char *smtp_xattr_name(unsigned attr);

/* The keyword of one enum smtp_ext bit ("8BITMIME"). */
const char *smtp_ext_name(unsigned ext);

#endif
