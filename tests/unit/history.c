/* The history of a primary: what is written down, kept, and read back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "spool/history.h"
#include "spool/primary.h"
#include "scratch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define T0 1795478400 /* 2026-11-24T00:00:00Z */
#define DAY 86400

/* ---- a directory that stands for a domain's ---- */

struct world {
	int fd;
	struct primary state;
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
learn(struct world *w, char letter, int64_t at_s)
{
	struct primary p = PRIMARY_INIT;

	primary_read(w->fd, at_s, 0, &p, &w->e);
	primary_learn(&p,
	    letter == 'u'   ? PRIMARY_UP
	    : letter == 'f' ? PRIMARY_DEFERRING
			    : PRIMARY_DOWN,
	    "no connection: \"refused\"", 2, 3, at_s);
	if (primary_write(w->fd, &p, &w->e) == -1)
		fail_msg("%s", w->e.text);
}

/* Results at every step_s, as letters; a blank: nobody looked. */
static void
learn_all(struct world *w, const char *results, int64_t at_s, int64_t step_s)
{
	for (; *results != '\0'; results++, at_s += step_s)
		if (*results != ' ')
			learn(w, *results, at_s);
}

static size_t
lines_of(struct world *w)
{
	struct buf b = BUF_INIT(4 << 20);
	size_t n = 0;

	assert_int_equal(file_read(w->fd, "history", &b, &w->e), 1);
	for (size_t i = 0; i < b.len; i++)
		n += b.data[i] == '\n';
	buf_free(&b);
	return n;
}

static void
put_history(struct world *w, const char *text)
{
	if (file_replace(w->fd, "history", text, strlen(text), 0600, &w->e) ==
	    -1)
		fail_msg("%s", w->e.text);
}

/* Spells as text: "u 0-600,d 600-900", seconds after T0. */
static void
spells_of(struct world *w, int64_t from_s, int64_t to_s, char *out, size_t size)
{
	struct history h = HISTORY_INIT;
	size_t len = 0;

	out[0] = '\0';
	assert_int_equal(history_read(&h, w->fd, T0 + from_s, T0 + to_s, &w->e),
	    0);
	for (size_t i = 0; i < h.nspells; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%c %d-%d",
		    i == 0 ? "" : ",",
		    primary_verdict_name(h.spells[i].verdict)[0],
		    (int)(h.spells[i].from_s - T0),
		    (int)(h.spells[i].to_s - T0));
	history_free(&h);
}

/* ---- what is known ---- */

static void
spells_begin_with_the_first_result_of_their_sort(void **state)
{
	static const struct {
		const char *name;
		const char *results;
		int64_t step_s, from_s, to_s;
		const char *spells;
	} rows[] = {
		{ "nothing was ever learned", "", 60, 0, 600, "" },
		{ "up, and now", "uuu", 60, 0, 180, "u 0-180" },
		{ "nothing is known of what comes long after the last result",
		    "uuu", 60, 0, 20000, "u 0-120" },
		{ "a fall counts from the first bad one", "uudddd", 60, 0, 360,
		    "u 0-120,d 120-360" },
		{ "one bad result is no outage", "uuduuu", 60, 0, 360,
		    "u 0-360" },
		{ "a rise counts from the first good one", "uudddduuu", 60, 0,
		    540, "u 0-120,d 120-360,u 360-540" },
		{ "deferring and down are apart", "uufffdd", 60, 0, 420,
		    "u 0-120,d 120-300,d 300-420" },
		{ "nobody looked for three hours: not known", "uu   uu", 3600,
		    0, 21600, "u 0-3600,u 18000-21600" },
		{ "one hour between results is no gap", "uuu", 3600, 0, 7200,
		    "u 0-7200" },
		{ "down before and after a gap", "dd   dd", 3600, 0, 21600,
		    "d 0-3600,d 18000-21600" },
		{ "cut to the time asked about", "uudddduuu", 60, 60, 480,
		    "u 60-120,d 120-360,u 360-480" },
		{ "a time within one spell", "uuuuuu", 60, 100, 200,
		    "u 100-200" },
	};
	char spells[512];

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct world *w = *state;

		unlinkat(w->fd, "primary", 0);
		unlinkat(w->fd, "history", 0);
		learn_all(w, rows[i].results, T0, rows[i].step_s);
		spells_of(w, rows[i].from_s, rows[i].to_s, spells,
		    sizeof spells);
		if (strcmp(spells, rows[i].spells) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].name, spells,
			    rows[i].spells);
	}
}

