/* The DNS engine against servers that behave badly: lib/net/dns.c, dns_query.c,
 * dns_tcp.c, dns_server.c, dns_cache.c. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/connect.h"
#include "net/dns.h"
#include "net/dns_answer.h"
#include "net/dns_cache.h"
#include "net/dns_server.h"
#include "../lib/fakedns.h"

#define SERVERS_MAX 3
#define DEADLINE_MS 5000 /* well above what an answer takes */
#define SOON_MS 700      /* less than the shortest wait for a reply */
#define ATTEMPTS 5       /* on a busy machine one may be late by accident */

/* ---- one engine and its servers ---- */

struct scene {
	struct fakedns fakes[SERVERS_MAX];
	size_t n;
	struct dns *dns;
};

static void
open_engine(struct scene *s, unsigned deadline_ms, const char *first)
{
	const char *servers[SERVERS_MAX + 1];
	struct dns_options o = { .servers = servers,
		.deadline_ms = deadline_ms };
	struct err e = ERR_INIT;

	if (first != NULL)
		servers[o.nservers++] = first;
	for (size_t i = 0; i < s->n; i++)
		servers[o.nservers++] = s->fakes[i].address;
	s->dns = dns_open(&o, &e);
	if (s->dns == NULL)
		fail_msg("%s", e.text);
}

/* ways: of each server, ended by -1. */
static void
start(struct scene *s, const int *ways, unsigned deadline_ms)
{
	memset(s, 0, sizeof *s);
	for (; ways[s->n] != -1; s->n++)
		fakedns_start(&s->fakes[s->n], (enum fakedns_way)ways[s->n]);
	open_engine(s, deadline_ms, NULL);
}

#define WAYS(...) ((const int[]){ __VA_ARGS__, -1 })

static void
end(struct scene *s)
{
	dns_close(s->dns);
	for (size_t i = 0; i < s->n; i++)
		fakedns_stop(&s->fakes[i]);
}

static struct dns_answer *
look_up(struct scene *s, const char *name, enum dns_type type)
{
	struct err e = ERR_INIT;
	struct dns_answer *a = dns_lookup(s->dns, name, type, &e);

	if (a == NULL)
		fail_msg("%s", e.text);
	return a;
}

static enum dns_status
status_of(struct scene *s, const char *name, enum dns_type type)
{
	struct dns_answer *a = look_up(s, name, type);
	enum dns_status status = a->status;

	dns_answer_free(a);
	return status;
}

/* The true address came, not a lie. */
static void
assert_true_address(struct scene *s)
{
	static const unsigned char address[] = { 192, 0, 2, 1 };
	struct dns_answer *a = look_up(s, "a.example", DNS_A);

	assert_int_equal(a->status, DNS_OK);
	assert_int_equal(a->nrr, 1);
	assert_memory_equal(a->rr[0].addr, address, sizeof address);
	dns_answer_free(a);
}

/* ---- one server ---- */

static void
answers_tell_what_was_said(void **state)
{
	struct scene s;
	struct dns_answer *a;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	a = look_up(&s, "A.Example.", DNS_A);
	assert_int_equal(a->status, DNS_OK);
	assert_string_equal(a->name, "a.example");
	assert_string_equal(a->server, s.fakes[0].address);
	assert_int_equal(a->ttl, 300);
	assert_false(a->is_authentic);
	dns_answer_free(a);
	assert_int_equal(status_of(&s, "a.example", DNS_MX), DNS_NODATA);
	assert_int_equal(status_of(&s, "nx.example", DNS_MX), DNS_NXDOMAIN);
	assert_int_equal(s.fakes[0].with_opt, s.fakes[0].udp);
	end(&s);
}

static void
an_answer_outlives_its_engine(void **state)
{
	struct scene s;
	struct dns_answer *a;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	a = look_up(&s, "a.example", DNS_A);
	end(&s);
	assert_string_equal(a->name, "a.example");
	assert_int_equal(a->rr[0].addr[0], 192);
	dns_answer_free(a);
}

