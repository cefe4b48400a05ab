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

static const char *const names[] = {"users", "orders", "payments", "notifications", "functions"}; /* each has a setting NAME_url */
#define NAMES (sizeof names / sizeof *names)

static struct upstream upstreams[NAMES];
static unsigned upstream_count;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

static struct upstream *make(const char *service)
{
    struct upstream *upstream = &upstreams[upstream_count];
    char labels[96];
    upstream->service = service;
    snprintf(upstream->setting, sizeof upstream->setting, "%s_url", service);
    snprintf(labels, sizeof labels, "service=\"%s\"", service);
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

/* The constant of that name; NULL where there is no such service, or it is said to be nowhere. */
static const char *known_name(const char *service)
{
    char setting[64];
    snprintf(setting, sizeof setting, "%s_url", service);
    for (unsigned i = 0; i < NAMES; i++)
        if (strcmp(names[i], service) == 0)
            return *settings_text(setting) ? names[i] : NULL;
    return NULL;
}

struct upstream *upstream_of(const char *service)
{
    struct upstream *upstream = find(service);
    const char *name = upstream ? NULL : known_name(service);
    if (!name)
        return upstream;
    pthread_mutex_lock(&making);
    upstream = find(name);
    if (!upstream)
        upstream = make(name);
    pthread_mutex_unlock(&making);
    return upstream;
}

int upstreams_start(struct err *err)
{
    for (unsigned i = 0; i < NAMES; i++) {
        char setting[64];
        snprintf(setting, sizeof setting, "%s_url", names[i]);
        int error = upstream_url_check(setting, err);
        if (error)
            return error;
        upstream_of(names[i]);
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
