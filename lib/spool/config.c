#include "spool/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/network.h"
#include "base/text.h"
#include "mail/addr.h"

#define HOST_SECTION "bmx"
#define DOMAINS_MAX 100000

/* RFC 5321 4.5.4.1: nobody has asked for more haste with notices. */
#define UNLISTED_RETRY_MIN_S (30 * 60)
#define UNLISTED_RETRY_MAX_S (4 * 3600)

/* ---- what may be set: one row a key ---- */

enum kind {
	KIND_TEXT,  /* char * */
	KIND_LIST,  /* struct config_list */
	KIND_SIZE,  /* uint64_t, bytes, suffix K M G */
	KIND_SPAN,  /* unsigned, seconds, suffix s m h d */
	KIND_COUNT, /* unsigned */
	KIND_FLAG,  /* bool: yes, no */
	/* one of a few words */
	KIND_TLS,     /* enum config_tls */
	KIND_ADMIT,   /* enum config_admit */
	KIND_UNKNOWN, /* enum config_unknown */
	KIND_ON_5XX,  /* enum config_on_5xx */
};

struct key {
	const char *name;
	enum kind kind;
	size_t offset;        /* in the struct of its section */
	const char *fallback; /* parsed like a value; NULL: stays empty */
	unsigned long long min, max; /* SIZE, SPAN, COUNT */
};

#define HOST(member) offsetof(struct config_host, member)
#define DOMAIN(member) offsetof(struct config_domain, member)
#define DAY 86400

/* clang-format off */
static const struct key host_keys[] = {
	{ "hostname", KIND_TEXT, HOST(hostname), NULL, 0, 0 },
	{ "spool", KIND_TEXT, HOST(spool), LOCALSTATEDIR "/spool/bmx", 0, 0 },
	{ "state", KIND_TEXT, HOST(state), LOCALSTATEDIR "/lib/bmx", 0, 0 },
	{ "log", KIND_TEXT, HOST(log), "syslog", 0, 0 },
	{ "user", KIND_TEXT, HOST(user), NULL, 0, 0 },
	{ "self", KIND_LIST, HOST(self), NULL, 0, 0 },
	{ "resolver", KIND_LIST, HOST(resolver), NULL, 0, 0 },
	{ "max-size", KIND_SIZE, HOST(max_size), "50M", 0, 1ULL << 50 },
	{ "max-recipients", KIND_COUNT, HOST(max_recipients), "1000", 100, 1000 },
	{ "max-errors", KIND_COUNT, HOST(max_errors), "20", 1, 1000 },
	{ "command-timeout", KIND_SPAN, HOST(command_timeout_s), "5m", 1, DAY },
	{ "data-timeout", KIND_SPAN, HOST(data_timeout_s), "3m", 1, DAY },
	{ "min-free", KIND_SIZE, HOST(min_free), "100M", 0, 1ULL << 50 },
	{ "sessions", KIND_COUNT, HOST(sessions), "200", 1, 10000 },
	{ "sessions-per-network", KIND_COUNT, HOST(sessions_per_network), "20", 1,
	    10000 },
	{ "sessions-per-process", KIND_COUNT, HOST(sessions_per_process), "1",
	    1, 10000 },
	{ "idle-timeout", KIND_SPAN, HOST(idle_timeout_s), "5m", 0, 30 * DAY },
	{ "proxy", KIND_LIST, HOST(proxy), NULL, 0, 0 },
	{ "xclient", KIND_LIST, HOST(xclient), NULL, 0, 0 },
	{ "greet-delay", KIND_SPAN, HOST(greet_delay_s), "0", 0, 60 },
	{ "min-rate", KIND_SIZE, HOST(min_rate), "500", 0, 1ULL << 30 },
	{ "message-timeout", KIND_SPAN, HOST(message_timeout_s), "6h", 0,
	    30 * DAY },
	{ "transaction-timeout", KIND_SPAN, HOST(transaction_timeout_s), "1h",
	    0, 30 * DAY },
	{ "max-messages-per-session", KIND_COUNT, HOST(max_messages_per_session),
	    "1000", 0, 999999 },
	{ "tls-certificate", KIND_LIST, HOST(tls_certificate), NULL, 0, 0 },
	{ "tls-key", KIND_LIST, HOST(tls_key), NULL, 0, 0 },
	{ "tls-ticket-key", KIND_TEXT, HOST(tls_ticket_key), NULL, 0, 0 },
	{ "notices", KIND_LIST, HOST(notices), "mx", 0, 0 },
	{ "notice-lifetime", KIND_SPAN, HOST(notice_lifetime_s), "5d", 0,
	    3650 * DAY },
	{ "tls-client-ca", KIND_TEXT, HOST(tls_client_ca), NULL, 0, 0 },
	{ "tls-client-certificate", KIND_TEXT, HOST(tls_client_certificate), NULL,
	    0, 0 },
	{ "tls-client-key", KIND_TEXT, HOST(tls_client_key), NULL, 0, 0 },
};

