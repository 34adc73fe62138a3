#include "audit.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "facts_json.h"

#define RECORD_MAX (4 * 1024 * 1024) /* bytes; far above any real one */
#define SESSIONS_WAIT_MS 1000

struct run {
	struct audit *audit;
	struct order order;
	struct order recorded; /* facts; its numbers are those of order */
	struct progress progress;
	struct judgement *judgement; /* of the domain that is being reported */
	struct sender_view view;     /* the same */
	struct buf text;             /* its record */
	struct buf facts;            /* the same facts for --record */
	size_t under_way;
	bool is_at_end; /* of the names */
	bool has_failed;
	struct err *e; /* of the first failure */
	struct collector collector;
};

/* One domain under way. */
struct entry {
	struct run *run;
	uint64_t number; /* of its record */
	struct report_name name;
};

static void
give_up(struct run *r, const struct err *e)
{
	if (!r->has_failed)
		*r->e = *e;
	r->has_failed = true;
}

/* The next record; r->recorded counts in step. */
static uint64_t
begin_record(struct run *r)
{
	if (r->audit->record != NULL)
		order_begin(&r->recorded);
	return order_begin(&r->order);
}

static bool
has_room(const struct run *r)
{
	return order_has_room(&r->order) &&
	       (r->audit->record == NULL || order_has_room(&r->recorded));
}

/* The record is in r->text. */
static void
put_record(struct run *r, uint64_t number, enum verdict v)
{
	struct err e = ERR_INIT;

	if (buf_check(&r->text, &e) == -1 ||
	    order_put(&r->order, number, r->text.data, r->text.len, &e) == -1) {
		give_up(r, &e);
		return;
	}
	r->audit->tally.records++;
	r->audit->tally.verdicts[v]++;
}

/* NULL: not wanted. */
static const struct sender_view *
see(struct run *r, const struct facts *f)
{
	struct audit *a = r->audit;

	if (!a->with_senders)
		return NULL;
	senders_view(f, &a->policy, &a->outage, &r->view);
	return &r->view;
}

static void
report_facts(struct run *r, const struct entry *entry, struct facts *f)
{
	struct audit *a = r->audit;
	const struct roles *roles = roles_for(&a->roles, f->domain);

	if (roles->backup_is_us)
		roles_find_local(f);
	judge(f, roles, &a->policy, r->judgement);
	baseline_apply(&a->baseline, f->domain, r->judgement);
	if (judgement_has(r->judgement, OUTCOME_FAIL, a->fail_on))
		a->has_findings = true;
	if (judgement_has(r->judgement, OUTCOME_UNTESTED, a->fail_on))
		a->is_unsure = true;
	buf_reset(&r->text);
	report_domain(&r->text, &a->style, &entry->name, f, r->judgement,
	    see(r, f), clock_wall_us());
	put_record(r, entry->number, verdict_of(r->judgement));
}

/* f: NULL for a name without facts. */
static void
record_facts(struct run *r, uint64_t number, const struct facts *f)
{
	struct err e = ERR_INIT;

	if (r->audit->record == NULL)
		return;
	buf_reset(&r->facts);
	if (f != NULL)
		facts_to_json(f, &r->facts);
	if (buf_check(&r->facts, &e) == -1 ||
	    order_put(&r->recorded, number, r->facts.data, r->facts.len, &e) ==
		-1)
		give_up(r, &e);
}

/* A sessions_done: all that is to be known is known. */
static void
on_sessions(void *arg, struct facts *f)
{
	struct entry *entry = arg;
	struct run *r = entry->run;

	r->under_way--;
	record_facts(r, entry->number, f);
	report_facts(r, entry, f);
	facts_free(f);
	free(entry);
}

/* A collect_done: DNS has said all it has to say. */
static void
on_facts(void *arg, struct facts *f)
{
	struct entry *entry = arg;
	struct run *r = entry->run;
	struct err e = ERR_INIT;

	if (f != NULL && !sessions_are_wanted(&r->audit->sessions)) {
		on_sessions(entry, f);
	} else if (f == NULL ||
		   sessions_start(&r->audit->sessions, f, entry, &e) == -1) {
		give_up(r, f == NULL ? &r->collector.err : &e);
		r->under_way--;
		free(entry);
	}
}

static void
reject_name(struct run *r, const struct entry *entry, const struct err *why)
{
	char reason[sizeof why->text];

	buf_reset(&r->text);
	report_bad_name(&r->text, &r->audit->style, &entry->name,
	    text_safe(reason, sizeof reason, why->text), clock_wall_us());
	r->audit->is_unsure = true;
	put_record(r, entry->number, VERDICT_BAD_NAME);
}

static void
begin_name(struct run *r, const char *name)
{
	const struct names *from = &r->audit->names;
	struct entry *entry = calloc(1, sizeof *entry);
	char domain[ADDR_DOMAIN_MAX + 1];
	struct err e = ERR_INIT;

	if (entry == NULL) {
		err_temp(&e, "out of memory");
		give_up(r, &e);
		return;
	}
	r->audit->tally.names++;
	entry->run = r;
	entry->number = begin_record(r);
	report_name_set(&entry->name, name, from->rest, from->line_number);
	if (addr_fold_domain(name, strlen(name), domain, &e) == -1) {
		record_facts(r, entry->number, NULL);
		reject_name(r, entry, &e);
	} else if (collect_start(&r->collector, domain, entry) == -1) {
		give_up(r, &r->collector.err);
	} else {
		r->under_way++;
		return;
	}
	free(entry);
}

