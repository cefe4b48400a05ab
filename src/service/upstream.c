/*
 * The instances of services in other processes. Slots are shared by all workers and changed with atomics alone; one fiber per upstream on
 * worker 0 resolves names and asks for health. Nothing here is on the way of a call inside the process.
 *
 * An instance is out while its last two health checks failed, or for a growing pause after five failures in a row without an answer; when
 * the pause ends, calls try it again and one failure is enough to put it out anew. If less than half would be left, all are tried.
 */
#include "service/upstream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/settings.h"
#include "http/client.h"
#include "http/problem.h"
#include "runtime/worker.h"
#include "service/internal.h"
#include "service/registry.h"
#include "service/upstream_background.h"

#include <errno.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UPSTREAMS_MAX 8
#define INSTANCES_MAX 64
#define RESOLVE_MS 5000
#define CHECK_MS 1000
#define CHECK_FAILURES 2
#define FAILURES_MAX 5
#define PAUSE_MS 1000
#define PAUSE_MAX_MS 30000
/* Repeats: each request earns a tenth, so that they stay below 10 %; a few are there from the start. */
#define BUDGET_START 50
#define BUDGET_MAX 200
#define BUDGET_REPEAT 10

struct instance {
    char address[64];
    int live;             /* the name still has this address */
    int in_flight;
    int failures;         /* in a row, without an answer */
    int check_failures;   /* in a row */
    int pauses;           /* in a row */
    int64_t out_until_mono_ms;
    int64_t requests;
};

struct upstream {
    const char *service;
    char setting[64];
    const char *url; /* the setting's value as last resolved; settings keep old strings alive */
    struct instance instances[INSTANCES_MAX];
    unsigned count; /* slots used, atomic */
    int budget;
    struct counter *repeats, *failed;
    struct fiber *background;
};

static struct upstream upstreams[UPSTREAMS_MAX];
static unsigned upstream_count;
static bool stopping;
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

#define get(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define set(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELAXED)
#define add(place, n) __atomic_add_fetch(&(place), (n), __ATOMIC_RELAXED)

/* ---- choosing ---- */

static bool is_out(const struct instance *instance, int64_t now)
{
    return get(instance->check_failures) >= CHECK_FAILURES || get(instance->out_until_mono_ms) > now;
}

static unsigned slots(const struct upstream *upstream)
{
    return __atomic_load_n(&upstream->count, __ATOMIC_ACQUIRE);
}

/* Whether so many are out that all must be tried. */
static bool too_many_out(const struct upstream *upstream, int64_t now)
{
    unsigned live = 0, out = 0;
    for (unsigned i = 0; i < slots(upstream); i++) {
        if (!get(upstream->instances[i].live))
            continue;
        live++;
        out += is_out(&upstream->instances[i], now);
    }
    return out * 2 > live;
}

static struct instance *pick_least(struct upstream *upstream, const struct instance *not_this)
{
    int64_t now = clock_mono_ms();
    bool all = too_many_out(upstream, now);
    struct instance *best = NULL;
    unsigned n = slots(upstream), start = n ? randombytes_uniform(n) : 0;
    for (unsigned k = 0; k < n; k++) {
        struct instance *instance = &upstream->instances[(start + k) % n];
        if (!get(instance->live) || (!all && is_out(instance, now)))
            continue;
        if (instance == not_this && best)
            continue;
        if (!best || best == not_this || get(instance->in_flight) < get(best->in_flight))
            best = instance;
    }
    return best;
}

FIBER_FN const char *upstream_pick(struct upstream *upstream, const char *key, const char *not_this)
{
    int64_t now = clock_mono_ms();
    bool all = too_many_out(upstream, now);
    const char *best = NULL;
    uint64_t best_weight = 0;
    for (unsigned i = 0; i < slots(upstream); i++) {
        struct instance *instance = &upstream->instances[i];
        if (!get(instance->live) || (!all && is_out(instance, now)) || (not_this && strcmp(instance->address, not_this) == 0))
            continue;
        uint64_t weight;
        unsigned char seed[crypto_shorthash_KEYBYTES] = {0};
        char *said = arena_printf(fiber_arena(), "%s %s", instance->address, key);
        crypto_shorthash((unsigned char *)&weight, (unsigned char *)said, strlen(said), seed);
        if (!best || weight > best_weight) {
            best = instance->address;
            best_weight = weight;
        }
    }
    return best ? arena_strdup(fiber_arena(), best) : NULL;
}

