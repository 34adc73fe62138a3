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

int
filter_begin(struct filter *f, int64_t now_us, struct err *e)
{
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
	char **const texts[] = { &f->domain, &f->sender, &f->recipient,
		&f->error, &f->older, &f->newer, &f->larger, &f->smaller };

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		free(*texts[i]);
		*texts[i] = NULL;
	}
}

bool
filter_is_by_name(const struct filter *f)
{
	return f->sender == NULL && f->recipient == NULL && f->error == NULL;
}

bool
filter_is_given(const struct filter *f)
{
	return !filter_is_by_name(f) || f->domain != NULL || f->older != NULL ||
	       f->newer != NULL || f->larger != NULL || f->smaller != NULL ||
	       f->held || f->not_held;
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
