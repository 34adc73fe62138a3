#include "bmx-probe/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/text.h"
#include "mail/addr.h"

#define SINCE_DAYS 30
#define SINCE_DAYS_MAX 10000

static int
parse_until(struct words *w, const char *text, struct err *e)
{
	w->until = PRIMARY_EHLO2;
	if (text == NULL)
		return 0;
	for (int i = PRIMARY_CONNECT; i <= PRIMARY_RCPT; i++) {
		if (strcmp(text, primary_phase_name((enum primary_phase)i)) !=
		    0)
			continue;
		w->until = (enum primary_phase)i;
		return 0;
	}
	return err_usage(e, "--until: connect, banner, ehlo, starttls, tls, "
			    "ehlo2, mail or rcpt");
}

static int
check_address(const char *option, const char *text, struct err *e)
{
	struct err why = ERR_INIT;
	struct addr a;

	if (text == NULL ||
	    (addr_parse(text, strlen(text), &a, &why) == 0 && !a.is_utf8))
		return 0;
	return err_usage(e, "--%s: not an address", option);
}

static int
parse_source(struct words *w, const char *text, struct err *e)
{
	char one[ENDPOINT_TEXT_MAX];
	struct endpoint ep;

	while (text != NULL && *text != '\0') {
		size_t len = strcspn(text, ",");

		if (len >= sizeof one)
			return err_usage(e, "--source: not an address");
		snprintf(one, sizeof one, "%.*s", (int)len, text);
		if (!endpoint_parse(&ep, one, 0) || ep.is_lmtp)
			return err_usage(e, "--source: not an address");
		if (ep.addr.ss_family == AF_INET6) {
			w->has_from6 = true;
			w->from6 = ep;
		} else {
			w->has_from4 = true;
			w->from4 = ep;
		}
		text += len + (text[len] == ',');
	}
	return 0;
}

static int
parse_level(struct words *w, const char *text, struct err *e)
{
	static const char *const names[] = {
		[CONFIG_TLS_NONE] = "none",
		[CONFIG_TLS_MAY] = "may",
		[CONFIG_TLS_ENCRYPT] = "encrypt",
		[CONFIG_TLS_VERIFY] = "verify",
		[CONFIG_TLS_DANE] = "dane",
		[CONFIG_TLS_DANE_ONLY] = "dane-only",
		[CONFIG_TLS_PIN] = "pin",
	};

	if (text == NULL)
		return 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(text, names[i]) != 0)
			continue;
		w->has_level = true;
		w->level = (enum config_tls)i;
		return 0;
	}
	return err_usage(e, "--tls: none, may, encrypt, verify, dane, "
			    "dane-only or pin");
}

static int
parse_since(struct words *w, const char *text, int64_t now_s, struct err *e)
{
	size_t len = text == NULL ? 0 : strlen(text);
	unsigned long long days = SINCE_DAYS;
	char midnight[CLOCK_RFC3339_MAX];
	int64_t us;

	w->since_s = now_s - SINCE_DAYS * 86400;
	if (text == NULL)
		return 0;
	if (len > 1 && text[len - 1] == 'd' &&
	    text_number(text, len - 1, SINCE_DAYS_MAX, &days) == 0) {
		w->since_s = now_s - (int64_t)days * 86400;
		return 0;
	}
	snprintf(midnight, sizeof midnight, "%.10sT00:00:00Z", text);
	if (clock_parse_rfc3339(text, len, &us) == -1 &&
	    (len != strlen("2026-11-24") ||
		clock_parse_rfc3339(midnight, strlen(midnight), &us) == -1))
		return err_usage(e,
		    "--since: a date as 2026-11-24, or 30d for so many days");
	w->since_s = us / 1000000;
	return w->since_s < now_s ? 0 : err_usage(e, "--since: in the future");
}

int
words_parse(struct words *w, const struct words_said *said, int64_t now_s,
    struct err *e)
{
	*w = (struct words){ .until = PRIMARY_EHLO2 };
	if (parse_until(w, said->until, e) == -1 ||
	    check_address("rcpt", said->rcpt, e) == -1 ||
	    check_address("foreign", said->foreign, e) == -1 ||
	    parse_source(w, said->source, e) == -1 ||
	    parse_level(w, said->tls, e) == -1)
		return -1;
	if (said->rcpt != NULL)
		w->until = PRIMARY_RCPT;
	return parse_since(w, said->since, now_s, e);
}

void
words_free(struct words_said *said)
{
	free(said->until);
	free(said->rcpt);
	free(said->source);
	free(said->tls);
	free(said->since);
	free(said->foreign);
}
