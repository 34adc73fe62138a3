#include "bmx-flush/watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "mail/addr.h"
#include "spool/paused.h"

/* Two changes so near to each other may bear the same time. */
#define SAME_TIME_S 2

/* The time of DOMAIN/sub; 0 when it is not there. */
static struct timespec
changed_at(const struct spool *spool, const char *domain, const char *sub)
{
	struct timespec never = { 0, 0 };
	char path[ADDR_DOMAIN_MAX + 8];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", domain, sub);
	return fstatat(spool->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1
		   ? never
		   : st.st_mtim;
}

/* Has it changed since we looked, or so shortly before that its time does not
 * tell? */
static bool
is_news(const struct timespec *now, const struct timespec *then,
    int64_t looked_s)
{
	return now->tv_sec != then->tv_sec || now->tv_nsec != then->tv_nsec ||
	       (now->tv_sec != 0 && now->tv_sec + SAME_TIME_S >= looked_s);
}

static bool
is_still_paused(const struct spool *spool, const char *domain, int64_t now_s)
{
	struct spool_domain d = SPOOL_DOMAIN_INIT;
	struct paused paused;
	struct err ignored = ERR_INIT; /* who drains it tells */
	bool is = spool_domain_open(&d, spool, domain, false, &ignored) == 1 &&
		  paused_read(d.fd, now_s, &paused, &ignored) != 0;

	spool_domain_close(&d);
	return is;
}

bool
watch_is_due(struct watch *w, const struct spool *spool, const char *domain)
{
	int64_t now_s = clock_wall_us() / 1000000;
	struct timespec in_new, in_cur;
	bool is_due;

	if (clock_monotonic_ms() < w->not_before_ms ||
	    (w->is_paused && is_still_paused(spool, domain, now_s)))
		return false;
	in_new = changed_at(spool, domain, "new");
	in_cur = changed_at(spool, domain, "cur");
	is_due = w->is_unfinished || w->looked_s == 0 ||
		 (w->due_s != 0 && w->due_s <= now_s) ||
		 is_news(&in_new, &w->new_changed, w->looked_s) ||
		 is_news(&in_cur, &w->cur_changed, w->looked_s);
	if (is_due) {
		w->new_changed = in_new;
		w->cur_changed = in_cur;
		w->looked_s = now_s;
	}
	return is_due;
}

void
watch_ran(struct watch *w, const struct drain_report *r, bool failed)
{
	w->is_unfinished =
	    failed || (r->end != DRAIN_DONE && r->end != DRAIN_NOTHING);
	w->is_paused = r->end == DRAIN_PAUSED;
	w->due_s = r->due_s;
	w->not_before_ms = clock_monotonic_ms() +
			   (!w->is_unfinished || w->is_paused ? WATCH_TICK_MS
			       : r->delivered > 0             ? WATCH_SOON_MS
							      : WATCH_AGAIN_MS);
}
