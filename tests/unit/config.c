/* bmx.conf: what is taken, what is refused, and with which words. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "spool/config.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define PIN "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"
#define COLON_PIN                                                              \
	"01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89:ab:"   \
	"cd:ef:01:23:45:67:89:ab:cd:ef"
#define HOST "[bmx]\nhostname = mx2.example.net\n"

static char path[64];

static int
make_file(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof path, "/tmp/bmx-config.XXXXXX");
	fd = mkstemp(path);
	return fd == -1 ? -1 : close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static int
load(struct config *c, const char *text, size_t len, struct err *e)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	return config_load(c, path, e);
}

static void
every_mistake_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *error; /* the path goes in front of error */
	} rows[] = {
		{ HOST "color = red\n", ":3: color: no such key in [bmx]" },
		{ HOST "[example.com]\nmax-size = 1\n",
		    ":4: max-size: no such key in a domain" },
		{ "hostname = x\n",
		    ":1: hostname: before the first [section]" },
		{ HOST "max-errors = many\n",
		    ":3: max-errors: \"many\" is not a number from 1 to 1000" },
		{ HOST "max-errors = 0\n",
		    ":3: max-errors: \"0\" is not a number from 1 to 1000" },
		{ HOST "max-size = 5T\n", ":3: max-size: \"5T\" is not a "
					  "number from 0 to 1125899906842624 "
					  "(suffix K, M, G)" },
		{ HOST "max-size = 99999999999999999999G\n",
		    ":3: max-size: \"99999999999999999999G\" is not" },
		{ HOST "command-timeout = 3w\n",
		    ":3: command-timeout: \"3w\" is not a number from 1 to "
		    "86400 (suffix s, m, h, d)" },
		{ HOST "log = syslog\nlog = stderr\n",
		    ":4: log: for the second time" },
		{ HOST "log = syslog\n  stderr\n", ":4: log: takes one line" },
		{ HOST "log =\n", ":3: log: no value" },
		{ HOST "tls-ticket-key =;/k\n", ":3: tls-ticket-key: ';' "
						"begins a comment, not a" },
		{ HOST "self = a.example,;b\n",
		    ":3: self: ';' begins a comment, not a value" },
		{ HOST "self = a.example #b\n",
		    ":3: self: '#' begins no word; a comment behind a value" },
		{ HOST "spool = /var/spool/bmx\t# here\n",
		    ":3: spool: '#' begins no word; a comment behind a value" },
		{ HOST "self = a.example \rb\n",
		    ":3: a control character other than a tab" },
		{ HOST "# \x7f\r\n", ":3: a control character other" },
		{ HOST "nonsense\n", ":3: neither [section] nor key = value" },
		{ HOST "\n[example.com\n",
		    ":4: neither [section] nor key = value" },
		{ HOST HOST, ":3: [bmx] for the second time" },
		{ HOST "[a.example] [b.example]\n",
		    ":3: there is something behind the ']'" },
		{ HOST "[a.example] tls = none\n",
		    ":3: there is something behind the ']'" },
		{ HOST "[a.example];x\n",
		    ":3: there is something behind the ']'" },
		{ HOST "  [a.example]\n", ":3: hostname: takes one line" },
		{ HOST "[localhost]\n", ":3: [localhost] is neither [bmx] nor "
					"a domain name like example.com" },
		{ HOST "[../etc]\n", ":3: [../etc] is neither [bmx] nor" },
		{ HOST "[a.example]\n[b.example]\n[A.example.]\n",
		    ": [a.example] for the second time" },
		{ HOST "[example.com]\ntls = maybe\n",
		    ":4: tls: \"maybe\" is not none, may, encrypt, "
		    "verify, dane, dane-only or pin" },
		{ HOST "[example.com]\ntls-pin = 00:11\n",
		    "[example.com] tls-pin: \"00:11\" is not a SHA-256" },
		{ HOST "[example.com]\ntls-pin = " PIN "0\n",
		    "[example.com] tls-pin: " },
		{ HOST "[example.com]\ntls = pin\n",
		    "[example.com] tls = pin wants a tls-pin" },
		{ HOST "[example.com]\ntls-ca = ca.pem\n",
		    "[example.com] tls-ca: not an absolute path" },
		{ HOST "[example.com]\ntls-name = a b c d e\n",
		    "[example.com] tls-name: more than 4 names" },
		{ HOST "tls-client-key = /k\n",
		    ": tls-client-certificate and tls-client-key: one without "
		    "the other" },
		{ HOST "tls-client-ca = ca.pem\n",
		    ": tls-client-ca: not an absolute path" },
		{ HOST "[example.com]\nadmit = yes\n",
		    ":4: admit: \"yes\" is not spool, through or defer" },
		{ HOST "[example.com]\nxclient = 1\n",
		    ":4: xclient: \"1\" is not no or yes" },
		{ HOST "[example.com]\nunknown = spool\n",
		    ":4: unknown: \"spool\" is not accept-limited, defer or "
		    "accept" },
		{ HOST "[example.com]\nprimary = h:0\n",
		    "[example.com] primary: \"h:0\" is not mx, HOST[:PORT]" },
		{ HOST "[example.com]\nprimary = a_b!\n",
		    "[example.com] primary: \"a_b!\" is not mx" },
		{ HOST "[example.com]\nprimary = [2001:db8:::1]:25\n",
		    "[example.com] primary: \"[2001:db8:::1]:25\" is not mx" },
		{ HOST "[example.com]\nprimary = mx, 192.0.2.1\n",
		    "[example.com] primary: mx stands alone" },
		{ HOST "[example.com]\nprimary = lmtp:/run/lmtp\n",
		    "[example.com] primary: mail cannot be relayed live to "
		    "LMTP: set admit = spool or defer" },
		{ HOST "[example.com]\nprimary =\n",
		    "[example.com] primary: empty" },
		{ HOST "proxy = 192.0.2.1/24\n",
		    ": proxy: \"192.0.2.1/24\" is not an address or a" },
		{ HOST "xclient = localhost\n", ": xclient: \"localhost\"" },
		{ HOST "[example.com]\netrn = 192.0.2.1, all\n",
		    "[example.com]: etrn: \"all\" is not an address or" },
		{ HOST "[example.com]\nrecipients = list\n",
		    "[example.com] recipients: not an absolute path" },
		{ HOST "[example.com]\nrecipient-delimiter = +-\n",
		    "[example.com] recipient-delimiter: not one character" },
		{ HOST "[example.com]\nrecipient-delimiter = X\n",
		    "[example.com] recipient-delimiter: an upper-case letter" },
		{ HOST "[example.com]\nretry-min = 2h\n",
		    "[example.com] retry-max is less than retry-min" },
		{ HOST "[example.com]\nmax-connections = 0\n",
		    "max-connections: \"0\" is not a number from 1 to 64" },
		{ HOST "[example.com]\non-5xx = return\n", "on-5xx: " },
		{ "[bmx]\nhostname = mx2\n",
		    ": hostname: \"mx2\" is not a full name" },
		{ HOST "self = mx2 a_b\n",
		    ": self: \"a_b\" is no host name or address" },
		{ HOST "self = 2001:db8:::1\n",
		    ": self: \"2001:db8:::1\" is no host name or address" },
		{ HOST "resolver = 127.0.0.1:x\n",
		    ": resolver: \"127.0.0.1:x\" is no host name" },
		{ HOST "spool = spool\n", ": spool: not an absolute path" },
		{ HOST "state = state\n", ": state: not an absolute path" },
		{ HOST "tls-key = /k\n",
		    ": tls-certificate and tls-key: one without the other" },
		{ HOST "tls-certificate = /a /b\ntls-key = /c\n",
		    ": tls-certificate and tls-key: one without the other" },
		{ HOST "tls-ticket-key = k\n",
		    ": tls-ticket-key: not an absolute path" },
		{ HOST "log = \033[31m\n",
		    ":3: a control character other than a tab" },
		{ HOST "\233[2J = 1\n", ":3: \\x9b[2J: no such key" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c = CONFIG_INIT;
		struct err e = ERR_INIT;
		int rc = load(&c, rows[i].text, strlen(rows[i].text), &e);

		if (rc != -1 || e.class != ERR_CONFIG ||
		    strncmp(e.text, path, strlen(path)) != 0 ||
		    strstr(e.text, rows[i].error) == NULL)
			fail_msg("row %zu (%s): %d \"%s\"", i, rows[i].error,
			    rc, e.text);
		config_free(&c);
	}
}

