/* The recipient memory: learning, ages, many writers, kill -9, damage. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spool/memory.h"
#include "spool/memory_db.h"
#include "scratch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define NOW 1790000000
#define DAY 86400
#define DOMAIN "example.com"

static int
open_it(struct memory *m)
{
	struct err e = ERR_INIT;
	int rc = memory_open(m, scratch.path, &e);

	if (rc == -1)
		print_message("# %s\n", e.text);
	return rc;
}

static struct addr
address(const char *text)
{
	struct addr a;
	struct err e = ERR_INIT;

	if (addr_parse(text, strlen(text), &a, &e) == -1)
		abort();
	return a;
}

/* How many were written. Also used in children, so no assertion here. */
static int
learn(struct memory *m, const char *rcpt, enum memory_answer answer,
    enum memory_source source, int64_t when_s)
{
	struct addr a = address(rcpt);
	const struct memory_lesson lesson = { addr_domain(&a), &a,
		{ answer, source, when_s } };
	struct err e = ERR_INIT;
	int rc = memory_learn(m, &lesson, 1, &e);

	if (rc == -1)
		print_message("# %s\n", e.text);
	return rc;
}

static int
find(struct memory *m, const char *rcpt, struct memory_fact *fact)
{
	struct addr a = address(rcpt);
	struct err e = ERR_INIT;
	int rc = memory_find(m, addr_domain(&a), &a, fact, &e);

	if (rc == -1)
		print_message("# %s\n", e.text);
	return rc;
}

static bool
knows(struct memory *m, const char *rcpt, enum memory_answer answer)
{
	struct memory_fact fact;

	return find(m, rcpt, &fact) == 1 && fact.answer == answer;
}

/* ---- pure ---- */

