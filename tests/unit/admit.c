/* bmx-receive: what becomes of a recipient. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmx-receive/admit.h"
#include "bmx-receive/insist.h"
#include "bmx-receive/offers.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* Everything that may be asked is one string of letters:
 *	mode     s spool, t through, d defer, i defer and the client insists
 *	primary  u up, ? unknown, d down
 *	session  l live session to be had, - not
 *	list     - none, l listed, x not listed
 *	memory   ? unknown, g good, b bad
 *	unknown  l limited, f limited and full, d defer, a accept
 * and '*' in a row stands for each of them. The first row that fits holds.
 */
static const struct row {
	const char *asked;
	enum admit_what what;
	const char *reason;
	const char *code;
} rows[] = {
	/* mode through: the primary decides, whatever is known */
	{ "tul***", ADMIT_THROUGH, "primary-up", NULL },
	{ "t?l***", ADMIT_THROUGH, "primary-unknown", NULL },
	/* mode defer: only while it is up, and not who cannot get there */
	{ "iul***", ADMIT_THROUGH, "insists", NULL },
	{ "du****", ADMIT_DEFER, "primary-up", "451 4.3.2" },
	/* else: the list, then memory, then the policy */
	{ "***l**", ADMIT_SPOOL, "listed", "250 2.1.5" },
	{ "***x**", ADMIT_REFUSE, "not-listed", "550 5.1.1" },
	{ "***-g*", ADMIT_SPOOL, "known", "250 2.1.5" },
	{ "***-b*", ADMIT_REFUSE, "known-bad", "550 5.1.1" },
	{ "s**-?*", ADMIT_SPOOL, "unknown", "250 2.1.5" },
	{ "***-?l", ADMIT_SPOOL, "unknown", "250 2.1.5" },
	{ "***-?f", ADMIT_DEFER, "unknown-limit", "451 4.3.2" },
	{ "***-?d", ADMIT_DEFER, "unknown", "451 4.3.2" },
	{ "***-?a", ADMIT_SPOOL, "unknown", "250 2.1.5" },
};

static const char *const letters[] = { "stdi", "u?d", "l-", "-lx", "?gb",
	"lfda" };

static const struct row *
row_of(const char *asked)
{
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t k = 0;

		while (k < 6 && (rows[i].asked[k] == '*' ||
				    rows[i].asked[k] == asked[k]))
			k++;
		if (k == 6)
			return &rows[i];
	}
	fail_msg("no row for %s", asked);
	abort();
}

static size_t
place(const char *asked, size_t i)
{
	return (size_t)(strchr(letters[i], asked[i]) - letters[i]);
}

static struct admit_question
question(const char *asked)
{
	static const enum config_admit modes[] = { CONFIG_ADMIT_SPOOL,
		CONFIG_ADMIT_THROUGH, CONFIG_ADMIT_DEFER, CONFIG_ADMIT_DEFER };
	static const enum admit_primary primaries[] = { ADMIT_PRIMARY_UP,
		ADMIT_PRIMARY_UNKNOWN, ADMIT_PRIMARY_DOWN };
	static const enum admit_list lists[] = { ADMIT_NO_LIST, ADMIT_LISTED,
		ADMIT_NOT_LISTED };
	static const enum admit_knowledge memories[] = { ADMIT_UNKNOWN,
		ADMIT_GOOD, ADMIT_BAD };
	static const enum config_unknown policies[] = { CONFIG_UNKNOWN_LIMITED,
		CONFIG_UNKNOWN_LIMITED, CONFIG_UNKNOWN_DEFER,
		CONFIG_UNKNOWN_ACCEPT };

	return (struct admit_question){
		.mode = modes[place(asked, 0)],
		.insists = asked[0] == 'i',
		.primary = primaries[place(asked, 1)],
		.may_relay = asked[2] == 'l',
		.list = lists[place(asked, 3)],
		.memory = memories[place(asked, 4)],
		.unknown = policies[place(asked, 5)],
		.each_max = { 2, 100 },
		.all_max = { 10, 1000 },
		.each = { asked[5] == 'f' ? 2 : 1, 50 },
	};
}

