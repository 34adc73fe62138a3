/* What bmx-probe prints of a result, and who of many may have a session. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bmx-probe/report.h"
#include "bmx-probe/seen.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define NOW_S 1764115200
#define DAY_S 86400

/* ---- what is printed ---- */

/* A primary with an address of each family, both as good as the result unless
 * v6 says otherwise. */
struct story {
	enum primary_verdict verdict, result;
	enum primary_verdict v6; /* PRIMARY_UNKNOWN: not probed */
	enum probe_code code;
	const char *reason;
	int64_t since_s, good_s; /* so long ago; 0: never */
	int64_t days;            /* of the certificate; 0: none */
	const char *host;
};

static const struct config_domain domain = {
	.name = (char *)"a.example",
	.rise = 1,
	.fall = 1,
};

static void
tell_address(struct probe_address *a, int family, enum primary_verdict result,
    const struct story *t)
{
	*a = (struct probe_address){ .family = family,
		.result = result,
		.code = result == PRIMARY_UP ? PROBE_OK : t->code };
	strcpy(a->address,
	    family == AF_INET ? "192.0.2.1:25" : "[2001:db8::1]:25");
	strcpy(a->tls, result == PRIMARY_UP ? "TLS1.3" : "");
	strcpy(a->host, t->host != NULL ? t->host : "mx.a.example");
	for (int i = 0; i < PRIMARY_PHASES; i++)
		a->ms[i] = -1;
	a->ms[PRIMARY_CONNECT] = 7;
	a->certificate.is_there = t->days != 0;
	a->certificate.not_after_s = NOW_S + t->days * DAY_S;
}

static void
tell(struct report *r, const struct story *t)
{
	struct probe_address addresses[2];
	struct probe_result result = { .result = t->result,
		.code = t->code,
		.dns_ms = 2,
		.total_ms = 12,
		.addresses = addresses,
		.n = t->v6 == PRIMARY_UNKNOWN ? 1 : 2,
		.decided = addresses };
	struct primary state = { .verdict = t->verdict,
		.since_s = t->since_s == 0 ? 0 : NOW_S - t->since_s,
		.good_s = t->good_s == 0 ? 0 : NOW_S - t->good_s };
	const struct report_row row = { .name = domain.name,
		.domain = &domain,
		.result = &result,
		.state = &state,
		.now_s = NOW_S };

	strcpy(result.reason, t->reason != NULL ? t->reason : "");
	tell_address(&addresses[0], AF_INET, t->result, t);
	tell_address(&addresses[1], AF_INET6, t->v6, t);
	report_row(r, &row);
}

/* What is printed of these; the caller frees it. */
static char *
print(struct report r, const struct story *stories, size_t n)
{
	struct err e = ERR_INIT;
	char *text = NULL;
	size_t len;

	r.out = open_memstream(&text, &len);
	r.name_width = 9;
	r.timeout_s = 30;
	for (size_t i = 0; i < n; i++)
		tell(&r, &stories[i]);
	assert_int_not_equal(report_end(&r, &e), -1);
	fclose(r.out);
	return text;
}

static void
expect(const char *name, char *text, const char *wanted)
{
	if (strcmp(text, wanted) != 0)
		fail_msg("%s:\n%s, not\n%s", name, text, wanted);
	free(text);
}

static void
a_table_tells_verdicts_and_blemishes(void **state)
{
	static const struct {
		const char *name;
		struct story told;
		bool has_colour;
		const char *wanted;
	} rows[] = {
		{ "up",
		    { .verdict = PRIMARY_UP,
			.result = PRIMARY_UP,
			.since_s = 2 * DAY_S },
		    true,
		    "a.example \033[32mup       \033[0m   2.0 d   0.012  "
		    "192.0.2.1:25          TLS1.3\n" },
		{ "deferring",
		    { .verdict = PRIMARY_DEFERRING,
			.result = PRIMARY_DEFERRING,
			.code = PROBE_DEFERRED,
			.reason = "deferred" },
		    true,
		    "a.example \033[33mdeferring\033[0m       -   0.012  "
		    "192.0.2.1:25          deferred\n" },
		{ "unknown", { .code = PROBE_TROUBLE, .reason = "no memory" },
		    true,
		    "a.example \033[33munknown  \033[0m       -   0.012  "
		    "192.0.2.1:25          no memory\n" },
		{ "down, and good before",
		    { .verdict = PRIMARY_DOWN,
			.result = PRIMARY_DOWN,
			.code = PROBE_CLOSED,
			.reason = "closed",
			.since_s = 600,
			.good_s = 900 },
		    true,
		    "a.example \033[31mdown     \033[0m  10 min   0.012  "
		    "192.0.2.1:25          closed, last good 15 min ago\n" },
		{ "one family is dead",
		    { .verdict = PRIMARY_UP,
			.result = PRIMARY_UP,
			.v6 = PRIMARY_DOWN },
		    false,
		    "a.example up              -   0.012  "
		    "192.0.2.1:25          TLS1.3, ipv6 down\n" },
		{ "one family defers",
		    { .verdict = PRIMARY_UP,
			.result = PRIMARY_UP,
			.v6 = PRIMARY_DEFERRING },
		    false,
		    "a.example up              -   0.012  "
		    "192.0.2.1:25          TLS1.3, ipv6 deferring\n" },
		{ "the certificate ends",
		    { .verdict = PRIMARY_UP, .result = PRIMARY_UP, .days = 13 },
		    false,
		    "a.example up              -   0.012  "
		    "192.0.2.1:25          TLS1.3, certificate: 13 d\n" },
		{ "not yet",
		    { .verdict = PRIMARY_UP, .result = PRIMARY_UP, .days = 14 },
		    false,
		    "a.example up              -   0.012  "
		    "192.0.2.1:25          TLS1.3\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct report r = { .format = REPORT_TABLE,
			.has_colour = rows[i].has_colour,
			.cert_warn_days = 14 };

		expect(rows[i].name, print(r, &rows[i].told, 1),
		    rows[i].wanted);
	}
}