static const struct key domain_keys[] = {
	{ "primary", KIND_LIST, DOMAIN(primary), "mx", 0, 0 },
	{ "tls", KIND_TLS, DOMAIN(tls), "may", 0, 0 },
	{ "tls-pin", KIND_LIST, DOMAIN(tls_pin), NULL, 0, 0 },
	{ "tls-name", KIND_LIST, DOMAIN(tls_name), NULL, 0, 0 },
	{ "tls-ca", KIND_TEXT, DOMAIN(tls_ca), NULL, 0, 0 },
	{ "recipients", KIND_TEXT, DOMAIN(recipients), NULL, 0, 0 },
	{ "recipient-delimiter", KIND_TEXT, DOMAIN(recipient_delimiter), "+", 0, 0 },
	{ "etrn", KIND_LIST, DOMAIN(etrn), NULL, 0, 0 },
	{ "max-messages", KIND_COUNT, DOMAIN(max_messages), "0", 0, 1000000000 },
	{ "max-bytes", KIND_SIZE, DOMAIN(max_bytes), "0", 0, 1ULL << 60 },
	{ "rise", KIND_COUNT, DOMAIN(rise), "2", 1, 100 },
	{ "fall", KIND_COUNT, DOMAIN(fall), "3", 1, 100 },
	{ "state-age", KIND_SPAN, DOMAIN(state_age_s), "15m", 1, 30 * DAY },
	{ "last-good-age", KIND_SPAN, DOMAIN(last_good_age_s), "7d", 0, 30 * DAY },
	{ "connect-timeout", KIND_SPAN, DOMAIN(connect_timeout_s), "30s", 1, 600 },
	{ "reply-timeout", KIND_SPAN, DOMAIN(reply_timeout_s), "0", 0, DAY },
	{ "retry-min", KIND_SPAN, DOMAIN(retry_min_s), "5m", 1, DAY },
	{ "retry-max", KIND_SPAN, DOMAIN(retry_max_s), "1h", 1, 7 * DAY },
	{ "max-connections", KIND_COUNT, DOMAIN(max_connections), "4", 1,
	    CONFIG_CONNECTIONS_MAX },
	{ "max-rate", KIND_COUNT, DOMAIN(max_rate), "0", 0, 100000 },
	{ "max-bytes-rate", KIND_SIZE, DOMAIN(max_bytes_rate), "0", 0, 1ULL << 40 },
	{ "on-5xx", KIND_ON_5XX, DOMAIN(on_5xx), "hold", 0, 0 },
	{ "on-expiry", KIND_ON_5XX, DOMAIN(on_expiry), "hold", 0, 0 },
	{ "lifetime", KIND_SPAN, DOMAIN(lifetime_s), "30d", 0, 3650 * DAY },
	{ "lifetime-max", KIND_SPAN, DOMAIN(lifetime_max_s), "0", 0, 3650 * DAY },
	{ "unverified-lifetime", KIND_SPAN, DOMAIN(unverified_lifetime_s), "1d", 0,
	    3650 * DAY },
	{ "delay-notice", KIND_SPAN, DOMAIN(delay_notice_s), "0", 0, 3650 * DAY },
	{ "strict-routing", KIND_FLAG, DOMAIN(strict_routing), "no", 0, 0 },
	{ "admit", KIND_ADMIT, DOMAIN(admit), "through", 0, 0 },
	{ "unknown", KIND_UNKNOWN, DOMAIN(unknown), "accept-limited", 0, 0 },
	{ "unknown-messages", KIND_COUNT, DOMAIN(unknown_messages), "20", 0,
	    100000 },
	{ "unknown-bytes", KIND_SIZE, DOMAIN(unknown_bytes), "100M", 0,
	    1ULL << 50 },
	{ "unknown-messages-all", KIND_COUNT, DOMAIN(unknown_messages_all),
	    "1000", 0, 100000 },
	{ "unknown-bytes-all", KIND_SIZE, DOMAIN(unknown_bytes_all), "1G", 0,
	    1ULL << 50 },
	{ "defer-tries", KIND_COUNT, DOMAIN(defer_tries), "4", 1, 1000 },
	{ "defer-time", KIND_SPAN, DOMAIN(defer_time_s), "1h", 0, 7 * DAY },
	{ "xclient", KIND_FLAG, DOMAIN(xclient), "no", 0, 0 },
	{ "good-age", KIND_SPAN, DOMAIN(good_age_s), "90d", DAY, 3650 * DAY },
	{ "bad-age", KIND_SPAN, DOMAIN(bad_age_s), "1d", 300, 3650 * DAY },
};
/* clang-format on */

#define NKEYS(table) (sizeof(table) / sizeof(table)[0])

/* ---- one value ---- */

struct unit {
	char suffix;
	unsigned long long factor;
};

static const struct unit size_units[] = {
	{ 'K', 1024 },
	{ 'M', 1024 * 1024 },
	{ 'G', 1024 * 1024 * 1024 },
	{ '\0', 0 },
};
static const struct unit span_units[] = {
	{ 's', 1 },
	{ 'm', 60 },
	{ 'h', 3600 },
	{ 'd', DAY },
	{ '\0', 0 },
};
static const struct unit no_units[] = {
	{ '\0', 0 },
};

