/*
 * Which sockets a push concerns. Every worker subscribes to the channels for itself and keeps a table of its own sockets, so that no lock is
 * needed. While the cache is away, and once after it came back or a push was lost, a round each second looks into the log for every socket, and
 * asks the user service which sessions have ended. Where no cache is shared, each round does that of the two which other processes have a part in.
 */
#include "notifications/hub.h"

#include "base/log.h"
#include "base/metrics.h"
#include "contracts/sessions.h"
#include "engines/wakeup.h"
#include "notifications/listener.h"
#include "service/service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096
#define ROUND_MS 1000
#define FIBERS_MAX 128
#define ASK_MS 2000

static struct hub {
    struct notifications *notifications;
    struct listener *buckets[BUCKETS];
    unsigned round;
    bool stale;            /* pushes may have been missed */
    int64_t last_ending;   /* the number up to which ended sessions are known without a gap */
    struct fiber *watcher; /* NULL once it has ended */
    struct mail stop;
} *hubs[WORKER_MAX];

static bool stopping;
static struct gauge *open_sockets;

static struct hub *hub_self(void)
{
    return hubs[worker_index(worker_self())];
}

static struct listener **bucket_of(struct hub *hub, const char *user_id)
{
    uint32_t hash = 2166136261u;
    for (const char *at = user_id; *at; at++)
        hash = (hash ^ (unsigned char)*at) * 16777619u;
    return &hub->buckets[hash % BUCKETS];
}

void hub_add(struct listener *listener)
{
    struct listener **bucket = bucket_of(hub_self(), listener->user_id);
    listener->next = *bucket;
    *bucket = listener;
    gauge_add(open_sockets, 1);
}

void hub_remove(struct listener *listener)
{
    struct listener **at = bucket_of(hub_self(), listener->user_id);
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    gauge_add(open_sockets, -1);
}

unsigned hub_count(void)
{
    return (unsigned)gauge_value(open_sockets);
}

/* ---- channels ---- */

static void on_push(void *context, const char *channel, struct text message)
{
    struct hub *hub = context;
    struct push push;
    const char *user_id = channel + sizeof CHANNEL_NOTIFY - 1;
    if (strcmp(user_id, PUSH_MISSED) == 0)
        hub->stale = true;
    if (push_parse(message, &push))
        return;
    for (struct listener *at = *bucket_of(hub, user_id), *next; at; at = next) {
        next = at->next;
        if (strcmp(at->user_id, user_id) == 0)
            listener_push(at, &push);
    }
}

static void end_session(struct hub *hub, const struct session_ended *ended)
{
    for (struct listener *at = *bucket_of(hub, ended->user_id), *next; at; at = next) {
        next = at->next;
        if (strcmp(at->session_id, ended->session_id) == 0)
            listener_close(at, WS_CLOSE_UNAUTHORIZED, "the session has ended");
    }
}

static void on_session_ended(void *context, const char *channel, struct text message)
{
    struct hub *hub = context;
    struct session_ended ended;
    json_t *tree;
    struct arena *arena = arena_new();
    if (!arena)
        return;
    if (json_parse(arena, message, &tree, NULL) == 0 && session_ended_decode(tree, &ended) == 0) {
        if (!hub->last_ending || ended.number == hub->last_ending + 1)
            hub->last_ending = ended.number;
        end_session(hub, &ended);
    }
    arena_free(arena);
}

static void on_reconnect(void *context)
{
    struct hub *hub = context;
    hub->stale = true;
}

/* What the channel may have missed. Without an answer the next round asks again. */
static FIBER_FN void ask_for_endings(struct hub *hub)
{
    struct arena *arena = fiber_arena();
    size_t count;
    do {
        int status = 0;
        json_t *answer = NULL, *item;
        char *target = arena_printf(arena, "/internal/revocations?after=%" PRId64, hub->last_ending);
        if (service_ask("users", "GET", target, NULL, &status, &answer) || status != 200)
            return;
        json_t *list = json_object_get(answer, "data");
        json_array_foreach(list, count, item) {
            struct session_ended ended;
            if (session_ended_decode(item, &ended))
                continue;
            hub->last_ending = ended.number;
            end_session(hub, &ended);
        }
        count = json_array_size(list);
    } while (count);
}

/* ---- rounds ---- */