static void
only_replies_about_the_recipient_teach(void **state)
{
	static const struct {
		int code;
		const char *enhanced;
		enum memory_answer answer;
	} rows[] = {
		{ 250, "2.1.5", MEMORY_GOOD },
		{ 250, "", MEMORY_GOOD },
		{ 251, "", MEMORY_GOOD },
		{ 299, "", MEMORY_GOOD },
		{ 550, "5.1.1", MEMORY_BAD },
		{ 550, "5.1.0", MEMORY_BAD },
		{ 550, "", MEMORY_BAD },
		{ 551, "5.1.6", MEMORY_BAD },
		{ 551, "", MEMORY_BAD },
		{ 553, "5.1.3", MEMORY_BAD },
		{ 553, "", MEMORY_BAD },
		{ 550, "5.7.1", MEMORY_UNKNOWN },  /* policy */
		{ 550, "5.7.23", MEMORY_UNKNOWN }, /* SPF */
		{ 550, "5.1.8", MEMORY_UNKNOWN },  /* the sender */
		{ 553, "5.1.7", MEMORY_UNKNOWN },
		{ 550, "5.1.2", MEMORY_UNKNOWN }, /* the domain */
		{ 550, "5.1.10", MEMORY_UNKNOWN },
		{ 550, "5.2.1", MEMORY_UNKNOWN }, /* disabled */
		{ 552, "5.2.2", MEMORY_UNKNOWN }, /* full */
		{ 552, "", MEMORY_UNKNOWN },
		{ 554, "5.1.1", MEMORY_UNKNOWN },
		{ 554, "", MEMORY_UNKNOWN },
		{ 556, "5.1.10", MEMORY_UNKNOWN },
		{ 500, "", MEMORY_UNKNOWN },
		{ 450, "4.1.1", MEMORY_UNKNOWN },
		{ 451, "4.7.1", MEMORY_UNKNOWN },
		{ 421, "", MEMORY_UNKNOWN },
		{ 354, "", MEMORY_UNKNOWN },
		{ 0, "", MEMORY_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_reply reply = SMTP_REPLY_INIT;

		reply.code = rows[i].code;
		strcpy(reply.enhanced, rows[i].enhanced);
		if (memory_judge(&reply) != rows[i].answer)
			fail_msg("%d %s: %s", rows[i].code, rows[i].enhanced,
			    memory_answer_name(memory_judge(&reply)));
	}
}

static void
where_an_answer_is_from_has_a_name(void **state)
{
	static const struct {
		enum memory_source source;
		const char *name;
	} rows[] = {
		{ MEMORY_LIST, "list" },
		{ MEMORY_SESSION, "session" },
		{ MEMORY_FLUSH, "flush" },
		{ MEMORY_PROBE, "probe" },
		{ MEMORY_IMPORT, "import" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(memory_source_name(rows[i].source),
		    rows[i].name);
}

static void
old_answers_count_as_unknown(void **state)
{
	static const struct memory_ages ages = { 90 * DAY, DAY };
	static const struct {
		enum memory_answer answer;
		int64_t age_s;
		enum memory_answer believed;
	} rows[] = {
		{ MEMORY_GOOD, 0, MEMORY_GOOD },
		{ MEMORY_GOOD, 90 * DAY, MEMORY_GOOD },
		{ MEMORY_GOOD, 90 * DAY + 1, MEMORY_UNKNOWN },
		{ MEMORY_BAD, DAY, MEMORY_BAD },
		{ MEMORY_BAD, DAY + 1, MEMORY_UNKNOWN },
		{ MEMORY_UNKNOWN, 0, MEMORY_UNKNOWN },
		{ MEMORY_GOOD, -3600, MEMORY_GOOD }, /* D50: clock set back */
		{ MEMORY_GOOD, -400 * DAY, MEMORY_UNKNOWN },
		{ MEMORY_BAD, -400 * DAY, MEMORY_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct memory_fact fact = { rows[i].answer,
			MEMORY_SESSION, NOW - rows[i].age_s };

		assert_int_equal(memory_believe(&fact, &ages, NOW),
		    rows[i].believed);
	}
}

/* ---- learning ---- */

static void
what_was_learned_is_found_again(void **state)
{
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(find(&m, "bob@example.com", &fact), 0);
	assert_int_equal(learn(&m, "bob@example.com", MEMORY_GOOD, MEMORY_FLUSH,
			     NOW),
	    1);
	memory_close(&m);

	assert_int_equal(open_it(&m), 0);
	assert_int_equal(find(&m, "bob@example.com", &fact), 1);
	assert_int_equal(fact.answer, MEMORY_GOOD);
	assert_int_equal(fact.source, MEMORY_FLUSH);
	assert_int_equal(fact.learned_s, NOW);
	assert_int_equal(find(&m, "bo@example.com", &fact), 0);
	assert_int_equal(find(&m, "bobb@example.com", &fact), 0);
	assert_int_equal(find(&m, "bob@example.co", &fact), 0);
	memory_close(&m);
}

static void
local_parts_differ_in_all_but_the_case_of_ascii_letters(void **state)
{
	static const char longest[] =
	    "abcdefghijklmnopqrstuvwxyz0123456789"
	    "abcdefghijklmnopqrstuvwxyz01@example.com";
	static const struct {
		const char *learned, *asked;
		int found;
	} rows[] = {
		{ "Bob@example.com", "bOB@example.com", 1 },
		{ "\"odd one\"@example.com", "\"Odd One\"@example.com", 1 },
		{ "\"ann\"@example.com", "ann@example.com", 0 },
		{ "\"a@b\"@example.com", "\"a@b\"@example.com", 1 },
		{ "j\xc3\xb6rg@example.com", "J\xc3\xb6RG@example.com", 1 },
		{ "j\xc3\xb6rg2@example.com", "j\xc3\x96rg2@example.com", 0 },
		{ longest, longest, 1 },
		{ "x+tag@example.com", "x@example.com", 0 },
	};
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(learn(&m, rows[i].learned, MEMORY_GOOD,
				     MEMORY_SESSION, NOW),
		    1);
		if (find(&m, rows[i].asked, &fact) != rows[i].found)
			fail_msg("%s: %s", rows[i].learned, rows[i].asked);
	}
	memory_close(&m);
}

static void
only_news_is_written(void **state)
{
	static const struct {
		enum memory_answer answer;
		int64_t after_s;
		int written;
	} rows[] = {
		{ MEMORY_GOOD, 0, 1 }, { MEMORY_GOOD, 3600, 0 },
		{ MEMORY_UNKNOWN, 3600, 0 }, /* replaces no verdict */
		{ MEMORY_GOOD, 3601, 1 }, { MEMORY_BAD, 3602, 1 },
		{ MEMORY_BAD, 3662, 0 }, { MEMORY_BAD, 3663, 1 },
		{ MEMORY_GOOD, 3664, 1 },
		{ MEMORY_GOOD, 10, 1 }, /* the clock was set back */
	};
	struct memory m = MEMORY_INIT;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(learn(&m, "bob@example.com", rows[i].answer,
				     MEMORY_SESSION, NOW + rows[i].after_s),
		    rows[i].written);
	memory_close(&m);
}

static void
many_lessons_are_one_transaction(void **state)
{
	struct addr rcpts[] = { address("a@example.com"),
		address("b@example.com"), address("c@example.org") };
	struct memory_lesson lessons[COUNT(rcpts)];
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(rcpts); i++)
		lessons[i] = (struct memory_lesson){ addr_domain(&rcpts[i]),
			&rcpts[i], { MEMORY_BAD, MEMORY_SESSION, NOW } };
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(memory_learn(&m, lessons, COUNT(lessons), &e), 3);
	assert_int_equal(memory_learn(&m, lessons, COUNT(lessons), &e), 0);
	assert_true(knows(&m, "c@example.org", MEMORY_BAD));
	memory_close(&m);
}

static void
with_a_catchall_only_lists_teach(void **state)
{
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(memory_is_catchall(&m, DOMAIN, NOW, &e), 0);
	assert_int_equal(memory_asks_catchall(&m, DOMAIN, NOW, &e), 1);
	assert_int_equal(memory_set_catchall(&m, DOMAIN, true, NOW, &e), 0);
	assert_int_equal(memory_asks_catchall(&m, DOMAIN, NOW + DAY, &e), 0);
	assert_int_equal(memory_asks_catchall(&m, DOMAIN, NOW + DAY + 1, &e),
	    1);
	assert_int_equal(memory_is_catchall(&m, DOMAIN, NOW, &e), 1);
	assert_int_equal(memory_is_catchall(&m, "example.org", NOW, &e), 0);
	assert_int_equal(memory_is_catchall(&m, "xample.com", NOW, &e), 0);
	assert_int_equal(memory_is_catchall(&m, DOMAIN, NOW + 31 * DAY, &e), 0);
	assert_int_equal(learn(&m, "a@example.com", MEMORY_GOOD, MEMORY_SESSION,
			     NOW),
	    0);
	assert_int_equal(find(&m, "a@example.com", &fact), 0);
	assert_int_equal(learn(&m, "a@example.com", MEMORY_GOOD, MEMORY_LIST,
			     NOW),
	    1);
	assert_int_equal(learn(&m, "a@example.org", MEMORY_GOOD, MEMORY_SESSION,
			     NOW),
	    1);
	assert_int_equal(memory_set_catchall(&m, DOMAIN, false, NOW, &e), 0);
	assert_int_equal(memory_set_catchall(&m, DOMAIN, false, NOW, &e), 0);
	assert_int_equal(memory_is_catchall(&m, DOMAIN, NOW, &e), 0);
	assert_int_equal(learn(&m, "b@example.com", MEMORY_GOOD, MEMORY_SESSION,
			     NOW),
	    1);
	memory_close(&m);
}

static void
that_there_is_no_catchall_is_no_recipient(void **state)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	learn(&m, "a@example.com", MEMORY_BAD, MEMORY_SESSION, NOW);
	assert_int_equal(memory_set_catchall(&m, DOMAIN, false, NOW, &e), 0);
	assert_int_equal(memory_asks_catchall(&m, DOMAIN, NOW, &e), 0);
	assert_int_equal(memory_forget(&m, DOMAIN, NULL, &e), 1);
	assert_int_equal(memory_asks_catchall(&m, DOMAIN, NOW, &e), 1);
	memory_close(&m);
}

/* C2 */
static void
the_last_reply_of_a_session_is_learned(void **state)
{
	static const struct {
		const char *rcpt, *reply;
	} said[] = {
		{ "good@example.com", "250 2.1.5 OK" },
		{ "bad@example.com", "550 5.1.1 nobody" },
		{ "both@example.com", "250 2.1.5 OK" },
		{ "policy@example.com", "550 5.7.1 not you" },
		{ "later@example.com", "450 4.2.0 greylisted" },
		{ "both@example.com", "550 5.1.1 nobody" },
	};
	struct memory_notes notes = MEMORY_NOTES_INIT;
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(said); i++) {
		struct smtp_reply reply = SMTP_REPLY_INIT;
		struct addr rcpt = address(said[i].rcpt);

		smtp_reply_line(&reply, said[i].reply, strlen(said[i].reply),
		    &e);
		memory_note(&notes, DOMAIN, &rcpt, &reply);
	}
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(memory_learn_notes(&notes, &m, MEMORY_FLUSH, &e), 3);
	assert_true(knows(&m, "good@example.com", MEMORY_GOOD));
	assert_true(knows(&m, "bad@example.com", MEMORY_BAD));
	assert_true(knows(&m, "both@example.com", MEMORY_BAD));
	assert_int_equal(find(&m, "policy@example.com", &fact), 0);
	assert_int_equal(find(&m, "later@example.com", &fact), 0);
	assert_int_equal(find(&m, "good@example.com", &fact), 1);
	assert_int_equal(fact.source, MEMORY_FLUSH);
	assert_int_equal(memory_learn_notes(&notes, &m, MEMORY_FLUSH, &e), 0);
	memory_close(&m);
}

