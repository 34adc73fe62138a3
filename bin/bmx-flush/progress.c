#include "bmx-flush/progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define REDRAW_MS 200
#define BAR_WIDTH 20

char *
progress_line(char *out, const struct progress *p, int64_t elapsed_ms)
{
	static const char full[] = "####################";
	static const char empty[] = "....................";
	char left[32] = "";
	unsigned long done = p->done > p->total ? p->total : p->done;
	int filled = p->total == 0
			 ? BAR_WIDTH
			 : (int)((double)done / (double)p->total * BAR_WIDTH);
	double rate =
	    elapsed_ms <= 0 ? 0 : (double)p->done * 1000 / (double)elapsed_ms;

	if (rate > 0) {
		char span[16];

		snprintf(left, sizeof left, ", %s left",
		    clock_span(span,
			(int64_t)((double)(p->total - done) / rate)));
	}
	snprintf(out, PROGRESS_LINE_MAX, "%.60s [%.*s%.*s] %lu/%lu %.*f/s%s",
	    p->label, filled, full, BAR_WIDTH - filled, empty, p->done,
	    p->total, rate < 10 ? 1 : 0, rate, left);
	return out;
}

static void
draw(struct progress *p, int64_t now_ms)
{
	char line[PROGRESS_LINE_MAX];
	int width = (int)strlen(progress_line(line, p, now_ms - p->started_ms));

	/* blanks over what a longer line left */
	fprintf(p->out, "\r%s%*s", line,
	    p->width > width ? p->width - width : 0, "");
	fflush(p->out);
	p->width = width;
	p->shown_ms = now_ms;
}

void
progress_begin(struct progress *p, FILE *out, const char *label,
    unsigned long total)
{
	const char *no_color = getenv("NO_COLOR");

	p->out = isatty(fileno(out)) && (no_color == NULL || *no_color == '\0')
		     ? out
		     : NULL;
	p->label = label;
	p->total = total;
	p->done = 0;
	p->width = 0;
	p->started_ms = p->shown_ms = clock_monotonic_ms();
	if (p->out != NULL)
		draw(p, p->started_ms);
}

void
progress_step(struct progress *p)
{
	int64_t now_ms;

	p->done++;
	if (p->out == NULL)
		return;
	now_ms = clock_monotonic_ms();
	if (now_ms - p->shown_ms >= REDRAW_MS || p->done == p->total)
		draw(p, now_ms);
}

void
progress_end(struct progress *p)
{
	if (p->out == NULL)
		return;
	fprintf(p->out, "\r%*s\r", p->width, "");
	fflush(p->out);
	p->out = NULL;
}
