/* Orders over HTTP: buyers see and change their own, admins see all. What belongs to somebody else is not there. */
#include "http/resource.h"
#include "messaging/admission.h"
#include "messaging/keyed.h"
#include "orders/basket.h"
#include "orders/pricing.h"
#include "orders/print.h"
#include "orders/service.h"

#include <errno.h>

#define PRICINGS_MAX 3

static struct cause cause_of(const struct http_request *request, const char *reason)
{
    return (struct cause){.reason = reason, .traceparent = request->trace ? request->trace->traceparent : NULL};
}

/* ---- placing ---- */

struct price_read {
    const struct basket *basket;
    bool complete; /* every product was found, in one currency */
};

static int read_prices(struct transaction *tx, void *arg)
{
    struct price_read *read = arg;
    for (unsigned i = 0; i < read->basket->count; i++) {
        struct line *line = &read->basket->lines[i];
        struct product product;
        int code = orders_store_product(tx, line->sku, &product);
        if (code < 0)
            return code == -ENOENT ? 0 : code;
        line->name = product.name;
        line->currency = product.currency;
        line->unit_price_minor = product.unit_price_minor;
    }
    read->complete = !lines_other_currency(read->basket->lines, read->basket->count);
    return 0;
}

/* Asks the pricing function; false after an answer. What cannot be priced at all is left to basket_place, which says why. */
static FIBER_FN bool price(struct orders *orders, struct basket *basket, struct http_response *response)
{
    struct arena *arena = response->arena;
    struct price_read read = {.basket = basket};
    int code = database_read(orders->database, read_prices, &read);
    if (code == 0 && read.complete)
        code = pricing_ask(arena, basket->lines, basket->count, &basket->priced_total_minor);
    if (code == -EDOM)
        problem(response, 422, "price-invalid", "The pricing function did not give a valid total for this order.");
    else if (code == -EAGAIN)
        problem_unavailable(response, 1, "The price of this order cannot be told at the moment.");
    else if (code < 0)
        problem_from_error(response, code, "pricing an order");
    if (code < 0)
        return false;
    int64_t *seen = arena_alloc(arena, sizeof *seen * basket->count);
    for (unsigned i = 0; i < basket->count; i++)
        seen[i] = basket->lines[i].unit_price_minor;
    basket->priced_unit_minor = seen;
    basket->is_priced = read.complete;
    return true;
}

/* False after a 503. What was taken before has its answer, however busy it is. Only where buyers are told in this process is it known how long
 * all the work waits; in a cluster no process knows. */
static FIBER_FN bool admit(struct orders *orders, struct http_request *request, struct http_response *response,
                           struct admission_order **ret_order)
{
    bool knows = !database_is_postgres(orders->database) && service_is_here("notifications");
    int retry_after_s = knows ? admission_ask(request->arena, ret_order) : 0;
    if (!retry_after_s || keyed_is_answered(orders->database, request))
        return true;
    counter_add(orders->refused, 1);
    problem_unavailable(response, retry_after_s, "More orders came than can be handled; nothing was ordered.");
    return false;
}

FIBER_FN void orders_create(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    struct basket basket;
    struct admission_order *order = NULL;
    if (!admit(orders, request, response, &order))
        return;
    if (!basket_read(request, response, &basket))
        return;
    for (unsigned i = 0; i < PRICINGS_MAX && (i == 0 || basket.is_stale); i++) {
        basket.is_stale = false;
        if (pricing_is_on() && !price(orders, &basket, response))
            return;
        if (keyed_group_transact(orders->placing, request, response, &basket, "placing an order") && order)
            admission_placed(order, basket.order_id);
    }
}

/* ---- reading ---- */

struct order_read {
    const char *id;
    struct order order;
};

static int read_order(struct transaction *tx, void *arg)
{
    struct order_read *read = arg;
    return orders_store_order(tx, read->id, false, &read->order);
}

FIBER_FN void orders_get(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    struct order_read read = {.id = request_id(request, response)};
    if (!read.id)
        return;
    int code = database_read_one(orders->database, read_order, &read);
    if (code == -ENOENT || (code == 0 && !request_may_see(request, read.order.user_id)))
        problem_not_found(response);
    else if (code < 0)
        problem_from_error(response, code, "reading an order");
    else
        respond_bytes(response, 200, "application/json", print_order(response->arena, &read.order));
}

struct list_read {
    struct order_filter filter;
    struct order *list;
    unsigned count;
};

static int read_list(struct transaction *tx, void *arg)
{
    struct list_read *read = arg;
    return orders_store_orders(tx, &read->filter, &read->list, &read->count);
}

