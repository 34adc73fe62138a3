#include "bmx-queue/recipients.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/names.h"
#include "base/text.h"
#include "bmx-queue/addresses.h"
#include "bmx-queue/jline.h"
#include "mail/addr.h"
#include "spool/memory.h"
#include "spool/spool.h"

#define EXIT_DIFFERENT 1 /* as diff(1) has it */

/* How many names each verb takes. */
static const struct {
	const char *verb;
	size_t least, most;
	const char *names;
} verbs[] = {
	[RECIPIENTS_LIST] = { "list", 0, SIZE_MAX, "[DOMAIN]..." },
	[RECIPIENTS_IMPORT] = { "import", 2, 2, "DOMAIN FILE" },
	[RECIPIENTS_EXPORT] = { "export", 1, SIZE_MAX, "DOMAIN..." },
	[RECIPIENTS_DIFF] = { "diff", 2, 2, "DOMAIN FILE" },
	[RECIPIENTS_FORGET] = { "forget", 1, SIZE_MAX, "ADDRESS | DOMAIN ..." },
};

int
recipients_parse(struct recipients_order *order, const char **args,
    struct err *e)
{
	size_t n = 0;

	order->verb = RECIPIENTS_LIST;
	order->names = args;
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
		if (args[0] != NULL && strcmp(args[0], verbs[i].verb) == 0) {
			order->verb = (enum recipients_verb)i;
			order->names = args + 1;
		}
	}
	while (order->names[n] != NULL)
		n++;
	if (n < verbs[order->verb].least || n > verbs[order->verb].most)
		return err_usage(e, "recipients %s takes %s",
		    verbs[order->verb].verb, verbs[order->verb].names);
	return 0;
}

/* ---- what every verb works with ---- */

struct work {
	const struct recipients_order *order;
	const struct config *conf;
	struct memory memory;
	struct output *o;
	struct err *e;
	size_t good, bad, unknown, expired; /* listed */
};

static int64_t
now_s(const struct work *w)
{
	return w->o->now_us / 1000000;
}

/* A domain of bmx.conf. -1: complained of. */
static const struct config_domain *
known_domain(const struct work *w, const char *name)
{
	char folded[ADDR_DOMAIN_MAX + 1], said[128];
	const struct config_domain *d = NULL;
	struct err e;

	text_safe(said, sizeof said, name);
	if (addr_fold_domain(name, strlen(name), folded, &e) == -1)
		err_usage(&e, "%s: not a domain", said);
	else if ((d = config_find(w->conf, folded)) == NULL)
		err_perm(&e, "%s: no such domain in %s", said, w->conf->path);
	if (d == NULL)
		output_complain(w->o, &e);
	return d;
}

/* Nothing is believed of domains that are not ours (any more). */
static enum memory_answer
believe(const struct work *w, const struct memory_entry *entry)
{
	const struct config_domain *d = config_find(w->conf, entry->domain);
	struct memory_ages ages;

	if (d == NULL)
		return MEMORY_UNKNOWN;
	ages.good_s = d->good_age_s;
	ages.bad_s = d->bad_age_s;
	return memory_believe(&entry->fact, &ages, now_s(w));
}

/* Exact for programs, for an import reads it again; harmless for eyes. */
static void
print_address(struct output *o, const char *local, const char *domain)
{
	if (o->form == OUTPUT_TABLE)
		output_safe(o, local, strlen(local));
	else
		fputs(local, o->data);
	fprintf(o->data, "@%s", domain);
}

static void
add_address(struct jline *j, const char *local, const char *domain)
{
	char address[ADDR_MAX + 2];

	snprintf(address, sizeof address, "%s@%s", local, domain);
	jline_word(j, "address", address);
}

/* ---- list ---- */

static const char *
answer_word(struct work *w, const struct memory_entry *entry)
{
	if (entry->local[0] == '\0')
		return "catch-all";
	if (believe(w, entry) != entry->fact.answer) {
		w->expired++;
		return "expired";
	}
	switch (entry->fact.answer) {
	case MEMORY_GOOD:
		w->good++;
		break;
	case MEMORY_BAD:
		w->bad++;
		break;
	case MEMORY_UNKNOWN:
		w->unknown++;
		break;
	}
	return memory_answer_name(entry->fact.answer);
}

