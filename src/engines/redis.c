/*
 * The cache port on Redis. Each worker has a link of its own for commands, made at its first use, and one for its subscriptions, if it has any.
 * A call waits for its answer at most half a second: what is only a hint must not hold up what is not. Subscriptions hear a beat of their own
 * every half second, published over the command link: a subscription that hears none while commands are answered is made anew, and whoever
 * subscribed is told that it may have missed something.
 */
#include "engines/cache_ops.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "engines/redis_link.h"
#include "runtime/worker.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 500
#define FIRST_WAIT_MS 300
#define BEAT_SILENCE_MS 2500
#define ADD_SCRIPT                                                                                                                    \
    "local v = redis.call('INCRBY', KEYS[1], ARGV[1]) if v == tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return v"

struct subscription {
    struct subscription *next;
    struct cache_subscription wanted;
    char *pattern;
    bool is_prefix;
};

/* What a worker has. */
struct side {
    struct redis_cache *cache;
    struct redis_link *commands, *listening;
    struct subscription *subscriptions;
    char beat[64]; /* the channel of its own beat */
    int64_t heard_mono_ms, commands_up_mono_ms;
    bool listened_before;
    struct waiter *waiters; /* for the command link to come up */
    struct timer beating;
};

struct redis_cache {
    struct cache base; /* first */
    struct redis_address address;
    struct side sides[WORKER_MAX];
    int commands_up, listening_wanted, listening_up; /* counted over workers, atomic */
};

struct waiter {
    struct waiter *next;
    struct fiber *fiber;
};

/* ---- the command link ---- */

static void commands_up(void *context)
{
    struct side *side = context;
    __atomic_add_fetch(&side->cache->commands_up, 1, __ATOMIC_RELAXED);
    side->commands_up_mono_ms = clock_mono_ms();
    for (struct waiter *waiter = side->waiters; waiter; waiter = waiter->next)
        fiber_wake(waiter->fiber);
}

static void commands_down(void *context)
{
    struct side *side = context;
    __atomic_sub_fetch(&side->cache->commands_up, 1, __ATOMIC_RELAXED);
}

static const struct redis_link_events command_events = {.up = commands_up, .down = commands_down};

static struct side *side_here(struct redis_cache *cache)
{
    struct side *side = &cache->sides[worker_index(worker_self())];
    side->cache = cache;
    if (!side->commands)
        side->commands = redis_link_new(&cache->address, &command_events, side);
    return side->commands ? side : NULL;
}

static FIBER_FN void wait_until_up(struct side *side, int64_t ms)
{
    struct waiter self = {side->waiters, fiber_self()}, **at;
    side->waiters = &self;
    int64_t before = fiber_narrow_deadline(ms);
    while (!redis_link_context(side->commands) && fiber_wait() == 0)
        ;
    fiber_set_deadline(before);
    for (at = &side->waiters; *at != &self; at = &(*at)->next)
        ;
    *at = self.next;
}

/* The context to send on, or NULL while Redis is away. The first call of a worker waits a little for its link. */
static FIBER_FN redisAsyncContext *ready(struct redis_cache *cache)
{
    struct side *side = side_here(cache);
    if (!side)
        return NULL;
    if (!redis_link_context(side->commands) && !side->commands_up_mono_ms)
        wait_until_up(side, FIRST_WAIT_MS);
    return redis_link_context(side->commands);
}

/* ---- calls: what a fiber waits for and a callback fills; whoever is last frees it ---- */

struct call {
    struct fiber *fiber; /* NULL when nobody waits any more */
    unsigned replies;    /* still to come */
    bool failed;         /* one of them was an error, or was lost with the link */
    int type;            /* of the last */
    int64_t integer;
    char *bytes; /* heap */
    size_t size;
};

static void on_reply(redisAsyncContext *redis, void *answer, void *arg)
{
    struct call *call = arg;
    redisReply *reply = answer;
    (void)redis;
    call->replies--;
    if (!call->fiber) {
        if (!call->replies)
            free(call);
        return;
    }
    call->failed |= !reply || reply->type == REDIS_REPLY_ERROR;
    if (reply) {
        call->type = reply->type;
        call->integer = reply->integer;
        if (reply->type == REDIS_REPLY_STRING) {
            call->bytes = malloc(reply->len + 1);
            call->failed |= !call->bytes;
            call->size = reply->len;
            if (call->bytes)
                memcpy(call->bytes, reply->str, reply->len);
        }
    }
    if (!call->replies)
        fiber_wake(call->fiber);
}

/* Waits until `call` has its replies. False when they never came: the last of them frees it. */
static FIBER_FN bool await_replies(struct call *call)
{
    int64_t before = fiber_narrow_deadline(CALL_MS);
    while (call->replies && fiber_wait() == 0)
        ;
    fiber_set_deadline(before);
    if (call->replies)
        call->fiber = NULL;
    return !call->replies;
}

