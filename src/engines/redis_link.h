/*
 * One connection to Redis that comes back by itself (hiredis async on the worker's loop): connects, signs in, is watched by PING, and is
 * made anew when it is silent. Belongs to one worker. For redis.c.
 */
#ifndef PURSER_ENGINES_REDIS_LINK_H
#define PURSER_ENGINES_REDIS_LINK_H

#include "engines/redis_address.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>

struct redis_link;

struct redis_link_events {
    void (*up)(void *context);   /* signed in; the owner may send */
    void (*down)(void *context); /* lost; all callbacks of sent commands have been called with a NULL reply */
    /* Asked twice a second while up, for links that can't be PINGed (subscriptions): false drops the link. NULL: PING. */
    bool (*alive)(void *context);
};

/* On a worker; connects from then on. NULL when short of memory. `address` must live as long. */
struct redis_link *redis_link_new(const struct redis_address *address, const struct redis_link_events *events, void *context);
/* Closes; no event comes any more. On the same worker. */
void redis_link_free(struct redis_link *link);
/* NULL while it is down. */
redisAsyncContext *redis_link_context(struct redis_link *link);

#endif