static int
list_json(struct work *w, const struct memory_entry *entry, const char *word)
{
	int64_t learned_s = entry->fact.learned_s;

	struct jline j = JLINE_INIT;

	jline_open(&j, NULL, '{');
	add_address(&j, entry->local, entry->domain);
	jline_word(&j, "domain", entry->domain);
	jline_word(&j, "answer", word);
	jline_word(&j, "source", memory_source_name(entry->fact.source));
	jline_time(&j, "learned", learned_s * 1000000);
	jline_number(&j, "age", now_s(w) - learned_s);
	return jline_end(&j, w->o, w->e);
}

static int
list_one(void *arg, const struct memory_entry *entry)
{
	struct work *w = arg;
	const char *word = answer_word(w, entry);
	char age[OUTPUT_WORD];

	if (w->o->form == OUTPUT_JSON)
		return list_json(w, entry, word);
	output_age(w->o, entry->fact.learned_s * 1000000, age);
	if (w->o->form == OUTPUT_TABLE) {
		fprintf(w->o->data, "%-9s %-7s %7s ", word,
		    memory_source_name(entry->fact.source), age);
		print_address(w->o, entry->local, entry->domain);
		putc('\n', w->o->data);
		return 0;
	}
	print_address(w->o, entry->local, entry->domain);
	fprintf(w->o->data, "\t%s\t%s\t%s\n", word,
	    memory_source_name(entry->fact.source), age);
	return 0;
}

static int
list(struct work *w)
{
	int rc = 0;

	if (w->o->form == OUTPUT_TABLE)
		fprintf(w->o->data, "%-9s %-7s %7s %s\n", "ANSWER", "SOURCE",
		    "AGE", "RECIPIENT");
	if (w->order->names[0] == NULL)
		rc = memory_each(&w->memory, NULL, list_one, w, w->e);
	for (const char **name = w->order->names; rc == 0 && *name; name++) {
		const struct config_domain *d = known_domain(w, *name);

		if (d != NULL)
			rc =
			    memory_each(&w->memory, d->name, list_one, w, w->e);
	}
	if (w->o->form == OUTPUT_TABLE)
		fprintf(w->o->data,
		    "-- %zu good, %zu bad, %zu unknown, %zu expired\n", w->good,
		    w->bad, w->unknown, w->expired);
	return rc;
}

/* ---- export ---- */

static int
export_one(void *arg, const struct memory_entry *entry)
{
	struct jline j = JLINE_INIT;
	struct work *w = arg;

	if (entry->local[0] == '\0' || believe(w, entry) != MEMORY_GOOD)
		return 0;
	if (w->o->form == OUTPUT_JSON) {
		jline_open(&j, NULL, '{');
		add_address(&j, entry->local, entry->domain);
		return jline_end(&j, w->o, w->e);
	}
	if (addresses_wants_quotes(entry->local))
		fprintf(w->o->data, "\"%s\"@%s", entry->local, entry->domain);
	else
		print_address(w->o, entry->local, entry->domain);
	putc('\n', w->o->data);
	return 0;
}

static int export(struct work *w)
{
	int rc = 0;

	for (const char **name = w->order->names; rc == 0 && *name; name++) {
		const struct config_domain *d = known_domain(w, *name);

		if (d != NULL)
			rc = memory_each(&w->memory, d->name, export_one, w,
			    w->e);
	}
	return rc;
}

/* ---- import ---- */

static int
print_import(struct work *w, const char *domain,
    const struct memory_change *change, const struct addresses *list)
{
	struct jline j = JLINE_INIT;

	if (w->o->form == OUTPUT_JSON) {
		jline_open(&j, NULL, '{');
		jline_word(&j, "domain", domain);
		jline_number(&j, "before", (int64_t)change->before);
		jline_number(&j, "lost", (int64_t)change->lost);
		jline_number(&j, "added", (int64_t)change->added);
		jline_number(&j, "good", (int64_t)list->n);
		jline_number(&j, "foreign", (int64_t)list->foreign);
		return jline_end(&j, w->o, w->e);
	}
	if (w->o->form == OUTPUT_LINES)
		fprintf(w->o->data, "%s\t%zu\t%zu\t%zu\t%zu\t%zu\n", domain,
		    change->before, change->lost, change->added, list->n,
		    list->foreign);
	else
		fprintf(w->o->data,
		    "%s: %zu good recipients: %zu new, %zu lost; "
		    "%zu addresses of other domains\n",
		    domain, list->n, change->added, change->lost,
		    list->foreign);
	return 0;
}

