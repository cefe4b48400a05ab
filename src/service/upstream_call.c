/*
 * A request to an instance and its answer back: what concerns one connection alone stays there, what goes out is signed, and what brought no
 * answer is sent once more where that cannot do harm.
 */
#include "base/clock.h"
#include "http/problem.h"
#include "service/internal.h"
#include "service/upstream_parts.h"

#include <errno.h>

/* Repeats: each request earns a tenth, so that they stay below 10 %; a few are there from the start. */
#define BUDGET_MAX 200
#define BUDGET_REPEAT 10

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

/* RFC 9110 section 7.6.1: what concerns one connection alone stays there, and so does what Connection names, in any of its lines. */
static bool stays_here(struct text name, const struct http_headers *headers)
{
    if (is_hop_by_hop(name))
        return true;
    for (unsigned i = 0; i < headers->count; i++)
        if (text_equal_nocase(headers->list[i].name, text_of("Connection")) && is_named_in(name, headers->list[i].value))
            return true;
    return false;
}

static struct http_headers end_to_end(struct arena *arena, const struct http_headers *headers)
{
    struct http_headers kept = {0};
    for (unsigned i = 0; i < headers->count; i++) {
        struct http_header *header = &headers->list[i];
        if (stays_here(header->name, headers))
            continue;
        http_header_add(arena, &kept, arena_copy(arena, header->name.at, header->name.size),
                        arena_copy(arena, header->value.at, header->value.size));
    }
    return kept;
}

/* By what the instance sees: a key that stays here protects nothing there. */
static bool is_idempotent(const struct http_request *request)
{
    if (request->method == HTTP_GET || request->method == HTTP_HEAD)
        return true;
    struct text key = text_of("Idempotency-Key");
    return http_header(&request->headers, key.at).at && !stays_here(key, &request->headers);
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
    return instance_is_out(seen->instance, now) && !upstream_is_short(seen->upstream, now);
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

static void end_flight(void *arg)
{
    struct instance **at = arg;
    if (*at)
        add((*at)->in_flight, -1);
    *at = NULL;
}

FIBER_FN int upstream_call_instance(struct upstream *upstream, struct instance *instance, struct http_request *request,
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
    struct instance **flight = arena_alloc(arena, sizeof *flight);
    *flight = instance;
    add(instance->in_flight, 1);
    add(instance->requests, 1);
    arena_defer(arena, end_flight, flight); /* where memory is short nothing comes back to here */
    int error = http_client_call(&call, &answer, ret_progress);
    end_flight(flight);
    if (error == 0)
        instance_did_well(instance);
    else if (error != -ECANCELED)
        instance_failed(upstream, instance);
    if (error)
        return error;
    response->status = answer.status;
    response->headers = end_to_end(arena, &answer.headers);
    struct text upgrade = http_header(&answer.headers, "Upgrade");
    if (answer.status == 426 && upgrade.at) /* RFC 9110 section 15.5.22: it has to say to what; we can be asked for it as well */
        http_header_set(arena, &response->headers, "Upgrade", arena_copy(arena, upgrade.at, upgrade.size));
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
    struct instance *instance = upstream_least(upstream, NULL);
    enum http_call_progress progress = HTTP_CALL_NOT_CONNECTED;
    earn_repeat(upstream);
    if (!instance) {
        problem_unavailable(response, 1, "The service has no instance.");
        return;
    }
    int error = upstream_call_instance(upstream, instance, request, response, &progress);
    if (error && may_repeat(request, error, progress) && take_repeat(upstream)) {
        instance = upstream_least(upstream, instance);
        progress = HTTP_CALL_NOT_CONNECTED;
        if (instance)
            error = upstream_call_instance(upstream, instance, request, response, &progress);
    }
    if (error)
        answer_failure(response, error);
}
