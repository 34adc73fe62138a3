/* Blocks of addresses. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/network.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static void
an_address_is_in_its_block_alone(void **state)
{
	static const struct {
		const char *block, *address;
		bool is_in;
	} rows[] = {
		{ "192.0.2.0/24", "192.0.2.0", true },
		{ "192.0.2.0/24", "192.0.2.255", true },
		{ "192.0.2.0/24", "192.0.3.0", false },
		{ "192.0.2.0/24", "::ffff:192.0.2.7", true },
		{ "192.0.2.0/24", "2001:db8::1", false },
		{ "192.0.2.128/25", "192.0.2.127", false },
		{ "192.0.2.128/25", "192.0.2.128", true },
		{ "192.0.2.1", "192.0.2.1", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "0.0.0.0/0", "255.255.255.255", true },
		{ "0.0.0.0/0", "2001:db8::1", false },
		{ "::/0", "2001:db8::1", true },
		{ "::/0", "192.0.2.1", false },
		{ "::/80", "::ffff:192.0.2.1", false },
		{ "::ffff:0:0/96", "192.0.2.1", true },
		{ "2001:db8::/33", "2001:db8:7fff::1", true },
		{ "2001:db8::/33", "2001:db8:8000::1", false },
		{ "::1", "::1", true },
		{ "::1", "127.0.0.1", false },
		{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
		{ "192.0.2.0/24", "", false },
		{ "192.0.2.0/24", "192.0.2", false },
		{ "192.0.2.0/24", "mx.example.org", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct network n;

		if (!network_parse(&n, rows[i].block) ||
		    network_has(&n, rows[i].address) != rows[i].is_in)
			fail_msg("%s in %s", rows[i].address, rows[i].block);
	}
}

static void
what_is_no_block_is_refused(void **state)
{
	static const char *const rows[] = { "", "/", "192.0.2.0/", "/24",
		"192.0.2.0/33", "192.0.2.1/24", "2001:db8::/129",
		"2001:db8::1/64", "192.0.2/24", "192.0.2.0/-1", "192.0.2.0/+1",
		"192.0.2.0/24 ", "mx.example.org", "192.0.2.0/24/24",
		"00000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000001" };
	struct network n;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (network_parse(&n, rows[i]))
			fail_msg("\"%s\"", rows[i]);
}

static void
one_block_of_a_list_is_enough(void **state)
{
	char *blocks[] = { (char *)"192.0.2.0/24", (char *)"2001:db8::/32" };

	(void)state;
	assert_true(network_any_has(blocks, 2, "192.0.2.1"));
	assert_true(network_any_has(blocks, 2, "2001:db8::1"));
	assert_false(network_any_has(blocks, 2, "198.51.100.1"));
	assert_false(network_any_has(blocks, 0, "192.0.2.1"));
	assert_false(network_any_has(blocks, 2, ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_in_its_block_alone),
		cmocka_unit_test(what_is_no_block_is_refused),
		cmocka_unit_test(one_block_of_a_list_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
