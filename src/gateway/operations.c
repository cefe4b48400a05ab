/*
 * Operators' pages. Each service is asked in turn with a short deadline: one that is away leaves a gap, never an error. Rates are
 * differences between two questions at least a second apart.
 */
#include "gateway/operations.h"

#include "base/clock.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "http/problem.h"
#include "service/health.h"
#include "service/process.h"
#include "service/upstream.h"

#include <string.h>

#define ASK_MS 1500
#define LETTERS_PREFIX "/api/v1/operations/dead-letters"

static const char *const services[] = {"users", "orders", "payments", "notifications", "functions"};
#define SERVICE_COUNT (sizeof services / sizeof *services)

static struct operations_own (*own_source)(void);

struct counts {
    uint64_t requests, failures;
};
static struct counts counts[SERVICE_COUNT]; /* answers of each service that went through this gateway */

void operations_note(const char *service, int status)
{
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        if (strcmp(services[i], service) != 0)
            continue;
        __atomic_add_fetch(&counts[i].requests, 1, __ATOMIC_RELAXED);
        if (status >= 500)
            __atomic_add_fetch(&counts[i].failures, 1, __ATOMIC_RELAXED);
    }
}

void operations_set_source(struct operations_own (*source)(void))
{
    own_source = source;
}

/* A list of the answer under `key`, or NULL; quietly when the service is away. */
static FIBER_FN json_t *ask(const char *service, const char *target)
{
    int status = 0;
    json_t *answer = NULL;
    int64_t before = fiber_narrow_deadline(ASK_MS);
    int error = service_ask(service, "GET", target, NULL, &status, &answer);
    fiber_set_deadline(before);
    return !error && status == 200 ? answer : NULL;
}

static bool belongs_here(const char *service)
{
    return strcmp(service, "functions") != 0 || settings_flag("functions");
}

/* ---- status ---- */

struct rate {
    struct counts before;
    double requests_per_second, errors_per_second;
};

struct rates {
    int64_t at_mono_ms;
    struct rate own, services[SERVICE_COUNT];
};

static struct counts counts_of(unsigned service)
{
    return (struct counts){__atomic_load_n(&counts[service].requests, __ATOMIC_RELAXED),
                           __atomic_load_n(&counts[service].failures, __ATOMIC_RELAXED)};
}

/* With `passed_ms` 0 only the counts are taken. */
static void rate_update(struct rate *rate, struct counts now, int64_t passed_ms)
{
    if (passed_ms > 0) {
        rate->requests_per_second = (double)(now.requests - rate->before.requests) * 1000 / (double)passed_ms;
        rate->errors_per_second = (double)(now.failures - rate->before.failures) * 1000 / (double)passed_ms;
    }
    rate->before = now;
}

/* Worker by worker: each keeps its own last look, which is good enough for a page that asks every few seconds. */
static struct rates *rates_now(const struct operations_own *own)
{
    static _Thread_local struct rates rates;
    int64_t now = clock_mono_ms(), passed = now - rates.at_mono_ms;
    if (rates.at_mono_ms && passed < 1000)
        return &rates;
    if (!rates.at_mono_ms)
        passed = 0;
    rate_update(&rates.own, (struct counts){own->requests, own->failures}, passed);
    for (unsigned i = 0; i < SERVICE_COUNT; i++)
        rate_update(&rates.services[i], counts_of(i), passed);
    rates.at_mono_ms = now;
    return &rates;
}

static const char *adapter_of(const char *port)
{
    char setting[32];
    snprintf(setting, sizeof setting, "%s_url", port);
    const char *url = settings_text(setting);
    static const struct {
        const char *scheme, *adapter;
    } schemes[] = {{"sqlite", "sqlite"}, {"postgres", "postgres"}, {"amqp", "rabbitmq"}, {"kafka", "kafka"}, {"redis", "redis"}};
    for (unsigned i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].adapter;
    return "embedded";
}

