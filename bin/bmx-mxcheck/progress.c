#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/clock.h"

static void
wake_up(int signal)
{
	(void)signal;
}

static void
tick_every(long ms)
{
	const struct itimerval every = {
		.it_interval = { .tv_usec = ms * 1000 },
		.it_value = { .tv_usec = ms * 1000 },
	};

	setitimer(ITIMER_REAL, &every, NULL);
}

void
progress_begin(struct progress *p, bool is_wanted)
{
	/* reading names and writing records go on after it */
	const struct sigaction wake = {
		.sa_handler = wake_up,
		.sa_flags = SA_RESTART,
	};

	p->is_wanted = is_wanted;
	p->is_shown = false;
	p->began_ms = clock_monotonic_ms();
	p->next_ms = p->began_ms + PROGRESS_AFTER_MS;
	if (!is_wanted)
		return;
	sigaction(SIGALRM, &wake, NULL);
	tick_every(PROGRESS_EVERY_MS);
}

void
progress_end(struct progress *p)
{
	progress_wipe(p);
	if (p->is_wanted)
		tick_every(0);
}

void
progress_show(struct progress *p, unsigned long done)
{
	int64_t now_ms, elapsed_ms;

	if (!p->is_wanted)
		return;
	now_ms = clock_monotonic_ms();
	if (now_ms < p->next_ms)
		return;
	elapsed_ms = now_ms - p->began_ms;
	p->next_ms = now_ms + PROGRESS_EVERY_MS;
	p->is_shown = true;
	fprintf(stderr, "\r\033[K%lu checked, %" PRId64 "/s, %" PRId64 " s",
	    done, (int64_t)done * 1000 / elapsed_ms, elapsed_ms / 1000);
	fflush(stderr);
}

void
progress_wipe(struct progress *p)
{
	if (!p->is_shown)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	p->is_shown = false;
}
