#ifndef BMX_RECEIVE_HAND_H
#define BMX_RECEIVE_HAND_H

#include <signal.h>
#include <stdbool.h>

#include "base/err.h"

/*
 * How a client's connection gets from the listener to a child that lives
 * already: a pair of sockets for each child, on which one side passes a
 * descriptor and the other says that it is done with it. Nothing else is said
 * there, and the listener believes nothing but that.
 */

/* ends[0] is the listener's, ends[1] the child's. */
int hand_pair(int ends[2], struct err *e);

/* ---- the listener's side: never waits ---- */

/* The child gets a descriptor of its own. -1: it is gone. */
int hand_over(int channel, int fd, bool is_busy);

/* There is something to read: is it that the child is done, and no more? */
bool hand_is_back(int channel);

/* ---- the child's side ---- */

int hand_back(int channel);

/* The next client's descriptor, and what hand_over() was told of it. -1: there
 * is none to come, and none is lost: hand_over() fails from now on. */
int hand_next(int channel, const volatile sig_atomic_t *told_to_end,
    bool *is_busy);

#endif