static void
a_line_too_long_or_with_a_nul_is_refused(void **state)
{
	char text[2000] = HOST "self = ";
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT;

	(void)state;
	memset(text + strlen(text), 'a', sizeof text - strlen(text) - 1);
	assert_int_equal(load(&c, text, sizeof text - 1, &e), -1);
	assert_non_null(strstr(e.text, ":3: longer than"));
	config_free(&c);
	for (size_t without_lf = 0; without_lf < 2; without_lf++) {
		assert_int_equal(load(&c, HOST "log = stderr\0x\n",
				     sizeof HOST + 14 - without_lf, &e),
		    -1);
		assert_non_null(strstr(e.text, ":3: longer than"));
		config_free(&c);
	}
}

static void
missing_file_and_directory_are_configuration_errors(void **state)
{
	static const char *const rows[] = { "/missing/bmx.conf", "/tmp",
		"/dev/null" };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct config c = CONFIG_INIT;
		struct err e = ERR_INIT;

		assert_int_equal(config_load(&c, rows[i], &e), -1);
		assert_int_equal(e.class, ERR_CONFIG);
		assert_non_null(strstr(e.text, rows[i]));
		config_free(&c);
	}
}

static void
without_a_path_the_file_is_that_of_the_environment_or_of_the_system(
    void **state)
{
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT;

	(void)state;
	assert_int_equal(setenv("BMX_CONF", "/missing/bmx.conf", 1), 0);
	assert_int_equal(config_load(&c, NULL, &e), -1);
	assert_string_equal(c.path, "/missing/bmx.conf");
	config_free(&c);
	assert_int_equal(unsetenv("BMX_CONF"), 0);
	config_load(&c, NULL, &e); /* it may be there */
	assert_string_equal(c.path, SYSCONFDIR "/bmx.conf");
	config_free(&c);
}

