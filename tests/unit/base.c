/* lib/base: err, buf, text, clock, names, file, log, become. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/become.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/names.h"
#include "base/text.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* ---- err ---- */

static void
error_has_class_errno_and_way(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	errno = ENOSPC;
	assert_int_equal(err_sys(&e, "fsync %s", "tmp/x"), -1);
	assert_int_equal(e.sys, ENOSPC);
	assert_string_equal(e.text, "fsync tmp/x: No space left on device");
	err_prefix(&e, "spool %s", "/s");
	assert_string_equal(e.text,
	    "spool /s: fsync tmp/x: No space left on device");
	assert_int_equal(err_exit_code(&e), EX_TEMPFAIL);
}

static void
each_class_has_its_exit_code(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(err_exit_code(&e), EX_OK);
	err_perm(&e, "x");
	assert_int_equal(err_exit_code(&e), EX_UNAVAILABLE);
	err_data(&e, "x");
	assert_int_equal(err_exit_code(&e), EX_DATAERR);
	err_config(&e, "x");
	assert_int_equal(err_exit_code(&e), EX_CONFIG);
	err_usage(&e, "x");
	assert_int_equal(err_exit_code(&e), EX_USAGE);
}

static void
long_error_text_is_cut_not_overrun(void **state)
{
	struct err e = ERR_INIT;
	char big[2000];

	(void)state;
	memset(big, 'a', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	errno = EIO;
	err_sys(&e, "%s", big);
	err_prefix(&e, "%s", big);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

/* ---- buf ---- */

static void
buf_keeps_its_cap_and_remembers_the_failure(void **state)
{
	struct buf b = BUF_INIT(8);
	struct err e = ERR_INIT;

	(void)state;
	buf_puts(&b, "1234");
	buf_addf(&b, "%d", 5678);
	assert_string_equal(b.data, "12345678");
	assert_int_equal(buf_check(&b, &e), 0);
	buf_puts(&b, "9");
	assert_int_equal(b.len, 8);
	buf_consume(&b, 4);
	buf_puts(&b, "x"); /* would fit now, but something was lost */
	assert_string_equal(b.data, "5678");
	assert_int_equal(buf_check(&b, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	buf_reset(&b);
	buf_puts(&b, "ok");
	assert_int_equal(buf_check(&b, &e), 0);
	assert_string_equal(b.data, "ok");
	buf_free(&b);
	assert_string_equal(b.data, "");
}

static void
buf_grows_with_what_is_added(void **state)
{
	struct buf b = BUF_INIT(1 << 20);

	(void)state;
	for (int i = 0; i < 100000; i++)
		buf_add(&b, "abc", 3);
	assert_false(b.failed);
	assert_int_equal(b.len, 300000);
	assert_memory_equal(b.data + 299997, "abc", 4);
	buf_consume(&b, 299999);
	assert_string_equal(b.data, "c");
	buf_free(&b);
}

/* ---- text ---- */

static void
printable_text_shows_every_byte_once(void **state)
{
	static const struct {
		const char *name, *in;
		size_t len;
		const char *out;
	} rows[] = {
		{ "plain", "550 no", 6, "550 no" },
		{ "newline", "a\r\nb", 4, "a\\x0d\\x0ab" },
		{ "escape", "\033[2J", 4, "\\x1b[2J" },
		{ "C1 control", "\x9b", 1, "\\x9b" },
		{ "backslash", "a\\x", 3, "a\\x5cx" },
		{ "NUL", "a\0b", 3, "a\\x00b" },
		{ "just fits", "1234567890123456789", 19,
		    "1234567890123456789" },
		{ "one too long", "12345678901234567890", 20,
		    "1234567890123456..." },
		{ "escape is not cut", "123456789012345\n\n\n", 18,
		    "123456789012345..." },
	};
	char out[20];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		text_printable(out, sizeof out, rows[i].in, rows[i].len);
		if (strcmp(out, rows[i].out) != 0)
			fail_msg("%s: \"%s\"", rows[i].name, out);
	}
}

static void
no_value_can_hold_a_pair_of_its_own(void **state)
{
	char said[] = "it's \"so\" \\x22";
	char out[64];

	(void)state;
	assert_string_equal(text_word(out, sizeof out, "x id=1 \"a\\\n"),
	    "x\\x20id=1\\x20\\x22a\\x5c\\x0a");
	assert_string_equal(text_quoted(out, sizeof out, "a b\" id=1\r"),
	    "a b\\x22 id=1\\x0d");
	assert_string_equal(text_quotable(said), "it's 'so' \\x22");
}

static void
number_is_all_digits_and_in_range(void **state)
{
	static const struct {
		const char *text;
		unsigned long long max;
		int rc;
		unsigned long long value;
	} rows[] = {
		{ "0", 0, 0, 0 },
		{ "1", 0, -1, 0 },
		{ "65535", 65535, 0, 65535 },
		{ "65536", 65535, -1, 0 },
		{ "99999999999999999999", 5, -1, 0 },
		{ "18446744073709551615", UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, -1, 0 },
		{ "007", 7, 0, 7 },
		{ "", 9, -1, 0 },
		{ "-1", 9, -1, 0 },
		{ "+1", 9, -1, 0 },
		{ " 1", 9, -1, 0 },
		{ "1 ", 9, -1, 0 },
		{ "1x", 99, -1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned long long value = 4711;
		int rc = text_number(rows[i].text, strlen(rows[i].text),
		    rows[i].max, &value);

		if (rc != rows[i].rc ||
		    value != (rc == 0 ? rows[i].value : 4711))
			fail_msg("\"%s\" gives %d, %llu", rows[i].text, rc,
			    value);
	}
}

static void
decimal_is_what_printf_writes(void **state)
{
	static const uint64_t rows[] = { 0, 1, 9, 10, 99, 100, 4711, INT64_MAX,
		UINT64_MAX };
	char text[TEXT_DECIMAL_MAX], wanted[TEXT_DECIMAL_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		snprintf(wanted, sizeof wanted, "%" PRIu64, rows[i]);
		assert_string_equal(text_decimal(text, rows[i]), wanted);
		assert_string_equal(text, wanted);
	}
}

/* ---- clock ---- */

static void
rfc3339_survives_the_round_trip(void **state)
{
	static const int64_t times[] = { 0, 1, 999999, 1764000000123456,
		951782400000000 /* 29 February 2000 */, 4102444800000000 };
	char text[CLOCK_RFC3339_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		int64_t back = -1;

		clock_rfc3339(text, times[i]);
		assert_int_equal(clock_parse_rfc3339(text, strlen(text), &back),
		    0);
		assert_int_equal(back, times[i]);
	}
	assert_string_equal(clock_rfc3339(text, 1764000000123456),
	    "2025-11-24T16:00:00.123456Z");
}

static void
a_year_has_four_digits(void **state)
{
	char text[CLOCK_RFC3339_MAX];

	(void)state;
	assert_string_equal(clock_rfc3339(text, INT64_C(253402300799999999)),
	    "9999-12-31T23:59:59.999999Z");
	clock_rfc3339(text, INT64_MAX);
	assert_int_equal(strlen(text), strlen("9999-12-31T23:59:59.999999Z"));
	assert_memory_equal(text, "9999-", 5);
	assert_memory_equal(clock_rfc3339(text, INT64_MIN), "0000-", 5);
	assert_memory_equal(clock_rfc3339(text, INT64_C(-62135596800000000)),
	    "0001-01-01T00:00:00", 19);
}

static void
bad_times_are_refused(void **state)
{
	static const char *const rows[] = { "", "2025", "2025-11-24 16:00:00Z",
		"2025-11-24T16:00:00", "2025-13-24T16:00:00Z",
		"2025-11-24T24:00:00Z", "2025-11-24T16:00:00.5Zx",
		"x025-11-24T16:00:00Z", "2025-00-24T16:00:00Z",
		"1925-11-24T16:00:00Z" };
	int64_t us;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (clock_parse_rfc3339(rows[i], strlen(rows[i]), &us) != -1)
			fail_msg("\"%s\" was taken", rows[i]);
}

static void
rfc5322_date_has_a_numeric_zone(void **state)
{
	char text[CLOCK_RFC5322_MAX];

	(void)state;
	setenv("TZ", "XXX-5:30", 1);
	tzset();
	assert_string_equal(clock_rfc5322(text, 1764000000123456),
	    "Mon, 24 Nov 2025 21:30:00 +0530");
	setenv("TZ", "XXX3:30", 1);
	tzset();
	assert_string_equal(clock_rfc5322(text, 1764000000123456),
	    "Mon, 24 Nov 2025 12:30:00 -0330");
	setenv("TZ", "UTC", 1);
	tzset();
}

static void
spans_are_for_people(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(clock_span(text, -3), "0 s");
	assert_string_equal(clock_span(text, 59), "59 s");
	assert_string_equal(clock_span(text, 3599), "59 min");
	assert_string_equal(clock_span(text, 5400), "1.5 h");
	assert_string_equal(clock_span(text, 3 * 86400), "3.0 d");
}

static void
deadlines_that_passed_leave_nothing(void **state)
{
	(void)state;
	assert_int_equal(clock_left_ms(clock_monotonic_ms() - 1), 0);
	assert_in_range(clock_left_ms(clock_monotonic_ms() + 5000), 1, 5000);
	assert_int_equal(clock_left_ms(INT64_MAX), INT32_MAX);
}

/* ---- names ---- */

static void
names_come_from_arguments_and_lines(void **state)
{
	static char text[] = "# comment\n"
			     "\n"
			     "  one.example\r\n"
			     "; another\n"
			     "two.example\tns1.example  x\n"
			     "last.example";
	static const struct {
		const char *name, *rest;
		unsigned long line;
	} expected[] = {
		{ "first.example", "", 0 },
		{ "one.example", "", 3 },
		{ "two.example", "ns1.example  x", 5 },
		{ "last.example", "", 6 },
		{ "end.example", "", 0 },
	};
	const char *args[] = { "first.example", "-", "end.example", NULL };
	FILE *stream = fmemopen(text, strlen(text), "r");
	struct names n = NAMES_INIT(args, stream);
	struct err e = ERR_INIT;
	const char *name;

	(void)state;
	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_int_equal(names_next(&n, &name, &e), 1);
		assert_string_equal(name, expected[i].name);
		assert_string_equal(n.rest, expected[i].rest);
		assert_int_equal(n.line_number, expected[i].line);
	}
	assert_int_equal(names_next(&n, &name, &e), 0);
	names_free(&n);
	fclose(stream);
}

static void
an_endless_line_is_refused_with_its_number(void **state)
{
	static const struct {
		size_t bytes; /* of the second line */
		int expected;
	} cases[] = {
		{ NAMES_LINE_MAX, 1 },
		{ NAMES_LINE_MAX + 1, -1 },
		{ 4 * NAMES_LINE_MAX, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *args[] = { "-", NULL };
		FILE *stream = tmpfile();
		struct names n = NAMES_INIT(args, stream);
		struct err e = ERR_INIT;
		const char *name;

		assert_non_null(stream);
		fputs("first\n", stream);
		for (size_t k = 0; k < cases[i].bytes; k++)
			fputc('x', stream);
		rewind(stream);
		assert_int_equal(names_next(&n, &name, &e), 1);
		assert_string_equal(name, "first");
		assert_int_equal(names_next(&n, &name, &e), cases[i].expected);
		if (cases[i].expected == 1) {
			assert_int_equal(strlen(name), NAMES_LINE_MAX);
			assert_int_equal(names_next(&n, &name, &e), 0);
		} else {
			assert_int_equal(e.class, ERR_DATA);
			assert_non_null(strstr(e.text, "line 2 "));
		}
		names_free(&n);
		fclose(stream);
	}
}

/* "bmx-queue -0 list | bmx-queue hold -" would hold the first one alone. */
static void
names_with_a_nul_between_them_are_refused(void **state)
{
	static char text[] = "one.example\ntwo.example\0three.example\0";
	const char *args[] = { "-", NULL };
	FILE *stream = fmemopen(text, sizeof text - 1, "r");
	struct names n = NAMES_INIT(args, stream);
	struct err e = ERR_INIT;
	const char *name;

	(void)state;
	assert_int_equal(names_next(&n, &name, &e), 1);
	assert_string_equal(name, "one.example");
	assert_int_equal(names_next(&n, &name, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	assert_non_null(strstr(e.text, "line 2 has a NUL"));
	names_free(&n);
	fclose(stream);
}

/* ---- file ---- */

static int
make_directory(void **state)
{
	static char path[64];

	snprintf(path, sizeof path, "/tmp/bmx-base.XXXXXX");
	if (mkdtemp(path) == NULL || chdir(path) == -1)
		return -1;
	*state = path;
	return 0;
}

static int
remove_directory(void **state)
{
	unlink("state");
	unlink("link");
	unlink("log");
	return chdir("/") == -1 || rmdir(*state) == -1 ? -1 : 0;
}

static void
replaced_file_is_read_back(void **state)
{
	struct buf b = BUF_INIT(100);
	struct err e = ERR_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(file_read(AT_FDCWD, "state", &b, &e), 0);
	assert_int_equal(file_replace(AT_FDCWD, "state", "one", 3, 0600, &e),
	    0);
	assert_int_equal(file_replace(AT_FDCWD, "./state", "two", 3, 0640, &e),
	    0);
	assert_int_equal(file_read(AT_FDCWD, "state", &b, &e), 1);
	assert_string_equal(b.data, "two");
	assert_int_equal(stat("state", &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_nlink, 1);
	buf_free(&b);
}

static void
only_regular_files_within_the_cap_are_read(void **state)
{
	struct buf b = BUF_INIT(4);
	struct err e = ERR_INIT;

	(void)state;
	file_replace(AT_FDCWD, "state", "12345", 5, 0600, &e);
	assert_int_equal(file_read(AT_FDCWD, "state", &b, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	buf_reset(&b);
	assert_int_equal(symlink("state", "link"), 0);
	assert_int_equal(file_read(AT_FDCWD, "link", &b, &e), -1);
	assert_int_equal(unlink("link"), 0);
	assert_int_equal(mkfifo("link", 0600), 0);
	assert_int_equal(file_read(AT_FDCWD, "link", &b, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	buf_free(&b);
}

static void
what_a_kill_left_is_swept_away_when_it_is_old(void **state)
{
	static const struct {
		const char *name;
		time_t age_s;
		bool is_swept;
	} rows[] = {
		{ ".example.com.4711.00c0ffee", 3660, true },
		{ ".state.1.01234567", 7200, true },
		{ ".state.1.01234567", 3500, false },
		{ ".state.1.01234567", -7200, false },
		{ "state.1.01234567", 7200, false },
		{ ".state.1.0123456", 7200, false },
		{ ".state.1.012345678", 7200, false },
		{ ".state.1.0123456g", 7200, false },
		{ ".state.1x.01234567", 7200, false },
		{ ".state..01234567", 7200, false },
		{ ".1.01234567", 7200, false },
		{ "..1.01234567", 7200, false },
		{ ".01234567", 7200, false },
		{ ".state", 7200, false },
	};
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct timespec then = { time(NULL) - rows[i].age_s, 0 };
		const struct timespec times[] = { then, then };
		const char *name = rows[i].name;

		assert_int_equal(file_append_line(AT_FDCWD, name, "x", &e), 0);
		assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
		file_sweep(AT_FDCWD);
		if ((unlink(name) == -1) != rows[i].is_swept)
			fail_msg("%s, %ld s", name, (long)rows[i].age_s);
	}
}

static void
replace_into_nowhere_fails_and_names_the_file(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(file_replace(AT_FDCWD, "missing/state", "x", 1, 0600,
			     &e),
	    -1);
	assert_int_equal(e.sys, ENOENT);
	assert_non_null(strstr(e.text, "missing/"));
}

static void
lines_are_appended(void **state)
{
	struct buf b = BUF_INIT(100);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(file_append_line(AT_FDCWD, "log", "one", &e), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", "two", &e), 0);
	assert_int_equal(file_read(AT_FDCWD, "log", &b, &e), 1);
	assert_string_equal(b.data, "one\ntwo\n");
	buf_free(&b);
}

/* A crash, or a full disk, in the middle of a line. */
static void
a_line_that_was_cut_spoils_no_other(void **state)
{
	struct buf b = BUF_INIT(100);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(file_append_line(AT_FDCWD, "log", "one", &e), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", "two", &e), 0);
	assert_int_equal(truncate("log", 6), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", "three", &e), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", "four", &e), 0);
	assert_int_equal(file_read(AT_FDCWD, "log", &b, &e), 1);
	assert_string_equal(b.data, "one\ntw\nthree\nfour\n");
	buf_free(&b);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "fifo", "x", &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	assert_int_equal(unlink("fifo"), 0);
}

/* What is linked to is not bmx's to write to. */
static void
a_file_with_another_name_is_left_alone(void **state)
{
	struct buf b = BUF_INIT(100);
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(file_append_line(AT_FDCWD, "log", "one", &e), 0);
	assert_int_equal(link("log", "other"), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", "two", &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	assert_string_equal(e.text, "log has another name (a hard link): put a "
				    "copy in its place");
	assert_int_equal(file_replace(AT_FDCWD, "log", "new\n", 4, 0600, &e),
	    0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", "two", &e), 0);
	assert_int_equal(file_read(AT_FDCWD, "other", &b, &e), 1);
	assert_string_equal(b.data, "one\n");
	buf_free(&b);
	assert_int_equal(unlink("other"), 0);
}

static void
what_is_too_long_changes_nothing(void **state)
{
	char name[255], line[8192];
	struct buf b = BUF_INIT(100);
	struct err e = ERR_INIT;

	(void)state;
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	memset(line, 'x', sizeof line - 1);
	line[sizeof line - 1] = '\0';
	assert_int_equal(file_append_line(AT_FDCWD, "log", "one", &e), 0);
	assert_int_equal(file_append_line(AT_FDCWD, "log", line, &e), -1);
	assert_non_null(strstr(e.text, "is too long"));
	assert_int_equal(file_read(AT_FDCWD, "log", &b, &e), 1);
	assert_string_equal(b.data, "one\n");
	buf_free(&b);

	/* It could be there, but no temporary file beside it. */
	assert_int_equal(file_replace(AT_FDCWD, name, "x", 1, 0600, &e), -1);
	assert_non_null(strstr(e.text, "name too long"));
	assert_int_equal(access(name, F_OK), -1);
	assert_int_equal(file_append_line(AT_FDCWD, "missing/log", "x", &e),
	    -1);
	assert_int_equal(e.sys, ENOENT);
}

/* ---- log ---- */

static void
one_event_is_one_line_whatever_is_in_it(void **state)
{
	char path[128];
	struct buf b = BUF_INIT(1000);
	struct err e = ERR_INIT;

	snprintf(path, sizeof path, "%s/log", (const char *)*state);
	assert_int_equal(log_open("bmx-test", path, &e), 0);
	log_info("id=%s from=<%s>", "x", "a\nb\033c");
	log_alarm("disk=full");
	assert_int_equal(log_open("bmx-test", "syslog", &e), 0);
	assert_int_equal(file_read(AT_FDCWD, "log", &b, &e), 1);
	assert_non_null(strstr(b.data, "]: id=x from=<a?b?c>\n"));
	assert_non_null(strstr(b.data, "]: alarm=yes disk=full\n"));
	assert_non_null(strstr(b.data, "Z bmx-test["));
	buf_free(&b);
}

static void
a_log_that_cannot_be_opened_is_a_configuration_error(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(log_open("bmx-test", "/missing/log", &e), -1);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_int_equal(log_open("bmx-test", "nonsense", &e), -1);
	assert_int_equal(e.class, ERR_CONFIG);
}

static void
nobody_waits_for_who_reads_the_log(void **state)
{
	char path[128], text[4000];
	struct err e = ERR_INIT;
	int reader;

	snprintf(path, sizeof path, "%s/log", (const char *)*state);
	assert_int_equal(mkfifo(path, 0600), 0);
	alarm(20);
	assert_int_equal(log_open("bmx-test", path, &e), -1);
	assert_int_equal(e.class, ERR_CONFIG);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_not_equal(reader, -1);
	assert_int_equal(log_open("bmx-test", path, &e), 0);
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		log_info("%s", text);
	alarm(0);
	assert_int_equal(log_open("bmx-test", "syslog", &e), 0);
	close(reader);
}

/* ---- become ---- */

static bool is_root;     /* geteuid(2) says so */
static int lookup_error; /* errno of getpwnam(3), which finds nobody */

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);
struct passwd *__wrap_getpwnam(const char *name);

uid_t
__wrap_geteuid(void)
{
	return is_root ? 0 : __real_geteuid();
}

struct passwd *
__wrap_getpwnam(const char *name)
{
	(void)name;
	if (lookup_error != 0) /* else it leaves errno alone */
		errno = lookup_error;
	return NULL;
}

static void
a_user_that_nobody_can_look_up_now_is_not_one_that_does_not_exist(void **state)
{
	static const struct {
		int error;
		enum err_class class;
		const char *text;
	} rows[] = {
		{ 0, ERR_CONFIG, "user: there is no such user" },
		{ ENOENT, ERR_CONFIG, "user: there is no such user" },
		{ ESRCH, ERR_CONFIG, "user: there is no such user" },
		{ EIO, ERR_TEMP,
		    "user: bmx cannot be looked up: Input/output error" },
		{ EMFILE, ERR_TEMP,
		    "user: bmx cannot be looked up: Too many open files" },
		{ ETIMEDOUT, ERR_TEMP,
		    "user: bmx cannot be looked up: Connection timed out" },
	};

	(void)state;
	is_root = true;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct err e = ERR_INIT;

		lookup_error = rows[i].error;
		errno = EIO; /* of some call before */
		assert_int_equal(become_user("bmx", &e), -1);
		assert_string_equal(e.text, rows[i].text);
		assert_int_equal(e.class, rows[i].class);
	}
	is_root = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_has_class_errno_and_way),
		cmocka_unit_test(each_class_has_its_exit_code),
		cmocka_unit_test(long_error_text_is_cut_not_overrun),
		cmocka_unit_test(buf_keeps_its_cap_and_remembers_the_failure),
		cmocka_unit_test(buf_grows_with_what_is_added),
		cmocka_unit_test(printable_text_shows_every_byte_once),
		cmocka_unit_test(no_value_can_hold_a_pair_of_its_own),
		cmocka_unit_test(number_is_all_digits_and_in_range),
		cmocka_unit_test(decimal_is_what_printf_writes),
		cmocka_unit_test(rfc3339_survives_the_round_trip),
		cmocka_unit_test(a_year_has_four_digits),
		cmocka_unit_test(bad_times_are_refused),
		cmocka_unit_test(rfc5322_date_has_a_numeric_zone),
		cmocka_unit_test(spans_are_for_people),
		cmocka_unit_test(deadlines_that_passed_leave_nothing),
		cmocka_unit_test(names_come_from_arguments_and_lines),
		cmocka_unit_test(an_endless_line_is_refused_with_its_number),
		cmocka_unit_test(names_with_a_nul_between_them_are_refused),
		cmocka_unit_test_setup_teardown(replaced_file_is_read_back,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    only_regular_files_within_the_cap_are_read, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_a_kill_left_is_swept_away_when_it_is_old,
		    make_directory, remove_directory),
		cmocka_unit_test(replace_into_nowhere_fails_and_names_the_file),
		cmocka_unit_test_setup_teardown(lines_are_appended,
		    make_directory, remove_directory),
		cmocka_unit_test_setup_teardown(
		    a_file_with_another_name_is_left_alone, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    a_line_that_was_cut_spoils_no_other, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    what_is_too_long_changes_nothing, make_directory,
		    remove_directory),
		cmocka_unit_test_setup_teardown(
		    one_event_is_one_line_whatever_is_in_it, make_directory,
		    remove_directory),
		cmocka_unit_test(
		    a_log_that_cannot_be_opened_is_a_configuration_error),
		cmocka_unit_test_setup_teardown(
		    nobody_waits_for_who_reads_the_log, make_directory,
		    remove_directory),
		cmocka_unit_test(
		    a_user_that_nobody_can_look_up_now_is_not_one_that_does_not_exist),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
