/* The payment service: attempts to pay, refunds and the ledger. It moves money only through a provider, and only as a message or an admin asks. */
#include "payments/service.h"

#include "messaging/commit_group.h"
#include "payments/callbacks.h"
#include "payments/payments.h"
#include "payments/workers.h"

#include <errno.h>
#include <stdlib.h>

#define API "/api/v1"

static const struct route routes[] = {
    {HTTP_GET, API "/payments", ROUTE_USER, payments_list},
    {HTTP_GET, API "/payments/{id}", ROUTE_USER, payments_get},
    {HTTP_POST, API "/payments/{id}/refunds", ROUTE_ADMIN, payments_refund},
    {HTTP_POST, API "/payments/callbacks/{provider}", ROUTE_PUBLIC, callbacks_receive},
    {HTTP_GET, "/internal/ledger", ROUTE_INTERNAL, payments_ledger},
    {.pattern = NULL},
};

static FIBER_FN void stop(void *context)
{
    struct payments *payments = context;
    if (payments->cashier)
        cashier_stop(payments->cashier);
    commit_group_free(payments->callbacks);
    provider_close(payments->provider);
    free(payments);
}

static FIBER_FN int begin(struct payments *payments, const struct service_engines *engines, struct err *err)
{
    int code = provider_open(&payments->provider, err);
    if (code < 0)
        return code;
    code = cashier_start(payments->database, payments->provider, &payments->cashier);
    if (code < 0)
        return err_set(err, code, "cannot start the cashier");
    return payments_workers_begin(payments, engines, err);
}

static FIBER_FN int start(struct service_engines *engines, void **ret_context, struct err *err)
{
    struct payments *payments = calloc(1, sizeof *payments);
    if (!payments)
        return err_set(err, -ENOMEM, "out of memory");
    payments->database = engines->database;
    payments->callbacks = commit_group_new(engines->database, callbacks_store);
    int code = payments->callbacks ? begin(payments, engines, err) : err_set(err, -ENOMEM, "out of memory");
    if (code < 0) {
        stop(payments);
        return code;
    }
    *ret_context = payments;
    return 0;
}

const struct service payments_service = {
    .name = "payments",
    .routes = routes,
    .has_database = true,
    .has_outbox = true,
    .start = start,
    .stop = stop,
};
