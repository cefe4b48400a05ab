/*
 * The services in other processes, each made at its first use and kept. upstream_choice.c says which instance is asked, upstream_call.c
 * asks it, upstream_watch.c knows which there are and how they are. Nothing here is on the way of a call inside the process.
 */
#include "base/clock.h"
#include "base/settings.h"
#include "runtime/worker.h"
#include "service/registry.h"
#include "service/upstream_background.h"
#include "service/upstream_parts.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define BUDGET_START 50 /* five repeats before any was earned */

static const struct place {
    const char *service, *setting;
} places[] = {
    {"users", "users_url"},         {"orders", "orders_url"}, {"payments", "payments_url"}, {"notifications", "notifications_url"},
    {"functions", "functions_url"},
};
#define PLACES (sizeof places / sizeof *places)

static struct upstream upstreams[PLACES];
static unsigned upstream_count;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static struct upstream *make(const struct place *place)
{
    struct upstream *upstream = &upstreams[upstream_count];
    char labels[96];
    upstream->service = place->service;
    upstream->setting = place->setting;
    snprintf(labels, sizeof labels, "service=\"%s\"", place->service);
    upstream->repeats = counter_get("purser_upstream_repeats_total", labels, "Requests sent a second time");
    upstream->failed = counter_get("purser_upstream_failures_total", labels, "Calls without an answer");
    upstream->budget = BUDGET_START;
    if (worker_start_fiber(worker_at(0), "upstream", upstream_watch, upstream))
        return NULL;
    __atomic_store_n(&upstream_count, upstream_count + 1, __ATOMIC_RELEASE);
    return upstream;
}

static struct upstream *find(const char *service)
{
    unsigned n = __atomic_load_n(&upstream_count, __ATOMIC_ACQUIRE);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(upstreams[i].service, service) == 0)
            return &upstreams[i];
    return NULL;
}

/* NULL where there is no such service, or it is said to be nowhere. */
static const struct place *place_of(const char *service)
{
    for (unsigned i = 0; i < PLACES; i++)
        if (strcmp(places[i].service, service) == 0)
            return *settings_text(places[i].setting) ? &places[i] : NULL;
    return NULL;
}

struct upstream *upstream_of(const char *service)
{
    struct upstream *upstream = find(service);
    const struct place *place = upstream ? NULL : place_of(service);
    if (!place)
        return upstream;
    pthread_mutex_lock(&making);
    upstream = find(service);
    if (!upstream)
        upstream = make(place);
    pthread_mutex_unlock(&making);
    return upstream;
}

int upstreams_start(struct err *err)
{
    for (unsigned i = 0; i < PLACES; i++) {
        int error = upstream_url_check(places[i].setting, err);
        if (error)
            return error;
        upstream_of(places[i].service);
    }
    return 0;
}

void upstreams_stop(void)
{
    upstream_watch_stop();
    for (unsigned i = 0; i < upstream_count; i++)
        if (upstreams[i].background)
            fiber_cancel(upstreams[i].background);
}

static FIBER_FN json_t *ask_instance(struct upstream *upstream, struct instance *instance, struct arena *arena, const char *target)
{
    enum http_call_progress progress = HTTP_CALL_NOT_CONNECTED;
    struct http_request request;
    struct http_response response = {.arena = arena};
    json_t *said = NULL;
    service_request_init(&request, arena, "GET", target, NULL);
    bool well = upstream_call_instance(upstream, instance, &request, &response, &progress) == 0 && response.status == 200;
    return well && json_parse(arena, response.body, &said, NULL) == 0 ? said : NULL;
}

FIBER_FN json_t *upstream_ask_each(struct upstream *upstream, struct arena *arena, const char *target, int64_t each_ms)
{
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < upstream_slots(upstream); i++) {
        struct instance *instance = &upstream->instances[i];
        if (!get(instance->live))
            continue;
        bool out = instance_is_out(instance, clock_mono_ms());
        int64_t before = fiber_narrow_deadline(each_ms);
        json_t *said = out ? NULL : ask_instance(upstream, instance, arena, target);
        fiber_set_deadline(before);
        json_add(list, json_make(arena, "{s:s, s:b, s:i, s:O?}", "address", instance->address, "healthy", !out, "in_flight",
                                          get(instance->in_flight), "said", said));
    }
    return list;
}