/* ---- what calls tell about an instance ---- */

static void call_went_well(struct instance *instance)
{
    set(instance->failures, 0);
    set(instance->pauses, 0);
}

static void call_failed(struct upstream *upstream, struct instance *instance)
{
    counter_add(upstream->failed, 1);
    if (add(instance->failures, 1) < FAILURES_MAX && !get(instance->pauses))
        return;
    int pauses = add(instance->pauses, 1);
    int64_t pause_ms = PAUSE_MS;
    for (int i = 1; i < pauses && pause_ms < PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    set(instance->failures, 0);
    set(instance->out_until_mono_ms, clock_mono_ms() + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS));
    log_warn("instance is out", "{s:s, s:s, s:I}", "service", upstream->service, "address", instance->address, "pause_ms",
             (json_int_t)pause_ms);
}

/* ---- one call ---- */

static bool is_hop_by_hop(struct text name)
{
    static const char *const names[] = {"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE",
                                        "Trailer", "Transfer-Encoding", "Upgrade", "Host", "Content-Length", "Expect"};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal_nocase(name, text_of(names[i])))
            return true;
    return false;
}

static bool is_named_in(struct text name, struct text list)
{
    struct text part;
    while (text_split(&list, ',', &part))
        if (text_equal_nocase(name, text_trim(part)))
            return true;
    return false;
}

/* RFC 9110 section 7.6.1: what concerns one connection alone stays there. */
static struct http_headers end_to_end(struct arena *arena, const struct http_headers *headers)
{
    struct text connection = http_header(headers, "Connection");
    struct http_headers kept = {0};
    for (unsigned i = 0; i < headers->count; i++) {
        struct http_header *header = &headers->list[i];
        if (is_hop_by_hop(header->name) || (connection.at && is_named_in(header->name, connection)))
            continue;
        http_header_add(arena, &kept, arena_copy(arena, header->name.at, header->name.size),
                        arena_copy(arena, header->value.at, header->value.size));
    }
    return kept;
}

static bool is_idempotent(const struct http_request *request)
{
    return request->method == HTTP_GET || request->method == HTTP_HEAD || http_header(&request->headers, "Idempotency-Key").at;
}

/* Whether another instance may be asked: one that was not reached has done nothing, and what is idempotent has one effect if done twice. An
 * answer that was too large would be so again. */
static bool may_repeat(const struct http_request *request, int error, enum http_call_progress progress)
{
    if (progress == HTTP_CALL_NOT_CONNECTED)
        return error != -ECANCELED;
    return is_idempotent(request) && (progress == HTTP_CALL_REUSED_CLOSED || error == -ECONNRESET || error == -EHOSTDOWN);
}

struct instance_seen {
    const struct upstream *upstream;
    const struct instance *instance;
};

/* An instance that does not answer a call may just be slow; one that does not answer the question for its health, either, stands still. */
static bool is_lost(void *context)
{
    const struct instance_seen *seen = context;
    int64_t now = clock_mono_ms();
    return is_out(seen->instance, now) && !too_many_out(seen->upstream, now);
}

static void earn_repeat(struct upstream *upstream)
{
    if (get(upstream->budget) < BUDGET_MAX)
        add(upstream->budget, 1);
}

