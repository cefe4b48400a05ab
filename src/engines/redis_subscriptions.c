/*
 * Subscriptions of the cache port: one link a worker. It hears a beat of its own every half second, published over the command link: one that
 * hears none while commands are answered is made anew, and whoever subscribed is told that it may have missed something.
 */
#include "engines/redis_parts.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEAT_MS 500
#define BEAT_SILENCE_MS 2500

struct redis_subscription {
    struct redis_subscription *next;
    struct cache_subscription wanted;
    char *pattern;
    bool is_prefix;
};

/* ---- messages ---- */

static void deliver(struct redis_side *side, const char *pattern, bool is_prefix, const char *channel, struct text message)
{
    for (struct redis_subscription *at = side->subscriptions; at; at = at->next)
        if (at->is_prefix == is_prefix && strcmp(at->pattern, pattern) == 0)
            at->wanted.message(at->wanted.context, channel, message);
}

/* [message, channel, text] or [pmessage, pattern, channel, text]; confirmations have a number last. */
static void on_message(redisAsyncContext *redis, void *answer, void *arg)
{
    struct redis_side *side = arg;
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

/* ---- the link ---- */

static void ask_for(struct redis_side *side, const struct redis_subscription *subscription)
{
    redisAsyncContext *redis = redis_link_context(side->listening);
    if (redis)
        redisAsyncCommand(redis, on_message, side, subscription->is_prefix ? "PSUBSCRIBE %s" : "SUBSCRIBE %s", subscription->pattern);
}

static void listening_up(void *context)
{
    struct redis_side *side = context;
    bool again = side->listened_before;
    side->listened_before = true;
    side->heard_mono_ms = clock_mono_ms();
    atomic_fetch_add_explicit(&side->cache->listening_up, 1, memory_order_relaxed);
    redisAsyncCommand(redis_link_context(side->listening), on_message, side, "SUBSCRIBE %s", side->beat);
    for (struct redis_subscription *at = side->subscriptions; at; at = at->next)
        ask_for(side, at);
    for (struct redis_subscription *at = side->subscriptions; again && at; at = at->next)
        if (at->wanted.reconnected)
            at->wanted.reconnected(at->wanted.context);
}

static void listening_down(void *context)
{
    struct redis_side *side = context;
    atomic_fetch_sub_explicit(&side->cache->listening_up, 1, memory_order_relaxed);
}

/* Silence counts only while commands are answered: else nobody publishes the beat. */
static bool listening_alive(void *context)
{
    struct redis_side *side = context;
    int64_t now = clock_mono_ms();
    if (!redis_link_context(side->commands))
        side->heard_mono_ms = now;
    return now - side->heard_mono_ms < BEAT_SILENCE_MS;
}

static const struct redis_link_events listening_events = {.up = listening_up, .down = listening_down, .alive = listening_alive};

static void publish_beat(void *arg)
{
    struct redis_side *side = arg;
    redisAsyncContext *redis = redis_link_context(side->commands);
    if (redis)
        redisAsyncCommand(redis, NULL, NULL, "PUBLISH %s .", side->beat);
    timer_start(&side->beating, clock_mono_ms() + BEAT_MS, publish_beat, side);
}

static int listen_here(struct redis_side *side)
{
    char id[UUID_SIZE];
    if (side->listening)
        return 0;
    uuid_make(id);
    snprintf(side->beat, sizeof side->beat, "purser:beat:%s", id);
    side->listening = redis_link_new(&side->cache->address, &listening_events, side);
    if (!side->listening)
        return -ENOMEM;
    atomic_fetch_add_explicit(&side->cache->listening_wanted, 1, memory_order_relaxed);
    publish_beat(side);
    return 0;
}

/* ---- the port ---- */

int redis_subscribe(struct cache *base, const struct cache_subscription *wanted)
{
    struct redis_side *side = redis_side_here((struct redis_cache *)base);
    struct redis_subscription *subscription = side ? calloc(1, sizeof *subscription) : NULL;
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

void redis_subscriptions_close(struct redis_side *side)
{
    timer_stop(&side->beating);
    redis_link_free(side->listening);
    side->listening = NULL;
    while (side->subscriptions) {
        struct redis_subscription *next = side->subscriptions->next;
        free(side->subscriptions->pattern);
        free(side->subscriptions);
        side->subscriptions = next;
    }
}
