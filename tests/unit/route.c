/* The pure part of routing: lib/smtp/route_order.c. Tests with DNS are in
 * tests/e2e/route-*.t. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/route_order.h"

#define HOSTS_MAX 6
#define NONE ROUTE_NO_PREFERENCE

struct record {
	const char *name;
	unsigned preference;
	uint32_t tie;
	const char *addrs; /* blanks between them; "SELF" is one of ours,
			      "FAIL" a look-up without answer */
};

static void
add_addresses(struct route_host *h, const char *addrs)
{
	char words[512], *save = NULL;
	struct endpoint ep;

	snprintf(words, sizeof words, "%s", addrs);
	for (char *w = strtok_r(words, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save)) {
		enum route_family f = ROUTE_V4;

		if (strcmp(w, "SELF") == 0) {
			h->is_self = true;
			continue;
		}
		if (strcmp(w, "FAIL") == 0) {
			h->trouble = DNS_SERVFAIL;
			continue;
		}
		assert_true(endpoint_parse(&ep, w, 25));
		if (ep.addr.ss_family == AF_INET6)
			f = ROUTE_V6;
		h->addrs[f][h->naddrs[f]++] = ep;
	}
}

static size_t
make_hosts(struct route_host *hosts, const struct record *records)
{
	size_t n = 0;

	for (; n < HOSTS_MAX && records[n].name != NULL; n++) {
		memset(&hosts[n], 0, sizeof hosts[n]);
		hosts[n].name = records[n].name;
		hosts[n].preference = records[n].preference;
		hosts[n].tie = records[n].tie;
		add_addresses(&hosts[n], records[n].addrs);
	}
	return n;
}

/* "host=address ..." in the order to be tried. */
static char *
order_text(const struct route *r, char out[1024])
{
	char text[ENDPOINT_TEXT_MAX];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < r->naddrs; i++)
		used += (size_t)snprintf(out + used, 1024 - used, "%s%s=%s",
		    i > 0 ? " " : "", r->addrs[i].host,
		    endpoint_host(&r->addrs[i].ep, text));
	return out;
}