static int
import_list(struct work *w, const struct config_domain *d,
    const struct addresses *list)
{
	const struct memory_import import = { d->name, list->locals, list->n,
		w->order->shrink_max, { d->good_age_s, d->bad_age_s },
		now_s(w) };
	struct memory_change change;
	int rc = memory_replace(&w->memory, &import, &change, w->e);

	if (rc == -1)
		return -1;
	if (rc == 0)
		return err_perm(w->e,
		    "%s: nothing was imported: %zu of %zu good recipients are "
		    "not in the list, more than %u %%; see recipients diff; "
		    "--force imports it all the same",
		    d->name, change.lost, change.before, w->order->shrink_max);
	log_info("domain=%s action=imported before=%zu lost=%zu added=%zu "
		 "good=%zu uid=%lu",
	    d->name, change.before, change.lost, change.added, list->n,
	    (unsigned long)w->order->uid);
	return print_import(w, d->name, &change, list);
}

static int
import(struct work *w)
{
	const struct config_domain *d = known_domain(w, w->order->names[0]);
	struct addresses list = ADDRESSES_INIT;
	int rc = 0;

	if (d == NULL)
		return 0;
	rc = addresses_read(&list, w->order->names[1], d->name, w->e);
	if (rc == 0)
		rc = import_list(w, d, &list);
	addresses_free(&list);
	return rc;
}

/* ---- diff ---- */

/* Both sides come in the same order. */
struct diff {
	struct work *w;
	const struct addresses *list;
	size_t i; /* of the list, not yet told */
	const char *domain;
	bool is_different;
};

static int
print_difference(struct diff *diff, char sign, const char *local,
    const char *answer)
{
	struct output *o = diff->w->o;
	const char text[] = { sign, '\0' };
	struct jline j = JLINE_INIT;

	diff->is_different = true;
	if (o->form == OUTPUT_JSON) {
		jline_open(&j, NULL, '{');
		jline_word(&j, "change", text);
		add_address(&j, local, diff->domain);
		jline_word(&j, "answer", answer);
		return jline_end(&j, o, diff->w->e);
	}
	fprintf(o->data, "%s%c", text, o->form == OUTPUT_TABLE ? ' ' : '\t');
	print_address(o, local, diff->domain);
	fprintf(o->data, o->form == OUTPUT_TABLE ? " (%s)\n" : "\t%s\n",
	    answer);
	return 0;
}

/* Those of the list that come before local (NULL: all), unheard of. */
static int
tell_new(struct diff *diff, const char *local)
{
	for (; diff->i < diff->list->n; diff->i++) {
		const char *next = diff->list->locals[diff->i];

		if (local != NULL && strcmp(next, local) >= 0)
			break;
		if (print_difference(diff, '+', next, "unknown") == -1)
			return -1;
	}
	return 0;
}

static int
compare_one(void *arg, const struct memory_entry *entry)
{
	struct diff *diff = arg;
	enum memory_answer answer = believe(diff->w, entry);
	bool is_listed;

	if (entry->local[0] == '\0')
		return 0;
	if (tell_new(diff, entry->local) == -1)
		return -1;
	is_listed = diff->i < diff->list->n &&
		    strcmp(diff->list->locals[diff->i], entry->local) == 0;
	diff->i += is_listed;
	if (is_listed == (answer == MEMORY_GOOD))
		return 0;
	return print_difference(diff, is_listed ? '+' : '-', entry->local,
	    memory_answer_name(answer));
}

static int
diff(struct work *w)
{
	const struct config_domain *d = known_domain(w, w->order->names[0]);
	struct addresses list = ADDRESSES_INIT;
	struct diff both = { .w = w, .list = &list };
	int rc;

	if (d == NULL)
		return 0;
	both.domain = d->name;
	rc = addresses_read(&list, w->order->names[1], d->name, w->e);
	if (rc == 0)
		rc = memory_each(&w->memory, d->name, compare_one, &both, w->e);
	if (rc == 0)
		rc = tell_new(&both, NULL);
	if (rc == 0 && both.is_different && w->o->status == 0)
		w->o->status = EXIT_DIFFERENT;
	addresses_free(&list);
	return rc;
}

/* ---- forget ---- */

/* One name: "bob@example.com"; "@example.com", the catch-all; "example.com". */
struct subject {
	char domain[ADDR_DOMAIN_MAX + 1];
	struct addr rcpt;
	bool is_domain, is_catchall;
};

