/*
 * From a request to an order. Stock is taken in the order of the skus, by updates that succeed only where there is enough: first what all
 * baskets of the transaction want of a product at once, then, if that is too much, line by line. Each update also reads name and price, so that
 * what is sold and what is charged are of one moment. A refusal gives back what was taken before it is committed with its answer.
 */
#include "orders/basket.h"

#include "http/problem.h"
#include "orders/print.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* ---- reading ---- */

static void read_line(struct basket *basket, json_t *item, unsigned position, struct problem_errors *errors)
{
    char *base = arena_printf(errors->arena, "/items/%u", position);
    struct line *line = &basket->lines[position];
    *line = (struct line){.position = position};
    if (!json_is_object(item)) {
        problem_errors_add(errors, base, "This has to be an object.");
        return;
    }
    struct fields fields = fields_of(item, base, errors);
    line->sku = field_string(&fields, "sku", true, 1, 64);
    line->quantity = field_integer(&fields, "quantity", true, 1, QUANTITY_MAX, NULL);
    fields_done(&fields);
    if (line->sku && !sku_is_valid(line->sku)) {
        problem_errors_add(errors, arena_printf(errors->arena, "%s/sku", base), "Letters, digits, dots, dashes and underscores only.");
        line->sku = NULL;
    }
}

/* A sku that is there twice is told where it comes again. */
static void sort_lines(struct basket *basket, struct problem_errors *errors)
{
    unsigned known = 0;
    for (unsigned i = 0; i < basket->count; i++)
        if (basket->lines[i].sku)
            basket->sorted[known++] = &basket->lines[i];
    lines_sort(basket->sorted, known);
    for (unsigned i = 1; i < known; i++) {
        const struct line *a = basket->sorted[i - 1], *b = basket->sorted[i];
        if (strcmp(a->sku, b->sku) == 0)
            problem_errors_add(errors, arena_printf(errors->arena, "/items/%u/sku", a->position > b->position ? a->position : b->position),
                               "This sku is there twice.");
    }
}

static void read_lines(struct basket *basket, json_t *items, struct problem_errors *errors)
{
    basket->count = (unsigned)json_array_size(items);
    basket->lines = arena_alloc(errors->arena, sizeof *basket->lines * (basket->count + 1));
    basket->sorted = arena_alloc(errors->arena, sizeof *basket->sorted * (basket->count + 1));
    for (unsigned i = 0; i < basket->count; i++)
        read_line(basket, json_array_get(items, i), i, errors);
    sort_lines(basket, errors);
}

static void check_address(json_t *address, struct problem_errors *errors)
{
    struct fields fields = fields_of(address, "/shipping_address", errors);
    field_string(&fields, "name", true, 1, 200);
    field_string(&fields, "line1", true, 1, 200);
    field_string(&fields, "line2", false, 0, 200);
    field_string(&fields, "city", true, 1, 100);
    field_string(&fields, "postal_code", true, 1, 20);
    field_string(&fields, "region", false, 0, 100);
    const char *country = field_string(&fields, "country", true, 2, 2);
    fields_done(&fields);
    if (country && !country_is_valid(country))
        problem_errors_add(errors, "/shipping_address/country", "This has to be two capital letters (ISO 3166-1).");
}

bool basket_read(struct http_request *request, struct http_response *response, struct basket *ret_basket)
{
    json_t *body;
    size_t size;
    struct basket basket = {.user_id = request->identity.user_id};
    if (!request_json(request, response, false, &body))
        return false;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    json_t *items = field_array(&fields, "items", true, 1, LINES_MAX);
    basket.payment_method = field_string(&fields, "payment_method", true, 1, 100);
    basket.expected_total_minor = field_integer(&fields, "expected_total", false, 0, MONEY_MAX, &basket.expects);
    json_t *address = field_object(&fields, "shipping_address", false);
    fields_done(&fields);
    if (items)
        read_lines(&basket, items, &errors);
    if (json_is_object(address)) {
        check_address(address, &errors);
        basket.shipping_address = json_print(request->arena, address, &size);
    }
    if (problem_errors_answer(&errors, response))
        return false;
    basket.cause.traceparent = request->trace ? request->trace->traceparent : NULL;
    *ret_basket = basket;
    return true;
}