static void
MX_records_become_an_order(void **state)
{
	static const struct {
		const char *name;
		unsigned own; /* preference of our name */
		struct record records[HOSTS_MAX];
		enum route_status status;
		const char *order;
	} rows[] = {
		{ "D1 better preferences first", 40,
		    { { "c", 30, 0, "192.0.2.3" }, { "a", 10, 0, "192.0.2.1" },
			{ "b", 20, 0, "192.0.2.2" } },
		    ROUTE_OK, "a=192.0.2.1 b=192.0.2.2 c=192.0.2.3" },
		{ "D1 equal ones by the die", 40,
		    { { "a", 10, 7, "192.0.2.1" },
			{ "b", 10, 5, "192.0.2.2" } },
		    ROUTE_OK, "b=192.0.2.2 a=192.0.2.1" },
		{ "D1 preferences are numbers, not texts", 65535,
		    { { "a", 100, 0, "192.0.2.1" },
			{ "b", 9, 0, "192.0.2.2" } },
		    ROUTE_OK, "b=192.0.2.2 a=192.0.2.1" },
		{ "D2 10 primary, 20 self by name, 30 other", 20,
		    { { "p", 10, 0, "192.0.2.1" },
			{ "x", 30, 0, "192.0.2.3" } },
		    ROUTE_OK, "p=192.0.2.1" },
		{ "D2 10 primary, 20 self by address, 30 other", NONE,
		    { { "p", 10, 0, "192.0.2.1" }, { "me", 20, 0, "SELF" },
			{ "x", 30, 0, "192.0.2.3" } },
		    ROUTE_OK, "p=192.0.2.1" },
		{ "D2 10 primary, 20 self and another", NONE,
		    { { "q", 20, 0, "192.0.2.2" }, { "me", 20, 1, "SELF" },
			{ "p", 10, 0, "192.0.2.1" } },
		    ROUTE_OK, "p=192.0.2.1" },
		{ "D2 10 primary and another, 20 self", 20,
		    { { "p", 10, 1, "192.0.2.1" },
			{ "q", 10, 2, "192.0.2.2" } },
		    ROUTE_OK, "p=192.0.2.1 q=192.0.2.2" },
		{ "D2 self twice, the better one counts", 30,
		    { { "me", 20, 0, "192.0.2.9 SELF" },
			{ "x", 25, 0, "192.0.2.3" },
			{ "p", 10, 0, "192.0.2.1" } },
		    ROUTE_OK, "p=192.0.2.1" },
		{ "D3 10 self by name", 10, { { .name = NULL } },
		    ROUTE_WE_ARE_BEST, "" },
		{ "D3 10 self by address, 20 other", NONE,
		    { { "me", 10, 0, "SELF" }, { "x", 20, 0, "192.0.2.3" } },
		    ROUTE_WE_ARE_BEST, "" },
		{ "D3 self and primary are equal", NONE,
		    { { "me", 10, 0, "SELF" }, { "p", 10, 1, "192.0.2.1" } },
		    ROUTE_WE_ARE_BEST, "" },
		{ "D3 a better MX without address", 20, { { "p", 10, 0, "" } },
		    ROUTE_NO_ADDRESS, "" },
		{ "D3 a better MX whose look-up failed", 20,
		    { { "p", 10, 0, "FAIL" } }, ROUTE_DNS_TROUBLE, "" },
		{ "D3 half of a look-up failed", 20,
		    { { "p", 10, 0, "FAIL 192.0.2.1" } }, ROUTE_OK,
		    "p=192.0.2.1" },
		{ "D4 self is not listed", NONE,
		    { { "p", 10, 0, "192.0.2.1" },
			{ "q", 20, 0, "192.0.2.2" } },
		    ROUTE_NOT_LISTED, "" },
		{ "D4 nobody knows whether self is listed", NONE,
		    { { "p", 10, 0, "192.0.2.1" }, { "q", 20, 0, "FAIL" } },
		    ROUTE_DNS_TROUBLE, "" },
		{ "D5 the implicit MX is another host", NONE,
		    { { "example.com", 0, 0, "192.0.2.1" } }, ROUTE_NOT_LISTED,
		    "" },
		{ "D5 the implicit MX is self", NONE,
		    { { "example.com", 0, 0, "SELF" } }, ROUTE_WE_ARE_BEST,
		    "" },
		{ "D6 an MX without address: the next", 30,
		    { { "p", 10, 0, "" }, { "q", 20, 0, "192.0.2.2" } },
		    ROUTE_OK, "q=192.0.2.2" },
		{ "D7 all addresses of a host before the next", 30,
		    { { "p", 10, 0, "192.0.2.1 192.0.2.4 192.0.2.2" },
			{ "q", 20, 0, "192.0.2.3 192.0.2.5" } },
		    ROUTE_OK,
		    "p=192.0.2.1 p=192.0.2.4 p=192.0.2.2 q=192.0.2.3 "
		    "q=192.0.2.5" },
		{ "D7 IPv4 first where IPv6 leads nowhere", 30,
		    { { "p", 10, 0, "2001:db8::1 192.0.2.1" },
			{ "q", 20, 0, "192.0.2.3 2001:db8::3" } },
		    ROUTE_OK,
		    "p=192.0.2.1 p=2001:db8::1 q=192.0.2.3 q=2001:db8::3" },
		{ "an address of two hosts is tried once", 30,
		    { { "p", 10, 0, "192.0.2.1" },
			{ "q", 20, 0, "192.0.2.1 192.0.2.2" } },
		    ROUTE_OK, "p=192.0.2.1 q=192.0.2.2" },
	};
	struct route_host *hosts = calloc(HOSTS_MAX, sizeof *hosts);
	struct route r = ROUTE_INIT;
	char got[1024];

	(void)state;
	assert_non_null(hosts);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		size_t n = make_hosts(hosts, rows[i].records), better;
		enum route_status status;

		better = route_better(hosts, n, rows[i].own);
		status = route_judge(hosts, n, better, rows[i].own, true);
		route_list(&r, hosts, status == ROUTE_OK ? better : 0, false);
		if (status != rows[i].status ||
		    strcmp(order_text(&r, got), rows[i].order) != 0)
			fail_msg("%s: status %d, \"%s\"", rows[i].name, status,
			    got);
	}
	free(hosts);
}

static void
IPv6_comes_first_where_it_leads_somewhere(void **state)
{
	static const struct record records[HOSTS_MAX] = {
		{ "p", 10, 0, "192.0.2.1 2001:db8::1 2001:db8::2 192.0.2.2" },
	};
	struct route_host hosts[HOSTS_MAX];
	struct route r = ROUTE_INIT;
	char got[1024];

	(void)state;
	route_list(&r, hosts, make_hosts(hosts, records), true);
	assert_string_equal(order_text(&r, got),
	    "p=2001:db8::1 p=2001:db8::2 p=192.0.2.1 p=192.0.2.2");
}

static void
a_route_is_not_longer_than_its_room(void **state)
{
	struct route_host *hosts = calloc(ROUTE_HOSTS_MAX, sizeof *hosts);
	struct route r = ROUTE_INIT;

	(void)state;
	assert_non_null(hosts);
	for (unsigned i = 0; i < ROUTE_HOSTS_MAX; i++) {
		hosts[i].name = "mx";
		for (unsigned j = 0; j < ROUTE_HOST_ADDRS_MAX; j++) {
			const unsigned char a[] = { 198, 51, (unsigned char)i,
				(unsigned char)j };

			endpoint_from_bytes(&hosts[i].addrs[ROUTE_V4][j], a, 4,
			    25);
		}
		hosts[i].naddrs[ROUTE_V4] = ROUTE_HOST_ADDRS_MAX;
	}
	route_list(&r, hosts, ROUTE_HOSTS_MAX, true);
	assert_int_equal(r.naddrs, ROUTE_ADDRS_MAX);
	free(hosts);
}