static void
only_time_that_was_known_to_be_up_makes_mail_older(void **state)
{
	struct world *w = *state;
	int64_t up_s = -1;

	assert_int_equal(history_up_seconds(w->fd, T0, T0 + DAY, &up_s, &w->e),
	    0);
	assert_int_equal(up_s, 0);
	learn_all(w, "uuuuddddddddd   uuuu", T0, 3600);
	assert_int_equal(history_up_seconds(w->fd, T0, T0 + DAY, &up_s, &w->e),
	    0);
	/* 0-4 h, then down to 12 h, not known to 16 h, 16-19 h */
	assert_int_equal(up_s, (4 + 3) * 3600);
	assert_int_equal(history_up_seconds(w->fd, T0 + 3600, T0 + 7200, &up_s,
			     &w->e),
	    0);
	assert_int_equal(up_s, 3600);
}

/* ---- the file ---- */

static void
a_line_is_written_for_a_change_and_for_a_day_and_not_else(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 100; i++)
		learn(w, 'u', T0 + i * 60);
	assert_int_equal(lines_of(w), 1);
	learn_all(w, "dddd", T0 + 6000, 60);
	assert_int_equal(lines_of(w), 2);
	learn(w, 'd', T0 + DAY); /* 22 h later: the day and the gap */
	assert_int_equal(lines_of(w), 4);
}

static void
a_day_keeps_its_results_and_latencies(void **state)
{
	struct world *w = *state;
	struct history h = HISTORY_INIT;
	struct primary p = PRIMARY_INIT;

	for (int i = 0; i < 3; i++) {
		primary_read(w->fd, T0, 0, &p, &w->e);
		primary_learn(&p, i == 2 ? PRIMARY_DOWN : PRIMARY_UP, "x", 2, 3,
		    T0 + i * 60);
		primary_took(&p, PRIMARY_CONNECT, 7);
		primary_took(&p, PRIMARY_BANNER, 1000000);
		assert_int_equal(primary_write(w->fd, &p, &w->e), 0);
	}
	learn(w, 'u', T0 + DAY + 60);
	assert_int_equal(history_read(&h, w->fd, T0, T0 + 2 * DAY, &w->e), 0);
	assert_int_equal(h.ndays, 2);
	assert_int_equal(h.days[0].start_s, T0);
	assert_int_equal(h.days[0].results, 3);
	assert_int_equal(h.days[0].good, 2);
	assert_int_equal(h.days[0].took[PRIMARY_CONNECT][3], 3);
	assert_int_equal(h.days[0].took[PRIMARY_BANNER][PRIMARY_BUCKETS - 1],
	    3);
	assert_int_equal(h.days[1].results, 1);
	assert_int_equal(h.damaged, 0);
	history_free(&h);
}

static void
lines_that_are_not_ours_are_passed_over(void **state)
{
	static const char *const bad[] = {
		"",
		"rubbish",
		"2026-11-24T00:00:00Z",
		"2026-11-24T00:00:00Z sideways",
		"2026-11-24T00:00:00Z unknown",
		"2026-11-24T00:00:00Z up from=yesterday",
		"2026-13-24T00:00:00Z up",
		"2026-11-24",
		"2026-11-24 up results=x",
		"2026-11-24 up connect=15:1",
		"2026-11-24 up connect=1",
		"2026-11-24 up results=99999999999999999999",
		"2026-11-24T00:00:0",
	};
	struct world *w = *state;
	struct history h;
	char text[256];

	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(text, sizeof text,
		    "2026-11-24T00:00:00Z up\n%s\n2026-11-24T00:10:00Z down "
		    "later=1 reason=\"two words\"\n",
		    bad[i]);
		put_history(w, text);
		assert_int_equal(history_read(&h, w->fd, T0, T0 + DAY, &w->e),
		    0);
		if (h.damaged != 1 || h.nspells != 1 ||
		    h.spells[0].to_s != T0 + 600)
			fail_msg("\"%s\": %zu damaged, %zu spells", bad[i],
			    h.damaged, h.nspells);
		history_free(&h);
	}
}

static void
a_torn_last_line_does_not_spoil_the_next(void **state)
{
	struct world *w = *state;
	char spells[256];

	learn_all(w, "uuddd", T0, 60);
	assert_int_equal(file_append_line(w->fd, "history", "x", &w->e), 0);
	put_history(w, "2026-11-24T00:00:00Z up\n2026-11-24T00:0");
	learn_all(w, "ddd", T0 + 300, 60);
	assert_int_equal(lines_of(w), 3); /* the torn one, and down again */
	spells_of(w, 0, 480, spells, sizeof spells);
	assert_string_equal(spells, "u 0-300,d 300-480");
}

