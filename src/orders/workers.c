/*
 * Consumers. A queue keeps no order: each effect is a function of the order as it is and of the message, and is right whichever comes first.
 * What a payment's end means is decided by rules.c under the order's lock.
 */
#include "orders/workers.h"

#include "contracts/names.h"
#include "contracts/payments.h"
#include "orders/moves.h"

#include <errno.h>

static struct cause cause_of(const struct event *event, const char *reason)
{
    return (struct cause){.reason = reason, .traceparent = event->traceparent, .event_id = event->id};
}

/* The order's copy of its payment. False when the message tells nothing new. */
static bool note_payment(struct order *order, const struct payment_processed *processed, const struct event *event)
{
    if (!payment_status_follows(order->payment.status, processed->status) && processed->refunded_minor <= order->payment.refunded_minor)
        return false;
    if (payment_status_follows(order->payment.status, processed->status))
        order->payment.status = processed->status;
    if (processed->refunded_minor > order->payment.refunded_minor)
        order->payment.refunded_minor = processed->refunded_minor;
    order->payment.failure_code = processed->failure_code;
    if (event->time_wall_ms > order->payment.updated_at)
        order->payment.updated_at = event->time_wall_ms;
    return true;
}

static int settle_charge(struct transaction *tx, struct order *order, bool is_latest, bool is_noted,
                         const struct payment_processed *processed, const struct event *event)
{
    bool succeeded = strcmp(processed->status, "failed") != 0;
    struct cause cause = cause_of(event, succeeded ? NULL : processed->failure_code);
    int code = 0;
    switch (charge_meaning(order->status, is_latest, succeeded)) {
    case CHARGE_PAYS:
        return order_mark(tx, order, ORDER_PAID, &cause);
    case CHARGE_FAILS:
        return order_mark(tx, order, ORDER_PAYMENT_FAILED, &cause);
    case CHARGE_RETURNS:
        cause.reason = "the order does not want it any more";
        code = order_request_refund(tx, order, processed->payment_id, &cause);
        break;
    case CHARGE_SAYS_NOTHING:
        break;
    }
    return code == 0 && is_noted ? orders_store_order_save(tx, order) : code;
}

static int settle_payment(struct transaction *tx, struct order *order, const struct payment_processed *processed, const struct event *event)
{
    bool is_latest = strcmp(order->payment.id, processed->payment_id) == 0;
    bool is_noted = is_latest && note_payment(order, processed, event);
    if (strcmp(processed->action, "charge") == 0)
        return settle_charge(tx, order, is_latest, is_noted, processed, event);
    return is_noted ? orders_store_order_save(tx, order) : 0;
}

static const char *order_of_event(const struct event *event)
{
    return event_string(fiber_arena(), event, "order_id");
}

/* The orders are locked first, all in one wait and in the order of their ids. Two messages of one order would not see each other's
 * effect on what was read: the second one reads again. */
int on_payments_processed(struct transaction *tx, void *context, struct event_item *items, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    struct payment_processed *list = arena_alloc(arena, sizeof *list * count);
    const char **ids = arena_alloc(arena, sizeof *ids * count);
    struct order *orders = arena_alloc(arena, sizeof *orders * count), *order = orders;
    unsigned order_count = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct event *event = items[i].event;
        if (strcmp(event->type, EVENT_PAYMENT_PROCESSED) != 0 || payment_processed_decode(arena, event->data, &list[i]) < 0)
            return -EBADMSG;
        if (!order_count || strcmp(ids[order_count - 1], list[i].order_id) != 0)
            ids[order_count++] = list[i].order_id;
    }
    int code = orders_store_orders_lock(tx, ids, order_count, orders);
    for (unsigned i = 0; i < count && code == 0; i++) {
        if (i > 0 && strcmp(list[i - 1].order_id, list[i].order_id) == 0)
            code = orders_store_order(tx, list[i].order_id, true, order);
        else if (i > 0)
            order++;
        if (code == 0)
            code = settle_payment(tx, order, &list[i], items[i].event);
    }
    return code == -ENOENT ? -EBADMSG : code;
}

static int cancel_unpaid(struct transaction *tx, const char *id, const struct cause *cause)
{
    struct order order;
    int code = orders_store_order(tx, id, true, &order);
    if (code < 0)
        return code == -ENOENT ? 0 : code;
    if (order.status != ORDER_PENDING_PAYMENT && order.status != ORDER_PAYMENT_FAILED)
        return 0;
    return order_cancel(tx, &order, cause);
}

static int on_user_event(struct transaction *tx, const struct event *event)
{
    struct rows ids;
    const char *user_id = event_string(transaction_arena(tx), event, "user_id");
    if (strcmp(event->type, EVENT_USER_DELETED) != 0)
        return 0;
    if (!user_id || !uuid_is_valid(user_id))
        return -EBADMSG;
    struct cause cause = cause_of(event, "the account was deleted");
    int code = orders_store_orders_unpaid_of(tx, user_id, &ids);
    for (unsigned i = 0; code == 0 && i < ids.count; i++)
        code = cancel_unpaid(tx, rows_text(&ids, i, 0), &cause);
    return code;
}

int on_user_events(struct transaction *tx, void *context, struct event_item *items, unsigned count)
{
    int code = 0;
    for (unsigned i = 0; i < count && code == 0; i++)
        code = on_user_event(tx, items[i].event);
    return code;
}

int expire_order(struct transaction *tx, void *id)
{
    struct cause cause = {.reason = "expired"};
    return cancel_unpaid(tx, id, &cause);
}

int orders_workers_begin(struct orders *orders, const struct service_engines *engines, struct err *err)
{
    static const char *const topics[] = {TOPIC_USERS, NULL};
    const struct event_handler processed = {
        .name = "orders.payment-processed", .effects = on_payments_processed, .context = orders, .sort_key = order_of_event};
    const struct event_handler users = {.name = "orders.users", .effects = on_user_events, .context = orders};
    int code = consume_queue(engines->database, engines->queue, QUEUE_PAYMENT_PROCESSED, &processed, err);
    return code < 0 ? code : consume_stream(engines->database, engines->stream, "orders", topics, &users, err);
}
