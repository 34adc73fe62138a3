#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../lib/fakedns.h"
#include "smtp/policy.h"
#include "smtp/tlsa.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- the decision ---- */

enum where { BY_CONF, BY_MX, BY_SECURE_MX, BY_NAMED_MX };

static struct policy_decision
decide(enum config_tls tls, enum where where, enum policy_dane dane,
    enum policy_sts sts, bool is_listed)
{
	const struct policy_facts f = { .configured = tls,
		.is_by_bmx_conf = where == BY_CONF,
		.has_names = where == BY_NAMED_MX,
		.is_mx_secure = where == BY_SECURE_MX,
		.dane = dane,
		.sts = sts,
		.is_listed = is_listed };

	return policy_decide(&f);
}

#define NONE CONFIG_TLS_NONE
#define MAY CONFIG_TLS_MAY
#define ENCRYPT CONFIG_TLS_ENCRYPT
#define VERIFY CONFIG_TLS_VERIFY
#define DANE CONFIG_TLS_DANE
#define ONLY CONFIG_TLS_DANE_ONLY
#define PIN CONFIG_TLS_PIN
#define NO_STS POLICY_STS_NONE
#define TESTING POLICY_STS_TESTING
#define ENFORCE POLICY_STS_ENFORCE

/* clang-format off */
static const struct {
	const char *name;
	enum config_tls tls;
	enum where where;
	enum policy_dane dane;
	enum policy_sts sts;
	bool is_listed;
	/* expected */
	enum tls_result result;
	enum config_tls level;
	enum tls_proof proof;
	bool is_advice, is_vouched_for;
	enum policy_source source;
} decisions[] = {
	{ "none is none", NONE, BY_CONF, DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, NONE, TLS_ANY, false, true, POLICY_NONE },
	{ "may", MAY, BY_MX, DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, MAY, TLS_ANY, false, false, POLICY_NONE },
	{ "encrypt", ENCRYPT, BY_MX, DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, ENCRYPT, TLS_ANY, false, false, POLICY_NONE },
	{ "verify", VERIFY, BY_CONF, DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, VERIFY, TLS_PKIX, false, true, POLICY_NONE },
	{ "verify with MX that nobody vouches for", VERIFY, BY_MX,
	  DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, VERIFY, TLS_PKIX, false, false, POLICY_NONE },
	{ "pin", PIN, BY_SECURE_MX, DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, PIN, TLS_PIN, false, true, POLICY_NONE },
	{ "a pin makes it certain who it is", PIN, BY_MX, DANE_NOT_ASKED,
	  NO_STS, false,
	  TLS_OK, PIN, TLS_PIN, false, true, POLICY_NONE },
	{ "and so does a name that bmx.conf has", VERIFY, BY_NAMED_MX,
	  DANE_NOT_ASKED, NO_STS, false,
	  TLS_OK, VERIFY, TLS_PKIX, false, true, POLICY_NONE },
	{ "D42: usable records", DANE, BY_SECURE_MX, DANE_USABLE, NO_STS, false,
	  TLS_OK, DANE, TLS_DANE, false, true, POLICY_TLSA },
	{ "D42: and no MX, but a host of bmx.conf", DANE, BY_CONF, DANE_USABLE,
	  NO_STS, false,
	  TLS_OK, DANE, TLS_DANE, false, true, POLICY_TLSA },
	{ "D42: secure, no TLSA: opportunistic", DANE, BY_SECURE_MX, DANE_NONE,
	  NO_STS, false,
	  TLS_OK, MAY, TLS_ANY, false, true, POLICY_NONE },
	{ "D42: an MX that is not validated", DANE, BY_MX, DANE_NOT_ASKED,
	  NO_STS, false,
	  TLS_OK, MAY, TLS_ANY, false, false, POLICY_NONE },
	{ "D42: SERVFAIL, bogus, timeout: skip", DANE, BY_SECURE_MX,
	  DANE_TROUBLE, NO_STS, false,
	  TLS_DNSSEC_INVALID, MAY, TLS_ANY, false, true, POLICY_TLSA },
	{ "D42: only unusable: TLS, unauthenticated", DANE, BY_SECURE_MX,
	  DANE_UNUSABLE, NO_STS, false,
	  TLS_OK, ENCRYPT, TLS_ANY, false, true, POLICY_TLSA },
	{ "dane-only with usable records", ONLY, BY_SECURE_MX, DANE_USABLE,
	  NO_STS, false,
	  TLS_OK, ONLY, TLS_DANE, false, true, POLICY_TLSA },
	{ "D45: dane-only without records: dane-required", ONLY, BY_SECURE_MX,
	  DANE_NONE, NO_STS, false,
	  TLS_DANE_REQUIRED, ONLY, TLS_ANY, false, true, POLICY_TLSA },
	{ "dane-only with unusable ones", ONLY, BY_SECURE_MX, DANE_UNUSABLE,
	  NO_STS, false,
	  TLS_DANE_REQUIRED, ONLY, TLS_ANY, false, true, POLICY_TLSA },
	{ "dane-only without DNSSEC", ONLY, BY_MX, DANE_NOT_ASKED, NO_STS,
	  false,
	  TLS_DANE_REQUIRED, ONLY, TLS_ANY, false, false, POLICY_TLSA },
	{ "dane-only and trouble", ONLY, BY_MX, DANE_TROUBLE, NO_STS, false,
	  TLS_DNSSEC_INVALID, ONLY, TLS_ANY, false, false, POLICY_TLSA },
	{ "D43: enforce, listed", MAY, BY_MX, DANE_NOT_ASKED, ENFORCE, true,
	  TLS_OK, VERIFY, TLS_PKIX, false, true, POLICY_STS },
	{ "D43: enforce raises encrypt too", ENCRYPT, BY_MX, DANE_NOT_ASKED,
	  ENFORCE, true,
	  TLS_OK, VERIFY, TLS_PKIX, false, true, POLICY_STS },
	{ "D43: enforce, not listed: skip", MAY, BY_MX, DANE_NOT_ASKED, ENFORCE,
	  false,
	  TLS_VALIDATION_FAILURE, MAY, TLS_ANY, false, false, POLICY_STS },
	{ "D43: testing tells and delivers", MAY, BY_MX, DANE_NOT_ASKED,
	  TESTING, true,
	  TLS_OK, MAY, TLS_PKIX, true, false, POLICY_STS },
	{ "D43: testing, not listed", MAY, BY_MX, DANE_NOT_ASKED, TESTING,
	  false,
	  TLS_OK, MAY, TLS_PKIX, true, false, POLICY_STS },
	{ "a host of bmx.conf is no MX", MAY, BY_CONF, DANE_NOT_ASKED, ENFORCE,
	  false,
	  TLS_OK, MAY, TLS_ANY, false, true, POLICY_NONE },
	{ "none stays none", NONE, BY_MX, DANE_NOT_ASKED, ENFORCE, false,
	  TLS_OK, NONE, TLS_ANY, false, false, POLICY_NONE },
	{ "a pin proves enough", PIN, BY_MX, DANE_NOT_ASKED, ENFORCE, true,
	  TLS_OK, PIN, TLS_PIN, false, true, POLICY_STS },
	{ "but not that it is an MX", PIN, BY_MX, DANE_NOT_ASKED, ENFORCE,
	  false,
	  TLS_VALIDATION_FAILURE, PIN, TLS_PIN, false, true, POLICY_STS },
	{ "D43: MTA-STS does not excuse DANE's trouble", DANE, BY_SECURE_MX,
	  DANE_TROUBLE, ENFORCE, true,
	  TLS_DNSSEC_INVALID, MAY, TLS_ANY, false, true, POLICY_TLSA },
	{ "D43: DANE stands in front of MTA-STS", DANE, BY_SECURE_MX,
	  DANE_USABLE, TESTING, false,
	  TLS_OK, DANE, TLS_DANE, false, true, POLICY_TLSA },
	{ "without TLSA MTA-STS counts", DANE, BY_SECURE_MX, DANE_NONE, ENFORCE,
	  true,
	  TLS_OK, VERIFY, TLS_PKIX, false, true, POLICY_STS },
	{ "with unusable ones too", DANE, BY_SECURE_MX, DANE_UNUSABLE, TESTING,
	  true,
	  TLS_OK, ENCRYPT, TLS_PKIX, true, true, POLICY_STS },
};
/* clang-format on */

