/* Liveness, readiness and metrics. What is watched is registered at start; each question asks the engines anew, without waiting. */
#include "service/health.h"

#include "base/log.h"
#include "base/metrics.h"
#include "http/problem.h"

#include <assert.h>
#include <string.h>

#define WATCHED_MAX 32
#define AWAITED_MAX 4
#define NOTES_MAX 8

static struct watched {
    const char *name;
    bool is_database;
    bool (*is_up)(const void *arg);
    const void *arg;
} watched[WATCHED_MAX];
static unsigned watched_count;
static struct {
    const char *name;
    bool (*is_there)(void);
} awaited[AWAITED_MAX];
static unsigned awaited_count;
static const char *notes[NOTES_MAX];
static unsigned notes_count;
static bool draining;

void health_watch(const char *name, bool is_database, bool (*is_up)(const void *arg), const void *arg)
{
    assert(watched_count < WATCHED_MAX);
    watched[watched_count++] = (struct watched){name, is_database, is_up, arg};
}

void health_await(const char *name, bool (*is_there)(void))
{
    assert(awaited_count < AWAITED_MAX);
    awaited[awaited_count].name = name;
    awaited[awaited_count++].is_there = is_there;
}

void health_note(const char *text)
{
    if (notes_count < NOTES_MAX)
        notes[notes_count++] = text;
}

void health_set_draining(void)
{
    __atomic_store_n(&draining, true, __ATOMIC_RELEASE);
}

json_t *health_engines(struct arena *arena)
{
    json_t *object = json_make(arena, "{}");
    for (unsigned i = 0; i < watched_count; i++)
        json_put_new(object, watched[i].name, json_string(watched[i].is_up(watched[i].arg) ? "up" : "away"));
    return object;
}

/* Several databases of one engine are one name in the list. */
static bool contains(const json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (strcmp(json_string_value(item), name) == 0)
            return true;
    return false;
}

static void answer_ready(struct http_response *response)
{
    struct arena *arena = response->arena;
    bool is_draining = __atomic_load_n(&draining, __ATOMIC_ACQUIRE), unfit = false;
    json_t *missing = json_make(arena, "[]"), *said = json_make(arena, "[]");
    for (unsigned i = 0; i < watched_count; i++) {
        if (watched[i].is_up(watched[i].arg))
            continue;
        unfit |= watched[i].is_database;
        if (!contains(missing, watched[i].name))
            json_add_new(missing, json_string(watched[i].name));
    }
    for (unsigned i = 0; i < awaited_count; i++) {
        if (awaited[i].is_there())
            continue;
        unfit = true;
        json_add_new(missing, json_string(awaited[i].name));
    }
    for (unsigned i = 0; i < notes_count; i++)
        json_add_new(said, json_string(notes[i]));
    const char *status = is_draining ? "draining" : unfit ? "unavailable" : json_array_size(missing) ? "degraded" : "ok";
    json_t *body = json_make(arena, "{s:s, s:O, s:O}", "status", status, "missing", missing, "notes", said);
    respond_json(response, is_draining || unfit ? 503 : 200, body);
    if (response->status == 503)
        http_header_set(arena, &response->headers, "Retry-After", "1");
}

bool health_answer(struct http_request *request, struct http_response *response)
{
    if (!text_starts(request->path, text_of("/health/")))
        return false;
    bool live = text_equal(request->path, text_of("/health/live")), ready = text_equal(request->path, text_of("/health/ready"));
    if (!live && !ready)
        return false;
    if (request->method != HTTP_GET && request->method != HTTP_HEAD) {
        problem(response, 405, "method-not-allowed", "Health is read with GET.");
        http_header_set(response->arena, &response->headers, "Allow", "GET, HEAD");
    } else if (live) {
        respond_json(response, 200, json_make(response->arena, "{s:s}", "status", "ok"));
    } else {
        answer_ready(response);
    }
    http_header_set(response->arena, &response->headers, "Cache-Control", "no-store");
    return true;
}

static void free_buffer(void *buffer)
{
    buffer_fini(buffer);
}

static FIBER_FN void admin_handle(void *context, struct http_request *request, struct http_response *response)
{
    if (health_answer(request, response))
        return;
    if ((request->method != HTTP_GET && request->method != HTTP_HEAD) || !text_equal(request->path, text_of("/metrics"))) {
        problem_not_found(response);
        return;
    }
    struct buffer *out = arena_alloc(response->arena, sizeof *out);
    arena_defer(response->arena, free_buffer, out);
    metrics_print(out);
    if (out->failed)
        memory_short();
    respond_bytes(response, 200, "text/plain; version=0.0.4; charset=utf-8", (struct text){out->at, out->size});
}

struct http_handler health_admin_handler(void)
{
    return (struct http_handler){.handle = admin_handle};
}
