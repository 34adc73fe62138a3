#include "bmx-queue/watch.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "bmx-queue/census.h"
#include "bmx-queue/jline.h"

#define TICK_MS 1000
#define ROWS_LEFT 4 /* of the screen: head, sum, help, cursor */

struct screen {
	struct output *o;
	bool has_keys; /* stdin is a terminal too, without echo */
	struct termios before;
	int signals; /* signalfd */
	struct counts last;
	int64_t last_us; /* 0: there was none */
};

/* ---- the terminal ---- */

static int
open_screen(struct screen *w, struct err *e)
{
	struct termios raw;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (w->signals == -1)
		return err_sys(e, "signalfd");
	w->has_keys = w->o->form == OUTPUT_TABLE &&
		      tcgetattr(STDIN_FILENO, &w->before) == 0;
	if (!w->has_keys)
		return 0;
	raw = w->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	return 0;
}

static void
close_screen(struct screen *w)
{
	if (w->has_keys)
		tcsetattr(STDIN_FILENO, TCSANOW, &w->before);
	if (w->signals != -1)
		close(w->signals);
}

/* A tick has passed; false: it is to end. */
static bool
wait_tick(const struct screen *w)
{
	int64_t until_ms = clock_monotonic_ms() + TICK_MS;
	int left_ms;

	while ((left_ms = clock_left_ms(until_ms)) > 0) {
		struct pollfd fds[] = {
			{ .fd = w->signals, .events = POLLIN },
			{ .fd = w->has_keys ? STDIN_FILENO : -1,
			    .events = POLLIN },
		};
		char key;

		if (poll(fds, 2, left_ms) == -1)
			return false;
		if (fds[0].revents != 0)
			return false;
		if (fds[1].revents != 0 && (read(STDIN_FILENO, &key, 1) != 1 ||
					       key == 'q' || key == 'Q'))
			return false;
	}
	return true;
}

static size_t
screen_rows(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == -1 ||
	    size.ws_row <= ROWS_LEFT + 1)
		return 20;
	return size.ws_row - ROWS_LEFT;
}

/* ---- what it shows ---- */

/* How many more in a second, since the last time. */
static double
rate(const struct screen *w, const struct counts *c)
{
	double seconds = (double)(w->o->now_us - w->last_us) / 1000000;

	if (w->last_us == 0 || seconds <= 0)
		return 0;
	return ((double)c->messages - (double)w->last.messages) / seconds;
}

static int
print_line(const struct screen *w, const struct counts *c, struct err *e)
{
	char at[CLOCK_RFC3339_MAX];
	struct jline j = JLINE_INIT;
	int rc;

	if (w->o->form != OUTPUT_JSON) {
		fprintf(w->o->data,
		    "%s\t%zu\t%zu\t%zu\t%zu\t%" PRIu64 "\t%+.1f\n",
		    clock_rfc3339(at, w->o->now_us), c->messages, c->new,
		    c->deferred, c->held, c->bytes, rate(w, c));
		return 0;
	}
	jline_open(&j, NULL, '{');
	jline_time(&j, "time", w->o->now_us);
	counts_json(&j, c);
	jline_close(&j, '}');
	rc = jline_print(&j, w->o, e);
	jline_free(&j);
	return rc;
}

static void
print_row(struct output *o, const struct counts *c, const char *name)
{
	char age[OUTPUT_WORD], size[OUTPUT_WORD];

	fprintf(o->data, "%8zu %8zu %8zu %8zu %6s %7s %s\n", c->messages,
	    c->new, c->deferred, c->held, output_size(o, c->bytes, size),
	    c->messages == 0 ? "-" : output_age(o, c->oldest_us, age), name);
}

/* The one with the most messages of those that were not shown; its count is
 * taken away. False: none has any. */
static bool
take_largest(struct counts *all, size_t n, size_t *which)
{
	*which = n;
	for (size_t i = 0; i < n; i++)
		if (all[i].messages > 0 &&
		    (*which == n || all[i].messages > all[*which].messages))
			*which = i;
	return *which < n;
}

static void
print_screen(const struct screen *w, const struct select *s, struct counts *all,
    const struct counts *sum)
{
	struct output *o = w->o;
	char name[64];
	size_t which;

	fprintf(o->data, "\033[H\033[J%8s %8s %8s %8s %6s %7s DOMAIN\n",
	    "MESSAGES", "NEW", "DEFERRED", "HELD", "SIZE", "OLDEST");
	for (size_t row = 0;
	     row < screen_rows() && take_largest(all, s->ndomains, &which);
	     row++) {
		print_row(o, &all[which], s->domains[which]);
		all[which].messages = 0;
	}
	snprintf(name, sizeof name, "(all) %+.1f/s", rate(w, sum));
	print_row(o, sum, name);
	fputs("q ends\n", o->data);
}

static int
show(struct screen *w, struct select *s, const struct spool *sp, struct err *e)
{
	struct counts *all, sum = { 0 };
	int rc = 0;

	w->o->now_us = clock_wall_us();
	all = census(s, sp, w->o, e);
	if (all == NULL)
		return -1;
	for (size_t i = 0; i < s->ndomains; i++)
		counts_sum(&sum, &all[i]);
	if (w->o->form == OUTPUT_TABLE)
		print_screen(w, s, all, &sum);
	else
		rc = print_line(w, &sum, e);
	free(all);
	w->last = sum;
	w->last_us = w->o->now_us;
	return rc;
}

int
watch(unsigned times, struct select *s, const struct spool *sp,
    struct output *o, struct err *e)
{
	struct screen w = { .o = o, .signals = -1 };
	int rc = open_screen(&w, e);

	for (unsigned i = 0; rc == 0; i++) {
		/* a new domain may have come */
		rc = select_domains(s, sp, e);
		if (rc == 0)
			rc = show(&w, s, sp, e);
		if (fflush(o->data) != 0 || (times > 0 && i + 1 >= times) ||
		    rc != 0 || !wait_tick(&w))
			break;
	}
	close_screen(&w);
	return rc;
}
