/* Encoding and decoding of what orders and payments say to each other. A decoder takes only what is whole: a message that lacks a
 * member or has one of another type is -EBADMSG, so that no worker acts on half of it. Nothing here waits. */
#include "contracts/payments.h"

#include <errno.h>
#include <string.h>

json_t *payment_request_encode(struct arena *arena, const struct payment_request *request)
{
    return json_make(arena, "{s:s, s:s, s:s, s:s, s:I, s:s, s:s*, s:s*, s:s*}", "action", request->action, "payment_id", request->payment_id,
                     "order_id", request->order_id, "user_id", request->user_id, "amount", (json_int_t)request->amount_minor, "currency",
                     request->currency, "payment_method", request->payment_method, "refund_id", request->refund_id, "reason",
                     request->reason);
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int payment_request_decode(const json_t *data, struct payment_request *ret_request)
{
    struct payment_request request = {
        .action = json_get_string(data, "action"),
        .payment_id = json_get_string(data, "payment_id"),
        .order_id = json_get_string(data, "order_id"),
        .user_id = json_get_string(data, "user_id"),
        .amount_minor = json_get_integer(data, "amount"),
        .currency = json_get_string(data, "currency"),
        .payment_method = json_get_string(data, "payment_method"),
        .refund_id = json_get_string(data, "refund_id"),
        .reason = json_get_string(data, "reason"),
    };
    if (!request.action || !request.payment_id || !request.order_id || !request.user_id || !request.currency ||
        request.amount_minor < 0 || !json_is_integer(json_object_get(data, "amount")))
        return -EBADMSG;
    if (!is_one_of(request.action, "charge", "refund"))
        return -EBADMSG;
    if (strcmp(request.action, "charge") == 0 ? !request.payment_method : !request.refund_id)
        return -EBADMSG;
    *ret_request = request;
    return 0;
}

json_t *payment_processed_encode(struct arena *arena, const struct payment_processed *processed)
{
    return json_make(arena, "{s:s, s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:s}", "action", processed->action, "payment_id",
                     processed->payment_id, "order_id", processed->order_id, "user_id", processed->user_id, "status", processed->status,
                     "failure_code", processed->failure_code, "amount", (json_int_t)processed->amount_minor, "refunded_amount",
                     (json_int_t)processed->refunded_minor, "currency", processed->currency);
}

int payment_processed_decode(const json_t *data, struct payment_processed *ret_processed)
{
    struct payment_processed processed = {
        .action = json_get_string(data, "action"),
        .payment_id = json_get_string(data, "payment_id"),
        .order_id = json_get_string(data, "order_id"),
        .user_id = json_get_string(data, "user_id"),
        .status = json_get_string(data, "status"),
        .failure_code = json_get_string(data, "failure_code"),
        .amount_minor = json_get_integer(data, "amount"),
        .refunded_minor = json_get_integer(data, "refunded_amount"),
        .currency = json_get_string(data, "currency"),
    };
    if (!processed.action || !processed.payment_id || !processed.order_id || !processed.user_id || !processed.status ||
        !processed.currency || !is_one_of(processed.action, "charge", "refund"))
        return -EBADMSG;
    *ret_processed = processed;
    return 0;
}

json_t *notification_request_encode(struct arena *arena, const struct notification_request *request)
{
    return json_make(arena, "{s:s, s:s, s:s, s:s, s:O?}", "user_id", request->user_id, "type", request->type, "title", request->title, "body",
                     request->body, "data", request->data);
}

int notification_request_decode(const json_t *data, struct notification_request *ret_request)
{
    struct notification_request request = {
        .user_id = json_get_string(data, "user_id"),
        .type = json_get_string(data, "type"),
        .title = json_get_string(data, "title"),
        .body = json_get_string(data, "body"),
        .data = json_object_get(data, "data"),
    };
    if (!request.user_id || !request.type || !request.title || !request.body)
        return -EBADMSG;
    if (!json_is_object(request.data))
        request.data = NULL;
    *ret_request = request;
    return 0;
}
