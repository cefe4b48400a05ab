/* The order service: the catalogue, its stock, and orders from the basket to the door. It owns the tables of schema/ and hears of payments
 * and users by messages alone. */
#include "orders/service.h"

#include "base/settings.h"
#include "messaging/keyed.h"
#include "orders/basket.h"
#include "orders/demo.h"
#include "orders/orders.h"
#include "orders/workers.h"

#include <errno.h>
#include <stdlib.h>

#define API "/api/v1"

static const struct route routes[] = {
    {HTTP_GET, API "/products", ROUTE_PUBLIC, products_list},
    {HTTP_GET, API "/products/{sku}", ROUTE_PUBLIC, products_get},
    {HTTP_POST, API "/products", ROUTE_ADMIN, products_create},
    {HTTP_PATCH, API "/products/{sku}", ROUTE_ADMIN, products_change},
    {HTTP_POST, API "/orders", ROUTE_USER, orders_create},
    {HTTP_GET, API "/orders", ROUTE_USER, orders_list},
    {HTTP_GET, API "/orders/{id}", ROUTE_USER, orders_get},
    {HTTP_POST, API "/orders/{id}/cancel", ROUTE_USER, orders_cancel},
    {HTTP_POST, API "/orders/{id}/payments", ROUTE_USER, orders_pay},
    {HTTP_POST, API "/orders/{id}/ship", ROUTE_ADMIN, orders_ship},
    {HTTP_POST, API "/orders/{id}/deliver", ROUTE_ADMIN, orders_deliver},
    {.pattern = NULL},
};

static FIBER_FN void stop(void *context)
{
    struct orders *orders = context;
    if (orders->expiry)
        expiry_stop(orders->expiry);
    keyed_group_free(orders->placing);
    free(orders);
}

static FIBER_FN int begin(struct orders *orders, const struct service_engines *engines, struct err *err)
{
    int code = settings_flag("demo") ? database_transact(orders->database, demo_fill, NULL) : 0;
    if (code < 0)
        return err_set(err, code, "cannot fill the catalogue of the demonstration");
    code = orders_workers_begin(orders, engines, err);
    if (code < 0)
        return code;
    code = expiry_start(orders->database, &orders->expiry);
    return code < 0 ? err_set(err, code, "cannot start the expiry of orders") : 0;
}

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    struct orders *orders = calloc(1, sizeof *orders);
    if (!orders)
        return err_set(err, -ENOMEM, "out of memory");
    orders->database = engines->database;
    orders->refused = counter_get("purser_orders_refused_total", NULL, "Orders refused because the work of earlier ones waits");
    orders->placing = keyed_group_new(engines->database, baskets_ask, basket_place);
    int code = orders->placing ? begin(orders, engines, err) : err_set(err, -ENOMEM, "out of memory");
    if (code < 0) {
        stop(orders);
        return code;
    }
    *ret_context = orders;
    return 0;
}

const struct service orders_service = {
    .name = "orders",
    .routes = routes,
    .has_database = true,
    .has_outbox = true,
    .start = start,
    .stop = stop,
};