/* The next socket that this round has not seen; sockets come and go while the round waits. */
static struct listener *next_of_round(struct hub *hub, unsigned bucket)
{
    struct listener *at = hub->buckets[bucket];
    while (at && at->round == hub->round)
        at = at->next;
    return at;
}

static FIBER_FN void look_at_all(struct hub *hub)
{
    struct listener *at;
    hub->round++;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
        while (!stopping && (at = next_of_round(hub, bucket))) {
            at->round = hub->round;
            listener_check(at);
            while (fiber_count() > FIBERS_MAX && fiber_sleep(1) == 0)
                ;
        }
}

static FIBER_FN void round_of(void *arg)
{
    struct hub *hub = arg;
    struct cache *cache = hub->notifications->engines.cache;
    bool away = !cache_is_up(cache), missed = away || hub->stale;
    if (!away)
        push_tell_missed(cache);
    hub->stale = away;
    if (missed || !service_is_heard("users", cache)) {
        int64_t before = fiber_narrow_deadline(ASK_MS);
        ask_for_endings(hub);
        fiber_set_deadline(before);
    }
    if (missed || !service_is_heard("notifications", cache))
        look_at_all(hub);
}

/* ---- start and stop ---- */

static atomic_uint started;  /* hubs of workers that have subscribed */
static atomic_uint watching; /* hubs whose watcher has not ended */

static FIBER_FN void watch(void *arg)
{
    struct hub *hub = arg;
    while (!stopping && fiber_sleep(ROUND_MS) == 0)
        if (fiber_run_apart("notifications round", round_of, hub) < 0)
            hub->stale = true; /* it did not come to its end */
    hub->watcher = NULL;
    atomic_fetch_sub(&watching, 1);
}

static int subscribe(struct hub *hub)
{
    struct cache *cache = hub->notifications->engines.cache;
    const struct cache_subscription pushes = {.pattern = CHANNEL_NOTIFY "*", .message = on_push, .reconnected = on_reconnect, .context = hub};
    const struct cache_subscription sessions = {.pattern = CHANNEL_SESSIONS, .message = on_session_ended, .context = hub};
    int error = cache_subscribe(cache, &pushes);
    return error ? error : cache_subscribe(cache, &sessions);
}

static void start_here(void *arg)
{
    struct hub *hub = arg;
    struct fiber_options options = {.name = "notifications.watch", .run = watch, .arg = hub};
    if (subscribe(hub) || fiber_start_with(&options, &hub->watcher))
        log_fatal("cannot subscribe to pushes", NULL);
    atomic_fetch_add(&watching, 1);
    atomic_fetch_add(&started, 1);
}

/* All that were told have begun: what they stand on may not go before. */
static FIBER_FN void await_started(unsigned told)
{
    while (atomic_load(&started) < told)
        if (fiber_sleep(1))
            fiber_yield();
}

FIBER_FN int hub_start(struct notifications *notifications, struct err *err)
{
    unsigned told = 0;
    int error = 0;
    open_sockets = gauge_get("purser_websockets", NULL, "open WebSockets of notifications");
    stopping = false;
    atomic_store(&started, 0);
    for (unsigned i = 0; i < worker_count() && !error; i++) {
        struct hub *hub = calloc(1, sizeof *hub);
        if (!hub) {
            error = -ENOMEM;
            break;
        }
        hub->notifications = notifications;
        hubs[i] = hub;
        if (worker_at(i) == worker_self())
            start_here(hub);
        else
            error = worker_post(worker_at(i), start_here, hub);
        told += !error;
    }
    await_started(told);
    return error ? err_set(err, error, "out of memory") : 0;
}

static void stop_here(void *arg)
{
    struct hub *hub = arg;
    if (hub->watcher)
        fiber_cancel(hub->watcher);
}

/* Subscriptions end with the cache, which no watcher may outlive; the hubs stay, since a last push may be on its way. */
FIBER_FN void hub_stop(void)
{
    stopping = true;
    for (unsigned i = 0; i < worker_count(); i++) {
        if (!hubs[i])
            continue;
        hubs[i]->stop = (struct mail){.run = stop_here, .arg = hubs[i]};
        worker_send(worker_at(i), &hubs[i]->stop);
    }
    while (atomic_load(&watching))
        if (fiber_sleep(1))
            fiber_yield();
}