static void
each_level_is_what_it_says_and_never_lowered(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(decisions); i++) {
		struct policy_decision d = decide(decisions[i].tls,
		    decisions[i].where, decisions[i].dane, decisions[i].sts,
		    decisions[i].is_listed);

		if (d.result != decisions[i].result ||
		    d.level != decisions[i].level ||
		    d.proof != decisions[i].proof ||
		    d.is_advice != decisions[i].is_advice ||
		    d.is_vouched_for != decisions[i].is_vouched_for ||
		    d.source != decisions[i].source)
			fail_msg("%s: %s, level %d, proof %d, advice %d, "
				 "vouched for %d, %s",
			    decisions[i].name, tls_result_name(d.result),
			    d.level, d.proof, d.is_advice, d.is_vouched_for,
			    policy_source_name(d.source));
	}
}

/* Whatever the facts are: what was asked for is there, or mail waits. */
static void
no_combination_of_facts_lowers_a_level(void **state)
{
	(void)state;
	for (int tls = NONE; tls <= PIN; tls++)
		for (int rest = 0; rest < 4 * 5 * 3 * 2; rest++) {
			struct policy_decision d = decide((enum config_tls)tls,
			    (enum where)(rest % 4),
			    (enum policy_dane)(rest / 4 % 5),
			    (enum policy_sts)(rest / 20 % 3), rest / 60 == 1);

			if (d.result != TLS_OK)
				continue;
			if (tls == ENCRYPT)
				assert_true(d.level != MAY && d.level != NONE);
			if (tls == VERIFY)
				assert_true(d.level == VERIFY &&
					    d.proof == TLS_PKIX &&
					    !d.is_advice);
			if (tls == PIN)
				assert_true(d.level == PIN &&
					    d.proof == TLS_PIN && !d.is_advice);
			if (tls == ONLY)
				assert_true(d.level == ONLY &&
					    d.proof == TLS_DANE &&
					    !d.is_advice);
		}
}