static void
expect(const char *asked)
{
	struct admit_question q = question(asked);
	struct admit_decision d = admit_decide(&q);
	const struct row *row = row_of(asked);

	if (d.what != row->what || strcmp(d.reason, row->reason) != 0)
		fail_msg("%s: %s %s, expected %s %s", asked, admit_name(d.what),
		    d.reason, admit_name(row->what), row->reason);
	if (row->code == NULL)
		assert_null(d.reply);
	else if (strncmp(d.reply, row->code, 9) != 0)
		fail_msg("%s: %s, expected %s", asked, d.reply, row->code);
	assert_int_equal(d.is_unverified,
	    d.what == ADMIT_SPOOL && strcmp(d.reason, "unknown") == 0);
}

static void
every_question_has_its_answer(void **state)
{
	char asked[7] = "";
	unsigned n = 0, total = 1;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		total *= (unsigned)strlen(letters[i]);
	for (n = 0; n < total; n++) {
		unsigned rest = n;

		for (size_t i = 0; i < 6; i++) {
			unsigned base = (unsigned)strlen(letters[i]);

			asked[i] = letters[i][rest % base];
			rest /= base;
		}
		expect(asked);
	}
	assert_int_equal(n, 4 * 3 * 2 * 3 * 3 * 4);
}

/* D13 */
static void
postmaster_is_taken_while_the_primary_is_down(void **state)
{
	static const char *const asked[] = { "tdlx?l", "td--bd", "sd-x?l",
		"dd--bf" };

	(void)state;
	for (size_t i = 0; i < COUNT(asked); i++) {
		struct admit_question q = question(asked[i]);

		q.is_postmaster = true;
		assert_int_equal(admit_decide(&q).what, ADMIT_SPOOL);
	}
}