static void
AD_counts_from_loopback(void **state)
{
	struct scene s;
	struct dns_answer *a;

	(void)state;
	start(&s, WAYS(FAKEDNS_AD), DEADLINE_MS);
	a = look_up(&s, "a.example", DNS_A);
	assert_true(a->is_authentic);
	dns_answer_free(a);
	end(&s);
}

static void
AD_counts_from_elsewhere_only_when_trusted(void **state)
{
	static const char *const names[] = { "192.0.2.53", "127.0.0.2",
		"[::1]:5353", "2001:db8::53" };
	struct dns_options o = { .servers = names, .nservers = 4 };
	struct dns_server servers[DNS_SERVERS_MAX];
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(dns_servers_set(servers, &o, &e), 4);
	assert_string_equal(servers[0].text, "192.0.2.53:53");
	assert_string_equal(servers[2].text, "[::1]:5353");
	assert_false(servers[0].is_trusted);
	assert_true(servers[1].is_trusted);
	assert_true(servers[2].is_trusted);
	assert_false(servers[3].is_trusted);
	o.trust_ad = true;
	assert_int_equal(dns_servers_set(servers, &o, &e), 4);
	assert_true(servers[0].is_trusted);
	assert_true(servers[3].is_trusted);
}

static void
replies_to_other_questions_are_ignored(void **state)
{
	static const int ways[] = { FAKEDNS_WRONG_ID, FAKEDNS_WRONG_NAME,
		FAKEDNS_WRONG_TYPE, FAKEDNS_STRANGER, FAKEDNS_ECHO };
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		start(&s, WAYS(ways[i]), DEADLINE_MS);
		assert_true_address(&s);
		assert_int_equal(s.fakes[0].udp, 1);
		end(&s);
	}
}

static void
a_lost_packet_is_sent_again(void **state)
{
	int64_t began = clock_monotonic_ms(), took;
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_SILENT_ONCE), DEADLINE_MS);
	assert_true_address(&s);
	took = clock_monotonic_ms() - began;
	assert_in_range(took, SOON_MS, DEADLINE_MS);
	assert_int_equal(s.fakes[0].udp, 2);
	end(&s);
}

static void
the_deadline_holds(void **state)
{
	static const int ways[] = { FAKEDNS_SILENT, FAKEDNS_TC_SILENT,
		FAKEDNS_TC_CLOSES };
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		int64_t began = clock_monotonic_ms(), took;

		start(&s, WAYS(ways[i]), 300);
		assert_int_equal(status_of(&s, "a.example", DNS_A),
		    DNS_TIMEOUT);
		took = clock_monotonic_ms() - began;
		assert_in_range(took, 290, 3000);
		end(&s);
	}
}

static void
FORMERR_is_asked_again_without_OPT(void **state)
{
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_FORMERR_OPT), DEADLINE_MS);
	assert_true_address(&s);
	assert_int_equal(s.fakes[0].udp, 2);
	assert_int_equal(s.fakes[0].with_opt, 1);
	end(&s);
}

static void
junk_behind_a_reply_is_asked_again_without_OPT(void **state)
{
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_JUNK_OPT), DEADLINE_MS);
	assert_true_address(&s);
	assert_int_equal(s.fakes[0].with_opt, 1);
	end(&s);
}

static void
junk_without_OPT_too_is_malformed(void **state)
{
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_JUNK), DEADLINE_MS);
	assert_int_equal(status_of(&s, "a.example", DNS_A), DNS_MALFORMED);
	assert_int_equal(s.fakes[0].udp, 2);
	end(&s);
}

static void
what_UDP_cuts_comes_by_TCP(void **state)
{
	static const int ways[] = { FAKEDNS_TC, FAKEDNS_TC_SLOW, FAKEDNS_LONG };
	struct scene s;
	struct dns_answer *a;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		start(&s, WAYS(ways[i]), DEADLINE_MS);
		a = look_up(&s, "a.example", DNS_TXT);
		assert_int_equal(a->status, DNS_OK);
		assert_true(a->rr[0].raw.len > 2900);
		assert_int_equal(a->rr[0].raw.data[2900], 'x');
		assert_int_equal(s.fakes[0].tcp, 1);
		dns_answer_free(a);
		end(&s);
	}
}

