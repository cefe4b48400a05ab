/* What the files of the Redis adapter share: redis.c, redis_commands.c and redis_subscriptions.c. */
#ifndef PURSER_ENGINES_REDIS_PARTS_H
#define PURSER_ENGINES_REDIS_PARTS_H

#include "engines/cache_ops.h"
#include "engines/redis_link.h"
#include "runtime/worker.h"

/* What a worker has; only it touches this. */
struct redis_side {
    struct redis_cache *cache; /* NULL until its first use */
    struct redis_link *commands, *listening;
    struct redis_waiter *waiters; /* for the command link to come up */
    int64_t commands_up_mono_ms;
    struct redis_subscription *subscriptions;
    char beat[64]; /* the channel of its own beat */
    int64_t heard_mono_ms;
    bool listened_before;
    struct timer beating;
};

struct redis_cache {
    struct cache base; /* first */
    struct redis_address address;
    struct redis_side sides[WORKER_MAX];
    _Atomic int commands_up, listening_wanted, listening_up; /* counted over workers */
};

/* The side of the calling worker, its command link begun. NULL when memory is short. */
struct redis_side *redis_side_here(struct redis_cache *cache);
/* The context to send on, or NULL while Redis is away. The first call of a worker waits a little for its link. */
FIBER_FN redisAsyncContext *redis_ready(struct redis_cache *cache);

/* As cache_ops has them. */
FIBER_FN int redis_get(struct cache *base, const char *key, struct arena *arena, struct text *ret_value);
FIBER_FN int redis_set(struct cache *base, const char *key, struct text value, int64_t ttl_ms);
FIBER_FN int redis_remove(struct cache *base, const char *key);
FIBER_FN int redis_publish(struct cache *base, const struct cache_message *list, unsigned count);
int redis_subscribe(struct cache *base, const struct cache_subscription *wanted);

/* Ends the beat, the link and the subscriptions. On the side's worker. */
void redis_subscriptions_close(struct redis_side *side);

#endif
