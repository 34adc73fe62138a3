#ifndef BMX_MXCHECK_SENDERS_H
#define BMX_MXCHECK_SENDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/network.h"
#include "facts.h"
#include "judge.h"
#include "roles.h"

/*
 * What senders make of a domain (RFC 5321 section 5.1): the addresses in the
 * order in which they are tried, and where mail ends, by class of sender; all
 * of it also with hosts taken away. Pure: facts in, a view out.
 */

/* ---- what is taken away ---- */

#define OUTAGE_MAX 32 /* words; at most ROLES_MAX */

struct outage {
	struct role_words hosts;
	struct network nets[OUTAGE_MAX];
	size_t nnets;
	const char *words[OUTAGE_MAX]; /* as given; borrowed */
	size_t nwords;
};

/* Add a host name, an address, or a network as NET/BITS. -1: ERR_USAGE. */
int outage_add(struct outage *o, const char *word, struct err *e);

/* ---- the view ---- */

#define SENDER_TRIES_MAX 64  /* addresses; more are not looked at */
#define SENDER_GIVES_UP_S 30 /* on an address that says nothing; Postfix */

enum sender_class {
	SENDER_PLAIN, /* takes TLS as it comes */
	SENDER_DANE,  /* RFC 7672 */
	SENDER_STS,   /* RFC 8461 */
};
#define SENDER_CLASSES 3

enum attempt {
	ATTEMPT_TAKES,   /* it is open to mail */
	ATTEMPT_UNTRIED, /* not known */
	ATTEMPT_AWAY,    /* in the outage */
	ATTEMPT_DEAD,    /* no connection, or no greeting */
	ATTEMPT_LATER,   /* 4yz */
	ATTEMPT_REFUSES, /* 5yz */
};

struct sender_try {
	const struct fact_host *host;
	size_t at; /* of its addresses */
	enum attempt attempt;
	uint64_t wait_ms; /* until the sender knows */
	const char *why;  /* the server's words, "" */
	/* Why senders of this class pass it over; NULL: they do not. */
	const char *unfit[SENDER_CLASSES];
};

enum fate {
	FATE_ARRIVES,
	FATE_UNTRIED, /* it goes to an address that was not tried */
	FATE_WAITS,   /* at the senders', who come again */
	FATE_RETURNED,
};

struct sender_fate {
	enum fate fate;
	const struct sender_try *at; /* where it goes, or the last that was
					tried; NULL: there is none */
	uint64_t wait_ms;            /* until it is there, at most */
	const char *note; /* why this class does as plain senders do, "" */
};

struct sender_view {
	struct sender_try tries[SENDER_TRIES_MAX];
	size_t n;
	size_t left; /* not looked at */
	const struct outage *outage;
	struct sender_fate fates[SENDER_CLASSES];
};

/* The view points into the facts. */
void senders_view(const struct facts *f, const struct judge_policy *policy,
    const struct outage *o, struct sender_view *out);

/* "plain", "DANE", "MTA-STS" */
const char *sender_class_name(enum sender_class class);
/* "answers", "does not answer" ... */
const char *attempt_text(enum attempt attempt);
/* "arrives", "untried", "waits", "returned" */
const char *fate_name(enum fate fate);

#endif