static void
values_are_read_in_their_units(void **state)
{
	static const char text[] =
	    "# comment\n" HOST "max-size = 25M ; inline comment\n"
	    "command-timeout = 2m\n"
	    "self = mx2.example.org, 192.0.2.9\n"
	    "  2001:db8::9 mx.M\xc3\x9cLLER.example\n"
	    "notices = lmtp:m\xc3\xbcller.example:24\n"
	    "[Example.COM]\n"
	    "primary = mail.example.com:2525\n"
	    "  [2001:db8::1]:25 192.0.2.1 m\xc3\xbcller.example:26\n"
	    "tls = pin\n"
	    "tls-pin = " PIN ", " COLON_PIN "\n"
	    "tls-name = mail.example.com\n"
	    "admit = defer\n"
	    "unknown = accept\n"
	    "unknown-messages = 3\n"
	    "unknown-bytes-all = 7M\n"
	    "xclient = yes\n"
	    "[a.example]\n"
	    "[m\xc3\xbcller.example]\n";
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT;
	const struct config_domain *d;

	(void)state;
	if (load(&c, text, sizeof text - 1, &e) == -1)
		fail_msg("%s", e.text);
	assert_string_equal(c.host.hostname, "mx2.example.net");
	assert_int_equal(c.host.max_size, 25 * 1024 * 1024);
	assert_int_equal(c.host.command_timeout_s, 120);
	assert_int_equal(c.host.self.n, 4);
	assert_string_equal(c.host.self.word[2], "2001:db8::9");
	assert_string_equal(c.host.self.word[3], "mx.xn--mller-kva.example");
	assert_string_equal(c.host.notices.word[0],
	    "lmtp:xn--mller-kva.example:24");
	assert_int_equal(c.ndomains, 3);
	d = config_find(&c, "example.com");
	assert_non_null(d);
	assert_int_equal(d->primary.n, 4);
	assert_string_equal(d->primary.word[1], "[2001:db8::1]:25");
	assert_string_equal(d->primary.word[3], "xn--mller-kva.example:26");
	assert_int_equal(d->tls, CONFIG_TLS_PIN);
	assert_int_equal(d->tls_pin.n, 2);
	for (size_t i = 0; i < d->tls_pin.n; i++) {
		unsigned char pin[CONFIG_PIN_LEN];

		assert_true(config_parse_pin(d->tls_pin.word[i], pin));
		assert_int_equal(pin[0], 0x01);
		assert_int_equal(pin[31], 0xef);
	}
	assert_string_equal(d->tls_name.word[0], "mail.example.com");
	assert_int_equal(d->admit, CONFIG_ADMIT_DEFER);
	assert_int_equal(d->unknown, CONFIG_UNKNOWN_ACCEPT);
	assert_int_equal(d->unknown_messages, 3);
	assert_int_equal(d->unknown_bytes_all, 7 * 1024 * 1024);
	assert_true(d->xclient);
	assert_non_null(config_find(&c, "xn--mller-kva.example"));
	assert_null(config_find(&c, "example.co"));
	assert_null(config_find(&c, "Example.COM"));
	config_free(&c);
}

/* A section that the reader of keys sees, and nobody else, is a domain that is
 * not there, and gives its keys to another one. */
