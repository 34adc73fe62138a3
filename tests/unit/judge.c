/* bmx-mxcheck: facts in, findings out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "bmx-mxcheck/hostname.h"
#include "bmx-mxcheck/judge.h"
#include "bmx-mxcheck/senders.h"
#include "bmx-mxcheck/special.h"
#include "judge_words.h"

static void
test_row(const struct row *r)
{
	struct fixture *x = judge_words(r->facts, r->roles);
	const struct finding *f = finding_of(&x->out, r->check, r->outcome);
	const char *id = checks[r->check].id;

	if (x->out.outcome[r->check] != r->outcome)
		fail_msg("%s, %s: outcome %d, not %d", id, r->name,
		    x->out.outcome[r->check], r->outcome);
	if (r->outcome == FAIL || r->outcome == UNTESTED) {
		assert_non_null(f);
		if (f->severity != r->severity)
			fail_msg("%s, %s: severity %d, not %d", id, r->name,
			    f->severity, r->severity);
		if (r->subject != NULL && strcmp(f->subject, r->subject) != 0)
			fail_msg("%s, %s: about %s, not %s", id, r->name,
			    f->subject, r->subject);
		assert_true(f->evidence[0] != '\0');
		assert_true(f->server[0] != '\0');
	}
	free_fixture(x);
}

static const struct row *
row_at(size_t i)
{
	if (i < judge_rows_dns_n)
		return &judge_rows_dns[i];
	i -= judge_rows_dns_n;
	return i < judge_rows_smtp_n ? &judge_rows_smtp[i] : NULL;
}

static void
each_check_has_the_outcome_its_facts_call_for(void **unused)
{
	const struct row *r;

	(void)unused;
	for (size_t i = 0; (r = row_at(i)) != NULL; i++)
		test_row(r);
}

/* A check without a row that fails and one that passes is not tested. */
static void
each_check_has_rows_that_fail_pass_and_cannot_be_tested(void **unused)
{
	(void)unused;
	for (int id = 0; id < CHECK_COUNT; id++) {
		const struct row *r;
		unsigned seen = 0;

		for (size_t i = 0; (r = row_at(i)) != NULL; i++) {
			if (r->check == (enum check_id)id)
				seen |= 1u << r->outcome;
		}
		if ((seen >> UNTESTED & seen >> PASS & seen >> FAIL & 1u) == 0)
			fail_msg("%s: outcomes seen %x", checks[id].id, seen);
	}
}

/* ---- the whole ---- */

static void
a_good_pair_has_no_finding(void **unused)
{
	struct fixture *x =
	    judge_words(GOOD V6_TOO TWO_NS HOST_NS SPF TEXTS BACK LIST DANE
			    SIGNED HELLO POLICY ";met *",
		PAIR);

	(void)unused;
	if (x->out.n > 0)
		fail_msg("%s: %s", checks[x->out.findings[0].check].id,
		    x->out.findings[0].evidence);
	assert_false(judgement_has(&x->out, FAIL, INFO));
	for (int id = 0; id < CHECK_COUNT; id++) {
		if (id != CHECK_MX_NULL_SENDER && id != CHECK_TLSA_NAME &&
		    x->out.outcome[id] != PASS)
			fail_msg("%s: outcome %d", checks[id].id,
			    x->out.outcome[id]);
	}
	free_fixture(x);
}

static void
trouble_with_dns_is_never_a_fault(void **unused)
{
	static const char *const troubles[] = { "mx =SERVFAIL", "mx =REFUSED",
		"mx =MALFORMED", "mx =TIMEOUT",
		"mx 10 mx1;mx 20 mx2;a mx1 =SERVFAIL;aaaa mx1 =SERVFAIL;"
		"a mx2 =TIMEOUT;aaaa mx2 =TIMEOUT" };

	(void)unused;
	for (size_t i = 0; i < sizeof troubles / sizeof troubles[0]; i++) {
		struct fixture *x = judge_words(troubles[i], "us:other.test");

		assert_false(judgement_has(&x->out, FAIL, INFO));
		assert_true(judgement_has(&x->out, UNTESTED, ERROR));
		free_fixture(x);
	}
}

static void
an_ignored_check_is_not_made(void **unused)
{
	struct fixture *x = judge_words("mx 10 mx1;a mx1 20.0.0.1", "");

	(void)unused;
	assert_non_null(finding_of(&x->out, CHECK_MX_ONE, FAIL));
	x->policy.ignored[CHECK_MX_ONE] = true;
	judge(&x->facts, &x->roles, &x->policy, &x->out);
	assert_null(finding_of(&x->out, CHECK_MX_ONE, FAIL));
	assert_int_equal(x->out.outcome[CHECK_MX_ONE], NA);
	free_fixture(x);
}

