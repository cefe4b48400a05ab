/* Status and dead letters of a service, and how its answers are counted. */
#include "service/common_routes.h"

#include "base/clock.h"
#include "base/recent.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "http/problem.h"
#include "service/health.h"
#include "service/process.h"

#include <pthread.h>
#include <unistd.h>

static FIBER_FN void list(void *context, struct http_request *request, struct http_response *response)
{
    dead_letters_list(&((struct running_service *)context)->engines.dead_letters, request, response);
}

static FIBER_FN void retry(void *context, struct http_request *request, struct http_response *response)
{
    dead_letters_retry(&((struct running_service *)context)->engines.dead_letters, request, response);
}

static FIBER_FN void drop(void *context, struct http_request *request, struct http_response *response)
{
    dead_letters_drop(&((struct running_service *)context)->engines.dead_letters, request, response);
}

static int count_dead(struct transaction *tx, void *arg)
{
    struct rows rows;
    int code = sql_query(tx, &rows, "SELECT count(*) FROM dead_letters", "");
    if (code == 0)
        *(int64_t *)arg = rows_integer(&rows, 0, 0);
    return code;
}

static FIBER_FN void add_messages(struct running_service *entry, struct arena *arena, json_t *object)
{
    int64_t rows = 0, oldest_ms = 0, dead = 0;
    if (!entry->service->has_outbox || !database_is_up(entry->engines.database))
        return;
    if (outbox_backlog(entry->engines.database, &rows, &oldest_ms) == 0)
        json_put(object, "outbox", json_make(arena, "{s:s, s:I, s:I}", "service", entry->service->name, "backlog", (json_int_t)rows,
                                                    "oldest_ms", (json_int_t)oldest_ms));
    if (database_scan(entry->engines.database, count_dead, &dead) == 0)
        json_put_new(object, "dead_letters", json_integer(dead));
}

/* Queues and topics belong to no one service: each process tells what it sees, and whoever asks takes one of each name. */
static FIBER_FN void add_engines(struct running_service *entry, struct arena *arena, json_t *object)
{
    json_t *queues = NULL, *topics = NULL;
    if (entry->engines.queue && queue_depths(entry->engines.queue, arena, &queues) == 0)
        json_put(object, "queues", queues);
    if (entry->engines.stream && stream_is_up(entry->engines.stream) && stream_lags(entry->engines.stream, arena, &topics) == 0)
        json_put(object, "lags", topics);
    json_put(object, "engines", health_engines(arena));
}

/* ---- what happened lately ---- */

struct named_rates {
    struct arena *arena;
    json_t *object;
};

static void add_rate(void *arg, const char *name, struct recent_rates rates)
{
    struct named_rates *to = arg;
    json_put(to->object, name, json_make(to->arena, "f", rates.per_second));
}

static json_t *rates_by_name(struct arena *arena, enum recent_kind kind)
{
    struct named_rates to = {arena, json_make(arena, "{}")};
    recent_each(kind, add_rate, &to);
    return to.object;
}

static char process_name[UUID_SIZE];

static void name_process(void)
{
    uuid_make(process_name);
}

/* Queues and topics are counted for the whole process, however many services it runs: `process` tells whoever adds up. */
static void add_rates(struct running_service *entry, struct arena *arena, json_t *object)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, name_process);
    struct recent_rates own = recent_read(entry->recent);
    json_put_new(object, "process", json_string(process_name));
    json_put(object, "rates", json_make(arena, "{s:f, s:f, s:f}", "requests", own.per_second, "errors", own.failed_per_second,
                                               "p99_ms", own.p99_ms));
    json_put(object, "published", rates_by_name(arena, RECENT_QUEUE_PUBLISHED));
    json_put(object, "handled", rates_by_name(arena, RECENT_QUEUE_HANDLED));
    json_put(object, "streamed", rates_by_name(arena, RECENT_TOPIC_PUBLISHED));
}

static FIBER_FN void status(void *context, struct http_request *request, struct http_response *response)
{
    struct running_service *entry = context;
    json_t *object = json_make(request->arena, "{s:s, s:s, s:i, s:I}", "name", entry->service->name, "state",
                               process_is_draining() ? "draining" : "up", "pid", (int)getpid(), "uptime_s",
                               (json_int_t)((clock_mono_ms() - entry->started_mono_ms) / 1000));
    if (entry->service->has_database) {
        add_messages(entry, request->arena, object);
        add_engines(entry, request->arena, object);
    }
    if (entry->service->status)
        entry->service->status(entry->context, request->arena, object);
    add_rates(entry, request->arena, object);
    respond_json(response, 200, object);
}

static const struct route routes[] = {
    {HTTP_GET, "/internal/status", ROUTE_INTERNAL, status},
    {HTTP_GET, "/internal/dead-letters", ROUTE_INTERNAL, list},
    {HTTP_POST, "/internal/dead-letters/{id}/retry", ROUTE_INTERNAL, retry},
    {HTTP_DELETE, "/internal/dead-letters/{id}", ROUTE_INTERNAL, drop},
    {0},
};

FIBER_FN void service_handle(struct running_service *entry, struct http_request *request, struct http_response *response)
{
    bool internal = text_starts(request->path, text_of("/internal/"));
    bool common = text_equal(request->path, text_of("/internal/status")) || text_starts(request->path, text_of("/internal/dead-letters"));
    int64_t began_us = clock_mono_us();
    router_handle(common && entry->service->has_database ? entry->common : entry->router, request, response);
    if (!internal && !response->upgraded)
        recent_note(entry->recent, 1, response->status >= 500, clock_mono_us() - began_us);
}

struct router *common_router_new(struct running_service *entry)
{
    return router_new(routes, entry);
}
