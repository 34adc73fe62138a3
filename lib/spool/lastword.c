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

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "550 5.1.1 text", "550 text", or words of ours. */
static void
parse_reply(struct smtp_reply *reply, const char *text)
{
	size_t n;

	*reply = (struct smtp_reply)SMTP_REPLY_INIT;
	if (text[0] >= '2' && text[0] <= '5' && is_digit(text[1]) &&
	    is_digit(text[2]) && (text[3] == ' ' || text[3] == '\0')) {
		reply->code = (text[0] - '0') * 100 + (text[1] - '0') * 10 +
			      (text[2] - '0');
		text += text[3] == ' ' ? 4 : 3;
		n = strspn(text, "0123456789.");
		if (n >= 5 && n < sizeof reply->enhanced && text[1] == '.' &&
		    (text[n] == ' ' || text[n] == '\0')) {
			memcpy(reply->enhanced, text, n);
			text += n + (text[n] == ' ');
		}
	}
	snprintf(reply->text, sizeof reply->text, "%.*s",
	    (int)sizeof reply->text - 1, text);
}

void
lastword_peer(char *out, size_t size, const char *peer)
{
	const char *colon = strrchr(peer, ':');
	int len = (int)(colon == NULL ? strlen(peer) : (size_t)(colon - peer));

	if (peer[0] == '[')
		snprintf(out, size, "%.*s", len, peer);
	else
		snprintf(out, size, "[%.*s]", len, peer);
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
	    cut(peer, sizeof peer - 2, line, len, " peer=", " "))
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
