/* What goes between a listener and its children. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "bmx-receive/hand.h"

/* A pair of ends, and a pair that stands for a client's connection. */
struct ends {
	int channel[2], client[2];
};

static struct ends
make(void)
{
	struct err e = ERR_INIT;
	struct ends ends;

	if (hand_pair(ends.channel, &e) == -1)
		fail_msg("%s", e.text);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.client), 0);
	return ends;
}

static void
close_all(struct ends *ends)
{
	for (int i = 0; i < 2; i++) {
		close(ends->channel[i]);
		close(ends->client[i]);
	}
}

/* The descriptor that the child gets is the same connection. */
static void
a_client_is_handed_over(void **state)
{
	const volatile sig_atomic_t no = 0, yes = 1;
	struct ends ends = make();
	char said = '\0';
	bool is_busy;

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd;

		assert_int_equal(hand_over(ends.channel[0], ends.client[0],
				     i == 1),
		    0);
		/* who was told to end takes who is on the way, still */
		fd = hand_next(ends.channel[1], i == 0 ? &no : &yes, &is_busy);
		assert_int_not_equal(fd, -1);
		assert_int_equal(is_busy, i == 1);
		assert_int_equal(write(fd, "x", 1), 1);
		assert_int_equal(read(ends.client[1], &said, 1), 1);
		assert_int_equal(said, 'x');
		close(fd);
		assert_false(hand_is_back(ends.channel[0]));
		assert_int_equal(hand_back(ends.channel[1]), 0);
		assert_true(hand_is_back(ends.channel[0]));
		assert_false(hand_is_back(ends.channel[0]));
	}
	assert_int_equal(hand_next(ends.channel[1], &yes, &is_busy), -1);
	close_all(&ends);
}

/* No word but the one, and no descriptor from a child. */
static void
a_child_is_not_believed(void **state)
{
	static const struct {
		const char *said;
		size_t len;
	} rows[] = { { "xx", 2 }, { "", 0 }, { "a lot of words", 14 } };
	struct ends ends = make();

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(send(ends.channel[1], rows[i].said,
				     rows[i].len, 0),
		    rows[i].len);
		assert_false(hand_is_back(ends.channel[0]));
	}
	close_all(&ends);
}

static void
a_listener_that_is_no_more_or_sends_no_client(void **state)
{
	const volatile sig_atomic_t no = 0;
	struct ends ends = make();
	bool is_busy;

	(void)state;
	assert_int_equal(send(ends.channel[0], "x", 1, 0), 1);
	assert_int_equal(hand_next(ends.channel[1], &no, &is_busy), -1);
	close(ends.channel[0]);
	assert_int_equal(hand_next(ends.channel[1], &no, &is_busy), -1);
	assert_int_equal(hand_back(ends.channel[1]), -1);
	ends.channel[0] = ends.client[0];
	close_all(&ends);
}

/* A child that gave up waiting, but is still there: a client that is handed to
 * it now would be dropped without a word. */
static void
a_child_that_is_about_to_end(void **state)
{
	const volatile sig_atomic_t told[] = { 0, 1 };
	const struct timeval soon = { 0, 1000 };
	bool is_busy;

	(void)state;
	for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
		struct ends ends = make();

		assert_int_equal(setsockopt(ends.channel[1], SOL_SOCKET,
				     SO_RCVTIMEO, &soon, sizeof soon),
		    0);
		assert_int_equal(hand_next(ends.channel[1], &told[i], &is_busy),
		    -1);
		assert_int_equal(hand_over(ends.channel[0], ends.client[0],
				     false),
		    -1);
		close_all(&ends);
	}
}

static void
a_child_that_is_no_more(void **state)
{
	struct ends ends = make();

	(void)state;
	close(ends.channel[1]);
	assert_int_equal(hand_over(ends.channel[0], ends.client[0], false), -1);
	assert_false(hand_is_back(ends.channel[0]));
	ends.channel[1] = ends.client[1];
	close_all(&ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_is_handed_over),
		cmocka_unit_test(a_child_is_not_believed),
		cmocka_unit_test(a_listener_that_is_no_more_or_sends_no_client),
		cmocka_unit_test(a_child_that_is_about_to_end),
		cmocka_unit_test(a_child_that_is_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
