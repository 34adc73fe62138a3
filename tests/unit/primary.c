/* The verdict on a primary: how it is learned, kept and believed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "spool/primary.h"
#include "scratch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define NOW_S 1795489874 /* 2026-11-24T03:11:14Z */

#define UP PRIMARY_UP
#define DEFERRING PRIMARY_DEFERRING
#define DOWN PRIMARY_DOWN
#define UNKNOWN PRIMARY_UNKNOWN

/* ---- a directory that stands for a domain's ---- */

struct world {
	int fd;
	struct err e;
};

static int
setup(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	if (w == NULL)
		return -1;
	w->fd = scratch.fd;
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return scratch_empty(state);
}

static void
put_state(struct world *w, const char *text, size_t len)
{
	if (file_replace(w->fd, "primary", text, len, 0600, &w->e) == -1)
		fail_msg("%s", w->e.text);
}

/* ---- learning ---- */

/* One letter for a result or a verdict: Up, Deferring, doWn, ? unknown. */
static enum primary_verdict
of_letter(char letter)
{
	switch (letter) {
	case 'U':
		return UP;
	case 'D':
		return DEFERRING;
	case 'W':
		return DOWN;
	default:
		return UNKNOWN;
	}
}

static void
results_in_a_row_turn_the_verdict(void **state)
{
	static const struct {
		const char *name;
		unsigned rise, fall;
		const char *results, *verdicts;
	} rows[] = {
		{ "a first result counts at once: up", 2, 3, "U", "U" },
		{ "a first result counts at once: down", 2, 3, "W", "W" },
		{ "a first result counts at once: deferring", 2, 3, "D", "D" },
		{ "down after three", 2, 3, "UWWW", "UUUW" },
		{ "a good one between starts anew", 2, 3, "UWWUWWW",
		    "UUUUUUW" },
		{ "bad ones of both sorts are in a row", 2, 3, "UWDW", "UUUW" },
		{ "up after two", 2, 3, "WUU", "WWU" },
		{ "a bad one between starts anew", 2, 3, "WUWUU", "WWWWU" },
		{ "deferring turns down at once, and back", 2, 3, "DWD",
		    "DWD" },
		{ "rise and fall of one", 1, 1, "UWUD", "UWUD" },
		{ "rise and fall of zero are one", 0, 0, "UWU", "UWU" },
		{ "unknown teaches nothing", 2, 2, "UW?W?U?U", "UUUWWWWU" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct primary p = PRIMARY_INIT;

		for (size_t k = 0; rows[i].results[k] != '\0'; k++) {
			enum primary_verdict before = p.verdict;
			bool changed =
			    primary_learn(&p, of_letter(rows[i].results[k]),
				"because", rows[i].rise, rows[i].fall, NOW_S);

			if (p.verdict != of_letter(rows[i].verdicts[k]) ||
			    changed != (p.verdict != before))
				fail_msg("%s, result %zu: %s", rows[i].name,
				    k + 1, primary_verdict_name(p.verdict));
		}
	}
}

static void
times_say_since_when_and_when_last(void **state)
{
	struct primary p = PRIMARY_INIT;

	(void)state;
	primary_learn(&p, UP, "", 2, 2, NOW_S);
	primary_learn(&p, DOWN, "refused", 2, 2, NOW_S + 60);
	assert_int_equal(p.since_s, NOW_S);
	assert_int_equal(p.good_s, NOW_S);
	assert_int_equal(p.probed_s, NOW_S + 60);
	assert_int_equal(p.last, DOWN);
	assert_int_equal(p.run, 1);
	primary_learn(&p, DOWN, "refused", 2, 2, NOW_S + 120);
	assert_int_equal(p.verdict, DOWN);
	assert_int_equal(p.since_s, NOW_S + 120);
	assert_int_equal(p.good_s, NOW_S);
	assert_int_equal(p.run, 2);
}

static void
an_aged_verdict_is_replaced_by_the_next_result(void **state)
{
	struct primary p = PRIMARY_INIT;

	(void)state;
	primary_learn(&p, UP, "", 2, 3, NOW_S);
	p.verdict = UNKNOWN; /* as primary_read() says of an old state */
	assert_true(primary_learn(&p, DOWN, "refused", 2, 3, NOW_S + 86400));
	assert_int_equal(p.verdict, DOWN);
}

static void
reasons_are_made_printable(void **state)
{
	struct primary p = PRIMARY_INIT;

	(void)state;
	primary_learn(&p, DOWN, "said \x1b[2J\r\nverdict up", 1, 1, NOW_S);
	assert_string_equal(p.reason, "said \\x1b[2J\\x0d\\x0averdict up");
	primary_learn(&p, UP, "ignored", 1, 1, NOW_S);
	assert_string_equal(p.reason, "");
}

/* ---- the file ---- */

static void
what_is_written_is_read_back(void **state)
{
	struct world *w = *state;
	struct primary p = PRIMARY_INIT, q;

	primary_learn(&p, UP, "", 2, 3, NOW_S - 100);
	primary_learn(&p, DOWN, "192.0.2.1:25: Connection refused", 2, 1,
	    NOW_S);
	snprintf(p.address, sizeof p.address, "[2001:db8::1]:25");
	p.plain.exts = SMTP_EXT_SIZE | SMTP_EXT_STARTTLS | SMTP_EXT_PIPELINING;
	p.plain.size_max = 10240000;
	p.secured.exts =
	    SMTP_EXT_SIZE | SMTP_EXT_8BITMIME | SMTP_EXT_LIMITS | SMTP_EXT_DSN;
	p.secured.rcpt_max = 1000;
	p.secured.mail_max = 50;
	assert_int_equal(primary_write(w->fd, &p, &w->e), 0);
	if (primary_read(w->fd, NOW_S, 3600, &q, &w->e) != 1)
		fail_msg("%s", w->e.text);
	assert_int_equal(q.verdict, DOWN);
	assert_int_equal(q.since_s, NOW_S);
	assert_int_equal(q.probed_s, NOW_S);
	assert_int_equal(q.good_s, NOW_S - 100);
	assert_int_equal(q.last, DOWN);
	assert_int_equal(q.run, 1);
	assert_string_equal(q.reason, p.reason);
	assert_string_equal(q.address, p.address);
	assert_int_equal(q.plain.exts, p.plain.exts);
	assert_true(q.plain.size_max == 10240000);
	assert_int_equal(q.secured.exts, p.secured.exts);
	assert_true(q.secured.size_max == 0);
	assert_int_equal(q.secured.rcpt_max, 1000);
	assert_int_equal(q.secured.mail_max, 50);
}

static void
the_file_is_lines_of_key_and_value(void **state)
{
	static const char expected[] = "verdict up\n"
				       "since 2026-11-24T03:11:14Z\n"
				       "probed 2026-11-24T03:11:14Z\n"
				       "good 2026-11-24T03:11:14Z\n"
				       "last up\n"
				       "run 1\n"
				       "began 2026-11-24T03:11:14Z\n"
				       "recent u\n"
				       "up-time 0\n"
				       "all-time 0\n"
				       "address 192.0.2.1:25\n"
				       "plain SIZE 1000\n"
				       "plain PIPELINING\n"
				       "day 2026-11-24 up results=1 good=1\n";
	struct world *w = *state;
	struct primary p = PRIMARY_INIT;
	struct buf b = BUF_INIT(4096);
	struct stat st;

	primary_learn(&p, UP, "", 2, 3, NOW_S);
	snprintf(p.address, sizeof p.address, "192.0.2.1:25");
	p.plain.exts = SMTP_EXT_SIZE | SMTP_EXT_PIPELINING;
	p.plain.size_max = 1000;
	assert_int_equal(primary_write(w->fd, &p, &w->e), 0);
	assert_int_equal(file_read(w->fd, "primary", &b, &w->e), 1);
	assert_string_equal(b.data, expected);
	assert_int_equal(fstatat(w->fd, "primary", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	buf_free(&b);
}

static void
a_primary_that_turns_all_the_time_is_not_called_up(void **state)
{
	static const struct {
		const char *name, *results, *verdicts;
		bool is_flapping;
	} rows[] = {
		{ "five turns are a bad day", "UUWWUUWWUUWW", "UUUWWUUWWUUW",
		    false },
		{ "six are flapping: it is held", "UUWWUUWWUUWWUU",
		    "UUUWWUUWWUUWWW", true },
		{ "it still goes down", "WWUUWWUUWWUUWW", "WWWUUWWUUWWUUW",
		    true },
		{ "it is over when only two turns are left among 20",
		    "UUWWUUWWUUWWUUUUUUUUUUUUUUUUUU",
		    "UUUWWUUWWUUWWWWWWWWWWWWWWWWUUU", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct primary p = PRIMARY_INIT;
		char verdicts[64] = "";

		for (size_t k = 0; rows[i].results[k] != '\0'; k++) {
			primary_learn(&p, of_letter(rows[i].results[k]),
			    "because", 2, 2, NOW_S + (int64_t)k * 60);
			verdicts[k] = p.verdict == UP ? 'U' : 'W';
		}
		if (strcmp(verdicts, rows[i].verdicts) != 0 ||
		    p.is_flapping != rows[i].is_flapping)
			fail_msg("%s: %s (%s)", rows[i].name, verdicts,
			    p.is_flapping ? "flapping" : "not");
	}
}

static void
no_file_is_unknown_and_no_error(void **state)
{
	struct world *w = *state;
	struct primary p = { .verdict = UP };

	assert_int_equal(primary_read(w->fd, NOW_S, 3600, &p, &w->e), 0);
	assert_int_equal(p.verdict, UNKNOWN);
}

static void
an_old_state_is_unknown_never_down(void **state)
{
	static const struct {
		int64_t age_s, max_age_s;
		enum primary_verdict verdict;
	} rows[] = {
		{ 0, 3600, DOWN }, { 3600, 3600, DOWN },
		{ 3601, 3600, UNKNOWN },
		{ -10, 3600, DOWN }, /* D50: the clock was set back */
		{ -3601, 3600, UNKNOWN }, { 100000000, 0, DOWN }, /* any age */
	};
	struct world *w = *state;
	struct primary p = PRIMARY_INIT;

	primary_learn(&p, DOWN, "refused", 2, 3, NOW_S);
	assert_int_equal(primary_write(w->fd, &p, &w->e), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(primary_read(w->fd, NOW_S + rows[i].age_s,
				     rows[i].max_age_s, &p, &w->e),
		    1);
		if (p.verdict != rows[i].verdict)
			fail_msg("age %d", (int)rows[i].age_s);
		assert_int_equal(p.last, DOWN); /* as it is stored */
		assert_string_equal(p.reason, "refused");
	}
}

static void
keys_of_a_later_version_are_passed_over(void **state)
{
	static const char text[] = "verdict up\n"
				   "weather fine today\n"
				   "moon\n"
				   "probed 2026-11-24T03:11:14.5Z\n"
				   "plain X-NEW-EXTENSION 1 2 3\n"
				   "day 2026-11-24 up results=7 rain=none\n"
				   "reason\n";
	struct world *w = *state;
	struct primary p;

	put_state(w, text, strlen(text));
	assert_int_equal(primary_read(w->fd, NOW_S, 3600, &p, &w->e), 1);
	assert_int_equal(p.verdict, UP);
	assert_int_equal(p.probed_s, NOW_S);
	assert_int_equal(p.plain.exts, 0);
	assert_int_equal(p.day.results, 7);
}

static void
a_damaged_file_is_unknown_and_said_to_be(void **state)
{
	static const struct {
		const char *name, *text;
		unsigned line;
	} rows[] = {
		{ "empty", "", 1 },
		{ "no time", "verdict down\n", 2 },
		{ "cut short", "verdict down\nprobed 2026-11-24T03:11", 2 },
		{ "a strange verdict", "verdict sideways\n", 1 },
		{ "a verdict's beginning", "verdict u\n", 1 },
		{ "a bad time", "verdict down\nprobed yesterday\nlast down\n",
		    2 },
		{ "a bad number", "probed 2026-11-24T03:11:14Z\nrun -1\n", 2 },
		{ "a control byte",
		    "probed 2026-11-24T03:11:14Z\nreason \x1b[2J\n", 2 },
		{ "a CR", "probed 2026-11-24T03:11:14Z\r\n", 1 },
		{ "an 8-bit byte", "probed 2026-11-24T03:11:14Z\nreason \xff\n",
		    2 },
		{ "a recent look that is neither",
		    "probed 2026-11-24T03:11:14Z\nrecent udx\n", 2 },
		{ "seconds that are none",
		    "probed 2026-11-24T03:11:14Z\nup-time 1s\n", 2 },
		{ "seconds beyond all time",
		    "probed 2026-11-24T03:11:14Z\nall-time "
		    "9999999999999999999\n",
		    2 },
		{ "TLS without an address",
		    "probed 2026-11-24T03:11:14Z\ntls 2026-11-24T03:11:14Z\n",
		    2 },
		{ "TLS at no time",
		    "probed 2026-11-24T03:11:14Z\ntls soon 192.0.2.1:25\n", 2 },
		{ "TLS before the clock",
		    "probed 2026-11-24T03:11:14Z\ntls 1970-01-01T00:00:00Z "
		    "192.0.2.1:25\n",
		    2 },
		{ "TLS with a control byte",
		    "probed 2026-11-24T03:11:14Z\ntls 2026-11-24T03:11:14Z "
		    "a\tb\n",
		    2 },
		{ "a day that is none",
		    "probed 2026-11-24T03:11:14Z\nday 2026-02-30 results=1\n",
		    2 },
		{ "a day cut short",
		    "probed 2026-11-24T03:11:14Z\nday 2026-02 results=1\n", 2 },
		{ "a day's pair without a value",
		    "probed 2026-11-24T03:11:14Z\nday 2026-11-24 results\n",
		    2 },
		{ "a bucket without a count",
		    "probed 2026-11-24T03:11:14Z\nday 2026-11-24 connect=3\n",
		    2 },
		{ "a bucket that is not",
		    "probed 2026-11-24T03:11:14Z\nday 2026-11-24 "
		    "connect=999:1\n",
		    2 },
	};
	struct world *w = *state;
	struct primary p;
	char line[32];

	for (size_t i = 0; i < COUNT(rows); i++) {
		put_state(w, rows[i].text, strlen(rows[i].text));
		w->e.class = ERR_NONE;
		if (primary_read(w->fd, NOW_S, 0, &p, &w->e) != -1)
			fail_msg("%s: read", rows[i].name);
		assert_int_equal(w->e.class, ERR_DATA);
		assert_int_equal(p.verdict, UNKNOWN);
		assert_int_equal(p.last, UNKNOWN);
		snprintf(line, sizeof line, "line %u:", rows[i].line);
		if (strstr(w->e.text, line) == NULL)
			fail_msg("%s: %s", rows[i].name, w->e.text);
	}
	put_state(w, "run 1\0\n", 7);
	assert_int_equal(primary_read(w->fd, NOW_S, 0, &p, &w->e), -1);
}

static void
a_value_that_is_too_long_is_refused_not_cut(void **state)
{
	struct world *w = *state;
	struct buf b = BUF_INIT(64 * 1024);
	struct primary p;

	buf_puts(&b, "probed 2026-11-24T03:11:14Z\naddress ");
	for (size_t i = 0; i < sizeof p.address; i++)
		buf_puts(&b, "x");
	buf_puts(&b, "\n");
	put_state(w, b.data, b.len);
	assert_int_equal(primary_read(w->fd, NOW_S, 0, &p, &w->e), -1);
	while (b.len < 20 * 1024)
		buf_puts(&b, "key value\n");
	put_state(w, b.data, b.len);
	assert_int_equal(primary_read(w->fd, NOW_S, 0, &p, &w->e), -1);
	assert_int_equal(p.verdict, UNKNOWN);
	buf_free(&b);
}

static bool
saw(struct primary *p, const char *address, bool in_tls, int64_t now_s)
{
	snprintf(p->address, sizeof p->address, "%s", address);
	return primary_saw_tls(p, in_tls, now_s);
}

static void
tls_that_was_there_is_missed_for_a_while(void **state)
{
	struct world *w = *state;
	struct primary p = PRIMARY_INIT, back;

	p.probed_s = NOW_S;
	assert_false(saw(&p, "192.0.2.1:25", false, NOW_S));
	assert_false(saw(&p, "192.0.2.1:25", true, NOW_S));
	assert_false(saw(&p, "192.0.2.2:25", false, NOW_S));
	assert_true(saw(&p, "192.0.2.1:25", false, NOW_S + 1));
	assert_int_equal(primary_write(w->fd, &p, &w->e), 0);
	assert_int_equal(primary_read(w->fd, NOW_S, 0, &back, &w->e), 1);
	assert_true(saw(&back, "192.0.2.1:25", false, NOW_S + 2));
	assert_true(saw(&back, "192.0.2.1:25", false,
	    NOW_S + PRIMARY_TLS_AGE_S));
	assert_false(saw(&back, "192.0.2.1:25", false,
	    NOW_S + PRIMARY_TLS_AGE_S + 1));
}

static void
of_too_many_addresses_with_tls_the_oldest_is_forgotten(void **state)
{
	struct primary p = PRIMARY_INIT;
	char address[32];

	(void)state;
	for (int i = 0; i <= PRIMARY_TLS_MAX; i++) {
		snprintf(address, sizeof address, "192.0.2.%d:25", i);
		assert_false(saw(&p, address, true, NOW_S + i));
	}
	assert_int_equal(p.ntls, PRIMARY_TLS_MAX);
	assert_false(saw(&p, "192.0.2.0:25", false, NOW_S + 100));
	assert_true(saw(&p, "192.0.2.1:25", false, NOW_S + 100));
	assert_true(saw(&p, address, false, NOW_S + 100));
	/* which is not the first of them any more, nor the second now */
	assert_false(saw(&p, "192.0.2.1:25", true, NOW_S + 101));
	assert_false(saw(&p, "192.0.2.100:25", true, NOW_S + 102));
	assert_false(saw(&p, "192.0.2.2:25", false, NOW_S + 103));
	assert_true(saw(&p, "192.0.2.1:25", false, NOW_S + 103));
	assert_true(saw(&p, "192.0.2.100:25", false, NOW_S + 103));
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(results_in_a_row_turn_the_verdict),
		cmocka_unit_test(times_say_since_when_and_when_last),
		cmocka_unit_test(
		    an_aged_verdict_is_replaced_by_the_next_result),
		cmocka_unit_test(reasons_are_made_printable),
		IN_DIR(what_is_written_is_read_back),
		IN_DIR(a_primary_that_turns_all_the_time_is_not_called_up),
		IN_DIR(the_file_is_lines_of_key_and_value),
		IN_DIR(no_file_is_unknown_and_no_error),
		IN_DIR(an_old_state_is_unknown_never_down),
		IN_DIR(keys_of_a_later_version_are_passed_over),
		IN_DIR(a_damaged_file_is_unknown_and_said_to_be),
		IN_DIR(a_value_that_is_too_long_is_refused_not_cut),
		IN_DIR(tls_that_was_there_is_missed_for_a_while),
		cmocka_unit_test(
		    of_too_many_addresses_with_tls_the_oldest_is_forgotten),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
