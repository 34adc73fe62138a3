#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "report_json.h"
#include "report_senders.h"

static const char *const verdicts[VERDICT_COUNT] = {
	[VERDICT_OK] = "ok",
	[VERDICT_INFO] = "info",
	[VERDICT_NOTICE] = "notice",
	[VERDICT_UNKNOWN] = "unknown",
	[VERDICT_WARNING] = "warning",
	[VERDICT_ERROR] = "error",
	[VERDICT_BAD_NAME] = "bad-name",
};

static const enum verdict verdict_of_severity[SEVERITY_COUNT] = {
	[SEVERITY_INFO] = VERDICT_INFO,
	[SEVERITY_NOTICE] = VERDICT_NOTICE,
	[SEVERITY_WARNING] = VERDICT_WARNING,
	[SEVERITY_ERROR] = VERDICT_ERROR,
};

void
report_name_set(struct report_name *n, const char *text, const char *rest,
    unsigned long line)
{
	text_safe(n->text, sizeof n->text, text);
	text_safe(n->rest, sizeof n->rest, rest);
	n->line = line;
}

const char *
verdict_name(enum verdict v)
{
	return verdicts[v];
}

enum verdict
verdict_of(const struct judgement *j)
{
	enum verdict worst = VERDICT_OK;

	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->findings[i];
		enum verdict v = verdict_of_severity[f->severity];

		if (f->outcome == OUTCOME_UNTESTED)
			v = v >= VERDICT_WARNING ? VERDICT_UNKNOWN : VERDICT_OK;
		if (v > worst)
			worst = v;
	}
	return worst;
}

/* A check for less than a warning that could not be made is of interest to
 * machines only: behind a cache TTL-RANGE often cannot. */
static bool
is_worth_telling(const struct finding *f)
{
	return f->outcome == OUTCOME_FAIL || f->severity >= SEVERITY_WARNING;
}

/* ---- for people ---- */

static const char *
colour_of(enum verdict v)
{
	switch (v) {
	case VERDICT_OK:
		return "\033[32m";
	case VERDICT_INFO:
	case VERDICT_NOTICE:
		return "\033[36m";
	case VERDICT_UNKNOWN:
		return "\033[35m";
	case VERDICT_WARNING:
		return "\033[33m";
	case VERDICT_ERROR:
	case VERDICT_BAD_NAME:
		break;
	}
	return "\033[31m";
}

static void
add_verdict(struct buf *out, const struct report_style *style, enum verdict v,
    int width)
{
	if (style->colour)
		buf_addf(out, "%s%-*s\033[0m", colour_of(v), width,
		    verdicts[v]);
	else
		buf_addf(out, "%-*s", width, verdicts[v]);
}

static void
add_evidence(struct buf *out, const struct finding *f)
{
	buf_addf(out, "%s: %s", f->subject, f->evidence);
	if (f->server[0] != '\0')
		buf_addf(out, " [%s]", f->server);
	buf_puts(out, "\n");
}

/* The findings of one severity; after the last of a check its cure. */
static void
add_findings(struct buf *out, const struct report_style *style,
    const struct judgement *j, enum severity severity)
{
	const struct check *last = NULL;

	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->findings[i];
		const struct check *c = &checks[f->check];

		if (f->outcome != OUTCOME_FAIL || f->severity != severity)
			continue;
		if (last != NULL && last != c)
			buf_addf(out, "           cure: %s\n", last->cure);
		last = c;
		buf_puts(out, "  ");
		add_verdict(out, style, verdict_of_severity[severity], 8);
		buf_addf(out, " %-16s ", c->id);
		add_evidence(out, f);
	}
	if (last != NULL)
		buf_addf(out, "           cure: %s\n", last->cure);
}

static bool
is_same_trouble(const struct finding *a, const struct finding *b)
{
	return is_worth_telling(a) && a->outcome == b->outcome &&
	       strcmp(a->subject, b->subject) == 0 &&
	       strcmp(a->evidence, b->evidence) == 0;
}

/* What could not be looked up, and behind it the checks that wanted it. */
static void
add_untested(struct buf *out, const struct report_style *style,
    const struct judgement *j)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->findings[i];
		size_t k = 0;

		while (k < i && !is_same_trouble(&j->findings[k], f))
			k++;
		if (f->outcome != OUTCOME_UNTESTED || k < i ||
		    !is_worth_telling(f))
			continue;
		buf_puts(out, "  ");
		add_verdict(out, style, VERDICT_UNKNOWN, 8);
		buf_puts(out, " ");
		add_evidence(out, f);
		buf_puts(out, "           could not be tested:");
		for (; k < j->n; k++) {
			if (is_same_trouble(&j->findings[k], f))
				buf_addf(out, " %s",
				    checks[j->findings[k].check].id);
		}
		buf_puts(out, "\n");
	}
}

