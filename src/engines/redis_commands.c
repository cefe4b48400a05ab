/*
 * The commands of the cache port. A call is what a fiber waits for and a callback fills; whoever is last frees it. A call waits for its answer
 * at most half a second: what is only a hint must not hold up what is not.
 */
#include "engines/redis_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS 500

/* ---- calls ---- */

struct call {
    struct fiber *fiber; /* NULL when nobody waits any more */
    unsigned replies;    /* still to come */
    bool failed;         /* one of them was an error, or was lost with the link */
    int type;            /* of the last */
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
static FIBER_FN int await(struct call *call, int sent, struct arena *arena, struct text *ret_value)
{
    if (sent != REDIS_OK) {
        free(call);
        return -EAGAIN;
    }
    if (!await_replies(call))
        return -EAGAIN;
    int type = call->type;
    bool failed = call->failed;
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

/* ---- commands ---- */

FIBER_FN int redis_get(struct cache *base, const char *key, struct arena *arena, struct text *ret_value)
{
    redisAsyncContext *redis = redis_ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    return await(call, redisAsyncCommand(redis, on_reply, call, "GET %s", key), arena, ret_value);
}

FIBER_FN int redis_set(struct cache *base, const char *key, struct text value, int64_t ttl_ms)
{
    redisAsyncContext *redis = redis_ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    char ttl[24];
    snprintf(ttl, sizeof ttl, "%" PRId64, ttl_ms);
    int sent = ttl_ms > 0 ? redisAsyncCommand(redis, on_reply, call, "SET %s %b PX %s", key, value.size ? value.at : "", value.size, ttl)
                          : redisAsyncCommand(redis, on_reply, call, "SET %s %b", key, value.size ? value.at : "", value.size);
    return await(call, sent, NULL, NULL);
}

FIBER_FN int redis_remove(struct cache *base, const char *key)
{
    redisAsyncContext *redis = redis_ready((struct redis_cache *)base);
    if (!redis)
        return -EAGAIN;
    struct call *call = call_new();
    return await(call, redisAsyncCommand(redis, on_reply, call, "DEL %s", key), NULL, NULL);
}

static int send_publish(redisAsyncContext *redis, struct call *call, const struct cache_message *message)
{
    const char *words[] = {"PUBLISH", message->channel, message->text.size ? message->text.at : ""};
    const size_t sizes[] = {strlen("PUBLISH"), strlen(message->channel), message->text.size};
    return redisAsyncCommandArgv(redis, on_reply, call, 3, words, sizes);
}

/* All are sent, and then their replies are waited for together. */
FIBER_FN int redis_publish(struct cache *base, const struct cache_message *list, unsigned count)
{
    redisAsyncContext *redis = redis_ready((struct redis_cache *)base);
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
