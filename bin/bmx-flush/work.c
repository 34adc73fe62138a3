#include "bmx-flush/work.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

int
work_add(struct work *w, const struct spool_entry *entry, struct err *e)
{
	size_t at = w->names.len;

	if (w->n == w->room) {
		size_t room = w->room == 0 ? 1024 : w->room + w->room / 2;
		uint32_t *grown = reallocarray(w->at, room, sizeof *grown);

		if (grown == NULL)
			return err_temp(e, "no memory for %zu messages", room);
		w->at = grown;
		w->room = room;
	}
	buf_add(&w->names, entry->is_new ? "n" : "c", 1);
	buf_add(&w->names, entry->name, strlen(entry->name) + 1);
	if (buf_check(&w->names, e) == -1)
		return err_prefix(e, "%zu messages", w->n);
	w->at[w->n++] = (uint32_t)at;
	w->bytes += entry->size;
	return 0;
}

/* A name begins with the ID, and IDs sort by arrival. */
static int
by_arrival(const void *a, const void *b, void *arg)
{
	const char *names = arg;

	return strcmp(names + *(const uint32_t *)a + 1,
	    names + *(const uint32_t *)b + 1);
}

/* The size stands behind the ID, without leading zeros: the shorter number is
 * the smaller one. */
static int
by_size(const void *a, const void *b, void *arg)
{
	enum { AT = 1 + SPOOL_ID_LEN + sizeof ",S=" - 1 };
	const char *x = (const char *)arg + *(const uint32_t *)a + AT;
	const char *y = (const char *)arg + *(const uint32_t *)b + AT;
	size_t x_len = strcspn(x, ","), y_len = strcspn(y, ",");
	int order;

	if (x_len != y_len)
		return x_len < y_len ? -1 : 1;
	order = memcmp(x, y, x_len);
	return order != 0 ? order : by_arrival(a, b, arg);
}

void
work_sort(struct work *w)
{
	if (w->n > 1)
		qsort_r(w->at, w->n, sizeof *w->at,
		    w->order == WORK_SMALLEST_FIRST ? by_size : by_arrival,
		    w->names.data);
}

/* Something is to be done then. */
static void
note_due(struct work_rest *rest, int64_t when_s)
{
	if (rest->due_s == 0 || when_s < rest->due_s)
		rest->due_s = when_s;
}

static bool
has_hold_ended(const struct spool_entry *entry)
{
	return entry->is_held &&
	       !spool_is_held(entry, clock_wall_us() / 1000000);
}

/* 1: for this run; 0: not; -1. */
static int
is_due(const struct work *w, const struct spool_domain *d,
    const struct spool_entry *entry, int64_t now_s, struct work_rest *rest,
    struct err *e)
{
	int64_t when_s;
	int rc;

	if (has_hold_ended(entry)) {
		rest->ended++;
		return 1;
	}
	if (entry->is_held) {
		if (entry->until_s != 0)
			note_due(rest, entry->until_s);
		rest->held++;
		rest->unwanted += entry->is_unwanted;
		return 0;
	}
	if (entry->is_new || now_s == INT64_MAX)
		return 1;
	rc = spool_next_try(d, entry, &when_s, e);
	if (rc <= 0) /* gone meanwhile: not ours to do */
		return rc;
	if (when_s <= now_s ||
	    (w->wait_max_s > 0 && when_s - now_s > w->wait_max_s))
		return 1;
	rest->later++;
	note_due(rest, when_s);
	return 0;
}

int
work_release(const struct spool_domain *d, struct err *e)
{
	struct spool_entry entry;
	struct spool_list list;
	int rc;

	if (spool_list_open(&list, d, e) == -1)
		return -1;
	while ((rc = spool_list_next(&list, &entry, e)) == 1)
		if (has_hold_ended(&entry) &&
		    (rc = spool_release(d, &entry, e)) == -1)
			break;
	spool_list_close(&list);
	return rc;
}

int
work_collect(struct work *w, const struct spool_domain *d, int64_t now_s,
    struct work_rest *rest, struct err *e)
{
	struct spool_entry entry;
	struct spool_list list;
	int rc;

	if (spool_list_open(&list, d, e) == -1)
		return -1;
	while ((rc = spool_list_next(&list, &entry, e)) == 1) {
		rc = is_due(w, d, &entry, now_s, rest, e);
		if (rc == 1)
			rc = work_add(w, &entry, e);
		if (rc == -1)
			break;
	}
	rest->foreign = list.foreign;
	spool_list_close(&list);
	if (rc == -1)
		return -1;
	work_sort(w);
	return 0;
}

bool
work_next(struct work *w, struct spool_entry *entry)
{
	while (w->next < w->n) {
		const char *name = w->names.data + w->at[w->next++];

		if (spool_parse_name(entry, name + 1, *name == 'n'))
			return true;
	}
	return false;
}

size_t
work_left(const struct work *w)
{
	return w->n - w->next;
}

void
work_free(struct work *w)
{
	buf_free(&w->names);
	free(w->at);
	w->at = NULL;
	w->n = w->room = w->next = 0;
	w->bytes = 0;
}
