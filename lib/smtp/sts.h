#ifndef BMX_STS_H
#define BMX_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "mail/addr.h"

/*
 * MTA-STS, RFC 8461: the record that says there is a policy, the policy, and
 * whether it covers a host. Pure; sts_find.h gets and keeps policies.
 */

#define STS_ID_MAX 32          /* letters and digits, 3.1 */
#define STS_POLICY_MAX 65536   /* bytes, 3.3 */
#define STS_AGE_MAX_S 31557600 /* 3.2 */
#define STS_MX_MAX 64          /* patterns; more are refused */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	int64_t max_age_s;
	/* lower case; "*." in front stands for one label */
	char mx[STS_MX_MAX][ADDR_DOMAIN_MAX + 3];
	size_t nmx; /* 0 only where mode is STS_NONE */
};

/*
 * One TXT record of _mta-sts.DOMAIN (3.1). Returns 1 and its id, or 0: it is
 * about something else and does not count, or -1 (ERR_DATA): it counts, and is
 * malformed. A domain has a policy when exactly one counts and is well formed.
 */
int sts_parse_txt(const char *text, size_t len, char id[STS_ID_MAX + 1],
    struct err *e);

/*
 * The text of a policy (3.2): lines that end in LF or CRLF, in any order; of a
 * field that comes twice the first counts, fields that are not known do not.
 * -1 (ERR_DATA): which line is wrong and why, or what is missing; *p is then
 * without meaning.
 */
int sts_parse(const char *text, size_t len, struct sts_policy *p,
    struct err *e);

/* Is this MX host one that the policy names (4.1)? */
bool sts_is_covered(const struct sts_policy *p, const char *host);

/* The same for one pattern. */
bool sts_is_match(const char *pattern, const char *host);

/* "none", "testing", "enforce". */
const char *sts_mode_name(enum sts_mode mode);

#endif