static void
TC_over_TCP_is_malformed(void **state)
{
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_TC_TC), DEADLINE_MS);
	assert_int_equal(status_of(&s, "a.example", DNS_A), DNS_MALFORMED);
	end(&s);
}

static void
a_name_that_cannot_be_asked_is_malformed(void **state)
{
	static const char *const names[] = { "", "a..b", ".a", "a\x1b..b" };
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct dns_answer *a = look_up(&s, names[i], DNS_A);

		assert_int_equal(a->status, DNS_MALFORMED);
		assert_null(strchr(a->name, '\x1b'));
		dns_answer_free(a);
	}
	assert_int_equal(s.fakes[0].udp, 0);
	end(&s);
}

/* ---- several servers ---- */

/* To an address of all hosts the system sends nothing. */
static void
the_next_server_answers_for_one_that_cannot_be_asked(void **state)
{
	struct scene s = { .n = 1 };

	(void)state;
	fakedns_start(&s.fakes[0], FAKEDNS_ANSWER);
	open_engine(&s, DEADLINE_MS, "255.255.255.255");
	assert_true_address(&s);
	assert_int_equal(s.fakes[0].udp, 1);
	end(&s);
}

static void
the_next_server_answers_for_a_broken_one(void **state)
{
	static const int ways[] = { FAKEDNS_SERVFAIL, FAKEDNS_REFUSED,
		FAKEDNS_JUNK, FAKEDNS_TC_CLOSES, FAKEDNS_TC_LEAVES,
		FAKEDNS_TC_REFUSES, FAKEDNS_TC_TC };
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		int64_t took = SOON_MS;

		for (int n = 0; n < ATTEMPTS && took >= SOON_MS; n++) {
			start(&s, WAYS(ways[i], FAKEDNS_ANSWER), DEADLINE_MS);
			took = -clock_monotonic_ms();
			assert_true_address(&s);
			took += clock_monotonic_ms();
			assert_int_equal(s.fakes[1].udp, 1);
			end(&s);
		}
		assert_true(took < SOON_MS);
	}
}

static void
the_next_server_answers_for_a_silent_one(void **state)
{
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_SILENT, FAKEDNS_ANSWER), DEADLINE_MS);
	assert_true_address(&s);
	/* and is asked first from now on */
	assert_int_equal(status_of(&s, "b.example", DNS_A), DNS_OK);
	assert_int_equal(s.fakes[0].udp, 1);
	assert_int_equal(s.fakes[1].udp, 2);
	end(&s);
}

static void
only_when_all_servers_failed_it_is_a_verdict(void **state)
{
	static const struct {
		int first, second;
		enum dns_status expected;
	} rows[] = {
		{ FAKEDNS_SERVFAIL, FAKEDNS_SERVFAIL, DNS_SERVFAIL },
		{ FAKEDNS_REFUSED, FAKEDNS_REFUSED, DNS_REFUSED },
		{ FAKEDNS_REFUSED, FAKEDNS_SERVFAIL, DNS_SERVFAIL },
		{ FAKEDNS_SERVFAIL, FAKEDNS_REFUSED, DNS_SERVFAIL },
		{ FAKEDNS_JUNK, FAKEDNS_REFUSED, DNS_MALFORMED },
	};
	struct scene s;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int64_t began = clock_monotonic_ms();

		start(&s, WAYS(rows[i].first, rows[i].second), DEADLINE_MS);
		assert_int_equal(status_of(&s, "a.example", DNS_A),
		    rows[i].expected);
		assert_true(s.fakes[0].udp > 0 && s.fakes[1].udp > 0);
		/* without waiting for the deadline */
		assert_true(clock_monotonic_ms() - began < DEADLINE_MS / 2);
		end(&s);
	}
}

static void
a_broken_server_beside_a_silent_one_is_told_at_the_deadline(void **state)
{
	struct scene s;
	struct dns_answer *a;

	(void)state;
	start(&s, WAYS(FAKEDNS_SILENT, FAKEDNS_SERVFAIL), 1200);
	a = look_up(&s, "a.example", DNS_A);
	assert_int_equal(a->status, DNS_SERVFAIL);
	assert_string_equal(a->server, s.fakes[1].address);
	dns_answer_free(a);
	end(&s);
}

