#include "bmx-probe/seen.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define ENTRIES_MAX 4096 /* sessions remembered */

struct seen_entry {
	struct seen_entry *next;
	bool is_busy, is_shared;
	enum config_tls level;
	int64_t time_ms; /* that it has, for its longest wait */
	struct probe_address address;
};

int
seen_open(struct seen *s, struct err *e)
{
	pthread_condattr_t monotonic;
	int rc = 0;

	*s = (struct seen){ .first = NULL };
	if (pthread_condattr_init(&monotonic) != 0)
		return err_temp(e, "threads: no memory");
	if (pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) != 0 ||
	    pthread_cond_init(&s->changed, &monotonic) != 0)
		rc = err_temp(e, "threads: no memory");
	pthread_condattr_destroy(&monotonic);
	if (rc == 0)
		pthread_mutex_init(&s->lock, NULL);
	return rc;
}

void
seen_close(struct seen *s)
{
	while (s->first != NULL) {
		struct seen_entry *next = s->first->next;

		free(s->first);
		s->first = next;
	}
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
}

static int64_t
time_of(const struct seen_want *want)
{
	int64_t left_ms = clock_left_ms(want->deadline_ms);

	return want->wait_ms < left_ms ? want->wait_ms : left_ms;
}

/* Is it as good as one of our own, or will it be? */
static bool
is_same(const struct seen_entry *i, const struct probe_address *a,
    const struct seen_want *want)
{
	return want->is_shared && i->is_shared && i->level == want->level &&
	       strcmp(i->address.host, a->host) == 0 &&
	       (i->is_busy || !i->address.is_late ||
		   time_of(want) <= i->time_ms + SEEN_SLACK_MS);
}

/* The entry that has to be waited for, or that answers; NULL: none. */
static const struct seen_entry *
find(const struct seen *s, const struct probe_address *a,
    const struct seen_want *want)
{
	const struct seen_entry *busy = NULL;

	for (const struct seen_entry *i = s->first; i != NULL; i = i->next) {
		if (strcmp(i->address.address, a->address) != 0)
			continue;
		if (is_same(i, a, want))
			return i;
		if (i->is_busy)
			busy = i;
	}
	return busy;
}

static struct seen_entry *
add(struct seen *s, const struct probe_address *a, const struct seen_want *want)
{
	struct seen_entry *entry = calloc(1, sizeof *entry);

	if (entry == NULL)
		return NULL;
	entry->is_busy = true;
	entry->is_shared = want->is_shared && s->n < ENTRIES_MAX;
	entry->level = want->level;
	entry->time_ms = time_of(want);
	entry->address = *a;
	entry->next = s->first;
	s->first = entry;
	s->n++;
	return entry;
}

static struct timespec
as_timespec(int64_t ms)
{
	return (struct timespec){ ms / 1000, (long)(ms % 1000) * 1000000 };
}

enum seen_turn
seen_begin(struct seen *s, struct probe_address *a,
    const struct seen_want *want, struct seen_entry **ticket)
{
	const struct timespec until = as_timespec(want->deadline_ms);
	enum seen_turn turn = SEEN_OURS;
	const struct seen_entry *other;

	pthread_mutex_lock(&s->lock);
	while ((other = find(s, a, want)) != NULL) {
		bool is_equal = is_same(other, a, want);

		if (is_equal && !other->is_busy) {
			*a = other->address;
			turn = SEEN_KNOWN;
			break;
		}
		if (is_equal)
			pthread_cond_wait(&s->changed, &s->lock);
		else if (clock_left_ms(want->deadline_ms) > 0)
			pthread_cond_timedwait(&s->changed, &s->lock, &until);
		else {
			turn = SEEN_LATE;
			break;
		}
	}
	/* without memory for a ticket others may come at the same time */
	*ticket = turn == SEEN_OURS ? add(s, a, want) : NULL;
	pthread_mutex_unlock(&s->lock);
	return turn;
}

static void
drop(struct seen *s, struct seen_entry *entry)
{
	struct seen_entry **at = &s->first;

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	free(entry);
	s->n--;
}

void
seen_done(struct seen *s, struct seen_entry *ticket,
    const struct probe_address *a)
{
	if (ticket == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	ticket->address = *a;
	ticket->is_busy = false;
	if (!ticket->is_shared)
		drop(s, ticket);
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}