/* ---- TLSA records ---- */

static void
tlsa_records_are_used_where_smtp_can(void **state)
{
	static const struct {
		const char *name;
		unsigned char head[3];
		size_t len; /* of the data behind */
		bool usable;
	} rows[] = {
		{ "D42: usage 0 (PKIX-TA)", { 0, 0, 1 }, 32, false },
		{ "D42: usage 1 (PKIX-EE)", { 1, 1, 1 }, 32, false },
		{ "D42: DANE-TA, certificate, SHA-256", { 2, 0, 1 }, 32, true },
		{ "D42: DANE-TA, key, SHA-512", { 2, 1, 2 }, 64, true },
		{ "D42: DANE-EE, key, SHA-256", { 3, 1, 1 }, 32, true },
		{ "D42: DANE-EE, the whole key", { 3, 1, 0 }, 91, true },
		{ "usage 4", { 4, 1, 1 }, 32, false },
		{ "usage 255 is private", { 255, 1, 1 }, 32, false },
		{ "selector 2", { 3, 2, 1 }, 32, false },
		{ "matching type 3", { 3, 1, 3 }, 32, false },
		{ "SHA-256 too short", { 3, 1, 1 }, 31, false },
		{ "SHA-256 too long", { 3, 1, 1 }, 33, false },
		{ "SHA-512 of 32 bytes", { 3, 1, 2 }, 32, false },
		{ "a digest of nothing", { 3, 1, 1 }, 0, false },
		{ "a certificate of nothing", { 3, 0, 0 }, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct tls_demand d = TLS_DEMAND_INIT;
		unsigned char wire[128] = { 0 };

		memcpy(wire, rows[i].head, 3);
		if (tlsa_add(&d, wire, 3 + rows[i].len) != rows[i].usable)
			fail_msg("%s", rows[i].name);
		assert_int_equal(d.ntlsa, rows[i].usable);
	}
}

static void
tlsa_records_cut_short_are_unusable(void **state)
{
	const unsigned char wire[3] = { 3, 1, 1 };
	struct tls_demand d = TLS_DEMAND_INIT;

	(void)state;
	for (size_t len = 0; len <= 3; len++)
		assert_false(tlsa_add(&d, wire, len));
}

static void
of_digests_of_one_kind_the_strongest_counts(void **state)
{
	static const unsigned char weak[35] = { 3, 1, 1 };
	static const unsigned char strong[67] = { 3, 1, 2 };
	static const unsigned char other[35] = { 2, 1, 1 };
	static const unsigned char whole[64] = { 3, 1, 0 };
	struct tls_demand d = TLS_DEMAND_INIT;

	(void)state;
	assert_true(tlsa_add(&d, weak, sizeof weak));
	assert_true(tlsa_add(&d, other, sizeof other));
	assert_true(tlsa_add(&d, strong, sizeof strong));
	assert_true(tlsa_add(&d, whole, sizeof whole));
	tlsa_choose(&d);
	assert_int_equal(d.ntlsa, 3);
	assert_int_equal(d.tlsa[0].usage, 2);
	assert_int_equal(d.tlsa[1].matching, 2);
	assert_int_equal(d.tlsa[2].matching, 0);
}

static void
more_records_than_anybody_has_are_left_out(void **state)
{
	static const unsigned char wire[35] = { 3, 1, 1 };
	struct tls_demand d = TLS_DEMAND_INIT;

	(void)state;
	for (int i = 0; i < TLS_TLSA_MAX; i++)
		assert_true(tlsa_add(&d, wire, sizeof wire));
	assert_false(tlsa_add(&d, wire, sizeof wire));
}

/* ---- names ---- */

static void
results_have_the_names_of_rfc_8460(void **state)
{
	static const char *const d45[] = {
		[TLS_STARTTLS_NOT_SUPPORTED] = "starttls-not-supported",
		[TLS_CERTIFICATE_HOST_MISMATCH] = "certificate-host-mismatch",
		[TLS_CERTIFICATE_EXPIRED] = "certificate-expired",
		[TLS_CERTIFICATE_NOT_TRUSTED] = "certificate-not-trusted",
		[TLS_VALIDATION_FAILURE] = "validation-failure",
		[TLS_TLSA_INVALID] = "tlsa-invalid",
		[TLS_DNSSEC_INVALID] = "dnssec-invalid",
		[TLS_DANE_REQUIRED] = "dane-required",
		[TLS_STS_POLICY_FETCH_ERROR] = "sts-policy-fetch-error",
		[TLS_STS_POLICY_INVALID] = "sts-policy-invalid",
		[TLS_STS_WEBPKI_INVALID] = "sts-webpki-invalid",
	};

	(void)state;
	for (size_t i = 1; i < COUNT(d45); i++)
		assert_string_equal(tls_result_name((enum tls_result)i),
		    d45[i]);
}

/* ---- whether DNSSEC works here ---- */

/* It is the same for each address of a domain. */
static void
the_resolver_is_checked_once_for_a_delivery(void **state)
{
	const struct config_host host = { .state = (char *)"/missing" };
	const struct config_domain domain = { .name = (char *)"example.com",
		.tls = CONFIG_TLS_DANE };
	struct route route = ROUTE_INIT;
	const struct route_addr to = { .host = "mx.example.com" };
	struct policy policy = {
		.host = &host, .domain = &domain, .route = &route
	};
	struct dns_options o = { .nservers = 1, .deadline_ms = 5000 };
	struct policy_hop hop = POLICY_HOP_INIT;
	struct err e = ERR_INIT;
	struct fakedns server;
	const char *address = server.address;

	(void)state;
	route.is_by_mx = true;
	fakedns_start(&server, FAKEDNS_NO_SOA); /* nothing is kept */
	o.servers = &address;
	policy.dns = dns_open(&o, &e);
	assert_non_null(policy.dns);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(policy_find(&policy, &to, &hop, &e), 0);
		assert_int_equal(hop.result, TLS_OK);
		assert_int_equal(hop.tls.level, CONFIG_TLS_MAY);
		policy_hop_free(&hop);
	}
	assert_int_equal(server.udp, 1);
	dns_close(policy.dns);
	fakedns_stop(&server);
}

