/* SPOOL/DOMAIN/unverified: what counts, and since when. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/spool.h"
#include "spool/unverified.h"
#include "scratch.h"

static struct addr
addr(const char *text)
{
	struct addr a;
	struct err e = ERR_INIT;

	assert_int_equal(addr_parse(text, strlen(text), &a, &e), 0);
	return a;
}

static void
add(int64_t at_us, uint64_t bytes, const char *one, const char *two)
{
	struct addr a = addr(one), b = addr(two == NULL ? one : two);
	const struct addr *rcpts[] = { &a, &b };
	char id[SPOOL_ID_LEN + 1];
	struct err e = ERR_INIT;

	assert_int_equal(spool_new_id(id, at_us, &e), 0);
	assert_int_equal(unverified_add(scratch.fd, 0, id, bytes, rcpts,
			     two == NULL ? 1 : 2, &e),
	    0);
}

static void
expect(int64_t since_us, const char *rcpt, uint64_t each_messages,
    uint64_t each_bytes, uint64_t all_messages, uint64_t all_bytes)
{
	struct unverified_count each, all;
	struct addr a = addr(rcpt);
	struct err e = ERR_INIT;

	assert_int_equal(unverified_count(scratch.fd, since_us, &a, &each, &all,
			     &e),
	    0);
	assert_int_equal(each.messages, each_messages);
	assert_int_equal(each.bytes, each_bytes);
	assert_int_equal(all.messages, all_messages);
	assert_int_equal(all.bytes, all_bytes);
}

static void
without_a_file_nothing_was_taken(void **state)
{
	(void)state;
	expect(0, "a@example.com", 0, 0, 0, 0);
}

static void
each_and_all_are_counted(void **state)
{
	(void)state;
	add(100, 10, "a@example.com", NULL);
	add(200, 5, "b@example.com", "a@example.com");
	add(300, 7, "A@example.com", NULL);
	expect(0, "a@example.com", 3, 22, 4, 22);
	expect(0, "b@example.com", 1, 5, 4, 22);
	expect(0, "c@example.com", 0, 0, 4, 22);
}

static void
what_came_before_the_primary_was_up_counts_no_more(void **state)
{
	(void)state;
	add(100, 10, "a@example.com", NULL);
	add(200, 5, "a@example.com", NULL);
	expect(99, "a@example.com", 2, 15, 2, 15);
	expect(100, "a@example.com", 1, 5, 1, 5);
	expect(200, "a@example.com", 0, 0, 0, 0);
}

static void
a_file_with_history_only_is_begun_anew(void **state)
{
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	struct addr a = addr("a@example.com");
	const struct addr *rcpts[] = { &a };
	char id[SPOOL_ID_LEN + 1];
	struct err e = ERR_INIT;
	struct stat before, after;

	(void)state;
	add(100, 10, "a@example.com", NULL);
	assert_int_equal(fstatat(scratch.fd, "unverified", &before, 0), 0);
	assert_int_equal(utimensat(scratch.fd, "unverified", old, 0), 0);
	assert_int_equal(spool_new_id(id, 3000000000, &e), 0);
	assert_int_equal(unverified_add(scratch.fd, 2000000000, id, 10, rcpts,
			     1, &e),
	    0);
	assert_int_equal(fstatat(scratch.fd, "unverified", &after, 0), 0);
	assert_int_equal(after.st_size, before.st_size);
	expect(0, "a@example.com", 1, 10, 1, 10);
}

/* A quoted local part may hold blanks; and what is not ours is passed over. */
static void
odd_addresses_and_damaged_lines_do_no_harm(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	add(100, 10, "\"a b+c=d\"@example.com", NULL);
	assert_int_equal(file_append_line(scratch.fd, "unverified", "x 1 y",
			     &e),
	    0);
	assert_int_equal(file_append_line(scratch.fd, "unverified",
			     "0000000000000000000gg -1 a@example.com", &e),
	    0);
	assert_int_equal(file_append_line(scratch.fd, "unverified", "", &e), 0);
	add(200, 10, "a@example.com", NULL);
	expect(0, "\"a b+c=d\"@example.com", 1, 10, 2, 20);
	expect(0, "a@example.com", 1, 10, 2, 20);
}

/* What a client may send counts, however much there is to be written down. */
static void
a_message_for_a_thousand_is_counted(void **state)
{
	static struct addr all[ENVELOPE_RCPT_MAX];
	const struct addr *rcpts[ENVELOPE_RCPT_MAX];
	char id[SPOOL_ID_LEN + 1], text[ADDR_MAX];
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ENVELOPE_RCPT_MAX; i++) {
		snprintf(text, sizeof text, "%060zu@example.com", i);
		all[i] = addr(text);
		rcpts[i] = &all[i];
	}
	assert_int_equal(spool_new_id(id, 1000000, &e), 0);
	if (unverified_add(scratch.fd, 0, id, 500, rcpts, ENVELOPE_RCPT_MAX,
		&e) == -1)
		fail_msg("%s", e.text);
	expect(0, text, 1, 500, ENVELOPE_RCPT_MAX, 500);
	expect(0, "bob@example.com", 0, 0, ENVELOPE_RCPT_MAX, 500);
}

/* Else nothing more could be taken, and it would never be begun anew. */
static void
a_file_that_is_too_large_counts_until_the_primary_was_up(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000 },
		{ .tv_sec = 1000 } };
	struct unverified_count each, all;
	struct addr a = addr("a@example.com");
	struct err e = ERR_INIT;
	int fd = openat(scratch.fd, "unverified", O_WRONLY | O_CREAT, 0600);

	(void)state;
	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, UNVERIFIED_FILE_MAX + 1), 0);
	assert_int_equal(futimens(fd, times), 0);
	close(fd);
	assert_int_equal(unverified_count(scratch.fd, 1000 * INT64_C(1000000),
			     &a, &each, &all, &e),
	    -1);
	expect(1001 * INT64_C(1000000), "a@example.com", 0, 0, 0, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(without_a_file_nothing_was_taken,
		    scratch_empty),
		cmocka_unit_test_teardown(each_and_all_are_counted,
		    scratch_empty),
		cmocka_unit_test_teardown(
		    what_came_before_the_primary_was_up_counts_no_more,
		    scratch_empty),
		cmocka_unit_test_teardown(
		    a_file_with_history_only_is_begun_anew, scratch_empty),
		cmocka_unit_test_teardown(
		    odd_addresses_and_damaged_lines_do_no_harm, scratch_empty),
		cmocka_unit_test_teardown(
		    a_file_that_is_too_large_counts_until_the_primary_was_up,
		    scratch_empty),
		cmocka_unit_test_teardown(a_message_for_a_thousand_is_counted,
		    scratch_empty),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