/* ---- placing ---- */

/* The first `count` of `taken`. */
static int give_back(struct transaction *tx, const struct basket *basket, struct line *const *taken, unsigned count)
{
    int code = basket->has_company && count ? -ESTALE : 0;
    for (unsigned i = 0; i < count && code == 0; i++)
        code = orders_store_stock_give(tx, taken[i]->sku, taken[i]->quantity);
    return code;
}

/* Which lines cannot be had: unknown skus first, since they are the request's fault, then those with too little stock. */
static int refuse_lines(struct transaction *tx, const struct basket *basket, struct http_response *answer)
{
    struct problem_errors unknown = {.arena = answer->arena}, short_of = {.arena = answer->arena};
    const char *detail = "There is too little stock.";
    for (unsigned i = 0; i < basket->count; i++) {
        const struct line *line = &basket->lines[i];
        struct product product;
        int code = orders_store_product(tx, line->sku, &product);
        if (code == -ENOENT)
            problem_errors_add(&unknown, arena_printf(answer->arena, "/items/%u/sku", i), "There is no such product.");
        else if (code < 0)
            return code;
        else if (product.stock < line->quantity) {
            const char *field = arena_printf(answer->arena, "/items/%u/quantity", i);
            if (product.stock == 0) {
                problem_errors_add(&short_of, field, "It is sold out.");
                detail = arena_printf(answer->arena, "%s is sold out.", line->sku);
            } else {
                problem_errors_add(&short_of, field, "Only %" PRId64 " is left.", product.stock);
                detail = arena_printf(answer->arena, "Only %" PRId64 " of %s is left.", product.stock, line->sku);
            }
        }
    }
    if (problem_errors_answer(&unknown, answer))
        return 0;
    problem(answer, 409, "out-of-stock", "%s", detail);
    if (short_of.list)
        problem_member(answer, "errors", json_incref(short_of.list));
    return 0;
}

static int compare_skus(const void *a, const void *b)
{
    return strcmp(((const struct stock *)a)->sku, ((const struct stock *)b)->sku);
}

/* What all lines want, by sku. */
static struct stocks *stocks_of(struct arena *arena, struct line **lines, unsigned count)
{
    struct stocks *stocks = arena_alloc(arena, sizeof *stocks);
    *stocks = (struct stocks){.list = arena_alloc(arena, sizeof *stocks->list * (count + 1))};
    lines_sort(lines, count);
    for (unsigned i = 0; i < count; i++)
        if (i > 0 && strcmp(lines[i]->sku, lines[i - 1]->sku) == 0)
            stocks->list[stocks->count - 1].quantity += lines[i]->quantity;
        else
            stocks->list[stocks->count++] = (struct stock){.sku = lines[i]->sku, .quantity = lines[i]->quantity};
    stocks->is_shared = stocks->count < count;
    return stocks;
}

void baskets_ask(struct transaction *tx, void *const *baskets, unsigned count)
{
    unsigned line_count = 0, at = 0;
    for (unsigned i = 0; i < count; i++)
        line_count += ((const struct basket *)baskets[i])->count;
    struct line **lines = arena_alloc(transaction_arena(tx), sizeof *lines * (line_count + 1));
    for (unsigned i = 0; i < count; i++) {
        const struct basket *basket = baskets[i];
        memcpy(lines + at, basket->sorted, sizeof *lines * basket->count);
        at += basket->count;
    }
    struct stocks *stocks = stocks_of(transaction_arena(tx), lines, line_count);
    for (unsigned i = 0; i < count; i++) {
        struct basket *basket = baskets[i];
        basket->has_company = count > 1;
        basket->stocks = stocks;
    }
    orders_store_stocks_ask(tx, stocks);
}

/* Where there is too little for all who want it, each is looked at by itself. 1: taken; 0: not. */
static int take_line(struct transaction *tx, const struct stocks *stocks, struct line *line)
{
    struct stock own = {.sku = line->sku, .quantity = line->quantity};
    const struct stock *stock = bsearch(&own, stocks->list, stocks->count, sizeof own, compare_skus);
    if (!stock->is_taken && stock->quantity > line->quantity) {
        int code = orders_store_stock_take(tx, &own);
        if (code < 0)
            return code;
        stock = &own;
    }
    line->name = stock->name;
    line->unit_price_minor = stock->unit_price_minor;
    line->currency = stock->currency;
    return stock->is_taken;
}

