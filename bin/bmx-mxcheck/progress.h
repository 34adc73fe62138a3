#ifndef BMX_MXCHECK_PROGRESS_H
#define BMX_MXCHECK_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One line on the terminal behind stderr that says how far a long list is. It
 * appears after PROGRESS_AFTER_MS and is wiped before anything else is
 * printed.
 */
#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 200

struct progress {
	bool is_wanted; /* stderr is a terminal, no NO_COLOR, not --quiet */
	bool is_shown;
	int64_t began_ms, next_ms; /* CLOCK_MONOTONIC */
};

/* While it is wanted SIGALRM comes every PROGRESS_EVERY_MS, so that a wait for
 * answers does not stop it: poll(2) ends with EINTR. */
void progress_begin(struct progress *p, bool is_wanted);
void progress_end(struct progress *p);

/* Show or renew it, if it is time. */
void progress_show(struct progress *p, unsigned long done);

void progress_wipe(struct progress *p);

#endif
