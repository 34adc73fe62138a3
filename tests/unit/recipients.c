/* The plain list of recipients: what matches, sorted and not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "spool/recipients.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static char path[64];

static int
make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof path, "/tmp/bmx-recipients.XXXXXX");
	fd = mkstemp(path);
	return fd == -1 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void
write_list(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int
find(const char *address, char delimiter, struct err *e)
{
	struct addr rcpt;

	assert_int_equal(addr_parse(address, strlen(address), &rcpt, e), 0);
	return recipients_find(path, &rcpt, "example.com", delimiter, e);
}

static const char plain[] = "# people\r\n"
			    "\n"
			    "  Bob  \r\n"
			    "carol@Example.com\n"
			    "dave@example.org\n"
			    "sales-*\n"
			    "eve+spam\n"
			    "\"odd one\"\n"
			    "last";

static const char with_sorted[] = "sales-*\n"
				  "#sorted\n"
				  "\"odd one\"\n"
				  "bob\n"
				  "carol@example.com\n"
				  "dave@example.org\n"
				  "eve+spam\n"
				  "last";

static void
addresses_match_as_the_manual_says(void **state)
{
	static const struct {
		const char *address;
		char delimiter;
		int found;
	} rows[] = {
		{ "bob@example.com", '\0', 1 },
		{ "BOB@example.com", '\0', 1 },
		{ "bo@example.com", '\0', 0 },
		{ "bobb@example.com", '\0', 0 },
		{ "carol@example.com", '\0', 1 },
		{ "dave@example.com", '\0', 0 },
		{ "sales-fr@example.com", '\0', 1 },
		{ "sales-@example.com", '\0', 1 },
		{ "sales@example.com", '\0', 0 },
		{ "bob+x@example.com", '\0', 0 },
		{ "bob+x@example.com", '+', 1 },
		{ "bob+x+y@example.com", '+', 1 },
		{ "bob-x@example.com", '-', 1 },
		{ "BobXy@example.com", 'x', 1 },
		{ "+x@example.com", '+', 0 },
		{ "eve@example.com", '+', 0 },
		{ "eve+spam@example.com", '+', 1 },
		{ "eve+other@example.com", '+', 0 },
		{ "\"odd one\"@example.com", '\0', 1 },
		{ "last@example.com", '\0', 1 },
		{ "las@example.com", '\0', 0 },
		{ "people@example.com", '\0', 0 },
		{ "zz@example.com", '\0', 0 },
		{ "!@example.com", '\0', 0 },
	};
	static const char *const lists[] = { plain, with_sorted };

	(void)state;
	for (size_t list = 0; list < COUNT(lists); list++) {
		write_list(lists[list]);
		for (size_t i = 0; i < COUNT(rows); i++) {
			struct err e = ERR_INIT;
			int found =
			    find(rows[i].address, rows[i].delimiter, &e);

			if (found != rows[i].found)
				fail_msg("list %zu: %s: %d %s", list,
				    rows[i].address, found, e.text);
		}
	}
}

/* As in bmx.conf, and in what "bmx-queue recipients import" reads. */
static void
a_domain_is_the_same_however_it_is_written(void **state)
{
	static const char domain[] = "xn--mller-kva.example";
	static const struct {
		const char *list;
		int found;
	} rows[] = {
		{ "bob@xn--mller-kva.example\n", 1 },
		{ "bob@XN--Mller-kva.example\n", 1 },
		{ "bob@m\xc3\xbcller.example\n", 1 },
		{ "bob@M\xc3\x9cller.example.\n", 1 },
		{ "@m\xc3\xbcller.example\n", 1 },
		{ "bo*@m\xc3\xbcller.example\n", 1 },
		{ "bob@xn--mller-kva.example.\n", 1 },
		{ "bob@m\xc3\xbcllers.example\n", 0 },
		{ "bob@m\xffller.example\nbob@.\nbob@\n", 0 },
		{ "\xef\xbb\xbf"
		  "bob\n",
		    1 },
		{ "\xef\xbb\xbf#sorted\nbob\n", 1 },
		{ "\xef\xbb\xbf", 0 },
		{ "x\n\xef\xbb\xbf"
		  "bob\n",
		    0 },
	};
	struct addr rcpt;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(addr_parse("bob@x", 5, &rcpt, &e), 0);
	for (size_t i = 0; i < COUNT(rows); i++) {
		write_list(rows[i].list);
		if (recipients_find(path, &rcpt, domain, '+', &e) !=
		    rows[i].found)
			fail_msg("%s", rows[i].list);
	}
}