/* In the order of their enums; KIND_FLAG's are false and true. */
static const char *const flag_words[] = { "no", "yes", NULL };
static const char *const tls_words[] = { "none", "may", "encrypt", "verify",
	"dane", "dane-only", "pin", NULL };
static const char *const admit_words[] = { "spool", "through", "defer", NULL };
static const char *const unknown_words[] = { "accept-limited", "defer",
	"accept", NULL };
static const char *const on_5xx_words[] = { "hold", "bounce", "drop", NULL };

static const char *const *
words_of(enum kind kind)
{
	return kind == KIND_FLAG     ? flag_words
	       : kind == KIND_TLS    ? tls_words
	       : kind == KIND_ADMIT  ? admit_words
	       : kind == KIND_ON_5XX ? on_5xx_words
				     : unknown_words;
}

/* A number with an optional suffix, within the key's range. */
static int
parse_number(const struct key *key, const struct unit *units, const char *value,
    unsigned long long *number, struct err *e)
{
	size_t len = strlen(value);
	unsigned long long factor = 1, n;
	char said[64];

	for (; units->suffix != '\0'; units++) {
		if (len > 1 && value[len - 1] == units->suffix) {
			factor = units->factor;
			len--;
			break;
		}
	}
	if (text_number(value, len, key->max / factor, &n) == -1 ||
	    n * factor < key->min)
		return err_config(e,
		    "%s: \"%s\" is not a number from %llu to %llu%s", key->name,
		    text_safe(said, sizeof said, value), key->min, key->max,
		    key->kind == KIND_SIZE   ? " (suffix K, M, G)"
		    : key->kind == KIND_SPAN ? " (suffix s, m, h, d)"
					     : "");
	*number = n * factor;
	return 0;
}

static int
set_text(char **slot, const char *value, struct err *e)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return err_temp(e, "out of memory");
	free(*slot);
	*slot = copy;
	return 0;
}

/* Behind a blank it would begin a comment: whoever reads it, or what
 * config_print() makes of it, would see less than we do. */
static int
refuse_comment(const struct key *key, const char *word, struct err *e)
{
	return *word == ';'
		   ? err_config(e, "%s: ';' begins a comment, not a value",
			 key->name)
		   : 0;
}

/* A comment to those who know other files, a part of the value to inih, and
 * in a line of its own, where config_print() puts a word, a comment again. */
static int
refuse_hash(const struct key *key, struct err *e)
{
	return err_config(e,
	    "%s: '#' begins no word; a comment behind a value begins with ';'",
	    key->name);
}

static int
add_words(const struct key *key, struct config_list *list, const char *value,
    struct err *e)
{
	static const char separators[] = " \t,";

	for (;;) {
		size_t len;

		value += strspn(value, separators);
		len = strcspn(value, separators);
		if (len == 0)
			return 0;
		if (refuse_comment(key, value, e) == -1)
			return -1;
		if (*value == '#')
			return refuse_hash(key, e);
		if (list->n == CONFIG_LIST_MAX)
			return err_config(e, "%s: more than %d words",
			    key->name, CONFIG_LIST_MAX);
		list->word[list->n] = strndup(value, len);
		if (list->word[list->n] == NULL)
			return err_temp(e, "out of memory");
		list->n++;
		value += len;
	}
}

/* The number of a word, or -1 with all that it could be: "none, may or
 * encrypt". */
static int
find_word(const struct key *key, const char *value, struct err *e)
{
	const char *const *words = words_of(key->kind);
	struct buf known = BUF_INIT(256);
	char said[64];
	int n;

	for (n = 0; words[n] != NULL; n++) {
		if (strcmp(value, words[n]) == 0) {
			buf_free(&known);
			return n;
		}
		buf_addf(&known, "%s%s",
		    n == 0                 ? ""
		    : words[n + 1] != NULL ? ", "
					   : " or ",
		    words[n]);
	}
	err_config(e, "%s: \"%s\" is not %s", key->name,
	    text_safe(said, sizeof said, value), known.data);
	buf_free(&known);
	return -1;
}

static void
put_word(enum kind kind, void *slot, int word)
{
	if (kind == KIND_FLAG)
		*(bool *)slot = word == 1;
	else if (kind == KIND_TLS)
		*(enum config_tls *)slot = (enum config_tls)word;
	else if (kind == KIND_ADMIT)
		*(enum config_admit *)slot = (enum config_admit)word;
	else if (kind == KIND_ON_5XX)
		*(enum config_on_5xx *)slot = (enum config_on_5xx)word;
	else
		*(enum config_unknown *)slot = (enum config_unknown)word;
}

static int
word_in(enum kind kind, const void *slot)
{
	if (kind == KIND_FLAG)
		return *(const bool *)slot;
	if (kind == KIND_TLS)
		return (int)*(const enum config_tls *)slot;
	if (kind == KIND_ADMIT)
		return (int)*(const enum config_admit *)slot;
	if (kind == KIND_ON_5XX)
		return (int)*(const enum config_on_5xx *)slot;
	return (int)*(const enum config_unknown *)slot;
}

