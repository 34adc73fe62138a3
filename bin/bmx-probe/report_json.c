#include "bmx-probe/report.h"

#include <stdlib.h>
#include <sys/socket.h>

#include <jansson.h>

#include "base/clock.h"

/*
 * Keys stand in a fixed order, arrays are always there, null is "not known".
 * jansson takes over each value that is handed to a _new function; a value
 * that could not be made (no memory) is left out by it.
 */

/* Texts are printable ASCII by now; what is not would be no JSON string. */
static json_t *
text_or_null(const char *text)
{
	return text[0] != '\0' ? json_string(text) : json_null();
}

static json_t *
time_or_null(int64_t when_s)
{
	char text[CLOCK_RFC3339_MAX];

	if (when_s <= 0)
		return json_null();
	clock_rfc3339(text, when_s * 1000000);
	return json_sprintf("%.19sZ", text); /* without the fraction */
}

static json_t *
seconds_or_null(int64_t ms)
{
	return ms >= 0 ? json_real((double)ms / 1000) : json_null();
}

static json_t *
offer_object(const struct smtp_offer *o)
{
	json_t *object = json_object(), *names = json_array();

	for (unsigned bit = 1; bit != 0 && bit <= o->exts; bit <<= 1)
		if ((o->exts & bit) != 0)
			json_array_append_new(names,
			    json_string(smtp_ext_name(bit)));
	json_object_set_new(object, "extensions", names);
	json_object_set_new(object, "size",
	    o->size_max > 0 ? json_integer((json_int_t)o->size_max)
			    : json_null());
	json_object_set_new(object, "rcptmax",
	    o->rcpt_max > 0 ? json_integer(o->rcpt_max) : json_null());
	return object;
}

static json_t *
reply_or_null(const struct smtp_reply *r)
{
	json_t *object;

	if (r->code == 0)
		return json_null();
	object = json_object();
	json_object_set_new(object, "code", json_integer(r->code));
	json_object_set_new(object, "enhanced", text_or_null(r->enhanced));
	json_object_set_new(object, "text", text_or_null(r->text));
	return object;
}

static json_t *
phases_object(const struct probe_address *a)
{
	json_t *object = json_object();

	for (int i = PRIMARY_CONNECT; i < PRIMARY_PHASES; i++)
		json_object_set_new(object,
		    primary_phase_name((enum primary_phase)i),
		    seconds_or_null(a->ms[i]));
	return object;
}

static json_t *
bool_or_null(bool is_known, bool value)
{
	return is_known ? json_boolean(value) : json_null();
}

static json_t *
certificate_or_null(const struct probe_certificate *c)
{
	char spki[2 * TLS_SHA256_LEN + 1];
	json_t *object;

	if (!c->is_there)
		return json_null();
	object = json_object();
	for (size_t i = 0; i < TLS_SHA256_LEN; i++)
		snprintf(spki + 2 * i, 3, "%02x", c->spki[i]);
	json_object_set_new(object, "subject", text_or_null(c->subject));
	json_object_set_new(object, "issuer", text_or_null(c->issuer));
	json_object_set_new(object, "names", text_or_null(c->names));
	json_object_set_new(object, "not_before",
	    time_or_null(c->not_before_s));
	json_object_set_new(object, "not_after", time_or_null(c->not_after_s));
	json_object_set_new(object, "trusted",
	    bool_or_null(c->is_judged, c->is_trusted));
	json_object_set_new(object, "name_matches",
	    bool_or_null(c->is_judged, c->is_name_matched));
	json_object_set_new(object, "spki_sha256", json_string(spki));
	return object;
}

static json_t *
address_object(const struct probe_address *a)
{
	json_t *object = json_object();

	json_object_set_new(object, "address", text_or_null(a->address));
	json_object_set_new(object, "host", text_or_null(a->host));
	json_object_set_new(object, "family",
	    json_string(probe_family_name(a->family)));
	json_object_set_new(object, "preference", json_integer(a->preference));
	json_object_set_new(object, "result",
	    json_string(primary_verdict_name(a->result)));
	json_object_set_new(object, "code",
	    json_string(probe_code_name(a->code)));
	json_object_set_new(object, "reason", text_or_null(a->reason));
	json_object_set_new(object, "phase",
	    json_string(primary_phase_name(a->phase)));
	json_object_set_new(object, "reply", reply_or_null(&a->reply));
	json_object_set_new(object, "name", text_or_null(a->name));
	json_object_set_new(object, "tls", text_or_null(a->tls));
	json_object_set_new(object, "tls_result",
	    a->tls[0] != '\0' || a->tls_result != TLS_OK
		? json_string(tls_result_name(a->tls_result))
		: json_null());
	json_object_set_new(object, "tls_policy",
	    json_string(policy_source_name(a->source)));
	json_object_set_new(object, "certificate",
	    certificate_or_null(&a->certificate));
	json_object_set_new(object, "tries", json_integer(a->tries));
	json_object_set_new(object, "seconds", phases_object(a));
	json_object_set_new(object, "plain", offer_object(&a->plain));
	json_object_set_new(object, "secured",
	    a->tls[0] != '\0' ? offer_object(&a->secured) : json_null());
	return object;
}

static json_t *
verdict_or_null(enum primary_verdict v)
{
	return v == PRIMARY_UNKNOWN ? json_null()
				    : json_string(primary_verdict_name(v));
}

static json_t *
row_object(const struct report_row *row)
{
	const struct probe_result *r = row->result;
	const struct primary *p = row->state;
	json_t *object = json_object(), *addresses = json_array();

	for (size_t i = 0; i < r->n; i++)
		json_array_append_new(addresses,
		    address_object(&r->addresses[i]));
	json_object_set_new(object, "schema", json_integer(1));
	json_object_set_new(object, "time", time_or_null(row->now_s));
	json_object_set_new(object, "domain", text_or_null(row->name));
	json_object_set_new(object, "verdict",
	    json_string(primary_verdict_name(p->verdict)));
	json_object_set_new(object, "since", time_or_null(p->since_s));
	json_object_set_new(object, "was",
	    json_string(primary_verdict_name(row->was)));
	json_object_set_new(object, "good", time_or_null(p->good_s));
	json_object_set_new(object, "flapping", json_boolean(p->is_flapping));
	json_object_set_new(object, "result",
	    json_string(primary_verdict_name(r->result)));
	json_object_set_new(object, "run", json_integer(p->run));
	json_object_set_new(object, "code",
	    json_string(probe_code_name(r->code)));
	json_object_set_new(object, "reason", text_or_null(r->reason));
	json_object_set_new(object, "address",
	    text_or_null(r->decided != NULL ? r->decided->address : ""));
	json_object_set_new(object, "ipv4",
	    verdict_or_null(probe_family(r, AF_INET)));
	json_object_set_new(object, "ipv6",
	    verdict_or_null(probe_family(r, AF_INET6)));
	json_object_set_new(object, "seconds", seconds_or_null(r->total_ms));
	json_object_set_new(object, "dns_seconds", seconds_or_null(r->dns_ms));
	json_object_set_new(object, "addresses", addresses);
	return object;
}

void
report_json(FILE *out, const struct report_row *row)
{
	json_t *object = row_object(row);
	char *text = json_dumps(object,
	    JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(6));

	if (text != NULL)
		fprintf(out, "%s\n", text);
	free(text);
	json_decref(object);
}
