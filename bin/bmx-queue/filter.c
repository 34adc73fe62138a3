#include "bmx-queue/filter.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "bmx-queue/journal.h"
#include "bmx-queue/measure.h"
#include "bmx-queue/select.h"

/* ---- what is asked for ---- */

/* -1 stays when the option was not given. */
static int
take_time(const char *option, const char *text, int64_t now_us, int64_t *us,
    struct err *e)
{
	int64_t span;

	*us = -1;
	if (text == NULL)
		return 0;
	if (measure_span(option, text, &span, e) == -1)
		return -1;
	*us = span > now_us / 1000000 ? 0 : now_us - span * 1000000;
	return 0;
}

static int
take_size(const char *option, const char *text, int64_t *bytes, struct err *e)
{
	*bytes = -1;
	return text == NULL ? 0 : measure_size(option, text, bytes, e);
}

/* Of one part given twice popt would keep the last, and more messages would be
 * meant than those for which each part holds. */
static int
take_parts(struct filter *f, struct err *e)
{
	const struct {
		const char *option;
		char **given, **text;
	} parts[] = {
		{ "--domain", f->given.domain, &f->domain },
		{ "--sender", f->given.sender, &f->sender },
		{ "--recipient", f->given.recipient, &f->recipient },
		{ "--error", f->given.error, &f->error },
		{ "--older", f->given.older, &f->older },
		{ "--newer", f->given.newer, &f->newer },
		{ "--larger", f->given.larger, &f->larger },
		{ "--smaller", f->given.smaller, &f->smaller },
	};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (parts[i].given == NULL)
			continue;
		if (parts[i].given[1] != NULL)
			return err_usage(e, "%s is given twice",
			    parts[i].option);
		*parts[i].text = parts[i].given[0];
	}
	return 0;
}

int
filter_begin(struct filter *f, int64_t now_us, struct err *e)
{
	if (take_parts(f, e) == -1)
		return -1;
	f->now_s = now_us / 1000000;
	if (f->held && f->not_held)
		return err_usage(e, "either --held or --not-held");
	if (f->error != NULL && f->error[0] == '\0')
		return err_usage(e, "--error: no text");
	if (f->sender != NULL && strcmp(f->sender, "<>") == 0)
		f->sender[0] = '\0';
	if (take_time("--older", f->older, now_us, &f->older_us, e) == -1 ||
	    take_time("--newer", f->newer, now_us, &f->newer_us, e) == -1 ||
	    take_size("--larger", f->larger, &f->larger_bytes, e) == -1 ||
	    take_size("--smaller", f->smaller, &f->smaller_bytes, e) == -1)
		return -1;
	return 0;
}

void
filter_free(struct filter *f)
{
	char **const lists[] = { f->given.domain, f->given.sender,
		f->given.recipient, f->given.error, f->given.older,
		f->given.newer, f->given.larger, f->given.smaller };

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		for (char **text = lists[i]; text != NULL && *text; text++)
			free(*text);
		free(lists[i]);
	}
	memset(f, 0, sizeof *f);
}

bool
filter_is_by_name(const struct filter *f)
{
	return f->given.sender == NULL && f->given.recipient == NULL &&
	       f->given.error == NULL;
}

bool
filter_is_given(const struct filter *f)
{
	return !filter_is_by_name(f) || f->given.domain != NULL ||
	       f->given.older != NULL || f->given.newer != NULL ||
	       f->given.larger != NULL || f->given.smaller != NULL || f->held ||
	       f->not_held;
}

/* ---- does it hold? ---- */

static bool
is_match(const char *pattern, const char *text)
{
	return fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

bool
filter_domain(const struct filter *f, const char *domain)
{
	return f->domain == NULL || is_match(f->domain, domain);
}

bool
filter_entry(const struct filter *f, const struct spool_entry *entry)
{
	return (f->older == NULL || entry->arrival_us < f->older_us) &&
	       (f->newer == NULL || entry->arrival_us > f->newer_us) &&
	       (f->larger == NULL || entry->size > (uint64_t)f->larger_bytes) &&
	       (f->smaller == NULL ||
		   entry->size < (uint64_t)f->smaller_bytes) &&
	       (!f->held || spool_is_held(entry, f->now_s)) &&
	       (!f->not_held || !spool_is_held(entry, f->now_s));
}

static bool
is_envelope_wanted(const struct filter *f, const struct envelope *env)
{
	bool is_to = f->recipient == NULL;

	if (f->sender != NULL &&
	    !is_match(f->sender, env->mail.reverse_path.text))
		return false;
	for (size_t i = 0; i < env->nrcpt && !is_to; i++)
		is_to = is_match(f->recipient, env->rcpts[i].addr.text);
	return is_to;
}

static int
look_into_file(const struct filter *f, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct spool_file file = SPOOL_FILE_INIT;
	int rc;

	do
		rc = spool_file_open(&file, d, entry, false, e);
	while (rc == 0 && select_follow(d, entry));
	if (rc == 1)
		rc = is_envelope_wanted(f, &file.env);
	spool_file_close(&file);
	return rc;
}

static int
look_into_log(const struct filter *f, const struct spool_domain *d,
    const struct spool_entry *entry, struct err *e)
{
	struct journal j;
	int rc = journal_read(&j, d, entry->id, e);

	return rc == 1 ? strcasestr(j.reply, f->error) != NULL : rc;
}

int
filter_file(const struct filter *f, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	int rc = 1;

	if (f->error != NULL)
		rc = look_into_log(f, d, entry, e);
	if (rc == 1 && (f->sender != NULL || f->recipient != NULL))
		rc = look_into_file(f, d, entry, e);
	return rc;
}