static int
set_value(const struct key *key, void *section, const char *value,
    struct err *e)
{
	void *slot = (char *)section + key->offset;
	unsigned long long n = 0;
	int word;

	switch (key->kind) {
	case KIND_TEXT:
		if (refuse_comment(key, value, e) == -1)
			return -1;
		if (strstr(value, " #") != NULL || strstr(value, "\t#") != NULL)
			return refuse_hash(key, e);
		return set_text(slot, value, e);
	case KIND_LIST:
		return add_words(key, slot, value, e);
	case KIND_FLAG:
	case KIND_TLS:
	case KIND_ADMIT:
	case KIND_UNKNOWN:
	case KIND_ON_5XX:
		word = find_word(key, value, e);
		if (word == -1)
			return -1;
		put_word(key->kind, slot, word);
		return 0;
	case KIND_SIZE:
		if (parse_number(key, size_units, value, &n, e) == -1)
			return -1;
		*(uint64_t *)slot = n;
		return 0;
	case KIND_SPAN:
	case KIND_COUNT:
		if (parse_number(key,
			key->kind == KIND_SPAN ? span_units : no_units, value,
			&n, e) == -1)
			return -1;
		*(unsigned *)slot = (unsigned)n;
		return 0;
	}
	return -1;
}

/* ---- sections and their keys ---- */

/* Where the reader is. */
struct reading {
	struct config *config;
	FILE *file;
	unsigned long line;
	bool has_key;         /* this section has one, that may go on */
	bool is_continuation; /* and does: the line begins with a blank */
	void *section;        /* config_host or config_domain; NULL: none yet */
	bool in_host;
	bool seen_host;
	uint64_t seen; /* keys of this section, by row */
	bool failed;
	struct err *e;
};

static const struct key *
find_key(bool in_host, const char *name, size_t *row)
{
	const struct key *keys = in_host ? host_keys : domain_keys;
	size_t n = in_host ? NKEYS(host_keys) : NKEYS(domain_keys);

	for (*row = 0; *row < n; (*row)++)
		if (strcmp(keys[*row].name, name) == 0)
			return &keys[*row];
	return NULL;
}

/* Give each key of a section that was not set its fallback. */
static int
set_fallbacks(const struct key *keys, size_t n, uint64_t seen, void *section,
    struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if ((seen & (1ULL << i)) != 0 || keys[i].fallback == NULL)
			continue;
		if (set_value(&keys[i], section, keys[i].fallback, e) == -1)
			return -1;
	}
	return 0;
}

/* ADDRESS or [ADDRESS] */
static bool
is_ipv6(const char *word, size_t len)
{
	char text[INET6_ADDRSTRLEN];
	struct in6_addr address;

	if (len >= 2 && word[0] == '[' && word[len - 1] == ']') {
		word++;
		len -= 2;
	}
	if (len >= sizeof text)
		return false;
	memcpy(text, word, len);
	text[len] = '\0';
	return inet_pton(AF_INET6, text, &address) == 1;
}

/* HOST, HOST:PORT, ADDRESS or [ADDRESS]:PORT, as far as text can tell. */
static bool
is_peer(const char *word)
{
	char folded[ADDR_DOMAIN_MAX + 1];
	const char *colon = strrchr(word, ':');
	struct err ignored = ERR_INIT;
	unsigned long long port;
	size_t len = strlen(word);

	if (colon != NULL && (colon == strchr(word, ':') || colon[-1] == ']')) {
		if (text_number(colon + 1, strlen(colon + 1), 65535, &port) ==
			-1 ||
		    port == 0)
			return false;
		len = (size_t)(colon - word);
	}
	if (memchr(word, ':', len) != NULL)
		return is_ipv6(word, len);
	return addr_fold_domain(word, len, folded, &ignored) == 0;
}

/* lmtp:/PATH or lmtp:HOST:PORT; never port 25 (RFC 2033 section 5). */
static bool
is_lmtp_peer(const char *word)
{
	static const char lmtp[] = "lmtp:";
	const char *colon = strrchr(word, ':');

	if (strncasecmp(word, lmtp, sizeof lmtp - 1) != 0)
		return false;
	word += sizeof lmtp - 1;
	if (*word == '/')
		return strlen(word) < CONFIG_SOCKET_MAX;
	return colon > word && colon[-1] != ':' && is_peer(word) &&
	       strcmp(colon, ":25") != 0 &&
	       (colon == strchr(word, ':') || colon[-1] == ']');
}

