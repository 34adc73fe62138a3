/* lib/net/connect.c */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/connect.h"

static void
addresses_are_parsed(void **state)
{
	static const struct {
		const char *text;
		const char *expected; /* NULL: none */
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1:25" },
		{ "192.0.2.1:2525", "192.0.2.1:2525" },
		{ "2001:db8::1", "[2001:db8::1]:25" },
		{ "2001:DB8::0:1", "[2001:db8::1]:25" },
		{ "[2001:db8::1]", "[2001:db8::1]:25" },
		{ "[2001:db8::1]:2525", "[2001:db8::1]:2525" },
		{ "2001:db8::1:2525", "[2001:db8::1:2525]:25" },
		{ "::1", "[::1]:25" },
		{ "[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.1]:1" },
		{ "192.0.2.1:65535", "192.0.2.1:65535" },
		{ "", NULL },
		{ "mx.example.com", NULL },
		{ "mx.example.com:25", NULL },
		{ "192.0.2", NULL },
		{ "192.0.2.256", NULL },
		{ "192.0.2.01", NULL },
		{ "0x7f.1", NULL },
		{ "192.0.2.1:", NULL },
		{ "192.0.2.1:0", NULL },
		{ "192.0.2.1:65536", NULL },
		{ "192.0.2.1:25x", NULL },
		{ "192.0.2.1:+25", NULL },
		{ " 192.0.2.1", NULL },
		{ "[192.0.2.1]:25", NULL },
		{ "[192.0.2.1]", NULL },
		{ "[2001:db8::1", NULL },
		{ "[2001:db8::1]25", NULL },
		{ "[2001:db8::1]:", NULL },
		{ "[]:25", NULL },
		{ "[", NULL },
		{ ":25", NULL },
		{ "1:2:3:4:5:6:7:8:9", NULL },
		{ "[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1",
		    NULL },
	};
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct endpoint ep;
		bool ok = endpoint_parse(&ep, rows[i].text, 25);

		if (ok != (rows[i].expected != NULL))
			fail_msg("\"%s\": %d", rows[i].text, ok);
		if (ok)
			assert_string_equal(endpoint_text(&ep, text),
			    rows[i].expected);
	}
}

static void
host_and_port_are_told_apart(void **state)
{
	struct endpoint ep;
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_true(endpoint_parse(&ep, "[2001:db8::1]:2525", 25));
	assert_string_equal(endpoint_host(&ep, text), "2001:db8::1");
	assert_int_equal(endpoint_port(&ep), 2525);
}

static void
an_empty_endpoint_is_empty_text(void **state)
{
	struct endpoint ep = { .len = 0 }, same = { .len = 0 };
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_string_equal(endpoint_text(&ep, text), "");
	assert_string_equal(endpoint_host(&ep, text), "");
	assert_int_equal(endpoint_port(&ep), 0);
	assert_false(endpoint_same_host(&ep, &same));
	assert_false(endpoint_is_local(&ep));
}

static void
records_become_endpoints(void **state)
{
	static const unsigned char v4[] = { 192, 0, 2, 1 };
	static const unsigned char v6[] = { 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 1 };
	struct endpoint ep;
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	endpoint_from_bytes(&ep, v4, sizeof v4, 25);
	assert_string_equal(endpoint_text(&ep, text), "192.0.2.1:25");
	endpoint_from_bytes(&ep, v6, sizeof v6, 26);
	assert_string_equal(endpoint_text(&ep, text), "[2001:db8::1]:26");
	endpoint_from_bytes(&ep, v6, 3, 25);
	assert_int_equal(ep.len, 0);
}

static void
hosts_are_compared_without_ports(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.1:2525", true },
		{ "192.0.2.1", "192.0.2.2", false },
		{ "2001:db8::1", "[2001:DB8:0::1]:2525", true },
		{ "2001:db8::1", "2001:db8::2", false },
		{ "::ffff:192.0.2.1", "192.0.2.1", true },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1", true },
		{ "::192.0.2.1", "192.0.2.1", false },
		{ "::", "0.0.0.0", false },
	};
	struct endpoint a, b;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(endpoint_parse(&a, rows[i].a, 25));
		assert_true(endpoint_parse(&b, rows[i].b, 25));
		if (endpoint_same_host(&a, &b) != rows[i].same ||
		    endpoint_same_host(&b, &a) != rows[i].same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

static void
this_host_is_known(void **state)
{
	static const struct {
		const char *text;
		bool is_local, is_loopback;
	} rows[] = {
		{ "127.0.0.1", true, true },
		{ "127.255.3.4", true, true },
		{ "::1", true, true },
		{ "::ffff:127.0.0.1", true, true },
		{ "0.0.0.0", true, false },
		{ "::", true, false },
		{ "198.51.100.77", false, false },
		{ "2001:db8::77", false, false },
		{ "128.0.0.1", false, false },
	};
	struct endpoint ep;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_true(endpoint_parse(&ep, rows[i].text, 25));
		if (endpoint_is_local(&ep) != rows[i].is_local ||
		    endpoint_is_loopback(&ep) != rows[i].is_loopback)
			fail_msg("%s", rows[i].text);
	}
}

