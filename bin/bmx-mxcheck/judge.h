#ifndef BMX_MXCHECK_JUDGE_H
#define BMX_MXCHECK_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks.h"
#include "facts.h"
#include "roles.h"

/*
 * Facts in, findings out: a pure function. It asks nobody, so facts that were
 * written down can be judged again.
 */

/* In rising order: a check that was made several times (for each host) has
 * the highest of its outcomes. */
enum outcome {
	OUTCOME_NOT_APPLICABLE, /* there is nothing to look at */
	OUTCOME_PASS,
	OUTCOME_UNTESTED, /* DNS gave no answer: never taken for a fault */
	OUTCOME_FAIL,
};

/* Something to tell: OUTCOME_FAIL or OUTCOME_UNTESTED. All text is printable. */
struct finding {
	enum check_id check;
	enum outcome outcome;
	enum severity severity; /* untested: that of the check */
	char subject[272];      /* "mx1.example.com", "mx1.example.com AAAA" */
	char server[ENDPOINT_TEXT_MAX]; /* who said it, "" when nobody did */
	char evidence[400];
};

/* Most checks speak at most twice of each host, those that compare servers at
 * most twice of each of these, too. */
#define FINDINGS_MAX                                                           \
	((CHECK_COUNT * 2 + 3 * FACTS_SERVERS_MAX) * (FACTS_HOSTS_MAX + 1))

struct judgement {
	struct finding findings[FINDINGS_MAX]; /* by check, then host */
	size_t n;
	enum outcome outcome[CHECK_COUNT];
	bool is_known[CHECK_COUNT]; /* has findings that were left out, since
				       a former run had them */
};

struct judge_policy {
	uint32_t ttl_min, ttl_max;     /* seconds */
	unsigned cert_days;            /* a certificate is good for at least */
	const struct role_words *down; /* hosts that are dead on purpose; NULL:
					  none */
	bool ignored[CHECK_COUNT];     /* not made: not applicable */
};

/* clang-format off */
#define JUDGE_POLICY_INIT { .ttl_min = 300, .ttl_max = 86400, .cert_days = 14 }
/* clang-format on */

void judge(const struct facts *f, const struct roles *roles,
    const struct judge_policy *policy, struct judgement *j);

/* True if something was found, or could not be tested, at that severity or
 * above. */
bool judgement_has(const struct judgement *j, enum outcome outcome,
    enum severity at_least);

#endif
