#ifndef BMX_LASTWORD_H
#define BMX_LASTWORD_H

#include <stddef.h>
#include <stdint.h>

#include "mail/envelope.h"
#include "mail/smtp.h"
#include "spool/spool.h"

/*
 * What was said last about each recipient of a message, read from the lines
 * that bmx-flush leaves in its log/ID. It is for people: what is missing there
 * is missing here, and is no error.
 */
struct lastword {
	int64_t when_us;         /* 0: nothing is known */
	struct smtp_reply reply; /* code 0: no server's, but the reason why
				    there is no reply */
	char peer[80];           /* "[192.0.2.1]"; "" with code 0, and where
				    we said it ourselves */
};

/* Into words[], one for each recipient of env. */
void lastword_read(struct lastword *words, const struct envelope *env,
    const struct spool_domain *d, const char *id);

/* A peer of log and ledger as the name of a host: "192.0.2.1:25" is
 * "[192.0.2.1]", "[2001:db8::1]:25" is "[IPv6:2001:db8::1]" (RFC 5321 4.1.3),
 * "lmtp:/PATH" is "localhost". */
void lastword_peer(char *out, size_t size, const char *peer);

/* One line of such a file, for recipients of env: those that it is about get
 * it. Pure. */
void lastword_line(struct lastword *words, const struct envelope *env,
    const char *line, size_t len);

#endif
