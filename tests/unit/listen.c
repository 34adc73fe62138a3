/* Under which network a client counts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-receive/listen.h"
#include "net/connect.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static struct listen_network
network(const char *address)
{
	struct endpoint ep;

	assert_true(endpoint_parse(&ep, address, 25));
	return listen_network_of((const struct sockaddr *)&ep.addr);
}

static void
clients_count_by_slash_24_and_slash_64(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.255", true },
		{ "192.0.2.1", "192.0.3.1", false },
		{ "192.0.2.1", "::ffff:192.0.2.9", true },
		{ "192.0.2.1", "::ffff:192.0.3.1", false },
		{ "2001:db8::1", "2001:db8::ffff:0:0:1", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "2001:db8::1", "192.0.2.1", false },
		{ "::1", "0.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct listen_network a = network(rows[i].a);
		struct listen_network b = network(rows[i].b);

		if ((memcmp(&a, &b, sizeof a) == 0) != rows[i].is_same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_count_by_slash_24_and_slash_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
