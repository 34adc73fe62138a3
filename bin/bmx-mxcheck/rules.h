#ifndef BMX_MXCHECK_RULES_H
#define BMX_MXCHECK_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "judge.h"

/*
 * The rules, as judge.c calls them: one function a check. A rule settles its
 * check with pass(), fail() or untested(), once or once for each host; one
 * that calls none of them found nothing to look at.
 *
 * A rule for the domain or for a host runs only when its need (judge.c) is
 * met; facts->mx is then a definite answer.
 */

enum role {
	ROLE_NONE,
	ROLE_PRIMARY,
	ROLE_BACKUP,
};

struct judging {
	const struct facts *facts;
	const struct roles *roles;
	const struct judge_policy *policy;
	struct judgement *out;
	enum check_id check;             /* that is being made */
	enum role role[FACTS_HOSTS_MAX]; /* of facts->hosts */
};

/* What a finding is about, and the look-up that shows it. */
struct about {
	const char *name;
	const char *type; /* " MX", or "" */
	const struct lookup *said;
};

/* One session with a mail host, and whom it was with. */
struct seen {
	const struct fact_session *session; /* it was tried */
	const struct fact_host *host;
	size_t at;         /* of the host's addresses */
	struct lookup who; /* its server is the address */
	struct about about;
};

#define SEEN_MAX 64 /* sessions of one domain */

/* who is filled, to be kept as long as what is returned. */
struct about about_address(const struct fact_host *h, size_t at,
    struct lookup *who);

struct about about_mx(const struct judging *j);
struct about about_host(const struct fact_host *h);
/* A host, as an MX record shows it. */
struct about about_record(const struct judging *j, const struct fact_host *h);

/* ---- outcomes ---- */

