/* Calls over HTTP: at once, or with `Prefer: respond-async` by way of the queue functions.invocations. */
#include "functions/api_parts.h"

#include "base/json_text.h"
#include "base/uuid.h"
#include "contracts/names.h"
#include "functions/call.h"
#include "functions/hooks.h"
#include "functions/registry.h"
#include "functions/service_context.h"
#include "functions/store.h"
#include "messaging/idempotency.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether the caller may; else answers. */
static bool is_allowed(const struct version *version, const struct http_request *request, struct http_response *response)
{
    if (!strcmp(version->access, "public"))
        return true;
    if (!request->identity.user_id) {
        problem_unauthorized(response, NULL, "This function is called with an access token.");
        return false;
    }
    if (!strcmp(version->access, "user") || request_is_admin(request))
        return true;
    problem_forbidden(response, "Only administrators may call this function.");
    return false;
}

/* The body as JSON text: any value; nothing counts as null. False after an answer. */
static bool read_event(struct http_request *request, struct http_response *response, struct text *ret_event)
{
    struct text type = http_header(&request->headers, "Content-Type");
    struct err err;
    json_t *tree;
    *ret_event = request->body.size ? request->body : text_of("null");
    if (!request->body.size)
        return true;
    struct text bare = type;
    text_split(&type, ';', &bare);
    if (!text_equal_nocase(text_trim(bare), text_of("application/json"))) {
        problem(response, 415, "unsupported-media-type", "The event is sent as application/json.");
        return false;
    }
    if (json_parse(request->arena, request->body, &tree, &err)) {
        problem_not_json(response, &err);
        return false;
    }
    return true;
}

static bool prefers_async(struct http_request *request)
{
    struct text prefer = http_header(&request->headers, "Prefer"), part;
    while (prefer.at && text_split(&prefer, ',', &part))
        if (text_equal_nocase(text_trim(part), text_of("respond-async")))
            return true;
    return false;
}

static void answer_success(const struct call_outcome *outcome, struct http_request *request, struct http_response *response)
{
    struct arena *arena = request->arena;
    struct text logs = text_of("[]");
    if (json_array_size(outcome->logs))
        logs.at = json_print(arena, outcome->logs, &logs.size);
    const char *ms = arena_printf(arena, "%lld.%03d", (long long)(outcome->duration_us / 1000), (int)(outcome->duration_us % 1000));
    struct text duration = text_of(ms), body = json_text(arena, "jjji", "result", &outcome->result, "logs", &logs, "duration_ms", &duration,
                                                         "version", outcome->version);
    respond_bytes(response, 200, "application/json", body);
}

static void answer_failure(const struct call_outcome *outcome, const char *name, int status, struct http_request *request,
                           struct http_response *response)
{
    problem(response, status, name, "%s", outcome->message);
    problem_member(response, "error", json_incref(call_error(request->arena, outcome)));
    problem_member(response, "logs", json_incref(outcome->logs));
    problem_member(response, "duration_ms", json_real((double)outcome->duration_us / 1000));
    problem_member(response, "version", json_integer(outcome->version));
}

static void answer_outcome(const struct call_outcome *outcome, struct http_request *request, struct http_response *response)
{
    switch (outcome->kind) {
    case OUTCOME_SUCCEEDED:
        answer_success(outcome, request, response);
        return;
    case OUTCOME_FAILED:
        answer_failure(outcome, "function-failed", 422, request, response);
        return;
    case OUTCOME_TIMEOUT:
        answer_failure(outcome, "function-timeout", 504, request, response);
        return;
    case OUTCOME_MEMORY:
        answer_failure(outcome, "function-out-of-memory", 422, request, response);
        return;
    case OUTCOME_OUTPUT:
        answer_failure(outcome, "function-output-too-large", 422, request, response);
        return;
    case OUTCOME_BUSY:
        problem(response, 429, "too-many-requests", "%s", outcome->message);
        http_header_set(request->arena, &response->headers, "Retry-After", arena_printf(request->arena, "%d", outcome->retry_after_s));
        return;
    case OUTCOME_GONE:
        problem_not_found(response);
        return;
    case OUTCOME_UNAVAILABLE:
        problem_unavailable(response, 2, outcome->message);
        return;
    }
}

/* An answer under a key is stored, and the one that was stored first wins. */
struct keep {
    struct idempotency key;
    const struct http_response *response;
};

static int keep_body(struct transaction *tx, void *arg)
{
    struct keep *keep = arg;
    int error = idempotency_begin(tx, &keep->key);
    if (error)
        return error < 0 ? error : 0;
    const char *type = keep->response->status == 200 ? "application/json" : "application/problem+json";
    return idempotency_finish(tx, &keep->key, keep->response->status, keep->response->body, type, NULL);
}

static int look_body(struct transaction *tx, void *arg)
{
    struct keep *keep = arg;
    int found = idempotency_begin(tx, &keep->key);
    return found == 0 ? -ENOENT : found < 0 ? found : 0; /* undone: the key is kept with the answer only */
}

static bool is_kept(int status)
{
    return status / 100 == 2 || (status / 100 == 4 && status != 401 && status != 429);
}