static void
every_interface_is_this_host(void **state)
{
	struct ifaddrs *all;
	unsigned found = 0;

	(void)state;
	assert_int_equal(getifaddrs(&all), 0);
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		struct endpoint ep = { .len = 0 };

		if (i->ifa_addr == NULL)
			continue;
		if (i->ifa_addr->sa_family == AF_INET)
			ep.len = sizeof(struct sockaddr_in);
		if (i->ifa_addr->sa_family == AF_INET6)
			ep.len = sizeof(struct sockaddr_in6);
		memcpy(&ep.addr, i->ifa_addr, ep.len);
		if (ep.len == 0)
			continue;
		assert_true(endpoint_is_local(&ep));
		found++;
	}
	freeifaddrs(all);
	assert_true(found > 0);
}

/* ---- connections ---- */

/* A listening socket on loopback; its address in ep. */
static int
listen_somewhere(struct endpoint *ep, int backlog)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_not_equal(fd, -1);
	assert_true(endpoint_parse(ep, "127.0.0.1", 0));
	assert_int_equal(bind(fd, (struct sockaddr *)&ep->addr, ep->len), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ep->addr,
			     &ep->len),
	    0);
	return fd;
}

static void
a_connection_is_ready_to_use(void **state)
{
	struct endpoint ep;
	struct err e = ERR_INIT;
	int listener = listen_somewhere(&ep, 5), fd, peer, on = 0;
	socklen_t len = sizeof on;

	(void)state;
	fd = connect_to(&ep, NULL, clock_monotonic_ms() + 10000, &e);
	assert_int_not_equal(fd, -1);
	assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len),
	    0);
	assert_int_not_equal(on, 0);
	peer = accept(listener, NULL, NULL);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(peer, &on, 1), 1);
	close(peer);
	close(fd);
	close(listener);
}

static void
a_connection_comes_from_where_it_should(void **state)
{
	struct endpoint ep, from, seen = { .len = sizeof seen.addr };
	struct err e = ERR_INIT;
	int listener = listen_somewhere(&ep, 5), fd, peer;
	char text[ENDPOINT_TEXT_MAX];

	(void)state;
	assert_true(endpoint_parse(&from, "127.0.0.9", 0));
	fd = connect_to(&ep, &from, clock_monotonic_ms() + 10000, &e);
	assert_int_not_equal(fd, -1);
	peer = accept(listener, (struct sockaddr *)&seen.addr, &seen.len);
	assert_int_not_equal(peer, -1);
	assert_string_equal(endpoint_host(&seen, text), "127.0.0.9");
	close(peer);
	close(fd);
	/* an address that is not ours; IPv6 to IPv4 */
	assert_true(endpoint_parse(&from, "198.51.100.77", 0));
	assert_int_equal(connect_to(&ep, &from, clock_monotonic_ms() + 10000,
			     &e),
	    -1);
	assert_int_equal(e.sys, EADDRNOTAVAIL);
	assert_true(endpoint_parse(&from, "::1", 0));
	assert_int_equal(connect_to(&ep, &from, clock_monotonic_ms() + 10000,
			     &e),
	    -1);
	assert_int_equal(e.class, ERR_TEMP);
	close(listener);
}

static void
a_refused_connection_says_so(void **state)
{
	struct endpoint ep;
	struct err e = ERR_INIT;
	char text[ENDPOINT_TEXT_MAX];
	int listener = listen_somewhere(&ep, 5);

	(void)state;
	close(listener);
	assert_int_equal(connect_to(&ep, NULL, clock_monotonic_ms() + 10000,
			     &e),
	    -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, ECONNREFUSED);
	assert_non_null(strstr(e.text, endpoint_text(&ep, text)));
}

/* A listener whose queue is full drops further handshakes. */
static void
a_silent_host_ends_at_the_deadline(void **state)
{
	struct endpoint ep;
	struct err e = ERR_INIT;
	int listener = listen_somewhere(&ep, 0), fds[16], fd = 0, n = 0;
	int64_t began = 0;

	(void)state;
	while (n < 16 && fd != -1) {
		began = clock_monotonic_ms();
		fd = connect_to(&ep, NULL, began + 300, &e);
		if (fd != -1)
			fds[n++] = fd;
	}
	assert_true(n > 0);
	assert_int_equal(fd, -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_int_equal(e.sys, ETIMEDOUT);
	assert_in_range(clock_monotonic_ms() - began, 290, 3000);
	while (n > 0)
		close(fds[--n]);
	close(listener);
}

/* The kernel may pick the port we connect to, and TCP then connects to itself:
 * bound to it on purpose here. */
static void
a_connection_to_itself_counts_as_refused(void **state)
{
	struct endpoint ep;
	struct err e = ERR_INIT;
	int listener = listen_somewhere(&ep, 5);

	(void)state;
	close(listener);
	assert_int_equal(connect_to(&ep, &ep, clock_monotonic_ms() + 10000, &e),
	    -1);
	assert_int_equal(e.sys, ECONNREFUSED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_parsed),
		cmocka_unit_test(host_and_port_are_told_apart),
		cmocka_unit_test(an_empty_endpoint_is_empty_text),
		cmocka_unit_test(records_become_endpoints),
		cmocka_unit_test(hosts_are_compared_without_ports),
		cmocka_unit_test(this_host_is_known),
		cmocka_unit_test(every_interface_is_this_host),
		cmocka_unit_test(a_connection_is_ready_to_use),
		cmocka_unit_test(a_connection_comes_from_where_it_should),
		cmocka_unit_test(a_refused_connection_says_so),
		cmocka_unit_test(a_silent_host_ends_at_the_deadline),
		cmocka_unit_test(a_connection_to_itself_counts_as_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