/* A port where nobody is. */
static void
closed_port(char address[ENDPOINT_TEXT_MAX])
{
	struct endpoint ep;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(endpoint_parse(&ep, "127.0.0.1", 0));
	assert_int_equal(bind(fd, (struct sockaddr *)&ep.addr, ep.len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&ep.addr, &ep.len),
	    0);
	endpoint_text(&ep, address);
	close(fd);
}

static void
a_refusal_is_noticed_at_once(void **state)
{
	char closed[ENDPOINT_TEXT_MAX];
	struct scene s = { .n = 1 };
	int64_t took = SOON_MS;

	(void)state;
	closed_port(closed);
	for (int n = 0; n < ATTEMPTS && took >= SOON_MS; n++) {
		fakedns_start(&s.fakes[0], FAKEDNS_ANSWER);
		open_engine(&s, DEADLINE_MS, closed);
		took = -clock_monotonic_ms();
		assert_true_address(&s);
		took += clock_monotonic_ms();
		end(&s);
	}
	assert_true(took < SOON_MS);
}

static void
a_server_that_refuses_gets_time_to_start(void **state)
{
	char closed[ENDPOINT_TEXT_MAX];
	int64_t began = clock_monotonic_ms();
	struct scene s = { .n = 0 };

	(void)state;
	closed_port(closed);
	open_engine(&s, 1000, closed);
	assert_int_equal(status_of(&s, "a.example", DNS_A), DNS_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - began, 990, 4000);
	end(&s);
}

static void
a_server_that_goes_on_refusing_is_dead(void **state)
{
	char closed[ENDPOINT_TEXT_MAX];
	int64_t began = clock_monotonic_ms(), first;
	struct scene s = { .n = 0 };

	(void)state;
	closed_port(closed);
	open_engine(&s, 20000, closed);
	assert_int_equal(status_of(&s, "a.example", DNS_A), DNS_TIMEOUT);
	first = clock_monotonic_ms();
	assert_in_range(first - began, 3000, 15000);
	assert_int_equal(status_of(&s, "b.example", DNS_A), DNS_TIMEOUT);
	assert_true(clock_monotonic_ms() - first < 2000);
	end(&s);
}

/* ---- many questions ---- */

struct tally {
	struct scene *scene;
	unsigned asked, done, found;
	unsigned chain; /* ask so many more, one from within the other */
};

static void
count(void *arg, const struct dns_answer *a)
{
	struct tally *t = arg;
	struct err e = ERR_INIT;
	char name[32];

	t->done++;
	if (a->status == DNS_OK)
		t->found++;
	if (t->chain == 0)
		return;
	t->chain--;
	snprintf(name, sizeof name, "chain%u.example", t->chain);
	assert_int_equal(dns_ask(t->scene->dns, name, DNS_A, count, t, &e), 0);
	t->asked++;
}

static void
ask(struct tally *t, const char *name, enum dns_type type)
{
	struct err e = ERR_INIT;

	assert_int_equal(dns_ask(t->scene->dns, name, type, count, t, &e), 0);
	t->asked++;
}

static void
ask_at(struct tally *t, const struct fakedns *f, const char *name,
    enum dns_type type)
{
	struct endpoint ep;
	struct dns_how how = { .server = &ep };
	struct err e = ERR_INIT;

	assert_true(endpoint_parse(&ep, f->address, 53));
	assert_int_equal(dns_ask_how(t->scene->dns, name, type, &how, count, t,
			     &e),
	    0);
	t->asked++;
}

static void
ask_numbered(struct tally *t, unsigned from, unsigned to)
{
	char name[32];

	for (; from < to; from++) {
		snprintf(name, sizeof name, "n%u.example", from);
		ask(t, name, DNS_A);
	}
}