static bool take_repeat(struct upstream *upstream)
{
    int had = get(upstream->budget);
    while (had >= BUDGET_REPEAT)
        if (__atomic_compare_exchange_n(&upstream->budget, &had, had - BUDGET_REPEAT, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
            counter_add(upstream->repeats, 1);
            return true;
        }
    return false;
}

static FIBER_FN int call_instance(struct upstream *upstream, struct instance *instance, struct http_request *request,
                                  struct http_response *response, enum http_call_progress *ret_progress)
{
    struct arena *arena = request->arena;
    struct http_request sent = *request;
    if (sent.method == HTTP_HEAD) { /* asked as GET, so that the length is known; our own server leaves the body out */
        sent.method = HTTP_GET;
        sent.method_name = text_of("GET");
    }
    struct http_call call = {
        .address = instance->address,
        .method = arena_copy(arena, sent.method_name.at, sent.method_name.size),
        .target = arena_copy(arena, request->target.at, request->target.size),
        .headers = end_to_end(arena, &request->headers),
        .body = request->body,
        .is_lost = is_idempotent(request) ? is_lost : NULL,
        .context = &(struct instance_seen){upstream, instance},
    };
    internal_sign(&sent, &call.headers);
    struct http_response answer = {.arena = arena};
    add(instance->in_flight, 1);
    add(instance->requests, 1);
    int error = http_client_call(&call, &answer, ret_progress);
    add(instance->in_flight, -1);
    if (error == 0)
        call_went_well(instance);
    else if (error != -ECANCELED)
        call_failed(upstream, instance);
    if (error)
        return error;
    response->status = answer.status;
    response->headers = end_to_end(arena, &answer.headers);
    response->body = answer.body;
    return 0;
}

static void answer_failure(struct http_response *response, int error)
{
    if (error == -ETIMEDOUT)
        problem(response, 504, "gateway-timeout", "The service did not answer in time.");
    else if (error == -ECONNREFUSED || error == -EAGAIN || error == -ECANCELED || error == -EHOSTDOWN)
        problem_unavailable(response, 1, "The service cannot be reached.");
    else
        problem(response, 502, "bad-gateway", "The service broke off its answer.");
}

FIBER_FN void upstream_forward(struct upstream *upstream, struct http_request *request, struct http_response *response)
{
    struct instance *instance = pick_least(upstream, NULL);
    enum http_call_progress progress = HTTP_CALL_NOT_CONNECTED;
    earn_repeat(upstream);
    if (!instance) {
        problem_unavailable(response, 1, "The service has no instance.");
        return;
    }
    int error = call_instance(upstream, instance, request, response, &progress);
    if (error && may_repeat(request, error, progress) && take_repeat(upstream)) {
        instance = pick_least(upstream, instance);
        progress = HTTP_CALL_NOT_CONNECTED;
        if (instance)
            error = call_instance(upstream, instance, request, response, &progress);
    }
    if (error)
        answer_failure(response, error);
}

/* ---- names and health, in the background ---- */

static struct instance *find_slot(struct upstream *upstream, const char *address)
{
    unsigned n = slots(upstream);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(upstream->instances[i].address, address) == 0)
            return &upstream->instances[i];
    if (n == INSTANCES_MAX) {
        log_warn("too many addresses", "{s:s, s:i}", "service", upstream->service, "max", INSTANCES_MAX);
        return NULL;
    }
    struct instance *instance = &upstream->instances[n];
    snprintf(instance->address, sizeof instance->address, "%s", address);
    __atomic_store_n(&upstream->count, n + 1, __ATOMIC_RELEASE);
    return instance;
}

/* One http://host:port of the list; marks its addresses in `seen`. False if the name gave no answer: then what was known stays. */
static FIBER_FN bool resolve_one(struct upstream *upstream, struct text url, bool *seen)
{
    struct arena *arena = fiber_arena();
    struct text scheme = text_of("http://");
    if (!text_starts(url, scheme))
        return false;
    char *host = arena_copy(arena, url.at + scheme.size, url.size - scheme.size);
    char *slash = strchr(host, '/'), *colon;
    if (slash)
        *slash = '\0';
    colon = strrchr(host, ':');
    int64_t port;
    if (!colon || text_to_int64(text_of(colon + 1), &port) || port < 1 || port > 65535)
        return false;
    *colon = '\0';
    const char *addresses[INSTANCES_MAX];
    int n = http_resolve(host, (int)port, addresses, INSTANCES_MAX);
    for (int i = 0; i < n; i++) {
        struct instance *instance = find_slot(upstream, addresses[i]);
        if (instance)
            seen[instance - upstream->instances] = true;
    }
    return n > 0;
}

static FIBER_FN void resolve(struct upstream *upstream)
{
    bool seen[INSTANCES_MAX] = {false}, whole = true;
    upstream->url = settings_text(upstream->setting);
    struct text rest = text_of(upstream->url), part;
    while (text_split(&rest, ',', &part))
        whole &= resolve_one(upstream, text_trim(part), seen);
    for (unsigned i = 0; i < slots(upstream); i++)
        if (seen[i] || whole)
            set(upstream->instances[i].live, seen[i]);
}

