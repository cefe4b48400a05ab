/* What the payment service's handlers and workers are given. */
#ifndef PURSER_PAYMENTS_SERVICE_H
#define PURSER_PAYMENTS_SERVICE_H

#include "payments/cashier.h"
#include "service/service.h"

struct payments {
    struct database *database;
    const struct provider *provider;
    struct cashier *cashier;
    struct commit_group *callbacks; /* that are being stored */
};

/* api.c */
FIBER_FN void payments_list(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void payments_get(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void payments_refund(void *context, struct http_request *request, struct http_response *response);
FIBER_FN void payments_ledger(void *context, struct http_request *request, struct http_response *response);

#endif