static void
run(struct scene *s)
{
	struct err e = ERR_INIT;
	long left;

	do
		left = dns_run(s->dns, true, &e);
	while (left > 0);
	assert_int_equal(left, 0);
	assert_int_equal(dns_outstanding(s->dns), 0);
}

static void
equal_questions_are_asked_once(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s };

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER_TTL_0), DEADLINE_MS);
	for (int i = 0; i < 100; i++)
		ask(&t, i % 2 ? "a.example" : "A.EXAMPLE.", DNS_A);
	assert_int_equal(dns_outstanding(s.dns), 100);
	run(&s);
	assert_int_equal(t.found, 100);
	assert_int_equal(s.fakes[0].udp, 1);
	ask(&t, "a.example", DNS_A); /* and TTL 0 is not kept */
	run(&s);
	assert_int_equal(s.fakes[0].udp, 2);
	end(&s);
}

static void
answers_are_kept(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_status expected;
	} rows[] = {
		{ "a.example", DNS_A, DNS_OK },
		{ "a.example", DNS_MX, DNS_NODATA },
		{ "nx.example", DNS_A, DNS_NXDOMAIN },
	};
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(status_of(&s, rows[i].name,
					     rows[i].type),
			    rows[i].expected);
	assert_int_equal(s.fakes[0].udp, 3);
	end(&s);
}

static void
failures_and_denials_without_SOA_are_not_kept(void **state)
{
	struct scene s;

	(void)state;
	start(&s, WAYS(FAKEDNS_SERVFAIL), DEADLINE_MS);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(status_of(&s, "a.example", DNS_A),
		    DNS_SERVFAIL);
		assert_int_equal(s.fakes[0].udp, i);
	}
	end(&s);
	start(&s, WAYS(FAKEDNS_NO_SOA), DEADLINE_MS);
	for (unsigned i = 1; i <= 3; i++) {
		assert_int_equal(status_of(&s, "nx.example", DNS_A),
		    DNS_NXDOMAIN);
		assert_int_equal(s.fakes[0].udp, i);
	}
	end(&s);
}

static void
every_question_is_answered_once(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s };

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	ask_numbered(&t, 0, 5000);
	run(&s);
	assert_int_equal(t.asked, 5000);
	assert_int_equal(t.found, 5000);
	end(&s);
}

static void
questions_can_be_asked_while_an_answer_is_given(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s, .chain = 50 };

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	ask(&t, "a.example", DNS_A);
	run(&s);
	assert_int_equal(t.found, 51);
	t.chain = 50;
	ask(&t, "a.example", DNS_A); /* all known now */
	run(&s);
	assert_int_equal(t.found, 102);
	assert_int_equal(s.fakes[0].udp, 51);
	end(&s);
}

static void
no_more_than_the_window_is_in_flight(void **state)
{
	const char *server;
	struct dns_options o = {
		.servers = &server, .nservers = 1, .window = 10
	};
	struct scene s = { .n = 1 };
	struct tally t = { .scene = &s };
	struct err e = ERR_INIT;

	(void)state;
	fakedns_start(&s.fakes[0], FAKEDNS_BATCH);
	server = s.fakes[0].address;
	s.dns = dns_open(&o, &e);
	assert_non_null(s.dns);
	ask_numbered(&t, 0, 45);
	run(&s);
	assert_int_equal(t.found, 45);
	assert_int_equal(s.fakes[0].most, 10);
	end(&s);
}

static void
a_run_that_does_not_wait_returns_at_once(void **state)
{
	int64_t began;
	struct scene s;
	struct tally t = { .scene = &s };
	struct err e = ERR_INIT;

	(void)state;
	start(&s, WAYS(FAKEDNS_SILENT), DEADLINE_MS);
	ask(&t, "a.example", DNS_A);
	began = clock_monotonic_ms();
	assert_int_equal(dns_run(s.dns, false, &e), 1);
	assert_true(clock_monotonic_ms() - began < DEADLINE_MS / 2);
	assert_int_equal(t.done, 0);
	end(&s); /* with a question outstanding */
	assert_int_equal(t.done, 0);
}

