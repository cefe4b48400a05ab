/* What the order service hears from others, and what time does to unpaid orders. */
#ifndef PURSER_ORDERS_WORKERS_H
#define PURSER_ORDERS_WORKERS_H

#include "messaging/consumer.h"
#include "orders/service.h"

/* Starts the consumers of order.payment.processed and of user-events. 0 or negative with one line. */
int orders_workers_begin(struct orders *orders, const struct service_engines *engines, struct err *err);

/* The effects, for tests. */
int on_payments_processed(struct transaction *tx, void *context, struct event_item *items, unsigned count);
int on_user_events(struct transaction *tx, void *context, struct event_item *items, unsigned count);

/* Cancels unpaid orders when the setting order_expiry has passed. On worker 0. 0 or -ENOMEM. */
int expiry_start(struct database *database, struct expiry **ret_expiry);
FIBER_FN void expiry_stop(struct expiry *expiry);
/* One order's end, as a transaction_body on its id: nothing happens if it is not unpaid any more. */
int expire_order(struct transaction *tx, void *id);

#endif