static FIBER_FN void check(struct upstream *upstream, struct instance *instance)
{
    struct http_call call = {.address = instance->address, .method = "GET", .target = "/health/ready"};
    struct http_response answer = {.arena = fiber_arena()};
    int64_t before = fiber_narrow_deadline(CHECK_MS);
    int error = http_client_call(&call, &answer, NULL);
    fiber_set_deadline(before);
    if (!error && answer.status == 200) {
        if (get(instance->check_failures) >= CHECK_FAILURES)
            log_info("instance is back", "{s:s, s:s}", "service", upstream->service, "address", instance->address);
        set(instance->check_failures, 0);
        set(instance->out_until_mono_ms, 0);
        set(instance->pauses, 0);
    } else if (error != -ECANCELED && add(instance->check_failures, 1) == CHECK_FAILURES) {
        log_warn("instance is not ready", "{s:s, s:s, s:i}", "service", upstream->service, "address", instance->address, "status",
                 error ? error : answer.status);
    }
}

struct check_job {
    struct upstream *upstream;
    struct instance *instance;
};

static FIBER_FN void check_fiber(void *arg)
{
    struct check_job *job = arg;
    fiber_defer(free, job);
    check(job->upstream, job->instance);
}

/* All at once: one silent instance must not delay what is known of the others. */
static void check_all(struct upstream *upstream)
{
    for (unsigned i = 0; i < slots(upstream); i++) {
        struct check_job *job = get(upstream->instances[i].live) ? malloc(sizeof *job) : NULL;
        if (!job)
            continue;
        *job = (struct check_job){upstream, &upstream->instances[i]};
        if (fiber_start("health check", check_fiber, job))
            free(job);
    }
}

static FIBER_FN void round_fiber(void *arg)
{
    resolve(arg);
}

static FIBER_FN void background(void *arg)
{
    struct upstream *upstream = arg;
    upstream->background = fiber_self();
    for (int64_t resolved = 0; !get(stopping);) {
        int64_t now = clock_mono_ms();
        if (!resolved || now - resolved >= RESOLVE_MS || upstream->url != settings_text(upstream->setting)) {
            resolved = now;
            /* On a fiber of its own, whose arena goes with it. */
            fiber_start("resolve", round_fiber, upstream);
        }
        if (fiber_sleep(slots(upstream) ? CHECK_MS : 50))
            break;
        check_all(upstream);
    }
    upstream->background = NULL;
}

static struct upstream *make(const char *service)
{
    if (upstream_count == UPSTREAMS_MAX)
        return NULL;
    struct upstream *upstream = &upstreams[upstream_count];
    char labels[96];
    upstream->service = strdup(service);
    if (!upstream->service)
        return NULL;
    snprintf(upstream->setting, sizeof upstream->setting, "%s_url", service);
    snprintf(labels, sizeof labels, "service=\"%s\"", service);
    upstream->repeats = counter_get("purser_upstream_repeats_total", labels, "Requests sent a second time");
    upstream->failed = counter_get("purser_upstream_failures_total", labels, "Calls without an answer");
    upstream->budget = BUDGET_START;
    if (worker_start_fiber(worker_at(0), "upstream", background, upstream))
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

struct upstream *upstream_of(const char *service)
{
    struct upstream *upstream = find(service);
    char setting[64];
    if (upstream)
        return upstream;
    snprintf(setting, sizeof setting, "%s_url", service);
    if (!*settings_text(setting))
        return NULL;
    pthread_mutex_lock(&making);
    upstream = find(service);
    if (!upstream)
        upstream = make(service);
    pthread_mutex_unlock(&making);
    return upstream;
}

void upstreams_stop(void)
{
    set(stopping, true);
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
    bool well = call_instance(upstream, instance, &request, &response, &progress) == 0 && response.status == 200;
    return well && json_parse(arena, response.body, &said, NULL) == 0 ? said : NULL;
}

FIBER_FN json_t *upstream_ask_each(struct upstream *upstream, struct arena *arena, const char *target, int64_t each_ms)
{
    json_t *list = json_make(arena, "[]");
    for (unsigned i = 0; i < slots(upstream); i++) {
        struct instance *instance = &upstream->instances[i];
        if (!get(instance->live))
            continue;
        bool out = is_out(instance, clock_mono_ms());
        int64_t before = fiber_narrow_deadline(each_ms);
        json_t *said = out ? NULL : ask_instance(upstream, instance, arena, target);
        fiber_set_deadline(before);
        json_add(list, json_make(arena, "{s:s, s:b, s:i, s:O?}", "address", instance->address, "healthy", !out, "in_flight",
                                          get(instance->in_flight), "said", said));
    }
    return list;
}