static int
check_networks(const char *key, const struct config_list *list, struct err *e)
{
	struct network network;
	char said[128];

	for (size_t i = 0; i < list->n; i++)
		if (!network_parse(&network, list->word[i]))
			return err_config(e,
			    "%s: \"%s\" is not an address or a network like "
			    "192.0.2.0/24",
			    key, text_safe(said, sizeof said, list->word[i]));
	return 0;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
config_parse_pin(const char *word, unsigned char pin[CONFIG_PIN_LEN])
{
	for (size_t i = 0; i < CONFIG_PIN_LEN; i++) {
		int high, low;

		if (i > 0 && *word == ':')
			word++;
		high = hex_value(*word);
		low = high == -1 ? -1 : hex_value(word[1]);
		if (low == -1)
			return false;
		pin[i] = (unsigned char)(high << 4 | low);
		word += 2;
	}
	return *word == '\0';
}

static int
check_tls(const struct config_domain *d, struct err *e)
{
	unsigned char pin[CONFIG_PIN_LEN];
	char said[128];

	for (size_t i = 0; i < d->tls_pin.n; i++)
		if (!config_parse_pin(d->tls_pin.word[i], pin))
			return err_config(e,
			    "[%s] tls-pin: \"%s\" is not a SHA-256 in "
			    "hexadecimal",
			    d->name,
			    text_safe(said, sizeof said, d->tls_pin.word[i]));
	if (d->tls == CONFIG_TLS_PIN && d->tls_pin.n == 0)
		return err_config(e, "[%s] tls = pin wants a tls-pin", d->name);
	if (d->tls_name.n > CONFIG_TLS_NAMES_MAX)
		return err_config(e, "[%s] tls-name: more than %d names",
		    d->name, CONFIG_TLS_NAMES_MAX);
	if (d->tls_ca != NULL && d->tls_ca[0] != '/')
		return err_config(e, "[%s] tls-ca: not an absolute path",
		    d->name);
	return 0;
}

/* The names of hosts that are not ASCII as DNS and certificates have them. What
 * is no name stays, for those who check the words. */
static int
fold_hosts(struct config_list *list, struct err *e)
{
	char folded[ADDR_DOMAIN_MAX + 1], whole[ADDR_DOMAIN_MAX + 32];
	struct err ignored = ERR_INIT;

	for (size_t i = 0; i < list->n; i++) {
		const char *word = list->word[i];
		int before = strncasecmp(word, "lmtp:", 5) == 0 ? 5 : 0;
		size_t len = strcspn(word + before, ":/");

		if (text_is_ascii(word, strlen(word)) ||
		    addr_fold_domain(word + before, len, folded, &ignored) ==
			-1)
			continue;
		snprintf(whole, sizeof whole, "%.*s%s%.16s", before, word,
		    folded, word + before + len);
		if (set_text(&list->word[i], whole, e) == -1)
			return -1;
	}
	return 0;
}

/* mx alone, or one or more hosts. */
static int
check_hosts(const char *key, const struct config_list *list, struct err *e)
{
	char said[128];

	if (list->n == 0)
		return err_config(e, "%s: empty; set mx, or one or more hosts",
		    key);
	for (size_t i = 0; i < list->n && list->n > 1; i++)
		if (strcasecmp(list->word[i], "mx") == 0)
			return err_config(e,
			    "%s: mx stands alone, without hosts", key);
	for (size_t i = 0; i < list->n; i++)
		if (!is_peer(list->word[i]) && !is_lmtp_peer(list->word[i]))
			return err_config(e,
			    "%s: \"%s\" is not mx, HOST[:PORT], "
			    "ADDRESS[:PORT], [ADDRESS]:PORT, lmtp:HOST:PORT "
			    "(not 25) or lmtp:/PATH",
			    key, text_safe(said, sizeof said, list->word[i]));
	return 0;
}

/* The rules that no single value can break. */
static int
check_domain(struct config_domain *d, struct err *e)
{
	char key[ADDR_DOMAIN_MAX + 16];

	snprintf(key, sizeof key, "[%s] primary", d->name);
	if (fold_hosts(&d->primary, e) == -1 ||
	    check_hosts(key, &d->primary, e) == -1)
		return -1;
	for (size_t i = 0; i < d->primary.n; i++)
		if (is_lmtp_peer(d->primary.word[i]) &&
		    d->admit == CONFIG_ADMIT_THROUGH)
			return err_config(e,
			    "%s: mail cannot be relayed live to LMTP: set "
			    "admit = spool or defer",
			    key);
	if (d->recipients != NULL && d->recipients[0] != '/')
		return err_config(e, "[%s] recipients: not an absolute path",
		    d->name);
	if (strlen(d->recipient_delimiter) != 1 &&
	    strcmp(d->recipient_delimiter, "none") != 0)
		return err_config(e,
		    "[%s] recipient-delimiter: not one character, nor none",
		    d->name);
	if (d->recipient_delimiter[0] >= 'A' &&
	    d->recipient_delimiter[0] <= 'Z')
		return err_config(e,
		    "[%s] recipient-delimiter: an upper-case letter: write it "
		    "in lower case, as local parts are compared",
		    d->name);
	if (check_networks("etrn", &d->etrn, e) == -1)
		return err_prefix(e, "[%s]", d->name);
	if (check_tls(d, e) == -1)
		return -1;
	if (d->retry_max_s < d->retry_min_s)
		return err_config(e, "[%s] retry-max is less than retry-min",
		    d->name);
	return 0;
}

static int
finish_section(struct reading *r)
{
	if (r->section == NULL)
		return 0;
	if (r->in_host)
		return set_fallbacks(host_keys, NKEYS(host_keys), r->seen,
		    r->section, r->e);
	if (set_fallbacks(domain_keys, NKEYS(domain_keys), r->seen, r->section,
		r->e) == -1)
		return -1;
	return check_domain(r->section, r->e);
}

static int
begin_domain(struct reading *r, const char *name)
{
	struct config *c = r->config;
	struct config_domain *grown;
	char folded[ADDR_DOMAIN_MAX + 1], said[128];

	if (addr_fold_domain(name, strlen(name), folded, r->e) == -1 ||
	    strchr(folded, '.') == NULL)
		return err_config(r->e,
		    "[%s] is neither [bmx] nor a domain name like example.com",
		    text_safe(said, sizeof said, name));
	if (c->ndomains == DOMAINS_MAX)
		return err_config(r->e, "more than %d domains", DOMAINS_MAX);
	grown = reallocarray(c->domains, c->ndomains + 1, sizeof *grown);
	if (grown == NULL)
		return err_temp(r->e, "out of memory");
	c->domains = grown;
	grown += c->ndomains++;
	memset(grown, 0, sizeof *grown);
	r->section = grown;
	return set_text(&grown->name, folded, r->e);
}

static int
begin_section(struct reading *r, const char *name)
{
	if (finish_section(r) == -1)
		return -1;
	r->seen = 0;
	r->has_key = false;
	r->in_host = strcmp(name, HOST_SECTION) == 0;
	if (!r->in_host)
		return begin_domain(r, name);
	if (r->seen_host)
		return err_config(r->e, "[bmx] for the second time");
	r->seen_host = true;
	r->section = &r->config->host;
	return 0;
}

static int
set_key(struct reading *r, const char *name, const char *value)
{
	size_t row;
	const struct key *key = find_key(r->in_host, name, &row);
	char said[64];

	text_safe(said, sizeof said, name);
	if (r->section == NULL)
		return err_config(r->e, "%s: before the first [section]", said);
	if (key == NULL)
		return err_config(r->e, "%s: no such key in %s", said,
		    r->in_host ? "[" HOST_SECTION "]" : "a domain");
	if (r->is_continuation && key->kind != KIND_LIST)
		return err_config(r->e, "%s: takes one line", said);
	if (!r->is_continuation && (r->seen & (1ULL << row)) != 0)
		return err_config(r->e, "%s: for the second time", said);
	if (*value == '\0' && key->kind != KIND_LIST)
		return err_config(r->e, "%s: no value", said);
	r->seen |= 1ULL << row;
	r->has_key = true;
	return set_value(key, r->section, value, r->e);
}

/* ---- the file ---- */

static const char blanks[] = " \t\r\n";

/* A comment may stand behind a section, but nothing else. */
static bool
is_end(const char *text)
{
	size_t n = strspn(text, blanks);

	return text[n] == '\0' || (n > 0 && text[n] == ';');
}

/* Begin a section where the line is "[name]". */
static int
take_section(struct reading *r, const char *line)
{
	char name[ADDR_DOMAIN_MAX + 64];
	size_t len;

	if (*line != '[')
		return 0;
	len = strcspn(++line, "]\n");
	if (line[len] != ']' || len >= sizeof name)
		return 0;
	memcpy(name, line, len);
	name[len] = '\0';
	if (begin_section(r, name) == -1)
		return -1;
	return is_end(line + len + 1)
		   ? 0
		   : err_config(r->e, "there is something behind the ']'");
}

/* Other than a tab and the end of the line. inih takes some of them for blanks,
 * some not, and who reads the file sees none of them. */
static bool
has_control(const char *line)
{
	for (; *line != '\0'; line++) {
		unsigned char c = (unsigned char)*line;

		if ((c < ' ' || c == 0x7f) && c != '\t' && c != '\n' &&
		    strcmp(line, "\r\n") != 0)
			return true;
	}
	return false;
}

/*
 * inih's line source. It is ours for three reasons: the number of the line
 * for every message, sections without a key (inih tells only of keys), and
 * lines longer than inih's buffer, which it would take for two. What begins a
 * section or goes on with a key has to be the same here as there.
 */
static char *
next_line(char *line, int size, void *arg)
{
	struct reading *r = arg;
	size_t len, indent, mark;

	if (r->failed)
		return NULL;
	memset(line, '\n',
	    (size_t)size); /* so that the last NUL is fgets()'s */
	if (fgets(line, size, r->file) == NULL)
		return NULL;
	r->line++;
	len = strlen(line);
	if (((len == 0 || line[len - 1] != '\n') && !feof(r->file)) ||
	    memrchr(line, '\0', (size_t)size) != line + len) {
		err_config(r->e,
		    "longer than %d bytes, or with a NUL; lists may go on in "
		    "further lines that begin with a blank",
		    size - 2);
		r->failed = true;
	} else if (has_control(line)) {
		err_config(r->e, "a control character other than a tab");
		r->failed = true;
	}
	if (r->failed)
		return NULL;
	mark = r->line == 1 ? text_mark(line, len) : 0;
	memmove(line, line + mark, len - mark + 1);
	indent = strspn(line, blanks);
	r->is_continuation = indent > 0 && r->has_key;
	if (!r->is_continuation && take_section(r, line + indent) == -1) {
		r->failed = true;
		return NULL;
	}
	return line;
}

static int
take_key(void *arg, const char *section, const char *name, const char *value)
{
	struct reading *r = arg;

	(void)section;
	if (!r->failed && set_key(r, name, value) == -1)
		r->failed = true;
	return r->failed ? 0 : 1;
}

/* Read all lines. Messages get "FILE:LINE: " in front. */
static int
read_file(struct reading *r)
{
	int bad_line = ini_parse_stream(next_line, r, take_key, r);

	if (!r->failed && ferror(r->file))
		return err_config(r->e, "%s: %s", r->config->path,
		    strerror(errno));
	if (!r->failed && bad_line != 0) {
		err_config(r->e, "neither [section] nor key = value");
		r->line = (unsigned long)bad_line;
		r->failed = true;
	}
	if (!r->failed && finish_section(r) == -1)
		r->failed = true;
	if (r->failed)
		return err_prefix(r->e, "%s:%lu", r->config->path, r->line);
	return 0;
}

static FILE *
open_file(const char *path, struct err *e)
{
	FILE *file = NULL;
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1) {
		err_config(e, "%s: %s", path, strerror(errno));
		return NULL;
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		err_config(e, "%s: not a regular file", path);
	else if ((file = fdopen(fd, "r")) == NULL)
		err_config(e, "%s: %s", path, strerror(errno));
	if (file == NULL)
		close(fd);
	return file;
}

/* ---- the whole ---- */

/* Our name, when the file does not say it. */
static int
default_hostname(struct config_host *host, struct err *e)
{
	char name[ADDR_DOMAIN_MAX + 1] = "";

	if (host->hostname != NULL)
		return 0;
	if (gethostname(name, sizeof name - 1) == -1)
		return err_sys(e, "gethostname");
	return set_text(&host->hostname, name, e);
}

static int
check_peers(const char *key, const struct config_list *list, struct err *e)
{
	char said[128];

	for (size_t i = 0; i < list->n; i++)
		if (!is_peer(list->word[i]))
			return err_config(e,
			    "%s: \"%s\" is no host name or address", key,
			    text_safe(said, sizeof said, list->word[i]));
	return 0;
}

static int
check_host(struct config_host *host, struct err *e)
{
	char folded[ADDR_DOMAIN_MAX + 1], said[128];

	text_safe(said, sizeof said, host->hostname);
	if (addr_fold_domain(host->hostname, strlen(host->hostname), folded,
		e) == -1 ||
	    strchr(folded, '.') == NULL)
		return err_config(e,
		    "hostname: \"%s\" is not a full name like mx2.example.net; "
		    "set it in [bmx]",
		    said);
	if (set_text(&host->hostname, folded, e) == -1)
		return -1;
	if (host->spool[0] != '/')
		return err_config(e, "spool: not an absolute path");
	if (host->state[0] != '/')
		return err_config(e, "state: not an absolute path");
	if (fold_hosts(&host->notices, e) == -1 ||
	    fold_hosts(&host->self, e) == -1 ||
	    check_hosts("notices", &host->notices, e) == -1 ||
	    check_peers("self", &host->self, e) == -1 ||
	    check_peers("resolver", &host->resolver, e) == -1 ||
	    check_networks("proxy", &host->proxy, e) == -1 ||
	    check_networks("xclient", &host->xclient, e) == -1)
		return -1;
	if (host->tls_certificate.n != host->tls_key.n)
		return err_config(e,
		    "tls-certificate and tls-key: one without the other");
	if (host->tls_ticket_key != NULL && host->tls_ticket_key[0] != '/')
		return err_config(e, "tls-ticket-key: not an absolute path");
	if (host->tls_client_ca != NULL && host->tls_client_ca[0] != '/')
		return err_config(e, "tls-client-ca: not an absolute path");
	if ((host->tls_client_certificate == NULL) !=
	    (host->tls_client_key == NULL))
		return err_config(e,
		    "tls-client-certificate and tls-client-key: one without "
		    "the other");
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct config_domain *)a)->name,
	    ((const struct config_domain *)b)->name);
}

