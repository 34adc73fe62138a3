#ifndef BMX_RECEIVE_CREW_H
#define BMX_RECEIVE_CREW_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * The listener's children. A child serves a client, says that it is done
 * (hand.h), and gets the next one; it is sent away after so many, when it is
 * CREW_LIFE_MS old, and when the configuration is another by now. The
 * listener alone counts, and a child ends by itself when anything was unusual
 * in its session: it is then never heard of again.
 */

/* The files that a child may read are those that were there when it began
 * (sandbox.h). */
#define CREW_LIFE_MS 15000

#define CREW_SOCKETS_MAX 16 /* of the listener itself */

/* The network a client counts under: its /24 or /64, as 16 bytes of IPv6. */
struct crew_network {
	unsigned char bytes[16];
};
struct crew_network crew_network_of(const struct sockaddr *addr);

enum child_state {
	CHILD_NONE,
	CHILD_BUSY, /* has a client, or had: it has not been said otherwise */
	CHILD_IDLE,
	CHILD_LEAVING, /* was idle, and sent away */
};

struct child {
	enum child_state state;
	pid_t pid;
	struct crew_network network; /* of its client */
	unsigned served;
	bool is_last; /* it gets no other client after this one */
	int64_t born_ms;
};

struct crew {
	struct child *children; /* room of them, but only the first are used */
	/* What the listener waits for: CREW_SOCKETS_MAX for its sockets, then the
	 * channel of each child; -1: none. */
	struct pollfd *polls;
	size_t room, used;
	size_t nalive, nbusy, nidle;
	unsigned per_process; /* clients of one child */
};

/* clang-format off */
#define CREW_INIT { .per_process = 1 }
/* clang-format on */

/* Room for so many sessions at once; it never shrinks. */
int crew_make_room(struct crew *c, unsigned sessions, struct err *e);

/* In the listener at its end, and in a child: children and polls are gone,
 * channels closed. */
void crew_free(struct crew *c);

/* Busy for clients of this network. */
size_t crew_count(const struct crew *c, const struct crew_network *network);

/* Give the client to a child that is idle. False: there is none. */
bool crew_pass(struct crew *c, int fd, bool is_busy,
    const struct crew_network *network);

/*
 * fork(2) one more, for a client of this network. is_alone: it serves no other
 * one, nor does it where there is no descriptor left for a channel. In the
 * child *channel is its end, -1: there is none. -1: *e.
 */
pid_t crew_fork(struct crew *c, const struct crew_network *network,
    bool is_alone, int *channel, struct err *e);

/* After poll(2): who is done with its client? */
void crew_hear(struct crew *c);

/* After SIGCHLD. */
void crew_reap(struct crew *c);

/* Send away who is idle and was born by then, */
void crew_dismiss(struct crew *c, int64_t born_ms);

/* or all of them, those that are busy as soon as they are done. */
void crew_renew(struct crew *c);

/* A signal for each child. */
void crew_kill(const struct crew *c, int number);

#endif
