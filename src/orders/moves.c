/*
 * How an order moves. Whoever calls has locked the order's row (or makes it) and has asked the rules; so the events of an order leave in the
 * order in which it changed, and their numbers have no gaps.
 */
#include "orders/moves.h"

#include "base/clock.h"
#include "base/json_text.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "contracts/names.h"
#include "contracts/payments.h"
#include "messaging/outbox.h"
#include "orders/print.h"

#include <assert.h>
#include <errno.h>

static const char *new_id(struct arena *arena)
{
    char *id = arena_alloc(arena, UUID_SIZE);
    uuid_make(id);
    return id;
}

static int send_to(struct transaction *tx, enum outbox_kind kind, const char *destination, const struct order *order,
                   const struct event *event)
{
    struct outbox_entry entry = {.kind = kind, .destination = destination, .key = order->user_id, .event = *event};
    return outbox_add(tx, &entry);
}

/* The topic's event for the status that the order has now. */
static int announce(struct transaction *tx, const struct order *order, const struct cause *cause)
{
    static const char *const types[] = {
        [ORDER_PENDING_PAYMENT] = EVENT_ORDER_CREATED,
        [ORDER_PAID] = EVENT_ORDER_PAID,
        [ORDER_PAYMENT_FAILED] = EVENT_ORDER_PAYMENT_FAILED,
        [ORDER_CANCELLED] = EVENT_ORDER_CANCELLED,
        [ORDER_SHIPPED] = EVENT_ORDER_SHIPPED,
        [ORDER_DELIVERED] = EVENT_ORDER_DELIVERED,
    };
    const char *failure = order->status == ORDER_PAYMENT_FAILED ? order->payment.failure_code : NULL;
    const char *reason = order->status == ORDER_CANCELLED ? cause->reason : NULL;
    struct text data = json_text(transaction_arena(tx), "ssisss", "order_id", order->id, "user_id", order->user_id, "total",
                                 order->total_minor, "currency", order->currency, "failure_code", failure, "reason", reason);
    struct event event = {
        .source = SOURCE_ORDERS,
        .type = types[order->status],
        .subject = order->id,
        .traceparent = cause->traceparent,
        .sequence = order->sequence,
        .causation_id = cause->event_id,
        .data = data,
    };
    return send_to(tx, OUTBOX_STREAM, TOPIC_ORDERS, order, &event);
}

static int request_payment(struct transaction *tx, const struct order *order, const struct payment_request *request,
                           const struct cause *cause)
{
    struct outbox_entry entry = {
        .kind = OUTBOX_QUEUE,
        .destination = QUEUE_PAYMENT_REQUEST,
        .key = order->user_id,
        .correlation_id = request->payment_id,
        .reply_to = QUEUE_PAYMENT_PROCESSED,
        .event =
            {
                .source = SOURCE_ORDERS,
                .type = EVENT_PAYMENT_REQUESTED,
                .subject = request->payment_id,
                .traceparent = cause->traceparent,
                .causation_id = cause->event_id,
                .data = payment_request_encode(transaction_arena(tx), request),
            },
    };
    return outbox_add(tx, &entry);
}

static int request_charge(struct transaction *tx, const struct order *order, const struct cause *cause)
{
    struct payment_request request = {
        .action = "charge",
        .payment_id = order->payment.id,
        .order_id = order->id,
        .user_id = order->user_id,
        .amount_minor = order->total_minor,
        .currency = order->currency,
        .payment_method = order->payment.method,
    };
    return request_payment(tx, order, &request, cause);
}

int order_request_refund(struct transaction *tx, const struct order *order, const char *payment_id, const struct cause *cause)
{
    struct payment_request request = {
        .action = "refund",
        .payment_id = payment_id,
        .order_id = order->id,
        .user_id = order->user_id,
        .currency = order->currency,
        .refund_id = new_id(transaction_arena(tx)),
        .reason = cause->reason,
    };
    return request_payment(tx, order, &request, cause);
}

