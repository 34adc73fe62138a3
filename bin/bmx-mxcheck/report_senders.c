#include "report_senders.h"

#include "base/text.h"

static const char *
safe_host(const struct sender_try *t, char out[DNS_NAME_MAX * 4])
{
	return text_safe(out, DNS_NAME_MAX * 4, t->host->name);
}

/* ---- for people ---- */

static void
add_wait(struct buf *out, const struct sender_try *t)
{
	if (t->attempt == ATTEMPT_UNTRIED || t->attempt == ATTEMPT_AWAY)
		return;
	buf_addf(out, " (%llu ms)", (unsigned long long)t->wait_ms);
	if (t->why[0] != '\0')
		buf_addf(out, ": %s", t->why);
}

static void
add_try(struct buf *out, const struct sender_try *t)
{
	char name[DNS_NAME_MAX * 4], addr[ENDPOINT_TEXT_MAX];

	buf_addf(out, "    %5u %s [%s] %s", t->host->preference,
	    safe_host(t, name), fact_addr_text(&t->host->addrs[t->at], addr),
	    attempt_text(t->attempt));
	add_wait(out, t);
	buf_puts(out, "\n");
}

static void
add_place(struct buf *out, const struct sender_fate *f)
{
	char name[DNS_NAME_MAX * 4], addr[ENDPOINT_TEXT_MAX];

	buf_addf(out, "%s [%s]", safe_host(f->at, name),
	    fact_addr_text(&f->at->host->addrs[f->at->at], addr));
	if (f->wait_ms >= 1000)
		buf_addf(out, ", after up to %llu s",
		    (unsigned long long)((f->wait_ms + 500) / 1000));
}

static void
add_fate(struct buf *out, const struct sender_view *v, enum sender_class class)
{
	const struct sender_fate *f = &v->fates[class];

	buf_addf(out, "    %-8s ", sender_class_name(class));
	switch (f->fate) {
	case FATE_ARRIVES:
		buf_puts(out, "mail arrives at ");
		add_place(out, f);
		break;
	case FATE_UNTRIED:
		buf_puts(out, "mail goes to ");
		add_place(out, f);
		break;
	case FATE_WAITS:
		buf_puts(out, "mail waits at the senders', some days");
		break;
	case FATE_RETURNED:
		buf_puts(out, "mail is returned to its sender");
		break;
	}
	if (f->note[0] != '\0')
		buf_addf(out, "; as plain: %s", f->note);
	buf_puts(out, "\n");
}

/* Hosts that only this class passes over, each once. */
static void
add_unfit(struct buf *out, const struct sender_view *v, enum sender_class class)
{
	char name[DNS_NAME_MAX * 4], addr[ENDPOINT_TEXT_MAX];

	for (size_t i = 0; i < v->n; i++) {
		const struct sender_try *t = &v->tries[i];

		if (t->unfit[class] != NULL && t->attempt != ATTEMPT_AWAY)
			buf_addf(out, "             not to %s [%s]: %s\n",
			    safe_host(t, name),
			    fact_addr_text(&t->host->addrs[t->at], addr),
			    t->unfit[class]);
	}
}

void
report_senders(struct buf *out, const struct sender_view *v)
{
	char word[320];

	buf_puts(out, "  senders");
	for (size_t i = 0; i < v->outage->nwords; i++)
		buf_addf(out, "%s %s", i == 0 ? ", without" : " and",
		    text_safe(word, sizeof word, v->outage->words[i]));
	buf_puts(out, ":\n");
	for (size_t i = 0; i < v->n; i++)
		add_try(out, &v->tries[i]);
	if (v->left > 0)
		buf_addf(out, "    and %zu more addresses\n", v->left);
	for (enum sender_class class = 0; class < SENDER_CLASSES; class ++) {
		add_fate(out, v, class);
		add_unfit(out, v, class);
	}
}

/* ---- for programs ---- */

static void
set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new_nocheck(o, key, value);
}

static json_t *
seconds(uint64_t ms)
{
	return json_real((double)ms / 1000);
}

static void
set_place(json_t *o, const struct sender_try *t)
{
	char name[DNS_NAME_MAX * 4], addr[ENDPOINT_TEXT_MAX];

	set(o, "host",
	    t == NULL ? json_null() : json_string(safe_host(t, name)));
	set(o, "address",
	    t == NULL
		? json_null()
		: json_string(fact_addr_text(&t->host->addrs[t->at], addr)));
}

static json_t *
try_object(const struct sender_try *t)
{
	json_t *o = json_object();

	set(o, "preference", json_integer(t->host->preference));
	set_place(o, t);
	set(o, "outcome", json_string(attempt_text(t->attempt)));
	set(o, "seconds", seconds(t->wait_ms));
	set(o, "why", json_string(t->why));
	return o;
}

static json_t *
unfit_array(const struct sender_view *v, enum sender_class class)
{
	json_t *all = json_array();

	for (size_t i = 0; i < v->n; i++) {
		json_t *o;

		if (v->tries[i].unfit[class] == NULL)
			continue;
		o = json_object();
		set_place(o, &v->tries[i]);
		set(o, "why", json_string(v->tries[i].unfit[class]));
		json_array_append_new(all, o);
	}
	return all;
}

static json_t *
class_object(const struct sender_view *v, enum sender_class class)
{
	const struct sender_fate *f = &v->fates[class];
	bool is_there = f->fate == FATE_ARRIVES || f->fate == FATE_UNTRIED;
	json_t *o = json_object();

	set(o, "class", json_string(sender_class_name(class)));
	set(o, "fate", json_string(fate_name(f->fate)));
	set_place(o, is_there ? f->at : NULL);
	set(o, "seconds", is_there ? seconds(f->wait_ms) : json_null());
	set(o, "note", json_string(f->note));
	set(o, "passed_over", unfit_array(v, class));
	return o;
}

json_t *
report_json_senders(const struct sender_view *v)
{
	json_t *o, *words, *tries, *classes;
	char word[320];

	if (v == NULL)
		return json_null();
	o = json_object();
	words = json_array();
	tries = json_array();
	classes = json_array();
	for (size_t i = 0; i < v->outage->nwords; i++)
		json_array_append_new(words,
		    json_string(text_safe(word, sizeof word,
			v->outage->words[i])));
	for (size_t i = 0; i < v->n; i++)
		json_array_append_new(tries, try_object(&v->tries[i]));
	for (enum sender_class class = 0; class < SENDER_CLASSES; class ++)
		json_array_append_new(classes, class_object(v, class));
	set(o, "without", words);
	set(o, "tries", tries);
	set(o, "classes", classes);
	return o;
}
