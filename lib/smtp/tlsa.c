#include "smtp/tlsa.h"

#include <string.h>

enum { /* RFC 7218 has the names, RFC 6698 section 7 the numbers */
	USAGE_TA = 2,
	USAGE_EE = 3,
	SELECTOR_MAX = 1,
	MATCH_FULL = 0,
	MATCH_SHA256 = 1,
	MATCH_SHA512 = 2,
};

static bool
has_right_length(unsigned matching, size_t len)
{
	switch (matching) {
	case MATCH_FULL:
		return len > 0;
	case MATCH_SHA256:
		return len == 32;
	case MATCH_SHA512:
		return len == 64;
	}
	return false;
}

bool
tlsa_parse(const unsigned char *data, size_t len, struct tls_tlsa *record)
{
	if (len < 3)
		return false;
	*record = (struct tls_tlsa){ .usage = data[0],
		.selector = data[1],
		.matching = data[2],
		.data = data + 3,
		.len = len - 3 };
	return (record->usage == USAGE_TA || record->usage == USAGE_EE) &&
	       record->selector <= SELECTOR_MAX &&
	       has_right_length(record->matching, record->len);
}

bool
tlsa_add(struct tls_demand *demand, const unsigned char *data, size_t len)
{
	struct tls_tlsa record;

	if (demand->ntlsa == TLS_TLSA_MAX || !tlsa_parse(data, len, &record))
		return false;
	demand->tlsa[demand->ntlsa++] = record;
	return true;
}

static bool
is_outdone(const struct tls_demand *demand, const struct tls_tlsa *weak)
{
	for (size_t i = 0; i < demand->ntlsa; i++) {
		const struct tls_tlsa *t = &demand->tlsa[i];

		if (weak->matching == MATCH_SHA256 &&
		    t->matching == MATCH_SHA512 && t->usage == weak->usage &&
		    t->selector == weak->selector)
			return true;
	}
	return false;
}

void
tlsa_choose(struct tls_demand *demand)
{
	size_t n = 0;

	for (size_t i = 0; i < demand->ntlsa; i++)
		if (!is_outdone(demand, &demand->tlsa[i]))
			demand->tlsa[n++] = demand->tlsa[i];
	demand->ntlsa = n;
}
