/* What bmx-queue reads and writes: logs, JSON lines, amounts, mailboxes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-queue/jline.h"
#include "bmx-queue/journal.h"
#include "bmx-queue/measure.h"
#include "bmx-queue/output.h"
#include "bmx-queue/unwire.h"

#define T1 "2026-11-24T03:11:14.000000Z "
#define T2 "2026-11-24T04:11:14.000000Z "

static void
a_log_is_told_in_short(void **state)
{
	static const struct {
		const char *name, *text;
		unsigned long attempts;
		const char *reply, *peer, *hold;
	} rows[] = {
		{ "nothing", "", 0, "", "", "" },
		{ "one attempt",
		    T1
		    "to=<b@x> deferred peer=192.0.2.1:25 reply=\"450 later\"\n",
		    1, "450 later", "192.0.2.1:25", "" },
		{ "attempts of the one who was tried last",
		    T1 "to=<a@x> deferred peer=h reply=\"450 a\"\n" T1
		       "to=<b@x> deferred peer=h reply=\"450 b\"\n" T2
		       "to=<b@x> deferred peer=h reply=\"451 b\"\n",
		    2, "451 b", "h", "" },
		{ "a refusal holds",
		    T1 "to=<b@x> refused peer=h reply=\"550 no\"\n", 1,
		    "550 no", "h", "refused: 550 no" },
		{ "an operator does",
		    T1 "action=held uid=0 reason=wait for it\n", 0, "", "",
		    "wait for it" },
		{ "a file that is set aside", T1 "set aside: torn\n", 0, "", "",
		    "set aside: torn" },
		{ "without a reply it is no attempt", T1 "to=<b@x> deferred\n",
		    1, "", "", "" },
		{ "a line that is cut",
		    T1 "to=<b@x> deferred peer=h reply=\"45", 1, "45", "h",
		    "" },
		{ "no time", "to=<b@x> deferred peer=h reply=\"450\"\n", 1,
		    "450", "h", "" },
		{ "control bytes",
		    T1 "to=<b@x> x peer=\033[2J reply=\"\033]0;\a\"\n", 1,
		    "?]0;?", "?[2J", "" },
		{ "no address ends", T1 "to=<b@x deferred reply=\"1\"\n", 0,
		    "1", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct journal j;

		print_message("# %s\n", rows[i].name);
		journal_parse(&j, rows[i].text, strlen(rows[i].text));
		assert_int_equal(j.attempts, rows[i].attempts);
		assert_string_equal(j.reply, rows[i].reply);
		assert_string_equal(j.peer, rows[i].peer);
		assert_string_equal(j.hold, rows[i].hold);
	}
}

static void
strings_come_out_as_ascii(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		{ "plain", 5, "plain" },
		{ "", 0, "" },
		{ "\"\\", 2, "\\\"\\\\" },
		{ "a\n\t\r", 4, "a\\n\\t\\r" },
		{ "\033[2J", 4, "\\u001B[2J" },
		{ "\0", 1, "\\u0000" },
		{ "\x7f", 1, "\\u007F" },
		{ "\xc3\xb6", 2, "\\u00F6" },
		{ "\xc2\x9b", 2, "\\u009B" }, /* C1: CSI */
		{ "\xf0\x9f\x93\xac", 4,
		    "\\uD83D\\uDCEC" },   /* beyond 16 bits */
		{ "\xc3", 1, "\\\\xc3" }, /* not UTF-8 */
		{ "ok\xff", 3, "ok\\\\xff" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct jline j = JLINE_INIT;
		char want[64];

		snprintf(want, sizeof want, "{\"k\":\"%s\"}", rows[i].out);
		jline_open(&j, NULL, '{');
		jline_text(&j, "k", rows[i].in, rows[i].len);
		jline_close(&j, '}');
		assert_string_equal(j.b.data, want);
		jline_free(&j);
	}
}

static void
members_have_commas_between_them(void **state)
{
	struct jline j = JLINE_INIT;

	(void)state;
	jline_open(&j, NULL, '{');
	jline_number(&j, "n", INT64_MIN);
	jline_open(&j, "a", '[');
	jline_close(&j, ']');
	jline_open(&j, "b", '[');
	jline_word(&j, NULL, "x");
	jline_null(&j, NULL);
	jline_close(&j, ']');
	jline_bool(&j, "t", true);
	jline_close(&j, '}');
	assert_string_equal(j.b.data, "{\"n\":-9223372036854775808,\"a\":[],"
				      "\"b\":[\"x\",null],\"t\":true}");
	jline_free(&j);
}

static void
amounts_are_whole_or_refused(void **state)
{
	/* clang-format off */
	static const struct {
		const char *text;
		int64_t span, size; /* -1: refused */
	} rows[] = {
		{ "90", 90, 90 }, { "90s", 90, -1 }, { "15m", 900, -1 },
		{ "12h", 43200, -1 }, { "3d", 259200, -1 },
		{ "2w", 1209600, -1 }, { "64K", -1, 65536 },
		{ "2G", -1, 2147483648 }, { "1T", -1, 1099511627776 },
		{ "", -1, -1 }, { "m", -1, -1 }, { "-1", -1, -1 },
		{ "1.5h", -1, -1 }, { " 1h", -1, -1 }, { "1hh", -1, -1 },
		{ "9223372036854775807", -1, INT64_MAX },
		{ "9223372036854775808", -1, -1 }, { "9223372036854775807w", -1, -1 },
		{ "9223372036854775807G", -1, -1 },
	};
	/* clang-format on */

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t value = -1;
		struct err e;

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(measure_span("--x", rows[i].text, &value, &e),
		    rows[i].span == -1 ? -1 : 0);
		assert_int_equal(value, rows[i].span);
		value = -1;
		assert_int_equal(measure_size("--x", rows[i].text, &value, &e),
		    rows[i].size == -1 ? -1 : 0);
		assert_int_equal(value, rows[i].size);
	}
}