static void
a_reason_is_read_as_the_state_has_it(void **state)
{
	static const char *const reasons[] = {
		"no connection: Connection refused",
		"mx said: 450 4.7.1 \"come later\"",
		"mx said: 450 DOM\\USER: \\x22",
		"\"",
		"\n\xff\\",
	};
	struct world *w = *state;

	for (size_t i = 0; i < COUNT(reasons); i++) {
		struct history h = HISTORY_INIT;
		struct primary p = PRIMARY_INIT;

		unlinkat(w->fd, "history", 0);
		primary_learn(&p, PRIMARY_DOWN, reasons[i], 1, 1, T0);
		assert_int_equal(primary_write(w->fd, &p, &w->e), 0);
		assert_int_equal(history_read(&h, w->fd, T0, T0 + 60, &w->e),
		    0);
		assert_int_equal(h.nspells, 1);
		assert_string_equal(h.spells[0].reason, p.reason);
		history_free(&h);
	}
}

static void
the_next_write_makes_up_for_a_lost_line(void **state)
{
	struct world *w = *state;
	char spells[256];

	learn_all(w, "uu", T0, 60);
	put_history(w, "2026-11-24T00:00:00Z down\n");
	learn(w, 'u', T0 + 120);
	spells_of(w, 0, 180, spells, sizeof spells);
	assert_string_equal(spells, "u 0-180");
}

static void
a_year_stays_and_no_more(void **state)
{
	struct world *w = *state;
	struct history h = HISTORY_INIT;
	struct stat st;

	learn_all(w, "uu", T0 - 2 * DAY, 60);
	for (int day = 0; day < 500; day++) /* and a change a day */
		learn_all(w, day % 2 == 0 ? "uuddd" : "dduu",
		    T0 + (int64_t)day * DAY, 60);
	assert_int_equal(fstatat(w->fd, "history", &st, 0), 0);
	assert_true(st.st_size < 400 * 1024);
	assert_int_equal(history_read(&h, w->fd, 0, T0 + 500 * (int64_t)DAY,
			     &w->e),
	    0);
	assert_true(h.ndays >= 400);
	assert_true(h.ndays <= 440);
	assert_int_equal(h.damaged, 0);
	history_free(&h);
}

static void
what_held_before_the_oldest_line_is_still_known(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct primary_day day = { .verdict = PRIMARY_UP, .results = 1 };
	struct world *w = *state;
	int64_t up_s;

	buf_puts(&text, "2025-01-01T00:00:00Z up\n");
	for (int64_t ago = 690; ago > 1; ago--) {
		day.start_s = T0 - ago * DAY;
		primary_format_day(&text, &day);
		buf_puts(&text, "\n");
	}
	put_history(w, text.data);
	learn(w, 'u', T0 - 60);
	learn(w, 'u', T0); /* a new day: old ones are dropped */
	assert_true(lines_of(w) <= 402);
	assert_int_equal(history_up_seconds(w->fd, T0 - 500 * (int64_t)DAY, T0,
			     &up_s, &w->e),
	    0);
	assert_int_equal(up_s, 500 * (int64_t)DAY);
	buf_free(&text);
}

static void
when_all_lines_are_old_the_last_change_stays(void **state)
{
	struct buf text = BUF_INIT(4096);
	struct world *w = *state;

	put_history(w, "2020-01-01T00:00:00Z up\n"
		       "2020-02-01T00:00:00Z down refused\n"
		       "2020-02-02 down results=1 good=0\n");
	learn(w, 'u', T0 - 60);
	learn(w, 'u', T0); /* a new day: old ones are dropped */
	assert_int_equal(file_read(w->fd, "history", &text, &w->e), 1);
	assert_int_equal(strncmp(text.data, "2020-02-01T00:00:00Z down", 25),
	    0);
	assert_null(strstr(text.data, "2020-01"));
	assert_null(strstr(text.data, "2020-02-02"));
	assert_int_equal(lines_of(w), 3);
	buf_free(&text);
}

/* D50 */
static void
a_clock_that_was_ahead_spoils_no_more_than_that(void **state)
{
	static const int64_t ahead_s[] = { 2 * DAY, 3 * DAY, 400 * DAY,
		3650 * (int64_t)DAY };
	struct world *w = *state;
	char spells[256];

	for (size_t i = 0; i < COUNT(ahead_s); i++) {
		struct history h = HISTORY_INIT;

		unlinkat(w->fd, "primary", 0);
		unlinkat(w->fd, "history", 0);
		for (int hour = 0; hour < 48; hour++)
			learn(w, 'u', T0 + hour * 3600);
		learn(w, 'u', T0 + 48 * 3600 + ahead_s[i]);
		for (int hour = 49; hour < 100; hour++)
			learn(w, hour < 97 ? 'u' : 'd', T0 + hour * 3600);
		spells_of(w, 0, 360000, spells, sizeof spells);
		assert_string_equal(spells,
		    "u 0-169200,u 176400-349200,d 349200-360000");
		assert_int_equal(history_read(&h, w->fd, T0, T0 + 360000,
				     &w->e),
		    0);
		assert_int_equal(h.ndays, 5);
		for (size_t day = 0; day < h.ndays; day++)
			assert_int_equal(h.days[day].results, day == 2   ? 23
							      : day == 4 ? 4
									 : 24);
		history_free(&h);
	}
}