void pass(struct judging *j);
void fail(struct judging *j, enum severity severity, struct about about,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void untested(struct judging *j, struct about about, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The host's addresses could not all be had: says which family failed how. */
void untested_host(struct judging *j, const struct fact_host *h);
/* There are more MX hosts than were looked at, if there are. */
void say_hosts_left(struct judging *j);
/* The severity of the check that is being made. */
enum severity usual(const struct judging *j);

/* ---- reading the facts ---- */

bool is_root(const struct fact_host *h);
/* Host i is one to look at: not the root, and its name is not an earlier
 * host's. */
bool is_target(const struct facts *f, size_t i);
size_t count_targets(const struct facts *f);
/* Every address of the host is known. */
bool is_complete(const struct fact_host *h);
/* The host may have more addresses than are known. */
bool lacks_addresses(const struct fact_host *h);
/* The last name of the chain of aliases. */
const char *owner_of(const struct lookup *l);

/* ---- rules_mx.c: the set of MX records ---- */
void mx_exists(struct judging *j);
void mx_null(struct judging *j);
void mx_null_mixed(struct judging *j);
void mx_implicit(struct judging *j);
void mx_one(struct judging *j);
/* Needs no definite answer: a chain of aliases that loops gives none. */
void mx_owner_alias(struct judging *j);

/* ---- rules_target.c: each MX host ---- */
void target_alias(struct judging *j, const struct fact_host *h);
void target_ip(struct judging *j, const struct fact_host *h);
void target_name(struct judging *j, const struct fact_host *h);
void target_noaddr(struct judging *j, const struct fact_host *h);
void addr_special(struct judging *j, const struct fact_host *h);
void addr_dup(struct judging *j, const struct fact_host *h);
void name_dup(struct judging *j, const struct fact_host *h);
/* An address that both have, or NULL. */
const struct fact_addr *shared_addr(const struct fact_host *one,
    const struct fact_host *other);

/* ---- rules_roles.c: primary and backup as a pair ---- */
void assign_roles(struct judging *j);
bool has_roles(const struct judging *j);
void pref_tie(struct judging *j);
void pref_order(struct judging *j);
void self_listed(struct judging *j);

/* ---- rules_fate.c: what takes primary and backup down together ---- */
void loop(struct judging *j);
void net_fate(struct judging *j);
void dns_fate_zone(struct judging *j);

/* ---- rules_ns.c: what each authoritative server says ---- */
void ns_same_mx(struct judging *j);
void ns_same_addr(struct judging *j, const struct fact_host *h);
void ns_backup_present(struct judging *j);
void ns_lag(struct judging *j);

/* ---- rules_dane.c: signatures and TLSA ---- */
/* Needs no definite answer: what is bogus gives none. */
void dnssec_domain(struct judging *j);
void dnssec_host(struct judging *j, const struct fact_host *h);
void tlsa_present(struct judging *j);
void tlsa_lookup(struct judging *j, const struct fact_host *h);
void tlsa_usable(struct judging *j, const struct fact_host *h);
void tlsa_roll(struct judging *j, const struct fact_host *h);
/* A record that senders use: usable, and signed as far as we know. */
bool is_usable_tlsa(const struct fact_host *h, const struct fact_tlsa *t);
size_t count_usable(const struct fact_host *h);

/* ---- rules_txt.c: MTA-STS, TLSRPT and SPF ---- */
void sts_txt(struct judging *j);
void tlsrpt(struct judging *j);
void spf_mx_count(struct judging *j);
void spf_backup(struct judging *j);
void mx_null_sender(struct judging *j);

/* ---- rules_addr.c: each address ---- */
void fcrdns(struct judging *j, const struct fact_host *h);
void dnsbl(struct judging *j, const struct fact_host *h);

/* True if SPF of its own name lets each address of the backup send. */
void spf_helo(struct judging *j);

/* ---- rules_smtp.c: each session ---- */
void tcp_25(struct judging *j, const struct seen *s);
void nolist(struct judging *j);
void v6(struct judging *j, const struct fact_host *h);
void banner(struct judging *j, const struct seen *s);
void ehlo(struct judging *j, const struct seen *s);
void ptr_ehlo(struct judging *j, const struct seen *s);
void leak(struct judging *j, const struct seen *s);
void vrfy_expn(struct judging *j, const struct seen *s);
void null_sender(struct judging *j, const struct seen *s);
void relay(struct judging *j, const struct seen *s);
void postmaster(struct judging *j, const struct seen *s);
void abuse(struct judging *j, const struct seen *s);

/* ---- rules_tls.c: TLS in each session ---- */
void starttls(struct judging *j, const struct seen *s);
void tls_version(struct judging *j, const struct seen *s);
void cert(struct judging *j, const struct seen *s);
void starttls_inject(struct judging *j, const struct seen *s);
void tlsa_match(struct judging *j, const struct seen *s);
void tlsa_name(struct judging *j, const struct seen *s);
/* The certificate is trusted, has the name, and is in date. */
bool is_certificate_valid(const struct judging *j, const struct fact_tls *t);
/* What a sender with DANE does with the host at this address. */
enum dane_says { DANE_NONE, DANE_GOOD, DANE_BAD, DANE_UNKNOWN };
enum dane_says dane_of_session(const struct judging *j,
    const struct fact_host *h, const struct fact_session *s);

/* ---- rules_sts.c: the policy ---- */
void sts_policy(struct judging *j);
void sts_covers(struct judging *j, const struct fact_host *h);
void sts_stale(struct judging *j);
void sts_cert(struct judging *j, const struct seen *s);
bool is_covered(const struct fact_policy *p, const char *host);

/* ---- rules_pair.c: is the backup as the primary? ---- */
void rcpt_parity(struct judging *j);
void ext_subset(struct judging *j);
void tls_parity(struct judging *j);
/* The sessions with the hosts of a role; how many. */
size_t sessions_of_role(const struct judging *j, enum role role,
    struct seen seen[SEEN_MAX]);

/* ---- rules_ttl.c: each RRset; about.said is its look-up ---- */
void ttl_range(struct judging *j, struct about about);
void ttl_rrset(struct judging *j, struct about about);

#endif