static void
a_time_to_come_is_a_span_or_a_date(void **state)
{
	const int64_t now_us = 1795489200LL * 1000000; /* 2026-11-24T03:00Z */
	int64_t when;
	struct err e;

	(void)state;
	assert_int_equal(measure_until("--x", "2h", now_us, &when, &e), 0);
	assert_int_equal(when, 1795489200 + 7200);
	assert_int_equal(measure_until("--x", "2027-01-01T00:00:00Z", now_us,
			     &when, &e),
	    0);
	assert_int_equal(when, 1798761600);
	assert_int_equal(measure_until("--x", "2026-01-01T00:00:00Z", now_us,
			     &when, &e),
	    -1);
	assert_int_equal(measure_until("--x", "0", now_us, &when, &e), -1);
	assert_int_equal(measure_until("--x", "noon", now_us, &when, &e), -1);
	assert_int_equal(measure_until("--x", "2286-11-20T17:46:39Z", now_us,
			     &when, &e),
	    0);
	assert_int_equal(when, 9999999999);
	assert_int_equal(measure_until("--x", "2286-11-20T17:46:40Z", now_us,
			     &when, &e),
	    -1);
	assert_int_equal(measure_until("--x", "9223372036854", now_us, &when,
			     &e),
	    -1);
}

static void
sizes_have_two_digits_or_three(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *table, *lines;
	} rows[] = {
		{ 0, "0", "0" },
		{ 1023, "1023", "1023" },
		{ 1024, "1.0K", "1024" },
		{ 10188, "9.9K", "10188" },
		{ 10189, "10K", "10189" },
		{ 1023487, "999K", "1023487" },
		{ 1023488, "1.0M", "1023488" },
		{ 1ULL << 30, "1.0G", "1073741824" },
		{ UINT64_MAX, "16E", "18446744073709551615" },
	};
	struct output table = { .form = OUTPUT_TABLE },
		      lines = { .form = OUTPUT_LINES };
	char room[OUTPUT_WORD];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_string_equal(output_size(&table, rows[i].bytes, room),
		    rows[i].table);
		assert_string_equal(output_size(&lines, rows[i].bytes, room),
		    rows[i].lines);
	}
}

/* in pieces of n bytes */
static char *
unwired(const char *in, bool is_mbox, size_t n)
{
	char *text = NULL;
	size_t size, len = strlen(in);
	FILE *out = open_memstream(&text, &size);
	struct unwire u = UNWIRE_INIT(out, is_mbox);

	assert_non_null(out);
	for (size_t at = 0; at < len; at += n)
		unwire(&u, in + at, len - at < n ? len - at : n);
	unwire_end(&u);
	fclose(out);
	return text;
}

static void
mail_gets_line_ends_and_quotes_of_a_mailbox(void **state)
{
	static const struct {
		const char *in, *mbox, *plain;
	} rows[] = {
		{ "a\r\nb\r\n", "a\nb\n", "a\nb\n" },
		{ "a", "a\n", "a" },
		{ "", "", "" },
		{ "\r\n\r\n", "\n\n", "\n\n" },
		{ "From x\r\n", ">From x\n", "From x\n" },
		{ ">>From x\r\n", ">>>From x\n", ">>From x\n" },
		{ "a From x\r\n", "a From x\n", "a From x\n" },
		{ ">From\r\n", ">From\n", ">From\n" },
		{ "From", "From\n", "From" },
		{ ">>", ">>\n", ">>" },
		{ "Fro\r\nFrom \r\n", "Fro\n>From \n", "Fro\nFrom \n" },
		{ "a\rb\r\n", "a\rb\n", "a\rb\n" },
		{ "a\r\r\n", "a\r\n", "a\r\n" },
		{ "FFrom x\r\n", "FFrom x\n", "FFrom x\n" },
		{ "F>From x\r\n", "F>From x\n", "F>From x\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t n = 1; n < 12; n++) {
			char *mbox = unwired(rows[i].in, true, n);
			char *plain = unwired(rows[i].in, false, n);

			assert_string_equal(mbox, rows[i].mbox);
			assert_string_equal(plain, rows[i].plain);
			free(mbox);
			free(plain);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_log_is_told_in_short),
		cmocka_unit_test(strings_come_out_as_ascii),
		cmocka_unit_test(members_have_commas_between_them),
		cmocka_unit_test(amounts_are_whole_or_refused),
		cmocka_unit_test(a_time_to_come_is_a_span_or_a_date),
		cmocka_unit_test(sizes_have_two_digits_or_three),
		cmocka_unit_test(mail_gets_line_ends_and_quotes_of_a_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