/* Waits for the reply of what was just sent with `call`; `sent` is hiredis' word. -EAGAIN when it never came. Frees the call. */
static FIBER_FN int await(struct call *call, int sent, struct arena *arena, struct text *ret_value, int64_t *ret_integer)
{
    if (sent != REDIS_OK) {
        free(call);
        return -EAGAIN;
    }
    if (!await_replies(call))
        return -EAGAIN;
    int type = call->type;
    bool failed = call->failed;
    if (ret_integer)
        *ret_integer = call->integer;
    if (type == REDIS_REPLY_STRING && ret_value && !failed)
        *ret_value = (struct text){arena_copy(arena, call->bytes, call->size), call->size};
    free(call->bytes);
    free(call);
    return failed ? -EAGAIN : type == REDIS_REPLY_NIL ? -ENOENT : 0;
}

/* Of a command that has one reply. */
static struct call *call_new(void)
{
    struct call *call = calloc(1, sizeof *call);
    if (!call)
        memory_short();
    call->fiber = fiber_self();
    call->replies = 1;
    return call;
}

static FIBER_FN int redis_get(struct cache *base, const char *key, struct arena *arena, struct text *ret_value)
{
    redisAsyncContext *redis = ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    return await(call, redisAsyncCommand(redis, on_reply, call, "GET %s", key), arena, ret_value, NULL);
}

static FIBER_FN int redis_set(struct cache *base, const char *key, struct text value, int64_t ttl_ms)
{
    redisAsyncContext *redis = ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    char ttl[24];
    snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms);
    int sent = ttl_ms > 0 ? redisAsyncCommand(redis, on_reply, call, "SET %s %b PX %s", key, value.size ? value.at : "", value.size, ttl)
                          : redisAsyncCommand(redis, on_reply, call, "SET %s %b", key, value.size ? value.at : "", value.size);
    return await(call, sent, NULL, NULL, NULL);
}

static FIBER_FN int redis_remove(struct cache *base, const char *key)
{
    redisAsyncContext *redis = ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    return await(call, redisAsyncCommand(redis, on_reply, call, "DEL %s", key), NULL, NULL, NULL);
}

static FIBER_FN int redis_add(struct cache *base, const char *key, int64_t n, int64_t ttl_ms, int64_t *ret_value)
{
    redisAsyncContext *redis = ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    char number[24], ttl[24];
    snprintf(number, sizeof number, "%" PRId64, n);
    snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms);
    return await(call, redisAsyncCommand(redis, on_reply, call, "EVAL %s 1 %s %s %s", ADD_SCRIPT, key, number, ttl), NULL, NULL, ret_value);
}

static int send_publish(redisAsyncContext *redis, struct call *call, const struct cache_message *message)
{
    const char *words[] = {"PUBLISH", message->channel, message->text.size ? message->text.at : ""};
    const size_t sizes[] = {strlen("PUBLISH"), strlen(message->channel), message->text.size};
    return redisAsyncCommandArgv(redis, on_reply, call, 3, words, sizes);
}

/* All are sent, and then their replies are waited for together. */
static FIBER_FN int redis_publish(struct cache *base, const struct cache_message *list, unsigned count)
{
    redisAsyncContext *redis = ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    unsigned sent = 0;
    while (sent < count && send_publish(redis, call, &list[sent]) == REDIS_OK)
        sent++;
    call->replies = sent;
    if (!await_replies(call))
        return -EAGAIN;
    bool failed = call->failed || sent < count;
    free(call);
    return failed ? -EAGAIN : 0;
}

/* ---- subscriptions ---- */

static void deliver(struct side *side, const char *pattern, bool is_prefix, const char *channel, struct text message)
{
    for (struct subscription *at = side->subscriptions; at; at = at->next)
        if (at->is_prefix == is_prefix && strcmp(at->pattern, pattern) == 0)
            at->wanted.message(at->wanted.context, channel, message);
}

