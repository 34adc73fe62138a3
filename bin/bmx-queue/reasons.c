#include "bmx-queue/reasons.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static int64_t
now_s(const struct output *o)
{
	return o->now_us / 1000000;
}

/* The next reason, and where what would change it goes. */
static char *add(struct reasons *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static char *
add(struct reasons *r, const char *fmt, ...)
{
	size_t i = r->n < REASONS_MAX ? r->n++ : REASONS_MAX - 1;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->why[i], sizeof r->why[i], fmt, ap);
	va_end(ap);
	r->change[i][0] = '\0';
	return r->change[i];
}

#define CHANGE_MAX sizeof(((struct reasons *)0)->change[0])

static const char *
short_time(char room[CLOCK_RFC3339_MAX], int64_t seconds)
{
	clock_rfc3339(room, seconds * 1000000);
	strcpy(room + sizeof "YYYY-MM-DDTHH:MM:SS" - 1, "Z");
	return room;
}

/* ---- the domain ---- */

static void
add_pause(struct reasons *r, const char *name, const struct paused *p)
{
	char since[CLOCK_RFC3339_MAX], until[CLOCK_RFC3339_MAX];
	char *change;

	if (p->since_s == 0) /* it has one where it can be read */
		change = add(r,
		    "%s is paused: its file is there, and cannot be read",
		    name);
	else
		change = add(r, "%s is paused since %s%s%s by user %lu%s%s",
		    name, short_time(since, p->since_s),
		    p->until_s == 0 ? "" : " until ",
		    p->until_s == 0 ? "" : short_time(until, p->until_s),
		    (unsigned long)p->uid, p->reason[0] == '\0' ? "" : ": ",
		    p->reason);

	snprintf(change, CHANGE_MAX, "bmx-queue resume %s", name);
}

static void
add_primary(struct reasons *r, const struct output *o, const char *name,
    const struct config_domain *domain, const struct primary *p)
{
	char since[16], looked[16];
	char *change;

	clock_span(since, now_s(o) - p->since_s);
	clock_span(looked, now_s(o) - p->probed_s);
	if (p->probed_s == 0 || p->verdict == PRIMARY_UNKNOWN)
		change = add(r,
		    "nobody has looked yet whether the primary of "
		    "%s is up",
		    name);
	else if (p->probed_s < now_s(o) - (int64_t)domain->state_age_s)
		change = add(r,
		    "nobody has looked for %s whether the primary of %s is up "
		    "(it was %s)",
		    looked, name, primary_verdict_name(p->verdict));
	else if (p->verdict != PRIMARY_UP)
		change =
		    add(r, "the primary of %s is %s for %s, as of %s ago%s%s",
			name, primary_verdict_name(p->verdict), since, looked,
			p->reason[0] == '\0' ? "" : ": ", p->reason);
	else
		return;
	snprintf(change, CHANGE_MAX, "bmx-probe %s", name);
}

void
reasons_of_domain(struct reasons *r, const struct output *o,
    const struct detail_domain *known, const struct config_domain *domain)
{
	r->n = 0;
	if (known->is_paused)
		add_pause(r, known->name, &known->paused);
	if (domain == NULL) {
		add(r,
		    "%s is not in bmx.conf: only notices to senders go there",
		    known->name);
		return;
	}
	if (known->has_primary)
		add_primary(r, o, known->name, domain, &known->primary);
}

/* ---- the message ---- */

static void
add_hold(struct reasons *r, const struct detail *m)
{
	const char *why = m->journal.hold;
	char until[CLOCK_RFC3339_MAX];
	char *change = add(r, "it is held%s%s%s%s%s",
	    detail_is_apart(m)
		? " apart, for recipients that turned out not to exist"
		: "",
	    m->entry.until_s == 0 ? "" : " until ",
	    m->entry.until_s == 0 ? "" : short_time(until, m->entry.until_s),
	    why[0] == '\0' ? "" : ": ", why);

	snprintf(change, CHANGE_MAX, "bmx-queue release %s/%s", m->d->name,
	    m->entry.id);
}

static void
add_last_try(struct reasons *r, const struct output *o, const struct detail *m)
{
	const struct journal *j = &m->journal;
	char ago[16];

	if (j->tried_us == 0)
		return;
	add(r, "it was last tried %s ago%s%.80s: %s",
	    clock_span(ago, now_s(o) - j->tried_us / 1000000),
	    j->peer[0] == '\0' ? "" : " at ", j->peer, j->reply);
}

/* Of what waits in a domain that is not in bmx.conf bmx-flush takes notices of
 * our own alone. */
static bool
is_left_alone(const struct detail *m)
{
	return m->f.fd != -1 && m->f.env.notice == NULL &&
	       config_find(m->conf, m->d->name) == NULL;
}

static void
add_turn(struct reasons *r, const struct output *o, const struct detail *m)
{
	char wait[16], at[CLOCK_RFC3339_MAX];
	char *change;

	if (is_left_alone(m)) {
		change = add(r, "it is no notice: bmx-flush leaves it alone");
		snprintf(change, CHANGE_MAX,
		    "a section of its own in bmx.conf; bmx-queue bounce %s/%s",
		    m->d->name, m->entry.id);
		return;
	}
	if (m->next_s > now_s(o)) {
		change = add(r, "it is tried next in %s, at %s",
		    clock_span(wait, m->next_s - now_s(o)),
		    short_time(at, m->next_s));
		snprintf(change, CHANGE_MAX, "bmx-queue retry %s/%s",
		    m->d->name, m->entry.id);
		return;
	}
	change = add(r, m->entry.is_new ? "it was not tried yet, and waits "
					  "for the next run of bmx-flush"
					: "it is due, and waits for the next "
					  "run of bmx-flush");
	snprintf(change, CHANGE_MAX, "bmx-flush %s", m->d->name);
}

void
reasons_of_message(struct reasons *r, const struct output *o,
    const struct detail *m)
{
	if (m->f.fd == -1) {
		char *change = add(r, "its file cannot be read");

		snprintf(change, CHANGE_MAX, "bmx-queue fsck %s", m->d->name);
	}
	if (output_is_held(o, &m->entry))
		add_hold(r, m);
	add_last_try(r, o, m);
	if (!output_is_held(o, &m->entry))
		add_turn(r, o, m);
}