static void
what_is_forgotten_is_not_called(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s }, other = { .scene = &s };

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	assert_int_equal(status_of(&s, "known.example", DNS_A), DNS_OK);
	ask(&t, "a.example", DNS_A);
	ask(&other, "a.example", DNS_A);
	ask(&t, "known.example", DNS_A);
	dns_forget(s.dns, &t);
	assert_int_equal(dns_outstanding(s.dns), 1);
	run(&s);
	assert_int_equal(t.done, 0);
	assert_int_equal(other.found, 1);
	end(&s);
}

static void
what_is_forgotten_is_not_called_wherever_it_waits(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s }, other = { .scene = &s };
	struct err e = ERR_INIT;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	assert_int_equal(status_of(&s, "known.example", DNS_A), DNS_OK);
	ask(&other, "known.example", DNS_A);
	ask(&t, "known.example", DNS_A); /* ready */
	ask_numbered(&t, 0, 1000);       /* more than are in flight at once */
	ask_at(&t, &s.fakes[0], "own.example", DNS_A);
	for (unsigned i = 0; i < 300; i++) {
		char name[32];

		snprintf(name, sizeof name, "own%u.example", i);
		ask_at(&t, &s.fakes[0], name, DNS_A);
	}
	ask_at(&other, &s.fakes[0], "own.example", DNS_A);
	dns_forget(s.dns, &t);
	assert_int_equal(dns_outstanding(s.dns), 2);
	run(&s);
	assert_int_equal(t.done, 0);
	assert_int_equal(other.found, 2);
	end(&s);

	start(&s, WAYS(FAKEDNS_SILENT), DEADLINE_MS);
	ask(&t, "a.example", DNS_A);
	assert_int_equal(dns_run(s.dns, false, &e), 1); /* it is asked */
	dns_forget(s.dns, &t);
	assert_int_equal(dns_outstanding(s.dns), 0);
	assert_int_equal(t.done, 0);
	end(&s);
}

static void
an_engine_can_be_closed_before_its_answers_are_taken(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s };

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	assert_int_equal(status_of(&s, "known.example", DNS_A), DNS_OK);
	ask(&t, "known.example", DNS_A);
	end(&s);
	assert_int_equal(t.done, 0);
}

static void
ids_and_ports_cannot_be_guessed(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s };
	unsigned all = (DNS_SOCKETS + 1) * DNS_SOCKET_QUERIES;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	for (unsigned i = 0; i < all; i += 128) {
		ask_numbered(&t, i, i + 128);
		run(&s);
	}
	assert_int_equal(t.found, all);
	/* more ports than sockets: they were replaced */
	assert_true(s.fakes[0].ports > DNS_SOCKETS);
	assert_true(s.fakes[0].ports < 4 * DNS_SOCKETS);
	/* by chance one in 65536 */
	assert_true(s.fakes[0].next_ids < 20);
	end(&s);
}

/* ---- one given server ---- */

static void
a_given_server_is_asked_alone_without_recursion(void **state)
{
	static const enum fakedns_way ways[] = {
		FAKEDNS_ANSWER,
		FAKEDNS_TC,
		FAKEDNS_FORMERR_OPT,
		FAKEDNS_SILENT_ONCE,
	};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct scene s;
		struct tally t = { .scene = &s };
		struct fakedns own;

		start(&s, WAYS(FAKEDNS_SERVFAIL, FAKEDNS_SILENT), DEADLINE_MS);
		fakedns_start(&own, ways[i]);
		ask_at(&t, &own, "a.example", DNS_A);
		ask_at(&t, &own, "b.example", DNS_A);
		ask_at(&t, &own, "a.example", DNS_A);
		run(&s);
		ask_at(&t, &own, "a.example", DNS_A); /* from the cache */
		run(&s);
		assert_int_equal(t.found, 4);
		assert_int_equal(own.with_rd, 0);
		assert_int_equal(s.fakes[0].udp + s.fakes[1].udp, 0);
		if (ways[i] == FAKEDNS_ANSWER)
			assert_int_equal(own.udp, 2);
		end(&s);
		fakedns_stop(&own);
	}
}

