#ifndef BMX_MXCHECK_CHECKS_H
#define BMX_MXCHECK_CHECKS_H

#include <stddef.h>

/*
 * The checks by name: what is tested, why it matters, and the cure. The ids
 * are stable: scripts know them. The order is that of --explain all.
 */

enum severity {
	SEVERITY_INFO,   /* worth knowing */
	SEVERITY_NOTICE, /* odd, without harm so far */
	SEVERITY_WARNING, /* will hurt at the next outage, or with some senders */
	SEVERITY_ERROR,   /* mail is lost, bounced or looped now */
};
#define SEVERITY_COUNT 4

enum check_id {
	CHECK_MX_EXISTS,
	CHECK_MX_NULL,
	CHECK_MX_NULL_MIXED,
	CHECK_MX_IMPLICIT,
	CHECK_MX_ONE,
	CHECK_MX_OWNER_ALIAS,
	CHECK_MX_TARGET_ALIAS,
	CHECK_MX_TARGET_IP,
	CHECK_MX_TARGET_NAME,
	CHECK_MX_TARGET_NOADDR,
	CHECK_MX_ADDR_SPECIAL,
	CHECK_MX_ADDR_DUP,
	CHECK_MX_NAME_DUP,
	CHECK_PREF_TIE,
	CHECK_PREF_ORDER,
	CHECK_SELF_LISTED,
	CHECK_TTL_RANGE,
	CHECK_TTL_RRSET,
	CHECK_LOOP,
	CHECK_NET_FATE,
	CHECK_DNS_FATE_ZONE,
	CHECK_NS_SAME_MX,
	CHECK_NS_SAME_ADDR,
	CHECK_NS_BACKUP_PRESENT,
	CHECK_NS_LAG,
	CHECK_DNSSEC_DOMAIN,
	CHECK_DNSSEC_HOST,
	CHECK_TLSA_PRESENT,
	CHECK_TLSA_LOOKUP,
	CHECK_TLSA_USABLE,
	CHECK_TLSA_ROLL,
	CHECK_STS_TXT,
	CHECK_TLSRPT,
	CHECK_SPF_MX_COUNT,
	CHECK_SPF_BACKUP,
	CHECK_MX_NULL_SENDER,
	CHECK_FCRDNS,
	CHECK_DNSBL,
	CHECK_SPF_HELO,
	CHECK_TCP_25,
	CHECK_NOLIST,
	CHECK_V6,
	CHECK_BANNER,
	CHECK_EHLO,
	CHECK_PTR_EHLO,
	CHECK_LEAK,
	CHECK_STARTTLS,
	CHECK_TLS_VERSION,
	CHECK_CERT,
	CHECK_STARTTLS_INJECT,
	CHECK_TLSA_MATCH,
	CHECK_TLSA_NAME,
	CHECK_VRFY_EXPN,
	CHECK_NULL_SENDER,
	CHECK_RELAY,
	CHECK_POSTMASTER,
	CHECK_ABUSE,
	CHECK_RCPT_PARITY,
	CHECK_EXT_SUBSET,
	CHECK_TLS_PARITY,
	CHECK_STS_POLICY,
	CHECK_STS_COVERS,
	CHECK_STS_STALE,
	CHECK_STS_CERT,
	CHECK_COUNT,
};

/* What a check costs beyond the MX records and the hosts' addresses. */
enum depth {
	DEPTH_PLAIN, /* nothing: made unless something else is asked for */
	DEPTH_FULL,  /* more questions, or an answer few domains give well:
			made with --all, or where --only names it */
	DEPTH_SMTP,  /* a session with each address, or a policy: with --smtp,
			or where --only names it */
	DEPTH_EXTRA, /* one more connection to each: with --smtp and --all, or
			where --only names it */
};

struct check {
	const char *id;
	enum severity severity; /* of most of its findings */
	const char *test;       /* what passes, one sentence */
	const char *basis;      /* "RFC 5321 5.1" */
	const char *why;
	const char *cure;
	enum depth depth;
};

extern const struct check checks[CHECK_COUNT];

/* The check of that id, any case; CHECK_COUNT: there is none. */
enum check_id check_find(const char *id);

/* "info", "notice", "warning", "error". */
const char *severity_name(enum severity severity);

/* 0, or -1: no such word. */
int severity_find(const char *word, enum severity *severity);

#endif
