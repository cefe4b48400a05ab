/*
 * Which services run in this process, and the one way to call any service: directly when it is here, over HTTP when it is not. Callers
 * cannot tell the difference but by the time it takes. The list is made at start and only read afterwards. Calls of a service are counted
 * from their beginning to their end, however they end, so that it goes only after the last of them.
 */
#include "service/registry.h"

#include "base/clock.h"
#include "http/problem.h"
#include "service/common_routes.h"
#include "service/upstream.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define CLOSE_LOOK_MS 5

static struct running_service running[SERVICES_MAX];
static unsigned running_count;

struct running_service *registry_add(const struct service *service)
{
    assert(running_count < SERVICES_MAX);
    struct running_service *entry = &running[running_count++];
    entry->service = service;
    entry->recent = recent_get(RECENT_SERVICE, service->name);
    return entry;
}

void registry_open(struct running_service *entry)
{
    __atomic_store_n(&entry->open, true, __ATOMIC_RELEASE);
}

/* A call counts itself before it looks whether the service is open; here it is the other way round, so that one sees the other. */
FIBER_FN bool registry_close(struct running_service *entry, int64_t until_mono_ms)
{
    __atomic_store_n(&entry->open, false, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&entry->calls, __ATOMIC_SEQ_CST) && clock_mono_ms() < until_mono_ms)
        fiber_sleep(CLOSE_LOOK_MS);
    return !__atomic_load_n(&entry->calls, __ATOMIC_SEQ_CST);
}

static struct running_service *find(const char *name)
{
    for (unsigned i = 0; i < running_count; i++)
        if (strcmp(running[i].service->name, name) == 0)
            return &running[i];
    return NULL;
}

static struct running_service *find_open(const char *name)
{
    struct running_service *entry = find(name);
    return entry && __atomic_load_n(&entry->open, __ATOMIC_ACQUIRE) ? entry : NULL;
}

bool service_is_here(const char *service)
{
    return find_open(service) != NULL;
}

bool service_is_heard(const char *service, const struct cache *cache)
{
    if (cache_is_shared(cache))
        return cache_is_up(cache);
    const struct running_service *entry = find(service);
    return entry && !(entry->service->has_database && database_is_postgres(entry->engines.database));
}

void service_each(void (*visit)(void *arg, const struct service *service, struct service_engines *engines, void *context), void *arg)
{
    for (unsigned i = 0; i < running_count; i++)
        if (__atomic_load_n(&running[i].open, __ATOMIC_ACQUIRE))
            visit(arg, running[i].service, &running[i].engines, running[i].context);
}

/* ---- calls ---- */

struct call {
    struct running_service *entry; /* NULL: it has ended */
};

static void end_call(void *arg)
{
    struct call *call = arg;
    if (call->entry)
        __atomic_fetch_sub(&call->entry->calls, 1, __ATOMIC_RELEASE);
    call->entry = NULL;
}

FIBER_FN bool registry_call(struct running_service *entry, struct http_request *request, struct http_response *response)
{
    struct call *call = arena_alloc(fiber_arena(), sizeof *call);
    call->entry = entry;
    __atomic_fetch_add(&entry->calls, 1, __ATOMIC_SEQ_CST);
    fiber_defer(end_call, call); /* where memory is short the fiber goes on from its end */
    bool open = __atomic_load_n(&entry->open, __ATOMIC_SEQ_CST);
    if (open)
        service_handle(entry, request, response);
    end_call(call);
    return open;
}

FIBER_FN void service_call(const char *service, struct http_request *request, struct http_response *response)
{
    struct running_service *here = find_open(service);
    if (here && registry_call(here, request, response))
        return;
    struct upstream *upstream = upstream_of(service);
    if (upstream)
        upstream_forward(upstream, request, response);
    else
        problem_unavailable(response, 1, "This part of the system is not running.");
}

static enum http_method method_of(const char *name)
{
    static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0)
            return (enum http_method)i;
    return HTTP_OTHER;
}

void service_request_init(struct http_request *request, struct arena *arena, const char *method, const char *target, const json_t *body)
{
    *request = (struct http_request){
        .arena = arena,
        .method = method_of(method),
        .method_name = text_of(arena_strdup(arena, method)),
        .target = text_of(arena_strdup(arena, target)),
        .client_address = "127.0.0.1",
        .trace = fiber_trace(),
    };
    struct text rest = request->target;
    text_split(&rest, '?', &request->path);
    request->query = rest.at ? rest : (struct text){"", 0};
    if (body) {
        request->body.at = json_print(arena, body, &request->body.size);
        http_header_add(arena, &request->headers, "Content-Type", "application/json");
    }
}

struct http_identity service_administrator(void)
{
    return (struct http_identity){.user_id = "00000000-0000-7000-8000-000000000000", .role = "admin", .session_id = "control"};
}

static FIBER_FN int ask_as(struct http_identity identity, const char *service, const char *method, const char *target, const json_t *body,
                           int *ret_status, json_t **ret_answer)
{
    struct arena *arena = fiber_arena();
    struct http_request request;
    service_request_init(&request, arena, method, target, body);
    request.identity = identity;
    struct http_response response = {.arena = arena};
    service_call(service, &request, &response);
    if (response.status == 503)
        return -EAGAIN;
    if (response.status == 504)
        return -ETIMEDOUT;
    json_t *answer = NULL;
    if (response.body.size) {
        int error = json_parse(arena, response.body, &answer, NULL);
        if (error)
            return -EPROTO;
    }
    *ret_status = response.status;
    if (ret_answer)
        *ret_answer = answer;
    return 0;
}

FIBER_FN int service_ask(const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
                         json_t **ret_answer)
{
    return ask_as((struct http_identity){0}, service, method, target, body, ret_status, ret_answer);
}

FIBER_FN int service_ask_as_administrator(const char *service, const char *method, const char *target, const json_t *body, int *ret_status,
                                          json_t **ret_answer)
{
    return ask_as(service_administrator(), service, method, target, body, ret_status, ret_answer);
}