static void
a_session_with_many_recipients_teaches_some(void **state)
{
	struct memory_notes notes = MEMORY_NOTES_INIT;
	const struct smtp_reply ok = { .code = 250 };
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 0; i < 3 * MEMORY_NOTES_MAX; i++) {
		char text[32];
		struct addr rcpt;

		snprintf(text, sizeof text, "many%d@example.com", i);
		rcpt = address(text);
		memory_note(&notes, DOMAIN, &rcpt, &ok);
	}
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(memory_learn_notes(&notes, &m, MEMORY_SESSION, &e),
	    MEMORY_NOTES_MAX);
	memory_close(&m);
}

/* ---- whole domains ---- */

struct seen {
	size_t n, stop_at;
	char last[ADDR_LOCAL_MAX + 1];
	const char *domain;
	struct memory *m; /* to be asked in the middle */
};

static int
see(void *arg, const struct memory_entry *entry)
{
	struct seen *s = arg;
	struct memory_fact fact;

	assert_string_equal(entry->domain, s->domain);
	assert_true(s->n == 0 || strcmp(s->last, entry->local) < 0);
	strcpy(s->last, entry->local);
	s->n++;
	if (s->m != NULL)
		assert_int_equal(find(s->m, "nobody@example.com", &fact), 0);
	return s->n == s->stop_at ? 7 : 0;
}

static void
learn_many(struct memory *m, const char *domain, int n,
    enum memory_answer answer)
{
	struct memory_lesson *lessons = calloc((size_t)n, sizeof *lessons);
	struct addr *rcpts = calloc((size_t)n, sizeof *rcpts);
	struct err e = ERR_INIT;

	for (int i = 0; i < n; i++) {
		char text[ADDR_MAX];

		snprintf(text, sizeof text, "user%06d@%s", i, domain);
		rcpts[i] = address(text);
		lessons[i] = (struct memory_lesson){ domain, &rcpts[i],
			{ answer, MEMORY_SESSION, NOW } };
	}
	if (memory_learn(m, lessons, (size_t)n, &e) != n)
		fail_msg("%s", e.text);
	free(lessons);
	free(rcpts);
}

static void
a_walk_sees_all_of_a_domain_in_order_and_no_other(void **state)
{
	static const char *const domains[] = { "example.com", "example.co",
		"example.com.example", "xexample.com" };
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	for (size_t i = 0; i < COUNT(domains); i++)
		learn_many(&m, domains[i], 1000 + (int)i, MEMORY_GOOD);
	for (size_t i = 0; i < COUNT(domains); i++) {
		struct seen s = { .domain = domains[i], .m = &m };

		assert_int_equal(memory_each(&m, domains[i], see, &s, &e), 0);
		assert_int_equal(s.n, 1000 + i);
	}
	struct seen few = { .domain = DOMAIN, .stop_at = 70 };
	assert_int_equal(memory_each(&m, DOMAIN, see, &few, &e), 7);
	struct seen none = { .domain = "" };
	assert_int_equal(memory_each(&m, "example.c", see, &none, &e), 0);
	assert_int_equal(none.n, 0);
	memory_close(&m);
}

static int
count_entry(void *arg, const struct memory_entry *entry)
{
	(void)entry;
	++*(size_t *)arg;
	return 0;
}