static int
parse_subject(struct subject *s, const char *name, struct err *e)
{
	const char *domain = name;
	char said[128];
	struct err why;

	memset(s, 0, sizeof *s);
	s->is_catchall = *name == '@';
	s->is_domain = strchr(name, '@') == NULL;
	if (s->is_catchall)
		domain = name + 1;
	else if (!s->is_domain) {
		if (addr_parse(name, strlen(name), &s->rcpt, &why) == -1)
			return err_usage(e, "%s: %s",
			    text_safe(said, sizeof said, name), why.text);
		domain = addr_domain(&s->rcpt);
	}
	if (addr_fold_domain(domain, strlen(domain), s->domain, &why) == -1)
		return err_usage(e, "%s: neither an address nor a domain",
		    text_safe(said, sizeof said, name));
	return 0;
}

static int
count_one(void *arg, const struct memory_entry *entry)
{
	(void)entry;
	++*(long *)arg;
	return 0;
}

/* How many there were to forget, or would be. */
static long
forget_subject(struct work *w, const struct subject *s)
{
	long n = 0;

	if (s->is_domain && !w->order->is_yes) {
		if (memory_each(&w->memory, s->domain, count_one, &n, w->e) ==
		    -1)
			return -1;
		return n;
	}
	if (s->is_catchall) {
		n = memory_is_catchall(&w->memory, s->domain, now_s(w), w->e);
		if (n == -1 || memory_set_catchall(&w->memory, s->domain, false,
				   now_s(w), w->e) == -1)
			return -1;
		return n;
	}
	return memory_forget(&w->memory, s->domain,
	    s->is_domain ? NULL : &s->rcpt, w->e);
}

static int
print_forgotten(struct work *w, const char *name, const char *result, long n)
{
	struct jline j = JLINE_INIT;
	struct output *o = w->o;

	if (o->form == OUTPUT_JSON) {
		jline_open(&j, NULL, '{');
		jline_word(&j, "name", name);
		jline_word(&j, "result", result);
		jline_number(&j, "recipients", n);
		return jline_end(&j, o, w->e);
	}
	output_safe(o, name, strlen(name));
	fprintf(o->data, "\t%s\t%ld\n", result, n);
	return 0;
}

static int
forget_one(struct work *w, const char *name, bool *is_dry)
{
	bool is_order;
	struct subject s;
	char said[ADDR_MAX + 1];
	long n;

	if (parse_subject(&s, name, w->e) == -1) {
		output_complain(w->o, w->e);
		return 0;
	}
	is_order = s.is_domain && !w->order->is_yes;
	*is_dry = *is_dry || is_order;
	n = forget_subject(w, &s);
	if (n == -1)
		return -1;
	if (!is_order && n > 0)
		log_info("domain=%s action=forgotten name=%s recipients=%ld "
			 "uid=%lu",
		    s.domain, text_safe(said, sizeof said, name), n,
		    (unsigned long)w->order->uid);
	return print_forgotten(w, name,
	    is_order ? "forget"
	    : n > 0  ? "forgotten"
		     : "unchanged",
	    n);
}

static int
forget(struct work *w)
{
	struct names names = NAMES_INIT(w->order->names, stdin);
	bool is_dry = false;
	const char *name;
	int rc;

	while ((rc = names_next(&names, &name, w->e)) == 1)
		if ((rc = forget_one(w, name, &is_dry)) == -1)
			break;
	names_free(&names);
	if (rc == 0 && is_dry)
		return err_usage(w->e,
		    "no domain was forgotten; --yes forgets them");
	return rc;
}

/* ---- all ---- */

static int
run_verb(struct work *w)
{
	switch (w->order->verb) {
	case RECIPIENTS_LIST:
		return list(w);
	case RECIPIENTS_IMPORT:
		return import(w);
	case RECIPIENTS_EXPORT:
		return export(w);
	case RECIPIENTS_DIFF:
		return diff(w);
	case RECIPIENTS_FORGET:
		return forget(w);
	}
	return 0;
}

int
recipients_run(const struct recipients_order *order, const struct config *conf,
    struct output *o, struct err *e)
{
	struct work w = { .order = order,
		.conf = conf,
		.memory = MEMORY_INIT,
		.o = o,
		.e = e };
	int rc;

	if (spool_act_as_owner(conf->host.state, e) == -1 ||
	    log_open("bmx-queue", conf->host.log, e) == -1)
		return -1;
	rc = memory_open(&w.memory, conf->host.state, e);
	if (rc == -1)
		return -1;
	if (rc == 1) { /* a new one: there is nothing in it yet */
		log_alarm("reason=%s", e->text);
		output_complain(o, e);
	}
	rc = run_verb(&w);
	if (rc == -1 && e->class == ERR_DATA && w.memory.env == NULL)
		log_alarm("reason=%s", e->text);
	memory_close(&w.memory);
	return rc;
}
