/*
 * lib/smtp/sts: what DNS and a web server say about MTA-STS, any bytes. The
 * first byte chooses: a record, or a policy. What is accepted is within the
 * limits of RFC 8461, and its own text accepted again.
 */

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "smtp/sts.h"
#include "same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_record(const char *text, size_t len)
{
	char id[STS_ID_MAX + 1];
	struct err e = ERR_INIT;

	if (sts_parse_txt(text, len, id, &e) == 1)
		assert(strlen(id) >= 1 && strlen(id) <= STS_ID_MAX);
}

static void
try_policy(const char *text, size_t len)
{
	static struct sts_policy policy, again;
	struct buf b = BUF_INIT(STS_POLICY_MAX);
	struct err e = ERR_INIT;

	if (sts_parse(text, len, &policy, &e) == -1)
		return;
	assert(policy.max_age_s >= 0 && policy.max_age_s <= STS_AGE_MAX_S);
	assert(policy.nmx <= STS_MX_MAX);
	assert(policy.nmx > 0 || policy.mode == STS_NONE);
	buf_addf(&b, "version: STSv1\r\nmode: %s\r\nmax_age: %lld\r\n",
	    sts_mode_name(policy.mode), (long long)policy.max_age_s);
	for (size_t i = 0; i < policy.nmx; i++) {
		const char *host = policy.mx[i];

		buf_addf(&b, "mx: %s\r\n", host);
		assert(host[0] != '\0');
		assert(host[0] == '*' || sts_is_covered(&policy, host));
		assert(!sts_is_match(host, ""));
	}
	assert(sts_parse(b.data, b.len, &again, &e) == 0);
	assert_same_policy(&policy, &again);
	buf_free(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *copy; /* so that a byte too many is found */

	if (size == 0)
		return 0;
	copy = malloc(size - 1 + (size == 1));
	assert(copy != NULL);
	memcpy(copy, data + 1, size - 1);
	if (data[0] & 1)
		try_policy(copy, size - 1);
	else
		try_record(copy, size - 1);
	free(copy);
	return 0;
}
