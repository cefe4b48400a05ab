/* Encoding and decoding of what orders and payments say to each other. A decoder takes only what is whole: a message that lacks a
 * member or has one of another type is -EBADMSG, so that no worker acts on half of it. Nothing here waits. */
#include "contracts/payments.h"

#include "base/json_members.h"
#include "base/json_text.h"

#include <errno.h>
#include <string.h>

struct text payment_request_encode(struct arena *arena, const struct payment_request *request)
{
    return json_text(arena, "ssssissss", "action", request->action, "payment_id", request->payment_id, "order_id", request->order_id,
                     "user_id", request->user_id, "amount", request->amount_minor, "currency", request->currency, "payment_method",
                     request->payment_method, "refund_id", request->refund_id, "reason", request->reason);
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int payment_request_decode(struct arena *arena, struct text data, struct payment_request *ret_request)
{
    enum { ACTION, PAYMENT_ID, ORDER_ID, USER_ID, AMOUNT, CURRENCY, PAYMENT_METHOD, REFUND_ID, REASON, MEMBERS };
    struct json_member members[MEMBERS] = {{"action"},   {"payment_id"},     {"order_id"},  {"user_id"}, {"amount"},
                                           {"currency"}, {"payment_method"}, {"refund_id"}, {"reason"}};
    if (json_members_known(arena, data, members, MEMBERS) < 0)
        return -EBADMSG;
    struct payment_request request = {
        .action = members[ACTION].string,
        .payment_id = members[PAYMENT_ID].string,
        .order_id = members[ORDER_ID].string,
        .user_id = members[USER_ID].string,
        .amount_minor = members[AMOUNT].integer,
        .currency = members[CURRENCY].string,
        .payment_method = members[PAYMENT_METHOD].string,
        .refund_id = members[REFUND_ID].string,
        .reason = members[REASON].string,
    };
    if (!request.action || !request.payment_id || !request.order_id || !request.user_id || !request.currency || request.amount_minor < 0 ||
        !members[AMOUNT].is_integer)
        return -EBADMSG;
    if (!is_one_of(request.action, "charge", "refund"))
        return -EBADMSG;
    if (strcmp(request.action, "charge") == 0 ? !request.payment_method : !request.refund_id)
        return -EBADMSG;
    *ret_request = request;
    return 0;
}

struct text payment_processed_encode(struct arena *arena, const struct payment_processed *processed)
{
    return json_text(arena, "sssssniis", "action", processed->action, "payment_id", processed->payment_id, "order_id", processed->order_id,
                     "user_id", processed->user_id, "status", processed->status, "failure_code", processed->failure_code, "amount",
                     processed->amount_minor, "refunded_amount", processed->refunded_minor, "currency", processed->currency);
}

int payment_processed_decode(struct arena *arena, struct text data, struct payment_processed *ret_processed)
{
    enum { ACTION, PAYMENT_ID, ORDER_ID, USER_ID, STATUS, FAILURE_CODE, AMOUNT, REFUNDED, CURRENCY, MEMBERS };
    struct json_member members[MEMBERS] = {{"action"},       {"payment_id"}, {"order_id"},        {"user_id"}, {"status"},
                                           {"failure_code"}, {"amount"},     {"refunded_amount"}, {"currency"}};
    if (json_members_known(arena, data, members, MEMBERS) < 0)
        return -EBADMSG;
    struct payment_processed processed = {
        .action = members[ACTION].string,
        .payment_id = members[PAYMENT_ID].string,
        .order_id = members[ORDER_ID].string,
        .user_id = members[USER_ID].string,
        .status = members[STATUS].string,
        .failure_code = members[FAILURE_CODE].string,
        .amount_minor = members[AMOUNT].integer,
        .refunded_minor = members[REFUNDED].integer,
        .currency = members[CURRENCY].string,
    };
    if (!processed.action || !processed.payment_id || !processed.order_id || !processed.user_id || !processed.status ||
        !processed.currency || !is_one_of(processed.action, "charge", "refund"))
        return -EBADMSG;
    *ret_processed = processed;
    return 0;
}

struct text notification_request_encode(struct arena *arena, const struct notification_request *request)
{
    return json_text(arena, "ssssj", "user_id", request->user_id, "type", request->type, "title", request->title, "body", request->body,
                     "data", &request->data);
}

int notification_request_decode(struct arena *arena, struct text data, struct notification_request *ret_request)
{
    enum { USER_ID, TYPE, TITLE, BODY, DATA, MEMBERS };
    struct json_member members[MEMBERS] = {{"user_id"}, {"type"}, {"title"}, {"body"}, {"data"}};
    if (json_members_known(arena, data, members, MEMBERS) < 0)
        return -EBADMSG;
    struct notification_request request = {
        .user_id = members[USER_ID].string,
        .type = members[TYPE].string,
        .title = members[TITLE].string,
        .body = members[BODY].string,
        .data = members[DATA].raw,
    };
    if (!request.user_id || !request.type || !request.title || !request.body)
        return -EBADMSG;
    if (request.data.at && *request.data.at != '{')
        request.data = (struct text){0};
    *ret_request = request;
    return 0;
}
