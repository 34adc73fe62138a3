#ifndef BMX_TESTS_JUDGE_WORDS_H
#define BMX_TESTS_JUDGE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "bmx-mxcheck/judge.h"

/*
 * ---- facts from a few words ----
 *
 * Statements about example.com with ';' between them:
 *
 *	mx 10 mx1			an MX record ("." is the root)
 *	mx =SERVFAIL			the MX look-up's status
 *	a mx1 20.0.0.1 20.0.0.2		addresses of a host (also aaaa)
 *	a mx1 =NXDOMAIN			its look-up's status
 *	alias mx real.example.net	aliases were followed (also: alias mx1)
 *	endless				the chain of aliases loops
 *	ttl mx 60 3600			smallest and largest TTL (also: ttl mx1)
 *	cached				nothing came from an authoritative server
 *	left 5				MX hosts that were not looked at
 *	addrs-left mx1			addresses of it were not looked at
 *	local mx1			it has an address of this host
 *
 * Words with '_' for a blank and '+' for a semicolon, about what only some checks ask for (mx is the
 * domain, FAMILY 0 or 1 is MX and SOA, of a host A and AAAA):
 *
 *	zone mx example.com		the zone was found (also: =SERVFAIL)
 *	said mx ns1 127.0.0.1 0 10_mx1,_20_mx2	what a server says
 *	said mx ns1 127.0.0.1 0 =REFUSED	(also: =NOTAA, =ROUTE,
 *					=MANY: more than we look at)
 *	said mx ns1 - 0 =NXDOMAIN	it has no address
 *	sign mx				AD (also: sign mx1 a, sign mx1 tlsa)
 *	trust				AD would count, from a resolver
 *	bogus mx			(also: bogus mx1 aaaa)
 *	tlsa mx1 3 1 1 32		a record, with so many bytes
 *	tlsa mx1 =SERVFAIL		(also: cut, one that is no record)
 *	text spf v=spf1_-all		(also: sts, tlsrpt; =SERVFAIL; =NONE; =LONG)
 *	back mx1 0 good			of address 0 (none, wrong, =TIMEOUT)
 *	list bl.test alive		(or dead)
 *	listed mx1 0 yes		(no, =TIMEOUT)
 *	hello mx2 v=spf1_a_-all		SPF of its own name (=SERVFAIL; =NONE)
 *
 * About sessions and the policy (judge_words_smtp.c):
 *
 *	met mx1 0			one without fault; * is every host, no
 *					number every address
 *	but mx1 0 relay 250_2.1.5_Ok	a reply in it that was different
 *	but mx1 0 dead			(mute, lost, untried, noroute, plain,
 *					broken, misnamed, untrusted, old ...)
 *	but mx1 0 days 3		the certificate's; from 3: it begins then
 *	policy enforce mx1,*.b.test	(testing, none; =BAD, =GONE)
 *
 * A host without a statement has neither A nor AAAA; a domain without mx is
 * its own host.
 */

#define WORDS_MAX 9

struct words {
	char *v[WORDS_MAX];
	int n;
};

void split(struct words *w, char *statement);
enum dns_status status_of(const char *word);
void set_lookup(struct lookup *l, enum dns_status status);
void add_host(struct facts *f, unsigned preference, const char *name);
struct fact_host *host_called(struct facts *f, const char *name);
/* '_' is a blank, '+' a semicolon; the caller frees it. */
char *unquote(const char *word);
/* False: it is no statement about sessions or the policy. */
bool state_smtp(struct facts *f, const struct words *w);

struct fixture {
	struct facts facts;
	struct roles roles;
	struct role_words down;
	char role_words[128]; /* roles and down point into it */
	struct judge_policy policy;
	struct judgement out;
};

/* Facts and roles from words, judged. */
struct fixture *judge_words(const char *facts, const char *roles);
void free_fixture(struct fixture *x);
const struct finding *finding_of(const struct judgement *j, enum check_id check,
    enum outcome outcome);

/* ---- each check: every outcome it can have ---- */

#define NA OUTCOME_NOT_APPLICABLE
#define PASS OUTCOME_PASS
#define UNTESTED OUTCOME_UNTESTED
#define FAIL OUTCOME_FAIL

#define INFO SEVERITY_INFO
#define NOTICE SEVERITY_NOTICE
#define WARNING SEVERITY_WARNING
#define ERROR SEVERITY_ERROR

/* A domain without fault. */
#define GOOD                                                                   \
	"mx 10 mx1;mx 20 mx2;a mx1 20.0.0.1;aaaa mx1 2600::1;a mx2 21.0.0.2"
#define NULL_MX "mx 0 ."
/* The same, asked for in full. */
#define TWO_NS                                                                 \
	";zone mx example.com;said mx ns1 40.0.0.1 0 10_mx1,_20_mx2;"          \
	"said mx ns1 40.0.0.1 1 7;said mx ns2 50.0.0.1 0 10_mx1,_20_mx2;"      \
	"said mx ns2 50.0.0.1 1 7"
#define HOST_NS                                                                \
	";zone mx1 example.com;said mx1 ns1 40.0.0.1 0 20.0.0.1;"              \
	"said mx1 ns1 40.0.0.1 1 2600::1;zone mx2 example.com;"                \
	"said mx2 ns1 40.0.0.1 0 21.0.0.2;said mx2 ns1 40.0.0.1 1 =NODATA"
#define SIGNED                                                                 \
	";trust;sign mx;sign mx1 a;sign mx1 aaaa;sign mx2 a;sign mx2 aaaa"
#define DANE                                                                   \
	";tlsa mx1 3 1 1 32 1;tlsa mx1 3 1 1 32 2;sign mx1 tlsa;"              \
	"tlsa mx2 3 1 1 32 1;tlsa mx2 2 1 1 32 2;sign mx2 tlsa"
#define TEXTS                                                                  \
	";text sts v=STSv1+id=1;text tlsrpt v=TLSRPTv1+rua=mailto:a@b.test"
#define SPF ";text spf v=spf1_mx_-all"
#define BACK ";back mx1 0 good;back mx1 1 good;back mx2 0 good"
#define LIST ";list bl.test alive;listed mx1 0 no;listed mx2 0 no"
#define PAIR "p:mx1 b:mx2"
/* Sessions with all addresses, and a policy. */
#define MET GOOD ";met *"
#define HELLO ";hello mx2 v=spf1_a_-all"
#define POLICY ";policy enforce mx1,mx2"
/* Two that could be one: both have IPv6. */
#define V6_TOO ";aaaa mx2 2600:0:1::1;sign mx2 aaaa"

struct row {
	const char *name;
	enum check_id check;
	enum outcome outcome;
	enum severity severity; /* of the finding */
	const char *facts, *roles;
	const char *subject; /* of the finding; NULL: any */
};

extern const struct row judge_rows_dns[], judge_rows_smtp[];
extern const size_t judge_rows_dns_n, judge_rows_smtp_n;

#endif