static int
sort_domains(struct config *c, struct err *e)
{
	if (c->ndomains > 0)
		qsort(c->domains, c->ndomains, sizeof *c->domains, by_name);
	for (size_t i = 1; i < c->ndomains; i++)
		if (by_name(&c->domains[i - 1], &c->domains[i]) == 0)
			return err_config(e, "[%s] for the second time",
			    c->domains[i].name);
	return 0;
}

/* What concerns no single line: the file's name goes in front. */
static int
complete(struct config *c, bool seen_host, struct err *e)
{
	if (!seen_host &&
	    set_fallbacks(host_keys, NKEYS(host_keys), 0, &c->host, e) == -1)
		return -1;
	if (default_hostname(&c->host, e) == -1 ||
	    check_host(&c->host, e) == -1 || sort_domains(c, e) == -1)
		return err_prefix(e, "%s", c->path);
	return 0;
}

int
config_load(struct config *c, const char *path, struct err *e)
{
	struct reading r = { .config = c, .e = e };
	int rc = -1;

	if (path == NULL)
		path = getenv("BMX_CONF");
	if (path == NULL)
		path = SYSCONFDIR "/bmx.conf";
	if (set_text(&c->path, path, e) == -1)
		return -1;
	r.file = open_file(path, e);
	if (r.file == NULL)
		return -1;
	if (read_file(&r) == 0)
		rc = complete(c, r.seen_host, e);
	fclose(r.file);
	return rc;
}

