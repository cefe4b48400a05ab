/*
 * The sandbox over HTTP. POST /charges and POST /refunds take an Idempotency-Key and are settled by it; GET /charges?key= asks what became of
 * a key; POST /cancellations makes sure that a key will never be charged. Some payment methods fail or stay silent on purpose (rules.c).
 */
#include "http/problem.h"
#include "sandbox/service.h"
#include "sandbox/store.h"

#include <errno.h>
#include <string.h>

#define AMOUNT_MAX 9007199254740991
#define KEY_MAX 255
#define SILENCE_MS (3600 * 1000)

/* The key in the arena, or NULL after an answer. */
static const char *request_key(struct http_request *request, struct http_response *response)
{
    struct text key = http_header(&request->headers, "Idempotency-Key");
    if (key.size == 0 || key.size > KEY_MAX) {
        problem(response, 400, "key-missing", "Send an Idempotency-Key of 1 to %d characters.", KEY_MAX);
        return NULL;
    }
    return arena_copy(request->arena, key.at, key.size);
}

/* Says nothing until the caller gives up. */
static FIBER_FN void stay_silent(struct http_response *response)
{
    fiber_sleep(SILENCE_MS);
    problem(response, 504, "timeout", "The provider did not answer.");
}

static FIBER_FN void answer_charge(struct http_response *response, const struct charge_order *order, enum charge_outcome outcome,
                                   json_t *charge)
{
    switch (outcome) {
    case CHARGE_DONE:
        if (order->method->answers)
            respond_json(response, 200, charge);
        else
            stay_silent(response);
        return;
    case CHARGE_SILENT:
        stay_silent(response);
        return;
    case CHARGE_BUSY:
        problem_unavailable(response, 1, "The provider is busy.");
        return;
    case CHARGE_CANCELLED:
        problem(response, 409, "key-cancelled", "This key was cancelled; it will never be charged.");
        return;
    case CHARGE_OTHER:
        problem(response, 422, "key-reused", "This key was used for another charge.");
        return;
    }
}

static FIBER_FN void create_charge(void *context, struct http_request *request, struct http_response *response)
{
    struct sandbox *sandbox = context;
    json_t *body;
    struct charge_order order = {.key = request_key(request, response)};
    if (!order.key || !request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    order.amount_minor = field_integer(&fields, "amount", true, 1, AMOUNT_MAX, NULL);
    order.currency = field_string(&fields, "currency", true, 3, 3);
    order.payment_method = field_string(&fields, "payment_method", true, 1, 100);
    fields_done(&fields);
    order.method = order.payment_method ? sandbox_method_find(order.payment_method) : NULL;
    if (order.payment_method && !order.method)
        problem_errors_add(&errors, "/payment_method", "is not one that the sandbox knows");
    if (problem_errors_answer(&errors, response))
        return;
    enum charge_outcome outcome;
    json_t *charge;
    int error = sandbox_charge(sandbox->database, &order, &outcome, &charge);
    if (error) {
        problem_from_error(response, error, "charging");
        return;
    }
    sender_wake(sandbox->sender);
    answer_charge(response, &order, outcome, charge);
}

static FIBER_FN void list_charges(void *context, struct http_request *request, struct http_response *response)
{
    struct sandbox *sandbox = context;
    struct page page;
    json_t *list;
    const char *key = http_query(request, "key");
    if (!request_page(request, response, &page))
        return;
    int error = sandbox_charges(sandbox->database, key, page.cursor, page.limit, &list);
    if (error) {
        problem_from_error(response, error, "listing charges");
        return;
    }
    size_t count = json_array_size(list);
    const char *next = !key && count == (size_t)page.limit ? json_get_string(json_array_get(list, count - 1), "id") : NULL;
    respond_json(response, 200, json_make(request->arena, "{s:O, s:s?}", "data", list, "next_cursor", next));
}

static FIBER_FN void cancel_key(void *context, struct http_request *request, struct http_response *response)
{
    struct sandbox *sandbox = context;
    json_t *body, *charge;
    if (!request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    const char *key = field_string(&fields, "key", true, 1, KEY_MAX);
    fields_done(&fields);
    if (problem_errors_answer(&errors, response))
        return;
    int error = sandbox_cancel(sandbox->database, key, &charge);
    if (error)
        problem_from_error(response, error, "cancelling a key");
    else
        respond_json(response, 200, json_make(request->arena, "{s:s, s:b, s:O?}", "key", key, "cancelled", charge == NULL, "charge", charge));
}

static FIBER_FN void create_refund(void *context, struct http_request *request, struct http_response *response)
{
    struct sandbox *sandbox = context;
    json_t *body, *refund;
    const char *key = request_key(request, response);
    if (!key || !request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    const char *charge_id = field_string(&fields, "charge_id", true, 1, 100);
    int64_t amount_minor = field_integer(&fields, "amount", true, 1, AMOUNT_MAX, NULL);
    fields_done(&fields);
    if (problem_errors_answer(&errors, response))
        return;
    int error = sandbox_refund(sandbox->database, key, charge_id, amount_minor, &refund);
    if (error == -ENOENT)
        problem_not_found(response);
    else if (error == -EDOM)
        problem(response, 409, "refund-too-large", "That is more than is left of the charge, or the key was used for another refund.");
    else if (error)
        problem_from_error(response, error, "refunding");
    else
        respond_json(response, 200, refund);
    sender_wake(sandbox->sender);
}

const struct route sandbox_routes[] = {
    {HTTP_POST, "/charges", ROUTE_PUBLIC, create_charge},
    {HTTP_GET, "/charges", ROUTE_PUBLIC, list_charges},
    {HTTP_POST, "/cancellations", ROUTE_PUBLIC, cancel_key},
    {HTTP_POST, "/refunds", ROUTE_PUBLIC, create_refund},
    {.pattern = NULL},
};