static void
add_human(struct buf *out, const struct report_style *style,
    const struct facts *f, const struct judgement *j,
    const struct sender_view *view)
{
	buf_addf(out, "%s: ", f->domain);
	add_verdict(out, style, verdict_of(j), 0);
	buf_puts(out, "\n");
	for (int severity = SEVERITY_COUNT - 1; severity >= 0; severity--)
		add_findings(out, style, j, (enum severity)severity);
	add_untested(out, style, j);
	if (view != NULL)
		report_senders(out, view);
}

/* ---- tab-separated: domain, verdict, ids ---- */

/* A check is told once, by the worst that was found. */
static bool
was_told(const struct judgement *j, size_t i)
{
	const struct finding *f = &j->findings[i];

	for (size_t k = 0; k < j->n; k++) {
		const struct finding *other = &j->findings[k];

		if (other->check == f->check && other->outcome == f->outcome &&
		    (other->severity > f->severity ||
			(other->severity == f->severity && k < i)))
			return true;
	}
	return false;
}

static void
add_ids(struct buf *out, const struct judgement *j, enum outcome outcome,
    enum severity severity, const char **separator)
{
	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->findings[i];

		if (f->outcome != outcome || f->severity != severity ||
		    !is_worth_telling(f) || was_told(j, i))
			continue;
		buf_addf(out, "%s%s%s", *separator,
		    outcome == OUTCOME_UNTESTED ? "?" : "",
		    checks[f->check].id);
		*separator = ",";
	}
}

static void
add_brief(struct buf *out, const struct facts *f, const struct judgement *j)
{
	const char *separator = "";

	buf_addf(out, "%s\t%s\t", f->domain, verdicts[verdict_of(j)]);
	for (int severity = SEVERITY_COUNT - 1; severity >= 0; severity--)
		add_ids(out, j, OUTCOME_FAIL, (enum severity)severity,
		    &separator);
	for (int severity = SEVERITY_COUNT - 1; severity >= 0; severity--)
		add_ids(out, j, OUTCOME_UNTESTED, (enum severity)severity,
		    &separator);
	buf_puts(out, *separator == '\0' ? "-\n" : "\n");
}

/* ---- records ---- */

void
report_domain(struct buf *out, const struct report_style *style,
    const struct report_name *name, const struct facts *f,
    const struct judgement *j, const struct sender_view *view, int64_t now_us)
{
	switch (style->format) {
	case REPORT_HUMAN:
		add_human(out, style, f, j, view);
		break;
	case REPORT_BRIEF:
		add_brief(out, f, j);
		break;
	case REPORT_JSON:
		report_json_domain(out, name, f, j, view, now_us);
		break;
	}
}

void
report_bad_name(struct buf *out, const struct report_style *style,
    const struct report_name *name, const char *reason, int64_t now_us)
{
	switch (style->format) {
	case REPORT_HUMAN:
		buf_addf(out, "%s: ", name->text);
		add_verdict(out, style, VERDICT_BAD_NAME, 0);
		buf_addf(out, ": %s", reason);
		if (name->line > 0)
			buf_addf(out, " (line %lu)", name->line);
		buf_puts(out, "\n");
		break;
	case REPORT_BRIEF:
		buf_addf(out, "%s\t%s\t%s\n", name->text,
		    verdicts[VERDICT_BAD_NAME], reason);
		break;
	case REPORT_JSON:
		report_json_bad_name(out, name, reason, now_us);
		break;
	}
}

void
report_summary(FILE *out, const struct tally *t, int64_t elapsed_ms)
{
	const char *separator = ": ";

	fprintf(out, "%lu name(s) in, %lu record(s) out", t->names, t->records);
	for (int v = VERDICT_COUNT - 1; v >= 0; v--) {
		if (t->verdicts[v] == 0)
			continue;
		fprintf(out, "%s%lu %s", separator, t->verdicts[v],
		    verdicts[v]);
		separator = ", ";
	}
	fprintf(out, "; %" PRId64 ".%03" PRId64 " s\n", elapsed_ms / 1000,
	    elapsed_ms % 1000);
}

/* ---- --explain ---- */

void
report_explain(FILE *out, enum check_id id)
{
	const struct check *c = &checks[id];

	static const char *const made[] = {
		[DEPTH_PLAIN] = "unless --only names others",
		[DEPTH_FULL] = "with --all, or if --only names it",
		[DEPTH_SMTP] = "with --smtp, or if --only names it",
		[DEPTH_EXTRA] =
		    "with --smtp and --all (one more connection), or if "
		    "--only names it",
	};

	fprintf(out,
	    "%s (%s)\n  test:  %s\n  why:   %s\n  cure:  %s\n  basis: %s\n"
	    "  made:  %s\n",
	    c->id, severity_name(c->severity), c->test, c->why, c->cure,
	    c->basis, made[c->depth]);
}

void
report_explain_all(FILE *out)
{
	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		if (id > 0)
			fputc('\n', out);
		report_explain(out, id);
	}
}