/* An engine is away if any of those asked cannot reach it. */
static json_t *engines_of(struct arena *arena, json_t *const *answers)
{
    static const char *const ports[] = {"database", "queue", "stream", "cache"};
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < 4; i++) {
        bool away = false;
        json_t *here = health_engines(arena);
        for (unsigned k = 0; k <= SERVICE_COUNT; k++) {
            const json_t *said = k < SERVICE_COUNT ? json_object_get(answers[k], "engines") : here;
            const char *state = json_get_string(said, ports[i]);
            away |= state && strcmp(state, "away") == 0;
        }
        json_array_append(list, json_make(arena, "{s:s, s:s, s:s}", "port", ports[i], "adapter", adapter_of(ports[i]), "state",
                                          away ? "down" : "up"));
    }
    return list;
}

static json_t *instances_of(struct arena *arena, const char *service, const json_t *answer)
{
    json_t *list = json_make(arena, "[]");
    struct upstream *upstream = service_is_here(service) ? NULL : upstream_of(service);
    size_t i;
    json_t *instance;
    if (!upstream && answer)
        json_array_append(list, json_make(arena, "{s:s, s:s, s:I}", "id", arena_printf(arena, "%s-%lld", service,
                                          (long long)json_get_integer(answer, "pid")), "state", "up", "uptime_s",
                                          (json_int_t)json_get_integer(answer, "uptime_s")));
    if (!upstream)
        return list;
    json_array_foreach(upstream_status(upstream, arena), i, instance) {
        const char *address = json_get_string(instance, "address");
        json_array_append(list, json_make(arena, "{s:s, s:s, s:s, s:I}", "id", address, "address", address, "state",
                                          json_get_bool(instance, "healthy") ? "up" : "down", "in_flight",
                                          (json_int_t)json_get_integer(instance, "in_flight")));
    }
    return list;
}

static json_t *missing_of(struct arena *arena, const json_t *answer)
{
    json_t *list = json_make(arena, "[]"), *value;
    const char *name;
    json_object_foreach(json_object_get(answer, "engines"), name, value)
        if (strcmp(json_string_value(value), "away") == 0)
            json_array_append_new(list, json_string(name));
    return list;
}

static json_t *service_of(struct arena *arena, const char *service, const json_t *answer, const struct rate *rate)
{
    json_t *missing = missing_of(arena, answer);
    const char *state = !answer ? "down" : json_array_size(missing) ? "degraded" : json_get_string(answer, "state");
    return json_make(arena, "{s:s, s:s, s:O, s:O, s:f, s:f}", "name", service, "state", state ? state : "up", "missing", missing,
                     "instances", instances_of(arena, service, answer), "requests_per_second", rate->requests_per_second,
                     "errors_per_second", rate->errors_per_second);
}

static json_t *gateway_of(struct arena *arena, const struct operations_own *own, const struct rates *rates)
{
    json_t *instance = json_make(arena, "{s:s, s:s, s:s, s:i}", "id", own->address, "address", own->address, "state",
                                 process_is_draining() ? "draining" : "up", "in_flight", (int)own->in_flight);
    return json_make(arena, "{s:s, s:s, s:[O], s:f, s:f}", "name", "gateway", "state", process_is_draining() ? "draining" : "up",
                     "instances", instance, "requests_per_second", rates->own.requests_per_second, "errors_per_second",
                     rates->own.errors_per_second);
}

static json_t *find_by_name(json_t *list, const char *name)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item)
        if (strcmp(json_get_string(item, "name"), name) == 0)
            return item;
    return NULL;
}

/* Every process of the embedded engine sees the same queues: one of each name. */
static void add_queues(struct arena *arena, json_t *list, const json_t *answer)
{
    size_t i;
    json_t *queue;
    json_array_foreach(json_object_get(answer, "queues"), i, queue) {
        const char *name = json_get_string(queue, "name");
        if (name && !find_by_name(list, name))
            json_array_append(list, json_make(arena, "{s:s, s:I, s:I, s:I}", "name", name, "depth",
                                              (json_int_t)(json_get_integer(queue, "ready") + json_get_integer(queue, "retrying")),
                                              "in_flight", (json_int_t)json_get_integer(queue, "unacknowledged"), "dead",
                                              (json_int_t)json_get_integer(queue, "dead")));
    }
}

