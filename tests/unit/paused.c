/* SPOOL/DOMAIN/paused: written, read, over, damaged. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "spool/paused.h"
#include "scratch.h"

#define SINCE "since 2026-11-24T03:11:14.000000Z\n"
#define SINCE_S 1795489874

/* now_s is SINCE_S + 100. until_s -1: the file is damaged. */
static const struct {
	const char *text;
	int rc;
	int64_t until_s;
	unsigned uid;
	const char *reason;
} files[] = {
	{ SINCE, 1, 0, 0, "" },
	{ SINCE "uid 1000\nreason the primary is being moved\n", 1, 0, 1000,
	    "the primary is being moved" },
	{ SINCE "until 2026-11-24T03:12:55Z\n", 1, SINCE_S + 101, 0, "" },
	{ SINCE "until 2026-11-24T03:12:54Z\n", 0, SINCE_S + 100, 0, "" },
	{ SINCE "until 2026-11-24T03:11:00Z\n", 0, SINCE_S - 14, 0, "" },
	/* of a later version, and in any order */
	{ "colour red\nalone\n\nuid 7\n" SINCE, 1, 0, 7, "" },
	{ SINCE "reason a\tb\x1b[2J\xc3\xa9\n", 1, 0, 0, "a?b?[2J??" },
	/* damaged: paused without end */
	{ "", -1, 0, 0, NULL },
	{ "uid 1000\n", -1, 0, 0, NULL },
	{ "since\n", -1, 0, 0, NULL },
	{ "since yesterday\n", -1, 0, 0, NULL },
	{ "since 2026-11-24T03:11:14Z", -1, 0, 0, NULL },
	{ SINCE "until never\n", -1, 0, 0, NULL },
	{ SINCE "until\n", -1, 0, 0, NULL },
	{ SINCE "uid -1\n", -1, 0, 0, NULL },
	{ SINCE "uid 4294967296\n", -1, 0, 0, NULL },
};

static void
a_file_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct err e = ERR_INIT;
		struct paused p;

		assert_int_equal(file_replace(scratch.fd, "paused",
				     files[i].text, strlen(files[i].text), 0600,
				     &e),
		    0);
		assert_int_equal(paused_read(scratch.fd, SINCE_S + 100, &p, &e),
		    files[i].rc);
		if (files[i].rc == -1) {
			assert_int_equal(e.class, ERR_DATA);
			continue;
		}
		assert_int_equal(p.since_s, SINCE_S);
		assert_int_equal(p.until_s, files[i].until_s);
		assert_int_equal(p.uid, files[i].uid);
		assert_string_equal(p.reason, files[i].reason);
	}
}

static void
what_is_written_is_read(void **state)
{
	struct paused p = { .since_s = SINCE_S,
		.until_s = SINCE_S + 3600,
		.uid = 1000,
		.reason = "a \\x41 reason\nsince 1970" };
	struct paused got;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(paused_read(scratch.fd, SINCE_S, &got, &e), 0);
	assert_int_equal(paused_write(scratch.fd, &p, &e), 0);
	assert_int_equal(paused_read(scratch.fd, SINCE_S + 3599, &got, &e), 1);
	assert_int_equal(got.since_s, p.since_s);
	assert_int_equal(got.until_s, p.until_s);
	assert_int_equal(got.uid, p.uid);
	assert_string_equal(got.reason, "a \\x41 reason?since 1970");
	assert_int_equal(paused_read(scratch.fd, SINCE_S + 3600, &got, &e), 0);

	p.until_s = 0;
	memset(p.reason, 'x', sizeof p.reason - 1);
	assert_int_equal(paused_write(scratch.fd, &p, &e), 0);
	assert_int_equal(paused_read(scratch.fd, INT64_MAX, &got, &e), 1);
	assert_string_equal(got.reason, p.reason);
	assert_int_equal(paused_clear(scratch.fd, &e), 1);
	assert_int_equal(paused_clear(scratch.fd, &e), 0);
	assert_int_equal(paused_read(scratch.fd, SINCE_S, &got, &e), 0);
}

/* Whoever can put something there can stop the mail, not start it, and not
 * make anybody wait. */
static void
what_is_no_file_of_ours_is_an_error(void **state)
{
	char large[5000];
	struct paused p;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(mkfifoat(scratch.fd, "paused", 0600), 0);
	assert_int_equal(paused_read(scratch.fd, SINCE_S, &p, &e), -1);
	unlinkat(scratch.fd, "paused", 0);
	assert_int_equal(symlinkat("nowhere", scratch.fd, "paused"), 0);
	assert_int_equal(paused_read(scratch.fd, SINCE_S, &p, &e), -1);
	unlinkat(scratch.fd, "paused", 0);
	assert_int_equal(mkdirat(scratch.fd, "paused", 0700), 0);
	assert_int_equal(paused_read(scratch.fd, SINCE_S, &p, &e), -1);
	unlinkat(scratch.fd, "paused", AT_REMOVEDIR);
	memset(large, '\n', sizeof large);
	memcpy(large, SINCE, sizeof SINCE - 1);
	assert_int_equal(file_replace(scratch.fd, "paused", large, sizeof large,
			     0600, &e),
	    0);
	assert_int_equal(paused_read(scratch.fd, SINCE_S, &p, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_file_is_read, scratch_empty),
		cmocka_unit_test_teardown(what_is_written_is_read,
		    scratch_empty),
		cmocka_unit_test_teardown(what_is_no_file_of_ours_is_an_error,
		    scratch_empty),
	};

	return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
