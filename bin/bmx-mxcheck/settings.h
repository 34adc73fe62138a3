#ifndef BMX_MXCHECK_SETTINGS_H
#define BMX_MXCHECK_SETTINGS_H

#include <stddef.h>

#include "audit.h"
#include "base/err.h"
#include "base/options.h"

/* The command line as popt leaves it, and what becomes of it. */
struct settings {
	struct options common;
	char *list_path; /* -f */
	char **resolvers, **primaries, **backups, **assumed, **lists;
	char **only, **ignored;
	char **down;    /* --expect-down */
	char **without; /* hosts and networks */
	char *fail_on, *explain;
	char *record_path, *replay_path, *baseline_path;
	char *helo, *ca_path, *sts_path;
	int jobs, deadline_s, ns_port, smtp_port, smtp_timeout_s, cert_days;
	long ttl_min, ttl_max;
	int all, brief, json, quiet, unordered, trust_ad, smtp, senders;
};

/* clang-format off */
#define SETTINGS_INIT { .common = OPTIONS_INIT, .jobs = 64, .deadline_s = 10, \
	.ns_port = 53, .smtp_port = 25, .smtp_timeout_s = 60, .cert_days = 14, \
	.ttl_min = 300, .ttl_max = 86400 }
/* clang-format on */

void settings_free(struct settings *s);

size_t settings_count(char **words);

/* All of an audit but names, DNS and configuration. The settings have to
 * outlive it. -1: ERR_USAGE. */
int settings_to_audit(const struct settings *s, struct audit *a, struct err *e);

#endif