static void
each_section_has_its_own_keys(void **state)
{
	static const struct {
		const char *text;
		enum config_tls a, b; /* of a.example and b.example */
	} rows[] = {
		{ "[a.example]\n[b.example]\ntls = none\n", CONFIG_TLS_MAY,
		    CONFIG_TLS_NONE },
		{ "[a.example]\n [b.example]\ntls = none\n", CONFIG_TLS_MAY,
		    CONFIG_TLS_NONE },
		{ " [b.example]\n[a.example]\n tls = none\n", CONFIG_TLS_NONE,
		    CONFIG_TLS_MAY },
		{ "\xef\xbb\xbf[b.example]\n[a.example]\ntls = none\n",
		    CONFIG_TLS_NONE, CONFIG_TLS_MAY },
		{ "[b.example] ; one\r\ntls = none\r\n[a.example]\t;two\n",
		    CONFIG_TLS_MAY, CONFIG_TLS_NONE },
		{ "[a.example]\n\ttls = none\n[b.example]\n", CONFIG_TLS_NONE,
		    CONFIG_TLS_MAY },
		{ "[a.example]\nprimary = a\n [2001:db8::1]:25\n"
		  "[b.example]\ntls = none\n",
		    CONFIG_TLS_MAY, CONFIG_TLS_NONE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct config_domain *a, *b;
		struct config c = CONFIG_INIT;
		struct err e = ERR_INIT;
		char text[512];
		int len = snprintf(text, sizeof text, "%s" HOST, rows[i].text);

		if (load(&c, text, (size_t)len, &e) == -1)
			fail_msg("row %zu: %s", i, e.text);
		a = config_find(&c, "a.example");
		b = config_find(&c, "b.example");
		if (a == NULL || b == NULL || a->tls != rows[i].a ||
		    b->tls != rows[i].b)
			fail_msg("row %zu: %zu domains", i, c.ndomains);
		config_free(&c);
	}
}

static void
keys_that_are_not_set_have_their_defaults(void **state)
{
	static const char text[] = "[example.com]\n" HOST;
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT;
	const struct config_domain *d;

	(void)state;
	if (load(&c, text, sizeof text - 1, &e) == -1)
		fail_msg("%s", e.text);
	assert_string_equal(c.host.spool, LOCALSTATEDIR "/spool/bmx");
	assert_string_equal(c.host.log, "syslog");
	assert_int_equal(c.host.max_recipients, 1000);
	assert_int_equal(c.host.command_timeout_s, 300); /* D16: >= 5 min */
	assert_int_equal(c.host.tls_key.n, 0);
	assert_int_equal(c.host.sessions, 200);
	assert_int_equal(c.host.sessions_per_network, 20);
	assert_int_equal(c.host.sessions_per_process, 1);
	assert_int_equal(c.host.idle_timeout_s, 300);
	assert_int_equal(c.host.greet_delay_s, 0);
	assert_int_equal(c.host.min_rate, 500);
	d = config_find(&c, "example.com");
	assert_string_equal(d->primary.word[0], "mx");
	assert_int_equal(d->tls, CONFIG_TLS_MAY);
	assert_null(d->recipients);
	assert_string_equal(d->recipient_delimiter, "+");
	assert_int_equal(d->max_messages, 0);
	assert_int_equal(d->max_bytes, 0);
	assert_int_equal(d->admit, CONFIG_ADMIT_THROUGH);
	assert_int_equal(d->unknown, CONFIG_UNKNOWN_LIMITED);
	assert_in_range(d->unknown_messages, 1, d->unknown_messages_all);
	assert_in_range(d->unknown_bytes, 1, d->unknown_bytes_all);
	assert_false(d->xclient); /* D47 */
	assert_int_equal(d->max_connections, 4);
	assert_int_equal(d->max_rate, 0);
	assert_int_equal(d->max_bytes_rate, 0);
	assert_int_equal(d->on_5xx, CONFIG_ON_5XX_HOLD);
	assert_int_equal(d->rise, 2);
	assert_int_equal(d->fall, 3);
	assert_true(d->retry_min_s <= d->retry_max_s);
	config_free(&c);
}

static void
many_domains_are_found(void **state)
{
	struct config c = CONFIG_INIT;
	struct err e = ERR_INIT;
	FILE *file = fopen(path, "w");
	char name[32];

	(void)state;
	fputs(HOST, file);
	for (int i = 0; i < 1000; i++)
		fprintf(file, "[d%d.example]\n", (i * 7919) % 1000);
	fclose(file);
	assert_int_equal(config_load(&c, path, &e), 0);
	assert_int_equal(c.ndomains, 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "d%d.example", i);
		assert_non_null(config_find(&c, name));
	}
	config_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mistake_is_named_with_its_line),
		cmocka_unit_test(a_line_too_long_or_with_a_nul_is_refused),
		cmocka_unit_test(
		    missing_file_and_directory_are_configuration_errors),
		cmocka_unit_test(
		    without_a_path_the_file_is_that_of_the_environment_or_of_the_system),
		cmocka_unit_test(values_are_read_in_their_units),
		cmocka_unit_test(each_section_has_its_own_keys),
		cmocka_unit_test(keys_that_are_not_set_have_their_defaults),
		cmocka_unit_test(many_domains_are_found),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
