#include "bmx-probe/sla.h"

#include <stdlib.h>

#include <jansson.h>

#include "base/clock.h"

/* Keys in a fixed order; null is "not known". */

static json_t *
time_value(int64_t when_s)
{
	char text[CLOCK_RFC3339_MAX];

	clock_rfc3339(text, when_s * 1000000);
	return json_sprintf("%.19sZ", text);
}

static json_t *
real_or_null(bool is_known, double value)
{
	return is_known ? json_real(value) : json_null();
}

static json_t *
percentile(const struct sla *s, enum primary_phase phase, double part)
{
	int64_t ms = sla_percentile_ms(s, phase, part);

	return real_or_null(ms >= 0, (double)ms / 1000);
}

static json_t *
phases_object(const struct sla *s)
{
	json_t *phases = json_object(), *one;

	for (int i = 0; i < PRIMARY_PHASES; i++) {
		enum primary_phase phase = (enum primary_phase)i;

		if (sla_percentile_ms(s, phase, 1) == -2)
			continue;
		one = json_object();
		json_object_set_new(one, "p50", percentile(s, phase, 0.5));
		json_object_set_new(one, "p95", percentile(s, phase, 0.95));
		json_object_set_new(one, "p99", percentile(s, phase, 0.99));
		json_object_set_new(phases, primary_phase_name(phase), one);
	}
	return phases;
}

static void
put_objective(json_t *object, const struct sla *s, double objective)
{
	bool is_known = objective >= 0 && s->known_s > 0;
	double left_s = sla_budget_left_s(s, objective);

	json_object_set_new(object, "objective",
	    real_or_null(objective >= 0, objective));
	json_object_set_new(object, "is_met",
	    is_known ? json_boolean(left_s >= 0) : json_null());
	json_object_set_new(object, "budget_seconds",
	    real_or_null(is_known, (1 - objective) * (double)s->known_s));
	json_object_set_new(object, "budget_left_seconds",
	    real_or_null(is_known, left_s));
}

static json_t *
spells_array(const struct history *h)
{
	json_t *spells = json_array(), *one;

	for (size_t i = 0; i < h->nspells; i++) {
		const struct history_spell *spell = &h->spells[i];

		one = json_object();
		json_object_set_new(one, "verdict",
		    json_string(primary_verdict_name(spell->verdict)));
		json_object_set_new(one, "from", time_value(spell->from_s));
		json_object_set_new(one, "to", time_value(spell->to_s));
		json_object_set_new(one, "reason", json_string(spell->reason));
		json_array_append_new(spells, one);
	}
	return spells;
}

void
sla_print_json(FILE *out, const char *name, const struct sla *s,
    const struct history *h, double objective)
{
	json_t *object = json_object();
	double n = s->outages;
	char *text;

	json_object_set_new(object, "schema", json_integer(1));
	json_object_set_new(object, "domain", json_string(name));
	json_object_set_new(object, "from", time_value(s->from_s));
	json_object_set_new(object, "to", time_value(s->to_s));
	json_object_set_new(object, "known_seconds", json_integer(s->known_s));
	json_object_set_new(object, "up_seconds", json_integer(s->up_s));
	json_object_set_new(object, "down_seconds", json_integer(s->down_s));
	json_object_set_new(object, "availability",
	    real_or_null(s->known_s > 0, sla_availability(s)));
	put_objective(object, s, objective);
	json_object_set_new(object, "outages", json_integer(s->outages));
	json_object_set_new(object, "is_down",
	    s->known_s > 0 ? json_boolean(s->is_down) : json_null());
	json_object_set_new(object, "longest_seconds",
	    json_integer(s->longest_s));
	json_object_set_new(object, "longest_from",
	    n > 0 ? time_value(s->longest_from_s) : json_null());
	json_object_set_new(object, "mtbf_seconds",
	    real_or_null(n > 0, (double)s->up_s / (n > 0 ? n : 1)));
	json_object_set_new(object, "mttr_seconds",
	    real_or_null(n > 0, (double)s->down_s / (n > 0 ? n : 1)));
	json_object_set_new(object, "probes", json_integer(s->results));
	json_object_set_new(object, "good_probes", json_integer(s->good));
	json_object_set_new(object, "latency_seconds", phases_object(s));
	json_object_set_new(object, "spells", spells_array(h));
	text = json_dumps(object,
	    JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
	if (text != NULL)
		fprintf(out, "%s\n", text);
	free(text);
	json_decref(object);
}