static void
entries_that_are_not_ours_are_passed_over(void **state)
{
	static const struct {
		const char *key, *value;
		size_t key_len, value_len;
	} rows[] = {
		{ "example.com@\033[2J", "\1\1\1\0\0\0\0\0\0\0\0\0", 16, 12 },
		{ "example.com@a\nb", "\1\1\1\0\0\0\0\0\0\0\0\0", 15, 12 },
		{ "example.com@later", "\2\1\1\0\0\0\0\0\0\0\0\0", 17, 12 },
		{ "example.com@odd", "\1\7\1\0\0\0\0\0\0\0\0\0", 15, 12 },
		{ "example.com@short", "\1\1\1", 17, 3 },
		{ "example.com@past", "\1\1\1\0\0\0\0\0\0\0\0\x80", 16, 12 },
		{ "example.com@future", "\1\1\1\0\0\0\0\0\0\0\0\x7f", 18, 12 },
		{ "no at sign", "\1\1\1\0\0\0\0\0\0\0\0\0", 10, 12 },
	};
	char longest[511];
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;
	MDB_txn *txn;
	size_t n = 0;

	(void)state;
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "example.com@", 12);
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(memory_begin_write(&m, &txn, &e), 0);
	for (size_t i = 0; i <= COUNT(rows); i++) {
		bool is_last = i == COUNT(rows);
		MDB_val k = { is_last ? sizeof longest : rows[i].key_len,
			is_last ? longest : (char *)rows[i].key };
		MDB_val v = { is_last ? 12 : rows[i].value_len,
			(char *)rows[is_last ? 0 : i].value };

		assert_int_equal(mdb_put(txn, m.dbi, &k, &v, 0), 0);
	}
	assert_int_equal(memory_commit(&m, txn, &e), 0);
	assert_int_equal(learn(&m, "zoe@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	assert_int_equal(memory_each(&m, DOMAIN, count_entry, &n, &e), 0);
	assert_int_equal(n, 1);
	assert_int_equal(memory_each(&m, NULL, count_entry, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_int_equal(find(&m, "later@example.com", &fact), 0);
	assert_int_equal(find(&m, "odd@example.com", &fact), 0);
	assert_int_equal(find(&m, "short@example.com", &fact), 0);
	assert_int_equal(find(&m, "past@example.com", &fact), 0);
	assert_int_equal(find(&m, "future@example.com", &fact), 0);
	assert_int_equal(learn(&m, "short@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	memory_close(&m);
}

static void
one_recipient_or_a_domain_is_forgotten(void **state)
{
	struct addr rcpt = address("USER000007@example.com");
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	learn_many(&m, DOMAIN, 3000, MEMORY_GOOD);
	learn_many(&m, "example.com.example", 10, MEMORY_BAD);
	assert_int_equal(memory_forget(&m, DOMAIN, &rcpt, &e), 1);
	assert_int_equal(memory_forget(&m, DOMAIN, &rcpt, &e), 0);
	assert_int_equal(find(&m, "user000007@example.com", &fact), 0);
	assert_int_equal(find(&m, "user000008@example.com", &fact), 1);
	assert_int_equal(memory_forget(&m, DOMAIN, NULL, &e), 2999);
	assert_int_equal(memory_forget(&m, DOMAIN, NULL, &e), 0);
	assert_true(knows(&m, "user000009@example.com.example", MEMORY_BAD));
	memory_close(&m);
}

static int
import(struct memory *m, char *const *locals, size_t n, unsigned shrink_max,
    struct memory_change *change)
{
	const struct memory_import list = { DOMAIN, locals, n, shrink_max,
		{ 90 * DAY, DAY }, NOW };
	struct err e = ERR_INIT;
	int rc = memory_replace(m, &list, change, &e);

	if (rc == -1)
		print_message("# %s\n", e.text);
	return rc;
}

static void
an_import_replaces_the_good_ones_and_refuses_to_lose_many(void **state)
{
	char *five[] = { (char *)"a", (char *)"b", (char *)"c", (char *)"d",
		(char *)"e" };
	char *others[] = { (char *)"b", (char *)"bb", (char *)"c", (char *)"d",
		(char *)"e", (char *)"f" };
	struct memory_change change;
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	learn(&m, "b@example.com", MEMORY_BAD, MEMORY_SESSION, NOW);
	learn(&m, "spam@example.com", MEMORY_BAD, MEMORY_SESSION, NOW);
	learn(&m, "old@example.com", MEMORY_GOOD, MEMORY_SESSION,
	    NOW - 91 * DAY);
	learn(&m, "a@example.com.example", MEMORY_GOOD, MEMORY_LIST, NOW);
	memory_set_catchall(&m, DOMAIN, true, NOW, &e);
	assert_int_equal(import(&m, five, 5, 20, &change), 1);
	assert_int_equal(change.before, 0);
	assert_int_equal(change.added, 5);
	assert_true(knows(&m, "b@example.com", MEMORY_GOOD));
	assert_true(knows(&m, "spam@example.com", MEMORY_BAD));
	assert_int_equal(find(&m, "old@example.com", &fact), 0);
	assert_int_equal(memory_is_catchall(&m, DOMAIN, NOW, &e), 1);

	assert_int_equal(import(&m, others, 6, 19, &change), 0);
	assert_int_equal(change.before, 5);
	assert_int_equal(change.lost, 1);
	assert_int_equal(change.added, 2);
	assert_true(knows(&m, "a@example.com", MEMORY_GOOD));
	assert_int_equal(find(&m, "f@example.com", &fact), 0);

	assert_int_equal(import(&m, others, 6, 20, &change), 1);
	assert_int_equal(find(&m, "a@example.com", &fact), 0);
	assert_true(knows(&m, "f@example.com", MEMORY_GOOD));
	assert_int_equal(import(&m, NULL, 0, 99, &change), 0);
	assert_int_equal(change.lost, 6);
	assert_int_equal(import(&m, NULL, 0, 100, &change), 1);
	assert_int_equal(find(&m, "f@example.com", &fact), 0);
	assert_true(knows(&m, "a@example.com.example", MEMORY_GOOD));
	memory_close(&m);
}

/* ---- full ---- */

#define SMALL ((size_t)128 * 1024)

static void
a_full_memory_forgets_bad_ones_and_no_good_one(void **state)
{
	struct memory m = MEMORY_INIT;
	struct stat st;
	char path[128];

	(void)state;
	m.bytes_max = SMALL;
	assert_int_equal(open_it(&m), 0);
	learn_many(&m, "good.example", 100, MEMORY_GOOD);
	for (int i = 0; i < 4000; i++) {
		char text[64];

		snprintf(text, sizeof text, "u%08x@bad.example",
		    (unsigned)i * 2654435761u);
		assert_int_equal(learn(&m, text, MEMORY_BAD, MEMORY_SESSION,
				     NOW),
		    1);
	}
	for (int i = 0; i < 100; i++) {
		char text[64];

		snprintf(text, sizeof text, "user%06d@good.example", i);
		assert_true(knows(&m, text, MEMORY_GOOD));
	}
	memory_close(&m);
	snprintf(path, sizeof path, "%s/recipients/data.mdb", scratch.path);
	assert_int_equal(stat(path, &st), 0);
	assert_true((size_t)st.st_size <= 2 * SMALL);
}

static void
bad_ones_are_found_behind_many_good_ones(void **state)
{
	struct memory m = MEMORY_INIT;

	(void)state;
	m.bytes_max = 2 * SMALL;
	assert_int_equal(open_it(&m), 0);
	learn_many(&m, DOMAIN, 3000, MEMORY_GOOD);
	learn_many(&m, "z.example", 4000, MEMORY_BAD); /* to the brim */
	assert_int_equal(learn(&m, "aaron@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	assert_true(knows(&m, "user000000@example.com", MEMORY_GOOD));
	assert_true(knows(&m, "user002999@example.com", MEMORY_GOOD));
	memory_close(&m);
}

/* After many guesses at addresses a list has to find room, too. */
static void
a_list_is_imported_into_a_full_memory(void **state)
{
	static char room[500][16];
	char *locals[COUNT(room)];
	struct memory m = MEMORY_INIT;
	struct memory_change change;

	(void)state;
	m.bytes_max = SMALL;
	assert_int_equal(open_it(&m), 0);
	learn_many(&m, "bad.example", 4000, MEMORY_BAD);
	for (size_t i = 0; i < COUNT(room); i++) {
		snprintf(room[i], sizeof room[i], "user%06zu", i);
		locals[i] = room[i];
	}
	assert_int_equal(import(&m, locals, COUNT(room), 20, &change), 1);
	assert_int_equal(change.added, COUNT(room));
	for (size_t i = 0; i < COUNT(room); i++) {
		char text[64];

		snprintf(text, sizeof text, "user%06zu@example.com", i);
		assert_true(knows(&m, text, MEMORY_GOOD));
	}
	memory_close(&m);
}

static void
full_of_good_ones_it_learns_no_more_and_says_so(void **state)
{
	struct addr rcpt = address("late@example.com");
	const struct memory_lesson late = { DOMAIN, &rcpt,
		{ MEMORY_GOOD, MEMORY_SESSION, NOW } };
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;

	(void)state;
	m.bytes_max = SMALL;
	assert_int_equal(open_it(&m), 0);
	for (int i = 0; !(e.class == ERR_TEMP); i++) {
		char text[64];
		struct addr a;
		struct memory_lesson lesson = { DOMAIN, &a,
			{ MEMORY_GOOD, MEMORY_SESSION, NOW } };

		snprintf(text, sizeof text, "user%06d@example.com", i);
		a = address(text);
		memory_learn(&m, &lesson, 1, &e);
		assert_true(i < 100000);
	}
	assert_non_null(strstr(e.text, "full"));
	assert_int_equal(memory_learn(&m, &late, 1, &e), -1);
	assert_int_equal(find(&m, "late@example.com", &fact), 0);
	assert_true(knows(&m, "user000000@example.com", MEMORY_GOOD));
	/* What is there can change, and what is forgotten makes room. */
	assert_int_equal(learn(&m, "user000000@example.com", MEMORY_BAD,
			     MEMORY_SESSION, NOW),
	    1);
	assert_true(memory_forget(&m, DOMAIN, NULL, &e) > 1000);
	assert_int_equal(memory_learn(&m, &late, 1, &e), 1);
	memory_close(&m);
}

/* Learn until the file may not grow any more, then say so. */
static void
learn_on_a_small_disk(void)
{
	const struct rlimit small = { 64 * 1024, 64 * 1024 };
	struct memory m = MEMORY_INIT;
	int rc = 1;

	signal(SIGXFSZ, SIG_IGN);
	if (open_it(&m) != 0 || setrlimit(RLIMIT_FSIZE, &small) == -1)
		_exit(2);
	for (int i = 0; rc == 1 && i < 100000; i++) {
		char text[64];

		snprintf(text, sizeof text, "user%06d@example.com", i);
		rc = learn(&m, text, MEMORY_GOOD, MEMORY_SESSION, NOW);
	}
	_exit(rc == -1 && knows(&m, "user000001@example.com", MEMORY_GOOD) ? 0
									   : 3);
}

static void
a_full_disk_costs_only_what_was_to_be_learned(void **state)
{
	struct memory m = MEMORY_INIT;
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0)
		learn_on_a_small_disk();
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(open_it(&m), 0);
	assert_true(knows(&m, "user000001@example.com", MEMORY_GOOD));
	assert_int_equal(learn(&m, "bob@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	memory_close(&m);
}

/* ---- many processes, and their death ---- */

#define WRITERS 8
#define LEARNS 1000

/* 1 and no less: on a busy machine one may wait for the others for longer than
 * memory_learn() does. */
static int
learn_in_turn(struct memory *m, const char *rcpt)
{
	struct addr a = address(rcpt);
	const struct memory_lesson lesson = { addr_domain(&a), &a,
		{ MEMORY_GOOD, MEMORY_SESSION, NOW } };
	struct err e = ERR_INIT;
	int rc;

	do
		rc = memory_learn(m, &lesson, 1, &e);
	while (rc == -1 && strstr(e.text, "has been writing for") != NULL);
	return rc;
}

static void
write_alone(int writer)
{
	struct memory m = MEMORY_INIT;

	if (open_it(&m) != 0)
		_exit(2);
	for (int i = 0; i < LEARNS; i++) {
		char text[64];

		snprintf(text, sizeof text, "w%d-%d@example.com", writer, i);
		if (learn_in_turn(&m, text) != 1)
			_exit(3);
	}
	memory_close(&m);
	_exit(0);
}

static void
eight_writers_at_once_lose_nothing(void **state)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;
	pid_t writers[WRITERS];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < WRITERS; i++) {
		writers[i] = fork();
		if (writers[i] == 0)
			write_alone(i);
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(memory_each(&m, DOMAIN, count_entry, &n, &e), 0);
	assert_int_equal(n, WRITERS * LEARNS);
	memory_close(&m);
}

/* Learn, and tell what was learned, until killed. */
static void
write_until_killed(int round, int fd)
{
	struct memory m = MEMORY_INIT;

	if (open_it(&m) != 0)
		_exit(2);
	for (int i = 0;; i++) {
		char text[64];

		snprintf(text, sizeof text, "r%d-%d@example.com", round, i);
		if (learn(&m, text, MEMORY_GOOD, MEMORY_SESSION, NOW) != 1 ||
		    write(fd, &i, sizeof i) != sizeof i)
			_exit(3);
	}
}

/* Kill the writer somewhere behind its 20th lesson; how many it had done. */
static int
kill_a_writer(int round)
{
	int ends[2], last = -1, i, status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0)
		write_until_killed(round, ends[1]);
	close(ends[1]);
	while (last < 20 && read(ends[0], &i, sizeof i) == sizeof i)
		last = i;
	for (volatile int spin = 0; spin < round * 10000; spin++)
		;
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	while (read(ends[0], &i, sizeof i) == sizeof i)
		last = i;
	close(ends[0]);
	return last + 1;
}

static void
a_killed_writer_loses_nothing_it_had_learned(void **state)
{
	(void)state;
	for (int round = 0; round < 30; round++) {
		struct memory m = MEMORY_INIT;
		int done = kill_a_writer(round);

		assert_int_equal(open_it(&m), 0);
		for (int i = 0; i < done; i++) {
			char text[64];

			snprintf(text, sizeof text, "r%d-%d@example.com", round,
			    i);
			assert_true(knows(&m, text, MEMORY_GOOD));
		}
		assert_int_equal(learn(&m, "bob@example.com", MEMORY_GOOD,
				     MEMORY_SESSION, NOW + round * DAY),
		    1);
		memory_close(&m);
	}
}

static void
die_at_work(bool is_writer)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;
	MDB_txn *txn;
	MDB_val k = { 15, (char *)"example.com@bob" }, v = { 3, (char *)"xyz" };

	if (open_it(&m) != 0 ||
	    (is_writer ? memory_begin_write(&m, &txn, &e)
		       : memory_begin_read(&m, &txn, &e)) != 0 ||
	    (is_writer && mdb_put(txn, m.dbi, &k, &v, 0) != 0))
		_exit(2);
	raise(SIGKILL);
}

static void
expect_killed(pid_t child)
{
	int status;

	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void
let_die(bool is_writer)
{
	pid_t child = fork();

	if (child == 0)
		die_at_work(is_writer);
	expect_killed(child);
}

/* In a process of its own: a session that has something to learn, or not. */
static void
expect_session(const char *rcpt)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct memory m = MEMORY_INIT;

		if (open_it(&m) != 0)
			_exit(1);
		_exit(rcpt != NULL &&
		      learn(&m, rcpt, MEMORY_GOOD, MEMORY_SESSION, NOW) != 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
who_dies_at_work_leaves_neither_lock_nor_slot(void **state)
{
	struct memory m = MEMORY_INIT;
	int dead = -1;

	(void)state;
	assert_int_equal(open_it(&m), 0); /* keeps LMDB's lock file in use */
	learn(&m, "bob@example.com", MEMORY_GOOD, MEMORY_SESSION, NOW);
	let_die(true);
	expect_session("ann@example.com");
	let_die(false);
	let_die(false);
	expect_session(NULL);
	assert_int_equal(mdb_reader_check(m.env, &dead), 0);
	assert_int_equal(dead, 0);
	assert_true(knows(&m, "bob@example.com", MEMORY_GOOD));
	assert_true(knows(&m, "ann@example.com", MEMORY_GOOD));
	memory_close(&m);
}

/* ---- damage ---- */

static int
count_aside(void)
{
	char command[128];
	FILE *out;
	int n = -1;

	snprintf(command, sizeof command,
	    "ls '%s' | grep -c '^recipients\\.damaged-20'", scratch.path);
	out = popen(command, "r");
	assert_non_null(out);
	assert_int_equal(fscanf(out, "%d", &n), 1);
	pclose(out);
	return n;
}

static int
open_data(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof path, "%s/recipients/data.mdb", scratch.path);
	fd = open(path, O_RDWR);
	assert_true(fd != -1);
	return fd;
}

static void
fill_memory(void)
{
	struct memory m = MEMORY_INIT;

	assert_int_equal(open_it(&m), 0);
	learn_many(&m, DOMAIN, 5000, MEMORY_GOOD);
	memory_close(&m);
}

/* Each row of a table has a memory of its own. */
static void
begin_row(void **state, size_t i)
{
	if (i > 0) {
		assert_int_equal(scratch_remove(state), 0);
		assert_int_equal(scratch_make(state), 0);
	}
	fill_memory();
}

/* Bytes of junk over the file, from from to to (-1: its end). */
static void
overwrite(off_t from, off_t to)
{
	int fd = open_data();
	struct stat st;
	char junk[4096];

	assert_int_equal(fstat(fd, &st), 0);
	memset(junk, 0xa5, sizeof junk);
	if (to == -1)
		to = st.st_size;
	for (; from < to; from += (off_t)sizeof junk)
		assert_int_equal(pwrite(fd, junk, sizeof junk, from),
		    sizeof junk);
	close(fd);
}

static void
cut(off_t size)
{
	int fd = open_data();

	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static void
expect_a_new_one(struct memory *m)
{
	struct memory_fact fact;

	assert_int_equal(count_aside(), 1);
	assert_int_equal(find(m, "user000001@example.com", &fact), 0);
	assert_int_equal(learn(m, "user000001@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	assert_true(knows(m, "user000001@example.com", MEMORY_GOOD));
}

static void
a_damaged_file_is_set_aside_with_an_alarm(void **state)
{
	static const struct {
		const char *name;
		off_t junk_from, junk_to, size; /* size 0: not cut */
	} rows[] = {
		{ "all is junk", 0, -1, 0 },
		{ "the first pages are junk", 0, 8192, 0 },
		{ "cut to one page", 0, 0, 4096 },
		{ "cut to some bytes", 0, 0, 100 },
		{ "cut in the middle", 0, 0, 40960 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct memory m = MEMORY_INIT;
		struct err e = ERR_INIT;

		begin_row(state, i);
		overwrite(rows[i].junk_from, rows[i].junk_to);
		if (rows[i].size > 0)
			cut(rows[i].size);
		if (memory_open(&m, scratch.path, &e) != 1)
			fail_msg("%s: not noticed", rows[i].name);
		assert_int_equal(e.class, ERR_DATA);
		assert_non_null(strstr(e.text, "recipients.damaged-20"));
		expect_a_new_one(&m);
		memory_close(&m);
	}
}

static void
an_empty_file_is_an_empty_memory(void **state)
{
	struct memory m = MEMORY_INIT;

	(void)state;
	fill_memory();
	cut(0);
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(learn(&m, "bob@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	memory_close(&m);
}

/* A session, which may well die of it. */
static void
use_once(void)
{
	static const int deadly[] = { SIGSEGV, SIGBUS, SIGABRT };
	const struct rlimit no_core = { 0, 0 };
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct addr rcpt = address("user002500@example.com");
	struct err e = ERR_INIT;

	for (size_t i = 0; i < COUNT(deadly); i++)
		signal(deadly[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &no_core);
	if (memory_open(&m, scratch.path, &e) != -1)
		memory_find(&m, DOMAIN, &rcpt, &fact, &e);
	memory_close(&m);
	_exit(0);
}

static void
damaged_pages_cost_one_session_at_most(void **state)
{
	struct memory m = MEMORY_INIT;
	pid_t child;
	int rc;

	(void)state;
	fill_memory();
	overwrite(8192, -1); /* all but the two pages that are checked */
	child = fork();
	if (child == 0)
		use_once();
	assert_int_equal(waitpid(child, NULL, 0), child);
	rc = open_it(&m);
	assert_true(rc == 0 || rc == 1);
	expect_a_new_one(&m);
	memory_close(&m);
}

static void
after_a_death_at_work_all_is_looked_through(void **state)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	fill_memory();
	let_die(false);
	assert_int_equal(open_it(&m), 0); /* sound: it is used as before */
	assert_true(knows(&m, "user000001@example.com", MEMORY_GOOD));
	memory_close(&m);
	let_die(false);
	overwrite(8192, -1);
	assert_int_equal(memory_open(&m, scratch.path, &e), 1);
	assert_non_null(strstr(e.text, "does not bear reading"));
	expect_a_new_one(&m);
	memory_close(&m);
}

/* ---- a walk that takes long: its minute is a second here ---- */

/* How it begins, in a child of this process; NULL: as ever. */
static void (*begin_walk)(void);
static pid_t parent;

unsigned __real_alarm(unsigned s);
unsigned __wrap_alarm(unsigned s);
unsigned
__wrap_alarm(unsigned s)
{
	return __real_alarm(begin_walk == NULL ? s : (s + 59) / 60);
}

int __real_setrlimit64(int what, const struct rlimit *limit);
int __wrap_setrlimit64(int what, const struct rlimit *limit);
int
__wrap_setrlimit64(int what, const struct rlimit *limit)
{
	struct rlimit tight = *limit;

	if (what == RLIMIT_CPU && begin_walk != NULL) {
		tight.rlim_cur = (tight.rlim_cur + 59) / 60;
		tight.rlim_max = (tight.rlim_max + 59) / 60;
	}
	return __real_setrlimit64(what, &tight);
}

int __real_mdb_env_info(MDB_env *env, MDB_envinfo *info);
int __wrap_mdb_env_info(MDB_env *env, MDB_envinfo *info);
int
__wrap_mdb_env_info(MDB_env *env, MDB_envinfo *info)
{
	if (begin_walk != NULL && getpid() != parent)
		begin_walk();
	return __real_mdb_env_info(env, info);
}

static void
wait_for_the_disk(void)
{
	poll(NULL, 0, 2500);
}

static void
run_in_a_circle(void)
{
	for (volatile unsigned round = 0;; round++)
		;
}

static void
a_disk_that_stalls_is_no_damage_a_circle_is(void **state)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;

	(void)state;
	parent = getpid();
	expect_session("bob@example.com");
	let_die(false);
	begin_walk = wait_for_the_disk;
	assert_int_equal(open_it(&m), 0);
	assert_true(knows(&m, "bob@example.com", MEMORY_GOOD));
	memory_close(&m);
	begin_walk = NULL;
	let_die(false);
	begin_walk = run_in_a_circle;
	assert_int_equal(memory_open(&m, scratch.path, &e), 1);
	begin_walk = NULL;
	assert_non_null(strstr(e.text, "does not bear reading"));
	expect_a_new_one(&m);
	memory_close(&m);
}

/* ---- from session to session ---- */

static int
need(struct memory *m)
{
	struct err e = ERR_INIT;
	int rc = memory_need(m, scratch.path, &e);

	if (rc != 0)
		print_message("# %s\n", e.text);
	return rc;
}

/* The memory, or one of its files: with another name. */
static void
move_away(const char *name)
{
	char path[128], other[160];

	snprintf(path, sizeof path, "%s/%s", scratch.path, name);
	snprintf(other, sizeof other, "%s.away", path);
	assert_int_equal(rename(path, other), 0);
}

static void
what_is_open_stays_open_and_shows_what_others_learn(void **state)
{
	struct memory m = MEMORY_INIT;
	const struct MDB_env *env;
	MDB_envinfo info;
	int dead = -1;

	(void)state;
	assert_int_equal(need(&m), 0);
	env = m.env;
	for (int i = 0; i < 20; i++) {
		char text[64];

		snprintf(text, sizeof text, "new%d@example.com", i);
		expect_session(text);
		assert_int_equal(need(&m), 0);
		assert_ptr_equal(m.env, env);
		assert_true(knows(&m, text, MEMORY_GOOD));
	}
	/* nor does it hold what they free: twenty writes, and few pages */
	assert_int_equal(mdb_reader_check(m.env, &dead), 0);
	assert_int_equal(mdb_env_info(m.env, &info), 0);
	assert_true(info.me_last_pgno < 20);
	memory_close(&m);
}

static void
what_is_not_there_any_more_is_opened_anew(void **state)
{
	static const char *const names[] = { "recipients",
		"recipients/data.mdb" };

	for (size_t i = 0; i < COUNT(names); i++) {
		struct memory m = MEMORY_INIT;
		struct memory_fact fact;

		begin_row(state, i);
		assert_int_equal(need(&m), 0);
		assert_true(knows(&m, "user000001@example.com", MEMORY_GOOD));
		move_away(names[i]);
		if (i == 0) /* who has m's lock.mdb wants its data.mdb */
			expect_session("ann@example.com");
		assert_int_equal(need(&m), 0);
		assert_int_equal(find(&m, "user000001@example.com", &fact), 0);
		assert_int_equal(knows(&m, "ann@example.com", MEMORY_GOOD),
		    i == 0);
		memory_close(&m);
	}
}

static void
damage_is_seen_by_who_has_it_open(void **state)
{
	static const struct {
		const char *name;
		off_t junk_from, junk_to, size; /* size -1: not cut */
		bool has_dead;
		int rc;
	} rows[] = {
		{ "the first pages are junk", 0, 8192, -1, false, 1 },
		{ "cut to one page", 0, 0, 4096, false, 1 },
		{ "cut in the middle", 0, 0, 40960, false, 1 },
		{ "cut to nothing, which is empty", 0, 0, 0, false, 0 },
		{ "junk that has killed another", 8192, -1, -1, true, 1 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct memory m = MEMORY_INIT;
		struct memory_fact fact;

		begin_row(state, i);
		assert_int_equal(need(&m), 0);
		assert_true(knows(&m, "user000001@example.com", MEMORY_GOOD));
		if (rows[i].has_dead)
			let_die(false);
		overwrite(rows[i].junk_from, rows[i].junk_to);
		if (rows[i].size >= 0)
			cut(rows[i].size);
		if (need(&m) != rows[i].rc)
			fail_msg("%s: not noticed", rows[i].name);
		assert_int_equal(count_aside(), rows[i].rc);
		assert_int_equal(find(&m, "user000001@example.com", &fact), 0);
		assert_int_equal(learn(&m, "user000001@example.com",
				     MEMORY_GOOD, MEMORY_SESSION, NOW),
		    1);
		memory_close(&m);
	}
}

/* Of those that the file busy names only the dead are taken out; who was at
 * work with our own number is dead. */
static void
who_is_still_at_work_has_not_died(void **state)
{
	const uint32_t alive = (uint32_t)getppid();
	const uint32_t own = (uint32_t)getpid();
	const off_t at = (off_t)(alive % 1024) * (off_t)sizeof alive;
	const off_t own_at = (off_t)(own % 1024) * (off_t)sizeof own;
	struct memory m = MEMORY_INIT;
	uint32_t busy = 0;
	char path[128];
	int fd;

	(void)state;
	fill_memory();
	overwrite(8192, -1); /* nobody looks there unless somebody died */
	snprintf(path, sizeof path, "%s/recipients/busy", scratch.path);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, &alive, sizeof alive, at), sizeof alive);
	assert_int_equal(open_it(&m), 0);
	memory_close(&m);
	assert_int_equal(pread(fd, &busy, sizeof busy, at), sizeof busy);
	assert_int_equal(busy, alive);
	assert_int_equal(pwrite(fd, &own, sizeof own, own_at), sizeof own);
	assert_int_equal(open_it(&m), 1);
	memory_close(&m);
	close(fd);
}

static void
what_took_the_place_of_a_damaged_one_is_left_alone(void **state)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;
	char path[128], aside[128];

	(void)state;
	fill_memory();
	assert_int_equal(open_it(&m), 0);
	snprintf(path, sizeof path, "%s/recipients", scratch.path);
	snprintf(aside, sizeof aside, "%s/recipients.damaged-20", scratch.path);
	assert_int_equal(rename(path, aside), 0); /* another was quicker */
	expect_session("ann@example.com");
	assert_int_equal(memory_failed(&m, MDB_CORRUPTED, &e), -1);
	assert_int_equal(e.class, ERR_DATA);
	assert_null(m.env);
	assert_int_equal(count_aside(), 1);
	assert_int_equal(open_it(&m), 0);
	assert_true(knows(&m, "ann@example.com", MEMORY_GOOD));
	memory_close(&m);
}

static void
many_who_find_it_damaged_set_it_aside_once(void **state)
{
	pid_t children[WRITERS];
	struct memory m = MEMORY_INIT;

	(void)state;
	fill_memory();
	overwrite(0, 8192);
	for (int i = 0; i < WRITERS; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			char text[64];

			snprintf(text, sizeof text, "new%d@example.com", i);
			if (open_it(&m) == -1)
				_exit(1);
			_exit(learn(&m, text, MEMORY_GOOD, MEMORY_SESSION,
				  NOW) != 1);
		}
	}
	for (int i = 0; i < WRITERS; i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(open_it(&m), 0);
	for (int i = 0; i < WRITERS; i++) {
		char text[64];

		snprintf(text, sizeof text, "new%d@example.com", i);
		assert_true(knows(&m, text, MEMORY_GOOD));
	}
	expect_a_new_one(&m);
	memory_close(&m);
}

/* LMDB would write into it. */
static void
a_file_that_is_elsewhere_too_is_not_used(void **state)
{
	static const char *const files[] = { "recipients/data.mdb",
		"recipients/lock.mdb" };
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e;

	(void)state;
	assert_int_equal(open_it(&m), 0);
	assert_int_equal(learn(&m, "bob@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    1);
	memory_close(&m);
	for (size_t i = 0; i < COUNT(files); i++) {
		assert_int_equal(linkat(scratch.fd, files[i], scratch.fd,
				     "elsewhere", 0),
		    0);
		assert_int_equal(memory_open(&m, scratch.path, &e), -1);
		assert_int_equal(e.class, ERR_CONFIG);
		assert_non_null(strstr(e.text, files[i]));
		assert_int_equal(unlinkat(scratch.fd, files[i], 0), 0);
		assert_int_equal(symlinkat("../elsewhere", scratch.fd,
				     files[i]),
		    0);
		assert_int_equal(memory_open(&m, scratch.path, &e), -1);
		assert_int_equal(e.class, ERR_CONFIG);
		assert_int_equal(renameat(scratch.fd, "elsewhere", scratch.fd,
				     files[i]),
		    0);
		assert_int_equal(open_it(&m), 0);
		assert_int_equal(find(&m, "bob@example.com", &fact), 1);
		memory_close(&m);
	}
}

static void
an_unsafe_state_directory_is_not_used(void **state)
{
	struct memory m = MEMORY_INIT;
	struct err e = ERR_INIT;
	char missing[128];

	(void)state;
	snprintf(missing, sizeof missing, "%s/missing", scratch.path);
	assert_int_equal(memory_open(&m, missing, &e), -1);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_non_null(strstr(e.text, "mkdir"));
	assert_int_equal(chmod(scratch.path, 0770), 0);
	assert_int_equal(memory_open(&m, scratch.path, &e), -1);
	assert_int_equal(e.class, ERR_CONFIG);
	assert_int_equal(chmod(scratch.path, 0700), 0);
}

static void
a_closed_memory_knows_and_learns_nothing(void **state)
{
	struct addr rcpt = address("bob@example.com");
	struct memory m = MEMORY_INIT;
	struct memory_fact fact;
	struct err e = ERR_INIT;
	size_t n = 0;
	const struct memory_import none = { .domain = DOMAIN };
	struct memory_change change;

	(void)state;
	assert_int_equal(find(&m, "bob@example.com", &fact), 0);
	assert_int_equal(memory_replace(&m, &none, &change, &e), -1);
	assert_string_equal(e.text, "the recipient memory is not open");
	assert_int_equal(learn(&m, "bob@example.com", MEMORY_GOOD,
			     MEMORY_SESSION, NOW),
	    0);
	assert_int_equal(memory_is_catchall(&m, DOMAIN, NOW, &e), 0);
	assert_int_equal(memory_set_catchall(&m, DOMAIN, true, NOW, &e), 0);
	assert_int_equal(memory_each(&m, NULL, count_entry, &n, &e), 0);
	assert_int_equal(memory_forget(&m, DOMAIN, &rcpt, &e), 0);
	memory_close(&m);
}

#define IN_STATE(test)                                                         \
	cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_replies_about_the_recipient_teach),
		cmocka_unit_test(where_an_answer_is_from_has_a_name),
		cmocka_unit_test(old_answers_count_as_unknown),
		IN_STATE(what_was_learned_is_found_again),
		IN_STATE(
		    local_parts_differ_in_all_but_the_case_of_ascii_letters),
		IN_STATE(only_news_is_written),
		IN_STATE(many_lessons_are_one_transaction),
		IN_STATE(with_a_catchall_only_lists_teach),
		IN_STATE(that_there_is_no_catchall_is_no_recipient),
		IN_STATE(the_last_reply_of_a_session_is_learned),
		IN_STATE(a_session_with_many_recipients_teaches_some),
		IN_STATE(a_walk_sees_all_of_a_domain_in_order_and_no_other),
		IN_STATE(entries_that_are_not_ours_are_passed_over),
		IN_STATE(one_recipient_or_a_domain_is_forgotten),
		IN_STATE(
		    an_import_replaces_the_good_ones_and_refuses_to_lose_many),
		IN_STATE(a_full_memory_forgets_bad_ones_and_no_good_one),
		IN_STATE(bad_ones_are_found_behind_many_good_ones),
		IN_STATE(a_list_is_imported_into_a_full_memory),
		IN_STATE(full_of_good_ones_it_learns_no_more_and_says_so),
		IN_STATE(a_full_disk_costs_only_what_was_to_be_learned),
		IN_STATE(eight_writers_at_once_lose_nothing),
		IN_STATE(a_killed_writer_loses_nothing_it_had_learned),
		IN_STATE(who_dies_at_work_leaves_neither_lock_nor_slot),
		IN_STATE(a_damaged_file_is_set_aside_with_an_alarm),
		IN_STATE(an_empty_file_is_an_empty_memory),
		IN_STATE(damaged_pages_cost_one_session_at_most),
		IN_STATE(after_a_death_at_work_all_is_looked_through),
		IN_STATE(a_disk_that_stalls_is_no_damage_a_circle_is),
		IN_STATE(what_is_open_stays_open_and_shows_what_others_learn),
		IN_STATE(what_is_not_there_any_more_is_opened_anew),
		IN_STATE(damage_is_seen_by_who_has_it_open),
		IN_STATE(who_is_still_at_work_has_not_died),
		IN_STATE(what_took_the_place_of_a_damaged_one_is_left_alone),
		IN_STATE(many_who_find_it_damaged_set_it_aside_once),
		IN_STATE(an_unsafe_state_directory_is_not_used),
		IN_STATE(a_file_that_is_elsewhere_too_is_not_used),
		cmocka_unit_test(a_closed_memory_knows_and_learns_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
