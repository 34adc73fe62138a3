#include "bmx-queue/explain.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "bmx-queue/census.h"
#include "bmx-queue/detail.h"
#include "bmx-queue/jline.h"
#include "bmx-queue/reasons.h"
#include "spool/lastword.h"

struct explainer {
	struct output *o;
	struct detail m;
	struct reasons reasons;
	struct lastword *words; /* ENVELOPE_RCPT_MAX */
	bool is_first;
};

/* ---- reasons ---- */

static void
print_reasons(struct output *o, const struct reasons *r)
{
	for (size_t i = 0; i < r->n; i++)
		fprintf(o->data, "%-12s %s\n", i == 0 ? "Why here:" : "",
		    r->why[i]);
	for (size_t i = 0, shown = 0; i < r->n; i++)
		if (r->change[i][0] != '\0')
			fprintf(o->data, "%-12s %s\n",
			    shown++ == 0 ? "To change:" : "", r->change[i]);
}

static void
json_reasons(struct jline *j, const struct reasons *r)
{
	jline_open(j, "why", '[');
	for (size_t i = 0; i < r->n; i++)
		jline_word(j, NULL, r->why[i]);
	jline_close(j, ']');
	jline_open(j, "change", '[');
	for (size_t i = 0; i < r->n; i++)
		if (r->change[i][0] != '\0')
			jline_word(j, NULL, r->change[i]);
	jline_close(j, ']');
}

/* ---- the last replies ---- */

static void
format_reply(char out[SMTP_REPLY_TEXT_MAX + 64], const struct lastword *w)
{
	const struct smtp_reply *reply = &w->reply;

	if (reply->code == 0)
		snprintf(out, SMTP_REPLY_TEXT_MAX + 64, "%s", reply->text);
	else
		snprintf(out, SMTP_REPLY_TEXT_MAX + 64, "%d %s%s%s",
		    reply->code, reply->enhanced,
		    reply->enhanced[0] == '\0' ? "" : " ", reply->text);
}

static void
print_recipient(struct output *o, const struct envelope_rcpt *r,
    const struct lastword *w)
{
	char reply[SMTP_REPLY_TEXT_MAX + 64], ago[16];

	fputs("             <", o->data);
	output_safe(o, r->addr.text, r->addr.len);
	fprintf(o->data, "> %s\n", output_rcpt_state(r->state));
	if (w->when_us == 0)
		return;
	format_reply(reply, w);
	fprintf(o->data, "                 %s ago%s%s: ",
	    clock_span(ago, (o->now_us - w->when_us) / 1000000),
	    w->peer[0] == '\0' ? "" : ", ", w->peer);
	output_safe_again(o, reply, strlen(reply));
	putc('\n', o->data);
}

static void
json_recipients(struct jline *j, const struct envelope *env,
    const struct lastword *words)
{
	char reply[SMTP_REPLY_TEXT_MAX + 64];

	jline_open(j, "replies", '[');
	for (size_t i = 0; i < env->nrcpt; i++) {
		const struct envelope_rcpt *r = &env->rcpts[i];

		jline_open(j, NULL, '{');
		jline_text(j, "address", r->addr.text, r->addr.len);
		jline_word(j, "state", output_rcpt_state(r->state));
		if (words[i].when_us != 0) {
			format_reply(reply, &words[i]);
			jline_word(j, "reply", reply);
			jline_word(j, "peer", words[i].peer);
			jline_time(j, "when", words[i].when_us);
		}
		jline_close(j, '}');
	}
	jline_close(j, ']');
}

/* ---- one message ---- */

static void
print_message(struct explainer *x)
{
	const struct detail *m = &x->m;
	struct output *o = x->o;
	const struct envelope *env = &m->f.env;
	char age[16], size[OUTPUT_WORD], left[16];

	fprintf(o->data, "%s%-12s %s/%s, %s old, %s bytes\n",
	    x->is_first ? "" : "\n", "Message:", m->d->name, m->entry.id,
	    clock_span(age, (o->now_us - m->entry.arrival_us) / 1000000),
	    output_size(o, m->entry.size, size));
	print_reasons(o, &x->reasons);
	if (m->journal.attempts > 0)
		fprintf(o->data, "%-12s %lu time%s, as far as its log goes\n",
		    "Tried:", m->journal.attempts,
		    m->journal.attempts == 1 ? "" : "s");
	if (m->left_s >= 0)
		fprintf(o->data, "%-12s %s%s, while the primary is up%s\n",
		    "Lifetime:",
		    m->left_s == 0 ? "over" : clock_span(left, m->left_s),
		    m->left_s == 0 ? "" : " left",
		    detail_is_apart(m) ? "; then it is removed"
				       : " and it is not held");
	if (m->f.fd == -1)
		return;
	fprintf(o->data, "%-12s <", "From:");
	output_safe(o, env->mail.reverse_path.text, env->mail.reverse_path.len);
	fprintf(o->data, ">\n%-12s\n", "To:");
	for (size_t i = 0; i < env->nrcpt; i++)
		print_recipient(o, &env->rcpts[i], &x->words[i]);
}

