#include "bmx-flush/breaker.h"

#include <stdio.h>
#include <string.h>

bool
breaker_refused(struct breaker *b, const struct smtp_reply *reply)
{
	if (reply->code != b->code || strcmp(reply->enhanced, b->enhanced) != 0)
		b->run = 0;
	b->code = reply->code;
	snprintf(b->enhanced, sizeof b->enhanced, "%s", reply->enhanced);
	b->run++;
	return b->run >= BREAKER_LIMIT;
}

void
breaker_taken(struct breaker *b)
{
	b->run = 0;
}
