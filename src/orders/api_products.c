/* The catalogue over HTTP: anyone reads it, admins change it. */
#include "base/uuid.h"
#include "http/resource.h"
#include "messaging/keyed.h"
#include "orders/print.h"
#include "orders/service.h"

#include <errno.h>

static void respond_product(struct http_response *response, int status, const struct product *product)
{
    respond_bytes(response, status, "application/json", print_product(response->arena, product));
}

struct page_read {
    const char *cursor;
    int limit;
    struct product *list;
    unsigned count;
};

static int read_page(struct transaction *tx, void *arg)
{
    struct page_read *read = arg;
    return orders_store_products(tx, read->cursor, read->limit, &read->list, &read->count);
}

FIBER_FN void products_list(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    struct page page;
    if (!request_id_page(request, response, &page))
        return;
    struct page_read read = {.cursor = page.cursor, .limit = page.limit + 1};
    int code = database_read_one(orders->database, read_page, &read);
    if (code < 0)
        problem_from_error(response, code, "listing products");
    else
        respond_bytes(response, 200, "application/json", print_product_page(response->arena, read.list, read.count, page.limit));
}

struct product_read {
    const char *sku;
    struct product product;
};

static int read_product(struct transaction *tx, void *arg)
{
    struct product_read *read = arg;
    return orders_store_product(tx, read->sku, &read->product);
}

/* The path's sku; one that no product can have is not found. */
static const char *path_sku(struct http_request *request, struct http_response *response)
{
    const char *sku = request->parameters[0].at;
    if (sku_is_valid(sku))
        return sku;
    problem_not_found(response);
    return NULL;
}

FIBER_FN void products_get(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    struct product_read read = {.sku = path_sku(request, response)};
    if (!read.sku)
        return;
    int code = database_read_one(orders->database, read_product, &read);
    if (code == -ENOENT)
        problem_not_found(response);
    else if (code < 0)
        problem_from_error(response, code, "reading a product");
    else
        respond_product(response, 200, &read.product);
}

/* ---- changes ---- */

static int create(struct transaction *tx, void *arg, struct http_response *answer)
{
    struct product *product = arg;
    char id[UUID_SIZE];
    uuid_make(id);
    product->id = id;
    int code = orders_store_product_insert(tx, product);
    product->id = NULL;
    if (code == -EEXIST) {
        problem(answer, 409, "conflict", "There is a product with this sku.");
        return 0;
    }
    if (code < 0)
        return code;
    respond_product(answer, 201, product);
    http_header_set(answer->arena, &answer->headers, "Location", arena_printf(answer->arena, "/api/v1/products/%s", product->sku));
    return 0;
}

FIBER_FN void products_create(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    json_t *body;
    if (!request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    struct product product = {
        .sku = field_string(&fields, "sku", true, 1, 64),
        .name = field_string(&fields, "name", true, 1, 200),
        .description = field_string(&fields, "description", false, 0, 4000),
        .unit_price_minor = field_integer(&fields, "unit_price", true, 0, MONEY_MAX, NULL),
        .currency = field_string(&fields, "currency", true, 3, 3),
        .stock = field_integer(&fields, "stock", true, 0, STOCK_MAX, NULL),
    };
    fields_done(&fields);
    if (product.sku && !sku_is_valid(product.sku))
        problem_errors_add(&errors, "/sku", "Letters, digits, dots, dashes and underscores only.");
    if (product.currency && !currency_is_valid(product.currency))
        problem_errors_add(&errors, "/currency", "This has to be three capital letters (ISO 4217).");
    if (problem_errors_answer(&errors, response))
        return;
    if (!product.description)
        product.description = "";
    keyed_transact(orders->database, request, response, create, &product, "adding a product");
}

struct product_change {
    struct product change, product;
};

static int change_product(struct transaction *tx, void *arg)
{
    struct product_change *work = arg;
    int code = orders_store_product_update(tx, &work->change);
    return code < 0 ? code : orders_store_product(tx, work->change.sku, &work->product);
}

FIBER_FN void products_change(void *context, struct http_request *request, struct http_response *response)
{
    struct orders *orders = context;
    json_t *body;
    bool has_price, has_stock;
    struct product_change work = {.change = {.sku = path_sku(request, response)}};
    if (!work.change.sku || !request_json(request, response, false, &body))
        return;
    struct problem_errors errors = {.arena = request->arena};
    struct fields fields = fields_of(body, "", &errors);
    work.change.name = field_string(&fields, "name", false, 1, 200);
    work.change.description = field_string(&fields, "description", false, 0, 4000);
    work.change.unit_price_minor = field_integer(&fields, "unit_price", false, 0, MONEY_MAX, &has_price);
    work.change.stock = field_integer(&fields, "stock", false, 0, STOCK_MAX, &has_stock);
    fields_done(&fields);
    if (!json_object_size(body))
        problem_errors_add(&errors, "", "There is nothing to change.");
    if (problem_errors_answer(&errors, response))
        return;
    work.change.unit_price_minor = has_price ? work.change.unit_price_minor : -1;
    work.change.stock = has_stock ? work.change.stock : -1;
    int code = database_transact(orders->database, change_product, &work);
    if (code == -ENOENT)
        problem_not_found(response);
    else if (code < 0)
        problem_from_error(response, code, "changing a product");
    else
        respond_product(response, 200, &work.product);
}