/* 1 when all is taken; 0 after a refusal, with nothing taken. */
static int take_stock(struct transaction *tx, const struct basket *basket, struct http_response *answer)
{
    struct line **taken = arena_alloc(transaction_arena(tx), sizeof *taken * basket->count);
    unsigned count = 0;
    int code = sql_settle(tx);
    if (code == 0)
        orders_store_stocks_told(basket->stocks);
    for (unsigned i = 0; i < basket->count && code >= 0; i++) {
        code = take_line(tx, basket->stocks, basket->sorted[i]);
        if (code > 0)
            taken[count++] = basket->sorted[i];
    }
    if (code < 0)
        return code;
    if (count == basket->count)
        return 1;
    code = give_back(tx, basket, taken, count);
    return code < 0 ? code : refuse_lines(tx, basket, answer);
}

static bool prices_changed(const struct basket *basket)
{
    for (unsigned i = 0; i < basket->count && basket->is_priced; i++)
        if (basket->lines[i].unit_price_minor != basket->priced_unit_minor[i])
            return true;
    return false;
}

/* Whether the sum can be an order's total: if not, the answer is there. */
static bool sum_up(const struct basket *basket, struct http_response *answer, int64_t *ret_total_minor)
{
    struct problem_errors errors = {.arena = answer->arena};
    const struct line *other = lines_other_currency(basket->lines, basket->count);
    if (other)
        problem_errors_add(&errors, arena_printf(answer->arena, "/items/%u/sku", other->position),
                           "An order has one currency, and this product is sold in another than the first.");
    else if (lines_total(basket->lines, basket->count, ret_total_minor) < 0)
        problem_errors_add(&errors, "/items", "The total is more than can be counted exactly.");
    else if (*ret_total_minor < 1)
        problem_errors_add(&errors, "/items", "There is nothing to pay.");
    if (problem_errors_answer(&errors, answer))
        return false;
    if (basket->is_priced)
        *ret_total_minor = basket->priced_total_minor;
    if (!basket->expects || basket->expected_total_minor == *ret_total_minor)
        return true;
    problem(answer, 409, "price-changed", "The total is %" PRId64 " %s now.", *ret_total_minor, basket->lines[0].currency);
    problem_member(answer, "total", json_integer(*ret_total_minor));
    problem_member(answer, "currency", json_string(basket->lines[0].currency));
    return false;
}

static const char *print_lines(struct arena *arena, const struct basket *basket)
{
    const char *items = "[";
    for (unsigned i = 0; i < basket->count; i++)
        items = arena_printf(arena, "%s%s%s", items, i ? "," : "", print_line(arena, &basket->lines[i]));
    return arena_printf(arena, "%s]", items);
}

int basket_place(struct transaction *tx, void *arg, struct http_response *answer)
{
    struct basket *basket = arg;
    struct arena *arena = transaction_arena(tx);
    struct order order = {.user_id = basket->user_id, .shipping_address = basket->shipping_address, .payment = {.method = basket->payment_method}};
    basket->is_stale = false; /* an earlier run may have found it so */
    int code = take_stock(tx, basket, answer);
    if (code <= 0)
        return code;
    basket->is_stale = prices_changed(basket);
    if (basket->is_stale)
        return -ESTALE;
    if (!sum_up(basket, answer, &order.total_minor))
        return give_back(tx, basket, basket->sorted, basket->count);
    order.currency = basket->lines[0].currency;
    order.items = print_lines(arena, basket);
    code = order_begin(tx, &order, &basket->cause);
    if (code < 0)
        return code;
    memcpy(basket->order_id, order.id, sizeof basket->order_id);
    respond_bytes(answer, 201, "application/json", print_order(answer->arena, &order));
    http_header_set(answer->arena, &answer->headers, "Location", arena_printf(answer->arena, "/api/v1/orders/%s", order.id));
    return 0;
}
