#ifndef BMX_CONFIG_H
#define BMX_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * bmx.conf(5): INI, section [bmx] for the host, one section for each domain
 * that is backed up. An unknown key, a bad value, a key twice or a section
 * twice is an error with file and line. All strings are owned by the struct.
 */

#define CONFIG_LIST_MAX 16
#define CONFIG_SOCKET_MAX 108 /* a socket's path with its NUL, unix(7) */
#define CONFIG_PIN_LEN 32     /* bytes of SHA-256 */
#define CONFIG_TLS_NAMES_MAX 4

/* A list of words, blanks or commas between them. */
struct config_list {
	char *word[CONFIG_LIST_MAX];
	size_t n;
};

enum config_tls {
	CONFIG_TLS_NONE,      /* never STARTTLS */
	CONFIG_TLS_MAY,       /* when it is offered and works */
	CONFIG_TLS_ENCRYPT,   /* always, no matter with what certificate */
	CONFIG_TLS_VERIFY,    /* always, with a certificate of a trusted root */
	CONFIG_TLS_DANE,      /* by TLSA records; without them as MAY */
	CONFIG_TLS_DANE_ONLY, /* by TLSA records, and never without */
	CONFIG_TLS_PIN,       /* always, with one of the pinned keys */
};

/* What becomes of mail while the primary is up (or may be). */
enum config_admit {
	CONFIG_ADMIT_SPOOL,   /* it is spooled, as by any backup MX */
	CONFIG_ADMIT_THROUGH, /* it is relayed live: the primary answers */
	CONFIG_ADMIT_DEFER,   /* it is to go to the primary */
};

/* And of mail for recipients that nobody knows of, while it is down. */
enum config_unknown {
	CONFIG_UNKNOWN_LIMITED, /* so much of it is taken */
	CONFIG_UNKNOWN_DEFER,
	CONFIG_UNKNOWN_ACCEPT,
};

/* What becomes of a message that the primary refuses for good, or that has
 * lived for too long. */
enum config_on_5xx {
	CONFIG_ON_5XX_HOLD,   /* it is held, for the operator */
	CONFIG_ON_5XX_BOUNCE, /* it is given up, and its sender told */
	CONFIG_ON_5XX_DROP,   /* it is given up, which the ledger tells */
};

#define CONFIG_CONNECTIONS_MAX 64

struct config_host {
	char *hostname; /* hostname: our name in greeting, EHLO, Received;
			   default: the system's */
	char *spool;    /* spool: directory, default LOCALSTATEDIR/spool/bmx */
	char *state;    /* state: directory, default LOCALSTATEDIR/lib/bmx */
	char *log;      /* log: syslog, stderr or a file; default syslog */
	struct config_list self;     /* self: further names and addresses that
					are this host (NAT, aliases) */
	struct config_list resolver; /* resolver: ADDRESS or ADDRESS:PORT;
					default: resolv.conf's */
	char *user; /* user: that we become when root starts us, or NULL */
	uint64_t max_size;          /* max-size: bytes; 0: no limit */
	unsigned max_recipients;    /* max-recipients, of one message */
	unsigned max_errors;        /* max-errors, of one session */
	unsigned command_timeout_s; /* command-timeout */
	unsigned data_timeout_s;    /* data-timeout: for one block of content */
	uint64_t min_free;          /* min-free: bytes the spool's disk keeps */
	unsigned sessions;          /* sessions: at once, in listening mode */
	unsigned sessions_per_network; /* sessions-per-network: of them, from
					  one /24 or /64 */
	unsigned sessions_per_process; /* sessions-per-process: one after
					  another, in listening mode */
	unsigned
	    idle_timeout_s; /* idle-timeout: then listening ends; 0: never */
	struct config_list proxy;   /* proxy: networks whose connections begin
				       with a PROXY header */
	struct config_list xclient; /* xclient: networks that may say XCLIENT */
	unsigned greet_delay_s;     /* greet-delay: before the greeting */
	uint64_t min_rate;          /* min-rate: bytes a second; 0: any */
	unsigned message_timeout_s; /* message-timeout: for a whole message;
				       0: any */
	unsigned transaction_timeout_s; /* transaction-timeout: without one that
					   ends; 0: any */
	unsigned max_messages_per_session;  /* max-messages-per-session; 0: any
					      number */
	struct config_list tls_certificate; /* tls-certificate: PEM chains, */
	struct config_list tls_key; /* tls-key: and the key of each, in order */
	char *tls_ticket_key;       /* tls-ticket-key: file, or NULL */
	/* notices: who gets the notices to senders in other domains: "mx", or
	 * hosts as in a domain's primary */
	struct config_list notices;
	unsigned notice_lifetime_s; /* notice-lifetime: by the wall; 0: never
				       over */
	char *tls_client_ca; /* tls-client-ca: file: clients are asked for a
				certificate of one of these roots; or NULL */
	/* tls-client-certificate, tls-client-key: files: what we show to a
	 * primary that asks; or NULL */
	char *tls_client_certificate, *tls_client_key;
};