FIBER_FN void orders_list(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    struct page page;
    enum order_status status;
    struct problem_errors errors = {.arena = request->arena};
    const char *wanted = http_query(request, "status");
    request_id_page_errors(request, &errors, &page);
    if (wanted && order_status_parse(wanted, &status) < 0)
        problem_errors_add(&errors, "/status", "This is no status of an order.");
    if (problem_errors_answer(&errors, response))
        return;
    struct list_read read = {
        .filter = {.user_id = request_whose(request), .status = wanted, .cursor = page.cursor, .limit = page.limit + 1}};
    /* Everybody's orders are many: they are read where a scan holds up nobody. */
    int code = read.filter.user_id ? database_read_one(orders->database, read_list, &read) : database_scan(orders->database, read_list, &read);
    if (code < 0)
        problem_from_error(response, code, "listing orders");
    else
        respond_bytes(response, 200, "application/json", print_order_page(response->arena, read.list, read.count, page.limit));
}

/* ---- moving ---- */

struct moving {
    const char *id, *user_id; /* user_id NULL: anybody's */
    enum order_status to;
    const char *payment_method; /* of another payment */
    struct cause cause;
};

static void refuse_move(struct http_response *answer, const struct order *order, enum order_status to)
{
    if (to == ORDER_PENDING_PAYMENT && order->status == ORDER_PENDING_PAYMENT)
        problem(answer, 409, "payment-in-progress", "An earlier payment is not settled yet.");
    else
        problem(answer, 409, "conflict", "The order is %s, which does not allow this.", order_status_name(order->status));
}

static int move_order(struct transaction *tx, struct moving *moving, struct order *order)
{
    if (moving->to == ORDER_CANCELLED)
        return order_cancel(tx, order, &moving->cause);
    if (moving->to == ORDER_PENDING_PAYMENT)
        return order_pay_again(tx, order, moving->payment_method, &moving->cause);
    return order_mark(tx, order, moving->to, &moving->cause);
}

static void answer_move(const struct order *order, const struct moving *moving, struct http_response *answer)
{
    struct arena *arena = answer->arena;
    if (moving->to != ORDER_PENDING_PAYMENT) {
        respond_bytes(answer, 200, "application/json", print_order(arena, order));
        return;
    }
    respond_bytes(answer, 201, "application/json", print_payment(arena, order));
    http_header_set(arena, &answer->headers, "Location", arena_printf(arena, "/api/v1/payments/%s", order->payment.id));
}

static int move_keyed(struct transaction *tx, void *arg, struct http_response *answer)
{
    struct moving *moving = arg;
    struct order order;
    int code = orders_store_order(tx, moving->id, true, &order);
    if (code == -ENOENT || (code == 0 && moving->user_id && strcmp(order.user_id, moving->user_id) != 0)) {
        problem_not_found(answer);
        return 0;
    }
    if (code < 0)
        return code;
    if (!order_may_become(order.status, moving->to)) {
        refuse_move(answer, &order, moving->to);
        return 0;
    }
    code = move_order(tx, moving, &order);
    if (code == 0)
        answer_move(&order, moving, answer);
    return code;
}

/* cancel, ship and deliver: no body, or an empty object. */
static FIBER_FN void move_without_body(struct orders *orders, struct http_request *request, struct http_response *response,
                                       struct moving *moving, const char *doing)
{
    json_t *body;
    moving->id = request_id(request, response);
    if (!moving->id || !request_json(request, response, true, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    fields_done(&fields);
    if (!problem_errors_answer(&errors, response))
        keyed_transact(orders->database, request, response, move_keyed, moving, doing);
}

FIBER_FN void orders_cancel(void *context, struct http_request *request, struct http_response *response)
{
    struct moving moving = {
        .user_id = request_whose(request),
        .to = ORDER_CANCELLED,
        .cause = cause_of(request, request_is_admin(request) ? "cancelled by an administrator" : "cancelled by the buyer"),
    };
    move_without_body(context, request, response, &moving, "cancelling an order");
}

FIBER_FN void orders_ship(void *context, struct http_request *request, struct http_response *response)
{
    struct moving moving = {.to = ORDER_SHIPPED, .cause = cause_of(request, NULL)};
    move_without_body(context, request, response, &moving, "shipping an order");
}

FIBER_FN void orders_deliver(void *context, struct http_request *request, struct http_response *response)
{
    struct moving moving = {.to = ORDER_DELIVERED, .cause = cause_of(request, NULL)};
    move_without_body(context, request, response, &moving, "delivering an order");
}

FIBER_FN void orders_pay(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    json_t *body;
    struct moving moving = {
        .id = request_id(request, response),
        .user_id = request->identity.user_id,
        .to = ORDER_PENDING_PAYMENT,
        .cause = cause_of(request, NULL),
    };
    if (!moving.id || !request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    moving.payment_method = field_string(&fields, "payment_method", true, 1, 100);
    fields_done(&fields);
    if (!problem_errors_answer(&errors, response))
        keyed_transact(orders->database, request, response, move_keyed, &moving, "paying an order again");
}