static FIBER_FN void call_at_once(struct database *database, struct pool_entry *entry, struct text event, struct http_request *request,
                                  struct http_response *response)
{
    struct keep *keep = arena_alloc(request->arena, sizeof(*keep));
    if (!idempotency_of(request, response, &keep->key))
        return;
    if (keep->key.key) {
        int error = database_transact(database, look_body, keep);
        if (!error && idempotency_answer(&keep->key, response))
            return;
        if (error && error != -ENOENT) {
            problem_from_error(response, error, "look for an earlier call");
            return;
        }
    }
    struct call_request call = {.event = event, .cause = "http", .request_id = request->trace ? request->trace->request_id : NULL};
    struct call_outcome outcome;
    call_function(database, entry, &call, &outcome);
    answer_outcome(&outcome, request, response);
    keep->response = response;
    if (!keep->key.key || !is_kept(response->status))
        return;
    int error = database_transact(database, keep_body, keep);
    if (error)
        problem_from_error(response, error, "store the outcome of a call");
    else
        idempotency_answer(&keep->key, response);
}

struct deferral {
    struct idempotency key;
    struct stored_invocation invocation;
    struct text answer;
    const char *location;
};

static int defer_body(struct transaction *tx, void *arg)
{
    struct deferral *deferral = arg;
    int error = idempotency_begin(tx, &deferral->key);
    if (error)
        return error < 0 ? error : 0;
    error = functions_store_invocation_add_tx(tx, &deferral->invocation);
    if (!error)
        error = hooks_queue_invocation_tx(tx, &deferral->invocation);
    return error ? error : idempotency_finish(tx, &deferral->key, 202, deferral->answer, "application/json", deferral->location);
}

static FIBER_FN void call_later(struct database *database, struct pool_entry *entry, struct text event, struct http_request *request,
                                struct http_response *response)
{
    struct deferral *deferral = arena_alloc(request->arena, sizeof(*deferral));
    char *id = arena_alloc(request->arena, UUID_SIZE);
    if (!idempotency_of(request, response, &deferral->key))
        return;
    uuid_make(id);
    deferral->invocation = (struct stored_invocation){
        .id = id,
        .name = pool_name(entry),
        .user_id = request->identity.user_id,
        .event = arena_copy(request->arena, event.at, event.size),
    };
    deferral->answer = text_of(arena_printf(request->arena, "{\"id\":\"%s\",\"status\":\"pending\"}", id));
    deferral->location = arena_printf(request->arena, "/api/v1/functions/%s/invocations/%s", pool_name(entry), id);
    int error = database_transact(database, defer_body, deferral);
    if (error) {
        problem_from_error(response, error, "accept a call");
        return;
    }
    if (idempotency_answer(&deferral->key, response))
        return;
    http_header_set(request->arena, &response->headers, "Location", deferral->location);
    http_header_set(request->arena, &response->headers, "Preference-Applied", "respond-async");
    respond_bytes(response, 202, "application/json", deferral->answer);
}

static FIBER_FN void invoke(void *context, struct http_request *request, struct http_response *response, bool checked)
{
    struct text event;
    const char *name = functions_api_name(request, response);
    /* Another instance may have taken a new version a moment ago: its deployer expects that one. */
    if (name && database_is_postgres(functions_database(context)))
        registry_refresh(functions_database(context));
    struct pool_entry *entry = name ? pool_entry_find(name) : NULL;
    struct version *version = entry ? pool_version(entry) : NULL;
    if (!version) {
        if (name)
            problem_not_found(response);
        return;
    }
    bool allowed = !checked || is_allowed(version, request, response);
    version_unref(version);
    if (!allowed || !read_event(request, response, &event))
        return;
    if (prefers_async(request))
        call_later(functions_database(context), entry, event, request, response);
    else
        call_at_once(functions_database(context), entry, event, request, response);
}

FIBER_FN void functions_api_invoke(void *context, struct http_request *request, struct http_response *response)
{
    invoke(context, request, response, true);
}

FIBER_FN void functions_api_invoke_internal(void *context, struct http_request *request, struct http_response *response)
{
    invoke(context, request, response, false);
}

static json_t *show_invocation(struct arena *arena, const struct stored_invocation *invocation)
{
    json_t *object = json_make(arena, "{s:s, s:s, s:O, s:O, s:O}", "id", invocation->id, "status", invocation->status, "result",
                               functions_tree(arena, invocation->result), "error", functions_tree(arena, invocation->error), "logs",
                               invocation->logs ? functions_tree(arena, invocation->logs) : json_keep(arena, json_array()));
    bool known = invocation->finished && invocation->version;
    json_put_new(object, "duration_ms", known ? json_real((double)invocation->duration_us / 1000) : json_null());
    json_put_new(object, "version", known ? json_integer(invocation->version) : json_null());
    return object;
}

FIBER_FN void functions_api_invocation(void *context, struct http_request *request, struct http_response *response)
{
    struct stored_invocation invocation;
    const char *name = functions_api_name(request, response);
    const char *id = name ? arena_copy(request->arena, request->parameters[1].at, request->parameters[1].size) : NULL;
    if (!name)
        return;
    int error = uuid_is_valid(id) ? functions_store_invocation(functions_database(context), id, &invocation) : -ENOENT;
    bool admin = request_is_admin(request);
    bool own = !error && invocation.user_id && request->identity.user_id && !strcmp(invocation.user_id, request->identity.user_id);
    if (error == -ENOENT || (!error && (strcmp(invocation.name, name) || (!own && !admin))))
        problem_not_found(response);
    else if (error)
        problem_from_error(response, error, "read a call");
    else
        respond_json(response, 200, show_invocation(request->arena, &invocation));
}
