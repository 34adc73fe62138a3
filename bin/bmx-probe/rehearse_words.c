#include "bmx-probe/rehearse.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

/* What servers say when they say no, and what to do about it. */

static const struct {
	const char *name, *cure;
} causes[REHEARSE_CAUSES] = {
	[REHEARSE_NO_CAUSE] = { "", "" },
	[REHEARSE_SPF] = { "spf",
	    "have the primary skip SPF for this host's address: what it hands "
	    "over is other people's mail" },
	[REHEARSE_DNSBL] = { "dnsbl",
	    "have the primary skip its block lists for this host's address, "
	    "and get it off the list" },
	[REHEARSE_REVERSE] = { "reverse-dns",
	    "give this host's address a PTR record whose name leads back to "
	    "it, or exempt it at the primary" },
	[REHEARSE_GREYLIST] = { "greylisting",
	    "put this host's address on the primary's list of those that are "
	    "not greylisted" },
	[REHEARSE_RATE] = { "rate-limit",
	    "exempt this host's address from the primary's limits, or set "
	    "max-rate and max-connections in bmx.conf below them" },
	[REHEARSE_NEEDS_TLS] = { "tls",
	    "set tls for the domain in bmx.conf, or have STARTTLS work" },
	[REHEARSE_BUSY] = { "temporary",
	    "look into the primary's log, and ask again later" },
	[REHEARSE_POLICY] = { "policy",
	    "have the primary accept mail for the domain from this host's "
	    "address" },
};

const char *
rehearse_cause_name(enum rehearse_cause cause)
{
	return causes[cause].name;
}

const char *
rehearse_cure(enum rehearse_cause cause)
{
	return causes[cause].cure;
}

/* ---- reading a refusal ---- */

/* Codes of RFC 7372 and RFC 3463, then words that are in use. */
static const struct {
	enum rehearse_cause cause;
	const char *enhanced; /* without its first digit; NULL: any */
	const char *word;     /* NULL: any */
} signs[] = {
	{ REHEARSE_SPF, ".7.23", NULL },
	{ REHEARSE_SPF, ".7.24", NULL },
	{ REHEARSE_REVERSE, ".7.25", NULL },
	{ REHEARSE_RATE, ".7.28", NULL },
	{ REHEARSE_NEEDS_TLS, ".7.10", NULL },
	{ REHEARSE_GREYLIST, NULL, "greylist" },
	{ REHEARSE_GREYLIST, NULL, "graylist" },
	{ REHEARSE_GREYLIST, NULL, "postgrey" },
	{ REHEARSE_DNSBL, NULL, "dnsbl" },
	{ REHEARSE_DNSBL, NULL, "rbl" },
	{ REHEARSE_DNSBL, NULL, "spamhaus" },
	{ REHEARSE_DNSBL, NULL, "blacklist" },
	{ REHEARSE_DNSBL, NULL, "blocklist" },
	{ REHEARSE_DNSBL, NULL, "block list" },
	{ REHEARSE_DNSBL, NULL, "blocked using" },
	{ REHEARSE_SPF, NULL, "spf" },
	{ REHEARSE_SPF, NULL, "sender policy framework" },
	{ REHEARSE_REVERSE, NULL, "reverse" },
	{ REHEARSE_REVERSE, NULL, "ptr record" },
	{ REHEARSE_RATE, NULL, "rate limit" },
	{ REHEARSE_RATE, NULL, "rate-limit" },
	{ REHEARSE_RATE, NULL, "too many" },
	{ REHEARSE_RATE, NULL, "too much" },
	{ REHEARSE_RATE, NULL, "throttl" },
	{ REHEARSE_RATE, NULL, "limit" },
	{ REHEARSE_NEEDS_TLS, NULL, "starttls" },
};

enum rehearse_cause
rehearse_cause(const struct smtp_reply *said)
{
	for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
		const char *code = signs[i].enhanced, *word = signs[i].word;

		if (code != NULL && (said->enhanced[0] == '\0' ||
					strcmp(said->enhanced + 1, code) != 0))
			continue;
		if (word == NULL || strcasestr(said->text, word) != NULL)
			return signs[i].cause;
	}
	return smtp_reply_permanent(said) ? REHEARSE_POLICY : REHEARSE_BUSY;
}

/* ---- printing ---- */

enum rehearse_outcome
rehearse_worst(const struct rehearsal *r)
{
	enum rehearse_outcome worst = REHEARSE_PASS;

	for (size_t i = 0; i < r->n; i++)
		if (r->findings[i].outcome > worst)
			worst = r->findings[i].outcome;
	return worst;
}

static const char *const outcome_names[] = {
	[REHEARSE_PASS] = "pass",
	[REHEARSE_NOTE] = "note",
	[REHEARSE_SLOW] = "slow",
	[REHEARSE_REFUSE] = "refuse",
};

static const char *
verdict_of(const struct rehearsal *r)
{
	switch (rehearse_worst(r)) {
	case REHEARSE_REFUSE:
		return "mail would be refused";
	case REHEARSE_SLOW:
		return "mail would be late";
	default:
		return "a drain would be taken";
	}
}

void
rehearse_print(FILE *out, const char *name, const struct rehearsal *r)
{
	fprintf(out, "%s %s %s: %s\n", name,
	    r->address[0] != '\0' ? r->address : "-",
	    r->host[0] != '\0' ? r->host : "-", verdict_of(r));
	for (size_t i = 0; i < r->n; i++) {
		const struct rehearse_finding *f = &r->findings[i];

		fprintf(out, "\t%-6s %s: %s\n", outcome_names[f->outcome],
		    f->id, f->text);
		if (f->cause != REHEARSE_NO_CAUSE)
			fprintf(out, "\t       %s: %s\n",
			    rehearse_cause_name(f->cause),
			    rehearse_cure(f->cause));
	}
}

static json_t *
text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *
finding_object(const struct rehearse_finding *f)
{
	json_t *object = json_object();

	json_object_set_new(object, "id", json_string(f->id));
	json_object_set_new(object, "outcome",
	    json_string(outcome_names[f->outcome]));
	json_object_set_new(object, "text", text_or_null(f->text));
	json_object_set_new(object, "cause",
	    text_or_null(rehearse_cause_name(f->cause)));
	json_object_set_new(object, "cure",
	    text_or_null(rehearse_cure(f->cause)));
	return object;
}

void
rehearse_print_json(FILE *out, const char *name, const struct rehearsal *r)
{
	json_t *object = json_object(), *findings = json_array();
	char *text;

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(findings,
		    finding_object(&r->findings[i]));
	json_object_set_new(object, "schema", json_integer(1));
	json_object_set_new(object, "domain", json_string(name));
	json_object_set_new(object, "address", text_or_null(r->address));
	json_object_set_new(object, "host", text_or_null(r->host));
	json_object_set_new(object, "outcome",
	    json_string(outcome_names[rehearse_worst(r)]));
	json_object_set_new(object, "catchall",
	    r->is_catchall_known ? json_boolean(r->is_catchall) : json_null());
	json_object_set_new(object, "findings", findings);
	text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	if (text != NULL)
		fprintf(out, "%s\n", text);
	free(text);
	json_decref(object);
}
