#include "spool/lifetime.h"

#include "spool/history.h"

static int64_t
not_less_than_0(int64_t span_s)
{
	return span_s < 0 ? 0 : span_s;
}

/* Of the time since the message came, that it was not held. A state file that
 * was lost began again at 0: then the message is younger than it is, never
 * older. */
static int64_t
lived_s(int64_t now_s, int64_t came_s, int64_t held_s)
{
	return not_less_than_0(not_less_than_0(now_s - came_s) - held_s);
}

struct lifetime
lifetime_by_clock(const struct envelope *env, const struct primary *p,
    int64_t held_s)
{
	return (struct lifetime){
		.up_s = lived_s(p->up_s, env->up_s, held_s),
		.all_s = lived_s(p->all_s, env->all_s, held_s),
	};
}

void
lifetime_stamp(struct envelope *env, int domain_fd)
{
	struct primary p;
	struct err ignored;

	env->has_clock = primary_read(domain_fd, 0, 0, &p, &ignored) != -1;
	env->up_s = p.up_s;
	env->all_s = p.all_s;
}

int
lifetime_of(struct lifetime *l, int domain_fd, const struct envelope *env,
    const struct spool_entry *entry, int64_t now_s, struct err *e)
{
	int64_t arrival_s = entry->arrival_us / 1000000, up_s;
	struct primary p;

	if (env->has_clock) {
		if (primary_read(domain_fd, now_s, 0, &p, e) == -1)
			return -1;
		*l = lifetime_by_clock(env, &p, entry->held_s);
		return 0;
	}
	if (history_up_seconds(domain_fd, arrival_s, now_s, &up_s, e) == -1)
		return -1;
	l->up_s = not_less_than_0(up_s - entry->held_s);
	l->all_s = lived_s(now_s, arrival_s, entry->held_s);
	return 0;
}

static bool
is_over(int64_t age_s, unsigned max_s)
{
	return max_s > 0 && age_s >= (int64_t)max_s;
}

bool
lifetime_is_over(const struct lifetime *l, const struct config_domain *domain)
{
	return is_over(l->up_s, domain->lifetime_s) ||
	       is_over(l->all_s, domain->lifetime_max_s);
}

int64_t
lifetime_left_s(const struct lifetime *l, const struct config_domain *domain)
{
	int64_t left_s = -1, cap_s;

	if (domain->lifetime_s > 0)
		left_s = not_less_than_0((int64_t)domain->lifetime_s - l->up_s);
	if (domain->lifetime_max_s == 0)
		return left_s;
	cap_s = not_less_than_0((int64_t)domain->lifetime_max_s - l->all_s);
	return left_s == -1 || cap_s < left_s ? cap_s : left_s;
}

bool
lifetime_may_be_over(const struct spool_entry *entry,
    const struct config_domain *domain, int64_t now_s)
{
	int64_t age_s = now_s - entry->arrival_us / 1000000;

	return is_over(age_s, domain->lifetime_s) ||
	       is_over(age_s, domain->lifetime_max_s);
}

bool
lifetime_unwanted_is_over(const struct lifetime *l,
    const struct config_domain *domain)
{
	return is_over(l->up_s, domain->unverified_lifetime_s);
}

int64_t
lifetime_unwanted_left_s(const struct lifetime *l,
    const struct config_domain *domain)
{
	if (domain->unverified_lifetime_s == 0)
		return -1;
	return not_less_than_0((int64_t)domain->unverified_lifetime_s -
			       l->up_s);
}