struct config_domain {
	char *name; /* folded */
	/* primary: "mx" (default: the MX records better than ours), or
	 * HOST, HOST:PORT, ADDRESS, [ADDRESS]:PORT, lmtp:HOST:PORT,
	 * lmtp:/PATH; several are tried in order */
	struct config_list primary;
	enum config_tls tls;         /* tls: none, may, encrypt, verify, dane,
				dane-only, pin */
	struct config_list tls_pin;  /* tls-pin: SHA-256 of public keys, in
					hexadecimal, colons allowed */
	struct config_list tls_name; /* tls-name: that the certificate is for,
					any of up to 4; default: the host's */
	char *tls_ca;     /* tls-ca: file of roots, or NULL: the system's */
	char *recipients; /* recipients: file, or NULL: everybody */
	char *recipient_delimiter; /* recipient-delimiter: one character, or
				       "none" */
	struct config_list etrn;  /* etrn: networks that may ask for its mail */
	unsigned max_messages;    /* max-messages: waiting; 0: any number */
	uint64_t max_bytes;       /* max-bytes: waiting; 0: any number */
	unsigned rise, fall;      /* rise, fall: see primary_learn() */
	unsigned state_age_s;     /* state-age: older verdicts are unknown */
	unsigned last_good_age_s; /* last-good-age: how long the address that
				     worked last may stand in for DNS; 0:
				     never */
	unsigned connect_timeout_s;   /* connect-timeout, for one address */
	unsigned reply_timeout_s;     /* reply-timeout: 0: RFC 5321's for each
					command */
	unsigned retry_min_s;         /* retry-min: first wait after a 4yz */
	unsigned retry_max_s;         /* retry-max: waits double up to this */
	unsigned max_connections;     /* max-connections: to the primary */
	unsigned max_rate;            /* max-rate: messages a second; 0: any */
	uint64_t max_bytes_rate;      /* max-bytes-rate: a second; 0: any */
	enum config_on_5xx on_5xx;    /* on-5xx */
	enum config_on_5xx on_expiry; /* on-expiry */
	unsigned lifetime_s;     /* lifetime: while the primary is up; 0: never
				    over */
	unsigned lifetime_max_s; /* lifetime-max: in any case; 0: no such end */
	unsigned unverified_lifetime_s; /* unverified-lifetime: of mail for a
				    recipient that turned out not to exist */
	unsigned delay_notice_s;        /* delay-notice: 0: none */
	bool strict_routing; /* strict-routing: what DNS says of the domain may
				make mail undeliverable */
	bool is_unlisted;    /* not in bmx.conf: config_unlisted() made it */
	enum config_admit admit;     /* admit */
	enum config_unknown unknown; /* unknown */
	/* unknown-messages, unknown-bytes: for one such recipient, since the
	 * primary was last up; unknown-messages-all, unknown-bytes-all: for
	 * all of them */
	unsigned unknown_messages, unknown_messages_all;
	uint64_t unknown_bytes, unknown_bytes_all;
	bool xclient; /* xclient: the primary may be told by it
				       who the client is */
	/* defer-tries, defer-time: with admit = defer, who came so often over
	 * so long is let in */
	unsigned defer_tries, defer_time_s;
	unsigned good_age_s; /* good-age, bad-age: how long answers about
				       recipients are believed, see memory.h */
	unsigned bad_age_s;
};

struct config {
	char *path;
	struct config_host host;
	struct config_domain *domains; /* sorted by name */
	size_t ndomains;
};

/* clang-format off */
#define CONFIG_INIT { .path = NULL }
/* clang-format on */

/*
 * Read the configuration: from path, or when NULL from $BMX_CONF, or from
 * SYSCONFDIR/bmx.conf. -1 (ERR_CONFIG): e names file and line of the first
 * mistake.
 */
int config_load(struct config *c, const char *path, struct err *e);
void config_free(struct config *c);

/* The key in one word of tls-pin. False: it is none. */
bool config_parse_pin(const char *word, unsigned char pin[CONFIG_PIN_LEN]);

/* The domain of that (folded) name, or NULL. */
const struct config_domain *config_find(const struct config *c,
    const char *name);

/*
 * A domain that is not in bmx.conf, where notices to senders may have to go:
 * the defaults, and notices of [bmx] as its primary. config_unlisted_free() is
 * for it alone. -1: ERR_TEMP.
 */
int config_unlisted(struct config_domain *d, const struct config *c,
    const char *name, struct err *e);
void config_unlisted_free(struct config_domain *d);

/* For --check-config: the values in effect, as lines of a bmx.conf, to
 * stdout. */
void config_print(const struct config *c);

#endif
