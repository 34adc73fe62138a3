#ifndef BMX_MXCHECK_SESSION_PARTS_H
#define BMX_MXCHECK_SESSION_PARTS_H

#include "certificate.h"
#include "session.h"
#include "smtp/client.h"

/* The inside of session*.c. */

struct session {
	const struct session_job *job;
	struct client_params params;
	struct client client;
	struct fact_session *facts;
	enum certificate_key key; /* of the certificate that was shown */
	struct err err;           /* of what failed last */
};

/* Connect, greeting, EHLO, without a word in the facts; -1: not so far. */
int session_reopen(struct session *s);

/* EHLO; that the server has our own name is no failure: we may look at
 * ourselves. */
int session_hello(struct session *s);

/* STARTTLS and EHLO in it, into the facts. False: the connection is gone. */
bool session_tls(struct session *s);

/* Each in a connection of its own. */
void session_old_tls(struct session *s);
void session_inject(struct session *s);
void session_second(struct session *s);

/* Senders and recipients. False: the connection is gone. */
bool session_mail(struct session *s, struct fact_rcpts *rcpts);

void session_note(struct fact_reply *to, const struct smtp_reply *reply);
void session_say(char out[FACT_SAID_MAX], const char *text);

#endif
