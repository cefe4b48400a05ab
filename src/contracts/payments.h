/* What orders and payments say to each other. */
#ifndef PURSER_CONTRACTS_PAYMENTS_H
#define PURSER_CONTRACTS_PAYMENTS_H

#include "base/arena.h"
#include "base/text.h"

#include <stdint.h>

/* Queue payment.request. A charge makes a payment (id given by the order service); a refund with amount 0 refunds all that is left, and
 * is idempotent by refund_id. cancel asks that a payment that is not yet captured never will be, or is refunded when it was. */
struct payment_request {
    const char *action; /* "charge", "refund" */
    const char *payment_id, *order_id, *user_id;
    int64_t amount_minor;
    const char *currency;
    const char *payment_method; /* charge */
    const char *refund_id;      /* refund */
    const char *reason;
};
struct text payment_request_encode(struct arena *arena, const struct payment_request *request);
/* 0 or -EBADMSG. `data` is JSON, as that of an event that was read. */
int payment_request_decode(struct arena *arena, struct text data, struct payment_request *ret_request);

/* Queue order.payment.processed. */
struct payment_processed {
    const char *action; /* "charge", "refund" */
    const char *payment_id, *order_id, *user_id;
    const char *status; /* "succeeded", "failed", "partially_refunded", "refunded" */
    const char *failure_code; /* or NULL */
    int64_t amount_minor, refunded_minor;
    const char *currency;
};
struct text payment_processed_encode(struct arena *arena, const struct payment_processed *processed);
int payment_processed_decode(struct arena *arena, struct text data, struct payment_processed *ret_processed);

/* Queue notifications. */
struct notification_request {
    const char *user_id, *type, *title, *body;
    struct text data; /* an object as JSON, or at == NULL */
};
struct text notification_request_encode(struct arena *arena, const struct notification_request *request);
int notification_request_decode(struct arena *arena, struct text data, struct notification_request *ret_request);

#endif
