/*
 * lib/spool/lastword: whatever lines log/ID has, what is read from them is a
 * reply or words of ours, and about a recipient of the message.
 */

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "spool/lastword.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
add_rcpt(struct envelope *env, const char *address)
{
	struct smtp_rcpt r = { .notify = SMTP_NOTIFY_NONE };
	struct err e = ERR_INIT;

	assert(addr_parse(address, strlen(address), &r.forward_path, &e) == 0);
	assert(envelope_add(env, &r, &e) == 0);
}

static void
check(const struct lastword *word)
{
	const struct smtp_reply *r = &word->reply;

	assert(r->code == 0 || (r->code >= 200 && r->code <= 599));
	assert(r->enhanced[0] == '\0' || r->enhanced[0] - '0' == r->code / 100);
	assert(strlen(r->text) < sizeof r->text);
	assert(word->peer[0] == '\0' ||
	       (r->code != 0 && strlen(word->peer) < sizeof word->peer));
	assert(word->when_us != 0 || r->code == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data, *end = line + size, *lf;
	struct envelope env = ENVELOPE_INIT;
	struct lastword words[2];

	memset(words, 0, sizeof words);
	add_rcpt(&env, "a@b.c");
	add_rcpt(&env, "\"a b\"@b.c");
	for (; line < end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(end - line));
		if (lf == NULL)
			break;
		lastword_line(words, &env, line, (size_t)(lf - line));
		check(&words[0]);
		check(&words[1]);
	}
	envelope_reset(&env);
	return 0;
}
