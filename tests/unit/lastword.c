/* What was said last about each recipient, out of log/ID. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "spool/lastword.h"
#include "scratch.h"

#define AT "2026-11-24T03:11:14.000000Z "
#define AT_US 1795489874000000

static void
add_rcpt(struct envelope *env, const char *address)
{
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NONE };
	struct err e = ERR_INIT;

	assert_int_equal(addr_parse(address, strlen(address), &r.forward_path,
			     &e),
	    0);
	assert_int_equal(envelope_add(env, &r, &e), 0);
}

/* ---- one line, for bob ---- */

/* enhanced NULL: the line says nothing of bob. */
static const struct {
	const char *line;
	int code;
	const char *enhanced, *text, *peer;
} lines[] = {
	/* a server's reply */
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 5.1.1 no such user\"",
	    550, "5.1.1", "no such user", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> deferred peer=[2001:db8::1]:25 "
	     "reply=\"451 4.3.0\"",
	    451, "4.3.0", "", "[IPv6:2001:db8::1]" },
	{ AT "to=<bob@example.com> deferred peer=192.0.2.1:25 reply=\"450\"",
	    450, "", "", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 go away\"",
	    550, "", "go away", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> deferred state=unknown peer=192.0.2.1:25 "
	     "reply=\"no reply to the end of the content\"",
	    0, "", "no reply to the end of the content", "" },
	/* nearly an enhanced code */
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 5.1 half\"",
	    550, "", "5.1 half", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 5.1.1.\"",
	    550, "", "5.1.1.", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 5....\"",
	    550, "", "5....", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 5.1234567890123456789.1 long\"",
	    550, "", "5.1234567890123456789.1 long", "[192.0.2.1]" },
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 2.1.5 of another class\"",
	    550, "", "2.1.5 of another class", "[192.0.2.1]" },
	/* nearly a code */
	{ AT "to=<bob@example.com> deferred peer=192.0.2.1:25 "
	     "reply=\"650 odd\"",
	    0, "", "650 odd", "" },
	{ AT "to=<bob@example.com> deferred peer=192.0.2.1:25 reply=\"5501\"",
	    0, "", "5501", "" },
	{ AT "to=<bob@example.com> deferred peer=192.0.2.1:25 reply=\"\"", 0,
	    "", "", "" },
	/* our own verdict: nobody's reply */
	{ AT "to=<bob@example.com> refused peer= "
	     "reply=\"554 5.4.7 older than lifetime-max\"",
	    554, "5.4.7", "older than lifetime-max", "" },
	/* not about bob, or not whole */
	{ AT "to=<carol@example.com> refused peer=192.0.2.1:25 "
	     "reply=\"550 no\"",
	    0, NULL, NULL, NULL },
	{ AT "to=<Bob@example.com> refused peer=192.0.2.1:25 reply=\"550 no\"",
	    0, NULL, NULL, NULL },
	{ AT "to=<bob@example.com", 0, NULL, NULL, NULL },
	{ AT "to=<bob@example.com> refused peer=192.0.2.1:25 reply=\"550 cut",
	    0, NULL, NULL, NULL },
	{ "yesterday to=<bob@example.com> refused peer=192.0.2.1:25 "
	  "reply=\"550 no\"",
	    0, NULL, NULL, NULL },
	{ AT "expired", 0, NULL, NULL, NULL },
	{ "", 0, NULL, NULL, NULL },
	{ " ", 0, NULL, NULL, NULL },
};

static void
a_line_is_read(void **state)
{
	struct envelope env = ENVELOPE_INIT;
	struct lastword words[2];

	(void)state;
	add_rcpt(&env, "alice@example.com");
	add_rcpt(&env, "bob@example.com");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		memset(words, 0, sizeof words);
		lastword_line(words, &env, lines[i].line,
		    strlen(lines[i].line));
		assert_int_equal(words[0].when_us, 0);
		if (lines[i].enhanced == NULL) {
			assert_int_equal(words[1].when_us, 0);
			continue;
		}
		assert_int_equal(words[1].when_us, AT_US);
		assert_int_equal(words[1].reply.code, lines[i].code);
		assert_string_equal(words[1].reply.enhanced, lines[i].enhanced);
		assert_string_equal(words[1].reply.text, lines[i].text);
		assert_string_equal(words[1].peer, lines[i].peer);
	}
	envelope_reset(&env);
}