static bool has_group(const json_t *consumers, const char *group)
{
    size_t i;
    json_t *item;
    json_array_foreach(consumers, i, item)
        if (strcmp(json_get_string(item, "group"), group) == 0)
            return true;
    return false;
}

static void add_topics(struct arena *arena, json_t *list, const json_t *answer)
{
    size_t i;
    json_t *lag;
    json_array_foreach(json_object_get(answer, "lags"), i, lag) {
        const char *name = json_get_string(lag, "topic"), *group = json_get_string(lag, "group");
        if (!name || !group)
            continue;
        json_t *topic = find_by_name(list, name);
        if (!topic) {
            topic = json_make(arena, "{s:s, s:[]}", "name", name, "consumers");
            json_array_append(list, topic);
        }
        json_t *consumers = json_object_get(topic, "consumers");
        if (!has_group(consumers, group))
            json_array_append(consumers, json_make(arena, "{s:s, s:I}", "group", group, "lag", (json_int_t)json_get_integer(lag, "lag")));
    }
}

FIBER_FN void operations_status(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    struct arena *arena = request->arena;
    struct operations_own own = own_source();
    struct rates *rates = rates_now(&own);
    json_t *answers[SERVICE_COUNT] = {NULL}, *list = json_make(arena, "[]"), *queues = json_make(arena, "[]");
    json_t *topics = json_make(arena, "[]"), *outbox = json_make(arena, "[]");
    int64_t dead = 0, websockets = own.websockets;
    char at[TIME_TEXT_SIZE];
    json_array_append(list, gateway_of(arena, &own, rates));
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        if (!belongs_here(services[i]))
            continue;
        answers[i] = ask(services[i], "/internal/status");
        json_array_append(list, service_of(arena, services[i], answers[i], &rates->services[i]));
        add_queues(arena, queues, answers[i]);
        add_topics(arena, topics, answers[i]);
        if (json_object_get(answers[i], "outbox"))
            json_array_append(outbox, json_object_get(answers[i], "outbox"));
        dead += json_get_integer(answers[i], "dead_letters");
        int64_t sockets = json_get_integer(answers[i], "websockets");
        websockets = sockets > websockets ? sockets : websockets;
    }
    time_print(clock_wall_ms(), at);
    bool embedded = strcmp(adapter_of("database"), "sqlite") == 0;
    json_t *speeds = json_make(arena, "{s:f, s:f, s:I}", "requests_per_second", rates->own.requests_per_second, "errors_per_second",
                               rates->own.errors_per_second, "websockets", (json_int_t)websockets);
    respond_json(response, 200,
                 json_make(arena, "{s:s, s:s, s:s, s:O, s:O, s:O, s:O, s:O, s:O, s:I}", "at", at, "profile",
                           embedded ? "embedded" : "cluster", "version", PURSER_VERSION, "services", list, "engines",
                           engines_of(arena, answers), "queues", queues, "topics", topics, "outbox", outbox, "rates", speeds,
                           "dead_letters", (json_int_t)dead));
}

FIBER_FN void operations_ledger(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    struct http_request inner = *request;
    inner.target = inner.path = text_of("/internal/ledger");
    inner.query = (struct text){"", 0};
    service_call("payments", &inner, response);
}

/* ---- dead letters ---- */

static int newest_first(const void *a, const void *b)
{
    const char *first = json_get_string(*(json_t *const *)a, "created_at"), *second = json_get_string(*(json_t *const *)b, "created_at");
    return strcmp(second ? second : "", first ? first : "");
}

