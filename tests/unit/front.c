/* D47 What trusted front ends say about the client: PROXY headers, XCLIENT. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-receive/proxy.h"
#include "bmx-receive/xclient.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define BYTES(text) text, sizeof(text) - 1
#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define SIXTY "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct envelope_client front = {
	.addr = "198.51.100.9", .port = 4000, .name = "front.example.net"
};

struct header {
	const char *name, *in;
	size_t len;
	int used;
	const char *addr; /* NULL: as it was */
	unsigned port;
};

static const struct header headers[] = {
	{ "v1 IPv4",
	    BYTES("PROXY TCP4 192.0.2.1 198.51.100.1 40312 25\r\nEHLO"), 44,
	    "192.0.2.1", 40312 },
	{ "v1 IPv6", BYTES("PROXY TCP6 2001:DB8::1 ::1 1 25\r\n"), 33,
	    "2001:db8::1", 1 },
	{ "v1 unknown", BYTES("PROXY UNKNOWN\r\n"), 15, NULL, 0 },
	{ "v1 unknown with words", BYTES("PROXY UNKNOWN a b c d\r\n"), 23, NULL,
	    0 },
	{ "v1 family and address differ", BYTES("PROXY TCP4 ::1 ::1 1 25\r\n"),
	    -1, NULL, 0 },
	{ "v1 another family", BYTES("PROXY UDP4 192.0.2.1 192.0.2.2 1 25\r\n"),
	    -1, NULL, 0 },
	{ "v1 port too large",
	    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 65536 25\r\n"), -1, NULL, 0 },
	{ "v1 a word too few", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n"),
	    -1, NULL, 0 },
	{ "v1 a word too many",
	    BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 25 x\r\n"), -1, NULL, 0 },
	{ "v1 two blanks", BYTES("PROXY TCP4  192.0.2.1 192.0.2.2 1 25\r\n"),
	    -1, NULL, 0 },
	{ "v1 bare LF", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 25\n"), -1,
	    NULL, 0 },
	{ "v1 NUL", BYTES("PROXY UNKNOWN\0x\r\n"), -1, NULL, 0 },
	{ "v1 too long", BYTES("PROXY UNKNOWN " SIXTY SIXTY "\r\n"), -1, NULL,
	    0 },
	{ "v1 lower case", BYTES("proxy UNKNOWN\r\n"), -1, NULL, 0 },
	{ "SMTP", BYTES("EHLO x\r\n"), -1, NULL, 0 },
	{ "v2 IPv4",
	    BYTES(V2 "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\x9d\x78\0\x19"
		     "EHLO"),
	    28, "192.0.2.1", 40312 },
	{ "v2 IPv4 with extensions",
	    BYTES(V2 "\x21\x11\0\x0f\xc0\0\2\1\xc6\x33\x64\1\0\1\0\x19"
		     "\x04\0\0"),
	    31, "192.0.2.1", 1 },
	{ "v2 IPv6",
	    BYTES(V2 "\x21\x21\0\x24\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
		     "\x20\1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\2\0\x19"),
	    52, "2001:db8::1", 2 },
	{ "v2 local", BYTES(V2 "\x20\0\0\0"), 16, NULL, 0 },
	{ "v2 local with addresses",
	    BYTES(V2 "\x20\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\1\0\1\0\x19"), 28,
	    NULL, 0 },
	{ "v2 unspecified", BYTES(V2 "\x21\0\0\0"), 16, NULL, 0 },
	{ "v2 too short for its family",
	    BYTES(V2 "\x21\x11\0\x0b\xc0\0\2\1\xc6\x33\x64\1\0\1\0"), -1, NULL,
	    0 },
	{ "v2 UDP",
	    BYTES(V2 "\x21\x12\0\x0c\xc0\0\2\1\xc6\x33\x64\1\0\1\0\x19"), -1,
	    NULL, 0 },
	{ "v2 of version 3", BYTES(V2 "\x31\x11\0\0"), -1, NULL, 0 },
	{ "v2 unknown command", BYTES(V2 "\x22\0\0\0"), -1, NULL, 0 },
	{ "v2 endless", BYTES(V2 "\x21\x11\xff\xff"), -1, NULL, 0 },
};

static void
a_proxy_header_says_who_the_client_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		const struct header *h = &headers[i];
		struct envelope_client c = front;
		int used = proxy_parse(h->in, h->len, &c);

		if (used != h->used)
			fail_msg("%s: %d", h->name, used);
		assert_string_equal(c.addr,
		    h->addr != NULL ? h->addr : front.addr);
		assert_int_equal(c.port,
		    h->addr != NULL ? h->port : front.port);
		assert_string_equal(c.name, h->addr != NULL ? "" : front.name);
	}
}

