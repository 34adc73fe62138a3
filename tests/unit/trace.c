/* lib/mail/trace: our Received field, and counting hops (D19, D20). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "mail/trace.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- our field ---- */

static const struct field_row {
	const char *name;
	struct envelope_client client;
	bool smtputf8;
	const char *only_rcpt;
	const char *expected;
} field_rows[] = {
	{ "D19 everything",
	    { "192.0.2.1", 40312, "client.example", "mx.example.org", "ESMTPS",
		"TLS1.3/AES-256-GCM" },
	    false, "bob@example.com",
	    "Received: from mx.example.org (client.example [192.0.2.1])\r\n"
	    "\tby backup.example with ESMTPS id 0123\r\n"
	    "\t(TLS1.3/AES-256-GCM)\r\n"
	    "\tfor <bob@example.com>; Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "D19 several recipients, no TLS, no name, IPv6",
	    { "2001:db8::1", 1, "", "[IPv6:2001:db8::1]", "ESMTP", "" }, false,
	    NULL,
	    "Received: from [IPv6:2001:db8::1] (unknown "
	    "[IPv6:2001:db8::1])\r\n"
	    "\tby backup.example with ESMTP id 0123; "
	    "Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "D19 TLS and several recipients",
	    { "192.0.2.1", 1, "a", "b", "ESMTPS", "TLS1.2" }, false, NULL,
	    "Received: from b (a [192.0.2.1])\r\n"
	    "\tby backup.example with ESMTPS id 0123\r\n"
	    "\t(TLS1.2); Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "HELO", { "192.0.2.1", 1, "", "b", "SMTP", "" }, false, "x@y",
	    "Received: from b (unknown [192.0.2.1])\r\n"
	    "\tby backup.example with SMTP id 0123\r\n"
	    "\tfor <x@y>; Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "a pipe", { "", 0, "", "", "", "" }, false, NULL,
	    "Received: from unknown\r\n"
	    "\tby backup.example id 0123; "
	    "Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "RFC 6531 UTF8SMTP", { "192.0.2.1", 1, "", "b", "ESMTP", "" }, true,
	    "\xc3\xa9@y",
	    "Received: from b (unknown [192.0.2.1])\r\n"
	    "\tby backup.example with UTF8SMTP id 0123\r\n"
	    "\tfor <\xc3\xa9@y>; Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "RFC 6531 UTF8SMTPS", { "192.0.2.1", 1, "", "b", "ESMTPS", "" }, true,
	    NULL,
	    "Received: from b (unknown [192.0.2.1])\r\n"
	    "\tby backup.example with UTF8SMTPS id 0123; "
	    "Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "UTF8SMTPS said already",
	    { "192.0.2.1", 1, "", "b", "UTF8SMTPS", "" }, true, NULL,
	    "Received: from b (unknown [192.0.2.1])\r\n"
	    "\tby backup.example with UTF8SMTPS id 0123; "
	    "Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "hostile HELO",
	    { "192.0.2.1", 1, "", "a (b) by c; d\\x0d\\x0aX: \"<y>\"", "SMTP",
		"" },
	    false, NULL,
	    "Received: from a??b??by?c??d?x0d?x0aX:???y?? (unknown "
	    "[192.0.2.1])\r\n"
	    "\tby backup.example with SMTP id 0123; "
	    "Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
	{ "bytes that should never have come here",
	    { "1\r\n2", 1, "a)\n", "b\r\nX: y\001\xff", "S\nX", "(a\\)\r\nX:" },
	    false, NULL,
	    "Received: from b??X:?y?? (a?? [1??2])\r\n"
	    "\tby backup.example with S?X id 0123\r\n"
	    "\t(?a????X:); Tue, 24 Nov 2026 03:11:14 +0000\r\n" },
};

static void
D19_received_has_the_shape_of_rfc_5321(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	for (size_t i = 0; i < COUNT(field_rows); i++) {
		const struct field_row *row = &field_rows[i];
		struct envelope env = ENVELOPE_INIT;
		struct buf b = BUF_INIT(8192);

		env.arrival_us = INT64_C(1795489874123456);
		env.client = row->client;
		env.mail.smtputf8 = row->smtputf8;
		trace_received(&b, &env, "backup.example", "0123",
		    row->only_rcpt);
		if (strcmp(b.data, row->expected) != 0)
			fail_msg("%s: %s", row->name, b.data);
		buf_free(&b);
	}
}

/* RFC 5322 2.1.1: at most 998 characters, with the longest of everything. */
static void
no_line_is_too_long(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct buf b = BUF_INIT(8192);
	char rcpt[ADDR_MAX + 1];

	(void)state;
	memset(env.client.helo, 'h', ENVELOPE_TEXT_MAX - 1);
	memset(env.client.name, 'n', ENVELOPE_TEXT_MAX - 1);
	memset(env.client.tls, 't', ENVELOPE_TEXT_MAX - 1);
	memset(env.client.addr, ':', sizeof env.client.addr - 1);
	memset(env.client.proto, 'P', sizeof env.client.proto - 1);
	memset(rcpt, 'r', ADDR_MAX);
	rcpt[ADDR_MAX] = '\0';
	trace_received(&b, &env, env.client.name, "0123", rcpt);
	for (char *line = b.data, *lf; *line != '\0'; line = lf + 1) {
		lf = strchr(line, '\n');
		assert_non_null(lf);
		assert_int_equal(lf[-1], '\r');
		assert_true(lf - 1 - line <= 998);
	}
	buf_free(&b);
}

static void
a_full_buffer_is_told(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct err e = ERR_INIT;

	(void)state;
	strcpy(env.client.addr, "192.0.2.1");
	strcpy(env.client.tls, "TLS1.3");
	for (size_t max = 0; max < 80; max++) {
		struct buf b = BUF_INIT(max);

		trace_received(&b, &env, "backup.example", "0123", "x@y");
		assert_int_equal(buf_check(&b, &e), -1);
		buf_free(&b);
	}
}

/* ---- counting ---- */

#define OURS "Received: from a (b [192.0.2.1])\r\n\tby me.example with SMTP\r\n"
#define OTHER "Received: from a (b [192.0.2.1])\r\n\tby other.example\r\n"

static const struct count_row {
	const char *name;
	const char *text;
	unsigned hops, own_hops;
} count_rows[] = {
	{ "none", "Subject: x\r\n\r\n", 0, 0 },
	{ "no header section", "\r\nReceived: by me.example\r\n", 0, 0 },
	{ "one", OTHER "\r\n", 1, 0 },
	{ "own", OURS "\r\n", 1, 1 },
	{ "several", OURS OTHER OURS "Subject: x\r\n" OTHER "\r\n", 4, 2 },
	{ "D20 the body does not count", OURS "\r\n" OURS OTHER, 1, 1 },
	{ "any case", "RECEIVED: from x BY ME.Example\r\n\r\n", 1, 1 },
	{ "blank before the colon", "Received \t: by me.example\r\n\r\n", 1,
	    1 },
	{ "no blank after the colon", "Received:by me.example\r\n\r\n", 1, 1 },
	{ "folded between by and name",
	    "Received: from x\r\n by\r\n\tme.example\r\n\r\n", 1, 1 },
	{ "folded to one word each line",
	    "Received:\r\n from\r\n x\r\n by\r\n me.example\r\n ;\r\n\r\n", 1,
	    1 },
	{ "name ends at a semicolon", "Received: by me.example; x\r\n\r\n", 1,
	    1 },
	{ "name ends at a comment", "Received: by me.example(x)\r\n\r\n", 1,
	    1 },
	{ "a field counts once",
	    "Received: by me.example by me.example\r\n by me.example\r\n\r\n",
	    1, 1 },
	{ "longer name", "Received: by me.example.org\r\n\r\n", 1, 0 },
	{ "shorter name", "Received: by me.exampl\r\n\r\n", 1, 0 },
	{ "name with something before", "Received: by not.me.example\r\n\r\n",
	    1, 0 },
	{ "from us", "Received: from me.example by x\r\n\r\n", 1, 0 },
	{ "by with something before", "Received: nearby me.example\r\n\r\n", 1,
	    0 },
	{ "by in another field",
	    "X: by me.example\r\nReceived: from x\r\nY: by\r\n"
	    " me.example\r\n\r\n",
	    1, 0 },
	{ "by and name in two fields",
	    "Received: by\r\nReceived: me.example\r\n\r\n", 2, 0 },
	{ "longer field name", "Received-SPF: pass\r\n\r\n", 0, 0 },
	{ "shorter field name", "Receive: x\r\n\r\n", 0, 0 },
	{ "X before", "X-Received: by me.example\r\n\r\n", 0, 0 },
	{ "letters after blanks", "Received x: by me.example\r\n\r\n", 0, 0 },
	{ "no colon", "Received\r\n\r\n", 0, 0 },
	{ "colon on the next line", "Received\r\n : by me.example\r\n\r\n", 0,
	    0 },
	{ "in a folded line", "Subject: x\r\n Received: by me.example\r\n\r\n",
	    0, 0 },
	{ "folded line of blanks", "Subject: x\r\n \r\n" OURS "\r\n", 1, 1 },
	{ "starts folded", " x\r\n" OURS "\r\n", 1, 1 },
	{ "CR inside", "Received: by\rme.example\r\n\r\n", 1, 1 },
	{ "CR at the start", "\rReceived: by me.example\r\n\r\n", 1, 1 },
};

static void
D20_hops_are_counted_in_any_slices(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(count_rows); i++) {
		const struct count_row *row = &count_rows[i];
		size_t len = strlen(row->text);

		/* split in two at each byte, and at last byte by byte */
		for (size_t at = 0; at <= len + 1; at++) {
			struct trace_counter t;

			trace_counter_init(&t, "me.example");
			for (size_t n = 0; at > len && n < len; n++)
				trace_count(&t, row->text + n, 1);
			if (at <= len) {
				trace_count(&t, row->text, at);
				trace_count(&t, row->text + at, len - at);
			}
			if (t.hops != row->hops || t.own_hops != row->own_hops)
				fail_msg("%s, split at %zu: %u %u", row->name,
				    at, t.hops, t.own_hops);
		}
	}
}