/* What one server says is not what the others say. */
static void
answers_of_a_given_server_are_kept_apart(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s };
	struct fakedns own;
	struct dns_how how = { .is_unchecked = true };
	struct err e = ERR_INIT;

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	fakedns_start(&own, FAKEDNS_REFUSED);
	ask(&t, "a.example", DNS_A);
	run(&s);
	ask_at(&t, &own, "a.example", DNS_A);
	run(&s);
	assert_int_equal(t.done, 2);
	assert_int_equal(t.found, 1);
	assert_int_equal(s.fakes[0].with_rd, 1);
	assert_int_equal(s.fakes[0].with_cd, 0);
	/* nor is what was not checked what was */
	assert_int_equal(dns_ask_how(s.dns, "a.example", DNS_A, &how, count, &t,
			     &e),
	    0);
	run(&s);
	assert_int_equal(t.found, 2);
	assert_int_equal(s.fakes[0].with_cd, 1);
	end(&s);
	fakedns_stop(&own);
}

static void
many_questions_for_given_servers_are_all_answered(void **state)
{
	struct scene s;
	struct tally t = { .scene = &s };
	struct fakedns own[2];
	char name[32];

	(void)state;
	start(&s, WAYS(FAKEDNS_ANSWER), DEADLINE_MS);
	fakedns_start(&own[0], FAKEDNS_ANSWER);
	fakedns_start(&own[1], FAKEDNS_TC);
	for (unsigned i = 0; i < 1500; i++) {
		snprintf(name, sizeof name, "n%u.example", i);
		ask_at(&t, &own[i % 2], name, DNS_A);
		ask(&t, name, DNS_A);
	}
	run(&s);
	assert_int_equal(t.found, 3000);
	for (unsigned i = 0; i < 50; i++) { /* dropped in every state */
		snprintf(name, sizeof name, "m%u.example", i);
		ask_at(&t, &own[i % 2], name, DNS_A);
		if (i == 40)
			dns_run(s.dns, false, &(struct err)ERR_INIT);
	}
	end(&s);
	fakedns_stop(&own[0]);
	fakedns_stop(&own[1]);
}

/* ---- the cache ---- */

static struct dns_answer *
answer_for(unsigned ttl)
{
	struct dns_answer *a = dns_answer_empty(DNS_NXDOMAIN, "x.example");

	a->ttl = ttl;
	return a;
}

static void
question_for(struct dns_question *q, unsigned i)
{
	char name[32];

	snprintf(name, sizeof name, "n%u.example", i);
	assert_true(dns_question_set(q, name, DNS_MX));
}

static bool
is_cached(struct dns_cache *c, unsigned i, int64_t now_ms)
{
	struct dns_question q;
	struct dns_answer *a;

	question_for(&q, i);
	a = dns_cache_get(c, &q, now_ms);
	dns_answer_free(a);
	return a != NULL;
}

static void
cache_put(struct dns_cache *c, unsigned i, unsigned ttl, int64_t now_ms)
{
	struct dns_question q;
	struct dns_answer *a = answer_for(ttl);

	question_for(&q, i);
	dns_cache_put(c, &q, a, now_ms);
	dns_answer_free(a);
}

static void
the_cache_keeps_to_the_TTL(void **state)
{
	struct dns_cache *c = dns_cache_new(1024 * 1024, 7);

	(void)state;
	assert_non_null(c);
	cache_put(c, 1, 60, 1000);
	cache_put(c, 2, 0, 1000);
	cache_put(c, 3, 0x7fffffff, 1000);
	assert_true(is_cached(c, 1, 60999));
	assert_false(is_cached(c, 1, 61000));
	assert_false(is_cached(c, 1, 1000)); /* and it is gone */
	assert_false(is_cached(c, 2, 1000));
	assert_true(is_cached(c, 3, 86400999));
	assert_false(is_cached(c, 3, 86401000));
	cache_put(c, 4, 60, 1000);
	cache_put(c, 4, 120, 1000); /* the last one counts */
	assert_true(is_cached(c, 4, 120999));
	cache_put(c, 4, 60, 1000);
	assert_false(is_cached(c, 4, 61000));
	dns_cache_free(c);
}