/*
 * A program that writes a name and waits for its record must not wait for
 * ever: while something is under way, names are only read when there are some.
 * (Of a line that stdio has already in its buffer poll knows nothing; it is
 * read a little later.)
 */
static bool
may_read(const struct run *r)
{
	const struct names *n = &r->audit->names;
	struct pollfd p = { .events = POLLIN };

	if (r->under_way == 0 || *n->args == NULL || strcmp(*n->args, "-") != 0)
		return true;
	p.fd = fileno(n->stream);
	return poll(&p, 1, 0) != 0;
}

/* What is ready goes out before we wait, for names or for answers. */
static void
flush(struct run *r)
{
	struct err e = ERR_INIT;

	progress_wipe(&r->progress);
	if (order_flush(&r->order, &e) == -1)
		give_up(r, &e);
}

/* The last of the facts. */
static void
end_record(struct run *r)
{
	struct err e = ERR_INIT;

	if (r->audit->record != NULL && order_flush(&r->recorded, &e) == -1)
		give_up(r, &e);
}

static void
read_names(struct run *r)
{
	struct err e = ERR_INIT;
	const char *name;

	while (!r->is_at_end && !r->has_failed &&
	       r->under_way < r->audit->jobs && has_room(r) && may_read(r)) {
		int rc;

		if (r->under_way == 0)
			flush(r); /* the next name may be long in coming */
		rc = names_next(&r->audit->names, &name, &e);
		if (rc == 1)
			begin_name(r, name);
		else
			r->is_at_end = true;
		if (rc == -1)
			give_up(r, &e);
	}
}

/* Where sessions are under way too, DNS and they take turns. */
#define TURN_MS 5

static int
wait_for_answers(struct run *r, struct err *e)
{
	struct sessions *s = &r->audit->sessions;
	bool has_questions = dns_outstanding(r->audit->dns) > 0;

	if (s->under_way == 0)
		return dns_run(r->audit->dns, true, e) == -1 ? -1 : 0;
	if (has_questions && dns_run(r->audit->dns, false, e) == -1)
		return -1;
	return sessions_poll(s, has_questions ? TURN_MS : SESSIONS_WAIT_MS, e);
}

static void
run(struct run *r)
{
	while (r->under_way > 0 || (!r->is_at_end && !r->has_failed)) {
		struct err e = ERR_INIT;

		read_names(r);
		flush(r);
		progress_show(&r->progress, r->audit->tally.records);
		if (r->under_way > 0 && wait_for_answers(r, &e) == -1) {
			give_up(r, &e);
			return;
		}
	}
	flush(r);
}

/* One line of facts instead of a name and the answers about it. */
static int
replay_line(struct run *r, struct err *e)
{
	const struct jsonl *lines = r->audit->replay;
	struct entry entry = { .run = r };
	struct facts f;

	if (facts_from_json(&f, lines->text.data, lines->text.len, e) == -1)
		return jsonl_blame(lines, e);
	if (r->audit->assume.n > 0 && lookup_is_definite(&f.mx) &&
	    assume_apply(&r->audit->assume, &f, e) == -1) {
		facts_free(&f);
		return -1;
	}
	r->audit->tally.names++;
	entry.number = begin_record(r);
	report_name_set(&entry.name, f.domain, "", lines->line);
	record_facts(r, entry.number, &f);
	report_facts(r, &entry, &f);
	facts_free(&f);
	return 0;
}

static void
replay(struct run *r)
{
	struct err e = ERR_INIT;
	int rc;

	while (!r->has_failed && (rc = jsonl_next(r->audit->replay, &e)) != 0) {
		if (rc == -1 || replay_line(r, &e) == -1)
			give_up(r, &e);
		progress_show(&r->progress, r->audit->tally.records);
	}
	flush(r);
}

int
audit_run(struct audit *a, struct err *e)
{
	struct run r = {
		.audit = a,
		.order = ORDER_INIT(STDOUT_FILENO, "standard output"),
		.recorded = ORDER_INIT(-1, NULL),
		.text = BUF_INIT(RECORD_MAX),
		.facts = BUF_INIT(FACTS_JSON_MAX),
		.collector = {
			.dns = a->dns,
			.question_ms = a->question_ms,
			.ignored = a->unasked,
			.assume = a->assume.n > 0 ? &a->assume : NULL,
			.dnsbl = a->dnsbl,
			.ndnsbl = a->ndnsbl,
			.ns_port = a->ns_port,
			.done = on_facts,
		},
		.e = e,
	};

	r.judgement = malloc(sizeof *r.judgement);
	if (r.judgement == NULL || order_open(&r.order, e) == -1 ||
	    order_open(&r.recorded, e) == -1) {
		order_close(&r.order);
		free(r.judgement);
		return err_temp(e, "out of memory");
	}
	if (a->record != NULL) {
		r.recorded.fd = a->record->fd;
		r.recorded.name = a->record->path;
	}
	r.order.is_unordered = r.recorded.is_unordered = a->is_unordered;
	a->sessions.ignored = a->policy.ignored;
	a->sessions.done = on_sessions;
	sessions_open(&a->sessions);
	progress_begin(&r.progress, a->show_progress);
	if (a->replay != NULL)
		replay(&r);
	else
		run(&r);
	end_record(&r);
	sessions_close(&a->sessions);
	progress_end(&r.progress);
	buf_free(&r.text);
	buf_free(&r.facts);
	order_close(&r.order);
	order_close(&r.recorded);
	free(r.judgement);
	return r.has_failed ? -1 : 0;
}
