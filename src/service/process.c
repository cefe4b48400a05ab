/*
 * Starting from the bottom up (engines, each service's tables, relay, consumers; then doors), serving, and stopping from the top down.
 * Everything here runs on fibers of worker 0. A start that cannot work ends with one line on standard error and exit status 1.
 */
#include "service/process.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/settings.h"
#include "http/problem.h"
#include "runtime/signals.h"
#include "runtime/worker.h"
#include "service/backlog.h"
#include "service/common_routes.h"
#include "service/control.h"
#include "service/health.h"
#include "service/internal.h"
#include "service/registry.h"
#include "service/upstream_background.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLOCK_LOOK_MS 1000
#define DRAIN_SPREAD_MS 5000
#define DRAIN_REST_MS 7000 /* for all that is under way when no connection is taken any more */
#define CLEAN_EVERY_MS 60000

static struct {
    const struct process_plan *plan;
    struct queue *queue;
    struct stream *stream;
    struct cache *cache;
    struct running_service *services[SERVICES_MAX];
    unsigned service_count;
    bool front_started;
    bool draining;
    bool serving;
    bool reload_waits; /* SIGHUP came during the start */
    bool cleaning; /* the cleaner's fiber should go on */
    struct http_server *admin;
    struct fiber *waiting; /* the main fiber, until SIGTERM */
    int64_t calls_end_by_mono_ms; /* 0: nobody has drained */
    int exit_status;
} process;

bool process_is_draining(void)
{
    return __atomic_load_n(&process.draining, __ATOMIC_ACQUIRE);
}

/* ---- engines ---- */

static bool queue_up(const void *queue) { return queue_is_up(queue); }
static bool stream_up(const void *stream) { return stream_is_up(stream); }
static bool cache_up(const void *cache) { return cache_is_up(cache); }
static bool database_up(const void *database) { return database_is_up(database); }

static bool any_needs_messages(void)
{
    for (unsigned i = 0; process.plan->services[i]; i++)
        if (process.plan->services[i]->has_outbox)
            return true;
    return false;
}

static FIBER_FN int start_engines(struct err *err)
{
    int error = upstreams_start(err);
    if (!error)
        error = cache_open(&process.cache, err);
    if (error)
        return error;
    health_watch("cache", false, cache_up, process.cache);
    if (!any_needs_messages())
        return 0;
    error = queue_open(&process.queue, err);
    if (error)
        return error;
    health_watch("queue", false, queue_up, process.queue);
    error = stream_open(&process.stream, err);
    if (error)
        return error;
    health_watch("stream", false, stream_up, process.stream);
    return 0;
}

/* ---- services ---- */

static const char *listen_of(const struct service *service)
{
    char name[64];
    snprintf(name, sizeof name, "%s_listen", service->name);
    return settings_text(name);
}

/* A service that runs apart: who calls must be of the same system. */
static FIBER_FN void handle_apart(void *context, struct http_request *request, struct http_response *response)
{
    struct running_service *entry = context;
    if (health_answer(request, response))
        return;
    if ((entry->service->answers_anyone || internal_accept(request, response)) && !registry_call(entry, request, response))
        problem_unavailable(response, 1, "This part of the system is not running.");
}

static FIBER_FN int listen_apart(struct running_service *entry, struct err *err)
{
    struct http_server_options options = {
        .name = entry->service->name,
        .listen = listen_of(entry->service),
        .handler = {handle_apart, entry},
    };
    return http_server_start(&options, &entry->server, err);
}

static FIBER_FN int start_database(struct running_service *entry, struct err *err)
{
    const char *name = entry->service->name;
    int error = database_open(name, &entry->engines.database, err);
    if (!error)
        error = database_migrate(entry->engines.database, name, err);
    if (error)
        return error;
    health_watch("database", true, database_up, entry->engines.database);
    if (entry->service->has_outbox && !process.plan->tables_only)
        error = outbox_relay_start(entry->engines.database, name, process.queue, process.stream, &entry->relay);
    return error ? err_set(err, error, "cannot start the relay of %s", name) : 0;
}

static FIBER_FN int start_service(const struct service *service, struct err *err)
{
    struct running_service *entry = registry_add(service);
    process.services[process.service_count++] = entry;
    entry->engines = (struct service_engines){.queue = process.queue, .stream = process.stream, .cache = process.cache};
    int error = service->has_database ? start_database(entry, err) : 0;
    if (error || process.plan->tables_only)
        return error;
    entry->engines.dead_letters = (struct dead_letters){service->name, entry->engines.database, process.queue};
    error = service->start(&entry->engines, &entry->context, err);
    if (error)
        return error;
    entry->started = true;
    entry->router = router_new(service->routes, entry->context);
    entry->common = common_router_new(entry);
    entry->started_mono_ms = clock_mono_ms();
    if (!entry->router || !entry->common)
        return err_set(err, -ENOMEM, "out of memory");
    registry_open(entry);
    return process.plan->front || process.plan->job ? 0 : listen_apart(entry, err);
}