static int
json_message(struct explainer *x, struct err *e)
{
	struct jline j = JLINE_INIT;
	int rc;

	jline_open(&j, NULL, '{');
	detail_json(&j, x->o, &x->m);
	json_reasons(&j, &x->reasons);
	if (x->m.f.fd == -1)
		jline_null(&j, "replies");
	else
		json_recipients(&j, &x->m.f.env, x->words);
	jline_close(&j, '}');
	rc = jline_print(&j, x->o, e);
	jline_free(&j);
	return rc;
}

static int
explain_one(void *context, const struct spool_domain *d,
    struct spool_entry *entry, struct err *e)
{
	struct explainer *x = context;
	struct detail *m = &x->m;
	int rc = 0;

	m->d = d;
	m->entry = *entry;
	if (detail_read(m, x->o) == 0)
		return 0;
	detail_read_more(m, x->o);
	reasons_of_domain(&x->reasons, x->o, m->domain,
	    config_find(m->conf, d->name));
	reasons_of_message(&x->reasons, x->o, m);
	if (m->f.fd != -1) {
		memset(x->words, 0, m->f.env.nrcpt * sizeof *x->words);
		lastword_read(x->words, &m->f.env, d, m->entry.id);
	}
	if (x->o->form == OUTPUT_JSON)
		rc = json_message(x, e);
	else
		print_message(x);
	x->is_first = false;
	detail_close(m);
	return rc;
}

int
explain_messages(const struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e)
{
	struct explainer x = {
		.o = o,
		.m = DETAIL_INIT(conf, sp),
		.is_first = true,
		.words = calloc(ENVELOPE_RCPT_MAX, sizeof *x.words),
	};
	int rc;

	if (x.words == NULL)
		return err_temp(e, "out of memory");
	rc = select_in_order(s, sp, explain_one, &x, o, e);
	free(x.words);
	return rc;
}

/* ---- a whole domain ---- */

static void
add_waiting(struct reasons *r, const struct counts *c, const char *name)
{
	size_t i = r->n < REASONS_MAX ? r->n++ : REASONS_MAX - 1;

	r->change[i][0] = '\0';
	if (c->messages == 0) {
		snprintf(r->why[i], sizeof r->why[i], "nothing waits");
	} else if (c->held == c->messages) {
		snprintf(r->why[i], sizeof r->why[i], "all of it is held");
		snprintf(r->change[i], sizeof r->change[i],
		    "bmx-queue explain --held --domain %s", name);
	} else {
		snprintf(r->why[i], sizeof r->why[i],
		    "%zu never tried, %zu deferred, %zu held", c->new,
		    c->deferred, c->held);
		snprintf(r->change[i], sizeof r->change[i],
		    "bmx-flush %s; bmx-queue shape --by error %s", name, name);
	}
}

static int
print_domain(const struct explainer *x, const char *name,
    const struct counts *c, struct err *e)
{
	struct output *o = x->o;
	char age[16], size[OUTPUT_WORD];
	struct jline j = JLINE_INIT;
	int rc;

	if (o->form != OUTPUT_JSON) {
		fprintf(o->data,
		    "%s%-12s %s, %zu message%s, %s bytes, oldest %s\n",
		    x->is_first ? "" : "\n", "Domain:", name, c->messages,
		    c->messages == 1 ? "" : "s", output_size(o, c->bytes, size),
		    c->messages == 0
			? "-"
			: clock_span(age,
			      (o->now_us - c->oldest_us) / 1000000));
		print_reasons(o, &x->reasons);
		return 0;
	}
	jline_open(&j, NULL, '{');
	jline_word(&j, "domain", name);
	counts_json(&j, c);
	json_reasons(&j, &x->reasons);
	jline_close(&j, '}');
	rc = jline_print(&j, o, e);
	jline_free(&j);
	return rc;
}

static int
explain_domain(struct explainer *x, const char *name, const struct counts *c,
    struct err *e)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	int rc = spool_domain_open(&d, x->m.spool, name, false, e);

	if (rc == -1) {
		output_complain(x->o, e);
		return 0;
	}
	/* no directory, and not of ours: who asked for it is told so */
	if (rc == 0 && config_find(x->m.conf, name) == NULL)
		return 0;
	x->m.d = &d;
	if (rc == 0)
		x->m.domains[0] = (struct detail_domain){ .has_primary = true };
	if (rc == 0)
		snprintf(x->m.domains[0].name, sizeof x->m.domains[0].name,
		    "%s", name);
	reasons_of_domain(&x->reasons, x->o,
	    rc == 0 ? &x->m.domains[0] : detail_domain(&x->m, x->o),
	    config_find(x->m.conf, name));
	add_waiting(&x->reasons, c, name);
	rc = print_domain(x, name, c, e);
	x->is_first = false;
	spool_domain_close(&d);
	return rc;
}

int
explain_domains(struct select *s, const struct config *conf,
    const struct spool *sp, struct output *o, struct err *e)
{
	struct explainer x = {
		.o = o, .m = DETAIL_INIT(conf, sp), .is_first = true
	};
	struct counts *all = census(s, sp, o, e);
	int rc = 0;

	if (all == NULL)
		return -1;
	for (size_t i = 0; i < s->ndomains && rc == 0; i++)
		rc = explain_domain(&x, s->domains[i], &all[i], e);
	free(all);
	return rc;
}