/* [message, channel, text] or [pmessage, pattern, channel, text]; confirmations have a number last. */
static void on_message(redisAsyncContext *redis, void *answer, void *arg)
{
    struct side *side = arg;
    redisReply *reply = answer;
    (void)redis;
    if (!reply || reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
        return;
    redisReply **part = reply->element, *last = part[reply->elements - 1];
    if (last->type != REDIS_REPLY_STRING)
        return;
    struct text message = {last->str, last->len};
    if (reply->elements == 4)
        deliver(side, part[1]->str, true, part[2]->str, message);
    else if (strcmp(part[1]->str, side->beat) == 0)
        side->heard_mono_ms = clock_mono_ms();
    else
        deliver(side, part[1]->str, false, part[1]->str, message);
}

static void ask_for(struct side *side, const struct subscription *subscription)
{
    redisAsyncContext *redis = redis_link_context(side->listening);
    if (redis)
        redisAsyncCommand(redis, on_message, side, subscription->is_prefix ? "PSUBSCRIBE %s" : "SUBSCRIBE %s", subscription->pattern);
}

static void listening_up(void *context)
{
    struct side *side = context;
    bool again = side->listened_before;
    side->listened_before = true;
    side->heard_mono_ms = clock_mono_ms();
    __atomic_add_fetch(&side->cache->listening_up, 1, __ATOMIC_RELAXED);
    redisAsyncCommand(redis_link_context(side->listening), on_message, side, "SUBSCRIBE %s", side->beat);
    for (struct subscription *at = side->subscriptions; at; at = at->next)
        ask_for(side, at);
    for (struct subscription *at = side->subscriptions; again && at; at = at->next)
        if (at->wanted.reconnected)
            at->wanted.reconnected(at->wanted.context);
}

static void listening_down(void *context)
{
    struct side *side = context;
    __atomic_sub_fetch(&side->cache->listening_up, 1, __ATOMIC_RELAXED);
}

/* Silence counts only while commands are answered: else nobody publishes the beat. */
static bool listening_alive(void *context)
{
    struct side *side = context;
    int64_t now = clock_mono_ms();
    if (!redis_link_context(side->commands))
        side->heard_mono_ms = now;
    return now - side->heard_mono_ms < BEAT_SILENCE_MS;
}

static const struct redis_link_events listening_events = {.up = listening_up, .down = listening_down, .alive = listening_alive};

static void publish_beat(void *arg)
{
    struct side *side = arg;
    redisAsyncContext *redis = redis_link_context(side->commands);
    if (redis)
        redisAsyncCommand(redis, NULL, NULL, "PUBLISH %s .", side->beat);
    timer_start(&side->beating, clock_mono_ms() + 500, publish_beat, side);
}

static int listen_here(struct side *side)
{
    char id[UUID_SIZE];
    if (side->listening)
        return 0;
    uuid_make(id);
    snprintf(side->beat, sizeof side->beat, "purser:beat:%s", id);
    side->listening = redis_link_new(&side->cache->address, &listening_events, side);
    if (!side->listening)
        return -ENOMEM;
    __atomic_add_fetch(&side->cache->listening_wanted, 1, __ATOMIC_RELAXED);
    publish_beat(side);
    return 0;
}

static int redis_subscribe(struct cache *base, const struct cache_subscription *wanted)
{
    struct side *side = side_here((struct redis_cache *)base);
    struct subscription *subscription = side ? calloc(1, sizeof *subscription) : NULL;
    if (!subscription)
        return -ENOMEM;
    size_t size = strlen(wanted->pattern);
    subscription->wanted = *wanted;
    subscription->pattern = strdup(wanted->pattern);
    subscription->is_prefix = size && wanted->pattern[size - 1] == '*';
    if (!subscription->pattern || listen_here(side)) {
        free(subscription->pattern);
        free(subscription);
        return -ENOMEM;
    }
    subscription->next = side->subscriptions;
    side->subscriptions = subscription;
    ask_for(side, subscription);
    return 0;
}

/* ---- life ---- */

static bool redis_is_up(const struct cache *base)
{
    const struct redis_cache *cache = (const struct redis_cache *)base;
    return __atomic_load_n(&cache->commands_up, __ATOMIC_RELAXED) > 0 &&
           __atomic_load_n(&cache->listening_up, __ATOMIC_RELAXED) >= __atomic_load_n(&cache->listening_wanted, __ATOMIC_RELAXED);
}

static int redis_open(struct cache **ret_cache, struct err *err)
{
    struct redis_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return err_set(err, -ENOMEM, "out of memory");
    cache->base.ops = &redis_cache_ops;
    int error = redis_address_parse(settings_text("cache_url"), &cache->address, err);
    if (error || !side_here(cache)) {
        free(cache);
        return error ? error : err_set(err, -ENOMEM, "out of memory");
    }
    *ret_cache = &cache->base;
    return 0;
}

static void close_side(struct side *side)
{
    if (!side->cache)
        return;
    timer_stop(&side->beating);
    redis_link_free(side->listening);
    redis_link_free(side->commands);
    while (side->subscriptions) {
        struct subscription *next = side->subscriptions->next;
        free(side->subscriptions->pattern);
        free(side->subscriptions);
        side->subscriptions = next;
    }
    side->commands = side->listening = NULL;
}

struct closing {
    struct side *side;
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
    .open = redis_open,
    .close = redis_close,
    .is_up = redis_is_up,
    .get = redis_get,
    .set = redis_set,
    .remove = redis_remove,
    .add = redis_add,
    .publish = redis_publish,
    .subscribe = redis_subscribe,
};