static void
of_many_the_first_certificate_to_end_counts(void **state)
{
	static const struct story three[] = {
		{ .verdict = PRIMARY_UP, .result = PRIMARY_UP, .days = 40 },
		{ .verdict = PRIMARY_UP, .result = PRIMARY_UP, .days = 20 },
		{ .verdict = PRIMARY_UP, .result = PRIMARY_UP, .days = 30 },
	};
	static const struct story blank[] = {
		{ .code = PROBE_TROUBLE, .reason = "no memory" },
		{ .code = PROBE_TROUBLE, .reason = "no memory" },
	};
	const struct report r = { .format = REPORT_NAGIOS,
		.cert_warn_days = 14,
		.cert_crit_days = -1 };

	(void)state;
	expect("days enough", print(r, three, 3),
	    "PRIMARY OK - 3 of 3 ok | up=3;;;0;3 deferring=0;;;0;3 "
	    "down=0;;;0;3 time=0.012s;;;0;30 cert_days=20;14:;;\n");
	expect("none is seen", print(r, blank, 2),
	    "PRIMARY UNKNOWN - 0 of 2 ok; a.example unknown: no "
	    "memory; a.example unknown: no memory "
	    "| up=0;;;0;2 deferring=0;;;0;2 down=0;;;0;2 "
	    "time=0.012s;;;0;30\n");
}

static void
metrics_escape_labels_and_leave_out_what_is_not_known(void **state)
{
	static const struct story told = { .host = "m\\x\"y\nz" };
	const struct report r = { .format = REPORT_METRICS };
	char *text = print(r, &told, 1);

	(void)state;
	assert_non_null(strstr(text, ",host=\"m\\\\x\\\"y\\nz\","));
	assert_non_null(strstr(text, "\nbmx_probe_success{"));
	assert_null(strstr(text,
	    "\nbmx_probe_verdict_since_timestamp_seconds{"));
	assert_null(strstr(text, "\nbmx_probe_last_good_timestamp_seconds{"));
	free(text);
}

/* ---- sessions ---- */

static struct probe_address
called(const char *address)
{
	struct probe_address a = { .host = "mx" };

	strcpy(a.address, address);
	return a;
}

static void
an_address_has_one_session_at_a_time(void **state)
{
	const struct seen_want soon = { .level = CONFIG_TLS_MAY,
		.deadline_ms = clock_monotonic_ms() + 60000 },
			       past = { .level = CONFIG_TLS_MAY,
				       .deadline_ms = 1 };
	struct probe_address one = called("192.0.2.1:25"), again = one,
			     other = called("192.0.2.2:25");
	struct seen_entry *first, *second, *third;
	struct seen s;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(seen_open(&s, &e), 0);
	assert_int_equal(seen_begin(&s, &one, &soon, &first), SEEN_OURS);
	assert_int_equal(seen_begin(&s, &again, &past, &third),
	    SEEN_LATE); /* that time is over */
	assert_null(third);
	assert_int_equal(seen_begin(&s, &other, &soon, &second), SEEN_OURS);
	seen_done(&s, first, &one); /* not the latest */
	assert_int_equal(seen_begin(&s, &again, &past, &third), SEEN_OURS);
	assert_int_equal(seen_begin(&s, &one, &past, &first), SEEN_LATE);
	seen_done(&s, third, &again);
	seen_done(&s, second, &other);
	assert_int_equal(s.n, 0);
	seen_close(&s);
}

/* wait_ms of a session that ran out of time, and of one that is wanted. */
static void
who_has_more_time_looks_again(void **state)
{
	static const struct {
		const char *name;
		int64_t had_ms, has_ms;
		bool was_late;
		enum seen_turn turn;
	} rows[] = {
		{ "as much", 5000, 5000, true, SEEN_KNOWN },
		{ "less", 5000, 1000, true, SEEN_KNOWN },
		{ "hardly more", 5000, 5000 + SEEN_SLACK_MS, true, SEEN_KNOWN },
		{ "more", 5000, 5001 + SEEN_SLACK_MS, true, SEEN_OURS },
		{ "more, but it answered", 5000, 60000, false, SEEN_KNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct seen_want want = { .level = CONFIG_TLS_MAY,
			.is_shared = true,
			.deadline_ms = clock_monotonic_ms() + 600000,
			.wait_ms = rows[i].had_ms };
		struct probe_address a = called("192.0.2.1:25");
		struct seen_entry *ticket;
		struct seen s;
		struct err e = ERR_INIT;

		assert_int_equal(seen_open(&s, &e), 0);
		assert_int_equal(seen_begin(&s, &a, &want, &ticket), SEEN_OURS);
		a.is_late = rows[i].was_late;
		seen_done(&s, ticket, &a);
		want.wait_ms = rows[i].has_ms;
		if (seen_begin(&s, &a, &want, &ticket) != rows[i].turn)
			fail_msg("%s", rows[i].name);
		seen_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_table_tells_verdicts_and_blemishes),
		cmocka_unit_test(of_many_the_first_certificate_to_end_counts),
		cmocka_unit_test(
		    metrics_escape_labels_and_leave_out_what_is_not_known),
		cmocka_unit_test(an_address_has_one_session_at_a_time),
		cmocka_unit_test(who_has_more_time_looks_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