/* Blanks and brackets in a quoted local part end nothing. */
static void
an_odd_address_is_found(void **state)
{
	static const char line[] = AT "to=<\\x22a\\x20>\\x20b\\x22@example.com>"
				      " refused peer=192.0.2.1:25 "
				      "reply=\"550 no\"";
	struct envelope env = ENVELOPE_INIT;
	struct lastword word;

	(void)state;
	memset(&word, 0, sizeof word);
	add_rcpt(&env, "\"a > b\"@example.com");
	lastword_line(&word, &env, line, sizeof line - 1);
	assert_int_equal(word.reply.code, 550);
	envelope_reset(&env);
}

/* ---- servers ---- */

static void
a_peer_is_the_name_of_a_host(void **state)
{
	static const struct {
		const char *peer, *host;
	} rows[] = {
		{ "192.0.2.1:25", "[192.0.2.1]" },
		{ "[2001:db8::1]:2525", "[IPv6:2001:db8::1]" },
		{ "192.0.2.1", "[192.0.2.1]" },
		{ "lmtp:127.0.0.1:24", "[127.0.0.1]" },
		{ "lmtp:[::1]:24", "[IPv6:::1]" },
		{ "lmtp:/run/lmtp", "localhost" },
	};
	char out[80], small[8];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		lastword_peer(out, sizeof out, rows[i].peer);
		assert_string_equal(out, rows[i].host);
	}
	lastword_peer(small, sizeof small, "192.0.2.1:25");
	assert_string_equal(small, "[192.0.");
}

/* ---- the file ---- */

static struct spool_domain domain = SPOOL_DOMAIN_INIT;

static int
make_dir(void **state)
{
	int rc = scratch_make(state);

	domain.log_fd = scratch.fd;
	return rc;
}

static void
the_last_whole_line_counts(void **state)
{
	static const char text[] =
	    AT "to=<bob@example.com> deferred peer=192.0.2.1:25 "
	       "reply=\"450 first\"\n" AT "to=<carol@example.com> deferred "
	       "peer=192.0.2.1:25 reply=\"450 other\"\n" AT
	       "to=<bob@example.com> refused peer=192.0.2.2:25 "
	       "reply=\"550 5.1.1 last\"\n" AT
	       "to=<bob@example.com> refused peer=192.0.2.3:25 "
	       "reply=\"551 without its end\"";
	struct envelope env = ENVELOPE_INIT;
	struct lastword words[3];
	struct err e = ERR_INIT;

	(void)state;
	add_rcpt(&env, "alice@example.com");
	add_rcpt(&env, "bob@example.com");
	add_rcpt(&env, "carol@example.com");
	memset(words, 0xff, sizeof words);
	lastword_read(words, &env, &domain, "x");
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(words[i].when_us, 0);
	assert_int_equal(file_replace(domain.log_fd, "x", text, sizeof text - 1,
			     0600, &e),
	    0);
	lastword_read(words, &env, &domain, "x");
	assert_int_equal(words[0].when_us, 0);
	assert_string_equal(words[1].reply.text, "last");
	assert_string_equal(words[1].peer, "[192.0.2.2]");
	assert_string_equal(words[2].reply.text, "other");
	envelope_reset(&env);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_read),
		cmocka_unit_test(an_odd_address_is_found),
		cmocka_unit_test(a_peer_is_the_name_of_a_host),
		cmocka_unit_test(the_last_whole_line_counts),
	};

	return cmocka_run_group_tests(tests, make_dir, scratch_remove);
}