static void
hostile_names_come_out_printable(void **unused)
{
	struct fixture *x = judge_words("mx 10 \x1b[2J\\010\x9b"
					"evil;mx 20 mx2",
	    "");

	(void)unused;
	assert_true(x->out.n > 0);
	for (size_t i = 0; i < x->out.n; i++) {
		const struct finding *f = &x->out.findings[i];

		for (const char *p = f->subject; *p != '\0'; p++)
			assert_in_range(*p, 0x20, 0x7e);
		for (const char *p = f->evidence; *p != '\0'; p++)
			assert_in_range(*p, 0x20, 0x7e);
	}
	free_fixture(x);
}

/* As many hosts and addresses as facts may hold, everything wrong with them. */
static void
findings_stay_within_their_array(void **unused)
{
	struct fixture *x = judge_words("mx 10 mx1", "p:a.test b:b.test");
	struct facts *f = &x->facts;

	(void)unused;
	while (f->nhosts < FACTS_HOSTS_MAX)
		add_host(f, 10, "_x");
	for (size_t i = 0; i < f->nhosts; i++) {
		struct fact_host *h = &f->hosts[i];

		free(h->name);
		assert_true(asprintf(&h->name, "_%zu.%0240d.test", i, 0) > 0);
		h->naddrs = 2 * FACTS_ADDRS_MAX;
		for (size_t k = 0; k < h->naddrs; k++)
			h->addrs[k].len = k % 2 == 0 ? 4 : 16;
		h->a.status = h->aaaa.status = DNS_OK;
		h->a.aliases = 3;
		h->a.ttl_min = h->aaaa.ttl_min = 0;
	}
	f->hosts_left = 1000;
	judge(f, &x->roles, &x->policy, &x->out);
	assert_in_range(x->out.n, 6 * FACTS_HOSTS_MAX, FINDINGS_MAX);
	free_fixture(x);
}

/* ---- what senders do ---- */

#define ONE_PIN ";tlsa mx2 3 1 1 32 1;sign mx2 tlsa"

struct fate_row {
	const char *facts, *without;
	const char *want[SENDER_CLASSES]; /* perhaps "; NOTE" behind it */
};

static void
expect_fates(const struct fate_row *r)
{
	struct fixture *x = judge_words(r->facts, "");
	struct outage outage = { .nnets = 0 };
	char *words = strdup(r->without == NULL ? "" : r->without);
	struct sender_view view;
	struct err e = ERR_INIT;
	struct words w;

	split(&w, words);
	for (int k = 0; k < w.n; k++)
		assert_int_equal(outage_add(&outage, w.v[k], &e), 0);
	senders_view(&x->facts, &x->policy, &outage, &view);
	for (enum sender_class c = 0; c < SENDER_CLASSES; c++) {
		const struct sender_fate *f = &view.fates[c];
		bool is_there = f->fate <= FATE_UNTRIED;
		bool has_note = strchr(r->want[c], ';') != NULL;
		char got[64];

		snprintf(got, sizeof got, "%s%s%s%s%s", fate_name(f->fate),
		    is_there ? " " : "", is_there ? f->at->host->name : "",
		    has_note ? "; " : "", has_note ? f->note : "");
		if (strcmp(got, r->want[c]) != 0)
			fail_msg("%s, without %s: %s: %s, not %s", r->facts,
			    words, sender_class_name(c), got, r->want[c]);
	}
	free(words);
	free_fixture(x);
}