static void
catch_all_takes_everybody(void **state)
{
	static const char *const lists[] = { "*\n", "@example.com\n",
		"x\n*@example.com", "*\n#sorted\nbob\n" };

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct err e = ERR_INIT;

		write_list(lists[i]);
		assert_int_equal(find("anybody@example.com", '\0', &e), 1);
	}
}

static void
catch_all_of_another_domain_takes_nobody(void **state)
{
	struct err e = ERR_INIT;

	(void)state;
	write_list("@example.org\n*@example.org\n");
	assert_int_equal(find("bob@example.com", '\0', &e), 0);
}

static void
empty_list_has_nobody(void **state)
{
	static const char *const lists[] = { "\n", "#sorted\n", "#sorted",
		"# none" };

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		struct err e = ERR_INIT;

		write_list(lists[i]);
		assert_int_equal(find("bob@example.com", '+', &e), 0);
	}
}

static void
every_one_of_many_is_found_and_no_other(void **state)
{
	FILE *file = fopen(path, "w");
	char address[64];
	struct err e = ERR_INIT;

	(void)state;
	fputs("# head\n#sorted\n", file);
	for (int i = 0; i < 20000; i++)
		fprintf(file, "user%05d%s\n", i,
		    i % 3 == 0 ? "@example.com" : "");
	fclose(file);
	for (int i = 0; i < 20000; i += 7) {
		snprintf(address, sizeof address, "User%05d@example.com", i);
		assert_int_equal(find(address, '+', &e), 1);
		snprintf(address, sizeof address, "user%05dx@example.com", i);
		assert_int_equal(find(address, '+', &e), 0);
	}
	assert_int_equal(find("user00000@example.com", '+', &e), 1);
	assert_int_equal(find("user19999@example.com", '+', &e), 1);
}

static void
unsorted_list_longer_than_a_block_is_read_whole(void **state)
{
	FILE *file = fopen(path, "w");
	char address[64];
	struct err e = ERR_INIT;

	(void)state;
	for (int i = 20000; i > 0; i--)
		fprintf(file, "user%d\n", i);
	fclose(file);
	for (int i = 1; i <= 20000; i += 499) {
		snprintf(address, sizeof address, "user%d@example.com", i);
		assert_int_equal(find(address, '+', &e), 1);
	}
	assert_int_equal(find("user0@example.com", '+', &e), 0);
}

static void
a_list_that_cannot_be_read_is_no_answer(void **state)
{
	char big[4 * RECIPIENTS_LINE_MAX];
	struct err e = ERR_INIT;

	(void)state;
	write_list("");
	assert_int_equal(find("bob@example.com", '\0', &e), -1);
	assert_non_null(strstr(e.text, "empty"));
	memset(big, 'a', sizeof big);
	big[sizeof big - 1] = '\0';
	write_list(big);
	assert_int_equal(find("bob@example.com", '\0', &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	memcpy(big, "#sorted\n", 8);
	write_list(big);
	assert_int_equal(find("bob@example.com", '\0', &e), -1);
	snprintf(path + strlen(path), 2, "x");
	assert_int_equal(find("bob@example.com", '\0', &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	path[strlen(path) - 1] = '\0';
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_match_as_the_manual_says),
		cmocka_unit_test(a_domain_is_the_same_however_it_is_written),
		cmocka_unit_test(catch_all_takes_everybody),
		cmocka_unit_test(catch_all_of_another_domain_takes_nobody),
		cmocka_unit_test(empty_list_has_nobody),
		cmocka_unit_test(every_one_of_many_is_found_and_no_other),
		cmocka_unit_test(
		    unsorted_list_longer_than_a_block_is_read_whole),
		cmocka_unit_test(a_list_that_cannot_be_read_is_no_answer),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
