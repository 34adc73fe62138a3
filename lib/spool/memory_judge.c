/* What replies teach, and for how long it is believed: no file is touched. */

#include "spool/memory.h"

#include <string.h>

#define CLOCK_SLACK_S 86400 /* a clock that was set back so far is believed */

enum memory_answer
memory_judge(const struct smtp_reply *reply)
{
	/* RFC 3463 3.2: the recipient's mailbox; "" for servers without
	 * enhanced codes. */
	static const char *const about_recipient[] = { "", "5.1.0", "5.1.1",
		"5.1.3", "5.1.6" };

	if (smtp_reply_ok(reply))
		return MEMORY_GOOD;
	if (reply->code != 550 && reply->code != 551 && reply->code != 553)
		return MEMORY_UNKNOWN;
	for (size_t i = 0; i < sizeof about_recipient / sizeof *about_recipient;
	     i++)
		if (strcmp(reply->enhanced, about_recipient[i]) == 0)
			return MEMORY_BAD;
	return MEMORY_UNKNOWN;
}

enum memory_answer
memory_believe(const struct memory_fact *fact, const struct memory_ages *ages,
    int64_t now_s)
{
	int64_t age_s = now_s - fact->learned_s;
	int64_t max_s =
	    fact->answer == MEMORY_GOOD ? ages->good_s : ages->bad_s;

	if (age_s > max_s || age_s < -CLOCK_SLACK_S)
		return MEMORY_UNKNOWN;
	return fact->answer;
}

const char *
memory_answer_name(enum memory_answer answer)
{
	switch (answer) {
	case MEMORY_UNKNOWN:
		break;
	case MEMORY_GOOD:
		return "good";
	case MEMORY_BAD:
		return "bad";
	}
	return "unknown";
}

const char *
memory_source_name(enum memory_source source)
{
	switch (source) {
	case MEMORY_LIST:
		return "list";
	case MEMORY_SESSION:
		return "session";
	case MEMORY_FLUSH:
		return "flush";
	case MEMORY_PROBE:
		return "probe";
	case MEMORY_IMPORT:
		return "import";
	}
	return "unknown";
}