static void
the_cache_is_bounded_and_drops_what_was_not_used(void **state)
{
	struct dns_cache *c = dns_cache_new(64 * 1024, 7);
	unsigned kept = 0;

	(void)state;
	assert_non_null(c);
	for (unsigned i = 0; i < 10000; i++) {
		cache_put(c, i, 60, 0);
		assert_true(is_cached(c, 0, 0)); /* used all the time */
	}
	for (unsigned i = 0; i < 10000; i++)
		kept += is_cached(c, i, 0);
	assert_in_range(kept, 50, 1000);
	assert_true(is_cached(c, 9999, 0));
	assert_false(is_cached(c, 1, 0));
	dns_cache_free(c);
}

static void
an_answer_larger_than_the_cache_is_not_kept(void **state)
{
	struct dns_cache *c = dns_cache_new(100, 7);

	(void)state;
	assert_non_null(c);
	cache_put(c, 1, 60, 0);
	assert_false(is_cached(c, 1, 0));
	dns_cache_free(c);
}

/* ---- options ---- */

static void
bad_options_are_refused(void **state)
{
	static const char *const good[] = { "127.0.0.1" };
	static const char *const names[] = { "resolver.example", "127.0.0.1:0",
		"127.0.0.1:99999", "", "[127.0.0.1]:53" };
	struct err e = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct dns_options o = { .servers = &names[i], .nservers = 1 };

		assert_null(dns_open(&o, &e));
		assert_int_equal(e.class, ERR_CONFIG);
	}
	assert_null(dns_open(&(struct dns_options){ .servers = good,
				 .nservers = 1,
				 .window = 1000000 },
	    &e));
	assert_int_equal(e.class, ERR_CONFIG);
}

#define TEST(f) cmocka_unit_test(f)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_tell_what_was_said),
		TEST(an_answer_outlives_its_engine),
		TEST(AD_counts_from_loopback),
		TEST(AD_counts_from_elsewhere_only_when_trusted),
		TEST(replies_to_other_questions_are_ignored),
		TEST(a_lost_packet_is_sent_again),
		TEST(the_deadline_holds),
		TEST(FORMERR_is_asked_again_without_OPT),
		TEST(junk_behind_a_reply_is_asked_again_without_OPT),
		TEST(junk_without_OPT_too_is_malformed),
		TEST(what_UDP_cuts_comes_by_TCP),
		TEST(TC_over_TCP_is_malformed),
		TEST(a_name_that_cannot_be_asked_is_malformed),
		TEST(the_next_server_answers_for_a_broken_one),
		TEST(the_next_server_answers_for_one_that_cannot_be_asked),
		TEST(the_next_server_answers_for_a_silent_one),
		TEST(only_when_all_servers_failed_it_is_a_verdict),
		TEST(
		    a_broken_server_beside_a_silent_one_is_told_at_the_deadline),
		TEST(a_refusal_is_noticed_at_once),
		TEST(a_server_that_refuses_gets_time_to_start),
		TEST(a_server_that_goes_on_refusing_is_dead),
		TEST(equal_questions_are_asked_once),
		TEST(answers_are_kept),
		TEST(failures_and_denials_without_SOA_are_not_kept),
		TEST(every_question_is_answered_once),
		TEST(questions_can_be_asked_while_an_answer_is_given),
		TEST(no_more_than_the_window_is_in_flight),
		TEST(a_run_that_does_not_wait_returns_at_once),
		TEST(what_is_forgotten_is_not_called),
		TEST(what_is_forgotten_is_not_called_wherever_it_waits),
		TEST(an_engine_can_be_closed_before_its_answers_are_taken),
		TEST(ids_and_ports_cannot_be_guessed),
		TEST(a_given_server_is_asked_alone_without_recursion),
		TEST(answers_of_a_given_server_are_kept_apart),
		TEST(many_questions_for_given_servers_are_all_answered),
		TEST(the_cache_keeps_to_the_TTL),
		TEST(the_cache_is_bounded_and_drops_what_was_not_used),
		TEST(an_answer_larger_than_the_cache_is_not_kept),
		TEST(bad_options_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