static void
a_clock_that_jumps_ahead_makes_no_year_old(void **state)
{
	struct world *w = *state;
	struct history h = HISTORY_INIT;

	for (int day = 0; day < 300; day++)
		learn(w, 'u', T0 + (int64_t)day * DAY);
	learn(w, 'u', T0 + 4000 * (int64_t)DAY);
	learn(w, 'u', T0 + 300 * (int64_t)DAY);
	assert_int_equal(history_read(&h, w->fd, T0, T0 + 301 * (int64_t)DAY,
			     &w->e),
	    0);
	assert_int_equal(h.ndays, 301);
	history_free(&h);
}

static void
a_file_that_is_not_too_big_keeps_all_that_is_not_old(void **state)
{
	struct buf text = BUF_INIT(1 << 20);
	struct world *w = *state;
	size_t n = 0;

	buf_puts(&text, "2024-01-01T00:00:00Z up\n2024-01-02T00:00:00Z down\n");
	while (text.len < 700 * 1024)
		buf_addf(&text, "2026-11-%02zuT%02zu:%02zu:%02zuZ %s\n",
		    1 + n / 3600 % 20, n / 60 % 24, n % 60, n % 60,
		    n % 2 == 0 ? "up" : "down"),
		    n++;
	put_history(w, text.data);
	learn_all(w, "d", T0 - 60, 60);
	learn(w, 'd', T0);
	assert_int_equal(lines_of(w), n + 2); /* one that was before, a day */
	buf_free(&text);
}

static void
a_lock_that_is_held_for_long_is_a_temporary_error(void **state)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct world *w = *state;
	struct primary p = PRIMARY_INIT;
	int fd = openat(w->fd, "history", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_int_not_equal(fd, -1);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
	primary_learn(&p, PRIMARY_UP, "", 2, 3, T0);
	assert_int_equal(history_note(w->fd, &p, &w->e), -1);
	assert_int_equal(w->e.class, ERR_TEMP);
	assert_string_equal(w->e.text,
	    "history: another process holds its lock");
	close(fd);
	assert_int_equal(history_note(w->fd, &p, &w->e), 0);
}

static void
several_writers_leave_whole_lines(void **state)
{
	struct world *w = *state;
	struct history h = HISTORY_INIT;
	int status;

	for (int child = 0; child < 4; child++) {
		if (fork() != 0)
			continue;
		for (int i = 0; i < 100; i++)
			learn(w, "ud"[(i / 4 + child) % 2], T0 + i * 3600);
		_exit(0);
	}
	for (int child = 0; child < 4; child++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(history_read(&h, w->fd, T0, T0 + 10 * DAY, &w->e), 0);
	assert_int_equal(h.damaged, 0);
	assert_true(h.nspells > 0);
	for (size_t i = 1; i < h.nspells; i++)
		assert_true(h.spells[i].from_s >= h.spells[i - 1].to_s);
	history_free(&h);
}

static void
a_link_or_fifo_in_its_place_is_not_followed(void **state)
{
	struct world *w = *state;
	struct primary p = PRIMARY_INIT;

	primary_learn(&p, PRIMARY_UP, "", 2, 3, T0);
	assert_int_equal(symlinkat("/dev/null", w->fd, "history"), 0);
	assert_int_equal(history_note(w->fd, &p, &w->e), -1);
	unlinkat(w->fd, "history", 0);
	assert_int_equal(mkfifoat(w->fd, "history", 0600), 0);
	assert_int_equal(history_note(w->fd, &p, &w->e), -1);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(spells_begin_with_the_first_result_of_their_sort),
		TEST(only_time_that_was_known_to_be_up_makes_mail_older),
		TEST(a_line_is_written_for_a_change_and_for_a_day_and_not_else),
		TEST(a_day_keeps_its_results_and_latencies),
		TEST(lines_that_are_not_ours_are_passed_over),
		TEST(a_torn_last_line_does_not_spoil_the_next),
		TEST(a_reason_is_read_as_the_state_has_it),
		TEST(the_next_write_makes_up_for_a_lost_line),
		TEST(a_year_stays_and_no_more),
		TEST(what_held_before_the_oldest_line_is_still_known),
		TEST(when_all_lines_are_old_the_last_change_stays),
		TEST(a_clock_that_was_ahead_spoils_no_more_than_that),
		TEST(a_clock_that_jumps_ahead_makes_no_year_old),
		TEST(a_file_that_is_not_too_big_keeps_all_that_is_not_old),
		TEST(a_lock_that_is_held_for_long_is_a_temporary_error),
		TEST(several_writers_leave_whole_lines),
		TEST(a_link_or_fifo_in_its_place_is_not_followed),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