static void
mail_ends_where_each_class_of_sender_takes_it(void **unused)
{
	/* clang-format off */
	static const struct fate_row cases[] = {
		{ GOOD, NULL, { "untried mx1", "untried mx1", "untried mx1" } },
		{ MET, NULL, { "arrives mx1", "arrives mx1", "arrives mx1" } },
		{ MET, "mx1", { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET, "20.0.0.1", { "arrives mx1", "arrives mx1", "arrives mx1" } },
		{ MET, "20.0.0.0/8 2600::/16", { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET, "mx1 mx2", { "waits", "waits", "waits" } },
		{ MET ";but mx1 * dead", NULL, { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET ";but mx1 * noroute", NULL, { "untried mx1", "untried mx1", "untried mx1" } },
		{ MET ";but mx1 * banner 421_x", "mx2", { "waits", "waits", "waits" } },
		{ MET ";but * * banner 554_x", NULL, { "returned", "returned", "returned" } },
		{ MET ";but * * banner 554_x;mx 30 mx3;a mx3 =SERVFAIL", NULL, { "waits", "waits", "waits" } },
		{ MET ";but * * banner 554_x;left 1", NULL, { "waits", "waits", "waits" } },
		{ MET ";text sts =SERVFAIL", NULL, { "arrives mx1", "arrives mx1", "arrives mx1; whether there is a policy is not known" } },
		{ MET ";but mx1 * ehlo 550_x", NULL, { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET ";but mx1 * mute", NULL, { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET ";but mx1 0 dead;but mx1 1 banner 554_x", "mx2", { "waits", "waits", "waits" } },
		{ MET SIGNED ONE_PIN ";but mx2 0 key 9", "mx1", { "arrives mx2", "waits", "arrives mx2" } },
		{ MET SIGNED ONE_PIN ";but mx2 0 plain", "mx1", { "arrives mx2", "waits", "arrives mx2" } },
		{ MET SIGNED ONE_PIN, "mx1", { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET SIGNED ";tlsa mx2 =SERVFAIL", "mx1", { "arrives mx2", "waits", "arrives mx2" } },
		{ MET SIGNED ";tlsa mx2 2 1 1 32 2;sign mx2 tlsa", "mx1", { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET SIGNED ";tlsa mx2 2 1 1 32 2;sign mx2 tlsa;but mx2 0 misnamed", "mx1", { "arrives mx2", "waits", "arrives mx2" } },
		{ MET ";text sts v=STSv1+id=1", NULL, { "arrives mx1", "arrives mx1", "arrives mx1; the policy was not fetched" } },
		{ MET ";policy =BAD", NULL, { "arrives mx1", "arrives mx1", "arrives mx1; the policy is of no use" } },
		{ MET ";policy enforce mx1", "mx1", { "arrives mx2", "arrives mx2", "waits" } },
		{ MET ";policy testing mx1", "mx1", { "arrives mx2", "arrives mx2", "arrives mx2" } },
		{ MET POLICY ";but mx2 0 untrusted", "mx1", { "arrives mx2", "arrives mx2", "waits" } },
		{ MET POLICY ";but mx2 0 plain", "mx1", { "arrives mx2", "arrives mx2", "waits" } },
		{ GOOD ";policy enforce mx2", NULL, { "untried mx1", "untried mx1", "untried mx2" } },
		{ NULL_MX, NULL, { "returned", "returned", "returned" } },
		{ "mx =NXDOMAIN", NULL, { "returned", "returned", "returned" } },
		{ "mx =SERVFAIL", NULL, { "waits", "waits", "waits" } },
		{ "mx 10 mx1;a mx1 =TIMEOUT", NULL, { "waits", "waits", "waits" } },
		{ "a example.com 20.0.0.1;met *", NULL, { "arrives example.com", "arrives example.com", "arrives example.com" } },
	};
	/* clang-format on */

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect_fates(&cases[i]);
}

/* ---- host names ---- */

static void
host_names_are_letters_digits_and_hyphens(void **unused)
{
	char label[65], name[260];
	static const struct {
		const char *name;
		bool is_good;
	} names[] = {
		{ "mx.example.com", true },
		{ "MX1.example.com", true },
		{ "1mx.3com.test", true },
		{ "a.b.c.d.e", true },
		{ "xn--bcher-kva.example", true },
		{ "a--b.example.com", true },
		{ "localhosts.test", true },
		{ "mail", true },
		{ "", false },
		{ "a..b", false },
		{ ".a", false },
		{ "a.", false },
		{ "_smtp.example.com", false },
		{ "mx_1.example.com", false },
		{ "-mx.example.com", false },
		{ "mx-.example.com", false },
		{ "mx.-example.com", false },
		{ "mx.example.com-", false },
		{ "m x.example.com", false },
		{ "m\\.x.example.com", false },
		{ "m\\195\\188.example.com", false },
		{ "*.example.com", false },
		{ "mx/1.example.com", false },
		{ "localhost", false },
		{ "mx.localhost", false },
		{ "localhost.localdomain", false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if ((hostname_fault(names[i].name) == NULL) != names[i].is_good)
			fail_msg("%s", names[i].name);
	}
	memset(label, 'a', sizeof label);
	label[64] = '\0';
	assert_non_null(hostname_fault(label));
	label[63] = '\0';
	assert_null(hostname_fault(label));
	snprintf(name, sizeof name, "%s.%s.%s.%.61s", label, label, label,
	    label);
	assert_int_equal(strlen(name), 253);
	assert_null(hostname_fault(name));
	strcat(name, "a");
	assert_non_null(hostname_fault(name));

	/* An escape is one character, of 63 and 253 at most. */
	name[0] = '\0';
	for (int i = 0; i < 64; i++)
		strcat(name, "\\255");
	assert_non_null(strstr(hostname_fault(name), "other than letters"));
	name[4 * 20] = '\0';
	assert_non_null(strstr(hostname_fault(name), "other than letters"));
}

static void
addresses_are_told_from_names(void **unused)
{
	static const char *const addresses[] = { "192.0.2.1", "1.2.3.4.5", "25",
		"mx.25", "[192.0.2.1]", "2001:db8::1", "[ipv6:2001:db8::1]" };
	static const char *const names[] = { "mx1", "192.0.2.1.example.com",
		"1a", "mx.2a", "a:b", "" };

	(void)unused;
	for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
		if (!hostname_is_address(addresses[i]))
			fail_msg("%s", addresses[i]);
	}
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (hostname_is_address(names[i]))
			fail_msg("%s", names[i]);
	}
}

static void
a_forgotten_final_dot_is_suspected(void **unused)
{
	(void)unused;
	assert_true(hostname_lacks_dot("mx1.example.com.example.com",
	    "example.com"));
	assert_true(hostname_lacks_dot("192.0.2.1.example.com", "example.com"));
	assert_true(hostname_lacks_dot("example.com.example.com",
	    "example.com"));
	assert_true(hostname_lacks_dot("mx1.sub.example.com.example.com",
	    "sub.example.com"));
	assert_false(hostname_lacks_dot("mx1.example.com", "example.com"));
	assert_false(hostname_lacks_dot("example.com", "example.com"));
	assert_false(hostname_lacks_dot("mx1.myexample.com.example.com",
	    "example.com"));
	assert_false(hostname_lacks_dot("mx1.example.net", "example.com"));
}

/* ---- special-purpose addresses ---- */

static void
special_purpose_addresses_are_known(void **unused)
{
	static const struct {
		const char *address;
		const char *prefix; /* NULL: an ordinary address */
	} cases[] = {
		{ "0.0.0.0", "0.0.0.0/32" },
		{ "0.0.0.1", "0.0.0.0/8" },
		{ "0.255.255.255", "0.0.0.0/8" },
		{ "1.0.0.0", NULL },
		{ "9.255.255.255", NULL },
		{ "10.0.0.0", "10.0.0.0/8" },
		{ "10.255.255.255", "10.0.0.0/8" },
		{ "11.0.0.0", NULL },
		{ "100.63.255.255", NULL },
		{ "100.64.0.0", "100.64.0.0/10" },
		{ "100.127.255.255", "100.64.0.0/10" },
		{ "100.128.0.0", NULL },
		{ "126.255.255.255", NULL },
		{ "127.0.0.1", "127.0.0.0/8" },
		{ "127.255.255.255", "127.0.0.0/8" },
		{ "128.0.0.0", NULL },
		{ "169.253.255.255", NULL },
		{ "169.254.0.0", "169.254.0.0/16" },
		{ "169.254.255.255", "169.254.0.0/16" },
		{ "169.255.0.0", NULL },
		{ "172.15.255.255", NULL },
		{ "172.16.0.0", "172.16.0.0/12" },
		{ "172.31.255.255", "172.16.0.0/12" },
		{ "172.32.0.0", NULL },
		{ "192.0.0.0", "192.0.0.0/24" },
		{ "192.0.0.255", "192.0.0.0/24" },
		{ "192.0.1.0", NULL },
		{ "192.0.2.255", "192.0.2.0/24" },
		{ "192.0.3.0", NULL },
		{ "192.31.196.1", "192.31.196.0/24" },
		{ "192.52.193.1", "192.52.193.0/24" },
		{ "192.88.99.1", "192.88.99.0/24" },
		{ "192.167.255.255", NULL },
		{ "192.168.0.0", "192.168.0.0/16" },
		{ "192.168.255.255", "192.168.0.0/16" },
		{ "192.169.0.0", NULL },
		{ "192.175.48.1", "192.175.48.0/24" },
		{ "198.17.255.255", NULL },
		{ "198.18.0.0", "198.18.0.0/15" },
		{ "198.19.255.255", "198.18.0.0/15" },
		{ "198.20.0.0", NULL },
		{ "198.51.100.1", "198.51.100.0/24" },
		{ "203.0.113.1", "203.0.113.0/24" },
		{ "223.255.255.255", NULL },
		{ "224.0.0.1", "224.0.0.0/4" },
		{ "239.255.255.255", "224.0.0.0/4" },
		{ "240.0.0.0", "240.0.0.0/4" },
		{ "255.255.255.254", "240.0.0.0/4" },
		{ "255.255.255.255", "255.255.255.255/32" },
		{ "::", "::/128" },
		{ "::1", "::1/128" },
		{ "::2", "::/96" },
		{ "::20.0.0.1", "::/96" },
		{ "::1:0:0", "::/3" },
		{ "::ffff:20.0.0.1", "::ffff:0:0/96" },
		{ "64:ff9b::20.0.0.1", NULL },
		{ "64:ff9b:1::1", "64:ff9b:1::/48" },
		{ "64:ff9b:2::1", "::/3" },
		{ "100::1", "100::/64" },
		{ "64:ff9b::1:20.0.0.1", "::/3" },
		{ "100:0:0:1::1", "100:0:0:1::/64" },
		{ "100:0:0:2::1", "::/3" },
		{ "2001::1", "2001::/32" },
		{ "2001:1::1", "2001::/23" },
		{ "2001:2::1", "2001:2::/48" },
		{ "2001:2:1::1", "2001::/23" },
		{ "2001:1ff:ffff::1", "2001::/23" },
		{ "2001:200::1", NULL },
		{ "2001:db7:ffff::1", NULL },
		{ "2001:db8::1", "2001:db8::/32" },
		{ "2001:db9::1", NULL },
		{ "2002:1400:1::1", "2002::/16" },
		{ "2003::1", NULL },
		{ "2600::1", NULL },
		{ "2620:4f:8000::1", "2620:4f:8000::/48" },
		{ "2a00::1", NULL },
		{ "3fff::1", "3fff::/20" },
		{ "3fff:fff::1", "3fff::/20" },
		{ "3fff:1000::1", NULL },
		{ "1fff::1", "::/3" },
		{ "2000::1", NULL },
		{ "4000::1", "4000::/2" },
		{ "5f00::1", "5f00::/16" },
		{ "7fff::1", "4000::/2" },
		{ "8000::1", "8000::/1" },
		{ "fbff::1", "8000::/1" },
		{ "fc00::1", "fc00::/7" },
		{ "fdff::1", "fc00::/7" },
		{ "fe00::1", "8000::/1" },
		{ "fe80::1", "fe80::/10" },
		{ "febf::1", "fe80::/10" },
		{ "fec0::1", "fec0::/10" },
		{ "ff02::1", "ff00::/8" },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool is_v6 = strchr(cases[i].address, ':') != NULL;
		unsigned char bytes[16];
		const struct special *s;

		assert_int_equal(inet_pton(is_v6 ? AF_INET6 : AF_INET,
				     cases[i].address, bytes),
		    1);
		s = special_find(bytes, is_v6 ? 16 : 4);
		if ((s == NULL) != (cases[i].prefix == NULL) ||
		    (s != NULL && strcmp(s->prefix, cases[i].prefix) != 0))
			fail_msg("%s: %s", cases[i].address,
			    s == NULL ? "ordinary" : s->prefix);
	}
}

/* ---- the table of checks ---- */

static void
each_check_can_be_explained_and_found(void **unused)
{
	(void)unused;
	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		const struct check *c = &checks[id];

		assert_non_null(c->id);
		assert_int_equal(check_find(c->id), id);
		assert_true(strlen(c->test) > 20);
		assert_true(strlen(c->why) > 20);
		assert_true(strlen(c->cure) > 20);
		assert_true(strlen(c->basis) > 0);
	}
	assert_int_equal(check_find("mx-one"), CHECK_MX_ONE);
	assert_int_equal(check_find("MX-NOPE"), CHECK_COUNT);
	assert_int_equal(check_find(""), CHECK_COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_check_has_the_outcome_its_facts_call_for),
		cmocka_unit_test(
		    each_check_has_rows_that_fail_pass_and_cannot_be_tested),
		cmocka_unit_test(a_good_pair_has_no_finding),
		cmocka_unit_test(trouble_with_dns_is_never_a_fault),
		cmocka_unit_test(an_ignored_check_is_not_made),
		cmocka_unit_test(hostile_names_come_out_printable),
		cmocka_unit_test(findings_stay_within_their_array),
		cmocka_unit_test(mail_ends_where_each_class_of_sender_takes_it),
		cmocka_unit_test(host_names_are_letters_digits_and_hyphens),
		cmocka_unit_test(addresses_are_told_from_names),
		cmocka_unit_test(a_forgotten_final_dot_is_suspected),
		cmocka_unit_test(special_purpose_addresses_are_known),
		cmocka_unit_test(each_check_can_be_explained_and_found),
	};

	return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