static void
limits_hold_for_each_and_for_all(void **state)
{
	static const struct {
		const char *name;
		struct admit_count each, all;
		uint64_t size;
		const char *reason; /* "unknown": taken */
	} limits[] = {
		{ "nothing yet", { 0, 0 }, { 0, 0 }, 0, "unknown" },
		{ "the last that fits", { 1, 0 }, { 9, 0 }, 100, "unknown" },
		{ "messages of one", { 2, 0 }, { 2, 0 }, 0, "unknown-limit" },
		{ "bytes of one", { 1, 100 }, { 1, 100 }, 0, "unknown-limit" },
		{ "bytes of one, with this", { 1, 60 }, { 1, 60 }, 41,
		    "unknown-limit" },
		{ "an announced size that overflows", { 1, 60 }, { 1, 60 },
		    UINT64_MAX, "unknown-limit" },
		{ "more than the limit", { 7, 1000 }, { 7, 1000 }, 0,
		    "unknown-limit" },
		{ "messages of all", { 1, 0 }, { 10, 0 }, 0,
		    "unknown-limit-all" },
		{ "bytes of all", { 1, 0 }, { 9, 1000 }, 0,
		    "unknown-limit-all" },
		{ "bytes of all, with this", { 1, 0 }, { 9, 950 }, 51,
		    "unknown-limit-all" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct admit_question q = question("tdl-?l");
		struct admit_decision d;

		q.each = limits[i].each;
		q.all = limits[i].all;
		q.size = limits[i].size;
		d = admit_decide(&q);
		if (strcmp(d.reason, limits[i].reason) != 0)
			fail_msg("%s: %s", limits[i].name, d.reason);
	}
}

static void
the_primary_is_away_for_a_while_after_it_was_found_so(void **state)
{
	static const struct {
		const char *name;
		enum primary_verdict verdict, last;
		int64_t age_s;
		enum admit_primary expected;
	} states[] = {
		{ "never probed", PRIMARY_UNKNOWN, PRIMARY_UNKNOWN, 1000,
		    ADMIT_PRIMARY_UNKNOWN },
		{ "up", PRIMARY_UP, PRIMARY_UP, 10, ADMIT_PRIMARY_UP },
		{ "down", PRIMARY_DOWN, PRIMARY_DOWN, 500, ADMIT_PRIMARY_DOWN },
		{ "deferring", PRIMARY_DEFERRING, PRIMARY_DEFERRING, 500,
		    ADMIT_PRIMARY_DOWN },
		{ "up, not found the last time", PRIMARY_UP, PRIMARY_DOWN,
		    ADMIT_AWAY_S - 1, ADMIT_PRIMARY_DOWN },
		{ "and that is over", PRIMARY_UP, PRIMARY_DOWN, ADMIT_AWAY_S,
		    ADMIT_PRIMARY_UP },
		{ "an old state, not found just now", PRIMARY_UNKNOWN,
		    PRIMARY_DEFERRING, 0, ADMIT_PRIMARY_DOWN },
		{ "found away in the future", PRIMARY_UP, PRIMARY_DOWN, -1,
		    ADMIT_PRIMARY_UP },
		{ "down, and good the last time", PRIMARY_DOWN, PRIMARY_UP, 1,
		    ADMIT_PRIMARY_DOWN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(states); i++) {
		const struct primary p = { .verdict = states[i].verdict,
			.last = states[i].last,
			.probed_s = 1000000 - states[i].age_s };

		if (admit_primary(&p, 1000000) != states[i].expected)
			fail_msg("%s", states[i].name);
	}
}

/* C3 */
static void
what_is_offered_is_what_the_primary_last_offered(void **state)
{
	enum {
		SIZE = SMTP_EXT_SIZE,
		MIME = SMTP_EXT_8BITMIME,
		UTF8 = SMTP_EXT_SMTPUTF8,
		DSN = SMTP_EXT_DSN,
		REQ = SMTP_EXT_REQUIRETLS,
		PIPE = SMTP_EXT_PIPELINING,
		ALL = SIZE | MIME | UTF8 | DSN | REQ | PIPE
	};
	static const struct {
		const char *name;
		int64_t age_s; /* of the last good session; -1: never */
		unsigned plain, secured;
		bool is_proved; /* who it was */
		uint64_t plain_size, secured_size, our_size;
		unsigned exts;
		uint64_t size;
	} cases[] = {
		{ "all of it", 10, ALL, ALL, true, 0, 0, 5000, ALL, 5000 },
		{ "not what it lacks", 10, SIZE | PIPE | DSN, 0, true, 0, 0,
		    5000, SIZE | PIPE | DSN, 5000 },
		{ "inside TLS, where there was TLS", 10, MIME | UTF8,
		    MIME | REQ, true, 0, 0, 5000, SIZE | PIPE | MIME | REQ,
		    5000 },
		{ "D46: no REQUIRETLS for who proves nothing", 10, MIME | UTF8,
		    MIME | REQ, false, 0, 0, 5000, SIZE | PIPE | MIME, 5000 },
		{ "nothing, and what is ours alone", 10, 0, 0, true, 0, 0, 5000,
		    SIZE | PIPE, 5000 },
		{ "its size, without our field", 10, ALL, 0, true, 9000, 0,
		    9000, ALL, 9000 - OFFERS_FIELD_MAX },
		{ "its size, where we have no limit", 10, ALL, ALL, true, 1,
		    9000, 0, ALL, 9000 - OFFERS_FIELD_MAX },
		{ "our size, where that is smaller", 10, ALL, 0, true, 9000, 0,
		    100, ALL, 100 },
		{ "a tiny size", 10, ALL, 0, true, 7, 0, 5000, ALL, 1 },
		{ "never seen: ours, without promises", -1, 0, 0, true, 0, 0,
		    5000, ALL & ~REQ, 5000 },
		{ "long ago: the same", OFFERS_AGE_S + 1, 0, 0, true, 7, 0,
		    5000, ALL & ~REQ, 5000 },
		{ "not that long ago", OFFERS_AGE_S, MIME, 0, true, 0, 0, 5000,
		    SIZE | PIPE | MIME, 5000 },
	};
	const int64_t now_s = 2000000000;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct session_params p = { .exts = ALL,
			.max_size = cases[i].our_size };
		const struct primary seen = {
			.good_s =
			    cases[i].age_s < 0 ? 0 : now_s - cases[i].age_s,
			.plain = { .exts = cases[i].plain,
			    .size_max = cases[i].plain_size },
			.is_authenticated = cases[i].is_proved,
			.secured = { .exts = cases[i].secured,
			    .size_max = cases[i].secured_size },
		};

		offers_narrow(&p, &seen, now_s);
		if (p.exts != cases[i].exts || p.max_size != cases[i].size)
			fail_msg("%s: %#x %llu", cases[i].name, p.exts,
			    (unsigned long long)p.max_size);
	}
}

/* ---- who insists ---- */

#define T0 2000000000
#define BUCKET (INSIST_SLOTS * INSIST_ENTRY_BYTES)

/* C1 */
static void
tries_count_when_they_are_apart_and_not_forgotten(void **state)
{
	static const struct {
		const char *name;
		int64_t at[6]; /* seconds from the first try; -1: no more */
		uint32_t tries;
		uint32_t over_s;
	} cases[] = {
		{ "one", { 0, -1 }, 1, 0 },
		{ "at once again is the same try", { 0, 1, 59, -1 }, 1, 0 },
		{ "a minute apart", { 0, 60, 120, -1 }, 3, 120 },
		{ "as senders do", { 0, 300, 900, 2100, 4500, -1 }, 5, 4500 },
		{ "two days are not too long", { 0, INSIST_FORGET_S, -1 }, 2,
		    INSIST_FORGET_S },
		{ "more are", { 0, INSIST_FORGET_S + 1, -1 }, 1, 0 },
		{ "a clock that is set back begins anew", { 7200, 0, -1 }, 1,
		    0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		unsigned char bucket[BUCKET] = { 0 };
		struct insist seen = { .tries = 0 };
		bool is_changed;

		for (size_t k = 0; cases[i].at[k] != -1; k++)
			insist_count(bucket, 7, T0 + cases[i].at[k], &seen,
			    &is_changed);
		if (seen.tries != cases[i].tries ||
		    seen.last_s - seen.first_s != cases[i].over_s)
			fail_msg("%s: %u tries", cases[i].name, seen.tries);
	}
}

static void
enough_is_so_many_over_so_long(void **state)
{
	struct insist i = { .tries = 4, .first_s = 100, .last_s = 3700 };

	(void)state;
	assert_true(insist_is_enough(&i, 4, 3600));
	assert_false(insist_is_enough(&i, 5, 3600));
	assert_false(insist_is_enough(&i, 4, 3601));
	assert_true(insist_is_enough(&i, 1, 0));
}

static void
a_flood_of_single_tries_pushes_out_nobody_who_insists(void **state)
{
	unsigned char bucket[BUCKET] = { 0 };
	struct insist seen;
	bool is_changed;

	(void)state;
	insist_count(bucket, 1, T0, &seen, &is_changed);
	insist_count(bucket, 1, T0 + 100, &seen, &is_changed);
	for (uint64_t key = 2; key < 1000; key++) {
		insist_count(bucket, key, T0 + 200, &seen, &is_changed);
		assert_int_equal(seen.tries, 1);
	}
	insist_count(bucket, 1, T0 + 300, &seen, &is_changed);
	assert_int_equal(seen.tries, 3);
	/* and the oldest of the others went first */
	insist_count(bucket, 999, T0 + 300, &seen, &is_changed);
	assert_int_equal(seen.tries, 2);
}

static void
a_damaged_entry_is_none(void **state)
{
	unsigned char bucket[BUCKET] = { 0 };
	struct insist seen;
	bool is_changed;
	unsigned slot;

	(void)state;
	insist_count(bucket, 1, T0, &seen, &is_changed);
	slot = insist_count(bucket, 1, T0 + 100, &seen, &is_changed);
	assert_int_equal(seen.tries, 2);
	bucket[slot * INSIST_ENTRY_BYTES + 16] = 200; /* its tries */
	insist_count(bucket, 1, T0 + 200, &seen, &is_changed);
	assert_int_equal(seen.tries, 1);
}

static void
mail_is_the_same_from_the_same_network_in_any_case(void **state)
{
	static const struct insist_key base = { "192.0.2.7", "a@s.example",
		"bob@example.com" };
	static const struct {
		const char *name;
		struct insist_key key;
		bool is_same;
	} cases[] = {
		{ "the same", { "192.0.2.7", "a@s.example", "bob@example.com" },
		    true },
		{ "another of its /24",
		    { "192.0.2.250", "a@s.example", "bob@example.com" }, true },
		{ "mapped",
		    { "::ffff:192.0.2.7", "a@s.example", "bob@example.com" },
		    true },
		{ "letters", { "192.0.2.7", "A@S.example", "Bob@Example.com" },
		    true },
		{ "another network",
		    { "192.0.3.7", "a@s.example", "bob@example.com" }, false },
		{ "unknown", { "", "a@s.example", "bob@example.com" }, false },
		{ "another sender",
		    { "192.0.2.7", "b@s.example", "bob@example.com" }, false },
		{ "no sender", { "192.0.2.7", "", "bob@example.com" }, false },
		{ "another recipient",
		    { "192.0.2.7", "a@s.example", "eve@example.com" }, false },
		{ "one text of both",
		    { "192.0.2.7", "a@s.examplebob@example.com", "" }, false },
	};
	static const struct insist_key v6[] = {
		{ "2001:db8:1:2::7", "", "x" },
		{ "2001:db8:1:2:ffff::", "", "x" },
		{ "2001:db8:1:3::7", "", "x" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		if ((insist_hash(&cases[i].key) == insist_hash(&base)) !=
		    cases[i].is_same)
			fail_msg("%s", cases[i].name);
	assert_int_equal(insist_hash(&v6[0]), insist_hash(&v6[1]));
	assert_int_not_equal(insist_hash(&v6[0]), insist_hash(&v6[2]));
}

/* Many processes, some of which are killed. */
static void
the_store_survives_kill_and_is_bounded(void **state)
{
	char dir[] = "/tmp/bmx-insist.XXXXXX", path[64], other[64], rcpt[32];
	struct insist_key key = { "192.0.2.1", "a@s.example", rcpt };
	struct err e = ERR_INIT;
	struct insist seen;
	struct stat st;
	pid_t pids[8];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/insist", dir);
	for (int p = 0; p < 8; p++) {
		pids[p] = fork();
		for (int n = 0; pids[p] == 0; n++) {
			snprintf(rcpt, sizeof rcpt, "%d.%d", p, n % 500);
			insist_note(dir, &key, T0 + n / 500 * 100, false, &seen,
			    &e);
			if (n == 5000 && p > 3)
				_exit(0);
		}
	}
	for (int p = 4; p < 8; p++)
		waitpid(pids[p], NULL, 0);
	for (int p = 0; p < 4; p++) {
		kill(pids[p], SIGKILL);
		waitpid(pids[p], NULL, 0);
	}
	snprintf(rcpt, sizeof rcpt, "7.3");
	assert_int_equal(insist_note(dir, &key, T0 + 5000, true, &seen, &e), 0);
	assert_in_range(seen.tries, 9, 12); /* some may have met */
	assert_int_equal(insist_note(dir, &key, T0 + 9000, true, &seen, &e), 0);
	assert_in_range(seen.tries, 9, 12); /* a look is none */
	assert_int_equal(stat(path, &st), 0);
	assert_in_range(st.st_size, 1,
	    INSIST_BUCKETS * INSIST_SLOTS * INSIST_ENTRY_BYTES);
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(insist_note(dir, &key, T0, false, &seen, &e), -1);
	assert_int_equal(seen.tries, 1);
	unlink(path);
	snprintf(other, sizeof other, "%s/other", dir);
	assert_int_equal(insist_note(dir, &key, T0, false, &seen, &e), 0);
	assert_int_equal(link(path, other), 0);
	assert_int_equal(insist_note(dir, &key, T0 + 60, false, &seen, &e), -1);
	assert_non_null(strstr(e.text, "/insist has another name"));
	unlink(other);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    what_is_offered_is_what_the_primary_last_offered),
		cmocka_unit_test(
		    tries_count_when_they_are_apart_and_not_forgotten),
		cmocka_unit_test(enough_is_so_many_over_so_long),
		cmocka_unit_test(
		    a_flood_of_single_tries_pushes_out_nobody_who_insists),
		cmocka_unit_test(a_damaged_entry_is_none),
		cmocka_unit_test(
		    mail_is_the_same_from_the_same_network_in_any_case),
		cmocka_unit_test(the_store_survives_kill_and_is_bounded),
		cmocka_unit_test(every_question_has_its_answer),
		cmocka_unit_test(postmaster_is_taken_while_the_primary_is_down),
		cmocka_unit_test(limits_hold_for_each_and_for_all),
		cmocka_unit_test(
		    the_primary_is_away_for_a_while_after_it_was_found_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