static FIBER_FN void clean_forever(void *unused)
{
    (void)unused;
    while (process.cleaning && fiber_sleep(CLEAN_EVERY_MS) == 0)
        for (unsigned i = 0; i < process.service_count && process.cleaning; i++)
            if (process.services[i]->service->has_outbox)
                messaging_clean(process.services[i]->engines.database);
}

static FIBER_FN int start_doors(struct err *err)
{
    if (strcmp(settings_text("admin_listen"), "off") != 0) {
        backlog_start();
        struct http_server_options admin = {.name = "admin", .listen = settings_text("admin_listen"), .handler = health_admin_handler()};
        int error = http_server_start(&admin, &process.admin, err);
        if (error)
            return error;
    }
    int error = control_start(err);
    if (error || !process.plan->front)
        return error;
    error = process.plan->front->start(process.cache, err);
    process.front_started = !error;
    return error;
}

/* What can be known to be wrong before anything is started: then nothing else is said, and nothing has to be stopped. */
static FIBER_FN int check_doors(struct err *err)
{
    const char *admin = settings_text("admin_listen");
    int error = strcmp(admin, "off") != 0 ? http_server_check(admin, err) : 0;
    if (!error && process.plan->front)
        return process.plan->front->prepare(err);
    for (unsigned i = 0; !error && process.plan->services[i]; i++)
        error = http_server_check(listen_of(process.plan->services[i]), err);
    return error;
}

static FIBER_FN int start_all(struct err *err)
{
    int error = process.plan->job ? 0 : check_doors(err);
    if (!error && !process.plan->tables_only)
        error = start_engines(err);
    for (unsigned i = 0; !error && process.plan->services[i]; i++)
        error = start_service(process.plan->services[i], err);
    if (error || process.plan->job)
        return error;
    process.cleaning = true;
    error = worker_start_fiber(worker_self(), "cleaner", clean_forever, NULL);
    return error ? error : start_doors(err);
}

/* ---- end ---- */

static unsigned in_flight(void)
{
    unsigned count = process.front_started ? process.plan->front->in_flight() : 0;
    for (unsigned i = 0; i < process.service_count; i++)
        if (process.services[i]->server)
            count += http_server_in_flight(process.services[i]->server);
    return count;
}

static FIBER_FN void drain(void)
{
    int64_t began = clock_mono_ms(), accept_ms = settings_duration_ms("drain_accept");
    process.calls_end_by_mono_ms = began + accept_ms + DRAIN_REST_MS;
    health_set_draining();
    log_info("draining", NULL);
    if (process.front_started)
        process.plan->front->drain();
    for (unsigned i = 0; i < process.service_count; i++)
        if (process.services[i]->server)
            http_server_drain(process.services[i]->server, accept_ms, DRAIN_SPREAD_MS);
    bool doors = process.front_started || !process.plan->front;
    while (doors && in_flight() && clock_mono_ms() < process.calls_end_by_mono_ms)
        fiber_sleep(20);
    log_info("drained", "{s:I, s:i}", "ms", (json_int_t)(clock_mono_ms() - began), "left", (int)in_flight());
}

/* Calls of this service go on that nobody can wait for. What they stand on cannot go, so all goes at once, as by a kill: that loses nothing
 * that was acknowledged. */
static _Noreturn void end_at_once(const struct running_service *entry)
{
    log_warn("ended in the middle of calls", "{s:s, s:i}", "service", entry->service->name, "calls", (int)entry->calls);
    log_flush();
    fflush(NULL);
    _exit(process.exit_status);
}

static FIBER_FN void stop_service(struct running_service *entry)
{
    if (!registry_close(entry, process.calls_end_by_mono_ms))
        end_at_once(entry);
    if (entry->engines.database)
        messaging_stop(entry->engines.database);
    if (entry->started)
        entry->service->stop(entry->context);
}