/* The cursor holds each service's own, joined: "users=…,orders=…"; a service without one is done. */
static const char *cursor_of(struct arena *arena, const char *joined, const char *service, bool *ret_done)
{
    struct text rest = text_of(joined), part, name;
    *ret_done = *joined != '\0';
    while (text_split(&rest, ',', &part)) {
        text_split(&part, '=', &name);
        if (!text_equal(name, text_of(service)))
            continue;
        *ret_done = false;
        return arena_copy(arena, part.at ? part.at : "", part.at ? part.size : 0);
    }
    return "";
}

struct letter_page {
    json_t *items[SERVICE_COUNT]; /* each service's page */
    unsigned taken[SERVICE_COUNT];
    const char *before[SERVICE_COUNT];
    bool more[SERVICE_COUNT];
};

/* Where each service goes on: after the last of its letters that was shown. */
static const char *next_cursor(struct arena *arena, const struct letter_page *page)
{
    struct buffer out = {0};
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        size_t size = json_array_size(page->items[i]);
        if (!page->more[i] && page->taken[i] == size)
            continue;
        const char *last = page->before[i];
        if (page->taken[i])
            last = json_get_string(json_array_get(page->items[i], page->taken[i] - 1), "id") + strlen(services[i]) + 1;
        buffer_printf(&out, "%s%s=%s", out.size ? "," : "", services[i], last);
    }
    char *joined = out.size ? arena_copy(arena, out.at, out.size) : NULL;
    buffer_fini(&out);
    return joined;
}

static FIBER_FN void read_letters(struct arena *arena, const struct page *asked, struct letter_page *page)
{
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        bool done;
        page->before[i] = cursor_of(arena, asked->cursor, services[i], &done);
        if (done || !belongs_here(services[i]))
            continue;
        json_t *answer = ask(services[i], arena_printf(arena, "/internal/dead-letters?limit=%d%s%s", asked->limit,
                                                       *page->before[i] ? "&cursor=" : "", page->before[i]));
        page->items[i] = json_object_get(answer, "data");
        page->more[i] = json_is_string(json_object_get(answer, "next_cursor"));
    }
}

FIBER_FN void operations_dead_letters(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    struct arena *arena = request->arena;
    struct page asked;
    struct letter_page page = {0};
    if (!request_page(request, response, &asked))
        return;
    read_letters(arena, &asked, &page);
    json_t *data = json_make(arena, "[]");
    for (int n = 0; n < asked.limit; n++) {
        int best = -1;
        json_t *newest = NULL;
        for (unsigned i = 0; i < SERVICE_COUNT; i++) {
            json_t *item = json_array_get(page.items[i], page.taken[i]);
            if (item && (!newest || newest_first(&item, &newest) < 0)) {
                newest = item;
                best = (int)i;
            }
        }
        if (best < 0)
            break;
        json_array_append(data, newest);
        page.taken[best]++;
    }
    respond_json(response, 200, json_make(arena, "{s:O, s:s?}", "data", data, "next_cursor", next_cursor(arena, &page)));
}

/* To the service that the id begins with. */
static FIBER_FN void to_owner(struct http_request *request, struct http_response *response)
{
    struct text id = request->parameters[0];
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        struct text name = text_of(services[i]);
        if (!text_starts(id, name) || id.size <= name.size || (id.at[name.size] != '.' && id.at[name.size] != '-'))
            continue;
        struct text tail = {request->path.at + strlen(LETTERS_PREFIX), request->path.size - strlen(LETTERS_PREFIX)};
        struct http_request inner = *request;
        inner.path = text_of(arena_printf(request->arena, "/internal/dead-letters%.*s", (int)tail.size, tail.at));
        inner.target = inner.path;
        inner.query = (struct text){"", 0};
        service_call(services[i], &inner, response);
        return;
    }
    problem_not_found(response);
}

FIBER_FN void operations_dead_letter_retry(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    to_owner(request, response);
}

FIBER_FN void operations_dead_letter_drop(void *context, struct http_request *request, struct http_response *response)
{
    (void)context;
    to_owner(request, response);
}
