/*
 * The sandbox as a provider: the same calls over HTTP, or straight to the service of this process. What was sent and not answered may
 * have been done; what never reached the provider, or was refused with 503, was not.
 */
#include "http/client.h"
#include "payments/provider_ops.h"
#include "service/service.h"

#include <errno.h>

struct call {
    const char *method, *target, *key; /* key: the Idempotency-Key, or NULL */
    const json_t *body;                /* or NULL */
};

/* 0 and status and tree; or -ETIMEDOUT: sent, and no answer; or another negative: not reached. */
static FIBER_FN int call_inside(const struct call *call, struct http_response *ret_response)
{
    struct arena *arena = fiber_arena();
    struct text rest = text_of(call->target);
    struct http_request request = {
        .arena = arena,
        .method = strcmp(call->method, "GET") == 0 ? HTTP_GET : HTTP_POST,
        .method_name = text_of(call->method),
        .target = rest,
        .client_address = "127.0.0.1",
        .trace = fiber_trace(),
    };
    text_split(&rest, '?', &request.path);
    request.query = rest.at ? rest : text_of("");
    if (call->body) {
        request.body.at = json_print(arena, call->body, &request.body.size);
        http_header_add(arena, &request.headers, "Content-Type", "application/json");
    }
    if (call->key)
        http_header_add(arena, &request.headers, "Idempotency-Key", call->key);
    service_call("sandbox", &request, ret_response);
    return 0;
}

static FIBER_FN int call_outside(const struct provider *provider, const struct call *call, struct http_response *ret_response)
{
    struct arena *arena = fiber_arena();
    const char *addresses[1];
    int count = http_resolve(provider->host, provider->port, addresses, 1);
    if (count <= 0)
        return count < 0 && count != -ETIMEDOUT ? count : -ECONNREFUSED;
    struct http_call http = {.address = addresses[0], .method = call->method, .target = call->target};
    if (call->body) {
        http.body.at = json_print(arena, call->body, &http.body.size);
        http_header_add(arena, &http.headers, "Content-Type", "application/json");
    }
    if (call->key)
        http_header_add(arena, &http.headers, "Idempotency-Key", call->key);
    enum http_call_progress progress = HTTP_CALL_NOT_CONNECTED;
    int code = http_client_call(&http, ret_response, &progress);
    return code == -ETIMEDOUT && progress == HTTP_CALL_NOT_CONNECTED ? -ECONNREFUSED : code;
}

/* A status with its tree, or a verdict that needs none. True when there is an answer to read. */
static FIBER_FN bool ask(const struct provider *provider, const struct call *call, int *ret_status, json_t **ret_tree,
                         struct provider_answer *ret_answer)
{
    struct http_response response = {.arena = fiber_arena()};
    int code = provider->host ? call_outside(provider, call, &response) : call_inside(call, &response);
    if (code == -ETIMEDOUT || (code == 0 && response.status == 504)) {
        *ret_answer = (struct provider_answer){.verdict = PROVIDER_UNKNOWN};
        return false;
    }
    if (code < 0 || response.status >= 500 || response.status == 429 ||
        json_parse(fiber_arena(), response.body, ret_tree, NULL) < 0) {
        *ret_answer = (struct provider_answer){.verdict = PROVIDER_AGAIN};
        return false;
    }
    *ret_status = response.status;
    return true;
}

static struct provider_answer of_charge(const json_t *charge)
{
    const char *status = json_get_string(charge, "status"), *failure = json_get_string(charge, "failure_code");
    if (status && strcmp(status, "succeeded") == 0)
        return (struct provider_answer){.verdict = PROVIDER_SUCCEEDED, .reference = json_get_string(charge, "id")};
    if (status && strcmp(status, "failed") == 0)
        return (struct provider_answer){.verdict = PROVIDER_FAILED, .failure_code = failure ? failure : "declined"};
    return (struct provider_answer){.verdict = PROVIDER_UNKNOWN};
}

static FIBER_FN struct provider_answer sandbox_charge(const struct provider *provider, const struct provider_charge *charge)
{
    int status;
    json_t *tree;
    struct provider_answer answer;
    json_t *body = json_make(fiber_arena(), "{s:I, s:s, s:s}", "amount", (json_int_t)charge->amount_minor, "currency", charge->currency,
                             "payment_method", charge->method);
    const struct call call = {.method = "POST", .target = "/charges", .key = charge->key, .body = body};
    if (!ask(provider, &call, &status, &tree, &answer))
        return answer;
    if (status == 200)
        return of_charge(tree);
    if (status == 409)
        return (struct provider_answer){.verdict = PROVIDER_CANCELLED};
    return (struct provider_answer){.verdict = PROVIDER_FAILED, .failure_code = "refused_by_provider"};
}

static FIBER_FN struct provider_answer sandbox_query(const struct provider *provider, const char *key)
{
    int status;
    json_t *tree;
    struct provider_answer answer;
    const struct call call = {.method = "GET", .target = arena_printf(fiber_arena(), "/charges?key=%s", key)};
    if (!ask(provider, &call, &status, &tree, &answer))
        return answer;
    json_t *list = json_object_get(tree, "data");
    if (status != 200 || !json_is_array(list))
        return (struct provider_answer){.verdict = PROVIDER_UNKNOWN};
    return json_array_size(list) ? of_charge(json_array_get(list, 0)) : (struct provider_answer){.verdict = PROVIDER_ABSENT};
}

static FIBER_FN struct provider_answer sandbox_cancel(const struct provider *provider, const char *key)
{
    int status;
    json_t *tree;
    struct provider_answer answer;
    const struct call call = {.method = "POST", .target = "/cancellations", .body = json_make(fiber_arena(), "{s:s}", "key", key)};
    if (!ask(provider, &call, &status, &tree, &answer))
        return answer;
    if (status != 200)
        return (struct provider_answer){.verdict = PROVIDER_UNKNOWN};
    return json_get_bool(tree, "cancelled") ? (struct provider_answer){.verdict = PROVIDER_CANCELLED}
                                            : of_charge(json_object_get(tree, "charge"));
}

static FIBER_FN struct provider_answer sandbox_refund(const struct provider *provider, const char *key, const char *reference,
                                                      int64_t amount_minor)
{
    int status;
    json_t *tree;
    struct provider_answer answer;
    json_t *body = json_make(fiber_arena(), "{s:s, s:I}", "charge_id", reference, "amount", (json_int_t)amount_minor);
    const struct call call = {.method = "POST", .target = "/refunds", .key = key, .body = body};
    if (!ask(provider, &call, &status, &tree, &answer))
        return answer;
    if (status == 200)
        return (struct provider_answer){.verdict = PROVIDER_SUCCEEDED};
    return (struct provider_answer){.verdict = PROVIDER_FAILED, .failure_code = "refused_by_provider"};
}

const struct provider_ops sandbox_provider_ops = {
    .name = "sandbox",
    .charge = sandbox_charge,
    .query = sandbox_query,
    .cancel = sandbox_cancel,
    .refund = sandbox_refund,
};