static FIBER_FN void stop_all(void)
{
    process.cleaning = false;
    if (!process.calls_end_by_mono_ms)
        process.calls_end_by_mono_ms = clock_mono_ms() + DRAIN_REST_MS;
    if (process.front_started)
        process.plan->front->stop();
    upstreams_stop();
    control_stop();
    backlog_stop();
    if (process.queue)
        queue_stop(process.queue);
    if (process.stream)
        stream_stop(process.stream);
    for (unsigned i = process.service_count; i-- > 0;)
        stop_service(process.services[i]);
    for (unsigned i = process.service_count; i-- > 0;)
        if (process.services[i]->relay)
            outbox_relay_stop(process.services[i]->relay);
    if (process.queue)
        queue_close(process.queue);
    if (process.stream)
        stream_close(process.stream);
    if (process.cache)
        cache_close(process.cache);
    for (unsigned i = process.service_count; i-- > 0;)
        if (process.services[i]->engines.database)
            database_close(process.services[i]->engines.database);
}

/* ---- signals ---- */

static void on_terminate(void *unused)
{
    (void)unused;
    if (process_is_draining())
        return;
    __atomic_store_n(&process.draining, true, __ATOMIC_RELEASE);
    if (process.waiting)
        fiber_wake(process.waiting);
}

static void on_reload(void *unused)
{
    (void)unused;
    struct err err;
    enum log_level level;
    if (!process.serving) { /* parts of it have read their settings already, others have not */
        process.reload_waits = true;
        return;
    }
    if (settings_reload(&err)) {
        log_warn("settings refused", "{s:s}", "why", err.message);
        return;
    }
    if (log_level_parse(settings_text("log_level"), &level) == 0)
        log_set_level(level);
    if (process.front_started && process.plan->front->reload)
        process.plan->front->reload();
    log_info("settings read again", NULL);
}

/* Until the process ends. Nothing waits by the wall clock; whoever reads the log should know why its times jump. */
static FIBER_FN void watch_clock(void)
{
    int64_t offset = 0, by_ms;
    for (; !process_is_draining(); fiber_wait()) {
        if ((by_ms = clock_set_by_ms(&offset)))
            log_warn("the clock was set", "{s:I}", "by_ms", (json_int_t)by_ms);
        fiber_set_deadline(clock_mono_ms() + CLOCK_LOOK_MS);
    }
    fiber_set_deadline(0);
}

/* Once nothing can fail any more: a start that fails says nothing but why. */
static void say_where(void)
{
    for (unsigned i = 0; i < process.service_count; i++)
        if (process.services[i]->server)
            log_info("listening", "{s:s, s:s}", "service", process.services[i]->service->name, "address",
                     http_server_address(process.services[i]->server));
}

static FIBER_FN void serve(void)
{
    say_where();
    if (process.plan->ready)
        process.plan->ready(process.plan->arg);
    const char *address = process.plan->front ? process.plan->front->address() : "";
    log_info("ready", "{s:s, s:s, s:i}", "address", address, "admin", process.admin ? http_server_address(process.admin) : "off",
             "workers", (int)worker_count());
    process.serving = true;
    if (process.reload_waits)
        on_reload(NULL);
    process.waiting = fiber_self();
    watch_clock();
    process.waiting = NULL;
    drain();
}

static FIBER_FN void main_fiber(void *unused)
{
    (void)unused;
    struct err err = {0};
    int error = start_all(&err);
    if (error) {
        fprintf(stderr, "purser: %s\n", err.message[0] ? err.message : strerror(-error));
        process.exit_status = 1;
    } else if (process.plan->job) {
        process.exit_status = process.plan->job(process.plan->arg);
    } else {
        serve();
    }
    stop_all();
    workers_stop();
}

static int make_data_folder(void)
{
    const char *data = settings_text("data");
    if (mkdir(data, 0700) == 0 || errno == EEXIST)
        return 0;
    fprintf(stderr, "purser: cannot make the data folder %s: %s; set PURSER_DATA to a folder that can be written\n", data,
            strerror(errno));
    return -errno;
}

static unsigned wanted_workers(const struct process_plan *plan)
{
    if (plan->job)
        return 1;
    int64_t set = settings_number("workers");
    unsigned cores = uv_available_parallelism();
    return set ? (unsigned)set : cores < WORKER_MAX ? cores : WORKER_MAX;
}

int process_run(const struct process_plan *plan)
{
    struct err err = {0};
    enum log_level level;
    process.plan = plan;
    if (log_level_parse(settings_text("log_level"), &level) == 0)
        log_set_level(level);
    if (make_data_folder())
        return 1;
    if (workers_start(wanted_workers(plan), &err) || signals_start(on_terminate, on_reload, NULL)) {
        fprintf(stderr, "purser: cannot start: %s\n", err.message);
        return 1;
    }
    if (fiber_start("main", main_fiber, NULL)) {
        fprintf(stderr, "purser: out of memory\n");
        return 1;
    }
    worker_run();
    if (!process.exit_status && !plan->job)
        log_info("ended", NULL);
    return process.exit_status;
}
