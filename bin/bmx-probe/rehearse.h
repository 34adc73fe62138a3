#ifndef BMX_PROBE_REHEARSE_H
#define BMX_PROBE_REHEARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/names.h"
#include "mail/smtp.h"
#include "net/connect.h"
#include "net/dns.h"
#include "spool/config.h"

/*
 * Would the primary take what this host hands over after an outage? Asked
 * while it is up, in one session from this host's address and by its name:
 * recipients it must take, a stranger's mail, an unknown recipient, many
 * transactions one after the other. No message is sent.
 */

enum rehearse_outcome {
	REHEARSE_PASS,
	REHEARSE_NOTE,   /* good to know */
	REHEARSE_SLOW,   /* a drain would be slowed, or mail be late */
	REHEARSE_REFUSE, /* mail would be refused for good, and held */
};

/* Why a server says no, as far as its words tell. */
enum rehearse_cause {
	REHEARSE_NO_CAUSE,
	REHEARSE_SPF,
	REHEARSE_DNSBL,
	REHEARSE_REVERSE, /* our address has no good name */
	REHEARSE_GREYLIST,
	REHEARSE_RATE,
	REHEARSE_NEEDS_TLS,
	REHEARSE_BUSY,   /* another 4yz */
	REHEARSE_POLICY, /* another 5yz */
	REHEARSE_CAUSES,
};
enum rehearse_cause rehearse_cause(const struct smtp_reply *said);

/* "spf", and what to do about it. */
const char *rehearse_cause_name(enum rehearse_cause cause);
const char *rehearse_cure(enum rehearse_cause cause);

struct rehearse_finding {
	const char *id; /* "session", "tls", "postmaster", "foreign-sender",
			   "unknown-recipient", "many-transactions" */
	enum rehearse_outcome outcome;
	enum rehearse_cause cause;
	char text[320]; /* printable */
};

#define REHEARSE_FINDINGS_MAX 8

struct rehearsal {
	char address[ENDPOINT_TEXT_MAX]; /* "": none answered */
	char host[DNS_NAME_MAX];
	struct rehearse_finding findings[REHEARSE_FINDINGS_MAX];
	size_t n;
	bool is_catchall_known, is_catchall;
};

struct rehearse_how {
	const struct config_host *host;
	const struct endpoint *from4, *from6; /* bind to; NULL: any */
	const char *foreign; /* a sender whose domain has "-all" in its SPF */
	const enum config_tls *level; /* instead of bmx.conf's; NULL: none */
	int family;          /* go to none but these addresses; 0: to all */
	unsigned burst;      /* transactions in a row */
	unsigned timeout_s;  /* for a domain, all in all */
	int64_t deadline_ms; /* for the run; 0: none */
};

/* 0, whatever the primary does; -1: our own trouble. */
int rehearse_domain(const struct rehearse_how *how, struct dns *dns,
    const struct config_domain *domain, struct rehearsal *r, struct err *e);

/* The worst of all. */
enum rehearse_outcome rehearse_worst(const struct rehearsal *r);

void rehearse_print(FILE *out, const char *name, const struct rehearsal *r);
void rehearse_print_json(FILE *out, const char *name,
    const struct rehearsal *r);

/* ---- all that are asked about ---- */

struct rehearse_run {
	struct rehearse_how how;
	const struct config *config;
	struct names *names; /* NULL: every domain of the configuration */
	bool is_kept;        /* a catch-all goes into the recipient memory */
	bool is_json;
	FILE *out;
	/* what came out */
	size_t nbad; /* names that are not ours */
	size_t nrefused, nslow;
};
int rehearse_all(struct rehearse_run *run, struct err *e);

#endif
