/*
 * Users' functions: the registry in this service's database, their processes under purser-function-host, the queues user.created, order.created and
 * functions.invocations, and all topics, by the group "functions".
 */
#include "functions/functions.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "functions/api.h"
#include "functions/hooks.h"
#include "functions/host.h"
#include "functions/logs.h"
#include "functions/pool.h"
#include "functions/registry.h"
#include "functions/telemetry.h"
#include "service/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BEAT_MS 250
#define LOGS_EVERY_MS 500
#define REFRESH_EVERY_MS 500
#define SWEEP_EVERY_MS 1000
#define CLEAN_EVERY_MS 60000

static struct functions_context functions;

static const struct route routes[] = {
    {HTTP_GET, "/api/v1/functions", ROUTE_USER, functions_api_list},
    {HTTP_POST, "/api/v1/functions", ROUTE_ADMIN, functions_api_create},
    {HTTP_GET, "/api/v1/functions/{name}", ROUTE_USER, functions_api_get},
    {HTTP_PUT, "/api/v1/functions/{name}", ROUTE_ADMIN, functions_api_update},
    {HTTP_DELETE, "/api/v1/functions/{name}", ROUTE_ADMIN, functions_api_delete},
    {HTTP_GET, "/api/v1/functions/{name}/versions", ROUTE_ADMIN, functions_api_versions},
    {HTTP_POST, "/api/v1/functions/{name}/rollback", ROUTE_ADMIN, functions_api_rollback},
    {HTTP_GET, "/api/v1/functions/{name}/logs", ROUTE_ADMIN, functions_api_logs},
    {HTTP_POST, "/api/v1/functions/{name}/invocations", ROUTE_PUBLIC, functions_api_invoke},
    {HTTP_GET, "/api/v1/functions/{name}/invocations/{id}", ROUTE_USER, functions_api_invocation},
    {HTTP_PUT, "/internal/functions/{name}", ROUTE_INTERNAL, functions_api_deploy_internal},
    {HTTP_POST, "/internal/functions/{name}/rollback", ROUTE_INTERNAL, functions_api_rollback_internal},
    {HTTP_POST, "/internal/functions/{name}/invocations", ROUTE_INTERNAL, functions_api_invoke_internal},
    {0, NULL, 0, NULL},
};

/* A time that has come; sets the next. */
static bool is_due(int64_t *due_mono_ms, int64_t every_ms)
{
    int64_t now = clock_mono_ms();
    if (now < *due_mono_ms)
        return false;
    *due_mono_ms = now + every_ms;
    return true;
}

/* What others have changed where the database is shared, and what was changed here: whatever went wrong with that then is mended now. */
static FIBER_FN void refresh(struct database *database)
{
    static unsigned covered;
    unsigned changes = registry_changes();
    if (!database_is_postgres(database) && changes == covered)
        return;
    if (registry_refresh(database) == 0 && hooks_reload(database) == 0)
        covered = changes;
}

/* Everything that happens by the clock, one after the other on one fiber. */
static FIBER_FN void beat(struct database *database, int64_t due[4])
{
    if (is_due(&due[0], LOGS_EVERY_MS))
        logs_flush(database);
    if (is_due(&due[1], REFRESH_EVERY_MS))
        refresh(database);
    if (is_due(&due[2], SWEEP_EVERY_MS))
        pool_sweep();
    if (is_due(&due[3], CLEAN_EVERY_MS))
        functions_store_clean(database);
}

/* One beat is one fiber, so that its memory goes with it. */
static FIBER_FN void beat_fiber(void *unused)
{
    static int64_t due[4], minute;
    int64_t now = clock_wall_ms() / 60000;
    if (!minute)
        minute = now;
    beat(functions.engines->database, due);
    if (now != minute && hooks_minute(functions.engines->database, now) == 0)
        minute = now;
    functions.beating = false;
}

static void beat_abandoned(void *unused)
{
    functions.beating = false;
}

static void on_clock(void *unused)
{
    struct fiber_options options = {.name = "functions clock", .run = beat_fiber, .abandoned = beat_abandoned};
    if (!functions.beating && !functions.stopping) {
        functions.beating = true;
        if (fiber_start_with(&options, NULL))
            functions.beating = false;
    }
    timer_start(&functions.clock, clock_mono_ms() + BEAT_MS, on_clock, NULL);
}

static void set_limits(void)
{
    pool_set_limits(&(struct pool_limits){
        .processes_max = (unsigned)settings_number("function_processes"),
        .waiting_max = (unsigned)settings_number("function_queue"),
        .wait_max_ms = settings_duration_ms("function_wait"),
        .idle_ms = settings_duration_ms("function_idle"),
    });
}

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    functions = (struct functions_context){.engines = engines};
    struct err missing;
    set_limits();
    if (host_start(&missing)) {
        log_warn("functions cannot run", "{s:s}", "why", missing.message);
        health_note(strdup(missing.message));
    }
    int error = registry_start(engines->database, err);
    if (!error)
        error = hooks_start(&functions, err);
    if (error)
        return error;
    *ret_context = &functions;
    on_clock(NULL);
    return 0;
}

static FIBER_FN void stop(void *context)
{
    functions.stopping = true;
    timer_stop(&functions.clock);
    while (functions.beating && fiber_sleep(10) == 0)
        ;
    logs_flush(functions.engines->database);
    pool_drain();
    host_stop();
}

struct survey {
    struct arena *arena;
    json_t *list;
    unsigned count;
};

/* The busiest page draws at most so many. */
#define SURVEY_MAX 50

static void add_function(void *arg, struct pool_entry *entry)
{
    struct survey *survey = arg;
    struct version *version = pool_version(entry);
    if (version)
        survey->count++;
    struct pool_counts counts = pool_counts_of(entry);
    struct telemetry_sums sums = telemetry_of(entry);
    if (version && (sums.calls || counts.processes) && json_array_size(survey->list) < SURVEY_MAX)
        json_add(survey->list,
                          json_make(survey->arena, "{s:s, s:I, s:i, s:i, s:i, s:I, s:I, s:I, s:I, s:I}", "name", pool_name(entry), "version",
                                    (json_int_t)version->number, "processes", (int)counts.processes, "busy", (int)counts.busy, "waiting",
                                    (int)counts.waiting, "run_us", (json_int_t)counts.run_us, "calls", (json_int_t)sums.calls, "errors",
                                    (json_int_t)sums.errors, "cold_starts", (json_int_t)sums.cold_starts, "memory_kb",
                                    (json_int_t)sums.resident_kb));
    version_unref(version);
}

static FIBER_FN void status(void *context, struct arena *arena, json_t *object)
{
    struct survey survey = {arena, json_keep(arena, json_array()), 0};
    char missing[256];
    pool_each(add_function, &survey);
    host_missing_walls(missing, sizeof(missing));
    json_put(object, "functions", survey.list);
    json_put_new(object, "function_count", json_integer(survey.count));
    json_put_new(object, "processes", json_integer(pool_processes()));
    json_put_new(object, "host", json_string(host_is_up() ? "up" : "away"));
    json_put_new(object, "walls_missing", json_string(host_is_up() ? missing : ""));
}

const struct service functions_service = {
    .name = "functions",
    .routes = routes,
    .has_database = true,
    .has_outbox = true,
    .start = start,
    .stop = stop,
    .status = status,
};
