/*
 * The cache port on Redis. Each worker has a link of its own for commands, made at its first use (redis_commands.c), and one for its
 * subscriptions, if it has any (redis_subscriptions.c). Here are the links of a worker and their end.
 */
#include "engines/redis_parts.h"

#include "base/clock.h"
#include "base/settings.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FIRST_WAIT_MS 300

struct redis_waiter {
    struct redis_waiter *next;
    struct fiber *fiber;
};

/* ---- the command link ---- */

static void commands_up(void *context)
{
    struct redis_side *side = context;
    atomic_fetch_add_explicit(&side->cache->commands_up, 1, memory_order_relaxed);
    side->commands_up_mono_ms = clock_mono_ms();
    for (struct redis_waiter *waiter = side->waiters; waiter; waiter = waiter->next)
        fiber_wake(waiter->fiber);
}

static void commands_down(void *context)
{
    struct redis_side *side = context;
    atomic_fetch_sub_explicit(&side->cache->commands_up, 1, memory_order_relaxed);
}

static const struct redis_link_events command_events = {.up = commands_up, .down = commands_down};

struct redis_side *redis_side_here(struct redis_cache *cache)
{
    struct redis_side *side = &cache->sides[worker_index(worker_self())];
    side->cache = cache;
    if (!side->commands)
        side->commands = redis_link_new(&cache->address, &command_events, side);
    return side->commands ? side : NULL;
}

static FIBER_FN void wait_until_up(struct redis_side *side, int64_t ms)
{
    struct redis_waiter self = {side->waiters, fiber_self()}, **at;
    side->waiters = &self;
    int64_t before = fiber_narrow_deadline(ms);
    while (!redis_link_context(side->commands) && fiber_wait() == 0)
        ;
    fiber_set_deadline(before);
    for (at = &side->waiters; *at != &self; at = &(*at)->next)
        ;
    *at = self.next;
}

FIBER_FN redisAsyncContext *redis_ready(struct redis_cache *cache)
{
    struct redis_side *side = redis_side_here(cache);
    if (!side)
        return NULL;
    if (!redis_link_context(side->commands) && !side->commands_up_mono_ms)
        wait_until_up(side, FIRST_WAIT_MS);
    return redis_link_context(side->commands);
}

/* ---- life ---- */

static bool redis_is_up(const struct cache *base)
{
    const struct redis_cache *cache = (const struct redis_cache *)base;
    return atomic_load_explicit(&cache->commands_up, memory_order_relaxed) > 0 &&
           atomic_load_explicit(&cache->listening_up, memory_order_relaxed) >= atomic_load_explicit(&cache->listening_wanted, memory_order_relaxed);
}

static int redis_open(struct cache **ret_cache, struct err *err)
{
    struct redis_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_set(err, -ENOMEM, "out of memory");
    cache->base.ops = &redis_cache_ops;
    int error = redis_address_parse(settings_text("cache_url"), &cache->address, err);
    if (error || !redis_side_here(cache)) {
        free(cache);
        return error ? error : err_set(err, -ENOMEM, "out of memory");
    }
    *ret_cache = &cache->base;
    return 0;
}

static void close_side(struct redis_side *side)
{
    if (!side->cache)
        return;
    redis_subscriptions_close(side);
    redis_link_free(side->commands);
    side->commands = NULL;
}

struct closing {
    struct redis_side *side;
    struct fiber *fiber;
    bool done;
};

static void close_there(void *arg)
{
    struct closing *closing = arg;
    close_side(closing->side);
    __atomic_store_n(&closing->done, true, __ATOMIC_RELEASE);
    fiber_wake_from_thread(closing->fiber);
}

static FIBER_FN void redis_close(struct cache *base)
{
    struct redis_cache *cache = (struct redis_cache *)base;
    for (unsigned i = 0; i < worker_count(); i++) {
        struct closing closing = {&cache->sides[i], fiber_self(), false};
        if (!closing.side->cache)
            continue;
        if (worker_at(i) == worker_self()) {
            close_side(closing.side);
            continue;
        }
        if (worker_post(worker_at(i), close_there, &closing))
            continue;
        while (!__atomic_load_n(&closing.done, __ATOMIC_ACQUIRE))
            fiber_wait_uninterrupted();
    }
    free(cache);
}

const struct cache_ops redis_cache_ops = {
    .scheme = "redis",
    .shared = true,
    .open = redis_open,
    .close = redis_close,
    .is_up = redis_is_up,
    .get = redis_get,
    .set = redis_set,
    .remove = redis_remove,
    .publish = redis_publish,
    .subscribe = redis_subscribe,
};
