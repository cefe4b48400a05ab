/* What the order service's handlers and workers are given. */
#ifndef PURSER_ORDERS_SERVICE_H
#define PURSER_ORDERS_SERVICE_H

#include "base/metrics.h"
#include "service/service.h"

struct expiry;

struct orders {
    struct database *database;
    struct counter *refused; /* orders, since others wait */
    struct expiry *expiry;
    struct keyed_group *placing; /* orders */
};

/* api_products.c */
FIBER_FN void products_list(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void products_get(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void products_create(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void products_change(void *context, struct http_request *request, struct http_response *response);

/* api_orders.c */
FIBER_FN void orders_create(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void orders_list(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void orders_get(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void orders_cancel(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void orders_pay(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void orders_ship(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void orders_deliver(void *context, struct http_request *request, struct http_response *response);

#endif