static void
free_section(const struct key *keys, size_t n, void *section)
{
	for (size_t i = 0; i < n; i++) {
		void *slot = (char *)section + keys[i].offset;

		if (keys[i].kind == KIND_TEXT) {
			free(*(char **)slot);
		} else if (keys[i].kind == KIND_LIST) {
			struct config_list *list = slot;

			while (list->n > 0)
				free(list->word[--list->n]);
		}
	}
}

void
config_free(struct config *c)
{
	free_section(host_keys, NKEYS(host_keys), &c->host);
	for (size_t i = 0; i < c->ndomains; i++) {
		free_section(domain_keys, NKEYS(domain_keys), &c->domains[i]);
		free(c->domains[i].name);
	}
	free(c->domains);
	free(c->path);
	memset(c, 0, sizeof *c);
}

int
config_unlisted(struct config_domain *d, const struct config *c,
    const char *name, struct err *e)
{
	const struct config_list *hosts = &c->host.notices;
	int rc;

	memset(d, 0, sizeof *d);
	d->is_unlisted = true;
	rc = set_text(&d->name, name, e);
	if (rc == 0)
		rc = set_fallbacks(domain_keys, NKEYS(domain_keys), 0, d, e);
	d->retry_min_s = UNLISTED_RETRY_MIN_S;
	d->retry_max_s = UNLISTED_RETRY_MAX_S;
	while (d->primary.n > 0) {
		free(d->primary.word[--d->primary.n]);
		d->primary.word[d->primary.n] = NULL;
	}
	for (size_t i = 0; i < hosts->n && rc == 0; i++) {
		rc = set_text(&d->primary.word[i], hosts->word[i], e);
		d->primary.n += rc == 0;
	}
	return rc;
}

