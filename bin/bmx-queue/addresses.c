#include "bmx-queue/addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/addr.h"
#include "spool/memory.h"

#define LINE_BYTES 520 /* with its end */

static int
add(struct addresses *a, const struct addr *rcpt, struct err *e)
{
	char local[ADDR_LOCAL_MAX + 1];

	if (a->n == a->room) {
		size_t room = a->room == 0 ? 64 : 2 * a->room;
		char **grown = reallocarray(a->locals, room, sizeof *grown);

		if (grown == NULL)
			return err_temp(e, "out of memory");
		a->locals = grown;
		a->room = room;
	}
	memory_fold(local, rcpt);
	a->locals[a->n] = strdup(local);
	if (a->locals[a->n] == NULL)
		return err_temp(e, "out of memory");
	a->n++;
	return 0;
}

bool
addresses_wants_quotes(const char *local)
{
	return *local == '#' || text_mark(local, strlen(local)) > 0 ||
	       (*local != '\0' && local[strlen(local) - 1] == '*');
}

/* Quotes that are there for that alone are no part of it. */
static void
take_quotes_off(struct addr *rcpt)
{
	char plain[ADDR_MAX + 1];
	struct addr bare;
	struct err ignored;

	if (rcpt->text[0] != '"')
		return;
	snprintf(plain, sizeof plain, "%.*s%s", (int)rcpt->local_len - 2,
	    rcpt->text + 1, rcpt->text + rcpt->local_len);
	if (addr_parse(plain, strlen(plain), &bare, &ignored) == -1 ||
	    bare.local_len != rcpt->local_len - 2)
		return;
	plain[bare.local_len] = '\0';
	if (addresses_wants_quotes(plain))
		*rcpt = bare;
}

/* A local part alone belongs to the domain. */
static int
parse(const char *word, const char *domain, struct addr *rcpt, struct err *e)
{
	char whole[LINE_BYTES + ADDR_DOMAIN_MAX + 2], said[128];
	struct err why;
	size_t len = strlen(word);

	if (addr_parse(word, len, rcpt, &why) == 0)
		return 0;
	snprintf(whole, sizeof whole, "%s@%s", word, domain);
	if (strchr(word, '@') == NULL &&
	    addr_parse(whole, strlen(whole), rcpt, &why) == 0)
		return 0;
	return err_data(e, "%s: %s", text_safe(said, sizeof said, word),
	    why.text);
}

static int
take_word(struct addresses *a, const char *word, const char *domain,
    struct err *e)
{
	char folded[ADDR_DOMAIN_MAX + 1], said[128];
	struct addr rcpt;
	struct err ignored;

	if (*word == '\0' || *word == '#')
		return 0;
	if (*word == '@' || strcmp(word, "*") == 0 || strstr(word, "*@") ||
	    word[strlen(word) - 1] == '*')
		return err_data(e, "%s: a pattern, not an address",
		    text_safe(said, sizeof said, word));
	if (parse(word, domain, &rcpt, e) == -1)
		return -1;
	take_quotes_off(&rcpt);
	if (addr_fold_domain(addr_domain(&rcpt), strlen(addr_domain(&rcpt)),
		folded, &ignored) == -1 ||
	    strcmp(folded, domain) != 0) {
		a->foreign++;
		return 0;
	}
	return add(a, &rcpt, e);
}

/* Without blanks at both ends; text is changed. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
		text[--len] = '\0';
	return text;
}

static char *
skip_mark(char *line, unsigned long number)
{
	return number == 1 ? line + text_mark(line, strlen(line)) : line;
}

static int
read_lines(struct addresses *a, FILE *file, const char *domain, struct err *e)
{
	unsigned long number = 0;
	char line[LINE_BYTES];

	while (fgets(line, sizeof line, file) != NULL) {
		size_t len = strlen(line);
		int rc;

		number++;
		if ((len == 0 || line[len - 1] != '\n') && !feof(file))
			rc = err_data(e, "longer than %d bytes, or with a NUL",
			    LINE_BYTES - 2);
		else
			rc = take_word(a, trim(skip_mark(line, number)), domain,
			    e);
		if (rc == -1)
			return err_prefix(e, "line %lu", number);
	}
	return ferror(file) ? err_sys(e, "read") : 0;
}

static int
compare(const void *x, const void *y)
{
	return strcmp(*(char *const *)x, *(char *const *)y);
}

static void
sort(struct addresses *a)
{
	size_t kept = 0;

	if (a->n == 0)
		return;
	qsort(a->locals, a->n, sizeof *a->locals, compare);
	for (size_t i = 1; i < a->n; i++) {
		if (strcmp(a->locals[kept], a->locals[i]) == 0)
			free(a->locals[i]);
		else
			a->locals[++kept] = a->locals[i];
	}
	a->n = kept + 1;
}

int
addresses_read(struct addresses *a, const char *path, const char *domain,
    struct err *e)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	char said[256];
	int rc;

	text_safe(said, sizeof said, is_stdin ? "standard input" : path);
	if (file == NULL)
		return err_sys(e, "%s", said);
	rc = read_lines(a, file, domain, e);
	if (!is_stdin)
		fclose(file);
	if (rc == -1)
		return err_prefix(e, "%s", said);
	sort(a);
	return 0;
}

void
addresses_free(struct addresses *a)
{
	while (a->n > 0)
		free(a->locals[--a->n]);
	free(a->locals);
	a->locals = NULL;
	a->room = 0;
}