/* ---- for mail that says "TLS-Required: No" ---- */

static void
D46_relaxed_is_what_bmx_conf_asks_for_by_itself(void **state)
{
	static const struct {
		enum config_tls tls;
		/* expected */
		enum tls_result result;
		enum config_tls level;
		enum tls_proof proof;
		int asked; /* questions to DNS */
	} rows[] = {
		{ NONE, TLS_OK, NONE, TLS_ANY, 0 },
		{ MAY, TLS_OK, MAY, TLS_ANY, 0 },
		{ ENCRYPT, TLS_OK, ENCRYPT, TLS_ANY, 0 },
		{ VERIFY, TLS_OK, VERIFY, TLS_PKIX, 0 },
		{ PIN, TLS_OK, PIN, TLS_PIN, 0 },
		{ DANE, TLS_OK, MAY, TLS_ANY, 0 },
		{ ONLY, TLS_DANE_REQUIRED, ONLY, TLS_ANY, 1 },
	};
	const struct config_host host = { .state = (char *)"/missing" };
	const struct route_addr to = { .host = "mx.example.com" };
	struct route route = ROUTE_INIT;
	struct err e = ERR_INIT;

	(void)state;
	route.is_by_mx = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct config_domain domain = {
			.name = (char *)"example.com", .tls = rows[i].tls
		};
		struct policy policy = { .is_relaxed = true };
		struct policy_hop hop = POLICY_HOP_INIT;
		struct fakedns server;
		const char *address = server.address;
		struct dns_options o = {
			.servers = &address, .nservers = 1, .deadline_ms = 5000
		};
		struct dns *dns;

		fakedns_start(&server, FAKEDNS_NO_SOA);
		dns = dns_open(&o, &e);
		assert_non_null(dns);
		assert_int_equal(policy_open(&policy, &host, &domain, &route,
				     dns, &e),
		    0);
		assert_int_equal(policy_find(&policy, &to, &hop, &e), 0);
		assert_int_equal(hop.result, rows[i].result);
		assert_int_equal(hop.tls.level, rows[i].level);
		assert_int_equal(hop.tls.demand.proof, rows[i].proof);
		assert_int_equal(server.udp, rows[i].asked);
		policy_hop_free(&hop);
		policy_close(&policy);
		dns_close(dns);
		fakedns_stop(&server);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_level_is_what_it_says_and_never_lowered),
		cmocka_unit_test(no_combination_of_facts_lowers_a_level),
		cmocka_unit_test(tlsa_records_are_used_where_smtp_can),
		cmocka_unit_test(tlsa_records_cut_short_are_unusable),
		cmocka_unit_test(of_digests_of_one_kind_the_strongest_counts),
		cmocka_unit_test(more_records_than_anybody_has_are_left_out),
		cmocka_unit_test(results_have_the_names_of_rfc_8460),
		cmocka_unit_test(the_resolver_is_checked_once_for_a_delivery),
		cmocka_unit_test(
		    D46_relaxed_is_what_bmx_conf_asks_for_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
