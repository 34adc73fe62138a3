#include "report_json.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/text.h"
#include "report_senders.h"

/* Jansson passes a NULL on: out of memory shows once, at the end. */

static void
set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new_nocheck(o, key, value);
}

static json_t *
text_or_null(const char *text)
{
	return text[0] == '\0' ? json_null() : json_string(text);
}

/* A name out of DNS. */
static json_t *
safe_name(const char *name)
{
	char safe[DNS_NAME_MAX * 4];

	return json_string(text_safe(safe, sizeof safe, name));
}

static json_t *
host_object(const struct fact_host *h)
{
	json_t *o = json_object(), *addrs = json_array();
	char addr[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < h->naddrs; i++)
		json_array_append_new(addrs,
		    json_string(fact_addr_text(&h->addrs[i], addr)));
	set(o, "preference", json_integer(h->preference));
	set(o, "host", safe_name(h->name));
	set(o, "a",
	    h->a.was_asked ? json_string(dns_status_text(h->a.status))
			   : json_null());
	set(o, "aaaa",
	    h->aaaa.was_asked ? json_string(dns_status_text(h->aaaa.status))
			      : json_null());
	set(o, "addresses", addrs);
	return o;
}

/* Without an MX record the array is empty; the domain's own addresses show in
 * the finding MX-IMPLICIT. */
static json_t *
hosts_array(const struct facts *f)
{
	json_t *hosts = json_array();

	for (size_t i = 0; f->mx.status == DNS_OK && i < f->nhosts; i++)
		json_array_append_new(hosts, host_object(&f->hosts[i]));
	return hosts;
}

static json_t *
findings_array(const struct judgement *j, enum outcome outcome)
{
	json_t *all = json_array();

	for (size_t i = 0; i < j->n; i++) {
		const struct finding *f = &j->findings[i];
		const struct check *c = &checks[f->check];
		json_t *o;

		if (f->outcome != outcome)
			continue;
		o = json_object();
		set(o, "id", json_string(c->id));
		set(o, "severity", json_string(severity_name(f->severity)));
		set(o, "subject", json_string(f->subject));
		set(o, "evidence", json_string(f->evidence));
		set(o, "server", text_or_null(f->server));
		set(o, "basis", json_string(c->basis));
		set(o, "cure", json_string(c->cure));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *
known_array(const struct judgement *j)
{
	json_t *ids = json_array();

	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		if (j->is_known[id])
			json_array_append_new(ids, json_string(checks[id].id));
	}
	return ids;
}

static json_t *
ids_array(const struct judgement *j, enum outcome outcome)
{
	json_t *ids = json_array();

	for (enum check_id id = 0; id < CHECK_COUNT; id++) {
		if (j->outcome[id] == outcome)
			json_array_append_new(ids, json_string(checks[id].id));
	}
	return ids;
}

/* The keys that every record begins with. */
static json_t *
begin(const struct report_name *name, int64_t now_us)
{
	json_t *o = json_object();
	char when[CLOCK_RFC3339_MAX];

	set(o, "schema", json_integer(REPORT_JSON_SCHEMA));
	set(o, "time", json_string(clock_rfc3339(when, now_us)));
	set(o, "line",
	    name->line > 0 ? json_integer((json_int_t)name->line)
			   : json_null());
	set(o, "input", json_string(name->text));
	set(o, "rest", json_string(name->rest));
	return o;
}

static void
end(struct buf *out, json_t *o)
{
	char *line = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);

	if (line == NULL) {
		out->failed = true;
	} else {
		buf_puts(out, line);
		buf_puts(out, "\n");
	}
	free(line);
	json_decref(o);
}

void
report_json_domain(struct buf *out, const struct report_name *name,
    const struct facts *f, const struct judgement *j,
    const struct sender_view *view, int64_t now_us)
{
	json_t *o = begin(name, now_us);

	set(o, "domain", json_string(f->domain));
	set(o, "verdict", json_string(verdict_name(verdict_of(j))));
	set(o, "reason", json_null());
	set(o, "answer", json_string(dns_status_text(f->mx.status)));
	set(o, "mx", hosts_array(f));
	set(o, "findings", findings_array(j, OUTCOME_FAIL));
	set(o, "untested", findings_array(j, OUTCOME_UNTESTED));
	set(o, "passed", ids_array(j, OUTCOME_PASS));
	set(o, "not_applicable", ids_array(j, OUTCOME_NOT_APPLICABLE));
	set(o, "known", known_array(j));
	set(o, "senders", report_json_senders(view));
	end(out, o);
}

void
report_json_bad_name(struct buf *out, const struct report_name *name,
    const char *reason, int64_t now_us)
{
	json_t *o = begin(name, now_us);

	set(o, "domain", json_null());
	set(o, "verdict", json_string(verdict_name(VERDICT_BAD_NAME)));
	set(o, "reason", json_string(reason));
	set(o, "answer", json_null());
	set(o, "mx", json_array());
	set(o, "findings", json_array());
	set(o, "untested", json_array());
	set(o, "passed", json_array());
	set(o, "not_applicable", json_array());
	set(o, "known", json_array());
	set(o, "senders", json_null());
	end(out, o);
}
