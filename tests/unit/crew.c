/* Who of the listener's children gets the next client, and under which network
 * it counts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bmx-receive/crew.h"
#include "bmx-receive/hand.h"
#include "net/connect.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define WAIT_MS 60000 /* for a child on a slow machine */

static const struct crew_network network = { { 1 } };

/* Says that it is done with each client, till none comes. */
static void
live(struct crew *c, int channel)
{
	const volatile sig_atomic_t no = 0;
	bool is_busy;
	int fd;

	crew_free(c);
	while (hand_back(channel) == 0 &&
	       (fd = hand_next(channel, &no, &is_busy)) != -1)
		close(fd);
	_exit(0);
}

static void
hear(struct crew *c)
{
	assert_int_equal(poll(c->polls, CREW_SOCKETS_MAX + c->used, WAIT_MS),
	    1);
	crew_hear(c);
}

/* Its first child is done with its first client. */
static struct crew
make(void)
{
	struct crew c = CREW_INIT;
	struct err e = ERR_INIT;
	int channel;
	pid_t pid;

	c.per_process = 10;
	assert_int_equal(crew_make_room(&c, 2, &e), 0);
	pid = crew_fork(&c, &network, false, &channel, &e);
	if (pid == 0)
		live(&c, channel);
	if (pid == -1)
		fail_msg("%s", e.text);
	assert_int_equal(c.nbusy, 1);
	assert_int_equal(crew_count(&c, &network), 1);
	hear(&c);
	assert_int_equal(crew_count(&c, &network), 0);
	assert_int_equal(c.nidle, 1);
	return c;
}

static void
end(struct crew *c)
{
	pid_t pid = c->children[0].pid;
	siginfo_t info;

	crew_renew(c);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	crew_reap(c);
	assert_int_equal(c->nalive + c->nbusy + c->nidle, 0);
	crew_free(c);
}

static bool
pass(struct crew *c)
{
	int client[2];
	bool is_passed;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	is_passed = crew_pass(c, client[0], false, &network);
	close(client[0]);
	close(client[1]);
	return is_passed;
}

static void
who_is_idle_gets_the_next_client(void **state)
{
	struct crew c = make();

	(void)state;
	assert_true(pass(&c));
	assert_int_equal(c.nbusy, 1);
	assert_int_equal(c.nidle, 0);
	assert_false(pass(&c));
	hear(&c);
	assert_int_equal(c.nidle, 1);
	end(&c);
}

/* Also where clients come so fast that nobody is ever seen waiting. */
static void
who_is_old_gets_none(void **state)
{
	struct crew c = make();

	(void)state;
	c.children[0].born_ms -= CREW_LIFE_MS;
	assert_false(pass(&c));
	assert_int_equal(c.nidle, 0);
	assert_int_equal(c.nbusy, 0);
	assert_int_equal(c.children[0].state, CHILD_LEAVING);
	end(&c);
}

/* Many channels may be more than the process may have open. */
static void
without_a_channel_a_child_serves_one_client(void **state)
{
	struct crew c = CREW_INIT;
	struct rlimit before, none;
	struct err e = ERR_INIT;
	siginfo_t info;
	int channel;
	pid_t pid;

	(void)state;
	c.per_process = 10;
	assert_int_equal(crew_make_room(&c, 2, &e), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	pid = crew_fork(&c, &network, false, &channel, &e);
	if (pid == 0)
		_exit(channel == -1 ? 0 : 1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (pid == -1)
		fail_msg("%s", e.text);
	assert_int_equal(crew_count(&c, &network), 1);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(info.si_status, 0);
	crew_reap(&c);
	assert_int_equal(c.nalive + c.nbusy + c.nidle, 0);
	crew_free(&c);
}

static void
there_are_no_more_children_than_places(void **state)
{
	struct crew c = make();
	struct err e = ERR_INIT;
	int channel;
	pid_t pid;

	(void)state;
	while (c.used < c.room) {
		pid = crew_fork(&c, &network, true, &channel, &e);
		if (pid == 0)
			_exit(0);
		assert_true(pid > 0);
	}
	assert_int_equal(crew_fork(&c, &network, true, &channel, &e), -1);
	assert_int_equal(e.class, ERR_TEMP);
	assert_string_equal(e.text, "fork: no place for one more process");
	while (c.nalive > 1) {
		siginfo_t info;

		assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
		crew_reap(&c);
	}
	end(&c);
}

/* ---- who is connected ---- */

static struct crew_network
network_of(const char *address)
{
	struct endpoint ep;

	assert_true(endpoint_parse(&ep, address, 25));
	return crew_network_of((const struct sockaddr *)&ep.addr);
}

static void
clients_count_by_slash_24_and_slash_64(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_same;
	} rows[] = {
		{ "192.0.2.1", "192.0.2.255", true },
		{ "192.0.2.1", "192.0.3.1", false },
		{ "192.0.2.1", "::ffff:192.0.2.9", true },
		{ "192.0.2.1", "::ffff:192.0.3.1", false },
		{ "2001:db8::1", "2001:db8::ffff:0:0:1", true },
		{ "2001:db8::1", "2001:db8:0:1::1", false },
		{ "2001:db8::1", "192.0.2.1", false },
		{ "::1", "0.0.0.1", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct crew_network a = network_of(rows[i].a);
		struct crew_network b = network_of(rows[i].b);

		if ((memcmp(&a, &b, sizeof a) == 0) != rows[i].is_same)
			fail_msg("%s and %s", rows[i].a, rows[i].b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_idle_gets_the_next_client),
		cmocka_unit_test(who_is_old_gets_none),
		cmocka_unit_test(without_a_channel_a_child_serves_one_client),
		cmocka_unit_test(there_are_no_more_children_than_places),
		cmocka_unit_test(clients_count_by_slash_24_and_slash_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
