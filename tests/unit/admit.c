/* bmx-receive: what becomes of a recipient. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bmx-receive/admit.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* Everything that may be asked is one string of letters:
 *	mode     s spool, t through, d defer
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
	/* mode defer: only while it is up */
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

static const char *const letters[] = { "std", "u?d", "l-", "-lx", "?gb",
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
		CONFIG_ADMIT_THROUGH, CONFIG_ADMIT_DEFER };
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
	assert_int_equal(n, 3 * 3 * 2 * 3 * 3 * 4);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_question_has_its_answer),
		cmocka_unit_test(postmaster_is_taken_while_the_primary_is_down),
		cmocka_unit_test(limits_hold_for_each_and_for_all),
		cmocka_unit_test(
		    the_primary_is_away_for_a_while_after_it_was_found_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