static void
a_proxy_header_in_pieces_is_waited_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		const struct header *h = &headers[i];

		for (int len = 0; len < h->used; len++) {
			struct envelope_client c = front;
			char *copy = malloc(len > 0 ? (size_t)len : 1);
			int used;

			memcpy(copy, h->in, (size_t)len);
			used = proxy_parse(copy, (size_t)len, &c);
			free(copy);
			if (used != 0)
				fail_msg("%s: %d of %d", h->name, used, len);
		}
	}
}

static void
xclient_changes_what_it_names_or_nothing(void **state)
{
	static const struct {
		const char *arg, *reply; /* the first digits; NULL: yes */
		const char *addr, *name, *helo, *proto;
		unsigned port;
	} rows[] = {
		{ "ADDR=192.0.2.1", NULL, "192.0.2.1", "front.example.net", "",
		    "", 4000 },
		{ "addr=IPV6:2001:DB8::1 PORT=25 Name=MX.Example.Org "
		  "HELO=there PROTO=ESMTP LOGIN=x",
		    NULL, "2001:db8::1", "mx.example.org", "there", "ESMTP",
		    25 },
		{ "ADDR=192.0.2.1 NAME=[UNAVAILABLE] PORT=[TEMPUNAVAIL]", NULL,
		    "192.0.2.1", "", "", "", 0 },
		{ "NAME=+5BTEMPUNAVAIL+5D HELO=a+20b+0Ac", NULL, "198.51.100.9",
		    "", "a\\x20b\\x0ac", "", 4000 },
		{ "ADDR=192.0.2.1 NAME=a_b.example.org HELO=x", NULL,
		    "192.0.2.1", "", "x", "", 4000 },
		{ "NAME=-.example.org", NULL, "198.51.100.9", "", "", "",
		    4000 },
		{ "", "501", NULL, NULL, NULL, NULL, 0 },
		{ "ADDR", "501", NULL, NULL, NULL, NULL, 0 },
		{ "ADDR=", "501", NULL, NULL, NULL, NULL, 0 },
		{ "ADDR=192.0.2.1 COLOUR=red", "501", NULL, NULL, NULL, NULL,
		    0 },
		{ "ADDR=192.0.2.256", "501", NULL, NULL, NULL, NULL, 0 },
		{ "ADDR=2001:db8::1", "501", NULL, NULL, NULL, NULL, 0 },
		{ "ADDR=IPV6:192.0.2.1", "501", NULL, NULL, NULL, NULL, 0 },
		{ "ADDR=mx.example.org", "501", NULL, NULL, NULL, NULL, 0 },
		{ "PORT=65536", "501", NULL, NULL, NULL, NULL, 0 },
		{ "PORT=-1", "501", NULL, NULL, NULL, NULL, 0 },
		{ "PROTO=UUCP", "501", NULL, NULL, NULL, NULL, 0 },
		{ "NAME=a+20b", "501", NULL, NULL, NULL, NULL, 0 },
		{ "NAME=../x", "501", NULL, NULL, NULL, NULL, 0 },
		{ "HELO=a+0", "501", NULL, NULL, NULL, NULL, 0 },
		{ "HELO=a+00b", "501", NULL, NULL, NULL, NULL, 0 },
		{ "HELO=a=b", "501", NULL, NULL, NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct envelope_client c = front;
		const char *reply =
		    xclient_parse(rows[i].arg, strlen(rows[i].arg), &c);

		if ((reply == NULL) != (rows[i].reply == NULL) ||
		    (reply != NULL && strncmp(reply, rows[i].reply, 3) != 0))
			fail_msg("\"%s\": %s", rows[i].arg, reply);
		if (reply != NULL) {
			assert_memory_equal(&c, &front, sizeof c);
			continue;
		}
		assert_string_equal(c.addr, rows[i].addr);
		assert_string_equal(c.name, rows[i].name);
		assert_string_equal(c.helo, rows[i].helo);
		assert_string_equal(c.proto, rows[i].proto);
		assert_int_equal(c.port, rows[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_proxy_header_says_who_the_client_is),
		cmocka_unit_test(a_proxy_header_in_pieces_is_waited_for),
		cmocka_unit_test(xclient_changes_what_it_names_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
