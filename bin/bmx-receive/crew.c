#include "bmx-receive/crew.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "bmx-receive/hand.h"

/* Places for each session that is allowed at once: a child that has been sent
 * away keeps its place until it has ended, and one that is idle may not do for
 * the next client. */
#define PLACES 2

/* ---- who is connected ---- */

struct crew_network
crew_network_of(const struct sockaddr *addr)
{
	struct crew_network network = { { 0 } };

	if (addr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)addr;

		network.bytes[10] = network.bytes[11] = 0xff;
		memcpy(network.bytes + 12, &in->sin_addr, 3);
	} else if (addr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)addr;
		bool is_mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

		memcpy(network.bytes, &in6->sin6_addr, is_mapped ? 15 : 8);
	}
	return network;
}

/* ---- places ---- */

static struct pollfd *
poll_of(const struct crew *c, const struct child *child)
{
	return &c->polls[CREW_SOCKETS_MAX + (child - c->children)];
}

static void
no_polls(struct pollfd *polls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){ -1, POLLIN, 0 };
}

int
crew_make_room(struct crew *c, unsigned sessions, struct err *e)
{
	size_t room = (size_t)sessions * PLACES;
	struct child *children;
	struct pollfd *polls;

	if (room <= c->room)
		return 0;
	children = reallocarray(c->children, room, sizeof *children);
	if (children != NULL)
		c->children = children;
	polls = reallocarray(c->polls, CREW_SOCKETS_MAX + room, sizeof *polls);
	if (polls != NULL)
		c->polls = polls;
	if (children == NULL || polls == NULL)
		return err_temp(e, "no memory for %u sessions", sessions);
	memset(children + c->room, 0, (room - c->room) * sizeof *children);
	if (c->room == 0)
		no_polls(polls, CREW_SOCKETS_MAX);
	no_polls(polls + CREW_SOCKETS_MAX + c->room, room - c->room);
	c->room = room;
	return 0;
}

/* It hears no more of us: an idle child ends. */
static void
close_channel(struct crew *c, struct child *child)
{
	struct pollfd *p = poll_of(c, child);

	if (p->fd != -1)
		close(p->fd);
	p->fd = -1;
}

void
crew_free(struct crew *c)
{
	for (size_t i = 0; i < c->used; i++)
		close_channel(c, &c->children[i]);
	free(c->children);
	free(c->polls);
	*c = (struct crew)CREW_INIT;
}

size_t
crew_count(const struct crew *c, const struct crew_network *network)
{
	size_t n = 0;

	for (size_t i = 0; i < c->used; i++)
		n += c->children[i].state == CHILD_BUSY &&
		     memcmp(&c->children[i].network, network,
			 sizeof *network) == 0;
	return n;
}

/* ---- states ---- */

static void
become_busy(struct crew *c, struct child *child,
    const struct crew_network *network)
{
	child->state = CHILD_BUSY;
	child->network = *network;
	child->served++;
	c->nbusy++;
}

static void
send_away(struct crew *c, struct child *child)
{
	close_channel(c, child);
	if (child->state == CHILD_IDLE) {
		child->state = CHILD_LEAVING;
		c->nidle--;
	}
}

static void
become_idle(struct crew *c, struct child *child)
{
	child->state = CHILD_IDLE;
	c->nbusy--;
	c->nidle++;
	if (child->is_last || child->served >= c->per_process)
		send_away(c, child);
}

/* ---- clients ---- */

/* The first that is idle: so a few are kept at work, and the others, which
 * that does not need, grow old. */
bool
crew_pass(struct crew *c, int fd, bool is_busy,
    const struct crew_network *network)
{
	int64_t born_ms = clock_monotonic_ms() - CREW_LIFE_MS;

	for (size_t i = 0; c->nidle > 0 && i < c->used; i++) {
		struct child *child = &c->children[i];

		if (child->state != CHILD_IDLE)
			continue;
		if (child->born_ms > born_ms &&
		    hand_over(poll_of(c, child)->fd, fd, is_busy) == 0) {
			c->nidle--;
			become_busy(c, child, network);
			return true;
		}
		send_away(c, child);
	}
	return false;
}

static struct child *
free_place(struct crew *c)
{
	for (size_t i = 0; i < c->room; i++) {
		if (c->children[i].state != CHILD_NONE)
			continue;
		if (i == c->used)
			c->used++;
		return &c->children[i];
	}
	return NULL;
}

pid_t
crew_fork(struct crew *c, const struct crew_network *network, bool is_alone,
    int *channel, struct err *e)
{
	bool is_single = is_alone || c->per_process == 1;
	struct child *child = free_place(c);
	int ends[2] = { -1, -1 };
	pid_t pid;

	if (child == NULL)
		return err_temp(e, "fork: no place for one more process");
	if (!is_single && hand_pair(ends, e) == -1)
		log_warn("%s: a process for one client alone", e->text);
	pid = fork();
	if (pid == -1)
		err_sys(e, "fork");
	if (pid <= 0 && ends[0] != -1)
		close(ends[0]);
	if (pid != 0 && ends[1] != -1)
		close(ends[1]);
	*channel = ends[1];
	if (pid <= 0)
		return pid;
	*child = (struct child){ .pid = pid, .born_ms = clock_monotonic_ms() };
	poll_of(c, child)->fd = ends[0];
	c->nalive++;
	become_busy(c, child, network);
	return pid;
}

/* ---- news ---- */

/* What is not asked for is believed by nobody: it gets no more clients. */
void
crew_hear(struct crew *c)
{
	for (size_t i = 0; i < c->used; i++) {
		struct child *child = &c->children[i];
		const struct pollfd *p = poll_of(c, child);

		if (p->fd == -1 || p->revents == 0)
			continue;
		if (child->state == CHILD_BUSY && hand_is_back(p->fd))
			become_idle(c, child);
		else
			send_away(c, child);
	}
}

static void
bury(struct crew *c, struct child *child, int status)
{
	if (WIFSIGNALED(status))
		log_alarm("session=%ld killed by signal %d", (long)child->pid,
		    WTERMSIG(status));
	send_away(c, child);
	c->nbusy -= child->state == CHILD_BUSY;
	c->nalive--;
	child->state = CHILD_NONE;
}

void
crew_reap(struct crew *c)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < c->used; i++)
			if (c->children[i].state != CHILD_NONE &&
			    c->children[i].pid == pid)
				bury(c, &c->children[i], status);
}

/* ---- the end ---- */

void
crew_dismiss(struct crew *c, int64_t born_ms)
{
	for (size_t i = 0; c->nidle > 0 && i < c->used; i++)
		if (c->children[i].state == CHILD_IDLE &&
		    c->children[i].born_ms <= born_ms)
			send_away(c, &c->children[i]);
}

void
crew_renew(struct crew *c)
{
	for (size_t i = 0; i < c->used; i++)
		c->children[i].is_last = true;
	crew_dismiss(c, INT64_MAX);
}

void
crew_kill(const struct crew *c, int number)
{
	for (size_t i = 0; i < c->used; i++)
		if (c->children[i].state != CHILD_NONE)
			kill(c->children[i].pid, number);
}
