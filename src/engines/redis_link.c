/*
 * A link is in one of four states: waiting to connect (a timer), resolving (a fiber), connecting (a context, a deadline), up. Any failure leads
 * back to waiting, with a pause that doubles up to a second.
 */
#include "engines/redis_link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/socket.h"
#include "http/client.h"
#include "http/message.h"
#include "runtime/worker.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wold-style-definition"
#include <hiredis/adapters/libuv.h>
#pragma GCC diagnostic pop

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS 2000
#define BEAT_MS 500
#define SILENCE_MS 2000
#define PAUSE_FIRST_MS 50
#define PAUSE_MAX_MS 1000

enum state { WAITING, RESOLVING, CONNECTING, UP };

struct redis_link {
    const struct redis_address *address;
    const struct redis_link_events *events;
    void *context;
    enum state state;
    redisAsyncContext *redis;
    struct timer timer; /* the pause, the connect's deadline, or the beat */
    int64_t pause_ms, heard_mono_ms;
    bool freed; /* while resolving: the fiber frees it */
};

static void connect_later(struct redis_link *link);

/* ---- states ---- */

static void drop(struct redis_link *link)
{
    redisAsyncContext *redis = link->redis;
    bool was_up = link->state == UP;
    link->redis = NULL;
    link->state = WAITING;
    if (redis) {
        redis->data = NULL; /* its callbacks are no news any more */
        redisAsyncFree(redis);
    }
    if (was_up) {
        log_warn("redis is away", "{s:s, s:i}", "host", link->address->host, "port", link->address->port);
        link->events->down(link->context);
    }
    connect_later(link);
}

static void beat(void *arg);

static void on_pong(redisAsyncContext *redis, void *reply, void *unused)
{
    struct redis_link *link = redis->data;
    (void)unused;
    if (link && reply)
        link->heard_mono_ms = clock_mono_ms();
}

static void beat(void *arg)
{
    struct redis_link *link = arg;
    int64_t now = clock_mono_ms();
    bool alive = link->events->alive ? link->events->alive(link->context) : now - link->heard_mono_ms < SILENCE_MS;
    if (!alive) {
        drop(link);
        return;
    }
    if (!link->events->alive)
        redisAsyncCommand(link->redis, on_pong, NULL, "PING");
    timer_start(&link->timer, now + BEAT_MS, beat, link);
}

static void on_first_pong(redisAsyncContext *redis, void *answer, void *unused)
{
    struct redis_link *link = redis->data;
    redisReply *reply = answer;
    (void)unused;
    if (!link || !reply)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        log_warn("redis refuses", "{s:s}", "why", reply->str);
        return; /* the deadline of the connect ends it */
    }
    link->state = UP;
    link->pause_ms = 0;
    link->heard_mono_ms = clock_mono_ms();
    timer_start(&link->timer, link->heard_mono_ms + BEAT_MS, beat, link);
    link->events->up(link->context);
}

/* Also called by hiredis when a connect fails; it frees the context itself then. */
static void on_connected(const redisAsyncContext *redis, int status)
{
    struct redis_link *link = redis->data;
    if (link && status != REDIS_OK) {
        link->redis = NULL;
        drop(link);
    }
}

static void on_disconnected(const redisAsyncContext *redis, int status)
{
    struct redis_link *link = redis->data;
    (void)status;
    if (!link)
        return;
    link->redis = NULL;
    drop(link);
}

static void sign_in(struct redis_link *link)
{
    const struct redis_address *address = link->address;
    if (*address->user)
        redisAsyncCommand(link->redis, NULL, NULL, "AUTH %s %s", address->user, address->password);
    else if (*address->password)
        redisAsyncCommand(link->redis, NULL, NULL, "AUTH %s", address->password);
    if (address->database)
        redisAsyncCommand(link->redis, NULL, NULL, "SELECT %d", address->database);
    redisAsyncCommand(link->redis, on_first_pong, NULL, "PING");
}

static void took_too_long(void *arg)
{
    drop(arg);
}

/* The adapter takes the socket out of the loop and puts it in again at each command, though most find it as they want it. */
static void add_read(void *events)
{
    if (!(((redisLibuvEvents *)events)->events & UV_READABLE))
        redisLibuvAddRead(events);
}

static void add_write(void *events)
{
    if (!(((redisLibuvEvents *)events)->events & UV_WRITABLE))
        redisLibuvAddWrite(events);
}

static void open_context(struct redis_link *link, const char *ip)
{
    redisAsyncContext *redis = redisAsyncConnect(ip, link->address->port);
    if (!redis || redis->err || redisLibuvAttach(redis, worker_loop()) != REDIS_OK) {
        if (redis)
            redisAsyncFree(redis);
        drop(link);
        return;
    }
    redis->ev.addRead = add_read;
    redis->ev.addWrite = add_write;
    redis->data = link;
    link->redis = redis;
    link->state = CONNECTING;
    socket_guard(redis->c.fd);
    redisAsyncSetConnectCallback(redis, on_connected);
    redisAsyncSetDisconnectCallback(redis, on_disconnected);
    timer_start(&link->timer, clock_mono_ms() + CONNECT_MS, took_too_long, link);
    sign_in(link);
}

static FIBER_FN void resolve_fiber(void *arg)
{
    struct redis_link *link = arg;
    const char *address = NULL;
    fiber_narrow_deadline(CONNECT_MS);
    int count = http_resolve(link->address->host, link->address->port, &address, 1);
    if (link->freed) {
        free(link);
        return;
    }
    link->state = WAITING;
    if (count < 1) {
        drop(link);
        return;
    }
    char ip[64];
    const char *colon = strrchr(address, ':');
    bool six = address[0] == '[';
    snprintf(ip, sizeof ip, "%.*s", (int)(colon - address) - (six ? 2 : 0), address + (six ? 1 : 0));
    open_context(link, ip);
}

static void begin(void *arg)
{
    struct redis_link *link = arg;
    link->state = RESOLVING;
    if (fiber_start("redis", resolve_fiber, link)) {
        link->state = WAITING;
        connect_later(link);
    }
}

static void connect_later(struct redis_link *link)
{
    link->pause_ms = !link->pause_ms ? PAUSE_FIRST_MS : link->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : link->pause_ms * 2;
    timer_start(&link->timer, clock_mono_ms() + link->pause_ms, begin, link);
}

/* ---- life ---- */

struct redis_link *redis_link_new(const struct redis_address *address, const struct redis_link_events *events, void *context)
{
    struct redis_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    *link = (struct redis_link){.address = address, .events = events, .context = context};
    timer_start(&link->timer, clock_mono_ms(), begin, link);
    return link;
}

void redis_link_free(struct redis_link *link)
{
    if (!link)
        return;
    timer_stop(&link->timer);
    if (link->state == RESOLVING) {
        link->freed = true;
        return;
    }
    if (link->redis) {
        link->redis->data = NULL;
        redisAsyncFree(link->redis);
    }
    free(link);
}

redisAsyncContext *redis_link_context(struct redis_link *link)
{
    return link->state == UP ? link->redis : NULL;
}