static void
D20_a_hundred_hops_and_what_we_write_are_counted(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct trace_counter t;

	(void)state;
	strcpy(env.client.addr, "192.0.2.1");
	memset(env.client.helo, 'h', ENVELOPE_TEXT_MAX - 1);
	memset(env.client.name, 'n', ENVELOPE_TEXT_MAX - 1);
	trace_counter_init(&t, "me.example");
	for (unsigned i = 1; i <= TRACE_HOPS_MAX + 1; i++) {
		struct buf b = BUF_INIT(4096);

		trace_received(&b, &env, "me.example", "0123", NULL);
		trace_count(&t, b.data, b.len);
		buf_free(&b);
		assert_int_equal(t.hops, i);
		assert_int_equal(t.own_hops, i);
	}
}

static void
a_word_of_any_length_is_harmless(void **state)
{
	static const char by[] = "Received: by ", end[] = "\r\n\r\n";
	struct trace_counter t;
	char name[ADDR_DOMAIN_MAX + 1];

	(void)state;
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	for (size_t len = 250; len < 1000; len++) {
		trace_counter_init(&t, name);
		trace_count(&t, by, sizeof by - 1);
		for (size_t i = 0; i < len; i++)
			trace_count(&t, "x", 1);
		trace_count(&t, end, sizeof end - 1);
		assert_int_equal(t.own_hops, len == ADDR_DOMAIN_MAX);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(D19_received_has_the_shape_of_rfc_5321),
		cmocka_unit_test(no_line_is_too_long),
		cmocka_unit_test(a_full_buffer_is_told),
		cmocka_unit_test(D20_hops_are_counted_in_any_slices),
		cmocka_unit_test(
		    D20_a_hundred_hops_and_what_we_write_are_counted),
		cmocka_unit_test(a_word_of_any_length_is_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
