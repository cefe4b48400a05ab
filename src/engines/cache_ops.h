/* What an adapter of the cache port provides. Only for the adapters and cache.c. */
#ifndef PURSER_ENGINES_CACHE_OPS_H
#define PURSER_ENGINES_CACHE_OPS_H

#include "engines/cache.h"

struct cache_ops {
    const char *scheme;
    bool shared; /* between processes */
    int (*open)(struct cache **ret_cache, struct err *err);
    FIBER_FN void (*close)(struct cache *cache);
    bool (*is_up)(const struct cache *cache);
    FIBER_FN int (*get)(struct cache *cache, const char *key, struct arena *arena, struct text *ret_value);
    FIBER_FN int (*set)(struct cache *cache, const char *key, struct text value, int64_t ttl_ms);
    FIBER_FN int (*remove)(struct cache *cache, const char *key);
    FIBER_FN int (*publish)(struct cache *cache, const struct cache_message *list, unsigned count);
    int (*subscribe)(struct cache *cache, const struct cache_subscription *subscription);
};

struct cache {
    const struct cache_ops *ops;
};

extern const struct cache_ops embedded_cache_ops, redis_cache_ops;

/* Whether a pattern (a channel, or a prefix ending in *) covers the channel. */
bool cache_pattern_covers(const char *pattern, const char *channel);

#endif