void
config_unlisted_free(struct config_domain *d)
{
	free_section(domain_keys, NKEYS(domain_keys), d);
	free(d->name);
	memset(d, 0, sizeof *d);
}

static int
name_to_domain(const void *name, const void *domain)
{
	return strcmp(name, ((const struct config_domain *)domain)->name);
}

const struct config_domain *
config_find(const struct config *c, const char *name)
{
	if (c->ndomains == 0)
		return NULL;
	return bsearch(name, c->domains, c->ndomains, sizeof *c->domains,
	    name_to_domain);
}

/* ---- printing ---- */

/* A word a line: inih has an end to its lines. */
static void
print_words(const struct config_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		printf("%s%s", i > 0 ? "\n    " : "", list->word[i]);
}

static void
print_value(const struct key *key, const void *slot)
{
	switch (key->kind) {
	case KIND_TEXT:
		printf("%s", *(char *const *)slot);
		break;
	case KIND_LIST:
		print_words(slot);
		break;
	case KIND_SIZE:
		printf("%llu", (unsigned long long)*(const uint64_t *)slot);
		break;
	case KIND_SPAN:
	case KIND_COUNT:
		printf("%u", *(const unsigned *)slot);
		break;
	case KIND_FLAG:
	case KIND_TLS:
	case KIND_ADMIT:
	case KIND_UNKNOWN:
	case KIND_ON_5XX:
		printf("%s", words_of(key->kind)[word_in(key->kind, slot)]);
		break;
	}
}

static void
print_section(const char *name, const struct key *keys, size_t n,
    const void *section)
{
	printf("[%s]\n", name);
	for (size_t i = 0; i < n; i++) {
		const void *slot = (const char *)section + keys[i].offset;

		if (keys[i].kind == KIND_TEXT && *(char *const *)slot == NULL)
			continue;
		printf("%s = ", keys[i].name);
		print_value(&keys[i], slot);
		printf("\n");
	}
}

void
config_print(const struct config *c)
{
	printf("# %s\n", c->path);
	print_section(HOST_SECTION, host_keys, NKEYS(host_keys), &c->host);
	for (size_t i = 0; i < c->ndomains; i++) {
		printf("\n");
		print_section(c->domains[i].name, domain_keys,
		    NKEYS(domain_keys), &c->domains[i]);
	}
}
