/*
 * The open sockets, by user, on each worker apart. A listener belongs to the worker that accepted it and is touched by no other; pushes and ended
 * sessions come to every worker by the cache's channels.
 */
#ifndef PURSER_NOTIFICATIONS_HUB_H
#define PURSER_NOTIFICATIONS_HUB_H

#include "notifications/service.h"

#include <stdbool.h>

struct listener;

/* Before the first socket, on worker 0. 0 or negative with words. */
FIBER_FN int hub_start(struct notifications *notifications, struct err *err);
/* All sockets are gone by now. */
FIBER_FN void hub_stop(void);

/* Each on the calling worker. */
void hub_add(struct listener *listener);
void hub_remove(struct listener *listener);
/* Sockets open on all workers. */
unsigned hub_count(void);

#endif
