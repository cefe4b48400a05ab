/*
 * The cache port: values with expiry, and publish/subscribe. Nothing lives only here, and every call may fail (-EAGAIN while
 * away) without harm: callers go on without. Adapters: embedded (in memory, bounded), Redis.
 */
#ifndef PURSER_ENGINES_CACHE_H
#define PURSER_ENGINES_CACHE_H

#include "base/err.h"
#include "base/text.h"
#include "runtime/fiber.h"

#include <stdbool.h>
#include <stdint.h>

struct cache;

int cache_open(struct cache **ret_cache, struct err *err);
FIBER_FN void cache_close(struct cache *cache);
bool cache_is_up(const struct cache *cache);
/* Whether other processes have it, too. One that is not shared is always up, and brings nothing of what others publish or change. */
bool cache_is_shared(const struct cache *cache);

/* 0 and a NUL-terminated copy in the arena; -ENOENT; -EAGAIN. */
FIBER_FN int cache_get(struct cache *cache, const char *key, struct arena *arena, struct text *ret_value);
FIBER_FN int cache_set(struct cache *cache, const char *key, struct text value, int64_t ttl_ms);
FIBER_FN int cache_delete(struct cache *cache, const char *key);

/* To everyone subscribed, this process included; no promise of arrival. Any fiber. */
FIBER_FN int cache_publish(struct cache *cache, const char *channel, struct text message);
struct cache_message {
    const char *channel;
    struct text text;
};
/* Many in one wait, in their order. -EAGAIN: some did not get through. */
FIBER_FN int cache_publish_all(struct cache *cache, const struct cache_message *list, unsigned count);
/* `pattern` is a channel or a prefix ending in *. Calls come on the subscribing worker's loop, outside fibers. `reconnected` (may be
 * NULL) comes after each reconnect: messages may have been missed. */
struct cache_subscription {
    const char *pattern;
    void (*message)(void *context, const char *channel, struct text message);
    void (*reconnected)(void *context);
    void *context;
};
int cache_subscribe(struct cache *cache, const struct cache_subscription *subscription);

#endif
