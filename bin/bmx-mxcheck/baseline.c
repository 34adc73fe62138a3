#include "baseline.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/text.h"
#include "jsonl.h"
#include "report_json.h"

#define LINE_MAX_BYTES (16 * 1024 * 1024)

/* FNV-1a; the NUL of each word counts, so that words cannot run together. */
static uint64_t
hash_word(uint64_t h, const char *word)
{
	do
		h = (h ^ (unsigned char)*word) * UINT64_C(0x100000001b3);
	while (*word++ != '\0');
	return h;
}

static uint64_t
hash_finding(const char *domain, const char *outcome, const char *id,
    const char *severity, const char *subject)
{
	uint64_t h = hash_word(UINT64_C(0xcbf29ce484222325), domain);

	h = hash_word(hash_word(h, outcome), id);
	return hash_word(hash_word(h, severity), subject);
}

static int
add(struct baseline *b, uint64_t hash, struct err *e)
{
	if (b->n == BASELINE_MAX)
		return err_data(e, "more than %d findings", BASELINE_MAX);
	if (b->n == b->room) {
		size_t room = b->room == 0 ? 1024 : 2 * b->room;
		uint64_t *more = realloc(b->known, room * sizeof *more);

		if (more == NULL)
			return err_temp(e, "out of memory");
		b->known = more;
		b->room = room;
	}
	b->known[b->n++] = hash;
	return 0;
}

/* outcome is the key of the array, too. */
static int
add_findings(struct baseline *b, json_t *record, const char *domain,
    const char *outcome, struct err *e)
{
	json_t *all = json_object_get(record, outcome);

	if (!json_is_array(all))
		return err_data(e, "no array \"%s\"", outcome);
	for (size_t i = 0; i < json_array_size(all); i++) {
		json_t *o = json_array_get(all, i);
		const char *id = json_string_value(json_object_get(o, "id"));
		const char *severity =
		    json_string_value(json_object_get(o, "severity"));
		const char *subject =
		    json_string_value(json_object_get(o, "subject"));

		if (id == NULL || severity == NULL || subject == NULL)
			return err_data(e,
			    "a finding without id, severity or subject");
		if (add(b, hash_finding(domain, outcome, id, severity, subject),
			e) == -1)
			return -1;
	}
	return 0;
}

static int
add_record(struct baseline *b, json_t *record, struct err *e)
{
	json_t *domain = json_object_get(record, "domain");

	if (json_integer_value(json_object_get(record, "schema")) !=
	    REPORT_JSON_SCHEMA)
		return err_data(e, "not a record of bmx-mxcheck --json");
	if (json_is_null(domain))
		return 0; /* a bad name */
	if (!json_is_string(domain))
		return err_data(e, "no domain");
	if (add_findings(b, record, json_string_value(domain), "findings", e) ==
	    -1)
		return -1;
	return add_findings(b, record, json_string_value(domain), "untested",
	    e);
}

static int
add_line(struct baseline *b, const struct jsonl *lines, struct err *e)
{
	json_error_t why;
	json_t *record = json_loadb(lines->text.data, lines->text.len,
	    JSON_REJECT_DUPLICATES, &why);
	char said[sizeof why.text];
	int rc;

	if (record == NULL)
		rc = err_data(e, "not JSON: %s",
		    text_safe(said, sizeof said, why.text));
	else
		rc = add_record(b, record, e);
	json_decref(record);
	return rc == -1 ? jsonl_blame(lines, e) : 0;
}

static int
compare_hash(const void *one, const void *other)
{
	const uint64_t a = *(const uint64_t *)one;
	const uint64_t b = *(const uint64_t *)other;

	return (a > b) - (a < b);
}

int
baseline_load(struct baseline *b, const char *path, struct err *e)
{
	struct jsonl lines = JSONL_INIT(LINE_MAX_BYTES);
	int rc = jsonl_open(&lines, path, e);

	while (rc == 0 && (rc = jsonl_next(&lines, e)) == 1)
		rc = add_line(b, &lines, e);
	jsonl_close(&lines);
	if (b->n > 1)
		qsort(b->known, b->n, sizeof *b->known, compare_hash);
	return rc;
}

void
baseline_free(struct baseline *b)
{
	free(b->known);
	*b = (struct baseline)BASELINE_INIT;
}

void
baseline_apply(const struct baseline *b, const char *domain,
    struct judgement *j)
{
	size_t kept = 0;

	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->findings[i];
		uint64_t hash = hash_finding(domain,
		    f->outcome == OUTCOME_FAIL ? "findings" : "untested",
		    checks[f->check].id, severity_name(f->severity),
		    f->subject);

		if (b->n > 0 && bsearch(&hash, b->known, b->n, sizeof *b->known,
				    compare_hash) != NULL)
			j->is_known[f->check] = true;
		else
			j->findings[kept++] = *f;
	}
	j->n = kept;
}
