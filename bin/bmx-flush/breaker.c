#include "bmx-flush/breaker.h"

#include <string.h>

/* RFC 3463 sections 3.2, 3.3: the mailbox of one recipient; 3.4, 3.7, RFC 6531
 * 3.7.4.2, RFC 8689 5: the size or the needs of one message. */
static bool
is_about_one(const struct smtp_reply *reply)
{
	static const char *const codes[] = { "5.1.0", "5.1.1", "5.1.3", "5.1.4",
		"5.1.6", "5.2.0", "5.2.1", "5.2.2", "5.2.3", "5.3.4", "5.6.3",
		"5.6.7", "5.7.10", "5.7.30" };

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (strcmp(reply->enhanced, codes[i]) == 0)
			return true;
	return false;
}

static bool
is_of_one_kind(const struct smtp_reply *a, const struct smtp_reply *b)
{
	return a->code == b->code && strcmp(a->enhanced, b->enhanced) == 0 &&
	       (*a->enhanced != '\0' || strcmp(a->text, b->text) == 0);
}

bool
breaker_refused(struct breaker *b, const struct smtp_reply *reply)
{
	if (is_about_one(reply))
		return false;
	if (!is_of_one_kind(&b->reply, reply))
		b->run = 0;
	b->reply = *reply;
	b->run++;
	return b->run >= BREAKER_LIMIT;
}

void
breaker_taken(struct breaker *b)
{
	b->run = 0;
}
