#include "bmx-flush/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "net/sandbox.h"
#include "smtp/client.h"
#include "smtp/learn.h"

/* ---- in the worker ---- */

/* The session under way. */
struct shift {
	int fd;
	struct delivery delivery; /* its client is below */
	struct client client;
	const struct client_params *params;
	const struct policy_hop *hops;
	size_t nhops;
	struct memory_notes notes;
	struct deliver_message ahead; /* opened while another was under way */
	bool has_ahead;
};

static int
tell(const struct shift *s, const struct worker_report *report)
{
	ssize_t n;

	do
		n = send(s->fd, report, sizeof *report, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

/* RFC 5321 4.2.1: it answered, and said "later". */
static bool
is_deferring(const struct client *c)
{
	return c->reply.code / 100 == 4;
}

/* By TLSA records or MTA-STS this session may not be; a policy that is being
 * tested forbids none. */
static bool
is_policy_unmet(const struct policy_hop *hop, const struct client *c)
{
	return c->tls_result != TLS_OK && hop->source != POLICY_NONE &&
	       (hop->result != TLS_OK || hop->tls.level != CONFIG_TLS_MAY);
}

/* It greets us by our own name: we would talk to ourselves (D9). */
static bool
is_loop(const struct client *c, const struct err *e)
{
	return e->class == ERR_PERM && smtp_reply_ok(&c->reply);
}

static void
describe_session(const struct shift *s, struct worker_report *report)
{
	report->event = WORKER_OPEN;
	snprintf(report->peer, sizeof report->peer, "%s", s->client.peer);
	report->plain = s->client.plain;
	report->in_tls = *conn_tls_text(s->client.conn) != '\0';
	report->is_authenticated = s->client.is_authenticated;
	if (report->in_tls)
		report->secured = s->client.offer;
}

/* A session with an address that gives one: from first on, then those before
 * it. */
static void
open_session(struct shift *s, size_t first, struct worker_report *report)
{
	char peer[ENDPOINT_TEXT_MAX];

	report->event = WORKER_NO_SESSION;
	report->verdict = PRIMARY_DOWN;
	for (size_t n = 0; n < s->nhops; n++) {
		size_t i = (first + n) % s->nhops;

		if (*s->delivery.stop) {
			report->event = WORKER_STOPPED;
			return;
		}
		s->client = (struct client)CLIENT_INIT;
		report->address = i;
		if (policy_session(&s->hops[i], &s->client, s->params,
			&report->why) == 0) {
			s->delivery.hop = &s->hops[i];
			describe_session(s, report);
			return;
		}
		if (report->why.class == ERR_CONFIG) {
			/* ours, such as a missing module: it says nothing
			 * about the primary */
			report->event = WORKER_TROUBLE;
			return;
		}
		endpoint_text(&s->hops[i].to->ep, peer);
		if (is_deferring(&s->client))
			report->verdict = PRIMARY_DEFERRING;
		if (is_policy_unmet(&s->hops[i], &s->client))
			report->is_policy_unmet = true;
		client_abort(&s->client);
		if (is_loop(&s->client, &report->why)) {
			report->event = WORKER_LOOP;
			snprintf(report->peer, sizeof report->peer, "%s", peer);
			return;
		}
		log_warn("domain=%s peer=%s no session: %s",
		    s->delivery.domain->name, peer, report->why.text);
	}
	if (*s->delivery.stop)
		report->event = WORKER_STOPPED;
}

/* An order, its message opened: 1. 0: there is none. -1: a signal came. */
static int
take_order(const struct shift *s, struct deliver_message *m, int flags)
{
	struct worker_order order;
	ssize_t n = recv(s->fd, &order, sizeof order, flags);

	if (n != (ssize_t)sizeof order)
		return n == -1 && errno == EINTR ? -1 : 0;
	*m = (struct deliver_message){ .is_again = order.is_again };
	if (!spool_parse_name(&m->entry, order.name, order.is_new))
		m->opened =
		    err_temp(&m->why, "no message name: %s", order.name);
	else
		deliver_open(&s->delivery, m);
	return 1;
}

/* The time while a reply is awaited. */
static void
look_ahead(void *arg)
{
	struct shift *s = arg;

	if (!s->has_ahead)
		s->has_ahead = take_order(s, &s->ahead, MSG_DONTWAIT) == 1;
}

/* The next message. False: there are no more. */
static bool
listen_for(struct shift *s, struct deliver_message *m)
{
	int rc;

	if (s->has_ahead) {
		*m = s->ahead;
		s->has_ahead = false;
		return !*s->delivery.stop;
	}
	do {
		if (*s->delivery.stop)
			return false;
		rc = take_order(s, m, 0);
	} while (rc == -1);
	return rc == 1;
}

static void
deliver(struct shift *s, struct deliver_message *m,
    struct worker_report *report)
{
	report->event = WORKER_RESULT;
	if (deliver_message(&s->delivery, m, &report->result, &report->why) ==
	    -1)
		report->event = WORKER_TROUBLE;
	if (report->result.is_session_over)
		client_abort(&s->client);
}

static void
work(struct shift *s, size_t first)
{
	struct worker_report report;
	struct deliver_message m;
	bool goes_on;

	memset(&report, 0, sizeof report);
	open_session(s, first, &report);
	goes_on = report.event == WORKER_OPEN;
	if (tell(s, &report) == -1)
		goes_on = false;
	while (goes_on && listen_for(s, &m)) {
		memset(&report, 0, sizeof report);
		deliver(s, &m, &report);
		goes_on = report.event == WORKER_RESULT &&
			  !report.result.is_session_over;
		if (tell(s, &report) == -1)
			break;
	}
	if (!s->delivery.is_relaxed)
		learn_recipients(s->delivery.config->host.state,
		    s->delivery.domain,
		    goes_on && !*s->delivery.stop ? &s->client : NULL,
		    &s->notes, MEMORY_FLUSH);
	client_quit(&s->client);
}

/* Of no concern to a worker: it would break off what waits for a reply. */
static void
ignore_reload(void)
{
	struct sigaction action;

	if (sigaction(SIGHUP, NULL, &action) == -1 ||
	    action.sa_handler == SIG_DFL)
		return;
	action.sa_handler = SIG_IGN;
	sigaction(SIGHUP, &action, NULL);
}

/* A second SIGTERM is no reason to die in the middle, and none is lost when
 * the flusher dies. False: it is dead already. */
static bool
settle_in(pid_t flusher)
{
	struct sigaction action;
	sigset_t signals;

	ignore_reload();
	if (sigaction(SIGTERM, NULL, &action) == 0) {
		action.sa_flags &= ~(int)SA_RESETHAND;
		sigaction(SIGTERM, &action, NULL);
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_UNBLOCK, &signals, NULL);
	return getppid() == flusher;
}

/* ---- in the flusher ---- */

/* Another worker's socket would keep its stream open when we are gone. */
static void
close_others(const struct worker *all, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (all[i].fd != -1)
			close(all[i].fd);
}

int
worker_start(struct worker *w, const struct worker *all, size_t n,
    const struct delivery *d, const struct client_params *params,
    const struct policy_hop *hops, size_t nhops, size_t first, struct err *e)
{
	struct shift s = { .delivery = *d,
		.client = CLIENT_INIT,
		.params = params,
		.hops = hops,
		.nhops = nhops };
	struct sandbox sandbox;
	pid_t flusher = getpid();
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == -1)
		return err_sys(e, "socketpair");
	w->pid = fork();
	if (w->pid == -1) {
		err_sys(e, "fork");
		close(fds[0]);
		close(fds[1]);
		w->pid = 0;
		return -1;
	}
	if (w->pid == 0) {
		close(fds[0]);
		close_others(all, n);
		s.fd = fds[1];
		s.delivery.client = &s.client;
		s.delivery.notes = &s.notes;
		s.delivery.on_wait = look_ahead;
		s.delivery.arg = &s;
		if (settle_in(flusher)) {
			sandbox_confine(s.delivery.config, NULL, &sandbox);
			work(&s, first);
		}
		_exit(EX_OK);
	}
	close(fds[1]);
	w->fd = fds[0];
	w->is_open = w->is_well = false;
	w->ntasks = 0;
	return 0;
}

int
worker_give(struct worker *w, const struct worker_task *task, struct err *e)
{
	struct worker_order order;

	memset(&order, 0, sizeof order);
	snprintf(order.name, sizeof order.name, "%s", task->entry.name);
	order.is_new = task->entry.is_new;
	order.is_again = task->is_again;
	w->tasks[w->ntasks++] = *task;
	if (send(w->fd, &order, sizeof order, MSG_NOSIGNAL) == -1) {
		err_sys(e, "order to worker %ld", (long)w->pid);
		shutdown(w->fd, SHUT_WR); /* or it would wait, and we for it */
		return -1;
	}
	return 0;
}

void
worker_take(struct worker *w, struct worker_report *report)
{
	ssize_t n;

	/* a reset comes once, ahead of what was sent before it: the worker has
	 * ended without reading the order it had ahead */
	do
		n = recv(w->fd, report, sizeof *report, 0);
	while (n == -1 && (errno == EINTR || errno == ECONNRESET));
	if (n != (ssize_t)sizeof *report) {
		memset(report, 0, sizeof *report);
		report->event = WORKER_DIED;
	}
	if (report->event == WORKER_OPEN)
		w->is_open = true;
	if (report->event == WORKER_RESULT)
		w->is_well = report->result.was_taken;
}

void
worker_next(struct worker *w)
{
	w->ntasks--;
	memmove(w->tasks, w->tasks + 1, w->ntasks * sizeof *w->tasks);
}

void
worker_dismiss(struct worker *w)
{
	if (w->fd != -1)
		close(w->fd);
	*w = (struct worker)WORKER_INIT;
}

/* Until it has a session it has nothing that could be left half done, and may
 * wait for what no signal breaks off: a connection, a handshake. */
void
worker_stop(struct worker *w)
{
	if (w->fd == -1)
		return;
	kill(w->pid, w->is_open ? SIGTERM : SIGKILL);
	if (!w->is_open)
		worker_dismiss(w);
}

void
worker_reap(bool waits)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, waits ? 0 : WNOHANG);
	while (pid > 0 || (pid == -1 && errno == EINTR));
}