static void
no_failure_is_permanent(void **state)
{
	static const enum route_status all[] = { ROUTE_DNS_TROUBLE,
		ROUTE_NO_DOMAIN, ROUTE_NULL_MX, ROUTE_WE_ARE_BEST,
		ROUTE_NOT_LISTED, ROUTE_NO_ADDRESS };

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		assert_int_equal(route_status_code(all[i])[0], '4');
	assert_string_equal(route_status_code(ROUTE_NOT_LISTED), "4.4.6");
	assert_string_equal(route_status_code(ROUTE_NO_ADDRESS), "4.4.4");
	assert_string_equal(route_status_code(ROUTE_DNS_TROUBLE), "4.4.3");
}

static void
addresses_alone_ask_no_DNS(void **state)
{
	static const struct {
		const char *words[3];
		bool asks;
	} rows[] = {
		{ { NULL }, true },
		{ { "mx" }, true },
		{ { "192.0.2.1" }, false },
		{ { "192.0.2.1:2525", "[2001:db8::1]:25", "2001:db8::2" },
		    false },
		{ { "lmtp:/run/lmtp" }, false },
		{ { "mail.example.com" }, true },
		{ { "192.0.2.1", "mail.example.com:25" }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct config_domain domain = { .name = "example.com" };
		struct config_list *primary = &domain.primary;

		while (primary->n < 3 && rows[i].words[primary->n] != NULL) {
			primary->word[primary->n] =
			    (char *)(uintptr_t)rows[i].words[primary->n];
			primary->n++;
		}
		assert_int_equal(route_asks_dns(&domain), rows[i].asks);
	}
}

/* D2, D3: what was the primary once is asked when DNS does not say who it is;
 * not when it is this host by now. */
static void
the_last_good_address_is_not_our_own(void **state)
{
	static const struct {
		const char *name;
		enum route_status status;
		const char *address, *host;
		bool is_taken;
	} rows[] = {
		{ "another host", ROUTE_DNS_TROUBLE, "192.0.2.1:25", "mx.test",
		    true },
		{ "the domain is gone from DNS", ROUTE_NO_DOMAIN,
		    "192.0.2.1:25", "mx.test", true },
		{ "it has no address", ROUTE_NO_ADDRESS, "192.0.2.1:25",
		    "mx.test", true },
		{ "DNS says that we are best", ROUTE_WE_ARE_BEST,
		    "192.0.2.1:25", "mx.test", false },
		{ "an address without a name", ROUTE_DNS_TROUBLE,
		    "192.0.2.1:25", "", true },
		{ "our name", ROUTE_DNS_TROUBLE, "192.0.2.1:25", "backup.test",
		    false },
		{ "another name of ours", ROUTE_DNS_TROUBLE, "192.0.2.1:25",
		    "BACKUP.example", false },
		{ "our name, another service", ROUTE_DNS_TROUBLE,
		    "192.0.2.1:2525", "backup.test", true },
		{ "our address", ROUTE_DNS_TROUBLE, "192.0.2.9:25", "mx.test",
		    false },
		{ "our address, another port", ROUTE_DNS_TROUBLE,
		    "192.0.2.9:2525", "mx.test", false },
		{ "loopback", ROUTE_DNS_TROUBLE, "127.0.0.1:25", "mx.test",
		    false },
		{ "loopback, another service", ROUTE_DNS_TROUBLE,
		    "127.0.0.1:2525", "mx.test", true },
		{ "no address", ROUTE_DNS_TROUBLE, "mx.test:25", "mx.test",
		    false },
	};
	char *names[] = { (char *)"backup.example", (char *)"192.0.2.9" };
	const struct config_list list = { .word = { names[0], names[1] },
		.n = 2 };
	const struct route_self self = { "backup.test", &list };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct route r = ROUTE_INIT;
		struct endpoint ep;

		r.status = rows[i].status;
		r.is_by_mx = true;
		strcpy(r.why, "MX of example.com: no answer");
		if (route_last_good(&r, &self, rows[i].address, rows[i].host) !=
		    rows[i].is_taken)
			fail_msg("%s", rows[i].name);
		if (rows[i].is_taken) {
			assert_int_equal(r.status, ROUTE_OK);
			assert_int_equal(r.naddrs, 1);
			assert_true(endpoint_parse(&ep, rows[i].address, 25));
			assert_true(endpoint_same_host(&r.addrs[0].ep, &ep));
			assert_string_equal(r.addrs[0].host,
			    rows[i].host[0] != '\0' ? rows[i].host
						    : rows[i].address);
		}
		assert_string_equal(r.why, "MX of example.com: no answer");
		route_free(&r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(MX_records_become_an_order),
		cmocka_unit_test(IPv6_comes_first_where_it_leads_somewhere),
		cmocka_unit_test(a_route_is_not_longer_than_its_room),
		cmocka_unit_test(no_failure_is_permanent),
		cmocka_unit_test(addresses_alone_ask_no_DNS),
		cmocka_unit_test(the_last_good_address_is_not_our_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
