/*
 * payment.request: a batch of charges and refunds is recorded in one commit, and only then does the cashier ask the provider, for many at
 * once. A message is acknowledged when it is recorded: from then on the tables know what is to be done.
 */
#include "payments/workers.h"

#include "contracts/names.h"
#include "contracts/payments.h"
#include "payments/settle.h"

#include <errno.h>

static bool is_charge(const struct payment_request *request)
{
    return strcmp(request->action, "charge") == 0;
}

static int decode(struct arena *arena, const struct event *event, struct payment_request *ret_request)
{
    if (strcmp(event->type, EVENT_PAYMENT_REQUESTED) != 0 || payment_request_decode(arena, event->data, ret_request) < 0)
        return -EBADMSG;
    return uuid_is_valid(ret_request->payment_id) && (is_charge(ret_request) || uuid_is_valid(ret_request->refund_id)) ? 0 : -EBADMSG;
}

static int record_refund(struct transaction *tx, const struct payment_request *request)
{
    int code = refund_record(tx, request->payment_id, request->refund_id, request->amount_minor, request->reason, NULL);
    return code == -EDOM ? -EBADMSG : code;
}

static int on_payment_requests(struct transaction *tx, void *context, struct event_item *items, unsigned count)
{
    struct arena *arena = transaction_arena(tx);
    struct payment_request *requests = arena_alloc(arena, sizeof *requests * count);
    const struct payment_request **charges = arena_alloc(arena, sizeof *charges * count);
    unsigned charge_count = 0;
    int code = 0;
    for (unsigned i = 0; i < count && code == 0; i++) {
        code = decode(arena, items[i].event, &requests[i]);
        if (code == 0 && is_charge(&requests[i]))
            charges[charge_count++] = &requests[i];
    }
    if (code == 0)
        code = charges_record(tx, charges, charge_count);
    for (unsigned i = 0; i < count && code == 0; i++)
        if (!is_charge(&requests[i]))
            code = record_refund(tx, &requests[i]);
    return code;
}

static FIBER_FN void begin(struct cashier *cashier, const struct event *event)
{
    struct payment_request request;
    if (decode(fiber_arena(), event, &request) < 0)
        return;
    if (!is_charge(&request)) {
        cashier_refund(cashier, request.refund_id, event->traceparent);
        return;
    }
    const struct payment payment = {
        .id = request.payment_id,
        .order_id = request.order_id,
        .amount_minor = request.amount_minor,
        .currency = request.currency,
        .method = request.payment_method,
        .attempts = 1,
    };
    cashier_charge(cashier, &payment, event->traceparent);
}

static FIBER_FN void begin_all(void *context, const struct event_item *items, unsigned count)
{
    struct payments *payments = context;
    for (unsigned i = 0; i < count; i++)
        begin(payments->cashier, items[i].event);
}

int payments_workers_begin(struct payments *payments, const struct service_engines *engines, struct err *err)
{
    const struct event_handler handler = {
        .name = "payments.request", .effects = on_payment_requests, .committed = begin_all, .context = payments};
    return consume_queue(engines->database, engines->queue, QUEUE_PAYMENT_REQUEST, &handler, err);
}
