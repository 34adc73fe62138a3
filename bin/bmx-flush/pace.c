#include "bmx-flush/pace.h"

/* An idle time is not saved up for a burst beyond this. */
#define CREDIT_US 100000

#define WAIT_MAX_US 86400e6 /* a day, whatever a message weighs */

void
pace_begin(struct pace *p, const struct pace_limits *limits)
{
	*p = (struct pace){ .limits = *limits, .window = 1 };
}

/* A smoothed mean, 1/8 of the difference each time. True: this one was slow. */
static bool
is_slow(struct pace *p, int64_t wait_ms)
{
	int64_t usual_us = p->usual_us;

	p->usual_us = usual_us == 0
			  ? wait_ms * 1000 + 1
			  : usual_us + (wait_ms * 1000 - usual_us) / 8;
	return usual_us > 0 && wait_ms >= PACE_SLOW_MS &&
	       wait_ms * 1000 > PACE_SLOW_FACTOR * usual_us;
}

static void
halve(struct pace *p, unsigned under_way)
{
	p->window = p->window > 1 ? p->window / 2 : 1;
	p->was_halved = true;
	p->good = 0;
	p->ignored = under_way;
}

void
pace_result(struct pace *p, enum pace_event event, int64_t wait_ms,
    unsigned under_way)
{
	if (event == PACE_GOOD && is_slow(p, wait_ms))
		event = PACE_BAD;
	if (p->ignored > 0) {
		p->ignored--;
		return;
	}
	if (event == PACE_BAD)
		halve(p, under_way);
	if (event != PACE_GOOD)
		return;
	p->good++;
	if ((p->was_halved && p->good < PACE_GROWTH * p->window) ||
	    p->window >= p->limits.connections)
		return;
	p->window++;
	p->good = 0;
}

int64_t
pace_wait_ms(const struct pace *p, int64_t now_ms)
{
	int64_t wait_us = p->next_us - now_ms * 1000;

	return wait_us <= 0 ? 0 : (wait_us + 999) / 1000;
}

void
pace_sent(struct pace *p, uint64_t bytes, int64_t now_ms)
{
	int64_t earliest_us = now_ms * 1000 - CREDIT_US;
	double by_rate_us = 0, by_bytes_us = 0, us;

	if (p->limits.rate > 0)
		by_rate_us = 1e6 / p->limits.rate;
	if (p->limits.bytes_per_second > 0)
		by_bytes_us =
		    (double)bytes * 1e6 / (double)p->limits.bytes_per_second;
	us = by_rate_us > by_bytes_us ? by_rate_us : by_bytes_us;
	if (p->next_us < earliest_us)
		p->next_us = earliest_us;
	p->next_us += (int64_t)(us < WAIT_MAX_US ? us : WAIT_MAX_US);
}

int64_t
pace_reopen_ms(unsigned lost)
{
	int64_t wait_ms = PACE_REOPEN_MS;

	if (lost <= 1)
		return 0;
	for (unsigned i = 2; i < lost && wait_ms < PACE_REOPEN_MAX_MS; i++)
		wait_ms *= 2;
	return wait_ms < PACE_REOPEN_MAX_MS ? wait_ms : PACE_REOPEN_MAX_MS;
}