/* Work for functions that are hooked on new orders: the order as the API shows it. */
static int hand_to_functions(struct transaction *tx, const struct order *order, const struct cause *cause)
{
    if (!settings_flag("functions"))
        return 0;
    struct event event = {
        .source = SOURCE_ORDERS,
        .type = EVENT_ORDER_PLACED,
        .subject = order->id,
        .traceparent = cause->traceparent,
        .data = print_order(transaction_arena(tx), order),
    };
    return send_to(tx, OUTBOX_QUEUE, QUEUE_ORDER_CREATED, order, &event);
}

static void begin_payment(struct transaction *tx, struct order *order, const char *method, int64_t now)
{
    order->payment.id = new_id(transaction_arena(tx));
    order->payment.method = method;
    order->payment.status = "pending";
    order->payment.failure_code = NULL;
    order->payment.refunded_minor = 0;
    order->payment.created_at = order->payment.updated_at = now;
}

int order_begin(struct transaction *tx, struct order *order, const struct cause *cause)
{
    int64_t now = clock_wall_ms();
    order->id = new_id(transaction_arena(tx));
    order->status = ORDER_PENDING_PAYMENT;
    order->created_at = order->updated_at = now;
    order->sequence = 1;
    order->history = print_history(transaction_arena(tx), NULL, order->status, now, NULL);
    begin_payment(tx, order, order->payment.method, now);
    int code = orders_store_order_insert(tx, order);
    if (code == 0)
        code = request_charge(tx, order, cause);
    if (code == 0)
        code = hand_to_functions(tx, order, cause);
    return code < 0 ? code : announce(tx, order, cause);
}

static void move(struct transaction *tx, struct order *order, enum order_status status, const struct cause *cause)
{
    assert(order_may_become(order->status, status));
    int64_t now = clock_wall_ms();
    /* A clock that was set back shows no history that runs backwards. */
    order->updated_at = now > order->updated_at ? now : order->updated_at;
    order->status = status;
    order->history = print_history(transaction_arena(tx), order->history, status, order->updated_at, cause->reason);
}

int order_mark(struct transaction *tx, struct order *order, enum order_status status, const struct cause *cause)
{
    move(tx, order, status, cause);
    order->sequence++;
    int code = orders_store_order_save(tx, order);
    return code < 0 ? code : announce(tx, order, cause);
}

int order_pay_again(struct transaction *tx, struct order *order, const char *method, const struct cause *cause)
{
    move(tx, order, ORDER_PENDING_PAYMENT, cause);
    begin_payment(tx, order, method, order->updated_at);
    int code = orders_store_order_save(tx, order);
    return code < 0 ? code : request_charge(tx, order, cause);
}

static int give_stock_back(struct transaction *tx, const struct order *order)
{
    json_t *items;
    struct arena *arena = transaction_arena(tx);
    int code = json_parse(arena, text_of(order->items), &items, NULL);
    unsigned count = code == 0 ? (unsigned)json_array_size(items) : 0;
    struct line *lines = arena_alloc(arena, sizeof *lines * (count + 1)), **sorted = arena_alloc(arena, sizeof *sorted * (count + 1));
    for (unsigned i = 0; i < count; i++) {
        json_t *item = json_array_get(items, i);
        lines[i] = (struct line){.sku = json_get_string(item, "sku"), .quantity = json_get_integer(item, "quantity")};
        sorted[i] = &lines[i];
    }
    lines_sort(sorted, count);
    for (unsigned i = 0; i < count && code == 0; i++)
        code = orders_store_stock_give(tx, sorted[i]->sku, sorted[i]->quantity);
    return code;
}

int order_cancel(struct transaction *tx, struct order *order, const struct cause *cause)
{
    bool captured = order->status == ORDER_PAID;
    int code = order_mark(tx, order, ORDER_CANCELLED, cause);
    if (code == 0)
        code = give_stock_back(tx, order);
    return code == 0 && captured ? order_request_refund(tx, order, order->payment.id, cause) : code;
}
