#include "spool/lastword.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#define LOG_MAX (4 * 1024 * 1024) /* bytes; a larger one is not read */
#define WORD_MAX (4 * ADDR_MAX + 1)

/* What stands between two marks, into out. False: they are not there, or it
 * does not fit. */
static bool
cut(char *out, size_t size, const char *line, size_t len, const char *from,
    const char *to)
{
	const char *start = memmem(line, len, from, strlen(from)), *end;

	if (start == NULL)
		return false;
	start += strlen(from);
	end = memmem(start, len - (size_t)(start - line), to, strlen(to));
	if (end == NULL || (size_t)(end - start) >= size)
		return false;
	memcpy(out, start, (size_t)(end - start));
	out[end - start] = '\0';
	return true;
}

/* "550 5.1.1 text", "550 text", or words of ours. The text is printable
 * already. */
static void
parse_reply(struct smtp_reply *reply, const char *line)
{
	const struct smtp_reply none = SMTP_REPLY_INIT;
	const char *text = line;
	struct err ignored;

	*reply = none;
	if (smtp_reply_line(reply, line, strlen(line), &ignored) == 1) {
		text += strcspn(text, " ");
		text += *text == ' ' ? 1 + strlen(reply->enhanced) : 0;
		text += strspn(text, " ");
	} else {
		*reply = none;
	}
	snprintf(reply->text, sizeof reply->text, "%.*s",
	    (int)sizeof reply->text - 1, text);
}

void
lastword_peer(char *out, size_t size, const char *peer)
{
	static const char lmtp[] = "lmtp:";
	bool is_6;
	int len;

	if (strncmp(peer, lmtp, sizeof lmtp - 1) == 0)
		peer += sizeof lmtp - 1;
	is_6 = peer[0] == '[';
	peer += is_6;
	len = (int)strcspn(peer, is_6 ? "]" : ":");
	if (peer[0] == '/') /* a socket file */
		snprintf(out, size, "localhost");
	else
		snprintf(out, size, is_6 ? "[IPv6:%.*s]" : "[%.*s]", len, peer);
}

void
lastword_line(struct lastword *words, const struct envelope *env,
    const char *line, size_t len)
{
	char to[WORD_MAX], wanted[WORD_MAX], text[SMTP_REPLY_TEXT_MAX + 32];
	const char *blank = memchr(line, ' ', len);
	struct lastword word;
	char peer[sizeof word.peer];

	memset(&word, 0, sizeof word);
	if (blank == NULL ||
	    clock_parse_rfc3339(line, (size_t)(blank - line), &word.when_us) ==
		-1 ||
	    !cut(to, sizeof to, line, len, " to=<", "> ") ||
	    !cut(text, sizeof text, line, len, " reply=\"", "\""))
		return;
	parse_reply(&word.reply, text);
	if (word.reply.code != 0 &&
	    cut(peer, sizeof peer - 2, line, len, " peer=", " ") &&
	    peer[0] != '\0')
		lastword_peer(word.peer, sizeof word.peer, peer);
	for (size_t i = 0; i < env->nrcpt; i++)
		if (strcmp(to, text_word(wanted, sizeof wanted,
				   env->rcpts[i].addr.text)) == 0)
			words[i] = word;
}

void
lastword_read(struct lastword *words, const struct envelope *env,
    const struct spool_domain *d, const char *id)
{
	struct buf text = BUF_INIT(LOG_MAX);
	const char *line, *end, *lf;
	struct err ignored;

	memset(words, 0, env->nrcpt * sizeof *words);
	if (d->log_fd != -1 && file_read(d->log_fd, id, &text, &ignored) == 1) {
		line = text.data;
		end = text.data + text.len;
		for (; (lf = memchr(line, '\n', (size_t)(end - line))) != NULL;
		     line = lf + 1)
			lastword_line(words, env, line, (size_t)(lf - line));
	}
	buf_free(&text);
}
