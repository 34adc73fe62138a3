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

/* A list of words, blanks or commas between them. */
struct config_list {
	char *word[CONFIG_LIST_MAX];
	size_t n;
};

enum config_tls {
	CONFIG_TLS_NONE,    /* never STARTTLS */
	CONFIG_TLS_MAY,     /* when it is offered and works */
	CONFIG_TLS_ENCRYPT, /* always, no matter with what certificate */
};

struct config_host {
	char *hostname; /* hostname: our name in greeting, EHLO, Received;
			   default: the system's */
	char *spool;    /* spool: directory, default LOCALSTATEDIR/spool/bmx */
	char *log;      /* log: syslog, stderr or a file; default syslog */
	struct config_list self;     /* self: further names and addresses that
					are this host (NAT, aliases) */
	struct config_list resolver; /* resolver: ADDRESS or ADDRESS:PORT;
					default: resolv.conf's */
	uint64_t max_size;           /* max-size: bytes; 0: no limit */
	unsigned max_recipients;     /* max-recipients, of one message */
	unsigned max_errors;         /* max-errors, of one session */
	unsigned command_timeout_s;  /* command-timeout */
	unsigned data_timeout_s; /* data-timeout: for one block of content */
	uint64_t min_free;       /* min-free: bytes the spool's disk keeps */
	char *tls_certificate;   /* tls-certificate: PEM chain, or NULL */
	char *tls_key;           /* tls-key: PEM, or NULL */
};

struct config_domain {
	char *name; /* folded */
	/* primary: "mx" (default: the MX records better than ours), or
	 * HOST, HOST:PORT, ADDRESS, [ADDRESS]:PORT; several are tried in
	 * order */
	struct config_list primary;
	enum config_tls tls;        /* tls: none, may, encrypt */
	unsigned rise, fall;        /* rise, fall: see primary_learn() */
	unsigned state_age_s;       /* state-age: older verdicts are unknown */
	unsigned connect_timeout_s; /* connect-timeout, for one address */
	unsigned reply_timeout_s;   /* reply-timeout: 0: RFC 5321's for each
					command */
	unsigned retry_min_s;       /* retry-min: first wait after a 4yz */
	unsigned retry_max_s;       /* retry-max: waits double up to this */
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

/* The domain of that (folded) name, or NULL. */
const struct config_domain *config_find(const struct config *c,
    const char *name);

/* For --check-config: the values in effect, as lines of a bmx.conf, to
 * stdout. */
void config_print(const struct config *c);

#endif
