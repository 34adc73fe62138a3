#include "bmx-receive/verdict.h"

#include <stdio.h>
#include <string.h>

/* X.3.x is the mail system, X.4.x the network (RFC 3463): neither is about
 * this mail. All other 4yz are an answer, greylisting above all: to spool
 * instead would open a way around it. */
static bool
is_own_trouble(const struct smtp_reply *said)
{
	if (said->code == 421)
		return true;
	return said->code / 100 == 4 && said->enhanced[0] == '4' &&
	       (said->enhanced[2] == '3' || said->enhanced[2] == '4') &&
	       said->enhanced[3] == '.';
}

enum relay_result
verdict_judge(const struct smtp_reply *said)
{
	if (smtp_reply_ok(said))
		return RELAY_TAKEN;
	if (is_own_trouble(said) ||
	    (said->code / 100 != 4 && said->code / 100 != 5))
		return RELAY_FAILED;
	return RELAY_REFUSED;
}

char *
verdict_format(char out[SESSION_REPLY_MAX], const struct smtp_reply *said)
{
	int class = said->code / 100;
	/* of 2yz none but 250 is a reply to RCPT or content that clients know */
	int code = class == 2 ? 250 : said->code;
	const char *enhanced = said->enhanced, *text = said->text;

	if (enhanced[0] != '0' + class)
		enhanced = class == 2   ? "2.0.0"
			   : class == 4 ? "4.0.0"
					: "5.0.0";
	if (text[0] == '\0')
		text = class == 2 ? "OK" : "Refused";
	snprintf(out, SESSION_REPLY_MAX, "%d %s %.450s", code, enhanced, text);
	return out;
}

bool
verdict_is_policy(const struct smtp_reply *said)
{
	return said->enhanced[0] != '\0' &&
	       strncmp(said->enhanced + 1, ".7.", 3) == 0;
}
